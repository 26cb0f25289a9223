/*
 * Contents that are a function of the offset: any piece of a file can be checked where it arrives,
 * without the file at hand.  They repeat after a prime number of bytes, so that a block which is
 * put in the place of another differs from it, whatever the block size is.
 */
#ifndef TESTS_BENCH_PATTERN_H
#define TESTS_BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PATTERN_PIECE_MAX 65536

void pattern_init(void);
/* Whether n bytes, PATTERN_PIECE_MAX at most, are those at that offset. */
bool pattern_is(uint64_t offset, const uint8_t *p, size_t n);
/* 0, or a negative errno. */
int pattern_write(FILE *f, uint64_t size);

#endif
