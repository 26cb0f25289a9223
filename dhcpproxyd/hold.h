/*
 * Replies that wait: for ROMs that lose instant ones (`reply_delay_ms`), and for another server
 * that is to have the first word (`yield_ms`).  A bounded number; each is its own memory, as most
 * sites hold none.
 */
#ifndef DHCPPROXYD_HOLD_H
#define DHCPPROXYD_HOLD_H

#include "common/dhcp.h"
#include "common/loop.h"

#include <netinet/in.h>

struct holds;

/* A reply, and where it is to go. */
struct held {
	struct sockaddr_in to;
	int came_by; /* the interface of the request */
	int ifindex; /* to leave by; 0: as the routes say */
	uint8_t local[4];
	bool boot_port;
	bool yields;    /* it may turn out not to be wanted, */
	uint32_t asker; /* by the seen_hash() of who asked */
	struct slice bytes;
};

/* The time is over; valid during the call. */
typedef void hold_over_fn(void *arg, const struct held *h);

/* At most `limit` at once.  0, or -ENOMEM. */
int holds_new(struct loop *loop, size_t limit, hold_over_fn *over, void *arg, struct holds **ret);
/* Those that wait are dropped.  NULL is allowed. */
void holds_free(struct holds *t);
size_t holds_count(const struct holds *t);

/* Keeps a copy for so long.  0, or -ENOSPC, -ENOMEM. */
int holds_add(struct holds *t, const struct held *h, uint64_t delay_ms);

#endif
