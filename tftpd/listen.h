/*
 * A worker's UDP sockets: one where requests come in, and a few more that transfers share.  A
 * transfer is told apart by its client's address and port, so that one socket carries thousands of
 * them and a batch of packets is one system call.
 *
 * Workers bind the port of requests together (SO_REUSEPORT): the kernel spreads clients over them
 * by address and port, so that a repeated request comes to the same one.
 */
#ifndef TFTPD_LISTEN_H
#define TFTPD_LISTEN_H

#include "common/config.h"
#include "common/loop.h"

#include <netinet/in.h>

#define LISTEN_SOCKETS 16   /* that transfers share; fewer if the range of ports is smaller */
#define LISTEN_BATCH   64   /* packets received a call */
#define LISTEN_PACKET  2048 /* bytes: a request with long names; clients send no more */

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

struct listen_ops {
	/*
	 * A packet; `socket` is 0 for the one of requests, else that of a transfer.  Valid during
	 * the call.
	 */
	void (*packet)(
	    void *arg, const struct listen_path *path, size_t socket, struct slice bytes);
	/* A socket that was found full (listen_wait()) has room again. */
	void (*room)(void *arg, struct listen_set *set, size_t socket);
};

struct listen_conf {
	const struct ipaddr *address; /* none: all of both families, or of IPv4 without IPv6 */
	uint16_t port;
	struct config_ports transfers; /* just `port`: single-port mode, all leaves from there */
	size_t worker, workers;        /* this one, of so many */
};

/* How many workers can have a transfer's port of their own, of `wanted`. */
size_t listen_workers(const struct config_ports *transfers, uint16_t port, size_t wanted);

/*
 * Makes sure that nobody else has the port: workers that share it would share it with a stranger,
 * too.  To be called before the first worker binds it.  0, or a negative errno after logging.
 */
int listen_claim(const struct ipaddr *address, uint16_t port);

/*
 * Binds the sockets.  0, or a negative errno after logging what is wrong; -EADDRINUSE, without that
 * if listen_claim() succeeded: all of this worker's share of the transfers' ports is in use.
 */
int listen_open(struct loop *loop, const struct listen_conf *conf, const struct listen_ops *ops,
    void *arg, struct listen_set **ret);
void listen_close(struct listen_set *s);
/* Takes no more requests; in single-port mode packets of transfers still come. */
void listen_stop(struct listen_set *s);
/* The socket for a new transfer: they take turns. */
size_t listen_pick(struct listen_set *s);
size_t listen_count(const struct listen_set *s);
int listen_fd(const struct listen_set *s, size_t socket);
/* Asks for a call of `room` when the socket is not full any more; the other one: in 2 ms. */
void listen_wait(struct listen_set *s, size_t socket);
void listen_pause(struct listen_set *s, size_t socket);

/* Room for listen_address(). */
#define LISTEN_CONTROL (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)))
/*
 * Addresses a message of this path: receiver and, in `control`, the source, so that a host with
 * several addresses answers from the one that was asked.  For `segment` > 0 the kernel is to cut
 * the message into packets of that many bytes (UDP_SEGMENT).  Points into *path and `control`.
 */
void listen_address(const struct listen_path *path, uint16_t segment, struct msghdr *m,
    uint8_t control[static LISTEN_CONTROL]);
/* Sends one packet at once.  0, or a negative errno (-EAGAIN: no room now). */
int listen_send(const struct listen_path *path, size_t socket, struct slice bytes);

/* The most bytes of an IP packet to this peer, as far as this host knows; 0: it does not. */
uint32_t listen_mtu(const struct listen_path *path);

/* The peer as a plain address, a mapped one as IPv4. */
struct ipaddr listen_peer_ip(const struct listen_path *path);
uint16_t listen_peer_port(const struct listen_path *path);
/* Our address that it talks to. */
struct ipaddr listen_local_ip(const struct listen_path *path);
bool listen_peer_eq(const struct listen_path *a, const struct listen_path *b);

#endif
