/*
 * A worker: a thread with a loop of its own, its own listening sockets (the kernel spreads
 * connections over the workers), TLS in front, libmicrohttpd as the HTTP engine, and a connection
 * to handlerd.  Workers share the TLS settings and the count of connections, and nothing else.
 */
#ifndef HTTPSBOOTD_SERVE_H
#define HTTPSBOOTD_SERVE_H

#include "httpsbootd/access_log.h"
#include "httpsbootd/certificates.h"
#include "httpsbootd/reqhead.h"
#include "httpsbootd/tls.h"
#include "httpsbootd/watch.h"

#include <stdatomic.h>

/* Each is written by its worker alone and read by the main thread. */
struct serve_stats {
	_Atomic uint64_t connections, tls_handshakes, tls_resumed;
	_Atomic uint64_t tls_failed[TLS_FAILURES];
	_Atomic uint64_t tls_quiet; /* failures that were counted only */
	_Atomic uint64_t requests, boots, files, heads, ranges, reports, not_found, refused;
	_Atomic uint64_t unanswered, too_large, aborted, bytes, scripts;
	_Atomic uint64_t unlisted, unmodified, last_requests, malformed;
	_Atomic uint64_t refused_heads[REQHEAD_FAULTS]; /* of `malformed` */
	_Atomic uint64_t turned_address, evicted, slow_heads, slow_bodies, slow_answers;
	_Atomic uint64_t open;   /* requests under way */
	_Atomic uint64_t turned; /* connections turned away because there were too many */
};

struct pull;
/* Nobody waits for what a counter says. */
#define SERVE_ADD(counter, n) atomic_fetch_add_explicit(&(counter), n, memory_order_relaxed)

struct worker;

struct worker_conf {
	const struct httpsbootd_conf *conf;
	const char *instance;
	struct tls_shared *tls;
	int root_fd;
	struct watch_shared *watch;
	struct access_log *access_log;
};

/* Binds the listening sockets; as root, if they need it.  0, or a negative errno after logging. */
int worker_open(const struct worker_conf *conf, struct worker **ret);
/*
 * Starts its thread; privileges have been given up by then.  Files that are not here come from
 * `pull`, unless that is NULL.  0, or a negative errno.
 */
int worker_start(struct worker *w, struct pull *pull);
/* Takes no more connections; what is under way goes on. */
void worker_stop(struct worker *w);
/* True when nothing is under way and handlerd has every event. */
bool worker_is_idle(struct worker *w);
/* Ends the thread.  NULL is allowed. */
void worker_close(struct worker *w);
const struct serve_stats *worker_stats(const struct worker *w);

#endif
