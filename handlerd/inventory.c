/* See inventory.h. */
#include "handlerd/inventory.h"

#include "common/log.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* --- to the store --------------------------------------------------------------------------- */

static void
put(struct inventory *v, const struct record *r)
{
	if (store_put(v->store, r) == 0)
		return;
	v->lost++;
	log_peer_warn("store: it is too far behind, a change of a machine is not stored");
}

static void
put_machine(struct inventory *v, uint64_t id)
{
	struct record r = { .kind = RECORD_MACHINE };

	if (machines_get(v->table, id, &r.machine))
		put(v, &r);
}

static void
put_event(struct inventory *v, const struct machine_event *e)
{
	const struct record r = { .kind = RECORD_MACHINE_EVENT, .machine_event = *e };

	put(v, &r);
}

static void
evict(struct inventory *v)
{
	struct record r = { .kind = RECORD_MACHINE_GONE };

	while ((r.machine_gone = machines_evict(v->table)) != 0)
		put(v, &r);
}

/* --- life ----------------------------------------------------------------------------------- */

/* What reading all machines has come to. */
struct restoring {
	struct inventory *v;
	int rc; /* the first failure that matters */
};

static void
restore_machine(void *arg, const struct machine *m)
{
	struct restoring *r = arg;
	int rc = machines_restore(r->v->table, m);

	if (rc == -ENOMEM)
		r->rc = rc;
}

static void
restore_alias(void *arg, uint64_t old_id, uint64_t id)
{
	struct restoring *r = arg;
	int rc = machines_restore_alias(r->v->table, old_id, id);

	if (rc == -ENOMEM) /* -ENOSPC: the bound was lowered, old names are forgotten */
		r->rc = rc;
}

int
inventory_open(struct inventory *v, struct store *store, size_t max_machines,
    const struct identity_lists *lists)
{
	struct restoring r = { .v = v };
	uint64_t last;
	int rc;

	*v = (struct inventory){ .store = store, .lists = *lists };
	v->conf = (struct machines_conf){
		.max_machines = max_machines,
		.weights = match_weights_default,
		.lists = &v->lists,
	};
	/* cannot fail for so few bytes once the system is up; a known key is still a key */
	if (getrandom(v->conf.hash_key, sizeof(v->conf.hash_key), 0) < 0)
		log_warn("getrandom");
	rc = machines_new(&v->conf, &v->table);
	if (rc == 0)
		rc = store_each_machine(store, restore_machine, &r);
	if (rc == 0)
		rc = store_each_alias(store, restore_alias, &r);
	if (rc == 0)
		rc = r.rc;
	if (rc == 0)
		rc = store_last_machine(store, &last);
	if (rc == 0)
		rc = machines_restored(v->table, last);
	if (rc < 0) {
		log_errx("machines: cannot be read: %s", strerror(-rc));
		inventory_close(v);
		return rc;
	}
	evict(v);
	log_info("machines: %zu known, %zu kB", machines_count(v->table),
	    machines_bytes(v->table) / 1024);
	return 0;
}

void
inventory_close(struct inventory *v)
{
	machines_free(v->table);
	v->table = NULL;
}

void
inventory_set_limits(struct inventory *v, size_t max_machines, const struct identity_lists *lists)
{
	v->lists = *lists;
	v->conf.max_machines = max_machines;
	machines_set_conf(v->table, &v->conf);
	evict(v);
}

/* --- requests ------------------------------------------------------------------------------- */

/* What a machine's history should tell of a change: what was replaced or went. */
static void
put_changed(struct inventory *v, uint64_t id, const struct machine_change *c, uint64_t now_ms)
{
	char text[1024], mac[MAC_STRLEN], uuid[UUID_STRLEN];
	struct wbuf w;

	wbuf_init(&w, text, sizeof(text));
	if ((c->what & CHANGED_UUID) != 0 && c->had_uuid)
		wbuf_printf(&w, "the UUID was %s; ", uuid_format(&c->uuid, uuid));
	if (c->serial[0] != '\0')
		wbuf_printf(&w, "the serial number was %s; ", c->serial);
	if (c->asset[0] != '\0')
		wbuf_printf(&w, "the asset tag was %s; ", c->asset);
	if ((c->what & CHANGED_MAC_DROPPED) != 0)
		wbuf_printf(&w, "%s was dropped, there are too many; ", mac_format(&c->mac, mac));
	for (size_t i = 0; i < c->nothers; i++)
		wbuf_printf(&w, "its MAC was #%llu's; ", (unsigned long long)c->others[i]);
	if (w.used < 2)
		return;
	w.used -= 2;
	put_event(v, &(struct machine_event){ .machine = id,
			 .at_ms = now_ms,
			 .kind = MACHINE_EVENT_CHANGED,
			 .text = wbuf_view(&w) });
}

/* Stores all that a claim changed. */
static void
put_change(struct inventory *v, uint64_t id, const struct machine_change *c, uint64_t now_ms)
{
	put_machine(v, id);
	for (size_t i = 0; i < c->nothers; i++)
		put_machine(v, c->others[i]);
	if ((c->what & CHANGED_MERGED) != 0)
		put_event(
		    v, &(struct machine_event){ .machine = id,
			   .other = c->merged,
			   .at_ms = now_ms,
			   .kind = MACHINE_EVENT_MERGED,
			   .text = slice_str("known by no more than this machine's MAC or UUID") });
	put_changed(v, id, c, now_ms);
}

uint64_t
inventory_note(struct inventory *v, const struct identity *claim, const struct machine_facts *facts,
    uint64_t now_ms)
{
	struct machine_change change;
	struct match match;
	int rc;

	machines_match(v->table, claim, &match);
	if (match.id != 0)
		rc = machines_learn(v->table, match.id, claim, facts, now_ms, &change);
	else
		rc = machines_add(v->table, claim, facts, now_ms, &match.id, &change);
	if (rc < 0) {
		if (rc == -ENOMEM)
			log_peer_warn("machines: out of memory");
		return rc == -ENOMEM ? match.id : 0;
	}
	put_change(v, match.id, &change, now_ms);
	evict(v);
	return match.id;
}

/* --- decisions ------------------------------------------------------------------------------ */

int
inventory_merge(struct inventory *v, uint64_t into, uint64_t from, struct slice by, uint64_t now_ms)
{
	struct machine_change change;
	int rc = machines_merge(v->table, into, from, &change);

	if (rc < 0)
		return rc;
	into = machines_resolve(v->table, into);
	put_machine(v, into);
	put_event(v, &(struct machine_event){ .machine = into,
			 .other = change.merged,
			 .at_ms = now_ms,
			 .kind = MACHINE_EVENT_MERGED,
			 .by = by });
	if ((change.what & CHANGED_MAC_DROPPED) != 0)
		put_changed(v, into, &change, now_ms);
	return 0;
}

int
inventory_split(struct inventory *v, uint64_t id, const struct identity *parts, size_t nparts,
    struct slice by, uint64_t now_ms, uint64_t *ret_id)
{
	struct machine_change change;
	int rc = machines_split(v->table, id, parts, nparts, ret_id, &change);

	if (rc < 0)
		return rc;
	id = machines_resolve(v->table, id);
	put_machine(v, id);
	put_machine(v, *ret_id);
	put_event(v, &(struct machine_event){ .machine = id,
			 .other = *ret_id,
			 .at_ms = now_ms,
			 .kind = MACHINE_EVENT_SPLIT,
			 .by = by });
	evict(v);
	return 0;
}

/* Stores a machine after somebody decided about it, with the event. */
static int
decided(struct inventory *v, int rc, const struct machine_event *e)
{
	struct machine_event resolved = *e;

	if (rc < 0)
		return rc;
	resolved.machine = machines_resolve(v->table, e->machine);
	put_machine(v, resolved.machine);
	put_event(v, &resolved);
	return 0;
}

int
inventory_set_state(
    struct inventory *v, uint64_t id, enum machine_state state, struct slice by, uint64_t now_ms)
{
	return decided(v, machines_set_state(v->table, id, state, by),
	    &(struct machine_event){ .machine = id,
		.at_ms = now_ms,
		.kind = MACHINE_EVENT_STATE,
		.by = by,
		.text = slice_str(machine_state_name(state)) });
}

int
inventory_set_group(
    struct inventory *v, uint64_t id, struct slice group, struct slice by, uint64_t now_ms)
{
	return decided(v, machines_set_group(v->table, id, group),
	    &(struct machine_event){ .machine = id,
		.at_ms = now_ms,
		.kind = MACHINE_EVENT_GROUP,
		.by = by,
		.text = group });
}

int
inventory_assign(struct inventory *v, uint64_t id, struct slice entry, bool once, uint64_t until_ms,
    struct slice by, uint64_t now_ms)
{
	return decided(v, machines_assign(v->table, id, entry, once, until_ms, by),
	    &(struct machine_event){ .machine = id,
		.at_ms = now_ms,
		.kind = MACHINE_EVENT_ASSIGNED,
		.by = by,
		.text = entry });
}

int
inventory_set_outcome(
    struct inventory *v, uint64_t id, enum boot_phase phase, uint64_t at_ms, struct slice image)
{
	int rc = machines_set_outcome(v->table, id, phase, at_ms, image);

	if (rc == 0)
		put_machine(v, id);
	return rc;
}

int
inventory_set_roots(struct inventory *v, uint64_t id, struct slice roots, uint64_t at_ms)
{
	int rc = machines_set_roots(v->table, id, roots, at_ms);

	if (rc == 1)
		put_machine(v, id);
	return rc < 0 ? rc : 0;
}
