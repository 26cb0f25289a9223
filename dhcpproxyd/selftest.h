/*
 * dhcpproxyd's part in a self-test: the control socket names the machines that are not there, and
 * at the start a short test looks for what keeps clients from booting.
 */
#ifndef DHCPPROXYD_SELFTEST_H
#define DHCPPROXYD_SELFTEST_H

#include "common/rpc.h"
#include "dhcpproxyd/emulated.h"

struct selftest {
	struct loop *loop;
	struct emulated emulated;
};

/* The control method: a new result, or NULL with *error. */
json_t *selftest_begin(struct selftest *t, const json_t *params, struct rpc_error *error);

#endif
