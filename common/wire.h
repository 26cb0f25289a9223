/*
 * Byte cursors.  Every decoder reads through a struct rbuf, which cannot run past its end and
 * remembers that it was asked to; every encoder writes through a struct wbuf likewise.  Check
 * `bad` once, at the end.  Integers are big-endian, as on the network.
 */
#ifndef COMMON_WIRE_H
#define COMMON_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NITEMS(a) (sizeof(a) / sizeof((a)[0]))

/* A view into somebody else's bytes, not terminated.  {NULL, 0} is the empty one. */
struct slice {
	const uint8_t *p;
	size_t n;
};

/* The view of a C string, without its NUL; NULL gives the empty slice. */
struct slice slice_str(const char *s);
/* True if both hold the same bytes. */
bool slice_eq(struct slice a, struct slice b);
/* True if `s` holds exactly the characters of `text`. */
bool slice_is(struct slice s, const char *text);
/* True if `s` begins with the characters of `text`. */
bool slice_begins(struct slice s, const char *text);
/*
 * Copies at most size - 1 bytes of `s` to `dst` and ends them with a NUL; stops at an embedded
 * NUL.  Returns the length written, without the NUL.
 */
size_t slice_copy(char *dst, size_t size, struct slice s);

struct rbuf {
	const uint8_t *p;
	size_t left;
	bool bad; /* more was asked for than there was; all later reads give 0 */
};

void rbuf_init(struct rbuf *r, const void *p, size_t n);
uint8_t rbuf_u8(struct rbuf *r);
uint16_t rbuf_u16(struct rbuf *r);
uint32_t rbuf_u32(struct rbuf *r);
uint64_t rbuf_u64(struct rbuf *r);
/* Copies n bytes out; zeros `dst` when there are fewer. */
void rbuf_bytes(struct rbuf *r, void *dst, size_t n);
/* A view of the next n bytes, valid while the underlying bytes are; empty when there are fewer. */
struct slice rbuf_slice(struct rbuf *r, size_t n);

struct wbuf {
	uint8_t *p;
	size_t size;
	size_t used;
	bool bad; /* something did not fit; `used` counts only what did */
};

void wbuf_init(struct wbuf *w, void *p, size_t size);
void wbuf_u8(struct wbuf *w, uint8_t v);
void wbuf_u16(struct wbuf *w, uint16_t v);
void wbuf_u32(struct wbuf *w, uint32_t v);
void wbuf_u64(struct wbuf *w, uint64_t v);
void wbuf_bytes(struct wbuf *w, const void *src, size_t n);
void wbuf_slice(struct wbuf *w, struct slice s);
void wbuf_fill(struct wbuf *w, uint8_t byte, size_t n);
/* Appends text without a terminating NUL. */
void wbuf_str(struct wbuf *w, const char *s);
/* Appends formatted text without a terminating NUL; all of it or, setting `bad`, nothing. */
void wbuf_printf(struct wbuf *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Overwrites a big-endian number written earlier; `at` + its size must not pass `used`. */
void wbuf_patch_u16(struct wbuf *w, size_t at, uint16_t v);
void wbuf_patch_u32(struct wbuf *w, size_t at, uint32_t v);
/* What was written so far. */
struct slice wbuf_view(const struct wbuf *w);

/*
 * Decimal number without sign or blanks, 1 to 20 digits.  0, or -EINVAL for anything else,
 * -ERANGE when it does not fit.
 */
int parse_u64(const char *s, uint64_t *ret);

#endif
