/* Tests of handlerd/breaker.c. */
#include "handlerd/breaker.h"

#include "tests/test.h"

#include <string.h>

static const struct breaker_conf conf = { .failures = 3, .share_percent = 50, .max_wait_ms = 8000 };

/*
 * A story is played letter by letter: 's' a call that succeeds, 'f' one that fails, 'x' one that is
 * refused, '+' a second passes, '.' a tenth of one.
 */
static const struct {
	const char *what, *story;
	enum breaker_state state;
	uint32_t wait_ms;
} rows[] = {
	{ "it begins closed", "", BREAKER_CLOSED, 0 },
	{ "a few failures are no reason to open", "ffsffsff", BREAKER_CLOSED, 0 },
	{ "failures in a row open it", "fff", BREAKER_OPEN, 1000 },
	{ "open it refuses all", "fffxxx...xxx", BREAKER_OPEN, 1000 },
	{ "after a second one probe may go; it works, and all may", "fff+ssssffs", BREAKER_CLOSED,
	    1000 },
	{ "a failed probe doubles the wait", "fff+fx+x", BREAKER_OPEN, 2000 },
	{ "and again", "fff+fx+x+fx+++x", BREAKER_OPEN, 4000 },
	{ "up to the bound", "fff+f++f++++f++++++++f++++++++f", BREAKER_OPEN, 8000 },
	{ "after the bound's time a probe may still go", "fff+f++f++++f++++++++s", BREAKER_CLOSED,
	    8000 },
	{ "the wait begins anew after it closed",
	    "fff+f++f++++s"
	    "fff",
	    BREAKER_OPEN, 1000 },
	{ "half of the last calls failing opens it, though never three in a row",
	    "sfsfsfsfsfsfsfsfsfsfsfsfsfsfsfsf", BREAKER_OPEN, 1000 },
	{ "a share is not taken of fewer calls than it is a share of",
	    "sfsfsfsfsfsfsfsfsfsfsfsfsfsfsfs", BREAKER_CLOSED, 0 },
	{ "what was before it closed no longer counts", "sfsfsfsfsfsfsfsfsfsfsfsfsfsfsfsf+sff",
	    BREAKER_CLOSED, 1000 },
};

static void
play(struct breaker *b, const char *story, uint64_t *now_ms)
{
	uint32_t ticket;

	for (const char *c = story; *c != '\0'; c++) {
		switch (*c) {
		case '+': *now_ms += 1000; break;
		case '.': *now_ms += 100; break;
		case 'x': CHECK(!breaker_pass(b, *now_ms, &ticket)); break;
		default:
			CHECK(breaker_would_pass(b, *now_ms));
			CHECK(breaker_pass(b, *now_ms, &ticket));
			if (*c == 's')
				breaker_success(b, ticket);
			else
				breaker_failure(b, ticket, *now_ms, 0);
		}
	}
}

static void
test_late(void)
{
	uint32_t tickets[5], probe, other;
	struct breaker b;

	test_case("while a probe is out all others are refused, however long it takes");
	breaker_init(&b, &conf);
	for (int i = 0; i < 5; i++)
		CHECK(breaker_pass(&b, 5000, &tickets[i]));
	for (int i = 0; i < 3; i++)
		breaker_failure(&b, tickets[i], 5000, 0);
	CHECK_INT(b.state, BREAKER_OPEN);
	CHECK(breaker_pass(&b, 6000, &probe));
	CHECK_INT(b.state, BREAKER_HALF_OPEN);
	CHECK(!breaker_pass(&b, 60000, &other));
	CHECK_INT(b.refused, 1);

	test_case("outcomes of calls from before it opened change nothing");
	breaker_failure(&b, tickets[3], 6000, 0);
	breaker_success(&b, tickets[4]);
	CHECK_INT(b.state, BREAKER_HALF_OPEN);
	breaker_success(&b, probe);
	CHECK_INT(b.state, BREAKER_CLOSED);
	CHECK_INT(b.opened, 1);
}

static void
test_chance(void)
{
	uint64_t low = UINT64_MAX, high = 0;

	test_case("chance spreads the next probe over half the wait, and never shortens it");
	for (uint32_t chance = 0; chance < 5000; chance += 7) {
		struct breaker b;
		uint64_t now_ms = 100;

		breaker_init(&b, &conf);
		play(&b, "ff", &now_ms);
		{
			uint32_t ticket;

			CHECK(breaker_pass(&b, now_ms, &ticket));
			breaker_failure(&b, ticket, now_ms, chance);
		}
		low = b.next_ms < low ? b.next_ms : low;
		high = b.next_ms > high ? b.next_ms : high;
	}
	CHECK_INT(low, 1100);
	CHECK(high > 1590 && high <= 1600);
}

static void
test_storm(void)
{
	uint32_t ticket;
	struct breaker b;
	int sent = 0;

	test_case("10,000 calls in 100 s to a dead server: at most one a second gets through");
	breaker_init(&b, &(struct breaker_conf){ .failures = 5, .max_wait_ms = 1000 });
	for (uint64_t now_ms = 1000; now_ms < 101000; now_ms += 10) {
		if (breaker_pass(&b, now_ms, &ticket)) {
			sent++;
			breaker_failure(&b, ticket, now_ms, (uint32_t)now_ms * 2654435761u);
		}
	}
	CHECK(sent >= 5 + 60 && sent <= 5 + 100);
	CHECK_INT(b.refused, 10000 - sent);
}

int
main(void)
{
	for (size_t i = 0; i < NITEMS(rows); i++) {
		struct breaker b;
		uint64_t now_ms = 1000;

		test_case("%s", rows[i].what);
		breaker_init(&b, &conf);
		play(&b, rows[i].story, &now_ms);
		CHECK_STR(breaker_state_name(b.state), breaker_state_name(rows[i].state));
		CHECK_INT(b.wait_ms, rows[i].wait_ms);
	}
	test_late();
	test_chance();
	test_storm();
	return test_end();
}
