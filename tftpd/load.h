/*
 * How much of what it can carry a daemon does: what handlerd holds back new machines by.  Pure.
 */
#ifndef TFTPD_LOAD_H
#define TFTPD_LOAD_H

#include <stdint.h>

/* So long in the queue, a packet is about as late as one that was lost. */
#define LOAD_FULL_DELAY_MS 500

/* What is counted up, and what there is now, of all workers. */
struct load_sample {
	uint64_t at_ms;
	uint64_t bytes, blocks, retransmits;    /* sent so far */
	uint64_t transfers, max_transfers;      /* now */
	uint64_t waiting_blocks, waiting_bytes; /* now, in the queue */
};

struct load {
	struct load_sample last;
	uint64_t bytes_per_s;
	uint32_t retransmit_permille; /* of the blocks sent lately */
	uint32_t queue_blocks;
	uint32_t permille; /* its judgement: LOAD_FULL (common/msg.h) is all it can carry */
};

/*
 * Takes a sample, some 100 ms after the one before.  The judgement is the larger of two shares:
 * transfers of max_transfers, and the time that a packet waits in the queue, at the speed at which
 * it empties, of LOAD_FULL_DELAY_MS.
 */
void load_update(struct load *l, const struct load_sample *s);

#endif
