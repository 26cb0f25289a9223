/*
 * IPv4 and UDP headers (RFC 791, RFC 768), for packets that come and go beside the kernel's own
 * UDP: read by a packet socket, sent by a raw one.
 */
#ifndef DHCPPROXYD_FRAME_H
#define DHCPPROXYD_FRAME_H

#include "common/wire.h"

#define FRAME_IP_BYTES  20 /* without options */
#define FRAME_UDP_BYTES 8

/* What is wrong with a datagram. */
enum frame_fault {
	FRAME_GOOD,
	FRAME_SHORT,    /* a header or a length that runs out of the packet */
	FRAME_NOT_UDP,  /* not IPv4, or not UDP */
	FRAME_FRAGMENT, /* a part of a datagram: no DHCP client sends one that large */
	FRAME_CHECKSUM, /* of the IP header or of the datagram */
};

/* The payload is a view into the packet. */
struct frame {
	uint8_t from[4], to[4];
	uint16_t from_port, to_port;
	struct slice payload;
};

/*
 * Reads a packet that begins with its IP header; what stands behind the datagram (Ethernet's
 * padding) is left out.  `unsummed`: the packet never left this host, or the hardware looked at
 * it, so that the UDP checksum says nothing.  *ret is untouched unless the result is FRAME_GOOD.
 */
enum frame_fault frame_parse(struct slice packet, bool unsummed, struct frame *ret);

/*
 * Writes the headers of this payload for a raw socket, which leaves the IP header's checksum and
 * identification to the kernel (raw(7)).  The datagram gets its own checksum; none if the source
 * address is 0.0.0.0, for it is not known then what the kernel puts there.
 */
void frame_headers(const struct frame *f, uint8_t ret[static FRAME_IP_BYTES + FRAME_UDP_BYTES]);

#endif
