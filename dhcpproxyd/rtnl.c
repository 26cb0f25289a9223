/* Messages about interfaces and addresses; see rtnl.h. */
#include "dhcpproxyd/rtnl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

_Static_assert(RTNL_NAME == IFNAMSIZ, "an interface's name");

/* Takes n bytes and what aligns the next part off *s; false if there are fewer. */
static bool
take(struct slice *s, size_t n, struct slice *ret)
{
	size_t whole = NLMSG_ALIGN(n);

	if (n > s->n)
		return false;
	*ret = (struct slice){ s->p, n };
	if (whole > s->n)
		whole = s->n; /* the last part may come without its padding */
	s->p += whole;
	s->n -= whole;
	return true;
}

/* The next attribute: its type and its value; false after the last, or when one runs out. */
static bool
next_attribute(struct slice *s, unsigned *type, struct slice *value)
{
	struct rtattr a;

	if (s->n < sizeof(a))
		return false;
	memcpy(&a, s->p, sizeof(a));
	if (a.rta_len < sizeof(a) || !take(s, a.rta_len, value))
		return false;
	value->p += sizeof(a);
	value->n -= sizeof(a);
	*type = a.rta_type & (unsigned)NLA_TYPE_MASK;
	return true;
}

static int
read_link(struct slice body, struct rtnl_message *m)
{
	struct ifinfomsg info;
	struct slice head, value;
	unsigned type;

	if (!take(&body, sizeof(info), &head))
		return -EBADMSG;
	memcpy(&info, head.p, sizeof(info));
	if (info.ifi_family != AF_UNSPEC) { /* of a bridge, about one of its ports */
		m->kind = RTNL_OTHER;
		return 0;
	}
	m->ifindex = info.ifi_index;
	m->up = (info.ifi_flags & IFF_UP) != 0;
	m->running = (info.ifi_flags & IFF_RUNNING) != 0;
	while (next_attribute(&body, &type, &value)) {
		if (type == IFLA_IFNAME) {
			(void)slice_copy(m->name, sizeof(m->name), value);
		} else if (type == IFLA_ADDRESS && value.n == sizeof(m->mac)) {
			memcpy(m->mac, value.p, sizeof(m->mac));
			m->mac_n = sizeof(m->mac);
		}
	}
	return m->ifindex > 0 && m->name[0] != '\0' ? 0 : -EBADMSG;
}

static int
read_address(struct slice body, struct rtnl_message *m)
{
	struct ifaddrmsg info;
	struct slice head, value;
	bool own = false, any = false;
	unsigned type;

	if (!take(&body, sizeof(info), &head))
		return -EBADMSG;
	memcpy(&info, head.p, sizeof(info));
	if (info.ifa_family != AF_INET) {
		m->kind = RTNL_OTHER;
		return 0;
	}
	m->ifindex = (int)info.ifa_index;
	m->prefix = info.ifa_prefixlen;
	m->secondary = (info.ifa_flags & IFA_F_SECONDARY) != 0;
	while (next_attribute(&body, &type, &value)) {
		/* IFA_ADDRESS is the other end's on a point-to-point link, else the same */
		if ((type != IFA_LOCAL && type != IFA_ADDRESS) || value.n != 4 || own)
			continue;
		memcpy(m->address, value.p, 4);
		any = true;
		own = type == IFA_LOCAL;
	}
	return any && m->ifindex > 0 && m->prefix <= 32 ? 0 : -EBADMSG;
}

static int
read_error(struct slice body, struct rtnl_message *m)
{
	int32_t error;

	if (body.n < sizeof(error))
		return -EBADMSG;
	memcpy(&error, body.p, sizeof(error));
	m->error = error;
	m->kind = error < 0 ? RTNL_FAILED : RTNL_OTHER; /* 0: an acknowledgement */
	return 0;
}

int
rtnl_next(struct slice *left, struct rtnl_message *ret)
{
	struct rtnl_message m = { 0 };
	struct slice body;
	struct nlmsghdr h;
	int rc = 0;

	if (left->n < sizeof(h)) {
		rc = left->n == 0 ? -ENOENT : -EBADMSG;
		left->n = 0;
		return rc;
	}
	memcpy(&h, left->p, sizeof(h));
	if (h.nlmsg_len < sizeof(h) || !take(left, h.nlmsg_len, &body)) {
		left->n = 0;
		return -EBADMSG;
	}
	body.p += sizeof(h);
	body.n -= sizeof(h);
	m.seq = h.nlmsg_seq;
	m.interrupted = (h.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	switch (h.nlmsg_type) {
	case RTM_NEWLINK: m.kind = RTNL_LINK; break;
	case RTM_DELLINK: m.kind = RTNL_LINK_GONE; break;
	case RTM_NEWADDR: m.kind = RTNL_ADDRESS; break;
	case RTM_DELADDR: m.kind = RTNL_ADDRESS_GONE; break;
	case NLMSG_DONE: m.kind = RTNL_DONE; break;
	case NLMSG_ERROR: rc = read_error(body, &m); break;
	default: break;
	}
	if (m.kind == RTNL_LINK || m.kind == RTNL_LINK_GONE)
		rc = read_link(body, &m);
	else if (m.kind == RTNL_ADDRESS || m.kind == RTNL_ADDRESS_GONE)
		rc = read_address(body, &m);
	if (rc == 0)
		*ret = m;
	return rc;
}

void
rtnl_put_dump(struct wbuf *w, enum rtnl_kind what, uint32_t seq)
{
	struct nlmsghdr h = {
		.nlmsg_type = what == RTNL_LINK ? RTM_GETLINK : RTM_GETADDR,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		.nlmsg_seq = seq,
	};
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC };
	struct ifaddrmsg address = { .ifa_family = AF_INET };
	size_t n = what == RTNL_LINK ? sizeof(link) : sizeof(address);

	h.nlmsg_len = (uint32_t)(sizeof(h) + n);
	wbuf_bytes(w, &h, sizeof(h));
	wbuf_bytes(w, what == RTNL_LINK ? (const void *)&link : (const void *)&address, n);
}
