/* See roots.h. */
#include "handlerd/roots.h"

#include "common/digest.h"
#include "common/hex.h"

#include <stdio.h>
#include <string.h>

#define KEPT_BYTES  8
#define KEPT_DIGITS (2 * KEPT_BYTES)

struct slice
roots_text(struct slice prints, char ret[static ROOTS_TEXT])
{
	size_t n = 0;

	for (size_t at = 0; at + DIGEST_BYTES <= prints.n; at += DIGEST_BYTES) {
		char hex[KEPT_DIGITS + 1];

		if (n + 1 + KEPT_DIGITS >= ROOTS_TEXT)
			break;
		if (n > 0)
			ret[n++] = ',';
		memcpy(ret + n, hex_format((struct slice){ prints.p + at, KEPT_BYTES }, hex),
		    KEPT_DIGITS);
		n += KEPT_DIGITS;
	}
	return (struct slice){ (const uint8_t *)ret, n };
}

uint64_t
roots_mark(struct slice prints)
{
	uint64_t mark = prints.n + 1;

	/* they are digests: a few bytes of each are as good as all */
	for (size_t at = 0; at + DIGEST_BYTES <= prints.n; at += DIGEST_BYTES) {
		uint64_t part;

		memcpy(&part, prints.p + at, sizeof(part));
		mark = (mark ^ part) * 0x100000001b3u;
	}
	return mark != 0 ? mark : 1;
}

bool
roots_have(struct slice text, const uint8_t *print)
{
	char hex[KEPT_DIGITS + 1];

	(void)hex_format((struct slice){ print, KEPT_BYTES }, hex);
	for (size_t at = 0; at + KEPT_DIGITS <= text.n; at += KEPT_DIGITS + 1) {
		if (memcmp(text.p + at, hex, KEPT_DIGITS) == 0)
			return true;
	}
	return false;
}

/* A boot of it came to iPXE, and asked for its script. */
static bool
has_asked(const struct machine *m, uint64_t since_ms)
{
	return m->phase_ms != 0 && m->phase_ms >= since_ms && m->phase >= PHASE_IPXE &&
	       m->phase <= PHASE_DONE;
}

enum roots_told
roots_judge(const struct machine *m, const uint8_t *print, uint64_t since_ms)
{
	if (roots_have(m->roots, print))
		return has_asked(m, m->roots_ms) ? ROOTS_BOOTED : ROOTS_TOLD;
	if (m->roots.n == 0 && !has_asked(m, 0))
		return ROOTS_NONE;
	if (m->last_ms < since_ms)
		return ROOTS_SILENT;
	return m->roots.n > 0 ? ROOTS_UNTOLD : ROOTS_FOREIGN;
}
