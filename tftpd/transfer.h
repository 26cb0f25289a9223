/*
 * One read transfer as a state machine (RFC 1350, with windows by RFC 7440): takes a packet or the
 * passing of time, returns what to send and when to wake.  Pure: no sockets, no clock.
 *
 * Blocks are counted from 1 without wrapping; the 16 bits on the wire follow from them, 65535 being
 * followed by 0 as all boot firmware has it.  Times are microseconds of any steady clock.
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

enum transfer_event {
	TRANSFER_START,
	TRANSFER_ACK,   /* with the block number */
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

struct transfer_action {
	bool send_oack;
	uint64_t first; /* send `count` blocks from this one on */
	uint32_t count;
	uint64_t wake_us; /* call again with TRANSFER_TICK in this time; 0 when it is over */
	enum transfer_result result;
};

/* `seen` as tftp_opts_settle() gave it. */
void transfer_init(struct transfer *t, uint64_t size, const struct tftp_opts *opts, unsigned seen);

/* `block` is the number of an ACK, or nothing.  The caller does what *action says. */
void transfer_step(struct transfer *t, enum transfer_event event, uint16_t block, uint64_t now_us,
    struct transfer_action *action);

/*
 * Tells how many of the blocks that were to be sent (at least one) have left.  When the socket was
 * full, the rest goes out with the next tick, which should come soon.
 */
void transfer_sent(struct transfer *t, uint64_t first, uint32_t count);

/* Bytes of a block: blksize, but for the last. */
uint32_t transfer_block_size(const struct transfer *t, uint64_t size, uint64_t block);

const char *transfer_result_name(enum transfer_result r);

#endif
