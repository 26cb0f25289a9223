/* Tests of tftpd/transfer.c: single steps. For whole transfers see test_transfer_net.c. */
#include "tftpd/transfer.h"

#include "tests/test.h"

static struct transfer t;
static struct transfer_action a;

static void
begin(uint64_t size, uint64_t blksize, uint64_t windowsize, bool oack)
{
	struct tftp_opts opts = { .blksize = blksize, .windowsize = windowsize };

	transfer_init(&t, size, &opts, oack ? TFTP_SEEN_BLKSIZE | TFTP_SEEN_TSIZE : 0, 0);
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

	test_case(
	    "what lay behind the gap may bring the ACK again: not answered, but once more is");
	for (int i = 0; i < 2; i++) {
		step(TRANSFER_ACK, 6, 1610);
		CHECK_INT(a.count, 0);
	}
	step(TRANSFER_ACK, 6, 1800);
	CHECK_SENDS(7, 4);

	test_case("nothing was missing when the client has just what had left: only new blocks go");
	step(TRANSFER_ACK, 10, 2100);
	CHECK_SENDS(11, 4);
	step(TRANSFER_ACK, 12, 2300);
	CHECK_SENDS(13, 4);
	step(TRANSFER_ACK, 14, 2600);
	CHECK_SENDS(17, 2);
	CHECK(t.doubt > 0);

	test_case("or when it goes on sooner than what was sent again can have come");
	step(TRANSFER_ACK, 18, 3000);
	step(TRANSFER_ACK, 19, 3200);
	CHECK_SENDS(20, 4);
	step(TRANSFER_ACK, 20, 3210);
	CHECK_SENDS(24, 1);

	test_case("if nothing follows, it was a gap after all: the last block asks, then all goes");
	step(TRANSFER_TICK, 0, 3210 + a.wake_us);
	CHECK_SENDS(24, 1);
	step(TRANSFER_ACK, 20, 200000);
	CHECK_SENDS(21, 4);

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

	test_case("but not from a client that did not ask for it: it refuses the options");
	{
		struct tftp_opts opts = { .blksize = 512, .windowsize = 1 };

		transfer_init(&t, 1000, &opts, TFTP_SEEN_BLKSIZE, 0);
	}
	step(TRANSFER_START, 0, 1000);
	step(TRANSFER_ERROR, 8, 1100);
	CHECK_INT(a.result, TRANSFER_ABORTED);

	test_case("nor if it says that it has no room");
	begin(1000, 512, 1, true);
	step(TRANSFER_START, 0, 1000);
	step(TRANSFER_ERROR, TFTP_ERROR_FULL, 1100);
	CHECK_INT(a.result, TRANSFER_ABORTED);

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
	CHECK(now_us - 1000 >= TRANSFER_UNHEARD_US && now_us < 20000000);

	test_case("a client that never confirms the last block has what it wanted");
	begin(1000, 512, 1, false);
	step(TRANSFER_START, 0, now_us = 1000);
	step(TRANSFER_ACK, 1, now_us += 100);
	while (a.result == TRANSFER_GOING_ON)
		step(TRANSFER_TICK, 0, now_us += a.wake_us);
	CHECK_INT(a.result, TRANSFER_DONE_SILENT);

	test_case("one that confirmed nothing of several blocks has not");
	begin(1000, 512, 4, true);
	step(TRANSFER_START, 0, now_us = 1000);
	step(TRANSFER_ACK, 0, now_us += 100);
	while (a.result == TRANSFER_GOING_ON)
		step(TRANSFER_TICK, 0, now_us += a.wake_us);
	CHECK_INT(a.result, TRANSFER_TIMED_OUT);
	CHECK(!a.tell);

	test_case("nor one that may not even be there");
	begin(100, 512, 1, false);
	step(TRANSFER_START, 0, now_us = 1000);
	while (a.result == TRANSFER_GOING_ON)
		step(TRANSFER_TICK, 0, now_us += a.wake_us);
	CHECK_INT(a.result, TRANSFER_TIMED_OUT);

	test_case("on a quick way the last ACK is not waited for so long");
	begin(1000, 512, 1, true);
	step(TRANSFER_START, 0, now_us = 1000);
	step(TRANSFER_ACK, 0, now_us += 100);
	step(TRANSFER_ACK, 1, now_us += 100);
	while (a.result == TRANSFER_GOING_ON)
		step(TRANSFER_TICK, 0, now_us += a.wake_us);
	CHECK_INT(a.result, TRANSFER_DONE_SILENT);
	CHECK(now_us > TRANSFER_LAST_MIN_US && now_us < TRANSFER_LAST_US);

	test_case(
	    "large blocks of which not even the first arrives: it ends before the client asks");
	begin(100000, 1468, 4, true);
	step(TRANSFER_START, 0, now_us = 1000);
	step(TRANSFER_ACK, 0, now_us += 300);
	while (a.result == TRANSFER_GOING_ON)
		step(TRANSFER_TICK, 0, now_us += a.wake_us);
	CHECK_INT(a.result, TRANSFER_TIMED_OUT);
	CHECK(a.tell && transfer_first_lost(&t));
	CHECK(now_us > TRANSFER_FIRST_US && now_us < 2 * TRANSFER_FIRST_US);
	CHECK(t.retransmits < 60);

	test_case("a tick that comes too early only sets the time anew");
	begin(1000, 512, 1, false);
	step(TRANSFER_START, 0, 1000);
	step(TRANSFER_TICK, 0, 401000);
	CHECK(a.count == 0 && a.wake_us == TRANSFER_RTO_US - 400000);

	test_case("the client's own timeout bounds ours");
	{
		struct tftp_opts opts = { .blksize = 512, .windowsize = 1, .timeout_s = 1 };

		transfer_init(&t, 1000, &opts, TFTP_SEEN_TIMEOUT, 0);
	}
	step(TRANSFER_START, 0, now_us = 1000);
	for (int i = 0; i < 4; i++) {
		CHECK_INT(a.wake_us, i == 0 ? TRANSFER_RTO_US : 1000000);
		step(TRANSFER_TICK, 0, now_us += a.wake_us);
	}
}

/* Reaches the middle of a transfer with windows of `windowsize`, whose round trip is `rtt_us`. */
static uint64_t
reach_middle(uint32_t windowsize, uint64_t rtt_us)
{
	uint64_t now_us = 1000;

	begin(4000 * 512, 512, windowsize, true);
	step(TRANSFER_START, 0, now_us);
	step(TRANSFER_ACK, 0, now_us += rtt_us);
	for (uint16_t i = 1; i <= 20; i++)
		step(TRANSFER_ACK, (uint16_t)(i * windowsize), now_us += rtt_us);
	return now_us;
}

static void
test_queue(void)
{
	test_case("retries, new windows and new transfers are told apart");
	begin(100 * 512, 512, 4, true);
	step(TRANSFER_START, 0, 1000);
	CHECK_INT(a.class, TRANSFER_CLASS_START);
	step(TRANSFER_TICK, 0, 1000 + a.wake_us);
	CHECK(a.send_oack);
	CHECK_INT(a.class, TRANSFER_CLASS_RETRY);
	step(TRANSFER_ACK, 0, 600000);
	CHECK_INT(a.class, TRANSFER_CLASS_START);
	step(TRANSFER_ACK, 4, 600200);
	CHECK_INT(a.class, TRANSFER_CLASS_WINDOW);
	step(TRANSFER_ACK, 6, 600400);
	CHECK_INT(a.class, TRANSFER_CLASS_RETRY);

	test_case("what has not left does not time out, and a tick names the rest of it");
	begin(100 * 512, 512, 8, false);
	transfer_step(&t, TRANSFER_START, (struct transfer_ack){ 0 }, 1000, &a);
	CHECK_SENDS(1, 8);
	transfer_step(&t, TRANSFER_TICK, (struct transfer_ack){ 0 }, 20000000, &a);
	CHECK_SENDS(1, 8);
	CHECK_INT(a.class, TRANSFER_CLASS_START);
	(void)transfer_sent(&t, 1, 3, 20000000);
	transfer_step(&t, TRANSFER_TICK, (struct transfer_ack){ 0 }, 20500000, &a);
	CHECK_SENDS(4, 5);
	CHECK_INT(t.retransmits, 0);

	test_case("but not for ever");
	transfer_step(&t, TRANSFER_TICK, (struct transfer_ack){ 0 }, 90000000, &a);
	CHECK_INT(a.result, TRANSFER_TIMED_OUT);

	test_case("an ACK while blocks wait: what is confirmed is not sent any more");
	begin(100 * 512, 512, 8, false);
	step(TRANSFER_START, 0, 1000);
	transfer_step(&t, TRANSFER_TICK, (struct transfer_ack){ 0 }, 1000 + a.wake_us, &a);
	CHECK_SENDS(1, 8);
	CHECK_INT(a.class, TRANSFER_CLASS_RETRY);
	transfer_step(&t, TRANSFER_ACK, (struct transfer_ack){ 8, 0 }, 600000, &a);
	CHECK_SENDS(9, 8);
	CHECK_INT(a.class, TRANSFER_CLASS_WINDOW);
	CHECK_INT(t.retransmits, 0);

	test_case("an ACK of a block that still waits is ignored, and leaves the queue alone");
	(void)transfer_sent(&t, 9, 2, 600000);
	transfer_step(&t, TRANSFER_ACK, (struct transfer_ack){ 12, 0 }, 600100, &a);
	CHECK_INT(a.count, 0);
	CHECK_INT(t.acked, 8);
	CHECK_INT(transfer_sent(&t, 11, 6, 600200) > 0, 1);
	CHECK_INT(t.highest, 16);

	test_case("the round trip counts from when the last block left");
	begin(100 * 512, 512, 8, false);
	transfer_step(&t, TRANSFER_START, (struct transfer_ack){ 0 }, 1000, &a);
	(void)transfer_sent(&t, 1, 4, 300000);
	(void)transfer_sent(&t, 5, 4, 400000);
	step(TRANSFER_ACK, 8, 400499);
	CHECK_INT(t.srtt_us, 500);
}

static void
test_loss(void)
{
	uint64_t now_us = reach_middle(16, 400);

	test_case("silence behind a window: its last block, all of it, then what lies beyond");
	CHECK_INT(a.wake_us, t.srtt_us + TRANSFER_PROBE_MIN_US);
	step(TRANSFER_TICK, 0, now_us += a.wake_us);
	CHECK_SENDS(336, 1);
	CHECK_INT(a.class, TRANSFER_CLASS_RETRY);
	step(TRANSFER_TICK, 0, now_us += a.wake_us);
	CHECK_SENDS(321, 16);
	step(TRANSFER_TICK, 0, now_us += a.wake_us);
	CHECK_SENDS(337, 16);
	CHECK_INT(a.class, TRANSFER_CLASS_WINDOW);
	step(TRANSFER_TICK, 0, now_us += a.wake_us);
	CHECK_SENDS(352, 1);

	test_case("after silence an ACK is taken at its word");
	step(TRANSFER_ACK, 330, now_us += 400);
	CHECK_SENDS(331, 16);

	test_case("a lost tail costs one block, and the ACK of both is no sample");
	now_us = reach_middle(16, 400);
	step(TRANSFER_TICK, 0, now_us += a.wake_us);
	CHECK_SENDS(336, 1);
	step(TRANSFER_ACK, 336, now_us += 100000);
	CHECK_SENDS(337, 16);
	CHECK(t.srtt_us < 500);

	test_case("but if that ACK is echoed, the client had all and is slow");
	step(TRANSFER_ACK, 336, now_us + 900);
	CHECK_INT(a.count, 0);
	CHECK(t.srtt_us > 10000);

	test_case("bursts halve on loss, once a window, and a pause makes up for it");
	now_us = reach_middle(16, 40000);
	CHECK_SENDS(321, 16);
	step(TRANSFER_ACK, 324, now_us += 40000);
	CHECK_SENDS(325, 8);
	CHECK(a.wake_us >= t.srtt_us / 2 && a.wake_us < t.srtt_us);
	step(TRANSFER_TICK, 0, now_us += a.wake_us);
	CHECK_SENDS(333, 8);
	step(TRANSFER_ACK, 326, now_us += 40000);
	CHECK_SENDS(327, 8);

	test_case("they grow with each clean window");
	step(TRANSFER_TICK, 0, now_us += a.wake_us);
	for (uint16_t block = 342; block <= 342 + 16 * 8; block += 16) {
		step(TRANSFER_ACK, block, now_us += 40000);
		if (t.burst < 16)
			step(TRANSFER_TICK, 0, now_us += a.wake_us);
	}
	CHECK_INT(t.burst, 16);
	CHECK_INT(a.count, 16);

	test_case("where a pause would be too short for timers there is none");
	now_us = reach_middle(16, 400);
	step(TRANSFER_ACK, 324, now_us += 400);
	CHECK_SENDS(325, 16);
	CHECK_INT(t.burst, 8);

	test_case("a client that always takes about as many has room for that many");
	now_us = reach_middle(64, 400);
	for (uint16_t block = 1280 + 10; block < 1280 + 10 * 12; block += 10)
		step(TRANSFER_ACK, block, now_us += 400);
	CHECK(t.paced);
	CHECK_INT(a.count, 10);
	CHECK_INT(a.wake_us, 1000);

	test_case("without windows a repeated ACK brings the block when it comes late");
	begin(5000, 512, 1, false);
	step(TRANSFER_START, 0, 1000);
	t.timeout_s = 0;
	step(TRANSFER_ACK, 1, 1100);
	step(TRANSFER_ACK, 1, 1200);
	CHECK_INT(a.count, 0);
	step(TRANSFER_ACK, 1, 1100 + 1000000);
	CHECK_SENDS(2, 1);
}

static void
test_options(void)
{
	struct tftp_opts opts = { .blksize = 512, .windowsize = 4, .rollover = 1 };
	uint64_t now_us = 1000;

	test_case("Microsoft's client tells the length of each window");
	opts.rollover = 0;
	transfer_init(&t, 1000 * 512, &opts, TFTP_SEEN_WINDOWSIZE | TFTP_SEEN_MSFTWINDOW, 0);
	step(TRANSFER_START, 0, now_us);
	transfer_step(&t, TRANSFER_ACK, (struct transfer_ack){ 0, 2 }, now_us += 200, &a);
	CHECK_SENDS(1, 2);
	(void)transfer_sent(&t, 1, 2, now_us);
	transfer_step(&t, TRANSFER_ACK, (struct transfer_ack){ 2, 200 }, now_us += 200, &a);
	CHECK_SENDS(3, 200);
	(void)transfer_sent(&t, 3, 200, now_us);
	transfer_step(&t, TRANSFER_ACK, (struct transfer_ack){ 202, 0 }, now_us += 200, &a);
	CHECK_SENDS(203, 200);

	test_case("without agreement the fifth octet counts nothing");
	transfer_init(&t, 1000 * 512, &opts, TFTP_SEEN_WINDOWSIZE, 0);
	step(TRANSFER_START, 0, now_us);
	transfer_step(&t, TRANSFER_ACK, (struct transfer_ack){ 0, 2 }, now_us += 200, &a);
	CHECK_SENDS(1, 4);

	test_case("65535 is followed by 0, or by 1 if that was agreed");
	CHECK_INT(transfer_wire(&t, 65535), 65535);
	CHECK_INT(transfer_wire(&t, 65536), 0);
	CHECK_INT(transfer_wire(&t, 131072), 0);
	opts.rollover = 1;
	transfer_init(&t, 1000 * 512, &opts, TFTP_SEEN_ROLLOVER, 0);
	CHECK_INT(transfer_wire(&t, 0), 0);
	CHECK_INT(transfer_wire(&t, 65535), 65535);
	CHECK_INT(transfer_wire(&t, 65536), 1);
	CHECK_INT(transfer_wire(&t, 131070), 65535);
	CHECK_INT(transfer_wire(&t, 131071), 1);

	test_case("a round trip known from before shortens the first wait, within reason");
	transfer_init(&t, 1000, &opts, 1, 300);
	CHECK_INT(t.rto_us, 5 * TRANSFER_RTO_MIN_US);
	transfer_init(&t, 1000, &opts, 1, 30000);
	CHECK_INT(t.rto_us, 240000);
	transfer_init(&t, 1000, &opts, 1, 900000);
	CHECK_INT(t.rto_us, TRANSFER_RTO_US);
}

int
main(void)
{
	test_steps();
	test_ends();
	test_queue();
	test_loss();
	test_options();
	return test_end();
}
