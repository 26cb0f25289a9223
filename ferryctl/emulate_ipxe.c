/* iPXE; see emulate_mind.h. */
#include "ferryctl/emulate_mind.h"

#include <string.h>

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
		if (v->loops && c->kind == EMULATE_IPXE_OLD && o->trust.n > 0) {
			/* with what makes it trust us: it is meant for this one */
			v->loops = false;
			emulate_say(v, "that is an iPXE that can do HTTPS");
		}
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

void
emulate_ipxe_offers(const struct emulate_client *c, struct inbox *in, const uint8_t own[static 4],
    struct emulate_verdict *v)
{
	const struct offer *lease = best_offer(in, false), *proxy = best_offer(in, true);
	char text[V4_STRLEN], name[TEXT];

	inbox_look_for_lease(v, in);
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
		inbox_use(v, lease, own);
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
	inbox_use(v, proxy, own);
	memcpy(v->proxy, proxy->id, 4);
	emulate_say(v, "takes the proxy offer of %s", v4_format(proxy->id, text));
	if (proxy->has_siaddr && ipxe_file(proxy).n > 0) {
		ipxe_boot(c, proxy, v);
		return;
	}
	emulate_say(v, proxy->has_siaddr ? "it names no file" : "its siaddr is 0");
	emulate_ask(v, proxy->id, PORT_BOOTSERVER);
}

void
emulate_ipxe_answers(const struct emulate_client *c, struct inbox *in, struct emulate_verdict *v)
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
