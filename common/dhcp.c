/* DHCP packets; see dhcp.h. */
#include "common/dhcp.h"

#include <errno.h>
#include <string.h>

/* Takes the options of one field. */
static int
parse_options(struct slice field, struct dhcp_packet *p)
{
	struct rbuf r;

	rbuf_init(&r, field.p, field.n);
	while (r.left > 0) {
		uint8_t tag = rbuf_u8(&r);
		struct slice value;

		if (tag == DHCP_OPT_PAD)
			continue;
		if (tag == DHCP_OPT_END)
			break;
		value = rbuf_slice(&r, rbuf_u8(&r));
		if (r.bad)
			return -EBADMSG;
		if (!p->has[tag]) {
			p->has[tag] = true;
			p->opt[tag] = value;
		}
	}
	return 0;
}

int
dhcp_parse(struct slice bytes, struct dhcp_packet *ret)
{
	struct slice sname, file;
	struct dhcp_packet *p = ret;
	uint8_t overload = 0;
	struct rbuf r;

	memset(p, 0, sizeof(*p));
	rbuf_init(&r, bytes.p, bytes.n);
	p->op = rbuf_u8(&r);
	p->htype = rbuf_u8(&r);
	p->hlen = rbuf_u8(&r);
	p->hops = rbuf_u8(&r);
	p->xid = rbuf_u32(&r);
	p->secs = rbuf_u16(&r);
	p->flags = rbuf_u16(&r) & DHCP_FLAG_BROADCAST;
	rbuf_bytes(&r, p->ciaddr, 4);
	rbuf_bytes(&r, p->yiaddr, 4);
	rbuf_bytes(&r, p->siaddr, 4);
	rbuf_bytes(&r, p->giaddr, 4);
	rbuf_bytes(&r, p->chaddr, DHCP_CHADDR_BYTES);
	sname = rbuf_slice(&r, DHCP_SNAME_BYTES);
	file = rbuf_slice(&r, DHCP_FILE_BYTES);
	if (rbuf_u32(&r) != DHCP_COOKIE || r.bad || p->hlen > DHCP_CHADDR_BYTES)
		return -EBADMSG;
	if (parse_options((struct slice){ r.p, r.left }, p) < 0)
		return -EBADMSG;
	if (p->opt[DHCP_OPT_OVERLOAD].n == 1)
		overload = p->opt[DHCP_OPT_OVERLOAD].p[0];
	if ((overload & 1) != 0 && parse_options(file, p) < 0)
		return -EBADMSG;
	if ((overload & 2) != 0 && parse_options(sname, p) < 0)
		return -EBADMSG;
	if ((overload & 1) == 0)
		p->file = (struct slice){ file.p, strnlen((const char *)file.p, file.n) };
	if (p->has[DHCP_OPT_TYPE]) {
		if (p->opt[DHCP_OPT_TYPE].n != 1)
			return -EBADMSG;
		p->type = p->opt[DHCP_OPT_TYPE].p[0];
	}
	return 0;
}

int
dhcp_sub_option(struct slice option, uint8_t tag, struct slice *ret)
{
	struct rbuf r;

	rbuf_init(&r, option.p, option.n);
	while (r.left > 0) {
		uint8_t sub = rbuf_u8(&r);
		struct slice value;

		if (sub == DHCP_OPT_PAD)
			continue;
		if (sub == DHCP_OPT_END)
			break;
		value = rbuf_slice(&r, rbuf_u8(&r));
		if (r.bad)
			break;
		if (sub == tag) {
			*ret = value;
			return 0;
		}
	}
	return -ENOENT;
}

void
dhcp_put_option(struct wbuf *w, uint8_t tag, struct slice value)
{
	if (value.n == 0)
		return;
	if (value.n > UINT8_MAX) {
		w->bad = true;
		return;
	}
	wbuf_u8(w, tag);
	wbuf_u8(w, (uint8_t)value.n);
	wbuf_slice(w, value);
}
