/* Rules are compiled; see rules.h.  rules_match.c matches, rules_explain.c tells why. */
#include "handlerd/rules_parts.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static_assert(RULE_FIELDS <= 64, "a bit for each field");

/* Those at which a rule is asked that names none. */
#define USUAL_STAGES (1u << STAGE_DISCOVER | 1u << STAGE_BOOTSERVER | 1u << STAGE_BOOT)
struct compile {
	struct rules *rules;
	config_error_fn *error;
	void *arg;
	size_t errors;
};

static void __attribute__((format(printf, 3, 4)))
complain(struct compile *c, const char *path, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap); /* a cut message is still one */
	va_end(ap);
	c->errors++;
	c->error(c->arg, path, what);
}

static int
compile_name(struct cond *cond, const char *text)
{
	uint64_t tag;

	for (int v = 0; v < 64; v++) {
		const char *name = rule_value_name(cond->field, v);

		if (name != NULL && strcasecmp(name, text) == 0) {
			cond->mask |= UINT64_C(1) << v;
			return 0;
		}
	}
	if (cond->field == RULE_IPXE_FEATURE && parse_u64(text, &tag) == 0 && tag >= 16 &&
	    tag < 80) {
		cond->mask |= UINT64_C(1) << (tag - 16);
		return 0;
	}
	return -EINVAL;
}

/* A CPU adds a bit, a number a range. */
static int
compile_arch(struct cond *cond, const char *text)
{
	enum arch_cpu cpu = arch_cpu_from_name(slice_str(text));

	if (cpu != ARCH_CPU_NONE) {
		cond->mask |= UINT64_C(1) << cpu;
		return 0;
	}
	if (number_range_parse(text, number_parse, &cond->patterns[cond->n].range) < 0)
		return -EINVAL;
	cond->n++;
	return 0;
}

static int
compile_outcome(const char *text, struct pattern *p)
{
	const char *less = strchr(text, '<');
	size_t n = less != NULL ? (size_t)(less - text) : strlen(text);

	p->outcome.age_s = UINT64_MAX;
	if (less != NULL && age_parse(slice_str(less + 1), &p->outcome.age_s) < 0)
		return -EINVAL;
	for (int v = 0; v < OUTCOMES; v++) {
		if (strlen(rule_outcome_name((enum rule_outcome)v)) == n &&
		    strncasecmp(rule_outcome_name((enum rule_outcome)v), text, n) == 0) {
			p->outcome.outcome = (enum rule_outcome)v;
			return 0;
		}
	}
	return -EINVAL;
}

static int
compile_network(enum rule_field field, const char *text, struct pattern *p)
{
	if (field == RULE_RELAY && strcasecmp(text, "none") == 0) {
		p->network = (struct cidr){ 0 };
		return 0;
	}
	return cidr_parse(slice_str(text), &p->network);
}

static struct slice
keep_text(struct rules *rules, const char *text)
{
	struct slice s = slice_str(text);
	char *to = rules->texts + rules->ntexts;

	if (s.n > 0)
		memcpy(to, s.p, s.n);
	rules->ntexts += s.n;
	return (struct slice){ (const uint8_t *)to, s.n };
}

static int
compile_param(struct rules *rules, const char *text, struct pattern *p)
{
	const char *equals = strchr(text, '=');
	char name[PARAMS_NAME_MAX], (*grown)[PARAMS_NAME_MAX];
	size_t at;

	if (equals == NULL || equals == text || (size_t)(equals - text) >= sizeof(name))
		return -EINVAL;
	(void)slice_copy(
	    name, sizeof(name), (struct slice){ (const uint8_t *)text, (size_t)(equals - text) });
	for (at = 0; at < rules->nparams && strcasecmp(rules->params[at], name) != 0; at++)
		;
	if (at == rules->nparams) {
		grown = realloc(rules->params, (at + 1) * sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		rules->params = grown;
		memcpy(rules->params[at], name, sizeof(name));
		rules->nparams++;
	}
	p->param.at = at;
	p->param.glob = keep_text(rules, equals + 1);
	return 0;
}

static int
compile_uuid(const char *text, struct pattern *p)
{
	int rc = uuid_parse(slice_str(text), &p->uuid[0]);

	if (rc == 0)
		uuid_from_smbios(p->uuid[0].b, &p->uuid[1]);
	return rc;
}

static void
put_head(struct pattern *p, const uint8_t octets[static 8], const uint8_t mask[static 8])
{
	memcpy(&p->head, octets, sizeof(p->head));
	memcpy(&p->mask, mask, sizeof(p->mask));
	p->head &= p->mask;
}

/* An octet whose first n bits are set. */
static const uint8_t first_bits[] = { 0x00, 0x80, 0xc0, 0xe0, 0xf0, 0xf8, 0xfc, 0xfe, 0xff };

/* What of the pattern head_of() must show; nothing where it may show several things. */
static void
set_head(const struct cond *cond, struct pattern *p)
{
	uint8_t octets[8] = { 0 }, mask[8] = { 0 };
	unsigned bits;

	switch (cond->kind) {
	case KIND_GLOB:
		if (cond->field == RULE_GROUP)
			return;
		for (size_t i = 0; i < 8 && i < p->glob.n; i++) {
			if (p->glob.p[i] == '*' || p->glob.p[i] == '?')
				break;
			octets[i] = glob_fold(p->glob.p[i]);
			mask[i] = 0xff;
		}
		break;
	case KIND_MAC:
		for (size_t i = 0; i < 8 && i < p->mac.len; i++) {
			octets[i] = p->mac.b[i];
			mask[i] = 0xff;
		}
		break;
	case KIND_UUID: /* its second half is the same in both byte orders */
		memcpy(octets, p->uuid[0].b + 8, 8);
		memset(mask, 0xff, 8);
		break;
	case KIND_NETWORK:
		if (p->network.net.family == 0)
			return;
		octets[0] = p->network.net.family;
		mask[0] = 0xff;
		memcpy(octets + 1, p->network.net.b, 7);
		bits = p->network.bits;
		for (size_t i = 1; i < 8 && bits > 0; i++) {
			mask[i] = first_bits[bits >= 8 ? 8 : bits];
			bits -= bits >= 8 ? 8 : bits;
		}
		break;
	default: return;
	}
	put_head(p, octets, mask);
}

static int
compile_pattern(struct rules *rules, struct cond *cond, const char *text)
{
	struct pattern *p = &cond->patterns[cond->n];
	int rc;

	switch (rule_field_kind(cond->field)) {
	case KIND_NAMES: return compile_name(cond, text);
	case KIND_ARCH: return compile_arch(cond, text);
	case KIND_RANGE:
		rc = number_range_parse(text,
		    cond->field == RULE_IPXE_VERSION ? version_parse : number_parse, &p->range);
		break;
	case KIND_OUTCOME: rc = compile_outcome(text, p); break;
	case KIND_TIME: rc = week_time_parse(text, &p->time); break;
	case KIND_MAC: rc = mac_parse(slice_str(text), &p->mac); break;
	case KIND_UUID: rc = compile_uuid(text, p); break;
	case KIND_NETWORK: rc = compile_network(cond->field, text, p); break;
	case KIND_PARAM: rc = compile_param(rules, text, p); break;
	default:
		p->glob = keep_text(rules, text);
		rc = text[0] != '\0' ? 0 : -EINVAL;
		break;
	}
	if (rc == 0) {
		set_head(cond, p);
		cond->n++;
	}
	return rc;
}

static int
compile_cond(
    struct compile *c, const char *path, const struct config_strings *texts, struct cond *cond)
{
	struct rules *rules = c->rules;

	cond->kind = rule_field_kind(cond->field);
	cond->texts = texts;
	cond->patterns = &rules->patterns[rules->npatterns];
	for (size_t k = 0; k < texts->n; k++) {
		int rc = compile_pattern(rules, cond, texts->v[k]);
		char at[160];

		if (rc == 0)
			continue;
		if (rc == -ENOMEM)
			return rc;
		(void)snprintf(at, sizeof(at), "%s.%s[%zu]", path, rule_field_name(cond->field), k);
		complain(c, at, "\"%.100s\" makes no sense here", texts->v[k]);
	}
	rules->npatterns += cond->n;
	return 0;
}

static int
compile_block(struct compile *c, const char *path, const struct rule_when *block, struct cond **ret,
    size_t *ret_n)
{
	struct rules *rules = c->rules;
	int rc = 0;

	*ret = &rules->conds[rules->nconds];
	for (size_t i = 0; rc == 0 && i < RULE_FIELDS; i++) {
		struct cond *cond = &rules->conds[rules->nconds];

		if (block->by[i].n == 0)
			continue;
		cond->field = (enum rule_field)i;
		rules->nconds++;
		++*ret_n;
		rc = compile_cond(c, path, &block->by[i], cond);
	}
	return rc;
}

static int
compile_rule(struct compile *c, size_t i, struct rule *r)
{
	char path[80];
	int rc;

	(void)snprintf(path, sizeof(path), "rules[%zu].when", i);
	rc = compile_block(c, path, &r->conf->when, &r->when, &r->nwhen);
	if (rc < 0)
		return rc;
	/* the conditions are in the order of their fields: that on the stage is the first */
	r->stages = r->nwhen > 0 && r->when[0].field == RULE_STAGE ? (unsigned)r->when[0].mask
	                                                           : USUAL_STAGES;
	(void)snprintf(path, sizeof(path), "rules[%zu].unless", i);
	return compile_block(c, path, &r->conf->unless, &r->unless, &r->nunless);
}

/* What a block may take of the arrays, at most. */
static void
count_block(const struct rule_when *block, size_t *conds, size_t *patterns, size_t *texts)
{
	for (size_t i = 0; i < RULE_FIELDS; i++) {
		*conds += block->by[i].n > 0;
		*patterns += block->by[i].n;
		for (size_t k = 0; k < block->by[i].n; k++)
			*texts += strlen(block->by[i].v[k]);
	}
}

static int
make_room(struct rules *rules, const struct config_list *list)
{
	const struct rule_conf *conf = list->v;
	size_t conds = 1, patterns = 1, texts = 1;

	for (size_t i = 0; i < list->n; i++) {
		count_block(&conf[i].when, &conds, &patterns, &texts);
		count_block(&conf[i].unless, &conds, &patterns, &texts);
	}
	rules->v = calloc(list->n + 1, sizeof(*rules->v));
	rules->conds = calloc(conds, sizeof(*rules->conds));
	rules->patterns = calloc(patterns, sizeof(*rules->patterns));
	rules->texts = malloc(texts);
	return rules->v != NULL && rules->conds != NULL && rules->patterns != NULL &&
	               rules->texts != NULL
	           ? 0
	           : -ENOMEM;
}

int
rules_compile(const struct config_list *list, config_error_fn *error, void *arg, struct rules **ret)
{
	struct rules *rules = calloc(1, sizeof(*rules));
	struct compile c = { .rules = rules, .error = error, .arg = arg };
	int rc;

	if (rules == NULL)
		return -ENOMEM;
	rc = make_room(rules, list);
	for (size_t i = 0; rc == 0 && i < list->n; i++) {
		rules->v[i].conf = (const struct rule_conf *)list->v + i;
		rules->n++;
		rc = compile_rule(&c, i, &rules->v[i]);
	}
	if (rc == 0 && c.errors > 0)
		rc = -EINVAL;
	if (rc < 0) {
		rules_free(rules);
		return rc;
	}
	*ret = rules;
	return 0;
}

void
rules_free(struct rules *rules)
{
	if (rules == NULL)
		return;
	free(rules->texts);
	free(rules->patterns);
	free(rules->conds);
	free(rules->params);
	free(rules->v);
	free(rules);
}

size_t
rules_count(const struct rules *rules)
{
	return rules->n;
}

const struct rule_conf *
rules_conf(const struct rules *rules, size_t i)
{
	return rules->v[i].conf;
}
