/* The first rule that holds; see rules.h. */
#include "handlerd/rules_parts.h"

#include <string.h>

/* Bytes of a posted form that conditions look at. */
#define FORM_MAX 8192
/* Parameters that are decoded once for all rules; further ones each time. */
#define DECODED 16
/* A request that is matched: the form is not taken apart again for each rule. */
struct asking {
	const struct rules *rules;
	const struct subject *s;
	uint64_t heads[RULE_FIELDS];
	uint64_t headed; /* bit n: heads[n] is known */
	bool known[DECODED];
	int n[DECODED]; /* length, or negative: it is not there */
	char values[DECODED][RULE_VALUE_MAX];
};
uint64_t
rule_bits(enum rule_field field, const struct subject *s)
{
	switch (field) {
	case RULE_STAGE: return UINT64_C(1) << s->stage;
	case RULE_CLIENT: return UINT64_C(1) << s->client;
	case RULE_VIA: return UINT64_C(1) << s->via;
	case RULE_FIRMWARE: return UINT64_C(1) << arch_find(s->arch)->kind;
	case RULE_MACHINE: return s->machine;
	case RULE_IPXE_FEATURE: return s->ipxe_features;
	default: return 0;
	}
}

bool
rule_number(enum rule_field field, const struct subject *s, uint64_t *ret)
{
	switch (field) {
	case RULE_ATTEMPT: *ret = s->attempt; return s->attempt > 0;
	case RULE_WAITED: *ret = s->waited_s; return true;
	case RULE_IPXE_VERSION: *ret = s->ipxe_version; return s->ipxe_version != 0;
	default: *ret = s->arch; return s->arch != ARCH_UNKNOWN;
	}
}

struct slice
rule_text(enum rule_field field, const struct subject *s)
{
	switch (field) {
	case RULE_SUBNET: return s->subnet;
	case RULE_INTERFACE: return s->interface;
	case RULE_MANUFACTURER: return s->manufacturer;
	case RULE_PRODUCT: return s->product;
	case RULE_SERIAL: return s->serial;
	case RULE_ASSET: return s->asset;
	case RULE_CIRCUIT_ID: return s->circuit_id;
	case RULE_REMOTE_ID: return s->remote_id;
	case RULE_VENDOR_CLASS: return s->vendor_class;
	case RULE_USER_CLASS: return s->user_class;
	case RULE_CLIENT_SUBJECT: return s->client_subject;
	case RULE_CLIENT_ISSUER: return s->client_issuer;
	case RULE_CLIENT_SERIAL: return s->client_serial;
	case RULE_CLIENT_FINGERPRINT: return s->client_fingerprint;
	case RULE_FILE: return s->file;
	default: return (struct slice){ 0 };
	}
}

const struct ipaddr *
rule_place(enum rule_field field, const struct subject *s)
{
	if (field == RULE_RELAY || s->relay.family != 0)
		return &s->relay;
	return !ip_is_any(&s->address) ? &s->address : &s->server;
}

struct slice
rule_form(const struct subject *s)
{
	return (struct slice){ s->params.p, s->params.n < FORM_MAX ? s->params.n : FORM_MAX };
}

static bool
uuid_matches(const struct uuid want[static 2], const struct subject *s)
{
	return s->has_uuid && (memcmp(&want[0], &s->uuid, sizeof(s->uuid)) == 0 ||
				  memcmp(&want[1], &s->uuid, sizeof(s->uuid)) == 0);
}

static bool
group_matches(struct slice glob, const struct subject *s)
{
	for (size_t i = 0; i < s->ngroups; i++) {
		if (glob_match(glob, s->groups[i]))
			return true;
	}
	return false;
}

/* The first octets of what a subject has: folded text, an address, half a UUID. */
static uint64_t
make_head(const struct cond *c, const struct subject *s)
{
	uint8_t octets[8] = { 0 };
	const struct ipaddr *ip;
	struct slice text;
	uint64_t head;

	switch (c->kind) {
	case KIND_GLOB:
		text = rule_text(c->field, s);
		for (size_t i = 0; i < 8 && i < text.n; i++)
			octets[i] = glob_fold(text.p[i]);
		break;
	case KIND_MAC:
		for (size_t i = 0; i < 8 && i < s->mac.len; i++)
			octets[i] = s->mac.b[i];
		break;
	case KIND_UUID: memcpy(octets, s->uuid.b + 8, 8); break;
	case KIND_NETWORK:
		ip = rule_place(c->field, s);
		octets[0] = ip->family;
		memcpy(octets + 1, ip->b, 7);
		break;
	default: break;
	}
	memcpy(&head, octets, sizeof(head));
	return head;
}

static uint64_t
head_of(const struct cond *c, struct asking *a)
{
	if ((a->headed >> c->field & 1) == 0) {
		a->heads[c->field] = make_head(c, a->s);
		a->headed |= UINT64_C(1) << c->field;
	}
	return a->heads[c->field];
}

static bool
param_matches(const struct pattern *p, struct asking *a)
{
	size_t at = p->param.at, room = at < DECODED ? at : DECODED - 1;

	/* the last room is for all that are too many */
	if (!a->known[room] || at >= DECODED - 1) {
		a->n[room] = params_text(rule_form(a->s), a->rules->params[at], a->values[room],
		    sizeof(a->values[room]));
		a->known[room] = true;
	}
	return a->n[room] >= 0 &&
	       glob_match(p->param.glob,
		   (struct slice){ (const uint8_t *)a->values[room], (size_t)a->n[room] });
}

static bool
pattern_matches(const struct cond *c, const struct pattern *p, struct asking *a)
{
	const struct subject *s = a->s;
	uint64_t n;

	switch (c->kind) {
	case KIND_ARCH:
	case KIND_RANGE:
		return rule_number(c->field, s, &n) && n >= p->range.min && n <= p->range.max;
	case KIND_OUTCOME:
		return p->outcome.outcome == s->outcome && s->outcome_age_s <= p->outcome.age_s;
	case KIND_TIME: return week_time_has(&p->time, s->weekday, s->minute);
	case KIND_MAC:
		return s->mac.len >= p->mac.len && memcmp(s->mac.b, p->mac.b, p->mac.len) == 0;
	case KIND_UUID: return uuid_matches(p->uuid, s);
	case KIND_NETWORK:
		return p->network.net.family == 0
		           ? s->relay.family == 0
		           : cidr_holds(&p->network, rule_place(c->field, s));
	case KIND_PARAM: return param_matches(p, a);
	case KIND_GLOB:
		if (c->field == RULE_GROUP)
			return group_matches(p->glob, s);
		return rule_text(c->field, s).n > 0 && glob_match(p->glob, rule_text(c->field, s));
	default: return false;
	}
}

static bool
cond_holds(const struct cond *c, struct asking *a)
{
	const struct subject *s = a->s;
	enum field_kind kind = c->kind;
	uint64_t head;

	if (kind == KIND_NAMES)
		return (c->mask & rule_bits(c->field, s)) != 0;
	if (kind == KIND_ARCH && (c->mask >> s->cpu & 1) != 0)
		return true;
	head = head_of(c, a);
	for (size_t i = 0; i < c->n; i++) {
		const struct pattern *p = &c->patterns[i];

		if (((p->head ^ head) & p->mask) == 0 && pattern_matches(c, p, a))
			return true;
	}
	return false;
}

/* The first condition that is in the rule's way, or NULL: it holds. */
static const struct cond *
obstacle(const struct rule *r, struct asking *a, bool *ret_unless)
{
	*ret_unless = false;
	for (size_t i = 0; i < r->nwhen; i++) {
		if (!cond_holds(&r->when[i], a))
			return &r->when[i];
	}
	*ret_unless = true;
	for (size_t i = 0; i < r->nunless; i++) {
		if (cond_holds(&r->unless[i], a))
			return &r->unless[i];
	}
	return NULL;
}

/* The values of an asking are not zeroed: they are large, and most requests need none. */
static void
asking_init(struct asking *a, const struct rules *rules, const struct subject *s)
{
	a->rules = rules;
	a->s = s;
	a->headed = 0;
	memset(a->known, 0, sizeof(a->known));
}

const struct cond *
rule_obstacle(
    const struct rules *rules, const struct rule *r, const struct subject *s, bool *ret_unless)
{
	struct asking a;

	asking_init(&a, rules, s);
	return obstacle(r, &a, ret_unless);
}

size_t
rules_match(const struct rules *rules, const struct subject *s, size_t from)
{
	struct asking a;
	bool unless;
	size_t i;

	asking_init(&a, rules, s);
	for (i = from; i < rules->n; i++) {
		if ((rules->v[i].stages >> s->stage & 1) != 0 &&
		    obstacle(&rules->v[i], &a, &unless) == NULL)
			break;
	}
	return i;
}
