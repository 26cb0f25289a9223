/* The read transfer; see transfer.h. */
#include "tftpd/transfer.h"

/* The least time between two answers to an ACK that is repeated over and over. */
#define REPEAT_US 20000u
/* Beyond, the waiting time does not double any more. */
#define TRIES_MAX 12

void
transfer_init(struct transfer *t, uint64_t size, const struct tftp_opts *opts, unsigned seen)
{
	*t = (struct transfer){
		.blocks = size / opts->blksize + 1,
		.next = 1,
		.blksize = (uint32_t)opts->blksize,
		.windowsize = (uint32_t)opts->windowsize,
		.timeout_us = (uint32_t)opts->timeout_s * 1000000u,
		.rto_us = TRANSFER_RTO_US,
		.oack = seen != 0,
	};
}

uint32_t
transfer_block_size(const struct transfer *t, uint64_t size, uint64_t block)
{
	return block < t->blocks ? t->blksize : (uint32_t)(size % t->blksize);
}

uint16_t
transfer_wire(const struct transfer *t, uint64_t block)
{
	(void)t;
	return (uint16_t)block;
}

/* How long to wait for an answer to what went out last. */
static uint64_t
waiting_us(const struct transfer *t)
{
	uint64_t us = (uint64_t)t->rto_us << (t->tries > 0 ? t->tries - 1 : 0);

	if (t->extended)
		return 2 * (uint64_t)t->srtt_us + 1000;
	if (t->timeout_us != 0 && us > t->timeout_us)
		us = t->timeout_us;
	return us > TRANSFER_RTO_MAX_US ? TRANSFER_RTO_MAX_US : us;
}

static uint64_t
left_us(const struct transfer *t, uint64_t now_us)
{
	uint64_t due_us = t->sent_us + waiting_us(t);

	return due_us > now_us ? due_us - now_us : 1;
}

/* Round trips by RFC 6298, of windows that went out only once (Karn). */
static void
measure(struct transfer *t, uint64_t now_us)
{
	uint64_t us = now_us - t->sent_us;
	uint32_t rtt = us < TRANSFER_RTO_MAX_US ? (uint32_t)us + 1 : TRANSFER_RTO_MAX_US;
	uint32_t off;

	if (t->retried)
		return;
	if (t->srtt_us == 0) {
		t->srtt_us = rtt;
		t->rttvar_us = rtt / 2;
	} else {
		off = rtt > t->srtt_us ? rtt - t->srtt_us : t->srtt_us - rtt;
		t->rttvar_us = (3 * t->rttvar_us + off) / 4;
		t->srtt_us = (7 * t->srtt_us + rtt) / 8;
	}
	t->rto_us = t->srtt_us + 4 * t->rttvar_us;
	if (t->rto_us < TRANSFER_RTO_MIN_US)
		t->rto_us = TRANSFER_RTO_MIN_US;
	if (t->rto_us > TRANSFER_RTO_US)
		t->rto_us = TRANSFER_RTO_US;
}

/* Sends what lies between `first` and the end of the window after what was acknowledged. */
static void
send_from(struct transfer *t, uint64_t first, uint64_t now_us, struct transfer_action *a)
{
	t->next = first;
	t->end = t->acked + t->windowsize;
	if (t->end > t->blocks)
		t->end = t->blocks;
	t->sent_us = now_us;
	a->first = first;
	a->count = (uint32_t)(t->end - first + 1);
	a->class = t->highest == 0 ? TRANSFER_CLASS_START : TRANSFER_CLASS_WINDOW;
	if (t->highest >= first) {
		a->class = TRANSFER_CLASS_RETRY;
		t->retransmits += (t->highest < t->end ? t->highest : t->end) - first + 1;
	}
	a->wake_us = waiting_us(t);
}

/* The next window, for the first time. */
static void
send_window(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	t->tries = 1;
	t->retried = t->extended = false;
	send_from(t, t->acked + 1, now_us, a);
}

/* All of the window again. */
static void
send_again(struct transfer *t, uint8_t tries, uint64_t now_us, struct transfer_action *a)
{
	t->tries = tries;
	t->retried = true;
	t->extended = false;
	send_from(t, t->acked + 1, now_us, a);
}

static void
send_oack(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	a->send_oack = true;
	a->class = t->tries > 0 ? TRANSFER_CLASS_RETRY : TRANSFER_CLASS_START;
	t->oack_out = true;
	t->sent_us = now_us;
	t->retransmits += t->tries > 0;
	t->retried = t->tries > 0;
	if (t->tries < TRIES_MAX)
		t->tries++;
	a->wake_us = waiting_us(t);
}

/*
 * A repeated ACK asks for nothing without windows: answering it is what made the Sorcerer's
 * Apprentice (RFC 1123 section 4.2.3.1).  With windows it tells of a gap right behind it.  The
 * first one is answered at once; a client that sends one for each block that came too early gets
 * no more than one answer a round trip.
 */
static void
on_repeated_ack(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	uint32_t pause_us = 2 * t->srtt_us > REPEAT_US ? 2 * t->srtt_us : REPEAT_US;

	if (t->windowsize == 1 || t->highest == t->acked ||
	    (t->repeat_us != 0 && now_us - t->repeat_us < pause_us))
		return;
	t->repeat_us = now_us;
	send_again(t, 1, now_us, a);
}

/*
 * An ACK inside the window tells of a gap, and the rest is sent again.  But when blocks of this
 * window are on their way twice already, it may as well answer a duplicate, as edk2 does, which
 * from then on counts its windows from there.  Sending again would double every window that
 * follows.  Sending only what is new keeps both in step; if it was a gap, that shows when nothing
 * comes back.
 */
static void
on_partial_ack(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	if (!t->retried || t->next <= t->end) {
		send_again(t, 1, now_us, a);
		return;
	}
	t->extended = true;
	t->tries = 1;
	if (t->end < t->blocks) {
		send_from(t, t->end + 1, now_us, a);
	} else {
		t->sent_us = now_us;
		a->wake_us = waiting_us(t);
	}
}

static void
on_ack(struct transfer *t, uint16_t block, uint64_t now_us, struct transfer_action *a)
{
	/* the block nearest to what we know that has these 16 bits */
	int16_t ahead = (int16_t)(uint16_t)(block - (uint16_t)t->acked);

	a->wake_us = left_us(t, now_us);
	if (t->oack_out) {
		if (block != 0)
			return;
		t->oack_out = false;
		t->progress_us = now_us;
		measure(t, now_us);
		send_window(t, now_us, a);
		return;
	}
	/* of the past, or of what was not sent */
	if (ahead < 0 || t->acked + (uint64_t)ahead > t->highest)
		return;
	if (ahead == 0) {
		on_repeated_ack(t, now_us, a);
		return;
	}
	t->acked += (uint64_t)ahead;
	t->progress_us = now_us;
	t->repeat_us = 0;
	if (t->acked == t->blocks) {
		a->result = TRANSFER_DONE;
		a->wake_us = 0;
	} else if (t->acked < t->end) {
		on_partial_ack(t, now_us, a);
	} else {
		measure(t, now_us);
		send_window(t, now_us, a);
	}
}

static void
on_tick(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	uint64_t silence_us = now_us - t->progress_us;

	/* the rest of a window for which the socket had no room */
	if (!t->oack_out && t->next <= t->end) {
		a->first = t->next;
		a->class = t->highest >= t->next ? TRANSFER_CLASS_RETRY
		           : t->highest == 0     ? TRANSFER_CLASS_START
		                                 : TRANSFER_CLASS_WINDOW;
		a->count = (uint32_t)(t->end - t->next + 1);
		a->wake_us = waiting_us(t);
		return;
	}
	if (now_us < t->sent_us + waiting_us(t)) {
		a->wake_us = left_us(t, now_us);
		return;
	}
	if (!t->oack_out && t->highest == t->blocks && silence_us >= TRANSFER_LAST_US)
		a->result = TRANSFER_DONE_SILENT;
	else if (silence_us >= TRANSFER_SILENCE_US)
		a->result = TRANSFER_TIMED_OUT;
	else if (t->oack_out)
		send_oack(t, now_us, a);
	else
		send_again(
		    t, t->tries < TRIES_MAX ? (uint8_t)(t->tries + 1) : TRIES_MAX, now_us, a);
}

void
transfer_step(struct transfer *t, enum transfer_event event, struct transfer_ack ack,
    uint64_t now_us, struct transfer_action *action)
{
	*action = (struct transfer_action){ .result = TRANSFER_GOING_ON };
	switch (event) {
	case TRANSFER_START:
		t->progress_us = now_us;
		if (t->oack)
			send_oack(t, now_us, action);
		else
			send_window(t, now_us, action);
		break;
	case TRANSFER_ACK: on_ack(t, ack.block, now_us, action); break;
	case TRANSFER_ERROR:
		action->result = t->oack_out ? TRANSFER_PROBED : TRANSFER_ABORTED;
		break;
	case TRANSFER_TICK: on_tick(t, now_us, action); break;
	}
}

uint64_t
transfer_sent(struct transfer *t, uint64_t first, uint32_t count, uint64_t now_us)
{
	t->sent_us = now_us;
	if (first > 0 && count > 0) {
		t->next = first + count;
		if (t->next - 1 > t->highest)
			t->highest = t->next - 1;
	}
	return waiting_us(t);
}

const char *
transfer_result_name(enum transfer_result r)
{
	static const char *const names[] = {
		[TRANSFER_GOING_ON] = "going-on",
		[TRANSFER_DONE] = "done",
		[TRANSFER_DONE_SILENT] = "done-silent",
		[TRANSFER_PROBED] = "probed",
		[TRANSFER_ABORTED] = "aborted",
		[TRANSFER_TIMED_OUT] = "timed-out",
	};

	return (size_t)r < NITEMS(names) ? names[r] : "?";
}
