/*
 * What the store needs of SQLite: errors in the log, binding that skips what is empty, rows as
 * JSON.
 */
#ifndef HANDLERD_SQL_H
#define HANDLERD_SQL_H

#include "common/ident.h"

#include <jansson.h>
#include <sqlite3.h>

/* Runs statements without results.  0, or -EIO after logging. */
int sql_exec(sqlite3 *db, const char *sql);
/* A statement to be kept; NULL after logging. */
sqlite3_stmt *sql_prepare(sqlite3 *db, const char *sql);
/* Binds, empty values as NULL; places count from 1. */
void sql_bind_int(sqlite3_stmt *st, int place, uint64_t v);
void sql_bind_text(sqlite3_stmt *st, int place, const char *s);
void sql_bind_slice(sqlite3_stmt *st, int place, struct slice s);
void sql_bind_blob(sqlite3_stmt *st, int place, struct slice s);
void sql_bind_mac(sqlite3_stmt *st, int place, const struct macaddr *mac);
void sql_bind_ip(sqlite3_stmt *st, int place, const struct ipaddr *ip);
void sql_bind_uuid(sqlite3_stmt *st, int place, bool has, const struct uuid *uuid);
/* Runs a statement to its end and resets it.  0, or -EIO after logging. */
int sql_run(sqlite3_stmt *st);
/* The row as an object by column names, without what is NULL. */
json_t *sql_row(sqlite3_stmt *st);
/* All rows of a bound statement as an array; resets it. */
json_t *sql_rows(sqlite3_stmt *st);
/* A column's text as a slice, "" for NULL; valid until the next step. */
struct slice sql_text(sqlite3_stmt *st, int column);

#endif
