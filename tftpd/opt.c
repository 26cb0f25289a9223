/* TFTP options; see opt.h. */
#include "tftpd/opt.h"

#include <string.h>
#include <strings.h>

static const struct {
	const char *name;  /* compared without case (RFC 2347) */
	uint64_t min, max; /* inclusive; outside, the option is ignored */
	uint64_t unset;
	size_t off;   /* of a uint64_t in struct tftp_opts */
	size_t limit; /* of the uint64_t in struct tftp_limits to which it is lowered, or NONE */
	bool given;   /* the value is ours to give, whatever was asked */
} table[] = {
#define NONE SIZE_MAX
	{ "blksize", 8, 65464, TFTP_DEFAULT_BLKSIZE, offsetof(struct tftp_opts, blksize),
	    offsetof(struct tftp_limits, blksize), false },                           /* RFC 2348 */
	{ "timeout", 1, 255, 0, offsetof(struct tftp_opts, timeout_s), NONE, false }, /* RFC 2349 */
	{ "tsize", 0, UINT64_MAX, 0, offsetof(struct tftp_opts, tsize),
	    offsetof(struct tftp_limits, tsize), true }, /* RFC 2349 */
	{ "windowsize", 1, 65535, 1, offsetof(struct tftp_opts, windowsize),
	    offsetof(struct tftp_limits, windowsize), false }, /* RFC 7440 */
};

static uint64_t *
place(struct tftp_opts *o, size_t i)
{
	return (uint64_t *)(void *)((char *)o + table[i].off);
}

/* The table's row of an option; NITEMS(table) if it is unknown. */
static size_t
find(const char *name)
{
	size_t i = 0;

	while (i < NITEMS(table) && strcasecmp(name, table[i].name) != 0)
		i++;
	return i;
}

unsigned
tftp_opts_settle(
    const struct tftp_packet *request, const struct tftp_limits *limits, struct tftp_opts *ret)
{
	unsigned seen = 0;

	for (size_t i = 0; i < NITEMS(table); i++)
		*place(ret, i) = table[i].unset;
	for (size_t k = 0; k < request->noptions; k++) {
		size_t i = find(request->options[k].name);
		uint64_t v, limit;

		if (i == NITEMS(table) || (seen & 1u << i) != 0 ||
		    parse_u64(request->options[k].value, &v) < 0 || v < table[i].min ||
		    v > table[i].max)
			continue;
		if (table[i].limit != NONE) {
			memcpy(&limit, (const char *)limits + table[i].limit, sizeof(limit));
			if (table[i].given || v > limit)
				v = limit;
		}
		*place(ret, i) = v;
		seen |= 1u << i;
	}
	return seen;
}

void
tftp_put_oack(
    struct wbuf *w, const struct tftp_packet *request, const struct tftp_opts *opts, unsigned seen)
{
	struct tftp_opts values = *opts;

	wbuf_u16(w, TFTP_OACK);
	for (size_t k = 0; k < request->noptions; k++) {
		size_t i = find(request->options[k].name);

		if (i == NITEMS(table) || (seen & 1u << i) == 0)
			continue;
		seen &= ~(1u << i); /* the first of two counts */
		wbuf_str(w, request->options[k].name);
		wbuf_u8(w, '\0');
		wbuf_printf(w, "%llu", (unsigned long long)*place(&values, i));
		wbuf_u8(w, '\0');
	}
}
