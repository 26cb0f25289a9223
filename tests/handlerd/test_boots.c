/* Tests of handlerd/boots.c: what belongs to one boot, and when a new one begins. */
#include "handlerd/boots.h"

#include "common/arch.h"
#include "tests/test.h"

#include <string.h>

static uint64_t next_random = 100;

static uint64_t
random_bits(void *arg)
{
	(void)arg;
	return next_random++;
}

static struct boots *t;
static uint64_t now_ms = 1700000000000;

static const struct macaddr mac_a = { 6, { 2, 0, 0, 0, 0, 0xa } };
static const struct macaddr mac_b = { 6, { 2, 0, 0, 0, 0, 0xb } };
static const struct ipaddr ip_a = { 4, { 10, 0, 0, 1 } };
static const struct ipaddr ip_b = { 4, { 10, 0, 0, 2 } };

static struct boot *
request(enum boot_stage stage, enum boot_client client, const struct macaddr *mac,
    const struct ipaddr *ip, bool *opened)
{
	struct boot_request r = { .stage = stage, .client = client, .arch = 7 };

	if (mac != NULL)
		r.mac = *mac;
	if (ip != NULL)
		r.address = *ip;
	return boots_for_request(t, &r, now_ms, opened);
}

static void
fresh(void)
{
	boots_free(t);
	CHECK_INT(boots_new(100, 900000, random_bits, NULL, &t), 0);
}

static const struct ipaddr ip6_a = { 6, { 0xfd, 0x77, [15] = 1 } };
static const struct ipaddr ip6_b = { 6, { 0xfd, 0x77, [15] = 2 } };

/* The boot server step over IPv6: no hardware address, an address never seen, a UUID. */
static void
test_boot_server6(void)
{
	struct boot_request r = { .stage = STAGE_DISCOVER,
		.client = CLIENT_PXE,
		.mac = mac_a,
		.server = { 6, { 0xfd, 0x77 } },
		.has_uuid = true,
		.uuid = { { 1, 2, 3 } } };
	struct boot_event lease = { .kind = EVENT_LEASE, .mac = mac_a, .address = ip6_a };
	struct boot *first, *other;
	bool opened;

	test_case("IPv6: the boot server step is of the boot that has just asked with this UUID");
	fresh();
	first = boots_for_request(t, &r, now_ms, &opened);
	(void)boots_for_event(t, &lease, now_ms);
	r.stage = STAGE_BOOTSERVER;
	r.mac = (struct macaddr){ 0 };
	r.address = ip6_b;
	CHECK(boots_for_request(t, &r, now_ms + 5000, &opened) == first && !opened);
	CHECK(ip_eq(&first->address, &ip6_a)); /* which it boots with */

	test_case("IPv6: of two with one UUID it is the later one");
	r.stage = STAGE_DISCOVER;
	r.mac = mac_b;
	other = boots_for_request(t, &r, now_ms + 6000, &opened);
	CHECK(other != first);
	r.stage = STAGE_BOOTSERVER;
	r.mac = (struct macaddr){ 0 };
	CHECK(boots_for_request(t, &r, now_ms + 7000, &opened) == other);

	test_case("IPv6: one of long ago, or with another UUID, it is not");
	r.address = (struct ipaddr){ 6, { 0xfd, 0x77, [15] = 9 } };
	CHECK(boots_for_request(t, &r, now_ms + 200000, &opened) != other && opened);
	r.address.b[15] = 10;
	r.uuid.b[0] = 9;
	(void)boots_for_request(t, &r, now_ms + 7000, &opened);
	CHECK(opened);
}

static void
test_ties(void)
{
	struct boot_event e = { .kind = EVENT_LEASE };
	struct boot_request r = { .stage = STAGE_REPORT };
	struct boot *first, *b;
	bool opened;

	test_case("a DISCOVER opens a boot, its repetition and the 4011 request belong to it");
	fresh();
	first = request(STAGE_DISCOVER, CLIENT_PXE, &mac_a, NULL, &opened);
	CHECK(opened && first->id == 100 && first->arch == 7);
	CHECK(request(STAGE_DISCOVER, CLIENT_PXE, &mac_a, NULL, &opened) == first && !opened);
	CHECK(request(STAGE_BOOTSERVER, CLIENT_PXE, &mac_a, &ip_a, &opened) == first && !opened);

	test_case("a file request from its address belongs to it");
	CHECK(request(STAGE_FILE, CLIENT_UNKNOWN, NULL, &ip_a, &opened) == first && !opened);

	test_case("an address that a REQUEST to a DHCP server told ties it too");
	fresh();
	first = request(STAGE_DISCOVER, CLIENT_PXE, &mac_a, NULL, &opened);
	e.mac = mac_a;
	e.address = ip_b;
	CHECK(boots_for_event(t, &e, now_ms) == first);
	CHECK(request(STAGE_FILE, CLIENT_UNKNOWN, NULL, &ip_b, &opened) == first && !opened);

	test_case("a request from an unknown address opens a boot, which its machine then adopts");
	fresh();
	first = request(STAGE_FILE, CLIENT_UNKNOWN, NULL, &ip_a, &opened);
	CHECK(opened);
	b = request(STAGE_BOOT, CLIENT_IPXE, &mac_a, &ip_a, &opened);
	CHECK(b == first && !opened);
	CHECK(mac_eq(&b->mac, &mac_a));

	test_case("an address that passed on to another machine does not tie the two");
	fresh();
	first = request(STAGE_BOOT, CLIENT_IPXE, &mac_a, &ip_a, &opened);
	b = request(STAGE_BOOT, CLIENT_IPXE, &mac_b, &ip_a, &opened);
	CHECK(b != first && opened);
	CHECK(request(STAGE_FILE, CLIENT_UNKNOWN, NULL, &ip_a, &opened) == b);

	test_case("the id that a client gives ties its report");
	fresh();
	first = request(STAGE_BOOT, CLIENT_IPXE, &mac_a, &ip_a, &opened);
	r.boot = first->id;
	r.address = ip_a;
	CHECK(boots_for_request(t, &r, now_ms, &opened) == first);

	test_case("an id is a claim: another address or machine cannot use it");
	r.address = ip_b;
	CHECK(boots_for_request(t, &r, now_ms, &opened) != first);
	r.mac = mac_b;
	r.address = ip_a;
	CHECK(boots_for_request(t, &r, now_ms, &opened) != first);

	test_case("but over IPv6 a machine's next system has another address on the same link");
	fresh();
	first = request(STAGE_BOOT, CLIENT_IPXE, &mac_a, &ip6_a, &opened);
	r = (struct boot_request){ .stage = STAGE_REPORT, .boot = first->id, .address = ip6_b };
	CHECK(boots_for_request(t, &r, now_ms, &opened) == first);
	r.address.b[7] ^= 1; /* of another link */
	CHECK(boots_for_request(t, &r, now_ms, &opened) != first);

	test_case("a machine with both IP versions is known by either address");
	fresh();
	first = request(STAGE_DISCOVER, CLIENT_IPXE, &mac_a, NULL, &opened);
	e.mac = mac_a;
	e.address = ip_a;
	CHECK(boots_for_event(t, &e, now_ms) == first);
	e.address = ip6_a;
	CHECK(boots_for_event(t, &e, now_ms) == first);
	CHECK(request(STAGE_BOOT, CLIENT_UNKNOWN, NULL, &ip_a, &opened) == first && !opened);
	CHECK(request(STAGE_FILE, CLIENT_UNKNOWN, NULL, &ip6_a, &opened) == first && !opened);
	CHECK(ip_eq(&first->address, &ip_a));

	test_boot_server6();

	test_case("events open no boot");
	fresh();
	CHECK(boots_for_event(t, &e, now_ms) == NULL);
	CHECK_INT(boots_count(t), 0);
}

static void
set_phase(struct boot *b, enum boot_stage stage, enum boot_client client, enum boot_action action,
    const char *file, enum boot_reason reason)
{
	struct boot_request r = { .stage = stage, .client = client };
	struct boot_answer a = { .action = action, .file = slice_str(file), .reason = reason };

	boot_note_answer(b, &r, &a);
}

static void
test_new_boots(void)
{
	static const struct {
		const char *what;
		enum boot_phase phase;
		uint64_t silence_ms;
		enum boot_stage stage;
		enum boot_client client;
		bool opened;
	} cases[] = {
		{ "firmware asks again before it got a loader", PHASE_FIRMWARE, 4000,
		    STAGE_DISCOVER, CLIENT_PXE, false },
		{ "firmware asks by HTTP after PXE failed", PHASE_FIRMWARE, 60000, STAGE_DISCOVER,
		    CLIENT_HTTP, false },
		{ "firmware asks after it got a loader: the machine was reset", PHASE_LOADER, 4000,
		    STAGE_DISCOVER, CLIENT_PXE, true },
		{ "iPXE asks after the loader", PHASE_LOADER, 4000, STAGE_DISCOVER, CLIENT_IPXE,
		    false },
		{ "iPXE's script asks DHCP again", PHASE_SCRIPT, 5000, STAGE_DISCOVER, CLIENT_IPXE,
		    false },
		{ "iPXE asks long after its script", PHASE_SCRIPT, 40000, STAGE_DISCOVER,
		    CLIENT_IPXE, true },
		{ "iPXE asks after an image", PHASE_IMAGE, 5000, STAGE_DISCOVER, CLIENT_IPXE,
		    true },
		{ "iPXE asks after a failure", PHASE_FAILED, 5000, STAGE_DISCOVER, CLIENT_IPXE,
		    true },
		{ "the menu comes back after a failure", PHASE_FAILED, 5000, STAGE_BOOT,
		    CLIENT_IPXE, false },
		{ "a boot request after the boot is done", PHASE_DONE, 5000, STAGE_BOOT,
		    CLIENT_IPXE, true },
		{ "the system reports again after it is done", PHASE_DONE, 5000, STAGE_REPORT,
		    CLIENT_UNKNOWN, false },
		{ "anything after a long silence", PHASE_FIRMWARE, 900001, STAGE_FILE,
		    CLIENT_UNKNOWN, true },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot *b;
		bool opened;

		test_case("a new boot or not: %s", cases[i].what);
		fresh();
		b = request(STAGE_DISCOVER, CLIENT_PXE, &mac_a, &ip_a, &opened);
		b->phase = cases[i].phase;
		now_ms += cases[i].silence_ms;
		(void)request(cases[i].stage, cases[i].client, &mac_a, &ip_a, &opened);
		CHECK_INT(opened, cases[i].opened);
	}
}

static void
test_phases(void)
{
	struct boot *b;
	bool opened;

	test_case("answers move a boot from phase to phase, and never back by a repetition");
	fresh();
	b = request(STAGE_DISCOVER, CLIENT_PXE, &mac_a, &ip_a, &opened);
	CHECK_INT(b->phase, PHASE_FIRMWARE);
	set_phase(
	    b, STAGE_FILE, CLIENT_UNKNOWN, ACTION_FILE, "boot/x64/snponly.efi", REASON_PUBLIC_FILE);
	CHECK_INT(b->phase, PHASE_LOADER);
	set_phase(b, STAGE_DISCOVER, CLIENT_IPXE, ACTION_OFFER, "https://x", REASON_SCRIPT_URL);
	CHECK_INT(b->phase, PHASE_IPXE);
	set_phase(b, STAGE_BOOT, CLIENT_IPXE, ACTION_DATA, NULL, REASON_COLLECT);
	CHECK_INT(b->phase, PHASE_IPXE);
	set_phase(b, STAGE_BOOT, CLIENT_IPXE, ACTION_DATA, NULL, REASON_MENU);
	CHECK_INT(b->phase, PHASE_SCRIPT);
	set_phase(
	    b, STAGE_FILE, CLIENT_IPXE, ACTION_FILE, "images/tiny/vmlinuz", REASON_PUBLIC_FILE);
	CHECK_INT(b->phase, PHASE_IMAGE);
	CHECK_STR(b->image, "tiny");
	set_phase(b, STAGE_FILE, CLIENT_IPXE, ACTION_FILE, "boot/x", REASON_PUBLIC_FILE);
	set_phase(b, STAGE_BOOT, CLIENT_IPXE, ACTION_DATA, NULL, REASON_COLLECT);
	CHECK_INT(b->phase, PHASE_IMAGE);
	boot_note_report(b, slice_str("Failed/ipxe"));
	CHECK_INT(b->phase, PHASE_FAILED);
	set_phase(b, STAGE_BOOT, CLIENT_IPXE, ACTION_DATA, NULL, REASON_MENU);
	CHECK_INT(b->phase, PHASE_SCRIPT);
	boot_note_report(b, slice_str("started"));
	CHECK_INT(b->phase, PHASE_STARTED);
	boot_note_report(b, slice_str("startedX"));
	boot_note_report(b, slice_str("temperature"));
	CHECK_INT(b->phase, PHASE_STARTED);
	boot_note_report(b, slice_str("DeployEnd"));
	CHECK_INT(b->phase, PHASE_DONE);

	test_case("a refused file changes nothing");
	fresh();
	b = request(STAGE_DISCOVER, CLIENT_PXE, &mac_a, &ip_a, &opened);
	set_phase(b, STAGE_FILE, CLIENT_UNKNOWN, ACTION_ERROR, NULL, REASON_NO_SUCH_FILE);
	CHECK_INT(b->phase, PHASE_FIRMWARE);
}

static void
test_repetitions(void)
{
	struct boot b = { 0 };
	uint32_t repeats = 77;

	test_case("what repeats itself is counted and told with the next thing that does not");
	CHECK(!boot_is_repetition(&b, NOTE_REQUEST, 1, 1000, &repeats));
	CHECK_INT(repeats, 0);
	CHECK(boot_is_repetition(&b, NOTE_REQUEST, 1, 1100, &repeats));
	CHECK(!boot_is_repetition(&b, NOTE_OFFER, 9, 1100, &repeats));
	CHECK(boot_is_repetition(&b, NOTE_REQUEST, 1, 1200, &repeats));
	CHECK(!boot_is_repetition(&b, NOTE_REQUEST, 2, 1300, &repeats));
	CHECK_INT(repeats, 2);

	test_case("after a while, or when something else happened, it counts as new");
	CHECK(!boot_is_repetition(&b, NOTE_REQUEST, 2, 1300 + BOOT_REPEAT_MS, &repeats));
	boot_break_repetition(&b);
	CHECK(!boot_is_repetition(&b, NOTE_REQUEST, 2, 1301 + BOOT_REPEAT_MS, &repeats));
}

/* A boot of mac_a that gets as far as its loader. */
static struct boot *
to_loader(void)
{
	struct boot_answer a = { .action = ACTION_FILE, .file = slice_str("boot/x64/snponly.efi") };
	struct boot_request r = { .stage = STAGE_FILE, .via = VIA_TFTP, .mac = mac_a };
	struct boot *b;
	bool opened;

	b = request(STAGE_DISCOVER, CLIENT_PXE, &mac_a, NULL, &opened);
	boot_note_answer(b, &r, &a);
	return b;
}

static void
test_attempts(void)
{
	const struct boot_request boot = { .stage = STAGE_BOOT, .mac = mac_a };
	struct boot_answer menu = { .action = ACTION_DATA, .reason = REASON_MENU };
	struct boot *b;
	bool opened;

	test_case("attempts count on while a machine gets no further than its loader");
	fresh();
	b = to_loader();
	CHECK(b->attempt == 1 && b->before_ms == 0);
	now_ms += 60000;
	b = to_loader();
	CHECK(b->attempt == 2 && b->before == PHASE_LOADER && b->before_ms == now_ms - 60000);
	now_ms += 60000;
	b = request(STAGE_DISCOVER, CLIENT_PXE, &mac_a, NULL, &opened);
	CHECK(opened && b->attempt == 3);

	test_case("a boot that got to its script ends the count");
	boot_note_answer(b, &boot, &menu);
	now_ms += 60000;
	b = to_loader();
	CHECK(b->attempt == 1 && b->before == PHASE_SCRIPT);

	test_case("and so does an hour");
	now_ms += 3600000;
	b = request(STAGE_DISCOVER, CLIENT_PXE, &mac_a, NULL, &opened);
	CHECK(opened && b->attempt == 1 && b->before == PHASE_LOADER);

	test_case("looking does not touch: a boot that is not over is found, one that is is not");
	{
		const struct boot_request again = {
			.stage = STAGE_DISCOVER, .client = CLIENT_PXE, .mac = mac_a
		};

		CHECK(boots_peek(t, &again, now_ms) == b);
		CHECK(boots_peek(t, &again, now_ms + 900001) == NULL);
		CHECK_INT(b->last_ms, now_ms);
	}

	test_case("the entry that a boot is about is its image");
	b->dirty = false;
	boot_note_entry(b, "debian");
	CHECK_STR(b->image, "debian");
	CHECK(b->dirty);
	b->dirty = false;
	boot_note_entry(b, "debian");
	CHECK(!b->dirty);
}

static void
count_boot(void *arg, struct boot *b)
{
	size_t *seen = arg;

	*seen += boots_find(t, b->id) == b;
}

int
main(void)
{
	struct boot saved = { .id = 5, .phase = PHASE_IMAGE, .trusted = true, .image = "tiny" };
	struct boot *b;
	bool opened;

	test_ties();
	test_new_boots();
	test_phases();
	test_repetitions();

	test_case("an offer with our fingerprint is remembered");
	fresh();
	b = request(STAGE_DISCOVER, CLIENT_PXE, &mac_a, NULL, &opened);
	{
		struct boot_request r = { .stage = STAGE_DISCOVER, .client = CLIENT_PXE };
		struct boot_answer a = { .action = ACTION_OFFER };

		boot_note_answer(b, &r, &a);
		CHECK(!b->trusted);
		a.trust = slice_str("0123456789abcdef0123456789abcdef");
		boot_note_answer(b, &r, &a);
		CHECK(b->trusted);
	}

	test_case("a boot from the store goes on where it was");
	fresh();
	saved.mac = mac_a;
	saved.address = ip_a;
	saved.started_ms = saved.last_ms = now_ms;
	b = boots_restore(t, &saved);
	CHECK(b != NULL && !b->dirty && b->trusted);
	CHECK(boots_restore(t, &saved) == NULL);
	CHECK(request(STAGE_FILE, CLIENT_UNKNOWN, NULL, &ip_a, &opened) == b && !opened);
	CHECK(request(STAGE_REPORT, CLIENT_UNKNOWN, &mac_a, NULL, &opened) == b && !opened);

	test_case("beyond the limit the boot silent longest makes room");
	fresh();
	b = request(STAGE_DISCOVER, CLIENT_PXE, &mac_a, &ip_a, &opened);
	for (uint8_t i = 0; i < 99; i++) {
		struct macaddr mac = { 6, { 4, 0, 0, 0, 0, i } };

		(void)request(STAGE_DISCOVER, CLIENT_PXE, &mac, NULL, &opened);
	}
	CHECK_INT(boots_count(t), 100);
	CHECK(request(STAGE_FILE, CLIENT_UNKNOWN, NULL, &ip_a, &opened) == b && !opened);
	(void)request(STAGE_DISCOVER, CLIENT_PXE, &mac_b, NULL, &opened);
	CHECK_INT(boots_count(t), 100);
	CHECK(request(STAGE_FILE, CLIENT_UNKNOWN, NULL, &ip_a, &opened) == b && !opened);
	CHECK(boots_find(t, b->id) == b);

	test_case("parts of the boots together hold each of them once");
	{
		size_t seen = 0;

		for (size_t part = 0; part < 7; part++)
			boots_each(t, part, 7, count_boot, &seen);
		CHECK_INT(seen, 100);
	}

	test_case("a boot remembers the folder of the loader that it fetched last");
	{
		static const struct {
			const char *file, *folder;
		} fetched[] = {
			{ "boot/x64/secure/shimx64.efi", "boot/x64/secure" },
			{ "boot/x64/secure/grub/grub.cfg", "boot/x64/secure" },
			{ "images/x/vmlinuz", "boot/x64/secure" },
			{ "boot/x64/other/grubx64.efi", "boot/x64/other" },
		};
		struct boot_request file = { .stage = STAGE_FILE, .via = VIA_TFTP };

		for (size_t i = 0; i < NITEMS(fetched); i++) {
			struct boot_answer a = { .action = ACTION_FILE,
				.file = slice_str(fetched[i].file) };

			boot_note_answer(b, &file, &a);
			CHECK_STR(b->folder, fetched[i].folder);
		}
		boot_note_answer(b, &file,
		    &(struct boot_answer){ .action = ACTION_ERROR, .file = slice_str("x.efi") });
		CHECK_STR(b->folder, "boot/x64/other");
	}

	test_case("an id that is in use is not given twice");
	next_random = b->id;
	b = request(STAGE_DISCOVER, CLIENT_PXE, &(struct macaddr){ 6, { 9 } }, NULL, &opened);
	CHECK(opened && b->id != next_random - 2);
	test_attempts();
	boots_free(t);
	return test_end();
}
