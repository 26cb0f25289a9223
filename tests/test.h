/*
 * The unit tests' frame: a test program names its cases and checks; each case is one line of the
 * Test Anything Protocol.
 */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include "common/wire.h"

/* Begins a case; `what` is a sentence. Ends the one before. */
void test_case(const char *what, ...) __attribute__((format(printf, 1, 2)));
/* Prints the plan; the exit status of the program. */
int test_end(void);

void test_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void test_int(const char *file, int line, const char *expr, long long got, long long want);
void test_str(const char *file, int line, const char *expr, const char *got, const char *want);
void test_bytes(const char *file, int line, const char *expr, struct slice got, struct slice want);

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			test_fail(__FILE__, __LINE__, "not true: %s", #cond);                      \
	} while (0)
#define CHECK_INT(got, want)   test_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
#define CHECK_STR(got, want)   test_str(__FILE__, __LINE__, #got, got, want)
#define CHECK_BYTES(got, want) test_bytes(__FILE__, __LINE__, #got, got, want)

/* Bytes written in hexadecimal, blanks allowed; at most `size`.  The number of bytes. */
size_t test_unhex(const char *hex, uint8_t *dst, size_t size);
/* A whole file below tests/data (from $BOOTFERRY_TESTS, else tests/), as new memory. */
uint8_t *test_data(const char *name, size_t *ret_n);

#endif
