/*
 * The web service's answers that may serve again; see ws_cache.h.  A hash table with chains, and a
 * list in order of use.
 */
#include "handlerd/ws_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS   4096
#define MAX_SHARE 16 /* of the room, for one answer */

struct answer {
	struct answer *chain;
	struct answer *newer, *older;
	uint64_t fresh_until_ms, stale_until_ms, unseen_until_ms;
	size_t key_n, n;
	char text[]; /* the key, a NUL, the answer */
};

struct ws_cache {
	size_t max_bytes, bytes, count;
	struct answer *newest, *oldest;
	struct answer *buckets[BUCKETS];
};

/* FNV-1a */
static struct answer **
bucket_of(struct ws_cache *c, const char *key)
{
	uint32_t h = 2166136261u;

	for (; *key != '\0'; key++)
		h = (h ^ (uint8_t)*key) * 16777619u;
	return &c->buckets[h % BUCKETS];
}

int
ws_cache_new(size_t max_bytes, struct ws_cache **ret)
{
	struct ws_cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->max_bytes = max_bytes;
	*ret = c;
	return 0;
}

static size_t
size_of(const struct answer *a)
{
	return sizeof(*a) + a->key_n + 1 + a->n;
}

static void
list_out(struct ws_cache *c, struct answer *a)
{
	if (a->newer != NULL)
		a->newer->older = a->older;
	else
		c->newest = a->older;
	if (a->older != NULL)
		a->older->newer = a->newer;
	else
		c->oldest = a->newer;
}

static void
list_in(struct ws_cache *c, struct answer *a)
{
	a->newer = NULL;
	a->older = c->newest;
	if (c->newest != NULL)
		c->newest->newer = a;
	else
		c->oldest = a;
	c->newest = a;
}

static void
drop(struct ws_cache *c, struct answer *a)
{
	struct answer **at = bucket_of(c, a->text);

	while (*at != a)
		at = &(*at)->chain;
	*at = a->chain;
	list_out(c, a);
	c->bytes -= size_of(a);
	c->count--;
	free(a);
}

void
ws_cache_free(struct ws_cache *c)
{
	if (c == NULL)
		return;
	while (c->oldest != NULL)
		drop(c, c->oldest);
	free(c);
}

static struct answer *
find(struct ws_cache *c, const char *key)
{
	struct answer *a = *bucket_of(c, key);

	while (a != NULL && strcmp(a->text, key) != 0)
		a = a->chain;
	return a;
}

void
ws_cache_put(struct ws_cache *c, const char *key, struct slice answer, uint64_t now_ms,
    uint64_t fresh_ms, uint64_t stale_ms, bool unseen)
{
	struct answer *a = find(c, key), **bucket;
	size_t key_n = strlen(key);

	if (a != NULL)
		drop(c, a);
	if ((fresh_ms == 0 && stale_ms == 0 && !unseen) ||
	    sizeof(*a) + key_n + 1 + answer.n > c->max_bytes / MAX_SHARE)
		return;
	a = malloc(sizeof(*a) + key_n + 1 + answer.n);
	if (a == NULL)
		return; /* the answer has served its asker; the next one asks again */
	*a = (struct answer){ .fresh_until_ms = now_ms + fresh_ms,
		.stale_until_ms = now_ms + stale_ms,
		.unseen_until_ms = unseen ? now_ms + WS_CACHE_UNSEEN_MS : 0,
		.key_n = key_n,
		.n = answer.n };
	memcpy(a->text, key, key_n + 1);
	if (answer.n > 0)
		memcpy(a->text + key_n + 1, answer.p, answer.n);
	bucket = bucket_of(c, key);
	a->chain = *bucket;
	*bucket = a;
	list_in(c, a);
	c->bytes += size_of(a);
	c->count++;
	while (c->bytes > c->max_bytes)
		drop(c, c->oldest);
}

static int
lend(struct ws_cache *c, struct answer *a, struct slice *ret)
{
	list_out(c, a);
	list_in(c, a);
	*ret = (struct slice){ (const uint8_t *)a->text + a->key_n + 1, a->n };
	return 0;
}

int
ws_cache_fresh(struct ws_cache *c, const char *key, uint64_t now_ms, struct slice *ret)
{
	struct answer *a = find(c, key);

	if (a == NULL || (now_ms >= a->fresh_until_ms && now_ms >= a->unseen_until_ms))
		return -ENOENT;
	a->unseen_until_ms = 0; /* seen now */
	return lend(c, a, ret);
}

int
ws_cache_stale(struct ws_cache *c, const char *key, uint64_t now_ms, struct slice *ret)
{
	struct answer *a = find(c, key);

	return a == NULL || now_ms >= a->stale_until_ms ? -ENOENT : lend(c, a, ret);
}

size_t
ws_cache_count(const struct ws_cache *c)
{
	return c->count;
}

size_t
ws_cache_bytes(const struct ws_cache *c)
{
	return c->bytes;
}
