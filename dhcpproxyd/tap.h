/*
 * A packet socket that sees the UDP datagrams of some ports, whoever owns these ports: on a host
 * whose DHCP server holds port 67, and to watch what others send to clients.
 *
 * A filter in the kernel passes on nothing but whole IPv4 datagrams to these ports; checksums are
 * looked at here.  Needs CAP_NET_RAW to open, nothing later.  A tap outlives that its interface
 * goes down and up, but not that it is removed.
 */
#ifndef DHCPPROXYD_TAP_H
#define DHCPPROXYD_TAP_H

#include "common/loop.h"
#include "common/wire.h"

#define TAP_PORTS  4
#define TAP_BATCH  64
#define TAP_PACKET 2048 /* bytes with all headers; a longer packet is no DHCP client's */

/* A datagram; valid during the callback. */
struct tap_packet {
	struct slice bytes; /* the payload */
	uint8_t from[4], to[4];
	uint16_t from_port, to_port;
	uint8_t from_mac[6],
	    to_mac[6]; /* of the frame; zeros on links that are not like Ethernet */
	int ifindex;
	uint16_t vlan; /* the tag that it still carries; 0: none */
	bool outgoing; /* sent by this host; only with tap_conf.outgoing */
	bool unicast;  /* the frame was for this host, or sent to one */
};

typedef void tap_packet_fn(void *arg, const struct tap_packet *packet);

struct tap_conf {
	int ifindex;               /* 0: all interfaces */
	uint16_t ports[TAP_PORTS]; /* destination ports; 0 ends them early */
	/*
	 * Also what this host sends, and what comes with a VLAN tag that no sub-interface takes.
	 * A datagram to a sub-interface is then seen on the interface below it, too.
	 */
	bool outgoing;
	/*
	 * Nothing but what BOOTP servers say, and of what this host says itself only packets that
	 * give an address (yiaddr): the offers of a proxy of ours never leave the kernel.
	 */
	bool replies;
	int buffer; /* bytes that the kernel may queue; 0: its default */
	tap_packet_fn *fn;
	void *arg;
};

struct tap_stats {
	uint64_t received; /* given to fn */
	uint64_t too_long;
	uint64_t malformed; /* lengths that do not fit */
	uint64_t checksum;  /* a wrong checksum */
	uint64_t lost;      /* found the kernel's queue full */
};

struct tap;

/* 0, or a negative errno: -EPERM without CAP_NET_RAW, -ENODEV if there is no such interface. */
int tap_open(struct loop *loop, const struct tap_conf *conf, struct tap **ret);
/* NULL is allowed.  Not to be called from fn. */
void tap_close(struct tap *t);
/*
 * Of one opened with tap_conf.outgoing: whether what this host sends is looked at.  While it is
 * not, sending costs nothing more.  0, or a negative errno.
 */
int tap_set_outgoing(struct tap *t, bool on);
/* Stops reading. */
void tap_stop(struct tap *t);
void tap_get_stats(struct tap *t, struct tap_stats *ret);

#endif
