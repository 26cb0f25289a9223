/* See counters.h. */
#include "common/counters.h"

#include <string.h>

void
counters_print(struct wbuf *w, const struct counter *table, const void *base)
{
	for (const struct counter *c = table; c->name != NULL; c++) {
		uint64_t v;

		memcpy(&v, (const uint8_t *)base + c->off, sizeof(v));
		wbuf_printf(w, "%s %llu\n", c->name, (unsigned long long)v);
	}
}

json_t *
counters_parse(struct slice text)
{
	json_t *object = json_object();
	size_t at = 0;

	while (at < text.n) {
		char line[128], *blank;
		size_t n = 0;
		uint64_t v;

		while (at + n < text.n && text.p[at + n] != '\n')
			n++;
		slice_copy(line, sizeof(line), (struct slice){ text.p + at, n });
		at += n + 1;
		blank = strchr(line, ' ');
		if (blank == NULL || blank == line || parse_u64(blank + 1, &v) < 0)
			continue;
		*blank = '\0';
		json_object_set_new(object, line, json_integer((json_int_t)v));
	}
	return object;
}
