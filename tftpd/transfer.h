/*
 * One read transfer as a state machine (RFC 1350, with windows by RFC 7440): takes a packet or the
 * passing of time, returns what to send and when to wake.  Pure: no sockets, no clock.
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
 */
#ifndef TFTPD_TRANSFER_H
#define TFTPD_TRANSFER_H

#include "tftpd/opt.h"

/* First waiting time for an answer, before the round trip is known; doubles at each try. */
#define TRANSFER_RTO_US     1000000u
#define TRANSFER_RTO_MIN_US 30000u
#define TRANSFER_RTO_MAX_US 8000000u
/* A client that confirms nothing for so long is gone. */
#define TRANSFER_SILENCE_US 25000000u
/* When all that is missing is the last ACK: many clients jump into what they loaded instead. */
#define TRANSFER_LAST_US 3000000u

/* An ACK as it came. */
struct transfer_ack {
	uint16_t block;
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
};

struct transfer {
	uint64_t blocks;      /* of the whole file, the last one short or empty */
	uint64_t acked;       /* all up to this one have arrived */
	uint64_t next;        /* the next to be sent */
	uint64_t end;         /* the last of the window that is being sent */
	uint64_t highest;     /* ever sent */
	uint64_t sent_us;     /* when this window, or the OACK, was begun to be sent */
	uint64_t progress_us; /* when the client confirmed something new last */
	uint64_t repeat_us;   /* when a repeated ACK was answered last; 0: not since progress */
	uint64_t retransmits; /* blocks */
	uint32_t blksize, windowsize;
	uint32_t rto_us;
	uint32_t srtt_us, rttvar_us; /* 0: not measured yet */
	uint32_t timeout_us;         /* the client's own wish, 0 if it has none */
	uint8_t tries;
	bool oack;     /* begins with an OACK, which waits for ACK 0 */
	bool oack_out; /* that wait is on */
	bool retried;  /* blocks of this window were sent more than once */
	bool extended; /* the window was moved on without knowing whether it has a gap */
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
	enum transfer_class class; /* of what is to be sent */
	uint64_t first;            /* send `count` blocks from this one on */
	uint32_t count;
	uint64_t wake_us; /* call again with TRANSFER_TICK in this time; 0 when it is over */
	enum transfer_result result;
};

/* `seen` as tftp_opts_settle() gave it. */
void transfer_init(struct transfer *t, uint64_t size, const struct tftp_opts *opts, unsigned seen);

/* `ack` counts for TRANSFER_ACK only.  The caller does what *action says. */
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

const char *transfer_result_name(enum transfer_result r);

#endif
