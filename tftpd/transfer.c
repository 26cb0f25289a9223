/* The read transfer; see transfer.h. */
#include "tftpd/transfer.h"

#include <assert.h>

/* Beyond, waiting times do not double any more. */
#define BACKOFF_MAX 12
/* How long the caller may leave blocks in its queue before it is reminded of them. */
#define QUEUE_US 1000000u
/* What the slowest clients need for a block: until a window was timed they get that long. */
#define SLOW_BLOCK_US 1000u
/* Beyond twice the round trip, for a window to leave and be taken. */
#define PROMPT_US 2000u
/* Doublings that outlast a window which went out more than once as a whole. */
#define BACKOFF_KEPT 1
/* The same for a window of one. */
#define FIRST_RTO_US 20000u
/* The least pause between bursts: what timers can do. */
#define PAUSE_MIN_US 1000u
#define BURST_MIN    4u
/* A repeated ACK that comes so long after the last block is no echo, the client asks for more. */
#define CLIENT_TIMEOUT_US 1000000u
/* Tries in a row of which some go beyond the window. */
#define BEYOND_TRIES 9
/* Windows of much the same room that tell of a small one: loss by chance looks like that rarely. */
#define STEADY 8
/* `doubt` at which an ACK inside the window is no gap until proven, and what each proof adds. */
#define DOUBT_MAX  8
#define DOUBT_STEP 3

static_assert(sizeof(struct transfer) <= 128, "20,000 of them shall be small");

void
transfer_init(
    struct transfer *t, uint64_t size, const struct tftp_opts *opts, unsigned seen, uint32_t rtt_us)
{
	*t = (struct transfer){
		.blocks = size / opts->blksize + 1,
		.next = 1,
		.blksize = (uint16_t)opts->blksize,
		.windowsize = (uint16_t)opts->windowsize,
		.window = (uint16_t)opts->windowsize,
		.burst = (uint16_t)opts->windowsize,
		.timeout_s = (uint8_t)opts->timeout_s,
		.rto_us = TRANSFER_RTO_US,
		.oack = seen != 0,
		.tsize = (seen & TFTP_SEEN_TSIZE) != 0,
		.msft = (seen & TFTP_SEEN_MSFTWINDOW) != 0,
		.rollover1 = opts->rollover == 1,
	};
	if (rtt_us > 0 && rtt_us < TRANSFER_RTO_US / 8)
		t->rto_us =
		    rtt_us * 8 > 5 * TRANSFER_RTO_MIN_US ? rtt_us * 8 : 5 * TRANSFER_RTO_MIN_US;
}

uint32_t
transfer_block_size(const struct transfer *t, uint64_t size, uint64_t block)
{
	return block < t->blocks ? t->blksize : (uint32_t)(size % t->blksize);
}

uint16_t
transfer_wire(const struct transfer *t, uint64_t block)
{
	if (t->rollover1 && block > 0)
		return (uint16_t)((block - 1) % 65535 + 1);
	return (uint16_t)block;
}

bool
transfer_first_lost(const struct transfer *t)
{
	return !t->oack_out && t->highest > 0 && t->acked == 0;
}

/*
 * How far the block of an ACK lies ahead of what is known.  What is more than what was sent is of
 * the past: numbers repeat, and a window may have nearly all of them.
 */
static uint32_t
distance(const struct transfer *t, uint16_t block)
{
	if (!t->rollover1)
		return (uint16_t)(block - (uint16_t)t->acked);
	/* there are only 65535 numbers: 0 is that of the OACK, which lies 65535 before 65535 */
	return ((uint32_t)block + 65535 - transfer_wire(t, t->acked)) % 65535;
}

/* Something that an action named is still in the caller's queue. */
static bool
queued(const struct transfer *t)
{
	return t->oack_out ? t->oack_due : t->next <= t->stop;
}

/* The window's last block alone may bring an answer. */
static bool
can_probe(const struct transfer *t)
{
	return !t->oack_out && t->srtt_us != 0 && t->end > t->acked + 1;
}

/* An answer to a window mostly comes before. */
static uint64_t
quick_us(const struct transfer *t)
{
	uint32_t spread_us = 4 * t->rttvar_us;

	if (spread_us < TRANSFER_PROBE_MIN_US)
		spread_us = TRANSFER_PROBE_MIN_US;
	/* the OACK's round trip does not tell how long the client works on a window */
	if (!t->timed && spread_us < t->window * SLOW_BLOCK_US)
		spread_us = t->window * SLOW_BLOCK_US;
	return t->srtt_us + spread_us;
}

/* How long to wait for an answer to what has left. */
static uint64_t
waiting_us(const struct transfer *t)
{
	uint64_t us = t->rto_us;

	if (can_probe(t))
		us = quick_us(t);
	else if (!t->timed && us < FIRST_RTO_US)
		us = FIRST_RTO_US;
	us <<= t->backoff;
	if (can_probe(t) && t->tries > 0)
		us >>= 1; /* a round of tries is as quick as its first */
	if (t->timeout_s != 0 && us > t->timeout_s * (uint64_t)1000000)
		us = t->timeout_s * (uint64_t)1000000;
	return us > TRANSFER_RTO_MAX_US ? TRANSFER_RTO_MAX_US : us;
}

/*
 * Between two bursts.  The round trip counts from a window's last block, so it is about the time
 * that the client works on a window: each burst gets its share of it.  All together below what a
 * timer can do there is no pause.
 */
static uint32_t
pause_us(const struct transfer *t)
{
	uint64_t us = (uint64_t)t->srtt_us * t->burst / t->window;

	if (t->burst >= t->window || (t->srtt_us - us < PAUSE_MIN_US && !t->paced))
		return 0;
	return us > PAUSE_MIN_US ? (uint32_t)us : PAUSE_MIN_US;
}

static uint64_t
left_us(const struct transfer *t, uint64_t now_us)
{
	return t->due_us > now_us ? t->due_us - now_us : 1;
}

/* A round trip, by RFC 6298. */
static void
measure(struct transfer *t, uint64_t us)
{
	uint32_t rtt = us < TRANSFER_RTO_MAX_US ? (uint32_t)us + 1 : TRANSFER_RTO_MAX_US;
	uint32_t off = rtt > t->srtt_us ? rtt - t->srtt_us : t->srtt_us - rtt;

	if (t->rtt_min_us == 0 || rtt < t->rtt_min_us)
		t->rtt_min_us = rtt;
	if (t->srtt_us == 0) {
		t->srtt_us = rtt;
		t->rttvar_us = rtt / 2;
	} else {
		t->rttvar_us = (3 * t->rttvar_us + off) / 4;
		t->srtt_us = (7 * t->srtt_us + rtt) / 8;
	}
	t->rto_us = t->srtt_us + 4 * t->rttvar_us;
	if (t->rto_us < TRANSFER_RTO_MIN_US)
		t->rto_us = TRANSFER_RTO_MIN_US;
	if (t->rto_us > 2 * TRANSFER_RTO_US)
		t->rto_us = 2 * TRANSFER_RTO_US;
	t->backoff = 0;
}

/*
 * The ACK of a window that went out once tells the round trip.  If its last block went out again it
 * may answer that (Karn); but when the client then echoes that as well, it was needless, and the
 * client is as slow as all that.
 */
static void
measure_ack(struct transfer *t, uint64_t now_us)
{
	uint64_t us = t->late_us + (now_us - t->sent_us);

	t->doubted_us = 0;
	if (t->redone != 0 && t->window > 1 && now_us - t->sent_us <= 2 * t->srtt_us + PROMPT_US) {
		/* so soon after all of it went out again: that was needed, and this is its answer
		 */
		measure(t, now_us - t->sent_us);
		t->timed = true;
	} else if (!t->retried) {
		measure(t, us);
		t->timed = !t->oack_out;
	} else if (t->redone == 0 || t->window == 1) {
		t->doubted_us = us < TRANSFER_RTO_MAX_US ? (uint32_t)us : TRANSFER_RTO_MAX_US;
	}
}

/*
 * As long as no window was clean, one that was not may tell: so many blocks of it took so long,
 * beyond the way there and back.
 */
static void
measure_part(struct transfer *t, uint32_t ahead, uint64_t now_us)
{
	uint64_t us = now_us - t->sent_us;

	if (t->timed || t->retried)
		return;
	t->timed = true;
	if (us > t->srtt_us)
		us = t->srtt_us + (us - t->srtt_us) * t->window / ahead;
	measure(t, us);
}

/* Names what is to be sent: up to the end of a burst. */
static void
name_blocks(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	a->first = t->next;
	a->count = (uint32_t)(t->stop - t->next + 1);
	a->class = t->highest >= t->next ? TRANSFER_CLASS_RETRY
	           : t->highest == 0     ? TRANSFER_CLASS_START
	                                 : TRANSFER_CLASS_WINDOW;
	t->due_us = now_us + QUEUE_US;
	a->wake_us = QUEUE_US;
}

static void
name_oack(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	a->send_oack = true;
	a->class = t->retried ? TRANSFER_CLASS_RETRY : TRANSFER_CLASS_START;
	t->due_us = now_us + QUEUE_US;
	a->wake_us = QUEUE_US;
}

/* The next burst of the window, from t->next on. */
static void
send_burst(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	t->stop = t->end;
	if (pause_us(t) > 0 && t->end - t->next >= t->burst)
		t->stop = t->next + t->burst - 1;
	name_blocks(t, now_us, a);
}

/* The window that follows what was acknowledged, or what is left of it from `first` on. */
static void
send_from(struct transfer *t, uint64_t first, uint64_t now_us, struct transfer_action *a)
{
	t->next = first;
	t->end = t->acked + t->window;
	if (t->end > t->blocks)
		t->end = t->blocks;
	t->probed = t->extended = false;
	send_burst(t, now_us, a);
}

/* The next window, for the first time. */
static void
send_window(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	t->tries = 0;
	t->retried = t->highest > t->acked; /* some of it left already */
	t->shrunk = false;
	t->redone = 0;
	t->late_us = 0;
	send_from(t, t->acked + 1, now_us, a);
}

/* All of the window again. */
static void
send_again(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	if (!t->shrunk && t->burst > BURST_MIN)
		t->burst = t->burst / 2 > BURST_MIN ? t->burst / 2 : BURST_MIN;
	t->retried = t->shrunk = true;
	t->redone = (uint32_t)t->highest;
	t->redone_us = 0;
	send_from(t, t->acked + 1, now_us, a);
}

/* Only the last block of the window again. */
static void
send_probe(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	t->retried = true;
	t->next = t->stop = t->end;
	name_blocks(t, now_us, a);
}

/*
 * The window after this one, although this one is not confirmed.  A client that has it all, whose
 * ACK was lost, may keep silent on what it has; or it counts from an ACK of a gap that was lost.
 */
static void
send_beyond(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	t->next = t->end + 1;
	t->end = t->end + t->window < t->blocks ? t->end + t->window : t->blocks;
	t->probed = false;
	send_burst(t, now_us, a);
}

static void
send_oack(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	t->retried = t->oack_out;
	t->oack_out = t->oack_due = true;
	name_oack(t, now_us, a);
}

/*
 * Moves the window on as the client may have done, and sends only what is new in it.  If there was
 * a gap nothing comes back, and the last block will be sent again to ask.
 */
static void
extend(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	bool waits = queued(t);

	t->end = t->acked + t->window;
	if (t->end > t->blocks)
		t->end = t->blocks;
	t->next = t->highest + 1;
	t->retried = t->extended = true;
	t->tries = 0;
	t->probed = false;
	if (t->next <= t->end) {
		send_burst(t, now_us, a);
		return;
	}
	t->stop = t->end;
	if (waits) {
		/* one block takes the place of all that need not leave any more */
		t->next = t->end;
		name_blocks(t, now_us, a);
		return;
	}
	t->due_us = now_us + waiting_us(t);
	a->wake_us = waiting_us(t);
}

/*
 * How long to wait for the last ACK, 0 if it is not all that is missing.  A client that confirmed
 * nothing at all did not get a file of several windows, and without an OACK nobody may be there.
 */
static uint64_t
last_us(const struct transfer *t)
{
	uint64_t us = 100 * (uint64_t)t->rto_us;

	if (t->oack_out || t->highest < t->blocks || (t->acked == 0 && (t->blocks > 1 || !t->oack)))
		return 0;
	if (t->srtt_us == 0 || us > TRANSFER_LAST_US)
		return TRANSFER_LAST_US;
	return us < TRANSFER_LAST_MIN_US ? TRANSFER_LAST_MIN_US : us;
}

/* The lower bits of a time in seconds. */
static uint8_t
second(uint64_t us)
{
	return (uint8_t)(us / 1000000);
}

/* Nothing has come from the client but its request. */
static bool
is_unheard(const struct transfer *t)
{
	return t->oack_out || (!t->oack && t->acked == 0 && !t->asking);
}

/* The client confirms nothing any more. */
static bool
gives_up(const struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	uint64_t silence_us = now_us - t->progress_us;
	/* one that asked again lacked more than its last ACK then: only its silence since tells */
	bool silent = t->asking ? (uint8_t)(second(now_us) - t->asked_s) >= TRANSFER_ASKED_S
	                        : silence_us >= last_us(t);

	a->tell = t->oack && transfer_first_lost(t) && t->blocks > 1 &&
	          t->blksize > TFTP_DEFAULT_BLKSIZE && silence_us >= TRANSFER_FIRST_US;
	if (last_us(t) != 0 && silent)
		a->result = TRANSFER_DONE_SILENT;
	else if (a->tell ||
		 silence_us >= (is_unheard(t) ? TRANSFER_UNHEARD_US : TRANSFER_SILENCE_US))
		a->result = TRANSFER_TIMED_OUT;
	else
		return false;
	a->wake_us = 0;
	return true;
}

/* Notes how many blocks a client took until the gap, which tells of its room if it is steady. */
static void
note_room(struct transfer *t, uint32_t took)
{
	uint32_t off = took > t->room ? took - t->room : t->room - took;

	if (!t->shrunk && t->burst <= BURST_MIN)
		t->paced = false; /* pauses do not help */
	if (took < BURST_MIN || off > t->room / 8u + 1)
		t->steady = 0;
	else if (t->steady < STEADY)
		t->steady++;
	t->room = (uint16_t)(took < UINT16_MAX ? took : UINT16_MAX);
	if (t->steady == STEADY && !t->paced) {
		t->paced = t->shrunk = true;
		t->burst = t->room;
	}
}

static void
lose_doubt(struct transfer *t, unsigned proof)
{
	t->doubt = (uint8_t)(t->doubt > proof ? t->doubt - proof : 0);
}

/*
 * A repeated ACK asks for nothing without windows, unless it comes so late that it is the client's
 * own time-out: answering any other is what makes the Sorcerer's Apprentice.  With windows it tells
 * of a gap right behind it, or echoes a block that came twice.
 */
static void
on_repeated_ack(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	if (t->highest == t->acked || queued(t))
		return;
	if (now_us - t->sent_us < CLIENT_TIMEOUT_US && !t->probed) {
		if (t->echoes > 0) {
			/* it works on what came twice, and has yet to come to what it waits for */
			t->echoes--;
			t->due_us = now_us + waiting_us(t);
			a->wake_us = waiting_us(t);
			/* one that follows at once was doubled on its way */
			if (t->doubted_us != 0 && now_us - t->progress_us > t->rtt_min_us / 2) {
				measure(t, t->doubted_us);
				t->timed = true;
				t->doubted_us = 0;
			}
			return;
		}
		/* in doubt, the block that asks will tell */
		if (t->window == 1 || t->doubt >= DOUBT_MAX)
			return;
	}
	lose_doubt(t, t->probed ? DOUBT_STEP : 0);
	t->asking = true;
	t->asked_s = second(now_us);
	if (gives_up(t, now_us, a))
		return;
	t->tries = 0;
	if (now_us - t->sent_us <= quick_us(t))
		t->backoff = 0; /* an answer, not the client's own time-out */
	send_again(t, now_us, a);
}

/*
 * Blocks of this window were sent again, and nothing was missing: the client has just what had left
 * before, or goes on sooner than what was sent again can have reached it.
 */
static bool
was_needless(const struct transfer *t, uint64_t now_us)
{
	if (t->redone == 0)
		return false;
	return (uint32_t)t->acked == t->redone || t->redone_us == 0 ||
	       (uint32_t)now_us - t->redone_us < t->rtt_min_us / 4 * 3;
}

/*
 * An ACK inside the window tells of a gap, and the rest is sent again.  But it may as well answer a
 * block that came twice, as edk2 does, which from then on counts its windows from there.  Sending
 * again would double every window that follows; sending only what is new keeps both in step.
 *
 * Where sending again proves needless often, packets are doubled on the way: then an ACK inside the
 * window is no gap until it answers the block that asks.
 */
static void
on_partial_ack(struct transfer *t, uint32_t ahead, uint64_t now_us, struct transfer_action *a)
{
	bool asked = t->probed;

	t->tries = 0;
	t->backoff = 0; /* it was loss, not the client's slowness */
	if (!asked && was_needless(t, now_us)) {
		if (t->doubt < 4 * DOUBT_MAX)
			t->doubt += DOUBT_STEP;
		extend(t, now_us, a);
	} else if (!asked && t->doubt >= DOUBT_MAX) {
		extend(t, now_us, a);
	} else {
		lose_doubt(t, asked ? DOUBT_STEP : t->redone == 0);
		note_room(t, ahead);
		measure_part(t, ahead, now_us);
		/* it is up to date, and has taken what came twice before */
		if (now_us - t->sent_us <= quick_us(t))
			t->echoes = 0;
		send_again(t, now_us, a);
	}
}

static void
on_full_ack(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	uint32_t step = t->window < 16 || t->paced ? 1 : t->window / 8;

	measure_ack(t, now_us);
	if (t->redone != 0 && t->window > 1 && t->backoff > BACKOFF_KEPT)
		t->backoff = BACKOFF_KEPT;
	if (!t->retried) {
		t->echoes = 0;
		t->burst = (uint16_t)(t->burst + step < t->window ? t->burst + step : t->window);
		if (t->burst == t->window)
			t->paced = false;
	}
	send_window(t, now_us, a);
}

/* The window that Microsoft's client asks for.  A burst that was whole stays whole. */
static void
take_window(struct transfer *t, uint8_t window)
{
	if (!t->msft || window == 0 || window == t->window)
		return;
	if (t->burst >= t->window || t->burst > window)
		t->burst = window;
	t->window = window;
}

static void
on_ack(struct transfer *t, struct transfer_ack ack, uint64_t now_us, struct transfer_action *a)
{
	uint32_t ahead = distance(t, ack.block);

	a->wake_us = left_us(t, now_us);
	if (t->oack_out) {
		if (ack.block != 0 || (t->oack_due && !t->retried))
			return;
		take_window(t, ack.window);
		measure_ack(t, now_us);
		t->echoes = (uint16_t)t->retransmits; /* each OACK may bring an ACK 0 */
		t->oack_out = t->oack_due = false;
		t->progress_us = now_us;
		send_window(t, now_us, a);
		return;
	}
	if (ahead > t->highest - t->acked)
		return;
	if (ahead == 0) {
		on_repeated_ack(t, now_us, a);
		return;
	}
	take_window(t, ack.window);
	t->acked += ahead;
	t->asking = false;
	t->progress_us = now_us;
	if (t->acked == t->blocks) {
		a->result = TRANSFER_DONE;
		a->wake_us = 0;
	} else if (t->acked < t->end) {
		on_partial_ack(t, ahead, now_us, a);
	} else {
		on_full_ack(t, now_us, a);
	}
}

/*
 * What to do when the answer stays away: ask by the last block, then the whole window.  Where a gap
 * was told already the client may not do so twice (U-Boot), and asking is in vain.  Of three tries
 * that follow one goes beyond, and one asks, so that a client that is gone costs less.
 */
enum try {
	TRY_PROBE,
	TRY_AGAIN,
	TRY_BEYOND,
};

static enum try
next_try(const struct transfer *t)
{
	if (!can_probe(t))
		return TRY_AGAIN;
	if (t->tries % 3 == 2 && t->end < t->blocks)
		return t->acked > 0 && t->tries < BEYOND_TRIES ? TRY_BEYOND : TRY_PROBE;
	if (t->tries % 3 != 1 && (t->redone == 0 || t->extended || t->tries > 0))
		return TRY_PROBE;
	return TRY_AGAIN;
}

/* The answer stayed away. */
static void
on_timeout(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	enum try try = next_try(t);

	if (gives_up(t, now_us, a))
		return;
	t->echoes = 0; /* what was on its way has been taken by now */
	/* each round of tries is slower than the one before; at the end it may just be gone */
	if (t->backoff < BACKOFF_MAX && (!can_probe(t) || t->tries % 3 == 0 || t->end == t->blocks))
		t->backoff++;
	if (t->tries < UINT8_MAX)
		t->tries++;
	if (t->oack_out)
		send_oack(t, now_us, a);
	else if (try == TRY_PROBE)
		send_probe(t, now_us, a);
	else if (try == TRY_BEYOND)
		send_beyond(t, now_us, a);
	else
		send_again(t, now_us, a);
	t->probed = !t->oack_out; /* after such a silence an answer is no echo */
}

static void
on_tick(struct transfer *t, uint64_t now_us, struct transfer_action *a)
{
	if (queued(t)) {
		/* nothing has left for so long that the client must have given up */
		if (now_us - t->progress_us >= 2 * TRANSFER_SILENCE_US)
			a->result = TRANSFER_TIMED_OUT;
		else if (t->oack_out)
			name_oack(t, now_us, a);
		else
			name_blocks(t, now_us, a);
	} else if (now_us < t->due_us) {
		a->wake_us = left_us(t, now_us);
	} else if (!t->oack_out && t->next <= t->end) {
		send_burst(t, now_us, a);
	} else {
		on_timeout(t, now_us, a);
	}
}

/*
 * An ERROR right after the size was told is how clients ask for it.  Code 3 is none of these: the
 * client has learnt that it has no room.
 */
static enum transfer_result
error_result(const struct transfer *t, uint16_t code)
{
	return t->oack_out && t->tsize && code != TFTP_ERROR_FULL ? TRANSFER_PROBED
	                                                          : TRANSFER_ABORTED;
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
	case TRANSFER_ACK: on_ack(t, ack, now_us, action); break;
	case TRANSFER_ERROR: action->result = error_result(t, ack.block); break;
	case TRANSFER_TICK: on_tick(t, now_us, action); break;
	}
}

uint64_t
transfer_sent(struct transfer *t, uint64_t first, uint32_t count, uint64_t now_us)
{
	uint64_t last = first + count - 1, again = 0;

	if (count == 0)
		return left_us(t, now_us);
	if (first == 0) {
		t->oack_due = false;
		t->retransmits += t->retried;
	} else {
		if (first <= t->highest)
			again = (last < t->highest ? last : t->highest) - first + 1;
		if (again > 0 && t->redone_us == 0)
			t->redone_us = (uint32_t)now_us | 1;
		if (again > 0 && t->next > t->acked + 1)
			t->late_us += (uint32_t)(now_us - t->sent_us);
		t->retransmits += (uint32_t)again;
		t->echoes =
		    (uint16_t)(t->echoes + again < UINT16_MAX ? t->echoes + again : UINT16_MAX);
		t->next = last + 1;
		if (last > t->highest)
			t->highest = last;
	}
	t->sent_us = now_us;
	t->due_us = now_us + (queued(t)              ? QUEUE_US
				 : t->next <= t->end ? pause_us(t)
						     : waiting_us(t));
	return left_us(t, now_us);
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
		[TRANSFER_REPLACED] = "replaced",
	};

	return (size_t)r < NITEMS(names) ? names[r] : "?";
}
