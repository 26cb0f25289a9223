/*
 * The process that starts scripts.
 *
 * It is forked while handlerd is still small, has one thread and, if root started it, may change
 * its account: it becomes the scripts' account at once and keeps no way back.  So no process with
 * privilege is left, a script never runs with handlerd's account when there is another, and
 * nothing forks out of handlerd's threads and its large memory.  It knows no policy: it starts,
 * kills and buries.  When handlerd ends it kills what is left and ends.
 */
#ifndef HANDLERD_SPAWNER_H
#define HANDLERD_SPAWNER_H

#include "common/child.h"
#include "common/loop.h"

#define SPAWNER_CHILDREN 256 /* at most, of all pools together */

struct spawner;
struct spawned;

/* How a child ended, or why it was never started (pid 0). */
struct spawn_end {
	pid_t pid;
	int status;       /* of wait4(2); 0 if it was never started */
	uint64_t peak_kb; /* resident memory at its highest */
	uint32_t cpu_ms;
	char text[CHILD_ERROR]; /* a sentence without its subject: "ended with status 3" */
};

typedef void spawned_fn(void *arg, const struct spawn_end *end);

/* One child; the caller's storage until `fn` was called or spawner_forget(). */
struct spawned {
	uint32_t id; /* 0: none */
	pid_t pid;   /* 0 until it runs */
	bool kill_pending;
	spawned_fn *fn;
	void *arg;
	struct spawned *next;
};

/*
 * Forks the process.  Call it after start_background(), before any thread exists and before root
 * is given up.  `user`: as for priv_drop(); "" or a caller that is not root: it keeps the account.
 * 0; -ENOENT if there is no such account; or a negative errno.
 */
int spawner_fork(const char *user, struct spawner **ret);
/* Joins the loop of which all children hang; once.  0, or a negative errno. */
int spawner_attach(struct spawner *s, struct loop *loop);
/* False after the process was lost; nothing can be started then until handlerd's next start. */
bool spawner_works(const struct spawner *s);
/* Kills all children and ends the process.  NULL is allowed. */
void spawner_close(struct spawner *s);

/*
 * Orders a child (common/child.h); `fds` may be closed afterwards.  `fn` is called once, from the
 * loop, when it has ended or could not be started.  0; -ENOTCONN if the process is lost; -EAGAIN
 * if too much is under way.
 */
int spawner_start(struct spawner *s, const char *path, const struct child_limits *limits,
    const int fds[static 3], struct spawned *child, spawned_fn *fn, void *arg);
/* SIGKILL to its whole process group; `fn` tells when it is gone.  Harmless if it is. */
void spawner_kill(struct spawner *s, struct spawned *child);
/* The same, and `fn` will not be called. */
void spawner_forget(struct spawner *s, struct spawned *child);

#endif
