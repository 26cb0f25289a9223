/*
 * What the fuzz targets share.  Each target reads bytes as a daemon would and checks what must hold
 * for any input; a broken promise ends the process.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "common/wire.h"

#include <stdio.h>
#include <stdlib.h>

/* Unlike assert() it stays in every build. */
#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #cond);         \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy with a NUL behind it; free() it. */
char *fuzz_text(const uint8_t *data, size_t size);

#endif
