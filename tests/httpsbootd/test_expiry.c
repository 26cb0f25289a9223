/* Tests of httpsbootd/expiry.c. */
#include "httpsbootd/certificates.h"
#include "tests/test.h"

#include <string.h>

#define H (3600 * UINT64_C(1000))
#define D (24 * H)

int
main(void)
{
	static const struct {
		const char *what;
		uint64_t expires_ms, now_ms;
		int level;
		const char *words;
	} cases[] = {
		{ "not known", 0, 5 * D, 0, "" },
		{ "time enough", 100 * D, 69 * D, 0, "" },
		{ "30 days", 100 * D, 70 * D, 1,
		    "it expires in 30 days, on 1970-04-11 00:00 UTC: `ferryctl ca renew` makes a "
		    "new one" },
		{ "8 days are as 30", 100 * D, 92 * D, 1, NULL },
		{ "7 days", 100 * D, 93 * D, 2, NULL },
		{ "a day", 100 * D, 99 * D, 3, NULL },
		{ "hours", 100 * D, 100 * D - 5 * H, 3,
		    "it expires in 5 hours, on 1970-04-11 00:00 UTC: `ferryctl ca renew` makes a "
		    "new one" },
		{ "now", 100 * D, 100 * D, 4, NULL },
		{ "long ago", 100 * D, 500 * D, 4,
		    "it expired on 1970-04-11 00:00 UTC: clients that know the time refuse it; "
		    "`ferryctl ca renew` makes a new one" },
	};
	char words[EXPIRY_WORDS];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("%s", cases[i].what);
		CHECK_INT(expiry_judge(cases[i].expires_ms, cases[i].now_ms, "it", words),
		    cases[i].level);
		if (cases[i].words != NULL)
			CHECK_STR(words, cases[i].words);
		CHECK_INT(words[0] != '\0', cases[i].level > 0);
	}
	return test_end();
}
