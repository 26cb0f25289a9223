/* See sql.h. */
#include "handlerd/sql.h"

#include "common/json_text.h"

#include "common/log.h"

#include <errno.h>
#include <string.h>

int
sql_exec(sqlite3 *db, const char *sql)
{
	char *error = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK)
		return 0;
	log_peer_warn("store: %s", error != NULL ? error : "failed");
	sqlite3_free(error);
	return -EIO;
}

sqlite3_stmt *
sql_prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL) != SQLITE_OK)
		log_errx("store: %s: %.80s", sqlite3_errmsg(db), sql);
	return st;
}

void
sql_bind_int(sqlite3_stmt *st, int place, uint64_t v)
{
	/* as SQLite's signed 64 bits; origins use them all and come back by the same cast */
	(void)sqlite3_bind_int64(st, place, (sqlite3_int64)v);
}

void
sql_bind_slice(sqlite3_stmt *st, int place, struct slice s)
{
	if (s.n == 0)
		(void)sqlite3_bind_null(st, place);
	else
		(void)sqlite3_bind_text64(
		    st, place, (const char *)s.p, s.n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

void
sql_bind_blob(sqlite3_stmt *st, int place, struct slice s)
{
	(void)sqlite3_bind_blob64(st, place, s.p, s.n, SQLITE_TRANSIENT);
}

void
sql_bind_text(sqlite3_stmt *st, int place, const char *s)
{
	sql_bind_slice(st, place, slice_str(s));
}

void
sql_bind_mac(sqlite3_stmt *st, int place, const struct macaddr *mac)
{
	char text[MAC_STRLEN];

	sql_bind_text(st, place, mac_format(mac, text));
}

void
sql_bind_ip(sqlite3_stmt *st, int place, const struct ipaddr *ip)
{
	char text[IP_STRLEN];

	sql_bind_text(st, place, ip_format(ip, text));
}

void
sql_bind_uuid(sqlite3_stmt *st, int place, bool has, const struct uuid *uuid)
{
	char text[UUID_STRLEN];

	sql_bind_text(st, place, has ? uuid_format(uuid, text) : NULL);
}

int
sql_run(sqlite3_stmt *st)
{
	int rc;

	do
		rc = sqlite3_step(st);
	while (rc == SQLITE_ROW);
	(void)sqlite3_reset(st); /* repeats the error of the step */
	if (rc == SQLITE_DONE)
		return 0;
	log_peer_warn("store: %s", sqlite3_errmsg(sqlite3_db_handle(st)));
	return -EIO;
}

struct slice
sql_text(sqlite3_stmt *st, int column)
{
	const unsigned char *p = sqlite3_column_text(st, column);

	if (p == NULL)
		return (struct slice){ NULL, 0 };
	return (struct slice){ p, (size_t)sqlite3_column_bytes(st, column) };
}

json_t *
sql_row(sqlite3_stmt *st)
{
	json_t *row = json_object();

	for (int i = 0; i < sqlite3_column_count(st); i++) {
		const char *name = sqlite3_column_name(st, i);

		switch (sqlite3_column_type(st, i)) {
		case SQLITE_INTEGER:
			json_object_set_new(row, name, json_integer(sqlite3_column_int64(st, i)));
			break;
		case SQLITE_TEXT: json_object_set_new(row, name, json_text(sql_text(st, i))); break;
		default: break;
		}
	}
	return row;
}

json_t *
sql_rows(sqlite3_stmt *st)
{
	json_t *rows = json_array();
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		json_array_append_new(rows, sql_row(st));
	if (rc != SQLITE_DONE)
		log_peer_warn("store: %s", sqlite3_errmsg(sqlite3_db_handle(st)));
	(void)sqlite3_reset(st); /* as in sql_run() */
	(void)sqlite3_clear_bindings(st);
	return rows;
}
