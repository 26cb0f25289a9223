/*
 * Machines that share identifiers: merging two, splitting one, and listing what looks as if that
 * were needed; see machines.h.
 */
#include "handlerd/machines_db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- merging -------------------------------------------------------------------------------- */

static void
fill(struct slice *into, struct slice from)
{
	if (into->n == 0)
		*into = from;
}

static void
merge_macs(struct machine *m, const struct machine *from, struct machine_change *change)
{
	for (size_t i = 0; i < from->nmacs; i++) {
		size_t at;

		for (at = 0; at < m->nmacs; at++) {
			if (mac_eq(&m->macs[at].mac, &from->macs[i].mac))
				break;
		}
		if (at < m->nmacs) {
			m->macs[at].sure |= from->macs[i].sure;
		} else if (at < MACHINE_MACS) {
			m->macs[m->nmacs++] = from->macs[i];
			change->what |= CHANGED_MAC_ADDED;
		} else {
			change->what |= CHANGED_MAC_DROPPED;
			change->mac = from->macs[i].mac;
		}
	}
}

static void
merge_decisions(struct machine *m, const struct machine *from)
{
	if (m->state == MACHINE_NEW && from->state != MACHINE_NEW) {
		m->state = from->state;
		m->by = from->by;
	}
	fill(&m->group, from->group);
	if (m->entry.n == 0 && from->entry.n > 0) {
		m->entry = from->entry;
		m->once = from->once;
		m->until_ms = from->until_ms;
		m->by = from->by;
	}
}

/* What `m` does not know comes from `from`. */
static void
merge_into(struct machine *m, const struct machine *from, struct machine_change *change)
{
	merge_macs(m, from, change);
	merge_decisions(m, from);
	if (!m->has_uuid && from->has_uuid) {
		m->has_uuid = true;
		m->uuid = from->uuid;
		change->what |= CHANGED_UUID;
	}
	if (m->serial.n == 0 && from->serial.n > 0)
		change->what |= CHANGED_SERIAL;
	if (m->asset.n == 0 && from->asset.n > 0)
		change->what |= CHANGED_ASSET;
	fill(&m->serial, from->serial);
	fill(&m->asset, from->asset);
	fill(&m->manufacturer, from->manufacturer);
	fill(&m->product, from->product);
	fill(&m->platform, from->platform);
	fill(&m->version, from->version);
	if (m->circuit.n == 0 && m->remote.n == 0) {
		m->relay = from->relay;
		m->circuit = from->circuit;
		m->remote = from->remote;
	}
	if (m->arch == ARCH_UNKNOWN)
		m->arch = from->arch;
	if (ip_is_any(&m->address) || from->last_ms > m->last_ms)
		m->address = from->address;
	if (from->phase_ms > m->phase_ms) {
		m->phase = from->phase;
		m->phase_ms = from->phase_ms;
		m->image = from->image;
	}
	if (from->roots_ms > m->roots_ms) {
		m->roots = from->roots;
		m->roots_ms = from->roots_ms;
	}
	if (from->first_ms < m->first_ms)
		m->first_ms = from->first_ms;
	if (from->last_ms > m->last_ms)
		m->last_ms = from->last_ms;
}

int
machines_merge(struct machines *t, uint64_t into, uint64_t from, struct machine_change *ret)
{
	uint32_t place = row_find(t, into), other = row_find(t, from);
	struct machine_change change = { .what = CHANGED_MERGED };
	struct machine m, gone;
	int rc;

	if (place == INDEX_NONE || other == INDEX_NONE)
		return -ENOENT;
	if (place == other)
		return -EINVAL;
	row_view(t, t->v[place].row, &m);
	row_view(t, t->v[other].row, &gone);
	change.merged = gone.id;
	merge_into(&m, &gone, &change);
	/* nothing may be half done: the alias first, which leads nowhere new as long as `gone` is
	 * there under its own id */
	rc = alias_add(t, gone.id, m.id);
	if (rc < 0)
		return rc;
	rc = row_put(t, &place, &m);
	if (rc < 0) {
		alias_take_back(t);
		return rc;
	}
	row_remove(t, other);
	*ret = change;
	return 0;
}

/* --- splitting ------------------------------------------------------------------------------ */

static bool
move_mac(struct machine *m, struct machine *to, const struct macaddr *mac)
{
	for (size_t i = 0; i < m->nmacs; i++) {
		if (!mac_eq(&m->macs[i].mac, mac))
			continue;
		to->macs[to->nmacs++] = m->macs[i];
		m->nmacs--;
		memmove(&m->macs[i], &m->macs[i + 1], (m->nmacs - i) * sizeof(m->macs[0]));
		return true;
	}
	return false;
}

static bool
move_text(struct slice *from, struct slice *to, struct slice said)
{
	if (from->n == 0 || !slice_eq(*from, said))
		return false;
	*to = *from;
	*from = (struct slice){ NULL, 0 };
	return true;
}

static bool
move_uuid(struct machine *m, struct machine *to, const struct uuid *uuid)
{
	struct uuid swapped = uuid_swapped(uuid);

	if (!m->has_uuid || (memcmp(&m->uuid, uuid, sizeof(*uuid)) != 0 &&
				memcmp(&m->uuid, &swapped, sizeof(swapped)) != 0))
		return false;
	to->has_uuid = true;
	to->uuid = m->uuid;
	m->has_uuid = false;
	memset(&m->uuid, 0, sizeof(m->uuid));
	return true;
}

/* Moves what a part names; false if the machine does not have all of it. */
static bool
move_part(struct machine *m, struct machine *to, const struct identity *part)
{
	return (part->mac.len == 0 || move_mac(m, to, &part->mac)) &&
	       (!part->has_uuid || move_uuid(m, to, &part->uuid)) &&
	       (part->serial.n == 0 || move_text(&m->serial, &to->serial, part->serial)) &&
	       (part->asset.n == 0 || move_text(&m->asset, &to->asset, part->asset));
}

static bool
has_identifier(const struct machine *m)
{
	return m->nmacs > 0 || m->has_uuid || m->serial.n > 0 || m->asset.n > 0;
}

int
machines_split(struct machines *t, uint64_t id, const struct identity *parts, size_t nparts,
    uint64_t *ret_id, struct machine_change *ret_change)
{
	uint32_t place = row_find(t, id), fresh = INDEX_NONE;
	struct machine m, to;
	int rc;

	if (place == INDEX_NONE)
		return -ENOENT;
	row_view(t, t->v[place].row, &m);
	to = (struct machine){
		.id = t->last_id + 1,
		.first_ms = m.first_ms,
		.last_ms = m.last_ms,
		.manufacturer = m.manufacturer,
		.product = m.product,
		.arch = m.arch,
	};
	for (size_t i = 0; i < nparts; i++) {
		if (!move_part(&m, &to, &parts[i]))
			return -ENOENT;
	}
	if (!has_identifier(&m) || !has_identifier(&to))
		return -EINVAL;
	/* the views point into the row: the new machine is written before the old one changes */
	rc = row_put(t, &fresh, &to);
	if (rc < 0)
		return rc;
	rc = row_put(t, &place, &m);
	if (rc < 0) {
		row_remove(t, fresh);
		return rc;
	}
	t->last_id = to.id;
	*ret_id = to.id;
	*ret_change = (struct machine_change){
		.what = (to.nmacs > 0 ? CHANGED_MAC_MOVED : 0) | (to.has_uuid ? CHANGED_UUID : 0) |
		        (to.serial.n > 0 ? CHANGED_SERIAL : 0) |
		        (to.asset.n > 0 ? CHANGED_ASSET : 0),
		.nothers = 1,
		.others = { to.id },
	};
	return 0;
}

/* --- duplicates ----------------------------------------------------------------------------- */

const char *
duplicate_reason_name(enum duplicate_reason v)
{
	static const char *const names[DUPLICATE_REASONS] = {
		[DUPLICATE_UUID_CLONED] = "uuid-cloned",
		[DUPLICATE_UUID] = "uuid",
		[DUPLICATE_SERIAL] = "serial",
		[DUPLICATE_ASSET] = "asset",
		[DUPLICATE_MAC] = "mac",
		[DUPLICATE_SHARED_ADAPTER] = "shared-adapter",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

/* A walk over what is shared. */
struct sharing_walk {
	const struct machines *t;
	size_t n, limit;
	machines_duplicate_fn *fn;
	void *arg;
};

static bool
same_uuid(const struct row *a, const struct row *b)
{
	enum evidence_kind v = row_has_uuid(a, &b->uuid);

	return a->has_uuid && b->has_uuid && (v == EVIDENCE_SAME || v == EVIDENCE_SWAPPED);
}

/* How many different serial numbers, or UUIDs, the holders have. */
static size_t
count_different(const struct machines *t, const uint32_t *places, size_t n, enum identifier which)
{
	size_t different = 0;

	for (size_t i = 0; i < n; i++) {
		const struct row *row = t->v[places[i]].row;
		struct slice serial = row_serial(row);
		bool known = which == IDENTIFIER_UUID
		                 ? row->has_uuid && !identity_uuid_is_bad(t->conf.lists, &row->uuid)
		                 : serial.n > 0 && !identity_text_is_bad(t->conf.lists, serial);

		for (size_t j = 0; j < i && known; j++) {
			const struct row *earlier = t->v[places[j]].row;

			if (which == IDENTIFIER_UUID ? same_uuid(row, earlier)
						     : slice_eq(serial, row_serial(earlier)))
				known = false;
		}
		different += known;
	}
	return different;
}

/* Leaves those of the manufacturer of `row`, which alone number alike by mistake. */
static size_t
keep_maker(const struct machines *t, const struct row *row, uint32_t *places, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (t->v[places[i]].row->texts[ROW_MANUFACTURER] == row->texts[ROW_MANUFACTURER])
			places[kept++] = places[i];
	}
	return kept;
}

/* Reports the holders of an identifier of the row at `place`, if it is the first of them. */
static void
report(struct sharing_walk *w, uint32_t place, enum key_kind kind, enum identifier which,
    const struct identity *key, const char *value, size_t value_n)
{
	uint32_t places[MACHINE_SHARERS];
	size_t all = rows_holding(w->t, kind, key, places), n = all;
	struct duplicate d = { .identifier = which, .crowded = all == MACHINE_SHARERS };
	bool own = false;

	if (kind == KEY_SERIAL)
		n = keep_maker(w->t, w->t->v[place].row, places, n);
	for (size_t i = 0; i < n; i++) {
		if (places[i] < place)
			return;
		own |= places[i] == place;
		d.ids[i] = w->t->v[places[i]].row->id;
	}
	if (!own || n < 2 || w->n >= w->limit) /* not its own: it was crowded out */
		return;
	d.n = n;
	(void)slice_copy(
	    d.value, sizeof(d.value), (struct slice){ (const uint8_t *)value, value_n });
	switch (which) {
	case IDENTIFIER_UUID:
		d.reason = count_different(w->t, places, n, IDENTIFIER_SERIAL) > 1
		               ? DUPLICATE_UUID_CLONED
		               : DUPLICATE_UUID;
		break;
	case IDENTIFIER_MAC:
		d.reason = count_different(w->t, places, n, IDENTIFIER_UUID) >= 3
		               ? DUPLICATE_SHARED_ADAPTER
		               : DUPLICATE_MAC;
		break;
	default: d.reason = which == IDENTIFIER_SERIAL ? DUPLICATE_SERIAL : DUPLICATE_ASSET; break;
	}
	w->n++;
	w->fn(w->arg, &d);
}

static void
report_text(struct sharing_walk *w, uint32_t place, enum key_kind kind, struct slice s)
{
	const struct identity key = { .serial = s, .asset = s };

	if (s.n > 0 && !identity_text_is_bad(w->t->conf.lists, s))
		report(w, place, kind, kind == KEY_SERIAL ? IDENTIFIER_SERIAL : IDENTIFIER_ASSET,
		    &key, (const char *)s.p, s.n);
}

static void
report_row(struct sharing_walk *w, uint32_t place)
{
	const struct identity_lists *lists = w->t->conf.lists;
	char text[MAC_STRLEN]; /* a UUID is shorter */
	struct identity key;
	struct machine m;

	row_view(w->t, w->t->v[place].row, &m);
	if (m.has_uuid && !identity_uuid_is_bad(lists, &m.uuid)) {
		key = (struct identity){ .has_uuid = true, .uuid = m.uuid };
		(void)uuid_format(&m.uuid, text);
		report(w, place, KEY_UUID, IDENTIFIER_UUID, &key, text, strlen(text));
	}
	report_text(w, place, KEY_SERIAL, m.serial);
	report_text(w, place, KEY_ASSET, m.asset);
	for (size_t i = 0; i < m.nmacs; i++) {
		if (identity_mac_is_shared(lists, &m.macs[i].mac))
			continue;
		key = (struct identity){ .mac = m.macs[i].mac };
		(void)mac_format(&key.mac, text);
		report(w, place, KEY_MAC, IDENTIFIER_MAC, &key, text, strlen(text));
	}
}

size_t
machines_duplicates(const struct machines *t, size_t limit, machines_duplicate_fn *fn, void *arg)
{
	struct sharing_walk w = { .t = t, .limit = limit, .fn = fn, .arg = arg };

	/* a bit stays when the sharing ends; only rows that are there have one */
	for (uint32_t place = 0; place < t->used && w.n < limit; place++) {
		if ((t->sharing[place / 8] & 1u << place % 8) != 0)
			report_row(&w, place);
	}
	return w.n;
}
