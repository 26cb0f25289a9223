/*
 * How often tokens were used; see token.h.
 *
 * The slots are a ring in the order in which tokens were first seen.  All tokens of a site have
 * about the same life, so the oldest slot is about the first to expire.
 *
 * A ring that was left behind is read with no trust in it: its process may have been killed
 * between any two writes.  A slot counts by itself, a half-written one is that of a token that
 * nobody has.
 */
#include "handlerd/token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC UINT64_C(0x62666c7573657331) /* of this form, and in this byte order */

struct slot {
	uint64_t id, what; /* of the token, and a hash of the thing */
	uint64_t expires_ms;
	uint32_t uses; /* 0: the slot is free */
	uint32_t next; /* of its chain; a slot's number + 1, 0 ends it; not for another process */
};

struct ring {
	uint64_t magic;
	uint64_t oldest;
	struct slot slots[];
};

struct token_uses {
	struct ring *ring;
	void *own;        /* the ring, if it is not the caller's */
	uint32_t *chains; /* like slot.next */
	size_t limit, nchains;
	size_t held;
	uint64_t made_room;
};

static size_t
limited(size_t limit)
{
	if (limit > UINT32_MAX / 2)
		return UINT32_MAX / 2;
	return limit > 0 ? limit : 1;
}

size_t
token_uses_bytes(size_t limit)
{
	return sizeof(struct ring) + limited(limit) * sizeof(struct slot);
}

int
token_uses_new(size_t limit, void *ring, struct token_uses **ret)
{
	struct token_uses *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->limit = limited(limit);
	for (t->nchains = 16; t->nchains < t->limit;)
		t->nchains *= 2;
	if (ring == NULL)
		ring = t->own = calloc(1, token_uses_bytes(limit));
	t->ring = ring;
	t->chains = calloc(t->nchains, sizeof(*t->chains));
	if (t->ring == NULL || t->chains == NULL) {
		token_uses_free(t);
		return -ENOMEM;
	}
	t->ring->magic = MAGIC;
	*ret = t;
	return 0;
}

void
token_uses_free(struct token_uses *t)
{
	if (t == NULL)
		return;
	free(t->own);
	free(t->chains);
	free(t);
}

struct token_uses_stats
token_uses_stats(const struct token_uses *t)
{
	return (struct token_uses_stats){ .held = t->held, .made_room = t->made_room };
}

static uint64_t
hash_of(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (; *s != '\0'; s++)
		h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
	return h;
}

/* The id is random: no client can fill one chain. */
static uint32_t *
chain_of(struct token_uses *t, uint64_t id, uint64_t what)
{
	return &t->chains[((id ^ what) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (t->nchains - 1)];
}

static void
forget_oldest(struct token_uses *t)
{
	struct slot *s = &t->ring->slots[t->ring->oldest];
	uint32_t *at = chain_of(t, s->id, s->what);

	while (*at != t->ring->oldest + 1)
		at = &t->ring->slots[*at - 1].next;
	*at = s->next;
	s->uses = 0;
	t->ring->oldest = t->ring->oldest + 1 < t->limit ? t->ring->oldest + 1 : 0;
	t->held--;
}

static struct slot *
find(struct token_uses *t, uint64_t id, uint64_t what)
{
	struct slot *s;

	for (uint32_t at = *chain_of(t, id, what); at != 0; at = s->next) {
		s = &t->ring->slots[at - 1];
		if (s->id == id && s->what == what)
			return s;
	}
	return NULL;
}

/* A slot without uses, which there is none of yet. */
static struct slot *
add(struct token_uses *t, uint64_t id, uint64_t what, uint64_t expires_ms, uint64_t now_ms)
{
	uint32_t *chain = chain_of(t, id, what);
	struct slot *s;
	size_t at;

	while (t->held > 0 && t->ring->slots[t->ring->oldest].expires_ms <= now_ms)
		forget_oldest(t);
	if (t->held == t->limit) {
		forget_oldest(t);
		t->made_room++;
	}
	at = (size_t)t->ring->oldest + t->held++;
	if (at >= t->limit)
		at -= t->limit;
	s = &t->ring->slots[at];
	*s = (struct slot){ .id = id, .what = what, .expires_ms = expires_ms, .next = *chain };
	*chain = (uint32_t)at + 1;
	return s;
}

enum token_fault
token_uses_note(struct token_uses *t, const struct token_claims *claims, const char *what,
    uint64_t now_ms, uint32_t *ret_uses)
{
	uint64_t what_hash = hash_of(what);
	struct slot *s = find(t, claims->id, what_hash);

	if (s == NULL)
		s = add(t, claims->id, what_hash, claims->expires_ms, now_ms);
	s->uses += s->uses < UINT32_MAX;
	*ret_uses = s->uses;
	return claims->uses != 0 && s->uses > claims->uses ? TOKEN_USED_UP : TOKEN_GOOD;
}

int
token_uses_take(struct token_uses *t, struct slice ring, uint64_t now_ms)
{
	uint64_t last_ms = now_ms + UINT64_C(1000) * (TOKEN_LIFE_MAX_S + 1);
	size_t n =
	    ring.n < sizeof(struct ring) ? 0 : (ring.n - sizeof(struct ring)) / sizeof(struct slot);
	struct ring head;

	if (n == 0)
		return -EBADMSG;
	memcpy(&head, ring.p, sizeof(head));
	if (head.magic != MAGIC)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		struct slot old;

		memcpy(&old, ring.p + sizeof(head) + (head.oldest % n + i) % n * sizeof(old),
		    sizeof(old));
		/* no token lives longer than that: it would keep its slot for ever */
		if (old.uses == 0 || old.expires_ms <= now_ms || old.expires_ms > last_ms ||
		    find(t, old.id, old.what) != NULL)
			continue;
		add(t, old.id, old.what, old.expires_ms, now_ms)->uses = old.uses;
	}
	return 0;
}
