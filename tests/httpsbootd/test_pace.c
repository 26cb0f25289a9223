/* Tests of httpsbootd/pace.c: who is too slow, and who only waits. */
#include "httpsbootd/pace.h"

#include "tests/test.h"

static const struct pace_limits limits = { .head_ms = 15000, .slow_ms = 30000, .min_rate = 500 };

/* A client that moves `step` bytes a second for so long; the second in which it is found slow, or
 * 0. */
static unsigned
run(enum pace_stage stage, uint64_t step, unsigned seconds, bool unsent)
{
	struct pace_counts c = { .received = 1000, .acked = 5000, .unsent = unsent };
	struct pace p;

	pace_init(&p, 1000, &c);
	pace_enter(&p, stage, 1000, &c);
	for (unsigned s = 1; s <= seconds; s++) {
		c.received += stage == PACE_ANSWER ? 0 : step;
		c.acked += stage == PACE_ANSWER ? step : 0;
		if (pace_look(&p, &limits, 1000 + s * UINT64_C(1000), &c) != PACE_FINE)
			return s;
	}
	return 0;
}

int
main(void)
{
	static const struct {
		const char *what;
		enum pace_stage stage;
		uint64_t step;
		bool unsent;
		unsigned want;
	} cases[] = {
		{ "a handshake has a limit of its own", PACE_HANDSHAKE, 0, false, 0 },
		{ "a first request that does not come", PACE_FRESH, 0, false, 15 },
		{ "nor does it help to send a little", PACE_FRESH, 10, false, 15 },
		{ "a head that trickles", PACE_HEAD, 10, false, 15 },
		{ "a connection that rests", PACE_IDLE, 0, false, 0 },
		{ "one that begins to trickle a head: from its first byte", PACE_IDLE, 10, false,
		    16 },
		{ "one whose last answer is not taken", PACE_IDLE, 0, true, 30 },
		{ "a form that comes fast enough", PACE_BODY, 500, false, 0 },
		{ "a form that trickles", PACE_BODY, 499, false, 30 },
		{ "a form that stops", PACE_BODY, 0, false, 30 },
		{ "it waits for us", PACE_THINK, 0, false, 0 },
		{ "an answer that is taken", PACE_ANSWER, 500, true, 0 },
		{ "an answer that is not", PACE_ANSWER, 0, true, 30 },
		{ "an answer that is hardly taken", PACE_ANSWER, 6, true, 30 },
		{ "we have nothing for it just now", PACE_ANSWER, 0, false, 0 },
	};
	struct pace_counts c = { 0 };
	struct pace p;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("pace: %s", cases[i].what);
		CHECK_INT(run(cases[i].stage, cases[i].step, 200, cases[i].unsent), cases[i].want);
	}

	test_case("pace: what was fast once may not stall for it");
	c.unsent = true;
	pace_init(&p, 0, &c);
	pace_enter(&p, PACE_ANSWER, 0, &c);
	c.acked = 1000000000;
	CHECK_INT(pace_look(&p, &limits, 20000, &c), PACE_FINE);
	CHECK_INT(pace_taken(&p, &c), 1000000000);
	CHECK_INT(pace_look(&p, &limits, 49000, &c), PACE_FINE);
	CHECK_INT(pace_look(&p, &limits, 50000, &c), PACE_SLOW_ANSWER);

	test_case("pace: the time in which a disk was slow is not the client's");
	pace_enter(&p, PACE_ANSWER, 0, &c);
	c.unsent = false;
	CHECK_INT(pace_look(&p, &limits, 100000, &c), PACE_FINE);
	c.unsent = true;
	CHECK_INT(pace_look(&p, &limits, 129000, &c), PACE_FINE);
	CHECK_INT(pace_look(&p, &limits, 130000, &c), PACE_SLOW_ANSWER);

	test_case("pace: without a rate nobody is too slow for it");
	pace_enter(&p, PACE_ANSWER, 0, &c);
	CHECK_INT(pace_look(&p, &(struct pace_limits){ 1000, 1000, 0 }, 1000000, &c), PACE_FINE);
	CHECK_STR(pace_fault_name(PACE_SLOW_BODY), "slow-body");
	CHECK_STR(pace_fault_name(PACE_FAULTS), "?");
	return test_end();
}
