/* Tests of common/dhcp6.c. */
#include "common/dhcp6.h"

#include "tests/common/packets6.h"
#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RELAY_HEAD "0c00 fd770002000000000000000000000001 fe80000000000000505400fffe000004 "

static void
test_messages(void)
{
	static const struct {
		const char *what, *hex;
		int rc;
		uint8_t type;
		size_t relays;
	} cases[] = {
		{ "edk2's SOLICIT", EDK2_SOLICIT6, 0, DHCP6_SOLICIT, 0 },
		{ "edk2's REQUEST", EDK2_REQUEST6, 0, DHCP6_REQUEST, 0 },
		{ "iPXE's SOLICIT", IPXE_SOLICIT6, 0, DHCP6_SOLICIT, 0 },
		{ "Kea's ADVERTISE", KEA_ADVERTISE6, 0, DHCP6_ADVERTISE, 0 },
		{ "a header alone", "01000001", 0, DHCP6_SOLICIT, 0 },
		{ "less than a header", "010000", -EBADMSG, 0, 0 },
		{ "nothing", "", -EBADMSG, 0, 0 },
		{ "half an option's header", "01000001 0001", -EBADMSG, 0, 0 },
		{ "an option that runs out of the message", "01000001 00010003 0004", -EBADMSG, 0,
		    0 },
		{ "an elapsed time of one octet", "01000001 00080001 00", -EBADMSG, 0, 0 },
		{ "a vendor class without its enterprise", "01000001 00100002 0000", -EBADMSG, 0,
		    0 },
		{ "a relayed message", RELAY_HEAD "00090004 01000001", 0, DHCP6_SOLICIT, 1 },
		{ "twice relayed", RELAY_HEAD "0009002a " RELAY_HEAD "00090004 0b000001", 0,
		    DHCP6_INFORMATION_REQUEST, 2 },
		{ "relayed, but nothing in it", RELAY_HEAD "00120001 41", -EBADMSG, 0, 0 },
		{ "relayed, with an empty message", RELAY_HEAD "00090000", -EBADMSG, 0, 0 },
		{ "a relay's header that is cut off", "0c00 fd77", -EBADMSG, 0, 0 },
		{ "a relay port of one octet", RELAY_HEAD "00870001 00 00090004 01000001", -EBADMSG,
		    0, 0 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		uint8_t bytes[1500];
		size_t n = test_unhex(cases[i].hex, bytes, sizeof(bytes));
		struct dhcp6_packet p;
		int rc;

		test_case("message: %s", cases[i].what);
		rc = dhcp6_parse((struct slice){ bytes, n }, &p);
		CHECK_INT(rc, cases[i].rc);
		if (rc == 0) {
			CHECK_INT(p.type, cases[i].type);
			CHECK_INT(p.nrelays, cases[i].relays);
		}
	}
}

static void
test_options(void)
{
	uint8_t bytes[1500];
	size_t n = test_unhex(EDK2_REQUEST6, bytes, sizeof(bytes));
	struct dhcp6_packet p;
	struct ipaddr ip;
	char text[IP_STRLEN];

	test_case("options are views, the enterprise stands before the class");
	CHECK_INT(dhcp6_parse((struct slice){ bytes, n }, &p), 0);
	CHECK_INT(p.xid, 0xec86a2);
	CHECK_INT(p.client_id.n, 18);
	CHECK_INT(p.server_id.n, 14);
	CHECK_INT(p.arch.n, 2);
	CHECK_INT(p.nii.n, 3);
	CHECK_INT(p.oro.n, 8);
	CHECK_INT(p.vendor_enterprise, DHCP6_ENTERPRISE_PXE);
	CHECK_INT(p.vendor_class.n, 34);

	test_case("the address within an IA");
	CHECK_INT(dhcp6_ia_address(p.ia_na, &ip), 0);
	CHECK_STR(ip_format(&ip, text), "fd77:1::1004");
	CHECK_INT(dhcp6_ia_address((struct slice){ 0 }, &ip), -ENOENT);
	CHECK_INT(dhcp6_ia_address((struct slice){ p.ia_na.p, 30 }, &ip), -ENOENT);

	test_case("of several vendor classes PXE's own counts, else the first");
	n = test_unhex("01000001 00100005 0000013741 00100005 0000015742 00100005 0000015743",
	    bytes, sizeof(bytes));
	CHECK_INT(dhcp6_parse((struct slice){ bytes, n }, &p), 0);
	CHECK_INT(p.vendor_enterprise, DHCP6_ENTERPRISE_PXE);
	CHECK(slice_is(p.vendor_class, "B"));

	test_case("the first of two options of a kind counts");
	n = test_unhex("01000001 00010001 41 00010001 42", bytes, sizeof(bytes));
	CHECK_INT(dhcp6_parse((struct slice){ bytes, n }, &p), 0);
	CHECK(slice_is(p.client_id, "A"));
}

/* `n` wrappings around a header; each has an interface-id of its number. */
static size_t
nest(size_t n, uint8_t *bytes, size_t size)
{
	struct wbuf w;
	size_t marks[16];

	wbuf_init(&w, bytes, size);
	for (size_t i = 0; i < n; i++) {
		uint8_t id = (uint8_t)i;

		wbuf_u8(&w, DHCP6_RELAY_FORW);
		wbuf_u8(&w, (uint8_t)(n - 1 - i));
		wbuf_fill(&w, (uint8_t)(0x10 + i), 16);
		wbuf_fill(&w, (uint8_t)(0x20 + i), 16);
		dhcp6_put_option(&w, DHCP6_OPT_INTERFACE_ID, (struct slice){ &id, 1 });
		wbuf_u16(&w, DHCP6_OPT_RELAY_MSG);
		marks[i] = w.used;
		wbuf_u16(&w, 0);
	}
	dhcp6_put_header(&w, DHCP6_SOLICIT, 7);
	for (size_t i = 0; i < n; i++)
		wbuf_patch_u16(&w, marks[i], (uint16_t)(w.used - marks[i] - 2));
	return w.used;
}

static void
test_relays(void)
{
	uint8_t bytes[1500], out[1500];
	struct dhcp6_packet p, back;
	size_t marks[DHCP6_RELAYS_MAX];
	struct wbuf w;

	test_case("relays nest as deep as RFC 8415 lets them, and no deeper");
	for (size_t n = 0; n < 12; n++) {
		size_t len = nest(n, bytes, sizeof(bytes));

		CHECK_INT(dhcp6_parse((struct slice){ bytes, len }, &p),
		    n <= DHCP6_RELAYS_MAX ? 0 : -EBADMSG);
	}

	test_case("the answer's wrappings are those of the request");
	CHECK_INT(dhcp6_parse((struct slice){ bytes, nest(8, bytes, sizeof(bytes)) }, &p), 0);
	wbuf_init(&w, out, sizeof(out));
	dhcp6_begin_relays(&w, p.relays, p.nrelays, marks);
	dhcp6_put_header(&w, DHCP6_ADVERTISE, 7);
	dhcp6_end_relays(&w, p.nrelays, marks);
	CHECK(!w.bad);
	/* read as requests, they must be the same */
	for (size_t i = 0, at = 0; i < 8; i++) {
		CHECK_INT(out[at], DHCP6_RELAY_REPL);
		out[at] = DHCP6_RELAY_FORW;
		at += DHCP6_RELAY_HEADER_BYTES + 5 + 4;
	}
	CHECK_INT(dhcp6_parse(wbuf_view(&w), &back), 0);
	CHECK_INT(back.type, DHCP6_ADVERTISE);
	CHECK_INT(back.nrelays, 8);
	for (size_t i = 0; i < 8; i++) {
		CHECK_INT(back.relays[i].hops, 7 - i);
		CHECK_INT(back.relays[i].link[0], 0x10 + i);
		CHECK_INT(back.relays[i].peer[15], 0x20 + i);
		CHECK_INT(back.relays[i].interface_id.p[0], i);
	}

	test_case("an interface-id of no octets and a relay's port come back, too");
	{
		size_t n = test_unhex(
		    RELAY_HEAD "00120000 00870002 0222 00090004 01000001", bytes, sizeof(bytes));

		CHECK_INT(dhcp6_parse((struct slice){ bytes, n }, &p), 0);
	}
	CHECK(p.relays[0].has_interface_id);
	CHECK_INT(p.relays[0].port, 546);
	wbuf_init(&w, out, sizeof(out));
	dhcp6_begin_relays(&w, p.relays, 1, marks);
	dhcp6_end_relays(&w, 1, marks);
	bytes[0] = DHCP6_RELAY_REPL;
	CHECK_BYTES(((struct slice){ out, w.used - 2 }),
	    ((struct slice){ bytes, DHCP6_RELAY_HEADER_BYTES + 4 + 6 + 2 }));

	test_case("wrappings that do not fit spoil the cursor");
	wbuf_init(&w, out, 60);
	dhcp6_begin_relays(&w, back.relays, 8, marks);
	dhcp6_end_relays(&w, 8, marks);
	CHECK(w.bad);
}

static void
test_truncations(void)
{
	static const char *const packets[] = { EDK2_SOLICIT6, EDK2_REQUEST6, IPXE_SOLICIT6,
		KEA_ADVERTISE6, RELAY_HEAD "0009002a " RELAY_HEAD "00090004 0b000001" };

	test_case("every truncation is harmless");
	for (size_t i = 0; i < NITEMS(packets); i++) {
		uint8_t bytes[1500];
		size_t n = test_unhex(packets[i], bytes, sizeof(bytes));

		for (size_t cut = 0; cut < n; cut++) {
			/* memory of just that size: a sanitizer sees what reads beyond */
			uint8_t *copy = malloc(cut > 0 ? cut : 1);
			struct dhcp6_packet p;
			struct ipaddr ip;

			memcpy(copy, bytes, cut);
			if (dhcp6_parse((struct slice){ copy, cut }, &p) == 0)
				(void)dhcp6_ia_address(p.ia_na, &ip);
			free(copy);
		}
	}
}

int
main(void)
{
	test_messages();
	test_options();
	test_relays();
	test_truncations();
	return test_end();
}
