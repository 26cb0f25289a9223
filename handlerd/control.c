/* The methods of handlerd's control socket. */
#include "common/counters.h"
#include "handlerd/control_decide.h"
#include "handlerd/control_dhcp.h"
#include "handlerd/control_machines.h"
#include "handlerd/control_quirks.h"
#include "handlerd/control_roots.h"
#include "handlerd/control_transfers.h"
#include "handlerd/guard.h"

#include <string.h>
#include <unistd.h>

#define LIST_DEFAULT 50
#define LIST_MAX     10000

/* A parameter that is a whole number within bounds; false with *error set for anything else. */
static bool
get_limit(const json_t *params, int64_t *ret, struct rpc_error *error)
{
	const json_t *v = json_object_get(params, "limit");

	*ret = LIST_DEFAULT;
	if (v == NULL)
		return true;
	if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > LIST_MAX) {
		(void)rpc_fail(error, RPC_INVALID_PARAMS,
		    "\"limit\" is a whole number from 1 to %d", LIST_MAX);
		return false;
	}
	*ret = json_integer_value(v);
	return true;
}

/* A parameter that must be a string; NULL with *error set. */
static const char *
get_name(const json_t *params, const char *key, struct rpc_error *error)
{
	const char *s = json_string_value(json_object_get(params, key));

	if (s == NULL)
		(void)rpc_fail(error, RPC_INVALID_PARAMS, "\"%s\" is missing", key);
	return s;
}

/* What a tftpd carries; NULL for others. */
static json_t *
dump_load(const struct handlerd *h, const struct service *s, uint64_t now_ms)
{
	const struct service_load *l = &s->load;
	int64_t from = h->policy->conf.admission_permille;

	if (l->max_transfers == 0)
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "permille", (json_int_t)l->permille,
	    "transfers", (json_int_t)l->transfers, "max_transfers", (json_int_t)l->max_transfers,
	    "bytes_per_s", (json_int_t)l->bytes_per_s, "retransmit_permille",
	    (json_int_t)l->retransmit_permille, "queue_blocks", (json_int_t)l->queue_blocks,
	    "offers_wait", from != 0 && l->permille >= from && service_is_alive(s, now_ms));
}

static json_t *
dump_service(const struct handlerd *h, const struct service *s, uint64_t now_ms)
{
	char ip[IP_STRLEN], ip6[IP_STRLEN];

	return json_pack(
	    "{s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:I, s:I, s:I, s:b, s:I, s:o, s:o*}",
	    "daemon", daemon_kind_name(s->daemon), "subnet", s->subnet, "address",
	    ip_format(&s->address, ip), "address6", ip_format(&s->address6, ip6), "port", s->port,
	    "http_port", s->http_port, "name", s->host_name, "version", s->version, "pid",
	    (json_int_t)s->pid, "started_ms", (json_int_t)s->started_ms, "seen_ms",
	    (json_int_t)s->seen_ms, "alive", service_is_alive(s, now_ms), "certificate_ms",
	    (json_int_t)s->certificate_ms, "counters", counters_parse(slice_str(s->counters)),
	    "load", dump_load(h, s, now_ms));
}

/* What keeps machines from booting, in words. */
static json_t *
find_problems(const struct handlerd *h, uint64_t now_ms)
{
	static const enum daemon_kind needed[] = { DAEMON_DHCPPROXYD, DAEMON_TFTPD,
		DAEMON_HTTPSBOOTD };
	json_t *list = json_array();

	if (h->root_fd < 0)
		json_array_append_new(list, json_string("the content root cannot be opened"));
	else if (h->catalogue->nloaders == 0)
		json_array_append_new(
		    list, json_string("there is no loader: `ferryctl loaders import` brings them"));
	if (h->catalogue->nimages == 0)
		json_array_append_new(
		    list, json_string("there is no image: `ferryctl images add` makes one"));
	if (h->catalogue->broken > 0)
		json_array_append_new(list,
		    json_string("some of the content cannot be used, the log says which and why"));
	if (styles_count_hopeless(h->styles) > 0)
		json_array_append_new(
		    list, json_string(
			      "some firmware follows no offer: `ferryctl quirks list` tells which, "
			      "`ferryctl dhcp-options` what helps"));
	for (size_t i = 0; i < NITEMS(needed); i++) {
		const struct service *s =
		    services_pick(&h->services, needed[i], (struct slice){ 0 }, now_ms);

		if (s == NULL || !service_is_alive(s, now_ms))
			json_array_append_new(
			    list, json_sprintf("no %s is connected", daemon_kind_name(needed[i])));
	}
	for (size_t i = 0; i < h->services.n; i++) {
		const struct service *s = &h->services.v[i];

		if (s->origin != 0 && s->problem[0] != '\0' && service_is_alive(s, now_ms))
			json_array_append_new(
			    list, json_sprintf("%s of subnet %s: %s", daemon_kind_name(s->daemon),
				      s->subnet, s->problem));
	}
	rivalry_problems(h, now_ms, list);
	return list;
}

/* What decisions are made by, and what waits. */
static json_t *
dump_deciding(const struct handlerd *h)
{
	struct token_uses_stats tokens = token_uses_stats(h->tokens.uses);
	uint64_t newest_ms;
	size_t keys = keyring_count(h->keyring, &newest_ms);

	return json_pack(
	    "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}",
	    "loops_held", (json_int_t)h->loops_held, "server_alarms", (json_int_t)h->rivalry.alarms,
	    "policy", (json_int_t)h->policy->number, "rules",
	    (json_int_t)rules_count(h->policy->rules), "machines",
	    (json_int_t)machines_count(h->inventory.table), "waiting", (json_int_t)h->ninquiries,
	    "late", (json_int_t)h->late_inquiries, "tokens_held", (json_int_t)tokens.held,
	    "tokens_made_room", (json_int_t)tokens.made_room, "token_keys", (json_int_t)keys,
	    "token_key_ms", (json_int_t)newest_ms, "loader_changes",
	    (json_int_t)adapt_changes(h->adapt), "style_changes",
	    (json_int_t)styles_changes(h->styles), "style_remarks_left_out",
	    (json_int_t)h->styles_unremarked, "site", keyring_site(h->keyring));
}

static json_t *
rpc_status(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	json_t *services = json_array(), *reasons = json_object(), *tokens = json_object();
	uint64_t now_ms = wall_clock_ms();
	struct bus_server_stats bus;
	struct store_stats store;

	(void)conn;
	(void)params;
	(void)error;
	bus_server_stats(h->bus, &bus);
	store_get_stats(h->store, &store);
	for (size_t i = 0; i < SERVICES_MAX; i++) {
		if (h->services.v[i].origin != 0)
			json_array_append_new(services, dump_service(h, &h->services.v[i], now_ms));
	}
	for (int i = 0; i < REASONS; i++) {
		if (h->by_reason[i] > 0)
			json_object_set_new(reasons, boot_reason_name((enum boot_reason)i),
			    json_integer((json_int_t)h->by_reason[i]));
	}
	for (int i = 0; i < TOKEN_FAULTS; i++)
		json_object_set_new(tokens, token_fault_name((enum token_fault)i),
		    json_integer((json_int_t)h->by_token_fault[i]));
	return json_pack("{s:s, s:s, s:i, s:I, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o,"
			 " s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I},"
			 " s:{s:I, s:I, s:I, s:I, s:I, s:I},"
			 " s:o?, s:o, s:o, s:o, s:o, s:o, s:o}",
	    "daemon", "handlerd", "version", BOOTFERRY_VERSION, "pid", (int)getpid(), "started_ms",
	    (json_int_t)h->started_ms, "now_ms", (json_int_t)now_ms, "mode",
	    mode_name((enum mode)h->policy->conf.mode), "root", h->conf->root, "loaders",
	    (json_int_t)h->catalogue->nloaders, "images", (json_int_t)h->catalogue->nimages,
	    "open_boots", (json_int_t)boots_count(h->boots), "decisions", (json_int_t)h->decisions,
	    "selftests", (json_int_t)h->selftest.requests, "reasons", reasons, "tokens", tokens,
	    "bus", "messages", (json_int_t)bus.messages, "requests", (json_int_t)bus.requests,
	    "answers", (json_int_t)bus.answers, "events", (json_int_t)bus.events, "malformed",
	    (json_int_t)bus.malformed, "versions", (json_int_t)bus.versions, "connections",
	    (json_int_t)bus.connections, "refused", (json_int_t)bus.refused, "unread",
	    (json_int_t)bus.unread, "store", "records", (json_int_t)store.records, "lost",
	    (json_int_t)store.lost, "stored", (json_int_t)store.stored, "commits",
	    (json_int_t)store.commits, "failures", (json_int_t)store.failures, "waiting_bytes",
	    (json_int_t)store.waiting, "kept", store_count(h->store), "services", services,
	    "problems", find_problems(h, now_ms), "deciding", dump_deciding(h), "sources",
	    sources_status(h->sources), "targets",
	    h->prober != NULL ? prober_status(h->prober) : json_array(), "transfers",
	    control_transfers_counts(h));
}

static json_t *
rpc_boots_list(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	const char *name = json_string_value(json_object_get(params, "machine"));
	uint64_t ids[CONTROL_MACHINES];
	struct store_machine_names of = { .ids = ids };
	int64_t limit;

	(void)conn;
	if (!get_limit(params, &limit, error))
		return NULL;
	if (name == NULL && json_object_get(params, "machine") != NULL)
		return rpc_fail(error, RPC_INVALID_PARAMS, "\"machine\" is not a string");
	if (name == NULL)
		return store_list_boots(h->store, NULL, limit);
	/* an adapter that identifies no machine has boots all the same */
	(void)mac_parse(slice_str(name), &of.mac);
	of.nids = machines_find(h->inventory.table, name, ids, NITEMS(ids));
	if (of.nids > NITEMS(ids))
		of.nids = NITEMS(ids);
	return store_list_boots(h->store, &of, limit);
}

static json_t *
rpc_boots_show(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	const char *id = get_name(params, "id", error);
	json_t *boot;
	uint64_t n;

	(void)conn;
	if (id == NULL)
		return NULL;
	boot = boot_id_parse(slice_str(id), &n) == 0 ? store_show_boot(h->store, n) : NULL;
	if (boot != NULL)
		json_object_set_new(boot, "transfers", control_boot_transfers(h, n));
	return boot != NULL ? boot : rpc_fail(error, RPC_NOT_FOUND, "there is no boot \"%s\"", id);
}

static json_t *
rpc_boots_watch(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	(void)arg;
	(void)params;
	(void)error;
	rpc_subscribe(conn);
	return json_true();
}

static json_t *
rpc_machines_list(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	int64_t limit;

	(void)conn;
	if (!get_limit(params, &limit, error))
		return NULL;
	return store_list_machines(h->store, limit);
}

static json_t *
rpc_images_list(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	json_t *list = json_array();

	(void)conn;
	(void)params;
	(void)error;
	for (size_t i = 0; i < h->catalogue->nimages; i++)
		json_array_append_new(list, image_dump(&h->catalogue->images[i]));
	return list;
}

static json_t *
rpc_images_show(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	const char *name = get_name(params, "name", error);
	const struct image *im;

	(void)conn;
	if (name == NULL)
		return NULL;
	im = catalogue_image(h->catalogue, name);
	return im != NULL ? image_dump(im)
	                  : rpc_fail(error, RPC_NOT_FOUND, "there is no image \"%s\"", name);
}

static json_t *
rpc_loaders_list(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	json_t *list = json_array();

	(void)conn;
	(void)params;
	(void)error;
	for (size_t i = 0; i < h->catalogue->nloaders; i++) {
		const struct loader *l = &h->catalogue->loaders[i];

		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:b}", "path", l->path,
			"kind", loader_kind_name(l->info.kind), "arch", arch_cpu_name(l->info.cpu),
			"version", l->info.version, "https", loader_https_name(l->info.https),
			"trust", loader_trust_words(l->info.trust), "source",
			h->catalogue->sources[i], "size", (json_int_t)l->size, "offered",
			h->catalogue->best[l->info.cpu] == l, "by_name", l->info.cpu_by_name));
	}
	return list;
}

static json_t *
rpc_config_show(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	const struct handlerd *h = arg;

	(void)conn;
	(void)params;
	(void)error;
	return config_dump(&handlerd_config, h->conf);
}

const struct rpc_method handlerd_methods[] = {
	{ "status", rpc_status, "",
	    "this handlerd, the front daemons that it knows, and what is wrong" },
	{ "boots.list", rpc_boots_list, "limit?, machine?", "boots, newest first" },
	{ "boots.show", rpc_boots_show, "id",
	    "one boot with its timeline and its transfers under way" },
	{ "transfers", rpc_transfers, "limit?",
	    "the transfers under way, the one heard of last first" },
	{ "boots.watch", rpc_boots_watch, "",
	    "from now on, each new line of a timeline as a notification \"entry\"" },
	{ "machines.list", rpc_machines_list, "limit?", "machines, last seen first" },
	{ "machines.show", rpc_machines_show, "machine",
	    "one machine, by #ID, MAC, UUID, serial number or asset tag, with its boots and "
	    "events" },
	{ "machines.duplicates", rpc_machines_duplicates, "limit?",
	    "identifiers that several machines share, with reasons" },
	{ "machines.merge", rpc_machines_merge, "into, from, by?",
	    "makes one machine of two; the id of `from` then leads to `into`" },
	{ "machines.split", rpc_machines_split, "machine, identifiers, by?",
	    "makes a new machine of some of a machine's identifiers" },
	{ "machines.identify", rpc_machines_identify,
	    "mac?, uuid?, serial?, asset?, manufacturer?, product?, relay?, remote?, circuit?",
	    "the machine that such a claim would be found to be, with all evidence" },
	{ "machines.roots", rpc_machines_roots, "sha256, days?, limit?",
	    "how many machines have been told of a root certificate, and which have not" },
	{ "machines.assign", rpc_assign, "machine, entry, once?, until_ms?, by?",
	    "the entry that a machine boots, whatever the rules say; \"\" takes it away" },
	{ "machines.set_state", rpc_set_state, "machine, state, by?",
	    "new, approved, denied, blocked, held or quarantined" },
	{ "machines.set_group", rpc_set_group, "machine, group, by?",
	    "the group that it is in, for rules; \"\": none" },
	{ "machines.waiting", rpc_waiting, "", "machines that wait for approval or release" },
	{ "explain", rpc_explain, "machine | request | message, stage?, config?, ask?",
	    "what a machine would get now, who decides that, and who does not and why" },
	{ "replay", rpc_replay, "config, since_ms?",
	    "machines whose answers another configuration would change, by what they really "
	    "asked" },
	{ "loaders.forget", rpc_loaders_forget, "machine",
	    "what was learned about loaders on a machine" },
	{ "loops", rpc_loops, "", "machines that the loop guard holds" },
	{ "loops.release", rpc_loops_release, "mac?", "lets one of them go, or all" },
	{ "rivals", rpc_rivals, "", "other DHCP and PXE servers, and what they do to clients" },
	{ "rivals.accept", rpc_rivals_accept, "server",
	    "the servers with this address or MAC are usual ones" },
	{ "rivals.forget", rpc_rivals_forget, "server?",
	    "forgets the servers with this address or MAC, or all" },
	{ "quirks.list", rpc_quirks_list, "",
	    "models of firmware, which styles of offers they follow, and which loaders live" },
	{ "quirks.show", rpc_quirks_show, "model", "one model of firmware" },
	{ "quirks.export", rpc_quirks_export, "", "what other sites may know of models" },
	{ "quirks.import", rpc_quirks_import, "quirks, name?, at?, check?",
	    "takes over an export, all of it or nothing; with `check` it only looks for mistakes" },
	{ "quirks.forget", rpc_quirks_forget, "model", "what is known of a model goes" },
	{ "images.list", rpc_images_list, "", "the images that are offered" },
	{ "images.show", rpc_images_show, "name", "one image" },
	{ "loaders.list", rpc_loaders_list, "", "network boot programs, what they are and can do" },
	{ "dhcp.options", rpc_dhcp_options, "subnet?, address?, address6?",
	    "what a DHCP server must hand out where no dhcpproxyd does: server, loaders, URLs, "
	    "fingerprints" },
	{ "config.show", rpc_config_show, "", "the effective configuration" },
	{ "reload", rpc_reload, "check?",
	    "reads the configuration file and the content root again, all of it or nothing; with "
	    "`check` it only tells what would change" },
	{ 0 },
};
