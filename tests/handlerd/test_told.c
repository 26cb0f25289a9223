/* Tests of handlerd/told.c. */
#include "handlerd/told.h"

#include "tests/test.h"

#include <stdio.h>
#include <string.h>

int
main(void)
{
	struct told t;
	char name[32];

	memset(&t, 0, sizeof(t));
	test_case("a name is told once");
	CHECK_INT(told_note(&t, "nic:525400|PXEClient|99"), TOLD_NEW);
	CHECK_INT(told_note(&t, "nic:525400|PXEClient|99"), TOLD_OVER);
	CHECK_INT(told_note(&t, "nic:525400|PXEClient|98"), TOLD_NEW);
	CHECK_INT(told_note(&t, "nic:525400|PXEClient|99"), TOLD_OVER);

	test_case("when the set is full it says so once, and remembers what it knows");
	for (unsigned i = 2; i < TOLD_MAX; i++) {
		snprintf(name, sizeof(name), "name %u", i);
		CHECK_INT(told_note(&t, name), TOLD_NEW);
	}
	CHECK_INT(told_note(&t, "one more"), TOLD_FULL);
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "made up %u", i);
		CHECK_INT(told_note(&t, name), TOLD_OVER);
	}
	CHECK_INT(told_note(&t, "name 255"), TOLD_OVER);
	CHECK_INT(t.n, TOLD_MAX);
	return test_end();
}
