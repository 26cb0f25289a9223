/* The unit tests' frame; see test.h. */
#include "tests/test.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	char what[256];
	int cases;
	int failed_cases;
	int failures; /* of this case */
} state;

static void
end_case(void)
{
	if (state.what[0] == '\0')
		return;
	state.cases++;
	if (state.failures > 0)
		state.failed_cases++;
	printf("%s %d - %s\n", state.failures > 0 ? "not ok" : "ok", state.cases, state.what);
	fflush(stdout);
	state.what[0] = '\0';
}

void
test_case(const char *what, ...)
{
	va_list ap;

	end_case();
	va_start(ap, what);
	vsnprintf(state.what, sizeof(state.what), what, ap);
	va_end(ap);
	state.failures = 0;
}

int
test_end(void)
{
	end_case();
	printf("1..%d\n", state.cases);
	return state.failed_cases > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

void
test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	state.failures++;
	printf("# %s:%d: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

void
test_int(const char *file, int line, const char *expr, long long got, long long want)
{
	if (got != want)
		test_fail(file, line, "%s is %lld, not %lld", expr, got, want);
}

void
test_str(const char *file, int line, const char *expr, const char *got, const char *want)
{
	if (got == NULL || want == NULL ? got != want : strcmp(got, want) != 0)
		test_fail(file, line, "%s is \"%s\", not \"%s\"", expr,
		    got != NULL ? got : "(null)", want != NULL ? want : "(null)");
}

void
test_bytes(const char *file, int line, const char *expr, struct slice got, struct slice want)
{
	size_t at = 0;

	if (slice_eq(got, want))
		return;
	while (at < got.n && at < want.n && got.p[at] == want.p[at])
		at++;
	test_fail(file, line, "%s: %zu bytes, not %zu; they differ from byte %zu on", expr, got.n,
	    want.n, at);
}

size_t
test_unhex(const char *hex, uint8_t *dst, size_t size)
{
	size_t n = 0;

	for (; *hex != '\0'; hex++) {
		char pair[3] = { hex[0], hex[1], '\0' };

		if (isspace((unsigned char)*hex))
			continue;
		assert(isxdigit((unsigned char)pair[0]) && isxdigit((unsigned char)pair[1]));
		assert(n < size);
		dst[n++] = (uint8_t)strtoul(pair, NULL, 16);
		hex++;
	}
	return n;
}

uint8_t *
test_data(const char *name, size_t *ret_n)
{
	const char *tests = getenv("BOOTFERRY_TESTS");
	char path[512];
	uint8_t *data;
	long size;
	FILE *f;

	snprintf(path, sizeof(path), "%s/data/%s", tests != NULL ? tests : "tests", name);
	f = fopen(path, "rb");
	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	rewind(f);
	data = malloc((size_t)size + 1);
	if (data == NULL || fread(data, 1, (size_t)size, f) != (size_t)size) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	fclose(f);
	data[size] = 0;
	*ret_n = (size_t)size;
	return data;
}
