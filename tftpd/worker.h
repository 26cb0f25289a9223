/*
 * A worker: a thread with a loop of its own, its own sockets, transfers and connection to handlerd.
 * Workers share what struct tftpd_shared holds and nothing else.
 */
#ifndef TFTPD_WORKER_H
#define TFTPD_WORKER_H

#include "common/bus_client.h"
#include "common/loop_thread.h"
#include "tftpd/batch.h"
#include "tftpd/clients.h"
#include "tftpd/paths.h"
#include "tftpd/served.h"
#include "tftpd/tftpd.h"
#include "tftpd/transfer.h"

#include <sys/queue.h>

/* All members are uint64_t: workers' are added up. */
struct tftpd_stats {
	uint64_t rrq, wrq, malformed, strangers, merged, replaced, refused, crowded, unanswered;
	uint64_t silent, errors, not_found, started, finished, probes, failed, retransmits, blocks;
	uint64_t bytes, sent_bytes, no_room, unsent, stopping;
	uint64_t transfers;                     /* now */
	uint64_t waiting_blocks, waiting_bytes; /* now, in the queue */
};

extern const struct counter tftpd_counters[];

/* Settings that a reload changes while workers read them. */
struct tftpd_limits {
	_Atomic uint32_t blksize, windowsize, client_transfers;
	_Atomic bool fragments;
};

struct tftpd_shared {
	const struct tftpd_conf *conf; /* but for what is in `limits` */
	const char *instance;
	int root_fd;
	struct tftpd_limits limits;
	struct served_files files;
	struct clients clients;
	pthread_mutex_t paths_lock;
	struct paths paths;
	_Atomic uint32_t transfers; /* of all workers */
};

struct session;
TAILQ_HEAD(session_list, session);

/* What waits to leave one socket, by class. */
struct outgoing {
	struct session_list lists[TRANSFER_CLASSES];
	struct listen_set *set;
	size_t socket;
	bool blocked; /* the socket has no room; listen_ops.room ends it */
};

#define WORKER_SETS     2 /* of sockets: at `address`, and at `address6` beside it */
#define WORKER_OUTGOING (WORKER_SETS * (1 + LISTEN_SOCKETS))

struct worker {
	struct tftpd_shared *shared;
	struct loop_thread thread;
	struct bus_client *bus;
	struct listen_set *sets[WORKER_SETS];
	size_t nsets;
	struct loop_hook hook;

	struct session **chains; /* of transfers and requests, hash by client */
	size_t nchains;          /* a power of two */
	uint64_t begun;          /* transfers so far */
	uint64_t hash_key[2];
	struct outgoing outgoing[WORKER_OUTGOING];
	size_t noutgoing, first_outgoing;
	size_t queued; /* transfers in there */
	bool stopping; /* no more requests are taken */
	struct batch batch;

	struct tftpd_stats stats; /* of its thread alone; the main thread reads a copy */
	pthread_mutex_t lock;
	struct tftpd_stats published;
	struct bus_client_stats published_bus;
	_Atomic bool idle;
};

/*
 * Binds the sockets; as root, if they need it.  `index` of `count` workers.  0, or a negative errno
 * after logging, but for the -EADDRINUSE of listen_open().
 */
int worker_open(struct tftpd_shared *shared, size_t index, size_t count, struct worker **ret);
/* Starts its thread; privileges have been given up by then.  0, or a negative errno. */
int worker_start(struct worker *w);
/* Takes no more requests; transfers go on. */
void worker_stop(struct worker *w);
/* True when no transfer is under way and handlerd has every event. */
bool worker_is_idle(const struct worker *w);
/* Ends the thread.  NULL is allowed. */
void worker_close(struct worker *w);
/* Adds its figures to *sum. */
void worker_add_stats(struct worker *w, struct tftpd_stats *sum);
void worker_add_bus_stats(struct worker *w, struct bus_client_stats *sum);

/* The queue that a transfer's packets wait in. */
struct outgoing *worker_outgoing(struct worker *w, const struct listen_set *set, size_t socket);

#endif
