/*
 * The rows of the table of machines: packing, slots, the lists by age; see machines_db.h.
 *
 * A row is written as a whole from a view, so that there is one place where keys, texts and lists
 * are kept in step.
 */
#include "handlerd/machines_db.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where the texts stand in the view. */
static const size_t text_at[ROW_TEXTS] = {
	[ROW_MANUFACTURER] = offsetof(struct machine, manufacturer),
	[ROW_PRODUCT] = offsetof(struct machine, product),
	[ROW_PLATFORM] = offsetof(struct machine, platform),
	[ROW_VERSION] = offsetof(struct machine, version),
	[ROW_REMOTE] = offsetof(struct machine, remote),
	[ROW_CIRCUIT] = offsetof(struct machine, circuit),
	[ROW_GROUP] = offsetof(struct machine, group),
	[ROW_ENTRY] = offsetof(struct machine, entry),
	[ROW_BY] = offsetof(struct machine, by),
	[ROW_IMAGE] = offsetof(struct machine, image),
	[ROW_ROOTS] = offsetof(struct machine, roots),
};

static struct slice
cut(struct slice s)
{
	if (s.n > IDENTITY_TEXT_MAX)
		s.n = IDENTITY_TEXT_MAX;
	return s;
}

static struct slice
view_text(const struct machine *m, size_t which)
{
	struct slice s;

	memcpy(&s, (const char *)m + text_at[which], sizeof(s));
	return cut(s);
}

struct slice
row_serial(const struct row *row)
{
	return (struct slice){ row->bytes + row->macs_n, row->serial_n };
}

struct slice
row_asset(const struct row *row)
{
	return (struct slice){ row->bytes + row->macs_n + row->serial_n, row->asset_n };
}

bool
row_is_decided(const struct row *row)
{
	return row->state != MACHINE_NEW || row->texts[ROW_GROUP] != 0 ||
	       row->texts[ROW_ENTRY] != 0;
}

bool
row_has_mac(const struct row *row, const struct macaddr *mac)
{
	const uint8_t *p = row->bytes;

	for (size_t i = 0; i < row->nmacs; i++) {
		uint8_t len = *p & (uint8_t)~ROW_MAC_SURE;

		if (len == mac->len && memcmp(p + 1, mac->b, len) == 0)
			return true;
		p += 1 + len;
	}
	return false;
}

enum evidence_kind
row_has_uuid(const struct row *row, const struct uuid *uuid)
{
	struct uuid swapped;

	if (!row->has_uuid)
		return EVIDENCE_UNSAID;
	if (memcmp(&row->uuid, uuid, sizeof(*uuid)) == 0)
		return EVIDENCE_SAME;
	swapped = uuid_swapped(uuid);
	return memcmp(&row->uuid, &swapped, sizeof(swapped)) == 0 ? EVIDENCE_SWAPPED
	                                                          : EVIDENCE_DIFFERS;
}

void
row_view(const struct machines *t, const struct row *row, struct machine *ret)
{
	const uint8_t *p = row->bytes;

	*ret = (struct machine){
		.id = row->id,
		.first_ms = row->first_ms,
		.last_ms = row->last_ms,
		.nmacs = row->nmacs,
		.has_uuid = row->has_uuid,
		.uuid = row->uuid,
		.serial = row_serial(row),
		.asset = row_asset(row),
		.relay = row->relay,
		.arch = row->arch,
		.address = row->address,
		.state = (enum machine_state)row->state,
		.once = row->once,
		.until_ms = row->until_ms,
		.phase = (enum boot_phase)row->phase,
		.phase_ms = row->phase_ms,
		.roots_ms = row->roots_ms,
	};
	for (size_t i = 0; i < row->nmacs; i++) {
		struct macaddr *mac = &ret->macs[i].mac;

		ret->macs[i].sure = (*p & ROW_MAC_SURE) != 0;
		mac->len = *p++ & (uint8_t)~ROW_MAC_SURE;
		memcpy(mac->b, p, mac->len);
		p += mac->len;
	}
	for (size_t i = 0; i < ROW_TEXTS; i++) {
		struct slice s = texts_get(&t->texts, row->texts[i]);

		memcpy((char *)ret + text_at[i], &s, sizeof(s));
	}
}

/* --- lists ---------------------------------------------------------------------------------- */

static struct row_list *
list_of(struct machines *t, const struct row *row)
{
	return row_is_decided(row) ? &t->decided : &t->undecided;
}

static void
list_remove(struct machines *t, uint32_t place)
{
	struct row *row = t->v[place].row;
	struct row_list *list = list_of(t, row);

	if (row->newer != INDEX_NONE)
		t->v[row->newer].row->older = row->older;
	else
		list->newest = row->older;
	if (row->older != INDEX_NONE)
		t->v[row->older].row->newer = row->newer;
	else
		list->oldest = row->newer;
}

static void
list_add(struct machines *t, uint32_t place)
{
	struct row *row = t->v[place].row;
	struct row_list *list = list_of(t, row);

	row->newer = INDEX_NONE;
	row->older = list->newest;
	if (list->newest != INDEX_NONE)
		t->v[list->newest].row->newer = place;
	else
		list->oldest = place;
	list->newest = place;
}

/* --- writing -------------------------------------------------------------------------------- */

/* What malloc() takes for so many bytes. */
static size_t
allocated(size_t n)
{
	return (n + 8 + 15) & ~(size_t)15;
}

static size_t
row_size(size_t bytes_n)
{
	size_t n = offsetof(struct row, bytes) + bytes_n;

	return n > sizeof(struct row) ? n : sizeof(struct row);
}

static size_t
row_allocated(const struct row *row)
{
	return allocated(row_size((size_t)row->macs_n + row->serial_n + row->asset_n));
}

/* A new row with what a view says but its texts; NULL when out of memory. */
static struct row *
pack(const struct machine *m)
{
	struct slice serial = cut(m->serial), asset = cut(m->asset);
	size_t macs_n = 0;
	struct row *row;
	uint8_t *p;

	for (size_t i = 0; i < m->nmacs; i++)
		macs_n += 1 + (size_t)m->macs[i].mac.len;
	row = calloc(1, row_size(macs_n + serial.n + asset.n));
	if (row == NULL)
		return NULL;
	row->id = m->id;
	row->first_ms = m->first_ms;
	row->last_ms = m->last_ms;
	row->until_ms = m->until_ms;
	row->phase_ms = m->phase_ms;
	row->roots_ms = m->roots_ms;
	row->has_uuid = m->has_uuid;
	row->uuid = m->uuid;
	row->address = m->address;
	row->relay = m->relay;
	row->arch = m->arch;
	row->state = (uint8_t)m->state;
	row->phase = (uint8_t)m->phase;
	row->once = m->once;
	row->nmacs = (uint8_t)m->nmacs;
	row->macs_n = (uint8_t)macs_n;
	row->serial_n = (uint8_t)serial.n;
	row->asset_n = (uint8_t)asset.n;
	p = row->bytes;
	for (size_t i = 0; i < m->nmacs; i++) {
		const struct macaddr *mac = &m->macs[i].mac;

		*p++ = mac->len | (m->macs[i].sure ? ROW_MAC_SURE : 0);
		memcpy(p, mac->b, mac->len);
		p += mac->len;
	}
	if (serial.n > 0)
		memcpy(p, serial.p, serial.n);
	if (asset.n > 0)
		memcpy(p + serial.n, asset.p, asset.n);
	return row;
}

static void
drop_texts(struct machines *t, const struct row *row)
{
	for (size_t i = 0; i < ROW_TEXTS; i++)
		texts_drop(&t->texts, row->texts[i]);
}

static int
take_texts(struct machines *t, const struct machine *m, struct row *row)
{
	for (size_t i = 0; i < ROW_TEXTS; i++) {
		if (texts_take(&t->texts, view_text(m, i), &row->texts[i]) < 0) {
			drop_texts(t, row); /* those not taken are 0 */
			return -ENOMEM;
		}
	}
	return 0;
}

/* A slot for one more row, not taken yet.  0 or -ENOMEM. */
static int
find_slot(struct machines *t, uint32_t *ret)
{
	uint32_t size = t->size < 64 ? 64 : t->size + t->size / 4;
	union row_slot *v;
	uint8_t *sharing;

	if (t->first_free != INDEX_NONE) {
		*ret = t->first_free;
		return 0;
	}
	if (t->used == t->size) {
		if (size < t->size)
			return -ENOMEM;
		v = realloc(t->v, size * sizeof(*v));
		if (v == NULL)
			return -ENOMEM;
		t->v = v;
		sharing = realloc(t->sharing, size / 8 + 1);
		if (sharing == NULL)
			return -ENOMEM;
		t->sharing = sharing;
		t->size = size;
	}
	*ret = t->used;
	return 0;
}

static bool
is_sharing(const struct machines *t, uint32_t place)
{
	return (t->sharing[place / 8] & 1u << place % 8) != 0;
}

static void
clear_sharing(struct machines *t, uint32_t place)
{
	t->sharing[place / 8] &= (uint8_t) ~(1u << place % 8);
}

static void
take_slot(struct machines *t, uint32_t place)
{
	if (place == t->first_free)
		t->first_free = t->v[place].next_free;
	else
		t->used++;
	clear_sharing(t, place);
	t->n++;
}

/* True if both are filed under the same keys. */
static bool
same_keys(const struct row *a, const struct row *b)
{
	size_t n = (size_t)a->macs_n + a->serial_n + a->asset_n;

	return a->has_uuid == b->has_uuid && memcmp(&a->uuid, &b->uuid, sizeof(a->uuid)) == 0 &&
	       a->macs_n == b->macs_n && a->serial_n == b->serial_n && a->asset_n == b->asset_n &&
	       memcmp(a->bytes, b->bytes, n) == 0;
}

int
row_put(struct machines *t, uint32_t *place, const struct machine *m)
{
	bool fresh = *place == INDEX_NONE, refile = true;
	struct row *row = pack(m), *old = NULL;
	uint32_t at = *place;

	if (row == NULL)
		return -ENOMEM;
	if (index_reserve(&t->index, ROW_KEYS) < 0 || (fresh && find_slot(t, &at) < 0) ||
	    take_texts(t, m, row) < 0) {
		free(row);
		return -ENOMEM;
	}
	/* nothing fails from here on */
	if (fresh) {
		take_slot(t, at);
		t->v[at].row = row;
		row_file_id(t, at);
	} else {
		old = t->v[at].row;
		/* what was crowded may not be any more */
		refile = !same_keys(old, row) || is_sharing(t, at);
		list_remove(t, at);
		if (refile)
			row_unfile(t, at);
		t->v[at].row = row;
	}
	list_add(t, at);
	t->row_bytes += row_allocated(row);
	if (refile) {
		clear_sharing(t, at);
		row_file(t, at);
	}
	if (old != NULL) {
		t->row_bytes -= row_allocated(old);
		drop_texts(t, old);
		free(old);
	}
	*place = at;
	return 0;
}

void
row_remove(struct machines *t, uint32_t place)
{
	struct row *row = t->v[place].row;

	list_remove(t, place);
	row_unfile(t, place);
	row_unfile_id(t, place);
	drop_texts(t, row);
	t->row_bytes -= row_allocated(row);
	free(row);
	clear_sharing(t, place);
	t->v[place].next_free = t->first_free;
	t->first_free = place;
	t->n--;
}
