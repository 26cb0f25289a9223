/*
 * A whole transfer against a client that acknowledges anything at any time.  It must end, send no
 * block that the file does not have, and never more than a window at once.
 * Input: size (4 bytes), blksize (2), windowsize (1), flags (1); then events of 4 bytes: kind,
 * milliseconds that pass, and the block number or an offset from what is due.
 */
#include "tests/fuzz/fuzz.h"
#include "tftpd/transfer.h"

static void
send(struct transfer *t, const struct transfer_action *a, uint32_t count, uint64_t now)
{
	if (a->send_oack)
		(void)transfer_sent(t, 0, 1, now);
	if (a->count > 0)
		(void)transfer_sent(t, a->first, count, now);
}

static void
check_action(const struct transfer *t, const struct transfer_action *a, uint64_t size)
{
	MUST(a->count <= t->windowsize);
	if (a->count > 0) {
		MUST(a->first >= 1 && a->first + a->count - 1 <= t->blocks);
		MUST(transfer_block_size(t, size, a->first) <= t->blksize);
	}
	MUST(t->acked <= t->highest && t->highest <= t->blocks);
	if (a->result == TRANSFER_GOING_ON)
		MUST(a->wake_us > 0 && a->wake_us <= TRANSFER_SILENCE_US);
	if (a->result == TRANSFER_DONE)
		MUST(t->acked == t->blocks);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tftp_opts opts = { .blksize = 512, .windowsize = 1 };
	struct transfer_action a;
	uint64_t file, now = 1000000;
	struct transfer t;
	struct rbuf r;
	unsigned seen;

	rbuf_init(&r, data, size);
	file = rbuf_u32(&r) & 0xffffff;
	opts.blksize = 8 + rbuf_u16(&r) % 1461;
	opts.windowsize = 1 + rbuf_u8(&r) % 64;
	seen = rbuf_u8(&r);
	if (r.bad)
		return 0;
	transfer_init(&t, file, &opts, seen & 0xf);
	transfer_step(&t, TRANSFER_START, (struct transfer_ack){ 0 }, now, &a);
	check_action(&t, &a, file);
	send(&t, &a, a.count, now);
	while (a.result == TRANSFER_GOING_ON && r.left >= 4) {
		uint8_t kind = rbuf_u8(&r);
		uint64_t wait = (uint64_t)rbuf_u8(&r) * 4000;
		uint16_t block = rbuf_u16(&r);
		enum transfer_event event = TRANSFER_ACK;

		if (wait >= a.wake_us) {
			event = TRANSFER_TICK;
			wait = a.wake_us;
		} else if ((kind & 0x3f) == 0x3f) {
			event = TRANSFER_ERROR;
		}
		now += wait;
		if ((kind & 0x80) != 0) /* near what is due, so that inputs get far */
			block = (uint16_t)(t.acked + (block & 0x3f));
		transfer_step(&t, event, (struct transfer_ack){ block, kind & 0x3f }, now, &a);
		check_action(&t, &a, file);
		/* a full socket takes only some */
		send(&t, &a, (kind & 0x40) != 0 ? a.count / 2 : a.count, now);
	}
	/* from here on the client is silent: it must end by itself, in bounded time */
	for (int i = 0; a.result == TRANSFER_GOING_ON; i++) {
		MUST(i < 4000);
		now += a.wake_us;
		transfer_step(&t, TRANSFER_TICK, (struct transfer_ack){ 0 }, now, &a);
		check_action(&t, &a, file);
		send(&t, &a, a.count, now);
	}
	return 0;
}
