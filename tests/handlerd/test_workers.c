/* Tests of handlerd/workers.c, with worker.c and spawner.c below it: real processes, tiny scripts.
 */
#include "handlerd/workers.h"

#include "common/log.h"
#include "tests/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A test that hangs fails after this time; nothing else depends on it. */
#define PATIENCE_MS 30000

static char folder[] = "/tmp/bootferry-workers-XXXXXX";
static struct loop *loop;
static struct spawner *spawner;
static struct loop_timer patience, again;

/* What the last requests came to. */
static struct {
	unsigned wanted, got, good, timed_out, piped, bad, cancelled;
	char value[256]; /* of the key "v" of the last good answer */
	char why[256];
} seen;

/* The head and the tail of a worker in sh: the self-test is answered, `body` answers the rest. */
#define SH(body)                                                                                   \
	"#!/bin/sh\nwhile read -r l; do case \"$l\" in\n*self-test*) echo '{\"ok\":true}';;\n"     \
	"*) " body ";; esac; done\n"
#define ECHO SH("echo '{\"v\":\"one\"}'")

static void
write_script(const char *name, const char *text)
{
	char path[128], fresh[160];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	f = fopen(fresh, "w");
	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0 || chmod(fresh, 0755) < 0 ||
	    rename(fresh, path) < 0)
		abort();
}

static void
on_patience(void *arg)
{
	(void)arg;
	test_fail(__FILE__, __LINE__, "waited for %u answers, %u came", seen.wanted, seen.got);
	loop_stop(loop);
}

static void
on_answer(void *arg, int error, json_t *answer, const char *why)
{
	const char *v = json_string_value(json_object_get(answer, "v"));

	(void)arg;
	seen.got++;
	seen.good += error == 0;
	seen.timed_out += error == -ETIMEDOUT;
	seen.piped += error == -EPIPE;
	seen.bad += error == -EBADMSG;
	seen.cancelled += error == -ECANCELED;
	if (error == 0)
		(void)snprintf(seen.value, sizeof(seen.value), "%s", v != NULL ? v : "");
	else
		(void)snprintf(seen.why, sizeof(seen.why), "%s", why);
	if (seen.got >= seen.wanted)
		loop_stop(loop);
}

static void
forget(void)
{
	memset(&seen, 0, sizeof(seen));
}

/* Asks once with a key "n". */
static struct workers_ask *
ask(struct workers *p, int n, uint32_t deadline_ms)
{
	json_t *request = json_pack("{s:s, s:i}", "type", "boot", "n", n);
	struct workers_ask *a = NULL;

	if (workers_ask(p, request, deadline_ms, on_answer, NULL, &a) == 0)
		seen.wanted++;
	json_decref(request);
	return a;
}

/* Until all that was asked is answered. */
static void
wait_answers(void)
{
	(void)loop_timer_set(loop, &patience, PATIENCE_MS);
	if (seen.got < seen.wanted)
		(void)loop_run(loop);
	loop_timer_clear(loop, &patience);
}

static int
ask_wait(struct workers *p, int n, uint32_t deadline_ms)
{
	forget();
	(void)ask(p, n, deadline_ms);
	wait_answers();
	return seen.good == 1 ? 0 : seen.timed_out ? -ETIMEDOUT : seen.piped ? -EPIPE : -EBADMSG;
}

/* Runs the loop until a pool is in some state. */
static struct {
	struct workers *pool;
	bool (*there)(const struct workers_stats *s, uint64_t arg);
	uint64_t arg;
} awaited;

static void
on_again(void *arg)
{
	struct workers_stats s;

	(void)arg;
	workers_stats(awaited.pool, &s);
	if (awaited.there(&s, awaited.arg))
		loop_stop(loop);
	else
		(void)loop_timer_set(loop, &again, 10);
}

static void
wait_until(
    struct workers *p, bool (*there)(const struct workers_stats *s, uint64_t arg), uint64_t arg)
{
	awaited.pool = p;
	awaited.there = there;
	awaited.arg = arg;
	(void)loop_timer_set(loop, &patience, PATIENCE_MS);
	(void)loop_timer_set(loop, &again, 0);
	(void)loop_run(loop);
	loop_timer_clear(loop, &patience);
	loop_timer_clear(loop, &again);
}

static bool
idle_is(const struct workers_stats *s, uint64_t n)
{
	return s->idle == n;
}

static bool
generation_is(const struct workers_stats *s, uint64_t n)
{
	return s->generation == n && s->starting == 0;
}

static bool
in_trouble(const struct workers_stats *s, uint64_t n)
{
	(void)n;
	return s->trouble[0] != '\0';
}

static bool
started_is(const struct workers_stats *s, uint64_t n)
{
	return s->started >= n && s->starting == 0;
}

/* A pool of `count` for a script with this text. */
static struct workers *
open_pool(const char *name, const char *text, unsigned count, struct workers_conf conf)
{
	struct workers *p = NULL;
	char path[128];

	if (text != NULL)
		write_script(name, text);
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	conf.hook = HOOK_BOOT;
	conf.path = path;
	conf.count = count;
	if (conf.start_ms == 0)
		conf.start_ms = 20000;
	if (conf.max_waiting == 0)
		conf.max_waiting = 100000;
	CHECK_INT(workers_open(loop, spawner, &conf, &p), 0);
	return p;
}

static const struct workers_conf plain;

/* --- the cases ------------------------------------------------------------------------------ */

static void
test_answers(void)
{
	struct workers *p = open_pool("echo", ECHO, 4, plain);
	struct workers_stats s;

	test_case("a request gets its answer, even while the workers are starting");
	CHECK_INT(ask_wait(p, 1, 20000), 0);
	CHECK_STR(seen.value, "one");

	test_case("a storm of requests is answered in full");
	forget();
	for (int i = 0; i < 2000; i++)
		(void)ask(p, i, 25000);
	wait_answers();
	CHECK_INT(seen.good, 2000);
	workers_stats(p, &s);
	CHECK_INT(s.answered, 2001);
	CHECK_INT(s.started, 4);
	CHECK_INT(s.waiting, 0);

	test_case("a request that is cancelled while it waits or runs is not answered");
	forget();
	for (int i = 0; i < 8; i++) {
		struct workers_ask *a = ask(p, i, 20000);

		seen.wanted--;
		workers_cancel(a);
	}
	(void)ask(p, 9, 20000);
	wait_answers();
	CHECK_INT(seen.got, 1);

	test_case("closing the pool tells those who wait");
	forget();
	for (int i = 0; i < 8; i++)
		(void)ask(p, i, 20000);
	workers_close(p);
	CHECK_INT(seen.cancelled, 8);

	test_case("an id is passed, and one that comes back is checked");
	p = open_pool(
	    "id", SH("id=${l#*:}; echo \"{\\\"id\\\":${id%%,*},\\\"v\\\":\\\"x\\\"}\""), 1, plain);
	CHECK_INT(ask_wait(p, 1, 20000), 0);
	CHECK_INT(ask_wait(p, 2, 20000), 0);
	workers_close(p);
	p = open_pool("id", SH("echo '{\"id\":77}'"), 1, plain);
	CHECK_INT(ask_wait(p, 1, 20000), -EBADMSG);
	CHECK_STR(seen.why, "answered with the id of another request");
	workers_close(p);

	test_case("a request of 300 kB goes through, and so does such an answer");
	p = open_pool("cat", SH("printf '%s\\n' \"$l\""), 1, plain);
	{
		char *text = malloc(300001);
		struct workers_ask *a;
		json_t *request;

		memset(text, 'v', 300000);
		text[300000] = '\0';
		request = json_pack("{s:s}", "v", text);
		forget();
		seen.wanted = 1;
		CHECK_INT(workers_ask(p, request, 25000, on_answer, NULL, &a), 0);
		wait_answers();
		CHECK_INT(seen.good, 1);
		json_decref(request);
		free(text);
	}
	workers_close(p);
}

static void
test_failures(void)
{
	/* one worker that fails; then what is said of it */
	static const struct {
		const char *what;
		const char *text;
		int error;
		const char *why;
	} cases[] = {
		{ "a worker that ends", SH("exit 3"), -EPIPE, "ended with status 3" },
		{ "a worker that is killed", SH("kill -9 $$"), -EPIPE,
		    "was killed by signal 9 (Killed)" },
		{ "a worker that writes rubbish", SH("echo hello"), -EBADMSG,
		    "wrote a line that is no JSON object" },
		{ "a worker that writes an empty line", SH("echo"), -EBADMSG,
		    "wrote a line that is no JSON object" },
		{ "a worker that writes a list", SH("echo '[]'"), -EBADMSG,
		    "wrote a line that is no JSON object" },
		{ "a worker that writes without end",
		    SH("while :; do printf '%s%s%s' aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
		       "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb ccccccccccccccccccccc; "
		       "done"),
		    -EPIPE, "wrote a line of more than 512 KiB" },
		{ "a worker that closes its output", SH("exec >/dev/null; sleep 600"), -EPIPE,
		    "was killed by signal 9 (Killed)" },
		{ "a worker that hangs", SH("sleep 600"), -ETIMEDOUT,
		    "gave no answer within 300 ms" },
		{ "a script that is no program", "nothing\n", -EPIPE, NULL },
		{ "a worker whose self-test fails",
		    "#!/bin/sh\nwhile read -r l; do echo '{\"ok\":false,\"error\":\"no db\"}'; "
		    "done\n",
		    -EPIPE, "no worker runs: the last one failed the self-test: it says: no db" },
		{ "a worker that never answers the self-test", "#!/bin/sh\nexec sleep 600\n",
		    -EPIPE,
		    "no worker runs: the last one gave no answer to the self-test within 700 ms" },
	};
	struct workers_conf conf = { .start_ms = 20000 };

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct workers *p;

		test_case("%s", cases[i].what);
		conf.start_ms = strstr(cases[i].what, "never") != NULL ? 700 : 20000;
		p = open_pool("failing", cases[i].text, 1, conf);
		if (cases[i].error == -ETIMEDOUT)
			wait_until(p, idle_is, 1);
		CHECK_INT(
		    ask_wait(p, 1, cases[i].error == -ETIMEDOUT ? 300 : 20000), cases[i].error);
		if (cases[i].why != NULL)
			CHECK_STR(seen.why, cases[i].why);
		workers_close(p);
	}
}

static void
test_recovery(void)
{
	struct workers_conf few = { .max_waiting = 2 };
	struct workers_stats s;
	struct workers *p;

	test_case("a script that is not there, until it is");
	p = open_pool("later", NULL, 2, plain);
	wait_until(p, in_trouble, 0);
	workers_stats(p, &s);
	CHECK_STR(s.trouble, "could not be started: No such file or directory");
	write_script("later", ECHO);
	wait_until(p, idle_is, 2);
	CHECK_INT(ask_wait(p, 1, 20000), 0);
	workers_stats(p, &s);
	CHECK_STR(s.trouble, "");
	workers_close(p);

	test_case(
	    "one that dies at every request is started ever more slowly, and says so at once");
	p = open_pool("dying", SH("exit 1"), 1, plain);
	for (int i = 0; i < 50; i++)
		(void)ask_wait(p, i, 20000);
	workers_stats(p, &s);
	CHECK(s.started <= 12);
	CHECK(s.pause_ms >= 100);
	workers_close(p);

	test_case("a worker that sleeps delays nobody while others are free");
	p = open_pool("sleepy",
	    SH("case \"$l\" in *'\"n\":7'*) sleep 600;; esac; echo '{\"v\":\"x\"}'"), 4, plain);
	wait_until(p, idle_is, 4);
	forget();
	(void)ask(p, 7, 20000);
	for (int i = 100; i < 400; i++)
		(void)ask(p, i, 19000);
	seen.wanted--; /* that one is not waited for */
	wait_answers();
	CHECK_INT(seen.good, 300);
	workers_stats(p, &s);
	CHECK_INT(s.busy, 1);
	CHECK_INT(s.started, 4);
	workers_close(p);

	test_case("the queue is bounded, and a waiting request has its own deadline");
	p = open_pool("sleepy", NULL, 1, few);
	wait_until(p, idle_is, 1);
	forget();
	(void)ask(p, 7, 20000);
	CHECK(ask(p, 1, 100) != NULL);
	CHECK(ask(p, 2, 100) != NULL);
	CHECK(ask(p, 3, 100) == NULL);
	seen.wanted--;
	wait_answers();
	CHECK_INT(seen.timed_out, 2);
	CHECK_STR(seen.why, "no worker was free in time");
	workers_stats(p, &s);
	CHECK_INT(s.refused, 1);
	CHECK_INT(s.started, 1);
	workers_close(p);

	test_case("after a deadline the next worker answers");
	p = open_pool("sleepy", NULL, 1, plain);
	wait_until(p, idle_is, 1);
	CHECK_INT(ask_wait(p, 7, 200), -ETIMEDOUT);
	CHECK_INT(ask_wait(p, 8, 20000), 0);
	workers_close(p);

	test_case("a second line in one breath costs the worker its place, not the answer");
	p = open_pool("twice", SH("echo '{\"v\":\"x\"}'; echo '{\"v\":\"y\"}'"), 1, plain);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(ask_wait(p, i, 20000), 0);
		CHECK_STR(seen.value, "x");
		wait_until(p, idle_is, 1);
	}
	workers_stats(p, &s);
	CHECK(s.started >= 3);
	workers_close(p);
}

static void
test_change(void)
{
	struct workers_conf recycle = { .max_requests = 5 };
	struct workers_stats s;
	struct workers *p;

	test_case("a changed script is taken without a restart");
	p = open_pool("change", ECHO, 3, plain);
	wait_until(p, idle_is, 3);
	write_script("change", SH("echo '{\"v\":\"two\"}'"));
	wait_until(p, generation_is, 2);
	CHECK_INT(ask_wait(p, 1, 20000), 0);
	CHECK_STR(seen.value, "two");
	wait_until(p, started_is, 6);
	wait_until(p, idle_is, 3);

	test_case("a broken change is not: the workers there are go on");
	write_script("change", "#!/bin/sh\nexit 1\n");
	wait_until(p, in_trouble, 0);
	for (int i = 0; i < 20; i++) {
		CHECK_INT(ask_wait(p, 1, 20000), 0);
		CHECK_STR(seen.value, "two");
	}
	workers_stats(p, &s);
	CHECK_INT(s.generation, 2);
	CHECK_INT(s.idle, 3);

	test_case("and when it is repaired it is taken");
	write_script("change", SH("echo '{\"v\":\"three\"}'"));
	wait_until(p, generation_is, 4);
	CHECK_INT(ask_wait(p, 1, 20000), 0);
	CHECK_STR(seen.value, "three");

	test_case("the pool can be told that what the script reads has changed");
	workers_renew(p);
	wait_until(p, generation_is, 5);
	workers_close(p);

	test_case("a worker that has served its share makes room, without a gap");
	p = open_pool("recycle", ECHO, 2, recycle);
	wait_until(p, idle_is, 2);
	do {
		CHECK_INT(ask_wait(p, 1, 20000), 0);
		workers_stats(p, &s);
	} while (s.started < 6 && s.asked < 100000);
	CHECK(s.started >= 6);
	CHECK_INT(s.failed + s.timed_out, 0);
	workers_close(p);
}

/* True once a process is gone; waits for that a while. */
static bool
is_gone(pid_t pid)
{
	for (int i = 0; i < 1000; i++) {
		if (kill(pid, 0) < 0)
			return errno == ESRCH;
		usleep(10000);
	}
	return false;
}

static void
test_processes(void)
{
	struct spawner *mine = spawner, *other = NULL;
	struct workers *p;
	pid_t left;

	test_case("what a worker left behind ends with it, even outside its process group");
	p = open_pool("leaves",
	    SH("setsid sleep 600 >/dev/null 2>&1 & echo \"{\\\"v\\\":\\\"$!\\\"}\""), 1, plain);
	CHECK_INT(ask_wait(p, 1, 20000), 0);
	left = (pid_t)atoi(seen.value);
	CHECK(left > 1 && kill(left, 0) == 0);
	workers_close(p);
	CHECK(is_gone(left));

	test_case("workers have the account that the spawner was given, if root started it");
	CHECK_INT(spawner_fork(geteuid() == 0 ? "65534:65533" : "", &other), 0);
	CHECK_INT(spawner_attach(other, loop), 0);
	spawner = other;
	p = open_pool("account", SH("echo \"{\\\"v\\\":\\\"$(id -u):$(id -g)\\\"}\""), 1, plain);
	CHECK_INT(ask_wait(p, 1, 20000), 0);
	if (geteuid() == 0)
		CHECK_STR(seen.value, "65534:65533");
	else
		CHECK_INT(atoi(seen.value), (int)geteuid());

	test_case("without the process that starts workers, requests are refused and not kept");
	CHECK(spawner_works(other));
	workers_close(p);
	p = open_pool("killer", SH("kill -9 $PPID; sleep 600"), 1, plain);
	CHECK_INT(ask_wait(p, 1, 20000), -EPIPE);
	CHECK(!spawner_works(other));
	CHECK(ask(p, 2, 20000) == NULL);
	workers_close(p);
	spawner_close(other);
	spawner = mine;
}

int
main(void)
{
	char command[160];

	log_init("test", true);
	log_set_level(getenv("V") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) < 0 || spawner_fork("", &spawner) < 0 ||
	    loop_new(&loop) < 0 || spawner_attach(spawner, loop) < 0)
		return 1;
	loop_timer_init(&patience, on_patience, NULL);
	loop_timer_init(&again, on_again, NULL);
	test_answers();
	test_failures();
	test_recovery();
	test_change();
	test_processes();
	spawner_close(spawner);
	loop_free(loop);
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command) != 0)
		return 1;
	return test_end();
}
