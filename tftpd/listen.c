/* tftpd's sockets; see listen.h. */
#include "tftpd/listen.h"

#include "common/log.h"
#include "common/sockaddr.h"

#include <assert.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define BUFFER_BYTES  (8 << 20) /* of a socket, both ways: a storm must fit between two rounds */
#define A_ROUND       8
#define CONTROL_BYTES (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)))

struct listen_socket {
	struct listen_set *set;
	size_t index;
	struct loop_fd lf;
	bool open;
};

struct listen_set {
	struct loop *loop;
	listen_packet_fn *fn;
	void *arg;
	int family;
	struct listen_socket sockets[1 + LISTEN_SOCKETS];
	size_t nsockets; /* with the first */
	size_t turn;
	bool single_port;

	struct mmsghdr msgs[LISTEN_BATCH];
	struct iovec iov[LISTEN_BATCH];
	union listen_addr from[LISTEN_BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_BYTES];
	} control[LISTEN_BATCH];
	uint8_t packets[LISTEN_BATCH][LISTEN_PACKET];
};

static struct in6_addr
mapped(const void *v4)
{
	struct in6_addr a = { 0 };

	a.s6_addr[10] = a.s6_addr[11] = 0xff;
	memcpy(a.s6_addr + 12, v4, 4);
	return a;
}

struct ipaddr
listen_peer_ip(const struct listen_path *path)
{
	return ip_from_sockaddr(&path->peer.sa);
}

uint16_t
listen_peer_port(const struct listen_path *path)
{
	return ntohs(
	    path->peer.sa.sa_family == AF_INET ? path->peer.in.sin_port : path->peer.in6.sin6_port);
}

struct ipaddr
listen_local_ip(const struct listen_path *path)
{
	return ip_from_in6(&path->local);
}

bool
listen_peer_eq(const struct listen_path *a, const struct listen_path *b)
{
	if (a->peer.sa.sa_family != b->peer.sa.sa_family)
		return false;
	if (a->peer.sa.sa_family == AF_INET)
		return a->peer.in.sin_port == b->peer.in.sin_port &&
		       a->peer.in.sin_addr.s_addr == b->peer.in.sin_addr.s_addr;
	return a->peer.in6.sin6_port == b->peer.in6.sin6_port &&
	       a->peer.in6.sin6_scope_id == b->peer.in6.sin6_scope_id &&
	       memcmp(&a->peer.in6.sin6_addr, &b->peer.in6.sin6_addr, 16) == 0;
}

static socklen_t
addr_len(const union listen_addr *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

static void
read_local(struct msghdr *m, struct listen_path *path)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			/* the interface's own address, should this have been a broadcast */
			path->local = mapped(&info.ipi_spec_dst);
			path->ifindex = info.ipi_ifindex;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			path->local = info.ipi6_addr;
			path->ifindex = (int)info.ipi6_ifindex;
		}
	}
}

static void
on_readable(void *arg, uint32_t events)
{
	struct listen_socket *sock = arg;
	struct listen_set *s = sock->set;

	(void)events;
	for (int round = 0; round < A_ROUND && sock->open; round++) {
		int n;

		for (size_t i = 0; i < LISTEN_BATCH; i++) {
			s->iov[i] = (struct iovec){ s->packets[i], LISTEN_PACKET };
			s->msgs[i].msg_hdr = (struct msghdr){
				.msg_name = &s->from[i],
				.msg_namelen = sizeof(s->from[i]),
				.msg_iov = &s->iov[i],
				.msg_iovlen = 1,
				.msg_control = s->control[i].bytes,
				.msg_controllen = CONTROL_BYTES,
			};
		}
		n = recvmmsg(sock->lf.fd, s->msgs, LISTEN_BATCH, MSG_DONTWAIT, NULL);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				log_peer_warn("receiving: %s", strerror(errno));
			return;
		}
		for (int i = 0; i < n; i++) {
			struct listen_path path = { .set = s, .peer = s->from[i] };

			read_local(&s->msgs[i].msg_hdr, &path);
			s->fn(s->arg, sock->index, &path,
			    (struct slice){ s->packets[i], s->msgs[i].msg_len });
		}
		if (n < LISTEN_BATCH)
			return;
	}
}

/* Adds the source address to a message, and for n > 0 the length of its segments. */
static void
put_control(struct listen_set *s, struct msghdr *m, uint8_t control[static CONTROL_BYTES],
    const struct listen_path *path, uint16_t segment)
{
	struct cmsghdr *c;

	memset(control, 0, CONTROL_BYTES);
	m->msg_control = control;
	m->msg_controllen = CONTROL_BYTES;
	c = CMSG_FIRSTHDR(m);
	if (s->family == AF_INET) {
		struct in_pktinfo info = { 0 };

		memcpy(&info.ipi_spec_dst, path->local.s6_addr + 12, 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_addr = path->local };

		if (IN6_IS_ADDR_LINKLOCAL(&path->local))
			info.ipi6_ifindex = (unsigned)path->ifindex;
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	}
	m->msg_controllen = CMSG_SPACE(c->cmsg_len - CMSG_LEN(0));
	if (segment > 0) {
		c = (struct cmsghdr *)(void *)(control + m->msg_controllen);
		c->cmsg_level = IPPROTO_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(segment));
		memcpy(CMSG_DATA(c), &segment, sizeof(segment));
		m->msg_controllen += CMSG_SPACE(sizeof(segment));
	}
}

int
listen_send(struct listen_set *s, size_t socket, const struct listen_path *path, struct slice bytes)
{
	union listen_addr to = path->peer;
	struct iovec iov = { (void *)(uintptr_t)bytes.p, bytes.n };
	struct msghdr m = {
		.msg_name = &to, .msg_namelen = addr_len(&to), .msg_iov = &iov, .msg_iovlen = 1
	};
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_BYTES];
	} control;

	put_control(s, &m, control.bytes, path, 0);
	return sendmsg(s->sockets[socket].lf.fd, &m, MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* One segmented send of as many blocks as it takes: their number, or a negative errno. */
static int
send_segmented(struct listen_set *s, size_t socket, const struct listen_path *path,
    struct listen_block *blocks, size_t n)
{
	uint32_t segment = (uint32_t)sizeof(blocks[0].header) + blocks[0].n;
	size_t most = LISTEN_SEND_BYTES / segment;
	struct iovec iov[2 * LISTEN_SEGMENTS];
	union listen_addr to = path->peer;
	struct msghdr m = { .msg_name = &to, .msg_namelen = addr_len(&to), .msg_iov = iov };
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_BYTES];
	} control;

	if (most > LISTEN_SEGMENTS)
		most = LISTEN_SEGMENTS;
	if (n > most)
		n = most;
	for (size_t i = 0; i < n; i++) {
		iov[2 * i] = (struct iovec){ blocks[i].header, sizeof(blocks[i].header) };
		iov[2 * i + 1] = (struct iovec){ (void *)(uintptr_t)blocks[i].data, blocks[i].n };
	}
	m.msg_iovlen = 2 * n;
	put_control(s, &m, control.bytes, path, n > 1 ? (uint16_t)segment : 0);
	return sendmsg(s->sockets[socket].lf.fd, &m, MSG_DONTWAIT) < 0 ? -errno : (int)n;
}

/* A packet a block, many a call: their number, or a negative errno. */
static int
send_each(struct listen_set *s, size_t socket, const struct listen_path *path,
    struct listen_block *blocks, size_t n)
{
	struct mmsghdr msgs[LISTEN_SEGMENTS];
	struct iovec iov[2 * LISTEN_SEGMENTS];
	union listen_addr to = path->peer;
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_BYTES];
	} control;
	struct msghdr head = { .msg_name = &to, .msg_namelen = addr_len(&to) };
	int sent;

	if (n > LISTEN_SEGMENTS)
		n = LISTEN_SEGMENTS;
	put_control(s, &head, control.bytes, path, 0);
	for (size_t i = 0; i < n; i++) {
		iov[2 * i] = (struct iovec){ blocks[i].header, sizeof(blocks[i].header) };
		iov[2 * i + 1] = (struct iovec){ (void *)(uintptr_t)blocks[i].data, blocks[i].n };
		msgs[i].msg_hdr = head;
		msgs[i].msg_hdr.msg_iov = &iov[2 * i];
		msgs[i].msg_hdr.msg_iovlen = 2;
	}
	sent = sendmmsg(s->sockets[socket].lf.fd, msgs, (unsigned)n, MSG_DONTWAIT);
	return sent < 0 ? -errno : sent;
}

int
listen_send_blocks(struct listen_set *s, size_t socket, const struct listen_path *path,
    struct listen_block *blocks, size_t n, bool *gso)
{
	size_t done = 0;

	while (done < n) {
		int rc;

		if (*gso && n - done > 1 && 2 * (blocks[done].n + 4) <= LISTEN_SEND_BYTES) {
			rc = send_segmented(s, socket, path, blocks + done, n - done);
			/* segments larger than the MTU, or a device that cannot: block by block */
			if (rc == -EINVAL || rc == -EMSGSIZE || rc == -EIO || rc == -EOPNOTSUPP) {
				*gso = false;
				continue;
			}
		} else {
			rc = send_each(s, socket, path, blocks + done, n - done);
		}
		if (rc < 0)
			return done > 0 ? (int)done : rc;
		done += (size_t)rc;
	}
	return (int)done;
}

static int
set_options(int fd, int family)
{
	int on = 1, off = 0, size = BUFFER_BYTES, dont = IP_PMTUDISC_DONT;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	/* some ROMs mind the DF bit; harmless where it cannot be cleared */
	(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &dont, sizeof(dont));
	if (family == AF_INET)
		return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ? -errno : 0;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

static int
add_socket(struct listen_set *s, const struct ipaddr *address, uint16_t port)
{
	struct listen_socket *sock = &s->sockets[s->nsockets];
	struct sockaddr_storage ss;
	socklen_t len;
	int fd, rc;

	fd = socket(s->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	len = sockaddr_from_ip(address, port, &ss);
	rc = set_options(fd, s->family);
	if (rc == 0 && bind(fd, (const struct sockaddr *)&ss, len) < 0)
		rc = -errno;
	sock->set = s;
	sock->index = s->nsockets;
	if (rc == 0)
		rc = loop_add(s->loop, &sock->lf, fd, EPOLLIN, on_readable, sock);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	sock->open = true;
	s->nsockets++;
	return 0;
}

/* Binds the transfers' sockets, spread over the range from a random start. */
static int
add_transfer_sockets(
    struct listen_set *s, const struct ipaddr *address, const struct config_ports *range)
{
	unsigned size = range->last - range->first + 1u, start = 0;
	unsigned want = range->first == 0 || size > LISTEN_SOCKETS ? LISTEN_SOCKETS : size;
	int rc = 0;

	if (getrandom(&start, sizeof(start), 0) < 0)
		start = (unsigned)getpid();
	for (unsigned i = 0; s->nsockets < want + 1 && i < (range->first == 0 ? want : size); i++) {
		uint16_t port = 0;

		if (range->first != 0)
			port = (uint16_t)(range->first + (start + i) % size);
		rc = add_socket(s, address, port);
		if (rc < 0 && rc != -EADDRINUSE)
			break;
	}
	if (s->nsockets > 1)
		return 0;
	log_errx("transfer_ports: none of %u to %u can be bound: %s", range->first, range->last,
	    strerror(-rc));
	return rc < 0 ? rc : -EADDRINUSE;
}

int
listen_open(struct loop *loop, const struct ipaddr *address, uint16_t port,
    const struct config_ports *range, listen_packet_fn *fn, void *arg, struct listen_set **ret)
{
	struct listen_set *s = calloc(1, sizeof(*s));
	struct ipaddr any = { .family = 6 };
	char text[IP_STRLEN];
	int rc;

	if (s == NULL)
		return -ENOMEM;
	s->loop = loop;
	s->fn = fn;
	s->arg = arg;
	if (address->family == 0)
		address = &any;
	s->family = address->family == 4 ? AF_INET : AF_INET6;
	rc = add_socket(s, address, port);
	if (rc == -EAFNOSUPPORT && address == &any) {
		s->family = AF_INET;
		any.family = 4;
		rc = add_socket(s, address, port);
	}
	if (rc < 0) {
		log_errx("%s, port: %s port %u: %s",
		    address->family == 6 && address != &any ? "address or address6" : "address",
		    ip_format(address, text), port, strerror(-rc));
	} else if (range->first == port && range->last == port) {
		s->single_port = true;
	} else {
		rc = add_transfer_sockets(s, address, range);
	}
	if (rc < 0) {
		listen_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void
listen_stop(struct listen_set *s)
{
	if (s != NULL && !s->single_port)
		loop_mod(s->loop, &s->sockets[0].lf, 0);
}

void
listen_close(struct listen_set *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->nsockets; i++) {
		loop_del(s->loop, &s->sockets[i].lf);
		s->sockets[i].open = false;
		close(s->sockets[i].lf.fd);
	}
	free(s);
}

size_t
listen_pick(struct listen_set *s)
{
	if (s->single_port)
		return 0;
	return 1 + s->turn++ % (s->nsockets - 1);
}
