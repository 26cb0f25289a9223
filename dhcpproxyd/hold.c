/* See hold.h. */
#include "dhcpproxyd/hold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct holding {
	struct holds *table;
	struct holding *next, **prev;
	struct loop_timer timer;
	struct held held;
	uint8_t bytes[];
};

struct holds {
	struct loop *loop;
	struct holding *first;
	size_t n, limit;
	hold_over_fn *over;
	void *arg;
};

int
holds_new(struct loop *loop, size_t limit, hold_over_fn *over, void *arg, struct holds **ret)
{
	struct holds *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	*t = (struct holds){ .loop = loop, .limit = limit, .over = over, .arg = arg };
	*ret = t;
	return 0;
}

static void
let_go(struct holding *h)
{
	loop_timer_clear(h->table->loop, &h->timer);
	*h->prev = h->next;
	if (h->next != NULL)
		h->next->prev = h->prev;
	h->table->n--;
	free(h);
}

void
holds_free(struct holds *t)
{
	if (t == NULL)
		return;
	while (t->first != NULL)
		let_go(t->first);
	free(t);
}

size_t
holds_count(const struct holds *t)
{
	return t->n;
}

static void
on_over(void *arg)
{
	struct holding *h = arg;

	h->table->over(h->table->arg, &h->held);
	let_go(h);
}

int
holds_add(struct holds *t, const struct held *held, uint64_t delay_ms)
{
	struct holding *h;

	if (t->n >= t->limit)
		return -ENOSPC;
	h = malloc(sizeof(*h) + held->bytes.n);
	if (h == NULL)
		return -ENOMEM;
	h->table = t;
	h->held = *held;
	memcpy(h->bytes, held->bytes.p, held->bytes.n);
	h->held.bytes.p = h->bytes;
	loop_timer_init(&h->timer, on_over, h);
	if (loop_timer_set(t->loop, &h->timer, delay_ms) < 0) {
		free(h);
		return -ENOMEM;
	}
	h->next = t->first;
	h->prev = &t->first;
	if (h->next != NULL)
		h->next->prev = &h->next;
	t->first = h;
	t->n++;
	return 0;
}
