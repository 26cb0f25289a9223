/*
 * Rules: the site's own order of who gets what.  The first rule whose conditions all hold decides;
 * a rule that does not apply can say which condition failed.  Pure.
 *
 * A condition is a key with a list of patterns, of which one must fit.  Within `when` all keys
 * must hold; a rule is passed over when any key of its `unless` holds.  What is not known of a
 * machine at some stage (its model at its very first DISCOVER, say) fits no pattern.  A rule that
 * does not name the stages `file` or `report` is not asked at them: files are public.
 */
#ifndef HANDLERD_RULES_H
#define HANDLERD_RULES_H

#include "common/arch.h"
#include "common/config.h"
#include "common/msg.h"
#include "handlerd/entry.h"

/* Conditions, in the order in which they are tried: the cheap ones first. */
enum rule_field {
	RULE_STAGE,
	RULE_CLIENT,
	RULE_FIRMWARE,
	RULE_VIA,
	RULE_ARCH,
	RULE_MACHINE,
	RULE_ATTEMPT,
	RULE_WAITED,
	RULE_IPXE_VERSION,
	RULE_IPXE_FEATURE,
	RULE_OUTCOME,
	RULE_TIME,
	RULE_MAC,
	RULE_UUID,
	RULE_NETWORK,
	RULE_RELAY,
	RULE_SUBNET,
	RULE_INTERFACE,
	RULE_GROUP,
	RULE_MANUFACTURER,
	RULE_PRODUCT,
	RULE_SERIAL,
	RULE_ASSET,
	RULE_CIRCUIT_ID,
	RULE_REMOTE_ID,
	RULE_VENDOR_CLASS,
	RULE_USER_CLASS,
	RULE_CLIENT_SUBJECT, /* of the client's own certificate */
	RULE_CLIENT_ISSUER,
	RULE_CLIENT_SERIAL,
	RULE_CLIENT_FINGERPRINT,
	RULE_FILE,
	RULE_PARAM,
	RULE_FIELDS,
};

/* What a rule does with the request. */
enum rule_action {
	RULE_SERVE,      /* as the operational mode does */
	RULE_IGNORE,     /* silence, so that another server may answer */
	RULE_REFUSE,     /* the answer that ends this firmware's attempt at once */
	RULE_LOADER,     /* firmware gets one of `loaders`; other stages go on with the next rule */
	RULE_ENTRY,      /* boots `entry` */
	RULE_SHOW_MENU,  /* shows `menu` */
	RULE_SCRIPT,     /* the hooks of mode `script` decide */
	RULE_WEBSERVICE, /* the web service decides */
	RULE_APPROVAL,   /* waits until somebody approves the machine, then goes on */
	RULE_REFER,      /* another boot server, one of `targets` */
	RULE_QUARANTINE, /* a page that says so; the machine stays there until it is released */
	RULE_ACTIONS,
};

/* The outcome of a machine's last boot. */
enum rule_outcome {
	OUTCOME_NONE,    /* it never booted here */
	OUTCOME_LOADER,  /* it got its loader and was not heard of again */
	OUTCOME_SCRIPT,  /* it got its script, and nothing started */
	OUTCOME_STARTED, /* the system reported its start, and nothing more */
	OUTCOME_DONE,    /* it reported that it is through */
	OUTCOME_FAILED,  /* it reported a failure */
	OUTCOMES,
};

/* What conditions on the machine itself ask; several may be so at once. */
enum rule_machine {
	RULE_MACHINE_NEW,     /* not seen before this boot */
	RULE_MACHINE_SEEN,    /* the opposite */
	RULE_MACHINE_UNKNOWN, /* nobody approved it, assigned something or put it into a group */
	RULE_MACHINE_APPROVED,
	RULE_MACHINE_ASSIGNED, /* an entry is assigned to it */
	RULE_MACHINES,
};

/* The configuration of one rule. */
struct rule_when {
	struct config_strings by[RULE_FIELDS];
};

struct rule_conf {
	char *name;
	struct rule_when when, unless;
	int action; /* enum rule_action */
	char *entry, *menu;
	struct config_strings loaders; /* paths below the content root, in order of preference */
	struct config_strings options; /* for extra_put() */
	struct config_strings targets; /* names; none: all */
	int style;                     /* enum offer_style of a loader's offer; -1: by firmware */
	struct prompt prompt;
	char *standing; /* the item that a menu stands on for these machines, or "" */
	char *text;     /* words for the person at the machine, or "" */
	bool log;       /* each decision by it is logged as a warning */
};

extern const struct config_key rule_keys[];

/* The most rules, and patterns a condition. */
#define RULES_MAX    10000
#define PATTERNS_MAX 1000
#define GROUPS_MAX   8 /* of one machine */

/* What conditions are asked about.  Slices and pointers are only read during the call. */
struct subject {
	enum boot_stage stage;
	enum boot_client client;
	enum boot_via via;
	uint16_t arch; /* ARCH_UNKNOWN if nobody said */
	enum arch_cpu cpu;
	unsigned machine;  /* bits of enum rule_machine */
	uint32_t attempt;  /* DISCOVERs of firmware in a row that led to nothing; 1: the first */
	uint32_t waited_s; /* since the client began to ask */
	uint32_t ipxe_version;
	bool has_ipxe_features;
	uint64_t ipxe_features;
	enum rule_outcome outcome;
	uint32_t outcome_age_s;
	int weekday; /* 0: Sunday; local time */
	int minute;  /* of the day */
	struct macaddr mac;
	bool has_uuid;
	struct uuid uuid;
	struct ipaddr address, relay, server;
	struct slice subnet, interface;
	struct slice groups[GROUPS_MAX];
	size_t ngroups;
	struct slice manufacturer, product, serial, asset;
	struct slice circuit_id, remote_id;
	struct slice vendor_class, user_class;
	struct slice client_subject, client_issuer, client_serial, client_fingerprint;
	struct slice file;
	struct slice params; /* the form, URL-encoded */
};

struct rule;
struct rules;

/*
 * Compiles the rules in a list of struct rule_conf, which must outlive them.  0, -ENOMEM, or
 * -EINVAL after every mistake was handed to `error` with its path ("rules[2].when.time").
 */
int rules_compile(
    const struct config_list *list, config_error_fn *error, void *arg, struct rules **ret);
void rules_free(struct rules *rules); /* NULL is allowed */
size_t rules_count(const struct rules *rules);
const struct rule_conf *rules_conf(const struct rules *rules, size_t i);

/* The first rule from place `from` on that holds, or the number of rules. */
size_t rules_match(const struct rules *rules, const struct subject *s, size_t from);
/*
 * Why rule `i` does or does not hold, as a phrase: "product is \"NUC12\"; the rule wants one of
 * \"Latitude *\"".  Returns whether it holds.
 */
bool rules_explain(
    const struct rules *rules, size_t i, const struct subject *s, char *buf, size_t size);

const char *rule_action_name(enum rule_action v);
const char *rule_field_name(enum rule_field v);
const char *rule_outcome_name(enum rule_outcome v);

#endif
