/* Tests of common/loop.c. */
#include "common/loop.h"

#include "tests/test.h"

#include <signal.h>
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
	loop_free(loop);
	return test_end();
}
