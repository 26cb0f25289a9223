/*
 * Sends UDP datagrams from a port that another process owns, by a raw socket: the headers are ours,
 * the route is the kernel's.  Batches out by sendmmsg.  Needs CAP_NET_RAW to open, nothing later.
 */
#ifndef DHCPPROXYD_SENDER_H
#define DHCPPROXYD_SENDER_H

#include "common/loop.h"
#include "common/wire.h"

#include <netinet/in.h>

struct sender;

struct sender_stats {
	uint64_t sent;
	uint64_t failed;
};

/* 0, or a negative errno. */
int sender_open(struct loop *loop, uint16_t port, struct sender **ret);
void sender_close(struct sender *s); /* NULL is allowed */

/*
 * Queues a datagram of at most DHCP_REPLY_MAX bytes to `to`, from `local` (0.0.0.0: what the
 * kernel takes) through `ifindex` (0: as the routes say).  It leaves before the loop waits again.
 */
void sender_send(struct sender *s, struct slice bytes, const struct sockaddr_in *to, int ifindex,
    const uint8_t local[static 4]);

void sender_get_stats(const struct sender *s, struct sender_stats *ret);

#endif
