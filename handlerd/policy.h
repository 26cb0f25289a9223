/*
 * The site's policy: what the configuration says about who gets what, compiled once and never
 * changed.  A reload makes a new one; boots keep the one that they began with by a reference.
 * Pure.
 */
#ifndef HANDLERD_POLICY_H
#define HANDLERD_POLICY_H

#include "handlerd/rules.h"
#include "handlerd/targets.h"
#include "handlerd/ws.h"

enum mode {
	MODE_SCRIPT,   /* hooks decide; without any, every image is offered */
	MODE_REFERRAL, /* another boot infrastructure is pointed at */
	MODES,
};

/* What a machine gets about which nobody has decided anything. */
enum unknown_policy {
	UNKNOWN_SERVE,
	UNKNOWN_APPROVAL, /* it waits until somebody approves it */
	UNKNOWN_IGNORE,
	UNKNOWN_POLICIES,
};

/* Which report ends an assignment that is for one boot. */
enum once_end {
	ONCE_DONE,    /* "done": the installed system says that it is through */
	ONCE_STARTED, /* the first sign of the started system */
	ONCE_ENDS,
};

/* What counts when a source (hook, web service) fails. */
enum fallback {
	FALLBACK_LOCAL, /* as if the source had no opinion */
	FALLBACK_DENY,  /* the machine may not boot */
	FALLBACK_WAIT,  /* it asks again and again until the source answers */
	FALLBACKS,
};

/* Machines that belong together, for conditions of rules. */
struct group_conf {
	char *name;
	struct config_strings members; /* MACs, UUIDs, serial numbers, "asset:TAG" */
};

/* Loaders of one CPU in order of preference. */
struct loaders_conf {
	char *arch; /* a CPU's name */
	struct config_strings paths;
};

/* Who may say something about a boot from outside. */
enum source {
	SOURCE_WEBSERVICE,
	SOURCE_WINPE,  /* the web service, for a file that WinPE gets */
	SOURCE_BOOT,   /* the hook that gives a whole answer */
	SOURCE_ALLOW,  /* the hook that says whether a machine may boot */
	SOURCE_IMAGES, /* the hook that says which entries there are for it */
	SOURCES,
};

const char *source_name(enum source v); /* "webservice", "winpe", "boot", "allow_boot", "images" */

/* The scripts of mode `script`, and how they are run. */
struct hooks_conf {
	char *paths[SOURCES]; /* "": there is none; from SOURCE_BOOT on */
	int64_t workers;      /* processes for each script */
	int64_t deadline_ms;
	int64_t start_ms; /* for a worker to start and prove itself */
	int64_t memory_mb;
	int64_t recycle; /* requests after which a worker is replaced; 0: never */
	int64_t max_waiting;
	char *user;
	bool network;
	int fallback; /* enum fallback */
};

struct policy_conf {
	int mode;                   /* enum mode */
	int unknown;                /* enum unknown_policy */
	int once_ends;              /* enum once_end */
	int offer_uefi, offer_bios; /* of policy_style() */
	int strange_arch;           /* enum arch_cpu of firmware whose number is not in the table */
	char *http_host;            /* in the URLs of HTTP Boot; "": the address */
	bool offer_adapt;
	char *crosscert;            /* "own", a URL, or empty */
	int64_t admission_permille; /* a tftpd's load from which offers wait; 0: never */
	char *menu_title;
	char *menu_default;
	int64_t menu_timeout_ms;
	struct prompt prompt;
	char *wait_text, *deny_text, *quarantine_text;
	struct hooks_conf hooks;
	struct config_list rules;   /* struct rule_conf */
	struct config_list entries; /* struct entry */
	struct config_list menus;   /* struct menu */
	struct config_list groups;  /* struct group_conf */
	struct config_list loaders; /* struct loaders_conf */
	struct referral_conf referral;
	/* no keys of the policy's own: whether boot requests go to the web service, and what
	 * counts when it fails (enum fallback) */
	bool ask_webservice;
	int webservice_fallback;
	/* the same for WinPE's files: bit n, feature n is on; and each one's enum fallback */
	unsigned winpe_features;
	int winpe_fallbacks[WS_FEATURES];
};

struct policy {
	unsigned refs;
	uint64_t number; /* counts up with each reload */
	struct policy_conf conf;
	struct rules *rules;
	struct targets *targets;
	struct menu all; /* the menu of everything, by menu_title and so on; strings are conf's */
	const struct config_strings *loaders[ARCH_CPUS]; /* NULL: as the content root has them */
	struct group_member *members;                    /* sorted, for policy_groups() */
	size_t nmembers;
};

/* The keys of struct policy_conf. */
extern const struct config_key policy_keys[];

/*
 * Compiles a policy; `conf` is copied.  0, -ENOMEM, or -EINVAL after every mistake was handed to
 * `error`.  The caller has the first reference.
 */
int policy_new(const struct policy_conf *conf, uint64_t number, config_error_fn *error, void *arg,
    struct policy **ret);
struct policy *policy_ref(struct policy *p);
/* Gives a reference back; the last one frees it.  NULL is allowed. */
void policy_unref(struct policy *p);

/* True if a path below the content root is of an entry whose files need a token. */
bool policy_path_is_secret(const struct policy *p, const char *path);
/* True if any entry has such files. */
bool policy_has_secrets(const struct policy *p);

/* What a machine is found by in the groups' lists. */
struct group_claim {
	const struct macaddr *macs;
	size_t nmacs;
	const struct uuid *uuid; /* or NULL */
	struct slice serial, asset;
};

/* The names of the groups that it is in, at most `size`.  Their number. */
size_t policy_groups(
    const struct policy *p, const struct group_claim *claim, struct slice *ret, size_t size);

/* The style of that place among the names in the configuration. */
enum offer_style policy_style(int v);
const char *mode_name(enum mode v);
const char *unknown_policy_name(enum unknown_policy v);
const char *fallback_name(enum fallback v);

#endif
