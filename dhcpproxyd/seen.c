/* See seen.h. */
#include "dhcpproxyd/seen.h"

#include "common/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct asker {
	uint32_t hash; /* 0: free */
	uint32_t at_ms;
	uint8_t kind; /* enum rival_client */
	bool served;
};

struct seen {
	uint64_t key[2];
	size_t size; /* a power of two */
	struct asker v[];
};

int
seen_new(size_t clients, const uint64_t key[static 2], struct seen **ret)
{
	size_t size = 1;
	struct seen *t;

	while (size < clients)
		size *= 2;
	t = calloc(1, sizeof(*t) + size * sizeof(t->v[0]));
	if (t == NULL)
		return -ENOMEM;
	memcpy(t->key, key, sizeof(t->key));
	t->size = size;
	*ret = t;
	return 0;
}

void
seen_free(struct seen *t)
{
	free(t);
}

uint32_t
seen_hash(const struct seen *t, uint32_t xid, struct slice chaddr)
{
	uint8_t who[4 + 16] = { (uint8_t)(xid >> 24), (uint8_t)(xid >> 16), (uint8_t)(xid >> 8),
		(uint8_t)xid };
	size_t n = chaddr.n < 16 ? chaddr.n : 16;
	uint32_t hash;

	if (n > 0)
		memcpy(who + 4, chaddr.p, n);
	hash = hash_keyed(t->key, (struct slice){ who, 4 + n });
	return hash != 0 ? hash : 1;
}

static struct asker *
place_of(const struct seen *t, uint32_t hash)
{
	return (struct asker *)(uintptr_t)&t->v[hash & (t->size - 1)];
}

/* The client's place while it is remembered, or NULL. */
static struct asker *
find(const struct seen *t, uint32_t hash, uint64_t now_ms)
{
	struct asker *a = place_of(t, hash);

	return a->hash == hash && (uint32_t)now_ms - a->at_ms <= SEEN_MS ? a : NULL;
}

void
seen_note(struct seen *t, uint32_t hash, enum rival_client kind, uint64_t now_ms)
{
	*place_of(t, hash) =
	    (struct asker){ .hash = hash, .at_ms = (uint32_t)now_ms, .kind = (uint8_t)kind };
}

enum rival_client
seen_kind(const struct seen *t, uint32_t hash, uint64_t now_ms)
{
	const struct asker *a = find(t, hash, now_ms);

	return a != NULL ? (enum rival_client)a->kind : RIVAL_ANY;
}

void
seen_served(struct seen *t, uint32_t hash, uint64_t now_ms)
{
	struct asker *a = find(t, hash, now_ms);

	if (a != NULL)
		a->served = true;
}

bool
seen_is_served(const struct seen *t, uint32_t hash, uint64_t now_ms)
{
	const struct asker *a = find(t, hash, now_ms);

	return a != NULL && a->served;
}
