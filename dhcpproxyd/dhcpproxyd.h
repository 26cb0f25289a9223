/*
 * dhcpproxyd: the proxyDHCP service (port 67) and the PXE boot server (port 4011) of one subnet.
 *
 * A packet becomes a question to handlerd; its answer becomes a reply, or silence, so that another
 * server may answer.  Without handlerd there is silence.  Nothing is decided here, and nothing is
 * remembered beyond the questions under way.
 */
#ifndef DHCPPROXYD_DHCPPROXYD_H
#define DHCPPROXYD_DHCPPROXYD_H

#include "common/front.h"

struct dhcpproxyd_conf {
	struct front_conf front;
	struct config_strings interfaces;
	struct ipaddr address;
	struct ipaddr address6;
	int64_t port;
	int64_t boot_port;
	int dhcp_socket; /* enum ports_mode */
	bool listen_dhcp;
	bool listen_boot;
	int listen_dhcp6; /* enum dhcp6_listen */
	int64_t reply_delay_ms;
	int64_t max_pending;
	int64_t client_rate, client_burst; /* requests a second, and at once, of one client */
	int64_t total_rate, total_burst;   /* of all; 0: no limit */
	int64_t max_clients;               /* whose rates are known */
	bool self_test;
	bool watch_servers;
	int64_t probe_servers_s;
	struct config_strings expected_servers, siblings, yield_to;
	int64_t yield_ms;
};

extern const struct config_table dhcpproxyd_config;

struct dhcpproxyd;

/* Binds the ports.  0, or a negative errno after logging why. */
int dhcpproxyd_open(struct dhcpproxyd **ret, struct dhcpproxyd_conf *conf, const struct opts *opts);
/* Gives up root, connects to handlerd and serves until SIGTERM. */
int dhcpproxyd_run(struct dhcpproxyd *d);
void dhcpproxyd_close(struct dhcpproxyd *d);

#endif
