/* See shelf.h. */
#include "httpsbootd/shelf.h"

#include "common/hash.h"

#include <errno.h>
#include <string.h>

void
shelf_init(struct shelf *s, uint64_t max_bytes, const uint64_t key[static 2])
{
	memset(s, 0, sizeof(*s));
	s->max_bytes = max_bytes;
	s->key[0] = key[0];
	s->key[1] = key[1];
}

static size_t
bucket_of(const struct shelf *s, const char *path)
{
	return hash_keyed(s->key, slice_str(path)) % SHELF_BUCKETS;
}

struct shelf_item *
shelf_find(const struct shelf *s, const char *path)
{
	struct shelf_item *item = s->buckets[bucket_of(s, path)];

	while (item != NULL && strcmp(item->path, path) != 0)
		item = item->next;
	return item;
}

static void
unchain(struct shelf *s, struct shelf_item *item)
{
	if (item->older != NULL)
		item->older->newer = item->newer;
	else
		s->oldest = item->newer;
	if (item->newer != NULL)
		item->newer->older = item->older;
	else
		s->newest = item->older;
}

static void
chain(struct shelf *s, struct shelf_item *item)
{
	item->newer = NULL;
	item->older = s->newest;
	if (item->older != NULL)
		item->older->newer = item;
	else
		s->oldest = item;
	s->newest = item;
}

void
shelf_add(struct shelf *s, struct shelf_item *item)
{
	struct shelf_item **bucket = &s->buckets[bucket_of(s, item->path)];

	item->kept = false;
	item->bytes = 0;
	item->next = *bucket;
	*bucket = item;
	chain(s, item);
	s->nitems++;
}

void
shelf_remove(struct shelf *s, struct shelf_item *item)
{
	struct shelf_item **at = &s->buckets[bucket_of(s, item->path)];

	shelf_drop(s, item);
	while (*at != item)
		at = &(*at)->next;
	*at = item->next;
	unchain(s, item);
	s->nitems--;
}

void
shelf_touch(struct shelf *s, struct shelf_item *item)
{
	unchain(s, item);
	chain(s, item);
}

void
shelf_keep(struct shelf *s, struct shelf_item *item, uint64_t bytes)
{
	shelf_drop(s, item);
	item->kept = true;
	item->bytes = bytes;
	s->kept_bytes += bytes;
	s->nkept++;
}

void
shelf_drop(struct shelf *s, struct shelf_item *item)
{
	if (!item->kept)
		return;
	item->kept = false;
	s->kept_bytes -= item->bytes;
	s->nkept--;
	item->bytes = 0;
}

int
shelf_room(const struct shelf *s, uint64_t bytes, struct shelf_item **ret)
{
	uint64_t used = s->kept_bytes + s->reserved;
	struct shelf_item *item = s->oldest;

	if (bytes > s->max_bytes)
		return -EFBIG;
	if (used <= s->max_bytes - bytes && s->nkept < SHELF_FILES)
		return 0;
	while (item != NULL && (!item->kept || item->users > 0))
		item = item->newer;
	if (item == NULL)
		return -ENOSPC;
	*ret = item;
	return 1;
}

struct shelf_item *
shelf_spare(const struct shelf *s)
{
	struct shelf_item *item = s->oldest;

	while (item != NULL && (item->kept || item->users > 0))
		item = item->newer;
	return item;
}
