/* Reading answers; see emulate_offer.h. */
#include "ferryctl/emulate_offer.h"

#include "common/pxe.h"

#include <stdio.h>
#include <string.h>

#define EDK2_MAX          1472 /* bytes of payload; a longer answer is not looked at */
#define IPXE_NO_PXEDHCP   176
#define PXE_OPT_MULTICAST 7
#define PXE_OPT_SERVERS   8

const char *
v4_format(const uint8_t b[static 4], char buf[static V4_STRLEN])
{
	(void)snprintf(buf, V4_STRLEN, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	return buf;
}

const char *
offer_text(struct slice s, char *buf, size_t size)
{
	(void)slice_copy(buf, size, s);
	return buf;
}

/* Which of the tags 1 to 10 of PXE's own options are there, as bits. */
static unsigned
pxe_tags(struct slice vendor)
{
	unsigned tags = 0;

	for (uint8_t tag = 1; tag <= 10; tag++) {
		struct slice value;

		if (dhcp_sub_option(vendor, tag, &value) == 0)
			tags |= 1u << tag;
	}
	return tags;
}

static enum offer_shape
shape_of(unsigned tags)
{
	if ((tags & 0x7c0) != 0) /* 6 to 10 */
		return SHAPE_PXE10;
	return (tags & 0x3e) == 0x3e ? SHAPE_WFM : SHAPE_BINL; /* 1 to 5 */
}

static void
read_vendor(struct offer *o)
{
	struct slice vendor = o->p.opt[DHCP_OPT_VENDOR], value;

	o->shape = shape_of(pxe_tags(vendor));
	if (dhcp_sub_option(vendor, PXE_OPT_DISCOVERY_CONTROL, &value) == 0 && value.n == 1)
		o->control = value.p[0];
	o->has_menu = dhcp_sub_option(vendor, PXE_OPT_BOOT_MENU, &o->menu) == 0;
	o->has_prompt =
	    dhcp_sub_option(vendor, PXE_OPT_MENU_PROMPT, &o->prompt) == 0 && o->prompt.n > 0;
	o->has_servers = dhcp_sub_option(vendor, PXE_OPT_SERVERS, &o->servers) == 0;
	o->has_multicast = dhcp_sub_option(vendor, PXE_OPT_MULTICAST, &value) == 0 && value.n == 4;
}

static void
read_etherboot(struct offer *o)
{
	struct slice option = o->p.opt[DHCP_OPT_ETHERBOOT], value;

	if (dhcp_sub_option(option, IPXE_OPT_PRIORITY, &value) == 0 && value.n == 1)
		/* a signed octet */
		o->priority = value.p[0] < 0x80 ? value.p[0] : value.p[0] - 0x100;
	o->no_pxedhcp = dhcp_sub_option(option, IPXE_NO_PXEDHCP, &value) == 0 && value.n == 1 &&
	                value.p[0] != 0;
	if (dhcp_sub_option(option, IPXE_OPT_TRUST, &value) == 0)
		o->trust = value;
}

static void
read_server(struct offer *o)
{
	static const uint8_t none[4];
	struct slice id = o->p.opt[DHCP_OPT_SERVER_ID];

	o->has_siaddr = memcmp(o->p.siaddr, none, 4) != 0;
	if (o->has_siaddr)
		memcpy(o->server, o->p.siaddr, 4);
	else if (id.n == 4)
		memcpy(o->server, id.p, 4);
	if (id.n == 4)
		memcpy(o->id, id.p, 4);
	else
		memcpy(o->id, o->has_siaddr ? o->p.siaddr : o->packet->from, 4);
}

const char *
offer_read(const struct emulate_packet *packet, uint32_t xid, const uint8_t mac[static 6],
    struct offer *ret)
{
	static const uint8_t none[4];
	struct offer *o = ret;

	memset(o, 0, sizeof(*o));
	o->packet = packet;
	if (dhcp_parse(packet->bytes, &o->p) < 0)
		return "it is no DHCP, or an option runs out of the packet";
	if (o->p.op != DHCP_BOOTREPLY)
		return "it is no reply";
	if (o->p.xid != xid)
		return "it has another transaction's xid";
	if (o->p.hlen != 6 || memcmp(o->p.chaddr, mac, 6) != 0)
		return "it is for another hardware address";
	o->proxy = memcmp(o->p.yiaddr, none, 4) == 0;
	o->pxe = slice_begins(o->p.opt[DHCP_OPT_CLASS], "PXEClient");
	o->http = slice_begins(o->p.opt[DHCP_OPT_CLASS], "HTTPClient");
	o->file = o->p.has[DHCP_OPT_BOOT_FILE] ? o->p.opt[DHCP_OPT_BOOT_FILE] : o->p.file;
	/* it ends at its first NUL, which may be counted in option 67 */
	if (o->file.n > 0)
		o->file.n = strnlen((const char *)o->file.p, o->file.n);
	if (o->pxe)
		read_vendor(o);
	read_etherboot(o);
	read_server(o);
	return NULL;
}

/* --- edk2's checks -------------------------------------------------------------------------- */

static bool
has_end(struct slice bytes)
{
	struct rbuf r;

	rbuf_init(&r, bytes.p, bytes.n);
	(void)rbuf_slice(&r, DHCP_HEADER_BYTES);
	while (r.left > 0) {
		uint8_t tag = rbuf_u8(&r);

		if (tag == DHCP_OPT_END)
			return true;
		if (tag != DHCP_OPT_PAD)
			(void)rbuf_slice(&r, rbuf_u8(&r));
	}
	return false;
}

/* Options that edk2 knows: the least length, and what it must be a multiple of. */
static const struct {
	uint8_t tag, least, step;
} known[] = {
	{ 1, 4, 4 },
	{ 3, 4, 4 },
	{ 6, 4, 4 },
	{ 12, 1, 1 },
	{ 13, 2, 2 },
	{ 15, 1, 1 },
	{ 17, 1, 1 },
	{ 26, 2, 2 },
	{ 28, 4, 4 },
	{ 43, 1, 1 },
	{ 51, 4, 4 },
	{ 54, 4, 4 },
	{ 58, 4, 4 },
	{ 59, 4, 4 },
	{ 60, 1, 1 },
	{ 66, 1, 1 },
	{ 67, 1, 1 },
};

const char *
offer_edk2_flaw(const struct offer *o)
{
	static const uint8_t none[4];
	const struct dhcp_packet *p = &o->p;
	struct slice overload = p->opt[DHCP_OPT_OVERLOAD];

	if (o->packet->bytes.n > EDK2_MAX)
		return "it is longer than 1472 bytes";
	if (!has_end(o->packet->bytes))
		return "it has no End option (255)";
	for (size_t i = 0; i < NITEMS(known); i++) {
		size_t n = p->opt[known[i].tag].n;

		if (p->has[known[i].tag] && (n < known[i].least || n % known[i].step != 0))
			return n == 0 ? "it has an option of no length"
			              : "an option has a length that its kind cannot have";
	}
	if (p->has[DHCP_OPT_OVERLOAD] &&
	    (overload.n != 1 || overload.p[0] < 1 || overload.p[0] > 3))
		return "its option 52 is not 1, 2 or 3";
	if (p->has[DHCP_OPT_TYPE] && (p->type < 1 || p->type > 9))
		return "its option 53 is not 1 to 9";
	if (p->type == DHCP_OFFER && (p->opt[DHCP_OPT_SERVER_ID].n != 4 ||
					 memcmp(p->opt[DHCP_OPT_SERVER_ID].p, none, 4) == 0))
		return "it has no server identifier (option 54)";
	return NULL;
}
