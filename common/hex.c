/* See hex.h. */
#include "common/hex.h"

#include <errno.h>

char *
hex_format(struct slice s, char *dst)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < s.n; i++) {
		dst[2 * i] = digits[s.p[i] >> 4];
		dst[2 * i + 1] = digits[s.p[i] & 15];
	}
	dst[2 * s.n] = '\0';
	return dst;
}

int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
hex_parse(struct slice text, uint8_t *dst, size_t size)
{
	if (text.n % 2 != 0)
		return -EINVAL;
	if (text.n / 2 > size)
		return -EMSGSIZE;
	for (size_t i = 0; i < text.n / 2; i++) {
		int high = hex_digit(text.p[2 * i]), low = hex_digit(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		dst[i] = (uint8_t)(high << 4 | low);
	}
	return (int)(text.n / 2);
}
