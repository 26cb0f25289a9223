/* Tests of handlerd/script_params.c; what it writes is compared in test_script.c. */
#include "handlerd/script.h"

#include "tests/test.h"

static void
test_memory(void)
{
	static const struct {
		const char *what, *form;
		uint32_t mb;
	} cases[] = {
		{ "nothing is told", "mac=1", 0 },
		{ "by the setting", "mac=1&memsize=2048", 2048 },
		{ "by SMBIOS", "memsize=&mem0=00000000ffff0b00&mem1=", 768 },
		{ "in two ranges, the second above 4 GB",
		    "mem0=00000000ffff2f00&mem1=00004000ffff4f00", 4096 },
		{ "the setting is surer", "mem0=00000000ffff0b00&memsize=700", 700 },
		{ "4 TB or more is a lot", "mem0=00000000ffffffff", 4194304 },
		{ "a range that ends before it begins", "mem0=ffff0b0000000000", 0 },
		{ "half a range", "mem0=00000000", 0 },
		{ "no hexadecimal", "mem0=0000000xffff0b00", 0 },
		{ "no number", "memsize=-5", 0 },
		{ "more than there is", "memsize=99999999999999", UINT32_MAX },
		{ "more than a number", "memsize=9999999999999999999999", 0 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("memory: %s", cases[i].what);
		CHECK_INT(script_memory_mb(slice_str(cases[i].form)), cases[i].mb);
	}
}

int
main(void)
{
	test_memory();
	return test_end();
}
