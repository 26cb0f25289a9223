/* Who else holds a UDP port of this host. */
#ifndef DHCPPROXYD_HOLDERS_H
#define DHCPPROXYD_HOLDERS_H

#include <stdint.h>

/*
 * Looks for a UDP socket on `port` that would get datagrams of interface `ifindex` (0: of any),
 * other than `own_fd` (-1: none).  1 if there is one, 0 if not, or a negative errno if the kernel
 * does not tell.
 */
int holders_find(uint16_t port, int ifindex, int own_fd);
/* How many UDP sockets have this port, ours among them; or a negative errno. */
int holders_count(uint16_t port);

#endif
