/* The servers that were seen; see rival.h. */
#include "common/json_text.h"
#include "common/rival.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
rivals_init(struct rivals *t, size_t limit)
{
	*t = (struct rivals){ .limit = limit > 0 ? limit : 1 };
	t->v = calloc(t->limit, sizeof(*t->v));
	return t->v != NULL ? 0 : -ENOMEM;
}

void
rivals_fini(struct rivals *t)
{
	free(t->v);
	*t = (struct rivals){ 0 };
}

/* Whether `a` is to make room before `b`. */
static bool
goes_before(const struct rival *a, const struct rival *b)
{
	bool keep_a = a->is_usual || a->is_expected || a->is_sibling;
	bool keep_b = b->is_usual || b->is_expected || b->is_sibling;

	return keep_a != keep_b ? keep_b : a->last_ms < b->last_ms;
}

static struct rival *
make_room(struct rivals *t)
{
	struct rival *first = t->v;

	assert(first != NULL); /* rivals_init() saw to it */
	if (t->n < t->limit)
		return &t->v[t->n++];
	for (size_t i = 1; i < t->n; i++) {
		if (goes_before(&t->v[i], first))
			first = &t->v[i];
	}
	t->made_room++;
	return first;
}

static bool
is_it(const struct rival *r, const struct rival_id *id)
{
	return ip_eq(&r->address, &id->address) && mac_eq(&r->mac, &id->mac) &&
	       slice_is(id->interface, r->interface) && slice_is(id->subnet, r->subnet);
}

struct rival *
rivals_note(struct rivals *t, const struct rival_id *id, uint64_t now_ms, bool *ret_new)
{
	struct rival *r = NULL;

	for (size_t i = 0; i < t->n && r == NULL; i++) {
		if (is_it(&t->v[i], id))
			r = &t->v[i];
	}
	*ret_new = r == NULL;
	if (r == NULL) {
		r = make_room(t);
		*r = (struct rival){ .address = id->address, .mac = id->mac, .first_ms = now_ms };
		(void)slice_copy(r->interface, sizeof(r->interface), id->interface);
		(void)slice_copy(r->subnet, sizeof(r->subnet), id->subnet);
	}
	r->last_ms = now_ms;
	return r;
}

void
rival_note_offer(
    struct rival *r, enum rival_client client, const struct rival_offer *o, uint64_t now_ms)
{
	struct rival_offer *to = &r->to[client];

	to->sends = o->sends;
	to->next = o->next;
	memcpy(to->file, o->file, sizeof(to->file));
	to->offers += o->offers;
	to->untold += o->offers;
	to->last_ms = now_ms;
}

bool
rival_is_same(uint32_t sends, const struct ipaddr *next, const struct rival_offer *o)
{
	/* the same server may answer some clients through a relay and others without */
	return ((sends ^ o->sends) & ~RIVAL_SENDS_RELAYED) == 0 && ip_eq(next, &o->next);
}

enum rival_news
rival_tell(struct rival *r, enum rival_client client, uint64_t now_ms)
{
	struct rival_offer *to = &r->to[client];
	bool first = to->told_ms == 0;
	bool same = rival_is_same(to->told_sends, &to->told_next, to);

	/* one that says now this, now that is told of once a minute, not at each turn */
	if (!first && now_ms - to->told_ms < RIVAL_TELL_MS &&
	    (same || to->changes >= RIVAL_CHANGES))
		return RIVAL_NO_NEWS;
	to->changes = same ? 0 : to->changes + !first;
	to->told_ms = now_ms;
	to->told_sends = to->sends;
	to->told_next = to->next;
	return first ? RIVAL_FIRST : same ? RIVAL_GOES_ON : RIVAL_CHANGED;
}

/* A server by the name that people give it. */
struct name {
	struct ipaddr ip;
	struct macaddr mac;
};

static bool
read_name(const char *text, struct name *ret)
{
	*ret = (struct name){ 0 };
	if (ip_parse(slice_str(text), &ret->ip) == 0)
		return ret->ip.family != 0;
	return mac_parse(slice_str(text), &ret->mac) == 0;
}

static bool
has_name(const struct rival *r, const struct name *name)
{
	return name->ip.family != 0 ? ip_eq(&r->address, &name->ip) : mac_eq(&r->mac, &name->mac);
}

size_t
rivals_accept(struct rivals *t, const char *name)
{
	struct name wanted;
	size_t n = 0;

	if (!read_name(name, &wanted))
		return 0;
	for (size_t i = 0; i < t->n; i++) {
		if (!has_name(&t->v[i], &wanted))
			continue;
		t->v[i].is_usual = true;
		n++;
	}
	return n;
}

size_t
rivals_forget(struct rivals *t, const char *name)
{
	size_t kept = 0, n = t->n;
	struct name wanted;

	if (name != NULL && !read_name(name, &wanted))
		return 0;
	for (size_t i = 0; i < t->n; i++) {
		if (name != NULL && !has_name(&t->v[i], &wanted))
			t->v[kept++] = t->v[i];
	}
	t->n = kept;
	return n - kept;
}

/* --- as JSON -------------------------------------------------------------------------------- */

static json_t *
dump_offer(enum rival_client client, const struct rival_offer *o)
{
	const struct rival_judgement *j = rival_judge(client, o);
	char sends[256], ip[IP_STRLEN];

	return json_pack("{s:s, s:s, s:i, s:s, s:o, s:I, s:I, s:s, s:s, s:s}", "client",
	    rival_client_name(client), "sends", rival_sends_format(o->sends, sends, sizeof(sends)),
	    "sends_bits", (int)o->sends, "next_server", ip_format(&o->next, ip), "file",
	    json_text(slice_str(o->file)), "offers", (json_int_t)o->offers, "last_ms",
	    (json_int_t)o->last_ms, "effect", rival_effect_name(j->effect), "words", j->words,
	    "cure", j->cure);
}

/* What it is, by all that it sends. */
static const char *
kind_of(const struct rival *r, uint64_t *ret_offers)
{
	uint32_t sends = 0;

	*ret_offers = 0;
	for (size_t i = 0; i < RIVAL_CLIENTS; i++) {
		sends |= r->to[i].offers > 0 ? r->to[i].sends : 0;
		*ret_offers += r->to[i].offers;
	}
	if (r->is_sibling)
		return "bootferry";
	if ((sends & RIVAL_SENDS_ADDRESS) == 0)
		return "proxy";
	return (sends & RIVAL_SENDS_BOOT) != 0 ? "dhcp+boot" : "dhcp";
}

static json_t *
dump_rival(const struct rival *r)
{
	const struct rival_judgement *worst = rival_worst(r);
	char ip[IP_STRLEN], mac[MAC_STRLEN];
	json_t *clients = json_array();
	uint64_t offers;
	const char *kind = kind_of(r, &offers);

	for (enum rival_client i = 0; i < RIVAL_CLIENTS; i++) {
		if (r->to[i].offers > 0)
			json_array_append_new(clients, dump_offer(i, &r->to[i]));
	}
	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:I, s:I, s:I, s:b, s:b, s:b, s:s, s:s, s:s, "
			 "s:o}",
	    "address", ip_format(&r->address, ip), "mac", mac_format(&r->mac, mac), "interface",
	    json_text(slice_str(r->interface)), "subnet", json_text(slice_str(r->subnet)), "kind",
	    kind, "first_ms", (json_int_t)r->first_ms, "last_ms", (json_int_t)r->last_ms, "offers",
	    (json_int_t)offers, "expected", r->is_expected, "sibling", r->is_sibling, "usual",
	    r->is_usual, "effect", rival_effect_name(worst->effect), "words", worst->words, "cure",
	    worst->cure, "clients", clients);
}

static int
newest_first(const void *a, const void *b)
{
	const struct rival *const *x = a, *const *y = b;

	return (*x)->last_ms < (*y)->last_ms ? 1 : (*x)->last_ms > (*y)->last_ms ? -1 : 0;
}

json_t *
rivals_dump(const struct rivals *t)
{
	const struct rival **order = calloc(t->n > 0 ? t->n : 1, sizeof(*order));
	json_t *list = json_array();

	for (size_t i = 0; order != NULL && i < t->n; i++)
		order[i] = &t->v[i];
	if (order != NULL)
		qsort(order, t->n, sizeof(*order), newest_first);
	for (size_t i = 0; order != NULL && i < t->n; i++)
		json_array_append_new(list, dump_rival(order[i]));
	free(order);
	return list;
}

static struct slice
text_of(const json_t *o, const char *key)
{
	return slice_str(json_string_value(json_object_get(o, key)));
}

static uint64_t
number_of(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

static void
restore_offer(struct rival *r, const json_t *o)
{
	struct rival_offer *to = NULL;

	for (enum rival_client i = 0; i < RIVAL_CLIENTS; i++) {
		if (slice_is(text_of(o, "client"), rival_client_name(i)))
			to = &r->to[i];
	}
	if (to == NULL)
		return;
	to->sends = (uint32_t)number_of(o, "sends_bits");
	(void)ip_parse(text_of(o, "next_server"), &to->next);
	(void)slice_copy(to->file, sizeof(to->file), text_of(o, "file"));
	to->offers = number_of(o, "offers");
	to->last_ms = number_of(o, "last_ms");
}

void
rivals_restore(struct rivals *t, const json_t *dump)
{
	const json_t *o, *offer;
	size_t i, k;

	json_array_foreach(dump, i, o)
	{
		struct rival_id id = { .interface = text_of(o, "interface"),
			.subnet = text_of(o, "subnet") };
		struct rival *r;
		bool is_new;

		if (t->n == t->limit || ip_parse(text_of(o, "address"), &id.address) < 0)
			continue;
		(void)mac_parse(text_of(o, "mac"), &id.mac); /* some links have none */
		r = rivals_note(t, &id, number_of(o, "last_ms"), &is_new);
		r->first_ms = number_of(o, "first_ms");
		r->is_expected = json_is_true(json_object_get(o, "expected"));
		r->is_sibling = json_is_true(json_object_get(o, "sibling"));
		r->is_usual = json_is_true(json_object_get(o, "usual"));
		json_array_foreach(json_object_get(o, "clients"), k, offer) restore_offer(r, offer);
	}
}
