/* Why a rule does or does not hold, in words; see rules.h. */
#include "handlerd/rules_parts.h"

#include <assert.h>

static void
put_quoted(struct wbuf *w, struct slice s)
{
	wbuf_u8(w, '"');
	for (size_t i = 0; i < s.n && i < 100; i++)
		wbuf_u8(w, s.p[i] < ' ' || s.p[i] >= 0x7f || s.p[i] == '"' ? '.' : s.p[i]);
	wbuf_u8(w, '"');
}

static void
put_bits(struct wbuf *w, const struct cond *c, const struct subject *s)
{
	uint64_t bits = rule_bits(c->field, s);
	bool any = false;

	for (int v = 0; v < 64; v++) {
		const char *name = rule_value_name(c->field, v);

		if ((bits >> v & 1) == 0 || name == NULL)
			continue;
		wbuf_printf(w, "%s%s", any ? "+" : "", name);
		any = true;
	}
	if (!any)
		wbuf_str(w, "not known");
}

static void
put_number(struct wbuf *w, const struct cond *c, const struct subject *s)
{
	uint64_t n;

	if (c->field == RULE_ARCH && s->cpu != ARCH_CPU_NONE)
		wbuf_printf(w, "%s", arch_cpu_name(s->cpu));
	else if (!rule_number(c->field, s, &n))
		wbuf_str(w, "not known");
	else if (c->field == RULE_IPXE_VERSION)
		wbuf_printf(w, "%u.%u.%u", (unsigned)(n >> 16), (unsigned)(n >> 8 & 255),
		    (unsigned)(n & 255));
	else
		wbuf_printf(w, "%llu", (unsigned long long)n);
}

static void
put_groups(struct wbuf *w, const struct subject *s)
{
	if (s->ngroups == 0)
		wbuf_str(w, "none");
	for (size_t i = 0; i < s->ngroups; i++) {
		if (i > 0)
			wbuf_str(w, ", ");
		put_quoted(w, s->groups[i]);
	}
}

/* What the subject has where a condition looks. */
static void
put_value(struct wbuf *w, const struct rules *rules, const struct cond *c, const struct subject *s)
{
	static const char days[7][4] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };
	char text[MAC_STRLEN], value[RULE_VALUE_MAX];
	struct slice t;

	switch (c->kind) {
	case KIND_NAMES: put_bits(w, c, s); break;
	case KIND_ARCH:
	case KIND_RANGE: put_number(w, c, s); break;
	case KIND_OUTCOME:
		wbuf_printf(w, "%s, %u s ago", rule_outcome_name(s->outcome), s->outcome_age_s);
		break;
	case KIND_TIME:
		wbuf_printf(w, "%s %02d:%02d", days[s->weekday], s->minute / 60, s->minute % 60);
		break;
	case KIND_MAC: wbuf_str(w, s->mac.len > 0 ? mac_format(&s->mac, text) : "not known"); break;
	case KIND_UUID: wbuf_str(w, s->has_uuid ? uuid_format(&s->uuid, text) : "not known"); break;
	case KIND_NETWORK:
		wbuf_str(w, rule_place(c->field, s)->family != 0
				? ip_format(rule_place(c->field, s), text)
				: "none");
		break;
	case KIND_PARAM:
		if (c->n == 0 || params_text(rule_form(s), rules->params[c->patterns[0].param.at],
				     value, sizeof(value)) < 0)
			wbuf_str(w, "not there");
		else
			put_quoted(w, slice_str(value));
		break;
	default:
		if (c->field == RULE_GROUP) {
			put_groups(w, s);
			break;
		}
		t = rule_text(c->field, s);
		if (t.n == 0)
			wbuf_str(w, "not known");
		else
			put_quoted(w, t);
		break;
	}
}

static void
put_wanted(struct wbuf *w, const struct cond *c)
{
	size_t shown = c->texts->n < 4 ? c->texts->n : 4;

	for (size_t i = 0; i < shown; i++) {
		if (i > 0)
			wbuf_str(w, ", ");
		put_quoted(w, slice_str(c->texts->v[i]));
	}
	if (shown < c->texts->n)
		wbuf_printf(w, " or %zu more", c->texts->n - shown);
}

bool
rules_explain(const struct rules *rules, size_t i, const struct subject *s, char *buf, size_t size)
{
	const struct rule *r = &rules->v[i];
	const struct cond *c;
	bool unless;
	bool asked = (r->stages >> s->stage & 1) != 0;
	uint8_t text[2048];
	struct wbuf w;

	assert(size > 0);
	c = rule_obstacle(rules, r, s, &unless);
	wbuf_init(&w, text, sizeof(text));
	if (c == NULL && !asked) {
		wbuf_printf(&w, "it does not name the stage %s", boot_stage_name(s->stage));
	} else if (c == NULL) {
		wbuf_str(&w,
		    r->nwhen + r->nunless == 0 ? "it has no condition" : "all its conditions hold");
	} else {
		wbuf_printf(&w, "%s is ", rule_field_name(c->field));
		put_value(&w, rules, c, s);
		wbuf_str(&w, unless ? "; the rule is not for " : "; the rule wants ");
		put_wanted(&w, c);
	}
	(void)slice_copy(buf, size, wbuf_view(&w));
	return c == NULL && asked;
}
