/*
 * What the control socket can ask about machines, and do to them.
 *
 * A machine is named by "#ID" or by anything that identifies it.  Who decides is told by the caller
 * (`by`): whoever can open the socket is trusted.
 */
#include "handlerd/control_machines.h"

#include "common/json_text.h"
#include "common/log.h"

#include <errno.h>
#include <string.h>

#define DUPLICATES_DEFAULT 1000
#define DUPLICATES_MAX     10000
#define PARTS_MAX          (MACHINE_MACS + 3)

/* --- parameters ----------------------------------------------------------------------------- */

const char *
control_text(const json_t *params, const char *key, struct rpc_error *error)
{
	const json_t *v = json_object_get(params, key);

	if (v == NULL)
		return "";
	if (!json_is_string(v))
		(void)rpc_fail(error, RPC_INVALID_PARAMS, "\"%s\" is not a string", key);
	return json_string_value(v);
}

/* The machines of a name, or 0 with *error set. */
static size_t
get_machines(const struct handlerd *h, const json_t *params, const char *key,
    uint64_t ids[static CONTROL_MACHINES], struct rpc_error *error)
{
	const char *name = control_text(params, key, error);
	size_t n;

	if (name == NULL)
		return 0;
	if (name[0] == '\0') {
		(void)rpc_fail(error, RPC_INVALID_PARAMS, "\"%s\" is missing", key);
		return 0;
	}
	n = machines_find(h->inventory.table, name, ids, CONTROL_MACHINES);
	if (n == 0)
		(void)rpc_fail(error, RPC_NOT_FOUND, "there is no machine \"%s\"", name);
	return n < CONTROL_MACHINES ? n : CONTROL_MACHINES;
}

uint64_t
control_machine(
    const struct handlerd *h, const json_t *params, const char *key, struct rpc_error *error)
{
	uint64_t ids[CONTROL_MACHINES];
	size_t n = get_machines(h, params, key, ids, error);

	if (n > 1)
		(void)rpc_fail(error, RPC_FAILED,
		    "%zu machines have the name \"%s\", the first is #%llu: name one by its number",
		    n, json_string_value(json_object_get(params, key)), (unsigned long long)ids[0]);
	return n == 1 ? ids[0] : 0;
}

bool
control_by(const json_t *params, struct slice *ret, struct rpc_error *error)
{
	const char *by = control_text(params, "by", error);

	if (by != NULL)
		*ret = slice_str(by[0] != '\0' ? by : "control socket");
	return by != NULL;
}

/* --- showing -------------------------------------------------------------------------------- */

/* What tells a machine from others, in a line. */
json_t *
control_machine_brief(const struct handlerd *h, uint64_t id)
{
	char mac[MAC_STRLEN], uuid[UUID_STRLEN];
	struct machine m;

	if (!machines_get(h->inventory.table, id, &m))
		return NULL;
	return json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:I}", "id", (json_int_t)m.id,
	    "mac", m.nmacs > 0 ? mac_format(&m.macs[0].mac, mac) : "", "uuid",
	    m.has_uuid ? uuid_format(&m.uuid, uuid) : "", "serial", json_text(m.serial), "asset",
	    json_text(m.asset), "manufacturer", json_text(m.manufacturer), "product",
	    json_text(m.product), "state", machine_state_name(m.state), "last_ms",
	    (json_int_t)m.last_ms);
}

json_t *
rpc_machines_show(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	uint64_t ids[CONTROL_MACHINES];
	size_t n = get_machines(h, params, "machine", ids, error);
	json_t *machine, *others;

	(void)conn;
	if (n == 0)
		return NULL;
	machine = store_show_machine(h->store, ids[0]);
	if (machine == NULL)
		return rpc_fail(error, RPC_FAILED, "the store does not have it yet");
	if (n == 1)
		return machine;
	others = json_array();
	for (size_t i = 1; i < n; i++)
		json_array_append_new(others, json_integer((json_int_t)ids[i]));
	json_object_set_new(machine, "others", others);
	return machine;
}

struct duplicates_list {
	const struct handlerd *h;
	json_t *list;
};

static void
dump_duplicate(void *arg, const struct duplicate *d)
{
	struct duplicates_list *l = arg;
	json_t *machines = json_array();

	for (size_t i = 0; i < d->n; i++)
		json_array_append_new(machines, control_machine_brief(l->h, d->ids[i]));
	json_array_append_new(l->list,
	    json_pack("{s:s, s:s, s:o, s:b, s:o}", "reason", duplicate_reason_name(d->reason),
		"identifier", identifier_name(d->identifier), "value",
		json_text(slice_str(d->value)), "crowded", d->crowded, "machines", machines));
}

json_t *
rpc_machines_duplicates(
    void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct duplicates_list l = { .h = arg };
	const json_t *limit = json_object_get(params, "limit");
	json_int_t n = limit != NULL ? json_integer_value(limit) : DUPLICATES_DEFAULT;

	(void)conn;
	if (n < 1 || n > DUPLICATES_MAX)
		return rpc_fail(error, RPC_INVALID_PARAMS,
		    "\"limit\" is a whole number from 1 to %d", DUPLICATES_MAX);
	l.list = json_array();
	(void)machines_duplicates(l.h->inventory.table, (size_t)n, dump_duplicate, &l);
	return l.list;
}

/* --- merging and splitting ------------------------------------------------------------------ */

json_t *
rpc_machines_merge(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	uint64_t into = control_machine(h, params, "into", error), from;
	struct slice by;
	int rc;

	(void)conn;
	if (into == 0)
		return NULL;
	from = control_machine(h, params, "from", error);
	if (from == 0 || !control_by(params, &by, error))
		return NULL;
	rc = inventory_merge(&h->inventory, into, from, by, wall_clock_ms());
	h->notes.put_something = true;
	if (rc < 0)
		return rpc_fail(error, RPC_FAILED, "%s",
		    rc == -EINVAL   ? "both names are of one machine"
		    : rc == -ENOSPC ? "too many machines have been merged"
				    : strerror(-rc));
	return control_machine_brief(h, into);
}

/* What a text names of a machine; false if it is none of its identifiers. */
static bool
read_part(const struct machine *m, const char *text, struct identity *ret)
{
	struct slice s = identity_text(slice_str(text));
	struct macaddr mac;
	struct uuid uuid, swapped;

	*ret = (struct identity){ 0 };
	if (mac_parse(s, &mac) == 0) {
		for (size_t i = 0; i < m->nmacs && ret->mac.len == 0; i++) {
			if (mac_eq(&m->macs[i].mac, &mac))
				ret->mac = mac;
		}
	}
	if (m->has_uuid && uuid_parse(s, &uuid) == 0) {
		swapped = uuid_swapped(&uuid);
		ret->has_uuid = memcmp(&uuid, &m->uuid, sizeof(uuid)) == 0 ||
		                memcmp(&swapped, &m->uuid, sizeof(uuid)) == 0;
		ret->uuid = m->uuid;
	}
	if (slice_eq(s, m->serial))
		ret->serial = s;
	if (slice_eq(s, m->asset))
		ret->asset = s;
	return ret->mac.len > 0 || ret->has_uuid || ret->serial.n > 0 || ret->asset.n > 0;
}

/* The identifiers to be split off; their number, or 0 with *error set. */
static size_t
get_parts(const struct machine *m, const json_t *params, struct identity parts[static PARTS_MAX],
    struct rpc_error *error)
{
	const json_t *list = json_object_get(params, "identifiers"), *v;
	size_t i, n = json_array_size(list);

	if (n == 0 || n > PARTS_MAX) {
		(void)rpc_fail(error, RPC_INVALID_PARAMS,
		    "\"identifiers\" is a list of up to %d of the machine's MACs, UUID, serial "
		    "number, asset tag",
		    PARTS_MAX);
		return 0;
	}
	json_array_foreach(list, i, v)
	{
		if (json_is_string(v) && read_part(m, json_string_value(v), &parts[i]))
			continue;
		(void)rpc_fail(error, RPC_NOT_FOUND, "the machine has no \"%s\"",
		    json_is_string(v) ? json_string_value(v) : "...");
		return 0;
	}
	return n;
}

json_t *
rpc_machines_split(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	uint64_t id = control_machine(h, params, "machine", error), fresh;
	struct identity parts[PARTS_MAX];
	struct machine m;
	struct slice by;
	size_t n;
	int rc;

	(void)conn;
	if (id == 0 || !control_by(params, &by, error) || !machines_get(h->inventory.table, id, &m))
		return NULL;
	n = get_parts(&m, params, parts, error);
	if (n == 0)
		return NULL;
	rc = inventory_split(&h->inventory, id, parts, n, by, wall_clock_ms(), &fresh);
	h->notes.put_something = true;
	if (rc < 0)
		return rpc_fail(error, RPC_FAILED, "%s",
		    rc == -EINVAL   ? "that is all that the machine is known by"
		    : rc == -ENOENT ? "the same identifier is named twice"
				    : strerror(-rc));
	return json_pack("{s:o, s:o}", "machine", control_machine_brief(h, id), "split",
	    control_machine_brief(h, fresh));
}

/* --- identifying ---------------------------------------------------------------------------- */

/* A claim as the caller states it; false with *error set. */
static bool
get_claim(const json_t *params, struct identity *ret, struct rpc_error *error)
{
	static const struct {
		const char *key;
		size_t off;
	} texts[] = {
		{ "serial", offsetof(struct identity, serial) },
		{ "asset", offsetof(struct identity, asset) },
		{ "manufacturer", offsetof(struct identity, manufacturer) },
		{ "product", offsetof(struct identity, product) },
		{ "remote", offsetof(struct identity, remote) },
		{ "circuit", offsetof(struct identity, circuit) },
	};
	const char *mac = control_text(params, "mac", error), *uuid, *relay;

	*ret = (struct identity){ 0 };
	if (mac == NULL)
		return false;
	for (size_t i = 0; i < NITEMS(texts); i++) {
		const char *text = control_text(params, texts[i].key, error);
		struct slice s;

		if (text == NULL)
			return false;
		s = identity_text(slice_str(text));
		memcpy((char *)ret + texts[i].off, &s, sizeof(s));
	}
	uuid = control_text(params, "uuid", error);
	relay = uuid != NULL ? control_text(params, "relay", error) : NULL;
	if (relay == NULL)
		return false;
	ret->has_uuid = uuid[0] != '\0';
	if ((mac[0] == '\0' || mac_parse(slice_str(mac), &ret->mac) == 0) &&
	    (!ret->has_uuid || uuid_parse(slice_str(uuid), &ret->uuid) == 0) &&
	    (relay[0] == '\0' || ip_parse(slice_str(relay), &ret->relay) == 0))
		return true;
	(void)rpc_fail(error, RPC_INVALID_PARAMS, "the MAC, UUID or relay cannot be read");
	return false;
}

static json_t *
dump_candidate(const struct handlerd *h, const struct candidate *c)
{
	json_t *evidence = json_object();

	for (int i = 0; i < IDENTIFIERS; i++) {
		int points = i == IDENTIFIER_PORT ? c->port : c->evidence[i].points;

		if (c->evidence[i].verdict != EVIDENCE_UNSAID)
			json_object_set_new(evidence, identifier_name((enum identifier)i),
			    json_pack("{s:s, s:i}", "verdict",
				evidence_kind_name(c->evidence[i].verdict), "points", points));
	}
	return json_pack("{s:o, s:i, s:s, s:o}", "machine", control_machine_brief(h, c->id),
	    "score", c->score, "why", match_why_name(c->why), "evidence", evidence);
}

json_t *
rpc_machines_identify(
    void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	json_t *candidates;
	struct identity claim;
	struct match m;

	(void)conn;
	if (!get_claim(params, &claim, error))
		return NULL;
	machines_match(h->inventory.table, &claim, &m);
	candidates = json_array();
	for (size_t i = 0; i < m.ncandidates; i++)
		json_array_append_new(candidates, dump_candidate(h, &m.candidates[i]));
	return json_pack("{s:o, s:i, s:i, s:b, s:o}", "machine",
	    m.id != 0 ? json_integer((json_int_t)m.id) : json_null(), "score", m.score, "threshold",
	    h->inventory.conf.weights.threshold, "ambiguous", m.ambiguous, "candidates",
	    candidates);
}
