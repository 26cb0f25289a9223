/*
 * Load for a TFTP server: so many clients fetch a file at once, each with a socket of its own,
 * until all have it.
 * usage: tftp_load SERVER FILE BYTES CLIENTS BLKSIZE WINDOWSIZE
 * WINDOWSIZE 0: the option is not asked for.  A transfer in which nothing comes for 10 s has
 * failed. Prints one line of JSON.
 */
#include "tftpd/tftp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RETRY_US 1000000
#define GIVE_UP  10
#define DRAIN    64

struct client {
	int fd;
	struct sockaddr_in peer; /* port 0: not known yet */
	uint64_t next;           /* block that is due */
	uint64_t bytes;
	uint64_t heard_us;
	unsigned blksize, windowsize, in_window, tries;
	bool done, failed;
};

static struct sockaddr_in server = { .sin_family = AF_INET };
static uint8_t rrq[600];
static size_t rrq_n;
static uint8_t bytes[DRAIN][65600];
static struct mmsghdr msgs[DRAIN];
static struct iovec iov[DRAIN];
static struct sockaddr_in from[DRAIN];

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void
send_ack(struct client *c)
{
	uint16_t block = (uint16_t)(c->next - 1);
	const uint8_t ack[4] = { 0, TFTP_ACK, (uint8_t)(block >> 8), (uint8_t)block };

	c->in_window = 0;
	(void)sendto(c->fd, ack, sizeof(ack), 0, (struct sockaddr *)&c->peer, sizeof(c->peer));
}

static void
send_again(struct client *c)
{
	if (c->peer.sin_port == 0)
		(void)sendto(c->fd, rrq, rrq_n, 0, (struct sockaddr *)&server, sizeof(server));
	else
		send_ack(c);
}

static void
on_oack(struct client *c, const uint8_t *p, size_t n)
{
	for (size_t at = 2; at < n;) {
		const char *name = (const char *)p + at, *value = name + strnlen(name, n - at) + 1;

		if ((const uint8_t *)value >= p + n)
			break;
		if (strcasecmp(name, "blksize") == 0)
			c->blksize = (unsigned)atoi(value);
		if (strcasecmp(name, "windowsize") == 0)
			c->windowsize = (unsigned)atoi(value);
		at = (size_t)((const uint8_t *)value - p) + strlen(value) + 1;
	}
	send_ack(c);
}

static void
on_packet(struct client *c, const uint8_t *p, size_t n, const struct sockaddr_in *peer)
{
	if (n < 4)
		return;
	if (c->peer.sin_port == 0)
		c->peer = *peer;
	else if (c->peer.sin_port != peer->sin_port)
		return;
	if (p[1] == TFTP_ERROR) {
		c->done = c->failed = true;
		return;
	}
	if (p[1] == TFTP_OACK && c->next == 1) {
		on_oack(c, p, n);
		return;
	}
	if (p[1] != TFTP_DATA)
		return;
	if ((uint16_t)(p[2] << 8 | p[3]) != (uint16_t)c->next) {
		/* a gap, or the end of what came twice: told once a window */
		if (++c->in_window >= c->windowsize && c->windowsize > 1)
			send_ack(c);
		return;
	}
	c->next++;
	c->bytes += n - 4;
	c->tries = 0;
	c->done = n - 4 < c->blksize;
	if (++c->in_window >= c->windowsize || c->done)
		send_ack(c);
}

static void
drain(struct client *c, uint64_t now)
{
	int n;

	do {
		for (size_t i = 0; i < DRAIN; i++)
			msgs[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
				.msg_namelen = sizeof(from[i]),
				.msg_iov = &iov[i],
				.msg_iovlen = 1 };
		n = recvmmsg(c->fd, msgs, c->windowsize > 1 ? DRAIN : 2, 0, NULL);
		for (int i = 0; i < n && !c->done; i++)
			on_packet(c, bytes[i], msgs[i].msg_len, &from[i]);
		if (n > 0)
			c->heard_us = now;
	} while (n == DRAIN && !c->done);
}

int
main(int argc, char *argv[])
{
	unsigned nclients, left, failed = 0, blksize, windowsize;
	uint64_t begin, now, swept, total = 0, size;
	const struct rlimit files = { 65536, 65536 };
	struct epoll_event events[256];
	struct client *clients;
	char options[128];
	int ep, n;

	if (argc != 7 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
		fputs("usage: tftp_load SERVER FILE BYTES CLIENTS BLKSIZE WINDOWSIZE\n", stderr);
		return 2;
	}
	server.sin_port = htons(69);
	size = strtoull(argv[3], NULL, 10);
	left = nclients = (unsigned)atoi(argv[4]);
	blksize = (unsigned)atoi(argv[5]);
	windowsize = (unsigned)atoi(argv[6]);
	(void)setrlimit(RLIMIT_NOFILE, &files); /* more than 1,000 clients need it */
	rrq_n = (size_t)snprintf((char *)rrq, sizeof(rrq), "%c%c%s%coctet%cblksize%c%u%c", 0,
	    TFTP_RRQ, argv[2], 0, 0, 0, blksize, 0);
	if (windowsize > 0) {
		n = snprintf(options, sizeof(options), "windowsize%c%u%c", 0, windowsize, 0);
		memcpy(rrq + rrq_n, options, (size_t)n);
		rrq_n += (size_t)n;
	}
	for (size_t i = 0; i < DRAIN; i++)
		iov[i] = (struct iovec){ bytes[i], sizeof(bytes[i]) };
	clients = calloc(nclients, sizeof(*clients));
	ep = epoll_create1(0);
	if (clients == NULL || ep < 0)
		return 1;
	begin = now = swept = now_us();
	for (unsigned i = 0; i < nclients; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.u32 = i };
		int room = 4 << 20;

		clients[i] = (struct client){ .fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0),
			.next = 1,
			.blksize = 512,
			.windowsize = 1,
			.heard_us = now };
		if (clients[i].fd < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, clients[i].fd, &ev) < 0) {
			perror("tftp_load");
			return 1;
		}
		/* a window must find room; only speed depends on it */
		(void)setsockopt(clients[i].fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
		send_again(&clients[i]);
	}
	while (left > 0) {
		n = epoll_wait(ep, events, 256, 100);
		now = now_us();
		for (int i = 0; i < n; i++) {
			struct client *c = &clients[events[i].data.u32];

			if (c->done)
				continue;
			drain(c, now);
			left -= c->done;
		}
		for (unsigned i = 0; now - swept > 100000 && i < nclients; i++) {
			struct client *c = &clients[i];

			if (c->done || now - c->heard_us < RETRY_US)
				continue;
			c->heard_us = now;
			if (++c->tries > GIVE_UP) {
				c->done = c->failed = true;
				left--;
			} else {
				send_again(c);
			}
		}
		if (now - swept > 100000)
			swept = now;
	}
	for (unsigned i = 0; i < nclients; i++) {
		total += clients[i].bytes;
		failed += clients[i].failed || clients[i].bytes != size;
	}
	printf("{\"bytes\": %llu, \"failed\": %u, \"seconds\": %.3f, \"MBps\": %.1f, "
	       "\"blksize\": %u, \"windowsize\": %u}\n",
	    (unsigned long long)total, failed, (double)(now - begin) / 1e6,
	    (double)total / (double)(now - begin), clients[0].blksize, clients[0].windowsize);
	return 0;
}
