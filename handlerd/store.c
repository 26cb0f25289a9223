/* The store's writing side; see store.h. */
#include "handlerd/store.h"

#include "common/log.h"
#include "common/loop.h"
#include "handlerd/journal.h"
#include "handlerd/store_db.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define WRITER_NICE   5
#define A_COMMIT      4096 /* records of a transaction at the most */
#define RETRY_MS      1000 /* after a commit that failed */
#define PRUNE_MS      (10 * 60 * 1000)
#define PRUNE_RECORDS 200000 /* so many new records are a reason to prune early */
#define BUSY_MS       5000
#define ENDING_MS     3000 /* for what is still in the journal; the rest waits there */

static const struct {
	enum store_sql which;
	const char *sql;
} statements[] = {
	{ SQL_MACHINE,
	    "INSERT OR REPLACE INTO machine VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,"
	    "?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,?26)" },
	{ SQL_MACHINE_GONE, "DELETE FROM machine WHERE id=?1" },
	{ SQL_MACS_GONE, "DELETE FROM machine_mac WHERE machine=?1" },
	{ SQL_MAC, "INSERT INTO machine_mac VALUES(?1,?2,?3,?4)" },
	{ SQL_ALIAS, "INSERT OR REPLACE INTO machine_alias VALUES(?1,?2)" },
	{ SQL_MACHINE_EVENT, "INSERT INTO machine_event(machine,other,at_ms,kind,\"by\",text)"
			     " VALUES(?1,?2,?3,?4,?5,?6)" },
	{ SQL_REQUEST, "INSERT INTO request(at_ms,boot,machine,mac,stage,request,outcome,sources,"
		       "before,before_ms,attempt) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)" },
	{ SQL_MERGE_BOOTS, "UPDATE boot SET machine=?1 WHERE machine=?2" },
	{ SQL_MERGE_ALIASES, "UPDATE machine_alias SET machine=?1 WHERE machine=?2" },
	{ SQL_SPLIT_BOOTS, "UPDATE boot SET machine=?2 WHERE machine=?1"
			   " AND mac IN (SELECT mac FROM machine_mac WHERE machine=?2)"
			   " AND mac NOT IN (SELECT mac FROM machine_mac WHERE machine=?1)" },
	{ SQL_BOOT,
	    "INSERT INTO boot VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)"
	    " ON CONFLICT(id) DO UPDATE SET mac=ifnull(?2,mac), last_ms=max(last_ms,?4),"
	    " uuid=ifnull(?5,uuid), address=ifnull(?6,address), relay=ifnull(?7,relay),"
	    " subnet=ifnull(?8,subnet), phase=?9, client=?10, arch=?11, trusted=?12, by_http=?13,"
	    " image=ifnull(?14,image), machine=ifnull(?15,machine)" },
	{ SQL_REPEATS, "UPDATE entry SET repeats=?2 WHERE n="
		       "(SELECT n FROM entry WHERE boot=?1 AND action IS NOT NULL"
		       " ORDER BY n DESC LIMIT 1)" },
	{ SQL_ENTRY, "INSERT INTO "
		     "entry(boot,at_ms,kind,via,mac,address,subnet,action,reason,rule,file,bytes,"
		     "duration_ms,blksize,windowsize,retransmits,text)"
		     " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)" },
	{ SQL_TOUCH, "UPDATE boot SET last_ms=max(last_ms,?2) WHERE id=?1" },
	{ SQL_ORIGIN, "INSERT INTO origin VALUES(?1,?2,?3)"
		      " ON CONFLICT(origin) DO UPDATE SET seq=max(seq,?2), at_ms=?3" },
	{ SQL_META, "INSERT INTO meta VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET value=?2" },
	{ SQL_PRUNE_OLD, "DELETE FROM boot WHERE last_ms < ?1" },
	{ SQL_PRUNE_BOOTS, "DELETE FROM boot WHERE last_ms <="
			   " (SELECT last_ms FROM boot ORDER BY last_ms DESC LIMIT 1 OFFSET ?1)" },
	{ SQL_PRUNE_EVENTS, "DELETE FROM machine_event WHERE at_ms < ?1" },
	/* those of a boot go with it, by the trigger */
	{ SQL_PRUNE_ENTRIES, "DELETE FROM entry WHERE boot IS NULL AND at_ms < ?1" },
	{ SQL_PRUNE_EXCESS, "DELETE FROM entry WHERE n <= (SELECT max(n) FROM entry) - ?1" },
	{ SQL_PRUNE_REQUESTS, "DELETE FROM request WHERE at_ms < ?1" },
	{ SQL_PRUNE_ORIGINS, "DELETE FROM origin WHERE at_ms < ?1" },
};

static int
set_meta(struct store *s, const char *key, uint64_t value)
{
	sql_bind_text(store_stmt(s, SQL_META), 1, key);
	sql_bind_int(store_stmt(s, SQL_META), 2, value);
	return sql_run(store_stmt(s, SQL_META));
}

static uint64_t
get_meta(struct store *s, const char *key)
{
	sqlite3_stmt *st = sql_prepare(s->db, "SELECT value FROM meta WHERE key=?1");
	uint64_t v = 0;

	if (st == NULL)
		return 0;
	sql_bind_text(st, 1, key);
	if (sqlite3_step(st) == SQLITE_ROW)
		v = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return v;
}

static int
write_boot(struct store *s, const struct boot *b)
{
	sqlite3_stmt *st = store_stmt(s, SQL_BOOT);

	sql_bind_int(st, 1, b->id);
	sql_bind_mac(st, 2, &b->mac);
	sql_bind_int(st, 3, b->started_ms);
	sql_bind_int(st, 4, b->last_ms);
	sql_bind_uuid(st, 5, b->has_uuid, &b->uuid);
	sql_bind_ip(st, 6, &b->address);
	sql_bind_ip(st, 7, &b->relay);
	sql_bind_text(st, 8, b->subnet);
	sql_bind_text(st, 9, boot_phase_name(b->phase));
	sql_bind_text(st, 10, boot_client_name(b->client));
	sql_bind_int(st, 11, b->arch);
	sql_bind_int(st, 12, b->trusted);
	sql_bind_int(st, 13, b->by_http);
	sql_bind_text(st, 14, b->image);
	if (b->machine != 0)
		sql_bind_int(st, 15, b->machine);
	else
		(void)sqlite3_bind_null(st, 15);
	return sql_run(st);
}

static int
write_entry(struct store *s, const struct entry_record *e)
{
	sqlite3_stmt *st;

	if (e->repeats > 0) {
		st = store_stmt(s, SQL_REPEATS);
		sql_bind_int(st, 1, e->boot);
		sql_bind_int(st, 2, e->repeats);
		if (sql_run(st) < 0)
			return -EIO;
	}
	if (e->origin != 0) {
		st = store_stmt(s, SQL_ORIGIN);
		sql_bind_int(st, 1, e->origin);
		sql_bind_int(st, 2, e->seq);
		sql_bind_int(st, 3, wall_clock_ms());
		if (sql_run(st) < 0)
			return -EIO;
	}
	if (e->kind.n == 0) /* only to note that this event was taken */
		return 0;
	st = store_stmt(s, SQL_ENTRY);
	if (e->boot != 0)
		sql_bind_int(st, 1, e->boot);
	else
		(void)sqlite3_bind_null(st, 1);
	sql_bind_int(st, 2, e->at_ms);
	sql_bind_slice(st, 3, e->kind);
	sql_bind_text(st, 4, e->via != VIA_NONE ? boot_via_name(e->via) : NULL);
	sql_bind_mac(st, 5, &e->mac);
	sql_bind_ip(st, 6, &e->address);
	sql_bind_slice(st, 7, e->subnet);
	sql_bind_slice(st, 8, e->action);
	sql_bind_slice(st, 9, e->reason);
	sql_bind_slice(st, 10, e->rule);
	sql_bind_slice(st, 11, e->file);
	sql_bind_int(st, 12, e->bytes);
	sql_bind_int(st, 13, e->duration_ms);
	sql_bind_int(st, 14, e->blksize);
	sql_bind_int(st, 15, e->windowsize);
	sql_bind_int(st, 16, e->retransmits);
	sql_bind_slice(st, 17, e->text);
	if (sql_run(st) < 0)
		return -EIO;
	if (e->boot == 0)
		return 0;
	st = store_stmt(s, SQL_TOUCH);
	sql_bind_int(st, 1, e->boot);
	sql_bind_int(st, 2, e->at_ms);
	return sql_run(st);
}

static int
write_request(struct store *s, const struct request_record *r)
{
	sqlite3_stmt *st = store_stmt(s, SQL_REQUEST);

	sql_bind_int(st, 1, r->at_ms);
	sql_bind_int(st, 2, r->boot);
	sql_bind_int(st, 3, r->machine);
	sql_bind_mac(st, 4, &r->mac);
	sql_bind_int(st, 5, r->stage);
	sql_bind_blob(st, 6, r->request);
	sql_bind_slice(st, 7, r->outcome);
	sql_bind_slice(st, 8, r->sources);
	sql_bind_int(st, 9, r->before);
	sql_bind_int(st, 10, r->before_ms);
	sql_bind_int(st, 11, r->attempt);
	return sql_run(st);
}

static int
write_record(struct store *s, struct slice bytes)
{
	struct record r;

	if (record_decode(bytes, &r) < 0) {
		log_warnx("store: a record in the journal makes no sense, leaving it out");
		return 0;
	}
	switch (r.kind) {
	case RECORD_MACHINE: return store_write_machine(s, &r.machine);
	case RECORD_MACHINE_GONE: return store_write_machine_gone(s, r.machine_gone);
	case RECORD_MACHINE_EVENT: return store_write_machine_event(s, &r.machine_event);
	case RECORD_REQUEST: return write_request(s, &r.request);
	case RECORD_BOOT: return write_boot(s, &r.boot);
	default: return write_entry(s, &r.entry);
	}
}

/*
 * Moves a batch from the journal into the database, in one transaction with the position reached:
 * whatever happens, each record is stored exactly once.  The number of records, or -EIO.
 */
static int
write_batch(struct store *s)
{
	uint64_t pos = journal_tail(s->journal);
	struct slice record;
	int n = 0;

	if (pos == journal_head(s->journal))
		return 0;
	if (sql_exec(s->db, "BEGIN IMMEDIATE") < 0)
		return -EIO;
	while (n < A_COMMIT && journal_next(s->journal, &pos, &record) == 0) {
		if (write_record(s, record) < 0)
			goto fail;
		n++;
	}
	if (set_meta(s, "journal_tail", pos) < 0 || sql_exec(s->db, "COMMIT") < 0)
		goto fail;
	journal_release(s->journal, pos);
	atomic_fetch_add(&s->stored, (uint64_t)n);
	atomic_fetch_add(&s->commits, 1);
	return n;
fail:
	(void)sql_exec(s->db, "ROLLBACK"); /* fails when SQLite has done it already */
	return -EIO;
}

static int
prune_by(struct store *s, enum store_sql which, int64_t bound)
{
	sql_bind_int(store_stmt(s, which), 1, (uint64_t)bound);
	return sql_run(store_stmt(s, which));
}

static void
prune(struct store *s)
{
	struct store_limits limits;
	int64_t oldest_ms, requests_ms;

	pthread_mutex_lock(&s->lock);
	limits = s->limits;
	pthread_mutex_unlock(&s->lock);
	oldest_ms = (int64_t)wall_clock_ms() - limits.keep_days * 24 * 3600 * 1000;
	requests_ms = (int64_t)wall_clock_ms() - limits.keep_requests_h * 3600 * 1000;
	if (sql_exec(s->db, "BEGIN IMMEDIATE") < 0)
		return;
	if (prune_by(s, SQL_PRUNE_OLD, oldest_ms) == 0 &&
	    prune_by(s, SQL_PRUNE_BOOTS, limits.max_boots) == 0 &&
	    prune_by(s, SQL_PRUNE_EVENTS, oldest_ms) == 0 &&
	    prune_by(s, SQL_PRUNE_REQUESTS, requests_ms) == 0 &&
	    prune_by(s, SQL_PRUNE_ORIGINS, oldest_ms) == 0 &&
	    prune_by(s, SQL_PRUNE_ENTRIES, oldest_ms) == 0 &&
	    (limits.max_entries == 0 || prune_by(s, SQL_PRUNE_EXCESS, limits.max_entries) == 0) &&
	    sql_exec(s->db, "COMMIT") == 0)
		return;
	(void)sql_exec(s->db, "ROLLBACK"); /* as above */
}

static void
tell_progress(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	pthread_cond_broadcast(&s->progress);
	pthread_mutex_unlock(&s->lock);
}

static void *
writer(void *arg)
{
	struct store *s = arg;
	uint64_t prune_ms = 0, prune_at = 0, ending_ms = 0;

	/* in a storm decisions go first, the journal holds what waits; a thread of its own nice
	 * value is Linux's, and without it all still works */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), WRITER_NICE);
	for (;;) {
		struct pollfd p = { .fd = s->wake_fd, .events = POLLIN };
		bool ending = atomic_load(&s->ending);
		uint64_t count;
		int n;

		while ((n = write_batch(s)) > 0) {
			tell_progress(s);
			if (!atomic_load(&s->ending))
				continue;
			if (ending_ms == 0)
				ending_ms = wall_clock_ms();
			if (wall_clock_ms() - ending_ms >= ENDING_MS)
				return NULL; /* the next start goes on from there */
		}
		if (n < 0)
			atomic_fetch_add(&s->failures, 1);
		if (ending)
			break;
		if (n < 0) {
			(void)poll(NULL, 0, RETRY_MS); /* the disk may have room again then */
			continue;
		}
		if (wall_clock_ms() - prune_ms > PRUNE_MS || atomic_load(&s->stored) >= prune_at) {
			prune_ms = wall_clock_ms();
			prune_at = atomic_load(&s->stored) + PRUNE_RECORDS;
			atomic_store(&s->pruning, true);
			prune(s);
			atomic_store(&s->pruning, false);
		}
		(void)poll(&p, 1, PRUNE_MS); /* a signal only wakes it early */
		if ((p.revents & POLLIN) != 0 && read(s->wake_fd, &count, sizeof(count)) < 0)
			continue; /* nothing there after all */
	}
	return NULL;
}

static int
open_db(const char *path, int flags, sqlite3 **ret)
{
	int rc = sqlite3_open_v2(path, ret, flags, NULL);

	if (rc != SQLITE_OK) {
		log_errx("store: \"%s\": %s", path,
		    *ret != NULL ? sqlite3_errmsg(*ret) : "out of memory");
		return rc == SQLITE_CANTOPEN ? -ENOENT : -EIO;
	}
	(void)sqlite3_busy_timeout(*ret, BUSY_MS);
	return 0;
}

static int
prepare_db(struct store *s, const char *path)
{
	int rc = store_prepare_schema(s->db, path);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < NITEMS(statements); i++) {
		s->write[statements[i].which] = sql_prepare(s->db, statements[i].sql);
		if (s->write[statements[i].which] == NULL)
			return -EIO;
	}
	return 0;
}

/* The journal beside the database, its place in step with what the database remembers. */
static int
open_journal(struct store *s, const char *path)
{
	char journal_path[4096 + 16];
	uint64_t generation = get_meta(s, "journal_generation");
	int rc;

	(void)snprintf(journal_path, sizeof(journal_path), "%s-journal-ring", path);
	rc = journal_open(journal_path, generation, get_meta(s, "journal_tail"), &s->journal);
	if (rc < 0)
		return rc;
	if (journal_generation(s->journal) == generation) {
		if (journal_head(s->journal) != journal_tail(s->journal))
			log_info("store: taking over what an earlier process left in the journal");
		return 0;
	}
	if (sql_exec(s->db, "BEGIN IMMEDIATE") < 0 ||
	    set_meta(s, "journal_generation", journal_generation(s->journal)) < 0 ||
	    set_meta(s, "journal_tail", journal_tail(s->journal)) < 0 ||
	    sql_exec(s->db, "COMMIT") < 0)
		return -EIO;
	return 0;
}

int
store_open(const char *path, const struct store_limits *limits, struct store **ret)
{
	struct store *s = calloc(1, sizeof(*s));
	int rc, n;

	if (s == NULL)
		return -ENOMEM;
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->limits = *limits;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->progress, NULL);
	s->buf = malloc(JOURNAL_RECORD_MAX);
	rc = s->wake_fd < 0 || s->buf == NULL ? -ENOMEM : 0;
	if (rc == 0)
		rc = open_db(
		    path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, &s->db);
	if (rc == 0)
		rc = prepare_db(s, path);
	if (rc == 0)
		rc = open_journal(s, path);
	/* what was left behind is in the database before anything is read from it */
	while (rc == 0 && (n = write_batch(s)) != 0) {
		if (n > 0)
			continue;
		/* a full disk, say: the writer goes on trying, and machines boot meanwhile */
		log_warnx(
		    "store: what an earlier process left in the journal cannot be stored yet");
		break;
	}
	if (rc == 0)
		rc = open_db(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, &s->read_db);
	if (rc == 0)
		rc = store_prepare_queries(s);
	if (rc == 0) {
		rc = -pthread_create(&s->thread, NULL, writer, s);
		s->started = rc == 0;
	}
	if (rc < 0) {
		store_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->started) {
		atomic_store(&s->ending, true);
		store_kick(s);
		if (atomic_load(&s->pruning))
			sqlite3_interrupt(s->db); /* it begins anew another time */
		pthread_join(s->thread, NULL);
	}
	for (size_t i = 0; i < STORE_SQLS; i++)
		sqlite3_finalize(s->write[i]);
	for (size_t i = 0; i < STORE_QUERIES; i++)
		sqlite3_finalize(s->query[i]);
	sqlite3_close(s->read_db);
	sqlite3_close(s->db);
	journal_close(s->journal);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->progress);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	free(s->buf);
	free(s);
}

void
store_set_limits(struct store *s, const struct store_limits *limits)
{
	pthread_mutex_lock(&s->lock);
	s->limits = *limits;
	pthread_mutex_unlock(&s->lock);
}

int
store_put(struct store *s, const struct record *r)
{
	struct wbuf w;
	int rc = -ENOSPC;

	wbuf_init(&w, s->buf, JOURNAL_RECORD_MAX);
	record_encode(&w, r);
	if (!w.bad)
		rc = journal_put(s->journal, wbuf_view(&w));
	s->records += rc == 0;
	s->lost += rc < 0;
	return rc;
}

bool
store_has_room(const struct store *s)
{
	return journal_has_room(s->journal);
}

void
store_kick(struct store *s)
{
	uint64_t one = 1;

	if (write(s->wake_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: the thread is awake */
}

void
store_get_stats(const struct store *s, struct store_stats *ret)
{
	*ret = (struct store_stats){
		.records = s->records,
		.lost = s->lost,
		.stored = atomic_load(&s->stored),
		.commits = atomic_load(&s->commits),
		.failures = atomic_load(&s->failures),
		.waiting = journal_head(s->journal) - journal_tail(s->journal),
	};
}
