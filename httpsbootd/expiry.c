/* What is to be said of a certificate that is about to expire; see certificates.h. */
#include "httpsbootd/certificates.h"

#include <stdio.h>
#include <time.h>

#define DAY_MS (24 * 3600 * UINT64_C(1000))

int
expiry_judge(
    uint64_t expires_ms, uint64_t now_ms, const char *what, char words[static EXPIRY_WORDS])
{
	static const struct {
		uint64_t days;
		int level;
	} thresholds[] = { { 1, 3 }, { 7, 2 }, { 30, 1 } };
	time_t s = (time_t)(expires_ms / 1000);
	char date[32] = "?";
	struct tm tm;
	int level = 0;
	uint64_t left;

	words[0] = '\0';
	if (expires_ms == 0)
		return 0;
	if (gmtime_r(&s, &tm) != NULL)
		(void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", &tm);
	if (expires_ms <= now_ms) {
		(void)snprintf(words, EXPIRY_WORDS,
		    "%s expired on %s: clients that know the time refuse it; `ferryctl ca renew` "
		    "makes a new one",
		    what, date);
		return 4;
	}
	left = expires_ms - now_ms;
	for (size_t i = NITEMS(thresholds); i-- > 0;) {
		if (left <= thresholds[i].days * DAY_MS)
			level = thresholds[i].level;
	}
	if (level > 0)
		(void)snprintf(words, EXPIRY_WORDS,
		    "%s expires in %llu %s, on %s: `ferryctl ca renew` makes a new one", what,
		    (unsigned long long)(left < DAY_MS ? left / 3600000 : left / DAY_MS),
		    left < DAY_MS ? "hours" : "days", date);
	return level;
}
