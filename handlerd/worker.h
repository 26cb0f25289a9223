/*
 * One worker process: lines out to its standard input, lines in from its standard output, and what
 * it writes to standard error goes to the log.  Which lines mean what is up to the pool
 * (handlerd/workers.h).
 */
#ifndef HANDLERD_WORKER_H
#define HANDLERD_WORKER_H

#include "handlerd/spawner.h"

#define WORKER_LINE_MAX (512u * 1024) /* bytes of one line of a worker, with its end */

struct worker;

struct worker_ops {
	/* A line without its end; NUL-terminated, valid during the call. */
	void (*line)(void *arg, const char *text, size_t n);
	/*
	 * It is gone, or about to be; once, and the last call.  `why` is a sentence without its
	 * subject, `end` what the system says of it.
	 */
	void (*ended)(void *arg, const char *why, const struct spawn_end *end);
};

/* Starts `path`; `name` stands in the log.  0, or a negative errno. */
int worker_start(struct loop *loop, struct spawner *spawner, const char *name, const char *path,
    const struct child_limits *limits, const struct worker_ops *ops, void *arg,
    struct worker **ret);
/*
 * Sends a line, which ends in a line feed.  0, and `text` (malloc) is the worker's; -EBUSY if the
 * one before is not out yet; -EBADMSG if the worker has written something since its last line.
 */
int worker_send(struct worker *w, char *text, size_t n);
/* Kills it because `why`, unless a reason was given before; `ended` follows. */
void worker_stop(struct worker *w, const char *why);
/* 0 until it runs. */
pid_t worker_pid(const struct worker *w);
/* Kills it if need be, without a word.  NULL is allowed. */
void worker_free(struct worker *w);

#endif
