/*
 * How often tokens were used; see token.h.
 *
 * The slots are a ring in the order in which tokens were first seen.  All tokens of a site have
 * about the same life, so the oldest slot is about the first to expire.
 */
#include "handlerd/token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	uint64_t id, what; /* of the token, and a hash of the thing */
	uint64_t expires_ms;
	uint32_t uses;
	uint32_t next; /* of its chain; a slot's number + 1, 0 ends it */
};

struct token_uses {
	struct slot *slots;
	uint32_t *chains; /* likewise */
	size_t limit, nchains;
	size_t oldest, held;
	uint64_t made_room;
};

int
token_uses_new(size_t limit, struct token_uses **ret)
{
	struct token_uses *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	if (limit > UINT32_MAX / 2)
		limit = UINT32_MAX / 2;
	t->limit = limit > 0 ? limit : 1;
	for (t->nchains = 16; t->nchains < t->limit;)
		t->nchains *= 2;
	t->slots = calloc(t->limit, sizeof(*t->slots));
	t->chains = calloc(t->nchains, sizeof(*t->chains));
	if (t->slots == NULL || t->chains == NULL) {
		token_uses_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void
token_uses_free(struct token_uses *t)
{
	if (t == NULL)
		return;
	free(t->slots);
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
	const struct slot *s = &t->slots[t->oldest];
	uint32_t *at = chain_of(t, s->id, s->what);

	while (*at != t->oldest + 1)
		at = &t->slots[*at - 1].next;
	*at = s->next;
	if (++t->oldest == t->limit)
		t->oldest = 0;
	t->held--;
}

enum token_fault
token_uses_note(struct token_uses *t, const struct token_claims *claims, const char *what,
    uint64_t now_ms, uint32_t *ret_uses)
{
	uint64_t what_hash = hash_of(what);
	uint32_t *chain = chain_of(t, claims->id, what_hash), at;
	struct slot *s;

	for (at = *chain; at != 0; at = s->next) {
		s = &t->slots[at - 1];
		if (s->id == claims->id && s->what == what_hash)
			break;
	}
	if (at == 0) {
		while (t->held > 0 && t->slots[t->oldest].expires_ms <= now_ms)
			forget_oldest(t);
		if (t->held == t->limit) {
			forget_oldest(t);
			t->made_room++;
		}
		at = (uint32_t)(t->oldest + t->held++) + 1;
		if (at > t->limit)
			at -= (uint32_t)t->limit;
		s = &t->slots[at - 1];
		*s = (struct slot){
			.id = claims->id,
			.what = what_hash,
			.expires_ms = claims->expires_ms,
			.next = *chain,
		};
		*chain = at;
	}
	s->uses += s->uses < UINT32_MAX;
	*ret_uses = s->uses;
	return claims->uses != 0 && s->uses > claims->uses ? TOKEN_USED_UP : TOKEN_GOOD;
}
