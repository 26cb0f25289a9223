/* PXE firmware, BIOS and UEFI; see emulate_mind.h. */
#include "ferryctl/emulate_mind.h"

#include "common/pxe.h"

#include <string.h>

static bool
is_zero(const uint8_t b[static 4])
{
	return (b[0] | b[1] | b[2] | b[3]) == 0;
}

static const struct offer *
find_offer(const struct inbox *in, bool proxy, enum offer_shape shape)
{
	for (size_t i = 0; i < in->n; i++) {
		const struct offer *o = &in->v[i];

		if (o->proxy == proxy && o->shape == shape && o->p.type == DHCP_OFFER)
			return o;
	}
	return NULL;
}

/* The first address of the list of boot servers (43.8) for this type; false if it is not there. */
static bool
find_server(struct slice servers, uint16_t type, uint8_t ret[static 4])
{
	struct rbuf r;

	rbuf_init(&r, servers.p, servers.n);
	while (r.left > 0) {
		uint16_t listed = rbuf_u16(&r);
		struct slice addresses = rbuf_slice(&r, 4u * rbuf_u8(&r));

		if (r.bad)
			return false;
		if (listed != type)
			continue;
		memset(ret, 0, 4);
		if (addresses.n >= 4)
			memcpy(ret, addresses.p, 4);
		return true;
	}
	return false;
}

/* Discovery of the boot server for a menu's item (PXE 2.1 section 2.2.3, as edk2 orders it). */
static void
discover_server(struct emulate_verdict *v, const struct offer *o, uint16_t type)
{
	static const uint8_t broadcast[4] = { 255, 255, 255, 255 };
	uint8_t server[4] = { 0 };

	v->has_item = true;
	v->item = type;
	if (o->has_servers && !find_server(o->servers, type, server)) {
		emulate_say(
		    v, "fails: its item %u is not in the list of boot servers (PXE-E77)", type);
		return;
	}
	if ((o->control & 2) == 0 && !o->has_multicast) {
		emulate_say(v, "fails: it is to ask by multicast, and no address is given "
			       "(PXE-E77); set bit 1 of 43.6");
		return;
	}
	if ((o->control & 2) == 0)
		emulate_say(v, "asks for a boot server by multicast, which few networks carry");
	if ((o->control & 2) != 0 && (o->control & 1) != 0 && is_zero(server)) {
		emulate_say(v, "fails: it is to ask neither by multicast nor by broadcast, and no "
			       "boot server is named (PXE-E78)");
		return;
	}
	if ((o->control & 1) == 0)
		emulate_ask(v, broadcast, PORT_DHCP);
	else
		emulate_ask(v, is_zero(server) ? o->server : server, PORT_BOOTSERVER);
}

static void
take_menu(struct emulate_verdict *v, const struct offer *o)
{
	uint16_t type;
	struct rbuf r;
	char text[71];
	uint8_t n;

	rbuf_init(&r, o->menu.p, o->menu.n);
	type = rbuf_u16(&r);
	n = rbuf_u8(&r);
	(void)offer_text(rbuf_slice(&r, n), text, sizeof(text));
	if (!o->has_menu || r.bad) {
		emulate_say(v, "finds no menu in option 43 and leaves network boot");
		return;
	}
	if (o->has_prompt && o->prompt.p[0] == 255)
		emulate_say(v, "shows a menu and waits for a person");
	else if (o->has_prompt && o->prompt.p[0] > 0)
		emulate_say(v, "shows a prompt for %u s", o->prompt.p[0]);
	if (type == 0) {
		emulate_say(v,
		    "takes \"%s\", which is local boot: it goes on to its next boot "
		    "option at once",
		    text);
		v->next = EMULATE_LOCAL;
		return;
	}
	emulate_say(v, "takes \"%s\" from the menu", text);
	discover_server(v, o, type);
}

/* An offer with option 43: the file of this packet, or a menu. */
static void
take_pxe10(struct emulate_verdict *v, const struct offer *o)
{
	uint8_t server[4];
	struct rbuf r;

	if ((o->control & PXE_DISCOVERY_BYPASS) == 0 || o->file.n == 0) {
		take_menu(v, o);
		return;
	}
	memcpy(server, o->server, 4);
	/* with a list of boot servers its first address is taken, whatever siaddr says */
	if (o->has_servers) {
		rbuf_init(&r, o->servers.p, o->servers.n);
		(void)rbuf_u16(&r);
		if (rbuf_u8(&r) > 0)
			rbuf_bytes(&r, server, 4);
	}
	emulate_fetch(v, server, o->file);
}

static void
say_taken(struct emulate_verdict *v, const struct offer *o)
{
	char from[V4_STRLEN], id[V4_STRLEN];

	emulate_say(v, "takes the %s offer of %s (%s)", o->proxy ? "proxy" : "DHCP server's own",
	    v4_format(o->id, id),
	    o->shape == SHAPE_PXE10  ? "with option 43"
	    : o->shape == SHAPE_BINL ? "without option 43"
				     : "a plain file name");
	if (memcmp(o->id, o->packet->from, 4) != 0)
		emulate_say(
		    v, "that offer came from the address %s", v4_format(o->packet->from, from));
}

static void
take_pxe(struct emulate_verdict *v, const struct offer *o, const uint8_t own[static 4])
{
	inbox_use(v, o, own);
	say_taken(v, o);
	if (o->shape == SHAPE_PXE10)
		take_pxe10(v, o);
	else
		emulate_ask(v, o->server, PORT_BOOTSERVER);
}

/* The DHCP server's own file, which needs no proxy. */
static void
take_plain(struct emulate_verdict *v, const struct inbox *in, const uint8_t own[static 4])
{
	for (int bootp = 0; bootp < 2; bootp++) {
		for (size_t i = 0; i < in->n; i++) {
			const struct offer *o = &in->v[i];

			if (o->proxy || o->pxe || o->file.n == 0 ||
			    (o->p.type == 0) != (bootp == 1))
				continue;
			inbox_use(v, o, own);
			say_taken(v, o);
			emulate_fetch(v, o->server, o->file);
			return;
		}
	}
	emulate_say(v, "gives up after four rounds, 60 s: no answer has a boot file for it "
		       "(PXE-E16; an old ROM: PXE-E53)");
}

/* Proxies that are none to it: the commonest mistake of a hand-made one is a missing option 60. */
static void
say_unfit(struct emulate_verdict *v, const struct inbox *in)
{
	char from[V4_STRLEN];

	for (size_t i = 0; i < in->n; i++) {
		const struct offer *o = &in->v[i];

		if (!o->proxy || o->p.type != DHCP_OFFER)
			continue;
		if (!o->pxe)
			emulate_say(v,
			    "drops the proxy offer of %s: its option 60 is not PXEClient",
			    v4_format(o->id, from));
		else if (o->shape == SHAPE_WFM)
			emulate_say(v, "drops the proxy offer of %s: its option 43 is of WfM 1.1a",
			    v4_format(o->id, from));
	}
}

/* edk2's order of choice (UefiPxeBcDxe), which ROMs of Intel's kind share. */
static void
choose_pxe(struct emulate_verdict *v, const struct inbox *in, const uint8_t own[static 4])
{
	const struct offer *o = find_offer(in, false, SHAPE_PXE10);
	bool plain = find_offer(in, false, SHAPE_NONE) != NULL || !v->leased;
	char from[V4_STRLEN];

	say_unfit(v, in);
	if (o == NULL && plain)
		o = find_offer(in, true, SHAPE_PXE10);
	if (o == NULL)
		o = find_offer(in, false, SHAPE_BINL);
	if (o == NULL && plain)
		o = find_offer(in, true, SHAPE_BINL);
	if (o == NULL) {
		take_plain(v, in, own);
		return;
	}
	if (!o->proxy)
		emulate_say(v,
		    "the DHCP server %s sends option 60 = PXEClient itself: that shuts "
		    "out every proxy",
		    v4_format(o->id, from));
	take_pxe(v, o, own);
}

void
emulate_edk2_offers(const struct emulate_client *c, struct inbox *in, const uint8_t own[static 4],
    struct emulate_verdict *v)
{
	inbox_drop_flawed(v, in);
	/* a relay asks its DHCP servers apart from us: none need have answered here */
	if (c->kind != EMULATE_RELAYED)
		inbox_look_for_lease(v, in);
	choose_pxe(v, in, own);
}

void
emulate_rom_offers(const struct emulate_client *c, struct inbox *in, const uint8_t own[static 4],
    struct emulate_verdict *v)
{
	(void)c;
	inbox_look_for_lease(v, in);
	choose_pxe(v, in, own);
	if (v->used == SIZE_MAX)
		return;
	for (size_t i = 0; i < in->n; i++) {
		const struct offer *o = &in->v[i];

		if (o->index != v->used)
			continue;
		if (v->next == EMULATE_TFTP && !o->has_siaddr) {
			v->next = EMULATE_NOTHING;
			emulate_say(v, "fails: siaddr is 0, and ROMs look nowhere else (PXE-E53)");
		}
		if (o->shape == SHAPE_PXE10 && !o->has_prompt)
			emulate_say(
			    v, "but some ROMs stop here: option 43 has no prompt (PXE-E74)");
	}
}

static bool
echoes_item(const struct offer *o, uint16_t item)
{
	struct slice value;

	return dhcp_sub_option(o->p.opt[DHCP_OPT_VENDOR], PXE_OPT_BOOT_ITEM, &value) == 0 &&
	       value.n == 4 && (value.p[0] << 8 | value.p[1]) == item;
}

void
emulate_pxe_answers(const struct emulate_client *c, struct inbox *in, struct emulate_verdict *v)
{
	bool rom = c->kind == EMULATE_BIOS;
	char from[V4_STRLEN];

	if (!rom)
		inbox_drop_flawed(v, in);
	for (size_t i = 0; i < in->n; i++) {
		const struct offer *o = &in->v[i];

		if (rom && v->has_item && !echoes_item(o, v->item)) {
			emulate_say(v,
			    "drops the answer of %s: it does not repeat the item that was "
			    "asked for (43.71)",
			    v4_format(o->id, from));
			continue;
		}
		if (o->file.n == 0 && o->shape != SHAPE_PXE10) {
			emulate_say(v, "drops the answer of %s: it has no boot file",
			    v4_format(o->id, from));
			continue;
		}
		v->has_item = false;
		if (o->file.n > 0)
			emulate_fetch(v, o->server, o->file);
		else
			take_pxe10(v, o);
		if (v->next == EMULATE_ASK) {
			v->next = EMULATE_NOTHING;
			emulate_say(v, "is sent on once more, which is no way to a file");
		}
		return;
	}
	emulate_say(v, rom ? "gives up: no boot server answers it (PXE-E55)"
			   : "gives up after 10 s: no boot server answers it (PXE-E18)");
}
