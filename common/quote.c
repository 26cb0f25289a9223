/* See quote.h. */
#include "common/quote.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const char *
quote(struct slice s, char *buf, size_t size)
{
	bool marks = s.n == 0;
	size_t used = 0;

	assert(size >= 16);
	for (size_t i = 0; i < s.n && !marks; i++)
		marks = s.p[i] == ' ' || s.p[i] == '=' || s.p[i] == '"';
	if (marks)
		buf[used++] = '"';
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		/* the longest form, then the dots and the closing quote */
		if (used + 4 + 3 + 2 > size) {
			memcpy(buf + used, "...", 3);
			used += 3;
			break;
		}
		if (c == '"' || c == '\\') {
			buf[used++] = '\\';
			buf[used++] = (char)c;
		} else if (c >= 0x20 && c < 0x7f) {
			buf[used++] = (char)c;
		} else {
			used += (size_t)snprintf(buf + used, 5, "\\x%02x", c);
		}
	}
	if (marks)
		buf[used++] = '"';
	buf[used] = '\0';
	return buf;
}
