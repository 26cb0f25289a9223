/* See head.h. */
#include "httpsbootd/head.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

int
head_put_length(uint8_t *head, size_t n, uint64_t length)
{
	static const char field[] = "\r\nContent-Length: ", end[] = "\r\n\r\n";
	const size_t field_n = sizeof(field) - 1, end_n = sizeof(end) - 1;
	char digits[HEAD_LENGTH_DIGITS + 1];
	uint8_t *at, *value;
	size_t left, digits_n;

	if (n < 9 || n > INT_MAX - HEAD_LENGTH_DIGITS || memcmp(head, "HTTP/1.1 ", 9) != 0 ||
	    memmem(head, n, end, end_n) != head + n - end_n)
		return -EBADMSG;
	at = memmem(head, n, field, field_n);
	if (at == NULL)
		return -EBADMSG;
	value = at + field_n;
	left = n - (size_t)(value - head);
	if (left < 3 || memcmp(value, "0\r\n", 3) != 0 ||
	    memmem(value, left, field, field_n) != NULL)
		return -EBADMSG;
	digits_n = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)length);
	memmove(value + digits_n, value + 1, left - 1);
	memcpy(value, digits, digits_n);
	return (int)(n + digits_n - 1);
}
