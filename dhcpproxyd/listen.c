/* The UDP sockets; see listen.h. */
#include "dhcpproxyd/listen.h"

#include "common/dhcp.h"
#include "common/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BUFFER (8 << 20) /* bytes: a boot storm must fit between two rounds */
#define A_ROUND        8         /* batches read before others get their turn */
#define CONTROL_BYTES  CMSG_SPACE(sizeof(struct in_pktinfo))

struct in_batch {
	struct mmsghdr msgs[LISTEN_BATCH];
	struct iovec iov[LISTEN_BATCH];
	struct sockaddr_in from[LISTEN_BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_BYTES];
	} control[LISTEN_BATCH];
	uint8_t packets[LISTEN_BATCH][LISTEN_PACKET];
};

struct out_batch {
	size_t n;
	struct mmsghdr msgs[LISTEN_OUT_BATCH];
	struct iovec iov[LISTEN_OUT_BATCH];
	struct sockaddr_in to[LISTEN_OUT_BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_BYTES];
	} control[LISTEN_OUT_BATCH];
	uint8_t packets[LISTEN_OUT_BATCH][DHCP_REPLY_MAX];
};

struct listen_socket {
	struct loop *loop;
	struct loop_fd lf;
	struct loop_hook hook;
	listen_packet_fn *fn;
	void *arg;
	struct listen_stats stats;
	struct in_batch in;
	struct out_batch out;
};

static void
prepare_in(struct in_batch *in)
{
	for (size_t i = 0; i < LISTEN_BATCH; i++) {
		in->iov[i] = (struct iovec){ in->packets[i], sizeof(in->packets[i]) };
		in->msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &in->from[i],
			.msg_namelen = sizeof(in->from[i]),
			.msg_iov = &in->iov[i],
			.msg_iovlen = 1,
			.msg_control = in->control[i].bytes,
			.msg_controllen = CONTROL_BYTES,
		};
	}
}

static void
deliver(struct listen_socket *s, struct mmsghdr *m, const uint8_t *bytes)
{
	struct listen_packet packet = {
		.bytes = { bytes, m->msg_len },
		.from = *(const struct sockaddr_in *)m->msg_hdr.msg_name,
	};

	s->stats.received++;
	if ((m->msg_hdr.msg_flags & MSG_TRUNC) != 0) {
		s->stats.too_long++;
		return;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m->msg_hdr); c != NULL;
	     c = CMSG_NXTHDR(&m->msg_hdr, c)) {
		struct in_pktinfo info;

		if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		packet.ifindex = info.ipi_ifindex;
		/* the address asked, or for a broadcast the interface's own */
		memcpy(packet.local, &info.ipi_spec_dst, 4);
	}
	s->fn(s->arg, &packet);
}

static void
on_readable(void *arg, uint32_t events)
{
	struct listen_socket *s = arg;

	(void)events;
	for (int round = 0; round < A_ROUND; round++) {
		int n;

		prepare_in(&s->in);
		n = recvmmsg(s->lf.fd, s->in.msgs, LISTEN_BATCH, MSG_DONTWAIT, NULL);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				log_peer_warn("receiving: %s", strerror(errno));
			break;
		}
		for (int i = 0; i < n; i++)
			deliver(s, &s->in.msgs[i], s->in.packets[i]);
		if (n < LISTEN_BATCH)
			break;
	}
}

static void
flush(void *arg)
{
	struct listen_socket *s = arg;
	char text[INET_ADDRSTRLEN];
	size_t done = 0;

	while (done < s->out.n) {
		int n = sendmmsg(s->lf.fd, s->out.msgs + done, (unsigned)(s->out.n - done), 0);

		if (n > 0) {
			s->stats.sent += (uint64_t)n;
			done += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		/* the first of them cannot go out: the client will ask again, or a route is
		 * missing, which the log shall tell */
		s->stats.send_failed++;
		log_peer_warn("sending to %s: %s",
		    inet_ntop(AF_INET, &s->out.to[done].sin_addr, text, sizeof(text)),
		    strerror(errno));
		done++;
	}
	s->out.n = 0;
}

void
listen_send(struct listen_socket *s, struct slice bytes, const struct sockaddr_in *to, int ifindex,
    const uint8_t local[static 4])
{
	struct in_pktinfo info = { .ipi_ifindex = ifindex };
	struct out_batch *out = &s->out;
	struct cmsghdr *c;
	size_t i;

	if (out->n == LISTEN_OUT_BATCH)
		flush(s);
	i = out->n++;
	memcpy(&info.ipi_spec_dst, local, 4);
	memcpy(out->packets[i], bytes.p, bytes.n);
	out->to[i] = *to;
	out->iov[i] = (struct iovec){ out->packets[i], bytes.n };
	out->msgs[i].msg_hdr = (struct msghdr){
		.msg_name = &out->to[i],
		.msg_namelen = sizeof(out->to[i]),
		.msg_iov = &out->iov[i],
		.msg_iovlen = 1,
		.msg_control = out->control[i].bytes,
		.msg_controllen = CONTROL_BYTES,
	};
	c = CMSG_FIRSTHDR(&out->msgs[i].msg_hdr);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

static int
set_options(int fd, const char *interface, bool share)
{
	int on = 1, reuse = share, size = RECEIVE_BUFFER, off = IP_PMTUDISC_DONT;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0)
		return -errno;
	/* some ROMs dislike the DF bit; harmless where it cannot be cleared */
	(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &off, sizeof(off));
	/* the limit of the system may hold without CAP_NET_ADMIN: then as much as it gives */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (interface[0] != '\0' && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
					(socklen_t)strlen(interface)) < 0)
		return -errno;
	return 0;
}

int
listen_open(struct loop *loop, const char *interface, uint16_t port, bool share,
    listen_packet_fn *fn, void *arg, struct listen_socket **ret)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct listen_socket *s = calloc(1, sizeof(*s));
	int fd, rc;

	if (s == NULL)
		return -ENOMEM;
	s->loop = loop;
	s->fn = fn;
	s->arg = arg;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		rc = -errno;
		free(s);
		return rc;
	}
	rc = set_options(fd, interface, share);
	if (rc == 0 && bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
		rc = -errno;
	if (rc == 0)
		rc = loop_add(loop, &s->lf, fd, EPOLLIN, on_readable, s);
	if (rc < 0) {
		close(fd);
		free(s);
		return rc;
	}
	loop_hook_add(loop, &s->hook, flush, s);
	*ret = s;
	return 0;
}

void
listen_stop(struct listen_socket *s)
{
	if (s != NULL)
		loop_mod(s->loop, &s->lf, 0);
}

void
listen_close(struct listen_socket *s)
{
	if (s == NULL)
		return;
	flush(s);
	loop_hook_del(s->loop, &s->hook);
	loop_del(s->loop, &s->lf);
	close(s->lf.fd);
	free(s);
}

int
listen_fd(const struct listen_socket *s)
{
	return s->lf.fd;
}

void
listen_get_stats(const struct listen_socket *s, struct listen_stats *ret)
{
	uint32_t memory[SK_MEMINFO_VARS] = { 0 };
	socklen_t n = sizeof(memory);

	*ret = s->stats;
	if (getsockopt(s->lf.fd, SOL_SOCKET, SO_MEMINFO, memory, &n) == 0)
		ret->lost = memory[SK_MEMINFO_DROPS];
}
