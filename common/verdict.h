/*
 * Verdicts: what somebody outside handlerd, a script or a web service, wants for a machine.  It is
 * a wish in handlerd's own terms; decide() weighs it.  Here are the struct and the JSON object that
 * says it (docs/scripting.md).  Pure.
 */
#ifndef COMMON_VERDICT_H
#define COMMON_VERDICT_H

#include "common/wire.h"

#include <jansson.h>

#define VERDICT_TEXT_MAX     1000        /* bytes of words for a person */
#define VERDICT_SCRIPT_MAX   (64 * 1024) /* bytes of an iPXE script */
#define VERDICT_URL_MAX      2048
#define VERDICT_ENTRIES_MAX  200
#define VERDICT_CACHE_MAX_S  86400
#define VERDICT_TIMEOUT_SITE UINT32_MAX /* the menu waits as long as the configuration says */
#define VERDICT_TIMEOUT_MAX  86400000

enum verdict_kind {
	VERDICT_NONE,     /* no opinion: go on as if nobody had been asked */
	VERDICT_ALLOW,    /* it may boot; what, is found as usual */
	VERDICT_DENY,     /* it may not; `text` is for the person there */
	VERDICT_HOLD,     /* somebody has to approve first; `text` likewise */
	VERDICT_ENTRY,    /* boots the entry `name`, or items[0] if that is "" */
	VERDICT_MENU,     /* shows `items` */
	VERDICT_SCRIPT,   /* `text` is the iPXE script to run */
	VERDICT_LOCAL,    /* leave network boot as this firmware needs it */
	VERDICT_REFER,    /* on to the boot server called `name`, or to `url` */
	VERDICT_OVERRIDE, /* whoever is asked next decides: the local handler, for a web service */
	VERDICT_KINDS,
};

const char *verdict_kind_name(enum verdict_kind v); /* "allow", ...; "?" if out of range */

/* An entry by name, or told whole. */
struct verdict_item {
	char *name;     /* of the entry, in both cases */
	json_t *object; /* the keys of struct entry, owned; NULL: the site has an entry `name` */
};

/* Strings are owned and never NULL: "" means "none". */
struct verdict {
	enum verdict_kind kind;
	char *text;
	char *name;
	char *url;
	char *title;         /* of the menu; "": the site's */
	char *standing;      /* the item that the menu stands on; "": the first */
	uint32_t timeout_ms; /* of the menu; 0: waits for ever; or VERDICT_TIMEOUT_SITE */
	struct verdict_item *items;
	size_t nitems;
	uint32_t cache_s; /* for so long the same answer serves the same machine; 0: this once */
	char *reason;     /* for the log and the timeline, or "" */
};

/* An empty one of kind NONE.  0, or -ENOMEM. */
int verdict_init(struct verdict *v);
void verdict_fini(struct verdict *v);

/*
 * Judges an inline entry beyond its name: 0, or -EINVAL with what is wrong in `error`.
 */
typedef int verdict_entry_fn(void *arg, json_t *object, char *error, size_t error_size);

/* What an answer may say. */
struct verdict_rules {
	unsigned kinds;             /* bit n: the kind n is allowed */
	enum verdict_kind standard; /* the kind of an answer without "action"; NONE: it needs one */
	verdict_entry_fn *entry;    /* NULL: an inline entry may hold anything */
	void *arg;
};

#define VERDICT_BIT(kind) (1u << (kind))
#define VERDICT_ANY       (VERDICT_BIT(VERDICT_KINDS) - 1)

/*
 * Reads an answer.  0, and *ret is for verdict_fini(); -EINVAL with a sentence in `error` that
 * names the key; -ENOMEM.
 */
int verdict_parse(json_t *object, const struct verdict_rules *rules, struct verdict *ret,
    char *error, size_t error_size);

/* As verdict_parse() reads it: a new object, NULL when out of memory. */
json_t *verdict_dump(const struct verdict *v);
/* *ret is one of its own, for verdict_fini().  0, or -ENOMEM. */
int verdict_copy(const struct verdict *v, struct verdict *ret);

/*
 * An iPXE script from outside: begins with "#!ipxe" as a line of its own, is not longer than
 * VERDICT_SCRIPT_MAX and holds no NUL.  0, or -EINVAL with what is wrong in `error`.
 */
int verdict_script_check(struct slice text, char *error, size_t error_size);

#endif
