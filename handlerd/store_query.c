/* The store's reading side; see store.h. */
#include "handlerd/journal.h"
#include "handlerd/store_db.h"

#include "common/log.h"
#include "common/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BOOT_COLUMNS                                                                               \
	"id,mac,started_ms,last_ms,uuid,address,relay,subnet,phase,client,arch,trusted,by_http,"   \
	"image,machine"

/* in the order in which store_machines.c reads and writes them */
#define MACHINE_COLUMNS                                                                            \
	"id,first_ms,last_ms,uuid,serial,asset,manufacturer,product,platform,version,relay,"       \
	"remote,circuit,arch,address,state,\"group\",entry,once,until_ms,\"by\",phase,phase_ms,"   \
	"image,roots,roots_ms"
#define MACHINE_SUMS                                                                               \
	"(SELECT mac FROM machine_mac WHERE machine_mac.machine=machine.id ORDER BY place LIMIT "  \
	"1) AS mac,"                                                                               \
	"(SELECT count(*) FROM boot WHERE boot.machine=machine.id) AS boots"

static const struct {
	enum store_query which;
	const char *sql;
} queries[] = {
	{ QUERY_BOOTS, "SELECT " BOOT_COLUMNS ","
		       " (SELECT ifnull(manufacturer,'')||' '||ifnull(product,'') FROM machine"
		       "  WHERE machine.id=boot.machine) AS model"
		       " FROM boot ORDER BY last_ms DESC, id LIMIT ?1" },
	{ QUERY_BOOTS_OF, "SELECT " BOOT_COLUMNS " FROM boot WHERE mac=?2"
			  " OR machine IN (SELECT value FROM json_each(?3))"
			  " ORDER BY last_ms DESC, id LIMIT ?1" },
	{ QUERY_BOOT, "SELECT " BOOT_COLUMNS " FROM boot WHERE id=?1" },
	{ QUERY_ENTRIES,
	    "SELECT at_ms,kind,via,mac,address,subnet,action,reason,rule,file,bytes,duration_ms,"
	    "blksize,windowsize,retransmits,repeats,text FROM entry WHERE boot=?1"
	    " ORDER BY at_ms, n LIMIT 10000" },
	{ QUERY_MACHINES, "SELECT " MACHINE_COLUMNS ", " MACHINE_SUMS
			  " FROM machine ORDER BY last_ms DESC, id LIMIT ?1" },
	{ QUERY_MACHINE, "SELECT " MACHINE_COLUMNS ", " MACHINE_SUMS " FROM machine WHERE id=?1" },
	{ QUERY_MACHINE_MACS, "SELECT mac, sure FROM machine_mac WHERE machine=?1 ORDER BY place" },
	{ QUERY_MACHINE_EVENTS, "SELECT at_ms,kind,machine,other,\"by\",text FROM machine_event"
				" WHERE machine=?1 OR machine IN"
				" (SELECT old FROM machine_alias WHERE machine=?1)"
				" ORDER BY at_ms DESC, n DESC LIMIT 1000" },
	{ QUERY_ALL_MACHINES, "SELECT " MACHINE_COLUMNS " FROM machine ORDER BY id" },
	{ QUERY_ALL_MACS, "SELECT machine, mac, sure FROM machine_mac ORDER BY machine, place" },
	{ QUERY_ALIASES, "SELECT old, machine FROM machine_alias" },
	/* of all ids that anything speaks of */
	{ QUERY_LAST_MACHINE, "SELECT max(ifnull((SELECT max(id) FROM machine),0),"
			      " ifnull((SELECT max(old) FROM machine_alias),0),"
			      " ifnull((SELECT max(machine) FROM boot),0),"
			      " ifnull((SELECT max(max(machine), max(ifnull(other,0)))"
			      "  FROM machine_event),0))" },
	{ QUERY_ALIVE, "SELECT " BOOT_COLUMNS " FROM boot WHERE last_ms >= ?1 ORDER BY last_ms" },
	{ QUERY_ORIGINS, "SELECT origin, seq FROM origin ORDER BY at_ms, rowid" },
	/* entries by their numbers: counting millions would keep decisions waiting */
	{ QUERY_REQUESTS,
	    "SELECT n,at_ms,boot,machine,mac,stage,request,outcome,sources,before,before_ms,attempt"
	    " FROM request WHERE n >= ?1 AND at_ms >= ?2 ORDER BY n LIMIT ?3" },
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

void
store_sync(struct store *s)
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
store_list_boots(struct store *s, const struct store_machine_names *of, int64_t limit)
{
	sqlite3_stmt *st = s->query[of != NULL ? QUERY_BOOTS_OF : QUERY_BOOTS];
	json_t *rows, *row;
	size_t i;

	store_sync(s);
	sql_bind_int(st, 1, (uint64_t)limit);
	if (of != NULL) {
		json_t *ids = json_array();
		char *list;

		for (i = 0; i < of->nids; i++)
			json_array_append_new(ids, json_integer((json_int_t)of->ids[i]));
		list = json_dumps(ids, JSON_COMPACT);
		sql_bind_mac(st, 2, &of->mac);
		sql_bind_text(st, 3, list);
		free(list);
		json_decref(ids);
	}
	rows = sql_rows(st);
	json_array_foreach(rows, i, row) name_boot(row);
	return rows;
}

json_t *
store_first_row(sqlite3_stmt *st)
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

	store_sync(s);
	sql_bind_int(s->query[QUERY_BOOT], 1, id);
	boot = store_first_row(s->query[QUERY_BOOT]);
	if (boot == NULL)
		return NULL;
	name_boot(boot);
	sql_bind_int(s->query[QUERY_ENTRIES], 1, id);
	json_object_set_new(boot, "timeline", sql_rows(s->query[QUERY_ENTRIES]));
	return boot;
}

json_t *
store_count(struct store *s)
{
	return store_first_row(s->query[QUERY_COUNT]);
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

enum boot_phase
store_phase(struct slice name)
{
	return (enum boot_phase)index_of(name, phase_name, PHASES);
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
			.phase = store_phase(sql_text(st, 8)),
			.client = (enum boot_client)index_of(sql_text(st, 9), client_name, CLIENTS),
			.arch = (uint16_t)sqlite3_column_int(st, 10),
			.trusted = sqlite3_column_int(st, 11) != 0,
			.by_http = sqlite3_column_int(st, 12) != 0,
			.machine = (uint64_t)sqlite3_column_int64(st, 14),
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

int
store_each_request(struct store *s, uint64_t since_ms, uint64_t from, int64_t limit,
    store_request_fn *fn, void *arg)
{
	sqlite3_stmt *st = s->query[QUERY_REQUESTS];
	int rc;

	store_sync(s);
	sql_bind_int(st, 1, from);
	sql_bind_int(st, 2, since_ms);
	sql_bind_int(st, 3, (uint64_t)limit);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct request_record r = {
			.at_ms = (uint64_t)sqlite3_column_int64(st, 1),
			.boot = (uint64_t)sqlite3_column_int64(st, 2),
			.machine = (uint64_t)sqlite3_column_int64(st, 3),
			.stage = (enum boot_stage)sqlite3_column_int(st, 5),
			.request = { sqlite3_column_blob(st, 6),
			    (size_t)sqlite3_column_bytes(st, 6) },
			.outcome = { sqlite3_column_text(st, 7),
			    (size_t)sqlite3_column_bytes(st, 7) },
			.sources = { sqlite3_column_text(st, 8),
			    (size_t)sqlite3_column_bytes(st, 8) },
			.before = (enum boot_phase)sqlite3_column_int(st, 9),
			.before_ms = (uint64_t)sqlite3_column_int64(st, 10),
			.attempt = (uint32_t)sqlite3_column_int(st, 11),
		};
		const char *mac = (const char *)sqlite3_column_text(st, 4);

		if (mac != NULL)
			(void)mac_parse(slice_str(mac), &r.mac); /* ours: it is one */
		fn(arg, (uint64_t)sqlite3_column_int64(st, 0), &r);
	}
	(void)sqlite3_reset(st); /* as in sql_run() */
	return rc == SQLITE_DONE ? 0 : -EIO;
}
