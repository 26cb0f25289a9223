/* Tests of tftpd/paths.c. */
#include "tftpd/paths.h"

#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

static struct paths *p;
static const struct ipaddr someone = { 4, { 10, 1, 2, 3 } };
static const struct ipaddr someone6 = { 6, { 0xfd, 0, [15] = 9 } };
static uint64_t now_ms = 1000000;

/* What a client that asks for 1468 (or more) and 64 is offered. */
static struct {
	uint64_t blksize, windowsize;
	uint32_t rtt_us;
} got;

static void
advise(const struct ipaddr *ip, uint64_t blksize)
{
	got.blksize = blksize;
	got.windowsize = 64;
	paths_advise(p, ip, now_ms, &got.blksize, &got.windowsize, &got.rtt_us);
}

/* A transfer that ended: with nothing confirmed its first block is lost, after `lost_us`. */
static uint32_t
learn(const struct ipaddr *ip, uint32_t blksize, uint32_t windowsize, uint64_t acked,
    uint32_t retransmits, enum transfer_result result, uint64_t lost_us)
{
	struct tftp_opts opts = { .blksize = blksize, .windowsize = windowsize };
	struct transfer t;
	struct outcome o = { .t = &t, .result = result, .size = 10000000 };

	transfer_init(&t, o.size, &opts, TFTP_SEEN_BLKSIZE, 0);
	t.acked = acked;
	t.highest = acked + windowsize;
	t.retransmits = retransmits;
	t.progress_us = 5000000;
	t.sent_us = 5000000 + lost_us;
	t.srtt_us = 777;
	paths_learn(p, ip, &o, now_ms);
	return o.next_blksize;
}

static uint32_t
lose(const struct ipaddr *ip, uint32_t blksize)
{
	return learn(ip, blksize, 4, 0, 10, TRANSFER_TIMED_OUT, 8000000);
}

static void
test_blksize(void)
{
	test_case("nothing is known of a new client");
	advise(&someone, 1468);
	CHECK(got.blksize == 1468 && got.windowsize == 64 && got.rtt_us == 0);

	test_case("a first block that was lost lowers the next offer, step by step");
	CHECK_INT(lose(&someone, 8968), 1468);
	CHECK_INT(lose(&someone, 1468), 1348);
	advise(&someone, 1468);
	CHECK_INT(got.blksize, 1348);
	CHECK_INT(lose(&someone, 1348), 1248);
	CHECK_INT(lose(&someone, 1248), 1024);
	CHECK_INT(lose(&someone, 1024), 512);
	CHECK_INT(lose(&someone, 512), 0);
	advise(&someone, 1468);
	CHECK_INT(got.blksize, 512);

	test_case("over IPv6 the headers are longer");
	CHECK_INT(lose(&someone6, 1448), 1328);
	CHECK_INT(lose(&someone6, 1328), 1228);

	test_case("a client that asks for less gets it");
	advise(&someone6, 1000);
	CHECK_INT(got.blksize, 1000);

	test_case("a success at the smaller size keeps it");
	learn(&someone6, 1228, 4, 100, 0, TRANSFER_DONE, 0);
	advise(&someone6, 1448);
	CHECK_INT(got.blksize, 1228);

	test_case("one at a larger size proves it wrong");
	learn(&someone6, 1428, 4, 100, 0, TRANSFER_DONE, 0);
	advise(&someone6, 1448);
	CHECK_INT(got.blksize, 1448);

	test_case("where such blocks arrived before, one failure says nothing, two do");
	CHECK_INT(lose(&someone6, 1428), 0);
	advise(&someone6, 1448);
	CHECK_INT(got.blksize, 1448);
	CHECK_INT(lose(&someone6, 1428), 1328);

	test_case("it is forgotten after an hour without use");
	now_ms += PATHS_KEEP_MS + 1;
	advise(&someone6, 1448);
	CHECK_INT(got.blksize, 1448);

	test_case("a client that went away at once has not lost anything");
	CHECK_INT(learn(&someone, 1468, 4, 0, 1, TRANSFER_TIMED_OUT, 20000), 0);
	CHECK_INT(learn(&someone, 1468, 4, 0, 1, TRANSFER_ABORTED, 20000), 0);

	test_case("one that asks anew instead of waiting has");
	CHECK_INT(learn(&someone, 1468, 4, 0, 6, TRANSFER_REPLACED, 3000000), 1348);
}

static void
test_windowsize(void)
{
	now_ms += PATHS_KEEP_MS + 1;
	test_case("heavy loss halves the next window");
	learn(&someone, 1468, 64, 1000, 900, TRANSFER_DONE, 0);
	advise(&someone, 1468);
	CHECK_INT(got.windowsize, 32);
	learn(&someone, 1468, 32, 1000, 600, TRANSFER_TIMED_OUT, 0);
	advise(&someone, 1468);
	CHECK_INT(got.windowsize, 16);

	test_case("some loss changes nothing");
	learn(&someone, 1468, 16, 1000, 200, TRANSFER_DONE, 0);
	advise(&someone, 1468);
	CHECK_INT(got.windowsize, 16);

	test_case("it grows back when one is clean");
	learn(&someone, 1468, 16, 1000, 10, TRANSFER_DONE, 0);
	advise(&someone, 1468);
	CHECK_INT(got.windowsize, 32);

	test_case("but not by transfers that did not use it");
	learn(&someone, 1468, 4, 1000, 0, TRANSFER_DONE, 0);
	advise(&someone, 1468);
	CHECK_INT(got.windowsize, 32);

	test_case("it is never less than 4, and a few blocks tell nothing");
	learn(&someone, 1468, 6, 1000, 900, TRANSFER_DONE, 0);
	learn(&someone, 1468, 4, 1000, 900, TRANSFER_DONE, 0);
	advise(&someone, 1468);
	CHECK_INT(got.windowsize, 4);
	learn(&someone6, 1448, 16, 20, 20, TRANSFER_DONE, 0);
	advise(&someone6, 1448);
	CHECK_INT(got.windowsize, 64);

	test_case("the round trip is remembered");
	CHECK_INT(got.rtt_us, 777);
}

static void
test_refused(void)
{
	struct tftp_opts opts = { .blksize = 1348, .windowsize = 4 };
	struct transfer t;
	struct outcome o = { .t = &t, .result = TRANSFER_ABORTED, .size = 10000000, .error = 8 };

	now_ms += PATHS_KEEP_MS + 1;
	test_case("a client that refuses what it is offered is offered all again");
	lose(&someone, 1468);
	transfer_init(&t, o.size, &opts, TFTP_SEEN_BLKSIZE, 0);
	t.oack_out = true;
	paths_learn(p, &someone, &o, now_ms);
	advise(&someone, 1468);
	CHECK_INT(got.blksize, 1468);
}

static void
test_bounds(void)
{
	uint64_t known = 0;

	test_case("a client with a limit outlives 100,000 others that only have a round trip");
	now_ms += PATHS_KEEP_MS + 1;
	lose(&someone, 1468);
	for (uint32_t i = 0; i < 100000; i++) {
		struct ipaddr ip = { 4,
			{ 172, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };

		now_ms++;
		learn(&ip, 1468, 4, 100, 0, TRANSFER_DONE, 0);
	}
	advise(&someone, 1468);
	CHECK_INT(got.blksize, 1348);

	test_case("of the others about as many as there are places");
	for (uint32_t i = 0; i < 100000; i++) {
		struct ipaddr ip = { 4,
			{ 172, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };

		advise(&ip, 1468);
		known += got.rtt_us != 0;
	}
	CHECK(known > PATHS_WAYS * PATHS_SETS / 2 && known < PATHS_WAYS * PATHS_SETS);

	test_case("and not even that one outlives as many of its kind");
	for (uint32_t i = 0; i < 100000; i++) {
		struct ipaddr ip = { 4,
			{ 172, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };

		now_ms++;
		lose(&ip, 1468);
		lose(&ip, 1468);
	}
	advise(&someone, 1468);
	CHECK_INT(got.blksize, 1468);
}

int
main(void)
{
	static const uint64_t key[2] = { 0x0123456789abcdef, 0xfedcba9876543210 };

	p = malloc(sizeof(*p));
	if (p == NULL)
		return 1;
	paths_init(p, key);
	test_blksize();
	test_windowsize();
	test_refused();
	test_bounds();
	free(p);
	return test_end();
}
