/*
 * Requests and replies of DHCPv6; see reply6.h.
 *
 * The order of options: client id, server id, 59, 16.  Nothing else is sent: edk2 reads option 60
 * as a size in blocks, and reads 59 up to the first zero octet, which the code of the next option
 * brings as long as that is below 256.
 */
#include "common/reply6.h"

#include "common/arch.h"
#include "common/relay_info.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HTYPE_ETHERNET 1

/* edk2 waits 3 s for the boot server, once; iPXE asks again after 1, 2, 4 s. */
#define BOOT_SERVER_WAIT_MS 3000
#define IPXE_WAIT_MS        1000

static bool
is_link_local(const uint8_t a[static 16])
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

static struct ipaddr
ip_from_v6(const uint8_t a[static 16])
{
	struct ipaddr ip = { .family = 6 };

	memcpy(ip.b, a, 16);
	if (ip_is_any(&ip))
		ip.family = 0;
	return ip;
}

/* --- who asks ------------------------------------------------------------------------------- */

/* A link-layer address behind its type, if it is Ethernet's. */
static bool
take_ethernet(struct slice s, struct macaddr *ret)
{
	if (s.n != 8 || s.p[0] != 0 || s.p[1] != HTYPE_ETHERNET || (s.p[2] & 1) != 0)
		return false;
	ret->len = 6;
	memcpy(ret->b, s.p + 2, 6);
	return true;
}

static struct slice
skip(struct slice s, size_t n)
{
	if (s.n <= n)
		return (struct slice){ 0 };
	return (struct slice){ s.p + n, s.n - n };
}

/*
 * What a relay saw goes first, then the address that the client gave itself on the link.  A DUID is
 * last: it names the machine, by whichever adapter it had when the DUID was made.
 */
struct macaddr
ask6_mac(const struct dhcp6_packet *p, const struct ipaddr *from)
{
	const struct dhcp6_relay *relay = p->nrelays > 0 ? &p->relays[p->nrelays - 1] : NULL;
	struct ipaddr peer = relay != NULL ? ip_from_v6(relay->peer) : *from;
	struct macaddr mac = { 0 };
	struct slice id = p->client_id;
	unsigned type = id.n >= 2 ? (unsigned)(id.p[0] << 8 | id.p[1]) : 0;
	uint8_t ll[8];

	if (relay != NULL && take_ethernet(relay->client_ll, &mac))
		return mac;
	if (mac_from_ipv6(&peer, &mac))
		return mac;
	if (type == DHCP6_DUID_LL && take_ethernet(skip(id, 2), &mac))
		return mac;
	if (type == DHCP6_DUID_LLT && id.n == 14) {
		memcpy(ll, id.p + 2, 2);
		memcpy(ll + 2, id.p + 8, 6);
		(void)take_ethernet((struct slice){ ll, sizeof(ll) }, &mac);
	}
	return mac;
}

/* True if one of the user class's strings is `name`, or all of it, without lengths. */
static bool
user_class_is(struct slice s, const char *name)
{
	struct rbuf r;

	if (slice_is(s, name))
		return true;
	rbuf_init(&r, s.p, s.n);
	while (r.left > 0 && !r.bad) {
		if (slice_is(rbuf_slice(&r, rbuf_u16(&r)), name))
			return true;
	}
	return false;
}

/* The text of a vendor class: behind its length, but iPXE of some years sends it bare. */
static struct slice
class_text(const struct dhcp6_packet *p)
{
	struct slice s = p->vendor_class;
	size_t n = s.n >= 2 ? (size_t)(s.p[0] << 8 | s.p[1]) : 0;

	if (n > 0 && n <= s.n - 2)
		return (struct slice){ s.p + 2, n };
	return s;
}

static void
classify(const struct dhcp6_packet *p, struct pxe_client *ret)
{
	struct slice class = class_text(p), id = p->client_id;
	struct pxe_client c = { .arch = pxe_arch(p->arch, class) };

	if (user_class_is(p->user_class, "iPXE") || user_class_is(p->user_class, "gPXE"))
		c.client = CLIENT_IPXE;
	else if (slice_begins(class, "PXEClient"))
		c.client = CLIENT_PXE;
	else if (slice_begins(class, "HTTPClient"))
		c.client = CLIENT_HTTP;
	/*
	 * DUID-UUID: firmware copies the octets of SMBIOS, iPXE has them in the order in which they
	 * are printed (measured on OVMF and iPXE 2.0).
	 */
	if (id.n == 18 && id.p[0] == 0 && id.p[1] == DHCP6_DUID_UUID) {
		if (c.client == CLIENT_IPXE)
			memcpy(c.uuid.b, id.p + 2, sizeof(c.uuid.b));
		else
			uuid_from_smbios(id.p + 2, &c.uuid);
		c.has_uuid = !uuid_is_zero(&c.uuid);
	}
	*ret = c;
}

void
reply6_duid(const struct ipaddr *server, uint8_t ret[static REPLY6_DUID_BYTES])
{
	uint8_t *u = ret + 2;

	/* a UUID of version 8 (RFC 9562 section 5.8), made of the address */
	ret[0] = 0;
	ret[1] = DHCP6_DUID_UUID;
	memcpy(u, server->b, 16);
	u[6] = (uint8_t)(0x80 | (u[6] & 0x0f));
	u[8] = (uint8_t)(0x80 | (u[8] & 0x3f));
}

/* --- sorting -------------------------------------------------------------------------------- */

static bool
is_ours(const struct dhcp6_packet *p, const struct dhcp6_place *place)
{
	uint8_t duid[REPLY6_DUID_BYTES];

	reply6_duid(&place->server, duid);
	return slice_eq(p->server_id, (struct slice){ duid, sizeof(duid) });
}

static enum ask_kind
sort_packet(const struct dhcp6_packet *p, const struct pxe_client *c,
    const struct dhcp6_place *place, enum dhcp6_type *ret_reply)
{
	bool names_other = p->server_id.p != NULL && !is_ours(p, place);

	*ret_reply = DHCP6_REPLY;
	if (place->boot_port)
		return !names_other && (p->type == DHCP6_REQUEST || p->type == DHCP6_SOLICIT ||
					   p->type == DHCP6_INFORMATION_REQUEST)
		           ? ASK_BOOTSERVER
		           : ASK_NOTHING;
	if (c->client == CLIENT_UNKNOWN)
		return ASK_NOTHING;
	switch (p->type) {
	case DHCP6_SOLICIT:
		*ret_reply = DHCP6_ADVERTISE;
		/*
		 * iPXE takes an ADVERTISE only with an address in it, and no second one beside it:
		 * it has to learn its script otherwise (docs/ipv6.md).
		 */
		return c->client == CLIENT_IPXE ? ASK_NOTHING : ASK_DISCOVER;
	/* without a server id it is to all (RFC 8415 section 16.12) */
	case DHCP6_INFORMATION_REQUEST:
		return names_other || p->ia_na.p != NULL ? ASK_NOTHING : ASK_DISCOVER;
	case DHCP6_REQUEST: return ASK_LEASE;
	default: return ASK_NOTHING;
	}
}

/* The link of the relay next to the client that names one. */
static struct ipaddr
relay_of(const struct dhcp6_packet *p, const struct ipaddr *from)
{
	for (size_t i = p->nrelays; i > 0; i--) {
		struct ipaddr link = ip_from_v6(p->relays[i - 1].link);

		if (link.family != 0)
			return link;
	}
	return p->nrelays > 0 ? *from : (struct ipaddr){ 0 };
}

static void
put_relay_id(struct wbuf *w, uint8_t tag, struct slice id)
{
	if (id.n == 0 || id.n > UINT8_MAX)
		return;
	wbuf_u8(w, tag);
	wbuf_u8(w, (uint8_t)id.n);
	wbuf_slice(w, id);
}

static void
note_relay_ids(const struct dhcp6_packet *p, struct dhcp6_ask *a)
{
	const struct dhcp6_relay *relay = &p->relays[p->nrelays - 1];
	struct wbuf w;

	wbuf_init(&w, a->relay_info, sizeof(a->relay_info));
	put_relay_id(&w, RELAY_INFO_CIRCUIT_ID, relay->interface_id);
	put_relay_id(&w, RELAY_INFO_REMOTE_ID, skip(relay->remote_id, 4)); /* enterprise number */
	a->relay_info_n = w.bad ? 0 : (uint8_t)w.used;
}

enum ask_kind
ask6_from_packet(const struct dhcp6_packet *p, const struct dhcp6_place *place,
    struct dhcp6_ask *ask, struct ipaddr *lease)
{
	struct dhcp6_ask *a = ask;
	struct ipaddr from = place->from;
	struct wbuf w;

	*a = (struct dhcp6_ask){ .xid = p->xid, .server = place->server };
	classify(p, &a->client);
	a->kind = sort_packet(p, &a->client, place, &a->reply);
	a->mac = ask6_mac(p, &place->from);
	if (a->kind == ASK_LEASE)
		return dhcp6_ia_address(p->ia_na, lease) == 0 ? ASK_LEASE : ASK_NOTHING;
	if (a->kind == ASK_NOTHING)
		return ASK_NOTHING;
	if (p->client_id.n > sizeof(a->client_id))
		return ASK_NOTHING;
	if (p->client_id.n > 0)
		memcpy(a->client_id, p->client_id.p, p->client_id.n);
	a->client_id_n = (uint8_t)p->client_id.n;
	a->boot_server_too = place->boot_server_too;
	if (p->nrelays > 0) {
		a->relay = relay_of(p, &place->from);
		a->relay_port = p->relays[0].has_port;
		from = ip_from_v6(p->relays[p->nrelays - 1].peer);
		note_relay_ids(p, a);
	}
	/* an address of the link ties nothing to a boot that the hardware address does not */
	if (from.family == 6 && !is_link_local(from.b))
		a->address = from;
	wbuf_init(&w, a->wrap, sizeof(a->wrap));
	dhcp6_begin_relays(&w, p->relays, p->nrelays, a->marks);
	if (w.bad)
		return ASK_NOTHING;
	a->nrelays = p->nrelays;
	a->wrap_n = (uint16_t)w.used;
	return a->kind;
}

/* What tells one firmware from another; see boot_request. */
static uint32_t
ndi_of(const struct dhcp6_packet *p, const struct pxe_client *c)
{
	uint32_t v = c->has_uuid ? NDI_UUID(NDI_UUID_GIVEN) : 0;

	if (p->nii.n == 3)
		v |= (uint32_t)p->nii.p[0] << 16 | (uint32_t)p->nii.p[1] << 8 | p->nii.p[2];
	return v;
}

void
ask6_to_request(const struct dhcp6_ask *ask, const struct dhcp6_packet *p, const char *subnet,
    const char *interface, struct boot_request *ret)
{
	const struct pxe_client *c = &ask->client;
	uint16_t secs = p->elapsed / 100;

	*ret = (struct boot_request){
		.stage = ask->kind == ASK_DISCOVER ? STAGE_DISCOVER : STAGE_BOOTSERVER,
		.client = c->client == CLIENT_UNKNOWN ? CLIENT_PXE : c->client,
		.via = VIA_DHCP,
		.arch = c->arch,
		.mac = ask->mac,
		.has_uuid = c->has_uuid,
		.uuid = c->uuid,
		.address = ask->address,
		.server = ask->server,
		.relay = ask->relay,
		.xid = ask->xid,
		.secs = secs,
		.wait_ms = c->client == CLIENT_IPXE      ? IPXE_WAIT_MS
		           : ask->kind == ASK_BOOTSERVER ? BOOT_SERVER_WAIT_MS
		                                         : pxe_wait_ms(c, false, secs),
		.subnet = slice_str(subnet),
		.interface = slice_str(interface),
		.vendor_class = class_text(p),
		.user_class = p->user_class,
		.relay_info = (struct slice){ ask->relay_info, ask->relay_info_n },
		.param_list = p->oro,
		.ndi = ndi_of(p, c),
	};
	if (ret->vendor_class.n > UINT8_MAX) /* as far as an IPv4 client could have said it */
		ret->vendor_class.n = UINT8_MAX;
	if (ret->user_class.n > UINT8_MAX)
		ret->user_class.n = UINT8_MAX;
	if (ret->param_list.n > UINT8_MAX)
		ret->param_list.n = UINT8_MAX;
}

/* --- the reply ------------------------------------------------------------------------------ */

static bool
is_url(struct slice s)
{
	return s.n > 3 && memmem(s.p, s.n, "://", 3) != NULL;
}

/* A path in a URL: edk2 and iPXE undo percent signs. */
static void
put_path(struct wbuf *w, struct slice path)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "-._~/!$&'()*+,=:@";

	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] != '\0' && strchr(plain, path.p[i]) != NULL)
			wbuf_u8(w, path.p[i]);
		else
			wbuf_printf(w, "%%%02X", path.p[i]);
	}
}

static void
put_tftp_url(struct wbuf *w, const struct ipaddr *server, struct slice path)
{
	char ip[IP_STRLEN];

	wbuf_printf(w, server->family == 6 ? "tftp://[%s]/" : "tftp://%s/", ip_format(server, ip));
	while (path.n > 0 && path.p[0] == '/')
		path = skip(path, 1);
	put_path(w, path);
}

static void
put_url(struct wbuf *w, const struct dhcp6_ask *ask, const struct boot_answer *answer)
{
	bool local = answer->style == OFFER_LOCAL;
	char ip[IP_STRLEN];

	if (local && ask->client.client == CLIENT_HTTP && answer->file.n == 0)
		/* the discard port, where nobody listens */
		wbuf_printf(w, "http://[%s]:9/none.efi", ip_format(&ask->server, ip));
	else if (local && !is_url(answer->file))
		put_tftp_url(w, &ask->server, slice_str("none.efi"));
	else if (is_url(answer->file))
		wbuf_slice(w, answer->file);
	/* where PXE firmware goes first is the boot server, whose answer names the real one */
	else if (ask->reply == DHCP6_ADVERTISE && ask->boot_server_too)
		put_tftp_url(w, &ask->server, answer->file);
	else
		put_tftp_url(
		    w, answer->server.family != 0 ? &answer->server : &ask->server, answer->file);
}

static void
put_vendor_class(struct wbuf *w, const char *text)
{
	uint8_t buf[32];
	struct wbuf sub;

	wbuf_init(&sub, buf, sizeof(buf));
	wbuf_u32(&sub, DHCP6_ENTERPRISE_PXE);
	wbuf_u16(&sub, (uint16_t)strlen(text));
	wbuf_str(&sub, text);
	dhcp6_put_option(w, DHCP6_OPT_VENDOR_CLASS, wbuf_view(&sub));
}

int
reply6_build(const struct dhcp6_ask *ask, const struct boot_answer *answer, struct wbuf *w)
{
	bool http = answer->style == OFFER_HTTP ||
	            (answer->style == OFFER_LOCAL && ask->client.client == CLIENT_HTTP);
	uint8_t duid[REPLY6_DUID_BYTES], url_bytes[DHCP6_REPLY_MAX];
	size_t marks[DHCP6_RELAYS_MAX], start = w->used;
	struct wbuf url;

	wbuf_init(&url, url_bytes, sizeof(url_bytes));
	put_url(&url, ask, answer);
	reply6_duid(&ask->server, duid);
	wbuf_bytes(w, ask->wrap, ask->wrap_n);
	dhcp6_put_header(w, ask->reply, ask->xid);
	if (ask->client_id_n > 0)
		dhcp6_put_option(
		    w, DHCP6_OPT_CLIENT_ID, (struct slice){ ask->client_id, ask->client_id_n });
	dhcp6_put_option(w, DHCP6_OPT_SERVER_ID, (struct slice){ duid, sizeof(duid) });
	dhcp6_put_option(w, DHCP6_OPT_BOOT_URL, wbuf_view(&url));
	put_vendor_class(w, http ? "HTTPClient" : "PXEClient");
	for (size_t i = 0; i < ask->nrelays; i++)
		marks[i] = start + ask->marks[i];
	dhcp6_end_relays(w, ask->nrelays, marks);
	return w->bad || url.bad || w->used - start > DHCP6_REPLY_MAX ? -EMSGSIZE : 0;
}
