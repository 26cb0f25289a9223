/* Findings of a self-test; see finding.h. */
#include "common/finding.h"

#include <stdarg.h>
#include <stdio.h>

const char *
finding_verdict_name(enum finding_verdict v)
{
	static const char *const names[FINDING_VERDICTS] = { "good", "warning", "fault" };

	return (size_t)v < FINDING_VERDICTS ? names[v] : "?";
}

static void __attribute__((format(printf, 3, 0)))
add(struct findings *f, const struct finding *head, const char *fmt, va_list ap)
{
	struct finding *to;

	if (f->n == FINDINGS_MAX)
		return;
	to = &f->v[f->n++];
	*to = *head;
	(void)vsnprintf(to->found, sizeof(to->found), fmt, ap);
	/* names come from the network, and go to a terminal and into a log */
	for (char *p = to->found; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			*p = '?';
	}
}

void
finding_add(struct findings *f, enum finding_verdict verdict, const char *check, const char *effect,
    const char *cure, const char *fmt, ...)
{
	const struct finding head = {
		.verdict = verdict, .check = check, .effect = effect, .cure = cure
	};
	va_list ap;

	va_start(ap, fmt);
	add(f, &head, fmt, ap);
	va_end(ap);
}

void
finding_good(struct findings *f, const char *check, const char *fmt, ...)
{
	const struct finding head = { .verdict = FINDING_GOOD, .check = check };
	va_list ap;

	va_start(ap, fmt);
	add(f, &head, fmt, ap);
	va_end(ap);
}

enum finding_verdict
findings_worst(const struct findings *f)
{
	enum finding_verdict worst = FINDING_GOOD;

	for (size_t i = 0; i < f->n; i++) {
		if (f->v[i].verdict > worst)
			worst = f->v[i].verdict;
	}
	return worst;
}

json_t *
findings_dump(const struct findings *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->n; i++) {
		const struct finding *at = &f->v[i];
		json_t *o = json_pack("{s:s, s:s, s:s}", "verdict",
		    finding_verdict_name(at->verdict), "check", at->check, "found", at->found);

		if (at->effect != NULL)
			json_object_set_new(o, "effect", json_string(at->effect));
		if (at->cure != NULL)
			json_object_set_new(o, "cure", json_string(at->cure));
		json_array_append_new(list, o);
	}
	return list;
}
