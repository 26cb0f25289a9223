/*
 * Tests of handlerd/machines.c, rows.c, filing.c, sharing.c, index.c and texts.c: what is put into
 * the table is found by each of its keys, whatever happened before.
 */
#include "handlerd/machines_db.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct machines *t;
static const struct machine_facts no_facts = { .arch = ARCH_UNKNOWN };

static void
fresh(size_t max)
{
	const struct machines_conf conf = {
		.max_machines = max,
		.hash_key = { 3, 4 },
		.weights = match_weights_default,
	};

	machines_free(t);
	CHECK_INT(machines_new(&conf, &t), 0);
}

static struct identity
claim(unsigned mac, unsigned uuid, const char *serial)
{
	struct identity id = { .serial = slice_str(serial), .manufacturer = slice_str("Acme") };

	if (mac != 0)
		id.mac = (struct macaddr){ 6, { 2, 0, 0, 0, (uint8_t)(mac >> 8), (uint8_t)mac } };
	id.has_uuid = uuid != 0;
	memset(&id.uuid, 0x11, sizeof(id.uuid));
	id.uuid.b[0] = (uint8_t)(uuid >> 8);
	id.uuid.b[15] = (uint8_t)uuid;
	return id;
}

static uint64_t
add(unsigned mac, unsigned uuid, const char *serial, uint64_t now_ms)
{
	struct identity id = claim(mac, uuid, serial);
	struct machine_change change;
	uint64_t new_id = 0;

	CHECK_INT(machines_add(t, &id, &no_facts, now_ms, &new_id, &change), 0);
	return new_id;
}

/* --- consistency ---------------------------------------------------------------------------- */

static bool
is_among(const uint32_t *v, size_t n, uint32_t x)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i] == x)
			return true;
	}
	return false;
}

/* A row is found by this key, unless too many have it. The number of entries: 1 or 0. */
static size_t
check_key(uint32_t place, enum key_kind kind, const struct identity *key)
{
	uint32_t holders[MACHINE_SHARERS];
	size_t n = rows_holding(t, kind, key, holders);
	bool found = is_among(holders, n, place);

	if (!found && n < MACHINE_SHARERS) /* it was crowded once */
		CHECK((t->sharing[place / 8] & 1u << place % 8) != 0);
	return found;
}

/* All that a list, the index and the count of texts promise. */
static void
check_table(void)
{
	const struct row_list *lists[2] = { &t->decided, &t->undecided };
	size_t n = 0, entries = 0, bytes = t->row_bytes;

	for (size_t i = 0; i < 2; i++) {
		uint32_t newer = INDEX_NONE;

		for (uint32_t at = lists[i]->newest; at != INDEX_NONE; at = t->v[at].row->older) {
			const struct row *row = t->v[at].row;
			struct identity key = { 0 };
			struct machine m;

			CHECK_INT(row->newer, newer);
			CHECK(row_is_decided(row) == (i == 0));
			CHECK(machines_resolve(t, row->id) == row->id);
			row_view(t, row, &m);
			entries++;
			key.has_uuid = m.has_uuid;
			key.uuid = m.uuid;
			key.serial = m.serial;
			key.asset = m.asset;
			entries += m.has_uuid && check_key(at, KEY_UUID, &key);
			entries += m.serial.n > 0 && check_key(at, KEY_SERIAL, &key);
			entries += m.asset.n > 0 && check_key(at, KEY_ASSET, &key);
			for (size_t j = 0; j < m.nmacs; j++) {
				key.mac = m.macs[j].mac;
				entries += check_key(at, KEY_MAC, &key);
			}
			newer = at;
			n++;
		}
		CHECK_INT(lists[i]->oldest, newer);
	}
	CHECK_INT(n, t->n);
	CHECK_INT(entries, t->index.n);
	CHECK(bytes >= n * sizeof(struct row));
}

static uint64_t seed = 88172645463325252u;

static unsigned
pick(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

static void
one_step(uint64_t now_ms)
{
	char serial[16] = "", group[16];
	struct machine_change change;
	struct machine_facts facts = { .arch = (uint16_t)pick(20) };
	struct identity id, part;
	struct match m;
	uint64_t fresh_id, some = pick(300) + (t->last_id > 300 ? t->last_id - 300 : 0);

	if (pick(3) > 0)
		snprintf(serial, sizeof(serial), "SN%04u", pick(60));
	id = claim(pick(4) > 0 ? pick(100) : 0, pick(4) > 0 ? pick(100) : 0, serial);
	if (pick(4) == 0)
		id.asset = slice_str("A-17");
	snprintf(group, sizeof(group), "group %u", pick(40));
	switch (pick(16)) {
	case 0: (void)machines_remove(t, some); break;
	case 1: (void)machines_merge(t, some, pick(300), &change); break;
	case 2:
		part = claim(pick(100), 0, NULL);
		(void)machines_split(t, some, &part, 1, &fresh_id, &change);
		break;
	case 3: (void)machines_set_group(t, some, slice_str(pick(2) ? group : "")); break;
	case 4:
		(void)machines_assign(
		    t, some, slice_str(pick(2) ? group : ""), true, 5, slice_str("ann"));
		break;
	case 5:
		(void)machines_set_state(
		    t, some, (enum machine_state)pick(MACHINE_STATES), slice_str("bob"));
		break;
	case 6:
		(void)machines_set_outcome(t, some, PHASE_DONE, now_ms, slice_str(group));
		(void)machines_set_roots(t, some, slice_str(group), now_ms);
		break;
	default:
		machines_match(t, &id, &m);
		if (m.id != 0)
			CHECK_INT(machines_learn(t, m.id, &id, &facts, now_ms, &change), 0);
		else
			(void)machines_add(t, &id, &facts, now_ms, &fresh_id, &change);
		while (machines_evict(t) != 0)
			;
	}
}

static void
test_random(void)
{
	test_case("after any row of changes every machine is found by every key");
	fresh(100);
	for (unsigned i = 0; i < 20000; i++) {
		one_step(i);
		if (i % 50 == 0)
			check_table();
	}
	check_table();
	CHECK_INT(machines_count(t), 100);

	test_case("when all machines are gone nothing is left of texts and keys");
	for (uint64_t id = 1; id <= t->last_id; id++)
		(void)machines_remove(t, id);
	CHECK_INT(machines_count(t), 0);
	CHECK_INT(t->index.n, 0);
	CHECK_INT(t->texts.by_hash.n, 0);
	CHECK_INT(t->texts.bytes, 0);
	CHECK_INT(t->row_bytes, 0);
}

/* --- look-up -------------------------------------------------------------------------------- */

static void
test_find(void)
{
	static const char *const names[] = { "#1", "02:00:00:00:00:07", "02-00-00-00-00-07",
		"020000000007", "01111111-1111-1111-1111-111111111108",
		"11111101-1111-1111-1111-111111111108", "SN0001", " SN0001 " };
	uint64_t ids[4];

	test_case("a machine is found by any name that it has");
	fresh(10);
	CHECK_INT(add(7, 0x108, "SN0001", 1), 1);
	for (size_t i = 0; i < NITEMS(names); i++) {
		ids[0] = 0;
		CHECK_INT(machines_find(t, names[i], ids, NITEMS(ids)), 1);
		CHECK_INT(ids[0], 1);
	}
	CHECK_INT(machines_find(t, "#2", ids, NITEMS(ids)), 0);
	CHECK_INT(machines_find(t, "", ids, NITEMS(ids)), 0);
	CHECK_INT(machines_find(t, "nobody", ids, NITEMS(ids)), 0);

	test_case("a name that several machines have gives all, as far as there is room");
	CHECK_INT(add(8, 9, "SN0001", 1), 2);
	CHECK_INT(machines_find(t, "SN0001", ids, NITEMS(ids)), 2);
	CHECK_INT(machines_find(t, "SN0001", ids, 1), 2);
	CHECK_INT(machines_find(t, "SN0001", NULL, 0), 2);
}

static bool
note_id(void *arg, const struct machine *m)
{
	char *text = arg;

	(void)sprintf(text + strlen(text), "%llu ", (unsigned long long)m->id);
	return m->id != 4;
}

static void
test_age(void)
{
	const struct machines_conf fewer = { .max_machines = 2, .weights = match_weights_default };
	char order[64] = "";
	struct machine m;

	test_case("the one unseen longest goes first, without those that were decided about");
	fresh(3);
	(void)add(1, 1, NULL, 1);
	(void)add(2, 2, NULL, 2);
	(void)add(3, 3, NULL, 3);
	CHECK_INT(machines_evict(t), 0);
	CHECK_INT(machines_assign(t, 1, slice_str("tiny"), true, 0, slice_str("ann")), 0);
	(void)add(4, 4, NULL, 4);
	CHECK_INT(machines_evict(t), 2);
	CHECK_INT(machines_evict(t), 0);
	machines_each(t, note_id, order);
	CHECK_STR(order, "1 4 ");

	test_case("behind the name of an assigned entry stands a NUL");
	CHECK(machines_get(t, 1, &m) && m.entry.n == 4 && m.entry.p[4] == '\0');

	test_case("a lower bound makes more of them go, at last those that were decided about");
	CHECK_INT(machines_set_state(t, 4, MACHINE_APPROVED, slice_str("ann")), 0);
	machines_set_conf(t, &fewer);
	CHECK_INT(machines_evict(t), 3);
	(void)add(5, 5, NULL, 5);
	CHECK_INT(machines_set_state(t, 5, MACHINE_APPROVED, slice_str("ann")), 0);
	CHECK_INT(machines_evict(t), 1);
	CHECK_INT(machines_evict(t), 0);

	test_case("an assignment taken away leaves the machine undecided");
	CHECK_INT(machines_set_state(t, 4, MACHINE_NEW, slice_str("ann")), 0);
	CHECK_INT(t->v[t->undecided.newest].row->id, 4);
	CHECK_INT(machines_set_state(t, 99, MACHINE_NEW, slice_str("ann")), -ENOENT);
}

static void
test_restore(void)
{
	struct machine m = { .id = 7,
		.last_ms = 70,
		.nmacs = 1,
		.group = slice_str("lab"),
		.macs = { { { 6, { 2, 0, 0, 0, 0, 7 } }, true } } },
		       got;
	char order[64] = "";

	test_case("machines come back from the store in any order, and are in theirs");
	fresh(10);
	CHECK_INT(machines_restore(t, &m), 0);
	CHECK_INT(machines_restore(t, &m), -EEXIST);
	m.id = 8;
	m.last_ms = 90;
	CHECK_INT(machines_restore(t, &m), 0);
	m.id = 9;
	m.last_ms = 80;
	CHECK_INT(machines_restore(t, &m), 0);
	m.id = 0;
	CHECK_INT(machines_restore(t, &m), -EINVAL);
	CHECK_INT(machines_restore_alias(t, 3, 9), 0);
	CHECK_INT(machines_restored(t, 41), 0);
	machines_each(t, note_id, order);
	CHECK_STR(order, "8 9 7 ");
	CHECK_INT(machines_resolve(t, 3), 9);
	check_table();

	test_case("an id is never used again");
	CHECK_INT(add(20, 20, NULL, 1), 42);
	CHECK_INT(machines_remove(t, 42), 0);
	CHECK_INT(add(20, 20, NULL, 1), 43);
	CHECK(machines_get(t, 7, &got) && slice_is(got.group, "lab"));
}

/* --- sharing -------------------------------------------------------------------------------- */

static void
test_merge(void)
{
	struct machine_change change;
	struct identity part;
	struct machine m;
	uint64_t id;

	test_case("merging adds what the other knows, and its id leads here");
	fresh(10);
	(void)add(1, 1, "SN0001", 10);
	(void)add(2, 2, NULL, 20);
	CHECK_INT(machines_set_group(t, 2, slice_str("lab")), 0);
	CHECK_INT(machines_merge(t, 1, 2, &change), 0);
	CHECK_INT(change.merged, 2);
	CHECK(machines_get(t, 2, &m));
	CHECK(m.id == 1 && m.nmacs == 2 && m.last_ms == 20 && m.first_ms == 10);
	CHECK(slice_is(m.group, "lab") && slice_is(m.serial, "SN0001") && m.uuid.b[15] == 1);
	CHECK_INT(machines_merge(t, 1, 2, &change), -EINVAL);
	CHECK_INT(machines_merge(t, 1, 3, &change), -ENOENT);
	check_table();

	test_case("ids lead on over several mergings");
	(void)add(3, 3, NULL, 30);
	CHECK_INT(machines_merge(t, 3, 1, &change), 0);
	CHECK_INT(machines_resolve(t, 2), 3);
	CHECK_INT(machines_count(t), 1);

	test_case(
	    "splitting gives the named identifiers to a new machine, which nobody decided about");
	part = claim(2, 0, NULL);
	CHECK_INT(machines_split(t, 3, &part, 1, &id, &change), 0);
	CHECK_INT(id, 4);
	CHECK(machines_get(t, 4, &m));
	CHECK(m.nmacs == 1 && m.macs[0].mac.b[5] == 2 && !m.has_uuid && m.group.n == 0);
	CHECK(machines_get(t, 3, &m) && m.nmacs == 2 && slice_is(m.group, "lab"));
	CHECK_INT(change.others[0], 4);
	check_table();

	test_case("merged again they are as they were");
	CHECK_INT(machines_merge(t, 3, 4, &change), 0);
	CHECK(machines_get(t, 4, &m) && m.id == 3 && m.nmacs == 3);
	check_table();

	test_case("a split names what is there, and leaves something");
	part = claim(77, 0, NULL);
	CHECK_INT(machines_split(t, 3, &part, 1, &id, &change), -ENOENT);
	CHECK_INT(machines_split(t, 3, &part, 0, &id, &change), -EINVAL);
	CHECK_INT(machines_split(t, 99, &part, 1, &id, &change), -ENOENT);
	id = add(50, 0, NULL, 1);
	part = claim(50, 0, NULL);
	CHECK_INT(machines_split(t, id, &part, 1, &id, &change), -EINVAL);
	check_table();

	test_case("there are at most as many aliases as machines");
	fresh(2);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t a = add(1 + 2 * i, 0, NULL, 1), b = add(2 + 2 * i, 0, NULL, 1);

		CHECK_INT(machines_merge(t, a, b, &change), i < 2 ? 0 : -ENOSPC);
	}
	check_table();
}

static void
note_duplicate(void *arg, const struct duplicate *d)
{
	char *text = arg;

	(void)sprintf(
	    text + strlen(text), "%s %s %zu; ", duplicate_reason_name(d->reason), d->value, d->n);
}

static void
test_duplicates(void)
{
	char text[512] = "";

	test_case("what machines share is listed once, with the reason");
	fresh(100);
	(void)add(1, 1, "SN0001", 1);
	(void)add(2, 1, "SN0002", 1); /* the UUID of 1 */
	(void)add(1, 3, "SN0003", 1); /* the MAC of 1 */
	(void)add(4, 4, "SN0003", 1); /* the serial number of 3 */
	(void)add(5, 5, NULL, 1);
	(void)add(6, 5, NULL, 1);
	(void)add(7, 7, "default string", 1);
	(void)add(8, 8, "default string", 1);
	CHECK_INT(machines_duplicates(t, 100, note_duplicate, text), 4);
	CHECK_STR(text, "uuid-cloned 00111111-1111-1111-1111-111111111101 2; "
			"mac 02:00:00:00:00:01 2; serial SN0003 2; "
			"uuid 00111111-1111-1111-1111-111111111105 2; ");

	test_case("a MAC of three UUIDs looks like a shared adapter");
	(void)add(1, 9, "SN0009", 1);
	text[0] = '\0';
	CHECK_INT(machines_duplicates(t, 2, note_duplicate, text), 2);
	CHECK(strstr(text, "shared-adapter 02:00:00:00:00:01 3; ") != NULL);

	test_case("what was merged is no duplicate any more");
	{
		struct machine_change change;

		CHECK_INT(machines_merge(t, 5, 6, &change), 0);
		text[0] = '\0';
		CHECK_INT(machines_duplicates(t, 100, note_duplicate, text), 3);
	}
}

static void
test_hash(void)
{
	const uint64_t key[2] = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u }, other[2] = { 1, 2 };
	uint8_t bytes[20];
	uint32_t seen[20];

	test_case("a hash depends on the key, on each byte and on the length");
	memset(bytes, 0, sizeof(bytes));
	for (size_t n = 0; n < sizeof(bytes); n++) {
		seen[n] = hash_keyed(key, (struct slice){ bytes, n });
		for (size_t i = 0; i < n; i++)
			CHECK(seen[i] != seen[n]);
	}
	CHECK(hash_keyed(other, (struct slice){ bytes, 8 }) != seen[8]);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = 1;
		CHECK(hash_keyed(key, (struct slice){ bytes, sizeof(bytes) }) !=
		      hash_keyed(key, (struct slice){ (const uint8_t[20]){ 0 }, 20 }));
		bytes[i] = 0;
	}
}

int
main(void)
{
	test_hash();
	test_find();
	test_age();
	test_restore();
	test_merge();
	test_duplicates();
	test_random();
	machines_free(t);
	return test_end();
}
