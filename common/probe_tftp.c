/*
 * See probe_tftp.h.  The request carries tsize and blksize (RFC 2348, 2349), as all firmware's
 * does; the answer's OACK is confirmed, the first block is taken, and the transfer is ended by an
 * error packet, which servers know from clients that only want the size.
 */
#include "common/probe_tftp.h"

#include "common/sockaddr.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define BLOCK    1428
#define AGAIN_MS 1000

enum op {
	OP_RRQ = 1,
	OP_DATA = 3,
	OP_ACK = 4,
	OP_ERROR = 5,
	OP_OACK = 6,
};

static uint64_t
clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static size_t
build_request(const char *name, uint8_t *dst, size_t size)
{
	static const char rest[] = "octet\0tsize\0"
				   "0\0blksize\0"
				   "1428";
	struct wbuf w;

	wbuf_init(&w, dst, size);
	wbuf_u16(&w, OP_RRQ);
	wbuf_bytes(&w, name, strlen(name) + 1);
	wbuf_bytes(&w, rest, sizeof(rest));
	return w.bad ? 0 : w.used;
}

/* The next text of an option list; "" at its end. */
static const char *
next_text(struct rbuf *r)
{
	const char *at = (const char *)r->p;
	size_t n = strnlen(at, r->left);

	if (n == r->left)
		return "";
	(void)rbuf_slice(r, n + 1);
	return at;
}

static uint64_t
read_size(struct rbuf *r)
{
	uint64_t size = 0;

	while (r->left > 0) {
		const char *key = next_text(r), *value = next_text(r);

		if (*key == '\0')
			break;
		if (strcasecmp(key, "tsize") == 0)
			(void)parse_u64(value, &size); /* what is no number is not told */
	}
	return size;
}

static void
send_code(int fd, const struct sockaddr_in *peer, uint16_t op, uint16_t code, const char *text)
{
	uint8_t bytes[64];
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	wbuf_u16(&w, op);
	wbuf_u16(&w, code);
	if (text != NULL)
		wbuf_bytes(&w, text, strlen(text) + 1);
	/* a lost one is the server's to notice */
	(void)sendto(fd, bytes, w.used, 0, (const struct sockaddr *)peer, sizeof(*peer));
}

/* True if the answer is final. */
static bool
take_answer(int fd, const struct sockaddr_in *peer, const uint8_t *bytes, size_t n,
    struct probe_result *ret)
{
	struct rbuf r;
	uint16_t op, code;
	char text[100];

	rbuf_init(&r, bytes, n);
	op = rbuf_u16(&r);
	if (op == OP_OACK) {
		ret->size = read_size(&r);
		send_code(fd, peer, OP_ACK, 0, NULL);
		return false;
	}
	code = rbuf_u16(&r);
	if (op == OP_ERROR) {
		(void)slice_copy(text, sizeof(text), (struct slice){ r.p, r.left });
		(void)snprintf(ret->text, sizeof(ret->text), "TFTP error %u: %s", code, text);
		return true;
	}
	if (op != OP_DATA || code != 1)
		return false;
	ret->good = true;
	send_code(fd, peer, OP_ERROR, 8, "User aborted the transfer");
	return true;
}

static void
exchange(int fd, const struct probe_tftp *ask, struct probe_result *ret)
{
	struct sockaddr_storage to;
	socklen_t to_n = sockaddr_from_ip(&ask->server, ask->port, &to);
	uint64_t end_ms = clock_ms() + ask->wait_ms, again_ms = 0;
	uint8_t bytes[2048];
	size_t n = build_request(ask->name, bytes, sizeof(bytes));
	uint8_t request[1024];
	size_t request_n = n < sizeof(request) ? n : 0;

	memcpy(request, bytes, request_n);
	for (;;) {
		uint64_t now_ms = clock_ms();
		struct pollfd p = { .fd = fd, .events = POLLIN };
		struct sockaddr_in peer;
		socklen_t peer_n = sizeof(peer);
		ssize_t got;

		if (now_ms >= end_ms) {
			(void)snprintf(
			    ret->text, sizeof(ret->text), "no answer from port %u", ask->port);
			return;
		}
		if (now_ms >= again_ms) {
			again_ms = now_ms + AGAIN_MS;
			if (sendto(fd, request, request_n, 0, (const struct sockaddr *)&to, to_n) <
			    0) {
				(void)snprintf(ret->text, sizeof(ret->text), "%s", strerror(errno));
				return;
			}
		}
		if (poll(&p, 1, (int)((again_ms < end_ms ? again_ms : end_ms) - now_ms)) <= 0)
			continue;
		got = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&peer, &peer_n);
		/* edk2 takes nothing from another address than it asked */
		if (got < 4 ||
		    memcmp(&peer.sin_addr, &((struct sockaddr_in *)&to)->sin_addr, 4) != 0)
			continue;
		if (take_answer(fd, &peer, bytes, (size_t)got, ret))
			return;
	}
}

void
probe_tftp(const struct probe_tftp *ask, struct probe_result *ret)
{
	struct sockaddr_storage from;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memset(ret, 0, sizeof(*ret));
	if (fd < 0) {
		(void)snprintf(ret->text, sizeof(ret->text), "socket: %s", strerror(errno));
		return;
	}
	/* an address that is none of ours cannot be asked from: then whatever there is */
	if (ask->from.family == 4)
		(void)bind(
		    fd, (const struct sockaddr *)&from, sockaddr_from_ip(&ask->from, 0, &from));
	exchange(fd, ask, ret);
	close(fd);
}
