/* Tests of handlerd/journal.c, on a file made for them. */
#include "handlerd/journal.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
put_number(struct journal *j, uint64_t n, size_t size)
{
	uint8_t buf[JOURNAL_RECORD_MAX];

	memset(buf, (int)(n & 0xff), sizeof(buf));
	memcpy(buf, &n, sizeof(n));
	CHECK_INT(journal_put(j, (struct slice){ buf, size }), 0);
}

/* Takes all records; checks that they count up from *next.  Their number. */
static uint64_t
take_numbers(struct journal *j, uint64_t *next)
{
	uint64_t pos = journal_tail(j), n, taken = 0;
	struct slice s;

	while (journal_next(j, &pos, &s) == 0) {
		memcpy(&n, s.p, sizeof(n));
		CHECK_INT(n, *next);
		(*next)++;
		taken++;
	}
	journal_release(j, pos);
	return taken;
}

int
main(void)
{
	char dir[] = "/tmp/bootferry-test-XXXXXX", ring[64];
	uint64_t next = 0, generation, tail, put = 0;
	struct journal *j;
	uint8_t big[JOURNAL_RECORD_MAX + 1] = { 0 };

	CHECK(mkdtemp(dir) != NULL);
	(void)snprintf(ring, sizeof(ring), "%s/ring", dir);

	test_case("records come out of the journal in their order, over many laps");
	CHECK_INT(journal_open(ring, 0, 0, &j), 0);
	for (int round = 0; round < 400; round++) {
		for (int i = 0; i < 20; i++, put++)
			put_number(j, put, 8 + put * 7919 % (JOURNAL_RECORD_MAX - 8));
		CHECK_INT(take_numbers(j, &next), 20);
	}
	CHECK_INT(next, put);

	test_case("a full journal refuses, and takes again when there is room");
	while (journal_put(j, (struct slice){ big, JOURNAL_RECORD_MAX }) == 0)
		;
	CHECK(!journal_has_room(j));
	journal_release(j, journal_head(j));
	CHECK(journal_has_room(j));
	put_number(j, put++, 100);
	next = put - 1;
	CHECK_INT(take_numbers(j, &next), 1);
	CHECK_INT(journal_put(j, (struct slice){ big, JOURNAL_RECORD_MAX + 1 }), -ENOSPC);

	test_case("what was not taken is there after the journal is opened again");
	for (int i = 0; i < 50; i++)
		put_number(j, put++, 300);
	generation = journal_generation(j);
	tail = journal_tail(j);
	journal_close(j);
	CHECK_INT(journal_open(ring, generation, tail, &j), 0);
	CHECK_INT(take_numbers(j, &next), 50);
	put_number(j, put++, 10);
	CHECK_INT(take_numbers(j, &next), 1);
	journal_close(j);

	test_case("a journal of another generation is begun anew");
	CHECK_INT(journal_open(ring, generation + 1, tail, &j), 0);
	CHECK(journal_head(j) == journal_tail(j));
	CHECK(journal_generation(j) != generation && journal_generation(j) != generation + 1);
	journal_close(j);

	test_case("a journal that cannot be made says why");
	CHECK_INT(journal_open("/does/not/exist", 0, 0, &j), -ENOENT);

	(void)unlink(ring);
	CHECK_INT(rmdir(dir), 0);
	return test_end();
}
