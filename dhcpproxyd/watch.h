/*
 * Watching the wire: what other servers send to clients is seen by a packet socket, told in the
 * log and to handlerd once a server and change, and kept in a table for the control socket.
 *
 * It also tells whether the server that we yield to (`yield_to`) has answered a client.
 */
#ifndef DHCPPROXYD_WATCH_H
#define DHCPPROXYD_WATCH_H

#include "common/reply.h"
#include "common/rpc.h"
#include "dhcpproxyd/dhcpproxyd.h"
#include "dhcpproxyd/networks.h"

#define WATCH_SERVERS 256 /* that are remembered */

struct watch;

struct watch_stats {
	uint64_t packets;   /* of servers, seen */
	uint64_t rivals;    /* among them with something for boot clients, not of siblings */
	uint64_t skipped;   /* not looked at, too many came */
	uint64_t forgotten; /* servers that made room for others */
};

/* Takes an event for handlerd. */
typedef void watch_event_fn(void *arg, struct boot_event *e);

/*
 * Opens the packet socket, for which CAP_NET_RAW is needed; without it nothing is watched, which is
 * logged.  `conf`, `networks` and `subnet` must stay valid.  0, or a negative errno.
 */
int watch_new(struct loop *loop, const struct dhcpproxyd_conf *conf,
    const struct networks *networks, const char *subnet, watch_event_fn *event, void *arg,
    struct watch **ret);
void watch_free(struct watch *w); /* NULL is allowed */
/* Looks at nothing new from now on. */
void watch_stop(struct watch *w);
/* The interfaces are others now.  Not to be called while a packet is looked at. */
void watch_update(struct watch *w);
/* The configuration changed. */
void watch_reload(struct watch *w);

/* Asks who is there, as firmware would: on how many interfaces. */
size_t watch_probe(struct watch *w);

/* A DISCOVER came from this client; a number for watch_is_served(). */
uint32_t watch_discover(struct watch *w, const struct dhcp_ask *ask);
/* Whether the server that we yield to has made it an offer since. */
bool watch_is_served(const struct watch *w, uint32_t asker);
/* How long to wait for that server before an offer to such a client; 0: we yield to nobody. */
uint32_t watch_yield_ms(const struct watch *w, const struct dhcp_ask *ask);

void watch_get_stats(const struct watch *w, struct watch_stats *ret);

/* Methods of the control socket, as a new result: what is in the table; forgetting. */
json_t *watch_dump(const struct watch *w);
size_t watch_forget(struct watch *w, const char *name);

#endif
