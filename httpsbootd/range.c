/* See range.h. */
#include "httpsbootd/range.h"

#include "common/wire.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* A decimal number of n characters; an empty one gives -ENOENT. */
static int
number(const char *p, size_t n, uint64_t *ret)
{
	char text[21];

	if (n == 0)
		return -ENOENT;
	if (n >= sizeof(text))
		return -EINVAL;
	memcpy(text, p, n);
	text[n] = '\0';
	return parse_u64(text, ret);
}

int
range_parse(const char *header, uint64_t size, struct range *ret)
{
	static const char unit[] = "bytes=";
	uint64_t first = 0, last = 0;
	const char *dash;
	int has_first, has_last;

	if (header == NULL || strncasecmp(header, unit, sizeof(unit) - 1) != 0)
		return -ENOENT;
	header += sizeof(unit) - 1;
	header += strspn(header, " \t");
	dash = strchr(header, '-');
	if (dash == NULL || strchr(header, ',') != NULL)
		return -ENOENT;
	has_first = number(header, (size_t)(dash - header), &first);
	has_last = number(dash + 1, strcspn(dash + 1, " \t"), &last);
	if ((has_first < 0 && has_first != -ENOENT) || (has_last < 0 && has_last != -ENOENT) ||
	    (has_first == -ENOENT && has_last == -ENOENT))
		return -ENOENT;
	if (has_first == -ENOENT) { /* the last so many bytes */
		if (last == 0 || size == 0)
			return -ERANGE;
		first = last < size ? size - last : 0;
		last = size - 1;
	} else if (has_last == -ENOENT || last >= size) {
		last = size - 1;
	} else if (last < first) {
		return -ENOENT;
	}
	if (first >= size)
		return -ERANGE;
	*ret = (struct range){ first, last };
	return 0;
}
