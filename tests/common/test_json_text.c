/* Tests of common/json_text.c. */
#include "common/json_text.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#define TEXT(s)                                                                                    \
	{                                                                                          \
		(const uint8_t *)(s), sizeof(s) - 1                                                \
	}

static const struct {
	const char *what;
	struct slice in, out;
} cases[] = {
	{ "plain text", TEXT("OptiPlex 7090"), TEXT("OptiPlex 7090") },
	{ "nothing", { NULL, 0 }, TEXT("") },
	{ "UTF-8 stays", TEXT("Ger\xc3\xa4t"), TEXT("Ger\xc3\xa4t") },
	{ "what is none is Latin-1", TEXT("Ger\xe4t"), TEXT("Ger\xc3\xa4t") },
	{ "a sequence that is cut off", TEXT("a\xc3"), TEXT("a\xc3\x83") },
	{ "the longest and the lowest", TEXT("\xff\x80"), TEXT("\xc3\xbf\xc2\x80") },
	{ "a NUL has a sign in its place", TEXT("a\0b"),
	    TEXT("a\xef\xbf\xbd"
		 "b") },
	{ "UTF-8 around a NUL stays", TEXT("\xc3\xa4\0"), TEXT("\xc3\xa4\xef\xbf\xbd") },
	{ "both at once", TEXT("\xe4\0\xe4"), TEXT("\xc3\xa4\xef\xbf\xbd\xc3\xa4") },
	{ "control characters are JSON's to escape", TEXT("\x1b[2J\n"), TEXT("\x1b[2J\n") },
};

int
main(void)
{
	for (size_t i = 0; i < NITEMS(cases); i++) {
		json_t *v = json_text(cases[i].in), *back;
		char *dump;

		test_case("%s", cases[i].what);
		CHECK(v != NULL);
		CHECK_BYTES(((struct slice){
				(const uint8_t *)json_string_value(v), json_string_length(v) }),
		    cases[i].out);
		/* a reader that takes no NULs takes it */
		dump = json_dumps(v, JSON_ENCODE_ANY);
		back = dump != NULL ? json_loads(dump, JSON_DECODE_ANY, NULL) : NULL;
		CHECK(json_equal(v, back));
		json_decref(back);
		json_decref(v);
		free(dump);
	}
	return test_end();
}
