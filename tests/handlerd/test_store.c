/*
 * Tests of handlerd/record.c, store*.c and inventory.c, on files made for them; among them a
 * process that is killed in the middle of writing, again and again.
 */
#include "handlerd/inventory.h"
#include "handlerd/store.h"

#include "common/arch.h"
#include "common/log.h"
#include "common/loop.h"
#include "tests/test.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/bootferry-test-XXXXXX";
static const struct store_limits limits = {
	.keep_days = 90, .max_boots = 1000000, .keep_requests_h = 48
};

static const char *
in_dir(const char *name)
{
	static char path[2][128];
	static int turn;

	turn ^= 1;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

/* --- records -------------------------------------------------------------------------------- */

static void
test_records(void)
{
	struct record r = { .kind = RECORD_BOOT }, got;
	uint8_t buf[4096];
	struct wbuf w;

	test_case("a boot's record comes back as it went");
	r.boot = (struct boot){ .id = 7,
		.started_ms = 1,
		.last_ms = 2,
		.phase = PHASE_IMAGE,
		.client = CLIENT_PXE,
		.arch = 7,
		.trusted = true,
		.image = "tiny",
		.subnet = "lab",
		.mac = { 6, { 1, 2, 3, 4, 5, 6 } },
		.address = { 4, { 10, 0, 0, 1 } } };
	wbuf_init(&w, buf, sizeof(buf));
	record_encode(&w, &r);
	CHECK(!w.bad);
	CHECK_INT(record_decode(wbuf_view(&w), &got), 0);
	CHECK(got.kind == RECORD_BOOT && got.boot.id == 7 && got.boot.phase == PHASE_IMAGE);
	CHECK(got.boot.trusted && mac_eq(&got.boot.mac, &r.boot.mac));
	CHECK_STR(got.boot.image, "tiny");
	CHECK_STR(got.boot.subnet, "lab");

	test_case("every truncation of a record is read or refused without harm");
	for (size_t n = 0; n < w.used; n++) {
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, buf, n);
		(void)record_decode((struct slice){ copy, n }, &got);
		free(copy);
	}
	CHECK_INT(record_decode((struct slice){ NULL, 0 }, &got), -EBADMSG);
	buf[0] = RECORD_KINDS;
	CHECK_INT(record_decode(wbuf_view(&w), &got), -EBADMSG);
}

/* A machine with everything set. */
static struct machine
full_machine(void)
{
	return (struct machine){
		.id = 12,
		.first_ms = 1,
		.last_ms = 2,
		.nmacs = 2,
		.macs = { { { 6, { 2, 0, 0, 0, 0, 1 } }, true },
		    { { 16, { 2, 0, 0, 0, 0, 1, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7 } }, false } },
		.has_uuid = true,
		.uuid = { { 1, 2, 3 } },
		.serial = slice_str("SN0001"),
		.asset = slice_str("A-17"),
		.manufacturer = slice_str("Acme"),
		.product = slice_str("PC"),
		.platform = slice_str("efi"),
		.version = slice_str("2.0"),
		.relay = { 4, { 10, 0, 0, 1 } },
		.remote = { (const uint8_t *)"\0\xff\1", 3 },
		.circuit = { (const uint8_t *)"\0\4\0\x0a", 4 },
		.arch = 7,
		.address = { 4, { 10, 0, 0, 2 } },
		.state = MACHINE_HELD,
		.group = slice_str("lab"),
		.entry = slice_str("tiny"),
		.once = true,
		.until_ms = 99,
		.by = slice_str("ann"),
		.phase = PHASE_STARTED,
		.phase_ms = 3,
		.image = slice_str("tiny"),
		.roots = slice_str("aa00000000000001"),
		.roots_ms = 4,
	};
}

static void
check_machine(const struct machine *got, const struct machine *want)
{
	CHECK_INT(got->id, want->id);
	CHECK(got->first_ms == want->first_ms && got->last_ms == want->last_ms);
	CHECK_INT(got->nmacs, want->nmacs);
	for (size_t i = 0; i < want->nmacs; i++) {
		CHECK(mac_eq(&got->macs[i].mac, &want->macs[i].mac));
		CHECK_INT(got->macs[i].sure, want->macs[i].sure);
	}
	CHECK_INT(got->has_uuid, want->has_uuid);
	CHECK(memcmp(&got->uuid, &want->uuid, sizeof(got->uuid)) == 0);
	CHECK_BYTES(got->serial, want->serial);
	CHECK_BYTES(got->asset, want->asset);
	CHECK_BYTES(got->manufacturer, want->manufacturer);
	CHECK_BYTES(got->product, want->product);
	CHECK_BYTES(got->platform, want->platform);
	CHECK_BYTES(got->version, want->version);
	CHECK_BYTES(got->remote, want->remote);
	CHECK_BYTES(got->circuit, want->circuit);
	CHECK_BYTES(got->group, want->group);
	CHECK_BYTES(got->entry, want->entry);
	CHECK_BYTES(got->by, want->by);
	CHECK_BYTES(got->image, want->image);
	CHECK(ip_eq(&got->relay, &want->relay) && ip_eq(&got->address, &want->address));
	CHECK(got->arch == want->arch && got->state == want->state && got->once == want->once);
	CHECK(got->until_ms == want->until_ms && got->phase == want->phase);
	CHECK(got->phase_ms == want->phase_ms);
	CHECK_BYTES(got->roots, want->roots);
	CHECK(got->roots_ms == want->roots_ms);
}

static void
test_machine_records(void)
{
	struct record r = { .kind = RECORD_MACHINE, .machine = full_machine() }, got;
	uint8_t buf[4096];
	struct wbuf w;

	test_case("a machine's record comes back as it went, and no truncation does harm");
	wbuf_init(&w, buf, sizeof(buf));
	record_encode(&w, &r);
	CHECK(!w.bad);
	CHECK_INT(record_decode(wbuf_view(&w), &got), 0);
	CHECK_INT(got.kind, RECORD_MACHINE);
	check_machine(&got.machine, &r.machine);
	for (size_t n = 0; n < w.used; n++) {
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, buf, n);
		(void)record_decode((struct slice){ copy, n }, &got);
		free(copy);
	}

	test_case("a record of before machines had ids is refused");
	buf[0] = 1;
	CHECK_INT(record_decode(wbuf_view(&w), &got), -EBADMSG);

	test_case("what happened to a machine comes back as it went");
	r = (struct record){ .kind = RECORD_MACHINE_EVENT,
		.machine_event = { .machine = 3,
		    .other = 4,
		    .at_ms = 5,
		    .kind = MACHINE_EVENT_SPLIT,
		    .by = slice_str("ann") } };
	wbuf_init(&w, buf, sizeof(buf));
	record_encode(&w, &r);
	CHECK_INT(record_decode(wbuf_view(&w), &got), 0);
	CHECK(got.machine_event.machine == 3 && got.machine_event.other == 4);
	CHECK_STR(machine_event_name(got.machine_event.kind), "split");
	r = (struct record){ .kind = RECORD_MACHINE_GONE, .machine_gone = 77 };
	wbuf_init(&w, buf, sizeof(buf));
	record_encode(&w, &r);
	CHECK_INT(record_decode(wbuf_view(&w), &got), 0);
	CHECK_INT(got.machine_gone, 77);
}

/* --- the store ------------------------------------------------------------------------------ */

static struct record
entry(uint64_t boot, uint64_t at_ms, const char *kind, uint64_t origin, uint64_t seq)
{
	struct record r = { .kind = RECORD_ENTRY };

	r.entry = (struct entry_record){ .boot = boot,
		.at_ms = at_ms,
		.kind = slice_str(kind),
		.via = VIA_DHCP,
		.origin = origin,
		.seq = seq,
		.action = origin == 0 ? slice_str("offer") : (struct slice){ 0 } };
	return r;
}

static struct record
boot_record(uint64_t id, uint64_t ms, uint8_t mac)
{
	struct record r = { .kind = RECORD_BOOT };

	r.boot = (struct boot){ .id = id,
		.started_ms = ms,
		.last_ms = ms,
		.arch = 7,
		.client = CLIENT_PXE,
		.mac = { 6, { 2, 0, 0, 0, 0, mac } },
		.address = { 4, { 10, 0, 0, mac } },
		.phase = PHASE_LOADER };
	return r;
}

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "(none)";
}

static void
count_boot(void *arg, const struct boot *b)
{
	*(int *)arg += b->phase == PHASE_LOADER && b->mac.len == 6 && b->address.family == 4;
}

static void
note_origin(void *arg, uint64_t origin, uint64_t seq)
{
	if (origin == UINT64_MAX - 1)
		*(uint64_t *)arg = seq;
}

static void
test_queries(void)
{
	struct record m = { .kind = RECORD_MACHINE }, r;
	struct store_stats stats;
	json_t *v, *timeline;
	struct store *s;
	uint64_t seq = 0;
	int n = 0;

	test_case("what is put can be asked for at once");
	CHECK_INT(store_open(in_dir("a.db"), &limits, &s), 0);
	m.machine = (struct machine){ .id = 7,
		.nmacs = 2,
		.macs = { { { 6, { 2, 0, 0, 0, 0, 1 } }, true },
		    { { 6, { 2, 0, 0, 0, 0, 9 } }, false } },
		.first_ms = 1000,
		.last_ms = 1000,
		.arch = 7,
		.product = slice_str("PC"),
		.serial = slice_str("S'1\"; DROP") };
	CHECK_INT(store_put(s, &m), 0);
	r = boot_record(42, wall_clock_ms(), 1);
	r.boot.machine = 7;
	CHECK_INT(store_put(s, &r), 0);
	r = entry(42, wall_clock_ms(), "discover", 0, 0);
	CHECK_INT(store_put(s, &r), 0);
	r = entry(42, wall_clock_ms(), "offer", UINT64_MAX - 1, 9);
	CHECK_INT(store_put(s, &r), 0);
	v = store_show_boot(s, 42);
	CHECK_STR(text(v, "id"), "0000001a");
	CHECK_STR(text(v, "phase"), "loader");
	timeline = json_object_get(v, "timeline");
	CHECK_INT(json_array_size(timeline), 2);
	CHECK_STR(text(json_array_get(timeline, 0), "kind"), "discover");
	json_decref(v);
	CHECK(store_show_boot(s, 43) == NULL);

	test_case("repetitions are told of the request that was repeated");
	r = entry(42, wall_clock_ms(), "bootserver", 0, 0);
	r.entry.repeats = 3;
	CHECK_INT(store_put(s, &r), 0);
	v = store_show_boot(s, 42);
	timeline = json_object_get(v, "timeline");
	CHECK_INT(json_integer_value(json_object_get(json_array_get(timeline, 0), "repeats")), 3);
	CHECK(json_object_get(json_array_get(timeline, 1), "repeats") == NULL);
	json_decref(v);

	test_case("a machine's record replaces what is stored");
	m.machine.serial = slice_str("S2");
	m.machine.nmacs = 1;
	m.machine.last_ms = 2000;
	CHECK_INT(store_put(s, &m), 0);
	v = store_show_machine(s, 7);
	CHECK_STR(text(v, "product"), "PC");
	CHECK_STR(text(v, "serial"), "S2");
	CHECK_STR(text(v, "mac"), "02:00:00:00:00:01");
	CHECK_STR(text(v, "state"), "new");
	CHECK_INT(json_array_size(json_object_get(v, "macs")), 1);
	CHECK_INT(json_integer_value(json_object_get(v, "first_ms")), 1000);
	CHECK_INT(json_integer_value(json_object_get(v, "last_ms")), 2000);
	CHECK_INT(json_array_size(json_object_get(v, "history")), 1);
	json_decref(v);
	CHECK(store_show_machine(s, 8) == NULL);

	test_case("text of strangers that is no UTF-8 does not break a query");
	m.machine.serial = (struct slice){ (const uint8_t *)"S\xff\xfe", 3 };
	CHECK_INT(store_put(s, &m), 0);
	v = store_show_machine(s, 7);
	CHECK_STR(text(v, "serial"), "S\xc3\xbf\xc3\xbe");
	json_decref(v);

	test_case("boots are listed newest first, all or of one machine");
	r = boot_record(43, wall_clock_ms() + 10, 2);
	CHECK_INT(store_put(s, &r), 0);
	v = store_list_boots(s, NULL, 10);
	CHECK_INT(json_array_size(v), 2);
	CHECK_STR(text(json_array_get(v, 0), "id"), "0000001b");
	json_decref(v);
	v = store_list_boots(
	    s, &(struct store_machine_names){ .ids = (uint64_t[]){ 3, 7 }, .nids = 2 }, 10);
	CHECK_INT(json_array_size(v), 1);
	json_decref(v);
	v = store_list_boots(
	    s, &(struct store_machine_names){ .mac = { 6, { 2, 0, 0, 0, 0, 2 } } }, 10);
	CHECK_INT(json_array_size(v), 1);
	CHECK_STR(text(json_array_get(v, 0), "id"), "0000001b");
	json_decref(v);
	v = store_list_boots(s, &(struct store_machine_names){ .nids = 0 }, 10);
	CHECK_INT(json_array_size(v), 0);
	json_decref(v);
	v = store_list_boots(s, NULL, 1);
	CHECK_INT(json_array_size(v), 1);
	json_decref(v);

	test_case("boots that are alive and the senders' last events are there after a restart");
	store_get_stats(s, &stats);
	CHECK_INT(stats.lost, 0);
	store_close(s);
	CHECK_INT(store_open(in_dir("a.db"), &limits, &s), 0);
	CHECK_INT(store_each_boot(s, wall_clock_ms() - 60000, count_boot, &n), 0);
	CHECK_INT(n, 2);
	CHECK_INT(store_each_origin(s, note_origin, &seq), 0);
	CHECK_INT(seq, 9);
	store_close(s);
}

static void
test_limits(void)
{
	const struct store_limits tight = { .keep_days = 90, .max_boots = 1000 };
	const struct store_limits tighter = {
		.keep_days = 90, .max_boots = 1000, .max_entries = 10
	};
	uint64_t now_ms = wall_clock_ms();
	struct record r;
	struct store *s;
	json_t *v;

	test_case("beyond the limits the oldest boots go, with their timelines");
	CHECK_INT(store_open(in_dir("b.db"), &limits, &s), 0);
	for (uint64_t i = 1; i <= 1500; i++) {
		r = boot_record(i, now_ms - 1000000 + i, 1);
		CHECK_INT(store_put(s, &r), 0);
		r = entry(i, now_ms - 1000000 + i, "discover", 0, 0);
		CHECK_INT(store_put(s, &r), 0);
	}
	r = boot_record(5000, 1000, 1); /* of 1970 */
	CHECK_INT(store_put(s, &r), 0);
	store_close(s);
	CHECK_INT(store_open(in_dir("b.db"), &tight, &s), 0);
	for (int i = 0; i < 100; i++) { /* pruned by the thread, soon after it starts */
		v = store_count(s);
		if (json_integer_value(json_object_get(v, "entries")) == 1000)
			break;
		json_decref(v);
		v = NULL;
		usleep(20000);
	}
	CHECK(v != NULL);
	CHECK_INT(json_integer_value(json_object_get(v, "boots")), 1000);
	json_decref(v);
	v = store_show_boot(s, 5000);
	CHECK(v == NULL);
	v = store_show_boot(s, 1500);
	CHECK(v != NULL);
	json_decref(v);
	store_close(s);

	test_case("beyond max_entries the oldest lines go");
	CHECK_INT(store_open(in_dir("b.db"), &tighter, &s), 0);
	for (int i = 0; i < 100; i++) {
		v = store_count(s);
		if (json_integer_value(json_object_get(v, "entries")) == 10)
			break;
		json_decref(v);
		v = NULL;
		usleep(20000);
	}
	CHECK(v != NULL);
	json_decref(v);
	store_close(s);
}

/* --- machines ------------------------------------------------------------------------------- */

static struct inventory inventory;
static const struct identity_lists no_lists;

static void
note_machine(void *arg, const struct machine *m)
{
	struct machine want = full_machine();

	*(uint64_t *)arg += m->id;
	if (m->id == want.id)
		check_machine(m, &want);
}

static struct identity
claim(uint8_t n, const char *serial)
{
	return (struct identity){ .mac = { 6, { 2, 0, 0, 0, 1, n } },
		.has_uuid = true,
		.uuid = { { n, 1, 2, 3 } },
		.serial = slice_str(serial),
		.manufacturer = slice_str("Acme") };
}

static uint64_t
see(uint8_t n, const char *serial, uint64_t now_ms)
{
	const struct machine_facts facts = { .arch = 7 };
	struct identity id = claim(n, serial);

	return inventory_note(&inventory, &id, &facts, now_ms);
}

static void
open_inventory(const char *name, struct store **s, size_t max)
{
	CHECK_INT(store_open(in_dir(name), &limits, s), 0);
	CHECK_INT(inventory_open(&inventory, *s, max, &no_lists), 0);
}

static void
close_inventory(struct store *s)
{
	inventory_close(&inventory);
	store_close(s);
}

static void
test_machines(void)
{
	struct record r = { .kind = RECORD_MACHINE, .machine = full_machine() };
	const struct identity part = { .mac = { 6, { 2, 0, 0, 0, 1, 2 } } };
	struct slice ann = slice_str("ann");
	uint64_t sum = 0, id;
	struct machine m;
	struct store *s;
	json_t *v;

	test_case("a machine is read back as it was stored");
	CHECK_INT(store_open(in_dir("m.db"), &limits, &s), 0);
	CHECK_INT(store_put(s, &r), 0);
	r.machine.id = 5;
	r.machine.nmacs = 0;
	CHECK_INT(store_put(s, &r), 0);
	store_close(s);
	open_inventory("m.db", &s, 1000);
	CHECK_INT(store_each_machine(s, note_machine, &sum), 0);
	CHECK_INT(sum, 17);

	test_case("new machines get ids that nothing had before");
	CHECK_INT(see(1, "SN1001", 10), 13);
	CHECK_INT(see(2, "SN1002", 20), 14);
	CHECK_INT(see(1, "SN1001", 30), 13);

	test_case("merging moves boots, keeps the old id as a name, and is told");
	r = boot_record(1, wall_clock_ms(), 1);
	r.boot.machine = 14;
	r.boot.mac = (struct macaddr){ 6, { 2, 0, 0, 0, 1, 2 } };
	CHECK_INT(store_put(s, &r), 0);
	CHECK_INT(inventory_merge(&inventory, 13, 14, ann, wall_clock_ms()), 0);
	CHECK_INT(inventory_merge(&inventory, 13, 14, ann, wall_clock_ms()), -EINVAL);
	v = store_show_machine(s, 13);
	CHECK_INT(json_array_size(json_object_get(v, "history")), 1);
	CHECK_STR(text(json_array_get(json_object_get(v, "events"), 0), "kind"), "merged");
	CHECK_STR(text(json_array_get(json_object_get(v, "events"), 0), "by"), "ann");
	json_decref(v);
	CHECK(store_show_machine(s, 14) == NULL);

	test_case("decisions and names survive a restart");
	CHECK_INT(
	    inventory_assign(&inventory, 14, slice_str("tiny"), true, 0, ann, wall_clock_ms()), 0);
	CHECK_INT(inventory_set_state(&inventory, 14, MACHINE_APPROVED, ann, wall_clock_ms()), 0);
	CHECK_INT(inventory_set_group(&inventory, 14, slice_str("lab"), ann, wall_clock_ms()), 0);
	CHECK_INT(inventory_set_outcome(&inventory, 14, PHASE_DONE, 50, slice_str("tiny")), 0);
	CHECK_INT(inventory_set_group(&inventory, 99, slice_str("lab"), ann, 1), -ENOENT);
	close_inventory(s);
	open_inventory("m.db", &s, 1000);
	CHECK(machines_get(inventory.table, 14, &m));
	CHECK(m.id == 13 && m.nmacs == 2 && m.once && m.state == MACHINE_APPROVED);
	CHECK(slice_is(m.entry, "tiny") && slice_is(m.group, "lab") && m.phase == PHASE_DONE);

	test_case("splitting gives the boots of the MACs that go back");
	CHECK_INT(inventory_split(&inventory, 13, &part, 1, ann, wall_clock_ms(), &id), 0);
	CHECK_INT(id, 15);
	v = store_show_machine(s, 15);
	CHECK_INT(json_array_size(json_object_get(v, "history")), 1);
	json_decref(v);
	v = store_show_machine(s, 13);
	CHECK_INT(json_array_size(json_object_get(v, "history")), 0);
	CHECK_INT(json_array_size(json_object_get(v, "events")), 5);
	json_decref(v);

	test_case("machines that make room go from the store, too");
	inventory_set_limits(&inventory, 3, &no_lists);
	CHECK_INT(machines_count(inventory.table), 3);
	json_decref(store_list_machines(s, 1)); /* waits for the store */
	v = store_count(s);
	CHECK_INT(json_integer_value(json_object_get(v, "machines")), 3);
	json_decref(v);
	CHECK_INT(inventory.lost, 0);
	close_inventory(s);
}

static void
test_migration(void)
{
	static const char version_1[] =
	    "PRAGMA journal_mode=WAL;"
	    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
	    "CREATE TABLE machine("
	    " mac TEXT PRIMARY KEY, first_ms INTEGER, last_ms INTEGER, uuid TEXT, arch INTEGER,"
	    " address TEXT, manufacturer TEXT, product TEXT, serial TEXT, asset TEXT,"
	    " platform TEXT, version TEXT);"
	    "CREATE INDEX machine_by_last ON machine(last_ms);"
	    "CREATE INDEX machine_by_uuid ON machine(uuid);"
	    "CREATE TABLE boot("
	    " id INTEGER PRIMARY KEY, mac TEXT, started_ms INTEGER, last_ms INTEGER, uuid TEXT,"
	    " address TEXT, relay TEXT, subnet TEXT, phase TEXT, client TEXT, arch INTEGER,"
	    " trusted INTEGER, by_http INTEGER, image TEXT);"
	    "CREATE INDEX boot_by_mac ON boot(mac);"
	    "CREATE INDEX boot_by_last ON boot(last_ms);"
	    "CREATE TABLE entry("
	    " n INTEGER PRIMARY KEY, boot INTEGER, at_ms INTEGER, kind TEXT, via TEXT, mac TEXT,"
	    " address TEXT, subnet TEXT, action TEXT, reason TEXT, rule TEXT, file TEXT,"
	    " bytes INTEGER, duration_ms INTEGER, blksize INTEGER, windowsize INTEGER,"
	    " retransmits INTEGER, repeats INTEGER, text TEXT);"
	    "CREATE INDEX entry_by_boot ON entry(boot);"
	    "CREATE TRIGGER boot_gone AFTER DELETE ON boot"
	    " BEGIN DELETE FROM entry WHERE boot=OLD.id; END;"
	    "CREATE TABLE origin(origin INTEGER PRIMARY KEY, seq INTEGER, at_ms INTEGER);"
	    "INSERT INTO machine VALUES('02:00:00:00:01:01',1,2,"
	    " '01010203-0000-0000-0000-000000000000',7,'10.0.0.9','Acme','PC','SN1001',NULL,"
	    " 'efi','2.0');"
	    "INSERT INTO machine(mac,first_ms,last_ms) VALUES('02:00:00:00:01:02',3,4);"
	    "INSERT INTO boot(id,mac,started_ms,last_ms,phase,client,arch)"
	    " VALUES(42,'02:00:00:00:01:01',1,8000000000000,'loader','pxe',7);"
	    "PRAGMA user_version=1;";
	struct store_machine_names of = { .nids = 0 };
	struct store *s;
	struct machine m;
	sqlite3 *db;
	uint64_t id;
	json_t *v;

	test_case("a store of version 1 becomes one of this version, with all that was in it");
	CHECK_INT(sqlite3_open(in_dir("old.db"), &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db, version_1, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	for (int round = 0; round < 2; round++) { /* once to change it, once more as it is */
		open_inventory("old.db", &s, 1000);
		CHECK_INT(machines_count(inventory.table), 2);
		CHECK_INT(machines_find(inventory.table, "SN1001", &id, 1), 1);
		CHECK(machines_get(inventory.table, id, &m));
		CHECK(m.first_ms == 1 && m.last_ms == 2 && m.nmacs == 1 && m.macs[0].sure);
		CHECK(m.arch == 7 && slice_is(m.product, "PC") && m.address.b[3] == 9);
		CHECK_INT(see(1, "SN1001", 2), id);
		of.ids = &id;
		of.nids = 1;
		v = store_list_boots(s, &of, 10);
		CHECK_INT(json_array_size(v), 1);
		CHECK_STR(text(json_array_get(v, 0), "id"), "0000001a");
		json_decref(v);
		close_inventory(s);
	}
}

/* Version 2 is version 3 without two columns. */
static void
test_migration_2(void)
{
	static const char back[] = "ALTER TABLE machine DROP COLUMN roots;"
				   "ALTER TABLE machine DROP COLUMN roots_ms;"
				   "PRAGMA user_version=2;";
	struct store *s;
	struct machine m;
	sqlite3 *db;
	uint64_t id;

	test_case("a store of version 2 becomes one of this version");
	open_inventory("two.db", &s, 1000);
	id = see(1, "SN2001", 2);
	close_inventory(s);
	CHECK_INT(sqlite3_open(in_dir("two.db"), &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db, back, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	for (int round = 0; round < 2; round++) {
		open_inventory("two.db", &s, 1000);
		CHECK(machines_get(inventory.table, id, &m) && slice_is(m.serial, "SN2001"));
		CHECK_BYTES(m.roots, slice_str(round == 0 ? "" : "aa00000000000001"));
		CHECK(m.roots_ms == (round == 0 ? 0 : 7));
		CHECK_INT(inventory_set_roots(
			      &inventory, id, slice_str("aa00000000000001"), round == 0 ? 7 : 8),
		    0); /* the second time it is known */
		close_inventory(s);
	}
}

/* Sees and merges machines as fast as it can, and tells each round that is done. */
static void
merge_for_ever(int fd, uint64_t from)
{
	struct store *s;

	if (store_open(in_dir("n.db"), &limits, &s) < 0 ||
	    inventory_open(&inventory, s, 100000, &no_lists) < 0)
		_exit(2);
	for (uint64_t n = from;; n++) {
		char serial[2][32];
		uint64_t a, b;

		if (!store_has_room(s)) {
			usleep(1000);
			n--;
			continue;
		}
		snprintf(serial[0], sizeof(serial[0]), "KA%06u", (unsigned)n);
		snprintf(serial[1], sizeof(serial[1]), "KB%06u", (unsigned)n);
		for (int i = 0; i < 2; i++) {
			struct identity id = { .serial = slice_str(serial[i]),
				.mac = { 6, { 2, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8),
						(uint8_t)n, (uint8_t)i } } };
			struct machine_facts facts = { .arch = 7 };

			*(i == 0 ? &a : &b) = inventory_note(&inventory, &id, &facts, n);
		}
		if (inventory_merge(&inventory, a, b, slice_str("ann"), n) < 0)
			_exit(4);
		store_kick(s);
		if (write(fd, &n, sizeof(n)) != (ssize_t)sizeof(n))
			_exit(3);
	}
}

static void
test_machine_kills(void)
{
	uint64_t safe = 0, n;
	struct store *s;

	test_case("machines and mergings are whole after kills at any moment");
	for (int round = 0; round < 6; round++) {
		int fds[2], status;
		pid_t pid;

		CHECK_INT(pipe(fds), 0);
		pid = fork();
		if (pid == 0)
			merge_for_ever(fds[1], safe + 1);
		close(fds[1]);
		for (int i = 0; i < 50 + round * 40; i++)
			CHECK_INT(read(fds[0], &safe, sizeof(safe)), sizeof(safe));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		while (read(fds[0], &n, sizeof(n)) == (ssize_t)sizeof(n))
			safe = n;
		close(fds[0]);
		open_inventory("n.db", &s, 100000);
		/* the round after the last one told may be there in part, and is seen again */
		CHECK(machines_count(inventory.table) >= safe);
		CHECK(machines_count(inventory.table) <= safe + 2);
		for (uint64_t i = 1; i <= safe; i++) {
			char name[32];
			uint64_t a, b;

			snprintf(name, sizeof(name), "02:00:%02x:%02x:%02x:00",
			    (unsigned)(i >> 16) & 0xff, (unsigned)(i >> 8) & 0xff,
			    (unsigned)i & 0xff);
			CHECK_INT(machines_find(inventory.table, name, &a, 1), 1);
			name[16] = '1';
			CHECK_INT(machines_find(inventory.table, name, &b, 1), 1);
			CHECK_INT(a, b);
		}
		close_inventory(s);
	}
}

/* Puts numbered entries as fast as it can and tells each number that is safe. */
static void
write_for_ever(int fd, uint64_t from)
{
	struct store *s;

	if (store_open(in_dir("k.db"), &limits, &s) < 0)
		_exit(2);
	for (uint64_t n = from;; n++) {
		struct record r = entry(1, n, "entry", 7, n);

		if (store_put(s, &r) < 0) {
			usleep(1000);
			n--;
			continue;
		}
		if (n % 64 == 0)
			store_kick(s);
		if (write(fd, &n, sizeof(n)) != (ssize_t)sizeof(n))
			_exit(3);
	}
}

static void
test_kills(void)
{
	uint64_t safe = 0, from = 1;
	struct record r;
	struct store *s;
	json_t *v;

	/* entries of no boot would be pruned */
	CHECK_INT(store_open(in_dir("k.db"), &limits, &s), 0);
	r = boot_record(1, wall_clock_ms(), 1);
	CHECK_INT(store_put(s, &r), 0);
	store_close(s);

	test_case("a store killed at any moment loses nothing and stores nothing twice");
	for (int round = 0; round < 12; round++) {
		int fds[2], status;
		uint64_t n;
		pid_t pid;

		CHECK_INT(pipe(fds), 0);
		pid = fork();
		if (pid == 0)
			write_for_ever(fds[1], from);
		close(fds[1]);
		for (int i = 0; i < 500 + round * 400; i++)
			CHECK_INT(read(fds[0], &safe, sizeof(safe)), sizeof(safe));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		/* the numbers that it had told before it died */
		while (read(fds[0], &n, sizeof(n)) == (ssize_t)sizeof(n))
			safe = n;
		close(fds[0]);
		CHECK_INT(store_open(in_dir("k.db"), &limits, &s), 0);
		v = store_count(s);
		n = (uint64_t)json_integer_value(json_object_get(v, "entries"));
		/* one may have been put and not told */
		CHECK(n == safe || n == safe + 1);
		from = n + 1;
		json_decref(v);
		store_close(s);
	}
	CHECK_INT(store_open(in_dir("k.db"), &limits, &s), 0);
	v = store_show_boot(s, 1);
	CHECK_INT(json_integer_value(
		      json_object_get(json_array_get(json_object_get(v, "timeline"), 9), "at_ms")),
	    10);
	json_decref(v);
	store_close(s);
}

static size_t nrequests;
static struct request_record last_request;
static char last_outcome[64];

static void
take_request(void *arg, uint64_t number, const struct request_record *r)
{
	uint64_t *last = arg;

	CHECK(number > *last);
	*last = number;
	nrequests++;
	last_request = *r;
	(void)slice_copy(last_outcome, sizeof(last_outcome), r->outcome);
}

static void
test_requests(void)
{
	const struct store_limits hours = {
		.keep_days = 90, .max_boots = 1000, .keep_requests_h = 2
	};
	uint64_t now_ms = wall_clock_ms(), last = 0;
	struct record r = { .kind = RECORD_REQUEST };
	const char *path = in_dir("requests.db");
	struct store *s;

	test_case("recorded requests come back in order, with all that they hold");
	CHECK_INT(store_open(path, &hours, &s), 0);
	for (uint64_t i = 1; i <= 5; i++) {
		r.request = (struct request_record){
			.at_ms = now_ms - 1000 * (6 - i),
			.boot = i,
			.machine = 10 + i,
			.mac = { 6, { 2, 0, 0, 0, 0, (uint8_t)i } },
			.stage = STAGE_BOOT,
			.request = { (const uint8_t *)"\0\1\2", 3 },
			.outcome = slice_str("{\"action\":\"data\"}"),
			.before = PHASE_FAILED,
			.before_ms = 99,
			.attempt = 3,
		};
		CHECK_INT(store_put(s, &r), 0);
	}
	store_kick(s);
	CHECK_INT(store_each_request(s, 0, 0, 100, take_request, &last), 0);
	CHECK_INT(nrequests, 5);
	CHECK_INT(last_request.boot, 5);
	CHECK_INT(last_request.machine, 15);
	CHECK_INT(last_request.mac.b[5], 5);
	CHECK_INT(last_request.stage, STAGE_BOOT);
	CHECK_INT(last_request.request.n, 3);
	CHECK_INT(last_request.before, PHASE_FAILED);
	CHECK_INT(last_request.attempt, 3);
	CHECK_STR(last_outcome, "{\"action\":\"data\"}");

	test_case("a piece at a time, and not from before a time");
	nrequests = 0;
	last = 0;
	CHECK_INT(store_each_request(s, 0, 0, 2, take_request, &last), 0);
	CHECK_INT(nrequests, 2);
	CHECK_INT(store_each_request(s, 0, last + 1, 2, take_request, &last), 0);
	CHECK_INT(last_request.boot, 4);
	nrequests = 0;
	last = 0;
	CHECK_INT(store_each_request(s, now_ms - 2500, 0, 100, take_request, &last), 0);
	CHECK_INT(nrequests, 2);

	test_case("those older than the limit are forgotten");
	r.request.at_ms = now_ms - 3 * 3600 * 1000;
	CHECK_INT(store_put(s, &r), 0);
	store_close(s);
	/* its thread begins with that */
	CHECK_INT(store_open(path, &hours, &s), 0);
	for (int i = 0; i < 100; i++) {
		nrequests = 0;
		last = 0;
		CHECK_INT(store_each_request(s, 0, 0, 100, take_request, &last), 0);
		if (nrequests == 5)
			break;
		(void)usleep(20000);
	}
	CHECK_INT(nrequests, 5);
	store_close(s);
}

int
main(void)
{
	char command[64];
	struct store *s;
	FILE *f;

	log_init("test_store", true);
	log_set_level(LOG_LEVEL_ERROR);
	CHECK(mkdtemp(dir) != NULL);
	test_records();
	test_machine_records();
	test_kills(); /* first of those with threads: they fork */
	test_machine_kills();
	test_queries();
	test_requests();
	test_limits();
	test_machines();
	test_migration();
	test_migration_2();

	test_case("a file that is no database is refused, and so is a folder that is not there");
	f = fopen(in_dir("junk.db"), "w");
	CHECK(f != NULL && fputs("this is no database, whatever its name says", f) >= 0);
	fclose(f);
	CHECK(store_open(in_dir("junk.db"), &limits, &s) < 0);
	CHECK_INT(store_open(in_dir("none/x.db"), &limits, &s), -ENOENT);

	test_case("a database of a later release is refused");
	{
		sqlite3 *db;

		CHECK_INT(sqlite3_open(in_dir("later.db"), &db), SQLITE_OK);
		CHECK_INT(sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
	}
	CHECK_INT(store_open(in_dir("later.db"), &limits, &s), -EPROTO);

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	CHECK_INT(system(command), 0);
	return test_end();
}
