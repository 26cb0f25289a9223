/*
 * One read transfer as a state machine (RFC 1350, with windows by RFC 7440 or Microsoft's): takes a
 * packet or the passing of time, returns what to send and when to wake.  Pure: no sockets, no
 * clock.
 *
 * Blocks are counted from 1 without wrapping; transfer_wire() gives the 16 bits of each.  Times are
 * microseconds of any steady clock.
 *
 * The caller may send later than it was told, as it has a queue: retries before new windows, those
 * before new transfers.  So there are two clocks.  transfer_step() says what is due; time-outs and
 * round trips count from transfer_sent(), which tells when something really left.  In between:
 * - A new action that sends something takes the place of the one in the queue, whatever its class;
 *   what had not left of the old one is not to be sent any more.
 * - An action that sends nothing leaves the queue as it is and only sets the time to wake.
 * - ACKs may come at any time, also while blocks wait.  One of a block that never left is ignored.
 * - While something waits nothing times out; a TRANSFER_TICK in this time answers with the same
 *   again (what is left of it), so a caller may as well forget it and wake early.
 *
 * How loss is met, as no client of RFC 7440 keeps what came too early:
 * - An ACK inside the window is a gap: what lies behind it is sent again at once.
 * - A window that stays unanswered for a little more than the round trip gets its last block again.
 *   Whatever was lost, the tail or the answer, the client answers that one; and if it was only slow
 *   it cost one block.  Only then the whole window goes out again, ever more slowly.
 * - Blocks that the client may have twice bring ACKs twice.  As many as could come are not answered
 *   (`echoes`), or each window would be doubled for ever (the Sorcerer's Apprentice, RFC 1123
 *   section 4.2.3.1).
 * - A window must be sent whole, for the client waits for that.  What can shrink is the burst: it
 *   halves on loss, grows back with each clean window, and between bursts there is a pause by the
 *   round trip.  A client that keeps about as many blocks of each window and loses the rest has
 *   room for that many: it gets as many at once, and always a pause.
 */
#ifndef TFTPD_TRANSFER_H
#define TFTPD_TRANSFER_H

#include "tftpd/opt.h"

/* First waiting time for an answer, before the round trip is known; doubles at each try. */
#define TRANSFER_RTO_US     500000u
#define TRANSFER_RTO_MIN_US 10000u
#define TRANSFER_RTO_MAX_US 8000000u
/* The least time beyond the round trip until the last block of a window is sent again. */
#define TRANSFER_PROBE_MIN_US 2000u
/*
 * A client that confirms nothing for so long is gone.  One that was never heard is given less: it
 * asks anew by then, and a request may be forged, for us to bother somebody else with.
 */
#define TRANSFER_SILENCE_US 25000000u
#define TRANSFER_UNHEARD_US 10000000u
/*
 * One that has confirmed the options but in this time no block, of more than 512 bytes, will not
 * get any: its next request is to be offered less, and must not come before this one has ended.
 */
#define TRANSFER_FIRST_US 8000000u
/*
 * When all that is missing is the last ACK: many clients jump into what they loaded instead.  Less
 * on a path that is known to be quick.
 */
#define TRANSFER_LAST_US     3000000u
#define TRANSFER_LAST_MIN_US 2000000u
/* Seconds without a word from one that asked again after all had left. */
#define TRANSFER_ASKED_S 8

/* The numbers of an ACK or an ERROR as it came. */
struct transfer_ack {
	uint16_t block; /* or the code of the ERROR */
	uint8_t
	    window; /* of Microsoft's fifth octet: blocks that the next window may have; 0: none */
};

enum transfer_event {
	TRANSFER_START,
	TRANSFER_ACK,
	TRANSFER_ERROR, /* the client ends it */
	TRANSFER_TICK,  /* the time told by `wake_us` has come */
};

enum transfer_result {
	TRANSFER_GOING_ON,
	TRANSFER_DONE,        /* every block was acknowledged */
	TRANSFER_DONE_SILENT, /* every block was sent, only the last ACK never came */
	TRANSFER_PROBED,      /* ended right after the OACK: the client wanted the size */
	TRANSFER_ABORTED,     /* the client sent an ERROR */
	TRANSFER_TIMED_OUT,
	TRANSFER_REPLACED, /* the caller's: the client asked anew from the same port */
};

struct transfer {
	uint64_t blocks;      /* of the whole file, the last one short or empty */
	uint64_t acked;       /* all up to this one have arrived */
	uint64_t next;        /* the next to leave */
	uint64_t stop;        /* the last that may leave now: of this burst */
	uint64_t end;         /* the last of this window */
	uint64_t highest;     /* ever sent */
	uint64_t sent_us;     /* when something left last */
	uint64_t due_us;      /* the next tick */
	uint64_t progress_us; /* when the client confirmed something new last */
	uint32_t retransmits; /* blocks, and OACKs */
	uint32_t rto_us;
	uint32_t srtt_us, rttvar_us; /* 0: not measured yet */
	uint32_t rtt_min_us;
	uint32_t redone;     /* `highest` when blocks of this window went out again; 0: did not */
	uint32_t redone_us;  /* when blocks went out again, lower 32 bits; 0: they have not yet */
	uint32_t late_us;    /* from when the window first left until blocks left again last */
	uint32_t doubted_us; /* the same of the window before until its ACK, should it be echoed */
	uint16_t blksize;
	uint16_t windowsize; /* as agreed */
	uint16_t window;     /* of blocks to be sent until the next ACK */
	uint16_t burst;      /* blocks sent at once */
	uint16_t room;       /* blocks of the last window until its gap */
	uint16_t echoes;     /* repeated ACKs that blocks sent twice may have caused */
	uint8_t timeout_s;   /* the client's own wish, 0 if it has none */
	uint8_t tries;       /* time-outs since the last news */
	uint8_t backoff;     /* doublings of waiting times, until one is measured again */
	uint8_t steady;      /* how often in a row that was much the same */
	uint8_t doubt;       /* grows when an ACK inside a window proves to be no gap */
	uint8_t asked_s;     /* when the client asked again (`asking`): lower bits of the second */
	bool oack : 1;       /* begins with an OACK, which waits for ACK 0 */
	bool oack_out : 1;   /* that wait is on */
	bool oack_due : 1;   /* it has not left yet */
	bool retried : 1;    /* blocks of this window were sent more than once */
	bool probed : 1;     /* they were because the client had been silent */
	bool extended : 1;   /* it was moved on, not knowing whether it has a gap */
	bool timed : 1;      /* the round trip of a window was measured, not only the OACK's */
	bool paced : 1;      /* bursts always have a pause behind them */
	bool asking : 1; /* the client repeated its ACK, so it is there and lacks the next block */
	bool shrunk : 1; /* the burst was halved in this window */
	bool tsize : 1;  /* the client asked for the size */
	bool msft : 1;   /* ACKs tell how long the next window may be */
	bool rollover1 : 1; /* 65535 is followed by 1 */
};

/* What the queue sorts by; the first goes first. */
enum transfer_class {
	TRANSFER_CLASS_RETRY,  /* has blocks, or an OACK, that were sent before */
	TRANSFER_CLASS_WINDOW, /* the next window of a transfer in progress */
	TRANSFER_CLASS_START,  /* the first OACK and the first window */
	TRANSFER_CLASSES,
};

struct transfer_action {
	bool send_oack;
	bool tell;                 /* at the end: an ERROR makes the client ask again sooner */
	enum transfer_class class; /* of what is to be sent */
	uint64_t first;            /* send `count` blocks from this one on */
	uint32_t count;            /* up to 65535, in as many calls as it takes */
	uint64_t wake_us; /* call again with TRANSFER_TICK in this time; 0 when it is over */
	enum transfer_result result;
};

/*
 * `seen` as tftp_opts_settle() gave it; `rtt_us` is the round trip that this client had before, 0
 * if it is not known.
 */
void transfer_init(struct transfer *t, uint64_t size, const struct tftp_opts *opts, unsigned seen,
    uint32_t rtt_us);

/* `ack` counts for TRANSFER_ACK and TRANSFER_ERROR only.  The caller does what *action says. */
void transfer_step(struct transfer *t, enum transfer_event event, struct transfer_ack ack,
    uint64_t now_us, struct transfer_action *action);

/*
 * Tells that `count` blocks of the last action have left, from `first` on, which follows what left
 * before; of an action there may be several such runs.  0 and 1 stand for the OACK.  Returns the
 * time until TRANSFER_TICK is to be called, in place of the action's: it counts from now.
 */
uint64_t transfer_sent(struct transfer *t, uint64_t first, uint32_t count, uint64_t now_us);

/* The number of a block in its packet. */
uint16_t transfer_wire(const struct transfer *t, uint64_t block);
/* Bytes of a block: blksize, but for the last. */
uint32_t transfer_block_size(const struct transfer *t, uint64_t size, uint64_t block);

/* The options were confirmed, or none were asked for: blocks have left, and none has arrived. */
bool transfer_first_lost(const struct transfer *t);

const char *transfer_result_name(enum transfer_result r);

#endif
