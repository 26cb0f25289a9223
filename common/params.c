/* See params.h. */
#include "common/params.h"

#include <errno.h>

static int
hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
url_decode(struct slice s, bool form, char *dst, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (n == size)
			return -ENAMETOOLONG;
		if (c == '%') {
			int hi, lo;

			if (s.n - i < 3)
				return -EINVAL;
			hi = hex_value(s.p[i + 1]);
			lo = hex_value(s.p[i + 2]);
			if (hi < 0 || lo < 0)
				return -EINVAL;
			c = (uint8_t)(hi << 4 | lo);
			i += 2;
		} else if (c == '+' && form) {
			c = ' ';
		}
		dst[n++] = (char)c;
	}
	return (int)n;
}
