/*
 * The other servers of all subnets, as dhcpproxyds tell of them: which are usual, and which are new
 * and so an alarm.
 *
 * In the first `learn_servers_h` hours after this handlerd first heard of a server, all that it
 * hears of are usual ones; later ones are new until somebody accepts them or the configuration of
 * their subnet names them (`expected_servers`, `siblings`).
 */
#ifndef HANDLERD_RIVALRY_H
#define HANDLERD_RIVALRY_H

#include "common/rival.h"
#include "common/rpc.h"

#define RIVALRY_SERVERS 1024

struct rivalry {
	struct rivals table;
	uint64_t began_ms; /* when the first server was heard of; 0: not yet */
	uint64_t alarms;
	bool changed; /* since it was saved */
};

struct handlerd;

/* 0, or -ENOMEM.  What an earlier handlerd knew is read from the file beside the database. */
int rivalry_open(struct handlerd *h);
void rivalry_close(struct handlerd *h);
void rivalry_save(struct handlerd *h);

/* An EVENT_RIVAL.  0, or -ENOSPC: it cannot be written down now. */
int rivalry_event(struct handlerd *h, uint64_t origin, const struct boot_event *e);
/* Appends a line for each server that keeps machines from booting here. */
void rivalry_problems(const struct handlerd *h, uint64_t now_ms, json_t *list);

/* Methods of the control socket. */
json_t *rpc_rivals(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error);
json_t *rpc_rivals_forget(
    void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error);
json_t *rpc_rivals_accept(
    void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error);

#endif
