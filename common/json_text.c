/* See json_text.h. */
#include "common/json_text.h"

#include <stdlib.h>
#include <string.h>

json_t *
json_text(struct slice s)
{
	bool nul = s.n > 0 && memchr(s.p, '\0', s.n) != NULL;
	json_t *v = nul ? NULL : json_stringn(s.n > 0 ? (const char *)s.p : "", s.n);
	bool latin = v == NULL;
	struct wbuf w;
	uint8_t *buf;

	if (v != NULL)
		return v;
	buf = malloc(3 * s.n + 1);
	if (buf == NULL)
		return NULL;
	if (nul) { /* the rest may be UTF-8 all the same */
		v = json_stringn((const char *)s.p, s.n);
		latin = v == NULL;
		json_decref(v);
	}
	wbuf_init(&w, buf, 3 * s.n);
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '\0') {
			wbuf_str(&w, "\xef\xbf\xbd");
		} else if (c < 0x80 || !latin) {
			wbuf_u8(&w, c);
		} else {
			wbuf_u8(&w, (uint8_t)(0xc0 | c >> 6));
			wbuf_u8(&w, (uint8_t)(0x80 | (c & 0x3f)));
		}
	}
	v = json_stringn((const char *)buf, w.used);
	free(buf);
	return v;
}
