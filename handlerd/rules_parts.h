/* What the parts of the rules share: compiled rules, and what a condition reads. */
#ifndef HANDLERD_RULES_PARTS_H
#define HANDLERD_RULES_PARTS_H

#include "common/params.h"
#include "handlerd/cidr.h"
#include "handlerd/pattern.h"
#include "handlerd/rules.h"

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
 * begin with these octets (see head_of() in rules_match.c).  Nearly all patterns end there.
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
#define RULE_VALUE_MAX 256

enum field_kind rule_field_kind(enum rule_field field);
/* The name of a small number that a field may have, or NULL. */
const char *rule_value_name(enum rule_field field, int v);

/* What the subject has where a condition on this field looks: */
uint64_t rule_bits(enum rule_field field, const struct subject *s);
/* unknown numbers lie in no range: false; */
bool rule_number(enum rule_field field, const struct subject *s, uint64_t *ret);
struct slice rule_text(enum rule_field field, const struct subject *s);
/* the network that it is in: as its relay tells it, else by its own address, else by ours; */
const struct ipaddr *rule_place(enum rule_field field, const struct subject *s);
/* the beginning of its form: one that is not short must not keep a thousand rules busy. */
struct slice rule_form(const struct subject *s);

/* The first condition that is in the rule's way, and whether it is of `unless`; NULL: it holds. */
const struct cond *rule_obstacle(
    const struct rules *rules, const struct rule *r, const struct subject *s, bool *ret_unless);

#endif
