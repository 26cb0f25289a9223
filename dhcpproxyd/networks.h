/*
 * The networks that dhcpproxyd serves: interfaces as the kernel tells of them, and both ports on
 * them.
 */
#ifndef DHCPPROXYD_NETWORKS_H
#define DHCPPROXYD_NETWORKS_H

#include "dhcpproxyd/ports.h"

struct networks_conf {
	const struct config_strings *interfaces;
	const struct ipaddr *address; /* that clients are told; family 0: by interface */
	bool listen_dhcp, listen_boot;
	uint16_t port, boot_port;
	enum ports_mode dhcp_socket; /* not PORTS_OWN */
	listen_packet_fn *dhcp, *boot;
	void (*changed)(void *arg); /* interfaces or addresses are others now */
	void *arg;
};

struct networks;

/* What `conf` points to must stay.  0, or a negative errno after logging why. */
int networks_open(struct loop *loop, const struct networks_conf *conf, struct networks **ret);
void networks_close(struct networks *n); /* NULL is allowed */
/* Stops reading; sending still works. */
void networks_stop(struct networks *n);

/* As ports_send(), from the boot server port or from that of DHCP. */
void networks_send(struct networks *n, bool boot_port, struct slice bytes,
    const struct sockaddr_in *to, int came_by, int ifindex, const uint8_t local[static 4]);
/* "" if there is none; valid until the loop goes on. */
const char *networks_name(const struct networks *n, int ifindex);

/* True if clients of this interface are served, when it is there. */
bool networks_serve(const struct networks *n, int ifindex);
/*
 * For a socket that looks at all that is served: the interface, if it is one alone, and a number
 * that tells it from an earlier one with the same ifindex; 0 for several or all.  -ENODEV if the
 * only one named is not there.
 */
int networks_scope(const struct networks *n, uint32_t *born);
/* How many UDP sockets of ours have the port of DHCP. */
size_t networks_udp_sockets(const struct networks *n);

/*
 * For a self-test: where the port of DHCP is read by packet sockets, what this very host broadcasts
 * to it is given to `fn`, too; UDP sockets get it anyway.  `fn` NULL ends that.  0, or a negative
 * errno: -EPERM without CAP_NET_RAW.
 */
int networks_echo(struct networks *n, int ifindex, listen_packet_fn *fn, void *arg);

/* What handlerd is told: the address configured, else that of the only interface, else none. */
struct ipaddr networks_address(const struct networks *n);
/* Of both ports. */
void networks_get_stats(const struct networks *n, struct ports_stats *ret);
/* What keeps clients from being served, in words; empty if nothing does. */
void networks_problem(const struct networks *n, char *buf, size_t size);
/* Adds "interfaces" to what the control method `status` tells. */
void networks_status(const struct networks *n, json_t *status);

#endif
