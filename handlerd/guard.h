/* The loop guard at work: what is fetched goes to its table, what it says goes to people. */
#ifndef HANDLERD_GUARD_H
#define HANDLERD_GUARD_H

#include "common/rpc.h"
#include "handlerd/boots.h"

#define GUARD_PLACES 16384 /* machines and loaders that are counted */

struct handlerd;

/* A file of a boot was fetched whole; if it is a loader, it counts. */
void guard_fetched(struct handlerd *h, struct boot *b, struct slice path);

/* Methods of the control socket. */
json_t *rpc_loops(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error);
json_t *rpc_loops_release(
    void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error);

#endif
