/* Tests of common/log.c. */
#include "common/log.h"

#include "tests/test.h"

#include <string.h>

int
main(void)
{
	static const struct {
		const char *what, *in, *out;
	} cases[] = {
		{ "plain text stays", "ipxe.efi", "ipxe.efi" },
		{ "nothing is shown as such", "", "\"\"" },
		{ "blanks are quoted", "Standard PC", "\"Standard PC\"" },
		{ "an equals sign cannot fake a key", "a=b", "\"a=b\"" },
		{ "line feeds and escapes do not reach the log", "a\nb\x1b[31m",
		    "a\\x0ab\\x1b[31m" },
		{ "quotes and back-slashes are escaped", "a\"\\", "\"a\\\"\\\\\"" },
		{ "bytes above ASCII are escaped", "M\xc3\xbc", "M\\xc3\\xbc" },
	};
	struct log_limit limit = { 0 };
	char buf[LOG_QUOTE_SIZE], lengthy[1000];
	uint32_t dropped = 0, passed = 0;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("quoting: %s", cases[i].what);
		CHECK_STR(log_quote(slice_str(cases[i].in), buf), cases[i].out);
	}

	test_case("quoting: a text too long is cut with dots, whatever it holds");
	for (int c = 1; c < 256; c++) {
		memset(lengthy, c, sizeof(lengthy) - 1);
		lengthy[sizeof(lengthy) - 1] = '\0';
		log_quote(slice_str(lengthy), buf);
		CHECK(strlen(buf) < LOG_QUOTE_SIZE);
		CHECK(strstr(buf, "...") != NULL);
	}

	test_case("lines that strangers cause are limited, and the rest counted");
	for (int i = 0; i < 10000; i++)
		passed += log_limit_pass(&limit, 1000, &dropped);
	CHECK_INT(passed, LOG_LIMIT_BURST);
	CHECK_INT(dropped, 0);
	CHECK(log_limit_pass(&limit, 2000, &dropped));
	CHECK_INT(dropped, 10000 - LOG_LIMIT_BURST);

	test_case("after a second of silence a second's worth may be written again");
	passed = 1;
	for (int i = 0; i < 1000; i++)
		passed += log_limit_pass(&limit, 2000, &dropped);
	CHECK_INT(passed, LOG_LIMIT_PER_S);
	passed = 0;
	for (int i = 0; i < 1000; i++)
		passed += log_limit_pass(&limit, 1000000, &dropped);
	CHECK_INT(passed, LOG_LIMIT_BURST);
	return test_end();
}
