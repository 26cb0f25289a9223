/*
 * A thread with a loop of its own, beside the daemon's main thread: that one opens it, starts it
 * when privileges have been given up, and has two words for it: stop, which is to take in nothing
 * new, and end.
 */
#ifndef COMMON_LOOP_THREAD_H
#define COMMON_LOOP_THREAD_H

#include "common/loop.h"

#include <pthread.h>
#include <stdatomic.h>

struct loop_thread {
	struct loop *loop; /* of the main thread until loop_thread_start(), then of its own */
	loop_timer_fn *stop;
	void *arg;
	struct loop_fd lf;
	int command_fd;
	_Atomic bool stopping, ending;
	pthread_t thread;
	bool started;
};

/* `stop` is called with `arg`, in the thread, once it is told to stop.  0, or a negative errno. */
int loop_thread_open(struct loop_thread *t, loop_timer_fn *stop, void *arg);
/* Runs the loop in a thread.  0, or a negative errno. */
int loop_thread_start(struct loop_thread *t);
void loop_thread_stop(struct loop_thread *t);
/* Waits for its end; the loop is the caller's again.  Harmless if it was never started. */
void loop_thread_end(struct loop_thread *t);
/* Frees the loop.  Harmless on what was never opened but is zeroed. */
void loop_thread_close(struct loop_thread *t);

/* Threads for a daemon that wants one a processor: `wanted`, or if that is 0 their number, which
 * is at most `most`. */
size_t loop_thread_count(int64_t wanted, size_t most);

#endif
