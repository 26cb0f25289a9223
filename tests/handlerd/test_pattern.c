/* Tests of handlerd/pattern.c. */
#include "handlerd/pattern.h"

#include "tests/test.h"

#include <errno.h>

static void
test_globs(void)
{
	static const struct {
		const char *pattern, *text;
		bool fits;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "Latitude*", "latitude 7420", true },
		{ "Latitude*", "Dell Latitude", false },
		{ "*7?20", "Latitude 7420", true },
		{ "a*b*c", "aXbXbXc", true },
		{ "a*b*c", "aXbXb", false },
		{ "?", "", false },
		{ "**a", "bbba", true },
		/* would take for ever if every '*' were tried with every length */
		{ "*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    false },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("\"%s\" %s \"%s\"", cases[i].pattern,
		    cases[i].fits ? "fits" : "does not fit", cases[i].text);
		CHECK(glob_match(slice_str(cases[i].pattern), slice_str(cases[i].text)) ==
		      cases[i].fits);
	}
}

static void
test_ranges(void)
{
	static const struct {
		const char *text;
		number_parse_fn *parse;
		int rc;
		uint64_t min, max;
	} cases[] = {
		{ "3", number_parse, 0, 3, 3 },
		{ ">=3", number_parse, 0, 3, UINT64_MAX },
		{ ">3", number_parse, 0, 4, UINT64_MAX },
		{ "<=3", number_parse, 0, 0, 3 },
		{ "<3", number_parse, 0, 0, 2 },
		{ "2-4", number_parse, 0, 2, 4 },
		{ "4-2", number_parse, -EINVAL, 0, 0 },
		{ "<0", number_parse, -EINVAL, 0, 0 },
		{ "", number_parse, -EINVAL, 0, 0 },
		{ ">=", number_parse, -EINVAL, 0, 0 },
		{ "many", number_parse, -EINVAL, 0, 0 },
		{ "<1.21", version_parse, 0, 0, 0x11500 - 1 },
		{ ">=2", version_parse, 0, 0x20000, UINT64_MAX },
		{ "1.0-1.20.9", version_parse, 0, 0x10000, 0x11409 },
		{ "1.21.1+ (g83449)", version_parse, 0, 0x11501, 0x11501 },
		{ "2.0.0.1", version_parse, 0, 0x20000, 0x20000 },
		{ "1.300", version_parse, -EINVAL, 0, 0 },
		{ "1..2", version_parse, -EINVAL, 0, 0 },
		{ "<2h", age_parse, 0, 0, 7199 },
		{ "7d", age_parse, 0, 604800, 604800 },
		{ "7", age_parse, -EINVAL, 0, 0 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct number_range r = { 0, 0 };

		test_case("range \"%s\"", cases[i].text);
		CHECK_INT(number_range_parse(cases[i].text, cases[i].parse, &r), cases[i].rc);
		CHECK_INT(r.min, cases[i].min);
		CHECK_INT(r.max, cases[i].max);
	}
}

static void
test_times(void)
{
	static const struct {
		const char *what, *text;
		int weekday, minute;
		bool has;
	} cases[] = {
		{ "within", "mon-fri 08:00-17:30", 1, 8 * 60, true },
		{ "the end is outside", "mon-fri 08:00-17:30", 5, 17 * 60 + 30, false },
		{ "another day", "mon-fri 08:00-17:30", 6, 9 * 60, false },
		{ "a whole day", "sat,sun", 0, 0, true },
		{ "days around the week's end", "fri-mon", 0, 100, true },
		{ "every day", "06:00-07:00", 3, 6 * 60 + 59, true },
		{ "over midnight, before it", "sat 22:00-06:00", 6, 23 * 60, true },
		{ "over midnight, after it", "sat 22:00-06:00", 0, 5 * 60, true },
		{ "the morning of its own day is not meant", "sat 22:00-06:00", 6, 5 * 60, false },
		{ "until 24:00", "20:00-24:00", 2, 1439, true },
	};
	static const char *const bad[] = { "", "mon-", "mon 8:00-9:00", "08:00", "25:00-26:00",
		"mon 08:00-08:00", "monday", "mon 08:00-09:00x", "08:60-09:00", "mon 08: 5-09:00" };
	struct week_time t;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("time: %s", cases[i].what);
		CHECK_INT(week_time_parse(cases[i].text, &t), 0);
		CHECK(week_time_has(&t, cases[i].weekday, cases[i].minute) == cases[i].has);
	}
	test_case("what is no time is refused");
	for (size_t i = 0; i < NITEMS(bad); i++)
		CHECK_INT(week_time_parse(bad[i], &t), -EINVAL);
}

int
main(void)
{
	test_globs();
	test_ranges();
	test_times();
	return test_end();
}
