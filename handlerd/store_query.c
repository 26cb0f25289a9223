/* The store's reading side; see store.h. */
#include "handlerd/journal.h"
#include "handlerd/store_db.h"

#include "common/log.h"
#include "common/path.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define BOOT_COLUMNS                                                                               \
	"id,mac,started_ms,last_ms,uuid,address,relay,subnet,phase,client,arch,trusted,by_http,"   \
	"image"

static const struct {
	enum store_query which;
	const char *sql;
} queries[] = {
	{ QUERY_BOOTS, "SELECT " BOOT_COLUMNS ","
		       " (SELECT ifnull(manufacturer,'')||' '||ifnull(product,'') FROM machine"
		       "  WHERE machine.mac=boot.mac) AS model"
		       " FROM boot ORDER BY last_ms DESC, id LIMIT ?1" },
	{ QUERY_BOOTS_OF, "SELECT " BOOT_COLUMNS " FROM boot WHERE mac=?2"
			  " OR mac IN (SELECT mac FROM machine WHERE uuid=?2)"
			  " ORDER BY last_ms DESC, id LIMIT ?1" },
	{ QUERY_BOOT, "SELECT " BOOT_COLUMNS " FROM boot WHERE id=?1" },
	{ QUERY_ENTRIES,
	    "SELECT at_ms,kind,via,mac,address,subnet,action,reason,rule,file,bytes,duration_ms,"
	    "blksize,windowsize,retransmits,repeats,text FROM entry WHERE boot=?1"
	    " ORDER BY at_ms, n LIMIT 10000" },
	{ QUERY_MACHINES,
	    "SELECT *, (SELECT count(*) FROM boot WHERE boot.mac=machine.mac) AS boots"
	    " FROM machine ORDER BY last_ms DESC, mac LIMIT ?1" },
	{ QUERY_MACHINE, "SELECT *, (SELECT count(*) FROM boot WHERE boot.mac=machine.mac) AS boots"
			 " FROM machine WHERE mac=?1 OR uuid=?1 ORDER BY last_ms DESC LIMIT 1" },
	{ QUERY_ALIVE, "SELECT " BOOT_COLUMNS " FROM boot WHERE last_ms >= ?1 ORDER BY last_ms" },
	{ QUERY_ORIGINS, "SELECT origin, seq FROM origin ORDER BY at_ms, rowid" },
	/* entries by their numbers: counting millions would keep decisions waiting */
	{ QUERY_COUNT, "SELECT (SELECT count(*) FROM machine) AS machines,"
		       " (SELECT count(*) FROM boot) AS boots,"
		       " (SELECT ifnull(max(n),-1) FROM entry) -"
		       " (SELECT ifnull(min(n),0) FROM entry) + 1 AS entries" },
};

int
store_prepare_queries(struct store *s)
{
	for (size_t i = 0; i < NITEMS(queries); i++) {
		s->query[queries[i].which] = sql_prepare(s->read_db, queries[i].sql);
		if (s->query[queries[i].which] == NULL)
			return -EIO;
	}
	return 0;
}

/* Waits until the thread has stored what was put before, but not for long. */
static void
sync_with_writer(struct store *s)
{
	uint64_t head = journal_head(s->journal);
	struct timespec until;

	store_kick(s);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += STORE_SYNC_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&s->lock);
	while (journal_tail(s->journal) < head &&
	       pthread_cond_timedwait(&s->progress, &s->lock, &until) == 0)
		;
	pthread_mutex_unlock(&s->lock);
}

/* Ids are for people: in the form in which they stand in the log. */
static void
name_boot(json_t *row)
{
	char text[BOOT_ID_STRLEN];
	const json_t *id = json_object_get(row, "id");

	if (id != NULL)
		json_object_set_new(
		    row, "id", json_string(boot_id_format((uint64_t)json_integer_value(id), text)));
	if (json_integer_value(json_object_get(row, "arch")) == ARCH_UNKNOWN)
		json_object_del(row, "arch");
	json_object_set_new(
	    row, "trusted", json_boolean(json_integer_value(json_object_get(row, "trusted")) != 0));
	json_object_set_new(
	    row, "by_http", json_boolean(json_integer_value(json_object_get(row, "by_http")) != 0));
}

json_t *
store_list_boots(struct store *s, const char *machine, int64_t limit)
{
	sqlite3_stmt *st = s->query[machine != NULL ? QUERY_BOOTS_OF : QUERY_BOOTS];
	json_t *rows, *row;
	size_t i;

	sync_with_writer(s);
	sql_bind_int(st, 1, (uint64_t)limit);
	if (machine != NULL)
		sql_bind_text(st, 2, machine);
	rows = sql_rows(st);
	json_array_foreach(rows, i, row) name_boot(row);
	return rows;
}

/* The first row of a bound query, or NULL. */
static json_t *
first_row(sqlite3_stmt *st)
{
	json_t *row = NULL;

	if (sqlite3_step(st) == SQLITE_ROW)
		row = sql_row(st);
	(void)sqlite3_reset(st); /* nothing more is wanted of it */
	(void)sqlite3_clear_bindings(st);
	return row;
}

json_t *
store_show_boot(struct store *s, uint64_t id)
{
	json_t *boot;

	sync_with_writer(s);
	sql_bind_int(s->query[QUERY_BOOT], 1, id);
	boot = first_row(s->query[QUERY_BOOT]);
	if (boot == NULL)
		return NULL;
	name_boot(boot);
	sql_bind_int(s->query[QUERY_ENTRIES], 1, id);
	json_object_set_new(boot, "timeline", sql_rows(s->query[QUERY_ENTRIES]));
	return boot;
}

json_t *
store_list_machines(struct store *s, int64_t limit)
{
	sync_with_writer(s);
	sql_bind_int(s->query[QUERY_MACHINES], 1, (uint64_t)limit);
	return sql_rows(s->query[QUERY_MACHINES]);
}

json_t *
store_show_machine(struct store *s, const char *name)
{
	json_t *machine, *mac;

	sync_with_writer(s);
	sql_bind_text(s->query[QUERY_MACHINE], 1, name);
	machine = first_row(s->query[QUERY_MACHINE]);
	if (machine == NULL)
		return NULL;
	mac = json_object_get(machine, "mac");
	json_object_set_new(machine, "history", store_list_boots(s, json_string_value(mac), 100));
	return machine;
}

json_t *
store_count(struct store *s)
{
	return first_row(s->query[QUERY_COUNT]);
}

/* The place of a name in a table of names that `name_of` prints; 0 if it is not there. */
static int
index_of(struct slice name, const char *(*name_of)(int), int n)
{
	for (int i = 0; i < n; i++) {
		if (slice_is(name, name_of(i)))
			return i;
	}
	return 0;
}

static const char *
phase_name(int i)
{
	return boot_phase_name((enum boot_phase)i);
}

static const char *
client_name(int i)
{
	return boot_client_name((enum boot_client)i);
}

int
store_each_boot(struct store *s, uint64_t since_ms, store_boot_fn *fn, void *arg)
{
	sqlite3_stmt *st = s->query[QUERY_ALIVE];
	int rc;

	sql_bind_int(st, 1, since_ms);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct boot b = {
			.id = (uint64_t)sqlite3_column_int64(st, 0),
			.started_ms = (uint64_t)sqlite3_column_int64(st, 2),
			.last_ms = (uint64_t)sqlite3_column_int64(st, 3),
			.phase = (enum boot_phase)index_of(sql_text(st, 8), phase_name, PHASES),
			.client = (enum boot_client)index_of(sql_text(st, 9), client_name, CLIENTS),
			.arch = (uint16_t)sqlite3_column_int(st, 10),
			.trusted = sqlite3_column_int(st, 11) != 0,
			.by_http = sqlite3_column_int(st, 12) != 0,
		};

		/* what is NULL leaves the field empty */
		(void)mac_parse(sql_text(st, 1), &b.mac);
		b.has_uuid = uuid_parse(sql_text(st, 4), &b.uuid) == 0;
		(void)ip_parse(sql_text(st, 5), &b.address);
		(void)ip_parse(sql_text(st, 6), &b.relay);
		(void)slice_copy(b.subnet, sizeof(b.subnet), sql_text(st, 7));
		(void)slice_copy(b.image, sizeof(b.image), sql_text(st, 13));
		fn(arg, &b);
	}
	(void)sqlite3_reset(st); /* as in sql_run() */
	return rc == SQLITE_DONE ? 0 : -EIO;
}

int
store_each_origin(struct store *s, store_origin_fn *fn, void *arg)
{
	sqlite3_stmt *st = s->query[QUERY_ORIGINS];
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		fn(arg, (uint64_t)sqlite3_column_int64(st, 0),
		    (uint64_t)sqlite3_column_int64(st, 1));
	(void)sqlite3_reset(st); /* as in sql_run() */
	return rc == SQLITE_DONE ? 0 : -EIO;
}
