/*
 * A UDP port over IPv6, joined to the groups of DHCPv6 servers.
 *
 * The port may belong to a DHCPv6 server of this host: Kea, dnsmasq and others take it for
 * themselves alone, so that neither they nor we could start second.  A raw socket stands beside
 * that: it gets a copy of each datagram to the port, and sends from the port, without holding it.
 */
#ifndef DHCPPROXYD_LISTEN6_H
#define DHCPPROXYD_LISTEN6_H

#include "common/loop.h"
#include "common/wire.h"
#include "dhcpproxyd/nets6.h"

#include <netinet/in.h>

#define LISTEN6_BATCH  32
#define LISTEN6_PACKET 4096 /* bytes: a client's packet in the wrappings of some relays */

/* A packet; valid during the callback. */
struct listen6_packet {
	struct slice bytes;
	struct sockaddr_in6 from;
	struct in6_addr to; /* ours that was asked, or a group */
	int ifindex;
};

typedef void listen6_packet_fn(void *arg, const struct listen6_packet *packet);

struct listen6;

struct listen6_stats {
	uint64_t received;
	uint64_t too_long;
	uint64_t malformed; /* a length within the packet that does not fit */
	uint64_t sent;
	uint64_t send_failed;
};

/*
 * Opens `port`, `raw` or bound.  It hears nothing from groups until listen6_join().  0, or a
 * negative errno: -EAFNOSUPPORT without IPv6, -EPERM if a raw socket needs CAP_NET_RAW, -EADDRINUSE
 * if another daemon holds the port.
 */
int listen6_open(struct loop *loop, uint16_t port, bool raw, listen6_packet_fn *fn, void *arg,
    struct listen6 **ret);
void listen6_close(struct listen6 *s);
/* Stops reading; sending still works. */
void listen6_stop(struct listen6 *s);

/*
 * From now on only what comes to this interface (0: to any): another daemon may have the same port
 * on another interface, and of two sockets for all only one gets a unicast datagram.  0, or a
 * negative errno.
 */
int listen6_bind_to(struct listen6 *s, int ifindex);

/* Joins ff02::1:2 and ff05::1:3 on an interface; once more is harmless. */
void listen6_join(struct listen6 *s, int ifindex);

/* Sends, from `from` (unspecified: as the kernel chooses). */
void listen6_send(struct listen6 *s, struct slice bytes, const struct sockaddr_in6 *to,
    const struct in6_addr *from, int ifindex);

void listen6_get_stats(const struct listen6 *s, struct listen6_stats *ret);

#endif
