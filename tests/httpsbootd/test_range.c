/* Tests of httpsbootd/range.c. */
#include "httpsbootd/range.h"

#include "tests/test.h"

#include <errno.h>

int
main(void)
{
	static const struct {
		const char *what, *header;
		uint64_t size;
		int rc;
		uint64_t first, last;
	} cases[] = {
		{ "a part", "bytes=0-99", 1000, 0, 0, 99 },
		{ "one byte", "bytes=999-999", 1000, 0, 999, 999 },
		{ "from somewhere to the end", "bytes=500-", 1000, 0, 500, 999 },
		{ "the last hundred", "bytes=-100", 1000, 0, 900, 999 },
		{ "more than there is at the end", "bytes=900-2000", 1000, 0, 900, 999 },
		{ "the last of more than there is", "bytes=-5000", 1000, 0, 0, 999 },
		{ "blanks and another case", "Bytes= 1-2 ", 1000, 0, 1, 2 },
		{ "beyond the end", "bytes=1000-", 1000, -ERANGE, 0, 0 },
		{ "the last nothing", "bytes=-0", 1000, -ERANGE, 0, 0 },
		{ "anything of an empty file", "bytes=0-0", 0, -ERANGE, 0, 0 },
		{ "the end of an empty file", "bytes=-1", 0, -ERANGE, 0, 0 },
		{ "no header", NULL, 1000, -ENOENT, 0, 0 },
		{ "another unit", "lines=1-2", 1000, -ENOENT, 0, 0 },
		{ "several ranges", "bytes=0-1,5-6", 1000, -ENOENT, 0, 0 },
		{ "backwards", "bytes=5-4", 1000, -ENOENT, 0, 0 },
		{ "nothing", "bytes=", 1000, -ENOENT, 0, 0 },
		{ "a dash alone", "bytes=-", 1000, -ENOENT, 0, 0 },
		{ "no numbers", "bytes=a-b", 1000, -ENOENT, 0, 0 },
		{ "backwards, beyond the end", "bytes=5000-4000", 1000, -ENOENT, 0, 0 },
		{ "from beyond what a number holds", "bytes=99999999999999999999-", 1000, -ERANGE,
		    0, 0 },
		{ "up to there", "bytes=10-99999999999999999999999999", 1000, 0, 10, 999 },
		{ "both", "bytes=18446744073709551616-18446744073709551617", 1000, -ERANGE, 0, 0 },
		{ "the last of so many", "bytes=-99999999999999999999", 1000, 0, 0, 999 },
		{ "many zeros", "bytes=000000000000000000000000001-2", 1000, 0, 1, 2 },
		{ "something behind", "bytes=1-2 x", 1000, -ENOENT, 0, 0 },
		{ "a sign", "bytes=+1-2", 1000, -ENOENT, 0, 0 },
		{ "a negative number", "bytes=--5", 1000, -ENOENT, 0, 0 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct range r = { 0, 0 };

		test_case("range: %s", cases[i].what);
		CHECK_INT(range_parse(cases[i].header, cases[i].size, &r), cases[i].rc);
		CHECK_INT(r.first, cases[i].first);
		CHECK_INT(r.last, cases[i].last);
	}
	return test_end();
}
