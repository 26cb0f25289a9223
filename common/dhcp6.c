/* DHCPv6 packets; see dhcp6.h. */
#include "common/dhcp6.h"

#include <errno.h>
#include <string.h>

/* The next option of a chain: 0, -ENOENT at the end, or -EBADMSG. */
static int
next_option(struct rbuf *r, uint16_t *ret_code, struct slice *ret)
{
	if (r->left == 0)
		return -ENOENT;
	*ret_code = rbuf_u16(r);
	*ret = rbuf_slice(r, rbuf_u16(r));
	return r->bad ? -EBADMSG : 0;
}

/* The first one counts. */
static void
keep(struct slice *to, struct slice value)
{
	if (to->p == NULL)
		*to = value;
}

static int
take_vendor_class(struct dhcp6_packet *p, struct slice value)
{
	struct rbuf r;
	uint32_t enterprise;

	rbuf_init(&r, value.p, value.n);
	enterprise = rbuf_u32(&r);
	if (r.bad)
		return -EBADMSG;
	if (p->has_vendor_class &&
	    (p->vendor_enterprise == DHCP6_ENTERPRISE_PXE || enterprise != DHCP6_ENTERPRISE_PXE))
		return 0;
	p->has_vendor_class = true;
	p->vendor_enterprise = enterprise;
	p->vendor_class = (struct slice){ r.p, r.left };
	return 0;
}

static int
take_option(struct dhcp6_packet *p, uint16_t code, struct slice value)
{
	switch (code) {
	case DHCP6_OPT_CLIENT_ID: keep(&p->client_id, value); break;
	case DHCP6_OPT_SERVER_ID: keep(&p->server_id, value); break;
	case DHCP6_OPT_IA_NA: keep(&p->ia_na, value); break;
	case DHCP6_OPT_ORO: keep(&p->oro, value); break;
	case DHCP6_OPT_USER_CLASS: keep(&p->user_class, value); break;
	case DHCP6_OPT_ARCH: keep(&p->arch, value); break;
	case DHCP6_OPT_NII: keep(&p->nii, value); break;
	case DHCP6_OPT_VENDOR_CLASS: return take_vendor_class(p, value);
	case DHCP6_OPT_ELAPSED:
		if (value.n != 2)
			return -EBADMSG;
		if (!p->has_elapsed)
			p->elapsed = (uint16_t)(value.p[0] << 8 | value.p[1]);
		p->has_elapsed = true;
		break;
	default: break;
	}
	return 0;
}

static int
parse_client(struct slice bytes, struct dhcp6_packet *p)
{
	struct slice value;
	struct rbuf r;
	uint32_t head;
	uint16_t code;
	int rc;

	rbuf_init(&r, bytes.p, bytes.n);
	head = rbuf_u32(&r);
	if (r.bad)
		return -EBADMSG;
	p->type = (uint8_t)(head >> 24);
	p->xid = head & 0xffffff;
	while ((rc = next_option(&r, &code, &value)) == 0) {
		if (take_option(p, code, value) < 0)
			return -EBADMSG;
	}
	return rc == -ENOENT ? 0 : rc;
}

/* Reads one wrapping; *bytes becomes what is in it. */
static int
parse_relay(struct slice *bytes, struct dhcp6_relay *relay)
{
	struct slice value, inner = { 0 };
	struct rbuf r;
	uint16_t code;
	int rc;

	rbuf_init(&r, bytes->p, bytes->n);
	(void)rbuf_u8(&r);
	relay->hops = rbuf_u8(&r);
	rbuf_bytes(&r, relay->link, sizeof(relay->link));
	rbuf_bytes(&r, relay->peer, sizeof(relay->peer));
	if (r.bad)
		return -EBADMSG;
	while ((rc = next_option(&r, &code, &value)) == 0) {
		switch (code) {
		case DHCP6_OPT_RELAY_MSG: keep(&inner, value); break;
		case DHCP6_OPT_INTERFACE_ID:
			relay->has_interface_id = true;
			keep(&relay->interface_id, value);
			break;
		case DHCP6_OPT_REMOTE_ID: keep(&relay->remote_id, value); break;
		case DHCP6_OPT_CLIENT_LL: keep(&relay->client_ll, value); break;
		case DHCP6_OPT_RELAY_PORT:
			if (value.n != 2)
				return -EBADMSG;
			relay->has_port = true;
			relay->port = (uint16_t)(value.p[0] << 8 | value.p[1]);
			break;
		default: break;
		}
	}
	if (rc != -ENOENT || inner.n == 0)
		return -EBADMSG;
	*bytes = inner;
	return 0;
}

int
dhcp6_parse(struct slice bytes, struct dhcp6_packet *ret)
{
	memset(ret, 0, sizeof(*ret));
	while (bytes.n > 0 && bytes.p[0] == DHCP6_RELAY_FORW) {
		if (ret->nrelays == DHCP6_RELAYS_MAX ||
		    parse_relay(&bytes, &ret->relays[ret->nrelays]) < 0)
			return -EBADMSG;
		ret->nrelays++;
	}
	return parse_client(bytes, ret);
}

int
dhcp6_ia_address(struct slice ia_na, struct ipaddr *ret)
{
	struct slice value;
	struct rbuf r;
	uint16_t code;

	rbuf_init(&r, ia_na.p, ia_na.n);
	(void)rbuf_slice(&r, 12); /* IAID, T1, T2 */
	while (!r.bad && next_option(&r, &code, &value) == 0) {
		if (code != DHCP6_OPT_IAADDR || value.n < 16)
			continue;
		*ret = (struct ipaddr){ .family = 6 };
		memcpy(ret->b, value.p, 16);
		return 0;
	}
	return -ENOENT;
}

void
dhcp6_begin_relays(struct wbuf *w, const struct dhcp6_relay *relays, size_t nrelays,
    size_t marks[static DHCP6_RELAYS_MAX])
{
	for (size_t i = 0; i < nrelays; i++) {
		const struct dhcp6_relay *relay = &relays[i];

		wbuf_u8(w, DHCP6_RELAY_REPL);
		wbuf_u8(w, relay->hops);
		wbuf_bytes(w, relay->link, sizeof(relay->link));
		wbuf_bytes(w, relay->peer, sizeof(relay->peer));
		if (relay->has_interface_id)
			dhcp6_put_option(w, DHCP6_OPT_INTERFACE_ID, relay->interface_id);
		if (relay->has_port) {
			wbuf_u16(w, DHCP6_OPT_RELAY_PORT);
			wbuf_u16(w, 2);
			wbuf_u16(w, relay->port);
		}
		wbuf_u16(w, DHCP6_OPT_RELAY_MSG);
		marks[i] = w->used;
		wbuf_u16(w, 0);
	}
}

void
dhcp6_end_relays(struct wbuf *w, size_t nrelays, const size_t marks[static DHCP6_RELAYS_MAX])
{
	for (size_t i = 0; i < nrelays && !w->bad; i++)
		wbuf_patch_u16(w, marks[i], (uint16_t)(w->used - marks[i] - 2));
}

void
dhcp6_put_header(struct wbuf *w, enum dhcp6_type type, uint32_t xid)
{
	wbuf_u32(w, (uint32_t)type << 24 | (xid & 0xffffff));
}

void
dhcp6_put_option(struct wbuf *w, uint16_t code, struct slice value)
{
	if (value.n > UINT16_MAX) {
		w->bad = true;
		return;
	}
	wbuf_u16(w, code);
	wbuf_u16(w, (uint16_t)value.n);
	wbuf_slice(w, value);
}
