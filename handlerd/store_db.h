/* What the writing and the reading side of the store share. */
#ifndef HANDLERD_STORE_DB_H
#define HANDLERD_STORE_DB_H

#include "common/arch.h"
#include "handlerd/sql.h"
#include "handlerd/store.h"

#include <pthread.h>
#include <stdatomic.h>

enum store_sql {
	SQL_MACHINE,
	SQL_MACHINE_GONE,
	SQL_MACS_GONE,
	SQL_MAC,
	SQL_ALIAS,
	SQL_MACHINE_EVENT,
	SQL_REQUEST,
	SQL_MERGE_BOOTS,
	SQL_MERGE_ALIASES,
	SQL_SPLIT_BOOTS,
	SQL_BOOT,
	SQL_REPEATS,
	SQL_ENTRY,
	SQL_TOUCH,
	SQL_ORIGIN,
	SQL_META,
	SQL_PRUNE_OLD,
	SQL_PRUNE_BOOTS,
	SQL_PRUNE_EVENTS,
	SQL_PRUNE_ENTRIES,
	SQL_PRUNE_EXCESS,
	SQL_PRUNE_REQUESTS,
	SQL_PRUNE_ORIGINS,
	STORE_SQLS,
};

enum store_query {
	QUERY_BOOTS,
	QUERY_BOOTS_OF,
	QUERY_BOOT,
	QUERY_ENTRIES,
	QUERY_MACHINES,
	QUERY_MACHINE,
	QUERY_MACHINE_MACS,
	QUERY_MACHINE_EVENTS,
	QUERY_ALL_MACHINES,
	QUERY_ALL_MACS,
	QUERY_ALIASES,
	QUERY_LAST_MACHINE,
	QUERY_ALIVE,
	QUERY_ORIGINS,
	QUERY_REQUESTS,
	QUERY_COUNT,
	STORE_QUERIES,
};

struct journal;

struct store {
	struct journal *journal;
	uint8_t *buf; /* for encoding */
	uint64_t records, lost;

	/* the thread's, once it runs */
	sqlite3 *db;
	sqlite3_stmt *write[STORE_SQLS];

	/* of the loop's thread */
	sqlite3 *read_db;
	sqlite3_stmt *query[STORE_QUERIES];

	pthread_t thread;
	bool started;
	_Atomic bool ending, pruning;
	_Atomic uint64_t stored, commits, failures;
	int wake_fd;
	pthread_mutex_t lock; /* of limits; and for waiting on progress */
	pthread_cond_t progress;
	struct store_limits limits;
};

static inline sqlite3_stmt *
store_stmt(const struct store *s, enum store_sql which)
{
	return s->write[which];
}

/* 0, or a negative errno after logging. */
int store_prepare_schema(sqlite3 *db, const char *path);
int store_prepare_queries(struct store *s);

/* For queries: waits until the thread has stored what was put before, but not for long. */
void store_sync(struct store *s);
/* The first row of a bound query as a new object, or NULL; resets it. */
json_t *store_first_row(sqlite3_stmt *st);
/* The names of enums as numbers; 0 for a name that is not there. */
enum boot_phase store_phase(struct slice name);

/* The writing thread's; 0, or -EIO after logging. */
int store_write_machine(struct store *s, const struct machine *m);
int store_write_machine_gone(struct store *s, uint64_t id);
int store_write_machine_event(struct store *s, const struct machine_event *e);

#endif
