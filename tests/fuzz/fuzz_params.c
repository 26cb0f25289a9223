/*
 * Forms, read in both ways: looking up a name finds what taking the pairs one by one finds first.
 * The first line of the input is the name, the rest the form.
 */
#include "common/params.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* What params_get() says, done the plain way. */
static int
look_up(struct slice text, const char *name, char *buf, size_t size, size_t *ret_n)
{
	static char decoded[65536];
	struct slice key, value;

	while (params_next(&text, &key, &value)) {
		int n = url_decode(key, true, decoded, sizeof(decoded));

		MUST(n <= (int)key.n && memchr(key.p, '&', key.n) == NULL);
		if (n < 0 || (size_t)n != strlen(name) ||
		    strncasecmp(decoded, name, (size_t)n) != 0)
			continue;
		n = url_decode(value, true, buf, size);
		if (n == -ENAMETOOLONG)
			return -EMSGSIZE;
		if (n < 0)
			continue;
		*ret_n = (size_t)n;
		return 0;
	}
	return -ENOENT;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = size > 0 ? memchr(data, '\n', size) : NULL;
	char name[PARAMS_NAME_MAX + 1], buf[64], again[64];
	struct slice text, value = { 0 };
	size_t n = 0;
	int rc;

	if (line == NULL || size > 65536)
		return 0;
	(void)slice_copy(name, sizeof(name), (struct slice){ data, (size_t)(line - data) });
	text = (struct slice){ line + 1, size - (size_t)(line - data) - 1 };
	rc = params_get(text, name, buf, sizeof(buf), &value);
	MUST(rc == look_up(text, name, again, sizeof(again), &n));
	if (rc == 0)
		MUST(value.n == n && memcmp(value.p, again, n) == 0);
	return 0;
}
