/* See httpdate.h.  By hand, because strftime() and strptime() speak the locale's language. */
#include "httpsbootd/httpdate.h"

#include "common/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LAST_SECOND INT64_C(253402300799) /* of the year 9999 */

static const char days[7][10] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
	"Saturday" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
	"Oct", "Nov", "Dec" };

char *
httpdate_format(int64_t seconds, char ret[static HTTPDATE_STRLEN])
{
	time_t t = seconds < 0 ? 0 : seconds > LAST_SECOND ? LAST_SECOND : seconds;
	struct tm tm;

	(void)gmtime_r(&t, &tm); /* cannot fail for these years */
	/* the remainders only tell the compiler how wide these are */
	(void)snprintf(ret, HTTPDATE_STRLEN, "%.3s, %02u %s %04u %02u:%02u:%02u GMT",
	    days[tm.tm_wday], (unsigned)tm.tm_mday % 100, months[tm.tm_mon],
	    (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
	    (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
	return ret;
}

/* Takes a word off the front, and NULL follows whatever does not match. */
static const char *
pass(const char *p, const char *word)
{
	size_t n = strlen(word);

	return p != NULL && strncmp(p, word, n) == 0 ? p + n : NULL;
}

/* A number of exactly so many digits. */
static const char *
number(const char *p, int digits, int *ret)
{
	int v = 0;

	for (int i = 0; p != NULL && i < digits; i++) {
		if (p[i] < '0' || p[i] > '9')
			return NULL;
		v = v * 10 + (p[i] - '0');
	}
	if (p == NULL)
		return NULL;
	*ret = v;
	return p + digits;
}

static const char *
month(const char *p, int *ret)
{
	for (int i = 0; p != NULL && i < (int)NITEMS(months); i++) {
		if (strncmp(p, months[i], 3) == 0) {
			*ret = i;
			return p + 3;
		}
	}
	return NULL;
}

static const char *
clock_time(const char *p, struct tm *tm)
{
	p = number(p, 2, &tm->tm_hour);
	p = number(pass(p, ":"), 2, &tm->tm_min);
	return number(pass(p, ":"), 2, &tm->tm_sec);
}

static const char *
imf_fixdate(const char *p, struct tm *tm)
{
	p = number(pass(p, ", "), 2, &tm->tm_mday);
	p = month(pass(p, " "), &tm->tm_mon);
	p = number(pass(p, " "), 4, &tm->tm_year);
	return pass(clock_time(pass(p, " "), tm), " GMT");
}

static const char *
rfc850_date(const char *p, struct tm *tm)
{
	p = number(pass(p, ", "), 2, &tm->tm_mday);
	p = month(pass(p, "-"), &tm->tm_mon);
	p = number(pass(p, "-"), 2, &tm->tm_year);
	tm->tm_year += tm->tm_year < 70 ? 2000 : 1900;
	return pass(clock_time(pass(p, " "), tm), " GMT");
}

static const char *
asctime_date(const char *p, struct tm *tm)
{
	p = month(pass(p, " "), &tm->tm_mon);
	p = pass(p, " ");
	p = p != NULL && *p == ' ' ? number(p + 1, 1, &tm->tm_mday) : number(p, 2, &tm->tm_mday);
	p = clock_time(pass(p, " "), tm);
	return number(pass(p, " "), 4, &tm->tm_year);
}

static bool
is_sane(const struct tm *tm)
{
	return tm->tm_year >= 1970 && tm->tm_mday >= 1 && tm->tm_mday <= 31 && tm->tm_hour < 24 &&
	       tm->tm_min < 60 && tm->tm_sec <= 60;
}

int
httpdate_parse(const char *text, int64_t *ret)
{
	static const char *(*const forms[])(
	    const char *p, struct tm *tm) = { imf_fixdate, asctime_date, rfc850_date };

	/* whether the day of the week is the date's own is not asked */
	for (size_t day = 0; day < NITEMS(days); day++) {
		if (strncmp(text, days[day], 3) != 0)
			continue;
		for (size_t i = 0; i < NITEMS(forms); i++) {
			struct tm tm = { 0 };
			const char *p = forms[i](
			    forms[i] == rfc850_date ? pass(text, days[day]) : text + 3, &tm);

			if (p == NULL || p[strspn(p, " \t")] != '\0' || !is_sane(&tm))
				continue;
			tm.tm_year -= 1900;
			*ret = timegm(&tm);
			return 0;
		}
	}
	return -EINVAL;
}
