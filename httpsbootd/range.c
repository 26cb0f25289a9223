/* See range.h. */
#include "httpsbootd/range.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/*
 * A decimal number of n characters; an empty one gives -ENOENT.  What is larger than any file
 * counts as the largest number (RFC 9110 section 14.1.1 expects such).
 */
static int
number(const char *p, size_t n, uint64_t *ret)
{
	uint64_t v = 0;

	if (n == 0)
		return -ENOENT;
	for (size_t i = 0; i < n; i++) {
		uint64_t digit = (uint64_t)(unsigned char)p[i] - '0';

		if (digit > 9)
			return -EINVAL;
		v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX : v * 10 + digit;
	}
	*ret = v;
	return 0;
}

int
range_parse(const char *header, uint64_t size, struct range *ret)
{
	static const char unit[] = "bytes=";
	uint64_t first = 0, last = 0;
	const char *dash, *end;
	int has_first, has_last;

	if (header == NULL || strncasecmp(header, unit, sizeof(unit) - 1) != 0)
		return -ENOENT;
	header += sizeof(unit) - 1;
	header += strspn(header, " \t");
	dash = strchr(header, '-');
	if (dash == NULL || strchr(header, ',') != NULL)
		return -ENOENT;
	has_first = number(header, (size_t)(dash - header), &first);
	end = dash + 1 + strcspn(dash + 1, " \t");
	has_last = number(dash + 1, (size_t)(end - (dash + 1)), &last);
	if (end[strspn(end, " \t")] != '\0' || (has_first < 0 && has_first != -ENOENT) ||
	    (has_last < 0 && has_last != -ENOENT) || (has_first == -ENOENT && has_last == -ENOENT))
		return -ENOENT;
	if (has_first == -ENOENT) { /* the last so many bytes */
		if (last == 0 || size == 0)
			return -ERANGE;
		first = last < size ? size - last : 0;
		last = size - 1;
	} else if (has_last == 0 && last < first) {
		return -ENOENT;
	} else if (has_last == -ENOENT || last >= size) {
		last = size - 1;
	}
	if (first >= size)
		return -ERANGE;
	*ret = (struct range){ first, last };
	return 0;
}
