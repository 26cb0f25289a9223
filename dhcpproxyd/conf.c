/* The configuration keys of dhcpproxyd. */
#include "dhcpproxyd/dhcpproxyd.h"
#include "dhcpproxyd/rate.h"
#include "dhcpproxyd/rtnl.h"
#include "dhcpproxyd/servers.h"

#include <stdio.h>
#include <string.h>

/* By enum ports_mode. */
static const char *const sockets[] = { "auto", "udp", "packet", NULL };

#define AT(member) .off = offsetof(struct dhcpproxyd_conf, member)

/* enum dhcp6_listen */
static const char *const listen_names[] = { "auto", "raw", "udp", "off", NULL };

static const struct config_key keys[] = {
	{ .name = "interface",
	    .type = CONFIG_STRINGS,
	    AT(interfaces),
	    .def = "[]",
	    .max = 64,
	    .flags = CONFIG_COMMAS | CONFIG_RESTART,
	    .help = "network interfaces to listen on, by name or pattern (`eth0.*`), also such as "
		    "come later; empty: all of them" },
	{ .name = "address",
	    .type = CONFIG_IP,
	    AT(address),
	    .def = "\"\"",
	    .flags = CONFIG_SHARED,
	    .help = "IPv4 address that clients are told; empty: that of the interface on which "
		    "they ask" },
	{ .name = "address6",
	    .type = CONFIG_IP,
	    AT(address6),
	    .def = "\"\"",
	    .flags = CONFIG_SHARED,
	    .help = "IPv6 address that clients are told; empty: a lasting one of the interface on "
		    "which they ask" },
	{ .name = "port",
	    .type = CONFIG_INT,
	    AT(port),
	    .def = "67",
	    .min = 1,
	    .max = 65535,
	    .flags = CONFIG_RESTART,
	    .help = "UDP port of the proxyDHCP service" },
	{ .name = "boot_port",
	    .type = CONFIG_INT,
	    AT(boot_port),
	    .def = "4011",
	    .min = 1,
	    .max = 65535,
	    .flags = CONFIG_RESTART,
	    .help = "UDP port of the PXE boot server" },
	{ .name = "dhcp_socket",
	    .type = CONFIG_ENUM,
	    AT(dhcp_socket),
	    .def = "\"auto\"",
	    .names = sockets,
	    .flags = CONFIG_RESTART,
	    .help = "how `port` is read: `udp`, shared with a DHCP server of this host if that "
		    "allows it; `packet`, seeing the server's packets without taking any away; "
		    "`auto`: `udp` while nobody else holds the port, else `packet`" },
	{ .name = "listen_dhcp",
	    .type = CONFIG_BOOL,
	    AT(listen_dhcp),
	    .def = "true",
	    .flags = CONFIG_RESTART,
	    .help = "answer on `port`" },
	{ .name = "listen_boot",
	    .type = CONFIG_BOOL,
	    AT(listen_boot),
	    .def = "true",
	    .flags = CONFIG_RESTART,
	    .help = "answer on `boot_port`" },
	{ .name = "listen_dhcp6",
	    .type = CONFIG_ENUM,
	    AT(listen_dhcp6),
	    .def = "\"auto\"",
	    .names = listen_names,
	    .flags = CONFIG_RESTART,
	    .help =
		"answer boot clients over IPv6, on port 547 and, with `listen_boot`, on "
		"`boot_port`; `raw` goes together with a DHCPv6 server on this host, `udp` holds "
		"port 547, `auto` is `raw` where that is allowed, else `udp`" },
	{ .name = "reply_delay_ms",
	    .type = CONFIG_INT,
	    AT(reply_delay_ms),
	    .def = "0",
	    .max = 2000,
	    .unit = "ms",
	    .help = "wait before an offer to firmware, for ROMs that lose instant replies; iPXE "
		    "is always answered at once" },
	{ .name = "max_pending",
	    .type = CONFIG_INT,
	    AT(max_pending),
	    .def = "8192",
	    .min = 16,
	    .max = 65536,
	    .flags = CONFIG_RESTART,
	    .help = "requests waiting for handlerd; more are dropped, and the clients ask again" },
	{ .name = "client_rate",
	    .type = CONFIG_INT,
	    AT(client_rate),
	    .def = "50",
	    .max = RATE_MAX,
	    .unit = "a second",
	    .help = "requests that one client (hardware address) may send on average; what is "
		    "more is dropped before handlerd sees it; 0: no limit" },
	{ .name = "client_burst",
	    .type = CONFIG_INT,
	    AT(client_burst),
	    .def = "100",
	    .min = 1,
	    .max = RATE_MAX,
	    .help = "requests that one client may send at once, after a pause" },
	{ .name = "max_clients",
	    .type = CONFIG_INT,
	    AT(max_clients),
	    .def = "65536",
	    .min = 64,
	    .max = 16777216,
	    .flags = CONFIG_RESTART,
	    .help = "clients whose rates are known at once, 16 bytes each; those silent longest "
		    "make room" },
	{ .name = "total_rate",
	    .type = CONFIG_INT,
	    AT(total_rate),
	    .def = "0",
	    .max = RATE_MAX,
	    .unit = "a second",
	    .help = "the same for all clients together; 0: no limit" },
	{ .name = "total_burst",
	    .type = CONFIG_INT,
	    AT(total_burst),
	    .def = "100000",
	    .min = 1,
	    .max = RATE_MAX,
	    .help = "requests of all clients together at once, after a pause" },
	{ .name = "self_test",
	    .type = CONFIG_BOOL,
	    AT(self_test),
	    .def = "true",
	    .flags = CONFIG_RESTART,
	    .help =
		"some seconds after the start, look for what keeps clients from booting and log "
		"what is wrong" },
	{ .name = "watch_servers",
	    .type = CONFIG_BOOL,
	    AT(watch_servers),
	    .def = "true",
	    .flags = CONFIG_RESTART,
	    .help = "see what other DHCP and PXE servers send to clients, and tell of what keeps "
		    "clients from here; needs CAP_NET_RAW" },
	{ .name = "probe_servers_s",
	    .type = CONFIG_INT,
	    AT(probe_servers_s),
	    .def = "3600",
	    .max = 604800,
	    .unit = "s",
	    .help =
		"how often, and at the start, other servers are asked by DISCOVERs like those "
		"of firmware, as some answer clients in a way that nobody else sees; 0: never" },
	{ .name = "expected_servers",
	    .type = CONFIG_STRINGS,
	    AT(expected_servers),
	    .def = "[]",
	    .max = SERVERS_MAX,
	    .help = "other servers that are known to be there, by address or MAC: they are noted "
		    "without alarm" },
	{ .name = "siblings",
	    .type = CONFIG_STRINGS,
	    AT(siblings),
	    .def = "[]",
	    .max = SERVERS_MAX,
	    .help = "other Bootferrys on this network, by address or MAC: they are no rivals" },
	{ .name = "yield_to",
	    .type = CONFIG_STRINGS,
	    AT(yield_to),
	    .def = "[]",
	    .max = SERVERS_MAX,
	    .help = "PXE servers, by address or MAC, that have the first word: a client gets an "
		    "offer only if none of them has made it one within `yield_ms`; they must be "
		    "on the same network" },
	{ .name = "yield_ms",
	    .type = CONFIG_INT,
	    AT(yield_ms),
	    .def = "700",
	    .min = 50,
	    .max = 2000,
	    .unit = "ms",
	    .help = "how long an offer waits for one of `yield_to`; for iPXE at most 900, as it "
		    "waits no longer" },
	{ .name = "front", .type = CONFIG_INCLUDE, .sub = front_keys },
	{ 0 },
};

/* The kernel's rules for names; patterns add * and the like. */
static void
check_interfaces(const struct config_strings *list, config_error_fn *error, void *arg)
{
	char what[80];

	for (size_t i = 0; i < list->n; i++) {
		const char *name = list->v[i];

		if (name[0] != '\0' && strlen(name) < RTNL_NAME &&
		    name[strcspn(name, "/: \t\n")] == '\0')
			continue;
		(void)snprintf(
		    what, sizeof(what), "\"%.32s\" is not the name of a network interface", name);
		error(arg, "interface", what);
	}
}

/* What clients are told must be somebody whom they can ask. */
static void
check_host(const struct ipaddr *ip, const char *key, config_error_fn *error, void *arg)
{
	/* from 224.0.0.0 on: groups, what is reserved, the broadcast (RFC 5771, RFC 1112) */
	if ((ip->family != 0 && ip_is_any(ip)) || (ip->family == 4 && ip->b[0] >= 224) ||
	    (ip->family == 6 && ip->b[0] == 0xff))
		error(arg, key, "it is not the address of a host");
}

static void
check(const void *conf, config_error_fn *error, void *arg)
{
	const struct dhcpproxyd_conf *c = conf;
	struct servers ignored;

	front_check(conf, error, arg);
	front_check_addresses(&c->address, &c->address6, error, arg);
	check_host(&c->address, "address", error, arg);
	check_host(&c->address6, "address6", error, arg);
	if (c->listen_dhcp && c->listen_boot && c->port == c->boot_port)
		error(arg, "boot_port", "it is the same as `port`");
	(void)servers_parse(&c->expected_servers, "expected_servers", error, arg, &ignored);
	(void)servers_parse(&c->siblings, "siblings", error, arg, &ignored);
	(void)servers_parse(&c->yield_to, "yield_to", error, arg, &ignored);
	check_interfaces(&c->interfaces, error, arg);
}

const struct config_table dhcpproxyd_config = {
	.daemon = "dhcpproxyd",
	.keys = keys,
	.size = sizeof(struct dhcpproxyd_conf),
	.check = check,
};
