/* See lossy_rules.h. */
#include "tests/suite/lossy_rules.h"

#include "common/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULES_MAX 32

const char *const kind_names[KINDS] = { "rrq", "oack", "ack", "lastack", "data", "last", "error",
	"up", "down" };
static const char *const action_names[ACTIONS] = { "drop", "double", "delay", "late" };
const char *const done_names[ACTIONS] = { "dropped", "doubled", "delayed", "late" };

static struct rule rules[RULES_MAX];
static size_t nrules;

void
die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)fputs("lossy: ", stderr);
	(void)vfprintf(stderr, format, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	exit(EXIT_FAILURE);
}

static size_t
find_name(const char *const names[], size_t count, const char *name)
{
	size_t i = 0;

	while (i < count && strcmp(names[i], name) != 0)
		i++;
	return i;
}

/* A number from 1 on, or 0. */
static uint64_t
take_number(const char **p)
{
	char *end;
	uint64_t n = **p >= '0' && **p <= '9' ? strtoull(*p, &end, 10) : 0;

	if (n > 0)
		*p = end;
	return n;
}

static void
parse_when(struct rule *r, const char *text)
{
	const char *p = text;
	bool good;

	if (*p == '*') {
		p++;
		r->every = take_number(&p);
		good = r->every > 0;
	} else {
		r->first = r->last = take_number(&p);
		good = r->first > 0;
		if (*p == '%') {
			p++;
			r->percent = (double)r->first;
		} else if (*p == '-') {
			p++;
			r->last = take_number(&p);
			good = good && r->last >= r->first;
		}
	}
	if (!good || *p != '\0')
		die("%s: not N, N-M, *N or P%%", text);
}

void
add_rule(char *text)
{
	struct rule *r = &rules[nrules];
	char *kind = strchr(text, ':'), *when, *value;

	if (nrules++ == NITEMS(rules))
		die("too many rules");
	if (kind == NULL)
		die("%s: a rule has the form ACTION:KIND[:WHEN]", text);
	*kind++ = '\0';
	when = strchr(kind, ':');
	if (when != NULL)
		*when++ = '\0';
	value = strchr(text, '=');
	if (value != NULL)
		*value++ = '\0';
	r->action = (enum action)find_name(action_names, ACTIONS, text);
	r->kind = (enum kind)find_name(kind_names, KINDS, kind);
	if ((size_t)r->action == ACTIONS || (size_t)r->kind == KINDS)
		die("%s:%s: no such action or kind", text, kind);
	if ((r->action >= DELAY) != (value != NULL))
		die("%s: delay and late need a value, others have none", text);
	r->value = value != NULL ? (unsigned)strtoul(value, NULL, 10) : 0;
	if (when != NULL)
		parse_when(r, when);
}

/* The next number of a transfer's sequence (splitmix64), from 0 to below 100. */
static double
next_percent(struct flow *f)
{
	uint64_t z = (f->chance += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0 * 100;
}

static bool
applies(const struct rule *r, struct flow *f)
{
	uint64_t n = f->seen[r->kind];

	if (r->percent > 0)
		return next_percent(f) < r->percent;
	if (r->every > 0)
		return n % r->every == 0;
	return r->first == 0 || (n >= r->first && n <= r->last);
}

void
judge(struct flow *f, unsigned kinds, const struct rule *ret[static ACTIONS])
{
	for (size_t i = 0; i < nrules; i++) {
		const struct rule *r = &rules[i];

		/* ask all of them: chance must not depend on what else is decided */
		if ((kinds & 1u << r->kind) != 0 && applies(r, f) && ret[r->action] == NULL)
			ret[r->action] = r;
	}
}
