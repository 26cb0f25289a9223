/* See table.h. */
#include "ferryctl/table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *
must(void *p)
{
	if (p == NULL) {
		perror("ferryctl");
		exit(1);
	}
	return p;
}

char *
table_safe(const char *s)
{
	char *safe = must(malloc(4 * strlen(s) + 1)), *p = safe;

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		/* UTF-8 passes, C1 controls do not */
		if (c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] < 0xa0))
			p += sprintf(p, "\\x%02x", c);
		else
			*p++ = (char)c;
	}
	*p = '\0';
	return safe;
}

void
table_init(struct table *t, const char *const headings[])
{
	*t = (struct table){ 0 };
	while (headings[t->columns] != NULL)
		t->columns++;
	assert(t->columns <= TABLE_COLUMNS);
	table_add(t, headings);
}

void
table_add(struct table *t, const char *const cells[])
{
	t->cells = must(realloc(t->cells, (t->rows + 1) * t->columns * sizeof(*t->cells)));
	for (size_t i = 0; i < t->columns; i++)
		t->cells[t->rows * t->columns + i] = table_safe(cells[i] != NULL ? cells[i] : "");
	t->rows++;
}

/* Characters on the screen, as far as UTF-8 tells: continuation bytes take no room. */
static size_t
width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

void
table_print(struct table *t, const char *empty)
{
	size_t widths[TABLE_COLUMNS] = { 0 };

	for (size_t i = 0; i < t->rows * t->columns; i++) {
		size_t n = width(t->cells[i]);

		if (n > widths[i % t->columns])
			widths[i % t->columns] = n;
	}
	if (t->rows == 1) {
		puts(empty);
	} else {
		for (size_t i = 0; i < t->rows * t->columns; i++) {
			size_t column = i % t->columns;

			fputs(t->cells[i], stdout);
			if (column + 1 == t->columns)
				putchar('\n');
			else
				printf("%*s", (int)(widths[column] - width(t->cells[i]) + 2), "");
		}
	}
	for (size_t i = 0; i < t->rows * t->columns; i++)
		free(t->cells[i]);
	free(t->cells);
}

const char *
format_time(uint64_t ms, char buf[static 32])
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	if (ms == 0)
		return "-";
	localtime_r(&s, &tm);
	strftime(buf, 32, "%Y-%m-%d %H:%M:%S", &tm);
	return buf;
}

const char *
format_bytes(uint64_t n, char buf[static 32])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double v = (double)n;
	size_t i = 0;

	while (v >= 1000 && i + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1000;
		i++;
	}
	snprintf(buf, 32, i == 0 ? "%.0f %s" : "%.1f %s", v, units[i]);
	return buf;
}

const char *
format_age(uint64_t ms, uint64_t now_ms, char buf[static 32])
{
	uint64_t s = now_ms > ms ? (now_ms - ms) / 1000 : 0;

	if (ms == 0)
		return "-";
	if (s < 120)
		snprintf(buf, 32, "%llu s ago", (unsigned long long)s);
	else if (s < 7200)
		snprintf(buf, 32, "%llu min ago", (unsigned long long)(s / 60));
	else if (s < 172800)
		snprintf(buf, 32, "%llu h ago", (unsigned long long)(s / 3600));
	else
		snprintf(buf, 32, "%llu days ago", (unsigned long long)(s / 86400));
	return buf;
}

const char *
member_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

int64_t
member_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}
