/*
 * How much one client, and all of them together, may ask: token buckets (so many a second on
 * average, so many at once).
 *
 * Clients are kept in a table of fixed size, by a keyed hash of their hardware address, so that
 * nobody can choose whom he is counted with.  A client that finds no free place takes that of the
 * one that was silent longest among four: whoever floods with ever new addresses makes others'
 * past forgotten, which never makes them wait.  Pure; time is an argument.
 */
#ifndef DHCPPROXYD_RATE_H
#define DHCPPROXYD_RATE_H

#include "common/wire.h"

struct rate_limit {
	uint32_t per_s; /* 0: no limit */
	uint32_t burst; /* at once; at least 1 counts */
};

#define RATE_MAX 4000000u /* of both members */

/* A bucket begins as zeros, and full. */
struct rate_bucket {
	uint32_t at_ms; /* when `spent` was brought up to date; the lower half of the clock */
	uint32_t spent; /* thousandths of a request, of `burst` */
};

/* True if one more is within the limit; it is then taken. */
bool rate_take(struct rate_bucket *b, const struct rate_limit *limit, uint64_t now_ms);

struct rates;

/* Room for about so many clients (16 bytes each).  0, or -ENOMEM. */
int rates_new(size_t clients, const uint64_t key[static 2], struct rates **ret);
void rates_free(struct rates *t); /* NULL is allowed */

/* The same for the bucket of the client `who`. */
bool rates_take(struct rates *t, struct slice who, const struct rate_limit *limit, uint64_t now_ms);

#endif
