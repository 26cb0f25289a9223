/* Tests of handlerd/roots.c. */
#include "handlerd/roots.h"

#include "tests/test.h"

#include <string.h>

#define A "aa00000000000001"
#define B "bb00000000000001"

/* 32 bytes that begin as that and differ behind */
static const uint8_t print_a[32] = { 0xaa, 0, 0, 0, 0, 0, 0, 1, 1 };
static const uint8_t print_b[32] = { 0xbb, 0, 0, 0, 0, 0, 0, 1, 2 };
static const uint8_t print_c[32] = { 0xcc };

static void
test_text(void)
{
	uint8_t many[32 * 20] = { 0 };
	char text[ROOTS_TEXT];
	struct slice s;

	test_case("text: of none, one, two, and too many");
	CHECK_INT(roots_text((struct slice){ 0 }, text).n, 0);
	memcpy(many, print_a, 32);
	memcpy(many + 32, print_b, 32);
	CHECK_BYTES(roots_text((struct slice){ many, 32 }, text), slice_str(A));
	CHECK_BYTES(roots_text((struct slice){ many, 63 }, text), slice_str(A));
	s = roots_text((struct slice){ many, 64 }, text);
	CHECK_BYTES(s, slice_str(A "," B));
	CHECK(roots_have(s, print_a) && roots_have(s, print_b) && !roots_have(s, print_c));
	CHECK(!roots_have((struct slice){ 0 }, print_a));
	CHECK(roots_mark((struct slice){ many, 32 }) != roots_mark((struct slice){ many, 64 }));
	CHECK(
	    roots_mark((struct slice){ many, 32 }) != roots_mark((struct slice){ many + 32, 32 }));
	CHECK(roots_mark((struct slice){ 0 }) != 0);
	s = roots_text((struct slice){ many, sizeof(many) }, text);
	CHECK(s.n <= IDENTITY_TEXT_MAX && (s.n + 1) % 17 == 0 && roots_have(s, print_b));
}

static void
test_judge(void)
{
	static const struct {
		const char *what;
		const char *roots;
		uint64_t roots_ms, last_ms;
		enum boot_phase phase;
		uint64_t phase_ms;
		enum roots_told want; /* of B, seen since 100 */
	} cases[] = {
		{ "never came so far", "", 0, 500, PHASE_FIRMWARE, 500, ROOTS_NONE },
		{ "no boot at all", "", 0, 500, PHASE_FIRMWARE, 0, ROOTS_NONE },
		{ "offered both", A "," B, 300, 300, PHASE_FIRMWARE, 300, ROOTS_TOLD },
		{ "offered both, its boot was before", A "," B, 300, 300, PHASE_DONE, 200,
		    ROOTS_TOLD },
		{ "offered both, and came to iPXE", A "," B, 300, 320, PHASE_IPXE, 320,
		    ROOTS_BOOTED },
		{ "the new one alone", B, 300, 320, PHASE_SCRIPT, 320, ROOTS_BOOTED },
		{ "offered both, long ago", A "," B, 10, 20, PHASE_DONE, 20, ROOTS_BOOTED },
		{ "the old one alone", A, 10, 300, PHASE_DONE, 300, ROOTS_UNTOLD },
		{ "the old one alone, and not seen lately", A, 10, 99, PHASE_DONE, 99,
		    ROOTS_SILENT },
		{ "trust from elsewhere", "", 0, 300, PHASE_SCRIPT, 300, ROOTS_FOREIGN },
		{ "trust from elsewhere, not seen lately", "", 0, 99, PHASE_SCRIPT, 99,
		    ROOTS_SILENT },
		{ "its boot failed", "", 0, 300, PHASE_FAILED, 300, ROOTS_NONE },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		const struct machine m = { .roots = slice_str(cases[i].roots),
			.roots_ms = cases[i].roots_ms,
			.last_ms = cases[i].last_ms,
			.phase = cases[i].phase,
			.phase_ms = cases[i].phase_ms };

		test_case("%s", cases[i].what);
		CHECK_INT(roots_judge(&m, print_b, 100), cases[i].want);
	}
}

int
main(void)
{
	test_text();
	test_judge();
	return test_end();
}
