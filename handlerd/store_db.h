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
	SQL_BOOT,
	SQL_REPEATS,
	SQL_ENTRY,
	SQL_TOUCH,
	SQL_ORIGIN,
	SQL_META,
	SQL_PRUNE_OLD,
	SQL_PRUNE_BOOTS,
	SQL_PRUNE_MACHINES,
	SQL_PRUNE_ENTRIES,
	SQL_PRUNE_EXCESS,
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
	QUERY_ALIVE,
	QUERY_ORIGINS,
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

/* 0, or -EIO after logging. */
int store_prepare_queries(struct store *s);

#endif
