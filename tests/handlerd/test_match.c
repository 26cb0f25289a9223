/* Tests of handlerd/match.c, learn.c and identity.c: which machine a claim is found to be, and why.
 */
#include "handlerd/machines.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

/* A claim in text; NULL: not said. */
struct who {
	const char *mac, *uuid, *serial, *asset, *maker, *product, *circuit;
};

#define U1   "11111111-2222-3333-4444-555555555501"
#define U2   "aabbccdd-2222-3333-4444-555555555502"
#define U3   "aabbccdd-2222-3333-4444-555555555503"
#define M1   "52:54:00:00:00:01"
#define M2   "52:54:00:00:00:02"
#define M3   "52:54:00:00:00:03"
#define DOCK "00:e0:4c:11:22:33"

static char *adapters[] = { (char[]){ "00-E0-4C-*" }, (char[]){ "02:00:00:00:00:07" } };
static char *uuids[] = { (char[]){ "deadbeef-0000-0000-0000-000000000001" } };
static char *serials[] = { (char[]){ "Series 5" } };
static const struct identity_lists lists = {
	.shared_adapters = { adapters, NITEMS(adapters) },
	.bad_uuids = { uuids, NITEMS(uuids) },
	.bad_serials = { serials, NITEMS(serials) },
};

static struct machines *t;
static uint64_t now_ms;
static const struct machine_facts no_facts = { .arch = ARCH_UNKNOWN };

static struct identity
claim_of(const struct who *w)
{
	struct identity id = {
		.serial = identity_text(slice_str(w->serial)),
		.asset = identity_text(slice_str(w->asset)),
		.manufacturer = slice_str(w->maker),
		.product = slice_str(w->product),
		.circuit = slice_str(w->circuit),
	};

	if (w->circuit != NULL)
		id.relay = (struct ipaddr){ 4, { 10, 0, 0, 1 } };
	if (w->mac != NULL)
		CHECK_INT(mac_parse(slice_str(w->mac), &id.mac), 0);
	id.has_uuid = w->uuid != NULL;
	if (w->uuid != NULL)
		CHECK_INT(uuid_parse(slice_str(w->uuid), &id.uuid), 0);
	return id;
}

static void
fresh(void)
{
	const struct machines_conf conf = {
		.max_machines = 1000,
		.hash_key = { 1, 2 },
		.weights = match_weights_default,
		.lists = &lists,
	};

	machines_free(t);
	CHECK_INT(machines_new(&conf, &t), 0);
	now_ms = 1000000;
}

/* What handlerd does with a request: the machine's id, 0 if it cannot be one. */
static uint64_t
see(const struct who *w, struct machine_change *change)
{
	struct identity claim = claim_of(w);
	struct match m;
	int rc;

	now_ms += 1000;
	machines_match(t, &claim, &m);
	if (m.id != 0) {
		CHECK_INT(machines_learn(t, m.id, &claim, &no_facts, now_ms, change), 0);
		return m.id;
	}
	rc = machines_add(t, &claim, &no_facts, now_ms, &m.id, change);
	CHECK(rc == 0 || rc == -EINVAL);
	return rc == 0 ? m.id : 0;
}

#define STEPS 6

static const struct {
	const char *what;
	struct who seen[STEPS]; /* until an empty one */
	struct who claim;
	uint64_t id; /* machines are numbered as they come; 0: a new one */
	int score;
	size_t candidates;
	enum identifier of; /* a piece of evidence of the first candidate */
	enum evidence_kind verdict;
} cases[] = {
	{ "a MAC that nobody has is a new machine", { { .mac = M1, .uuid = U1 } },
	    { .mac = M2, .uuid = U2 }, 0, 0, 0, 0, 0 },
	{ "a MAC and UUID that were seen are that machine", { { .mac = M1, .uuid = U1 } },
	    { .mac = M1, .uuid = U1 }, 1, 90, 1, IDENTIFIER_UUID, EVIDENCE_SAME },
	{ "a MAC alone is enough, as TFTP and HTTP may tell no more", { { .mac = M1, .uuid = U1 } },
	    { .mac = M1 }, 1, 40, 1, IDENTIFIER_UUID, EVIDENCE_UNSAID },
	{ "a second adapter of a machine is found by its UUID", { { .mac = M1, .uuid = U1 } },
	    { .mac = M2, .uuid = U1 }, 1, 50, 1, IDENTIFIER_MAC, EVIDENCE_DIFFERS },
	{ "the UUID in the other byte order is the same UUID", { { .mac = M1, .uuid = U2 } },
	    { .mac = M2, .uuid = "ddccbbaa-2222-3333-4444-555555555502" }, 1, 50, 1,
	    IDENTIFIER_UUID, EVIDENCE_SWAPPED },
	{ "an adapter that comes with another UUID is no proof", { { .mac = M1, .uuid = U1 } },
	    { .mac = M1, .uuid = U2 }, 0, 0, 1, IDENTIFIER_UUID, EVIDENCE_DIFFERS },
	{ "an adapter moved to a machine that is known: the UUID decides",
	    { { .mac = M1, .uuid = U1 }, { .mac = M2, .uuid = U2 } }, { .mac = M1, .uuid = U2 }, 2,
	    50, 2, IDENTIFIER_UUID, EVIDENCE_SAME },
	{ "an adapter on the list counts nothing, and is told", { { .mac = DOCK, .uuid = U1 } },
	    { .mac = DOCK, .uuid = U2 }, 0, 0, 1, IDENTIFIER_MAC, EVIDENCE_SHARED },
	{ "a dock used by three machines: each is found by its UUID",
	    { { .mac = DOCK, .uuid = U1 }, { .mac = DOCK, .uuid = U2 },
		{ .mac = DOCK, .uuid = U3 } },
	    { .mac = DOCK, .uuid = U2 }, 2, 50, 3, IDENTIFIER_MAC, EVIDENCE_SHARED },
	{ "a dock that is not on the list, used by three: likewise",
	    { { .mac = M1, .uuid = U1 }, { .mac = M1, .uuid = U2 }, { .mac = M1, .uuid = U3 } },
	    { .mac = M1, .uuid = U2 }, 2, 80, 3, IDENTIFIER_UUID, EVIDENCE_SAME },
	{ "two serial numbers under one UUID are two machines",
	    { { .mac = M1, .uuid = U1, .serial = "SN0001", .maker = "Acme" } },
	    { .mac = M2, .uuid = U1, .serial = "SN0002", .maker = "Acme" }, 0, 0, 1,
	    IDENTIFIER_SERIAL, EVIDENCE_DIFFERS },
	{ "a cloned UUID with another model is another machine",
	    { { .mac = M1, .uuid = U1, .maker = "Acme", .product = "A" } },
	    { .mac = M2, .uuid = U1, .maker = "Acme", .product = "B" }, 0, 0, 1, IDENTIFIER_MODEL,
	    EVIDENCE_DIFFERS },
	{ "with cloned UUIDs each is found by its MAC",
	    { { .mac = M1, .uuid = U1, .serial = "SN0001", .maker = "Acme" },
		{ .mac = M2, .uuid = U1 },
		{ .mac = M2, .uuid = U1, .serial = "SN0002", .maker = "Acme" } },
	    { .mac = M2, .uuid = U1 }, 2, 90, 2, IDENTIFIER_MAC, EVIDENCE_SAME },
	{ "... and the first one, too",
	    { { .mac = M1, .uuid = U1, .serial = "SN0001", .maker = "Acme" },
		{ .mac = M2, .uuid = U1 },
		{ .mac = M2, .uuid = U1, .serial = "SN0002", .maker = "Acme" } },
	    { .mac = M1, .uuid = U1 }, 1, 90, 2, IDENTIFIER_MAC, EVIDENCE_SAME },
	{ "a board replaced, its adapter kept: the serial number says so",
	    { { .mac = M1, .uuid = U1, .serial = "SN0001", .maker = "Acme" } },
	    { .mac = M1, .uuid = U2, .serial = "SN0001", .maker = "Acme" }, 1, 65, 1,
	    IDENTIFIER_UUID, EVIDENCE_DIFFERS },
	{ "a board replaced with its adapter: serial number and asset tag say so",
	    { { .mac = M1, .uuid = U1, .serial = "SN0001", .asset = "A-17", .maker = "Acme" } },
	    { .mac = M2, .uuid = U2, .serial = "SN0001", .asset = "A-17", .maker = "Acme" }, 1, 45,
	    1, IDENTIFIER_SERIAL, EVIDENCE_SAME },
	{ "a serial number alone is not enough when all else is new: series share one",
	    { { .mac = M1, .uuid = U1, .serial = "SN0001", .maker = "Acme" } },
	    { .mac = M2, .uuid = U2, .serial = "SN0001", .maker = "Acme" }, 0, 0, 1,
	    IDENTIFIER_SERIAL, EVIDENCE_SAME },
	{ "firmware that changed its UUID: what was taken for a new machine gives way",
	    { { .mac = M1, .uuid = U1, .serial = "SN0001", .maker = "Acme" },
		{ .mac = M1, .uuid = U2 } },
	    { .mac = M1, .uuid = U2, .serial = "SN0001", .maker = "Acme" }, 1, 65, 2,
	    IDENTIFIER_SERIAL, EVIDENCE_SAME },
	{ "the same serial number of another maker counts nothing",
	    { { .mac = M1, .uuid = U1, .serial = "SN0001", .maker = "Acme" } },
	    { .mac = M2, .serial = "SN0001", .maker = "Other" }, 0, 0, 1, IDENTIFIER_SERIAL,
	    VERDICT_OTHER_MAKER },
	{ "a serial number without its maker counts less",
	    { { .mac = M1, .uuid = U1, .serial = "SN0001", .maker = "Acme" } },
	    { .serial = "SN0001" }, 0, 0, 1, IDENTIFIER_SERIAL, EVIDENCE_SAME },
	{ "a default serial number counts nothing",
	    { { .mac = M1, .uuid = U1, .serial = "To Be Filled By O.E.M.", .maker = "Acme" } },
	    { .mac = M2, .uuid = U2, .serial = "To Be Filled By O.E.M.", .maker = "Acme" }, 0, 0, 1,
	    IDENTIFIER_SERIAL, EVIDENCE_BAD },
	{ "... one of the site's list neither",
	    { { .mac = M1, .uuid = U1, .serial = "series 5", .maker = "Acme" } },
	    { .mac = M2, .uuid = U2, .serial = "series 5", .maker = "Acme" }, 0, 0, 1,
	    IDENTIFIER_SERIAL, EVIDENCE_BAD },
	{ "... and does not speak against a real one",
	    { { .mac = M1, .uuid = U1, .serial = "Default string", .maker = "Acme" } },
	    { .mac = M1, .uuid = U1, .serial = "SN0001", .maker = "Acme" }, 1, 90, 1,
	    IDENTIFIER_SERIAL, EVIDENCE_BAD },
	{ "a default UUID counts nothing",
	    { { .mac = M1, .uuid = "03000200-0400-0500-0006-000700080009" } },
	    { .mac = M2, .uuid = "03000200-0400-0500-0006-000700080009" }, 0, 0, 1, IDENTIFIER_UUID,
	    EVIDENCE_BAD },
	{ "... in the other byte order neither",
	    { { .mac = M1, .uuid = "00020003-0004-0005-0006-000700080009" } },
	    { .mac = M2, .uuid = "03000200-0400-0500-0006-000700080009" }, 0, 0, 1, IDENTIFIER_UUID,
	    EVIDENCE_BAD },
	{ "... nor does one of the site's list",
	    { { .mac = M1, .uuid = "deadbeef-0000-0000-0000-000000000001" } },
	    { .mac = M2, .uuid = "deadbeef-0000-0000-0000-000000000001" }, 0, 0, 1, IDENTIFIER_UUID,
	    EVIDENCE_BAD },
	{ "... and a default UUID does not speak against the MAC",
	    { { .mac = M1, .uuid = "ffffffff-ffff-ffff-ffff-ffffffffffff" } },
	    { .mac = M1, .uuid = U1 }, 1, 40, 1, IDENTIFIER_UUID, EVIDENCE_BAD },
	{ "an asset tag alone is not enough", { { .mac = M1, .uuid = U1, .asset = "A-17" } },
	    { .mac = M2, .asset = "A-17" }, 0, 0, 1, IDENTIFIER_ASSET, EVIDENCE_SAME },
	{ "another asset tag hardly speaks against UUID and MAC",
	    { { .mac = M1, .uuid = U1, .asset = "A-17" } },
	    { .mac = M1, .uuid = U1, .asset = "A-18" }, 1, 85, 1, IDENTIFIER_ASSET,
	    EVIDENCE_DIFFERS },
	{ "a switch port is nothing to go by", { { .mac = M1, .uuid = U1, .circuit = "gi1" } },
	    { .mac = M2, .uuid = U2, .circuit = "gi1" }, 0, 0, 0, 0, 0 },
};

static void
test_matches(void)
{
	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct machine_change change;
		struct identity claim;
		struct match m;

		test_case("%s", cases[i].what);
		fresh();
		for (size_t j = 0; j < STEPS; j++) {
			const struct who *w = &cases[i].seen[j];

			if (w->mac == NULL && w->uuid == NULL && w->serial == NULL)
				break;
			(void)see(w, &change);
		}
		claim = claim_of(&cases[i].claim);
		machines_match(t, &claim, &m);
		CHECK_INT(m.id, cases[i].id);
		CHECK_INT(m.score, cases[i].score);
		CHECK_INT(m.ncandidates, cases[i].candidates);
		if (cases[i].candidates > 0)
			CHECK_STR(evidence_kind_name(m.candidates[0].evidence[cases[i].of].verdict),
			    evidence_kind_name(cases[i].verdict));
	}
}

static void
test_reasons(void)
{
	struct machine_change change;
	struct machine m;
	struct identity claim;
	struct match r;

	test_case("every candidate is told why it was not taken");
	fresh();
	(void)see(&(struct who){ .mac = M1, .uuid = U1 }, &change);
	(void)see(&(struct who){ .mac = M2, .uuid = U2, .circuit = "gi1" }, &change);
	(void)see(&(struct who){ .mac = M3, .uuid = U3, .asset = "A-17" }, &change);
	claim = claim_of(&(struct who){ .mac = M1, .uuid = U2, .asset = "A-17" });
	machines_match(t, &claim, &r);
	CHECK_INT(r.ncandidates, 3);
	CHECK_INT(r.candidates[0].id, 2);
	CHECK_STR(match_why_name(r.candidates[0].why), "best");
	CHECK_STR(match_why_name(r.candidates[1].why), "below-threshold");
	CHECK_STR(match_why_name(r.candidates[2].why), "below-threshold");
	CHECK_INT(r.candidates[1].score, 20);
	CHECK_INT(r.candidates[1].evidence[IDENTIFIER_MAC].points, 40);
	CHECK_INT(r.candidates[1].evidence[IDENTIFIER_UUID].points, -20);

	test_case("of two with as many points the one at this switch port is taken");
	fresh();
	CHECK_INT(machines_restore(t, &(struct machine){ .id = 1,
					  .last_ms = 9,
					  .nmacs = 1,
					  .macs = { { { 6, { 2, 0, 0, 0, 0, 1 } }, true } } }),
	    0);
	CHECK_INT(machines_restore(t, &(struct machine){ .id = 2,
					  .last_ms = 5,
					  .nmacs = 1,
					  .macs = { { { 6, { 2, 0, 0, 0, 0, 1 } }, true } },
					  .relay = { 4, { 10, 0, 0, 1 } },
					  .circuit = slice_str("gi2") }),
	    0);
	CHECK_INT(machines_restored(t, 0), 0);
	claim = claim_of(&(struct who){ .mac = "02:00:00:00:00:01", .circuit = "gi2" });
	machines_match(t, &claim, &r);
	CHECK_INT(r.id, 2);
	CHECK(r.ambiguous);
	CHECK_STR(match_why_name(r.candidates[1].why), "other-port");

	test_case("... else the one seen later");
	claim = claim_of(&(struct who){ .mac = "02:00:00:00:00:01" });
	machines_match(t, &claim, &r);
	CHECK_INT(r.id, 1);
	CHECK(r.ambiguous);
	CHECK_STR(match_why_name(r.candidates[1].why), "seen-earlier");

	test_case("what was made of a first request is merged when the serial number comes");
	fresh();
	CHECK_INT(see(&(struct who){ .mac = M1, .uuid = U1, .serial = "SN0001", .maker = "Acme" },
		      &change),
	    1);
	CHECK_INT(see(&(struct who){ .mac = M1, .uuid = U2 }, &change), 2);
	claim =
	    claim_of(&(struct who){ .mac = M1, .uuid = U2, .serial = "SN0001", .maker = "Acme" });
	machines_match(t, &claim, &r);
	CHECK_STR(match_why_name(r.candidates[1].why), "passing");
	CHECK_INT(see(&(struct who){ .mac = M1, .uuid = U2, .serial = "SN0001", .maker = "Acme" },
		      &change),
	    1);
	CHECK((change.what & CHANGED_MERGED) != 0 && change.merged == 2);
	CHECK((change.what & CHANGED_UUID) != 0 && change.had_uuid);
	CHECK_INT(machines_count(t), 1);
	CHECK_INT(machines_resolve(t, 2), 1);
	CHECK_INT(see(&(struct who){ .mac = M1, .uuid = U2 }, &change), 1);

	test_case("... but not if somebody has decided about it");
	fresh();
	(void)see(
	    &(struct who){ .mac = M1, .uuid = U1, .serial = "SN0001", .maker = "Acme" }, &change);
	(void)see(&(struct who){ .mac = M1, .uuid = U2 }, &change);
	CHECK_INT(machines_set_state(t, 2, MACHINE_BLOCKED, slice_str("ann")), 0);
	CHECK_INT(see(&(struct who){ .mac = M1, .uuid = U2, .serial = "SN0001", .maker = "Acme" },
		      &change),
	    2);
	CHECK(machines_get(t, 2, &m) && m.state == MACHINE_BLOCKED && slice_is(m.by, "ann"));

	test_case("an identifier that MACHINE_SHARERS machines have counts nothing");
	fresh();
	for (int i = 0; i < 40; i++) {
		char mac[] = "52:54:00:00:01:00", serial[] = "SN000000";

		mac[15] = serial[6] = (char)('0' + i / 10);
		mac[16] = serial[7] = (char)('0' + i % 10);
		CHECK_INT(
		    see(&(struct who){ .mac = mac, .uuid = U1, .serial = serial, .maker = "Acme" },
			&change),
		    i + 1);
	}
	claim = claim_of(&(struct who){ .mac = M1, .uuid = U1 });
	machines_match(t, &claim, &r);
	CHECK_INT(r.id, 0);
	CHECK_INT(r.ncandidates, MACHINE_SHARERS);
	CHECK_STR(evidence_kind_name(r.candidates[0].evidence[IDENTIFIER_UUID].verdict), "crowded");
	claim = claim_of(&(struct who){ .mac = "52:54:00:00:01:39", .uuid = U1 });
	machines_match(t, &claim, &r);
	CHECK_INT(r.id, 40);

	test_case("... and counts again when the others are gone");
	for (uint64_t id = 1; id < 40; id++)
		CHECK_INT(machines_remove(t, id), 0);
	CHECK_INT(see(&(struct who){ .mac = "52:54:00:00:01:39", .uuid = U1 }, &change), 40);
	claim = claim_of(&(struct who){ .mac = M1, .uuid = U1 });
	machines_match(t, &claim, &r);
	CHECK_INT(r.id, 40);

	test_case("a claim in which nothing counts makes no machine, however often it comes");
	fresh();
	CHECK_INT(see(&(struct who){ .mac = DOCK,
			  .uuid = "00000000-0000-0000-0000-000000000000",
			  .serial = "0" },
		      &change),
	    0);
	CHECK_INT(see(&(struct who){ .mac = "02:00:00:00:00:07" }, &change), 0);
	CHECK_INT(see(&(struct who){ .serial = "SN0001" }, &change), 0);
	CHECK_INT(machines_count(t), 0);
}

static void
test_learning(void)
{
	struct machine_change change;
	struct machine m;
	char mac[] = "52:54:00:00:02:00";

	test_case("a second adapter is learned, and is sure once it came with the serial number");
	fresh();
	(void)see(
	    &(struct who){ .mac = M1, .uuid = U1, .serial = "SN0001", .maker = "Acme" }, &change);
	(void)see(&(struct who){ .mac = M2, .uuid = U1 }, &change);
	CHECK((change.what & CHANGED_MAC_ADDED) != 0);
	CHECK(machines_get(t, 1, &m));
	CHECK_INT(m.nmacs, 2);
	CHECK(m.macs[0].mac.b[5] == 2 && !m.macs[0].sure && m.macs[1].sure);
	(void)see(
	    &(struct who){ .mac = M2, .uuid = U1, .serial = "SN0001", .maker = "Acme" }, &change);
	CHECK(machines_get(t, 1, &m) && m.macs[0].sure);
	CHECK((change.what & CHANGED_MAC_MOVED) == 0);

	test_case("an adapter seen with another machine's serial number is no longer sure");
	(void)see(
	    &(struct who){ .mac = M2, .uuid = U2, .serial = "SN0002", .maker = "Acme" }, &change);
	CHECK((change.what & CHANGED_MAC_MOVED) != 0);
	CHECK_INT(change.nothers, 1);
	CHECK_INT(change.others[0], 1);
	CHECK(machines_get(t, 1, &m) && m.nmacs == 2 && !m.macs[0].sure);

	test_case("beyond MACHINE_MACS the one seen longest ago goes, and is told");
	fresh();
	for (int i = 0; i < MACHINE_MACS + 1; i++) {
		mac[16] = (char)('0' + i);
		(void)see(&(struct who){ .mac = mac, .uuid = U1 }, &change);
	}
	CHECK((change.what & CHANGED_MAC_DROPPED) != 0);
	CHECK_INT(change.mac.b[5], 0);
	CHECK(machines_get(t, 1, &m) && m.nmacs == MACHINE_MACS && m.macs[0].mac.b[5] == 8);

	test_case("a default does not replace what is known, but stands where nothing is");
	fresh();
	(void)see(&(struct who){ .mac = M1,
		      .uuid = U1,
		      .serial = "SN0001",
		      .maker = "Acme",
		      .product = "A",
		      .circuit = "gi1" },
	    &change);
	(void)see(&(struct who){ .mac = M1,
		      .uuid = "ffffffff-ffff-ffff-ffff-ffffffffffff",
		      .serial = "None",
		      .asset = "None" },
	    &change);
	CHECK((change.what & (CHANGED_UUID | CHANGED_SERIAL)) == 0);
	CHECK((change.what & CHANGED_ASSET) != 0);
	CHECK(machines_get(t, 1, &m) && slice_is(m.serial, "SN0001") && slice_is(m.asset, "None"));

	test_case("what is replaced is told as it was");
	(void)see(&(struct who){ .mac = M1,
		      .uuid = U1,
		      .serial = "SN0001",
		      .asset = "A-17",
		      .maker = "Acme",
		      .product = "B",
		      .circuit = "gi2" },
	    &change);
	CHECK_STR(change.asset, "None");
	CHECK_INT(change.what & (CHANGED_MODEL | CHANGED_PORT | CHANGED_ASSET),
	    CHANGED_MODEL | CHANGED_PORT | CHANGED_ASSET);
	CHECK(machines_get(t, 1, &m) && slice_is(m.product, "B") && slice_is(m.circuit, "gi2"));
	CHECK_STR(machine_change_name(CHANGED_PORT), "port");
}

static void
test_identity(void)
{
	static const struct {
		const char *text;
		bool bad;
	} texts[] = {
		{ "", true },
		{ "0", true },
		{ "AB", true },
		{ "00000000", true },
		{ "........", true },
		{ "TO BE FILLED BY O.E.M.", true },
		{ "System Serial Number", true },
		{ "Default string", true },
		{ "SERIES 5", true },
		{ "5CD1234XYZ", false },
		{ "None1", false },
	};
	static const uint8_t option82[] = { 1, 3, 'g', 'i', '1', 9, 1, 0, 2, 4, 's', 'w', '-',
		'1' };
	struct boot_request r = {
		.serial = slice_str(" \tSN0001 \r\n"),
		.asset = slice_str("   "),
		.relay_info = { option82, sizeof(option82) },
		.relay = { 4, { 10, 0, 0, 1 } },
	};
	struct identity id;
	struct macaddr mac;

	test_case("blanks around a text are no part of it; option 82 gives the switch port");
	identity_from_request(&r, &id);
	CHECK(slice_is(id.serial, "SN0001") && id.asset.n == 0);
	CHECK(slice_is(id.circuit, "gi1") && slice_is(id.remote, "sw-1"));

	test_case("every truncation of option 82 is read without harm");
	for (size_t n = 0; n < sizeof(option82); n++) {
		r.relay_info.n = n;
		identity_from_request(&r, &id);
		CHECK(id.circuit.n <= 3);
	}

	test_case("serial numbers that makers left at their defaults are known");
	for (size_t i = 0; i < NITEMS(texts); i++)
		CHECK_INT(identity_text_is_bad(&lists, slice_str(texts[i].text)), texts[i].bad);

	test_case("shared adapters are listed whole or by their beginning");
	CHECK_INT(identity_check_adapter("00:e0:4c:*"), 0);
	CHECK_INT(identity_check_adapter("00e04c*"), 0);
	CHECK_INT(identity_check_adapter("*"), -EINVAL);
	CHECK_INT(identity_check_adapter("dock"), -EINVAL);
	CHECK_INT(mac_parse(slice_str(DOCK), &mac), 0);
	CHECK(identity_mac_is_shared(&lists, &mac));
	CHECK(!identity_mac_is_shared(NULL, &mac));
	CHECK_INT(mac_parse(slice_str("02:00:00:00:00:07:08"), &mac), 0);
	CHECK(!identity_mac_is_shared(&lists, &mac));
}

int
main(void)
{
	test_identity();
	test_matches();
	test_reasons();
	test_learning();
	machines_free(t);
	return test_end();
}
