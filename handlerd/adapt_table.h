/* What adapt.c and adapt_dump.c share: the table's insides. */
#ifndef HANDLERD_ADAPT_TABLE_H
#define HANDLERD_ADAPT_TABLE_H

#include "handlerd/adapt.h"

#define SILENCE_UNIT 256 /* silences are kept in parts of this: they fade little by little */

/* The first member of what is kept in a table: its place there. */
struct adapt_node {
	uint64_t hash;
	struct adapt_node *next; /* of its chain */
	struct adapt_node *newer, *older;
};

struct adapt_nodes {
	struct adapt_node **chains;
	size_t nchains, limit, n;
	struct adapt_node *newest, *oldest;
	size_t size; /* of an element */
};

/* A loader is a path and a build, known by the hash of both; never 0. */
struct adapt_tally {
	uint64_t loader;
	uint64_t build;
	char path[ADAPT_PATH_MAX];
	uint32_t silences; /* in 1/SILENCE_UNIT, as of at_ms */
	uint32_t lives;
	uint64_t at_ms;
};

struct adapt_model {
	struct adapt_node node;
	char key[ADAPT_KEY_MAX];
	struct adapt_tally v[ADAPT_LOADERS];
	size_t n;
};

enum adapt_state {
	TRIAL_NONE,
	TRIAL_GIVEN,
	TRIAL_FETCHED,
	TRIAL_ALIVE,
	TRIAL_SILENT,
};

struct adapt_machine {
	struct adapt_node node;
	struct macaddr mac;
	/* the trial */
	enum adapt_state state;
	uint64_t model;        /* hash of its key */
	uint64_t given, first; /* loaders: that of the trial, and the preferred one then */
	uint64_t given_path;   /* a hash */
	uint64_t fetched_ms;
	/* what came of trials */
	uint64_t kept, kept_first, kept_ms; /* rule 2; kept 0: none */
	struct {
		uint64_t loader;
		bool round; /* in this round, rule 1; else it merely was counted, rule 3 */
	} silent[ADAPT_LOADERS];
	size_t nsilent;
};

struct adapt {
	struct adapt_nodes models, machines;
	uint64_t changes;
};

/* Makes one, by its key, if it is not there.  NULL: out of memory. */
struct adapt_model *adapt_get_model(struct adapt *t, const char *key);
struct adapt_machine *adapt_get_machine(struct adapt *t, const struct macaddr *mac);
/* The tally of a loader, made if need be in place of the one used longest ago. */
struct adapt_tally *adapt_get_tally(struct adapt_model *m, const struct loader_choice *loader);
uint64_t adapt_loader_id(const struct loader_choice *loader);

#endif
