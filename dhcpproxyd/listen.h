/*
 * The UDP sockets of dhcpproxyd: batches in by recvmmsg, batches out by sendmmsg, each packet with
 * the interface and the address of ours that it belongs to.
 */
#ifndef DHCPPROXYD_LISTEN_H
#define DHCPPROXYD_LISTEN_H

#include "common/loop.h"
#include "common/wire.h"

#include <netinet/in.h>

#define LISTEN_BATCH     64
#define LISTEN_PACKET    2048 /* bytes; a longer packet is no DHCP client's */
#define LISTEN_OUT_BATCH 256

/* A packet and where it came from; valid during the callback. */
struct listen_packet {
	struct slice bytes;
	struct sockaddr_in from;
	int ifindex;
	uint8_t local[4]; /* our address on that interface, to answer from; 0.0.0.0: it has none */
};

typedef void listen_packet_fn(void *arg, const struct listen_packet *packet);

struct listen_socket;

struct listen_stats {
	uint64_t received;
	uint64_t too_long;
	uint64_t sent;
	uint64_t send_failed;
	uint64_t lost; /* found the kernel's queue full */
};

/*
 * Binds `port` on all addresses of `interface` (empty: of all interfaces); with `share` beside
 * others that allow it, too.  0, or a negative errno: -EADDRINUSE, -ENODEV, -EACCES, ...
 */
int listen_open(struct loop *loop, const char *interface, uint16_t port, bool share,
    listen_packet_fn *fn, void *arg, struct listen_socket **ret);
void listen_close(struct listen_socket *s);
/* Stops reading; sending still works. */
void listen_stop(struct listen_socket *s);

/*
 * Queues a packet to `to`, from `local` through `ifindex` (0: as the routes say).  It leaves before
 * the loop waits again.
 */
void listen_send(struct listen_socket *s, struct slice bytes, const struct sockaddr_in *to,
    int ifindex, const uint8_t local[static 4]);

/* The descriptor, to know it among others; it is not the caller's. */
int listen_fd(const struct listen_socket *s);
void listen_get_stats(const struct listen_socket *s, struct listen_stats *ret);

#endif
