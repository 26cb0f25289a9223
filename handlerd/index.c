/* See index.h. */
#include "handlerd/index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST 64

void
index_fini(struct index *x)
{
	free(x->v);
	*x = (struct index){ 0 };
}

/* Where an entry would like to be: hashes in their order over the whole table. */
static size_t
home_of(size_t size, uint32_t hash)
{
	return (size_t)((uint64_t)hash * size >> 32);
}

static size_t
after(const struct index *x, size_t at)
{
	return at + 1 < x->size ? at + 1 : 0;
}

static void
place(struct index *x, struct index_entry e)
{
	size_t at = home_of(x->size, e.hash);

	while (x->v[at].place != INDEX_NONE)
		at = after(x, at);
	x->v[at] = e;
	x->n++;
}

/* How many entries a table of this size takes: walks get long in fuller ones. */
static size_t
room(size_t size)
{
	return size / 10 * 7;
}

int
index_reserve(struct index *x, size_t more)
{
	/* by a quarter: a million entries more or less must not cost the room of two */
	struct index bigger = { .size = x->size };

	if (x->n + more <= room(x->size))
		return 0;
	while (x->n + more > room(bigger.size))
		bigger.size += bigger.size < SMALLEST ? SMALLEST : bigger.size / 4;
	if (bigger.size >= UINT32_MAX)
		return -ENOMEM;
	bigger.v = malloc(bigger.size * sizeof(*bigger.v));
	if (bigger.v == NULL)
		return -ENOMEM;
	memset(bigger.v, 0xff, bigger.size * sizeof(*bigger.v)); /* INDEX_NONE everywhere */
	for (size_t i = 0; i < x->size; i++) {
		if (x->v[i].place != INDEX_NONE)
			place(&bigger, x->v[i]);
	}
	free(x->v);
	*x = bigger;
	return 0;
}

void
index_add(struct index *x, uint32_t hash, uint32_t what)
{
	assert(x->n < x->size && what != INDEX_NONE);
	place(x, (struct index_entry){ hash, what });
}

size_t
index_begin(const struct index *x, uint32_t hash)
{
	return x->size > 0 ? home_of(x->size, hash) : 0;
}

uint32_t
index_next(const struct index *x, uint32_t hash, size_t *at)
{
	/* ends at a free place: room() keeps some */
	while (x->size > 0 && x->v[*at].place != INDEX_NONE) {
		const struct index_entry *e = &x->v[*at];

		*at = after(x, *at);
		if (e->hash == hash)
			return e->place;
	}
	return INDEX_NONE;
}

/* True if `at` lies in the run from `from` (not included) to `to`, going round. */
static bool
is_between(size_t from, size_t at, size_t to)
{
	return from <= to ? from < at && at <= to : from < at || at <= to;
}

bool
index_remove(struct index *x, uint32_t hash, uint32_t what)
{
	size_t hole = index_begin(x, hash), at;

	if (x->size == 0)
		return false;
	while (x->v[hole].hash != hash || x->v[hole].place != what) {
		if (x->v[hole].place == INDEX_NONE)
			return false;
		hole = after(x, hole);
	}
	/* those behind move up, unless that brought them before their home */
	for (at = after(x, hole); x->v[at].place != INDEX_NONE; at = after(x, at)) {
		if (is_between(hole, home_of(x->size, x->v[at].hash), at))
			continue;
		x->v[hole] = x->v[at];
		hole = at;
	}
	x->v[hole].place = INDEX_NONE;
	x->n--;
	return true;
}
