/*
 * What the control socket can ask about decisions, and decide itself: explain, replay, assign,
 * approve and the like, reload.
 *
 * A machine that has not been seen yet may be named by its MAC or UUID where something is decided
 * about it: it is then known from now on.
 */
#include "handlerd/control_decide.h"

#include "common/arch.h"
#include "common/hex.h"
#include "common/pxe.h"
#include "handlerd/control_machines.h"
#include "handlerd/explain.h"
#include "handlerd/gather.h"
#include "handlerd/inquire.h"
#include "handlerd/recall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define A_DAY_MS      86400000
#define FIELD_MAX     4096 /* bytes of a text of a request */
#define MESSAGE_BYTES 8192
#define HOOKS_MASK    (~(1u << SOURCE_WEBSERVICE | 1u << SOURCE_WINPE))

/* --- parameters ------------------------------------------------------------------------------ */

/* A time in ms since 1970, 0 if it is not there; false with *error set. */
static bool
get_time(const json_t *params, const char *key, uint64_t *ret, struct rpc_error *error)
{
	const json_t *v = json_object_get(params, key);

	*ret = 0;
	if (v == NULL)
		return true;
	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		*ret = (uint64_t)json_integer_value(v);
		return true;
	}
	(void)rpc_fail(error, RPC_INVALID_PARAMS, "\"%s\" is not a time in ms since 1970", key);
	return false;
}

/* The machine of a name, made known if it has not been seen; 0 with *error set. */
static uint64_t
get_machine(struct handlerd *h, const json_t *params, struct rpc_error *error)
{
	static const struct machine_facts nothing = { .arch = ARCH_UNKNOWN };
	uint64_t id = control_machine(h, params, "machine", error);
	const char *name = json_string_value(json_object_get(params, "machine"));
	struct identity claim = { .has_uuid = false };

	if (id != 0 || error->code != RPC_NOT_FOUND || name == NULL)
		return id;
	if (strpbrk(name, ":-") == NULL || mac_parse(slice_str(name), &claim.mac) < 0)
		claim.has_uuid = uuid_parse(slice_str(name), &claim.uuid) == 0;
	if (claim.mac.len == 0 && !claim.has_uuid)
		return 0;
	id = inventory_note(&h->inventory, &claim, &nothing, wall_clock_ms());
	h->notes.put_something = true;
	if (id == 0)
		(void)rpc_fail(error, RPC_FAILED, "\"%s\" does not identify a machine", name);
	return id;
}

/* --- deciding about machines -------------------------------------------------------------------
 */

static bool
is_entry(const struct handlerd *h, const char *name)
{
	const struct policy_conf *conf = &h->policy->conf;
	const struct choices all = {
		.entries = conf->entries.v,
		.nentries = conf->entries.n,
		.images = h->catalogue->images,
		.nimages = h->catalogue->nimages,
	};
	struct choice c;

	return choices_find(&all, name, &c) == 0;
}

json_t *
rpc_assign(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	const char *entry = control_text(params, "entry", error);
	uint64_t until_ms, id;
	struct slice by;

	(void)conn;
	if (entry == NULL || !get_time(params, "until_ms", &until_ms, error) ||
	    !control_by(params, &by, error))
		return NULL;
	if (entry[0] != '\0' && !is_entry(h, entry))
		return rpc_fail(error, RPC_NOT_FOUND, "there is no entry or image \"%s\"", entry);
	if (until_ms != 0 && until_ms <= wall_clock_ms())
		return rpc_fail(error, RPC_INVALID_PARAMS, "\"until_ms\" is in the past");
	id = get_machine(h, params, error);
	if (id == 0)
		return NULL;
	handlerd_assign(
	    h, id, slice_str(entry), json_is_true(json_object_get(params, "once")), until_ms, by);
	return control_machine_brief(h, id);
}

json_t *
rpc_set_state(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	const char *name = control_text(params, "state", error);
	enum machine_state state;
	struct slice by;
	uint64_t id;

	(void)conn;
	if (name == NULL || !control_by(params, &by, error))
		return NULL;
	if (machine_state_parse(slice_str(name), &state) < 0)
		return rpc_fail(error, RPC_INVALID_PARAMS, "there is no state \"%s\"", name);
	id = get_machine(h, params, error);
	if (id == 0)
		return NULL;
	handlerd_set_state(h, id, state, by);
	return control_machine_brief(h, id);
}

json_t *
rpc_set_group(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	const char *group = control_text(params, "group", error);
	struct slice by;
	uint64_t id;

	(void)conn;
	if (group == NULL || !control_by(params, &by, error))
		return NULL;
	if (group[0] != '\0' && !image_name_valid(group))
		return rpc_fail(error, RPC_INVALID_PARAMS, "\"%s\" is no name of a group", group);
	id = get_machine(h, params, error);
	if (id == 0)
		return NULL;
	h->notes.put_something = true;
	if (inventory_set_group(&h->inventory, id, slice_str(group), by, wall_clock_ms()) < 0)
		return rpc_fail(error, RPC_FAILED, "out of memory");
	return control_machine_brief(h, id);
}

/* Machines that wait for somebody now. */
json_t *
rpc_waiting(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	uint64_t now_ms = wall_clock_ms();
	json_t *list = json_array();

	(void)conn;
	(void)params;
	(void)error;
	for (const struct boot *b = boots_newest(h->boots);
	     b != NULL && now_ms - b->last_ms < (uint64_t)h->conf->boot_idle_s * 1000;
	     b = b->older) {
		char id[BOOT_ID_STRLEN];
		json_t *machine;

		if (!b->waits)
			continue;
		machine = control_machine_brief(h, b->machine);
		json_array_append_new(list,
		    json_pack("{s:s, s:I, s:I, s:o}", "boot", boot_id_format(b->id, id), "since_ms",
			(json_int_t)b->started_ms, "last_ms", (json_int_t)b->last_ms, "machine",
			machine != NULL ? machine : json_null()));
	}
	return list;
}

json_t *
rpc_loaders_forget(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	uint64_t id = control_machine(h, params, "machine", error);
	struct machine m;
	bool any = false;

	(void)conn;
	if (id == 0 || !machines_get(h->inventory.table, id, &m))
		return NULL;
	for (size_t i = 0; i < m.nmacs; i++)
		any |= adapt_forget_machine(h->adapt, &m.macs[i].mac);
	return json_boolean(any);
}

/* --- explaining --------------------------------------------------------------------------------
 */

/* The texts that a request may be given by hand. */
static const struct {
	const char *name;
	size_t off;
} request_texts[] = {
	{ "subnet", offsetof(struct boot_request, subnet) },
	{ "interface", offsetof(struct boot_request, interface) },
	{ "vendor_class", offsetof(struct boot_request, vendor_class) },
	{ "user_class", offsetof(struct boot_request, user_class) },
	{ "client_subject", offsetof(struct boot_request, client_subject) },
	{ "client_issuer", offsetof(struct boot_request, client_issuer) },
	{ "client_serial", offsetof(struct boot_request, client_serial) },
	{ "client_fingerprint", offsetof(struct boot_request, client_fingerprint) },
	{ "file", offsetof(struct boot_request, file) },
	{ "manufacturer", offsetof(struct boot_request, manufacturer) },
	{ "product", offsetof(struct boot_request, product) },
	{ "serial", offsetof(struct boot_request, serial) },
	{ "asset", offsetof(struct boot_request, asset) },
	{ "platform", offsetof(struct boot_request, platform) },
	{ "buildarch", offsetof(struct boot_request, buildarch) },
	{ "version", offsetof(struct boot_request, version) },
	{ "params", offsetof(struct boot_request, params) },
};

static int
parse_named(const char *text, const char *(*name)(int), int n, int *ret)
{
	for (int i = 1; i < n; i++) {
		if (strcmp(name(i), text) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

static const char *
stage_name(int v)
{
	return boot_stage_name((enum boot_stage)v);
}

static const char *
client_name(int v)
{
	return boot_client_name((enum boot_client)v);
}

static bool
set_numbers(const json_t *o, struct boot_request *r, struct rpc_error *error)
{
	const json_t *arch = json_object_get(o, "arch"), *secs = json_object_get(o, "secs");
	const json_t *features = json_object_get(o, "ipxe_features");

	if ((arch != NULL && (!json_is_integer(arch) || json_integer_value(arch) < 0 ||
				 json_integer_value(arch) > UINT16_MAX)) ||
	    (secs != NULL && (!json_is_integer(secs) || json_integer_value(secs) < 0 ||
				 json_integer_value(secs) > UINT16_MAX)) ||
	    (features != NULL && !json_is_integer(features))) {
		(void)rpc_fail(error, RPC_INVALID_PARAMS,
		    "\"arch\" and \"secs\" are whole numbers up to 65535");
		return false;
	}
	if (arch != NULL)
		r->arch = (uint16_t)json_integer_value(arch);
	r->secs = (uint16_t)json_integer_value(secs);
	r->has_ipxe_features = features != NULL;
	r->ipxe_features = (uint64_t)json_integer_value(features);
	return true;
}

/* A request as the caller writes it; slices point into `o`. */
static bool
read_request(const json_t *o, struct boot_request *r, struct rpc_error *error)
{
	const char *mac = control_text(o, "mac", error), *uuid = control_text(o, "uuid", error);
	const char *address = control_text(o, "address", error),
		   *relay = control_text(o, "relay", error);
	const char *client = control_text(o, "client", error);
	int v = CLIENT_UNKNOWN;

	if (mac == NULL || uuid == NULL || address == NULL || relay == NULL || client == NULL)
		return false;
	for (size_t i = 0; i < NITEMS(request_texts); i++) {
		const char *text = control_text(o, request_texts[i].name, error);
		struct slice s = slice_str(text);

		if (text == NULL)
			return false;
		if (s.n > FIELD_MAX)
			s.n = FIELD_MAX;
		memcpy((char *)r + request_texts[i].off, &s, sizeof(s));
	}
	if (!set_numbers(o, r, error))
		return false;
	r->has_uuid = uuid[0] != '\0';
	if ((mac[0] != '\0' && mac_parse(slice_str(mac), &r->mac) < 0) ||
	    (r->has_uuid && uuid_parse(slice_str(uuid), &r->uuid) < 0) ||
	    (address[0] != '\0' && ip_parse(slice_str(address), &r->address) < 0) ||
	    (relay[0] != '\0' && ip_parse(slice_str(relay), &r->relay) < 0) ||
	    (client[0] != '\0' && parse_named(client, client_name, CLIENTS, &v) < 0)) {
		(void)rpc_fail(error, RPC_INVALID_PARAMS,
		    "the request's mac, uuid, address, relay or client cannot be read");
		return false;
	}
	r->client = (enum boot_client)v;
	return true;
}

/* A request as a front daemon would send it; slices point into static room. */
static bool
read_message(const json_t *params, struct boot_request *r, struct rpc_error *error)
{
	static uint8_t bytes[MESSAGE_BYTES];
	const char *hex = control_text(params, "message", error);
	struct msg_reader reader;
	int n = hex != NULL ? hex_parse(slice_str(hex), bytes, sizeof(bytes)) : -EINVAL;

	if (n > 0 && msg_open(&reader, bytes, (size_t)n) == 0 && msg_get_request(&reader, r) == 0)
		return true;
	if (hex != NULL)
		(void)rpc_fail(error, RPC_INVALID_PARAMS,
		    "\"message\" is no request of a front daemon in hexadecimal digits");
	return false;
}

/* Ours that it talks to, if the request does not say. */
static void
set_server(struct handlerd *h, struct boot_request *r)
{
	static const enum daemon_kind kinds[] = { DAEMON_DHCPPROXYD, DAEMON_HTTPSBOOTD,
		DAEMON_TFTPD };

	for (size_t i = 0; i < NITEMS(kinds) && r->server.family == 0; i++) {
		const struct service *s =
		    services_pick(&h->services, kinds[i], r->subnet, wall_clock_ms());

		if (s != NULL)
			r->server = s->address;
	}
}

/* What a machine would send, by what is known of it. */
static void
request_of_machine(
    struct handlerd *h, const struct machine *m, const char *name, struct boot_request *r)
{
	const struct boot *b;
	struct macaddr named;

	if (m->nmacs > 0)
		r->mac = m->macs[0].mac;
	/* of several adapters the one that was named */
	for (size_t i = 0; i < m->nmacs; i++) {
		if (mac_parse(slice_str(name), &named) == 0 && mac_eq(&named, &m->macs[i].mac))
			r->mac = named;
	}
	r->has_uuid = m->has_uuid;
	r->uuid = m->uuid;
	r->arch = m->arch;
	r->address = m->address;
	r->relay = m->relay;
	b = boots_peek(h->boots, r, wall_clock_ms());
	if (b != NULL)
		r->subnet = slice_str(b->subnet);
}

/* What the stage itself tells: the protocol, who asks, and what iPXE posts. */
static void
set_stage(struct boot_request *r, enum boot_stage stage, const struct machine *m)
{
	r->stage = stage;
	if (stage == STAGE_DISCOVER || stage == STAGE_BOOTSERVER) {
		r->via = VIA_DHCP;
		if (r->client == CLIENT_UNKNOWN)
			r->client = pxe_likely_client(r->arch, &r->mac);
		if (r->client == CLIENT_RPI)
			r->arch = ARCH_RPI;
		return;
	}
	r->via = VIA_HTTPS;
	if (stage != STAGE_BOOT || m == NULL)
		return;
	r->manufacturer = m->manufacturer;
	r->product = m->product;
	r->serial = m->serial;
	r->asset = m->asset;
	r->platform = m->platform;
	r->version = m->version;
}

/* An explanation under way: of one stage, or of the DISCOVER and then of the boot request. */
struct explaining {
	struct handlerd *h;
	struct rpc_deferred *call;
	struct policy *policy; /* a reference, or NULL */
	json_t *discover;      /* what was found out first, or NULL */
};

static void
explained(void *arg, json_t *result)
{
	static const struct rpc_error failed = { .code = RPC_INTERNAL_ERROR,
		.text = "out of memory" };
	struct explaining *x = arg;

	if (result != NULL && x->discover != NULL)
		json_object_set(result, "discover", x->discover);
	rpc_finish(x->call, result, &failed);
	json_decref(x->discover);
	policy_unref(x->policy);
	free(x);
}

static void
keep_discover(void *arg, json_t *result)
{
	struct explaining *x = arg;

	x->discover = result;
}

/* The policy that the caller wants to try; false with *error set. */
static bool
get_policy(struct handlerd *h, const json_t *params, struct policy **ret, struct rpc_error *error)
{
	const json_t *config = json_object_get(params, "config");
	json_t *errors = NULL;

	*ret = NULL;
	if (config == NULL)
		return true;
	if (!json_is_string(config)) {
		(void)rpc_fail(error, RPC_INVALID_PARAMS, "\"config\" is not a text");
		return false;
	}
	*ret = handlerd_policy_of(h, json_string_value(config), &errors);
	if (*ret == NULL)
		(void)rpc_fail_with(error, RPC_FAILED, errors, "the configuration has %zu mistakes",
		    json_array_size(errors));
	return *ret != NULL;
}

/* Who is asked about: a machine by name, or a request by hand.  False with *error set. */
static bool
get_request(struct handlerd *h, const json_t *params, struct boot_request *r, struct machine *m,
    struct rpc_error *error)
{
	const json_t *given = json_object_get(params, "request");
	const char *name = control_text(params, "machine", error);
	uint64_t id;

	*r = (struct boot_request){ .arch = ARCH_UNKNOWN };
	*m = (struct machine){ .id = 0 };
	if (name == NULL)
		return false;
	if (given != NULL)
		return read_request(given, r, error);
	if (json_object_get(params, "message") != NULL)
		return read_message(params, r, error);
	id = control_machine(h, params, "machine", error);
	if (id != 0 && machines_get(h->inventory.table, id, m)) {
		request_of_machine(h, m, name, r);
		return true;
	}
	/* one that was never seen: what would it get? */
	if (error->code != RPC_NOT_FOUND)
		return false;
	if (strpbrk(name, ":-") != NULL && mac_parse(slice_str(name), &r->mac) == 0)
		return true;
	r->has_uuid = uuid_parse(slice_str(name), &r->uuid) == 0;
	return r->has_uuid;
}

json_t *
rpc_explain(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	const char *stage_text = control_text(params, "stage", error);
	bool ask_web = json_is_true(json_object_get(params, "ask"));
	unsigned may_ask = ask_web ? ~0u : HOOKS_MASK;
	struct explaining *x;
	struct boot_request r, first;
	struct machine m;
	int stage = STAGE_NONE;

	if (stage_text == NULL || !get_request(h, params, &r, &m, error))
		return NULL;
	if (stage_text[0] != '\0' && parse_named(stage_text, stage_name, STAGES, &stage) < 0)
		return rpc_fail(error, RPC_INVALID_PARAMS, "there is no stage \"%s\"", stage_text);
	if (stage == STAGE_NONE && r.stage != STAGE_NONE)
		stage = (int)r.stage;
	set_server(h, &r);
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return NULL;
	x->h = h;
	if (!get_policy(h, params, &x->policy, error)) {
		free(x);
		return NULL;
	}
	if (stage == STAGE_NONE) {
		if (r.arch == ARCH_UNKNOWN)
			r.arch = 7; /* the machine of today: x64 UEFI */
		first = r;
		set_stage(&first, STAGE_DISCOVER, NULL);
		inquire_explain(h, &first, x->policy, 0, keep_discover, x);
	}
	set_stage(
	    &r, stage == STAGE_NONE ? STAGE_BOOT : (enum boot_stage)stage, m.id != 0 ? &m : NULL);
	if (r.client == CLIENT_UNKNOWN && r.stage == STAGE_BOOT)
		r.client = CLIENT_IPXE;
	x->call = rpc_defer(conn);
	if (x->call == NULL) {
		json_decref(x->discover);
		policy_unref(x->policy);
		free(x);
		return NULL;
	}
	inquire_explain(h, &r, x->policy, may_ask, explained, x);
	return NULL;
}

/* --- replaying ---------------------------------------------------------------------------------
 */

static void
replayed(void *arg, json_t *result)
{
	static const struct rpc_error failed = { .code = RPC_FAILED,
		.text = "the recorded requests cannot be read" };

	rpc_finish(arg, result, &failed);
}

json_t *
rpc_replay(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	struct rpc_deferred *call;
	struct policy *policy;
	uint64_t since_ms;

	if (!get_time(params, "since_ms", &since_ms, error))
		return NULL;
	if (json_object_get(params, "config") == NULL)
		return rpc_fail(error, RPC_INVALID_PARAMS, "\"config\" is missing");
	if (!get_policy(h, params, &policy, error))
		return NULL;
	if (since_ms == 0)
		since_ms = wall_clock_ms() - A_DAY_MS;
	call = rpc_defer(conn);
	if (call == NULL || recall_replay(h, policy, since_ms, replayed, call) < 0) {
		static const struct rpc_error failed = { .code = RPC_INTERNAL_ERROR,
			.text = "out of memory" };

		policy_unref(policy);
		if (call != NULL)
			rpc_finish(call, NULL, &failed);
	}
	return NULL;
}

/* --- reloading ---------------------------------------------------------------------------------
 */

json_t *
rpc_reload(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	json_t *errors = NULL, *result;

	(void)conn;
	result =
	    handlerd_reload(arg, NULL, json_is_true(json_object_get(params, "check")), &errors);
	if (result == NULL)
		return rpc_fail_with(error, RPC_FAILED, errors,
		    "the configuration has %zu mistakes; nothing changed", json_array_size(errors));
	return result;
}
