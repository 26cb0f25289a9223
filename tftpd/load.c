/* See load.h. */
#include "tftpd/load.h"

#include "common/msg.h"

/* Rates are averaged: a new sample counts for a quarter. */
static uint64_t
average(uint64_t old, uint64_t fresh)
{
	return (3 * old + fresh) / 4;
}

static uint32_t
share(uint64_t part, uint64_t whole)
{
	uint64_t permille = whole == 0 ? 0 : part * LOAD_FULL / whole;

	return permille > LOAD_FULL ? LOAD_FULL : (uint32_t)permille;
}

void
load_update(struct load *l, const struct load_sample *s)
{
	uint64_t ms = s->at_ms - l->last.at_ms, blocks = s->blocks - l->last.blocks, delay_ms = 0;
	uint32_t places = share(s->transfers, s->max_transfers), delay;

	if (l->last.at_ms != 0 && ms > 0) {
		l->bytes_per_s = average(l->bytes_per_s, (s->bytes - l->last.bytes) * 1000 / ms);
		l->retransmit_permille = (uint32_t)average(
		    l->retransmit_permille, share(s->retransmits - l->last.retransmits, blocks));
		if (blocks == 0 && s->transfers == 0)
			l->retransmit_permille = 0;
	}
	/* a queue that does not move at all is as late as can be */
	if (s->waiting_bytes > 0)
		delay_ms = l->bytes_per_s == 0 ? LOAD_FULL_DELAY_MS
		                               : s->waiting_bytes * 1000 / l->bytes_per_s;
	delay = share(delay_ms, LOAD_FULL_DELAY_MS);
	l->queue_blocks = s->waiting_blocks > UINT32_MAX ? UINT32_MAX : (uint32_t)s->waiting_blocks;
	l->permille = places > delay ? places : delay;
	l->last = *s;
}
