/* Tests of tftpd/queue.c and batch.c: what leaves in which order, seen at a socket of our own. */
#include "tftpd/queue.h"

#include "tests/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLKSIZE 1000u
#define BLOCKS  2000u /* of the file that all read */
#define SOCKETS 3

static struct worker worker;
static struct tftpd_shared shared;
static struct served file;
static int receiver;
static struct listen_path path;

static void
ignore_packet(void *arg, const struct listen_path *from, size_t socket, struct slice bytes)
{
	(void)arg;
	(void)from;
	(void)socket;
	(void)bytes;
}

static void
on_room(void *arg, struct listen_set *set, size_t socket)
{
	worker_outgoing(arg, set, socket)->blocked = false;
}

static const struct listen_ops listen_ops = { .packet = ignore_packet, .room = on_room };

static void
on_stop(void *arg)
{
	(void)arg;
}

/* A worker with sockets of which SOCKETS are used, and nobody to talk to but the receiver. */
static void
open_worker(void)
{
	struct ipaddr loopback;
	struct listen_conf conf = {
		.address = &loopback, .transfers = { 20000, 29999 }, .workers = 1
	};
	socklen_t len = sizeof(path.peer);
	int size = 8 << 20;

	CHECK_INT(ip_parse(slice_str("127.0.0.1"), &loopback), 0);
	receiver = socket(AF_INET, SOCK_DGRAM, 0);
	(void)setsockopt(receiver, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	path.peer.in = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	CHECK_INT(bind(receiver, &path.peer.sa, sizeof(path.peer.in)), 0);
	CHECK_INT(getsockname(receiver, &path.peer.sa, &len), 0);
	worker.shared = &shared;
	CHECK_INT(loop_thread_open(&worker.thread, on_stop, &worker), 0);
	CHECK_INT(listen_open(worker.thread.loop, &conf, &listen_ops, &worker, &worker.sets[0]), 0);
	path.set = worker.sets[0];
	worker.nsets = 1;
	worker.noutgoing = SOCKETS;
	for (size_t i = 0; i < SOCKETS; i++) {
		worker.outgoing[i].set = worker.sets[0];
		worker.outgoing[i].socket = i;
		for (size_t class = 0; class < TRANSFER_CLASSES; class ++)
			TAILQ_INIT(&worker.outgoing[i].lists[class]);
	}
}

/* The next packet's block, or -1 if there is none; *n gets its length. */
static int
next_block(size_t *n)
{
	uint8_t p[2 * BLKSIZE];
	ssize_t got = recv(receiver, p, sizeof(p), MSG_DONTWAIT);

	if (got < 4)
		return -1;
	*n = (size_t)got - 4;
	CHECK(p[0] == 0 && p[1] == TFTP_DATA);
	for (size_t i = 4; i < (size_t)got; i++) {
		uint64_t at = (uint64_t)((p[2] << 8 | p[3]) - 1) * BLKSIZE + i - 4;

		if (p[i] != (uint8_t)(at * 31 >> 3)) {
			CHECK_INT(p[i], (uint8_t)(at * 31 >> 3));
			return -1;
		}
	}
	return p[2] << 8 | p[3];
}

static struct session *
new_session(uint32_t windowsize)
{
	const struct tftp_opts opts = { .blksize = BLKSIZE, .windowsize = windowsize };
	struct session *s = calloc(1, sizeof(*s));

	s->w = &worker;
	s->path = path;
	s->served = &file;
	s->gso = true;
	s->began = true;
	loop_timer_init(&s->timer, NULL, NULL);
	transfer_init(&s->t, file.size, &opts, 0, 0);
	return s;
}

static void
free_session(struct session *s)
{
	queue_remove(s);
	loop_timer_clear(worker.thread.loop, &s->timer);
	free(s);
}

static void
put(struct session *s, enum transfer_class class, uint64_t first, uint32_t count)
{
	const struct transfer_action a = { .class = class, .first = first, .count = count };

	queue_put(s, &a);
}

static void
check_blocks(int first, int count)
{
	size_t n;

	for (int i = 0; i < count; i++) {
		int got = next_block(&n);

		CHECK_INT(got, first + i);
		if (got != first + i)
			return;
		CHECK_INT(n, BLKSIZE);
	}
}

static void
test_order(void)
{
	struct session *start = new_session(4), *window = new_session(4), *retry = new_session(4);
	size_t n;

	test_case("retries leave first, then windows, then new transfers, whoever came first");
	put(start, TRANSFER_CLASS_START, 1, 4);
	put(window, TRANSFER_CLASS_WINDOW, 101, 4);
	put(retry, TRANSFER_CLASS_RETRY, 201, 4);
	CHECK_INT(worker.stats.waiting_blocks, 12);
	queue_send(&worker);
	check_blocks(201, 4);
	check_blocks(101, 4);
	check_blocks(1, 4);
	CHECK_INT(next_block(&n), -1);
	CHECK(worker.queued == 0 && worker.stats.waiting_blocks == 0 && !retry->in_queue);

	test_case("a new action takes the place of the one that waits");
	put(window, TRANSFER_CLASS_WINDOW, 105, 4);
	put(window, TRANSFER_CLASS_RETRY, 103, 2);
	CHECK(worker.queued == 1 && worker.stats.waiting_blocks == 2);
	queue_send(&worker);
	check_blocks(103, 2);
	CHECK_INT(next_block(&n), -1);

	test_case("what is taken out does not leave");
	put(window, TRANSFER_CLASS_WINDOW, 105, 4);
	queue_remove(window);
	queue_send(&worker);
	CHECK_INT(next_block(&n), -1);
	CHECK_INT(worker.stats.waiting_bytes, 0);

	test_case("a socket without room keeps all, until it has");
	put(window, TRANSFER_CLASS_WINDOW, 105, 4);
	worker.outgoing[0].blocked = true;
	queue_send(&worker);
	CHECK_INT(next_block(&n), -1);
	CHECK_INT(worker.stats.waiting_blocks, 4);
	on_room(&worker, path.set, 0);
	queue_send(&worker);
	check_blocks(105, 4);
	free_session(start);
	free_session(window);
	free_session(retry);
}

static void
test_turns(void)
{
	struct session *s[40];
	size_t n, got = 0;

	test_case("a turn is bounded, and the rest leaves in the next, retries before it");
	for (size_t i = 0; i < NITEMS(s); i++) {
		s[i] = new_session(64);
		put(s[i], TRANSFER_CLASS_WINDOW, 1, 64);
	}
	queue_send(&worker);
	while (next_block(&n) > 0)
		got++;
	CHECK(got >= QUEUE_TURN_BLOCKS && got < QUEUE_TURN_BLOCKS + BATCH_BLOCKS);
	CHECK_INT(worker.stats.waiting_blocks, 40 * 64 - (int)got);
	put(s[39], TRANSFER_CLASS_RETRY, 1001, 1);
	queue_send(&worker);
	check_blocks(1001, 1);
	while (next_block(&n) > 0)
		got++;
	queue_send(&worker);
	while (next_block(&n) > 0)
		got++;
	CHECK_INT(got, 39 * 64);
	CHECK_INT(worker.queued, 0);
	for (size_t i = 0; i < NITEMS(s); i++)
		free_session(s[i]);
}

static void
test_fairness(void)
{
	struct session *s[SOCKETS][40];
	size_t n;

	test_case(
	    "a socket whose transfers always have more does not keep the others from sending");
	for (size_t i = 0; i < SOCKETS; i++) {
		for (size_t k = 0; k < NITEMS(s[i]); k++) {
			s[i][k] = new_session(64);
			s[i][k]->socket = (uint8_t)i;
		}
	}
	for (int turn = 0; turn < SOCKETS; turn++) {
		/* all have a window to send, those who have sent theirs the next one */
		for (size_t i = 0; i < SOCKETS; i++) {
			for (size_t k = 0; k < NITEMS(s[i]); k++) {
				if (s[i][k]->count == 0)
					put(s[i][k], TRANSFER_CLASS_WINDOW,
					    s[i][k]->t.next == 0 ? 1 : s[i][k]->t.next, 64);
			}
		}
		queue_send(&worker);
		while (next_block(&n) > 0)
			;
	}
	for (size_t i = 0; i < SOCKETS; i++) {
		uint64_t left = 0;

		for (size_t k = 0; k < NITEMS(s[i]); k++)
			left += s[i][k]->t.highest;
		CHECK(left > 0);
	}
	for (size_t i = 0; i < SOCKETS; i++) {
		for (size_t k = 0; k < NITEMS(s[i]); k++)
			free_session(s[i][k]);
	}
}

static void
test_last(void)
{
	struct session *s = new_session(64);
	size_t n = 0;

	test_case("the last block is short, segmented or not");
	for (int gso = 0; gso < 2; gso++) {
		s->gso = gso == 1;
		put(s, TRANSFER_CLASS_WINDOW, BLOCKS - 2, 3);
		queue_send(&worker);
		check_blocks((int)BLOCKS - 2, 2);
		CHECK_INT(next_block(&n), BLOCKS);
		CHECK_INT(n, BLKSIZE / 2);
	}
	free_session(s);
}

int
main(void)
{
	uint8_t *bytes = malloc(BLOCKS * BLKSIZE);

	for (size_t i = 0; i < (size_t)BLOCKS * BLKSIZE; i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	file = (struct served){ .data = bytes, .size = BLOCKS * BLKSIZE - BLKSIZE / 2 };
	open_worker();
	test_order();
	test_turns();
	test_fairness();
	test_last();
	listen_close(worker.sets[0]);
	loop_thread_close(&worker.thread);
	close(receiver);
	free(bytes);
	return test_end();
}
