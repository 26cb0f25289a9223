/*
 * What clients do with answers; see emulate.h.  A client is a pair of functions: one for the end of
 * its window for offers, one for the answers of a boot server.
 */
#include "ferryctl/emulate_offer.h"

#include "common/pxe.h"

#include <string.h>

#define PORT_DHCP       67
#define PORT_BOOTSERVER 4011
#define TEXT            160 /* of a name in a step */

/* The answers that this client can read at all. */
struct inbox {
	size_t n;
	struct offer v[EMULATE_PACKETS];
};

static bool
is_zero(const uint8_t b[static 4])
{
	return (b[0] | b[1] | b[2] | b[3]) == 0;
}

static void
use(struct emulate_verdict *v, const struct offer *o, const uint8_t own[static 4])
{
	v->used = o->index;
	v->foreign = memcmp(o->id, own, 4) != 0;
	v->trust_n = o->trust.n <= sizeof(v->trust) ? o->trust.n : 0;
	memcpy(v->trust, o->trust.p != NULL ? o->trust.p : v->trust, v->trust_n);
}

static void
read_inbox(const struct emulate_client *c, uint32_t xid, unsigned forms,
    const struct emulate_packet *packets, size_t n, struct emulate_verdict *v, struct inbox *in)
{
	char from[V4_STRLEN];

	in->n = 0;
	for (size_t i = 0; i < n && in->n < EMULATE_PACKETS; i++) {
		struct offer *o = &in->v[in->n];
		const char *why = NULL;

		for (unsigned form = 0; form < forms; form++) {
			why = offer_read(&packets[i], xid + form, c->mac, o);
			if (why == NULL)
				break;
		}
		if (why != NULL) {
			emulate_say(
			    v, "drops the answer of %s: %s", v4_format(packets[i].from, from), why);
			continue;
		}
		o->index = i;
		in->n++;
	}
}

/* Takes out what edk2's DHCP driver drops. */
static void
drop_flawed(struct emulate_verdict *v, struct inbox *in)
{
	char from[V4_STRLEN];
	size_t kept = 0;

	for (size_t i = 0; i < in->n; i++) {
		const char *flaw = offer_edk2_flaw(&in->v[i]);

		if (flaw != NULL)
			emulate_say(v, "drops the answer of %s: %s",
			    v4_format(in->v[i].packet->from, from), flaw);
		else
			in->v[kept++] = in->v[i];
	}
	in->n = kept;
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

/* Whether a DHCP server answered, and what is said if none did. */
static void
look_for_lease(struct emulate_verdict *v, const struct inbox *in)
{
	for (size_t i = 0; i < in->n && !v->leased; i++)
		v->leased = !in->v[i].proxy;
	if (!v->leased)
		emulate_say(v, "no DHCP server offers it an address; as if one did, and no more:");
}

/* --- PXE firmware --------------------------------------------------------------------------- */

static void
ask_server(struct emulate_verdict *v, const uint8_t server[static 4], uint16_t port)
{
	char text[V4_STRLEN];

	v->next = EMULATE_ASK;
	memcpy(v->server, server, 4);
	v->port = port;
	emulate_say(v, "asks the boot server %s:%u for its file", v4_format(server, text), port);
}

static void
fetch_file(struct emulate_verdict *v, const uint8_t server[static 4], struct slice file)
{
	char name[TEXT], text[V4_STRLEN];

	(void)offer_text(file, v->file, sizeof(v->file));
	(void)offer_text(file, name, sizeof(name));
	memcpy(v->server, server, 4);
	v->port = 69;
	if (strstr(v->file, "://") != NULL) {
		emulate_say(
		    v, "takes the URL \"%s\" for the name of a file and fails (PXE-E99)", name);
		return;
	}
	v->next = EMULATE_TFTP;
	emulate_say(v, "fetches %s by TFTP from %s", name, v4_format(server, text));
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
		ask_server(v, broadcast, PORT_DHCP);
	else
		ask_server(v, is_zero(server) ? o->server : server, PORT_BOOTSERVER);
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
	fetch_file(v, server, o->file);
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
	use(v, o, own);
	say_taken(v, o);
	if (o->shape == SHAPE_PXE10)
		take_pxe10(v, o);
	else
		ask_server(v, o->server, PORT_BOOTSERVER);
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
			use(v, o, own);
			say_taken(v, o);
			fetch_file(v, o->server, o->file);
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

static void
edk2_offers(const struct emulate_client *c, struct inbox *in, const uint8_t own[static 4],
    struct emulate_verdict *v)
{
	drop_flawed(v, in);
	/* a relay asks its DHCP servers apart from us: none need have answered here */
	if (c->kind != EMULATE_RELAYED)
		look_for_lease(v, in);
	choose_pxe(v, in, own);
}

static void
rom_offers(const struct emulate_client *c, struct inbox *in, const uint8_t own[static 4],
    struct emulate_verdict *v)
{
	(void)c;
	look_for_lease(v, in);
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

static void
pxe_answers(const struct emulate_client *c, struct inbox *in, struct emulate_verdict *v)
{
	bool rom = c->kind == EMULATE_BIOS;
	char from[V4_STRLEN];

	if (!rom)
		drop_flawed(v, in);
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
			fetch_file(v, o->server, o->file);
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

/* --- iPXE ----------------------------------------------------------------------------------- */

/* The best of its kind: the highest priority, of equals the last. */
static const struct offer *
best_offer(const struct inbox *in, bool want_proxy)
{
	const struct offer *best = NULL;

	for (size_t i = 0; i < in->n; i++) {
		const struct offer *o = &in->v[i];
		bool fits = want_proxy ? o->pxe && o->packet->after_ms <= EMULATE_IPXE_WINDOW_MS
		                       : !o->proxy;

		if (fits && o->packet->from_port == PORT_DHCP &&
		    (o->p.type == DHCP_OFFER || o->p.type == 0) &&
		    (best == NULL || o->priority >= best->priority))
			best = o;
	}
	return best;
}

/* The name in the header goes before option 67. */
static struct slice
ipxe_file(const struct offer *o)
{
	return o->p.file.n > 0 ? o->p.file : o->file;
}

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static void
ipxe_boot(const struct emulate_client *c, const struct offer *o, struct emulate_verdict *v)
{
	char name[TEXT], server[V4_STRLEN];

	(void)offer_text(ipxe_file(o), v->file, sizeof(v->file));
	(void)offer_text(ipxe_file(o), name, sizeof(name));
	memcpy(v->server, o->p.siaddr, 4);
	v->port = 69;
	if (strstr(v->file, "://") == NULL) {
		v->next = EMULATE_TFTP;
		emulate_say(v, "fetches %s by TFTP from %s", name, v4_format(v->server, server));
		v->loops = ends_with(v->file, ".efi") || ends_with(v->file, "pxe") ||
		           ends_with(v->file, ".0");
		if (v->loops)
			emulate_say(v, "that is a boot program again, not a script: it would go "
				       "round for ever");
		return;
	}
	if (c->kind == EMULATE_IPXE_OLD && strncmp(v->file, "https:", 6) == 0) {
		emulate_say(v, "cannot open %s: this iPXE has no HTTPS", name);
		return;
	}
	v->next = EMULATE_URL;
	emulate_say(v, "fetches %s", name);
}

static void
ipxe_offers(const struct emulate_client *c, struct inbox *in, const uint8_t own[static 4],
    struct emulate_verdict *v)
{
	const struct offer *lease = best_offer(in, false), *proxy = best_offer(in, true);
	char text[V4_STRLEN], name[TEXT];

	look_for_lease(v, in);
	for (size_t i = 0; i < in->n; i++) {
		const struct offer *o = &in->v[i];

		if (o->packet->from_port != PORT_DHCP)
			emulate_say(v, "drops the answer of %s: it comes from port %u, not 67",
			    v4_format(o->id, text), o->packet->from_port);
		else if (o->proxy && !o->pxe)
			emulate_say(v,
			    "drops the proxy offer of %s: its option 60 is not PXEClient",
			    v4_format(o->id, text));
		else if (o->pxe && o->packet->after_ms > EMULATE_IPXE_WINDOW_MS)
			emulate_say(v, "no longer waits for the proxy offer of %s, after %u ms",
			    v4_format(o->id, text), o->packet->after_ms);
	}
	if (lease != NULL && lease->no_pxedhcp) {
		emulate_say(v, "looks at no proxy: the DHCP server says so (175.176)");
		proxy = NULL;
	}
	if (lease != NULL && ipxe_file(lease).n > 0 &&
	    (proxy == NULL || proxy->priority <= lease->priority)) {
		use(v, lease, own);
		emulate_say(v, "takes the DHCP server's file \"%s\"%s",
		    offer_text(ipxe_file(lease), name, sizeof(name)),
		    proxy != NULL && proxy != lease ? ": the proxy's has no higher priority (175.1)"
						    : "");
		ipxe_boot(c, lease, v);
		return;
	}
	if (proxy == NULL) {
		emulate_say(v, "has nothing to boot: no proxy offer and no file");
		return;
	}
	use(v, proxy, own);
	memcpy(v->proxy, proxy->id, 4);
	emulate_say(v, "takes the proxy offer of %s", v4_format(proxy->id, text));
	if (proxy->has_siaddr && ipxe_file(proxy).n > 0) {
		ipxe_boot(c, proxy, v);
		return;
	}
	emulate_say(v, proxy->has_siaddr ? "it names no file" : "its siaddr is 0");
	ask_server(v, proxy->id, PORT_BOOTSERVER);
}

static void
ipxe_answers(const struct emulate_client *c, struct inbox *in, struct emulate_verdict *v)
{
	char text[V4_STRLEN];

	for (size_t i = 0; i < in->n; i++) {
		const struct offer *o = &in->v[i];
		const char *why = NULL;

		if (o->packet->from_port != PORT_BOOTSERVER)
			why = "it does not come from port 4011";
		else if (memcmp(o->id, v->proxy, 4) != 0)
			why = "it has another server identifier than the offer";
		else if (!o->has_siaddr)
			why = "its siaddr is 0";
		else if (ipxe_file(o).n == 0)
			why = "it names no file";
		if (why == NULL) {
			ipxe_boot(c, o, v);
			return;
		}
		emulate_say(v, "drops the answer of %s: %s", v4_format(o->id, text), why);
	}
	emulate_say(v, "has nothing to boot: no boot server answers it");
}

/* --- UEFI HTTP Boot ------------------------------------------------------------------------- */

/* An http or https URL, and whether its host is an address. */
static bool
read_url(struct slice s, char url[static EMULATE_FILE], bool *by_address)
{
	const char *host;
	size_t n;

	(void)slice_copy(url, EMULATE_FILE, s);
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return false;
	host = strstr(url, "://") + 3;
	n = strcspn(host, "/:?#");
	*by_address = *host == '[' || (n > 0 && strspn(host, "0123456789.") >= n);
	return *host != '\0' && n + (*host == '[') > 0;
}

static bool
http_fits(struct emulate_verdict *v, const struct offer *o, bool dns)
{
	char url[EMULATE_FILE], text[V4_STRLEN];
	const char *why = NULL;
	bool by_address;

	if (o->http && !read_url(o->file, url, &by_address))
		why = "it has no http or https URL";
	else if (o->http && !by_address && !dns)
		why = "its URL has a name, and no DHCP server names a name server (option 6); "
		      "what a proxy says of one does not count";
	else if (o->proxy && !o->http)
		why = "its option 60 is not HTTPClient";
	if (why != NULL)
		emulate_say(v, "drops the %soffer of %s: %s", o->proxy ? "proxy " : "",
		    v4_format(o->id, text), why);
	return why == NULL && o->http;
}

static void
http_offers(const struct emulate_client *c, struct inbox *in, const uint8_t own[static 4],
    struct emulate_verdict *v)
{
	const struct offer *best = NULL;
	char text[V4_STRLEN], name[TEXT];
	bool dns = false;

	(void)c;
	drop_flawed(v, in);
	look_for_lease(v, in);
	for (size_t i = 0; i < in->n; i++)
		dns = dns || (!in->v[i].proxy && in->v[i].p.has[6]);
	for (size_t i = 0; i < in->n; i++) {
		const struct offer *o = &in->v[i];

		/* an offer that has an address too goes before a proxy's */
		if (http_fits(v, o, dns) && (best == NULL || (best->proxy && !o->proxy)))
			best = o;
	}
	if (best == NULL) {
		emulate_say(v, "gives up after four rounds, 60 s: no answer has a URL for it");
		return;
	}
	use(v, best, own);
	(void)slice_copy(v->file, sizeof(v->file), best->file);
	emulate_say(v, "takes the %s offer of %s", best->proxy ? "proxy" : "DHCP server's own",
	    v4_format(best->id, text));
	v->next = EMULATE_URL;
	emulate_say(v, "fetches %s", offer_text(best->file, name, sizeof(name)));
	if (strncmp(v->file, "https:", 6) == 0)
		emulate_say(v, "which needs this site's CA enrolled in the firmware");
}

/* --- boards --------------------------------------------------------------------------------- */

static bool
holds(struct slice s, const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i + n <= s.n; i++) {
		if (memcmp(s.p + i, text, n) == 0)
			return true;
	}
	return false;
}

/* The Raspberry Pi looks for a text in option 43, and then for files of its own. */
static void
pi_offers(const struct emulate_client *c, struct inbox *in, const uint8_t own[static 4],
    struct emulate_verdict *v)
{
	char text[V4_STRLEN], name[TEXT];
	struct slice host;
	struct ipaddr ip;

	(void)c;
	look_for_lease(v, in);
	for (size_t i = 0; i < in->n; i++) {
		const struct offer *o = &in->v[i];

		if (!holds(o->p.opt[DHCP_OPT_VENDOR], "Raspberry Pi Boot")) {
			if (o->proxy)
				emulate_say(v,
				    "drops the proxy offer of %s: option 43 lacks the "
				    "text \"Raspberry Pi Boot\"",
				    v4_format(o->id, text));
			continue;
		}
		use(v, o, own);
		memcpy(v->server, o->server, 4);
		host = o->p.opt[66];
		if (host.n > 0 &&
		    ip_parse(slice_str(offer_text(host, name, sizeof(name))), &ip) == 0 &&
		    ip.family == 4)
			memcpy(v->server, ip.b, 4);
		v->port = 69;
		v->next = EMULATE_TFTP;
		(void)strcpy(v->file, "start4.elf");
		emulate_say(v, "takes the offer of %s", v4_format(o->id, text));
		emulate_say(v,
		    "fetches config.txt, start4.elf and so on by TFTP from %s, first below "
		    "its serial number; a name in the offer is of no use to it",
		    v4_format(v->server, name));
		return;
	}
	emulate_say(v, "has nothing to boot: no offer says \"Raspberry Pi Boot\" in option 43");
}

static void
uboot_offers(const struct emulate_client *c, struct inbox *in, const uint8_t own[static 4],
    struct emulate_verdict *v)
{
	char text[V4_STRLEN];

	look_for_lease(v, in);
	for (unsigned form = 0; form < emulate_forms(c->kind); form++) {
		for (size_t i = 0; i < in->n; i++) {
			const struct offer *o = &in->v[i];

			/* the fields of the header are all that it reads */
			if (o->p.xid != c->xid + form || o->p.file.n == 0)
				continue;
			if (!o->has_siaddr) {
				emulate_say(v, "cannot use the offer of %s: siaddr is 0",
				    v4_format(o->id, text));
				continue;
			}
			use(v, o, own);
			v->form = form;
			emulate_say(v, "takes the %s of %s (it asked as %s)%s",
			    o->proxy ? "proxy offer" : "file", v4_format(o->id, text),
			    form == 0 ? "U-Boot" : "PXE firmware",
			    o->proxy ? ", if it is built with SERVERIP_FROM_PROXYDHCP; Debian's "
				       "looks at no proxy"
				     : "");
			fetch_file(v, o->p.siaddr, o->p.file);
			return;
		}
	}
	emulate_say(v, "has nothing to boot: no answer has siaddr and a file in its header");
}

/* --- all of them ---------------------------------------------------------------------------- */

static const struct {
	void (*offers)(const struct emulate_client *c, struct inbox *in,
	    const uint8_t own[static 4], struct emulate_verdict *v);
	void (*answers)(
	    const struct emulate_client *c, struct inbox *in, struct emulate_verdict *v);
} minds[EMULATES] = {
	[EMULATE_BIOS] = { rom_offers, pxe_answers },
	[EMULATE_X64] = { edk2_offers, pxe_answers },
	[EMULATE_IA32] = { edk2_offers, pxe_answers },
	[EMULATE_ARM64] = { edk2_offers, pxe_answers },
	[EMULATE_HTTP] = { http_offers, NULL },
	[EMULATE_IPXE_OLD] = { ipxe_offers, ipxe_answers },
	[EMULATE_IPXE] = { ipxe_offers, ipxe_answers },
	[EMULATE_PI] = { pi_offers, NULL },
	[EMULATE_UBOOT] = { uboot_offers, NULL },
	[EMULATE_RELAYED] = { edk2_offers, pxe_answers },
};

void
emulate_offers(const struct emulate_client *c, const struct emulate_packet *packets, size_t n,
    const uint8_t own[static 4], struct emulate_verdict *ret)
{
	struct inbox in;

	memset(ret, 0, sizeof(*ret));
	ret->used = SIZE_MAX;
	read_inbox(c, c->xid, emulate_forms(c->kind), packets, n, ret, &in);
	if (in.n == 0) {
		emulate_say(ret, "gets no offer at all within %d s (PXE-E51, PXE-E16)",
		    EMULATE_WINDOW_MS / 1000);
		return;
	}
	minds[c->kind].offers(c, &in, own, ret);
}

void
emulate_answers(const struct emulate_client *c, uint32_t xid, const struct emulate_packet *packets,
    size_t n, struct emulate_verdict *v)
{
	struct inbox in;

	if (v->next != EMULATE_ASK || minds[c->kind].answers == NULL)
		return;
	v->next = EMULATE_NOTHING;
	read_inbox(c, xid, 1, packets, n, v, &in);
	minds[c->kind].answers(c, &in, v);
}
