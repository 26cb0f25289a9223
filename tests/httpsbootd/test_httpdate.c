/* Tests of httpsbootd/httpdate.c. */
#include "httpsbootd/httpdate.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

int
main(void)
{
	static const struct {
		const char *what, *text;
		int rc;
		int64_t want;
	} cases[] = {
		{ "the form of today", "Sun, 06 Nov 1994 08:49:37 GMT", 0, 784111777 },
		{ "with blanks behind it", "Sun, 06 Nov 1994 08:49:37 GMT \t", 0, 784111777 },
		{ "RFC 850's", "Sunday, 06-Nov-94 08:49:37 GMT", 0, 784111777 },
		{ "RFC 850's, after 1999", "Friday, 06-Nov-26 08:49:37 GMT", 0, 1793954977 },
		{ "asctime's", "Sun Nov  6 08:49:37 1994", 0, 784111777 },
		{ "asctime's with two digits", "Wed Nov 16 08:49:37 1994", 0, 784975777 },
		{ "the first second", "Thu, 01 Jan 1970 00:00:00 GMT", 0, 0 },
		{ "a leap second", "Sat, 31 Dec 2016 23:59:60 GMT", 0, 1483228800 },
		{ "a leap day", "Thu, 29 Feb 2024 00:00:00 GMT", 0, 1709164800 },
		{ "nothing", "", -EINVAL, 0 },
		{ "no date", "yesterday", -EINVAL, 0 },
		{ "a day alone", "Sun, ", -EINVAL, 0 },
		{ "another zone", "Sun, 06 Nov 1994 08:49:37 CET", -EINVAL, 0 },
		{ "something behind it", "Sun, 06 Nov 1994 08:49:37 GMT; x", -EINVAL, 0 },
		{ "no such month", "Sun, 06 Nov. 1994 08:49:37 GMT", -EINVAL, 0 },
		{ "the hour 24", "Sun, 06 Nov 1994 24:00:00 GMT", -EINVAL, 0 },
		{ "before 1970", "Sun, 06 Nov 1960 08:49:37 GMT", -EINVAL, 0 },
		{ "a sign in a number", "Sun, 06 Nov 1994 08:-9:37 GMT", -EINVAL, 0 },
		{ "the wrong long name", "Monda, 06-Nov-94 08:49:37 GMT", -EINVAL, 0 },
	};
	static const int64_t seconds[] = { 0, 784111777, 951827696, 1793954977, 253402300799 };
	char text[HTTPDATE_STRLEN], cut[HTTPDATE_STRLEN];
	int64_t t;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		t = -1;
		test_case("date: %s", cases[i].what);
		CHECK_INT(httpdate_parse(cases[i].text, &t), cases[i].rc);
		CHECK_INT(t, cases[i].rc == 0 ? cases[i].want : -1);
	}
	test_case("date: what is written is read again, and no part of it is");
	for (size_t i = 0; i < NITEMS(seconds); i++) {
		CHECK_INT(httpdate_parse(httpdate_format(seconds[i], text), &t), 0);
		CHECK_INT(t, seconds[i]);
		for (size_t n = 0; n < strlen(text); n++) {
			memcpy(cut, text, n);
			cut[n] = '\0';
			CHECK_INT(httpdate_parse(cut, &t), -EINVAL);
		}
	}
	test_case("date: as the RFC prints it, and years out of reach at the edge");
	CHECK_STR(httpdate_format(784111777, text), "Sun, 06 Nov 1994 08:49:37 GMT");
	CHECK_STR(httpdate_format(-5, text), "Thu, 01 Jan 1970 00:00:00 GMT");
	CHECK_STR(httpdate_format(INT64_MAX, text), "Fri, 31 Dec 9999 23:59:59 GMT");
	return test_end();
}
