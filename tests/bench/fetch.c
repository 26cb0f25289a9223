/* See fetch.h. */
#include "tests/bench/fetch.h"

#include "common/wire.h"
#include "tests/bench/pattern.h"
#include "tftpd/tftp.h"

#include <string.h>
#include <strings.h>

void
fetch_init(struct fetch *f)
{
	*f = (struct fetch){ .next = 1, .blksize = TFTP_DEFAULT_BLKSIZE, .windowsize = 1 };
}

enum fetch_reply
fetch_start(struct fetch *f, uint64_t now_us)
{
	f->state = FETCH_ASKING;
	f->began_us = f->heard_us = now_us;
	f->due_us = now_us + FETCH_RETRY_US;
	return FETCH_SAY_RRQ;
}

void
fetch_fail(struct fetch *f, enum fetch_fault fault, uint64_t now_us)
{
	f->state = FETCH_FAILED;
	f->fault = (uint8_t)fault;
	f->ended_us = now_us;
	f->due_us = 0;
}

static enum fetch_reply
fail(struct fetch *f, enum fetch_fault fault, uint64_t now_us)
{
	fetch_fail(f, fault, now_us);
	return FETCH_SAY_ERROR;
}

static void
progress(struct fetch *f, uint64_t now_us)
{
	f->heard_us = now_us;
	f->due_us = now_us + FETCH_RETRY_US;
	f->tries = 0;
}

static enum fetch_reply
say_ack(struct fetch *f)
{
	f->in_window = 0;
	f->acked = f->next - 1;
	return FETCH_SAY_ACK;
}

/* One option of an OACK; false for one that must not be there. */
static bool
take_option(struct fetch *f, const struct fetch_want *want, const char *name, const char *value)
{
	uint64_t v;

	if (parse_u64(value, &v) < 0)
		return false;
	if (strcasecmp(name, "blksize") == 0) {
		f->blksize = (uint32_t)v;
		return want->blksize != TFTP_DEFAULT_BLKSIZE && v >= 8 && v <= want->blksize;
	}
	if (strcasecmp(name, "windowsize") == 0) {
		f->windowsize = (uint32_t)v;
		return v >= 1 && v <= want->windowsize;
	}
	return strcasecmp(name, "tsize") == 0 && want->tsize && v == want->size;
}

static enum fetch_reply
on_oack(struct fetch *f, const struct fetch_want *want, const uint8_t *p, size_t n, uint64_t now_us)
{
	if (f->state == FETCH_READING && (!f->oacked || f->next > 1))
		return FETCH_SAY_NOTHING; /* late */
	f->duplicates += f->oacked;
	for (size_t at = 2; at < n;) {
		const char *name = (const char *)p + at;
		size_t name_n = strnlen(name, n - at), value_n;
		const char *value = name + name_n + 1;

		if (at + name_n + 1 >= n)
			return fail(f, FETCH_OPTIONS, now_us);
		value_n = strnlen(value, n - at - name_n - 1);
		if (at + name_n + 1 + value_n >= n || !take_option(f, want, name, value))
			return fail(f, FETCH_OPTIONS, now_us);
		at += name_n + value_n + 2;
	}
	if (!f->oacked)
		progress(f, now_us);
	f->oacked = true;
	f->state = FETCH_READING;
	return say_ack(f);
}

static enum fetch_reply
on_due(struct fetch *f, const struct fetch_want *want, const uint8_t *p, size_t n, uint64_t now_us)
{
	uint64_t left = want->size - f->bytes;

	/* the last block is the one that is not full */
	if (n != (left < f->blksize ? left : f->blksize))
		return fail(f, FETCH_SIZE, now_us);
	if (!pattern_is(f->bytes, p, n))
		return fail(f, FETCH_CONTENTS, now_us);
	f->state = FETCH_READING;
	f->bytes += n;
	f->next++;
	f->in_window++;
	f->ahead = 0;
	progress(f, now_us);
	if (n < f->blksize) {
		f->state = FETCH_DONE;
		f->ended_us = now_us;
		f->due_us = 0;
		return say_ack(f);
	}
	return f->in_window >= f->windowsize ? say_ack(f) : FETCH_SAY_NOTHING;
}

static enum fetch_reply
on_data(struct fetch *f, const struct fetch_want *want, const uint8_t *p, size_t n, uint64_t now_us)
{
	/* the block nearest to the one that is due that has these 16 bits */
	int16_t off = (int16_t)(uint16_t)((p[2] << 8 | p[3]) - (uint16_t)f->next);
	uint64_t block = f->next + (uint64_t)(int64_t)off, end = f->acked + f->windowsize;
	bool again;

	if (off == 0 && f->state != FETCH_DONE)
		return on_due(f, want, p + 4, n - 4, now_us);
	if (off < 0) {
		f->duplicates++;
		/* an ACK was lost, or one is on its way: the window's end decides where we are */
		return off == -1 && f->in_window == 0 ? FETCH_SAY_ACK : FETCH_SAY_NOTHING;
	}
	/*
	 * No server has been told to go there.  One that hears nothing may try the next window all
	 * the same, lest what it waits for is an ACK that was lost.
	 */
	f->beyond += block > end;
	if (want->lossy && f->windowsize > 1)
		end += f->windowsize;
	if (f->state == FETCH_DONE || block > end)
		return fail(f, FETCH_ORDER, now_us);
	again = f->ahead != 0 && block > f->ahead;
	f->ahead = block;
	if (again)
		return FETCH_SAY_NOTHING;
	f->gaps++;
	return say_ack(f);
}

enum fetch_reply
fetch_packet(
    struct fetch *f, const struct fetch_want *want, const uint8_t *p, size_t n, uint64_t now_us)
{
	if (f->state == FETCH_FAILED || f->state == FETCH_IDLE)
		return FETCH_SAY_NOTHING;
	if (n < 4 || p[0] != 0)
		return fail(f, FETCH_MALFORMED, now_us);
	switch (p[1]) {
	case TFTP_DATA: return on_data(f, want, p, n, now_us);
	case TFTP_OACK: return on_oack(f, want, p, n, now_us);
	case TFTP_ERROR:
		if (f->state != FETCH_DONE)
			fetch_fail(f, FETCH_ERROR, now_us);
		f->error = (uint16_t)(p[2] << 8 | p[3]);
		return FETCH_SAY_NOTHING;
	default: return fail(f, FETCH_MALFORMED, now_us);
	}
}

enum fetch_reply
fetch_tick(struct fetch *f, const struct fetch_want *want, uint64_t now_us)
{
	uint64_t pause_us = FETCH_RETRY_US << (f->tries < 3 ? ++f->tries : 3);

	if (now_us - f->heard_us >= want->patience_us)
		return fail(f, FETCH_TIMED_OUT, now_us);
	f->due_us = now_us + (pause_us < FETCH_RETRY_MAX_US ? pause_us : FETCH_RETRY_MAX_US);
	f->again++;
	f->ahead = 0;
	return f->state == FETCH_ASKING ? FETCH_SAY_RRQ : say_ack(f);
}

static void
put_option(struct wbuf *w, const char *name, const char *value)
{
	wbuf_bytes(w, name, strlen(name) + 1);
	wbuf_bytes(w, value, strlen(value) + 1);
}

size_t
fetch_rrq(const struct fetch_want *want, uint8_t *buf, size_t size)
{
	struct wbuf w;
	char number[24];

	wbuf_init(&w, buf, size);
	wbuf_u16(&w, TFTP_RRQ);
	put_option(&w, want->file, "octet");
	(void)snprintf(number, sizeof(number), "%u", want->blksize);
	if (want->blksize != TFTP_DEFAULT_BLKSIZE)
		put_option(&w, "blksize", number);
	(void)snprintf(number, sizeof(number), "%u", want->windowsize);
	if (want->windowsize != 0)
		put_option(&w, "windowsize", number);
	if (want->tsize)
		put_option(&w, "tsize", "0");
	return w.bad ? 0 : wbuf_view(&w).n;
}

const char *
fetch_fault_name(enum fetch_fault fault)
{
	static const char *const names[FETCH_FAULTS] = {
		[FETCH_OK] = "ok",
		[FETCH_TIMED_OUT] = "timed out",
		[FETCH_ERROR] = "error packet",
		[FETCH_CONTENTS] = "wrong contents",
		[FETCH_SIZE] = "wrong size",
		[FETCH_ORDER] = "block beyond the window",
		[FETCH_OPTIONS] = "bad options",
		[FETCH_MALFORMED] = "malformed",
		[FETCH_LATE] = "late",
	};

	return names[fault];
}
