/* What lossy.c knows of TFTP: the datagrams in frames, and the transfers that they belong to. */
#ifndef TESTS_SUITE_LOSSY_FLOW_H
#define TESTS_SUITE_LOSSY_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCKS 65536 /* that have numbers of their own */

enum kind {
	RRQ,
	OACK,
	ACK,
	LASTACK,
	DATA,
	LAST,
	ERROR,
	UP,
	DOWN,
	KINDS
};
enum way {
	TO_SERVER,
	TO_CLIENT,
	WAYS
};

/* A UDP datagram in a frame, valid while that is. */
struct datagram {
	uint8_t *udp;                   /* its header */
	const uint8_t *client, *server; /* addresses */
	size_t address_n;
	uint16_t source, destination;
	size_t ip_n; /* of the IP packet; 0 if it is none */
	const uint8_t *payload;
	size_t n;       /* there, a part if it is a fragment */
	size_t whole_n; /* of all of it */
};

struct frame;

/* A transfer, told by the client's address and port. */
struct flow {
	struct flow *next;
	uint8_t client[16];
	uint16_t port;
	uint64_t request; /* a hash of the RRQ */
	uint64_t chance;  /* the state of its own sequence of random numbers */
	uint64_t events;  /* packets to which something was done */
	uint32_t blksize, windowsize;
	bool ended; /* the client has the last block */
	bool short_seen;
	uint16_t short_block;
	uint64_t highest, repeats; /* blocks */
	uint64_t seen[KINDS];
	struct frame *held[WAYS]; /* that others overtake */
	uint8_t times[BLOCKS];    /* how often each block was sent */
};

/* Of all transfers, those that have ended and those that are settled by flows_settle(). */
struct flow_totals {
	uint64_t transfers, blocks, repeats;
	uint64_t worst;  /* repeats in one transfer */
	uint64_t most;   /* how often a block was sent, 255 being 255 or more */
	uint64_t storms; /* transfers with more repeats than what happened to them explains */
};
extern struct flow_totals totals;

/* False if it is no UDP; `ip_n` is 0 if it is not even IP. */
bool read_frame(uint8_t *p, size_t n, enum way way, struct datagram *ret);
/* Writes the checksum of UDP that the sender's kernel has left to the interface (RFC 768). */
void finish_checksum(const struct datagram *d);

/* The transfer that a datagram belongs to, a new one for a request; or NULL. */
struct flow *find_flow(const struct datagram *d, enum way way, uint64_t seed);
/* What kinds a packet belongs to, as bits, and counts it; 0: it is no part of a read transfer. */
unsigned see_packet(struct flow *f, const struct datagram *d, enum way way);
void flows_settle(void);

/* In lossy.c: the frames that a transfer held are nobody's any more. */
void forget_held(struct flow *f);
#endif
