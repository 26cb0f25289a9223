/* How often clients may ask: the configuration's limits, each with its buckets; see rate.h. */
#ifndef DHCPPROXYD_LIMITS_H
#define DHCPPROXYD_LIMITS_H

#include "common/dhcp.h"
#include "dhcpproxyd/dhcpproxyd.h"
#include "dhcpproxyd/rate.h"

struct limits {
	struct rate_limit client, total;
	struct rate_bucket all;
	struct rates *clients;
};

enum limits_verdict {
	LIMITS_PASSED,
	LIMITS_CLIENT, /* this client asks too often */
	LIMITS_TOTAL,  /* all of them do */
};

/* 0, or a negative errno. */
int limits_init(struct limits *l, const struct dhcpproxyd_conf *conf);
void limits_fini(struct limits *l);
/* Takes over changed limits. */
void limits_set(struct limits *l, const struct dhcpproxyd_conf *conf);

/* The same for a client of IPv6: by its hardware address, else its DUID, of all IPv6 clients alike.
 */
enum limits_verdict limits_take_client(struct limits *l, struct slice who, uint64_t now_ms);
enum limits_verdict limits_take(struct limits *l, const struct dhcp_packet *p, uint64_t now_ms);

#endif
