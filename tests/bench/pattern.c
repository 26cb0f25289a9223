/* See pattern.h. */
#include "tests/bench/pattern.h"

#include <errno.h>
#include <string.h>

#define PERIOD 65521 /* fits into a processor's second cache together with what arrives */

static uint8_t table[PERIOD + PATTERN_PIECE_MAX];

void
pattern_init(void)
{
	uint64_t x = 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < PERIOD; i++) { /* xorshift */
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		table[i] = (uint8_t)(x >> 32);
	}
	for (size_t i = PERIOD; i < sizeof(table); i++)
		table[i] = table[i - PERIOD];
}

bool
pattern_is(uint64_t offset, const uint8_t *p, size_t n)
{
	return memcmp(p, table + offset % PERIOD, n) == 0;
}

int
pattern_write(FILE *f, uint64_t size)
{
	for (uint64_t at = 0; at < size;) {
		size_t n = size - at < PATTERN_PIECE_MAX ? (size_t)(size - at) : PATTERN_PIECE_MAX;

		if (fwrite(table + at % PERIOD, 1, n, f) != n)
			return -errno;
		at += n;
	}
	return fflush(f) != 0 ? -errno : 0;
}
