/* See limits.h. */
#include "dhcpproxyd/limits.h"

#include <errno.h>
#include <sys/random.h>

#define OPT_CLIENT_ID 61

void
limits_set(struct limits *l, const struct dhcpproxyd_conf *conf)
{
	l->client =
	    (struct rate_limit){ (uint32_t)conf->client_rate, (uint32_t)conf->client_burst };
	l->total = (struct rate_limit){ (uint32_t)conf->total_rate, (uint32_t)conf->total_burst };
}

int
limits_init(struct limits *l, const struct dhcpproxyd_conf *conf)
{
	uint64_t key[2];

	limits_set(l, conf);
	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		return -EIO;
	return rates_new((size_t)conf->max_clients, key, &l->clients);
}

void
limits_fini(struct limits *l)
{
	rates_free(l->clients);
}

/* Who a packet is from: InfiniBand has no room for its address in chaddr (RFC 4390 section 2.1). */
static struct slice
client_of(const struct dhcp_packet *p)
{
	if (p->hlen > 0)
		return (struct slice){ p->chaddr, p->hlen };
	return p->opt[OPT_CLIENT_ID].n > 0 ? p->opt[OPT_CLIENT_ID] : p->opt[DHCP_OPT_UUID];
}

enum limits_verdict
limits_take_client(struct limits *l, struct slice who, uint64_t now_ms)
{
	/* the client first: what it loses by its own limit shall not count for all */
	if (who.n > 0 && !rates_take(l->clients, who, &l->client, now_ms))
		return LIMITS_CLIENT;
	return rate_take(&l->all, &l->total, now_ms) ? LIMITS_PASSED : LIMITS_TOTAL;
}

enum limits_verdict
limits_take(struct limits *l, const struct dhcp_packet *p, uint64_t now_ms)
{
	return limits_take_client(l, client_of(p), now_ms);
}
