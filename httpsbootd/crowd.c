/* See crowd.h.  Chains of cells, one for each address that has a connection. */
#include "httpsbootd/crowd.h"

#include "common/hash.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define NONE UINT32_MAX

struct cell {
	struct ipaddr address;
	uint32_t n; /* connections */
	uint32_t next;
};

struct crowd {
	size_t max, max_per_address, size;
	uint64_t key[2];
	struct cell *cells;
	uint32_t *chains;
	size_t nchains; /* a power of two */
	uint32_t unused;
};

static size_t
squeezed(size_t max)
{
	return max + max / 8 + 1;
}

int
crowd_new(size_t max, size_t max_per_address, const uint64_t key[static 2], struct crowd **ret)
{
	size_t ncells = squeezed(max);
	struct crowd *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	assert(ncells < NONE);
	c->max = max;
	c->max_per_address = max_per_address;
	c->key[0] = key[0];
	c->key[1] = key[1];
	for (c->nchains = 16; c->nchains < ncells;)
		c->nchains *= 2;
	c->cells = calloc(ncells, sizeof(*c->cells));
	c->chains = malloc(c->nchains * sizeof(*c->chains));
	if (c->cells == NULL || c->chains == NULL) {
		crowd_free(c);
		return -ENOMEM;
	}
	for (size_t i = 0; i < c->nchains; i++)
		c->chains[i] = NONE;
	for (size_t i = 0; i < ncells; i++)
		c->cells[i].next = i + 1 < ncells ? (uint32_t)i + 1 : NONE;
	*ret = c;
	return 0;
}

void
crowd_free(struct crowd *c)
{
	if (c == NULL)
		return;
	free(c->cells);
	free(c->chains);
	free(c);
}

/* The link that leads to an address's cell, or that ends its chain. */
static uint32_t *
find(const struct crowd *c, const struct ipaddr *address)
{
	uint8_t key[1 + sizeof(address->b)];
	uint32_t *at;

	key[0] = address->family;
	for (size_t i = 0; i < sizeof(address->b); i++)
		key[1 + i] = address->b[i];
	at = &c->chains[hash_keyed(c->key, (struct slice){ key, sizeof(key) }) & (c->nchains - 1)];
	while (*at != NONE && !ip_eq(&c->cells[*at].address, address))
		at = &c->cells[*at].next;
	return at;
}

enum crowd_room
crowd_enter(struct crowd *c, const struct ipaddr *address, bool squeeze)
{
	uint32_t *at = find(c, address), cell = *at;

	if (cell != NONE && c->max_per_address != 0 && c->cells[cell].n >= c->max_per_address)
		return CROWD_ADDRESS_FULL;
	if (c->size >= squeezed(c->max))
		return CROWD_PACKED;
	if (c->size >= c->max && !squeeze)
		return CROWD_FULL;
	if (cell == NONE) { /* there is one: each cell in use has a connection */
		cell = c->unused;
		c->unused = c->cells[cell].next;
		c->cells[cell] = (struct cell){ .address = *address, .next = NONE };
		*at = cell;
	}
	c->cells[cell].n++;
	c->size++;
	return CROWD_IN;
}

void
crowd_leave(struct crowd *c, const struct ipaddr *address)
{
	uint32_t *at = find(c, address), cell = *at;

	assert(cell != NONE && c->size > 0);
	c->size--;
	if (--c->cells[cell].n > 0)
		return;
	*at = c->cells[cell].next;
	c->cells[cell].next = c->unused;
	c->unused = cell;
}

size_t
crowd_size(const struct crowd *c)
{
	return c->size;
}

size_t
crowd_from(const struct crowd *c, const struct ipaddr *address)
{
	uint32_t cell = *find(c, address);

	return cell != NONE ? c->cells[cell].n : 0;
}
