/*
 * A bad network for tests: joins two Ethernet interfaces and loses, doubles, delays or swaps what
 * TFTP sends through it, by rules.  Addresses and ports pass unchanged, and all that is not TFTP
 * passes untouched.
 *
 * usage: lossy [-s SEED] [-m MTU] CLIENTS SERVER RULE...
 *
 * CLIENTS and SERVER are the interfaces; IP packets longer than MTU vanish.  A rule reads
 *
 *     ACTION:KIND[:WHEN]    ACTION: drop, double, delay=MS or late=PACKETS
 *                           KIND:   rrq, oack, ack, lastack, data, last, error, up, down
 *                           WHEN:   N, N-M, *N (every N-th) or P% (at random); without it, always
 *
 * where `last` is a DATA packet shorter than its blksize, `lastack` an ACK after one, and `up` and
 * `down` are all packets of a transfer from and to the client.  WHEN counts packets of that kind in
 * each transfer by itself, from 1, those sent again too, and so does chance.  `late=K` lets K
 * packets overtake.
 *
 * On SIGTERM it prints one line of JSON: of each kind what was seen, before the rules, and what
 * they did; then `blocks`, the different ones that servers sent, `repeats`, the DATA packets beyond
 * them, `worst`, the most of those in one transfer, `most`, how often one block was sent, `storms`,
 * the transfers with more repeats than can be explained, and `overruns`, what was lost for want of
 * room.
 *
 * Interfaces must not hand over packets larger than their MTU: see plain() in lossy.py.
 */
#include "common/wire.h"
#include "tests/suite/lossy_rules.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX    (65536 + 64)
#define LATE_US      100000 /* when too few packets follow that could overtake */
#define BUFFER_BYTES (32 << 20)

struct frame {
	TAILQ_ENTRY(frame) link;
	struct flow *flow; /* that knows of it, or NULL */
	enum way way;
	unsigned overtaken; /* packets that have yet to pass */
	uint64_t due_us;
	size_t n;
	uint8_t bytes[];
};

static int sockets[WAYS]; /* by where they send to */
static size_t mtu = SIZE_MAX;
static uint64_t seed = 1;
static TAILQ_HEAD(frames, frame) held = TAILQ_HEAD_INITIALIZER(held);
static uint64_t seen[KINDS], done[KINDS][ACTIONS];
static uint64_t too_big, unsent, other;
static volatile sig_atomic_t stopped;

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void
forget_held(struct flow *f)
{
	for (size_t w = 0; w < WAYS; w++) {
		if (f->held[w] != NULL)
			f->held[w]->flow = NULL;
		f->held[w] = NULL;
	}
}

/* --- forwarding ------------------------------------------------------------------------------- */

static void
put_frame(enum way way, const uint8_t *bytes, size_t n)
{
	if (send(sockets[way], bytes, n, 0) < 0)
		unsent++;
}

static void
release(struct frame *f)
{
	TAILQ_REMOVE(&held, f, link);
	if (f->flow != NULL)
		f->flow->held[f->way] = NULL;
	put_frame(f->way, f->bytes, f->n);
	free(f);
}

/* Keeps a frame until its time has come; those held longest come first. */
static struct frame *
hold(enum way way, const uint8_t *bytes, size_t n, uint64_t due_us)
{
	struct frame *f = malloc(sizeof(*f) + n), *before;

	if (f == NULL)
		die("out of memory");
	*f = (struct frame){ .way = way, .due_us = due_us, .n = n };
	memcpy(f->bytes, bytes, n);
	before = TAILQ_LAST(&held, frames);
	while (before != NULL && before->due_us > due_us)
		before = TAILQ_PREV(before, frames, link);
	if (before != NULL)
		TAILQ_INSERT_AFTER(&held, before, f, link);
	else
		TAILQ_INSERT_HEAD(&held, f, link);
	return f;
}

/* One more has passed: what was held back for that may go. */
static void
overtake(struct flow *f, enum way way)
{
	if (f->held[way] != NULL && --f->held[way]->overtaken == 0)
		release(f->held[way]);
}

static void
count(unsigned kinds, enum action action)
{
	for (size_t k = 0; k < KINDS; k++)
		done[k][action] += kinds >> k & 1;
}

static void
pass(struct flow *f, unsigned kinds, enum way way, const uint8_t *bytes, size_t n)
{
	const struct rule *r[ACTIONS] = { NULL };
	bool late;

	judge(f, kinds, r);
	for (size_t i = 0; i < ACTIONS; i++)
		f->events += r[i] != NULL;
	if (r[DROP] != NULL) {
		count(kinds, DROP);
		return;
	}
	late = r[LATE] != NULL && r[LATE]->value > 0 && f->held[way] == NULL;
	if (late)
		count(kinds, LATE);
	else if (r[DELAY] != NULL)
		count(kinds, DELAY);
	if (r[DOUBLE] != NULL)
		count(kinds, DOUBLE);
	for (int copies = r[DOUBLE] != NULL ? 2 : 1; copies > 0; copies--) {
		if (late) {
			f->held[way] = hold(way, bytes, n, now_us() + LATE_US);
			f->held[way]->flow = f;
			f->held[way]->overtaken = r[LATE]->value;
			late = false;
		} else if (r[DELAY] != NULL) {
			(void)hold(way, bytes, n, now_us() + r[DELAY]->value * UINT64_C(1000));
		} else {
			put_frame(way, bytes, n);
			overtake(f, way);
		}
	}
}

static void
take_frame(enum way way, uint8_t *bytes, size_t n, bool unfinished)
{
	struct datagram d;
	bool udp = read_frame(bytes, n, way, &d);
	struct flow *f = udp ? find_flow(&d, way, seed) : NULL;
	unsigned kinds = f != NULL ? see_packet(f, &d, way) : 0;

	for (size_t k = 0; k < KINDS; k++)
		seen[k] += kinds >> k & 1;
	if (d.ip_n > mtu) {
		too_big++;
		if (f != NULL)
			f->events++;
		return;
	}
	if (udp && unfinished)
		finish_checksum(&d);
	if (kinds != 0) {
		pass(f, kinds, way, bytes, n);
	} else {
		other++;
		put_frame(way, bytes, n);
	}
}

static void
on_readable(enum way way)
{
	static uint8_t bytes[FRAME_MAX];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;

	for (int i = 0; i < 64; i++) {
		struct iovec iov = { bytes, sizeof(bytes) };
		struct msghdr m = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control) };
		/* what comes in at the one goes out at the other */
		ssize_t n =
		    recvmsg(sockets[way == TO_SERVER ? TO_CLIENT : TO_SERVER], &m, MSG_DONTWAIT);
		struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
		struct tpacket_auxdata aux = { 0 };

		if (n < 0)
			return;
		if (c != NULL && c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA)
			memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		take_frame(way, bytes, (size_t)n, (aux.tp_status & TP_STATUS_CSUMNOTREADY) != 0);
	}
}

/* --- start and end ---------------------------------------------------------------------------- */

static int
open_interface(const char *name)
{
	int on = 1, size = BUFFER_BYTES, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll sll = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(name) };
	struct packet_mreq promiscuous = { .mr_ifindex = sll.sll_ifindex,
		.mr_type = PACKET_MR_PROMISC };

	if (fd < 0 || sll.sll_ifindex == 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0 ||
	    bind(fd, (struct sockaddr *)&sll, sizeof(sll)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) <
		0)
		die("%s: %s", name, strerror(errno));
	return fd;
}

static void
stop(int signo)
{
	(void)signo;
	stopped = 1;
}

static uint64_t
overruns(void)
{
	uint64_t n = 0;

	for (size_t w = 0; w < WAYS; w++) {
		struct tpacket_stats stats;
		socklen_t len = sizeof(stats);

		if (getsockopt(sockets[w], SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
			n += stats.tp_drops;
	}
	return n;
}

static void
report(void)
{
	unsigned long long lost = overruns() + unsent;

	flows_settle();
	(void)printf("{");
	for (size_t k = 0; k < KINDS; k++) {
		(void)printf("\"%s\":{\"seen\":%llu", kind_names[k], (unsigned long long)seen[k]);
		for (size_t a = 0; a < ACTIONS; a++)
			(void)printf(",\"%s\":%llu", done_names[a], (unsigned long long)done[k][a]);
		(void)printf("},");
	}
	(void)printf(
	    "\"transfers\":%llu,\"blocks\":%llu,\"repeats\":%llu,\"worst\":%llu,\"most\":%llu,"
	    "\"storms\":%llu,\"too_big\":%llu,\"other\":%llu,\"overruns\":%llu}\n",
	    (unsigned long long)totals.transfers, (unsigned long long)totals.blocks,
	    (unsigned long long)totals.repeats, (unsigned long long)totals.worst,
	    (unsigned long long)totals.most, (unsigned long long)totals.storms,
	    (unsigned long long)too_big, (unsigned long long)other, lost);
}

static void
run(void)
{
	struct pollfd fds[WAYS] = { { .fd = sockets[TO_CLIENT], .events = POLLIN },
		{ .fd = sockets[TO_SERVER], .events = POLLIN } };
	sigset_t none;

	(void)sigemptyset(&none);
	while (!stopped) {
		struct frame *first = TAILQ_FIRST(&held);
		uint64_t now = now_us(), wait_us;
		struct timespec wait = { 1, 0 };

		if (first != NULL && first->due_us <= now) {
			release(first);
			continue;
		}
		if (first != NULL) {
			wait_us = first->due_us - now;
			wait.tv_sec = (time_t)(wait_us / 1000000);
			wait.tv_nsec = (long)(wait_us % 1000000 * 1000);
		}
		if (ppoll(fds, WAYS, &wait, &none) < 0) {
			if (errno != EINTR)
				die("ppoll: %s", strerror(errno));
			continue;
		}
		if (fds[TO_SERVER].revents != 0)
			on_readable(TO_SERVER);
		if (fds[TO_CLIENT].revents != 0)
			on_readable(TO_CLIENT);
	}
}

int
main(int argc, char *argv[])
{
	struct sigaction action = { .sa_handler = stop };
	sigset_t term;
	int c;

	while ((c = getopt(argc, argv, "s:m:")) != -1) {
		switch (c) {
		case 's': seed = strtoull(optarg, NULL, 10); break;
		case 'm': mtu = strtoul(optarg, NULL, 10); break;
		default: die("usage: lossy [-s SEED] [-m MTU] CLIENTS SERVER RULE...");
		}
	}
	if (argc - optind < 2)
		die("usage: lossy [-s SEED] [-m MTU] CLIENTS SERVER RULE...");
	for (int i = optind + 2; i < argc; i++)
		add_rule(argv[i]);
	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	/* only while it waits */
	(void)sigprocmask(SIG_BLOCK, &term, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	sockets[TO_CLIENT] = open_interface(argv[optind]);
	sockets[TO_SERVER] = open_interface(argv[optind + 1]);
	(void)fputs("ready\n", stderr);
	run();
	report();
	return EXIT_SUCCESS;
}
