/* Tests of handlerd/selftest.c: what counts as a self-test's, and what does not. */
#include "handlerd/selftest.h"

#include "tests/test.h"

#define NOW 1000000

static const struct ipaddr ours = { 4, { 10, 77, 0, 2 } }, other = { 4, { 10, 77, 0, 9 } };

int
main(void)
{
	static const struct {
		const char *what;
		enum boot_stage stage;
		bool marked, from_us;
		uint64_t after_ms;
		bool takes;
	} cases[] = {
		{ "what a front daemon marks is one", STAGE_DISCOVER, true, false, 0, true },
		{ "a client's DISCOVER is none", STAGE_DISCOVER, false, false, 0, false },
		{ "nor is one from our own address", STAGE_DISCOVER, false, true, 0, false },
		{ "what our address fetches then is part of it", STAGE_FILE, false, true, 0, true },
		{ "its script, too", STAGE_BOOT, false, true, 0, true },
		{ "what others fetch is not", STAGE_FILE, false, false, 0, false },
		{ "nor is a report", STAGE_REPORT, false, true, 0, false },
		{ "nor what comes later", STAGE_FILE, false, true, SELFTEST_FETCH_MS, false },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		const struct boot_request mark = {
			.stage = STAGE_DISCOVER, .selftest = true, .server = ours
		};
		const struct boot_request r = { .stage = cases[i].stage,
			.selftest = cases[i].marked,
			.server = ours,
			.address = cases[i].from_us ? ours : other };
		struct selftest t = { 0 };

		test_case("%s", cases[i].what);
		CHECK(selftest_takes(&t, &mark, NOW));
		CHECK_INT(selftest_takes(&t, &r, NOW + cases[i].after_ms), cases[i].takes);
		CHECK_INT(t.requests, 1 + cases[i].takes);
	}

	test_case("without a test nothing is one");
	{
		const struct boot_request r = { .stage = STAGE_FILE };
		const struct boot_event e = { .kind = EVENT_SIZE_PROBE };
		struct selftest t = { 0 };

		CHECK(!selftest_takes(&t, &r, NOW));
		CHECK(!selftest_covers(&t, &e, NOW));
	}

	test_case("events of its fetches are covered, those of boots are not");
	{
		const struct boot_request mark = {
			.stage = STAGE_DISCOVER, .selftest = true, .server = ours
		};
		struct boot_event e = { .kind = EVENT_SIZE_PROBE, .address = ours };
		struct selftest t = { 0 };

		CHECK(selftest_takes(&t, &mark, NOW));
		CHECK(selftest_covers(&t, &e, NOW + 1));
		e.boot = 7;
		CHECK(!selftest_covers(&t, &e, NOW + 1));
		e.boot = 0;
		e.address = other;
		CHECK(!selftest_covers(&t, &e, NOW + 1));
	}

	test_case("a source that would have to be asked means silence; no boot is named");
	{
		struct boot_answer a = {
			.action = ACTION_OFFER, .boot = 9, .reason = REASON_LOADER
		};

		selftest_answer(0, &a);
		CHECK_INT(a.action, ACTION_OFFER);
		CHECK_INT(a.boot, 0);
		selftest_answer(1, &a);
		CHECK_INT(a.action, ACTION_IGNORE);
		CHECK_INT(a.reason, REASON_SOURCE_LATE);
	}
	return test_end();
}
