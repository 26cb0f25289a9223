/*
 * dhcpproxyd's part in a self-test: the control socket names the machines that are not there; see
 * emulated.h.
 */
#ifndef DHCPPROXYD_SELFTEST_H
#define DHCPPROXYD_SELFTEST_H

#include "common/rpc.h"
#include "dhcpproxyd/emulated.h"
#include "dhcpproxyd/networks.h"

struct selftest {
	struct loop *loop;
	struct networks *networks;
	listen_packet_fn *fn;
	void *arg;
	struct loop_timer over;
	struct emulated emulated;
};

/* `fn` takes packets of these machines that the sockets of DHCP's port do not see. */
void selftest_init(struct selftest *t, struct loop *loop, struct networks *networks,
    listen_packet_fn *fn, void *arg);
/* Before the networks are closed; harmless if it was never made. */
void selftest_fini(struct selftest *t);

/* The control method: a new result, or NULL with *error. */
json_t *selftest_begin(struct selftest *t, const json_t *params, struct rpc_error *error);

#endif
