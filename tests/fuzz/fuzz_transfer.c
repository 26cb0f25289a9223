/*
 * A whole transfer against a client that acknowledges anything at any time, and a caller that sends
 * late, in parts, or not at all.  It must end, send no block that the file does not have, and never
 * more than a window at once; what became of it is told in words, and learnt for the next one.
 * Input: size (4 bytes), blksize (2), windowsize (1), options (1); then events of 4 bytes: kind,
 * milliseconds that pass, and the block number or an offset from what is due.
 */
#include "tests/fuzz/fuzz.h"
#include "tftpd/paths.h"

#include <string.h>

/* What waits in the caller's queue. */
static struct transfer_action queue;

static void
check_action(const struct transfer *t, const struct transfer_action *a, uint64_t size)
{
	MUST(a->count <= t->window);
	if (a->count > 0) {
		MUST(a->first >= 1 && a->first + a->count - 1 <= t->blocks);
		MUST(transfer_block_size(t, size, a->first) <= t->blksize);
		MUST((a->class == TRANSFER_CLASS_RETRY) == (a->first <= t->highest));
		MUST(!a->send_oack);
	}
	MUST(t->acked <= t->highest && t->highest <= t->blocks);
	MUST(t->burst >= 1 && t->window >= 1);
	if (a->result == TRANSFER_GOING_ON)
		MUST(a->wake_us > 0 && a->wake_us <= TRANSFER_SILENCE_US);
	else
		MUST(a->wake_us == 0 && !a->send_oack && a->count == 0);
	if (a->result == TRANSFER_DONE)
		MUST(t->acked == t->blocks);
}

/* Lets some of the queue leave; how much the next wait is counts from then. */
static void
leave(struct transfer *t, uint32_t most, uint64_t now, uint64_t *wake)
{
	uint32_t n = queue.count < most ? queue.count : most;

	if (most > 0 && queue.send_oack) {
		*wake = transfer_sent(t, 0, 1, now);
		queue.send_oack = false;
	} else if (n > 0) {
		*wake = transfer_sent(t, queue.first, n, now);
		queue.first += n;
		queue.count -= n;
	}
	MUST(*wake > 0 && *wake <= TRANSFER_SILENCE_US);
}

static enum transfer_result
step(struct transfer *t, enum transfer_event event, struct transfer_ack ack, uint64_t file,
    uint64_t now, uint64_t *wake)
{
	struct transfer_action a;

	transfer_step(t, event, ack, now, &a);
	check_action(t, &a, file);
	if (a.send_oack || a.count > 0)
		queue = a;
	*wake = a.wake_us;
	return a.result;
}

/* The end in words and for the next request, of which not more is offered than before. */
static void
conclude(const struct transfer *t, enum transfer_result result, struct slice text, uint64_t file)
{
	static const uint64_t key[2] = { 1, 2 };
	static const struct ipaddr ip = { 4, { 192, 0, 2, 1 } };
	static struct paths paths;
	struct outcome o = { .t = t,
		.result = result,
		.size = file,
		.error_text = text,
		.first_port = 64001,
		.last_port = 65000 };
	uint64_t blksize = t->blksize, windowsize = t->windowsize;
	char buf[OUTCOME_TEXT_SIZE];
	uint32_t rtt_us;

	paths_init(&paths, key);
	paths_learn(&paths, &ip, &o, 1000);
	MUST(strlen(outcome_text(&o, buf)) < sizeof(buf));
	paths_advise(&paths, &ip, 2000, &blksize, &windowsize, &rtt_us);
	MUST(blksize >= 8 && blksize <= t->blksize);
	MUST(windowsize >= 1 && windowsize <= t->windowsize);
	MUST(o.next_blksize == 0 || (o.next_blksize == blksize && blksize < t->blksize));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tftp_opts opts = { .blksize = 512, .windowsize = 1 };
	enum transfer_result result;
	uint64_t file, now = 1000000, wake;
	struct transfer t;
	struct rbuf r;
	unsigned seen;

	rbuf_init(&r, data, size);
	file = rbuf_u32(&r) & 0xffffff;
	opts.blksize = 8 + rbuf_u16(&r) % 1461;
	opts.windowsize = 1 + rbuf_u8(&r) % 64;
	seen = rbuf_u8(&r) & 0x3f;
	if (r.bad)
		return 0;
	opts.rollover = (seen & TFTP_SEEN_ROLLOVER) != 0;
	transfer_init(&t, file, &opts, seen, 0);
	queue = (struct transfer_action){ 0 };
	result = step(&t, TRANSFER_START, (struct transfer_ack){ 0 }, file, now, &wake);
	leave(&t, 64, now, &wake);
	while (result == TRANSFER_GOING_ON && r.left >= 4) {
		uint8_t kind = rbuf_u8(&r);
		uint64_t wait = (uint64_t)rbuf_u8(&r) * 4000;
		uint16_t block = rbuf_u16(&r);
		enum transfer_event event = TRANSFER_ACK;

		if (wait >= wake) {
			event = TRANSFER_TICK;
			wait = wake;
		} else if ((kind & 0x3f) == 0x3f) {
			event = TRANSFER_ERROR;
		}
		now += wait;
		if ((kind & 0x80) != 0) /* near what is due, so that inputs get far */
			block = transfer_wire(&t, t.acked + (block & 0x3f));
		result =
		    step(&t, event, (struct transfer_ack){ block, kind & 0x3f }, file, now, &wake);
		/* a full socket takes only some, and the queue may take its time */
		if (result == TRANSFER_GOING_ON)
			leave(&t, (kind & 0x40) == 0 ? 255 : kind & 7, now, &wake);
	}
	/* from here on the client is silent: it must end by itself, in bounded time */
	for (int i = 0; result == TRANSFER_GOING_ON; i++) {
		MUST(i < 4000);
		leave(&t, 255, now, &wake);
		now += wake;
		result = step(&t, TRANSFER_TICK, (struct transfer_ack){ 0 }, file, now, &wake);
	}
	conclude(&t, result, (struct slice){ data, size }, file);
	return 0;
}
