/* Tests of httpsbootd/expiry.c. */
#include "httpsbootd/certificates.h"
#include "tests/test.h"

#include <string.h>

#include "common/start.h"

#define H     (3600 * UINT64_C(1000))
#define D     (24 * H)
#define SINCE BOOTFERRY_SINCE_MS /* 2026-11-01 */

int
main(void)
{
	static const struct {
		const char *what;
		uint64_t from_ms, until_ms, now_ms;
		enum expiry_cure cure;
		int level;
		const char *words;
	} cases[] = {
		{ "not known", 0, 0, SINCE, 0, 0, "" },
		{ "time enough", SINCE, SINCE + 100 * D, SINCE + 69 * D, 0, 0, "" },
		{ "30 days", 0, SINCE + 100 * D, SINCE + 70 * D, EXPIRY_RENEW, 1,
		    "it expires in 30 days, on 2027-02-09 00:00 UTC: `ferryctl ca renew` makes a "
		    "new one" },
		{ "8 days are as 30", 0, SINCE + 100 * D, SINCE + 92 * D, 0, 1, NULL },
		{ "7 days", 0, SINCE + 100 * D, SINCE + 93 * D, EXPIRY_IMPORT, 2,
		    "it expires in 7 days, on 2027-02-09 00:00 UTC: have a new one issued by "
		    "\"Corp CA\", then `ferryctl ca import` brings it in" },
		{ "a day", 0, SINCE + 100 * D, SINCE + 99 * D, EXPIRY_ROLL, 3,
		    "it expires in 1 day, on 2027-02-09 00:00 UTC: the CA expires with it: "
		    "`ferryctl ca roll` replaces that, which takes days" },
		{ "hours", 0, SINCE + 100 * D, SINCE + 100 * D - 5 * H, EXPIRY_RENEW, 3,
		    "it expires in 5 hours, on 2027-02-09 00:00 UTC: `ferryctl ca renew` makes a "
		    "new one" },
		{ "what vouches for its root", 0, SINCE + 100 * D, SINCE + 98 * D, EXPIRY_CROSS, 2,
		    "it expires in 2 days, on 2027-02-09 00:00 UTC: loaders that know \"Corp CA\" "
		    "alone stop then; `ferryctl ca cross` brings a new one" },
		{ "a CA of clients", 0, SINCE + 100 * D, SINCE + 98 * D, EXPIRY_CLIENT, 2,
		    "it expires in 2 days, on 2027-02-09 00:00 UTC: clients with its certificates "
		    "are refused then; `client_ca` wants its successor beside it" },
		{ "now", 0, SINCE + 100 * D, SINCE + 100 * D, 0, 4, NULL },
		{ "long ago", 0, SINCE + 100 * D, SINCE + 500 * D, EXPIRY_RENEW, 4,
		    "it expired on 2027-02-09 00:00 UTC: clients that know the time refuse it; "
		    "`ferryctl ca renew` makes a new one" },
		{ "its first moment", SINCE + D, SINCE + 100 * D, SINCE + D, 0, 0, "" },
		{ "not yet", SINCE + D, SINCE + 100 * D, SINCE + 23 * H, 0, 4,
		    "it is valid from 2026-11-02 00:00 UTC on, and this host's clock says "
		    "2026-11-01 23:00 UTC: clients with the same time refuse it; is the clock "
		    "right, and was that of the CA's host?" },
		{ "not yet, by a clock that is not even possible", SINCE, SINCE + 100 * D, 3 * H, 0,
		    4,
		    "it is valid from 2026-11-01 00:00 UTC on, and this host's clock says "
		    "1970-01-01 03:00 UTC: the clock is wrong" },
		{ "valid, by a clock that is not possible", 0, SINCE + 100 * D, SINCE - H, 0, 3,
		    "this host's clock says 2026-10-31 23:00 UTC, which is before this program was "
		    "made: whether it is valid cannot be told" },
	};
	char words[EXPIRY_WORDS];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		const struct expiry_facts f = { "it", cases[i].from_ms, cases[i].until_ms,
			cases[i].cure, "Corp CA" };

		test_case("%s", cases[i].what);
		CHECK_INT(expiry_judge(&f, cases[i].now_ms, words), cases[i].level);
		if (cases[i].words != NULL)
			CHECK_STR(words, cases[i].words);
		CHECK_INT(words[0] != '\0', cases[i].level > 0);
	}
	return test_end();
}
