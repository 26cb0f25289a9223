/* What is to be said of a certificate that is about to expire, or not valid yet; see
 * certificates.h. */
#include "httpsbootd/certificates.h"

#include "common/start.h"

#include <stdio.h>
#include <time.h>

#define DAY_MS (24 * 3600 * UINT64_C(1000))
#define DATE   32

static void
format_date(uint64_t ms, char ret[static DATE])
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	if (gmtime_r(&s, &tm) == NULL || strftime(ret, DATE, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		(void)snprintf(ret, DATE, "?");
}

/* "...: what is to be done" */
static void
format_cure(const struct expiry_facts *f, char ret[static EXPIRY_WORDS])
{
	switch (f->cure) {
	case EXPIRY_RENEW:
		(void)snprintf(ret, EXPIRY_WORDS, "`ferryctl ca renew` makes a new one");
		break;
	case EXPIRY_ROLL:
		(void)snprintf(ret, EXPIRY_WORDS,
		    "the CA expires with it: `ferryctl ca roll` replaces that, which takes days");
		break;
	case EXPIRY_IMPORT:
		(void)snprintf(ret, EXPIRY_WORDS,
		    "have a new one issued by \"%.100s\", then `ferryctl ca import` brings it in",
		    f->issuer);
		break;
	case EXPIRY_CLIENT:
		(void)snprintf(ret, EXPIRY_WORDS,
		    "clients with its certificates are refused then; `client_ca` wants its "
		    "successor beside it");
		break;
	case EXPIRY_CROSS:
		(void)snprintf(ret, EXPIRY_WORDS,
		    "loaders that know \"%.100s\" alone stop then; `ferryctl ca cross` brings a "
		    "new "
		    "one",
		    f->issuer);
		break;
	}
}

/* Neither too late nor too early, if the clock is right. */
static int
judge_time_left(const struct expiry_facts *f, uint64_t now_ms, char words[static EXPIRY_WORDS])
{
	static const struct {
		uint64_t days;
		int level;
	} thresholds[] = { { 1, 3 }, { 7, 2 }, { 30, 1 } };
	uint64_t left = f->until_ms - now_ms;
	uint64_t n = left < DAY_MS ? left / (3600 * 1000) : left / DAY_MS;
	char cure[EXPIRY_WORDS], date[DATE];
	int level = 0;

	for (size_t i = NITEMS(thresholds); i-- > 0;) {
		if (left <= thresholds[i].days * DAY_MS)
			level = thresholds[i].level;
	}
	if (level == 0)
		return 0;
	format_date(f->until_ms, date);
	format_cure(f, cure);
	(void)snprintf(words, EXPIRY_WORDS, "%.150s expires in %llu %s%s, on %s: %.200s", f->what,
	    (unsigned long long)n, left < DAY_MS ? "hour" : "day", n == 1 ? "" : "s", date, cure);
	return level;
}

int
expiry_judge(const struct expiry_facts *f, uint64_t now_ms, char words[static EXPIRY_WORDS])
{
	char date[DATE], now[DATE], cure[EXPIRY_WORDS];

	words[0] = '\0';
	if (f->until_ms == 0)
		return 0;
	format_date(now_ms, now);
	if (f->from_ms > now_ms) {
		format_date(f->from_ms, date);
		(void)snprintf(words, EXPIRY_WORDS,
		    "%.150s is valid from %s on, and this host's clock says %s: %s", f->what, date,
		    now,
		    now_ms < BOOTFERRY_SINCE_MS
			? "the clock is wrong"
			: "clients with the same time refuse it; is the clock right, and was that "
			  "of the CA's host?");
		return 4;
	}
	if (now_ms < BOOTFERRY_SINCE_MS) {
		(void)snprintf(words, EXPIRY_WORDS,
		    "this host's clock says %s, which is before this program was made: whether "
		    "%.150s is valid cannot be told",
		    now, f->what);
		return 3;
	}
	if (f->until_ms <= now_ms) {
		format_date(f->until_ms, date);
		format_cure(f, cure);
		(void)snprintf(words, EXPIRY_WORDS,
		    "%.150s expired on %s: clients that know the time refuse it; %.200s", f->what,
		    date, cure);
		return 4;
	}
	return judge_time_left(f, now_ms, words);
}
