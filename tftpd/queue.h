/*
 * What a worker has to send, and in which order: packets that were lost first, for a client that
 * lost one tends to lose more when it waits; then the next windows of transfers in progress; new
 * transfers last.  Within a class all get their turn.
 *
 * A turn sends a bounded number of blocks and then lets the loop receive: a repetition that is
 * asked for meanwhile overtakes what still waits.
 */
#ifndef TFTPD_QUEUE_H
#define TFTPD_QUEUE_H

#include "tftpd/session.h"

#define QUEUE_TURN_BLOCKS 1024

/* Puts in what the action says, in place of what the transfer has in there. */
void queue_put(struct session *s, const struct transfer_action *a);
/* The OACK (`n` 0) or the first `n` blocks of it have left. */
void queue_sent(struct session *s, uint32_t n);
void queue_remove(struct session *s);
/* Sends what may leave now; asks the loop to come back soon for the rest. */
void queue_send(struct worker *w);

#endif
