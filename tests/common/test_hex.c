/* Tests of common/hex.c. */
#include "common/hex.h"

#include "tests/test.h"

#include <errno.h>

int
main(void)
{
	static const struct {
		const char *what, *text;
		int rc;
	} bad[] = {
		{ "an odd number of digits", "abc", -EINVAL },
		{ "what is no digit", "0g", -EINVAL },
		{ "more than there is room for", "0102030405", -EMSGSIZE },
	};
	uint8_t bytes[4];
	char text[9];

	test_case("bytes to digits and back");
	CHECK_INT(hex_parse(slice_str("00aBfF7e"), bytes, sizeof(bytes)), 4);
	CHECK_STR(hex_format((struct slice){ bytes, 4 }, text), "00abff7e");
	test_case("nothing is nothing");
	CHECK_INT(hex_parse(slice_str(""), bytes, sizeof(bytes)), 0);
	CHECK_STR(hex_format((struct slice){ bytes, 0 }, text), "");
	for (size_t i = 0; i < NITEMS(bad); i++) {
		test_case("refused: %s", bad[i].what);
		CHECK_INT(hex_parse(slice_str(bad[i].text), bytes, sizeof(bytes)), bad[i].rc);
	}
	test_case("of all octets 22 are digits");
	for (int c = 0, digits = 0; c < 256; c++) {
		digits += hex_digit((uint8_t)c) >= 0;
		if (c == 255)
			CHECK_INT(digits, 22);
	}
	CHECK_INT(hex_digit('9'), 9);
	CHECK_INT(hex_digit('a'), 10);
	CHECK_INT(hex_digit('F'), 15);
	return test_end();
}
