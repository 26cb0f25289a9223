/*
 * Tests of tftpd/transfer.c: whole transfers over a network that delays, loses, repeats and
 * overtakes packets, by chance or by choice, to clients as they exist.  Time is counted, not spent.
 */
#include "tests/test.h"
#include "tftpd/transfer.h"

#include <stdio.h>
#include <string.h>

#define WINDOW    UINT32_MAX /* as many as a window has */
#define PACKET_US 12         /* of a block at 1 Gbit/s */

enum packet_kind {
	DATA,
	ACK,
	OACK,
	KINDS,
};

struct packet {
	enum packet_kind kind;
	uint64_t block; /* unwrapped, so that contents can be compared; 16 bits count */
	uint8_t window;
	uint64_t at_us;
};

/* How a client takes packets. */
struct habits {
	const char *name;
	bool gap_once;    /* tells of a gap once (U-Boot), else with each block behind it (edk2) */
	bool gap_never;   /* not even that: only its own time-out does */
	bool recount;     /* counts its window anew from each ACK (edk2), also of what came twice */
	bool dup_silent;  /* says nothing of what came twice */
	bool no_last;     /* never confirms the last block */
	bool variable;    /* asks for windows of any length (Microsoft) */
	uint32_t work_us; /* for each packet */
	uint32_t poll_us; /* looks at its card only so often */
	uint32_t ring;    /* packets that its card holds; 0: any number */
	uint64_t timeout_us;
};

static const struct habits edk2 = { .name = "edk2", .recount = true, .timeout_us = 4000000 };
static const struct habits uboot = { .name = "U-Boot", .gap_once = true, .timeout_us = 5000000 };
static const struct habits strict = {
	.name = "RFC 7440", .gap_once = true, .dup_silent = true, .timeout_us = 1000000
};
static const struct habits deaf = { .name = "one that is silent on gaps",
	.gap_never = true,
	.dup_silent = true,
	.timeout_us = 1000000 };
static const struct habits microsoft = {
	.name = "Microsoft's", .gap_once = true, .variable = true, .timeout_us = 2000000
};
static const struct habits jumper = {
	.name = "one that starts at once", .recount = true, .no_last = true, .timeout_us = 4000000
};
static const struct habits slow = {
	.name = "a slow one", .recount = true, .work_us = 700, .timeout_us = 4000000
};
static const struct habits polled = {
	.name = "one that polls", .recount = true, .poll_us = 10000, .timeout_us = 4000000
};
static const struct habits small_ring = { .name = "one with room for 10 packets",
	.recount = true,
	.work_us = 100,
	.ring = 10,
	.timeout_us = 4000000 };

/* What happens to one packet that is chosen: the n-th of its kind, counted from 1. */
struct choice {
	enum packet_kind kind;
	uint64_t nth, count; /* that many from there on are lost */
};

struct way {
	uint32_t delay_us, jitter_us;
	unsigned loss, repeat, overtake; /* in 1000 */
	struct choice lose;
	/* the server's own queue: how long a run of blocks waits in it */
	uint32_t queue_us;
	uint32_t run; /* blocks that leave at once; 0: all */
};

static struct {
	struct way way;
	struct packet queue[8192];
	size_t n;
	uint64_t free_us[2]; /* when the way in each direction is free again */
	uint64_t last_us[2]; /* when the last packet of each direction arrives */
	uint64_t now_us;
	uint64_t sent[KINDS];
	uint64_t faults;  /* packets lost, repeated, overtaken */
	uint64_t dropped; /* for want of room in the ring */
	uint32_t seed;
} net;

static struct client {
	const struct habits *habits;
	uint64_t expected; /* block */
	uint32_t in_window, window;
	uint64_t heard_us, busy_us;
	uint64_t told; /* of the gap behind this block */
	bool done, wrong;
} client;

static struct transfer t;
static struct transfer_action action; /* what of it has not left is in the server's queue */
static uint64_t wake_us, leave_us;    /* UINT64_MAX: nothing is in the queue */

static uint32_t
chance(uint32_t below)
{
	net.seed = net.seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)net.seed * below >> 32);
}

static bool
chosen(const struct choice *c, enum packet_kind kind)
{
	return c->nth != 0 && c->kind == kind && net.sent[kind] >= c->nth &&
	       net.sent[kind] < c->nth + c->count;
}

static void
net_send(struct packet p)
{
	const struct way *w = &net.way;
	size_t to_client = p.kind != ACK;
	int copies;

	net.sent[p.kind]++;
	copies = chosen(&w->lose, p.kind) || chance(1000) < w->loss ? 0
	         : chance(1000) < w->repeat                         ? 2
	                                                            : 1;
	net.faults += copies != 1;
	for (; copies > 0 && net.n < NITEMS(net.queue); copies--) {
		bool overtakes = chance(1000) < w->overtake;
		uint64_t leave =
		    net.free_us[to_client] > net.now_us ? net.free_us[to_client] : net.now_us;

		net.free_us[to_client] = leave + PACKET_US;
		p.at_us = leave + w->delay_us + chance(w->jitter_us + 1);
		if (overtakes)
			p.at_us += 5 * PACKET_US; /* those that follow do */
		else if (p.at_us < net.last_us[to_client])
			p.at_us = net.last_us[to_client];
		if (!overtakes)
			net.last_us[to_client] = p.at_us;
		net.faults += overtakes;
		net.queue[net.n++] = p;
	}
}

/* When the client gets to a packet, 0 if its card had no room. */
static uint64_t
taken_us(const struct packet *p)
{
	const struct habits *h = client.habits;
	uint64_t us = p->at_us > client.busy_us ? p->at_us : client.busy_us;

	if (h->poll_us != 0)
		us = (us + h->poll_us - 1) / h->poll_us * h->poll_us;
	return us;
}

/* The place of the packet that is taken first; net.n if there is none. */
static size_t
net_first(uint64_t *ret_us)
{
	size_t first = net.n;
	uint64_t at_us = UINT64_MAX;

	for (size_t i = 0; i < net.n; i++) {
		uint64_t us =
		    net.queue[i].kind == ACK ? net.queue[i].at_us : taken_us(&net.queue[i]);

		if (us < at_us) {
			at_us = us;
			first = i;
		}
	}
	*ret_us = at_us;
	return first;
}

/* Packets beyond the card's room are lost: those that have arrived and wait behind this one. */
static void
overflow(void)
{
	uint32_t waiting = 0;

	for (size_t i = 0; client.habits->ring != 0 && i < net.n; i++) {
		if (net.queue[i].kind == ACK || net.queue[i].at_us > net.now_us)
			continue;
		if (++waiting <= client.habits->ring)
			continue;
		memmove(&net.queue[i], &net.queue[i + 1], (net.n - i - 1) * sizeof(net.queue[0]));
		net.n--;
		i--;
		net.dropped++;
	}
}

static void
client_ack(void)
{
	uint8_t window = 0;

	if (client.habits->variable) {
		window = (uint8_t)(1 + chance(80));
		client.window = window;
	}
	client.in_window = 0;
	net_send((struct packet){ .kind = ACK, .block = client.expected - 1, .window = window });
}

static void
client_unexpected(bool dup)
{
	const struct habits *h = client.habits;

	if ((dup && h->dup_silent && !client.done) || (!dup && h->gap_never))
		return;
	if (!h->gap_once) {
		client_ack();
	} else if (client.told != client.expected) {
		client.told = client.expected;
		client_ack();
	}
}

static void
client_receive(const struct packet *p)
{
	if (client.done && client.habits->no_last)
		return;
	if (p->kind == OACK) {
		if (client.expected == 1)
			client_ack();
		return;
	}
	if (transfer_wire(&t, p->block) != transfer_wire(&t, client.expected)) {
		client_unexpected((int16_t)(uint16_t)(p->block - client.expected) < 0);
		return;
	}
	client.wrong |= p->block != client.expected;
	client.heard_us = net.now_us;
	client.expected++;
	client.done |= p->block == t.blocks;
	if (client.done && client.habits->no_last)
		return;
	if (++client.in_window >= client.window || client.done)
		client_ack();
}

/* A timer of milliseconds. */
static void
set_wake(uint64_t us)
{
	wake_us = net.now_us + (us + 999) / 1000 * 1000;
}

/* Lets leave what may: a run of blocks. */
static void
server_leave(void)
{
	uint32_t n = action.count;

	if (action.send_oack) {
		net_send((struct packet){ .kind = OACK });
		action.send_oack = false;
		set_wake(transfer_sent(&t, 0, 1, net.now_us));
	} else {
		if (net.way.run != 0 && n > net.way.run)
			n = net.way.run;
		for (uint32_t i = 0; i < n; i++)
			net_send((struct packet){ .kind = DATA, .block = action.first + i });
		set_wake(transfer_sent(&t, action.first, n, net.now_us));
		action.first += n;
		action.count -= n;
	}
	leave_us = action.count > 0 ? net.now_us + net.way.queue_us : UINT64_MAX;
}

static enum transfer_result
server_step(enum transfer_event event, struct transfer_ack ack)
{
	struct transfer_action a;

	transfer_step(&t, event, ack, net.now_us, &a);
	if (a.result != TRANSFER_GOING_ON)
		return a.result;
	set_wake(a.wake_us);
	if (a.send_oack || a.count > 0) {
		action = a;
		leave_us = net.now_us + net.way.queue_us;
		if (net.way.queue_us == 0)
			server_leave();
	}
	return TRANSFER_GOING_ON;
}

/* The next thing that happens. */
static enum transfer_result
happen(void)
{
	uint64_t packet_us,
	    client_us = client.done ? UINT64_MAX : client.heard_us + client.habits->timeout_us;
	size_t i = net_first(&packet_us);

	if (i < net.n && packet_us <= wake_us && packet_us <= client_us && packet_us <= leave_us) {
		struct packet p = net.queue[i];

		net.now_us = packet_us > net.now_us ? packet_us : net.now_us;
		net.n--;
		memmove(&net.queue[i], &net.queue[i + 1], (net.n - i) * sizeof(p));
		if (p.kind == ACK)
			return server_step(TRANSFER_ACK,
			    (struct transfer_ack){ transfer_wire(&t, p.block), p.window });
		client.busy_us = net.now_us + client.habits->work_us;
		client_receive(&p);
		overflow();
		return TRANSFER_GOING_ON;
	}
	if (leave_us <= wake_us && leave_us <= client_us) {
		net.now_us = leave_us;
		server_leave();
		return TRANSFER_GOING_ON;
	}
	if (wake_us <= client_us) {
		net.now_us = wake_us;
		return server_step(TRANSFER_TICK, (struct transfer_ack){ 0 });
	}
	net.now_us = client_us;
	client.heard_us = net.now_us;
	client.told = 0;
	if (client.expected > 1 || t.acked > 0 || !t.oack_out)
		client_ack();
	return TRANSFER_GOING_ON;
}

static enum transfer_result
simulate(const struct habits *habits, const struct way *way, uint64_t blocks, uint32_t windowsize,
    unsigned seen)
{
	struct tftp_opts opts = { .blksize = 512,
		.windowsize = windowsize,
		.rollover = (seen & TFTP_SEEN_ROLLOVER) != 0 };
	enum transfer_result r;

	memset(&net, 0, sizeof(net));
	net.way = *way;
	net.now_us = 1000;
	net.seed = 42;
	client = (struct client){
		.habits = habits, .expected = 1, .heard_us = net.now_us, .window = windowsize
	};
	leave_us = UINT64_MAX;
	transfer_init(&t, (blocks - 1) * 512 + 17, &opts,
	    seen | (habits->variable ? TFTP_SEEN_MSFTWINDOW : 0u), 0);
	r = server_step(TRANSFER_START, (struct transfer_ack){ 0 });
	while (r == TRANSFER_GOING_ON)
		r = happen();
	return r;
}

static uint64_t
ms(void)
{
	return (net.now_us - 1000) / 1000;
}

static void
check_whole(enum transfer_result r, uint64_t blocks)
{
	CHECK(r == TRANSFER_DONE || r == TRANSFER_DONE_SILENT);
	CHECK(client.done && !client.wrong);
	CHECK_INT(client.expected, blocks + 1);
}

/* Lots of loss, repetition and overtaking, and what may be sent and last at most. */
static void
test_chance(void)
{
	static const struct {
		const char *what;
		const struct habits *habits;
		uint64_t blocks;
		uint32_t windowsize;
		struct way way;
		unsigned most; /* DATA packets sent, in percent of the blocks */
		uint64_t most_ms;
	} cases[] = {
#define LAN .delay_us = 100, .jitter_us = 20
#define WAN .delay_us = 15000, .jitter_us = 1000
		{ "no window", &edk2, 1000, 1, { LAN }, 100, 300 },
		{ "windows of 4", &edk2, 1000, 4, { LAN }, 100, 100 },
		{ "windows of 64", &edk2, 140000, 64, { LAN }, 100, 2500 },
		{ "windows of 65535", &strict, 140000, 65535, { LAN, .queue_us = 800, .run = 64 },
		    100, 2500 },
		{ "no window, 1 %", &edk2, 1000, 1, { LAN, .loss = 10 }, 105, 700 },
		{ "no window, 5 %", &edk2, 1000, 1, { LAN, .loss = 50 }, 120, 3000 },
		{ "no window, all twice", &edk2, 1000, 1, { LAN, .repeat = 1000 }, 101, 300 },
		{ "windows of 4, all twice", &edk2, 1000, 4, { LAN, .repeat = 1000 }, 130, 4000 },
		{ "windows of 16, all twice", &edk2, 10000, 16, { LAN, .repeat = 1000 }, 130,
		    4000 },
		{ "windows of 4, 5 %", &edk2, 10000, 4, { LAN, .loss = 50 }, 130, 5000 },
		{ "windows of 16, 1 %", &edk2, 20000, 16, { LAN, .loss = 10 }, 120, 1000 },
		{ "windows of 16, 5 %", &edk2, 20000, 16, { LAN, .loss = 50 }, 170, 4000 },
		{ "windows of 16, 1 %", &uboot, 20000, 16, { LAN, .loss = 10 }, 120, 1000 },
		{ "windows of 16, 5 %", &uboot, 20000, 16, { LAN, .loss = 50 }, 170, 4000 },
		{ "windows of 16, 1 %", &strict, 20000, 16, { LAN, .loss = 10 }, 120, 1000 },
		{ "windows of 16, 5 %", &strict, 20000, 16, { LAN, .loss = 50 }, 170, 10000 },
		{ "windows of 16, 5 %, repeats", &edk2, 20000, 16,
		    { LAN, .loss = 50, .repeat = 50 }, 200, 6000 },
		{ "windows of 64, 1 %", &edk2, 20000, 64, { LAN, .loss = 10 }, 160, 1000 },
		{ "windows of 64, 5 %", &edk2, 20000, 64, { LAN, .loss = 50 }, 450, 4000 },
		{ "windows of 8, 1 % overtaken", &edk2, 20000, 8, { LAN, .overtake = 10 }, 130,
		    1500 },
		{ "across the wrap", &edk2, 70000, 8, { LAN, .loss = 2 }, 105, 4000 },
		{ "30 % loss", &edk2, 300, 4, { LAN, .loss = 300, .repeat = 100 }, 300, 20000 },
		{ "windows of 16, 1 %, far away", &edk2, 5000, 16, { WAN, .loss = 10 }, 120,
		    20000 },
		{ "windows of 16, 5 %, far away", &edk2, 5000, 16, { WAN, .loss = 50 }, 170,
		    50000 },
		{ "windows of 64", &slow, 5000, 64, { LAN }, 101, 4500 },
		{ "windows of 4", &slow, 5000, 4, { LAN }, 101, 5500 },
		{ "no window", &slow, 1000, 1, { LAN }, 101, 1100 },
		{ "windows of 16, 5 %", &slow, 5000, 16, { LAN, .loss = 50 }, 170, 20000 },
		{ "windows of 16", &polled, 5000, 16, { LAN }, 101, 3500 },
		{ "no window", &polled, 1000, 1, { LAN }, 102, 10500 },
		{ "windows of 16, 1 %", &polled, 5000, 16, { LAN, .loss = 10 }, 125, 10000 },
		{ "windows of 64", &small_ring, 20000, 64, { LAN }, 120, 5000 },
		{ "windows of any size, 1 %", &microsoft, 20000, 4, { LAN, .loss = 10 }, 140,
		    3000 },
		{ "windows of 16, 5 %", &jumper, 2000, 16, { LAN, .loss = 50 }, 170, 6000 },
		{ "windows of 16, 1 %", &deaf, 1000, 16, { LAN, .loss = 10 }, 130, 20000 },
		{ "a queue, windows of 64, 1 %", &edk2, 20000, 64,
		    { LAN, .loss = 10, .queue_us = 300, .run = 16 }, 160, 20000 },
		{ "a queue, windows of 16, 5 %", &edk2, 20000, 16,
		    { LAN, .loss = 50, .queue_us = 2000, .run = 5 }, 170, 20000 },
		{ "windows of 16, 14 %", &deaf, 1000, 16, { LAN, .loss = 143 }, 600, 30000 },
		{ "windows of 16, 14 %", &edk2, 1000, 16, { LAN, .loss = 143 }, 400, 20000 },
		{ "windows of 16, 20 % overtaken", &deaf, 1000, 16, { LAN, .overtake = 200 }, 600,
		    20000 },
		{ "a long queue, all twice", &edk2, 2000, 16,
		    { LAN, .repeat = 1000, .queue_us = 5000 }, 130, 20000 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		enum transfer_result r;

		test_case("%s: %s", cases[i].habits->name, cases[i].what);
		r = simulate(cases[i].habits, &cases[i].way, cases[i].blocks, cases[i].windowsize,
		    TFTP_SEEN_BLKSIZE);
		check_whole(r, cases[i].blocks);
		if (net.sent[DATA] * 100 > cases[i].blocks * cases[i].most)
			test_fail(__FILE__, __LINE__, "%llu packets for %llu blocks",
			    (unsigned long long)net.sent[DATA],
			    (unsigned long long)cases[i].blocks);
		if (ms() > cases[i].most_ms)
			test_fail(__FILE__, __LINE__, "%llu ms", (unsigned long long)ms());
		printf("# %llu of %llu blocks, %llu ACKs, %llu faults, %llu dropped, %llu ms\n",
		    (unsigned long long)net.sent[DATA], (unsigned long long)cases[i].blocks,
		    (unsigned long long)net.sent[ACK], (unsigned long long)net.faults,
		    (unsigned long long)net.dropped, (unsigned long long)ms());
	}
}

/* Each packet that could be lost, to each kind of client, and what follows from it. */
static void
test_choice(void)
{
	static const struct {
		const char *what;
		struct choice lose;
		uint64_t most_ms;
	} losses[] = {
		{ "the OACK", { OACK, 1, 1 }, 700 },
		{ "three OACKs", { OACK, 1, 3 }, 4000 },
		{ "the first ACK", { ACK, 1, 1 }, 700 },
		{ "the first three ACKs", { ACK, 1, 3 }, 5200 },
		{ "the first block", { DATA, 1, 1 }, 1100 },
		{ "the first window", { DATA, 1, WINDOW }, 1100 },
		{ "a block in the middle", { DATA, 70, 1 }, 1100 },
		{ "the last block of a window", { DATA, 64, 1 }, 300 },
		{ "the first block of a window", { DATA, 65, 1 }, 1100 },
		{ "a whole window", { DATA, 65, WINDOW }, 1100 },
		{ "an ACK in the middle", { ACK, 4, 1 }, 1100 },
		{ "two ACKs in the middle", { ACK, 4, 2 }, 1100 },
		{ "the last block", { DATA, 200, 1 }, 1100 },
		{ "the last block, thrice", { DATA, 200, 3 }, 1100 },
	};
	static const struct habits *const all[] = { &edk2, &uboot, &strict, &deaf, &microsoft,
		&jumper, &slow, &polled };
	static const uint32_t windows[] = { 1, 4, 16, 64 };
	static const struct way lan = { LAN };

	for (size_t i = 0; i < NITEMS(losses); i++) {
		test_case("lost: %s", losses[i].what);
		for (size_t k = 0; k < NITEMS(all); k++) {
			for (size_t w = 0; w < NITEMS(windows); w++) {
				struct way way = lan;
				enum transfer_result r;
				uint64_t most_ms = losses[i].most_ms;

				way.lose = losses[i].lose;
				if (way.lose.count == WINDOW)
					way.lose.count = windows[w];
				r = simulate(all[k], &way, 200, windows[w], TFTP_SEEN_BLKSIZE);
				check_whole(r, 200);
				/* what is sent again: what was lost, and a window or two */
				if (net.sent[DATA] > 200 + net.faults + 3 * 64)
					test_fail(__FILE__, __LINE__, "%s, %u: %llu packets",
					    all[k]->name, windows[w],
					    (unsigned long long)net.sent[DATA]);
				/* the last ACK is waited for; some clients take their time */
				if (all[k]->no_last)
					most_ms += TRANSFER_FIRST_US * 2 / 1000;
				if (all[k]->work_us != 0 || all[k]->poll_us != 0)
					most_ms += 2500;
				/* the second ACK told of what came twice, and is not repeated */
				if (losses[i].lose.kind == ACK && losses[i].lose.count == 2)
					most_ms += all[k]->timeout_us / 1000;
				if (ms() > most_ms)
					test_fail(__FILE__, __LINE__, "%s, %u: %llu ms",
					    all[k]->name, windows[w], (unsigned long long)ms());
			}
		}
	}

	test_case("any packet lost, one after the other");
	for (enum packet_kind kind = DATA; kind < KINDS; kind++) {
		for (uint64_t nth = 1; nth <= 102; nth++) {
			struct way way = lan;

			way.lose = (struct choice){ kind, nth, 1 };
			check_whole(simulate(&edk2, &way, 100, 8, TFTP_SEEN_BLKSIZE), 100);
			if (net.sent[DATA] > 100 + 16)
				test_fail(__FILE__, __LINE__, "the %lluth: %llu packets",
				    (unsigned long long)nth, (unsigned long long)net.sent[DATA]);
		}
	}

	test_case("the last ACK lost: the block goes again, and the client answers or is gone");
	for (size_t k = 0; k < NITEMS(all); k++) {
		struct way way = lan;

		(void)simulate(all[k], &way, 200, 16, TFTP_SEEN_BLKSIZE);
		way.lose = (struct choice){ ACK, net.sent[ACK], 1 };
		check_whole(simulate(all[k], &way, 200, 16, TFTP_SEEN_BLKSIZE), 200);
		CHECK(net.sent[DATA] <= 200 + 64);
	}
}

static void
test_numbers(void)
{
	static const struct way lossy = { LAN, .loss = 2 };

	test_case("65535 is followed by 1 where that was agreed");
	check_whole(simulate(&edk2, &lossy, 140000, 8, TFTP_SEEN_ROLLOVER), 140000);
	test_case("and by 0 where not");
	check_whole(simulate(&edk2, &lossy, 140000, 8, TFTP_SEEN_BLKSIZE), 140000);

	test_case("a client that asks and asks, and gets nothing, costs little");
	{
		struct way way = { LAN, .lose = { DATA, 1000, UINT32_MAX - 1 } };
		enum transfer_result r = simulate(&edk2, &way, 10000, 64, TFTP_SEEN_BLKSIZE);

		CHECK_INT(r, TRANSFER_TIMED_OUT);
		CHECK(ms() >= TRANSFER_SILENCE_US / 1000 && ms() < 45000);
		CHECK(net.sent[DATA] < 64 * 60);
	}
}

int
main(void)
{
	test_chance();
	test_choice();
	test_numbers();
	return test_end();
}
