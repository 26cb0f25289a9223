/* See params.h. */
#include "common/params.h"

#include "common/hex.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

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
			hi = hex_digit(s.p[i + 1]);
			lo = hex_digit(s.p[i + 2]);
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

bool
params_next(struct slice *text, struct slice *ret_name, struct slice *ret_value)
{
	while (text->n > 0) {
		const uint8_t *end = memchr(text->p, '&', text->n), *equals;
		struct slice pair = { text->p, end != NULL ? (size_t)(end - text->p) : text->n };

		text->n -= pair.n + (end != NULL);
		text->p += pair.n + (end != NULL);
		if (pair.n == 0)
			continue;
		equals = memchr(pair.p, '=', pair.n);
		*ret_name = pair;
		*ret_value = (struct slice){ 0 };
		if (equals != NULL) {
			ret_name->n = (size_t)(equals - pair.p);
			*ret_value = (struct slice){ equals + 1, pair.n - ret_name->n - 1 };
		}
		return true;
	}
	return false;
}

/* True if the encoded `s` is `name`, in any case. */
static bool
is_named(struct slice s, const char *name)
{
	char decoded[PARAMS_NAME_MAX];
	size_t want = strlen(name);
	int n;

	/* each octet takes three at most */
	if (s.n < want || s.n > 3 * want)
		return false;
	n = url_decode(s, true, decoded, sizeof(decoded));
	return n >= 0 && (size_t)n == want && strncasecmp(decoded, name, want) == 0;
}

int
params_get(struct slice text, const char *name, void *buf, size_t size, struct slice *ret)
{
	struct slice key, value;
	int n;

	assert(strlen(name) <= PARAMS_NAME_MAX);
	while (params_next(&text, &key, &value)) {
		if (!is_named(key, name))
			continue;
		n = url_decode(value, true, buf, size);
		if (n == -ENAMETOOLONG)
			return -EMSGSIZE;
		if (n < 0)
			continue;
		*ret = (struct slice){ buf, (size_t)n };
		return 0;
	}
	return -ENOENT;
}

int
params_text(struct slice text, const char *name, char *buf, size_t size)
{
	struct slice value;
	int rc = params_get(text, name, buf, size - 1, &value);

	buf[0] = rc == 0 && value.n > 0 ? (char)value.p[0] : '\0';
	if (rc < 0)
		return rc;
	if (value.n > 0 && memchr(value.p, '\0', value.n) != NULL) {
		buf[0] = '\0';
		return -EBADMSG;
	}
	buf[value.n] = '\0';
	return (int)value.n;
}
