/*
 * The table of machines: life, look-up, and what requests and people change; see machines.h.  How
 * rows are kept is in rows.c and filing.c, how claims are weighed in match.c and taken down in
 * learn.c, what machines share in sharing.c.
 */
#include "handlerd/machines_db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *
machine_state_name(enum machine_state v)
{
	static const char *const names[MACHINE_STATES] = {
		[MACHINE_NEW] = "new",
		[MACHINE_APPROVED] = "approved",
		[MACHINE_DENIED] = "denied",
		[MACHINE_BLOCKED] = "blocked",
		[MACHINE_HELD] = "held",
		[MACHINE_QUARANTINED] = "quarantined",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

int
machine_state_parse(struct slice name, enum machine_state *ret)
{
	for (int i = 0; i < MACHINE_STATES; i++) {
		if (slice_is(name, machine_state_name((enum machine_state)i))) {
			*ret = (enum machine_state)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *
machine_change_name(unsigned bit)
{
	static const char *const names[] = { "mac-added", "mac-dropped", "mac-moved", "uuid",
		"serial", "asset", "model", "port", "address", "client", "merged", "seen" };

	for (size_t i = 0; i < NITEMS(names); i++) {
		if (bit == 1u << i)
			return names[i];
	}
	return "?";
}

/* --- life ----------------------------------------------------------------------------------- */

int
machines_new(const struct machines_conf *conf, struct machines **ret)
{
	struct machines *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->conf = *conf;
	memcpy(t->key, conf->hash_key, sizeof(t->key));
	t->first_free = INDEX_NONE;
	t->decided = t->undecided = (struct row_list){ INDEX_NONE, INDEX_NONE };
	texts_init(&t->texts, t->key);
	*ret = t;
	return 0;
}

void
machines_free(struct machines *t)
{
	const struct row_list *lists[2];

	if (t == NULL)
		return;
	lists[0] = &t->decided;
	lists[1] = &t->undecided;
	for (size_t i = 0; i < 2; i++) {
		for (uint32_t at = lists[i]->newest, next; at != INDEX_NONE; at = next) {
			next = t->v[at].row->older;
			free(t->v[at].row);
		}
	}
	texts_fini(&t->texts);
	index_fini(&t->index);
	index_fini(&t->alias_index);
	free(t->aliases);
	free(t->sharing);
	free(t->v);
	free(t);
}

void
machines_set_conf(struct machines *t, const struct machines_conf *conf)
{
	t->conf = *conf;
}

size_t
machines_count(const struct machines *t)
{
	return t->n;
}

size_t
machines_bytes(const struct machines *t)
{
	return sizeof(*t) + t->row_bytes + t->size * sizeof(*t->v) + t->size / 8 +
	       t->index.size * sizeof(*t->index.v) +
	       t->alias_index.size * sizeof(*t->alias_index.v) +
	       t->aliases_size * sizeof(*t->aliases) + t->texts.bytes +
	       t->texts.size * sizeof(*t->texts.v) +
	       t->texts.by_hash.size * sizeof(*t->texts.by_hash.v);
}

int
machines_restore(struct machines *t, const struct machine *from)
{
	uint32_t place = INDEX_NONE;
	struct machine m = *from;
	int rc;

	if (m.id == 0 || m.nmacs > MACHINE_MACS)
		return -EINVAL;
	if (machines_resolve(t, m.id) == m.id)
		return -EEXIST;
	rc = row_put(t, &place, &m);
	if (rc == 0 && m.id > t->last_id)
		t->last_id = m.id;
	return rc;
}

int
machines_restore_alias(struct machines *t, uint64_t old_id, uint64_t id)
{
	if (old_id == 0 || id == 0)
		return -EINVAL;
	if (old_id > t->last_id)
		t->last_id = old_id;
	return alias_add(t, old_id, id);
}

struct aged {
	uint64_t last_ms;
	uint32_t place;
};

static int
by_age(const void *a, const void *b)
{
	const struct aged *x = a, *y = b;

	return x->last_ms < y->last_ms ? -1 : x->last_ms > y->last_ms;
}

/* Puts a list in the order in which its machines were seen. */
static int
sort_list(struct machines *t, struct row_list *list)
{
	struct aged *v;
	size_t n = 0;

	if (list->newest == INDEX_NONE)
		return 0;
	v = malloc(t->n * sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	for (uint32_t at = list->oldest; at != INDEX_NONE; at = t->v[at].row->newer)
		v[n++] = (struct aged){ t->v[at].row->last_ms, at };
	qsort(v, n, sizeof(*v), by_age);
	for (size_t i = 0; i < n; i++) {
		t->v[v[i].place].row->older = i > 0 ? v[i - 1].place : INDEX_NONE;
		t->v[v[i].place].row->newer = i + 1 < n ? v[i + 1].place : INDEX_NONE;
	}
	list->oldest = v[0].place;
	list->newest = v[n - 1].place;
	free(v);
	return 0;
}

int
machines_restored(struct machines *t, uint64_t last_id)
{
	int rc;

	if (last_id > t->last_id)
		t->last_id = last_id;
	rc = sort_list(t, &t->undecided);
	return rc == 0 ? sort_list(t, &t->decided) : rc;
}

uint64_t
machines_evict(struct machines *t)
{
	const struct row_list *list =
	    t->undecided.oldest != INDEX_NONE ? &t->undecided : &t->decided;
	uint32_t place = list->oldest;
	uint64_t id;

	if (t->n <= t->conf.max_machines)
		return 0;
	id = t->v[place].row->id;
	row_remove(t, place);
	return id;
}

int
machines_remove(struct machines *t, uint64_t id)
{
	uint32_t place = row_find(t, id);

	if (place == INDEX_NONE)
		return -ENOENT;
	row_remove(t, place);
	return 0;
}

/* --- look-up -------------------------------------------------------------------------------- */

bool
machines_get(const struct machines *t, uint64_t id, struct machine *ret)
{
	uint32_t place = row_find(t, id);

	if (place == INDEX_NONE)
		return false;
	row_view(t, t->v[place].row, ret);
	return true;
}

uint64_t
machines_resolve(const struct machines *t, uint64_t id)
{
	uint32_t place = row_find(t, id);

	return place != INDEX_NONE ? t->v[place].row->id : 0;
}

void
machines_each(const struct machines *t, machines_fn *fn, void *arg)
{
	const struct row_list *lists[2] = { &t->decided, &t->undecided };

	for (size_t i = 0; i < 2; i++) {
		for (uint32_t at = lists[i]->newest; at != INDEX_NONE; at = t->v[at].row->older) {
			struct machine m;

			row_view(t, t->v[at].row, &m);
			if (!fn(arg, &m))
				return;
		}
	}
}

/* Ids found so far, each once. */
struct found {
	uint64_t *ids;
	size_t n, size;
};

static void
note_found(struct found *f, uint64_t id)
{
	for (size_t i = 0; i < f->n && i < f->size; i++) {
		if (f->ids[i] == id)
			return;
	}
	if (f->n < f->size)
		f->ids[f->n] = id;
	f->n++;
}

size_t
machines_find(const struct machines *t, const char *name, uint64_t *ret_ids, size_t size)
{
	static const enum key_kind kinds[] = { KEY_MAC, KEY_UUID, KEY_SERIAL, KEY_ASSET };
	struct found found = { .ids = ret_ids, .size = size };
	struct slice text = identity_text(slice_str(name));
	struct identity claim = { .serial = text, .asset = text };
	uint32_t places[MACHINE_SHARERS];
	uint64_t id;

	if (name[0] == '#' && parse_u64(name + 1, &id) == 0 && machines_resolve(t, id) != 0)
		note_found(&found, machines_resolve(t, id));
	(void)mac_parse(text, &claim.mac); /* it may be a serial number just as well */
	claim.has_uuid = uuid_parse(text, &claim.uuid) == 0;
	for (size_t i = 0; i < NITEMS(kinds); i++) {
		size_t n = rows_holding(t, kinds[i], &claim, places);

		for (size_t j = 0; j < n; j++)
			note_found(&found, t->v[places[j]].row->id);
	}
	return found.n;
}

/* --- decisions ------------------------------------------------------------------------------ */

static uint32_t
begin_edit(const struct machines *t, uint64_t id, struct machine *ret)
{
	uint32_t place = row_find(t, id);

	if (place != INDEX_NONE)
		row_view(t, t->v[place].row, ret);
	return place;
}

static int
end_edit(struct machines *t, uint32_t place, const struct machine *m)
{
	return row_put(t, &place, m);
}

int
machines_set_state(struct machines *t, uint64_t id, enum machine_state state, struct slice by)
{
	struct machine m;
	uint32_t place = begin_edit(t, id, &m);

	if (place == INDEX_NONE)
		return -ENOENT;
	m.state = state;
	m.by = by;
	return end_edit(t, place, &m);
}

int
machines_set_group(struct machines *t, uint64_t id, struct slice group)
{
	struct machine m;
	uint32_t place = begin_edit(t, id, &m);

	if (place == INDEX_NONE)
		return -ENOENT;
	m.group = group;
	return end_edit(t, place, &m);
}

int
machines_assign(struct machines *t, uint64_t id, struct slice entry, bool once, uint64_t until_ms,
    struct slice by)
{
	struct machine m;
	uint32_t place = begin_edit(t, id, &m);

	if (place == INDEX_NONE)
		return -ENOENT;
	m.entry = entry;
	m.once = entry.n > 0 && once;
	m.until_ms = entry.n > 0 ? until_ms : 0;
	m.by = by;
	return end_edit(t, place, &m);
}

int
machines_set_outcome(
    struct machines *t, uint64_t id, enum boot_phase phase, uint64_t at_ms, struct slice image)
{
	struct machine m;
	uint32_t place = begin_edit(t, id, &m);

	if (place == INDEX_NONE)
		return -ENOENT;
	m.phase = phase;
	m.phase_ms = at_ms;
	m.image = image;
	return end_edit(t, place, &m);
}

int
machines_set_roots(struct machines *t, uint64_t id, struct slice roots, uint64_t at_ms)
{
	struct machine m;
	uint32_t place = begin_edit(t, id, &m);
	int rc;

	if (place == INDEX_NONE)
		return -ENOENT;
	if (slice_eq(m.roots, roots))
		return 0;
	m.roots = roots;
	m.roots_ms = at_ms;
	rc = end_edit(t, place, &m);
	return rc < 0 ? rc : 1;
}
