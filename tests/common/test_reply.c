/* Tests of common/reply.c: the bytes that go out, by the rules that real clients enforce. */
#include "common/reply.h"

#include "common/hex.h"
#include "tests/common/packets.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t ours[4] = { 10, 77, 0, 2 };
static const char fingerprint[] = "0123456789abcdef0123456789abcdef";

static void
test_sorting(void)
{
	static const struct {
		const char *what, *options;
		bool boot_port;
		enum ask_kind kind;
	} cases[] = {
		{ "a DISCOVER of a boot client", EDK2_DISCOVER, false, ASK_DISCOVER },
		{ "a DISCOVER of iPXE", IPXE_EFI_2019, false, ASK_DISCOVER },
		{ "a DISCOVER of HTTP Boot", EDK2_HTTP, false, ASK_DISCOVER },
		{ "a DISCOVER of an ordinary client", "350101 ff", false, ASK_NOTHING },
		{ "a REQUEST to some DHCP server", EDK2_BOOTSERVER, false, ASK_LEASE },
		{ "a REQUEST that names us", "350103 36040a4d0002 " CLASS_BIOS "ff", false,
		    ASK_BOOTSERVER },
		{ "a REQUEST with a boot item, broadcast", ROM_MENU_REQUEST, false,
		    ASK_BOOTSERVER },
		{ "a RELEASE", "350107 " CLASS_X64 "ff", false, ASK_NOTHING },
		{ "an OFFER of somebody else", "350102 " CLASS_BARE "ff", false, ASK_NOTHING },
		{ "the REQUEST on 4011", EDK2_BOOTSERVER, true, ASK_BOOTSERVER },
		{ "an INFORM on 4011", "350108 " CLASS_X64 "ff", true, ASK_BOOTSERVER },
		{ "a DISCOVER on 4011", EDK2_DISCOVER, true, ASK_BOOTSERVER },
		{ "a REQUEST without option 60 on 4011, as the Pi's", "350103 ff", true,
		    ASK_BOOTSERVER },
		{ "an ACK on 4011", "350105 ff", true, ASK_NOTHING },
		{ "a REQUEST for an address, to a DHCP server at our address",
		    "350103 36040a4d0002 32040a4d0064 " CLASS_X64 "ff", false, ASK_LEASE },
		{ "an INFORM of a boot client, which asks for nothing else", WDS_INFORM, false,
		    ASK_BOOTSERVER },
		{ "an INFORM of a running system", "350108 3c08 4d53465420352e30 ff", false,
		    ASK_NOTHING },
		{ "a DISCOVER of U-Boot", UBOOT, false, ASK_DISCOVER },
		{ "a DISCOVER of a Raspberry Pi 4", RPI4, false, ASK_DISCOVER },
		{ "a DISCOVER over InfiniBand", IPOIB, false, ASK_DISCOVER },
		{ "Windows' REQUEST on 4011", WDS_REQUEST, true, ASK_BOOTSERVER },
		{ "Windows' INFORM on 4011", WDS_INFORM, true, ASK_BOOTSERVER },
		{ "BOOTP from one without an address, which we have not either", CLASS_X64 "ff",
		    false, ASK_NOTHING },
		{ "BOOTP on 4011", "ff", true, ASK_BOOTSERVER },
	};
	uint8_t bytes[1500];
	struct dhcp_packet p;
	struct dhcp_ask ask;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		size_t n = packet_build(cases[i].options, bytes, sizeof(bytes));

		test_case("sorting: %s", cases[i].what);
		CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
		CHECK_INT(ask_from_packet(&p, cases[i].boot_port, ours, &ask), cases[i].kind);
	}

	test_case("sorting: BOOTP from one that has an address is answered in kind");
	{
		size_t n = packet_build(CLASS_X64 "ff", bytes, sizeof(bytes));
		struct boot_answer answer = { .action = ACTION_OFFER, .file = slice_str("x") };
		uint8_t out[DHCP_REPLY_MAX];
		struct dhcp_packet r;
		struct wbuf w;

		memcpy(bytes + 12, "\x0a\x4d\x00\x64", 4);
		CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
		CHECK_INT(ask_from_packet(&p, false, ours, &ask), ASK_DISCOVER);
		wbuf_init(&w, out, sizeof(out));
		CHECK_INT(reply_build(&ask, &answer, &w), 0);
		CHECK_INT(dhcp_parse(wbuf_view(&w), &r), 0);
		CHECK(!r.has[DHCP_OPT_TYPE] && r.has[DHCP_OPT_SERVER_ID]);
		CHECK(memcmp(r.ciaddr, "\x0a\x4d\x00\x64", 4) == 0);
	}

	test_case("sorting: a reply packet is never answered");
	{
		size_t n = packet_build(EDK2_DISCOVER, bytes, sizeof(bytes));

		bytes[0] = DHCP_BOOTREPLY;
		CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
	}
	CHECK_INT(ask_from_packet(&p, false, ours, &ask), ASK_NOTHING);
}

/* Builds the reply to a packet; the parsed reply is in *r, its bytes in `out`. */
static int
answer_packet(const char *options, bool boot_port, const struct boot_answer *answer,
    uint8_t out[static DHCP_REPLY_MAX], size_t *n, struct dhcp_packet *r)
{
	static uint8_t bytes[1500];
	size_t len = packet_build(options, bytes, sizeof(bytes));
	struct dhcp_packet p;
	struct dhcp_ask ask;
	struct wbuf w;
	int rc;

	CHECK_INT(dhcp_parse((struct slice){ bytes, len }, &p), 0);
	(void)ask_from_packet(&p, boot_port, ours, &ask);
	wbuf_init(&w, out, DHCP_REPLY_MAX);
	rc = reply_build(&ask, answer, &w);
	if (rc == 0) {
		*n = w.used;
		CHECK_INT(dhcp_parse(wbuf_view(&w), r), 0);
	}
	return rc;
}

/* What holds for every reply. */
static void
check_common(const struct dhcp_packet *r, const uint8_t *bytes, size_t n, uint8_t type)
{
	static const uint8_t zero[4];
	bool ended = false;

	CHECK_INT(r->op, DHCP_BOOTREPLY);
	CHECK_INT(r->type, type);
	CHECK_INT(r->xid, 0xcafe0001);
	CHECK_INT(r->hlen, 6);
	CHECK_INT(r->chaddr[5], 0x56);
	CHECK_INT(r->secs, 0);
	CHECK_INT(r->flags, DHCP_FLAG_BROADCAST);
	CHECK(memcmp(r->yiaddr, zero, 4) == 0);
	CHECK(memcmp(r->siaddr, zero, 4) != 0);
	CHECK_BYTES(r->opt[DHCP_OPT_SERVER_ID], ((struct slice){ ours, 4 }));
	CHECK(n >= DHCP_REPLY_MIN && n <= DHCP_REPLY_MAX);
	CHECK(!r->has[DHCP_OPT_OVERLOAD] && !r->has[DHCP_OPT_USER_CLASS] && !r->has[13]);
	for (size_t i = DHCP_HEADER_BYTES; i < n && !ended; i += bytes[i + 1] + 2u) {
		ended = bytes[i] == DHCP_OPT_END;
		CHECK(ended || bytes[i + 1] > 0);
		CHECK(bytes[i] != DHCP_OPT_PAD);
	}
	CHECK(ended);
}

static void
test_offers(void)
{
	static const struct {
		const char *what, *options;
		bool boot_port;
		enum offer_style style;
		const char *class, *vendor; /* option 43 in hexadecimal */
		uint8_t type;
	} cases[] = {
		{ "BINL offer to edk2 has no option 43", EDK2_DISCOVER, false, OFFER_BINL,
		    "PXEClient", "", DHCP_OFFER },
		{ "PXE10 offer", EDK2_DISCOVER, false, OFFER_PXE10, "PXEClient", "060108ff",
		    DHCP_OFFER },
		{ "PXE10 offer with a prompt", EDK2_DISCOVER, false, OFFER_PXE10_PROMPT,
		    "PXEClient", "060108 0a0400505845 ff", DHCP_OFFER },
		{ "offer to iPXE", IPXE_EFI_2019, false, OFFER_IPXE, "PXEClient", "060108ff",
		    DHCP_OFFER },
		{ "HTTP Boot offer", EDK2_HTTP, false, OFFER_HTTP, "HTTPClient", "", DHCP_OFFER },
		{ "ACK on 4011", EDK2_BOOTSERVER, true, OFFER_BINL, "PXEClient", "", DHCP_ACK },
		{ "ACK on 4011 whatever the style", EDK2_BOOTSERVER, true, OFFER_PXE10_PROMPT,
		    "PXEClient", "", DHCP_ACK },
		{ "menu offer: one item at once, whose server we are", EDK2_DISCOVER, false,
		    OFFER_MENU, "PXEClient",
		    "060103 0a0d00 4e6574776f726b20626f6f74 0807 8000 01 0a4d0002"
		    "090f 8000 0c 4e6574776f726b20626f6f74 ff",
		    DHCP_OFFER },
		{ "ACK on 4011 after a menu, to firmware that names no item", EDK2_BOOTSERVER, true,
		    OFFER_MENU, "PXEClient", "", DHCP_ACK },
		{ "ACK that gives back the boot item of a menu offer", ROM_MENU_REQUEST, true,
		    OFFER_MENU, "PXEClient", "4704 80000000 ff", DHCP_ACK },
		{ "ACK that gives back the boot item", ROM_MENU_REQUEST, true, OFFER_PXE10,
		    "PXEClient", "4704 80000000 ff", DHCP_ACK },
	};
	struct boot_answer answer = {
		.action = ACTION_OFFER,
		.file = slice_str("boot/x64/snponly.efi"),
		.trust = slice_str(fingerprint),
	};
	uint8_t bytes[DHCP_REPLY_MAX], vendor[64];
	struct dhcp_packet r;
	size_t n = 0;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		bool http = cases[i].style == OFFER_HTTP;

		test_case("reply: %s", cases[i].what);
		answer.style = cases[i].style;
		CHECK_INT(
		    answer_packet(cases[i].options, cases[i].boot_port, &answer, bytes, &n, &r), 0);
		check_common(&r, bytes, n, cases[i].type);
		CHECK(slice_is(r.opt[DHCP_OPT_CLASS], cases[i].class));
		CHECK_BYTES(r.opt[DHCP_OPT_VENDOR],
		    ((struct slice){ vendor, test_unhex(cases[i].vendor, vendor, 64) }));
		CHECK(slice_is(r.file, "boot/x64/snponly.efi"));
		CHECK_INT(r.opt[DHCP_OPT_UUID].n, 17);
		CHECK_INT(r.has[DHCP_OPT_BOOT_FILE], http);
		CHECK_INT(r.has[DHCP_OPT_ETHERBOOT], !http);
		CHECK(memcmp(r.siaddr, ours, 4) == 0);
		CHECK(n <= DHCP_SAFE_MAX);
	}
}

/* The options of replies, octet by octet, that real firmware was seen to boot from. */
static void
test_golden(void)
{
	static const struct {
		const char *what, *options;
		bool boot_port;
		enum offer_style style;
		const char *file, *want;
	} cases[] = {
		{ "edk2's BINL offer", EDK2_DISCOVER, false, OFFER_BINL, "ipxe.efi",
		    "350102 36040a4d0002 3c09505845436c69656e74 " OPT_UUID "af03010101 ff" },
		{ "the ACK on 4011", EDK2_BOOTSERVER, true, OFFER_BINL, "ipxe.efi",
		    "350105 36040a4d0002 3c09505845436c69656e74 " OPT_UUID "af03010101 ff" },
		{ "a PXE10 offer", EDK2_DISCOVER, false, OFFER_PXE10, "ipxe.efi",
		    "350102 36040a4d0002 3c09505845436c69656e74 " OPT_UUID
		    "2b04060108ff af03010101 ff" },
		{ "an offer to iPXE that outweighs the DHCP server's", IPXE_EFI_2019, false,
		    OFFER_IPXE, "http://10.77.0.2/boot.ipxe",
		    "350102 36040a4d0002 3c09505845436c69656e74 " OPT_UUID
		    "2b04060108ff af03010101 ff" },
		{ "an HTTP Boot offer", EDK2_HTTP, false, OFFER_HTTP, "http://10.77.0.2/ipxe.efi",
		    "350102 36040a4d0002 3c0a48545450436c69656e74 " OPT_UUID
		    "4319 687474703a2f2f31302e37372e302e322f697078652e656669 ff" },
		{ "an offer to U-Boot, which sends no option 97", UBOOT, false, OFFER_BINL,
		    "ipxe.efi", "350102 36040a4d0002 3c09505845436c69656e74 af03010101 ff" },
	};
	struct boot_answer answer = { .action = ACTION_OFFER };
	uint8_t bytes[DHCP_REPLY_MAX], want[256];
	struct dhcp_packet r;
	size_t n = 0;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		size_t k = test_unhex(cases[i].want, want, sizeof(want));

		test_case("golden: %s", cases[i].what);
		answer.style = cases[i].style;
		answer.file = slice_str(cases[i].file);
		CHECK_INT(
		    answer_packet(cases[i].options, cases[i].boot_port, &answer, bytes, &n, &r), 0);
		CHECK_BYTES(
		    ((struct slice){ bytes + DHCP_HEADER_BYTES, k }), ((struct slice){ want, k }));
		CHECK(slice_is(r.file, cases[i].file) && memcmp(r.siaddr, ours, 4) == 0);
		CHECK_INT(n, DHCP_HEADER_BYTES + k < DHCP_REPLY_MIN ? DHCP_REPLY_MIN
								    : DHCP_HEADER_BYTES + k);
	}
}

/* The fast no, by firmware kind. */
static void
test_local(void)
{
	static const char menu[] = "060103 0a0b00 4c6f63616c20626f6f74 "
				   "090d 0000 0a 4c6f63616c20626f6f74 ff";
	static const struct {
		const char *what, *options;
		bool boot_port;
		const char *url; /* of the answer */
		const char *class, *vendor, *file;
		uint8_t type;
	} cases[] = {
		{ "edk2's PXE gets a menu that boots locally", EDK2_DISCOVER, false, "",
		    "PXEClient", menu, "", DHCP_OFFER },
		{ "so does a BIOS ROM, whatever the answer names",
		    "350101 " CLASS_BIOS "5d020000 " OPT_UUID "ff", false,
		    "http://10.77.0.2:8060/no", "PXEClient", menu, "", DHCP_OFFER },
		{ "and who asks on 4011 after an older offer", EDK2_BOOTSERVER, true, "",
		    "PXEClient", menu, "", DHCP_ACK },
		{ "and who picked another item", ROM_MENU_REQUEST, true, "", "PXEClient", menu, "",
		    DHCP_ACK },
		{ "HTTP Boot gets the answer's URL", EDK2_HTTP, false, "http://10.77.0.2:8060/no",
		    "HTTPClient", "", "http://10.77.0.2:8060/no", DHCP_OFFER },
		{ "HTTP Boot without one gets a port where nobody listens", EDK2_HTTP, false, "",
		    "HTTPClient", "", "http://10.77.0.2:9/none.efi", DHCP_OFFER },
	};
	struct boot_answer answer = { .action = ACTION_OFFER, .style = OFFER_LOCAL };
	uint8_t bytes[DHCP_REPLY_MAX], vendor[64];
	struct dhcp_packet r;
	size_t n = 0;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("fast no: %s", cases[i].what);
		answer.file = slice_str(cases[i].url);
		CHECK_INT(
		    answer_packet(cases[i].options, cases[i].boot_port, &answer, bytes, &n, &r), 0);
		check_common(&r, bytes, n, cases[i].type);
		CHECK(slice_is(r.opt[DHCP_OPT_CLASS], cases[i].class));
		CHECK_BYTES(r.opt[DHCP_OPT_VENDOR],
		    ((struct slice){ vendor, test_unhex(cases[i].vendor, vendor, 64) }));
		CHECK(slice_is(r.file, cases[i].file));
		CHECK(slice_is(r.opt[DHCP_OPT_BOOT_FILE], cases[i].file));
		CHECK_INT(r.opt[DHCP_OPT_UUID].n, 17);
	}
}

/* --- what holds for every client and every style ---------------------------------------------- */

/* The place of an option in the order that nobody minds; 0 for one that is never sent. */
static int
place_of(uint8_t tag)
{
	static const uint8_t order[] = { DHCP_OPT_TYPE, DHCP_OPT_SERVER_ID, DHCP_OPT_CLASS,
		DHCP_OPT_UUID, DHCP_OPT_VENDOR, DHCP_OPT_TFTP_SERVER, DHCP_OPT_BOOT_FILE,
		DHCP_OPT_ETHERBOOT, DHCP_OPT_RELAY_INFO };

	for (size_t i = 0; i < NITEMS(order); i++) {
		if (order[i] == tag)
			return (int)i + 1;
	}
	return 0;
}

/* The options of a reply one by one: known, in order, not empty; then End and nothing but pads. */
static void
check_chain(const uint8_t *bytes, size_t n)
{
	size_t i = DHCP_HEADER_BYTES;
	int last = 0;

	while (i + 1 < n && bytes[i] != DHCP_OPT_END) {
		CHECK(place_of(bytes[i]) > last);
		CHECK(bytes[i + 1] > 0);
		last = place_of(bytes[i]);
		i += bytes[i + 1] + 2u;
	}
	CHECK(i < n && bytes[i] == DHCP_OPT_END);
	for (i++; i < n; i++)
		CHECK_INT(bytes[i], DHCP_OPT_PAD);
}

static void
check_reply(const struct dhcp_packet *q, const struct dhcp_ask *ask, const uint8_t *bytes, size_t n)
{
	static const uint8_t zero[4];
	struct slice size = q->opt[DHCP_OPT_MAX_SIZE], picked, uuid = q->opt[DHCP_OPT_UUID];
	size_t most = size.n == 2 ? (size_t)(size.p[0] << 8 | size.p[1]) - 28 : DHCP_SAFE_MAX;
	struct dhcp_packet r;

	check_chain(bytes, n);
	CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &r), 0);
	CHECK_INT(r.op, DHCP_BOOTREPLY);
	CHECK(r.htype == q->htype && r.hlen == q->hlen && r.xid == q->xid && r.secs == 0);
	CHECK(memcmp(r.chaddr, q->chaddr, sizeof(r.chaddr)) == 0);
	CHECK(memcmp(r.yiaddr, zero, 4) == 0 && memcmp(r.siaddr, zero, 4) != 0);
	CHECK_INT(r.flags, q->hlen == 0 ? DHCP_FLAG_BROADCAST : q->flags);
	CHECK_INT(r.type, ask->kind == ASK_BOOTSERVER ? DHCP_ACK : DHCP_OFFER);
	CHECK_BYTES(r.opt[DHCP_OPT_SERVER_ID], ((struct slice){ ours, 4 }));
	CHECK(slice_is(r.opt[DHCP_OPT_CLASS], "PXEClient") ||
	      slice_is(r.opt[DHCP_OPT_CLASS], "HTTPClient"));
	CHECK_BYTES(r.opt[DHCP_OPT_UUID], uuid);
	CHECK_BYTES(r.opt[DHCP_OPT_RELAY_INFO], q->opt[DHCP_OPT_RELAY_INFO]);
	CHECK(n >= DHCP_REPLY_MIN && n <= most && n <= DHCP_REPLY_MAX);
	if (ask->client.has_boot_item) {
		CHECK(dhcp_sub_option(r.opt[DHCP_OPT_VENDOR], PXE_OPT_BOOT_ITEM, &picked) == 0 ||
		      slice_is(r.opt[DHCP_OPT_CLASS], "HTTPClient") ||
		      dhcp_sub_option(r.opt[DHCP_OPT_VENDOR], PXE_OPT_BOOT_MENU, &picked) == 0);
	}
}

static void
test_all(void)
{
	static const struct {
		const char *who, *options, *mac;
	} clients[] = {
		{ "edk2", EDK2_DISCOVER, "525400123456" },
		{ "edk2 on 4011", EDK2_BOOTSERVER, "525400123456" },
		{ "HTTP Boot", EDK2_HTTP, "525400123456" },
		{ "a ROM", "350101 5d020000 " CLASS_BIOS "ff", "525400123456" },
		{ "a ROM that picked an item", ROM_MENU_REQUEST, "525400123456" },
		{ "iPXE of 2019", IPXE_EFI_2019, "525400123456" },
		{ "chained iPXE", IPXE_CHAINED, "525400123456" },
		{ "gPXE", GPXE, "525400123456" },
		{ "iPXE on InfiniBand", IPOIB, "" },
		{ "U-Boot", UBOOT, "525400123456" },
		{ "U-Boot as firmware", UBOOT_PXE, "525400123456" },
		{ "U-Boot by HTTP", UBOOT_HTTP, "525400123456" },
		{ "Raspberry Pi 3", RPI_OLD, "b827eb123456" },
		{ "Raspberry Pi 4", RPI4, "dca632123456" },
		{ "Raspberry Pi 5", RPI5, "2ccf67123456" },
		{ "a Pi without option 60", RPI_REQUEST, "dca632123456" },
		{ "wdsnbp.com", WDS_REQUEST, "525400123456" },
		{ "a Windows program", WDS_INFORM, "525400123456" },
	};
	struct boot_answer answer = { .action = ACTION_OFFER, .trust = slice_str(fingerprint) };
	uint8_t bytes[1500], out[DHCP_REPLY_MAX];

	for (size_t i = 0; i < NITEMS(clients) * 2; i++) {
		bool relayed = i >= NITEMS(clients);
		size_t k = i % NITEMS(clients), n;
		struct dhcp_packet q;
		char options[1024];

		snprintf(options, sizeof(options), "%s%s", relayed ? "52060104 65746830 " : "",
		    clients[k].options);
		test_case("every style and port: %s%s", clients[k].who, relayed ? ", relayed" : "");
		n = packet_from(options, clients[k].mac, bytes, sizeof(bytes));
		memcpy(bytes + 24, relayed ? "\x0a\x4d\x02\x01" : "\0\0\0\0", 4);
		CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &q), 0);
		for (unsigned way = 0; way < 2 * OFFER_STYLES; way++) {
			struct dhcp_ask ask;
			struct wbuf w;
			enum ask_kind kind = ask_from_packet(&q, way % 2 == 1, ours, &ask);

			if (kind != ASK_DISCOVER && kind != ASK_BOOTSERVER)
				continue;
			answer.style = (enum offer_style)(way / 2);
			answer.file =
			    slice_str(answer.style == OFFER_HTTP || answer.style == OFFER_IPXE
					  ? "http://10.77.0.2:8060/2PXE/boot"
					  : "boot/x64/snponly.efi");
			wbuf_init(&w, out, sizeof(out));
			CHECK_INT(reply_build(&ask, &answer, &w), 0);
			check_reply(&q, &ask, out, w.used);
		}
	}
}

static void
test_rpi(void)
{
	static const char text[] =
	    "060103 0a0400505845 0914 0000 11 526173706265727279205069 20426f6f74 ff";
	static const struct {
		const char *what, *options, *mac;
		bool boot_port;
		const char *server; /* option 66 */
		size_t n;
	} cases[] = {
		{ "a Pi 3 gets the digits alone", RPI_OLD, "b827eb123456", false, "10.77.0.2", 9 },
		{ "a Pi 4 with a NUL, as its EEPROM of 2019 reads on", RPI4, "dca632123456", false,
		    "10.77.0.2", 10 },
		{ "a Pi 5", RPI5, "2ccf67123456", false, "10.77.0.2", 10 },
		{ "on port 4011, without option 60", RPI_REQUEST, "dca632123456", true, "10.77.0.2",
		    10 },
	};
	struct boot_answer answer = { .action = ACTION_OFFER,
		.style = OFFER_RPI,
		.file = slice_str("boot/rpi/bootcode.bin"),
		.trust = slice_str(fingerprint) };
	uint8_t bytes[1500], out[DHCP_REPLY_MAX], vendor[64];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		size_t n = packet_from(cases[i].options, cases[i].mac, bytes, sizeof(bytes));
		struct dhcp_packet q, r;
		struct dhcp_ask ask;
		struct wbuf w;

		test_case("Raspberry Pi: %s", cases[i].what);
		CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &q), 0);
		(void)ask_from_packet(&q, cases[i].boot_port, ours, &ask);
		wbuf_init(&w, out, sizeof(out));
		CHECK_INT(reply_build(&ask, &answer, &w), 0);
		CHECK_INT(dhcp_parse(wbuf_view(&w), &r), 0);
		CHECK_BYTES(r.opt[DHCP_OPT_VENDOR],
		    ((struct slice){ vendor, test_unhex(text, vendor, sizeof(vendor)) }));
		CHECK_BYTES(r.opt[DHCP_OPT_TFTP_SERVER],
		    ((struct slice){ (const uint8_t *)cases[i].server, cases[i].n }));
		CHECK(slice_is(r.opt[DHCP_OPT_CLASS], "PXEClient"));
		CHECK(slice_is(r.file, "boot/rpi/bootcode.bin"));
		CHECK(memcmp(r.siaddr, ours, 4) == 0);
		CHECK(!r.has[DHCP_OPT_ETHERBOOT] && !r.has[DHCP_OPT_BOOT_FILE]);
	}
}

/* What Windows programs send beside is theirs alone. */
static void
test_windows(void)
{
	struct boot_answer answer = { .action = ACTION_OFFER, .file = slice_str("x") };
	uint8_t bytes[DHCP_REPLY_MAX];
	struct dhcp_packet r;
	size_t n = 0;

	test_case("option 250 of a Windows program is taken and not sent back");
	CHECK_INT(answer_packet(WDS_REQUEST, true, &answer, bytes, &n, &r), 0);
	CHECK(r.type == DHCP_ACK && slice_is(r.file, "x") && !r.has[250]);
	CHECK_INT(answer_packet(WDS_INFORM, true, &answer, bytes, &n, &r), 0);
	CHECK(r.type == DHCP_ACK && slice_is(r.file, "x") && !r.has[250]);
}

static void
test_details(void)
{
	char url[200];
	struct boot_answer answer = {
		.action = ACTION_OFFER,
		.style = OFFER_IPXE,
		.file = slice_str("https://10.77.0.2:8050/2PXE/boot"),
		.trust = slice_str(fingerprint),
	};
	uint8_t bytes[DHCP_REPLY_MAX], trust[8 * 32] = { 0 };
	struct dhcp_packet r;
	struct slice sub;
	size_t n = 0;

	test_case("option 175 holds priority 1 and the fingerprint, in the firmware's offer too");
	CHECK_INT(answer_packet(EDK2_DISCOVER, false, &answer, bytes, &n, &r), 0);
	CHECK_INT(dhcp_sub_option(r.opt[DHCP_OPT_ETHERBOOT], IPXE_OPT_PRIORITY, &sub), 0);
	CHECK(sub.n == 1 && sub.p[0] == 1);
	CHECK_INT(dhcp_sub_option(r.opt[DHCP_OPT_ETHERBOOT], IPXE_OPT_TRUST, &sub), 0);
	CHECK(slice_is(sub, fingerprint));

	test_case("without a fingerprint option 175 is the priority alone");
	answer.trust = (struct slice){ 0 };
	CHECK_INT(answer_packet(IPXE_CHAINED, false, &answer, bytes, &n, &r), 0);
	CHECK_BYTES(r.opt[DHCP_OPT_ETHERBOOT], ((struct slice){ (const uint8_t *)"\1\1\1", 3 }));

	test_case("the place of cross-certificates is left out where it finds no room");
	answer.trust = slice_str(fingerprint);
	answer.crosscert = slice_str("http://10.77.0.2:8060/auto");
	CHECK_INT(answer_packet(IPXE_CHAINED, false, &answer, bytes, &n, &r), 0);
	CHECK_INT(dhcp_sub_option(r.opt[DHCP_OPT_ETHERBOOT], IPXE_OPT_CROSSCERT, &sub), 0);
	CHECK(slice_is(sub, "http://10.77.0.2:8060/auto"));
	answer.trust = (struct slice){ trust, 7 * 32 };
	CHECK_INT(answer_packet(IPXE_CHAINED, false, &answer, bytes, &n, &r), 0);
	CHECK(dhcp_sub_option(r.opt[DHCP_OPT_ETHERBOOT], IPXE_OPT_CROSSCERT, &sub) < 0);
	CHECK_INT(dhcp_sub_option(r.opt[DHCP_OPT_ETHERBOOT], IPXE_OPT_TRUST, &sub), 0);
	CHECK_INT(sub.n, 7 * 32);
	answer.trust = answer.crosscert = (struct slice){ 0 };

	test_case("the next server may be another host");
	answer.server = (struct ipaddr){ 4, { 192, 0, 2, 1 } };
	CHECK_INT(answer_packet(EDK2_DISCOVER, false, &answer, bytes, &n, &r), 0);
	CHECK(memcmp(r.siaddr, "\xc0\0\2\1", 4) == 0);
	CHECK_BYTES(r.opt[DHCP_OPT_SERVER_ID], ((struct slice){ ours, 4 }));

	test_case("a URL of 127 bytes stands in the header, one of 128 in option 67 alone");
	memset(url, 'u', sizeof(url));
	url[127] = '\0';
	answer.file = slice_str(url);
	CHECK_INT(answer_packet(IPXE_CHAINED, false, &answer, bytes, &n, &r), 0);
	CHECK_INT(r.file.n, 127);
	CHECK(!r.has[DHCP_OPT_BOOT_FILE]);
	url[127] = 'u';
	url[128] = '\0';
	answer.file = slice_str(url);
	CHECK_INT(answer_packet(IPXE_CHAINED, false, &answer, bytes, &n, &r), 0);
	CHECK_INT(r.file.n, 0);
	CHECK_INT(r.opt[DHCP_OPT_BOOT_FILE].n, 128);

	test_case("options that handlerd adds stand behind ours");
	answer.options = (struct slice){ (const uint8_t *)"\xfc\2xy\x96\4\12\1\1\1", 10 };
	CHECK_INT(answer_packet(EDK2_DISCOVER, false, &answer, bytes, &n, &r), 0);
	CHECK(slice_is(r.opt[252], "xy") && r.opt[150].n == 4);
	answer.options = (struct slice){ (const uint8_t *)"\x43\1x", 3 };
	CHECK_INT(answer_packet(EDK2_DISCOVER, false, &answer, bytes, &n, &r), -EMSGSIZE);
	answer.options = (struct slice){ (const uint8_t *)"\xfc\3x", 3 };
	CHECK_INT(answer_packet(EDK2_DISCOVER, false, &answer, bytes, &n, &r), -EMSGSIZE);
	answer.options = (struct slice){ (const uint8_t *)"\xfc", 1 };
	CHECK_INT(answer_packet(EDK2_DISCOVER, false, &answer, bytes, &n, &r), -EMSGSIZE);
	answer.options = (struct slice){ 0 };

	test_case("what the client said that it takes is not exceeded");
	answer.file = slice_str("boot/x64/snponly.efi");
	answer.trust = (struct slice){ trust, 6 * 32 };
	CHECK_INT(answer_packet(
		      "350101 39020240 5d020007 " CLASS_X64 "ff", false, &answer, bytes, &n, &r),
	    0);
	answer.trust = (struct slice){ trust, 8 * 32 };
	CHECK_INT(answer_packet(EDK2_DISCOVER, false, &answer, bytes, &n, &r), -EMSGSIZE);
}

static void
test_relay(void)
{
	/* option 82 stands before others in some relays' packets */
	static const char options[] =
	    "350101 5206 0104 65746830 390205c0 5d020007 " CLASS_X64 OPT_UUID "ff";
	struct boot_answer answer = { .action = ACTION_OFFER, .file = slice_str("x") };
	uint8_t bytes[1500], out[DHCP_REPLY_MAX];
	size_t n = packet_build(options, bytes, sizeof(bytes)), last = 0;
	struct dhcp_packet p, r;
	struct dhcp_ask ask;
	struct boot_request q;
	struct wbuf w;

	test_case("a relayed request: giaddr kept, option 82 byte for byte, last before the end");
	memcpy(bytes + 24, "\x0a\x4d\x02\x01", 4);
	CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
	CHECK_INT(ask_from_packet(&p, false, ours, &ask), ASK_DISCOVER);
	wbuf_init(&w, out, sizeof(out));
	CHECK_INT(reply_build(&ask, &answer, &w), 0);
	CHECK_INT(dhcp_parse(wbuf_view(&w), &r), 0);
	CHECK(memcmp(r.giaddr, "\x0a\x4d\x02\x01", 4) == 0);
	CHECK(slice_is(r.opt[DHCP_OPT_RELAY_INFO], "\1\4eth0"));
	for (size_t i = DHCP_HEADER_BYTES; out[i] != DHCP_OPT_END; i += out[i + 1] + 2u)
		last = i;
	CHECK_INT(out[last], DHCP_OPT_RELAY_INFO);

	test_case("handlerd is asked with everything that the packet told");
	ask_to_request(&ask, &p, "lab", "eth0", &q);
	CHECK_INT(q.stage, STAGE_DISCOVER);
	CHECK_INT(q.client, CLIENT_PXE);
	CHECK_INT(q.via, VIA_DHCP);
	CHECK_INT(q.arch, 7);
	CHECK_INT(q.secs, 4);
	CHECK_INT(q.wait_ms, 8000);
	CHECK_INT(q.mac.len, 6);
	CHECK(q.has_uuid);
	CHECK(slice_is(q.subnet, "lab") && slice_is(q.interface, "eth0"));
	CHECK_INT(q.relay_info.n, 6);
	CHECK(q.relay.b[3] == 1 && q.server.b[3] == 2);
	CHECK(slice_begins(q.vendor_class, "PXEClient:Arch:00007"));
}

static void
test_fingerprint(void)
{
	static const struct {
		const char *what, *options, *list;
		uint32_t ndi;
	} cases[] = {
		{ "edk2 with a UUID", "350101 37030143 61" OPT_UUID "5e03010310 " CLASS_X64 "ff",
		    "014361", NDI_UUID(NDI_UUID_GIVEN) | 0x010310 },
		{ "nothing", "350101 " CLASS_X64 "ff", "", 0 },
		{ "a UUID of another type", "350101 61020301" CLASS_X64 "ff", "",
		    NDI_UUID(NDI_UUID_ODD) },
		{ "option 94 of another length", "350101 5e020103 " CLASS_X64 "ff", "", 0 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		uint8_t bytes[1500];
		char hex[2 * 255 + 1];
		size_t n = packet_build(cases[i].options, bytes, sizeof(bytes));
		struct boot_request q;
		struct dhcp_packet p;
		struct dhcp_ask ask;

		test_case("fingerprint: %s", cases[i].what);
		CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
		CHECK_INT(ask_from_packet(&p, false, ours, &ask), ASK_DISCOVER);
		ask_to_request(&ask, &p, "lab", "eth0", &q);
		CHECK_STR(hex_format(q.param_list, hex), cases[i].list);
		CHECK_INT(q.ndi, cases[i].ndi);
	}
}

int
main(void)
{
	test_sorting();
	test_offers();
	test_local();
	test_golden();
	test_all();
	test_rpi();
	test_windows();
	test_details();
	test_relay();
	test_fingerprint();
	return test_end();
}
