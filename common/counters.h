/*
 * Counters: a struct of uint64_t, and a table that names them.  They show up in the log of the
 * control socket's "status" and in what a front daemon tells handlerd about itself.
 */
#ifndef COMMON_COUNTERS_H
#define COMMON_COUNTERS_H

#include "common/wire.h"

#include <jansson.h>

struct counter {
	const char *name; /* NULL ends the table */
	size_t off;       /* of a uint64_t */
	const char *help;
};

/* Appends lines of "name value". */
void counters_print(struct wbuf *w, const struct counter *table, const void *base);
/* Reads such lines into a new object {name: value}; lines of another form are left out. */
json_t *counters_parse(struct slice text);

#endif
