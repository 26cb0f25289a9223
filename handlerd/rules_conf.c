/* The keys of a rule; see rules.h. */
#include "handlerd/extra.h"
#include "handlerd/rules.h"

/* in the order of enum rule_action */
static const char *const actions[] = { "serve", "ignore", "refuse", "loader", "entry", "menu",
	"script", "webservice", "approval", "refer", "quarantine", NULL };

/* those of policy_style(), with one before them for "by firmware" */
static const char *const styles[] = { "", "binl", "pxe10", "pxe10-prompt", "menu", NULL };

#define WHEN(field, key, words)                                                                    \
	{                                                                                          \
		.name = (key), .type = CONFIG_STRINGS,                                             \
		.off = offsetof(struct rule_when, by[field]), .def = "[]", .max = PATTERNS_MAX,    \
		.help = (words)                                                                    \
	}

static const struct config_key when_keys[] = {
	WHEN(RULE_STAGE, "stage", "`discover`, `bootserver`, `file`, `boot`, `report`"),
	WHEN(RULE_CLIENT, "client", "what asks: `pxe`, `ipxe`, `http`"),
	WHEN(RULE_FIRMWARE, "firmware", "`bios`, `uefi`, `http`, `u-boot`, `other`"),
	WHEN(RULE_VIA, "via", "protocol: `dhcp`, `tftp`, `http`, `https`"),
	WHEN(RULE_ARCH, "arch", "CPU (`x64`, `arm64`, `bios`, ...) or number of option 93"),
	WHEN(RULE_MACHINE, "machine",
	    "`new`, `seen`, `unknown`, `approved`, `assigned` ([rules.md](rules.md))"),
	WHEN(RULE_ATTEMPT, "attempt",
	    "how often the firmware began in a row without coming further: `3`, `>=3`, `2-4`"),
	WHEN(RULE_WAITED, "waited_s", "how long the client says that it has been asking: `>=8`"),
	WHEN(RULE_IPXE_VERSION, "ipxe_version", "`<1.21`, `>=2`, `1.0-1.20.9`"),
	WHEN(RULE_IPXE_FEATURE, "ipxe_feature", "`http`, `https`, `efi`, or a tag number"),
	WHEN(RULE_OUTCOME, "outcome",
	    "of the machine's last boot: `none`, `loader`, `script`, `started`, `done`, "
	    "`failed`; `failed<2h`: not longer ago"),
	WHEN(RULE_TIME, "time", "local time: `mon-fri 08:00-17:30`, `sat,sun`, `22:00-06:00`"),
	WHEN(RULE_MAC, "mac", "hardware address or its first octets: `52:54:00`"),
	WHEN(RULE_UUID, "uuid", "UUID, in either byte order"),
	WHEN(RULE_NETWORK, "network",
	    "network of the relay, else of the client, else of our own address: `10.1.0.0/16`"),
	WHEN(RULE_RELAY, "relay", "relay's address (giaddr) or network; `none`: not relayed"),
	WHEN(RULE_SUBNET, "subnet", "name of the asking daemon's instance, with `*` and `?`"),
	WHEN(RULE_INTERFACE, "interface", "interface on which it came"),
	WHEN(RULE_GROUP, "group", "group that the machine is in"),
	WHEN(RULE_MANUFACTURER, "manufacturer", "SMBIOS manufacturer, with `*` and `?`"),
	WHEN(RULE_PRODUCT, "product", "SMBIOS product"),
	WHEN(RULE_SERIAL, "serial", "serial number"),
	WHEN(RULE_ASSET, "asset", "asset tag"),
	WHEN(RULE_CIRCUIT_ID, "circuit_id",
	    "option 82.1, as text, or as `0x0a0b...` if it does not print"),
	WHEN(RULE_REMOTE_ID, "remote_id", "option 82.2, likewise"),
	WHEN(RULE_VENDOR_CLASS, "vendor_class", "option 60"),
	WHEN(RULE_USER_CLASS, "user_class", "option 77"),
	WHEN(RULE_CLIENT_SUBJECT, "client_subject",
	    "subject of the client's own certificate, as RFC 2253 writes it: `CN=pc-17,O=*`"),
	WHEN(RULE_CLIENT_ISSUER, "client_issuer", "its issuer, likewise"),
	WHEN(RULE_CLIENT_SERIAL, "client_serial", "its serial number, hexadecimal"),
	WHEN(RULE_CLIENT_FINGERPRINT, "client_fingerprint", "its SHA-256, hexadecimal"),
	WHEN(RULE_FILE, "file", "name of the file that is asked for"),
	WHEN(RULE_PARAM, "param", "parameter of the boot request: `NAME=PATTERN`"),
	{ 0 },
};

#define AT(member) .off = offsetof(struct rule_conf, member)

const struct config_key rule_keys[] = {
	{ .name = "name",
	    .type = CONFIG_STRING,
	    AT(name),
	    .def = "\"\"",
	    .max = IMAGE_NAME_MAX - 1,
	    .help = "name, for logs and `explain`; letters, digits, `.`, `_`, `-`" },
	{ .name = "when", .type = CONFIG_BLOCK, .sub = when_keys, AT(when) },
	{ .name = "unless", .type = CONFIG_BLOCK, .sub = when_keys, AT(unless) },
	{ .name = "action",
	    .type = CONFIG_ENUM,
	    AT(action),
	    .def = "\"serve\"",
	    .names = actions,
	    .help = "what happens ([rules.md](rules.md))" },
	{ .name = "entry",
	    .type = CONFIG_STRING,
	    AT(entry),
	    .def = "\"\"",
	    .max = IMAGE_NAME_MAX - 1,
	    .help = "entry or image of action `entry`, or that `quarantine` boots" },
	{ .name = "menu",
	    .type = CONFIG_STRING,
	    AT(menu),
	    .def = "\"\"",
	    .max = IMAGE_NAME_MAX - 1,
	    .help = "menu of action `menu`; empty: the menu of all entries" },
	{ .name = "loaders",
	    .type = CONFIG_STRINGS,
	    AT(loaders),
	    .def = "[]",
	    .max = 16,
	    .help = "loaders of action `loader`, in order of preference" },
	{ .name = "options",
	    .type = CONFIG_STRINGS,
	    AT(options),
	    .def = "[]",
	    .max = EXTRA_OPTIONS,
	    .help = "DHCP options that action `loader` adds to its offer, each `CODE:TYPE:VALUE`: "
		    "codes 128 to 254, types `text`, `cstring` (a NUL at its end), `hex`, `ip`, "
		    "`u8`, `u16`, `u32`" },
	{ .name = "targets",
	    .type = CONFIG_STRINGS,
	    AT(targets),
	    .def = "[]",
	    .max = 64,
	    .help = "targets of action `refer`; none: all" },
	{ .name = "style",
	    .type = CONFIG_ENUM,
	    AT(style),
	    .def = "\"\"",
	    .names = styles,
	    .help = "how the loader is offered, whatever was learned; empty: as `offers` says" },
	{ .name = "prompt", .type = CONFIG_BLOCK, .sub = prompt_keys, AT(prompt) },
	{ .name = "standing",
	    .type = CONFIG_STRING,
	    AT(standing),
	    .def = "\"\"",
	    .max = IMAGE_NAME_MAX - 1,
	    .help = "item that the menu stands on for these machines" },
	{ .name = "text",
	    .type = CONFIG_STRING,
	    AT(text),
	    .def = "\"\"",
	    .max = 400,
	    .help = "words for the person at the machine" },
	{ .name = "log",
	    .type = CONFIG_BOOL,
	    AT(log),
	    .def = "false",
	    .help = "decisions by this rule are logged as warnings" },
	{ 0 },
};
