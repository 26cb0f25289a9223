/*
 * tftpd's UDP sockets: one where requests come in, and a few more that transfers share.  A
 * transfer is told apart by its client's address and port, so that one socket carries thousands of
 * them and a batch of packets is one system call.
 */
#ifndef TFTPD_LISTEN_H
#define TFTPD_LISTEN_H

#include "common/config.h"
#include "common/loop.h"

#include <netinet/in.h>

#define LISTEN_SOCKETS    16 /* that transfers share; fewer if the range of ports is smaller */
#define LISTEN_BATCH      64
#define LISTEN_PACKET     2048 /* bytes: a request with long names; clients send no more */
#define LISTEN_SEGMENTS   64   /* of one segmented send (UDP_MAX_SEGMENTS) */
#define LISTEN_SEND_BYTES 65000

/* A socket address of either family; IPv4 may come as a mapped IPv6 address. */
union listen_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct listen_set;

/* Where a packet came from and to: what it takes to answer it from the right address. */
struct listen_path {
	struct listen_set *set;
	union listen_addr peer;
	struct in6_addr local; /* ours that was asked, IPv4 as a mapped address */
	int ifindex;           /* for link-local addresses */
};

/*
 * A packet; `socket` is 0 for the one of requests, else that of a transfer.  Valid during the
 * call.
 */
typedef void listen_packet_fn(
    void *arg, size_t socket, const struct listen_path *path, struct slice bytes);

/*
 * Binds `address` (none: all addresses of both families, or of IPv4 where there is no IPv6) at
 * `port`, and the transfers' sockets within `range`.  A range of just `port` is the single-port
 * mode: everything leaves from there.  0, or a negative errno after logging what is wrong.
 */
int listen_open(struct loop *loop, const struct ipaddr *address, uint16_t port,
    const struct config_ports *range, listen_packet_fn *fn, void *arg, struct listen_set **ret);
void listen_close(struct listen_set *s);
/* Takes no more requests; in single-port mode packets of transfers still come. */
void listen_stop(struct listen_set *s);
/* The socket for a new transfer: they take turns. */
size_t listen_pick(struct listen_set *s);

/* Sends one packet.  0, or a negative errno (-EAGAIN: no room now). */
int listen_send(
    struct listen_set *s, size_t socket, const struct listen_path *path, struct slice bytes);

/* A DATA packet in two pieces, so that a mapped file is never copied here. */
struct listen_block {
	uint8_t header[4];
	const uint8_t *data;
	uint32_t n;
};

/*
 * Sends blocks of one transfer, all of the same length but the last, which may be shorter.  Where
 * the kernel can, many leave in one call and are cut into packets below IP (UDP_SEGMENT); *gso
 * tells whether to try that and is cleared when the path does not take it.  The number of blocks
 * that left, or a negative errno if none did.
 */
int listen_send_blocks(struct listen_set *s, size_t socket, const struct listen_path *path,
    struct listen_block *blocks, size_t n, bool *gso);

/* The peer as a plain address, a mapped one as IPv4. */
struct ipaddr listen_peer_ip(const struct listen_path *path);
uint16_t listen_peer_port(const struct listen_path *path);
/* Our address that it talks to. */
struct ipaddr listen_local_ip(const struct listen_path *path);
bool listen_peer_eq(const struct listen_path *a, const struct listen_path *b);

#endif
