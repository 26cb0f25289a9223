/*
 * What scripts are asked and what they answer: the JSON of docs/scripting.md.
 *
 * A hook is a question that a script may answer.  A request is one JSON object that tells all that
 * is known; the answer is a verdict.  Pure.
 */
#ifndef COMMON_HOOK_H
#define COMMON_HOOK_H

#include "common/msg.h"
#include "common/verdict.h"

#define HOOK_VERSION 1 /* of the request's form; grows when a key changes its meaning */

/* Bounds of what a request tells of a client's form. */
#define HOOK_PARAMS_MAX (32u * 1024) /* bytes, encoded */
#define HOOK_PARAM_MAX  4096u        /* bytes of a value, decoded */

enum hook {
	HOOK_ALLOW_BOOT, /* may this machine boot? */
	HOOK_IMAGES,     /* which entries does it get, which is the default? */
	HOOK_BOOT,       /* the whole answer */
	HOOKS,
};

const char *hook_name(enum hook v);                    /* "allow-boot", "images", "boot" */
int hook_parse_name(const char *name, enum hook *ret); /* 0, or -EINVAL */

/* What the store knows of the machine.  Strings may be NULL: not known. */
struct hook_machine {
	const char *id;
	const char *name; /* that people gave it */
	const char *group;
	const char *state;          /* "new", "approved", "waiting", "denied", ... */
	const char *entry;          /* that was assigned to it */
	bool once;                  /* for one boot only */
	uint64_t first_ms, last_ms; /* since 1970 */
	uint64_t boots;
};

/* An earlier boot of it, newest first. */
struct hook_boot {
	uint64_t id;
	uint64_t started_ms;
	const char *phase; /* how far it came */
	const char *entry; /* what it booted, or NULL */
};

/* What it could boot. */
struct hook_entry {
	const char *name;
	const char *title; /* NULL: none */
	const char *type;
};

struct hook_facts {
	uint64_t now_ms;      /* since 1970 */
	uint32_t deadline_ms; /* the client waits so long for what follows from the answer */
	uint16_t arch;        /* the boot's, for requests that do not tell theirs */
	const struct hook_machine *machine; /* NULL: never seen */
	const struct hook_boot *boots;
	size_t nboots;
	const struct hook_entry *entries;
	size_t nentries;
	const char *standing;     /* the default of the configuration, or NULL */
	const char *title;        /* of the menu */
	uint32_t menu_timeout_ms; /* 0: for ever */
	const char *root;         /* content root */
	const char *base;         /* URL of httpsbootd, ends in '/' */
};

/*
 * The request of a hook, a new object; NULL when out of memory.  Bytes of the network that are no
 * UTF-8 become U+FFFD, and "replaced" lists the keys where that happened.
 */
json_t *hook_request(enum hook hook, const struct boot_request *r, const struct hook_facts *facts);
/*
 * Text of the network as a new JSON string, with U+FFFD for each byte that is no UTF-8, and for
 * NUL; *replaced then becomes true.  NULL when out of memory.
 */
json_t *hook_text(struct slice s, bool *replaced);

/* What a worker is asked before it gets requests; new, NULL when out of memory. */
json_t *hook_self_test(enum hook hook);
/* 0 if the answer says {"ok": true}; -EINVAL with what is wrong, or the worker's own words. */
int hook_self_test_check(const json_t *answer, char *error, size_t error_size);

/*
 * Reads the answer to a request: a verdict of a kind that this hook may give.  `entry` (with `arg`)
 * judges inline entries, or NULL.  As verdict_parse() otherwise.
 */
int hook_answer_parse(enum hook hook, json_t *answer, verdict_entry_fn *entry, void *arg,
    struct verdict *ret, char *error, size_t error_size);

#endif
