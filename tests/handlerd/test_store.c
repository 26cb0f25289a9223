/*
 * Tests of handlerd/record.c, journal.c, store.c and store_query.c, on files made for them; among
 * them a process that is killed in the middle of writing, again and again.
 */
#include "handlerd/journal.h"
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
static const struct store_limits limits = { 90, 1000000, 1000000, 0 };

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

/* --- the journal ---------------------------------------------------------------------------- */

static void
put_number(struct journal *j, uint64_t n, size_t size)
{
	uint8_t buf[JOURNAL_RECORD_MAX];

	memset(buf, (int)(n & 0xff), sizeof(buf));
	memcpy(buf, &n, sizeof(n));
	CHECK_INT(journal_put(j, (struct slice){ buf, size }), 0);
}

/* Takes all records; checks that they count up from *next.  Their number. */
static uint64_t
take_numbers(struct journal *j, uint64_t *next)
{
	uint64_t pos = journal_tail(j), n, taken = 0;
	struct slice s;

	while (journal_next(j, &pos, &s) == 0) {
		memcpy(&n, s.p, sizeof(n));
		CHECK_INT(n, *next);
		(*next)++;
		taken++;
	}
	journal_release(j, pos);
	return taken;
}

static void
test_journal(void)
{
	uint64_t next = 0, generation, tail, put = 0;
	struct journal *j;
	uint8_t big[JOURNAL_RECORD_MAX + 1] = { 0 };

	test_case("records come out of the journal in their order, over many laps");
	CHECK_INT(journal_open(in_dir("ring"), 0, 0, &j), 0);
	for (int round = 0; round < 400; round++) {
		for (int i = 0; i < 20; i++, put++)
			put_number(j, put, 8 + put * 7919 % (JOURNAL_RECORD_MAX - 8));
		CHECK_INT(take_numbers(j, &next), 20);
	}
	CHECK_INT(next, put);

	test_case("a full journal refuses, and takes again when there is room");
	while (journal_put(j, (struct slice){ big, JOURNAL_RECORD_MAX }) == 0)
		;
	CHECK(!journal_has_room(j));
	journal_release(j, journal_head(j));
	CHECK(journal_has_room(j));
	put_number(j, put++, 100);
	next = put - 1;
	CHECK_INT(take_numbers(j, &next), 1);
	CHECK_INT(journal_put(j, (struct slice){ big, JOURNAL_RECORD_MAX + 1 }), -ENOSPC);

	test_case("what was not taken is there after the journal is opened again");
	for (int i = 0; i < 50; i++)
		put_number(j, put++, 300);
	generation = journal_generation(j);
	tail = journal_tail(j);
	journal_close(j);
	CHECK_INT(journal_open(in_dir("ring"), generation, tail, &j), 0);
	CHECK_INT(take_numbers(j, &next), 50);
	put_number(j, put++, 10);
	CHECK_INT(take_numbers(j, &next), 1);
	journal_close(j);

	test_case("a journal of another generation is begun anew");
	CHECK_INT(journal_open(in_dir("ring"), generation + 1, tail, &j), 0);
	CHECK(journal_head(j) == journal_tail(j));
	CHECK(journal_generation(j) != generation && journal_generation(j) != generation + 1);
	journal_close(j);

	test_case("a journal that cannot be made says why");
	CHECK_INT(journal_open("/does/not/exist", 0, 0, &j), -ENOENT);
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
	m.machine = (struct machine_record){ .mac = { 6, { 2, 0, 0, 0, 0, 1 } },
		.seen_ms = 1000,
		.arch = 7,
		.product = slice_str("PC"),
		.serial = slice_str("S'1\"; DROP") };
	CHECK_INT(store_put(s, &m), 0);
	r = boot_record(42, wall_clock_ms(), 1);
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

	test_case("a machine's record adds to what is known and takes nothing away");
	m.machine.product = (struct slice){ 0 };
	m.machine.serial = slice_str("S2");
	m.machine.seen_ms = 2000;
	CHECK_INT(store_put(s, &m), 0);
	v = store_show_machine(s, "02:00:00:00:00:01");
	CHECK_STR(text(v, "product"), "PC");
	CHECK_STR(text(v, "serial"), "S2");
	CHECK_INT(json_integer_value(json_object_get(v, "first_ms")), 1000);
	CHECK_INT(json_integer_value(json_object_get(v, "last_ms")), 2000);
	CHECK_INT(json_array_size(json_object_get(v, "history")), 1);
	json_decref(v);
	CHECK(store_show_machine(s, "nobody") == NULL);

	test_case("text of strangers that is no UTF-8 does not break a query");
	m.machine.serial = (struct slice){ (const uint8_t *)"S\xff\xfe", 3 };
	CHECK_INT(store_put(s, &m), 0);
	v = store_show_machine(s, "02:00:00:00:00:01");
	CHECK_STR(text(v, "serial"), "S\xc3\xbf\xc3\xbe");
	json_decref(v);

	test_case("boots are listed newest first, all or of one machine");
	r = boot_record(43, wall_clock_ms() + 10, 2);
	CHECK_INT(store_put(s, &r), 0);
	v = store_list_boots(s, NULL, 10);
	CHECK_INT(json_array_size(v), 2);
	CHECK_STR(text(json_array_get(v, 0), "id"), "0000001b");
	json_decref(v);
	v = store_list_boots(s, "02:00:00:00:00:01", 10);
	CHECK_INT(json_array_size(v), 1);
	json_decref(v);
	v = store_list_boots(s, "00112233-4455-6677-8899-aabbccddeeff", 10);
	CHECK_INT(json_array_size(v), 0);
	json_decref(v);
	m.machine.has_uuid = true;
	CHECK_INT(
	    uuid_parse(slice_str("00112233-4455-6677-8899-aabbccddeeff"), &m.machine.uuid), 0);
	CHECK_INT(store_put(s, &m), 0);
	v = store_list_boots(s, "00112233-4455-6677-8899-aabbccddeeff", 10);
	CHECK_INT(json_array_size(v), 1);
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
	const struct store_limits tight = { 90, 1000, 1000000, 0 },
				  tighter = { 90, 1000, 1000000, 10 };
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
	test_kills(); /* first of those with threads: it forks */
	test_journal();
	test_queries();
	test_limits();

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
