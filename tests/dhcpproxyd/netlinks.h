/* Messages of the kernel about interfaces, for tests. */
#ifndef TESTS_DHCPPROXYD_NETLINKS_H
#define TESTS_DHCPPROXYD_NETLINKS_H

#include "common/wire.h"

/* Appends RTM_NEWLINK or RTM_DELLINK. */
void put_link(struct wbuf *w, unsigned type, int ifindex, const char *name, unsigned flags);
/* Appends RTM_NEWADDR or RTM_DELADDR; `address` is dotted; `peer` of a point-to-point link, or
 * NULL. */
void put_address(struct wbuf *w, unsigned type, int ifindex, const char *address, unsigned prefix,
    const char *peer, unsigned flags);

#endif
