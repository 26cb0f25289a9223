/* Tests of common/loop.c. */
#include "common/loop.h"

#include "tests/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop;
static char trace[256];

static void
note(char c)
{
	size_t n = strlen(trace);

	if (n + 1 < sizeof(trace)) {
		trace[n] = c;
		trace[n + 1] = '\0';
	}
}

static void
on_timer(void *arg)
{
	note(*(const char *)arg);
}

static void
on_stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static struct loop_fd readers[2];
static int pipes[2][2];

/* Both pipes are readable in one round: whoever comes first removes the other. */
static void
on_read(void *arg, uint32_t events)
{
	char byte;

	(void)arg;
	(void)events;
	note('r');
	for (int i = 0; i < 2; i++) {
		loop_del(loop, &readers[i]);
		CHECK_INT(read(pipes[i][0], &byte, 1), 1);
	}
}

/* The same, by closing both. */
static void
on_read_close(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	note('c');
	for (int i = 0; i < 2; i++)
		loop_close(loop, &readers[i]);
}

static int hooks_run;

static void
on_hook(void *arg)
{
	(void)arg;
	hooks_run++;
}

static void
on_signal(void *arg, int signo)
{
	(void)arg;
	note(signo == SIGHUP ? 'H' : '?');
}

static void
test_timers(void)
{
	struct loop_timer t[4], stop;

	test_case("timers fire in the order of their time, cleared ones not at all");
	trace[0] = '\0';
	for (int i = 0; i < 4; i++) {
		static const char names[] = "abcd";

		loop_timer_init(&t[i], on_timer, (void *)(uintptr_t)&names[i]);
	}
	loop_timer_init(&stop, on_stop, NULL);
	CHECK_INT(loop_timer_set(loop, &t[0], 30), 0);
	CHECK_INT(loop_timer_set(loop, &t[1], 10), 0);
	CHECK_INT(loop_timer_set(loop, &t[2], 20), 0);
	CHECK_INT(loop_timer_set(loop, &t[3], 15), 0);
	CHECK_INT(loop_timer_set(loop, &stop, 60), 0);
	loop_timer_clear(loop, &t[3]);
	CHECK(!loop_timer_is_set(&t[3]) && loop_timer_is_set(&t[0]));
	CHECK_INT(loop_run(loop), 0);
	CHECK_STR(trace, "bca");

	test_case("a timer set again moves, earlier and later");
	trace[0] = '\0';
	CHECK_INT(loop_timer_set(loop, &t[0], 10), 0);
	CHECK_INT(loop_timer_set(loop, &t[1], 20), 0);
	CHECK_INT(loop_timer_set(loop, &t[2], 50), 0);
	CHECK_INT(loop_timer_set(loop, &t[0], 30), 0);
	CHECK_INT(loop_timer_set(loop, &t[2], 5), 0);
	CHECK_INT(loop_timer_set(loop, &stop, 60), 0);
	CHECK_INT(loop_run(loop), 0);
	CHECK_STR(trace, "cba");
}

static uint64_t last_at_ms;
static int fired, misordered;

static void
on_many(void *arg)
{
	const struct loop_timer *t = arg;

	misordered += t->at_ms < last_at_ms;
	last_at_ms = t->at_ms;
	fired++;
}

static void
test_many_timers(void)
{
	enum {
		MANY = 2000
	};
	static struct loop_timer t[MANY];
	struct loop_timer stop;

	test_case("thousands of timers, set, moved and cleared at random, keep their order");
	srand(1);
	for (int i = 0; i < MANY; i++) {
		loop_timer_init(&t[i], on_many, &t[i]);
		CHECK_INT(loop_timer_set(loop, &t[i], (uint64_t)rand() % 40), 0);
	}
	for (int i = 0; i < MANY; i++) {
		if (i % 3 == 0)
			loop_timer_clear(loop, &t[i]);
		else if (i % 3 == 1)
			CHECK_INT(loop_timer_set(loop, &t[i], (uint64_t)rand() % 40), 0);
	}
	loop_timer_init(&stop, on_stop, NULL);
	CHECK_INT(loop_timer_set(loop, &stop, 60), 0);
	CHECK_INT(loop_run(loop), 0);
	CHECK_INT(fired, MANY - (MANY + 2) / 3);
	CHECK_INT(misordered, 0);
}

/* --- a loop that is shared ------------------------------------------------------------------- */

#define VISITS 2000
#define TURNS  50

static struct loop_timer visit_timer;
static int at_the_loop, visits, collisions, turns;
static atomic_bool sated;
static pthread_t who_fired;

static void
touch(void)
{
	collisions += ++at_the_loop != 1;
	for (volatile int i = 0; i < 100; i++)
		;
	at_the_loop--;
}

static void
on_busy(void *arg)
{
	touch();
	(void)loop_timer_set(loop, arg, 1);
}

static void
on_visit(void *arg)
{
	(void)arg;
	who_fired = pthread_self();
	note('v');
}

/* Comes to the loop again and again while it works and waits. */
static void *
visitor(void *arg)
{
	(void)arg;
	while (visits < VISITS) {
		if (!loop_enter(loop)) {
			usleep(20);
			continue;
		}
		touch();
		visits++;
		loop_leave(loop);
		usleep(20);
	}
	while (!loop_enter(loop))
		usleep(100);
	loop_stop(loop);
	loop_leave(loop);
	return NULL;
}

/* Sets a timer for a loop that waits without one, and ends it when that has fired. */
static void *
timer_setter(void *arg)
{
	(void)arg;
	while (!loop_enter(loop))
		usleep(100);
	CHECK_INT(loop_timer_set(loop, &visit_timer, 20), 0);
	loop_leave(loop);
	usleep(200000);
	while (!loop_enter(loop))
		usleep(100);
	loop_stop(loop);
	loop_leave(loop);
	return NULL;
}

/* Never leaves the loop alone for longer than it takes to come back. */
static void *
greedy(void *arg)
{
	(void)arg;
	while (!atomic_load(&sated)) {
		if (!loop_enter(loop))
			continue;
		visits++;
		usleep(1000);
		loop_leave(loop);
	}
	return NULL;
}

static void
on_turn(void *arg)
{
	if (++turns == TURNS)
		loop_stop(loop);
	else
		(void)loop_timer_set(loop, arg, 1);
}

static void
test_turns(void)
{
	struct loop_timer turn;
	pthread_t threads[2];

	test_case("threads that always want to come in do not keep the loop's own out");
	loop_timer_init(&turn, on_turn, &turn);
	CHECK_INT(loop_timer_set(loop, &turn, 1), 0);
	visits = turns = 0;
	for (size_t i = 0; i < NITEMS(threads); i++)
		CHECK_INT(pthread_create(&threads[i], NULL, greedy, NULL), 0);
	CHECK_INT(loop_run(loop), 0);
	atomic_store(&sated, true);
	for (size_t i = 0; i < NITEMS(threads); i++)
		CHECK_INT(pthread_join(threads[i], NULL), 0);
	/* one or two as a rule: who is in when the timer is due, and before the kernel sees it */
	CHECK(visits < TURNS * 10);
}

static void
test_sharing(void)
{
	struct loop_timer busy;
	struct loop_hook hook;
	pthread_t thread;

	test_case("a loop that is not shared is nobody else's");
	CHECK(!loop_enter(loop));

	test_case("a shared one belongs to its thread until it waits");
	CHECK_INT(loop_share(loop), 0);
	CHECK(!loop_enter(loop));

	test_case("a thread comes in while the loop waits, never while it works, and may end it");
	loop_timer_init(&busy, on_busy, &busy);
	CHECK_INT(loop_timer_set(loop, &busy, 0), 0);
	hooks_run = 0;
	loop_hook_add(loop, &hook, on_hook, NULL);
	CHECK_INT(pthread_create(&thread, NULL, visitor, NULL), 0);
	CHECK_INT(loop_run(loop), 0);
	CHECK_INT(pthread_join(thread, NULL), 0);
	CHECK_INT(visits, VISITS);
	CHECK_INT(collisions, 0);
	test_case("and the hooks run when it leaves");
	CHECK(hooks_run >= VISITS);
	loop_hook_del(loop, &hook);
	loop_timer_clear(loop, &busy);

	test_case("a timer that it sets wakes the loop's own thread in time");
	trace[0] = '\0';
	loop_timer_init(&visit_timer, on_visit, NULL);
	CHECK_INT(pthread_create(&thread, NULL, timer_setter, NULL), 0);
	CHECK_INT(loop_run(loop), 0);
	CHECK_INT(pthread_join(thread, NULL), 0);
	CHECK_STR(trace, "v");
	CHECK(pthread_equal(who_fired, pthread_self()));

	test_turns();
}

int
main(void)
{
	struct loop_timer stop;
	struct loop_hook hook;

	CHECK_INT(loop_new(&loop), 0);
	test_timers();
	test_many_timers();

	test_case("a callback may remove a descriptor that is due in the same round");
	trace[0] = '\0';
	for (int i = 0; i < 2; i++) {
		CHECK_INT(pipe(pipes[i]), 0);
		CHECK_INT(write(pipes[i][1], "x", 1), 1);
		CHECK_INT(loop_add(loop, &readers[i], pipes[i][0], EPOLLIN, on_read, NULL), 0);
	}
	loop_timer_init(&stop, on_stop, NULL);
	CHECK_INT(loop_timer_set(loop, &stop, 20), 0);
	CHECK_INT(loop_run(loop), 0);
	CHECK_STR(trace, "r");

	test_case("or close it, and another one gets its number");
	trace[0] = '\0';
	for (int i = 0; i < 2; i++) {
		CHECK_INT(write(pipes[i][1], "x", 1), 1);
		CHECK_INT(
		    loop_add(loop, &readers[i], pipes[i][0], EPOLLIN, on_read_close, NULL), 0);
	}
	CHECK_INT(loop_timer_set(loop, &stop, 20), 0);
	CHECK_INT(loop_run(loop), 0);
	CHECK_STR(trace, "c");
	for (int i = 0; i < 2; i++)
		CHECK_INT(close(pipes[i][1]), 0);
	CHECK_INT(pipe(pipes[0]), 0);
	CHECK_INT(loop_add(loop, &readers[0], pipes[0][0], EPOLLIN, on_read_close, NULL), 0);
	loop_close(loop, &readers[0]);
	CHECK_INT(close(pipes[0][1]), 0);

	test_case("hooks run before each wait until they are removed");
	loop_hook_add(loop, &hook, on_hook, NULL);
	CHECK_INT(loop_timer_set(loop, &stop, 1), 0);
	CHECK_INT(loop_run(loop), 0);
	CHECK(hooks_run >= 1);
	loop_hook_del(loop, &hook);
	hooks_run = 0;
	CHECK_INT(loop_timer_set(loop, &stop, 1), 0);
	CHECK_INT(loop_run(loop), 0);
	CHECK_INT(hooks_run, 0);

	test_case("signals arrive in the loop");
	trace[0] = '\0';
	CHECK_INT(loop_signals(loop, on_signal, NULL), 0);
	CHECK_INT(raise(SIGHUP), 0);
	CHECK_INT(loop_timer_set(loop, &stop, 20), 0);
	CHECK_INT(loop_run(loop), 0);
	CHECK_STR(trace, "H");
	test_sharing();
	loop_free(loop);
	return test_end();
}
