/*
 * What a claim adds to a machine, and what that means to others that share an identifier with it;
 * see machines.h.
 */
#include "handlerd/machines_db.h"

#include <errno.h>
#include <string.h>

/* True if `said` is new and does not replace something better. */
static bool
is_news(const struct machines *t, struct slice known, struct slice said)
{
	return said.n > 0 && !slice_eq(known, said) &&
	       (known.n == 0 || !identity_text_is_bad(t->conf.lists, said));
}

static bool
replace(struct slice *known, struct slice said)
{
	if (said.n == 0 || slice_eq(*known, said))
		return false;
	*known = said;
	return true;
}

/* The MAC moves to the first place, or comes in there. */
static void
learn_mac(struct machine *m, const struct macaddr *mac, bool sure, struct machine_change *ret)
{
	struct machine_mac known = { *mac, sure };
	size_t i;

	if (mac->len == 0)
		return;
	for (i = 0; i < m->nmacs && !mac_eq(&m->macs[i].mac, mac); i++)
		;
	if (i < m->nmacs) {
		known.sure = sure || m->macs[i].sure;
	} else {
		ret->what |= CHANGED_MAC_ADDED;
		if (m->nmacs == MACHINE_MACS) {
			i--;
			ret->what |= CHANGED_MAC_DROPPED;
			ret->mac = m->macs[i].mac;
		} else {
			m->nmacs++;
		}
	}
	memmove(&m->macs[1], &m->macs[0], i * sizeof(m->macs[0]));
	m->macs[0] = known;
}

static void
learn_identifiers(const struct machines *t, struct machine *m, const struct identity *claim,
    struct machine_change *ret)
{
	enum evidence_kind v = EVIDENCE_UNSAID;

	if (claim->has_uuid && m->has_uuid) {
		struct uuid swapped = uuid_swapped(&claim->uuid);

		v = memcmp(&m->uuid, &claim->uuid, sizeof(m->uuid)) == 0 ||
		            memcmp(&m->uuid, &swapped, sizeof(m->uuid)) == 0
		        ? EVIDENCE_SAME
		        : EVIDENCE_DIFFERS;
	}
	if (claim->has_uuid && v != EVIDENCE_SAME &&
	    (!m->has_uuid || !identity_uuid_is_bad(t->conf.lists, &claim->uuid))) {
		ret->what |= CHANGED_UUID;
		ret->had_uuid = m->has_uuid;
		ret->uuid = m->uuid;
		m->has_uuid = true;
		m->uuid = claim->uuid;
	}
	if (is_news(t, m->serial, claim->serial)) {
		ret->what |= CHANGED_SERIAL;
		(void)slice_copy(ret->serial, sizeof(ret->serial), m->serial);
		m->serial = claim->serial;
	}
	if (is_news(t, m->asset, claim->asset)) {
		ret->what |= CHANGED_ASSET;
		(void)slice_copy(ret->asset, sizeof(ret->asset), m->asset);
		m->asset = claim->asset;
	}
}

static void
learn_rest(struct machine *m, const struct identity *claim, const struct machine_facts *facts,
    uint64_t now_ms, struct machine_change *ret)
{
	bool model, client;

	model = replace(&m->manufacturer, claim->manufacturer);
	model |= replace(&m->product, claim->product);
	client = replace(&m->platform, facts->platform);
	client |= replace(&m->version, facts->version);
	if (facts->arch != ARCH_UNKNOWN && facts->arch != m->arch) {
		m->arch = facts->arch;
		client = true;
	}
	ret->what |= (model ? CHANGED_MODEL : 0) | (client ? CHANGED_CLIENT : 0);
	/* a port is relay and circuit together */
	if ((claim->circuit.n > 0 || claim->remote.n > 0) &&
	    (!ip_eq(&m->relay, &claim->relay) || !slice_eq(m->circuit, claim->circuit) ||
		!slice_eq(m->remote, claim->remote))) {
		m->relay = claim->relay;
		m->circuit = claim->circuit;
		m->remote = claim->remote;
		ret->what |= CHANGED_PORT;
	}
	if (!ip_is_any(&facts->address) && !ip_eq(&m->address, &facts->address)) {
		m->address = facts->address;
		ret->what |= CHANGED_ADDRESS;
	}
	ret->what |= CHANGED_SEEN;
	if (now_ms > m->last_ms)
		m->last_ms = now_ms;
}

static void
note_other(struct machine_change *change, uint64_t id)
{
	for (size_t i = 0; i < change->nothers; i++) {
		if (change->others[i] == id)
			return;
	}
	if (change->nothers < NITEMS(change->others))
		change->others[change->nothers++] = id;
}

/* Nobody else is sure of a MAC that this machine is sure of. */
static int
take_sureness(
    struct machines *t, uint64_t id, const struct macaddr *mac, struct machine_change *ret)
{
	const struct identity claim = { .mac = *mac };
	uint32_t places[MACHINE_SHARERS];
	size_t n = rows_holding(t, KEY_MAC, &claim, places);

	for (size_t i = 0; i < n; i++) {
		struct machine other;
		bool sure = false;

		row_view(t, t->v[places[i]].row, &other);
		for (size_t j = 0; j < other.nmacs && other.id != id; j++) {
			if (!mac_eq(&other.macs[j].mac, mac))
				continue;
			sure |= other.macs[j].sure;
			other.macs[j].sure = false;
		}
		if (!sure)
			continue;
		if (row_put(t, &places[i], &other) < 0)
			return -ENOMEM;
		ret->what |= CHANGED_MAC_MOVED;
		note_other(ret, other.id);
	}
	return 0;
}

/* A machine that is known by no more than this claim says; INDEX_NONE if there is none. */
static uint32_t
find_passing(const struct machines *t, uint64_t id, const struct identity *claim)
{
	static const enum key_kind kinds[] = { KEY_MAC, KEY_UUID };
	uint32_t places[MACHINE_SHARERS];

	for (size_t i = 0; i < NITEMS(kinds); i++) {
		size_t n = rows_holding(t, kinds[i], claim, places);

		for (size_t j = 0; j < n; j++) {
			const struct row *row = t->v[places[j]].row;
			enum evidence_kind uuid =
			    claim->has_uuid ? row_has_uuid(row, &claim->uuid) : EVIDENCE_DIFFERS;

			if (row->id != id && row_is_passing(t, row) && row->nmacs <= 1 &&
			    (row->nmacs == 0 || row_has_mac(row, &claim->mac)) &&
			    (!row->has_uuid || uuid == EVIDENCE_SAME || uuid == EVIDENCE_SWAPPED))
				return places[j];
		}
	}
	return INDEX_NONE;
}

/* True if the claim names the machine by what does not change with its parts. */
static bool
is_by_name(const struct machines *t, const struct machine *m, const struct identity *claim)
{
	return (claim->serial.n > 0 && slice_eq(m->serial, claim->serial) &&
		   !identity_text_is_bad(t->conf.lists, claim->serial)) ||
	       (claim->asset.n > 0 && slice_eq(m->asset, claim->asset) &&
		   !identity_text_is_bad(t->conf.lists, claim->asset));
}

/* Writes the machine, and sees to the others that the claim is about. */
static int
settle(struct machines *t, uint32_t place, struct machine *m, const struct identity *claim,
    struct machine_change *ret)
{
	uint64_t id = m->id;
	uint32_t passing;
	bool by_name = is_by_name(t, m, claim);
	int rc;

	rc = row_put(t, &place, m);
	if (rc == 0 && claim->mac.len > 0 && t->v[place].row->nmacs > 0 &&
	    (t->v[place].row->bytes[0] & ROW_MAC_SURE) != 0)
		rc = take_sureness(t, id, &claim->mac, ret);
	if (rc < 0 || !by_name)
		return rc;
	passing = find_passing(t, id, claim);
	if (passing != INDEX_NONE) {
		struct machine_change merge;

		/* if there is no room for one more alias, it stays a machine of its own */
		if (machines_merge(t, id, t->v[passing].row->id, &merge) == 0) {
			ret->what |= CHANGED_MERGED;
			ret->merged = merge.merged;
		}
	}
	return 0;
}

int
machines_add(struct machines *t, const struct identity *claim, const struct machine_facts *facts,
    uint64_t now_ms, uint64_t *ret_id, struct machine_change *ret_change)
{
	struct machine_change change = { 0 };
	struct machine m = { .id = t->last_id + 1, .first_ms = now_ms, .arch = ARCH_UNKNOWN };
	uint32_t place = INDEX_NONE, holders[MACHINE_SHARERS];
	int rc;

	if (match_worth(t, claim) < t->conf.weights.threshold)
		return -EINVAL;
	learn_identifiers(t, &m, claim, &change);
	learn_mac(&m, &claim->mac,
	    is_by_name(t, &m, claim) || rows_holding(t, KEY_MAC, claim, holders) == 0, &change);
	learn_rest(&m, claim, facts, now_ms, &change);
	rc = settle(t, place, &m, claim, &change);
	if (rc < 0)
		return rc;
	t->last_id = m.id;
	*ret_id = m.id;
	*ret_change = change;
	return 0;
}

int
machines_learn(struct machines *t, uint64_t id, const struct identity *claim,
    const struct machine_facts *facts, uint64_t now_ms, struct machine_change *ret)
{
	uint32_t place = row_find(t, id);
	struct machine_change change = { 0 };
	struct machine m;
	int rc;

	if (place == INDEX_NONE)
		return -ENOENT;
	row_view(t, t->v[place].row, &m);
	learn_identifiers(t, &m, claim, &change);
	learn_mac(&m, &claim->mac, is_by_name(t, &m, claim), &change);
	learn_rest(&m, claim, facts, now_ms, &change);
	rc = settle(t, place, &m, claim, &change);
	if (rc == 0)
		*ret = change;
	return rc;
}
