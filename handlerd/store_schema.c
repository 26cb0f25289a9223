/*
 * The form of the database, and how databases of earlier releases are brought to it; see store.h.
 */
#include "handlerd/store_db.h"

#include "common/log.h"

#include <errno.h>
#include <stdio.h>

#define SCHEMA_VERSION 3

/* A MAC may be in several machines: an adapter that went from one to the other. */
#define MACHINE_TABLES                                                                             \
	"CREATE TABLE machine("                                                                    \
	" id INTEGER PRIMARY KEY, first_ms INTEGER, last_ms INTEGER, uuid TEXT, serial TEXT,"      \
	" asset TEXT, manufacturer TEXT, product TEXT, platform TEXT, version TEXT, relay TEXT,"   \
	" remote TEXT, circuit TEXT, arch INTEGER, address TEXT, state TEXT, \"group\" TEXT,"      \
	" entry TEXT, once INTEGER, until_ms INTEGER, \"by\" TEXT, phase TEXT,"                    \
	" phase_ms INTEGER, image TEXT, roots TEXT, roots_ms INTEGER);"                            \
	"CREATE INDEX machine_by_last ON machine(last_ms);"                                        \
	"CREATE TABLE machine_mac("                                                                \
	" machine INTEGER, place INTEGER, mac TEXT, sure INTEGER, PRIMARY KEY(machine, place))"    \
	" WITHOUT ROWID;"                                                                          \
	"CREATE TABLE machine_alias(old INTEGER PRIMARY KEY, machine INTEGER);"                    \
	"CREATE INDEX machine_alias_by_machine ON machine_alias(machine);"                         \
	"CREATE TABLE machine_event("                                                              \
	" n INTEGER PRIMARY KEY, machine INTEGER, other INTEGER, at_ms INTEGER, kind TEXT,"        \
	" \"by\" TEXT, text TEXT);"                                                                \
	"CREATE INDEX machine_event_by_machine ON machine_event(machine);"                         \
	"CREATE TRIGGER machine_gone AFTER DELETE ON machine BEGIN"                                \
	" DELETE FROM machine_mac WHERE machine=OLD.id;"                                           \
	" DELETE FROM machine_alias WHERE machine=OLD.id; END;"

#define REQUEST_TABLE                                                                              \
	"CREATE TABLE request("                                                                    \
	" n INTEGER PRIMARY KEY, at_ms INTEGER, boot INTEGER, machine INTEGER, mac TEXT,"          \
	" stage INTEGER, request BLOB, outcome TEXT, sources TEXT, before INTEGER,"                \
	" before_ms INTEGER, attempt INTEGER);"                                                    \
	"CREATE INDEX request_by_time ON request(at_ms);"

static const char schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;" MACHINE_TABLES
	REQUEST_TABLE "CREATE TABLE boot("
    " id INTEGER PRIMARY KEY, mac TEXT, started_ms INTEGER, last_ms INTEGER, uuid TEXT,"
    " address TEXT, relay TEXT, subnet TEXT, phase TEXT, client TEXT, arch INTEGER,"
    " trusted INTEGER, by_http INTEGER, image TEXT, machine INTEGER);"
    "CREATE INDEX boot_by_mac ON boot(mac);"
    "CREATE INDEX boot_by_machine ON boot(machine);"
    "CREATE INDEX boot_by_last ON boot(last_ms);"
    "CREATE TABLE entry("
    " n INTEGER PRIMARY KEY, boot INTEGER, at_ms INTEGER, kind TEXT, via TEXT, mac TEXT,"
    " address TEXT, subnet TEXT, action TEXT, reason TEXT, rule TEXT, file TEXT, bytes INTEGER,"
    " duration_ms INTEGER, blksize INTEGER, windowsize INTEGER, retransmits INTEGER,"
    " repeats INTEGER, text TEXT);"
    "CREATE INDEX entry_by_boot ON entry(boot);"
    "CREATE TRIGGER boot_gone AFTER DELETE ON boot"
    " BEGIN DELETE FROM entry WHERE boot=OLD.id; END;"
    "CREATE TABLE origin(origin INTEGER PRIMARY KEY, seq INTEGER, at_ms INTEGER);";

/* Version 1 kept machines by MAC: each becomes one with an id. */
static const char from_1[] =
    "DROP INDEX machine_by_last;"
    "DROP INDEX machine_by_uuid;"
    "ALTER TABLE machine RENAME TO machine_1;" MACHINE_TABLES REQUEST_TABLE
    "INSERT INTO machine(id,first_ms,last_ms,uuid,serial,asset,manufacturer,product,platform,"
    " version,arch,address,state)"
    " SELECT rowid,first_ms,last_ms,uuid,serial,asset,manufacturer,product,platform,version,arch,"
    " address,'new' FROM machine_1;"
    "INSERT INTO machine_mac SELECT rowid,0,mac,1 FROM machine_1;"
    "ALTER TABLE boot ADD COLUMN machine INTEGER;"
    "UPDATE boot SET machine=(SELECT m.rowid FROM machine_1 m WHERE m.mac=boot.mac);"
    "CREATE INDEX boot_by_machine ON boot(machine);"
    "DROP TABLE machine_1;"
    "CREATE TRIGGER IF NOT EXISTS boot_gone AFTER DELETE ON boot"
    " BEGIN DELETE FROM entry WHERE boot=OLD.id; END;";

/* Version 2 did not know which roots machines had been told of. */
static const char from_2[] = "ALTER TABLE machine ADD COLUMN roots TEXT;"
			     "ALTER TABLE machine ADD COLUMN roots_ms INTEGER;";

static int
user_version(sqlite3 *db)
{
	sqlite3_stmt *st = sql_prepare(db, "PRAGMA user_version");
	int v = -1;

	if (st != NULL && sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return v;
}

/* Runs what leads to this version; all of it or nothing. */
static int
change_schema(sqlite3 *db, const char *sql)
{
	char set_version[64];

	(void)snprintf(set_version, sizeof(set_version), "PRAGMA user_version=%d", SCHEMA_VERSION);
	if (sql_exec(db, "BEGIN EXCLUSIVE") < 0)
		return -EIO;
	if (sql_exec(db, sql) == 0 && sql_exec(db, set_version) == 0 && sql_exec(db, "COMMIT") == 0)
		return 0;
	(void)sql_exec(db, "ROLLBACK"); /* fails when SQLite has done it already */
	return -EIO;
}

int
store_prepare_schema(sqlite3 *db, const char *path)
{
	int version;

	/* WAL: readers do not wait for the writer; NORMAL: a power cut may cost the last
	 * moments, never the database */
	if (sql_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;") < 0)
		return -EIO;
	version = user_version(db);
	if (version < 0)
		return -EIO;
	if (version > SCHEMA_VERSION) {
		log_errx("store: \"%s\" is of version %d, this program knows %d: it was used by a "
			 "later release",
		    path, version, SCHEMA_VERSION);
		return -EPROTO;
	}
	if (version == SCHEMA_VERSION)
		return 0;
	if (version == 0)
		return change_schema(db, schema);
	log_info("store: bringing \"%s\" from version %d to %d", path, version, SCHEMA_VERSION);
	return change_schema(db, version == 1 ? from_1 : from_2);
}
