/* See stamp.h; offsets are those of the PE format's sections 2, 3.3 and 3.4. */
#include "ferryctl/stamp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PE_AT          60  /* of the offset of the PE header */
#define COFF_BYTES     24  /* signature and COFF header, before the optional header */
#define CHECKSUM_AT    64  /* in the optional header */
#define PE32_DIRS_AT   96  /* data directories, in the optional header of PE32, */
#define PE64_DIRS_AT   112 /* and of PE32+ */
#define PE64_MAGIC     0x20b
#define SECURITY_ENTRY 4
#define HEADER_BYTES   (PE64_DIRS_AT + (SECURITY_ENTRY + 1) * 8) /* of what is read here */

static uint32_t
u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Where the optional header stands; 0: this is no PE image, or one cut short. */
static size_t
optional_header(struct slice bytes)
{
	size_t at;

	if (bytes.n < PE_AT + 4 || bytes.p[0] != 'M' || bytes.p[1] != 'Z')
		return 0;
	at = u32(bytes.p + PE_AT);
	/* room for all that is read below */
	if (at > bytes.n || bytes.n - at < COFF_BYTES + HEADER_BYTES ||
	    memcmp(bytes.p + at, "PE\0\0", 4) != 0)
		return 0;
	return at + COFF_BYTES;
}

bool
stamp_is_signed(struct slice bytes)
{
	size_t at = optional_header(bytes), dirs;

	if (at == 0)
		return false;
	dirs = (bytes.p[at] | bytes.p[at + 1] << 8) == PE64_MAGIC ? PE64_DIRS_AT : PE32_DIRS_AT;
	return u32(bytes.p + at + dirs + SECURITY_ENTRY * 8 + 4) != 0;
}

/* The sum of all 16-bit words but the checksum's own, folded, plus the length. */
static uint32_t
checksum(const uint8_t *bytes, size_t n, size_t skip)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i += 2) {
		if (i == skip || i == skip + 2)
			continue;
		sum += (uint64_t)bytes[i] | (i + 1 < n ? (uint64_t)bytes[i + 1] << 8 : 0);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint32_t)((sum & 0xffff) + (sum >> 16)) + (uint32_t)n;
}

static void
mend_checksum(uint8_t *bytes, size_t n)
{
	size_t at = optional_header((struct slice){ bytes, n });
	uint32_t sum;

	if (at == 0 || at % 2 != 0 || u32(bytes + at + CHECKSUM_AT) == 0)
		return;
	sum = checksum(bytes, n, at + CHECKSUM_AT);
	for (size_t i = 0; i < 4; i++)
		bytes[at + CHECKSUM_AT + i] = (uint8_t)(sum >> 8 * i);
}

int
stamp_apply(uint8_t *bytes, size_t n, const uint8_t from[static DIGEST_BYTES],
    const uint8_t to[static DIGEST_BYTES])
{
	size_t header = optional_header((struct slice){ bytes, n });
	uint8_t *at = memmem(bytes, n, from, DIGEST_BYTES), *rest;

	/* within the headers it is none, and would not outlive the checksum */
	if (at == NULL || (header != 0 && (size_t)(at - bytes) < header + HEADER_BYTES))
		return -ENOENT;
	rest = at + 1;
	if (memmem(rest, n - (size_t)(rest - bytes), from, DIGEST_BYTES) != NULL)
		return -EEXIST;
	memcpy(at, to, DIGEST_BYTES);
	mend_checksum(bytes, n);
	return 0;
}

bool
stamp_read(struct slice bytes, struct slice original, const uint8_t from[static DIGEST_BYTES],
    uint8_t ret[static DIGEST_BYTES])
{
	const uint8_t *at = memmem(original.p, original.n, from, DIGEST_BYTES);
	uint8_t print[DIGEST_BYTES], *again;
	bool same;

	if (at == NULL || bytes.n != original.n)
		return false;
	memcpy(print, bytes.p + (at - original.p), sizeof(print));
	if (memcmp(print, from, sizeof(print)) == 0)
		return false;
	again = malloc(original.n);
	if (again == NULL)
		return false;
	memcpy(again, original.p, original.n);
	same = stamp_apply(again, original.n, from, print) == 0 &&
	       memcmp(again, bytes.p, bytes.n) == 0;
	free(again);
	if (same)
		memcpy(ret, print, sizeof(print));
	return same;
}
