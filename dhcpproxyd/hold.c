/* See hold.h. */
#include "dhcpproxyd/hold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS 1024u /* a power of two */

struct holding {
	struct holds *table;
	struct holding *next, **prev;
	struct holding *chain, **chain_prev; /* by hardware address, of the admitted */
	struct loop_timer timer;
	struct held held;
	uint8_t bytes[];
};

struct holds {
	struct loop *loop;
	struct holding *first;
	size_t n, limit, admitted;
	hold_over_fn *over;
	void *arg;
	struct holding *chains[CHAINS];
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

static struct holding **
chain_of(struct holds *t, const struct macaddr *mac)
{
	uint32_t h = 0x811c9dc5u;

	for (size_t i = 0; i < mac->len; i++)
		h = (h ^ mac->b[i]) * 0x01000193u;
	return &t->chains[(h ^ h >> 16) & (CHAINS - 1)];
}

static void
let_go(struct holding *h)
{
	loop_timer_clear(h->table->loop, &h->timer);
	if (h->held.admitted) {
		*h->chain_prev = h->chain;
		if (h->chain != NULL)
			h->chain->chain_prev = h->chain_prev;
		h->table->admitted--;
	}
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

enum hold_again
holds_again(struct holds *t, const struct macaddr *mac, uint32_t xid, bool boot_port)
{
	enum hold_again found = HOLD_NONE;
	struct holding *next;

	if (t->admitted == 0)
		return HOLD_NONE;
	for (struct holding *h = *chain_of(t, mac); h != NULL; h = next) {
		next = h->chain;
		if (!mac_eq(&h->held.mac, mac))
			continue;
		if (h->held.xid == xid && h->held.boot_port == boot_port)
			return HOLD_SAME;
		let_go(h);
		found = HOLD_DROPPED;
	}
	return found;
}

void
holds_flush(struct holds *t)
{
	struct holding *next;

	for (struct holding *h = t->first; h != NULL; h = next) {
		next = h->next;
		if (h->held.admitted)
			on_over(h);
	}
}

static void
keep(struct slice *s, uint8_t **room)
{
	if (s->n > 0)
		memcpy(*room, s->p, s->n);
	s->p = *room;
	*room += s->n;
}

int
holds_add(struct holds *t, const struct held *held, uint64_t delay_ms)
{
	struct holding *h;
	uint8_t *room;

	if (t->n >= t->limit)
		return -ENOSPC;
	h = malloc(sizeof(*h) + held->bytes.n + held->file.n);
	if (h == NULL)
		return -ENOMEM;
	h->table = t;
	h->held = *held;
	room = h->bytes;
	keep(&h->held.bytes, &room);
	keep(&h->held.file, &room);
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
	if (h->held.admitted) {
		h->chain_prev = chain_of(t, &h->held.mac);
		h->chain = *h->chain_prev;
		if (h->chain != NULL)
			h->chain->chain_prev = &h->chain;
		*h->chain_prev = h;
		t->admitted++;
	}
	return 0;
}
