/*
 * What clients do with answers; see emulate.h.  A client is a pair of functions: one for the end of
 * its window for offers, one for the answers of a boot server.  Those of HTTP Boot and of boards
 * are here, emulate_pxe.c and emulate_ipxe.c have the others.
 */
#include "ferryctl/emulate_mind.h"

#include <string.h>

void
inbox_use(struct emulate_verdict *v, const struct offer *o, const uint8_t own[static 4])
{
	v->used = o->index;
	v->foreign = memcmp(o->id, own, 4) != 0;
	v->trust_n = o->trust.n <= sizeof(v->trust) ? o->trust.n : 0;
	if (v->trust_n > 0)
		memcpy(v->trust, o->trust.p, v->trust_n);
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

void
inbox_drop_flawed(struct emulate_verdict *v, struct inbox *in)
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

void
inbox_look_for_lease(struct emulate_verdict *v, const struct inbox *in)
{
	for (size_t i = 0; i < in->n && !v->leased; i++)
		v->leased = !in->v[i].proxy;
	if (!v->leased)
		emulate_say(v, "no DHCP server offers it an address; as if one did, and no more:");
}

void
emulate_ask(struct emulate_verdict *v, const uint8_t server[static 4], uint16_t port)
{
	char text[V4_STRLEN];

	v->next = EMULATE_ASK;
	memcpy(v->server, server, 4);
	v->port = port;
	emulate_say(v, "asks the boot server %s:%u for its file", v4_format(server, text), port);
}

void
emulate_fetch(struct emulate_verdict *v, const uint8_t server[static 4], struct slice file)
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
	inbox_drop_flawed(v, in);
	inbox_look_for_lease(v, in);
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
	inbox_use(v, best, own);
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
	inbox_look_for_lease(v, in);
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
		inbox_use(v, o, own);
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

	inbox_look_for_lease(v, in);
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
			inbox_use(v, o, own);
			v->form = form;
			emulate_say(v, "takes the %s of %s (it asked as %s)%s",
			    o->proxy ? "proxy offer" : "file", v4_format(o->id, text),
			    form == 0 ? "U-Boot" : "PXE firmware",
			    o->proxy ? ", if it is built with SERVERIP_FROM_PROXYDHCP; Debian's "
				       "looks at no proxy"
				     : "");
			emulate_fetch(v, o->p.siaddr, o->p.file);
			return;
		}
	}
	emulate_say(v, "has nothing to boot: no answer has siaddr and a file in its header");
}

/* --- all of them ---------------------------------------------------------------------------- */

static const struct {
	mind_offers_fn *offers;
	mind_answers_fn *answers;
} minds[EMULATES] = {
	[EMULATE_BIOS] = { emulate_rom_offers, emulate_pxe_answers },
	[EMULATE_X64] = { emulate_edk2_offers, emulate_pxe_answers },
	[EMULATE_IA32] = { emulate_edk2_offers, emulate_pxe_answers },
	[EMULATE_ARM64] = { emulate_edk2_offers, emulate_pxe_answers },
	[EMULATE_HTTP] = { http_offers, NULL },
	[EMULATE_IPXE_OLD] = { emulate_ipxe_offers, emulate_ipxe_answers },
	[EMULATE_IPXE] = { emulate_ipxe_offers, emulate_ipxe_answers },
	[EMULATE_PI] = { pi_offers, NULL },
	[EMULATE_UBOOT] = { uboot_offers, NULL },
	[EMULATE_RELAYED] = { emulate_edk2_offers, emulate_pxe_answers },
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
