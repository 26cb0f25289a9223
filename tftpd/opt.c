/* TFTP options; see opt.h. */
#include "tftpd/opt.h"

#include <string.h>
#include <strings.h>

/* What Microsoft's client asks and is answered, if the server knows its windows. */
#define MSFTWINDOW_ASK    31416
#define MSFTWINDOW_ANSWER 27182

static const struct {
	const char *name;  /* compared without case (RFC 2347) */
	uint64_t min, max; /* inclusive; outside, the option is ignored */
	uint64_t unset;
	size_t off;      /* of a uint64_t in struct tftp_opts */
	size_t limit;    /* of the uint64_t in struct tftp_limits to which it is lowered, or NONE */
	uint64_t answer; /* the value is ours to give: this one, */
	bool given;      /* or the limit */
} table[] = {
#define NONE          SIZE_MAX
#define OPT(member)   offsetof(struct tftp_opts, member)
#define LIMIT(member) offsetof(struct tftp_limits, member)
	/* RFC 2348 */
	{ "blksize", 8, 65464, TFTP_DEFAULT_BLKSIZE, OPT(blksize), LIMIT(blksize), 0, false },
	/* RFC 2349 */
	{ "timeout", 1, 255, 0, OPT(timeout_s), NONE, 0, false },
	{ "tsize", 0, UINT64_MAX, 0, OPT(tsize), LIMIT(tsize), 0, true },
	/* RFC 7440 */
	{ "windowsize", 1, 65535, 1, OPT(windowsize), LIMIT(windowsize), 0, false },
	{ "rollover", 0, 1, 0, OPT(rollover), NONE, 0, false },
	{ "msftwindow", MSFTWINDOW_ASK, MSFTWINDOW_ASK, 0, OPT(msftwindow), NONE, MSFTWINDOW_ANSWER,
	    false },
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
	bool lowered = false;

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
			lowered |= table[i].off == OPT(windowsize) && v > limit;
			if (table[i].given || v > limit)
				v = limit;
		}
		*place(ret, i) = table[i].answer != 0 ? table[i].answer : v;
		seen |= 1u << i;
	}
	/* with Microsoft's the client would set its windows itself, as long as it likes */
	if (lowered && (seen & TFTP_SEEN_MSFTWINDOW) != 0) {
		seen &= ~TFTP_SEEN_MSFTWINDOW;
		ret->msftwindow = 0;
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
