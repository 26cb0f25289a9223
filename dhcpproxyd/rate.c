/* See rate.h. */
#include "dhcpproxyd/rate.h"

#include "common/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define A_REQUEST 1000u /* of struct rate_bucket's `spent` */
#define WAYS      4u    /* places that a client may have: one cache line */

struct place {
	uint32_t tag; /* the hash; 0: free */
	struct rate_bucket bucket;
	uint32_t unused;
};

struct rates {
	uint64_t key[2];
	size_t sets; /* a power of two */
	struct place *places;
};

bool
rate_take(struct rate_bucket *b, const struct rate_limit *limit, uint64_t now_ms)
{
	uint64_t burst = (uint64_t)(limit->burst > 0 ? limit->burst : 1) * A_REQUEST;
	uint64_t gained = (uint64_t)((uint32_t)now_ms - b->at_ms) * limit->per_s;

	if (limit->per_s == 0)
		return true;
	b->at_ms = (uint32_t)now_ms;
	b->spent = gained < b->spent ? b->spent - (uint32_t)gained : 0;
	if (b->spent + A_REQUEST > burst)
		return false;
	b->spent += A_REQUEST;
	return true;
}

int
rates_new(size_t clients, const uint64_t key[static 2], struct rates **ret)
{
	struct rates *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	memcpy(t->key, key, sizeof(t->key));
	for (t->sets = 1; t->sets * WAYS < clients;)
		t->sets *= 2;
	t->places = aligned_alloc(WAYS * sizeof(*t->places), t->sets * WAYS * sizeof(*t->places));
	if (t->places == NULL) {
		free(t);
		return -ENOMEM;
	}
	memset(t->places, 0, t->sets * WAYS * sizeof(*t->places));
	*ret = t;
	return 0;
}

void
rates_free(struct rates *t)
{
	if (t == NULL)
		return;
	free(t->places);
	free(t);
}

/* The client's place, or the one that it gets. */
static struct place *
find_place(struct place *set, uint32_t tag, uint32_t now_ms)
{
	struct place *found = set;

	for (struct place *p = set; p < set + WAYS; p++) {
		if (p->tag == tag)
			return p;
		if (found->tag != 0 &&
		    (p->tag == 0 || now_ms - p->bucket.at_ms > now_ms - found->bucket.at_ms))
			found = p;
	}
	*found = (struct place){ .tag = tag, .bucket.at_ms = now_ms };
	return found;
}

bool
rates_take(struct rates *t, struct slice who, const struct rate_limit *limit, uint64_t now_ms)
{
	uint32_t tag = hash_keyed(t->key, who);
	size_t set = tag & (t->sets - 1);
	struct place *p;

	if (limit->per_s == 0)
		return true;
	p = find_place(&t->places[set * WAYS], tag != 0 ? tag : 1, (uint32_t)now_ms);
	return rate_take(&p->bucket, limit, now_ms);
}
