/*
 * See segment.h.  Two packet sockets hear: one on the interface, which also sees what this host
 * sends, and one on the loopback, where what it sends to its own addresses goes.  A broadcast
 * leaves by a raw IP socket, so that no port has to be free here; Linux gives a copy of it to this
 * host's own UDP sockets, as if it came from the interface.
 */
#include "ferryctl/segment.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 2048
#define IP_BYTES  20
#define UDP_BYTES 8
#define ARP_BYTES 28
#define CLIENTS   68
#define SERVERS   67

struct segment {
	int wire, loop; /* packet sockets */
	int out;        /* raw IP */
	int ifindex;
	uint8_t mac[6];
	uint64_t strangers;
};

uint64_t
segment_clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int
open_packet(int ifindex)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = ifindex
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), size = 4 << 20;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

static int
open_raw(const char *interface)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), on = 1, rc;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) <
		0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static void
read_mac(struct segment *s, const char *interface)
{
	struct ifreq ifr = { 0 };

	(void)strncpy(ifr.ifr_name, interface, sizeof(ifr.ifr_name) - 1);
	if (ioctl(s->out, SIOCGIFHWADDR, &ifr) == 0)
		memcpy(s->mac, ifr.ifr_hwaddr.sa_data, sizeof(s->mac));
}

int
segment_open(const char *interface, struct segment **ret)
{
	struct segment *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (s == NULL)
		return -ENOMEM;
	s->loop = s->out = -1;
	s->ifindex = (int)if_nametoindex(interface);
	s->wire = s->ifindex > 0 ? open_packet(s->ifindex) : -ENODEV;
	if (s->wire < 0)
		rc = s->wire;
	if (rc == 0) {
		s->loop = open_packet((int)if_nametoindex("lo"));
		rc = s->loop < 0 ? s->loop : 0;
	}
	if (rc == 0) {
		s->out = open_raw(interface);
		rc = s->out < 0 ? s->out : 0;
	}
	if (rc < 0) {
		segment_close(s);
		return rc;
	}
	read_mac(s, interface);
	*ret = s;
	return 0;
}

void
segment_close(struct segment *s)
{
	if (s == NULL)
		return;
	if (s->wire >= 0)
		close(s->wire);
	if (s->loop >= 0)
		close(s->loop);
	if (s->out >= 0)
		close(s->out);
	free(s);
}

uint64_t
segment_strangers(const struct segment *s)
{
	return s->strangers;
}

/* --- sending -------------------------------------------------------------------------------- */

int
segment_broadcast(struct segment *s, const uint8_t from[static 4], uint16_t from_port,
    uint16_t port, struct slice payload)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = INADDR_BROADCAST };
	uint8_t bytes[FRAME_MAX];
	struct wbuf w;

	/* the kernel fills in the check sum of the IP header and its length (raw(7)); that of UDP
	 * may be left out (RFC 768) */
	wbuf_init(&w, bytes, sizeof(bytes));
	wbuf_u16(&w, 0x4500);
	wbuf_u16(&w, (uint16_t)(IP_BYTES + UDP_BYTES + payload.n));
	wbuf_u32(&w, 0);
	wbuf_u8(&w, 64);
	wbuf_u8(&w, IPPROTO_UDP);
	wbuf_u16(&w, 0);
	wbuf_bytes(&w, from, 4);
	wbuf_u32(&w, INADDR_BROADCAST);
	wbuf_u16(&w, from_port);
	wbuf_u16(&w, port);
	wbuf_u16(&w, (uint16_t)(UDP_BYTES + payload.n));
	wbuf_u16(&w, 0);
	wbuf_slice(&w, payload);
	if (w.bad)
		return -EMSGSIZE;
	if (sendto(s->out, bytes, w.used, 0, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}

/* --- hearing -------------------------------------------------------------------------------- */

/* The datagram of an IPv4 packet; false if it is none, or not all of it. */
static bool
read_datagram(struct slice packet, struct segment_datagram *ret)
{
	struct rbuf r;
	uint8_t version, protocol;
	uint16_t fragment, length;

	rbuf_init(&r, packet.p, packet.n);
	version = rbuf_u8(&r);
	(void)rbuf_slice(&r, 5);
	fragment = rbuf_u16(&r) & 0x3fff;
	(void)rbuf_u8(&r);
	protocol = rbuf_u8(&r);
	(void)rbuf_u16(&r);
	rbuf_bytes(&r, ret->from, 4);
	rbuf_bytes(&r, ret->to, 4);
	if (r.bad || version >> 4 != 4 || (version & 15) < 5 || fragment != 0 ||
	    protocol != IPPROTO_UDP)
		return false;
	(void)rbuf_slice(&r, (size_t)((version & 15) - 5) * 4);
	ret->from_port = rbuf_u16(&r);
	ret->to_port = rbuf_u16(&r);
	length = rbuf_u16(&r);
	(void)rbuf_u16(&r);
	if (r.bad || length < UDP_BYTES)
		return false;
	ret->bytes = rbuf_slice(&r, length - UDP_BYTES);
	return !r.bad;
}

static void
drain(struct segment *s, int fd, uint16_t port, segment_fn *fn, void *arg)
{
	uint8_t bytes[FRAME_MAX];

	for (;;) {
		struct sockaddr_ll ll = { 0 };
		socklen_t ll_n = sizeof(ll);
		struct segment_datagram d = { 0 };
		ssize_t n =
		    recvfrom(fd, bytes, sizeof(bytes), MSG_TRUNC, (struct sockaddr *)&ll, &ll_n);

		if (n < 0)
			return;
		if (fd == s->wire && ll.sll_pkttype != PACKET_OUTGOING)
			s->strangers++;
		/* on the loopback each packet is seen on its way out and in */
		if ((fd == s->loop && ll.sll_pkttype == PACKET_OUTGOING) ||
		    ll.sll_protocol != htons(ETH_P_IP) || (size_t)n > sizeof(bytes) ||
		    !read_datagram((struct slice){ bytes, (size_t)n }, &d))
			continue;
		if (d.to_port != CLIENTS && d.to_port != SERVERS &&
		    (port == 0 || d.to_port != port))
			continue;
		if (fd == s->wire && ll.sll_halen == 6)
			memcpy(d.from_mac, ll.sll_pkttype == PACKET_OUTGOING ? s->mac : ll.sll_addr,
			    6);
		d.at_ms = segment_clock_ms();
		fn(arg, &d);
	}
}

void
segment_hear(struct segment *s, uint16_t port, uint64_t end_ms, segment_fn *fn, void *arg)
{
	for (;;) {
		struct pollfd p[] = { { .fd = s->wire, .events = POLLIN },
			{ .fd = s->loop, .events = POLLIN } };
		uint64_t now_ms = segment_clock_ms();

		if (now_ms >= end_ms || poll(p, 2, (int)(end_ms - now_ms)) < 0)
			return;
		if (p[0].revents != 0)
			drain(s, s->wire, port, fn, arg);
		if (p[1].revents != 0)
			drain(s, s->loop, port, fn, arg);
	}
}

/* --- ARP ------------------------------------------------------------------------------------ */

static void
send_probe(const struct segment *s, int fd, const uint8_t address[static 4])
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ARP),
		.sll_ifindex = s->ifindex,
		.sll_halen = 6,
		.sll_addr = { 255, 255, 255, 255, 255, 255 } };
	uint8_t bytes[ARP_BYTES];
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	wbuf_u16(&w, ARPHRD_ETHER);
	wbuf_u16(&w, ETH_P_IP);
	wbuf_u16(&w, 0x0604); /* lengths of the addresses */
	wbuf_u16(&w, ARPOP_REQUEST);
	wbuf_bytes(&w, s->mac, 6);
	wbuf_fill(&w, 0, 4 + 6); /* from nobody: no table is to learn it */
	wbuf_bytes(&w, address, 4);
	/* what is lost is asked again */
	(void)sendto(fd, bytes, w.used, 0, (const struct sockaddr *)&to, sizeof(to));
}

bool
segment_has_other(
    struct segment *s, const uint8_t address[static 4], uint32_t wait_ms, uint8_t ret[static 6])
{
	uint64_t now_ms = segment_clock_ms(), end_ms = now_ms + wait_ms, again_ms = now_ms;
	int fd = open_packet(s->ifindex);
	bool found = false;

	while (fd >= 0 && !found && (now_ms = segment_clock_ms()) < end_ms) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint8_t bytes[FRAME_MAX];
		struct sockaddr_ll ll = { 0 };
		socklen_t ll_n = sizeof(ll);

		if (now_ms >= again_ms) {
			send_probe(s, fd, address);
			again_ms = now_ms + 300;
		}
		if (poll(&p, 1, 50) <= 0)
			continue;
		/* an answer: it says that the sender's address is the one asked for */
		if (recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&ll, &ll_n) >=
			ARP_BYTES &&
		    ll.sll_protocol == htons(ETH_P_ARP) && ll.sll_pkttype != PACKET_OUTGOING &&
		    memcmp(bytes + 14, address, 4) == 0 && memcmp(bytes + 8, s->mac, 6) != 0) {
			memcpy(ret, bytes + 8, 6);
			found = true;
		}
	}
	if (fd >= 0)
		close(fd);
	return found;
}
