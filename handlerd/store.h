/*
 * The store: machines, boots and their timelines in SQLite.  Records go through the journal and
 * are written by a thread of the store's own, many a transaction; queries have a connection of
 * their own and read what was committed.
 */
#ifndef HANDLERD_STORE_H
#define HANDLERD_STORE_H

#include "handlerd/record.h"

#include <jansson.h>

struct store;

struct store_limits {
	int64_t keep_days;       /* boots older than that are forgotten */
	int64_t max_boots;       /* the oldest beyond are forgotten */
	int64_t keep_requests_h; /* recorded requests older than that are forgotten */
	int64_t max_entries;     /* the oldest lines beyond are forgotten; 0: no bound */
};

struct store_stats {
	uint64_t records; /* taken */
	uint64_t lost;    /* not taken, because the store was too far behind */
	uint64_t stored;  /* committed */
	uint64_t commits;
	uint64_t failures; /* of commits, tried again */
	uint64_t waiting;  /* bytes in the journal */
};

/*
 * Opens or makes the database at `path`, brings it to this version's form and takes over what an
 * earlier process left in the journal.  Starts a thread: drop privileges first.  0, or a negative
 * errno after logging why.
 */
int store_open(const char *path, const struct store_limits *limits, struct store **ret);
/* Writes out what is waiting and ends the thread.  NULL is allowed. */
void store_close(struct store *s);
void store_set_limits(struct store *s, const struct store_limits *limits);

/* Takes a record down.  0, or -ENOSPC; the record is safe from the process's end when 0. */
int store_put(struct store *s, const struct record *r);
bool store_has_room(const struct store *s);
/* Wakes the thread; call it once after some store_put(). */
void store_kick(struct store *s);
void store_get_stats(const struct store *s, struct store_stats *ret);

/* For each boot that was alive at or after `since_ms`, oldest first. */
typedef void store_boot_fn(void *arg, const struct boot *b);
int store_each_boot(struct store *s, uint64_t since_ms, store_boot_fn *fn, void *arg);
/* For each machine by id; slices stay until fn returns. */
typedef void store_machine_fn(void *arg, const struct machine *m);
int store_each_machine(struct store *s, store_machine_fn *fn, void *arg);
typedef void store_alias_fn(void *arg, uint64_t old_id, uint64_t id);
int store_each_alias(struct store *s, store_alias_fn *fn, void *arg);
/* The highest id of a machine that anything in the store speaks of. */
int store_last_machine(struct store *s, uint64_t *ret);
/* These three give 0, or -EIO. */
/* For each sender of events, the last one that is stored. */
typedef void store_origin_fn(void *arg, uint64_t origin, uint64_t seq);
int store_each_origin(struct store *s, store_origin_fn *fn, void *arg);

/*
 * Recorded requests from number `from` on that are not older than `since_ms`, in order, at most
 * `limit`; slices stay until fn returns.  0, or -EIO.
 */
typedef void store_request_fn(void *arg, uint64_t number, const struct request_record *r);
int store_each_request(struct store *s, uint64_t since_ms, uint64_t from, int64_t limit,
    store_request_fn *fn, void *arg);

/*
 * Queries, as new JSON objects or arrays; NULL if there is nothing of that name (or the database
 * failed, which is logged).  They first wait, at most STORE_SYNC_MS, for what was put before.
 */
#define STORE_SYNC_MS 200
/* What a machine's boots are looked for by. */
struct store_machine_names {
	struct macaddr mac; /* or none; also boots whose machine is not known */
	const uint64_t *ids;
	size_t nids;
};
/* Newest first; of some machines, or of all if it is NULL. */
json_t *store_list_boots(struct store *s, const struct store_machine_names *of, int64_t limit);
json_t *store_show_boot(struct store *s, uint64_t id);
json_t *store_list_machines(struct store *s, int64_t limit);
/* With all MACs, its boots and its events. */
json_t *store_show_machine(struct store *s, uint64_t id);
/* {machines, boots, entries}; entries from the oldest kept to the newest, at the most. */
json_t *store_count(struct store *s);

#endif
