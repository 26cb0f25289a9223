/*
 * Tests of tftpd/transfer.c: single steps, and whole transfers against a model of a client (RFC
 * 7440) over a network that delays, loses, repeats and overtakes packets as a random number says.
 */
#include "tftpd/transfer.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct transfer t;
static struct transfer_action a;

static void
begin(uint64_t size, uint64_t blksize, uint64_t windowsize, bool oack)
{
	struct tftp_opts opts = { .blksize = blksize, .windowsize = windowsize };

	transfer_init(&t, size, &opts, oack ? TFTP_SEEN_BLKSIZE : 0);
}

static void
step(enum transfer_event event, uint16_t block, uint64_t now_us)
{
	transfer_step(&t, event, (struct transfer_ack){ .block = block }, now_us, &a);
	if (a.send_oack)
		a.wake_us = transfer_sent(&t, 0, 1, now_us);
	if (a.count > 0)
		a.wake_us = transfer_sent(&t, a.first, a.count, now_us);
}

#define CHECK_SENDS(from, n)                                                                       \
	do {                                                                                       \
		CHECK_INT(a.first, from);                                                          \
		CHECK_INT(a.count, n);                                                             \
	} while (0)

static void
test_steps(void)
{
	test_case("with options the first packet is the OACK, and ACK 0 brings block 1");
	begin(1000, 512, 1, true);
	step(TRANSFER_START, 0, 1000);
	CHECK(a.send_oack && a.count == 0 && a.wake_us == TRANSFER_RTO_US);
	step(TRANSFER_ACK, 0, 1100);
	CHECK(!a.send_oack);
	CHECK_SENDS(1, 1);
	step(TRANSFER_ACK, 1, 1200);
	CHECK_SENDS(2, 1);
	step(TRANSFER_ACK, 2, 1300);
	CHECK_INT(a.result, TRANSFER_DONE);

	test_case("without options block 1 comes at once");
	begin(0, 512, 1, false);
	step(TRANSFER_START, 0, 1000);
	CHECK(!a.send_oack);
	CHECK_SENDS(1, 1);
	step(TRANSFER_ACK, 1, 1100);
	CHECK_INT(a.result, TRANSFER_DONE);

	test_case("a file of exactly one block ends with an empty one");
	begin(512, 512, 1, false);
	CHECK_INT(t.blocks, 2);
	CHECK_INT(transfer_block_size(&t, 512, 1), 512);
	CHECK_INT(transfer_block_size(&t, 512, 2), 0);

	test_case("a repeated ACK brings nothing without windows (Sorcerer's Apprentice)");
	begin(5000, 512, 1, false);
	step(TRANSFER_START, 0, 1000);
	step(TRANSFER_ACK, 1, 1100);
	for (uint64_t us = 1200; us < 100000; us += 500) {
		step(TRANSFER_ACK, 1, us);
		CHECK_INT(a.count, 0);
		CHECK(a.wake_us > 0);
	}

	test_case("ACKs of the past and of what was never sent are ignored");
	step(TRANSFER_ACK, 0, 100000);
	CHECK_INT(a.count, 0);
	step(TRANSFER_ACK, 3, 100000);
	CHECK_INT(a.count, 0);
	step(TRANSFER_ACK, 0xffff, 100000);
	CHECK_INT(a.count, 0);
	CHECK_INT(t.acked, 1);

	test_case("a window is sent whole, and the next after its last ACK");
	begin(100 * 512, 512, 4, true);
	step(TRANSFER_START, 0, 1000);
	step(TRANSFER_ACK, 0, 1200);
	CHECK_SENDS(1, 4);
	step(TRANSFER_ACK, 4, 1400);
	CHECK_SENDS(5, 4);

	test_case("an ACK inside the window is a gap: the rest is sent again at once");
	step(TRANSFER_ACK, 6, 1600);
	CHECK_SENDS(7, 4);
	CHECK_INT(t.retransmits, 2);

	test_case("a window whose first block is lost is sent again, once for many repeated ACKs");
	step(TRANSFER_ACK, 6, 1800);
	CHECK_SENDS(7, 4);
	step(TRANSFER_ACK, 6, 1810);
	CHECK_INT(a.count, 0);
	step(TRANSFER_ACK, 6, 10000);
	CHECK_INT(a.count, 0);
	step(TRANSFER_ACK, 6, 50000);
	CHECK_SENDS(7, 4);

	test_case("an ACK inside a window that went out twice only moves it on");
	step(TRANSFER_ACK, 8, 50200);
	CHECK_SENDS(11, 2);
	CHECK_INT(a.wake_us, 2 * t.srtt_us + 1000);

	test_case("if nothing follows, it was a gap after all");
	step(TRANSFER_TICK, 0, 50200 + a.wake_us);
	CHECK_SENDS(9, 4);

	test_case("the last window is as short as the file");
	begin(5 * 512 + 1, 512, 4, false);
	step(TRANSFER_START, 0, 1000);
	CHECK_SENDS(1, 4);
	step(TRANSFER_ACK, 4, 1200);
	CHECK_SENDS(5, 2);
	step(TRANSFER_ACK, 6, 1400);
	CHECK_INT(a.result, TRANSFER_DONE);

	test_case("what the socket had no room for goes out with the next tick");
	begin(100 * 512, 512, 8, false);
	transfer_step(&t, TRANSFER_START, (struct transfer_ack){ 0 }, 1000, &a);
	CHECK_SENDS(1, 8);
	transfer_sent(&t, 1, 3, 1000);
	step(TRANSFER_TICK, 0, 3000);
	CHECK_SENDS(4, 5);
	CHECK_INT(t.retransmits, 0);
	step(TRANSFER_ACK, 8, 3200);
	CHECK_SENDS(9, 8);

	test_case("an ACK of a block that the socket had no room for is ignored");
	begin(100 * 512, 512, 8, false);
	transfer_step(&t, TRANSFER_START, (struct transfer_ack){ 0 }, 1000, &a);
	transfer_sent(&t, 1, 3, 1000);
	step(TRANSFER_ACK, 5, 1200);
	CHECK_INT(a.count, 0);
	CHECK_INT(t.acked, 0);
}

static void
test_ends(void)
{
	uint64_t now_us = 1000;
	int tries = 0;

	test_case("an ERROR right after the OACK is a size probe");
	begin(1000, 512, 1, true);
	step(TRANSFER_START, 0, 1000);
	step(TRANSFER_ERROR, 0, 1100);
	CHECK_INT(a.result, TRANSFER_PROBED);

	test_case("an ERROR later is the client's abort");
	begin(1000, 512, 1, true);
	step(TRANSFER_START, 0, 1000);
	step(TRANSFER_ACK, 0, 1100);
	step(TRANSFER_ERROR, 0, 1200);
	CHECK_INT(a.result, TRANSFER_ABORTED);

	test_case("a silent client gets the OACK again, ever more slowly, then it counts as gone");
	begin(1000, 512, 1, true);
	step(TRANSFER_START, 0, now_us);
	while (a.result == TRANSFER_GOING_ON) {
		now_us += a.wake_us;
		tries++;
		step(TRANSFER_TICK, 0, now_us);
	}
	CHECK_INT(a.result, TRANSFER_TIMED_OUT);
	CHECK(tries >= 5 && tries <= 8);
	CHECK(now_us - 1000 >= TRANSFER_SILENCE_US && now_us < 40000000);

	test_case("a client that never confirms the last block has what it wanted");
	begin(1000, 512, 1, false);
	step(TRANSFER_START, 0, now_us = 1000);
	step(TRANSFER_ACK, 1, now_us += 100);
	while (a.result == TRANSFER_GOING_ON)
		step(TRANSFER_TICK, 0, now_us += a.wake_us);
	CHECK_INT(a.result, TRANSFER_DONE_SILENT);

	test_case("a tick that comes too early only sets the time anew");
	begin(1000, 512, 1, false);
	step(TRANSFER_START, 0, 1000);
	step(TRANSFER_TICK, 0, 401000);
	CHECK(a.count == 0 && a.wake_us == 600000);

	test_case("the client's own timeout bounds ours");
	{
		struct tftp_opts opts = { .blksize = 512, .windowsize = 1, .timeout_s = 1 };

		transfer_init(&t, 1000, &opts, TFTP_SEEN_TIMEOUT);
	}
	step(TRANSFER_START, 0, now_us = 1000);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(a.wake_us, 1000000);
		step(TRANSFER_TICK, 0, now_us += a.wake_us);
	}
}

/* --- whole transfers ------------------------------------------------------------------------ */

/* A link of 1 Gbit/s, 100 us long. */
#define DELAY_US  100
#define JITTER_US 20
#define PACKET_US 12

enum packet_kind {
	DATA,
	ACK,
	OACK,
};

struct packet {
	enum packet_kind kind;
	bool to_client;
	uint64_t block; /* unwrapped for DATA, so that the model can check; 16 bits count */
	uint64_t at_us;
};

static struct {
	struct packet queue[4096];
	size_t n;
	unsigned loss, repeat, overtake; /* in 1000 */
	uint64_t last_us[2];             /* when the last packet of each direction arrives */
	uint64_t now_us;
	uint64_t sent; /* DATA packets that the server sent */
} net;

static bool
chance(unsigned in_1000)
{
	return (unsigned)rand() % 1000 < in_1000;
}

static void
net_send(struct packet p)
{
	int copies = chance(net.loss) ? 0 : chance(net.repeat) ? 2 : 1;

	net.sent += p.kind == DATA;
	for (; copies > 0 && net.n < NITEMS(net.queue); copies--) {
		uint64_t after_us = net.last_us[p.to_client] + PACKET_US;

		p.at_us = net.now_us + DELAY_US + (unsigned)rand() % JITTER_US;
		if (p.at_us < after_us && !chance(net.overtake))
			p.at_us = after_us;
		if (p.at_us > net.last_us[p.to_client])
			net.last_us[p.to_client] = p.at_us;
		net.queue[net.n++] = p;
	}
}

/* The place of the packet that is due first; net.n if there is none. */
static size_t
net_first(void)
{
	size_t first = 0;

	for (size_t i = 1; i < net.n; i++) {
		if (net.queue[i].at_us < net.queue[first].at_us)
			first = i;
	}
	return net.n == 0 ? net.n : first;
}

struct client {
	uint64_t expected; /* block */
	uint32_t in_window;
	uint64_t heard_us;
	bool gap_told, done, wrong;
};

static void
client_ack(struct client *c)
{
	c->in_window = 0;
	net_send((struct packet){ .kind = ACK, .block = c->expected - 1 });
}

static void
client_receive(struct client *c, const struct packet *p)
{
	if (p->kind == OACK) {
		if (c->expected == 1)
			client_ack(c);
		c->heard_us = net.now_us;
		return;
	}
	if ((uint16_t)p->block != (uint16_t)c->expected) {
		if (!c->gap_told)
			client_ack(c);
		c->gap_told = true;
		return;
	}
	c->wrong |= p->block != c->expected;
	c->heard_us = net.now_us;
	c->gap_told = false;
	c->expected++;
	if (p->block == t.blocks)
		c->done = true;
	if (++c->in_window >= t.windowsize || c->done)
		client_ack(c);
}

static void
server_do(uint64_t *wake_us)
{
	if (a.send_oack)
		net_send((struct packet){ .kind = OACK, .to_client = true });
	for (uint32_t i = 0; i < a.count; i++)
		net_send((struct packet){ .kind = DATA, .to_client = true, .block = a.first + i });
	*wake_us = net.now_us + a.wake_us;
}

/* As edk2: after 4 s without news the client repeats its last ACK. */
#define CLIENT_TIMEOUT_US 4000000

/* Runs a transfer of `blocks` blocks to its end; returns the result. */
static enum transfer_result
simulate(uint64_t blocks, uint32_t windowsize, struct client *c)
{
	uint64_t wake_us;

	net.n = 0;
	net.sent = 0;
	net.last_us[0] = net.last_us[1] = 0;
	net.now_us = 1000;
	*c = (struct client){ .expected = 1, .heard_us = net.now_us };
	begin((blocks - 1) * 512 + 17, 512, windowsize, true);
	step(TRANSFER_START, 0, net.now_us);
	server_do(&wake_us);
	while (a.result == TRANSFER_GOING_ON) {
		uint64_t client_us = c->done ? UINT64_MAX : c->heard_us + CLIENT_TIMEOUT_US;
		size_t i = net_first();

		if (i < net.n && net.queue[i].at_us <= wake_us && net.queue[i].at_us <= client_us) {
			struct packet p = net.queue[i];

			net.n--;
			memmove(&net.queue[i], &net.queue[i + 1], (net.n - i) * sizeof(p));
			net.now_us = p.at_us;
			if (p.to_client) {
				client_receive(c, &p);
				continue;
			}
			step(TRANSFER_ACK, (uint16_t)p.block, net.now_us);
			server_do(&wake_us);
		} else if (wake_us <= client_us) {
			net.now_us = wake_us;
			step(TRANSFER_TICK, 0, net.now_us);
			server_do(&wake_us);
		} else {
			net.now_us = client_us;
			c->heard_us = net.now_us;
			c->gap_told = false;
			client_ack(c);
		}
	}
	return a.result;
}

int
main(void)
{
	static const struct {
		const char *what;
		uint64_t blocks;
		uint32_t windowsize;
		unsigned loss, repeat, overtake;
		unsigned most; /* DATA packets sent, in percent of the blocks */
	} cases[] = {
		{ "no window, no loss", 1000, 1, 0, 0, 0, 100 },
		{ "windows of 4, no loss", 1000, 4, 0, 0, 0, 100 },
		{ "no window, 5 % loss", 1000, 1, 50, 0, 0, 120 },
		{ "no window, everything repeated: no storm", 1000, 1, 0, 1000, 0, 101 },
		{ "windows of 16, 1 % loss", 20000, 16, 10, 0, 0, 120 },
		{ "windows of 16, 5 % loss, repeats", 20000, 16, 50, 50, 0, 220 },
		{ "windows of 64, 1 % loss", 20000, 64, 10, 0, 0, 180 },
		{ "windows of 64, 5 % loss", 20000, 64, 50, 0, 0, 480 },
		{ "windows of 8, 1 % overtaking", 20000, 8, 0, 0, 10, 130 },
		{ "across the wrap of the block number", 70000, 8, 2, 0, 0, 105 },
		{ "twice across it", 140000, 64, 0, 0, 0, 100 },
		{ "30 % loss", 300, 4, 300, 100, 0, 400 },
	};

	test_steps();
	test_ends();
	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct client c;
		enum transfer_result r;

		test_case("transfer: %s", cases[i].what);
		srand(42);
		net.loss = cases[i].loss;
		net.repeat = cases[i].repeat;
		net.overtake = cases[i].overtake;
		r = simulate(cases[i].blocks, cases[i].windowsize, &c);
		CHECK(r == TRANSFER_DONE || r == TRANSFER_DONE_SILENT);
		CHECK(c.done);
		CHECK(!c.wrong);
		CHECK_INT(c.expected, cases[i].blocks + 1);
		if (net.sent * 100 > cases[i].blocks * cases[i].most)
			test_fail(__FILE__, __LINE__, "%llu packets for %llu blocks",
			    (unsigned long long)net.sent, (unsigned long long)cases[i].blocks);
		printf("# %llu packets for %llu blocks in %llu ms\n", (unsigned long long)net.sent,
		    (unsigned long long)cases[i].blocks,
		    (unsigned long long)(net.now_us - 1000) / 1000);
	}
	return test_end();
}
