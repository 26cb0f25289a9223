/* Tests of common/quote.c. */
#include "common/quote.h"

#include "tests/test.h"

#include <string.h>

int
main(void)
{
	static const struct {
		const char *what, *text, *want;
	} cases[] = {
		{ "a word", "snponly.efi", "snponly.efi" },
		{ "nothing", "", "\"\"" },
		{ "blanks", "Test PC", "\"Test PC\"" },
		{ "an equals sign", "a=b", "\"a=b\"" },
		{ "quotes and back-slashes", "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "what does not print", "a\n\xff", "a\\x0a\\xff" },
		{ "what does not fit", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "aaaaaaaaaaaaaaaaaaaaaaaa..." },
	};
	uint8_t all[256];
	char buf[32];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("quoted: %s", cases[i].what);
		CHECK_STR(quote(slice_str(cases[i].text), buf, sizeof(buf)), cases[i].want);
	}
	test_case("quoted: any bytes in any room, and it fits");
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(255 - i);
	for (size_t size = 16; size <= sizeof(buf); size++) {
		for (size_t from = 0; from < sizeof(all); from++) {
			memset(buf, '!', sizeof(buf));
			(void)quote((struct slice){ all + from, sizeof(all) - from }, buf, size);
			CHECK(strlen(buf) < size);
		}
	}
	return test_end();
}
