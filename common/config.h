/*
 * Configuration tables.  One array a daemon states each key's name, type, default, bounds, place
 * and one line of help; loading, printing, comparing and documenting are loops over it.
 *
 * A file is one JSON object of a daemon's keys.  A file that several daemons share holds a block
 * named after each of them; keys outside the blocks must then be ones that all have (flag
 * CONFIG_SHARED), and a block's own value wins.
 *
 * Pure: text in, struct out; reading the file is up to common/start.
 */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include "common/ident.h"

#include <jansson.h>

enum config_type {
	CONFIG_BOOL,    /* bool */
	CONFIG_INT,     /* int64_t within min..max */
	CONFIG_STRING,  /* char *, at most max bytes; owned by the struct */
	CONFIG_ENUM,    /* int: the place of the value in `names` */
	CONFIG_IP,      /* struct ipaddr; "" gives none */
	CONFIG_STRINGS, /* struct config_strings, at most max of them; see CONFIG_COMMAS */
	CONFIG_PORTS,   /* struct config_ports: a port, [first, last], or 0 for any */
	CONFIG_BLOCK,   /* a JSON object with the keys of `sub`, whose places count from `off` */
	CONFIG_LIST,    /* struct config_list, at most max of structs of `size` bytes by `sub` */
	CONFIG_INCLUDE, /* the keys of `sub`, as if they stood here, their places counted from
	                   `off`; its own name is not seen */
};

#define CONFIG_SHARED  1u /* may stand outside the blocks of a file shared by daemons */
#define CONFIG_RESTART 2u /* a change takes effect only after a restart */
#define CONFIG_COMMAS  4u /* CONFIG_STRINGS: "a, b" stands for ["a", "b"], and "" for [] */

struct config_strings {
	char **v;
	size_t n;
};

/* The elements' strings and lists are owned by it, too. */
struct config_list {
	void *v;
	size_t n;
};

struct config_ports {
	uint16_t first, last; /* both 0: any */
};

struct config_key {
	const char *name; /* NULL ends an array of keys */
	enum config_type type;
	const char *def; /* the default, as JSON */
	int64_t min, max;
	size_t off;
	unsigned flags;
	const char *const *names; /* CONFIG_ENUM, ended by NULL */
	const struct config_key *sub;
	size_t size;      /* of an element of a CONFIG_LIST; the places in `sub` are within it */
	const char *unit; /* for the documentation, or NULL */
	const char *help;
};

/* Takes one error: the key's path ("script.timeout_ms", "line 3" for bad JSON) and what is wrong.
 */
typedef void config_error_fn(void *arg, const char *path, const char *what);

struct config_table {
	const char *daemon;
	const struct config_key *keys;
	size_t size; /* of the struct that the keys' places are in */
	/* Tells what is wrong across keys, or beyond what a row can say; NULL: nothing can be. */
	void (*check)(const void *conf, config_error_fn *error, void *arg);
};

/*
 * Fills `conf` (table->size bytes, uninitialised) from `text`; NULL means defaults only.  0, or
 * -EINVAL after every error was handed to `error`; `conf` then holds nothing.
 */
int config_parse(const struct config_table *table, const char *text, size_t n, void *conf,
    config_error_fn *error, void *arg);
/* Releases what the struct owns.  NULL is allowed. */
void config_free(const struct config_table *table, void *conf);
/* The effective settings as a new JSON object, in the table's order. */
json_t *config_dump(const struct config_table *table, const void *conf);

/*
 * The same for one object that did not come from a file, with the keys of a block: fills `conf`
 * (`size` bytes, uninitialised).  0, or -EINVAL after every error was handed to `error`; `conf`
 * then holds nothing.
 */
int config_parse_object(const struct config_key *keys, json_t *object, void *conf, size_t size,
    config_error_fn *error, void *arg);
/* Releases what the struct owns.  NULL is allowed. */
void config_free_object(const struct config_key *keys, void *conf);
/* What differs from the defaults, as a new JSON object that config_parse_object() reads. */
json_t *config_dump_object(const struct config_key *keys, const void *conf);

/*
 * Takes over from `next` what may change while running; keys flagged CONFIG_RESTART stay as they
 * are.  Ends with `next` holding what was replaced: config_free() it.  Returns a new object
 * {"changed": {path: [old, new]}, "restart": [path, ...]}.
 */
json_t *config_apply(const struct config_table *table, void *conf, void *next);
/* What config_apply() would return; changes nothing. */
json_t *config_compare(const struct config_table *table, void *conf, void *next);

/* Appends the keys of a table to a document: a Markdown table a block. */
void config_document(
    const struct config_table *table, void (*put)(void *arg, const char *text), void *arg);

#endif
