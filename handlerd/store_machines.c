/* Machines in the store: writing, reading back at start, and showing; see store.h. */
#include "handlerd/store_db.h"

#include <errno.h>
#include <string.h>

static void
bind_some(sqlite3_stmt *st, int place, uint64_t v)
{
	if (v != 0)
		sql_bind_int(st, place, v);
	else
		(void)sqlite3_bind_null(st, place);
}

static int
write_macs(struct store *s, const struct machine *m)
{
	sqlite3_stmt *st = store_stmt(s, SQL_MACS_GONE);

	sql_bind_int(st, 1, m->id);
	if (sql_run(st) < 0)
		return -EIO;
	st = store_stmt(s, SQL_MAC);
	for (size_t i = 0; i < m->nmacs; i++) {
		sql_bind_int(st, 1, m->id);
		sql_bind_int(st, 2, i);
		sql_bind_mac(st, 3, &m->macs[i].mac);
		sql_bind_int(st, 4, m->macs[i].sure);
		if (sql_run(st) < 0)
			return -EIO;
	}
	return 0;
}

int
store_write_machine(struct store *s, const struct machine *m)
{
	sqlite3_stmt *st = store_stmt(s, SQL_MACHINE);

	sql_bind_int(st, 1, m->id);
	sql_bind_int(st, 2, m->first_ms);
	sql_bind_int(st, 3, m->last_ms);
	sql_bind_uuid(st, 4, m->has_uuid, &m->uuid);
	sql_bind_slice(st, 5, m->serial);
	sql_bind_slice(st, 6, m->asset);
	sql_bind_slice(st, 7, m->manufacturer);
	sql_bind_slice(st, 8, m->product);
	sql_bind_slice(st, 9, m->platform);
	sql_bind_slice(st, 10, m->version);
	sql_bind_ip(st, 11, &m->relay);
	sql_bind_slice(st, 12, m->remote);
	sql_bind_slice(st, 13, m->circuit);
	if (m->arch != ARCH_UNKNOWN)
		sql_bind_int(st, 14, m->arch);
	else
		(void)sqlite3_bind_null(st, 14);
	sql_bind_ip(st, 15, &m->address);
	sql_bind_text(st, 16, machine_state_name(m->state));
	sql_bind_slice(st, 17, m->group);
	sql_bind_slice(st, 18, m->entry);
	bind_some(st, 19, m->once);
	bind_some(st, 20, m->until_ms);
	sql_bind_slice(st, 21, m->by);
	sql_bind_text(st, 22, m->phase_ms != 0 ? boot_phase_name(m->phase) : NULL);
	bind_some(st, 23, m->phase_ms);
	sql_bind_slice(st, 24, m->image);
	sql_bind_slice(st, 25, m->roots);
	bind_some(st, 26, m->roots_ms);
	if (sql_run(st) < 0)
		return -EIO;
	return write_macs(s, m);
}

int
store_write_machine_gone(struct store *s, uint64_t id)
{
	sql_bind_int(store_stmt(s, SQL_MACHINE_GONE), 1, id);
	return sql_run(store_stmt(s, SQL_MACHINE_GONE));
}

/* Runs a statement with two ids. */
static int
run_pair(struct store *s, enum store_sql which, uint64_t first, uint64_t second)
{
	sql_bind_int(store_stmt(s, which), 1, first);
	sql_bind_int(store_stmt(s, which), 2, second);
	return sql_run(store_stmt(s, which));
}

int
store_write_machine_event(struct store *s, const struct machine_event *e)
{
	sqlite3_stmt *st = store_stmt(s, SQL_MACHINE_EVENT);
	int rc = 0;

	if (e->kind == MACHINE_EVENT_MERGED) {
		rc = run_pair(s, SQL_MERGE_BOOTS, e->machine, e->other);
		if (rc == 0)
			rc = run_pair(s, SQL_MERGE_ALIASES, e->machine, e->other);
		if (rc == 0)
			rc = store_write_machine_gone(s, e->other);
		if (rc == 0)
			rc = run_pair(s, SQL_ALIAS, e->other, e->machine);
	} else if (e->kind == MACHINE_EVENT_SPLIT) {
		rc = run_pair(s, SQL_SPLIT_BOOTS, e->machine, e->other);
	}
	if (rc < 0)
		return rc;
	sql_bind_int(st, 1, e->machine);
	bind_some(st, 2, e->other);
	sql_bind_int(st, 3, e->at_ms);
	sql_bind_text(st, 4, machine_event_name(e->kind));
	sql_bind_slice(st, 5, e->by);
	sql_bind_slice(st, 6, e->text);
	return sql_run(st);
}

/* --- reading back --------------------------------------------------------------------------- */

static void
read_machine(sqlite3_stmt *st, struct machine *ret)
{
	*ret = (struct machine){
		.id = (uint64_t)sqlite3_column_int64(st, 0),
		.first_ms = (uint64_t)sqlite3_column_int64(st, 1),
		.last_ms = (uint64_t)sqlite3_column_int64(st, 2),
		.serial = sql_text(st, 4),
		.asset = sql_text(st, 5),
		.manufacturer = sql_text(st, 6),
		.product = sql_text(st, 7),
		.platform = sql_text(st, 8),
		.version = sql_text(st, 9),
		.remote = sql_text(st, 11),
		.circuit = sql_text(st, 12),
		.arch = ARCH_UNKNOWN,
		.group = sql_text(st, 16),
		.entry = sql_text(st, 17),
		.once = sqlite3_column_int(st, 18) != 0,
		.until_ms = (uint64_t)sqlite3_column_int64(st, 19),
		.by = sql_text(st, 20),
		.phase = store_phase(sql_text(st, 21)),
		.phase_ms = (uint64_t)sqlite3_column_int64(st, 22),
		.image = sql_text(st, 23),
		.roots = sql_text(st, 24),
		.roots_ms = (uint64_t)sqlite3_column_int64(st, 25),
	};
	/* what is NULL leaves the field empty */
	ret->has_uuid = uuid_parse(sql_text(st, 3), &ret->uuid) == 0;
	(void)ip_parse(sql_text(st, 10), &ret->relay);
	if (sqlite3_column_type(st, 13) != SQLITE_NULL)
		ret->arch = (uint16_t)sqlite3_column_int(st, 13);
	(void)ip_parse(sql_text(st, 14), &ret->address);
	(void)machine_state_parse(sql_text(st, 15), &ret->state);
}

/* Adds the MACs of a machine; *more tells if `st` stands on a row, which come by machine. */
static void
read_macs(sqlite3_stmt *st, struct machine *m, int *more)
{
	while (*more == SQLITE_ROW && (uint64_t)sqlite3_column_int64(st, 0) <= m->id) {
		struct machine_mac mac = { .sure = sqlite3_column_int(st, 2) != 0 };

		if ((uint64_t)sqlite3_column_int64(st, 0) == m->id && m->nmacs < MACHINE_MACS &&
		    mac_parse(sql_text(st, 1), &mac.mac) == 0)
			m->macs[m->nmacs++] = mac;
		*more = sqlite3_step(st);
	}
}

int
store_each_machine(struct store *s, store_machine_fn *fn, void *arg)
{
	sqlite3_stmt *st = s->query[QUERY_ALL_MACHINES], *macs = s->query[QUERY_ALL_MACS];
	int rc, more = sqlite3_step(macs);

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct machine m;

		read_machine(st, &m);
		read_macs(macs, &m, &more);
		fn(arg, &m);
	}
	(void)sqlite3_reset(st); /* as in sql_run() */
	(void)sqlite3_reset(macs);
	return rc == SQLITE_DONE && (more == SQLITE_DONE || more == SQLITE_ROW) ? 0 : -EIO;
}

int
store_each_alias(struct store *s, store_alias_fn *fn, void *arg)
{
	sqlite3_stmt *st = s->query[QUERY_ALIASES];
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		fn(arg, (uint64_t)sqlite3_column_int64(st, 0),
		    (uint64_t)sqlite3_column_int64(st, 1));
	(void)sqlite3_reset(st); /* as in sql_run() */
	return rc == SQLITE_DONE ? 0 : -EIO;
}

int
store_last_machine(struct store *s, uint64_t *ret)
{
	sqlite3_stmt *st = s->query[QUERY_LAST_MACHINE];
	bool got = sqlite3_step(st) == SQLITE_ROW;

	if (got)
		*ret = (uint64_t)sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st); /* as in sql_run() */
	return got ? 0 : -EIO;
}

/* --- showing -------------------------------------------------------------------------------- */

json_t *
store_list_machines(struct store *s, int64_t limit)
{
	store_sync(s);
	sql_bind_int(s->query[QUERY_MACHINES], 1, (uint64_t)limit);
	return sql_rows(s->query[QUERY_MACHINES]);
}

json_t *
store_show_machine(struct store *s, uint64_t id)
{
	const struct store_machine_names of = { .ids = &id, .nids = 1 };
	json_t *machine;

	store_sync(s);
	sql_bind_int(s->query[QUERY_MACHINE], 1, id);
	machine = store_first_row(s->query[QUERY_MACHINE]);
	if (machine == NULL)
		return NULL;
	sql_bind_int(s->query[QUERY_MACHINE_MACS], 1, id);
	json_object_set_new(machine, "macs", sql_rows(s->query[QUERY_MACHINE_MACS]));
	json_object_set_new(machine, "history", store_list_boots(s, &of, 100));
	sql_bind_int(s->query[QUERY_MACHINE_EVENTS], 1, id);
	json_object_set_new(machine, "events", sql_rows(s->query[QUERY_MACHINE_EVENTS]));
	return machine;
}
