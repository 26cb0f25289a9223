/*
 * Asking who is there: DISCOVERs as four kinds of firmware send them, from our own hardware
 * address, so that DHCP and PXE servers show themselves before a client needs them.  It is also the
 * only way to see servers that answer firmware by unicast frames (ISC Kea does).
 *
 * Nobody takes an offer up, so no server gives an address away.  The DISCOVERs carry a client
 * identifier of their own, by which every Bootferry knows and ignores them.
 */
#ifndef DHCPPROXYD_PROBE_H
#define DHCPPROXYD_PROBE_H

#include "common/dhcp.h"
#include "common/loop.h"
#include "common/msg.h"

#define PROBE_INTERFACES 16 /* that are asked on at once, the most */

/* The DISCOVER of this kind (RIVAL_BIOS and later).  Pure. */
void probe_build(enum rival_client kind, const uint8_t mac[static 6], uint32_t xid, struct wbuf *w);
/* The whole Ethernet frame of such a payload, from 0.0.0.0:68 to everybody's port 67.  Pure. */
void probe_frame(const uint8_t mac[static 6], struct slice payload, struct wbuf *w);
/* True if a packet is such a DISCOVER. */
bool probe_is_one(const struct dhcp_packet *p);

struct probe;

struct probe_conf {
	/* Whether to ask on this interface. */
	bool (*serves)(void *arg, int ifindex);
	/* One was sent. */
	void (*sent)(void *arg, enum rival_client kind, uint32_t xid, struct slice mac);
	void *arg;
};

/*
 * Opens a packet socket, which needs CAP_NET_RAW: 0, or a negative errno.  It asks PROBE_START_MS
 * after the start, and then as often as probe_set() says.
 */
#define PROBE_START_MS 2000
int probe_new(struct loop *loop, const struct probe_conf *conf, struct probe **ret);
void probe_free(struct probe *p); /* NULL is allowed */
/* Asks every so many seconds; 0: never, not even at the start. */
void probe_set(struct probe *p, uint32_t every_s);
/* Asks after PROBE_START_MS, if it asks at all: an interface came. */
void probe_soon(struct probe *p);
/* Asks now: on how many interfaces. */
size_t probe_now(struct probe *p);

#endif
