/* The raw socket that answers; see sender.h. */
#include "dhcpproxyd/sender.h"

#include "common/dhcp.h"
#include "common/log.h"
#include "dhcpproxyd/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH         128
#define HEADERS       (FRAME_IP_BYTES + FRAME_UDP_BYTES)
#define CONTROL_BYTES CMSG_SPACE(sizeof(struct in_pktinfo))
#define SEND_BUFFER   (4 << 20)

struct sender {
	struct loop *loop;
	struct loop_hook hook;
	int fd;
	uint16_t port;
	struct sender_stats stats;
	size_t n;
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_in to[BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_BYTES];
	} control[BATCH];
	uint8_t packets[BATCH][HEADERS + DHCP_REPLY_MAX];
};

static void
flush(void *arg)
{
	struct sender *s = arg;
	char text[INET_ADDRSTRLEN];
	size_t done = 0;

	while (done < s->n) {
		int n = sendmmsg(s->fd, s->msgs + done, (unsigned)(s->n - done), 0);

		if (n > 0) {
			s->stats.sent += (uint64_t)n;
			done += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		/* the first of them cannot go out, as in listen.c */
		s->stats.failed++;
		log_peer_warn("sending to %s: %s",
		    inet_ntop(AF_INET, &s->to[done].sin_addr, text, sizeof(text)), strerror(errno));
		done++;
	}
	s->n = 0;
}

void
sender_send(struct sender *s, struct slice bytes, const struct sockaddr_in *to, int ifindex,
    const uint8_t local[static 4])
{
	struct frame f = { .from_port = s->port, .to_port = ntohs(to->sin_port), .payload = bytes };
	struct in_pktinfo info = { .ipi_ifindex = ifindex };
	struct cmsghdr *c;
	size_t i;

	if (s->n == BATCH)
		flush(s);
	i = s->n++;
	memcpy(f.from, local, 4);
	memcpy(f.to, &to->sin_addr, 4);
	memcpy(&info.ipi_spec_dst, local, 4);
	frame_headers(&f, s->packets[i]);
	memcpy(s->packets[i] + HEADERS, bytes.p, bytes.n);
	/* a raw socket has no use for a port here */
	s->to[i] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = to->sin_addr };
	s->iov[i] = (struct iovec){ s->packets[i], HEADERS + bytes.n };
	s->msgs[i].msg_hdr = (struct msghdr){
		.msg_name = &s->to[i],
		.msg_namelen = sizeof(s->to[i]),
		.msg_iov = &s->iov[i],
		.msg_iovlen = 1,
		.msg_control = s->control[i].bytes,
		.msg_controllen = CONTROL_BYTES,
	};
	c = CMSG_FIRSTHDR(&s->msgs[i].msg_hdr);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

/* Of IPPROTO_RAW, which receives nothing: one of UDP would get a copy of each datagram. */
static int
open_socket(void)
{
	int fd, on = 1, off = IP_PMTUDISC_DONT, size = SEND_BUFFER;

	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	/* as for the UDP sockets */
	(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &off, sizeof(off));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

int
sender_open(struct loop *loop, uint16_t port, struct sender **ret)
{
	struct sender *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->loop = loop;
	s->port = port;
	s->fd = open_socket();
	if (s->fd < 0) {
		int rc = s->fd;

		free(s);
		return rc;
	}
	loop_hook_add(loop, &s->hook, flush, s);
	*ret = s;
	return 0;
}

void
sender_close(struct sender *s)
{
	if (s == NULL)
		return;
	flush(s);
	loop_hook_del(s->loop, &s->hook);
	close(s->fd);
	free(s);
}

void
sender_get_stats(const struct sender *s, struct sender_stats *ret)
{
	*ret = s->stats;
}
