/* The event loop; see loop.h. */
#include "common/loop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_ROUND 64

struct loop {
	int epoll_fd;
	bool stopped, hurry;
	uint64_t now_ms, now_us;

	/* the round being served, so that loop_del() can take its entries out */
	struct epoll_event round[EVENTS_PER_ROUND];
	int nround;

	struct loop_timer **heap; /* heap[1] fires first */
	size_t ntimers, heap_size;

	struct loop_hook *hooks;

	struct loop_fd signal_lf;
	loop_signal_fn *signal_fn;
	void *signal_arg;

	/* of a shared loop; `lock` is held by who is at the loop */
	bool shared;
	pthread_mutex_t lock;
	atomic_bool wanted; /* by the loop's thread, which goes before all others */
	struct loop_fd wake_lf;
	uint64_t wait_until_ms; /* when the loop's thread wakes by itself */
};

static uint64_t
clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t
wall_clock_ms(void)
{
	return clock_us(CLOCK_REALTIME) / 1000;
}

static void
read_clock(struct loop *loop)
{
	loop->now_us = clock_us(CLOCK_MONOTONIC) + 1000; /* 0 ms is not a time */
	loop->now_ms = loop->now_us / 1000;
}

int
loop_new(struct loop **ret)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL)
		return -ENOMEM;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		free(loop);
		return -errno;
	}
	loop->signal_lf.fd = loop->wake_lf.fd = -1;
	read_clock(loop);
	*ret = loop;
	return 0;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	if (loop->signal_lf.fd >= 0)
		close(loop->signal_lf.fd);
	if (loop->wake_lf.fd >= 0)
		close(loop->wake_lf.fd);
	if (loop->shared) {
		pthread_mutex_unlock(&loop->lock);
		pthread_mutex_destroy(&loop->lock);
	}
	close(loop->epoll_fd);
	free(loop->heap);
	free(loop);
}

int
loop_add(struct loop *loop, struct loop_fd *lf, int fd, uint32_t events, loop_fd_fn *fn, void *arg)
{
	struct epoll_event ev = { .events = events, .data.ptr = lf };

	*lf = (struct loop_fd){ .fd = fd, .events = events, .fn = fn, .arg = arg };
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		lf->fn = NULL;
		return -errno;
	}
	return 0;
}

void
loop_mod(struct loop *loop, struct loop_fd *lf, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = lf };

	if (lf->fn == NULL || lf->events == events)
		return;
	lf->events = events;
	/* cannot fail for a descriptor that is in the set */
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, lf->fd, &ev);
}

/* What the present round still has of it. */
static void
forget(struct loop *loop, struct loop_fd *lf)
{
	for (int i = 0; i < loop->nround; i++) {
		if (loop->round[i].data.ptr == lf)
			loop->round[i].data.ptr = NULL;
	}
	lf->fn = NULL;
}

void
loop_del(struct loop *loop, struct loop_fd *lf)
{
	if (lf->fn == NULL)
		return;
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, lf->fd, NULL);
	forget(loop, lf);
}

void
loop_close(struct loop *loop, struct loop_fd *lf)
{
	forget(loop, lf);
	close(lf->fd);
}

/* Puts a timer at a place of the heap. */
static void
heap_put(struct loop *loop, size_t place, struct loop_timer *t)
{
	loop->heap[place] = t;
	t->place = place;
}

static void
heap_up(struct loop *loop, size_t place, struct loop_timer *t)
{
	while (place > 1 && loop->heap[place / 2]->at_ms > t->at_ms) {
		heap_put(loop, place, loop->heap[place / 2]);
		place /= 2;
	}
	heap_put(loop, place, t);
}

static void
heap_down(struct loop *loop, size_t place, struct loop_timer *t)
{
	for (;;) {
		size_t child = place * 2;

		if (child > loop->ntimers)
			break;
		if (child < loop->ntimers &&
		    loop->heap[child + 1]->at_ms < loop->heap[child]->at_ms)
			child++;
		if (loop->heap[child]->at_ms >= t->at_ms)
			break;
		heap_put(loop, place, loop->heap[child]);
		place = child;
	}
	heap_put(loop, place, t);
}

void
loop_timer_init(struct loop_timer *t, loop_timer_fn *fn, void *arg)
{
	*t = (struct loop_timer){ .fn = fn, .arg = arg };
}

bool
loop_timer_is_set(const struct loop_timer *t)
{
	return t->place != 0;
}

int
loop_timer_set(struct loop *loop, struct loop_timer *t, uint64_t delay_ms)
{
	if (t->place != 0) {
		uint64_t at_ms = loop->now_ms + delay_ms;
		bool earlier = at_ms < t->at_ms;

		t->at_ms = at_ms;
		if (earlier)
			heap_up(loop, t->place, t);
		else
			heap_down(loop, t->place, t);
		return 0;
	}
	if (loop->ntimers + 2 > loop->heap_size) {
		size_t size = loop->heap_size == 0 ? 64 : loop->heap_size * 2;
		struct loop_timer **heap = realloc(loop->heap, size * sizeof(*heap));

		if (heap == NULL)
			return -ENOMEM;
		loop->heap = heap;
		loop->heap_size = size;
	}
	t->at_ms = loop->now_ms + delay_ms;
	heap_up(loop, ++loop->ntimers, t);
	return 0;
}

void
loop_timer_clear(struct loop *loop, struct loop_timer *t)
{
	size_t place = t->place;
	struct loop_timer *last;

	if (place == 0)
		return;
	t->place = 0;
	last = loop->heap[loop->ntimers--];
	if (last == t)
		return;
	if (place > 1 && loop->heap[place / 2]->at_ms > last->at_ms)
		heap_up(loop, place, last);
	else
		heap_down(loop, place, last);
}

static void
run_timers(struct loop *loop)
{
	/* a timer that sets itself to 0 ms again waits for the next round */
	uint64_t now_ms = loop->now_ms;

	while (loop->ntimers > 0 && loop->heap[1]->at_ms < now_ms) {
		struct loop_timer *t = loop->heap[1];

		loop_timer_clear(loop, t);
		t->fn(t->arg);
	}
}

/* How long epoll may wait, in ms; -1: for ever. */
static int
wait_ms(const struct loop *loop)
{
	uint64_t ms;

	if (loop->hurry)
		return 0;
	if (loop->ntimers == 0)
		return -1;
	if (loop->heap[1]->at_ms < loop->now_ms)
		return 0;
	/* one more, as now_ms was rounded down: never wake too early and find nothing due */
	ms = loop->heap[1]->at_ms - loop->now_ms + 1;
	return ms > 60000 ? 60000 : (int)ms;
}

void
loop_hook_add(struct loop *loop, struct loop_hook *hook, loop_timer_fn *fn, void *arg)
{
	struct loop_hook **last = &loop->hooks;

	while (*last != NULL)
		last = &(*last)->next;
	*hook = (struct loop_hook){ .fn = fn, .arg = arg };
	*last = hook;
}

void
loop_hook_del(struct loop *loop, struct loop_hook *hook)
{
	for (struct loop_hook **h = &loop->hooks; *h != NULL; h = &(*h)->next) {
		if (*h == hook) {
			*h = hook->next;
			return;
		}
	}
}

void
loop_hurry(struct loop *loop)
{
	loop->hurry = true;
}

uint64_t
loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

uint64_t
loop_now_us(const struct loop *loop)
{
	return loop->now_us;
}

static void
on_signal(void *arg, uint32_t events)
{
	struct loop *loop = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(loop->signal_lf.fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		loop->signal_fn(loop->signal_arg, (int)info.ssi_signo);
}

int
loop_signals(struct loop *loop, loop_signal_fn *fn, void *arg)
{
	sigset_t set;
	int fd, rc;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	rc = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (rc != 0)
		return -rc;
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	loop->signal_fn = fn;
	loop->signal_arg = arg;
	rc = loop_add(loop, &loop->signal_lf, fd, EPOLLIN, on_signal, loop);
	if (rc < 0) {
		close(fd);
		loop->signal_lf.fd = -1;
	}
	return rc;
}

static void
run_hooks(struct loop *loop)
{
	for (struct loop_hook *h = loop->hooks; h != NULL; h = h->next)
		h->fn(h->arg);
}

/* --- sharing --------------------------------------------------------------------------------- */

static void
on_woken(void *arg, uint32_t events)
{
	(void)arg; /* by its edge; there is nothing to do but to go round */
	(void)events;
}

int
loop_share(struct loop *loop)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), rc;

	if (fd < 0)
		return -errno;
	rc = loop_add(loop, &loop->wake_lf, fd, EPOLLIN | EPOLLET, on_woken, loop);
	if (rc == 0)
		rc = -pthread_mutex_init(&loop->lock, NULL);
	if (rc < 0) {
		loop_del(loop, &loop->wake_lf);
		loop->wake_lf.fd = -1;
		close(fd);
		return rc;
	}
	pthread_mutex_lock(&loop->lock);
	loop->shared = true;
	return 0;
}

bool
loop_enter(struct loop *loop)
{
	/* who waits for a mutex may lose it to one trylock after the other, for long */
	if (!loop->shared || atomic_load_explicit(&loop->wanted, memory_order_relaxed) ||
	    pthread_mutex_trylock(&loop->lock) != 0)
		return false;
	read_clock(loop);
	return true;
}

void
loop_leave(struct loop *loop)
{
	uint64_t one = 1;

	run_hooks(loop);
	/* the loop's thread waits for longer than it now should; a full counter wakes it, too */
	if ((loop->stopped || wait_ms(loop) == 0 ||
		(loop->ntimers > 0 && loop->heap[1]->at_ms + 1 < loop->wait_until_ms)) &&
	    write(loop->wake_lf.fd, &one, sizeof(one)) < 0)
		loop->wait_until_ms = 0;
	pthread_mutex_unlock(&loop->lock);
}

/*
 * Fills in the round.  A shared loop lets go of the lock only while it takes nothing yet from
 * epoll: what another thread removes meanwhile is not in a round.
 */
static int
wait_for_events(struct loop *loop)
{
	int ms = wait_ms(loop);

	if (loop->shared && ms != 0) {
		struct pollfd p = { .fd = loop->epoll_fd, .events = POLLIN };

		loop->wait_until_ms = ms < 0 ? UINT64_MAX : loop->now_ms + (uint64_t)ms;
		pthread_mutex_unlock(&loop->lock);
		(void)poll(&p, 1, ms); /* whatever ends it, epoll tells what there is */
		atomic_store_explicit(&loop->wanted, true, memory_order_relaxed);
		pthread_mutex_lock(&loop->lock);
		atomic_store_explicit(&loop->wanted, false, memory_order_relaxed);
		ms = 0;
	}
	return epoll_wait(loop->epoll_fd, loop->round, EVENTS_PER_ROUND, ms);
}

int
loop_run(struct loop *loop)
{
	read_clock(loop);
	loop->stopped = false;
	while (!loop->stopped) {
		run_hooks(loop);
		if (loop->stopped)
			break;
		loop->nround = wait_for_events(loop);
		if (loop->nround < 0) {
			loop->nround = 0;
			if (errno != EINTR)
				return -errno;
		}
		loop->hurry = false;
		read_clock(loop);
		for (int i = 0; i < loop->nround; i++) {
			struct loop_fd *lf = loop->round[i].data.ptr;

			if (lf != NULL && lf->fn != NULL)
				lf->fn(lf->arg, loop->round[i].events);
		}
		loop->nround = 0;
		run_timers(loop);
	}
	return 0;
}

void
loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
