/*
 * The receiving side of a TFTP transfer (RFC 1350, 2347, 7440), for a load that believes nothing:
 * each block is checked for its place and contents, and what no server may do ends the transfer as
 * failed.  No sockets and no clock here.
 *
 * What it acknowledges: the end of each window; the block before a gap, at once and once for each
 * time that blocks come by it; the last block again when that comes again; and by its own timer.
 */
#ifndef TESTS_BENCH_FETCH_H
#define TESTS_BENCH_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FETCH_RETRY_US     1000000u /* doubled with each try */
#define FETCH_RETRY_MAX_US 8000000u

/* What all transfers ask for. */
struct fetch_want {
	const char *file;
	uint64_t size;
	uint32_t blksize;    /* 512: the option is not asked for */
	uint32_t windowsize; /* 0: the same */
	bool tsize;
	bool lossy;           /* packets get lost on purpose */
	uint64_t patience_us; /* without a block that is due the transfer has failed */
};

enum fetch_state {
	FETCH_IDLE,
	FETCH_ASKING,
	FETCH_READING,
	FETCH_DONE,
	FETCH_FAILED,
};

enum fetch_fault {
	FETCH_OK,
	FETCH_TIMED_OUT,
	FETCH_ERROR,     /* the server sent an ERROR */
	FETCH_CONTENTS,  /* a block with other bytes than belong there */
	FETCH_SIZE,      /* the file was shorter or longer, or a block in its midst was */
	FETCH_ORDER,     /* a block beyond the window, or the next one if packets get lost */
	FETCH_OPTIONS,   /* an OACK with what was not asked for or is out of range */
	FETCH_MALFORMED, /* not a packet for a reader */
	FETCH_LATE,      /* not done when the time of all was up */
	FETCH_FAULTS,
};

enum fetch_reply {
	FETCH_SAY_NOTHING,
	FETCH_SAY_RRQ,
	FETCH_SAY_ACK,   /* of next - 1 */
	FETCH_SAY_ERROR, /* the transfer is over */
};

struct fetch {
	uint64_t next;   /* the block that is due */
	uint64_t bytes;  /* that came so far, in order */
	uint64_t ahead;  /* last block beyond the gap that was told of; 0: there is none */
	uint64_t acked;  /* the last block that was acknowledged */
	uint64_t due_us; /* the timer; 0: off */
	uint64_t heard_us, began_us, ended_us;
	uint32_t blksize, windowsize;
	uint32_t in_window; /* blocks since the last ACK */
	uint32_t duplicates, gaps, beyond, again;
	uint16_t error;
	uint8_t tries, state, fault;
	bool oacked;
};

void fetch_init(struct fetch *f);
enum fetch_reply fetch_start(struct fetch *f, uint64_t now_us);
enum fetch_reply fetch_packet(
    struct fetch *f, const struct fetch_want *want, const uint8_t *p, size_t n, uint64_t now_us);
/* When due_us has come. */
enum fetch_reply fetch_tick(struct fetch *f, const struct fetch_want *want, uint64_t now_us);
void fetch_fail(struct fetch *f, enum fetch_fault fault, uint64_t now_us);

/* Its request; the number of bytes. */
size_t fetch_rrq(const struct fetch_want *want, uint8_t *buf, size_t size);
const char *fetch_fault_name(enum fetch_fault fault);

static inline bool
fetch_over(const struct fetch *f)
{
	return f->state == FETCH_DONE || f->state == FETCH_FAILED;
}

#endif
