/*
 * The inventory with many machines: how long reading it from the store takes, what a machine takes
 * of memory, how long a claim takes to be matched, and taken down.  Prints one JSON object.
 *
 * usage: machines FOLDER COUNT [STORE]
 * With STORE it only makes a store of so many machines there.
 */
#include "handlerd/inventory.h"

#include "common/log.h"

#include <malloc.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAMPLES 200000

/* Machines as a site has them: a board with UUID, serial number, two ports on every fourth. */
static const char fill[] =
    "BEGIN;"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d)"
    " INSERT INTO machine(id,first_ms,last_ms,uuid,serial,asset,manufacturer,product,platform,"
    "  version,relay,remote,circuit,arch,address,state,phase,phase_ms,image)"
    " SELECT i,1700000000000+i,1700000000000+(i*7919)%%%d,"
    "  printf('%%08x-%%04x-4c10-8043-%%012x',(i*2654435761)&4294967295,i&65535,i),"
    "  printf('5CD%%07d',i),printf('A-%%06d',i),'Maker '||(i%%12),'Model '||(i%%300),"
    "  'efi','1.21.1+ (g'||(i%%9)||')',printf('10.%%d.0.1',i%%200),'switch-'||(i%%2000),"
    "  printf('Gi1/0/%%d',i%%48),7,printf('10.%%d.%%d.%%d',i%%200,i/200%%250,i%%250),"
    "  'new','done',1700000000000+i,'install' FROM n;"
    "INSERT INTO machine_mac SELECT id,0,printf('52:54:%%02x:%%02x:%%02x:00',"
    "  id>>16&255,id>>8&255,id&255),1 FROM machine;"
    "INSERT INTO machine_mac SELECT id,1,printf('52:54:%%02x:%%02x:%%02x:01',"
    "  id>>16&255,id>>8&255,id&255),1 FROM machine WHERE id%%4=0;"
    "COMMIT;";

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Sorts the samples and prints two of them, in microseconds. */
static void
print_samples(const char *name, double *v)
{
	qsort(v, SAMPLES, sizeof(v[0]), by_value);
	printf("\"%s p50 us\": %.2f, \"%s p99 us\": %.2f, ", name, v[SAMPLES / 2] * 1e6, name,
	    v[SAMPLES / 100 * 99] * 1e6);
}

/* What a boot request of machine `i` tells. */
static struct identity
claim_of(unsigned i, char serial[static 16], char asset[static 16])
{
	struct identity id = {
		.mac = { 6, { 0x52, 0x54, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 0 } },
		.has_uuid = true,
		.manufacturer = slice_str("Maker 1")
	};
	uint32_t first = i * 2654435761u;
	char uuid[UUID_STRLEN];

	snprintf(uuid, sizeof(uuid), "%08x-%04x-4c10-8043-%012x", first, i & 0xffff, i);
	(void)uuid_parse(slice_str(uuid), &id.uuid);
	snprintf(serial, 16, "5CD%07u", i);
	snprintf(asset, 16, "A-%06u", i);
	id.serial = slice_str(serial);
	id.asset = slice_str(asset);
	return id;
}

static int
make_store(const char *path, unsigned n, struct store **ret)
{
	const struct store_limits limits = {
		.keep_days = 90, .max_boots = 1000000, .max_entries = 20000000
	};
	char sql[4096];
	sqlite3 *db;
	int rc = store_open(path, &limits, ret);

	if (rc < 0)
		return rc;
	store_close(*ret);
	snprintf(sql, sizeof(sql), fill, n, n);
	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "%s\n", sqlite3_errmsg(db));
		return -1;
	}
	sqlite3_close(db);
	return store_open(path, &limits, ret);
}

int
main(int argc, char *argv[])
{
	static const struct identity_lists no_lists;
	static double matched[SAMPLES], learned[SAMPLES];
	const struct machine_facts facts = { .arch = 7, .address = { 4, { 10, 1, 2, 3 } } };
	struct inventory v;
	struct store *store;
	char path[4096];
	unsigned n = argc == 3 || argc == 4 ? (unsigned)atoi(argv[2]) : 0, found = 0;
	size_t before, after;
	double began;

	if (n == 0)
		return 2;
	log_init("bench", true);
	log_set_level(LOG_LEVEL_WARNING);
	snprintf(path, sizeof(path), "%s/%s", argv[1], argc == 4 ? argv[3] : "machines.db");
	if (make_store(path, n, &store) < 0)
		return 1;
	if (argc == 4) {
		store_close(store);
		return 0;
	}
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	began = seconds();
	if (inventory_open(&v, store, n, &no_lists) < 0)
		return 1;
	printf("{\"load s\": %.2f, ", seconds() - began);
	after = mallinfo2().uordblks + mallinfo2().hblkhd;
	printf("\"bytes/machine\": %.0f, \"counted bytes/machine\": %.0f, ",
	    (double)(after - before) / n, (double)machines_bytes(v.table) / n);
	srand(1);
	for (int i = 0; i < SAMPLES; i++) {
		unsigned which = 1 + (unsigned)rand() % n;
		struct machine_change change;
		char serial[16], asset[16];
		struct identity claim = claim_of(which, serial, asset);
		struct match m;

		began = seconds();
		machines_match(v.table, &claim, &m);
		matched[i] = seconds() - began;
		found += m.id == which;
		began = seconds();
		(void)machines_learn(v.table, m.id, &claim, &facts, 1, &change);
		learned[i] = seconds() - began;
	}
	print_samples("match", matched);
	print_samples("learn", learned);
	printf("\"found %%\": %.1f, \"machines\": %zu}\n", 100.0 * found / SAMPLES,
	    machines_count(v.table));
	inventory_close(&v);
	store_close(store);
	return 0;
}
