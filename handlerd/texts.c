/* See texts.h. */
#include "handlerd/texts.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct text {
	uint32_t uses;
	uint32_t n;
	uint8_t bytes[];
};

/* Slot 0 stands for the empty text and is never filled. */
#define NO_SLOT 0

void
texts_init(struct texts *t, const uint64_t *key)
{
	*t = (struct texts){ .key = key, .n = 1 };
}

void
texts_fini(struct texts *t)
{
	for (size_t i = 0; i < t->by_hash.size; i++) {
		if (t->by_hash.v[i].place != INDEX_NONE)
			free(t->v[t->by_hash.v[i].place].text);
	}
	index_fini(&t->by_hash);
	free(t->v);
	*t = (struct texts){ 0 };
}

struct slice
texts_get(const struct texts *t, uint32_t number)
{
	if (number == 0)
		return (struct slice){ NULL, 0 };
	return (struct slice){ t->v[number].text->bytes, t->v[number].text->n };
}

/* A free slot, kept for the next text_new(); NO_SLOT when out of memory. */
static uint32_t
find_slot(struct texts *t)
{
	if (t->first_free != NO_SLOT)
		return t->first_free;
	if (t->n >= t->size) {
		uint32_t size = t->size == 0 ? 64 : t->size + t->size / 4;
		union text_slot *v;

		if (size < t->size)
			return NO_SLOT;
		v = realloc(t->v, size * sizeof(*v));
		if (v == NULL)
			return NO_SLOT;
		t->v = v;
		t->size = size;
	}
	return t->n;
}

int
texts_take(struct texts *t, struct slice s, uint32_t *ret)
{
	uint32_t hash, place;
	struct text *text;
	size_t at;

	if (s.n == 0) {
		*ret = 0;
		return 0;
	}
	hash = hash_keyed(t->key, s);
	at = index_begin(&t->by_hash, hash);
	while ((place = index_next(&t->by_hash, hash, &at)) != INDEX_NONE) {
		if (slice_eq(texts_get(t, place), s)) {
			t->v[place].text->uses++;
			*ret = place;
			return 0;
		}
	}
	place = find_slot(t);
	if (place == NO_SLOT || index_reserve(&t->by_hash, 1) < 0)
		return -ENOMEM;
	text = malloc(sizeof(*text) + s.n + 1);
	if (text == NULL)
		return -ENOMEM;
	text->uses = 1;
	text->n = (uint32_t)s.n;
	memcpy(text->bytes, s.p, s.n);
	text->bytes[s.n] = '\0';
	if (place == t->first_free)
		t->first_free = t->v[place].next_free;
	else
		t->n++;
	t->v[place].text = text;
	t->bytes += sizeof(*text) + s.n + 1;
	index_add(&t->by_hash, hash, place);
	*ret = place;
	return 0;
}

void
texts_drop(struct texts *t, uint32_t number)
{
	struct text *text;

	if (number == 0)
		return;
	text = t->v[number].text;
	assert(text->uses > 0);
	if (--text->uses > 0)
		return;
	(void)index_remove(&t->by_hash, hash_keyed(t->key, texts_get(t, number)), number);
	t->bytes -= sizeof(*text) + text->n + 1;
	free(text);
	t->v[number].next_free = t->first_free;
	t->first_free = number;
}
