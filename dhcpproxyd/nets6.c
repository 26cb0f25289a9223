/* See nets6.h. */
#include "dhcpproxyd/nets6.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define DUMP_BYTES 32768
#define WAIT_S     1 /* the kernel answers at once; no answer must not stop the daemon */

const struct net6 *
nets6_find(const struct nets6 *nets, int ifindex)
{
	for (size_t i = 0; i < nets->n; i++) {
		if (nets->v[i].ifindex == ifindex)
			return &nets->v[i];
	}
	return NULL;
}

static struct net6 *
get_net(struct nets6 *nets, int ifindex)
{
	struct net6 *net = (struct net6 *)(uintptr_t)nets6_find(nets, ifindex);

	if (net != NULL || nets->n == NETS6_MAX)
		return net;
	net = &nets->v[nets->n++];
	*net = (struct net6){ .ifindex = ifindex };
	return net;
}

/* How good an address is for clients; 0: not at all. */
static unsigned
rank_of(uint32_t flags)
{
	if ((flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED)) != 0)
		return 0;
	return (flags & IFA_F_TEMPORARY) != 0 ? 1 : (flags & IFA_F_PERMANENT) == 0 ? 2 : 3;
}

static void
take_address(struct nets6 *nets, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	unsigned left = (unsigned)IFA_PAYLOAD(h);
	struct ipaddr ip = { 0 };
	uint32_t flags = m->ifa_flags;
	struct net6 *net;
	unsigned rank;

	if (m->ifa_family != AF_INET6)
		return;
	for (const struct rtattr *a = IFA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFA_ADDRESS && RTA_PAYLOAD(a) == 16 && ip.family == 0) {
			ip.family = 6;
			memcpy(ip.b, RTA_DATA(a), 16);
		} else if (a->rta_type == IFA_LOCAL && RTA_PAYLOAD(a) == 16) {
			/* of a point-to-point link IFA_ADDRESS is the other end's */
			ip.family = 6;
			memcpy(ip.b, RTA_DATA(a), 16);
		} else if (a->rta_type == IFA_FLAGS && RTA_PAYLOAD(a) == 4) {
			memcpy(&flags, RTA_DATA(a), 4);
		}
	}
	rank = rank_of(flags);
	if (ip.family == 0 || rank == 0 || (net = get_net(nets, (int)m->ifa_index)) == NULL)
		return;
	if (m->ifa_scope == RT_SCOPE_LINK && net->link.family == 0) {
		net->link = ip;
	} else if (m->ifa_scope == RT_SCOPE_UNIVERSE && rank > net->rank) {
		net->global = ip;
		net->rank = rank;
	}
}

/* Reads one answer: 1 at the end, 0 for more, or a negative errno. */
static int
take_answer(struct nets6 *nets, const void *bytes, size_t n)
{
	for (const struct nlmsghdr *h = bytes; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		if (h->nlmsg_type == RTM_NEWADDR)
			take_address(nets, h);
	}
	return 0;
}

int
nets6_read(struct nets6 *ret)
{
	struct {
		struct nlmsghdr head;
		struct ifaddrmsg body;
	} ask = {
		.head = { .nlmsg_len = sizeof(ask),
		    .nlmsg_type = RTM_GETADDR,
		    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .ifa_family = AF_INET6 },
	};
	union {
		struct nlmsghdr align;
		uint8_t bytes[DUMP_BYTES];
	} answer;
	struct timeval wait = { .tv_sec = WAIT_S };
	struct nets6 *nets = calloc(1, sizeof(*nets));
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), rc = 0;

	if (fd < 0 || nets == NULL) {
		rc = fd < 0 ? -errno : -ENOMEM;
		goto out;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
	    send(fd, &ask, sizeof(ask), 0) < 0)
		rc = -errno;
	while (rc == 0) {
		ssize_t n = recv(fd, answer.bytes, sizeof(answer.bytes), 0);

		rc = n < 0 ? -errno : take_answer(nets, answer.bytes, (size_t)n);
	}
	if (rc == 1) {
		*ret = *nets;
		rc = 0;
	}
out:
	if (fd >= 0)
		close(fd);
	free(nets);
	return rc;
}
