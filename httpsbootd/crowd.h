/*
 * How many connections there are, in all and from each address.  The workers share one, under a
 * lock of theirs.  Pure.
 *
 * An IPv6 address counts by itself, not by its /64: all machines of a segment share that.  Who
 * makes addresses up is bounded by the total.
 */
#ifndef HTTPSBOOTD_CROWD_H
#define HTTPSBOOTD_CROWD_H

#include "common/ident.h"

struct crowd;

enum crowd_room {
	CROWD_IN,
	CROWD_FULL,         /* in all; one may be let in while another is being put out */
	CROWD_PACKED,       /* no, not even so */
	CROWD_ADDRESS_FULL, /* from this address */
};

/* `key` is random, for strangers choose their addresses.  0, or -ENOMEM. */
int crowd_new(size_t max, size_t max_per_address, const uint64_t key[static 2], struct crowd **ret);
void crowd_free(struct crowd *c); /* NULL is allowed */

/* Counts a connection in.  `squeeze`: also if there are `max` already, up to an eighth and one
 * more. */
enum crowd_room crowd_enter(struct crowd *c, const struct ipaddr *address, bool squeeze);
/* One that was counted in is gone. */
void crowd_leave(struct crowd *c, const struct ipaddr *address);

size_t crowd_size(const struct crowd *c);
/* From this address. */
size_t crowd_from(const struct crowd *c, const struct ipaddr *address);

#endif
