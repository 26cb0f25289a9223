/*
 * Replies that wait: for ROMs that lose instant ones (`reply_delay_ms`), for another server that is
 * to have the first word (`yield_ms`), and because handlerd says so (`delay_ms` of its answer,
 * while a tftpd has its hands full).  A bounded number; each is its own memory, as most sites hold
 * none.
 *
 * Those of the last kind may wait for seconds, in which their clients ask again: holds_again()
 * finds them by hardware address.
 */
#ifndef DHCPPROXYD_HOLD_H
#define DHCPPROXYD_HOLD_H

#include "common/dhcp.h"
#include "common/loop.h"
#include "common/msg.h"

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
	bool admitted; /* it waits because handlerd said so */
	uint32_t xid;
	struct macaddr mac;
	bool reports; /* handlerd is told when it leaves, with the rest of this */
	uint64_t boot;
	struct ipaddr address;
	enum offer_style style;
	struct slice file;
};

/* The time is over; valid during the call. */
typedef void hold_over_fn(void *arg, const struct held *h);

/* At most `limit` at once.  0, or -ENOMEM. */
int holds_new(struct loop *loop, size_t limit, hold_over_fn *over, void *arg, struct holds **ret);
/* Those that wait are dropped.  NULL is allowed. */
void holds_free(struct holds *t);
size_t holds_count(const struct holds *t);

/* What a request says of a reply that waits for its client. */
enum hold_again {
	HOLD_NONE,    /* there is none */
	HOLD_SAME,    /* it is the answer to this one as well: it will come */
	HOLD_DROPPED, /* it was for an exchange that its client has given up, and is gone */
};

/* A client asks (again), with this xid, on the port for boot servers or not. */
enum hold_again holds_again(
    struct holds *t, const struct macaddr *mac, uint32_t xid, bool boot_port);
/* Lets those that wait as handlerd said leave now. */
void holds_flush(struct holds *t);

/* Keeps a copy for so long.  0, or -ENOSPC, -ENOMEM. */
int holds_add(struct holds *t, const struct held *h, uint64_t delay_ms);

#endif
