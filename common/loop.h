/*
 * The event loop: descriptors by epoll, timers by a binary heap, and hooks that run once before
 * each wait, so that what a round produced leaves in one batch.  Nothing here is thread-safe: a
 * loop and all that hangs on it belong to one thread.
 *
 * Storage of struct loop_fd, struct loop_timer and struct loop_hook is the caller's and must stay
 * until it is removed again.  A callback may remove anything, also itself.
 */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;

/* `events` are those of epoll: EPOLLIN, EPOLLOUT, EPOLLHUP, ... */
typedef void loop_fd_fn(void *arg, uint32_t events);
typedef void loop_timer_fn(void *arg);
typedef void loop_signal_fn(void *arg, int signo);

struct loop_fd {
	int fd;
	uint32_t events; /* what is waited for */
	loop_fd_fn *fn;
	void *arg;
};

struct loop_timer {
	uint64_t at_ms; /* by loop_now_ms() */
	size_t place;   /* in the heap, counted from 1; 0: not set */
	loop_timer_fn *fn;
	void *arg;
};

struct loop_hook {
	loop_timer_fn *fn;
	void *arg;
	struct loop_hook *next;
};

int loop_new(struct loop **ret); /* 0, -ENOMEM, or what epoll_create1 says */
void loop_free(struct loop *loop);

/* 0, or a negative errno of epoll_ctl. */
int loop_add(
    struct loop *loop, struct loop_fd *lf, int fd, uint32_t events, loop_fd_fn *fn, void *arg);
/* Changes what is waited for; does nothing if it is the same. */
void loop_mod(struct loop *loop, struct loop_fd *lf, uint32_t events);
/* Does not close the descriptor.  Harmless if it was never added. */
void loop_del(struct loop *loop, struct loop_fd *lf);
/*
 * Closes the descriptor, by which the kernel takes it out of the set, too: a system call less.
 * Only for descriptors of which no other process or duplicate exists.
 */
void loop_close(struct loop *loop, struct loop_fd *lf);

void loop_timer_init(struct loop_timer *t, loop_timer_fn *fn, void *arg);
/* (Re)sets the timer to fire once, `delay_ms` from now.  0, or -ENOMEM. */
int loop_timer_set(struct loop *loop, struct loop_timer *t, uint64_t delay_ms);
void loop_timer_clear(struct loop *loop, struct loop_timer *t);
bool loop_timer_is_set(const struct loop_timer *t);

/* From a hook: the loop looks at its descriptors and comes back without waiting. */
void loop_hurry(struct loop *loop);
/* Hooks run in the order in which they were added. */
void loop_hook_add(struct loop *loop, struct loop_hook *hook, loop_timer_fn *fn, void *arg);
/* Harmless if it was never added. */
void loop_hook_del(struct loop *loop, struct loop_hook *hook);

/* CLOCK_MONOTONIC in ms, read once a round; never 0. */
uint64_t loop_now_ms(const struct loop *loop);
/* The same clock in microseconds. */
uint64_t loop_now_us(const struct loop *loop);

/*
 * Blocks SIGTERM, SIGINT and SIGHUP for this thread and all that it starts later, ignores
 * SIGPIPE, and hands the first three to `fn`.  0, or a negative errno.
 */
int loop_signals(struct loop *loop, loop_signal_fn *fn, void *arg);

/* Serves until loop_stop().  0, or a negative errno of epoll_wait. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/*
 * Shares the loop with threads that bring it work, as those of nng: while the loop waits, one of
 * them may do the work itself, which saves waking this thread.  Still only one thread at a time is
 * at the loop and what hangs on it.  To be called before those threads know of the loop; it belongs
 * to the calling thread but while loop_run() waits.  0, or a negative errno.
 */
int loop_share(struct loop *loop);
/* From another thread: true if it may act for the loop now, until loop_leave(). */
bool loop_enter(struct loop *loop);
/* Runs the hooks and gives the loop back. */
void loop_leave(struct loop *loop);

/* Milliseconds since 1970. */
uint64_t wall_clock_ms(void);

#endif
