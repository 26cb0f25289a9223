/* Rules; see rules.h. */
#include "handlerd/rules.h"

#include "common/params.h"
#include "handlerd/cidr.h"
#include "handlerd/pattern.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static_assert(RULE_FIELDS <= 64, "a bit for each field");

/* How the patterns of a field are compiled. */
enum field_kind {
	KIND_NAMES, /* a set of small numbers: bits of `mask` */
	KIND_ARCH,  /* CPUs in `mask`, numbers of option 93 as ranges */
	KIND_RANGE,
	KIND_OUTCOME,
	KIND_TIME,
	KIND_MAC,
	KIND_UUID,
	KIND_NETWORK,
	KIND_GLOB,
	KIND_PARAM,
};

/*
 * `head` and `mask` are a quick way to see that a pattern does not fit: what the subject has must
 * begin with these octets (see head_of()).  Nearly all patterns end there.
 */
struct pattern {
	uint64_t head, mask;
	union {
		struct number_range range;
		struct {
			enum rule_outcome outcome;
			uint64_t age_s;
		} outcome;
		struct week_time time;
		struct macaddr mac;
		struct uuid uuid[2]; /* in both byte orders */
		struct cidr network;
		struct slice glob;
		struct {
			size_t at; /* of the name in rules->params */
			struct slice glob;
		} param;
	};
};

struct cond {
	enum rule_field field;
	enum field_kind kind;
	uint64_t mask;
	struct pattern *patterns;
	size_t n;
	const struct config_strings *texts;
};

struct rule {
	const struct rule_conf *conf;
	struct cond *when, *unless;
	size_t nwhen, nunless;
	unsigned stages; /* bit n: asked at stage n */
};

/*
 * All that is looked at when a request is matched stands in four arrays, in the order in which it
 * is looked at: a thousand rules are then read as fast as memory goes.
 */
struct rules {
	struct rule *v;
	size_t n;
	struct cond *conds;
	size_t nconds;
	struct pattern *patterns;
	size_t npatterns;
	char *texts; /* of globs */
	size_t ntexts;
	/* names of parameters that conditions ask for, each once */
	char (*params)[PARAMS_NAME_MAX];
	size_t nparams;
};

/* The longest value of a parameter that is compared. */
#define VALUE_MAX 256
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
	char values[DECODED][VALUE_MAX];
};

static const struct {
	const char *name;
	enum field_kind kind;
} fields[RULE_FIELDS] = {
	[RULE_STAGE] = { "stage", KIND_NAMES },
	[RULE_CLIENT] = { "client", KIND_NAMES },
	[RULE_FIRMWARE] = { "firmware", KIND_NAMES },
	[RULE_VIA] = { "via", KIND_NAMES },
	[RULE_ARCH] = { "arch", KIND_ARCH },
	[RULE_MACHINE] = { "machine", KIND_NAMES },
	[RULE_ATTEMPT] = { "attempt", KIND_RANGE },
	[RULE_WAITED] = { "waited_s", KIND_RANGE },
	[RULE_IPXE_VERSION] = { "ipxe_version", KIND_RANGE },
	[RULE_IPXE_FEATURE] = { "ipxe_feature", KIND_NAMES },
	[RULE_OUTCOME] = { "outcome", KIND_OUTCOME },
	[RULE_TIME] = { "time", KIND_TIME },
	[RULE_MAC] = { "mac", KIND_MAC },
	[RULE_UUID] = { "uuid", KIND_UUID },
	[RULE_NETWORK] = { "network", KIND_NETWORK },
	[RULE_RELAY] = { "relay", KIND_NETWORK },
	[RULE_SUBNET] = { "subnet", KIND_GLOB },
	[RULE_INTERFACE] = { "interface", KIND_GLOB },
	[RULE_GROUP] = { "group", KIND_GLOB },
	[RULE_MANUFACTURER] = { "manufacturer", KIND_GLOB },
	[RULE_PRODUCT] = { "product", KIND_GLOB },
	[RULE_SERIAL] = { "serial", KIND_GLOB },
	[RULE_ASSET] = { "asset", KIND_GLOB },
	[RULE_CIRCUIT_ID] = { "circuit_id", KIND_GLOB },
	[RULE_REMOTE_ID] = { "remote_id", KIND_GLOB },
	[RULE_VENDOR_CLASS] = { "vendor_class", KIND_GLOB },
	[RULE_USER_CLASS] = { "user_class", KIND_GLOB },
	[RULE_CLIENT_SUBJECT] = { "client_subject", KIND_GLOB },
	[RULE_CLIENT_ISSUER] = { "client_issuer", KIND_GLOB },
	[RULE_CLIENT_SERIAL] = { "client_serial", KIND_GLOB },
	[RULE_CLIENT_FINGERPRINT] = { "client_fingerprint", KIND_GLOB },
	[RULE_FILE] = { "file", KIND_GLOB },
	[RULE_PARAM] = { "param", KIND_PARAM },
};

/* Bytes of a posted form that conditions look at. */
#define FORM_MAX 8192

/* Those at which a rule is asked that names none. */
#define USUAL_STAGES (1u << STAGE_DISCOVER | 1u << STAGE_BOOTSERVER | 1u << STAGE_BOOT)

static const char *const action_names[RULE_ACTIONS] = { "serve", "ignore", "refuse", "loader",
	"entry", "menu", "script", "webservice", "approval", "refer", "quarantine" };
static const char *const outcome_names[OUTCOMES] = { "none", "loader", "script", "started", "done",
	"failed" };
static const char *const machine_names[RULE_MACHINES] = { "new", "seen", "unknown", "approved",
	"assigned" };

const char *
rule_action_name(enum rule_action v)
{
	return (size_t)v < NITEMS(action_names) ? action_names[v] : "?";
}

const char *
rule_field_name(enum rule_field v)
{
	return (size_t)v < NITEMS(fields) ? fields[v].name : "?";
}

const char *
rule_outcome_name(enum rule_outcome v)
{
	return (size_t)v < NITEMS(outcome_names) ? outcome_names[v] : "?";
}

/* --- names of small numbers ----------------------------------------------------------------- */

static const char *
stage_name(int v)
{
	return v > 0 && v < STAGES ? boot_stage_name((enum boot_stage)v) : NULL;
}

static const char *
client_name(int v)
{
	return v > 0 && v < CLIENTS ? boot_client_name((enum boot_client)v) : NULL;
}

static const char *
via_name(int v)
{
	return v > 0 && v < VIAS ? boot_via_name((enum boot_via)v) : NULL;
}

static const char *
firmware_name(int v)
{
	return v > 0 && v < ARCH_KINDS ? arch_kind_name((enum arch_kind)v) : NULL;
}

static const char *
machine_name(int v)
{
	return v < RULE_MACHINES ? machine_names[v] : NULL;
}

/* Tags of option 175 as ipxe_features counts them. */
static const char *
feature_name(int v)
{
	static const char *const names[] = {
		[0x13 - 16] = "http",
		[0x14 - 16] = "https",
		[0x24 - 16] = "efi",
	};

	return v < (int)NITEMS(names) ? names[v] : NULL;
}

static const char *
small_name(enum rule_field field, int v)
{
	switch (field) {
	case RULE_STAGE: return stage_name(v);
	case RULE_CLIENT: return client_name(v);
	case RULE_FIRMWARE: return firmware_name(v);
	case RULE_VIA: return via_name(v);
	case RULE_MACHINE: return machine_name(v);
	case RULE_IPXE_FEATURE: return feature_name(v);
	default: return NULL;
	}
}

/* --- compiling ------------------------------------------------------------------------------ */

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
		const char *name = small_name(cond->field, v);

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
		if (strlen(outcome_names[v]) == n && strncasecmp(outcome_names[v], text, n) == 0) {
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

	switch (fields[cond->field].kind) {
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

	cond->kind = fields[cond->field].kind;
	cond->texts = texts;
	cond->patterns = &rules->patterns[rules->npatterns];
	for (size_t k = 0; k < texts->n; k++) {
		int rc = compile_pattern(rules, cond, texts->v[k]);
		char at[160];

		if (rc == 0)
			continue;
		if (rc == -ENOMEM)
			return rc;
		(void)snprintf(at, sizeof(at), "%s.%s[%zu]", path, fields[cond->field].name, k);
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

/* --- matching ------------------------------------------------------------------------------- */

static uint64_t
bits_of(enum rule_field field, const struct subject *s)
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

/* Unknown numbers lie in no range. */
static bool
number_of(enum rule_field field, const struct subject *s, uint64_t *ret)
{
	switch (field) {
	case RULE_ATTEMPT: *ret = s->attempt; return s->attempt > 0;
	case RULE_WAITED: *ret = s->waited_s; return true;
	case RULE_IPXE_VERSION: *ret = s->ipxe_version; return s->ipxe_version != 0;
	default: *ret = s->arch; return s->arch != ARCH_UNKNOWN;
	}
}

static struct slice
text_of(enum rule_field field, const struct subject *s)
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

/* The network that a client is in: as its relay tells it, else by its own address, else by ours. */
static const struct ipaddr *
place_of(enum rule_field field, const struct subject *s)
{
	if (field == RULE_RELAY || s->relay.family != 0)
		return &s->relay;
	return !ip_is_any(&s->address) ? &s->address : &s->server;
}

/* A form of ours is short; one that is not must not keep a thousand rules busy. */
static struct slice
form_of(const struct subject *s)
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
		text = text_of(c->field, s);
		for (size_t i = 0; i < 8 && i < text.n; i++)
			octets[i] = glob_fold(text.p[i]);
		break;
	case KIND_MAC:
		for (size_t i = 0; i < 8 && i < s->mac.len; i++)
			octets[i] = s->mac.b[i];
		break;
	case KIND_UUID: memcpy(octets, s->uuid.b + 8, 8); break;
	case KIND_NETWORK:
		ip = place_of(c->field, s);
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
		a->n[room] = params_text(
		    form_of(a->s), a->rules->params[at], a->values[room], sizeof(a->values[room]));
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
		return number_of(c->field, s, &n) && n >= p->range.min && n <= p->range.max;
	case KIND_OUTCOME:
		return p->outcome.outcome == s->outcome && s->outcome_age_s <= p->outcome.age_s;
	case KIND_TIME: return week_time_has(&p->time, s->weekday, s->minute);
	case KIND_MAC:
		return s->mac.len >= p->mac.len && memcmp(s->mac.b, p->mac.b, p->mac.len) == 0;
	case KIND_UUID: return uuid_matches(p->uuid, s);
	case KIND_NETWORK:
		return p->network.net.family == 0 ? s->relay.family == 0
		                                  : cidr_holds(&p->network, place_of(c->field, s));
	case KIND_PARAM: return param_matches(p, a);
	case KIND_GLOB:
		if (c->field == RULE_GROUP)
			return group_matches(p->glob, s);
		return text_of(c->field, s).n > 0 && glob_match(p->glob, text_of(c->field, s));
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
		return (c->mask & bits_of(c->field, s)) != 0;
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

/* --- explaining ----------------------------------------------------------------------------- */

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
	uint64_t bits = bits_of(c->field, s);
	bool any = false;

	for (int v = 0; v < 64; v++) {
		const char *name = small_name(c->field, v);

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
	else if (!number_of(c->field, s, &n))
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
	char text[MAC_STRLEN], value[VALUE_MAX];
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
		wbuf_str(w, place_of(c->field, s)->family != 0
				? ip_format(place_of(c->field, s), text)
				: "none");
		break;
	case KIND_PARAM:
		if (c->n == 0 || params_text(form_of(s), rules->params[c->patterns[0].param.at],
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
		t = text_of(c->field, s);
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
	struct asking a;
	bool unless;
	bool asked = (r->stages >> s->stage & 1) != 0;
	uint8_t text[2048];
	struct wbuf w;

	assert(size > 0);
	asking_init(&a, rules, s);
	c = obstacle(r, &a, &unless);
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
