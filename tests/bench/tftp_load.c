/*
 * Load for a TFTP server: so many clients fetch a file at once, until all have it or have given up.
 * Each block is checked, and chosen or random packets are lost on purpose.  Prints one line of
 * JSON.
 *
 * usage: tftp_load [OPTION]... --net A.B.C.D --server ADDRESS --file NAME --size BYTES
 *        tftp_load --write BYTES >FILE       the contents that are expected
 *
 * The clients have addresses of their own, from that of --net upwards, and share one socket and so
 * one port: the kernel tells by IP_PKTINFO which of them a packet is for, and takes the one it
 * comes from.  All of a round is received and sent with a system call each, and a window that was
 * sent with UDP_SEGMENT comes in one piece (UDP_GRO); ACKs leave past the IP stack, if told to.
 * That makes it cheap: what the load costs is taken from the server on the same processors.  The
 * addresses must be local ("ip route add local 10.78.0.0/16 dev lo") and the server's host must
 * have a route to them; 127.x.x.x needs neither.
 */
#include "common/wire.h"
#include "tests/bench/express.h"
#include "tests/bench/fetch.h"
#include "tests/bench/pattern.h"
#include "tests/bench/tftp_load_conf.h"
#include "tftpd/tftp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define BATCH        64
#define BATCH_BYTES  (2 << 20) /* received at once: more does not stay in the processor's cache */
#define PACKET       65536
#define STARTS       32 /* requests between two looks at the socket */
#define ROOM         (512 << 20)
#define SWEEP_US     5000
#define QUIET_US     250000 /* the end: so long nobody sends again */
#define QUIET_MAX_US 5000000

static struct tftp_load_conf conf;
static int sock;
static struct fetch *fetches;
static in_port_t *ports; /* of the server that each is served from; 0: not known yet */
static uint8_t *dropped; /* bits: which of the drops it has had */
static unsigned left;
static uint64_t lost, strangers;
static char error_text[80];

static uint8_t rrq[600];
static size_t rrq_n;

static uint64_t
clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* --- losses ---------------------------------------------------------------------------------- */

static bool
is_dropped(unsigned i, const struct tftp_load_drop *d, char kind, uint64_t block)
{
	const struct fetch *f = &fetches[i];

	if (d->kind != kind)
		return false;
	if (d->last)
		return block == conf.want.size / f->blksize + 1;
	return kind == 'r' || kind == 'o' || block == d->block;
}

/* Whether a packet gets lost. */
static bool
is_lost(unsigned i, char kind, uint64_t block)
{
	for (size_t k = 0; k < conf.ndrops; k++) {
		if ((dropped[i] >> k & 1) == 0 && is_dropped(i, &conf.drops[k], kind, block)) {
			dropped[i] |= (uint8_t)(1u << k);
			lost++;
			return true;
		}
	}
	if (conf.loss == 0)
		return false;
	conf.seed ^= conf.seed << 13; /* xorshift */
	conf.seed ^= conf.seed >> 7;
	conf.seed ^= conf.seed << 17;
	if ((uint32_t)(conf.seed >> 32) >= conf.loss)
		return false;
	lost++;
	return true;
}

static bool
is_lost_data(unsigned i, const uint8_t *p, size_t n)
{
	const struct fetch *f = &fetches[i];
	int16_t off;

	if (!conf.want.lossy)
		return false;
	if (n < 4 || p[1] != TFTP_DATA)
		return is_lost(i, p[1] == TFTP_OACK ? 'o' : '?', 0);
	off = (int16_t)(uint16_t)((p[2] << 8 | p[3]) - (uint16_t)f->next);
	return is_lost(i, 'd', f->next + (uint64_t)(int64_t)off);
}

/* --- what is sent ---------------------------------------------------------------------------- */

union control {
	struct cmsghdr align;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int))];
};

static struct {
	struct mmsghdr msgs[2 * BATCH];
	struct iovec iov[2 * BATCH];
	struct sockaddr_in to[2 * BATCH];
	union control control[2 * BATCH];
	uint8_t bytes[2 * BATCH][8];
	unsigned n;
} out;

/* For ACKs, once the server has answered; NULL: they leave by the socket. */
static struct express *express;
static bool no_express;

static void
open_express(void)
{
	struct sockaddr_in own = { 0 };
	socklen_t len = sizeof(own);

	if (getsockname(sock, (struct sockaddr *)&own, &len) < 0 ||
	    express_open(&conf.server, own.sin_port, &express) < 0)
		no_express = true;
}

static void
flush(void)
{
	unsigned done = 0;

	while (done < out.n) {
		int n = sendmmsg(sock, out.msgs + done, out.n - done, 0);

		if (n < 0 && errno != EINTR && errno != ENOBUFS && errno != ECONNREFUSED) {
			perror("tftp_load: sending");
			exit(1);
		}
		done += n > 0 ? (unsigned)n : errno == ECONNREFUSED;
	}
	out.n = 0;
	if (express != NULL && express_flush(express) < 0) {
		perror("tftp_load: sending frames");
		exit(1);
	}
}

static void
put(unsigned i, in_port_t port, const void *p, size_t n)
{
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(conf.net + i) };
	struct msghdr *m = &out.msgs[out.n].msg_hdr;
	struct cmsghdr *c = &out.control[out.n].align;

	if (express != NULL && n <= EXPRESS_BYTES) {
		express_put(express, (struct in_addr){ htonl(conf.net + i) }, port, p, n);
		return;
	}
	out.to[out.n] = conf.server;
	out.to[out.n].sin_port = port;
	out.iov[out.n] = (struct iovec){ out.bytes[out.n], n };
	if (p == rrq)
		out.iov[out.n].iov_base = rrq;
	else
		memcpy(out.bytes[out.n], p, n);
	*c = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO };
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	*m = (struct msghdr){ .msg_name = &out.to[out.n],
		.msg_namelen = sizeof(out.to[out.n]),
		.msg_iov = &out.iov[out.n],
		.msg_iovlen = 1,
		.msg_control = c,
		.msg_controllen = CMSG_SPACE(sizeof(info)) };
	if (++out.n == NITEMS(out.msgs))
		flush();
}

static void
put_error(unsigned i, in_port_t port, enum tftp_error code)
{
	const uint8_t error[5] = { 0, TFTP_ERROR, 0, (uint8_t)code };

	put(i, port, error, sizeof(error));
}

static void
reply(unsigned i, enum fetch_reply r)
{
	const struct fetch *f = &fetches[i];
	uint64_t block = f->next - 1;
	const uint8_t ack[4] = { 0, TFTP_ACK, (uint8_t)(block >> 8), (uint8_t)block };

	switch (r) {
	case FETCH_SAY_NOTHING: break;
	case FETCH_SAY_RRQ:
		if (!is_lost(i, 'r', 0))
			put(i, conf.server.sin_port, rrq, rrq_n);
		break;
	case FETCH_SAY_ACK:
		if (!is_lost(i, 'a', block))
			put(i, ports[i], ack, sizeof(ack));
		break;
	case FETCH_SAY_ERROR:
		if (ports[i] != 0)
			put_error(i, ports[i], TFTP_ERROR_UNDEFINED);
		break;
	}
}

/* --- what is received ------------------------------------------------------------------------ */

static struct {
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_in from[BATCH];
	union control control[BATCH];
	uint8_t bytes[BATCH][PACKET];
	unsigned size; /* that are filled at once */
} in;

static void
on_packet(unsigned i, in_port_t port, const uint8_t *p, size_t n, uint64_t now_us)
{
	struct fetch *f = &fetches[i];
	bool over = fetch_over(f);

	if (is_lost_data(i, p, n))
		return;
	if (ports[i] == 0)
		ports[i] = port;
	if (conf.express && express == NULL && !no_express)
		open_express();
	if (port != ports[i]) { /* a second transfer, of a request that came twice (RFC 1350) */
		strangers++;
		if (n > 1 && p[1] != TFTP_ERROR)
			put_error(i, port, TFTP_ERROR_UNKNOWN_TID);
		return;
	}
	if (p[1] == TFTP_ERROR && error_text[0] == '\0' && n > 4)
		(void)snprintf(
		    error_text, sizeof(error_text), "%.*s", (int)n - 4, (const char *)p + 4);
	reply(i, fetch_packet(f, &conf.want, p, n, now_us));
	left -= !over && fetch_over(f);
}

static void
on_message(unsigned k, uint64_t now_us)
{
	size_t n = in.msgs[k].msg_len, segment = n;
	struct msghdr *m = &in.msgs[k].msg_hdr;
	uint32_t to = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			to = ntohl(info.ipi_addr.s_addr);
		} else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			int size;

			memcpy(&size, CMSG_DATA(c), sizeof(size));
			segment = (size_t)size;
		}
	}
	if (to - conf.net >= conf.nclients ||
	    in.from[k].sin_addr.s_addr != conf.server.sin_addr.s_addr) {
		strangers++;
		return;
	}
	for (size_t at = 0; at < n || n == 0; at += segment) {
		on_packet(to - conf.net, in.from[k].sin_port, in.bytes[k] + at,
		    n - at < segment ? n - at : segment, now_us);
		if (n == 0)
			break;
	}
}

/* The number of messages; waits for the first, if told to, for SWEEP_US at most. */
static int
receive(bool wait)
{
	int n;

	for (unsigned k = 0; k < in.size; k++) {
		in.iov[k] = (struct iovec){ in.bytes[k], PACKET };
		in.msgs[k].msg_hdr = (struct msghdr){ .msg_name = &in.from[k],
			.msg_namelen = sizeof(in.from[k]),
			.msg_iov = &in.iov[k],
			.msg_iovlen = 1,
			.msg_control = &in.control[k],
			.msg_controllen = sizeof(in.control[k]) };
	}
	n = recvmmsg(sock, in.msgs, in.size, wait ? MSG_WAITFORONE : MSG_DONTWAIT, NULL);
	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED) {
		perror("tftp_load: receiving");
		exit(1);
	}
	return n;
}

/* --- the run --------------------------------------------------------------------------------- */

static void
sweep(uint64_t now_us, bool late)
{
	for (unsigned i = 0; i < conf.nclients; i++) {
		struct fetch *f = &fetches[i];
		bool over = fetch_over(f);

		if (late && !over)
			fetch_fail(f, FETCH_LATE, now_us);
		else if (f->due_us != 0 && now_us >= f->due_us)
			reply(i, fetch_tick(f, &conf.want, now_us));
		left -= !over && fetch_over(f);
	}
}

/* Until all have ended, and then until it is quiet, so that a last ACK that was lost comes again.
 */
static uint64_t
run(void)
{
	uint64_t began_us = clock_us(), now_us = began_us, swept_us = 0, heard_us = began_us,
		 ended_us = 0;
	unsigned started = 0;

	left = conf.nclients;
	for (;;) {
		int n;

		for (unsigned k = 0; k < STARTS && started < conf.nclients; k++) {
			if (now_us - began_us < started * conf.stagger_us)
				break;
			reply(started, fetch_start(&fetches[started], now_us));
			started++;
		}
		flush();
		n = receive(conf.spin_us == 0 || now_us - heard_us >= conf.spin_us);
		now_us = clock_us();
		if (n > 0)
			heard_us = now_us;
		else if (conf.spin_us != 0)
			(void)sched_yield(); /* the server may need the processor */
		for (int k = 0; k < n; k++)
			on_message((unsigned)k, now_us);
		if (now_us - swept_us >= SWEEP_US) {
			sweep(now_us, now_us - began_us >= conf.limit_us);
			swept_us = now_us;
		}
		if (left == 0 && ended_us == 0)
			ended_us = now_us;
		if (ended_us != 0 && (!conf.want.lossy ? n <= 0
						       : now_us - heard_us > QUIET_US ||
							     now_us - ended_us > QUIET_MAX_US))
			break;
	}
	flush();
	return ended_us - began_us;
}

static int
by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
print_faults(void)
{
	unsigned faults[FETCH_FAULTS] = { 0 };
	const char *comma = "";

	for (unsigned i = 0; i < conf.nclients; i++)
		faults[fetches[i].fault]++;
	printf("\"failed\": %u, \"why\": {", conf.nclients - faults[FETCH_OK]);
	for (unsigned k = FETCH_OK + 1; k < FETCH_FAULTS; k++) {
		if (faults[k] == 0)
			continue;
		printf("%s\"%s\": %u", comma, fetch_fault_name(k), faults[k]);
		comma = ", ";
	}
	for (char *p = error_text; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
			*p = '?';
	}
	printf("}, \"error\": \"%s\", ", error_text);
}

/* Failed transfers count with the time until they had failed. */
static void
print_report(uint64_t took_us)
{
	uint64_t *times = calloc(conf.nclients, sizeof(*times)), bytes = 0, duplicates = 0,
		 gaps = 0, beyond = 0, again = 0;
	struct rusage used = { 0 };
	const unsigned p50 = conf.nclients / 2, p99 = (conf.nclients - 1) * 99 / 100;
	unsigned differ = 0;

	if (times == NULL)
		exit(1);
	for (unsigned i = 0; i < conf.nclients; i++) {
		const struct fetch *f = &fetches[i];

		times[i] = f->ended_us - f->began_us;
		bytes += f->bytes;
		duplicates += f->duplicates;
		gaps += f->gaps;
		beyond += f->beyond;
		again += f->again;
		differ +=
		    f->blksize != fetches[0].blksize || f->windowsize != fetches[0].windowsize;
	}
	(void)getrusage(RUSAGE_SELF, &used);
	qsort(times, conf.nclients, sizeof(*times), by_value);
	printf("{\"clients\": %u, \"bytes\": %llu, \"seconds\": %.3f, \"MBps\": %.1f, ",
	    conf.nclients, (unsigned long long)bytes, (double)took_us / 1e6,
	    (double)bytes / (double)took_us);
	print_faults();
	printf("\"p50_s\": %.3f, \"p99_s\": %.3f, \"max_s\": %.3f, ", (double)times[p50] / 1e6,
	    (double)times[p99] / 1e6, (double)times[conf.nclients - 1] / 1e6);
	printf("\"duplicates\": %llu, \"gaps\": %llu, \"beyond\": %llu, \"again\": %llu, "
	       "\"dropped\": %llu, "
	       "\"strangers\": %llu, ",
	    (unsigned long long)duplicates, (unsigned long long)gaps, (unsigned long long)beyond,
	    (unsigned long long)again, (unsigned long long)lost, (unsigned long long)strangers);
	printf("\"blksize\": %u, \"windowsize\": %u, \"differ\": %u, \"express\": %s, "
	       "\"load_cpu_s\": %.3f}\n",
	    fetches[0].blksize, fetches[0].windowsize, differ, express != NULL ? "true" : "false",
	    (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
	free(times);
}

/* --- start ----------------------------------------------------------------------------------- */

static void
open_socket(void)
{
	const struct timeval wait = { .tv_usec = SWEEP_US };
	int on = 1, size = ROOM;

	sock = socket(AF_INET, SOCK_DGRAM, 0);
	if (sock < 0 || setsockopt(sock, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
	    setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0) {
		perror("tftp_load: socket");
		exit(1);
	}
	/* without: windows come in pieces */
	(void)setsockopt(sock, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
	/* spares the look whether an address is ours at each send */
	(void)setsockopt(sock, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));
	/* thousands of windows must find room: what we lose is taken for the server's fault */
	if (setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int
main(int argc, char *argv[])
{
	unsigned a_window;

	pattern_init();
	tftp_load_conf_read(&conf, argc, argv);
	rrq_n = fetch_rrq(&conf.want, rrq, sizeof(rrq));
	fetches = calloc(conf.nclients, sizeof(*fetches));
	ports = calloc(conf.nclients, sizeof(*ports));
	dropped = calloc(conf.nclients, sizeof(*dropped));
	if (rrq_n == 0 || fetches == NULL || ports == NULL || dropped == NULL) {
		fputs("tftp_load: no memory, or too long a name\n", stderr);
		return 1;
	}
	for (unsigned i = 0; i < conf.nclients; i++)
		fetch_init(&fetches[i]);
	a_window = (conf.want.windowsize > 0 ? conf.want.windowsize : 1) *
	           (conf.want.blksize + TFTP_HEADER_BYTES);
	in.size = BATCH_BYTES / 4 / (a_window < PACKET ? a_window : PACKET) + 1;
	if (in.size > BATCH)
		in.size = BATCH;
	open_socket();
	print_report(run());
	return 0;
}
