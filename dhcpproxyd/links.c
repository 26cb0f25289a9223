/* Interfaces and addresses; see links.h. */
#include "dhcpproxyd/links.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

void
links_fini(struct links *t)
{
	free(t->v);
	free(t->addresses);
	*t = (struct links){ 0 };
}

/* Where the first element with at least this ifindex is; each begins with its ifindex. */
static size_t
lower(const void *v, size_t n, size_t size, int ifindex)
{
	size_t low = 0;

	while (low < n) {
		size_t mid = low + (n - low) / 2;
		int at;

		memcpy(&at, (const uint8_t *)v + mid * size, sizeof(at));
		if (at < ifindex)
			low = mid + 1;
		else
			n = mid;
	}
	return low;
}

/* Makes room at a place of an array; NULL if there is none. */
static void *
insert(void **v, size_t *n, size_t *room, size_t size, size_t at)
{
	uint8_t *place;

	if (*n == LINKS_MAX)
		return NULL;
	if (*n == *room) {
		size_t more = *room == 0 ? 16 : *room * 2;
		void *grown = realloc(*v, more * size);

		if (grown == NULL)
			return NULL;
		*v = grown;
		*room = more;
	}
	place = (uint8_t *)*v + at * size;
	memmove(place + size, place, (*n - at) * size);
	(*n)++;
	return place;
}

static void
cut(void *v, size_t *n, size_t size, size_t at)
{
	uint8_t *place = (uint8_t *)v + at * size;

	(*n)--;
	memmove(place, place + size, (*n - at) * size);
}

static size_t
find_address(const struct links *t, const struct rtnl_message *m)
{
	size_t i = lower(t->addresses, t->naddresses, sizeof(*t->addresses), m->ifindex);

	while (
	    i < t->naddresses && t->addresses[i].ifindex == m->ifindex &&
	    (memcmp(t->addresses[i].b, m->address, 4) != 0 || t->addresses[i].prefix != m->prefix))
		i++;
	return i; /* else where a new one goes: behind the interface's others */
}

static bool
is_address(const struct links *t, size_t i, const struct rtnl_message *m)
{
	return i < t->naddresses && t->addresses[i].ifindex == m->ifindex;
}

static bool
apply_link(struct links *t, const struct rtnl_message *m)
{
	size_t i = lower(t->v, t->n, sizeof(*t->v), m->ifindex);
	struct link was, *l;
	bool fresh = i == t->n || t->v[i].ifindex != m->ifindex;

	if (fresh) {
		void *v = t->v;

		l = insert(&v, &t->n, &t->room, sizeof(*t->v), i);
		t->v = v;
		if (l == NULL)
			return false;
		*l = (struct link){ .ifindex = m->ifindex, .born = ++t->births };
	}
	l = &t->v[i];
	was = *l;
	memcpy(l->name, m->name, sizeof(l->name));
	l->up = m->up;
	l->running = m->running;
	memcpy(l->mac, m->mac, sizeof(l->mac));
	l->mac_n = m->mac_n;
	l->seen = t->round;
	return fresh || strcmp(was.name, l->name) != 0 || was.up != l->up ||
	       was.running != l->running || was.mac_n != l->mac_n ||
	       memcmp(was.mac, l->mac, sizeof(l->mac)) != 0;
}

static bool
apply_address(struct links *t, const struct rtnl_message *m)
{
	size_t i = find_address(t, m);
	struct link_address *a;
	bool fresh = !is_address(t, i, m), was;

	if (fresh) {
		void *v = t->addresses;

		a = insert(&v, &t->naddresses, &t->addresses_room, sizeof(*t->addresses), i);
		t->addresses = v;
		if (a == NULL)
			return false;
		*a = (struct link_address){ .ifindex = m->ifindex, .prefix = m->prefix };
		memcpy(a->b, m->address, 4);
	}
	a = &t->addresses[i];
	was = a->secondary;
	a->secondary = m->secondary;
	a->seen = t->round;
	return fresh || was != a->secondary;
}

static bool
drop_addresses(struct links *t, int ifindex)
{
	size_t i = lower(t->addresses, t->naddresses, sizeof(*t->addresses), ifindex);
	bool any = false;

	for (; i < t->naddresses && t->addresses[i].ifindex == ifindex; any = true)
		cut(t->addresses, &t->naddresses, sizeof(*t->addresses), i);
	return any;
}

static bool
drop_link(struct links *t, int ifindex)
{
	size_t i = lower(t->v, t->n, sizeof(*t->v), ifindex);

	if (i == t->n || t->v[i].ifindex != ifindex)
		return false;
	cut(t->v, &t->n, sizeof(*t->v), i);
	(void)drop_addresses(t, ifindex);
	return true;
}

bool
links_apply(struct links *t, const struct rtnl_message *m)
{
	size_t i;

	switch (m->kind) {
	case RTNL_LINK: return apply_link(t, m);
	case RTNL_LINK_GONE: return drop_link(t, m->ifindex);
	case RTNL_ADDRESS: return apply_address(t, m);
	case RTNL_ADDRESS_GONE:
		i = find_address(t, m);
		if (!is_address(t, i, m))
			return false;
		cut(t->addresses, &t->naddresses, sizeof(*t->addresses), i);
		return true;
	case RTNL_OTHER:
	case RTNL_DONE:
	case RTNL_FAILED: break;
	}
	return false;
}

void
links_mark(struct links *t)
{
	t->round++;
}

bool
links_sweep(struct links *t)
{
	bool any = false;

	for (size_t i = t->n; i > 0; i--) {
		if (t->v[i - 1].seen != t->round)
			any |= drop_link(t, t->v[i - 1].ifindex);
	}
	for (size_t i = t->naddresses; i > 0; i--) {
		if (t->addresses[i - 1].seen == t->round)
			continue;
		cut(t->addresses, &t->naddresses, sizeof(*t->addresses), i - 1);
		any = true;
	}
	return any;
}

const struct link *
links_find(const struct links *t, int ifindex)
{
	size_t i = lower(t->v, t->n, sizeof(*t->v), ifindex);

	return i < t->n && t->v[i].ifindex == ifindex ? &t->v[i] : NULL;
}

bool
links_name_fits(const char *name, char *const *patterns, size_t npatterns)
{
	for (size_t i = 0; i < npatterns; i++) {
		if (fnmatch(patterns[i], name, FNM_NOESCAPE) == 0)
			return true;
	}
	return npatterns == 0;
}

const struct link_address *
links_addresses(const struct links *t, int ifindex, size_t *ret_n)
{
	size_t i = lower(t->addresses, t->naddresses, sizeof(*t->addresses), ifindex), n = i;

	while (n < t->naddresses && t->addresses[n].ifindex == ifindex)
		n++;
	*ret_n = n - i;
	return n > i ? &t->addresses[i] : NULL;
}

bool
links_have(const struct links *t, const uint8_t address[static 4])
{
	for (size_t i = 0; i < t->naddresses; i++) {
		if (memcmp(t->addresses[i].b, address, 4) == 0)
			return true;
	}
	return false;
}

static uint32_t
number(const uint8_t b[static 4])
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint32_t
mask(uint8_t prefix)
{
	return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

/* The limited broadcast, or that of a network of this interface (RFC 919). */
static bool
is_broadcast(const struct link_address *a, size_t n, uint32_t to)
{
	if (to == UINT32_MAX)
		return true;
	for (size_t i = 0; i < n; i++) {
		/* networks of two or one have none (RFC 3021) */
		if (a[i].prefix < 31 && to == (number(a[i].b) | ~mask(a[i].prefix)))
			return true;
	}
	return false;
}

bool
links_local(const struct links *t, int ifindex, const uint8_t from[static 4],
    const uint8_t to[static 4], uint8_t ret[static 4])
{
	uint32_t near = number(from);
	const struct link_address *a, *best = NULL;
	size_t n;

	a = links_addresses(t, ifindex, &n);
	if (!is_broadcast(a, n, number(to))) {
		if (!links_have(t, to))
			return false;
		memcpy(ret, to, 4);
		return true;
	}
	for (size_t i = 0; i < n; i++) {
		bool same_net = near != 0 && a[i].prefix > 0 &&
		                ((near ^ number(a[i].b)) & mask(a[i].prefix)) == 0;

		if (best == NULL || same_net)
			best = &a[i];
		if (same_net)
			break;
	}
	memset(ret, 0, 4);
	if (best != NULL)
		memcpy(ret, best->b, 4);
	return true;
}
