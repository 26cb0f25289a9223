/*
 * A network segment as a client sees it: packets go out of an interface as broadcasts, and what is
 * said to clients there is heard, also what this very host says.  Needs root.
 */
#ifndef FERRYCTL_SEGMENT_H
#define FERRYCTL_SEGMENT_H

#include "common/wire.h"

/* A datagram to a client's, a relay's or our own port; valid during the callback. */
struct segment_datagram {
	struct slice bytes;
	uint8_t from[4], to[4];
	uint16_t from_port, to_port;
	uint8_t from_mac[6]; /* zeros where the frame has none */
	uint64_t at_ms;      /* by segment_clock_ms() */
};

typedef void segment_fn(void *arg, const struct segment_datagram *d);

struct segment;

uint64_t segment_clock_ms(void);

/* 0, or a negative errno: -EPERM without root, -ENODEV. */
int segment_open(const char *interface, struct segment **ret);
void segment_close(struct segment *s); /* NULL is allowed */

/* Sends a UDP datagram to 255.255.255.255 out of the interface.  0, or a negative errno. */
int segment_broadcast(struct segment *s, const uint8_t from[static 4], uint16_t from_port,
    uint16_t port, struct slice payload);
/* Hears what is sent to ports 67, 68 and `port` (0: none) until `end_ms`. */
void segment_hear(struct segment *s, uint16_t port, uint64_t end_ms, segment_fn *fn, void *arg);
/* Frames of other hosts that were heard so far. */
uint64_t segment_strangers(const struct segment *s);

/*
 * Asks by ARP who has an address (RFC 5227's probe).  True if another host says so, with its
 * hardware address; after `wait_ms` it is nobody.
 */
bool segment_has_other(
    struct segment *s, const uint8_t address[static 4], uint32_t wait_ms, uint8_t ret[static 6]);

#endif
