/* Stamping whatever may call itself a loader. */
#include "ferryctl/stamp.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t from[DIGEST_BYTES] = "the print that is looked for";
	uint8_t to[DIGEST_BYTES];
	uint8_t *copy = malloc(size + 1), *again = malloc(size + 1);
	int rc;

	MUST(copy != NULL && again != NULL);
	memset(to, 0xff, sizeof(to)); /* no part of the other one */
	if (size > 0)
		memcpy(copy, data, size);
	(void)stamp_is_signed((struct slice){ copy, size });
	rc = stamp_apply(copy, size, from, to);
	if (rc < 0)
		MUST(size == 0 || memcmp(copy, data, size) == 0);
	else
		MUST(memmem(copy, size, from, sizeof(from)) == NULL);
	/* a checksum that was mended is right, and stays so */
	if (rc == 0 && stamp_apply(copy, size, to, from) == 0) {
		memcpy(again, copy, size);
		MUST(stamp_apply(again, size, from, from) == 0);
		MUST(memcmp(again, copy, size) == 0);
	}
	free(copy);
	free(again);
	return 0;
}
