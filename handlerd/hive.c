/* See hive.h. */
#include "handlerd/hive.h"

#include <string.h>

#define NOWHERE 0xffffffffu

/* Of the first page. */
#define AT_SIGNATURE 0
#define AT_SEQUENCE  4 /* twice: the same says that it was written to its end */
#define AT_VERSION   20
#define AT_FORMAT    32
#define AT_ROOT      36
#define AT_LENGTH    40
#define AT_CLUSTER   44
#define AT_CHECKSUM  508

/* Of the bin that follows it. */
#define BIN_HEADER 32

/* Of a key's cell, behind its length. */
#define KEY_PARENT     16
#define KEY_NAME       76

#define KEY_IS_ROOT    0x000cu /* it is one, and cannot be deleted */
#define KEY_ASCII      0x0020u
#define VALUE_ASCII    1u
#define VALUE_RESIDENT 0x80000000u /* so short that it stands where its place would */

static void
put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void
put32(uint8_t *p, size_t v)
{
	put16(p, v);
	put16(p + 2, v >> 16);
}

static void
put_text(uint8_t *p, const char *text)
{
	struct slice s = slice_str(text);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A cell of zeros; the place of its contents, or NULL. */
static uint8_t *
new_cell(struct hive *h, size_t n, uint32_t *ret_at)
{
	size_t whole = (n + 4 + 7) & ~(size_t)7;
	uint8_t *p;

	*ret_at = 0;
	if (h->bad || whole > h->size - h->used) {
		h->bad = true;
		return NULL;
	}
	p = h->p + h->used;
	memset(p, 0, whole);
	/* a negative length says that it is in use */
	put32(p, (size_t)0 - whole);
	*ret_at = (uint32_t)(h->used - HIVE_PAGE);
	h->used += whole;
	return p + 4;
}

static uint8_t *
cell(const struct hive *h, uint32_t at)
{
	return h->p + HIVE_PAGE + at + 4;
}

/*
 * The descriptor of who may do what, without which Windows' tools open no key: full access for
 * Administrators, who own it, and the system.
 */
static void
put_security(struct hive *h)
{
	static const char descriptor[] =
	    /* revision 1; self-relative, with a DACL; where owner, group, SACL (none), DACL are */
	    "\1\0\x04\x80"
	    "\x14\0\0\0"
	    "\x24\0\0\0"
	    "\0\0\0\0"
	    "\x30\0\0\0"
	    /* S-1-5-32-544, S-1-5-18 */
	    "\1\2\0\0\0\0\0\5\x20\0\0\0\x20\2\0\0"
	    "\1\1\0\0\0\0\0\5\x12\0\0\0"
	    /* an ACL of 52 bytes with two entries: allowed, for subkeys too, all rights of a key */
	    "\2\0\x34\0\2\0\0\0"
	    "\0\2\x18\0\x3f\0\x0f\0"
	    "\1\2\0\0\0\0\0\5\x20\0\0\0\x20\2\0\0"
	    "\0\2\x14\0\x3f\0\x0f\0"
	    "\1\1\0\0\0\0\0\5\x12\0\0\0";
	const size_t size = sizeof(descriptor) - 1;
	uint8_t *p = new_cell(h, 20 + size, &h->security);

	if (p == NULL)
		return;
	put_text(p, "sk");
	put32(p + 4, h->security); /* it is alone in its list */
	put32(p + 8, h->security);
	put32(p + 16, size);
	memcpy(p + 20, descriptor, size);
}

void
hive_begin(struct hive *h, void *buf, size_t size)
{
	*h = (struct hive){ .p = buf, .size = size, .used = HIVE_PAGE + BIN_HEADER };
	if (size < h->used) {
		h->bad = true;
		return;
	}
	memset(buf, 0, h->used);
	put_security(h);
}

uint32_t
hive_value(struct hive *h, const char *name, enum hive_type type, struct slice data)
{
	size_t n = strlen(name);
	bool resident = data.n <= 4;
	uint32_t at, data_at = 0;
	uint8_t *p;

	if (!resident) {
		p = new_cell(h, data.n, &data_at);
		if (p == NULL)
			return 0;
		memcpy(p, data.p, data.n);
	}
	p = new_cell(h, 20 + n, &at);
	if (p == NULL)
		return 0;
	put_text(p, "vk");
	put16(p + 2, n);
	put32(p + 4, data.n | (resident ? VALUE_RESIDENT : 0));
	if (!resident)
		put32(p + 8, data_at);
	else if (data.n > 0)
		memcpy(p + 8, data.p, data.n);
	put32(p + 12, type);
	put16(p + 16, VALUE_ASCII);
	put_text(p + 20, name);
	return at;
}

/* The list of a key's values. */
static uint32_t
put_values(struct hive *h, const uint32_t *values, size_t n)
{
	uint32_t at;
	uint8_t *p = new_cell(h, 4 * n, &at);

	for (size_t i = 0; p != NULL && i < n; i++)
		put32(p + 4 * i, values[i]);
	return at;
}

/* The list of a key's subkeys: each with the first four characters of its name. */
static uint32_t
put_keys(struct hive *h, const uint32_t *keys, size_t n)
{
	uint32_t at;
	uint8_t *p = new_cell(h, 4 + 8 * n, &at);

	if (p == NULL)
		return 0;
	put_text(p, "lf");
	put16(p + 2, n);
	for (size_t i = 0; i < n; i++) {
		put32(p + 4 + 8 * i, keys[i]);
		memcpy(p + 8 + 8 * i, cell(h, keys[i]) + KEY_NAME, 4);
	}
	return at;
}

/* The longest of some names or data, which a key tells. */
static size_t
longest(const struct hive *h, const uint32_t *at, size_t n, size_t where, size_t bytes)
{
	size_t max = 0;

	for (size_t i = 0; i < n; i++) {
		size_t v = get32(cell(h, at[i]) + where) & (bytes == 2 ? 0xffffu : 0x7fffffffu);

		if (v > max)
			max = v;
	}
	return max;
}

uint32_t
hive_key(struct hive *h, const char *name, const uint32_t *keys, size_t nkeys,
    const uint32_t *values, size_t nvalues)
{
	size_t n = strlen(name);
	uint32_t at, keys_at = NOWHERE, values_at = NOWHERE;
	uint8_t *p;

	if (!h->bad && nkeys > 0)
		keys_at = put_keys(h, keys, nkeys);
	if (!h->bad && nvalues > 0)
		values_at = put_values(h, values, nvalues);
	/* four bytes at least, so that the hint of a short name ends with zeros */
	p = new_cell(h, KEY_NAME + (n < 4 ? 4 : n), &at);
	if (p == NULL)
		return 0;
	put_text(p, "nk");
	put16(p + 2, KEY_ASCII);
	put32(p + KEY_PARENT, NOWHERE);
	put32(p + 20, nkeys);
	put32(p + 28, keys_at);
	put32(p + 32, NOWHERE);
	put32(p + 36, nvalues);
	put32(p + 40, values_at);
	put32(p + 44, h->security);
	put32(p + 48, NOWHERE);
	put32(p + 52, 2 * longest(h, keys, nkeys, 72, 2)); /* as if of UTF-16 */
	put32(p + 60, 2 * longest(h, values, nvalues, 2, 2));
	put32(p + 64, longest(h, values, nvalues, 4, 4));
	put16(p + 72, n);
	put_text(p + KEY_NAME, name);
	for (size_t i = 0; i < nkeys; i++)
		put32(cell(h, keys[i]) + KEY_PARENT, at);
	/* one more that shares the descriptor */
	put32(cell(h, h->security) + 12, get32(cell(h, h->security) + 12) + 1);
	return at;
}

struct slice
hive_end(struct hive *h, uint32_t root)
{
	size_t whole = (h->used + HIVE_PAGE - 1) / HIVE_PAGE * HIVE_PAGE;
	uint8_t *bin = h->p + HIVE_PAGE;
	uint32_t sum = 0;

	if (h->bad || whole > h->size) {
		h->bad = true;
		return (struct slice){ 0 };
	}
	put16(cell(h, root) + 2, KEY_ASCII | KEY_IS_ROOT);
	/* what is left of the bin is one free cell */
	memset(h->p + h->used, 0, whole - h->used);
	if (whole > h->used)
		put32(h->p + h->used, whole - h->used);
	h->used = whole;
	put_text(bin, "hbin");
	put32(bin + 8, whole - HIVE_PAGE);
	put_text(h->p + AT_SIGNATURE, "regf");
	put32(h->p + AT_SEQUENCE, 1);
	put32(h->p + AT_SEQUENCE + 4, 1);
	put32(h->p + AT_VERSION, 1);
	put32(h->p + AT_VERSION + 4, 3);
	put32(h->p + AT_FORMAT, 1);
	put32(h->p + AT_ROOT, root);
	put32(h->p + AT_LENGTH, whole - HIVE_PAGE);
	put32(h->p + AT_CLUSTER, 1);
	for (size_t i = 0; i < AT_CHECKSUM; i += 4)
		sum ^= get32(h->p + i);
	if (sum == 0 || sum == NOWHERE) /* which stand for "none" */
		sum = sum == 0 ? 1 : NOWHERE - 1;
	put32(h->p + AT_CHECKSUM, sum);
	return (struct slice){ h->p, whole };
}
