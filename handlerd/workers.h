/*
 * The workers of one script: long-lived processes that answer one JSON object a line with one
 * JSON object a line (docs/scripting.md).
 *
 * Each worker proves itself by a self-test before it gets a request, and then has one request at a
 * time.  A request that gets no worker waits in order.  A worker that lets a deadline pass, writes
 * what is no answer, or ends, is replaced; the more often that happens in a row, the longer the
 * pause before the next start.  A changed script is taken worker by worker, each old one staying
 * until a new one has proved itself: a broken new script replaces nobody.
 */
#ifndef HANDLERD_WORKERS_H
#define HANDLERD_WORKERS_H

#include "common/hook.h"
#include "handlerd/spawner.h"

#define WORKERS_MAX 64 /* of one pool */

struct workers;
struct workers_ask;

struct workers_conf {
	enum hook hook;
	const char *path;      /* of the script, absolute */
	unsigned count;        /* 1 to WORKERS_MAX */
	uint32_t start_ms;     /* for starting and the self-test */
	uint32_t max_waiting;  /* requests that wait for a worker */
	uint32_t max_requests; /* of one worker before a fresh one takes its place; 0: no end */
	struct child_limits limits;
};

/* What a pool has done and is doing. */
struct workers_stats {
	unsigned starting, idle, busy;
	uint32_t waiting;
	uint64_t asked, answered, timed_out, failed, refused, cancelled;
	uint64_t started;    /* processes */
	uint32_t generation; /* 1 for the script as it was found, one more for each change taken */
	uint32_t pause_ms;   /* before the next start; 0: none */
	char trouble[CHILD_ERROR]; /* why the last worker failed; "" since one has answered */
};

/*
 * The answer, which lives until the call returns, or NULL with an error:
 *   -ETIMEDOUT  there was none in time
 *   -EPIPE      the worker ended, or none can be had
 *   -EBADMSG    it wrote something else
 *   -ECANCELED  the pool is being closed
 * `why` is a sentence for the log in all these cases, and "" otherwise.  It may ask and cancel.
 */
typedef void workers_fn(void *arg, int error, json_t *answer, const char *why);

/*
 * Opens a pool and starts its workers; a script that cannot be started is no error here, as it may
 * be repaired.  Copies what `conf` points to.  0, -EINVAL for a conf out of range, or -ENOMEM.
 */
int workers_open(struct loop *loop, struct spawner *spawner, const struct workers_conf *conf,
    struct workers **ret);
/* Pending requests get -ECANCELED.  NULL is allowed. */
void workers_close(struct workers *p);

/*
 * Asks: `done` is called once, never before this returns.  `request` is a JSON object, only used
 * during the call; it gets a first key "id".  0 with a handle that is good until `done` is called
 * or it is cancelled; -ENOBUFS if max_waiting others wait; -EPIPE if no worker runs or starts;
 * -EINVAL if it is no object; -ENOMEM.
 */
int workers_ask(struct workers *p, const json_t *request, uint32_t deadline_ms, workers_fn *done,
    void *arg, struct workers_ask **ret);
/* The answer is not wanted any more; a worker that has the request finishes it. */
void workers_cancel(struct workers_ask *ask);

/* Takes the script again as if it had changed: what it reads itself may have. */
void workers_renew(struct workers *p);
void workers_stats(const struct workers *p, struct workers_stats *ret);

#endif
