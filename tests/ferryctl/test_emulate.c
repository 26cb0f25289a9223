/* Tests of ferryctl/emulate*.c: what is sent, and what each client makes of good and bad offers. */
#include "ferryctl/emulate_offer.h"

#include "common/pxe.h"

#include "tests/test.h"

#include <string.h>

/* 10.77.0.1 is the DHCP server, 10.77.0.2 ours, 10.77.0.3 somebody else's. */
static const uint8_t ours[4] = { 10, 77, 0, 2 };

#define OFFER_OF(n)   "350102 36040a4d000" n " "
#define ACK_OF(n)     "350105 36040a4d000" n " "
#define PXE           "3c09 505845436c69656e74 "
#define HTTP          "3c0a 48545450436c69656e74 "
#define BYPASS        "2b04 060108ff "
#define BYPASS_PROMPT "2b0a 0601080a0400505845ff "
#define PRIORITY      "af03 010101 "
#define TRUST                                                                                      \
	"af25 010101 5a20" /* 175.1 and 175.90 */                                                  \
	"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff "
#define DNS            "0604 0a4d0001 "
#define MENU_LOCAL     "2b10 060103 0a020050 09060000034f6666 ff "
#define MENU_UNICAST   "2b1d 060103 0a0400505845 0807800001 0a4d0002 0908800005 426f6f7421 ff "
#define MENU_BROADCAST "2b11 060102 0a020050 0907800004426f6f74 ff "
#define MENU_NO_LIST   "2b17 060103 0807000101 0a4d0002 0908800005 426f6f7421 ff "
#define PI_MENU        "2b20 060103 0a0400505845 0914000011 526173706265727279205069 20426f6f74 ff "
#define URL_IP         "4319 687474703a2f2f31302e37372e302e322f69707865 2e656669 "
#define URL_NAME       "4315 687474703a2f2f626f6f742e6c616e2f782e6566 69 "
#define URL_FTP        "430f 6674703a2f2f612f622e6566692020 "

enum flaw {
	NO_FLAW,
	NO_END,
	WRONG_XID,
	WRONG_MAC,
	IS_REQUEST,
	CUT,
};

struct row_offer {
	uint8_t from;   /* last octet */
	uint8_t yiaddr; /* last octet; 0: a proxy */
	uint8_t siaddr; /* last octet; 0: none */
	const char *file, *options;
	enum flaw flaw;
	uint32_t after_ms;
	uint16_t port; /* 0: 67 */
	unsigned form;
};

struct row {
	const char *what;
	enum emulate_kind kind;
	struct row_offer offers[4];
	enum emulate_next next;
	uint8_t server; /* last octet; 0: not looked at */
	const char *file, *says;
	bool foreign;
};

#define O(f, y, s, name, ...)                                                                      \
	{                                                                                          \
		.from = f, .yiaddr = y, .siaddr = s, .file = name, .options = __VA_ARGS__          \
	}
#define PLAIN  O(1, 50, 0, "", OFFER_OF("1"))
#define LOADER "boot/x64/snponly.efi"
#define SCRIPT "https://10.77.0.2:8050/2PXE/boot"

static const struct row offers[] = {
	{ "UEFI takes a proxy without option 43 to the boot server", EMULATE_X64,
	    { PLAIN, O(2, 0, 2, LOADER, OFFER_OF("2") PXE) }, EMULATE_ASK, 2, "", "10.77.0.2:4011",
	    false },
	{ "UEFI fetches the file of an offer with bypass at once", EMULATE_X64,
	    { PLAIN, O(2, 0, 2, LOADER, OFFER_OF("2") PXE BYPASS) }, EMULATE_TFTP, 2, LOADER,
	    "with option 43", false },
	{ "siaddr 0 is no matter to UEFI: option 54 serves", EMULATE_X64,
	    { PLAIN, O(2, 0, 0, LOADER, OFFER_OF("2") PXE BYPASS) }, EMULATE_TFTP, 2, LOADER, "",
	    false },
	{ "without End option UEFI drops the offer", EMULATE_X64,
	    { PLAIN, O(2, 0, 2, LOADER, OFFER_OF("2") PXE, .flaw = NO_END) }, EMULATE_NOTHING, 0,
	    "", "no End option", false },
	{ "a wrong xid is dropped by all", EMULATE_X64,
	    { PLAIN, O(2, 0, 2, LOADER, OFFER_OF("2") PXE, .flaw = WRONG_XID) }, EMULATE_NOTHING, 0,
	    "", "xid", false },
	{ "so is another hardware address", EMULATE_BIOS,
	    { PLAIN, O(2, 0, 2, LOADER, OFFER_OF("2") PXE, .flaw = WRONG_MAC) }, EMULATE_NOTHING, 0,
	    "", "hardware address", false },
	{ "and a request", EMULATE_IPXE,
	    { PLAIN, O(2, 0, 2, LOADER, OFFER_OF("2") PXE, .flaw = IS_REQUEST) }, EMULATE_NOTHING,
	    0, "", "no reply", false },
	{ "and half a packet", EMULATE_HTTP,
	    { PLAIN, O(2, 0, 2, "", OFFER_OF("2") HTTP, .flaw = CUT) }, EMULATE_NOTHING, 0, "",
	    "no DHCP", false },
	{ "an empty option 67 spoils an offer for UEFI", EMULATE_X64,
	    { PLAIN, O(2, 0, 2, LOADER, OFFER_OF("2") PXE BYPASS "4300 ") }, EMULATE_NOTHING, 0, "",
	    "option of no length", false },
	{ "an address of three octets too", EMULATE_ARM64,
	    { PLAIN, O(2, 0, 2, LOADER, OFFER_OF("2") PXE BYPASS "0303 0a4d00 ") }, EMULATE_NOTHING,
	    0, "", "a length that its kind cannot have", false },
	{ "an offer without server identifier is none to UEFI", EMULATE_X64,
	    { PLAIN, O(2, 0, 2, LOADER, "350102 " PXE) }, EMULATE_NOTHING, 0, "", "option 54",
	    false },
	{ "option 60 missing: no proxy offer", EMULATE_X64,
	    { PLAIN, O(2, 0, 2, LOADER, OFFER_OF("2")) }, EMULATE_NOTHING, 0, "",
	    "option 60 is not PXEClient", false },
	{ "option 60 of a DHCP server shuts out a proxy without 43", EMULATE_X64,
	    { O(1, 50, 0, "", OFFER_OF("1") PXE), O(2, 0, 2, LOADER, OFFER_OF("2") PXE) },
	    EMULATE_ASK, 1, "", "shuts out every proxy", true },
	{ "and one with 43", EMULATE_X64,
	    { O(1, 50, 0, "", OFFER_OF("1") PXE), O(2, 0, 2, LOADER, OFFER_OF("2") PXE BYPASS) },
	    EMULATE_ASK, 1, "", "10.77.0.1:4011", true },
	{ "unless a second, plain DHCP server lets 43 back in", EMULATE_X64,
	    { O(1, 50, 0, "", OFFER_OF("1") PXE), O(3, 60, 0, "", OFFER_OF("3")),
		O(2, 0, 2, LOADER, OFFER_OF("2") PXE BYPASS) },
	    EMULATE_TFTP, 2, LOADER, "", false },
	{ "a DHCP server's option 60 with our siaddr leads to us", EMULATE_X64,
	    { O(1, 50, 2, "", OFFER_OF("1") PXE) }, EMULATE_ASK, 2, "", "10.77.0.2:4011", true },
	{ "a DHCP server with the whole PXE answer comes first", EMULATE_X64,
	    { O(1, 50, 1, "other.efi", OFFER_OF("1") PXE BYPASS),
		O(2, 0, 2, LOADER, OFFER_OF("2") PXE BYPASS) },
	    EMULATE_TFTP, 1, "other.efi", "shuts out", true },
	{ "a rival with 43 goes before our proxy without", EMULATE_X64,
	    { PLAIN, O(2, 0, 2, LOADER, OFFER_OF("2") PXE),
		O(3, 0, 3, "rival.efi", OFFER_OF("3") PXE BYPASS) },
	    EMULATE_TFTP, 3, "rival.efi", "", true },
	{ "of two with 43 the first counts", EMULATE_X64,
	    { PLAIN, O(2, 0, 2, LOADER, OFFER_OF("2") PXE BYPASS),
		O(3, 0, 3, "rival.efi", OFFER_OF("3") PXE BYPASS) },
	    EMULATE_TFTP, 2, LOADER, "", false },
	{ "a proxy goes before a file of the DHCP server", EMULATE_X64,
	    { O(1, 50, 1, "old.efi", OFFER_OF("1")), O(2, 0, 2, LOADER, OFFER_OF("2") PXE BYPASS) },
	    EMULATE_TFTP, 2, LOADER, "", false },
	{ "without a proxy the DHCP server's file is taken", EMULATE_X64,
	    { O(1, 50, 1, "old.efi", OFFER_OF("1")) }, EMULATE_TFTP, 1, "old.efi",
	    "a plain file name", true },
	{ "a URL is no file name for PXE", EMULATE_X64,
	    { PLAIN, O(2, 0, 2, "http://10.77.0.2/x.efi", OFFER_OF("2") PXE BYPASS) },
	    EMULATE_NOTHING, 0, "http://10.77.0.2/x.efi", "PXE-E99", false },
	{ "without any offer there is nothing", EMULATE_IA32, { { 0 } }, EMULATE_NOTHING, 0, "",
	    "PXE-E16", false },
	{ "without a DHCP server the rest is still judged", EMULATE_X64,
	    { O(2, 0, 2, LOADER, OFFER_OF("2") PXE BYPASS) }, EMULATE_TFTP, 2, LOADER,
	    "no DHCP server offers", false },
	{ "the menu of one local item ends it at once", EMULATE_X64,
	    { PLAIN, O(2, 0, 2, "", OFFER_OF("2") PXE MENU_LOCAL) }, EMULATE_LOCAL, 0, "",
	    "local boot", false },
	{ "a menu with a list of servers", EMULATE_X64,
	    { PLAIN, O(2, 0, 2, "", OFFER_OF("2") PXE MENU_UNICAST) }, EMULATE_ASK, 2, "",
	    "takes \"Boot!\"", false },
	{ "a menu that wants a broadcast", EMULATE_BIOS,
	    { PLAIN, O(2, 0, 2, "", OFFER_OF("2") PXE MENU_BROADCAST) }, EMULATE_ASK, 255, "",
	    "255.255.255.255:67", false },
	{ "a menu whose item has no server", EMULATE_X64,
	    { PLAIN, O(2, 0, 2, "", OFFER_OF("2") PXE MENU_NO_LIST) }, EMULATE_NOTHING, 0, "",
	    "PXE-E77", false },

	{ "a ROM takes the file with a prompt", EMULATE_BIOS,
	    { PLAIN, O(2, 0, 2, "boot/bios/undionly.kpxe", OFFER_OF("2") PXE BYPASS_PROMPT) },
	    EMULATE_TFTP, 2, "boot/bios/undionly.kpxe", "", false },
	{ "some stop without one", EMULATE_BIOS,
	    { PLAIN, O(2, 0, 2, "boot/bios/undionly.kpxe", OFFER_OF("2") PXE BYPASS) },
	    EMULATE_TFTP, 2, "boot/bios/undionly.kpxe", "PXE-E74", false },
	{ "a ROM needs siaddr", EMULATE_BIOS,
	    { PLAIN, O(2, 0, 0, "undionly.kpxe", OFFER_OF("2") PXE BYPASS_PROMPT) },
	    EMULATE_NOTHING, 0, "undionly.kpxe", "siaddr is 0", false },
	{ "a ROM does without the End option", EMULATE_BIOS,
	    { PLAIN, O(2, 0, 2, "undionly.kpxe", OFFER_OF("2") PXE BYPASS_PROMPT, .flaw = NO_END) },
	    EMULATE_TFTP, 2, "undionly.kpxe", "", false },

	{ "iPXE takes the proxy's script by its priority", EMULATE_IPXE,
	    { O(1, 50, 1, "ipxe.efi", OFFER_OF("1")),
		O(2, 0, 2, SCRIPT, OFFER_OF("2") PXE PRIORITY) },
	    EMULATE_URL, 0, SCRIPT, "takes the proxy offer", false },
	{ "without priority the DHCP server's file wins, and loops", EMULATE_IPXE,
	    { O(1, 50, 1, "ipxe.efi", OFFER_OF("1")), O(2, 0, 2, SCRIPT, OFFER_OF("2") PXE) },
	    EMULATE_TFTP, 1, "ipxe.efi", "no higher priority", true },
	{ "old iPXE has no HTTPS", EMULATE_IPXE_OLD,
	    { PLAIN, O(2, 0, 2, SCRIPT, OFFER_OF("2") PXE PRIORITY) }, EMULATE_NOTHING, 0, SCRIPT,
	    "has no HTTPS", false },
	{ "it takes plain HTTP", EMULATE_IPXE_OLD,
	    { PLAIN, O(2, 0, 2, "http://10.77.0.2/b", OFFER_OF("2") PXE PRIORITY) }, EMULATE_URL, 0,
	    "http://10.77.0.2/b", "", false },
	{ "a proxy with siaddr 0 sends iPXE to 4011", EMULATE_IPXE,
	    { PLAIN, O(2, 0, 0, SCRIPT, OFFER_OF("2") PXE PRIORITY) }, EMULATE_ASK, 2, "",
	    "siaddr is 0", false },
	{ "a proxy offer from another port is none to iPXE", EMULATE_IPXE,
	    { PLAIN, O(2, 0, 2, SCRIPT, OFFER_OF("2") PXE PRIORITY, .flaw = NO_FLAW, .after_ms = 0,
			 .port = 4011) },
	    EMULATE_NOTHING, 0, "", "not 67", false },
	{ "iPXE does not wait 3.5 s", EMULATE_IPXE,
	    { PLAIN,
		O(2, 0, 2, SCRIPT, OFFER_OF("2") PXE PRIORITY, .flaw = NO_FLAW, .after_ms = 3500) },
	    EMULATE_NOTHING, 0, "", "no longer waits", false },
	{ "a DHCP server may bar proxies to iPXE", EMULATE_IPXE,
	    { O(1, 50, 0, "", OFFER_OF("1") "af03 b00101 "),
		O(2, 0, 2, SCRIPT, OFFER_OF("2") PXE PRIORITY) },
	    EMULATE_NOTHING, 0, "", "175.176", false },
	{ "iPXE that gets the loader again goes round", EMULATE_IPXE,
	    { PLAIN, O(2, 0, 2, LOADER, OFFER_OF("2") PXE PRIORITY) }, EMULATE_TFTP, 2, LOADER,
	    "round for ever", false },
	{ "an old one gets one with HTTPS, and why to trust us", EMULATE_IPXE_OLD,
	    { PLAIN, O(2, 0, 2, LOADER, OFFER_OF("2") PXE TRUST) }, EMULATE_TFTP, 2, LOADER,
	    "that can do HTTPS", false },
	{ "without that it goes round, too", EMULATE_IPXE_OLD,
	    { PLAIN, O(2, 0, 2, LOADER, OFFER_OF("2") PXE PRIORITY) }, EMULATE_TFTP, 2, LOADER,
	    "round for ever", false },

	{ "HTTP Boot takes a URL with an address", EMULATE_HTTP,
	    { PLAIN, O(2, 0, 2, "", OFFER_OF("2") HTTP URL_IP) }, EMULATE_URL, 0,
	    "http://10.77.0.2/ipxe.efi", "takes the proxy offer", false },
	{ "a name needs a DHCP server's name server", EMULATE_HTTP,
	    { PLAIN, O(2, 0, 2, "", OFFER_OF("2") HTTP URL_NAME DNS) }, EMULATE_NOTHING, 0, "",
	    "option 6", false },
	{ "and is good with one", EMULATE_HTTP,
	    { O(1, 50, 0, "", OFFER_OF("1") DNS), O(2, 0, 2, "", OFFER_OF("2") HTTP URL_NAME) },
	    EMULATE_URL, 0, "http://boot.lan/x.efi", "", false },
	{ "HTTP Boot wants HTTPClient", EMULATE_HTTP,
	    { PLAIN, O(2, 0, 2, "", OFFER_OF("2") PXE URL_IP) }, EMULATE_NOTHING, 0, "",
	    "not HTTPClient", false },
	{ "and http or https", EMULATE_HTTP, { PLAIN, O(2, 0, 2, "", OFFER_OF("2") HTTP URL_FTP) },
	    EMULATE_NOTHING, 0, "", "no http or https URL", false },

	{ "the Pi looks for its text", EMULATE_PI,
	    { PLAIN, O(2, 0, 2, "", OFFER_OF("2") PXE PI_MENU) }, EMULATE_TFTP, 2, "start4.elf",
	    "serial number", false },
	{ "an x86 loader is nothing to it", EMULATE_PI,
	    { PLAIN, O(2, 0, 2, "undionly.kpxe", OFFER_OF("2") PXE BYPASS) }, EMULATE_NOTHING, 0,
	    "", "lacks the text", false },

	{ "U-Boot reads the header of a proxy's answer", EMULATE_UBOOT,
	    { PLAIN, O(2, 0, 2, "boot/arm64/ipxe.efi", OFFER_OF("2") PXE, .flaw = NO_FLAW,
			 .after_ms = 0, .port = 0, .form = 1) },
	    EMULATE_TFTP, 2, "boot/arm64/ipxe.efi", "asked as PXE firmware", false },
	{ "option 67 is nothing to it", EMULATE_UBOOT,
	    { PLAIN, O(2, 0, 2, "", OFFER_OF("2") PXE URL_IP) }, EMULATE_NOTHING, 0, "",
	    "in its header", false },

	{ "behind a relay no DHCP server need have answered", EMULATE_RELAYED,
	    { O(2, 0, 2, LOADER, OFFER_OF("2") PXE) }, EMULATE_ASK, 2, "", "10.77.0.2:4011",
	    false },
};

static const struct row answers[] = {
	{ "UEFI fetches the file of the boot server's answer", EMULATE_X64,
	    { O(2, 0, 2, LOADER, ACK_OF("2") PXE) }, EMULATE_TFTP, 2, LOADER, "fetches", false },
	{ "an answer without file is none", EMULATE_X64, { O(2, 0, 2, "", ACK_OF("2") PXE) },
	    EMULATE_NOTHING, 0, "", "no boot file", false },
	{ "nor is one without End", EMULATE_X64,
	    { O(2, 0, 2, LOADER, ACK_OF("2") PXE, .flaw = NO_END) }, EMULATE_NOTHING, 0, "",
	    "no End", false },
	{ "silence is PXE-E18", EMULATE_X64, { { 0 } }, EMULATE_NOTHING, 0, "", "PXE-E18", false },
	{ "and to a ROM PXE-E55", EMULATE_BIOS, { { 0 } }, EMULATE_NOTHING, 0, "", "PXE-E55",
	    false },
	{ "a menu of local boot ends it", EMULATE_X64,
	    { O(2, 0, 2, "", ACK_OF("2") PXE MENU_LOCAL) }, EMULATE_LOCAL, 0, "", "local boot",
	    false },
	{ "iPXE wants port 4011", EMULATE_IPXE,
	    { O(2, 0, 2, SCRIPT, ACK_OF("2") PXE, .flaw = NO_FLAW, .after_ms = 0, .port = 67) },
	    EMULATE_NOTHING, 0, "", "port 4011", false },
	{ "iPXE wants siaddr", EMULATE_IPXE,
	    { O(2, 0, 0, SCRIPT, ACK_OF("2") PXE, .flaw = NO_FLAW, .after_ms = 0, .port = 4011) },
	    EMULATE_NOTHING, 0, "", "siaddr is 0", false },
	{ "iPXE wants the proxy that it asked", EMULATE_IPXE,
	    { O(3, 0, 3, SCRIPT, ACK_OF("3") PXE, .flaw = NO_FLAW, .after_ms = 0, .port = 4011) },
	    EMULATE_NOTHING, 0, "", "another server identifier", false },
	{ "iPXE takes a good one", EMULATE_IPXE,
	    { O(2, 0, 2, SCRIPT, ACK_OF("2") PXE, .flaw = NO_FLAW, .after_ms = 0, .port = 4011) },
	    EMULATE_URL, 0, SCRIPT, "", false },
};

static struct emulate_client
client_of(enum emulate_kind kind)
{
	return (struct emulate_client){
		.kind = kind, .mac = { 2, 0xd0, 0xc7, 0, 0, (uint8_t)kind }, .xid = 0x0badcafe
	};
}

static size_t
build(const struct emulate_client *c, const struct row_offer *o, uint8_t *dst, size_t size)
{
	uint8_t net[4] = { 10, 77, 0, 0 };
	struct wbuf w;

	wbuf_init(&w, dst, size);
	wbuf_u8(&w, o->flaw == IS_REQUEST ? DHCP_BOOTREQUEST : DHCP_BOOTREPLY);
	wbuf_u8(&w, 1);
	wbuf_u8(&w, 6);
	wbuf_u8(&w, 0);
	wbuf_u32(&w, c->xid + o->form + (o->flaw == WRONG_XID ? 77 : 0));
	wbuf_u32(&w, 0x8000);
	wbuf_fill(&w, 0, 4);
	net[3] = o->yiaddr;
	wbuf_bytes(&w, o->yiaddr != 0 ? net : (const uint8_t[4]){ 0 }, 4);
	net[3] = o->siaddr;
	wbuf_bytes(&w, o->siaddr != 0 ? net : (const uint8_t[4]){ 0 }, 4);
	wbuf_fill(&w, 0, 4);
	wbuf_bytes(&w, c->mac, 6);
	if (o->flaw == WRONG_MAC)
		dst[w.used - 1] ^= 1;
	wbuf_fill(&w, 0, 10 + DHCP_SNAME_BYTES);
	wbuf_str(&w, o->file);
	wbuf_fill(&w, 0, DHCP_FILE_BYTES - strlen(o->file));
	wbuf_u32(&w, DHCP_COOKIE);
	w.used += test_unhex(o->options, dst + w.used, size - w.used);
	if (o->flaw != NO_END)
		wbuf_u8(&w, DHCP_OPT_END);
	return o->flaw == CUT ? 200 : w.used;
}

static bool
said(const struct emulate_verdict *v, const char *text)
{
	for (size_t i = 0; i < v->nsteps; i++) {
		if (strstr(v->steps[i], text) != NULL)
			return true;
	}
	return text[0] == '\0';
}

static void
check_verdict(const struct row *row, const struct emulate_verdict *v)
{
	CHECK_INT(v->next, row->next);
	CHECK_STR(v->file, row->file);
	if (row->server != 0)
		CHECK_INT(v->server[3], row->server);
	if (!said(v, row->says))
		CHECK_STR(v->steps[v->nsteps - 1], row->says);
	CHECK_INT(v->foreign, row->foreign);
}

static size_t
build_all(const struct row *row, const struct emulate_client *c, struct emulate_packet packets[])
{
	static uint8_t bytes[4][1500];
	size_t n = 0;

	for (; n < NITEMS(row->offers) && row->offers[n].from != 0; n++) {
		const struct row_offer *o = &row->offers[n];

		packets[n] = (struct emulate_packet){
			.bytes = { bytes[n], build(c, o, bytes[n], sizeof(bytes[n])) },
			.from = { 10, 77, 0, o->from },
			.from_port = o->port != 0 ? o->port : 67,
			.after_ms = o->after_ms,
		};
	}
	return n;
}

static void
test_offers(void)
{
	for (size_t i = 0; i < NITEMS(offers); i++) {
		const struct emulate_client c = client_of(offers[i].kind);
		struct emulate_packet packets[4];
		struct emulate_verdict v;
		size_t n = build_all(&offers[i], &c, packets);

		test_case("offers: %s", offers[i].what);
		emulate_offers(&c, packets, n, ours, &v);
		check_verdict(&offers[i], &v);
	}
}

static void
test_answers(void)
{
	for (size_t i = 0; i < NITEMS(answers); i++) {
		const struct emulate_client c = client_of(answers[i].kind);
		struct emulate_packet packets[4];
		struct emulate_verdict v = { .next = EMULATE_ASK, .proxy = { 10, 77, 0, 2 } };
		size_t n = build_all(&answers[i], &c, packets);

		test_case("answers: %s", answers[i].what);
		emulate_answers(&c, c.xid, packets, n, &v);
		check_verdict(&answers[i], &v);
	}
}

/* What ROMs demand of a menu's answer. */
static void
test_menu_item(void)
{
	const struct emulate_client c = client_of(EMULATE_BIOS);
	const struct row_offer good = O(2, 0, 2, "x.0", ACK_OF("2") PXE "2b07 470480000000ff ");
	const struct row_offer bad = O(2, 0, 2, "x.0", ACK_OF("2") PXE);
	struct emulate_verdict v = { .next = EMULATE_ASK, .has_item = true, .item = 0x8000 };
	uint8_t bytes[1500];
	struct emulate_packet p = { .bytes = { bytes, build(&c, &bad, bytes, sizeof(bytes)) } };
	struct dhcp_packet parsed;
	struct pxe_client client;
	struct wbuf w;

	test_case("a ROM wants its item back");
	emulate_answers(&c, c.xid, &p, 1, &v);
	CHECK_INT(v.next, EMULATE_NOTHING);
	v = (struct emulate_verdict){ .next = EMULATE_ASK, .has_item = true, .item = 0x8000 };
	p.bytes.n = build(&c, &good, bytes, sizeof(bytes));
	emulate_answers(&c, c.xid, &p, 1, &v);
	CHECK_INT(v.next, EMULATE_TFTP);

	test_case("and asks for it");
	v = (struct emulate_verdict){ .next = EMULATE_ASK, .has_item = true, .item = 0x8001 };
	wbuf_init(&w, bytes, sizeof(bytes));
	emulate_request(&c, &v, 7, ours, &w);
	CHECK(!w.bad);
	CHECK_INT(dhcp_parse(wbuf_view(&w), &parsed), 0);
	pxe_classify(&parsed, false, &client);
	CHECK(client.has_boot_item && client.boot_item[1] == 1 && client.boot_item[0] == 0x80);
	CHECK_INT(parsed.type, DHCP_REQUEST);
	CHECK_INT(parsed.xid, 7);
	CHECK(memcmp(parsed.ciaddr, ours, 4) == 0);
}

/* What is sent is what servers know these clients by. */
static void
test_discovers(void)
{
	static const struct {
		enum emulate_kind kind;
		unsigned form;
		enum boot_client client;
		uint16_t arch;
	} cases[] = {
		{ EMULATE_BIOS, 0, CLIENT_PXE, 0 },
		{ EMULATE_X64, 0, CLIENT_PXE, 7 },
		{ EMULATE_IA32, 0, CLIENT_PXE, 6 },
		{ EMULATE_ARM64, 0, CLIENT_PXE, 11 },
		{ EMULATE_HTTP, 0, CLIENT_HTTP, 16 },
		{ EMULATE_IPXE_OLD, 0, CLIENT_IPXE, 7 },
		{ EMULATE_IPXE, 0, CLIENT_IPXE, 7 },
		{ EMULATE_UBOOT, 1, CLIENT_PXE, 11 },
		{ EMULATE_RELAYED, 0, CLIENT_PXE, 7 },
	};
	uint8_t bytes[1500];

	for (int kind = 0; kind < EMULATES; kind++) {
		const struct emulate_client c = client_of((enum emulate_kind)kind);

		for (unsigned form = 0; form < emulate_forms(c.kind); form++) {
			struct dhcp_packet p;
			struct wbuf w;

			test_case("%s sends a DISCOVER, form %u", emulate_name(c.kind), form);
			wbuf_init(&w, bytes, sizeof(bytes));
			emulate_discover(&c, form, &w);
			CHECK(!w.bad && w.used >= DHCP_REPLY_MIN && w.used <= DHCP_SAFE_MAX);
			CHECK_INT(dhcp_parse(wbuf_view(&w), &p), 0);
			CHECK_INT(p.type, DHCP_DISCOVER);
			CHECK_INT(p.op, DHCP_BOOTREQUEST);
			CHECK_INT(p.xid, c.xid + form);
			CHECK(memcmp(p.chaddr, c.mac, 6) == 0);
			CHECK(p.opt[55].n >= 5 && p.opt[DHCP_OPT_MAX_SIZE].n == 2);
			CHECK(!p.has[DHCP_OPT_UUID] || p.opt[DHCP_OPT_UUID].n == 17);
			CHECK_INT(p.has[DHCP_OPT_RELAY_INFO], c.kind == EMULATE_RELAYED);
		}
	}
	for (size_t i = 0; i < NITEMS(cases); i++) {
		const struct emulate_client c = client_of(cases[i].kind);
		struct pxe_client client;
		struct dhcp_packet p;
		struct wbuf w;

		test_case("%s is known for what it is", emulate_name(c.kind));
		wbuf_init(&w, bytes, sizeof(bytes));
		emulate_discover(&c, cases[i].form, &w);
		CHECK_INT(dhcp_parse(wbuf_view(&w), &p), 0);
		pxe_classify(&p, false, &client);
		CHECK_INT(client.client, cases[i].client);
		CHECK_INT(client.arch, cases[i].arch);
		if (client.client == CLIENT_IPXE)
			CHECK_INT((client.ipxe_features & IPXE_FEATURE_HTTPS) != 0,
			    c.kind == EMULATE_IPXE);
	}
}

/* edk2's packet is the captured one (protocol vectors), but for what names the machine. */
static void
test_edk2_vector(void)
{
	static const char want[] = "350101 390205c0 "
				   "37230102030405060c0d0f111216171c28292a2b3233363a3b3c42436180"
				   "81828384858687 6111";
	static const char rest[] =
	    "5e03010300 5d020007 3c20 "
	    "505845436c69656e743a417263683a30303030373a554e44493a303033303030"
	    "ff";
	const struct emulate_client c = client_of(EMULATE_X64);
	uint8_t bytes[1500], expected[300];
	size_t n = test_unhex(want, expected, sizeof(expected));
	struct wbuf w;

	test_case("edk2's DISCOVER is as captured");
	wbuf_init(&w, bytes, sizeof(bytes));
	emulate_discover(&c, 0, &w);
	CHECK_BYTES(
	    ((struct slice){ bytes + DHCP_HEADER_BYTES, n }), ((struct slice){ expected, n }));
	n += DHCP_HEADER_BYTES + 17;
	CHECK_BYTES(((struct slice){ bytes + n, test_unhex(rest, expected, sizeof(expected)) }),
	    ((struct slice){ expected, test_unhex(rest, expected, sizeof(expected)) }));
	CHECK_INT(w.used, 347);
}

/* Every cut of a good answer is harmless. */
static void
test_truncations(void)
{
	const struct row_offer good = O(2, 0, 2, LOADER, OFFER_OF("2") PXE MENU_UNICAST PRIORITY);

	test_case("truncated answers are harmless to all");
	for (int kind = 0; kind < EMULATES; kind++) {
		const struct emulate_client c = client_of((enum emulate_kind)kind);
		uint8_t bytes[1500];
		size_t n = build(&c, &good, bytes, sizeof(bytes));

		for (size_t cut = 0; cut < n; cut++) {
			struct emulate_packet p = { .bytes = { bytes, cut }, .from_port = 67 };
			struct emulate_verdict v;

			emulate_offers(&c, &p, 1, ours, &v);
			CHECK(v.nsteps > 0);
			if (cut < DHCP_HEADER_BYTES)
				CHECK_INT(v.next, EMULATE_NOTHING);
		}
	}
}

int
main(void)
{
	test_discovers();
	test_edk2_vector();
	test_offers();
	test_answers();
	test_menu_item();
	test_truncations();
	return test_end();
}
