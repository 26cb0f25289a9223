/*
 * Requests through script workers: as many as go, 1,000 a second, and 1,000 a second while one
 * worker sleeps.  Four workers of a trivial script, real processes.
 *
 * usage: worker_load [SECONDS]
 */
#include "common/log.h"
#include "handlerd/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WORKERS  4
#define DEADLINE 15000 /* ms; longer than the sleep */
#define MAX_ASKS 2000000

/* A request with "sleep" sleeps 10 s. */
static const char script[] =
    "while read -r l; do case \"$l\" in\n"
    "*self-test*) echo '{\"ok\":true}';;\n"
    "*'\"sleep\"'*) sleep 10; echo '{\"action\":\"none\"}';;\n"
    "*) echo '{\"action\":\"menu\",\"entries\":[\"win11\"]}';; esac; done\n";

struct one {
	struct load *load;
	uint64_t began_us;
};

struct load {
	struct loop *loop;
	struct workers *pool;
	json_t *request, *sleeper;
	struct loop_timer tick, end;
	unsigned per_s;       /* 0: `window` at once, for ever */
	unsigned outstanding; /* without the sleeper */
	bool sleeps, ending;
	uint64_t began_us, asked, bad;
	struct one *asks;
	uint32_t *took_us;
	size_t answered;
};

static uint64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void ask(struct load *l);

static void
on_answer(void *arg, int error, json_t *answer, const char *why)
{
	struct one *one = arg;
	struct load *l = one->load;

	(void)answer;
	(void)why;
	l->outstanding--;
	l->bad += error != 0;
	l->took_us[l->answered++] = (uint32_t)(now_us() - one->began_us);
	if (!l->ending && l->per_s == 0)
		ask(l);
	if (l->ending && l->outstanding == 0)
		loop_stop(l->loop);
}

static void
ask(struct load *l)
{
	struct one *one = &l->asks[l->asked];
	struct workers_ask *handle;

	if (l->asked == MAX_ASKS)
		return;
	*one = (struct one){ l, now_us() };
	if (workers_ask(l->pool, l->request, DEADLINE, on_answer, one, &handle) < 0) {
		l->bad++;
		return;
	}
	l->asked++;
	l->outstanding++;
}

static void
on_tick(void *arg)
{
	struct load *l = arg;
	uint64_t due = (now_us() - l->began_us) * l->per_s / 1000000;

	while (l->asked < due && l->asked < MAX_ASKS)
		ask(l);
	if (!l->ending)
		(void)loop_timer_set(l->loop, &l->tick, 1);
}

static void
on_end(void *arg)
{
	struct load *l = arg;

	l->ending = true;
	loop_timer_clear(l->loop, &l->tick);
	if (l->outstanding == 0)
		loop_stop(l->loop);
}

static void
on_slept(void *arg, int error, json_t *answer, const char *why)
{
	(void)arg;
	(void)error; /* the pool is closed before it has slept */
	(void)answer;
	(void)why;
}

static int
by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
run(struct load *l, const char *what, unsigned per_s, bool sleeps, unsigned seconds)
{
	struct workers_ask *handle;
	double took_s;

	l->per_s = per_s;
	l->asked = l->answered = l->bad = 0;
	l->ending = false;
	l->began_us = now_us();
	if (sleeps)
		(void)workers_ask(l->pool, l->sleeper, DEADLINE, on_slept, NULL, &handle);
	if (per_s > 0)
		(void)loop_timer_set(l->loop, &l->tick, 1);
	for (unsigned i = 0; per_s == 0 && i < 64; i++)
		ask(l);
	(void)loop_timer_set(l->loop, &l->end, seconds * 1000);
	(void)loop_run(l->loop);
	took_s = (double)(now_us() - l->began_us) / 1e6;
	qsort(l->took_us, l->answered, sizeof(*l->took_us), by_size);
	printf("%-34s %8.0f/s  p50 %7.2f ms  p99 %7.2f ms  max %7.2f ms  failed %llu\n", what,
	    (double)l->answered / took_s, l->took_us[l->answered / 2] / 1000.0,
	    l->took_us[l->answered * 99 / 100] / 1000.0, l->took_us[l->answered - 1] / 1000.0,
	    (unsigned long long)l->bad);
}

int
main(int argc, char *argv[])
{
	unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 5;
	char path[] = "/tmp/bootferry-load-XXXXXX";
	struct workers_conf conf = {
		.hook = HOOK_IMAGES,
		.path = path,
		.count = WORKERS,
		.start_ms = 20000,
		.max_waiting = 100000,
		.limits = { .memory_bytes = 512u << 20 },
	};
	struct load l = { 0 };
	struct spawner *spawner;
	char *serial = malloc(701);
	int fd = mkstemp(path);

	log_init("worker_load", true);
	log_set_level(LOG_LEVEL_WARNING);
	signal(SIGPIPE, SIG_IGN);
	l.asks = calloc(MAX_ASKS, sizeof(*l.asks));
	l.took_us = calloc(MAX_ASKS, sizeof(*l.took_us));
	if (fd < 0 || serial == NULL || l.asks == NULL || l.took_us == NULL || seconds == 0 ||
	    dprintf(fd, "#!/bin/sh\n%s", script) < 0 || fchmod(fd, 0755) < 0 || close(fd) < 0 ||
	    spawner_fork("", &spawner) < 0 || loop_new(&l.loop) < 0 ||
	    spawner_attach(spawner, l.loop) < 0 ||
	    workers_open(l.loop, spawner, &conf, &l.pool) < 0)
		fatal("cannot start");
	memset(serial, 's', 700); /* a request is some 800 bytes long */
	serial[700] = '\0';
	l.request = json_pack("{s:s, s:s}", "type", "images", "serial", serial);
	l.sleeper = json_pack("{s:s, s:s}", "type", "images", "what", "sleep");
	loop_timer_init(&l.tick, on_tick, &l);
	loop_timer_init(&l.end, on_end, &l);
	run(&l, "(warm-up)", 0, false, 1);
	run(&l, "as many as go, 64 at once", 0, false, seconds);
	run(&l, "1,000 a second", 1000, false, seconds);
	run(&l, "1,000 a second, one worker asleep", 1000, true, seconds);
	workers_close(l.pool);
	spawner_close(spawner);
	loop_free(l.loop);
	json_decref(l.request);
	json_decref(l.sleeper);
	free(l.asks);
	free(l.took_us);
	free(serial);
	unlink(path);
	return l.bad == 0 ? 0 : 1;
}
