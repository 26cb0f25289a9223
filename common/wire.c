/* Byte cursors; see wire.h. */
#include "common/wire.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct slice
slice_str(const char *s)
{
	if (s == NULL)
		return (struct slice){ NULL, 0 };
	return (struct slice){ (const uint8_t *)s, strlen(s) };
}

bool
slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
slice_is(struct slice s, const char *text)
{
	return slice_eq(s, slice_str(text));
}

bool
slice_begins(struct slice s, const char *text)
{
	size_t n = strlen(text);

	return s.n >= n && (n == 0 || memcmp(s.p, text, n) == 0);
}

size_t
slice_copy(char *dst, size_t size, struct slice s)
{
	size_t n = 0;

	assert(size > 0);
	while (n < s.n && n < size - 1 && s.p[n] != '\0') {
		dst[n] = (char)s.p[n];
		n++;
	}
	dst[n] = '\0';
	return n;
}

void
rbuf_init(struct rbuf *r, const void *p, size_t n)
{
	*r = (struct rbuf){ .p = p, .left = n };
}

/* The next n bytes, or NULL with the cursor spoilt. */
static const uint8_t *
take(struct rbuf *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || r->left < n) {
		r->bad = true;
		r->left = 0;
		return NULL;
	}
	if (n > 0) {
		r->p += n;
		r->left -= n;
	}
	return p;
}

uint8_t
rbuf_u8(struct rbuf *r)
{
	const uint8_t *p = take(r, 1);

	return p != NULL ? p[0] : 0;
}

uint16_t
rbuf_u16(struct rbuf *r)
{
	const uint8_t *p = take(r, sizeof(uint16_t));
	uint16_t v = 0;

	if (p != NULL)
		memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

uint32_t
rbuf_u32(struct rbuf *r)
{
	const uint8_t *p = take(r, sizeof(uint32_t));
	uint32_t v = 0;

	if (p != NULL)
		memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

uint64_t
rbuf_u64(struct rbuf *r)
{
	const uint8_t *p = take(r, sizeof(uint64_t));
	uint64_t v = 0;

	if (p != NULL)
		memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

void
rbuf_bytes(struct rbuf *r, void *dst, size_t n)
{
	const uint8_t *p = take(r, n);

	if (n == 0)
		return;
	if (p != NULL)
		memcpy(dst, p, n);
	else
		memset(dst, 0, n);
}

struct slice
rbuf_slice(struct rbuf *r, size_t n)
{
	const uint8_t *p = take(r, n);

	if (p == NULL)
		return (struct slice){ NULL, 0 };
	return (struct slice){ p, n };
}

void
wbuf_init(struct wbuf *w, void *p, size_t size)
{
	*w = (struct wbuf){ .p = p, .size = size };
}

/* Room for n bytes, or NULL with the cursor spoilt. */
static uint8_t *
room(struct wbuf *w, size_t n)
{
	uint8_t *p;

	if (w->bad || w->size - w->used < n) {
		w->bad = true;
		return NULL;
	}
	p = w->p + w->used;
	w->used += n;
	return p;
}

void
wbuf_u8(struct wbuf *w, uint8_t v)
{
	uint8_t *p = room(w, 1);

	if (p != NULL)
		p[0] = v;
}

void
wbuf_u16(struct wbuf *w, uint16_t v)
{
	uint16_t be = htobe16(v);

	wbuf_bytes(w, &be, sizeof(be));
}

void
wbuf_u32(struct wbuf *w, uint32_t v)
{
	uint32_t be = htobe32(v);

	wbuf_bytes(w, &be, sizeof(be));
}

void
wbuf_u64(struct wbuf *w, uint64_t v)
{
	uint64_t be = htobe64(v);

	wbuf_bytes(w, &be, sizeof(be));
}

void
wbuf_bytes(struct wbuf *w, const void *src, size_t n)
{
	uint8_t *p;

	if (n == 0)
		return;
	p = room(w, n);
	if (p != NULL)
		memcpy(p, src, n);
}

void
wbuf_slice(struct wbuf *w, struct slice s)
{
	wbuf_bytes(w, s.p, s.n);
}

void
wbuf_fill(struct wbuf *w, uint8_t byte, size_t n)
{
	uint8_t *p;

	if (n == 0)
		return;
	p = room(w, n);
	if (p != NULL)
		memset(p, byte, n);
}

void
wbuf_str(struct wbuf *w, const char *s)
{
	wbuf_bytes(w, s, strlen(s));
}

void
wbuf_printf(struct wbuf *w, const char *fmt, ...)
{
	size_t left = w->size - w->used;
	va_list ap;
	int n;

	if (w->bad)
		return;
	va_start(ap, fmt);
	n = vsnprintf((char *)w->p + w->used, left, fmt, ap);
	va_end(ap);
	/* vsnprintf ends with a NUL, which needs a byte that is then given back */
	if (n < 0 || (size_t)n >= left)
		w->bad = true;
	else
		w->used += (size_t)n;
}

void
wbuf_patch_u16(struct wbuf *w, size_t at, uint16_t v)
{
	if (w->bad)
		return;
	assert(at + 2 <= w->used);
	v = htobe16(v);
	memcpy(w->p + at, &v, sizeof(v));
}

void
wbuf_patch_u32(struct wbuf *w, size_t at, uint32_t v)
{
	if (w->bad)
		return;
	assert(at + 4 <= w->used);
	v = htobe32(v);
	memcpy(w->p + at, &v, sizeof(v));
}

struct slice
wbuf_view(const struct wbuf *w)
{
	return (struct slice){ w->p, w->used };
}

int
parse_u64(const char *s, uint64_t *ret)
{
	uint64_t v = 0;
	size_t n;

	for (n = 0; s[n] >= '0' && s[n] <= '9'; n++) {
		uint64_t digit = (uint64_t)(s[n] - '0');

		if (v > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		v = v * 10 + digit;
	}
	if (n == 0 || n > 20 || s[n] != '\0')
		return -EINVAL;
	*ret = v;
	return 0;
}
