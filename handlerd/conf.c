/* The configuration keys of handlerd. */
#include "common/bus_client.h"
#include "common/bus_url.h"
#include "common/log.h"
#include "handlerd/handlerd.h"

#include <stdio.h>
#include <string.h>

static const char *const log_levels[] = { "error", "warning", "info", "debug", NULL };
#define AT(member) .off = offsetof(struct handlerd_conf, member)

static const struct config_key identity_keys[] = {
	{ .name = "shared_adapters",
	    .type = CONFIG_STRINGS,
	    AT(identity.shared_adapters),
	    .def = "[]",
	    .max = 1000,
	    .help = "hardware addresses of USB adapters and docks that go from machine to machine, "
		    "whole or as `00:e0:4c:*`: they do not identify" },
	{ .name = "bad_uuids",
	    .type = CONFIG_STRINGS,
	    AT(identity.bad_uuids),
	    .def = "[]",
	    .max = 1000,
	    .help =
		"UUIDs that do not identify, in either byte order, beside the well-known ones" },
	{ .name = "bad_serials",
	    .type = CONFIG_STRINGS,
	    AT(identity.bad_serials),
	    .def = "[]",
	    .max = 1000,
	    .help = "serial numbers and asset tags that do not identify, in any case, beside the "
		    "well-known ones" },
	{ 0 },
};

static const struct config_key keys[] = {
	{ .name = "listen",
	    .type = CONFIG_STRINGS,
	    AT(listen),
	    .def = "[\"ipc:///run/bootferry/handlerd.ipc\"]",
	    .min = 1,
	    .max = BUS_HANDLERS,
	    .flags = CONFIG_RESTART,
	    .help = "nng URLs where front daemons ask" },
	{ .name = "listen_ca",
	    .type = CONFIG_STRING,
	    AT(listen_ca),
	    .def = "\"\"",
	    .max = 4096,
	    .flags = CONFIG_RESTART,
	    .help = "PEM file with the CA of the front daemons' certificates, for `tls+tcp` URLs" },
	{ .name = "listen_certificate",
	    .type = CONFIG_STRING,
	    AT(listen_certificate),
	    .def = "\"\"",
	    .max = 4096,
	    .flags = CONFIG_RESTART,
	    .help = "PEM file with handlerd's certificate and key, for `tls+tcp` URLs" },
	{ .name = "control",
	    .type = CONFIG_STRING,
	    AT(control),
	    .def = "\"/run/bootferry/handlerd.sock\"",
	    .max = 107,
	    .flags = CONFIG_RESTART,
	    .help = "Unix socket of the control interface" },
	{ .name = "user",
	    .type = CONFIG_STRING,
	    AT(user),
	    .def = "\"\"",
	    .max = 64,
	    .flags = CONFIG_RESTART,
	    .help = "account to run as when started by root, or `uid:gid`; empty: "
		    "`bootferry-handlerd`" },
	{ .name = "log_level",
	    .type = CONFIG_ENUM,
	    AT(log_level),
	    .def = "\"info\"",
	    .names = log_levels,
	    .flags = CONFIG_SHARED,
	    .help = "the least severe lines that are logged" },
	{ .name = "store",
	    .type = CONFIG_STRING,
	    AT(store),
	    .def = "\"sqlite:/var/lib/bootferry/handlerd/store.db\"",
	    .max = 4096,
	    .flags = CONFIG_RESTART,
	    .help = "where machines and boots are kept: `sqlite:PATH`" },
	{ .name = "root",
	    .type = CONFIG_STRING,
	    AT(root),
	    .def = "\"/var/lib/bootferry/content\"",
	    .max = 4096,
	    .flags = CONFIG_RESTART,
	    .help = "content root" },
	{ .name = "policy", .type = CONFIG_INCLUDE, .sub = policy_keys, AT(policy) },
	{ .name = "webservice", .type = CONFIG_BLOCK, .sub = webservice_keys, AT(webservice) },
	{ .name = "tokens", .type = CONFIG_BLOCK, .sub = token_keys, AT(tokens) },
	{ .name = "loop_guard", .type = CONFIG_BLOCK, .sub = loops_keys, AT(loop_guard) },
	{ .name = "identity", .type = CONFIG_BLOCK, .sub = identity_keys },
	{ .name = "boot_idle_s",
	    .type = CONFIG_INT,
	    AT(boot_idle_s),
	    .def = "900",
	    .min = 60,
	    .max = 86400,
	    .unit = "s",
	    .help = "a machine that was silent for so long begins a new boot" },
	{ .name = "max_open_boots",
	    .type = CONFIG_INT,
	    AT(max_open_boots),
	    .def = "65536",
	    .min = 16,
	    .max = 4000000,
	    .flags = CONFIG_RESTART,
	    .help = "boots under way that are kept in memory" },
	{ .name = "max_inquiries",
	    .type = CONFIG_INT,
	    AT(max_inquiries),
	    .def = "20000",
	    .min = 16,
	    .max = 1000000,
	    .help = "requests that wait for a script or the web service; one more is answered "
		    "without" },
	{ .name = "keep_requests_h",
	    .type = CONFIG_INT,
	    AT(keep_requests_h),
	    .def = "48",
	    .max = 8760,
	    .unit = "h",
	    .help = "how long requests are kept for `ferryctl replay`; 0: none is" },
	{ .name = "keep_days",
	    .type = CONFIG_INT,
	    AT(keep_days),
	    .def = "90",
	    .min = 1,
	    .max = 36500,
	    .unit = "days",
	    .help = "how long boots stay in the store" },
	{ .name = "max_boots",
	    .type = CONFIG_INT,
	    AT(max_boots),
	    .def = "1000000",
	    .min = 1000,
	    .max = 100000000,
	    .help = "boots in the store; the oldest make room" },
	{ .name = "max_machines",
	    .type = CONFIG_INT,
	    AT(max_machines),
	    .def = "1000000",
	    .min = 1000,
	    .max = 100000000,
	    .help =
		"machines in memory (some 300 bytes each) and in the store; those unseen longest "
		"make room, last those that somebody decided about" },
	{ .name = "learn_servers_h",
	    .type = CONFIG_INT,
	    AT(learn_servers_h),
	    .def = "24",
	    .max = 8760,
	    .unit = "h",
	    .help = "other DHCP and PXE servers that are seen in the first hours are usual ones; "
		    "later ones are an alarm" },
	{ .name = "max_entries",
	    .type = CONFIG_INT,
	    AT(max_entries),
	    .def = "10000000",
	    .min = 10000,
	    .max = 1000000000,
	    .help = "lines of timelines in the store, some 200 bytes each; the oldest make room" },
	{ 0 },
};

const char *
handlerd_store_path(const char *store)
{
	static const char sqlite[] = "sqlite:";

	return strncmp(store, sqlite, sizeof(sqlite) - 1) == 0 && store[sizeof(sqlite) - 1] != '\0'
	           ? store + sizeof(sqlite) - 1
	           : NULL;
}

/* What only shows when the policy is compiled. */
static void
check_policy(const struct handlerd_conf *c, config_error_fn *error, void *arg)
{
	struct policy_conf conf = c->policy;
	struct policy *policy;

	handlerd_link_policy(&conf, &c->webservice);
	if (policy_new(&conf, 0, error, arg, &policy) == 0)
		policy_unref(policy);
}

void
handlerd_link_policy(struct policy_conf *policy, const struct webservice_conf *web)
{
	policy->ask_webservice = web->urls.n > 0 && web->features[WS_BOOT_REQUEST];
	policy->webservice_fallback = web->fallbacks[WS_BOOT_REQUEST];
	policy->winpe_features = 0;
	for (int i = 0; i < WS_FEATURES; i++) {
		if (ws_features[i].kind != WS_CONTENT)
			continue;
		if (web->urls.n > 0 && web->features[i])
			policy->winpe_features |= 1u << i;
		policy->winpe_fallbacks[i] = web->fallbacks[i];
	}
}

static void
check(const void *conf, config_error_fn *error, void *arg)
{
	const struct handlerd_conf *c = conf;
	char what[256];

	bus_check_urls(&c->listen, "listen", c->listen_ca, c->listen_certificate, error, arg);
	if (handlerd_store_path(c->store) == NULL) {
		(void)snprintf(
		    what, sizeof(what), "\"%.150s\" is not of the form sqlite:PATH", c->store);
		error(arg, "store", what);
	}
	webservice_check(&c->webservice, "webservice", error, arg);
	check_policy(c, error, arg);
	for (size_t i = 0; i < c->identity.shared_adapters.n; i++) {
		if (identity_check_adapter(c->identity.shared_adapters.v[i]) == 0)
			continue;
		(void)snprintf(what, sizeof(what),
		    "\"%.60s\" is no hardware address and no beginning of one with a '*'",
		    c->identity.shared_adapters.v[i]);
		error(arg, "identity.shared_adapters", what);
	}
	for (size_t i = 0; i < c->identity.bad_uuids.n; i++) {
		struct uuid uuid;

		if (uuid_parse(slice_str(c->identity.bad_uuids.v[i]), &uuid) == 0)
			continue;
		(void)snprintf(
		    what, sizeof(what), "\"%.60s\" is no UUID", c->identity.bad_uuids.v[i]);
		error(arg, "identity.bad_uuids", what);
	}
}

const struct config_table handlerd_config = {
	.daemon = "handlerd",
	.keys = keys,
	.size = sizeof(struct handlerd_conf),
	.check = check,
};
