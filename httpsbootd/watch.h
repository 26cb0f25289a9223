/*
 * The connections of a worker, and whether each client keeps pace: one that sends its requests or
 * takes its answers too slowly is cut off, so that it does not hold for ever what others need.
 *
 * Who serves a request tells in which stage it is; the rest is read off the sockets, in turns, by
 * the kernel's own counters (TCP_INFO).  The way of the bytes themselves is not touched.
 */
#ifndef HTTPSBOOTD_WATCH_H
#define HTTPSBOOTD_WATCH_H

#include "common/ident.h"
#include "common/loop.h"
#include "httpsbootd/crowd.h"
#include "httpsbootd/pace.h"

#include <pthread.h>

/* The connections of all workers. */
struct watch_shared {
	pthread_mutex_t lock;
	struct crowd *crowd;
};

struct watch;
struct watched;

struct watch_stats {
	uint64_t turned;         /* connections turned away: there were too many in all, */
	uint64_t turned_address; /* or from that address */
	uint64_t evicted;        /* idle ones that made room for others */
	uint64_t slow[PACE_FAULTS];
};

struct watch_ops {
	/* A client is cut off, after this call. */
	void (*slow)(void *arg, struct watched *w, enum pace_fault fault);
	/* An answer goes out; about once a second. */
	void (*progress)(void *arg, struct watched *w, uint64_t ms, uint64_t taken);
};

/* 0, or -ENOMEM. */
int watch_new(struct loop *loop, const struct pace_limits *limits, struct watch_shared *shared,
    const struct watch_ops *ops, void *arg, struct watch **ret);
/* All connections have been closed. */
void watch_free(struct watch *w); /* NULL is allowed */

/*
 * An accepted socket of a client; the caller keeps it.  NULL if it is to be closed again: there are
 * too many, which is counted and logged here, or no memory.
 */
struct watched *watch_open(struct watch *w, int fd, const struct ipaddr *peer);
/* Before the socket is closed.  NULL is allowed. */
void watch_close(struct watched *c);

/* NULL is allowed, and does nothing: a connection that is gone already. */
void watch_enter(struct watched *c, enum pace_stage stage);
/* Bytes of the present answer that the client has taken. */
uint64_t watch_taken(struct watched *c);
/* True if it was cut off. */
bool watch_is_cut(const struct watched *c);
/* What the caller wants to remember of it; NULL at first. */
void watch_set_user(struct watched *c, void *user);
void *watch_user(const struct watched *c);
const struct ipaddr *watch_peer(const struct watched *c);

const struct watch_stats *watch_get_stats(const struct watch *w);

#endif
