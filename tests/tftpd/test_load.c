/* Tests of tftpd/load.c. */
#include "tftpd/load.h"

#include "common/msg.h"
#include "tests/test.h"

static struct load_sample
at(uint64_t ms, uint64_t bytes, uint64_t waiting)
{
	return (struct load_sample){ .at_ms = ms,
		.bytes = bytes,
		.blocks = bytes / 1000,
		.max_transfers = 200,
		.waiting_bytes = waiting,
		.waiting_blocks = waiting / 1000 };
}

int
main(void)
{
	struct load l = { 0 };
	struct load_sample s = at(1000, 5000, 0);

	test_case("one sample tells of no rate");
	load_update(&l, &s);
	CHECK(l.bytes_per_s == 0 && l.permille == 0 && l.retransmit_permille == 0);

	test_case("the share of places");
	s.transfers = 50;
	s.at_ms += 100;
	load_update(&l, &s);
	CHECK_INT(l.permille, 250);
	s.transfers = 300; /* a reload made them fewer */
	s.at_ms += 100;
	load_update(&l, &s);
	CHECK_INT(l.permille, LOAD_FULL);

	test_case("a rate is the average of some samples");
	l = (struct load){ 0 };
	for (uint64_t i = 0; i < 40; i++) {
		s = at(1000 + i * 100, i * 10000000, 0);
		s.retransmits = i * 100;
		load_update(&l, &s);
	}
	CHECK(l.bytes_per_s > 99000000 && l.bytes_per_s < 101000000);
	CHECK(l.retransmit_permille >= 7 && l.retransmit_permille <= 12);

	test_case("a queue counts by the time that it takes to empty");
	s = at(5000, 400000000, 10000000); /* 100 ms of 500 */
	load_update(&l, &s);
	CHECK(l.permille > 190 && l.permille < 210);
	CHECK_INT(l.queue_blocks, 10000);

	test_case("a queue that does not move is full");
	for (uint64_t i = 1; i < 100; i++) {
		s = at(5000 + i * 100, 400000000, 10000000);
		load_update(&l, &s);
	}
	CHECK_INT(l.permille, LOAD_FULL);

	test_case("an idle daemon forgets");
	for (uint64_t i = 100; i < 200; i++) {
		s = at(5000 + i * 100, 400000000, 0);
		load_update(&l, &s);
	}
	CHECK(l.permille == 0 && l.retransmit_permille == 0 && l.bytes_per_s <= 1);
	return test_end();
}
