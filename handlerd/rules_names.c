/* The names of what rules are about: fields, small numbers, actions, outcomes; see rules.h. */
#include "handlerd/rules_parts.h"

static const struct {
	const char *name;
	enum field_kind kind;
} fields[RULE_FIELDS] = {
	[RULE_STAGE] = { "stage", KIND_NAMES },
	[RULE_CLIENT] = { "client", KIND_NAMES },
	[RULE_FIRMWARE] = { "firmware", KIND_NAMES },
	[RULE_VIA] = { "via", KIND_NAMES },
	[RULE_ARCH] = { "arch", KIND_ARCH },
	[RULE_MACHINE] = { "machine", KIND_NAMES },
	[RULE_ATTEMPT] = { "attempt", KIND_RANGE },
	[RULE_WAITED] = { "waited_s", KIND_RANGE },
	[RULE_IPXE_VERSION] = { "ipxe_version", KIND_RANGE },
	[RULE_IPXE_FEATURE] = { "ipxe_feature", KIND_NAMES },
	[RULE_OUTCOME] = { "outcome", KIND_OUTCOME },
	[RULE_TIME] = { "time", KIND_TIME },
	[RULE_MAC] = { "mac", KIND_MAC },
	[RULE_UUID] = { "uuid", KIND_UUID },
	[RULE_NETWORK] = { "network", KIND_NETWORK },
	[RULE_RELAY] = { "relay", KIND_NETWORK },
	[RULE_SUBNET] = { "subnet", KIND_GLOB },
	[RULE_INTERFACE] = { "interface", KIND_GLOB },
	[RULE_GROUP] = { "group", KIND_GLOB },
	[RULE_MANUFACTURER] = { "manufacturer", KIND_GLOB },
	[RULE_PRODUCT] = { "product", KIND_GLOB },
	[RULE_SERIAL] = { "serial", KIND_GLOB },
	[RULE_ASSET] = { "asset", KIND_GLOB },
	[RULE_CIRCUIT_ID] = { "circuit_id", KIND_GLOB },
	[RULE_REMOTE_ID] = { "remote_id", KIND_GLOB },
	[RULE_VENDOR_CLASS] = { "vendor_class", KIND_GLOB },
	[RULE_USER_CLASS] = { "user_class", KIND_GLOB },
	[RULE_CLIENT_SUBJECT] = { "client_subject", KIND_GLOB },
	[RULE_CLIENT_ISSUER] = { "client_issuer", KIND_GLOB },
	[RULE_CLIENT_SERIAL] = { "client_serial", KIND_GLOB },
	[RULE_CLIENT_FINGERPRINT] = { "client_fingerprint", KIND_GLOB },
	[RULE_FILE] = { "file", KIND_GLOB },
	[RULE_PARAM] = { "param", KIND_PARAM },
};
static const char *const action_names[RULE_ACTIONS] = { "serve", "ignore", "refuse", "loader",
	"entry", "menu", "script", "webservice", "approval", "refer", "quarantine" };
static const char *const outcome_names[OUTCOMES] = { "none", "loader", "script", "started", "done",
	"failed" };
static const char *const machine_names[RULE_MACHINES] = { "new", "seen", "unknown", "approved",
	"assigned" };

const char *
rule_action_name(enum rule_action v)
{
	return (size_t)v < NITEMS(action_names) ? action_names[v] : "?";
}

const char *
rule_field_name(enum rule_field v)
{
	return (size_t)v < NITEMS(fields) ? fields[v].name : "?";
}

const char *
rule_outcome_name(enum rule_outcome v)
{
	return (size_t)v < NITEMS(outcome_names) ? outcome_names[v] : "?";
}
enum field_kind
rule_field_kind(enum rule_field field)
{
	return fields[field].kind;
}

/* --- names of small numbers ----------------------------------------------------------------- */

static const char *
stage_name(int v)
{
	return v > 0 && v < STAGES ? boot_stage_name((enum boot_stage)v) : NULL;
}

static const char *
client_name(int v)
{
	return v > 0 && v < CLIENTS ? boot_client_name((enum boot_client)v) : NULL;
}

static const char *
via_name(int v)
{
	return v > 0 && v < VIAS ? boot_via_name((enum boot_via)v) : NULL;
}

static const char *
firmware_name(int v)
{
	return v > 0 && v < ARCH_KINDS ? arch_kind_name((enum arch_kind)v) : NULL;
}

static const char *
machine_name(int v)
{
	return v < RULE_MACHINES ? machine_names[v] : NULL;
}

/* Tags of option 175 as ipxe_features counts them. */
static const char *
feature_name(int v)
{
	static const char *const names[] = {
		[0x13 - 16] = "http",
		[0x14 - 16] = "https",
		[0x24 - 16] = "efi",
	};

	return v < (int)NITEMS(names) ? names[v] : NULL;
}

const char *
rule_value_name(enum rule_field field, int v)
{
	switch (field) {
	case RULE_STAGE: return stage_name(v);
	case RULE_CLIENT: return client_name(v);
	case RULE_FIRMWARE: return firmware_name(v);
	case RULE_VIA: return via_name(v);
	case RULE_MACHINE: return machine_name(v);
	case RULE_IPXE_FEATURE: return feature_name(v);
	default: return NULL;
	}
}
