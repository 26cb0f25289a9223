/*
 * Requests and replies; see reply.h.
 *
 * The order of options is the one that no client and no relay is known to mind: 53, 54, 60, 97,
 * 43, 66, 67, 175, those that a site adds, and 82 last, as some relays cut off what stands behind
 * it (RFC 3046 section 2.2). Nothing is ever overloaded into sname or file, which iPXE would read
 * as a name.
 */
#include "common/reply.h"

#include "common/arch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool
is_ours(const struct dhcp_packet *p, const uint8_t server[static 4])
{
	struct slice id = p->opt[DHCP_OPT_SERVER_ID];

	return id.n == 4 && memcmp(id.p, server, 4) == 0;
}

/* What a packet wants of us, by type and port. */
static enum ask_kind
sort_packet(const struct dhcp_packet *p, const struct pxe_client *c, bool boot_port,
    const uint8_t server[static 4])
{
	static const uint8_t none[4];
	bool request = p->type == DHCP_REQUEST || p->type == DHCP_INFORM;

	if (p->op != DHCP_BOOTREQUEST)
		return ASK_NOTHING;
	if (boot_port) {
		/* a Raspberry Pi's request has no option 60: whoever asks here means us */
		return request || p->type == DHCP_DISCOVER || p->type == 0 ? ASK_BOOTSERVER
		                                                           : ASK_NOTHING;
	}
	if (c->client == CLIENT_UNKNOWN)
		return ASK_NOTHING;
	if (p->type == DHCP_DISCOVER)
		return ASK_DISCOVER;
	/* BOOTP: who has an address may be told a file; we have no address to give */
	if (p->type == 0)
		return memcmp(p->ciaddr, none, 4) != 0 ? ASK_DISCOVER : ASK_NOTHING;
	/* a DHCP server on this host has our address, and is who can give out another one */
	if (p->type == DHCP_REQUEST && p->has[DHCP_OPT_REQUESTED_IP])
		return ASK_LEASE;
	if (p->type == DHCP_INFORM || (request && (c->has_boot_item || is_ours(p, server))))
		return ASK_BOOTSERVER;
	return p->type == DHCP_REQUEST ? ASK_LEASE : ASK_NOTHING;
}

/*
 * The longest reply: option 57 counts the whole IP packet for some clients and the payload for
 * others, so the smaller reading is taken, and never more than fits one Ethernet frame.
 */
static uint16_t
max_size_of(const struct dhcp_packet *p)
{
	struct slice opt = p->opt[DHCP_OPT_MAX_SIZE];
	unsigned size;

	if (opt.n != 2)
		return DHCP_SAFE_MAX;
	size = (unsigned)opt.p[0] << 8 | opt.p[1];
	if (size < 576)
		return DHCP_SAFE_MAX;
	size -= 28; /* IP and UDP headers */
	return size < DHCP_REPLY_MAX ? (uint16_t)size : DHCP_REPLY_MAX;
}

enum ask_kind
ask_from_packet(const struct dhcp_packet *p, bool boot_port, const uint8_t server[static 4],
    struct dhcp_ask *ask)
{
	struct slice uuid = p->opt[DHCP_OPT_UUID], relay_info = p->opt[DHCP_OPT_RELAY_INFO];
	struct dhcp_ask a = { .boot_port = boot_port };

	pxe_classify(p, boot_port, &a.client);
	a.kind = sort_packet(p, &a.client, boot_port, server);
	if (a.kind != ASK_DISCOVER && a.kind != ASK_BOOTSERVER)
		return a.kind;
	a.htype = p->htype;
	a.hlen = p->hlen;
	a.xid = p->xid;
	/* who has no hardware address can only be reached by broadcasts (RFC 4390 section 2.3) */
	a.flags = p->hlen > 0 ? p->flags : DHCP_FLAG_BROADCAST;
	a.bootp = p->type == 0;
	memcpy(a.ciaddr, p->ciaddr, 4);
	memcpy(a.giaddr, p->giaddr, 4);
	memcpy(a.chaddr, p->chaddr, sizeof(a.chaddr));
	memcpy(a.server, server, 4);
	a.max_size = max_size_of(p);
	if (uuid.n <= sizeof(a.uuid) && uuid.n > 0) {
		memcpy(a.uuid, uuid.p, uuid.n);
		a.uuid_n = (uint8_t)uuid.n;
	}
	if (relay_info.n > 0) {
		memcpy(a.relay_info, relay_info.p, relay_info.n);
		a.relay_info_n = (uint8_t)relay_info.n;
	}
	*ask = a;
	return a.kind;
}

/* Option 94, and what handlerd is told of options 43 and 97; see boot_request. */
static uint32_t
ndi_of(const struct dhcp_packet *p, bool has_boot_item)
{
	struct slice ndi = p->opt[DHCP_OPT_NDI], uuid = p->opt[DHCP_OPT_UUID];
	uint32_t v = 0;

	if (ndi.n == 3)
		v = (uint32_t)ndi.p[0] << 16 | (uint32_t)ndi.p[1] << 8 | ndi.p[2];
	if (p->has[DHCP_OPT_UUID])
		v |= NDI_UUID(uuid.n == 17 && uuid.p[0] == 0 ? NDI_UUID_GIVEN : NDI_UUID_ODD);
	return has_boot_item ? v | NDI_BOOT_ITEM : v;
}

void
ask_to_request(const struct dhcp_ask *ask, const struct dhcp_packet *p, const char *subnet,
    const char *interface, struct boot_request *ret)
{
	const struct pxe_client *c = &ask->client;

	*ret = (struct boot_request){
		.stage = ask->kind == ASK_DISCOVER ? STAGE_DISCOVER : STAGE_BOOTSERVER,
		.client = c->client == CLIENT_UNKNOWN ? CLIENT_PXE : c->client,
		.via = VIA_DHCP,
		.arch = c->arch,
		.mac = c->mac,
		.has_uuid = c->has_uuid,
		.uuid = c->uuid,
		.address = ip_from_v4(p->ciaddr),
		.server = ip_from_v4(ask->server),
		.relay = ip_from_v4(p->giaddr),
		.xid = p->xid,
		.secs = p->secs,
		.wait_ms = pxe_wait_ms(c, ask->kind == ASK_BOOTSERVER, p->secs),
		.has_ipxe_features = c->has_ipxe_features,
		.ipxe_features = c->ipxe_features,
		.ipxe_version = c->ipxe_version,
		.subnet = slice_str(subnet),
		.interface = slice_str(interface),
		.vendor_class = p->opt[DHCP_OPT_CLASS],
		.user_class = p->opt[DHCP_OPT_USER_CLASS],
		.relay_info = p->opt[DHCP_OPT_RELAY_INFO],
		.file = p->file,
		.param_list = p->opt[DHCP_OPT_PARAM_LIST],
		.ndi = ndi_of(p, c->has_boot_item),
	};
}

/*
 * A boot menu of one item, taken at once, for firmware that wants one (PXE 2.1 section 2.2.3).  Of
 * type PXE_TYPE_LOCAL it makes firmware leave PXE, with nothing to ask anywhere; else firmware asks
 * `server`, on port 4011, for that item.  The texts are only seen by a person when a ROM shows
 * menus whatever the time limit.
 */
static void
put_menu(struct wbuf *w, uint16_t type, const char *text, const uint8_t *server)
{
	size_t n = strlen(text);
	uint8_t buf[128];
	struct wbuf sub;

	wbuf_init(&sub, buf, sizeof(buf));
	wbuf_u8(&sub, PXE_OPT_DISCOVERY_CONTROL);
	wbuf_u8(&sub, 1);
	wbuf_u8(&sub, PXE_DISCOVERY_NONE);
	wbuf_u8(&sub, PXE_OPT_MENU_PROMPT);
	wbuf_u8(&sub, (uint8_t)(1 + n));
	wbuf_u8(&sub, 0); /* seconds */
	wbuf_bytes(&sub, text, n);
	if (server != NULL) {
		wbuf_u8(&sub, PXE_OPT_BOOT_SERVERS);
		wbuf_u8(&sub, 7);
		wbuf_u16(&sub, type);
		wbuf_u8(&sub, 1); /* addresses */
		wbuf_bytes(&sub, server, 4);
	}
	wbuf_u8(&sub, PXE_OPT_BOOT_MENU);
	wbuf_u8(&sub, (uint8_t)(3 + n));
	wbuf_u16(&sub, type);
	wbuf_u8(&sub, (uint8_t)n);
	wbuf_bytes(&sub, text, n);
	wbuf_u8(&sub, DHCP_OPT_END);
	w->bad |= sub.bad;
	dhcp_put_option(w, DHCP_OPT_VENDOR, wbuf_view(&sub));
}

/* Option 43: how the firmware is to go on (PXE 2.1 section 2.2.3). */
static void
put_vendor(struct wbuf *w, const struct dhcp_ask *ask, enum offer_style style)
{
	static const uint8_t bypass[] = { PXE_OPT_DISCOVERY_CONTROL, 1, PXE_DISCOVERY_BYPASS,
		DHCP_OPT_END };
	/* some ROMs give up with PXE-E74 when there is no prompt */
	static const uint8_t prompt[] = { PXE_OPT_DISCOVERY_CONTROL, 1, PXE_DISCOVERY_BYPASS,
		PXE_OPT_MENU_PROMPT, 4, 0, 'P', 'X', 'E', DHCP_OPT_END };
	/* a Pi loads nothing until it has read this text */
	static const uint8_t rpi[] = { PXE_OPT_DISCOVERY_CONTROL, 1, PXE_DISCOVERY_NONE,
		PXE_OPT_MENU_PROMPT, 4, 0, 'P', 'X', 'E', PXE_OPT_BOOT_MENU, 20, 0, 0, 17, 'R', 'a',
		's', 'p', 'b', 'e', 'r', 'r', 'y', ' ', 'P', 'i', ' ', 'B', 'o', 'o', 't',
		DHCP_OPT_END };
	const uint8_t *item = ask->client.boot_item;
	/* the item that the client picked must come back to it (PXE 2.1 section 2.4.4) */
	const uint8_t picked[] = { PXE_OPT_BOOT_ITEM, 4, item[0], item[1], item[2], item[3],
		DHCP_OPT_END };

	if (style == OFFER_RPI)
		dhcp_put_option(w, DHCP_OPT_VENDOR, (struct slice){ rpi, sizeof(rpi) });
	else if (style == OFFER_LOCAL)
		put_menu(w, PXE_TYPE_LOCAL, "Local boot", NULL);
	else if (ask->client.has_boot_item)
		dhcp_put_option(w, DHCP_OPT_VENDOR, (struct slice){ picked, sizeof(picked) });
	else if (ask->kind == ASK_BOOTSERVER)
		return; /* the file of an ACK is loaded without further words */
	else if (style == OFFER_MENU)
		put_menu(w, PXE_TYPE_VENDOR, "Network boot", ask->server);
	else if (style == OFFER_PXE10 || style == OFFER_IPXE)
		dhcp_put_option(w, DHCP_OPT_VENDOR, (struct slice){ bypass, sizeof(bypass) });
	else if (style == OFFER_PXE10_PROMPT)
		dhcp_put_option(w, DHCP_OPT_VENDOR, (struct slice){ prompt, sizeof(prompt) });
}

/*
 * Option 175: priority 1 makes our file win over one of the DHCP server's own, for iPXE takes the
 * DHCP server's at equal priority.  The fingerprints are read by the next stage, when iPXE starts
 * with the firmware's cached packets: so the firmware gets them too.
 */
static void
put_etherboot(struct wbuf *w, const struct boot_answer *answer)
{
	uint8_t buf[255];
	struct wbuf sub;

	wbuf_init(&sub, buf, sizeof(buf));
	wbuf_u8(&sub, IPXE_OPT_PRIORITY);
	wbuf_u8(&sub, 1);
	wbuf_u8(&sub, 1);
	dhcp_put_option(&sub, IPXE_OPT_TRUST, answer->trust);
	/* a help, which is not worth a reply that does not leave */
	if (sub.used + 2 + answer->crosscert.n <= sizeof(buf))
		dhcp_put_option(&sub, IPXE_OPT_CROSSCERT, answer->crosscert);
	w->bad |= sub.bad;
	dhcp_put_option(w, DHCP_OPT_ETHERBOOT, wbuf_view(&sub));
}

/*
 * More options as handlerd wants them.  Those that are ours, and what is no chain of options, would
 * spoil the packet: then there is none.
 */
static void
put_more(struct wbuf *w, struct slice options)
{
	struct rbuf r;

	rbuf_init(&r, options.p, options.n);
	while (r.left > 0) {
		uint8_t tag = rbuf_u8(&r);
		struct slice value = rbuf_slice(&r, rbuf_u8(&r));

		if (r.bad || value.n == 0 || tag < 128 || tag == DHCP_OPT_END ||
		    tag == DHCP_OPT_ETHERBOOT) {
			w->bad = true;
			return;
		}
		dhcp_put_option(w, tag, value);
	}
}

/*
 * Option 66 for a Raspberry Pi, of which some look there and others at siaddr.  The EEPROM of 2019
 * reads on behind an address that ends in two digits unless it finds a NUL; the ROM of a Pi 3 wants
 * the digits alone.
 */
static void
put_tftp_server(struct wbuf *w, const struct dhcp_ask *ask, const uint8_t next[static 4])
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u.%u.%u.%u", next[0], next[1], next[2], next[3]);

	if (!pxe_is_old_rpi(&ask->client.mac))
		n++;
	dhcp_put_option(
	    w, DHCP_OPT_TFTP_SERVER, (struct slice){ (const uint8_t *)text, (size_t)n });
}

/*
 * The name or URL that goes into the reply.  UEFI HTTP Boot knows no menu: what ends its attempt is
 * a URL that fails at once, the answer's or one at our discard port, where nobody listens.
 */
static struct slice
file_of(
    const struct dhcp_ask *ask, const struct boot_answer *answer, bool http, char *buf, size_t size)
{
	const uint8_t *a = ask->server;

	if (answer->style != OFFER_LOCAL)
		return answer->file;
	if (!http)
		return (struct slice){ 0 };
	if (answer->file.n > 0)
		return answer->file;
	(void)snprintf(buf, size, "http://%u.%u.%u.%u:9/none.efi", a[0], a[1], a[2], a[3]);
	return slice_str(buf);
}

int
reply_build(const struct dhcp_ask *ask, const struct boot_answer *answer, struct wbuf *w)
{
	bool http = answer->style == OFFER_HTTP ||
	            (answer->style == OFFER_LOCAL && ask->client.client == CLIENT_HTTP);
	char url[64];
	struct slice file = file_of(ask, answer, http, url, sizeof(url));
	bool fits_header = file.n < DHCP_FILE_BYTES;
	uint8_t type = ask->kind == ASK_BOOTSERVER ? DHCP_ACK : DHCP_OFFER;
	const uint8_t *next = answer->server.family == 4 ? answer->server.b : ask->server;
	size_t start = w->used;

	wbuf_u8(w, DHCP_BOOTREPLY);
	wbuf_u8(w, ask->htype);
	wbuf_u8(w, ask->hlen);
	wbuf_u8(w, 0); /* hops */
	wbuf_u32(w, ask->xid);
	wbuf_u16(w, 0); /* secs */
	wbuf_u16(w, ask->flags);
	wbuf_bytes(w, ask->ciaddr, 4);
	wbuf_fill(w, 0, 4);     /* yiaddr: 0 is what makes it a proxy's offer */
	wbuf_bytes(w, next, 4); /* siaddr: iPXE refuses 0 */
	wbuf_bytes(w, ask->giaddr, 4);
	wbuf_bytes(w, ask->chaddr, DHCP_CHADDR_BYTES);
	wbuf_fill(w, 0, DHCP_SNAME_BYTES);
	if (fits_header)
		wbuf_slice(w, file);
	wbuf_fill(w, 0, fits_header ? DHCP_FILE_BYTES - file.n : DHCP_FILE_BYTES);
	wbuf_u32(w, DHCP_COOKIE);

	if (!ask->bootp)
		dhcp_put_option(w, DHCP_OPT_TYPE, (struct slice){ &type, 1 });
	dhcp_put_option(w, DHCP_OPT_SERVER_ID, (struct slice){ ask->server, 4 });
	dhcp_put_option(w, DHCP_OPT_CLASS, slice_str(http ? "HTTPClient" : "PXEClient"));
	dhcp_put_option(w, DHCP_OPT_UUID, (struct slice){ ask->uuid, ask->uuid_n });
	if (!http)
		put_vendor(w, ask, answer->style);
	if (answer->style == OFFER_RPI)
		put_tftp_server(w, ask, next);
	/* a name in the header wins over option 67, so this is for what does not fit there, and
	 * for HTTP Boot, which is specified to look here */
	if (http || !fits_header)
		dhcp_put_option(w, DHCP_OPT_BOOT_FILE, file);
	if (!http && answer->style != OFFER_RPI)
		put_etherboot(w, answer);
	put_more(w, answer->options);
	dhcp_put_option(
	    w, DHCP_OPT_RELAY_INFO, (struct slice){ ask->relay_info, ask->relay_info_n });
	wbuf_u8(w, DHCP_OPT_END);
	if (!w->bad && w->used - start < DHCP_REPLY_MIN)
		wbuf_fill(w, DHCP_OPT_PAD, DHCP_REPLY_MIN - (w->used - start));
	if (w->bad || w->used - start > ask->max_size)
		return -EMSGSIZE;
	return 0;
}
