/* Patterns of conditions; see pattern.h. */
#include "handlerd/pattern.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define A_DAY 1440

uint8_t
glob_fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

bool
glob_match(struct slice pattern, struct slice text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;

	/* on a mismatch the last '*' takes one character more */
	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			mark = t;
		} else if (p < pattern.n && (pattern.p[p] == '?' ||
						glob_fold(pattern.p[p]) == glob_fold(text.p[t]))) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

int
number_parse(struct slice text, uint64_t *ret)
{
	char buf[21];

	if (text.n >= sizeof(buf))
		return -EINVAL;
	(void)slice_copy(buf, sizeof(buf), text);
	return parse_u64(buf, ret) < 0 ? -EINVAL : 0;
}

int
version_parse(struct slice text, uint64_t *ret)
{
	uint64_t v = 0, part = 0;
	size_t parts = 0, digits = 0, i = text.n > 0 && text.p[0] == 'v';

	for (; i <= text.n; i++) {
		uint8_t c = i < text.n ? text.p[i] : '\0';

		if (c >= '0' && c <= '9') {
			part = part * 10 + (uint64_t)(c - '0');
			if (++digits > 4)
				return -EINVAL;
			continue;
		}
		if (digits == 0 || part > (parts == 0 ? 0xffffu : 0xffu))
			return -EINVAL;
		if (parts < 3)
			v |= part << (16 - 8 * parts);
		parts++;
		part = digits = 0;
		if (c == '+' || c == ' ' || c == '-' || c == '\0')
			break;
		if (c != '.')
			return -EINVAL;
	}
	*ret = v;
	return 0;
}

int
age_parse(struct slice text, uint64_t *ret)
{
	static const struct {
		char unit;
		uint64_t s;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	uint64_t n;

	if (text.n < 2 || number_parse((struct slice){ text.p, text.n - 1 }, &n) < 0 || n > 1000000)
		return -EINVAL;
	for (size_t i = 0; i < NITEMS(units); i++) {
		if (text.p[text.n - 1] == (uint8_t)units[i].unit) {
			*ret = n * units[i].s;
			return 0;
		}
	}
	return -EINVAL;
}

int
number_range_parse(const char *text, number_parse_fn *parse, struct number_range *ret)
{
	const char *dash = strchr(text, '-');
	struct number_range r = { 0, UINT64_MAX };
	uint64_t n;

	if (text[0] == '<' || text[0] == '>') {
		bool with = text[1] == '=';

		if (parse(slice_str(text + 1 + with), &n) < 0)
			return -EINVAL;
		if (text[0] == '<' && !with && n == 0)
			return -EINVAL; /* nothing is less */
		if (text[0] == '<')
			r.max = with ? n : n - 1;
		else
			r.min = with ? n : n + 1;
	} else if (dash != NULL) {
		if (parse((struct slice){ (const uint8_t *)text, (size_t)(dash - text) }, &r.min) <
			0 ||
		    parse(slice_str(dash + 1), &r.max) < 0 || r.min > r.max)
			return -EINVAL;
	} else {
		if (parse(slice_str(text), &n) < 0)
			return -EINVAL;
		r.min = r.max = n;
	}
	*ret = r;
	return 0;
}

static int
day_parse(const char **p)
{
	static const char days[7][4] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

	for (int i = 0; i < 7; i++) {
		if (strncasecmp(*p, days[i], 3) == 0) {
			*p += 3;
			return i;
		}
	}
	return -1;
}

static int
days_parse(const char **p, uint8_t *ret)
{
	uint8_t days = 0;

	for (;;) {
		int from = day_parse(p), to = from;

		if (from >= 0 && **p == '-') {
			(*p)++;
			to = day_parse(p);
		}
		if (from < 0 || to < 0)
			return -EINVAL;
		for (int d = from;; d = (d + 1) % 7) {
			days |= (uint8_t)(1u << d);
			if (d == to)
				break;
		}
		if (**p != ',')
			break;
		(*p)++;
	}
	*ret = days;
	return 0;
}

/* "08:30"; to the letter, as "8: 30" is a slip. */
static int
clock_parse(const char **p, uint16_t *ret)
{
	static const uint8_t digits[] = { 0, 1, 3, 4 };
	unsigned v[5] = { 0 }, hour, minute;
	const char *s = *p;

	for (size_t i = 0; i < NITEMS(digits); i++) {
		/* what is shorter ends here, before anything behind it is read */
		if (!isdigit((unsigned char)s[digits[i]]) || (digits[i] == 1 && s[2] != ':'))
			return -EINVAL;
		v[digits[i]] = (unsigned)(s[digits[i]] - '0');
	}
	hour = v[0] * 10 + v[1];
	minute = v[3] * 10 + v[4];
	if (hour > 24 || minute > 59 || hour * 60 + minute > A_DAY)
		return -EINVAL;
	*p += 5;
	*ret = (uint16_t)(hour * 60 + minute);
	return 0;
}

int
week_time_parse(const char *text, struct week_time *ret)
{
	struct week_time t = { .days = 0x7f, .from = 0, .to = A_DAY };
	const char *p = text;

	if (isalpha((unsigned char)*p)) {
		if (days_parse(&p, &t.days) < 0)
			return -EINVAL;
		if (*p == ' ' && p[1] != '\0')
			p++;
		else if (*p != '\0')
			return -EINVAL;
	}
	if (*p != '\0' || p == text) {
		if (clock_parse(&p, &t.from) < 0 || *p++ != '-' || clock_parse(&p, &t.to) < 0 ||
		    *p != '\0' || t.from == t.to)
			return -EINVAL;
	}
	*ret = t;
	return 0;
}

bool
week_time_has(const struct week_time *t, int weekday, int minute)
{
	bool today = (t->days >> weekday & 1) != 0;
	bool yesterday = (t->days >> ((weekday + 6) % 7) & 1) != 0;

	if (t->from < t->to)
		return today && minute >= t->from && minute < t->to;
	return (today && minute >= t->from) || (yesterday && minute < t->to);
}
