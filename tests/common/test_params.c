/* Tests of common/params.c. */
#include "common/params.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

static void
test_decode(void)
{
	static const struct {
		const char *what, *in;
		bool form;
		size_t size;
		int rc;
		const char *out;
	} cases[] = {
		{ "plain text stays", "abc", true, 16, 3, "abc" },
		{ "percent and two digits are an octet", "%41%6a%6A", true, 16, 3, "Ajj" },
		{ "a plus is a blank in a form", "a+b", true, 16, 3, "a b" },
		{ "a plus is a plus elsewhere", "a+b", false, 16, 3, "a+b" },
		{ "what is decoded is not decoded again", "%2541", true, 16, 3, "%41" },
		{ "exactly what fits", "%41%42", true, 2, 2, "AB" },
		{ "one more is too much", "%41%42", true, 1, -ENAMETOOLONG, "" },
		{ "a percent at the end", "a%", true, 16, -EINVAL, "" },
		{ "one digit at the end", "a%4", true, 16, -EINVAL, "" },
		{ "what is no digit", "%4g", true, 16, -EINVAL, "" },
		{ "a sign is no digit", "%+4", true, 16, -EINVAL, "" },
	};
	char buf[16];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("decode: %s", cases[i].what);
		CHECK_INT(url_decode(slice_str(cases[i].in), cases[i].form, buf, cases[i].size),
		    cases[i].rc);
		if (cases[i].rc > 0)
			CHECK(memcmp(buf, cases[i].out, (size_t)cases[i].rc) == 0);
	}
}

static void
test_get(void)
{
	static const struct {
		const char *what, *text, *name;
		int rc;
		const char *value;
	} cases[] = {
		{ "the only one", "entry=tiny", "entry", 0, "tiny" },
		{ "one of several", "mac=1&entry=tiny&x=2", "entry", 0, "tiny" },
		{ "no such name", "mac=1&x=2", "entry", -ENOENT, NULL },
		{ "nothing at all", "", "entry", -ENOENT, NULL },
		{ "a name that only begins so", "entryid=1&entr=2", "entry", -ENOENT, NULL },
		{ "in any case", "ENTRY=a", "entry", 0, "a" },
		{ "a name that is encoded", "%65ntr%59=a", "entry", 0, "a" },
		{ "a blank in the name", "a+b=c", "a b", 0, "c" },
		{ "the first of the same name", "entry=a&Entry=b", "entry", 0, "a" },
		{ "the first that can be decoded", "entry=%zz&entry=b", "entry", 0, "b" },
		{ "an empty value", "entry=&entry=b", "entry", 0, "" },
		{ "no equals sign", "entry&entry=b", "entry", 0, "" },
		{ "a value with equals signs", "entry=a=b=", "entry", 0, "a=b=" },
		{ "encoded separators are mere text", "x=%26entry%3Da&entry=b", "entry", 0, "b" },
		{ "blanks and percents", "entry=a+%2B%20b", "entry", 0, "a + b" },
		{ "iPXE's syntax and line feeds are mere text", "entry=${x}%0Aexit", "entry", 0,
		    "${x}\nexit" },
		{ "as much as fits", "entry=0123456789abcdef", "entry", 0, "0123456789abcdef" },
		{ "more is refused, not cut", "entry=0123456789abcdefg", "entry", -EMSGSIZE, NULL },
		{ "and the next is not taken instead", "entry=0123456789abcdefg&entry=b", "entry",
		    -EMSGSIZE, NULL },
		{ "empty pairs", "&&&entry=a&&", "entry", 0, "a" },
		{ "a name of nothing", "=a&entry=b", "", 0, "a" },
		{ "a semicolon separates nothing", "a=1;entry=2", "entry", -ENOENT, NULL },
		{ "a name that cannot be decoded", "%e=1&entry=2", "entry", 0, "2" },
	};
	struct slice value;
	char buf[16];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("get: %s", cases[i].what);
		CHECK_INT(
		    params_get(slice_str(cases[i].text), cases[i].name, buf, sizeof(buf), &value),
		    cases[i].rc);
		if (cases[i].rc == 0)
			CHECK_BYTES(value, slice_str(cases[i].value));
	}

	test_case("get: a NUL is an octet as any other");
	CHECK_INT(params_get(slice_str("entry=a%00b"), "entry", buf, sizeof(buf), &value), 0);
	CHECK_BYTES(value, ((struct slice){ (const uint8_t *)"a\0b", 3 }));
}

static void
test_text(void)
{
	static const struct {
		const char *what, *text;
		int rc;
		const char *value;
	} cases[] = {
		{ "a value as a string", "a=x%20y", 3, "x y" },
		{ "an empty one", "a=&b=1", 0, "" },
		{ "none of that name", "b=1", -ENOENT, "" },
		{ "one that fills the room", "a=1234567", 7, "1234567" },
		{ "one more", "a=12345678", -EMSGSIZE, "" },
		{ "one with a NUL", "a=x%00y", -EBADMSG, "" },
	};
	char buf[8];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("text: %s", cases[i].what);
		CHECK_INT(
		    params_text(slice_str(cases[i].text), "a", buf, sizeof(buf)), cases[i].rc);
		CHECK_STR(buf, cases[i].value);
	}
}

int
main(void)
{
	test_decode();
	test_get();
	test_text();
	return test_end();
}
