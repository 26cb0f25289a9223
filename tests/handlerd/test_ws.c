/* Tests of handlerd/ws.c. */
#include "handlerd/ws.h"

#include "tests/test.h"

#include <string.h>

static void
test_files(void)
{
	static const struct {
		const char *what, *path;
		enum ws_feature want;
	} cases[] = {
		{ "the commands at WinPE's start", "winpe/start.cmd", WS_WINPE_START },
		{ "and at its end", "winpe/end.cmd", WS_WINPE_END },
		{ "the list of programs, in any case", "WinPE/WINPESHL.ini", WS_WINPESHL },
		{ "the configuration", "winpe/config.ini", WS_CONFIG },
		{ "a file more", "winpe/extra", WS_EXTRA_FILE },
		{ "an ordinary file beside them", "winpe/boot.wim", WS_FEATURES },
		{ "one below", "winpe/extra/x", WS_FEATURES },
		{ "one of the same name elsewhere", "scripts/winpeshl.ini", WS_FEATURES },
		{ "the folder", "winpe", WS_FEATURES },
		{ "nothing", "", WS_FEATURES },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("files of WinPE: %s", cases[i].what);
		CHECK_INT(ws_feature_of_file(slice_str(cases[i].path)), cases[i].want);
	}
}

static void
test_pairs(void)
{
	char name[] = "tokenid", value[] = "t-1";
	const struct ws_pair from[] = { { name, value }, { value, name } };
	struct ws_pair *copy = NULL;

	test_case("pairs: a copy is one of its own");
	CHECK_INT(ws_pairs_copy(from, NITEMS(from), &copy), 0);
	memset(name, 'x', strlen(name));
	CHECK_STR(copy[0].name, "tokenid");
	CHECK_STR(copy[1].name, "t-1");
	CHECK_STR(copy[1].value, "tokenid");
	ws_pairs_free(copy, NITEMS(from));
	test_case("pairs: none are no pointer");
	CHECK_INT(ws_pairs_copy(NULL, 0, &copy), 0);
	CHECK(copy == NULL);
	ws_pairs_free(copy, 0);
}

int
main(void)
{
	test_files();
	test_pairs();
	return test_end();
}
