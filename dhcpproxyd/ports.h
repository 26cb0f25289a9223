/*
 * One UDP port on several interfaces: which sockets are open follows what interfaces there are.
 * A port that another process owns is read by packet sockets and answered from by a raw one.
 */
#ifndef DHCPPROXYD_PORTS_H
#define DHCPPROXYD_PORTS_H

#include "common/config.h"
#include "common/loop.h"
#include "dhcpproxyd/links.h"
#include "dhcpproxyd/listen.h"

/* How often others that hold the port are looked for, and what failed is tried again. */
#define PORTS_WATCH_MS 5000
/* Interfaces at once; each takes a socket and its queue. */
#define PORTS_MAX 256

/* How a port is opened; the first three are the values of the key dhcp_socket. */
enum ports_mode {
	PORTS_AUTO,   /* UDP if nobody else holds the port, else packet sockets */
	PORTS_UDP,    /* shared with a process that allows it */
	PORTS_PACKET, /* whoever holds it */
	PORTS_OWN,    /* UDP, not shared: its datagrams are unicast, and reach only one socket */
};

struct ports_conf {
	const struct links *links; /* kept up to date by the caller */
	char *const *interfaces;   /* names, or patterns (glob(7)) */
	size_t ninterfaces;        /* 0: one socket for all interfaces, present and future */
	uint16_t port;
	enum ports_mode mode;
	const char *key; /* of the configuration, for messages */
	listen_packet_fn *fn;
	void *arg;
};

struct ports_stats {
	uint64_t received;
	uint64_t too_long;
	uint64_t malformed; /* lengths within the packet that do not fit */
	uint64_t checksum;  /* a wrong checksum */
	uint64_t not_ours;  /* sent to another host's address, and seen by a packet socket */
	uint64_t lost;      /* found the kernel's queue full */
	uint64_t sent;
	uint64_t send_failed;
	uint64_t gone; /* replies whose interface is gone */
};

struct ports;

/*
 * Opens the port on the interfaces that are there.  0, or a negative errno after logging what is
 * wrong with one of them; that one is not there yet is not wrong.
 */
int ports_open(struct loop *loop, const struct ports_conf *conf, struct ports **ret);
void ports_close(struct ports *p); /* NULL is allowed */
/* Stops reading; sending still works. */
void ports_stop(struct ports *p);

/* The interfaces are others now.  Not to be called while a packet is delivered. */
void ports_update(struct ports *p);

/*
 * Sends a reply to a packet that came by interface `came_by`, out by `ifindex` (0: as the routes
 * say), from `local`.
 */
void ports_send(struct ports *p, struct slice bytes, const struct sockaddr_in *to, int came_by,
    int ifindex, const uint8_t local[static 4]);

void ports_get_stats(const struct ports *p, struct ports_stats *ret);
/* How many UDP sockets it has. */
size_t ports_udp_sockets(const struct ports *p);
/*
 * How an interface is served: "udp" or "packet"; NULL if it is not, and then *error is why (0:
 * nobody asked for it).
 */
const char *ports_kind(const struct ports *p, int ifindex, int *error);

#endif
