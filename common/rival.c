/* What other servers send, and what that does to clients; see rival.h. */
#include "common/rival.h"

#include "common/arch.h"
#include "common/pxe.h"

#include <errno.h>
#include <string.h>

#define BOOT_PORT 4011
/* option 175: the priority that our own offers carry, and "do not wait for a proxy" */
#define OUR_PRIORITY      1
#define IPXE_OPT_NO_PROXY 176

#define ADDRESS           RIVAL_SENDS_ADDRESS
#define PXE               RIVAL_SENDS_PXE
#define HTTP              RIVAL_SENDS_HTTP
#define FILE_             RIVAL_SENDS_FILE
#define PXE10             RIVAL_SENDS_PXE10
#define TO_US             RIVAL_SENDS_TO_US
#define PRIORITY          RIVAL_SENDS_PRIORITY
#define NO_PROXY          RIVAL_SENDS_NO_PROXY
#define BOOTSRV           RIVAL_SENDS_BOOTSERVER

#define CURE_60                                                                                    \
	"take option 60 (PXEClient) off that DHCP server, or set its next-server to this host, "   \
	"so that the requests to port 4011 come here"
#define CURE_60_43 "take options 60 and 43 off that DHCP server"
#define CURE_HTTP  "take option 60 (HTTPClient) and the URL off that DHCP server"
#define CURE_FILE                                                                                  \
	"take the boot file (filename, option 67) off that DHCP server: what misses our offer "    \
	"boots it, and shim and GRUB ask that server for their next stage"
#define CURE_PROXY                                                                                 \
	"two boot servers answer here: switch one of them off, or let this one yield (yield_to)"
#define CURE_175 "take option 175 off that DHCP server, or let it name this host's script"

struct row {
	enum rival_client client;
	uint32_t sends; /* all of these, and the first row counts */
	struct rival_judgement judgement;
};

/*
 * What firmware makes of an offer beside ours, which has option 60, no address, and for iPXE
 * priority 1.  UEFI PXE and HTTP Boot: edk2's PxeBcDhcp4.c and HttpBootDhcp4.c, whose order of
 * preference is fixed and which wait out the first 4 s whatever came.  iPXE: net/udp/dhcp.c.  ROMs:
 * PXE 2.1 section 2.2, and what was seen of them.
 */
static const struct row rows[] = {
	{ RIVAL_UEFI, BOOTSRV | TO_US,
	    { RIVAL_LEADS_TO_US, "UEFI PXE gets from its boot server (port 4011) a file of ours",
		"" } },
	{ RIVAL_UEFI, BOOTSRV,
	    { RIVAL_WINS, "UEFI PXE asked its boot server (port 4011) and boots what that says",
		CURE_PROXY } },
	{ RIVAL_UEFI, ADDRESS | PXE | PXE10,
	    { RIVAL_WINS,
		"UEFI PXE takes this server's own PXE offer (options 60 and 43) before any proxy's",
		CURE_60_43 } },
	{ RIVAL_UEFI, ADDRESS | PXE | TO_US,
	    { RIVAL_LEADS_TO_US,
		"UEFI PXE does not look at proxies and asks port 4011 of the next-server, which is "
		"this host",
		"" } },
	{ RIVAL_UEFI, ADDRESS | PXE,
	    { RIVAL_WINS,
		"UEFI PXE does not look at any proxy's offer, as this DHCP server sends option 60 "
		"itself, and asks port 4011 of its next-server, or of the server",
		CURE_60 } },
	{ RIVAL_UEFI, ADDRESS | FILE_,
	    { RIVAL_LOSES,
		"UEFI PXE takes our offer; it boots this server's file when ours comes late or not "
		"at all",
		CURE_FILE } },
	{ RIVAL_UEFI, ADDRESS, { RIVAL_PLAIN, "UEFI PXE takes its address and our offer", "" } },
	{ RIVAL_UEFI, PXE | PXE10,
	    { RIVAL_RACES,
		"UEFI PXE takes the first proxy offer that names its file at once (option 43), and "
		"only then one that leads to port 4011, as ours does by default",
		CURE_PROXY } },
	{ RIVAL_UEFI, PXE,
	    { RIVAL_RACES, "UEFI PXE tries this proxy and ours in the order in which they answered",
		CURE_PROXY } },
	{ RIVAL_UEFI, 0, { RIVAL_DISCARDED, "UEFI PXE discards it: it has no option 60", "" } },

	{ RIVAL_BIOS, BOOTSRV,
	    { RIVAL_WINS, "The ROM asked its boot server (port 4011) and boots what that says",
		CURE_PROXY } },
	{ RIVAL_BIOS, ADDRESS | PXE | TO_US,
	    { RIVAL_LEADS_TO_US, "ROMs ask port 4011 of the next-server, which is this host",
		"" } },
	{ RIVAL_BIOS, ADDRESS | PXE,
	    { RIVAL_WINS,
		"Most ROMs take this server's offer, as it has option 60, and end with PXE-E55 if "
		"nobody answers on its port 4011",
		CURE_60 } },
	{ RIVAL_BIOS, ADDRESS | FILE_,
	    { RIVAL_RACES, "ROMs differ: most take our offer, some this server's file",
		CURE_FILE } },
	{ RIVAL_BIOS, ADDRESS, { RIVAL_PLAIN, "ROMs take its address and our offer", "" } },
	{ RIVAL_BIOS, PXE,
	    { RIVAL_RACES, "ROMs take the first proxy offer that they can use", CURE_PROXY } },
	{ RIVAL_BIOS, 0, { RIVAL_DISCARDED, "ROMs discard it: it has no option 60", "" } },

	{ RIVAL_HTTP, ADDRESS | HTTP | FILE_,
	    { RIVAL_WINS, "UEFI HTTP Boot takes this server's URL before any proxy's",
		CURE_HTTP } },
	{ RIVAL_HTTP, ADDRESS | HTTP,
	    { RIVAL_WINS,
		"UEFI HTTP Boot drops this server's offers (option 60 without a URL), and so has "
		"no address",
		CURE_HTTP } },
	{ RIVAL_HTTP, HTTP | FILE_,
	    { RIVAL_RACES, "UEFI HTTP Boot takes the first of the proxies' URLs", CURE_PROXY } },
	{ RIVAL_HTTP, ADDRESS,
	    { RIVAL_PLAIN, "UEFI HTTP Boot takes its address and our URL", "" } },
	{ RIVAL_HTTP, 0,
	    { RIVAL_DISCARDED, "UEFI HTTP Boot discards it: it has no URL with option 60", "" } },

	{ RIVAL_IPXE, BOOTSRV,
	    { RIVAL_WINS, "iPXE asked its boot server (port 4011) and boots what that says",
		CURE_PROXY } },
	{ RIVAL_IPXE, ADDRESS | NO_PROXY,
	    { RIVAL_WINS, "iPXE does not wait for any proxy (option 175.176)", CURE_175 } },
	{ RIVAL_IPXE, ADDRESS | FILE_ | PRIORITY,
	    { RIVAL_WINS, "iPXE boots this server's file, whose priority (175.1) is not below ours",
		CURE_175 } },
	{ RIVAL_IPXE, ADDRESS | PXE,
	    { RIVAL_RACES,
		"iPXE waits for no other proxy once it has this offer, as it has option 60; ours "
		"wins if it came before",
		CURE_60 } },
	{ RIVAL_IPXE, ADDRESS | FILE_,
	    { RIVAL_LOSES,
		"iPXE takes our script; it boots this server's file when our offer comes late or "
		"not at all",
		CURE_FILE } },
	{ RIVAL_IPXE, ADDRESS, { RIVAL_PLAIN, "iPXE takes its address and our script", "" } },
	{ RIVAL_IPXE, PXE,
	    { RIVAL_RACES,
		"iPXE waits for no other proxy once it has this offer; ours wins if it came before",
		CURE_PROXY } },
	{ RIVAL_IPXE, 0, { RIVAL_DISCARDED, "iPXE discards it: it has no option 60", "" } },
};

#define NAMES(fn, type, count, ...)                                                                \
	const char *fn(type v)                                                                     \
	{                                                                                          \
		static const char *const names[] = { __VA_ARGS__ };                                \
		_Static_assert(NITEMS(names) == (count), "a name for each value");                 \
		return (size_t)v < NITEMS(names) ? names[v] : "?";                                 \
	}

/* clang-format off */
NAMES(rival_client_name, enum rival_client, RIVAL_CLIENTS,
    [RIVAL_ANY] = "any", [RIVAL_BIOS] = "bios", [RIVAL_UEFI] = "uefi",
    [RIVAL_HTTP] = "uefi-http", [RIVAL_IPXE] = "ipxe")
NAMES(rival_effect_name, enum rival_effect, RIVAL_EFFECTS,
    [RIVAL_PLAIN] = "plain", [RIVAL_DISCARDED] = "discarded", [RIVAL_LEADS_TO_US] = "leads-here",
    [RIVAL_LOSES] = "loses", [RIVAL_RACES] = "races", [RIVAL_WINS] = "wins")
/* clang-format on */

enum rival_client
rival_client_of(enum boot_client client, uint16_t arch)
{
	switch (client) {
	case CLIENT_IPXE: return RIVAL_IPXE;
	case CLIENT_HTTP: return RIVAL_HTTP;
	case CLIENT_PXE: return arch_find(arch)->kind == ARCH_KIND_BIOS ? RIVAL_BIOS : RIVAL_UEFI;
	default: return RIVAL_ANY;
	}
}

static bool
is_ours(const struct ipaddr *ip, const struct ipaddr *ours, size_t nours)
{
	for (size_t i = 0; i < nours; i++) {
		if (ip_eq(ip, &ours[i]))
			return true;
	}
	return false;
}

/* What option 43 has, in a packet whose option 60 gives it PXE's meaning. */
static uint32_t
read_vendor(struct slice option)
{
	static const uint8_t pxe10[] = { 6, 7, 8, 9, 10 };
	struct slice value;
	uint32_t sends = 0;

	for (size_t i = 0; i < sizeof(pxe10); i++) {
		if (dhcp_sub_option(option, pxe10[i], &value) == 0)
			sends |= RIVAL_SENDS_PXE10;
	}
	if (dhcp_sub_option(option, PXE_OPT_BOOT_MENU, &value) == 0)
		sends |= RIVAL_SENDS_MENU;
	return sends;
}

static uint32_t
read_etherboot(struct slice option)
{
	struct slice value;
	uint32_t sends = 0;

	if (dhcp_sub_option(option, IPXE_OPT_PRIORITY, &value) == 0 && value.n == 1 &&
	    (int8_t)value.p[0] >= OUR_PRIORITY)
		sends |= RIVAL_SENDS_PRIORITY;
	if (dhcp_sub_option(option, IPXE_OPT_NO_PROXY, &value) == 0 && value.n == 1 &&
	    value.p[0] != 0)
		sends |= RIVAL_SENDS_NO_PROXY;
	return sends;
}

int
rival_read(const struct dhcp_packet *p, const uint8_t from[static 4], uint16_t from_port,
    const struct ipaddr *ours, size_t nours, struct ipaddr *ret_server, struct rival_offer *ret)
{
	static const uint8_t none[4];
	struct slice file = p->opt[DHCP_OPT_BOOT_FILE], id = p->opt[DHCP_OPT_SERVER_ID];
	struct slice class = p->opt[DHCP_OPT_CLASS];
	struct rival_offer o = { .offers = 1, .next = ip_from_v4(p->siaddr) };
	struct ipaddr server = ip_from_v4(id.n == 4 && memcmp(id.p, none, 4) != 0 ? id.p : from);

	if (p->op != DHCP_BOOTREPLY ||
	    (p->has[DHCP_OPT_TYPE] && p->type != DHCP_OFFER && p->type != DHCP_ACK))
		return -ENOMSG;
	/* an ACK to an INFORM has no yiaddr either, but nothing for booting, and is of no interest
	 */
	if (memcmp(p->yiaddr, none, 4) != 0)
		o.sends |= RIVAL_SENDS_ADDRESS;
	if (!p->has[DHCP_OPT_TYPE])
		o.sends |= RIVAL_SENDS_BOOTP;
	if (slice_begins(class, "PXEClient"))
		o.sends |= RIVAL_SENDS_PXE | read_vendor(p->opt[DHCP_OPT_VENDOR]);
	else if (slice_begins(class, "HTTPClient"))
		o.sends |= RIVAL_SENDS_HTTP;
	if (file.n == 0)
		file = p->file;
	if (slice_copy(o.file, sizeof(o.file), file) > 0)
		o.sends |= RIVAL_SENDS_FILE;
	if (from_port == BOOT_PORT)
		o.sends |= RIVAL_SENDS_BOOTSERVER;
	if (o.next.family != 0 && !ip_eq(&o.next, &server))
		o.sends |= RIVAL_SENDS_NEXT;
	if (o.next.family != 0 && is_ours(&o.next, ours, nours))
		o.sends |= RIVAL_SENDS_TO_US;
	if (memcmp(p->giaddr, none, 4) != 0)
		o.sends |= RIVAL_SENDS_RELAYED;
	o.sends |= read_etherboot(p->opt[DHCP_OPT_ETHERBOOT]);
	if ((o.sends & (RIVAL_SENDS_ADDRESS | RIVAL_SENDS_BOOT)) == 0)
		return -ENOMSG;
	*ret_server = server;
	*ret = o;
	return 0;
}

const struct rival_judgement *
rival_judge(enum rival_client client, const struct rival_offer *o)
{
	/* whom it was for is not known: UEFI firmware is what most would be */
	enum rival_client as = client == RIVAL_ANY ? RIVAL_UEFI : client;
	const struct row *found = &rows[0];

	for (size_t i = 0; i < NITEMS(rows); i++) {
		if (rows[i].client == as && (o->sends & rows[i].sends) == rows[i].sends) {
			found = &rows[i];
			break;
		}
	}
	return &found->judgement;
}

const struct rival_judgement *
rival_worst(const struct rival *r)
{
	static const struct rival_judgement nothing = { RIVAL_PLAIN, "", "" };
	const struct rival_judgement *worst = &nothing;

	for (enum rival_client i = 0; i < RIVAL_CLIENTS; i++) {
		const struct rival_judgement *j;

		if (r->to[i].offers == 0)
			continue;
		j = rival_judge(i, &r->to[i]);
		if (j->effect > worst->effect || worst == &nothing)
			worst = j;
	}
	return worst;
}

const char *
rival_sends_format(uint32_t sends, char *buf, size_t size)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{ RIVAL_SENDS_ADDRESS, "address" },
		{ RIVAL_SENDS_PXE, "option-60-PXEClient" },
		{ RIVAL_SENDS_HTTP, "option-60-HTTPClient" },
		{ RIVAL_SENDS_PXE10, "option-43" },
		{ RIVAL_SENDS_MENU, "menu" },
		{ RIVAL_SENDS_FILE, "boot-file" },
		{ RIVAL_SENDS_NEXT, "next-server" },
		{ RIVAL_SENDS_TO_US, "next-server-is-ours" },
		{ RIVAL_SENDS_PRIORITY, "option-175.1" },
		{ RIVAL_SENDS_NO_PROXY, "option-175.176" },
		{ RIVAL_SENDS_BOOTP, "bootp" },
		{ RIVAL_SENDS_BOOTSERVER, "boot-server" },
		{ RIVAL_SENDS_RELAYED, "relayed" },
	};
	struct wbuf w;

	wbuf_init(&w, buf, size - 1);
	for (size_t i = 0; i < NITEMS(names); i++) {
		if ((sends & names[i].bit) != 0)
			wbuf_printf(&w, "%s%s", w.used > 0 ? "," : "", names[i].name);
	}
	buf[w.used] = '\0';
	return buf;
}
