/* See listen6.h. */
#include "dhcpproxyd/listen6.h"

#include "common/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BUFFER (4 << 20) /* bytes */
#define A_ROUND        8
#define UDP_BYTES      8
#define UDP_SUM_AT     6 /* the kernel puts the checksum there, and looks at it */
#define CONTROL_BYTES  CMSG_SPACE(sizeof(struct in6_pktinfo))

struct listen6 {
	struct loop *loop;
	struct loop_fd lf;
	uint16_t port;
	bool raw;
	listen6_packet_fn *fn;
	void *arg;
	struct listen6_stats stats;
	struct mmsghdr msgs[LISTEN6_BATCH];
	struct iovec iov[LISTEN6_BATCH];
	struct sockaddr_in6 from[LISTEN6_BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_BYTES];
	} control[LISTEN6_BATCH];
	uint8_t packets[LISTEN6_BATCH][LISTEN6_PACKET];
};

static void
prepare(struct listen6 *s)
{
	for (size_t i = 0; i < LISTEN6_BATCH; i++) {
		s->iov[i] = (struct iovec){ s->packets[i], LISTEN6_PACKET };
		s->msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &s->from[i],
			.msg_namelen = sizeof(s->from[i]),
			.msg_iov = &s->iov[i],
			.msg_iovlen = 1,
			.msg_control = s->control[i].bytes,
			.msg_controllen = CONTROL_BYTES,
		};
	}
}

/* Takes off the UDP header that a raw socket leaves on. */
static bool
strip(struct listen6_packet *packet)
{
	struct rbuf r;
	uint16_t port, len;

	rbuf_init(&r, packet->bytes.p, packet->bytes.n);
	port = rbuf_u16(&r);
	(void)rbuf_u16(&r); /* ours, by the filter */
	len = rbuf_u16(&r);
	(void)rbuf_u16(&r); /* checksum */
	if (r.bad || len < UDP_BYTES || (size_t)(len - UDP_BYTES) > r.left)
		return false;
	packet->from.sin6_port = htons(port);
	packet->bytes = (struct slice){ r.p, (size_t)(len - UDP_BYTES) };
	return true;
}

static void
deliver(struct listen6 *s, struct mmsghdr *m, const uint8_t *bytes)
{
	struct listen6_packet packet = {
		.bytes = { bytes, m->msg_len },
		.from = *(const struct sockaddr_in6 *)m->msg_hdr.msg_name,
	};

	s->stats.received++;
	if ((m->msg_hdr.msg_flags & MSG_TRUNC) != 0) {
		s->stats.too_long++;
		return;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m->msg_hdr); c != NULL;
	     c = CMSG_NXTHDR(&m->msg_hdr, c)) {
		struct in6_pktinfo info;

		if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		packet.ifindex = (int)info.ipi6_ifindex;
		packet.to = info.ipi6_addr;
	}
	if (s->raw && !strip(&packet)) {
		s->stats.malformed++;
		return;
	}
	s->fn(s->arg, &packet);
}

static void
on_readable(void *arg, uint32_t events)
{
	struct listen6 *s = arg;

	(void)events;
	for (int round = 0; round < A_ROUND; round++) {
		int n;

		prepare(s);
		n = recvmmsg(s->lf.fd, s->msgs, LISTEN6_BATCH, MSG_DONTWAIT, NULL);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				log_peer_warn(
				    "receiving on port %u over IPv6: %s", s->port, strerror(errno));
			break;
		}
		for (int i = 0; i < n; i++)
			deliver(s, &s->msgs[i], s->packets[i]);
		if (n < LISTEN6_BATCH)
			break;
	}
}

void
listen6_send(struct listen6 *s, struct slice bytes, const struct sockaddr_in6 *to,
    const struct in6_addr *from, int ifindex)
{
	struct in6_pktinfo info = { .ipi6_addr = *from, .ipi6_ifindex = (unsigned)ifindex };
	uint8_t udp[UDP_BYTES];
	struct sockaddr_in6 sa = *to;
	struct iovec iov[] = { { udp, sizeof(udp) }, { (void *)(uintptr_t)bytes.p, bytes.n } };
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_BYTES];
	} control = { 0 };
	struct msghdr m = {
		.msg_name = &sa,
		.msg_namelen = sizeof(sa),
		.msg_iov = s->raw ? iov : iov + 1,
		.msg_iovlen = s->raw ? 2 : 1,
		.msg_control = control.bytes,
		.msg_controllen = CONTROL_BYTES,
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	char text[INET6_ADDRSTRLEN];
	struct wbuf w;

	wbuf_init(&w, udp, sizeof(udp));
	wbuf_u16(&w, s->port);
	wbuf_u16(&w, ntohs(to->sin6_port));
	wbuf_u16(&w, (uint16_t)(UDP_BYTES + bytes.n));
	wbuf_u16(&w, 0); /* the kernel sums up */
	if (s->raw)
		sa.sin6_port = 0; /* a raw socket's port is a protocol */
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	if (sendmsg(s->lf.fd, &m, MSG_DONTWAIT) >= 0) {
		s->stats.sent++;
		return;
	}
	s->stats.send_failed++;
	log_peer_warn("sending to %s: %s", inet_ntop(AF_INET6, &to->sin6_addr, text, sizeof(text)),
	    strerror(errno));
}

int
listen6_bind_to(struct listen6 *s, int ifindex)
{
	return setsockopt(s->lf.fd, SOL_SOCKET, SO_BINDTOIFINDEX, &ifindex, sizeof(ifindex)) < 0
	           ? -errno
	           : 0;
}

void
listen6_join(struct listen6 *s, int ifindex)
{
	static const char *const groups[] = { "ff02::1:2", "ff05::1:3" };
	struct ipv6_mreq mreq = { .ipv6mr_interface = (unsigned)ifindex };

	for (size_t i = 0; i < NITEMS(groups); i++) {
		(void)inet_pton(AF_INET6, groups[i], &mreq.ipv6mr_multiaddr); /* it is one */
		if (setsockopt(s->lf.fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mreq, sizeof(mreq)) < 0 &&
		    errno != EADDRINUSE && errno != ENODEV)
			log_peer_warn(
			    "joining %s on interface %d: %s", groups[i], ifindex, strerror(errno));
	}
}

/* Lets nothing but datagrams to our port into the queue. */
static int
filter_port(int fd, uint16_t port)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 2), /* destination port */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { NITEMS(code), code };
	int sum_at = UDP_SUM_AT;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &sum_at, sizeof(sum_at)) < 0)
		return -errno;
	return 0;
}

static int
bind_port(int fd, uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
		return -errno;
	return 0;
}

static int
set_options(int fd)
{
	int on = 1, size = RECEIVE_BUFFER, hops = 64;

	if (setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) < 0)
		return -errno;
	/* the limit of the system may hold: then as much as it gives */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return 0;
}

int
listen6_open(struct loop *loop, uint16_t port, bool raw, listen6_packet_fn *fn, void *arg,
    struct listen6 **ret)
{
	struct listen6 *s = calloc(1, sizeof(*s));
	int fd, rc;

	if (s == NULL)
		return -ENOMEM;
	*s = (struct listen6){ .loop = loop, .port = port, .raw = raw, .fn = fn, .arg = arg };
	fd = socket(AF_INET6, (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    raw ? IPPROTO_UDP : 0);
	if (fd < 0) {
		rc = -errno;
		free(s);
		return rc;
	}
	rc = raw ? filter_port(fd, port) : bind_port(fd, port);
	if (rc == 0)
		rc = set_options(fd);
	if (rc == 0)
		rc = loop_add(loop, &s->lf, fd, EPOLLIN, on_readable, s);
	if (rc < 0) {
		close(fd);
		free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void
listen6_stop(struct listen6 *s)
{
	if (s != NULL)
		loop_mod(s->loop, &s->lf, 0);
}

void
listen6_close(struct listen6 *s)
{
	if (s == NULL)
		return;
	loop_del(s->loop, &s->lf);
	close(s->lf.fd);
	free(s);
}

void
listen6_get_stats(const struct listen6 *s, struct listen6_stats *ret)
{
	*ret = s->stats;
}
