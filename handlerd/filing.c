/*
 * The index over all keys of all rows, and ids that lead on to others; see machines_db.h.
 */
#include "handlerd/machines_db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t
hash_key(const struct machines *t, enum key_kind kind, struct slice bytes)
{
	uint8_t key[1 + IDENTITY_TEXT_MAX];
	size_t n = bytes.n < IDENTITY_TEXT_MAX ? bytes.n : IDENTITY_TEXT_MAX;

	key[0] = (uint8_t)kind;
	if (n > 0)
		memcpy(key + 1, bytes.p, n);
	return hash_keyed(t->key, (struct slice){ key, 1 + n });
}

static uint32_t
hash_id(const struct machines *t, uint64_t id)
{
	return hash_key(t, KEY_ID, (struct slice){ (const uint8_t *)&id, sizeof(id) });
}

static uint32_t
hash_mac(const struct machines *t, const struct macaddr *mac)
{
	return hash_key(t, KEY_MAC, (struct slice){ mac->b, mac->len });
}

/* Both byte orders of a UUID are one key. */
static uint32_t
hash_uuid(const struct machines *t, const struct uuid *uuid)
{
	struct uuid swapped = uuid_swapped(uuid);
	const struct uuid *first = memcmp(uuid, &swapped, sizeof(swapped)) < 0 ? uuid : &swapped;

	return hash_key(t, KEY_UUID, (struct slice){ first->b, sizeof(first->b) });
}

static bool
row_holds(const struct row *row, enum key_kind kind, const struct identity *claim)
{
	switch (kind) {
	case KEY_MAC: return row_has_mac(row, &claim->mac);
	case KEY_UUID: {
		enum evidence_kind v = row_has_uuid(row, &claim->uuid);

		return v == EVIDENCE_SAME || v == EVIDENCE_SWAPPED;
	}
	case KEY_SERIAL: return slice_eq(row_serial(row), claim->serial);
	case KEY_ASSET: return slice_eq(row_asset(row), claim->asset);
	default: return false;
	}
}

/* The hash of a claim's identifier; false if it was not said. */
static bool
hash_claim(
    const struct machines *t, enum key_kind kind, const struct identity *claim, uint32_t *ret)
{
	switch (kind) {
	case KEY_MAC: *ret = hash_mac(t, &claim->mac); return claim->mac.len > 0;
	case KEY_UUID: *ret = hash_uuid(t, &claim->uuid); return claim->has_uuid;
	case KEY_SERIAL:
	case KEY_ASSET: {
		struct slice s = kind == KEY_SERIAL ? claim->serial : claim->asset;

		*ret = hash_key(t, kind, s);
		return s.n > 0;
	}
	default: return false;
	}
}

size_t
rows_holding(const struct machines *t, enum key_kind kind, const struct identity *claim,
    uint32_t ret_places[static MACHINE_SHARERS])
{
	uint32_t hash, place;
	size_t at, n = 0;

	if (!hash_claim(t, kind, claim, &hash))
		return 0;
	at = index_begin(&t->index, hash);
	while (n < MACHINE_SHARERS && (place = index_next(&t->index, hash, &at)) != INDEX_NONE) {
		if (row_holds(t->v[place].row, kind, claim))
			ret_places[n++] = place;
	}
	return n;
}

static void
mark_sharing(struct machines *t, uint32_t place)
{
	t->sharing[place / 8] |= (uint8_t)(1u << place % 8);
}

/*
 * Files the row at `place` under one of its identifiers, unless so many are there that it does not
 * identify; that bounds every walk.
 */
static void
file_under(struct machines *t, enum key_kind kind, const struct identity *key, uint32_t place)
{
	uint32_t holders[MACHINE_SHARERS], hash;
	size_t n = rows_holding(t, kind, key, holders);

	if (!hash_claim(t, kind, key, &hash))
		return;
	for (size_t i = 0; i < n; i++)
		mark_sharing(t, holders[i]);
	if (n > 0)
		mark_sharing(t, place);
	if (n < MACHINE_SHARERS)
		index_add(&t->index, hash, place);
}

/* Calls fn with each identifier of a row that it is filed under. */
static void
each_key(struct machines *t, uint32_t place,
    void (*fn)(struct machines *t, enum key_kind kind, const struct identity *key, uint32_t place))
{
	const struct row *row = t->v[place].row;
	struct identity key = {
		.has_uuid = row->has_uuid,
		.uuid = row->uuid,
		.serial = row_serial(row),
		.asset = row_asset(row),
	};
	const uint8_t *p = row->bytes;

	fn(t, KEY_UUID, &key, place);
	fn(t, KEY_SERIAL, &key, place);
	fn(t, KEY_ASSET, &key, place);
	for (size_t i = 0; i < row->nmacs; i++) {
		key.mac.len = *p++ & (uint8_t)~ROW_MAC_SURE;
		memcpy(key.mac.b, p, key.mac.len);
		p += key.mac.len;
		fn(t, KEY_MAC, &key, place);
	}
}

static void
take_out(struct machines *t, enum key_kind kind, const struct identity *key, uint32_t place)
{
	uint32_t hash;

	if (hash_claim(t, kind, key, &hash))
		(void)index_remove(&t->index, hash, place); /* not there: it was crowded */
}

void
row_file(struct machines *t, uint32_t place)
{
	each_key(t, place, file_under);
}

void
row_unfile(struct machines *t, uint32_t place)
{
	each_key(t, place, take_out);
}

void
row_file_id(struct machines *t, uint32_t place)
{
	index_add(&t->index, hash_id(t, t->v[place].row->id), place);
}

void
row_unfile_id(struct machines *t, uint32_t place)
{
	(void)index_remove(&t->index, hash_id(t, t->v[place].row->id), place); /* it is there */
}

static uint32_t
find_own(const struct machines *t, uint64_t id)
{
	uint32_t hash = hash_id(t, id), place;
	size_t at = index_begin(&t->index, hash);

	while ((place = index_next(&t->index, hash, &at)) != INDEX_NONE) {
		if (t->v[place].row->id == id)
			return place;
	}
	return INDEX_NONE;
}

uint32_t
row_find(const struct machines *t, uint64_t id)
{
	/* each step leads to a machine that was made later or lived longer: no way leads back */
	for (uint32_t step = 0; step <= t->naliases; step++) {
		uint32_t place = find_own(t, id), hash;
		size_t at;

		if (place != INDEX_NONE)
			return place;
		hash = hash_id(t, id);
		at = index_begin(&t->alias_index, hash);
		do
			place = index_next(&t->alias_index, hash, &at);
		while (place != INDEX_NONE && t->aliases[place].from != id);
		if (place == INDEX_NONE)
			return INDEX_NONE;
		id = t->aliases[place].to;
	}
	return INDEX_NONE;
}

int
alias_add(struct machines *t, uint64_t from, uint64_t to)
{
	if (t->naliases >= t->conf.max_machines)
		return -ENOSPC;
	if (index_reserve(&t->alias_index, 1) < 0)
		return -ENOMEM;
	if (t->naliases == t->aliases_size) {
		uint32_t size = t->aliases_size < 16 ? 16 : t->aliases_size + t->aliases_size / 4;
		struct alias *v = realloc(t->aliases, size * sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		t->aliases = v;
		t->aliases_size = size;
	}
	t->aliases[t->naliases] = (struct alias){ from, to };
	index_add(&t->alias_index, hash_id(t, from), t->naliases++);
	return 0;
}

void
alias_take_back(struct machines *t)
{
	t->naliases--;
	(void)index_remove(
	    &t->alias_index, hash_id(t, t->aliases[t->naliases].from), t->naliases); /* is there */
}
