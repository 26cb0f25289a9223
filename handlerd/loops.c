/* See loops.h. */
#include "handlerd/loops.h"

#include "common/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WAYS       4u  /* places that a key may have */
#define PATH_HASH  200 /* bytes of a path that count, the last ones */

#define AT(member) .off = offsetof(struct loops_conf, member)

const struct config_key loops_keys[] = {
	{ .name = "fetches",
	    .type = CONFIG_INT,
	    AT(fetches),
	    .def = "4",
	    .max = LOOPS_FETCHES_MAX,
	    .help = "a machine that fetches the same loader so often within `within_s` is in a "
		    "loop: it gets no more offers, and iPXE a script that says so; 0: no guard" },
	{ .name = "within_s",
	    .type = CONFIG_INT,
	    AT(within_s),
	    .def = "60",
	    .min = 5,
	    .max = 3600,
	    .unit = "s",
	    .help = "the time in which fetches are counted" },
	{ .name = "hold_s",
	    .type = CONFIG_INT,
	    AT(hold_s),
	    .def = "300",
	    .min = 5,
	    .max = 86400,
	    .unit = "s",
	    .help = "how long it gets nothing; `ferryctl loops release` lets it go before" },
	{ 0 },
};

/* A count of fetches (`path` is not 0), or a hold. */
struct place {
	struct macaddr mac; /* len 0: the place is free */
	uint32_t path;      /* hash of the loader's path */
	uint32_t n;         /* fetches in `at_ms` */
	uint64_t used_ms;
	uint64_t since_ms, until_ms;       /* of a hold */
	uint64_t at_ms[LOOPS_FETCHES_MAX]; /* the last fetches, oldest first */
};

struct loops {
	uint64_t key[2];
	uint64_t until_ms; /* nobody is held longer */
	size_t sets;       /* a power of two */
	struct place *v;
};

int
loops_new(size_t limit, const uint64_t key[static 2], struct loops **ret)
{
	struct loops *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	memcpy(t->key, key, sizeof(t->key));
	for (t->sets = 1; t->sets * WAYS < limit;)
		t->sets *= 2;
	t->v = calloc(t->sets * WAYS, sizeof(*t->v));
	if (t->v == NULL) {
		free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void
loops_free(struct loops *t)
{
	if (t == NULL)
		return;
	free(t->v);
	free(t);
}

static uint32_t
hash_path(const struct loops *t, struct slice path)
{
	uint32_t hash;

	if (path.n > PATH_HASH)
		path = (struct slice){ path.p + path.n - PATH_HASH, PATH_HASH };
	hash = hash_keyed(t->key, path);
	return hash != 0 ? hash : 1;
}

static struct place *
set_of(const struct loops *t, const struct macaddr *mac, uint32_t path)
{
	uint32_t hash = hash_keyed(t->key, (struct slice){ mac->b, mac->len }) ^ path;

	return &t->v[(hash & (t->sets - 1)) * WAYS];
}

static struct place *
find(const struct loops *t, const struct macaddr *mac, uint32_t path)
{
	struct place *set = set_of(t, mac, path);

	for (struct place *p = set; p < set + WAYS; p++) {
		if (p->mac.len != 0 && p->path == path && mac_eq(&p->mac, mac))
			return p;
	}
	return NULL;
}

/* Whether `a` is to make room before `b`. */
static bool
goes_before(const struct place *a, const struct place *b, uint64_t now_ms)
{
	bool free_a = a->mac.len == 0, free_b = b->mac.len == 0;
	bool held_a = a->until_ms > now_ms, held_b = b->until_ms > now_ms;

	if (free_a != free_b)
		return free_a;
	return held_a != held_b ? held_b : a->used_ms < b->used_ms;
}

static struct place *
get(struct loops *t, const struct macaddr *mac, uint32_t path, uint64_t now_ms)
{
	struct place *p = find(t, mac, path), *set;

	if (p == NULL) {
		p = set = set_of(t, mac, path);
		for (struct place *q = set + 1; q < set + WAYS; q++) {
			if (goes_before(q, p, now_ms))
				p = q;
		}
		*p = (struct place){ .mac = *mac, .path = path };
	}
	p->used_ms = now_ms;
	return p;
}

static void
hold(struct loops *t, const struct macaddr *mac, uint64_t now_ms, uint64_t until_ms)
{
	struct place *p = get(t, mac, 0, now_ms);

	p->since_ms = now_ms;
	p->until_ms = until_ms;
	if (until_ms > t->until_ms)
		t->until_ms = until_ms;
}

bool
loops_fetched(struct loops *t, const struct loops_conf *conf, const struct macaddr *mac,
    struct slice path, uint64_t now_ms)
{
	uint64_t within_ms = (uint64_t)conf->within_s * 1000;
	uint32_t gone = 0;
	struct place *p;

	if (conf->fetches == 0 || mac->len == 0 || loops_held_until(t, mac, now_ms) != 0)
		return false;
	p = get(t, mac, hash_path(t, path), now_ms);
	while (gone < p->n &&
	       (p->at_ms[gone] + within_ms < now_ms || p->n - gone == LOOPS_FETCHES_MAX))
		gone++;
	p->n -= gone;
	memmove(p->at_ms, p->at_ms + gone, p->n * sizeof(p->at_ms[0]));
	p->at_ms[p->n++] = now_ms;
	if (p->n < (uint64_t)conf->fetches)
		return false;
	*p = (struct place){ 0 };
	hold(t, mac, now_ms, now_ms + (uint64_t)conf->hold_s * 1000);
	return true;
}

uint64_t
loops_held_until(const struct loops *t, const struct macaddr *mac, uint64_t now_ms)
{
	const struct place *p;

	if (t->until_ms <= now_ms) /* nobody is, which is nearly always so */
		return 0;
	p = find(t, mac, 0);
	return p != NULL && p->until_ms > now_ms ? p->until_ms : 0;
}

size_t
loops_release(struct loops *t, const struct macaddr *mac, uint64_t now_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < t->sets * WAYS; i++) {
		struct place *p = &t->v[i];

		if (p->mac.len == 0 || (mac != NULL && !mac_eq(&p->mac, mac)))
			continue;
		n += p->until_ms > now_ms;
		*p = (struct place){ 0 };
	}
	return n;
}

bool
loops_next(const struct loops *t, size_t *at, uint64_t now_ms, struct macaddr *ret_mac,
    uint64_t *ret_since_ms, uint64_t *ret_until_ms)
{
	if (t->until_ms <= now_ms)
		return false;
	while (*at < t->sets * WAYS) {
		const struct place *p = &t->v[(*at)++];

		if (p->until_ms <= now_ms)
			continue;
		*ret_mac = p->mac;
		*ret_since_ms = p->since_ms;
		*ret_until_ms = p->until_ms;
		return true;
	}
	return false;
}
