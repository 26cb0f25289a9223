/* Tests of common/rival.c and rival_table.c: what servers send, what it does, who is remembered. */
#include "common/rival.h"

#include "common/arch.h"
#include "tests/common/packets.h"
#include "tests/test.h"

#include <errno.h>
#include <string.h>

#define OFFER    "350102 "
#define ACK      "350105 "
#define ID       "36040a4d0001 "
#define PXE      CLASS_BARE
#define HTTPC    "3c0a 48545450436c69656e74 "
#define BYPASS   "2b04 060108ff "
#define MENU     "2b0f 060103 0a0400505845 0903800001 ff "
#define FILE_OPT "4306 612e65666900 "
#define URL_OPT  "4312 687474703a2f2f6578616d706c652f612e65 "
#define PRIO(n)  "af03 0101" n " "

#define ADDRESS  RIVAL_SENDS_ADDRESS
#define TO_US    RIVAL_SENDS_TO_US

static const uint8_t server_ip[4] = { 10, 77, 0, 1 };
static const struct ipaddr ours[] = { { 4, { 10, 77, 0, 2 } }, { 4, { 10, 77, 0, 3 } } };

/* A server's packet with these options; `yiaddr`: it gives an address. */
static size_t
reply(const char *options, bool yiaddr, const uint8_t siaddr[static 4], const char *file,
    uint8_t bytes[static 1500])
{
	size_t n = packet_build(options, bytes, 1500);

	bytes[0] = DHCP_BOOTREPLY;
	if (yiaddr)
		memcpy(bytes + 16, (const uint8_t[]){ 10, 77, 0, 50 }, 4);
	memcpy(bytes + 20, siaddr, 4);
	memcpy(bytes + 108, file, strlen(file));
	return n;
}

static const struct {
	const char *what, *options;
	bool yiaddr;
	uint8_t siaddr[4];
	const char *file;
	uint16_t port;
	int rc;
	uint32_t sends;
	/* what it does to them, from RIVAL_BIOS on */
	enum rival_effect bios, uefi, http, ipxe;
} cases[] = {
	{ "a plain DHCP server", OFFER ID "ff", true, { 0 }, "", 67, 0, ADDRESS, RIVAL_PLAIN,
	    RIVAL_PLAIN, RIVAL_PLAIN, RIVAL_PLAIN },
	{ "one that puts itself into siaddr", OFFER ID "ff", true, { 10, 77, 0, 1 }, "", 67, 0,
	    ADDRESS, RIVAL_PLAIN, RIVAL_PLAIN, RIVAL_PLAIN, RIVAL_PLAIN },
	{ "a DHCP server with a boot file", OFFER ID "ff", true, { 10, 77, 0, 9 }, "a.efi", 67, 0,
	    ADDRESS | RIVAL_SENDS_FILE | RIVAL_SENDS_NEXT, RIVAL_RACES, RIVAL_LOSES, RIVAL_PLAIN,
	    RIVAL_LOSES },
	{ "the same by option 67", OFFER ID FILE_OPT "ff", true, { 0 }, "", 67, 0,
	    ADDRESS | RIVAL_SENDS_FILE, RIVAL_RACES, RIVAL_LOSES, RIVAL_PLAIN, RIVAL_LOSES },
	{ "a DHCP server with option 60", OFFER ID PXE "ff", true, { 0 }, "", 67, 0,
	    ADDRESS | RIVAL_SENDS_PXE, RIVAL_WINS, RIVAL_WINS, RIVAL_PLAIN, RIVAL_RACES },
	{ "with option 60 and our address as next-server", OFFER ID PXE "ff", true,
	    { 10, 77, 0, 3 }, "", 67, 0, ADDRESS | RIVAL_SENDS_PXE | RIVAL_SENDS_NEXT | TO_US,
	    RIVAL_LEADS_TO_US, RIVAL_LEADS_TO_US, RIVAL_PLAIN, RIVAL_RACES },
	{ "with options 60 and 43", OFFER ID PXE BYPASS "ff", true, { 10, 77, 0, 2 }, "a.efi", 67,
	    0,
	    ADDRESS | RIVAL_SENDS_PXE | RIVAL_SENDS_PXE10 | RIVAL_SENDS_FILE | RIVAL_SENDS_NEXT |
		TO_US,
	    RIVAL_LEADS_TO_US, RIVAL_WINS, RIVAL_PLAIN, RIVAL_RACES },
	{ "option 43 without 60 is somebody else's", OFFER ID BYPASS "ff", true, { 0 }, "", 67, 0,
	    ADDRESS, RIVAL_PLAIN, RIVAL_PLAIN, RIVAL_PLAIN, RIVAL_PLAIN },
	{ "a proxy that leads to port 4011", OFFER ID PXE "ff", false, { 10, 77, 0, 1 }, "", 67, 0,
	    RIVAL_SENDS_PXE, RIVAL_RACES, RIVAL_RACES, RIVAL_DISCARDED, RIVAL_RACES },
	{ "a proxy with a menu", OFFER ID PXE MENU "ff", false, { 10, 77, 0, 1 }, "a.0", 67, 0,
	    RIVAL_SENDS_PXE | RIVAL_SENDS_PXE10 | RIVAL_SENDS_MENU | RIVAL_SENDS_FILE, RIVAL_RACES,
	    RIVAL_RACES, RIVAL_DISCARDED, RIVAL_RACES },
	{ "an answer of a boot server", ACK ID PXE "ff", false, { 10, 77, 0, 1 }, "a.0", 4011, 0,
	    RIVAL_SENDS_PXE | RIVAL_SENDS_FILE | RIVAL_SENDS_BOOTSERVER, RIVAL_WINS, RIVAL_WINS,
	    RIVAL_DISCARDED, RIVAL_WINS },
	{ "a proxy without option 60", OFFER ID "ff", false, { 10, 77, 0, 1 }, "a.0", 67, 0,
	    RIVAL_SENDS_FILE, RIVAL_DISCARDED, RIVAL_DISCARDED, RIVAL_DISCARDED, RIVAL_DISCARDED },
	{ "HTTP Boot by the DHCP server", OFFER ID HTTPC URL_OPT "ff", true, { 0 }, "", 67, 0,
	    ADDRESS | RIVAL_SENDS_HTTP | RIVAL_SENDS_FILE, RIVAL_RACES, RIVAL_LOSES, RIVAL_WINS,
	    RIVAL_LOSES },
	{ "its class without a URL", OFFER ID HTTPC "ff", true, { 0 }, "", 67, 0,
	    ADDRESS | RIVAL_SENDS_HTTP, RIVAL_PLAIN, RIVAL_PLAIN, RIVAL_WINS, RIVAL_PLAIN },
	{ "HTTP Boot by a proxy", OFFER ID HTTPC URL_OPT "ff", false, { 10, 77, 0, 1 }, "", 67, 0,
	    RIVAL_SENDS_HTTP | RIVAL_SENDS_FILE, RIVAL_DISCARDED, RIVAL_DISCARDED, RIVAL_RACES,
	    RIVAL_DISCARDED },
	{ "iPXE's priority as high as ours", OFFER ID PRIO("01") "ff", true, { 0 }, "http://x/", 67,
	    0, ADDRESS | RIVAL_SENDS_FILE | RIVAL_SENDS_PRIORITY, RIVAL_RACES, RIVAL_LOSES,
	    RIVAL_PLAIN, RIVAL_WINS },
	{ "a negative priority", OFFER ID PRIO("ff") "ff", true, { 0 }, "http://x/", 67, 0,
	    ADDRESS | RIVAL_SENDS_FILE, RIVAL_RACES, RIVAL_LOSES, RIVAL_PLAIN, RIVAL_LOSES },
	{ "iPXE is not to wait for proxies", OFFER ID "af03 b00101 ff", true, { 0 }, "", 67, 0,
	    ADDRESS | RIVAL_SENDS_NO_PROXY, RIVAL_PLAIN, RIVAL_PLAIN, RIVAL_PLAIN, RIVAL_WINS },
	{ "a BOOTP server", ID "ff", true, { 0 }, "a.0", 67, 0,
	    ADDRESS | RIVAL_SENDS_FILE | RIVAL_SENDS_BOOTP, RIVAL_RACES, RIVAL_LOSES, RIVAL_PLAIN,
	    RIVAL_LOSES },
	{ "a NAK", "350106 ff", false, { 0 }, "", 67, -ENOMSG, 0, 0, 0, 0, 0 },
	{ "an acknowledged INFORM", ACK ID "ff", false, { 0 }, "", 67, -ENOMSG, 0, 0, 0, 0, 0 },
};

static void
test_reading(void)
{
	uint8_t bytes[1500];
	struct dhcp_packet p;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		size_t n =
		    reply(cases[i].options, cases[i].yiaddr, cases[i].siaddr, cases[i].file, bytes);
		struct rival_offer o = { 0 };
		struct ipaddr server = { 0 };

		test_case("server: %s", cases[i].what);
		CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
		CHECK_INT(rival_read(&p, server_ip, cases[i].port, ours, NITEMS(ours), &server, &o),
		    cases[i].rc);
		if (cases[i].rc < 0)
			continue;
		CHECK_INT(o.sends, cases[i].sends);
		CHECK(server.family == 4 && memcmp(server.b, server_ip, 4) == 0);
		CHECK_STR(rival_effect_name(rival_judge(RIVAL_BIOS, &o)->effect),
		    rival_effect_name(cases[i].bios));
		CHECK_STR(rival_effect_name(rival_judge(RIVAL_UEFI, &o)->effect),
		    rival_effect_name(cases[i].uefi));
		CHECK_STR(rival_effect_name(rival_judge(RIVAL_ANY, &o)->effect),
		    rival_effect_name(cases[i].uefi));
		CHECK_STR(rival_effect_name(rival_judge(RIVAL_HTTP, &o)->effect),
		    rival_effect_name(cases[i].http));
		CHECK_STR(rival_effect_name(rival_judge(RIVAL_IPXE, &o)->effect),
		    rival_effect_name(cases[i].ipxe));
	}

	test_case("server: every set of bits is judged, and what harms has a cure");
	for (uint32_t bits = 0; bits < 1u << 13; bits++) {
		for (enum rival_client k = 0; k < RIVAL_CLIENTS; k++) {
			struct rival_offer o = { .sends = bits };
			const struct rival_judgement *j = rival_judge(k, &o);

			CHECK(j->words[0] != '\0');
			CHECK((j->effect >= RIVAL_LOSES) == (j->cure[0] != '\0'));
		}
	}

	test_case("server: one that names no option 54 goes by its address");
	{
		size_t n = reply(OFFER "ff", true, (const uint8_t[4]){ 0 }, "", bytes);
		struct rival_offer o;
		struct ipaddr server;

		CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
		CHECK_INT(rival_read(&p, server_ip, 67, NULL, 0, &server, &o), 0);
		CHECK(memcmp(server.b, server_ip, 4) == 0);
	}

	test_case("server: a client's packet is none of a server");
	{
		size_t n = packet_build(EDK2_DISCOVER, bytes, sizeof(bytes));
		struct rival_offer o;
		struct ipaddr server;

		CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
		CHECK_INT(rival_read(&p, server_ip, 67, NULL, 0, &server, &o), -ENOMSG);
	}
}

static void
test_clients(void)
{
	static const struct {
		enum boot_client client;
		uint16_t arch;
		enum rival_client want;
	} rows[] = {
		{ CLIENT_PXE, 0, RIVAL_BIOS },
		{ CLIENT_PXE, 7, RIVAL_UEFI },
		{ CLIENT_PXE, 11, RIVAL_UEFI },
		{ CLIENT_IPXE, 0, RIVAL_IPXE },
		{ CLIENT_HTTP, 16, RIVAL_HTTP },
		{ CLIENT_UNKNOWN, ARCH_UNKNOWN, RIVAL_ANY },
	};

	for (size_t i = 0; i < NITEMS(rows); i++) {
		test_case("client: %s %u is %s", boot_client_name(rows[i].client), rows[i].arch,
		    rival_client_name(rows[i].want));
		CHECK_INT(rival_client_of(rows[i].client, rows[i].arch), rows[i].want);
	}
}

static struct rival_id
id_of(uint8_t n)
{
	return (struct rival_id){ .address = { 4, { 10, 0, 0, n } },
		.mac = { 6, { 2, 0, 0, 0, 0, n } },
		.interface = slice_str("eth0"),
		.subnet = slice_str("lab") };
}

static void
test_table(void)
{
	const struct rival_offer plain = { .sends = ADDRESS, .offers = 1 };
	const struct rival_offer bad = { .sends = ADDRESS | RIVAL_SENDS_PXE, .offers = 1 };
	struct rivals t, again;
	struct rival_id id;
	struct rival *r;
	json_t *dump;
	bool is_new;

	test_case("table: a server is found again, another MAC is another server");
	CHECK_INT(rivals_init(&t, 3), 0);
	id = id_of(1);
	r = rivals_note(&t, &id, 1000, &is_new);
	CHECK(is_new);
	r->is_usual = true;
	CHECK(rivals_note(&t, &id, 2000, &is_new) == r && !is_new);
	id.mac.b[5] = 9;
	(void)rivals_note(&t, &id, 3000, &is_new);
	CHECK(is_new && t.n == 2);
	id.interface = slice_str("eth1");
	(void)rivals_note(&t, &id, 3500, &is_new);
	CHECK(is_new && t.n == 3);

	test_case("table: it is bounded, and usual ones make room last");
	for (uint8_t n = 20; n < 120; n++) {
		id = id_of(n);
		(void)rivals_note(&t, &id, 4000u + n, &is_new);
		CHECK(is_new);
	}
	CHECK_INT(t.n, 3);
	CHECK_INT(t.made_room, 100);
	id = id_of(1);
	r = rivals_note(&t, &id, 9000, &is_new);
	CHECK(!is_new && r->is_usual && r->first_ms == 1000);

	test_case("table: a few changes are told at once, then one a minute");
	CHECK_INT(rival_worst(r)->effect, RIVAL_PLAIN);
	rival_note_offer(r, RIVAL_UEFI, &plain, 9000);
	CHECK_INT(rival_tell(r, RIVAL_UEFI, 9000), RIVAL_FIRST);
	CHECK_INT(rival_tell(r, RIVAL_UEFI, 9001), RIVAL_NO_NEWS);
	CHECK_INT(rival_tell(r, RIVAL_UEFI, 9000 + RIVAL_TELL_MS), RIVAL_GOES_ON);
	rival_note_offer(r, RIVAL_UEFI, &bad, 70000);
	CHECK_INT(rival_tell(r, RIVAL_UEFI, 70000), RIVAL_CHANGED);
	for (unsigned i = 1; i < RIVAL_CHANGES; i++) {
		rival_note_offer(r, RIVAL_UEFI, i % 2 != 0 ? &plain : &bad, 70000 + i);
		CHECK_INT(rival_tell(r, RIVAL_UEFI, 70000 + i), RIVAL_CHANGED);
	}
	rival_note_offer(r, RIVAL_UEFI, &bad, 70010);
	CHECK_INT(rival_tell(r, RIVAL_UEFI, 70010), RIVAL_NO_NEWS);
	CHECK_INT(rival_tell(r, RIVAL_UEFI, 140000), RIVAL_CHANGED);
	CHECK_INT(rival_tell(r, RIVAL_UEFI, 200000), RIVAL_GOES_ON);
	rival_note_offer(r, RIVAL_UEFI, &plain, 200001);
	CHECK_INT(rival_tell(r, RIVAL_UEFI, 200001), RIVAL_CHANGED);
	rival_note_offer(r, RIVAL_UEFI, &bad, 200002);
	CHECK_INT(rival_tell(r, RIVAL_IPXE, 140000), RIVAL_FIRST);
	CHECK_INT(rival_worst(r)->effect, RIVAL_WINS);
	CHECK_INT(r->to[RIVAL_UEFI].untold, 4 + RIVAL_CHANGES);

	test_case("table: a relay between is no change");
	CHECK(rival_is_same(bad.sends, &bad.next,
	    &(struct rival_offer){ .sends = bad.sends | RIVAL_SENDS_RELAYED }));
	CHECK(!rival_is_same(plain.sends, &plain.next, &bad));
	CHECK(!rival_is_same(bad.sends, &ours[0], &bad));

	test_case("table: what was dumped is read back");
	memcpy(r->to[RIVAL_UEFI].file, "b\xff.efi", 6);
	dump = rivals_dump(&t);
	CHECK_INT(json_array_size(dump), 3);
	CHECK_STR(json_string_value(json_object_get(json_array_get(dump, 0), "kind")), "dhcp+boot");
	CHECK_INT(rivals_init(&again, 2), 0);
	rivals_restore(&again, dump);
	CHECK_INT(again.n, 2);
	r = rivals_note(&again, &id, 200000, &is_new);
	CHECK(!is_new && r->is_usual && r->first_ms == 1000);
	CHECK_INT(r->to[RIVAL_UEFI].sends, bad.sends);
	CHECK_INT(r->to[RIVAL_UEFI].offers, 4 + RIVAL_CHANGES);
	json_decref(dump);

	test_case("table: rubbish is left out");
	dump = json_pack(
	    "[i, {}, {s:s}, {s:s, s:[i]}]", 1, "address", "x", "address", "10.0.0.9", "clients", 3);
	rivals_fini(&again);
	CHECK_INT(rivals_init(&again, 8), 0);
	rivals_restore(&again, dump);
	CHECK_INT(again.n, 1);
	json_decref(dump);
	rivals_fini(&again);

	test_case("table: servers are accepted and forgotten by address or MAC");
	CHECK_INT(rivals_forget(&t, "nonsense"), 0);
	CHECK_INT(rivals_forget(&t, "0.0.0.0"), 0);
	CHECK_INT(rivals_accept(&t, "10.0.0.119"), 1);
	CHECK_INT(rivals_accept(&t, "nonsense"), 0);
	CHECK_INT(rivals_forget(&t, "10.0.0.1"), 1);
	CHECK_INT(rivals_forget(&t, "02:00:00:00:00:77"), 1);
	CHECK_INT(t.n, 1);
	CHECK_INT(rivals_forget(&t, NULL), 1);
	rivals_fini(&t);
}

int
main(void)
{
	test_reading();
	test_clients();
	test_table();
	return test_end();
}
