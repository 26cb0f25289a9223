/* Tests of common/reply6.c: who asks, and the bytes that go out. */
#include "common/reply6.h"

#include "tests/common/packets6.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct ipaddr
ip_of(const char *text)
{
	struct ipaddr ip = { 0 };

	(void)ip_parse(slice_str(text), &ip);
	return ip;
}

static const char fingerprint[] = "0123456789abcdef0123456789abcdef";
static uint8_t packet[1500];

/* Parses and sorts a packet from `from` that came to fd77:1::10. */
static enum ask_kind
take(const char *hex, bool boot_port, const char *from, struct dhcp6_packet *p,
    struct dhcp6_ask *ask, struct ipaddr *lease)
{
	size_t n = test_unhex(hex, packet, sizeof(packet));
	const struct dhcp6_place place = { .boot_port = boot_port,
		.boot_server_too = true,
		.server = ip_of("fd77:1::10"),
		.from = ip_of(from) };

	CHECK_INT(dhcp6_parse((struct slice){ packet, n }, p), 0);
	return ask6_from_packet(p, &place, ask, lease);
}

static void
test_sorting(void)
{
	static const struct {
		const char *what, *hex;
		bool boot_port;
		enum ask_kind kind;
		enum dhcp6_type reply;
	} cases[] = {
		{ "a SOLICIT of PXE firmware", EDK2_SOLICIT6, false, ASK_DISCOVER,
		    DHCP6_ADVERTISE },
		{ "a SOLICIT of HTTP Boot", EDK2_HTTP6, false, ASK_DISCOVER, DHCP6_ADVERTISE },
		{ "a SOLICIT of iPXE, which only takes addresses", IPXE_SOLICIT6, false,
		    ASK_NOTHING, DHCP6_ADVERTISE },
		{ "iPXE's INFORMATION-REQUEST", IPXE_INFORM6, false, ASK_DISCOVER, DHCP6_REPLY },
		{ "an INFORMATION-REQUEST with an IA (RFC 8415 section 16.12)",
		    "0b000001 0003000c00000001 0000000000000000 " CLASS6_IPXE, false, ASK_NOTHING,
		    0 },
		{ "an INFORMATION-REQUEST to another server",
		    "0b000001 00020003 000241 " CLASS6_PXE, false, ASK_NOTHING, 0 },
		{ "a SOLICIT of an ordinary client", "01000001 " EDK2_DUID, false, ASK_NOTHING, 0 },
		{ "a REQUEST to a DHCPv6 server", EDK2_REQUEST6, false, ASK_LEASE, 0 },
		{ "a REQUEST without an address", "03000001 " CLASS6_PXE, false, ASK_NOTHING, 0 },
		{ "an ADVERTISE of somebody else", KEA_ADVERTISE6 CLASS6_PXE, false, ASK_NOTHING,
		    0 },
		{ "the boot server step", EDK2_BOOTSERVER6, true, ASK_BOOTSERVER, DHCP6_REPLY },
		{ "the same without a server id", "03000001 " CLASS6_PXE, true, ASK_BOOTSERVER,
		    DHCP6_REPLY },
		{ "one for another server", "03000001 00020003 000241 " CLASS6_PXE, true,
		    ASK_NOTHING, 0 },
		{ "a REPLY on the boot server's port", "07000001 " CLASS6_PXE, true, ASK_NOTHING,
		    0 },
		{ "a client id that is too long for a DUID", NULL, false, ASK_NOTHING, 0 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		char hex[700];
		struct dhcp6_packet p;
		struct dhcp6_ask ask;
		struct ipaddr lease = { 0 };

		test_case("sorting: %s", cases[i].what);
		if (cases[i].hex == NULL) {
			strcpy(hex, "01000001 " CLASS6_PXE "00010083");
			for (int k = 0; k < DHCP6_DUID_MAX + 1; k++)
				strcat(hex, "00");
		}
		CHECK_INT(take(cases[i].hex != NULL ? cases[i].hex : hex, cases[i].boot_port,
			      "fe80::5054:ff:fe00:4", &p, &ask, &lease),
		    cases[i].kind);
		if (cases[i].kind == ASK_DISCOVER || cases[i].kind == ASK_BOOTSERVER)
			CHECK_INT(ask.reply, cases[i].reply);
		if (cases[i].kind == ASK_LEASE)
			CHECK(
			    ip_eq(&lease, &(struct ipaddr){ 6, { 0xfd, 0x77, 0, 1, 0, 0, 0, 0, 0, 0,
								   0, 0, 0, 0, 0x10, 0x04 } }));
	}
}

#define RELAY_HEAD "0c00 fd770002000000000000000000000001 fe80000000000000505400fffe000005 "

static void
test_identity(void)
{
	static const struct {
		const char *what, *hex, *from, *mac, *uuid;
	} cases[] = {
		{ "edk2: the address of the link, a UUID as SMBIOS has it", EDK2_SOLICIT6,
		    "fe80::5054:ff:fe00:4", "52:54:00:00:00:04",
		    "564e4c41-4221-4d31-8c01-0123456789ab" },
		{ "iPXE: a UUID as it is printed", IPXE_INFORM6, "fe80::5054:ff:fe00:4",
		    "52:54:00:00:00:04", "564e4c41-4221-4d31-8c01-0123456789ab" },
		{ "the boot server step from a global address: the UUID alone", EDK2_BOOTSERVER6,
		    "fd77:1::1802", "", "564e4c41-4221-4d31-8c01-0123456789ab" },
		{ "DUID-LL", "01000001 0001000a 00030001 525400000007 " CLASS6_PXE, "fe80::1",
		    "52:54:00:00:00:07", "" },
		{ "DUID-LLT", "01000001 0001000e 00010001 2b3c4d5e 525400000008 " CLASS6_PXE,
		    "fe80::1", "52:54:00:00:00:08", "" },
		{ "DUID-LL of InfiniBand says no Ethernet address",
		    "01000001 0001000a 00030020 525400000007 " CLASS6_PXE, "fe80::1", "", "" },
		{ "DUID-EN", "01000001 0001000a 00020000 013741424344 " CLASS6_PXE, "fe80::1", "",
		    "" },
		{ "the link's address goes before a DUID, which may be another adapter's",
		    "01000001 0001000a 00030001 525400000007 " CLASS6_PXE, "fe80::5054:ff:fe00:4",
		    "52:54:00:00:00:04", "" },
		{ "relayed: the peer's address, not the relay's",
		    RELAY_HEAD "0009002e 01000001 " CLASS6_PXE, "fe80::5054:ff:fe00:4",
		    "52:54:00:00:00:05", "" },
		{ "relayed: what the relay saw goes first (RFC 6939)",
		    RELAY_HEAD "004f0008 0001525400000006 0009002e 01000001 " CLASS6_PXE,
		    "fd77:2::1", "52:54:00:00:00:06", "" },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		char mac[MAC_STRLEN], uuid[UUID_STRLEN];
		struct boot_request r;
		struct dhcp6_packet p;
		struct dhcp6_ask ask;
		struct ipaddr lease;
		bool boot_port = strncmp(cases[i].hex, "03", 2) == 0;

		test_case("identity: %s", cases[i].what);
		CHECK(
		    take(cases[i].hex, boot_port, cases[i].from, &p, &ask, &lease) != ASK_NOTHING);
		ask6_to_request(&ask, &p, "lab", "eth0", &r);
		CHECK_STR(mac_format(&r.mac, mac), cases[i].mac);
		CHECK_STR(r.has_uuid ? uuid_format(&r.uuid, uuid) : "", cases[i].uuid);
	}
}

static void
test_request(void)
{
	struct boot_request r;
	struct dhcp6_packet p;
	struct dhcp6_ask ask;
	struct ipaddr lease;
	char ip[IP_STRLEN];

	test_case("request: what firmware says");
	CHECK_INT(
	    take(EDK2_SOLICIT6, false, "fe80::5054:ff:fe00:4", &p, &ask, &lease), ASK_DISCOVER);
	ask6_to_request(&ask, &p, "lab", "eth0", &r);
	CHECK_INT(r.stage, STAGE_DISCOVER);
	CHECK_INT(r.client, CLIENT_PXE);
	CHECK_INT(r.arch, 7);
	CHECK_INT(r.xid, 0xeb86a2);
	CHECK_INT(r.ndi, NDI_UUID(NDI_UUID_GIVEN) | 0x010300);
	CHECK_INT(r.wait_ms, 4000);
	CHECK(slice_is(r.vendor_class, "PXEClient:Arch:00007:UNDI:003000"));
	CHECK_STR(ip_format(&r.server, ip), "fd77:1::10");
	CHECK_INT(r.address.family, 0);
	CHECK_INT(r.relay.family, 0);

	test_case("request: the boot server step, from the address that the client has");
	CHECK_INT(take(EDK2_BOOTSERVER6, true, "fd77:1::1802", &p, &ask, &lease), ASK_BOOTSERVER);
	ask6_to_request(&ask, &p, "lab", "eth0", &r);
	CHECK_INT(r.stage, STAGE_BOOTSERVER);
	CHECK_STR(ip_format(&r.address, ip), "fd77:1::1802");
	CHECK_INT(r.secs, 5);
	CHECK_INT(r.wait_ms, 3000);

	test_case("request: HTTP Boot and iPXE are told apart");
	CHECK_INT(take(EDK2_HTTP6, false, "fe80::1", &p, &ask, &lease), ASK_DISCOVER);
	ask6_to_request(&ask, &p, "lab", "eth0", &r);
	CHECK_INT(r.client, CLIENT_HTTP);
	CHECK_INT(r.arch, 16);
	CHECK_INT(take(IPXE_INFORM6, false, "fe80::1", &p, &ask, &lease), ASK_DISCOVER);
	ask6_to_request(&ask, &p, "lab", "eth0", &r);
	CHECK_INT(r.client, CLIENT_IPXE);

	test_case("request: a relay's link and port, the latter as IPv4 would have told it");
	CHECK_INT(take("0c01 00000000000000000000000000000000 fd770003000000000000000000000001"
		       "00090066 " RELAY_HEAD
		       "00120004 47692f31 00250006 00000009 3132 0009002e 01000001 " CLASS6_PXE,
		      false, "fd77:3::1", &p, &ask, &lease),
	    ASK_DISCOVER);
	ask6_to_request(&ask, &p, "lab", "eth0", &r);
	CHECK_STR(ip_format(&r.relay, ip), "fd77:2::1");
	CHECK_BYTES(r.relay_info, slice_str("\1\4Gi/1\2\00212"));

	test_case("request: a relay that names no link is the link");
	CHECK_INT(take("0c00 00000000000000000000000000000000 fe80000000000000505400fffe000005"
		       "0009002e 01000001 " CLASS6_PXE,
		      false, "fd77:3::1", &p, &ask, &lease),
	    ASK_DISCOVER);
	CHECK_STR(ip_format(&ask.relay, ip), "fd77:3::1");
}

/* The options of a reply, from behind its header, as "code:hex ..."-like pairs to look for. */
static struct slice
option_of(struct slice reply, uint16_t code)
{
	struct rbuf r;

	rbuf_init(&r, reply.p + DHCP6_HEADER_BYTES, reply.n - DHCP6_HEADER_BYTES);
	while (r.left > 0) {
		uint16_t c = rbuf_u16(&r);
		struct slice v = rbuf_slice(&r, rbuf_u16(&r));

		CHECK(!r.bad);
		if (c == code)
			return v;
	}
	return (struct slice){ 0 };
}

static void
test_replies(void)
{
	static const struct {
		const char *what, *hex;
		bool boot_port;
		struct boot_answer answer;
		const char *server; /* of the answer */
		const char *file, *url, *class;
	} cases[] = {
		{ "an ADVERTISE to PXE names the boot server", EDK2_SOLICIT6, false,
		    { .style = OFFER_BINL }, "fd77:9::9", "boot/x64/snponly.efi",
		    "tftp://[fd77:1::10]/boot/x64/snponly.efi", "PXEClient" },
		{ "the boot server's REPLY names the TFTP server", EDK2_BOOTSERVER6, true,
		    { .style = OFFER_BINL }, "fd77:9::9", "boot/x64/snponly.efi",
		    "tftp://[fd77:9::9]/boot/x64/snponly.efi", "PXEClient" },
		{ "without another it is us", EDK2_BOOTSERVER6, true, { .style = OFFER_PXE10 },
		    NULL, "/boot/x64/snponly.efi", "tftp://[fd77:1::10]/boot/x64/snponly.efi",
		    "PXEClient" },
		{ "odd characters are encoded", EDK2_BOOTSERVER6, true, { .style = OFFER_BINL },
		    NULL, "a b/\xc3\xa9%;?#.efi",
		    "tftp://[fd77:1::10]/a%20b/%C3%A9%25%3B%3F%23.efi", "PXEClient" },
		{ "HTTP Boot gets its URL at once", EDK2_HTTP6, false, { .style = OFFER_HTTP },
		    NULL, "http://[fd77:1::10]:8060/2PXE/file/boot/x64/snponly.efi",
		    "http://[fd77:1::10]:8060/2PXE/file/boot/x64/snponly.efi", "HTTPClient" },
		{ "iPXE gets its script's", IPXE_INFORM6, false, { .style = OFFER_IPXE }, NULL,
		    "http://[fd77:1::10]:8060/2PXE/boot", "http://[fd77:1::10]:8060/2PXE/boot",
		    "PXEClient" },
		{ "PXE that is to boot locally: a file that is not there", EDK2_SOLICIT6, false,
		    { .style = OFFER_LOCAL }, NULL, "", "tftp://[fd77:1::10]/none.efi",
		    "PXEClient" },
		{ "HTTP Boot likewise: a port where nobody listens", EDK2_HTTP6, false,
		    { .style = OFFER_LOCAL }, NULL, "", "http://[fd77:1::10]:9/none.efi",
		    "HTTPClient" },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		uint8_t out[DHCP6_REPLY_MAX], class[32];
		struct boot_answer answer = cases[i].answer;
		struct dhcp6_packet p, back;
		struct dhcp6_ask ask;
		struct ipaddr lease;
		struct slice url;
		struct wbuf w;
		size_t n = strlen(cases[i].class);

		test_case("reply: %s", cases[i].what);
		answer.action = ACTION_OFFER;
		answer.file = slice_str(cases[i].file);
		answer.trust = slice_str(fingerprint);
		if (cases[i].server != NULL)
			answer.server = ip_of(cases[i].server);
		(void)take(
		    cases[i].hex, cases[i].boot_port, "fe80::5054:ff:fe00:4", &p, &ask, &lease);
		wbuf_init(&w, out, sizeof(out));
		CHECK_INT(reply6_build(&ask, &answer, &w), 0);
		CHECK_INT(dhcp6_parse(wbuf_view(&w), &back), 0);
		CHECK_INT(back.type, ask.reply);
		CHECK_INT(back.xid, p.xid);
		CHECK_BYTES(back.client_id, p.client_id);
		CHECK_INT(back.server_id.n, REPLY6_DUID_BYTES);
		CHECK(back.ia_na.p == NULL);
		url = option_of(wbuf_view(&w), DHCP6_OPT_BOOT_URL);
		CHECK_BYTES(url, slice_str(cases[i].url));
		/* what edk2's string functions need: a zero octet behind the URL */
		CHECK_INT(url.p[url.n], 0);
		CHECK(option_of(wbuf_view(&w), DHCP6_OPT_BOOT_PARAM).p == NULL);
		/* "PXEClient" or "HTTPClient" six octets into option 16, as edk2 compares */
		memcpy(class, "\0\0\1\x57\0", 5);
		class[5] = (uint8_t)n;
		memcpy(class + 6, cases[i].class, n);
		CHECK_BYTES(option_of(wbuf_view(&w), DHCP6_OPT_VENDOR_CLASS),
		    ((struct slice){ class, 6 + n }));
	}
}

static void
test_relayed_reply(void)
{
	static const char inner[] = "0009002e 01000001 " CLASS6_PXE;
	uint8_t out[DHCP6_REPLY_MAX];
	const struct boot_answer answer = { .action = ACTION_OFFER,
		.style = OFFER_BINL,
		.file = slice_str("boot/x64/snponly.efi") };
	struct dhcp6_packet p, back;
	struct dhcp6_ask ask;
	struct ipaddr lease;
	char hex[700];
	struct wbuf w;

	test_case("a relayed answer goes back in the same wrappings, wherever it is written");
	(void)snprintf(hex, sizeof(hex), "%s 00120004 65746830 %s", RELAY_HEAD, inner);
	CHECK_INT(take(hex, false, "fd77:2::1", &p, &ask, &lease), ASK_DISCOVER);
	wbuf_init(&w, out, sizeof(out));
	wbuf_u8(&w, 0x55);
	CHECK_INT(reply6_build(&ask, &answer, &w), 0);
	CHECK_INT(out[0], 0x55);
	CHECK_INT(out[1], DHCP6_RELAY_REPL);
	out[1] = DHCP6_RELAY_FORW;
	CHECK_INT(dhcp6_parse((struct slice){ out + 1, w.used - 1 }, &back), 0);
	CHECK_INT(back.nrelays, 1);
	CHECK_INT(back.type, DHCP6_ADVERTISE);
	CHECK(slice_is(back.relays[0].interface_id, "eth0"));
	CHECK(memcmp(back.relays[0].peer, p.relays[0].peer, 16) == 0);

	test_case("what does not fit into a packet is no answer");
	wbuf_init(&w, out, 80);
	CHECK_INT(reply6_build(&ask, &answer, &w), -EMSGSIZE);

	test_case("wrappings that nobody needs are no question");
	{
		size_t n = (size_t)snprintf(hex, sizeof(hex), "%s", RELAY_HEAD);
		static char big[6000];

		strcpy(big, hex);
		strcat(big, "00120410 ");
		for (int i = 0; i < 0x410; i++)
			strcat(big, "41");
		strcat(big, inner);
		CHECK(n > 0);
		CHECK_INT(take(big, false, "fd77:2::1", &p, &ask, &lease), ASK_NOTHING);
	}
}

static void
test_duid(void)
{
	uint8_t a[REPLY6_DUID_BYTES], b[REPLY6_DUID_BYTES];
	const struct ipaddr one = ip_of("fd77:1::10"), other = ip_of("fd77:1::11");

	test_case("our DUID is a UUID that goes by the address");
	reply6_duid(&one, a);
	reply6_duid(&other, b);
	CHECK(memcmp(a, b, sizeof(a)) != 0);
	CHECK_INT(a[1], DHCP6_DUID_UUID);
	CHECK_INT(a[8] >> 4, 8);
	CHECK_INT(a[10] >> 6, 2);
}

int
main(void)
{
	test_sorting();
	test_identity();
	test_request();
	test_replies();
	test_relayed_reply();
	test_duid();
	return test_end();
}
