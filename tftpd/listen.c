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

#define RECEIVE_BYTES (8 << 20) /* of a socket: a storm must fit between two rounds */
/*
 * Of all transfers' sockets of a daemon: what waits to be sent should wait in our queue, where
 * retries overtake, and not in the kernel.
 */
#define SEND_BYTES (4 << 20)
#define A_ROUND    8
#define ROOM_MS    2 /* until a send is tried again for which not the socket had no room */

struct listen_socket {
	struct listen_set *set;
	size_t index;
	struct loop_fd lf;
	struct loop_timer room_timer;
};

struct listen_set {
	struct loop *loop;
	const struct listen_ops *ops;
	void *arg;
	int family;
	bool bound; /* to an address, which is then the source of all that is sent */
	struct listen_socket sockets[1 + LISTEN_SOCKETS];
	size_t nsockets; /* with the first */
	size_t turn;
	bool single_port;
	int mtu_fds[2]; /* of IPv4 and IPv6: to ask the kernel for routes' MTUs */

	struct mmsghdr msgs[LISTEN_BATCH];
	struct iovec iov[LISTEN_BATCH];
	union listen_addr from[LISTEN_BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[LISTEN_CONTROL];
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

/* One call of recvmmsg(): the number of packets, 0 when there are none. */
static int
receive(struct listen_socket *sock)
{
	struct listen_set *s = sock->set;
	int n;

	for (size_t i = 0; i < LISTEN_BATCH; i++) {
		s->iov[i] = (struct iovec){ s->packets[i], LISTEN_PACKET };
		s->msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &s->from[i],
			.msg_namelen = sizeof(s->from[i]),
			.msg_iov = &s->iov[i],
			.msg_iovlen = 1,
			.msg_control = s->control[i].bytes,
			.msg_controllen = LISTEN_CONTROL,
		};
	}
	n = recvmmsg(sock->lf.fd, s->msgs, LISTEN_BATCH, MSG_DONTWAIT, NULL);
	if (n >= 0)
		return n;
	if (errno != EAGAIN && errno != EINTR)
		log_peer_warn("receiving: %s", strerror(errno));
	return 0;
}

static void
on_ready(void *arg, uint32_t events)
{
	struct listen_socket *sock = arg;
	struct listen_set *s = sock->set;

	if ((events & EPOLLOUT) != 0 && (sock->lf.events & EPOLLOUT) != 0) {
		loop_mod(s->loop, &sock->lf, sock->lf.events & ~(uint32_t)EPOLLOUT);
		s->ops->room(s->arg, s, sock->index);
	}
	for (int round = 0; round < A_ROUND && (sock->lf.events & EPOLLIN) != 0; round++) {
		int n = receive(sock);

		for (int i = 0; i < n; i++) {
			struct listen_path path = { .set = s, .peer = s->from[i] };

			read_local(&s->msgs[i].msg_hdr, &path);
			s->ops->packet(s->arg, &path, sock->index,
			    (struct slice){ s->packets[i], s->msgs[i].msg_len });
		}
		if (n < LISTEN_BATCH)
			return;
	}
}

static void
on_room(void *arg)
{
	struct listen_socket *sock = arg;

	sock->set->ops->room(sock->set->arg, sock->set, sock->index);
}

void
listen_wait(struct listen_set *s, size_t socket)
{
	struct listen_socket *sock = &s->sockets[socket];

	loop_mod(s->loop, &sock->lf, sock->lf.events | EPOLLOUT);
}

void
listen_pause(struct listen_set *s, size_t socket)
{
	(void)loop_timer_set(s->loop, &s->sockets[socket].room_timer, ROOM_MS);
}

void
listen_address(const struct listen_path *path, uint16_t segment, struct msghdr *m,
    uint8_t control[static LISTEN_CONTROL])
{
	const struct listen_set *s = path->set;
	struct cmsghdr *c;

	m->msg_name = (void *)(uintptr_t)&path->peer;
	m->msg_namelen = addr_len(&path->peer);
	m->msg_control = control;
	m->msg_controllen = 0;
	memset(control, 0, LISTEN_CONTROL);
	c = (struct cmsghdr *)(void *)control;
	if (!s->bound && s->family == AF_INET) {
		struct in_pktinfo info = { 0 };

		memcpy(&info.ipi_spec_dst, path->local.s6_addr + 12, 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		m->msg_controllen = CMSG_SPACE(sizeof(info));
	} else if (!s->bound) {
		struct in6_pktinfo info = { .ipi6_addr = path->local };

		if (IN6_IS_ADDR_LINKLOCAL(&path->local))
			info.ipi6_ifindex = (unsigned)path->ifindex;
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		m->msg_controllen = CMSG_SPACE(sizeof(info));
	}
	if (segment > 0) {
		c = (struct cmsghdr *)(void *)(control + m->msg_controllen);
		c->cmsg_level = IPPROTO_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(segment));
		memcpy(CMSG_DATA(c), &segment, sizeof(segment));
		m->msg_controllen += CMSG_SPACE(sizeof(segment));
	}
	if (m->msg_controllen == 0)
		m->msg_control = NULL;
}

int
listen_send(const struct listen_path *path, size_t socket, struct slice bytes)
{
	struct iovec iov = { (void *)(uintptr_t)bytes.p, bytes.n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr align;
		uint8_t bytes[LISTEN_CONTROL];
	} control;

	listen_address(path, 0, &m, control.bytes);
	return sendmsg(listen_fd(path->set, socket), &m, MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* A connected socket knows the route and what was learned of it; connecting sends nothing. */
uint32_t
listen_mtu(const struct listen_path *path)
{
	struct ipaddr ip = listen_peer_ip(path);
	int *fd = &path->set->mtu_fds[ip.family == 6], mtu = 0;
	union listen_addr to = path->peer;
	struct sockaddr_storage ss;
	socklen_t len = addr_len(&to), n = sizeof(mtu);

	if (*fd < 0)
		*fd = socket(ip.family == 6 ? AF_INET6 : AF_INET,
		    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return 0;
	if (ip.family == 4 && to.sa.sa_family == AF_INET6) {
		len = sockaddr_from_ip(&ip, listen_peer_port(path), &ss);
		memcpy(&to.in, &ss, sizeof(to.in));
	}
	if (connect(*fd, &to.sa, len) < 0 ||
	    (ip.family == 6 ? getsockopt(*fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &n)
			    : getsockopt(*fd, IPPROTO_IP, IP_MTU, &mtu, &n)) < 0)
		return 0;
	return mtu > 0 ? (uint32_t)mtu : 0;
}

static int
set_options(int fd, int family, bool shared, int send_bytes)
{
	int on = 1, off = 0, receive_bytes = RECEIVE_BYTES, dont = IP_PMTUDISC_DONT;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof(receive_bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_bytes, sizeof(send_bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));
	/* some ROMs mind the DF bit; harmless where it cannot be cleared */
	(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &dont, sizeof(dont));
	if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		return -errno;
	if (family == AF_INET)
		return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ? -errno : 0;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

/* A bound socket; `shared`: with other workers.  Its descriptor, or a negative errno. */
static int
open_socket(const struct ipaddr *address, uint16_t port, bool shared, int send_bytes)
{
	int family = address->family == 4 ? AF_INET : AF_INET6, fd, rc;
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from_ip(address, port, &ss);

	fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	rc = set_options(fd, family, shared, send_bytes);
	if (rc == 0 && bind(fd, (const struct sockaddr *)&ss, len) < 0)
		rc = -errno;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

/* The same where no address means all of them: of both families, or of IPv4 without IPv6. */
static int
open_requests(
    const struct ipaddr *address, uint16_t port, bool shared, int send_bytes, struct ipaddr *ret)
{
	int fd;

	*ret = address->family != 0 ? *address : (struct ipaddr){ .family = 6 };
	fd = open_socket(ret, port, shared, send_bytes);
	if (fd == -EAFNOSUPPORT && address->family == 0) {
		ret->family = 4;
		fd = open_socket(ret, port, shared, send_bytes);
	}
	return fd;
}

static void
log_failure(const struct ipaddr *address, uint16_t port, int rc)
{
	char text[IP_STRLEN];

	log_errx("%s, port: %s port %u: %s",
	    address->family == 6 && !ip_is_any(address) ? "address or address6" : "address",
	    ip_format(address, text), port, strerror(-rc));
}

int
listen_claim(const struct ipaddr *address, uint16_t port)
{
	struct ipaddr bound;
	int fd = open_requests(address, port, false, SEND_BYTES, &bound);

	if (fd < 0) {
		log_failure(&bound, port, fd);
		return fd;
	}
	close(fd);
	return 0;
}

static int
add_socket(struct listen_set *s, int fd)
{
	struct listen_socket *sock = &s->sockets[s->nsockets];
	int rc;

	sock->set = s;
	sock->index = s->nsockets;
	loop_timer_init(&sock->room_timer, on_room, sock);
	rc = loop_add(s->loop, &sock->lf, fd, EPOLLIN, on_ready, sock);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	s->nsockets++;
	return 0;
}

static size_t
range_size(const struct config_ports *range)
{
	return range->first == 0 ? SIZE_MAX : range->last - range->first + (size_t)1;
}

size_t
listen_workers(const struct config_ports *transfers, uint16_t port, size_t wanted)
{
	size_t ports = range_size(transfers);

	if (transfers->first == port && transfers->last == port)
		return wanted;
	return wanted < ports ? wanted : ports;
}

/*
 * Binds the transfers' sockets of a worker: every so-manyth port of the range, beginning somewhere,
 * so that a restarted daemon rarely meets late packets of the one before.
 */
static int
add_transfer_sockets(
    struct listen_set *s, const struct ipaddr *address, const struct listen_conf *conf, int bytes)
{
	const struct config_ports *range = &conf->transfers;
	size_t size = range_size(range), of = conf->workers;
	size_t share = size == SIZE_MAX ? LISTEN_SOCKETS : (size - conf->worker + of - 1) / of;
	size_t want = LISTEN_SOCKETS / of > 2 ? LISTEN_SOCKETS / of : 2;
	unsigned start = 0;
	int rc = -EADDRINUSE;

	if (want > share)
		want = share;
	if (getrandom(&start, sizeof(start), 0) < 0)
		start = (unsigned)getpid();
	for (size_t i = 0; s->nsockets < want + 1 && i < share; i++) {
		uint16_t port = 0;

		if (range->first != 0)
			port = (uint16_t)(range->first + conf->worker + (start + i) % share * of);
		rc = open_socket(address, port, false, bytes);
		if (rc >= 0)
			rc = add_socket(s, rc);
		if (rc < 0 && rc != -EADDRINUSE)
			break;
	}
	if (s->nsockets > 1)
		return 0;
	/* others may have ports of the range: the caller knows whether that is all of it */
	if (rc != -EADDRINUSE)
		log_errx("transfer_ports: %u to %u: %s", range->first, range->last, strerror(-rc));
	return rc;
}

int
listen_open(struct loop *loop, const struct listen_conf *conf, const struct listen_ops *ops,
    void *arg, struct listen_set **ret)
{
	struct listen_set *s = calloc(1, sizeof(*s));
	int bytes = SEND_BYTES / LISTEN_SOCKETS, rc;
	struct ipaddr address;

	if (s == NULL)
		return -ENOMEM;
	s->loop = loop;
	s->ops = ops;
	s->arg = arg;
	s->mtu_fds[0] = s->mtu_fds[1] = -1;
	s->bound = conf->address->family != 0;
	s->single_port = conf->transfers.first == conf->port && conf->transfers.last == conf->port;
	if (s->single_port)
		bytes = SEND_BYTES / (int)conf->workers;
	rc = open_requests(conf->address, conf->port, conf->workers > 1, bytes, &address);
	if (rc < 0)
		log_failure(&address, conf->port, rc);
	s->family = address.family == 4 ? AF_INET : AF_INET6;
	if (rc >= 0)
		rc = add_socket(s, rc);
	if (rc == 0 && !s->single_port)
		rc = add_transfer_sockets(s, &address, conf, bytes);
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
		loop_timer_clear(s->loop, &s->sockets[i].room_timer);
		loop_del(s->loop, &s->sockets[i].lf);
		close(s->sockets[i].lf.fd);
	}
	for (size_t i = 0; i < NITEMS(s->mtu_fds); i++) {
		if (s->mtu_fds[i] >= 0)
			close(s->mtu_fds[i]);
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

size_t
listen_count(const struct listen_set *s)
{
	return s->nsockets;
}

int
listen_fd(const struct listen_set *s, size_t socket)
{
	return s->sockets[socket].lf.fd;
}
