/*
 * Tests of handlerd/sources.c, with workers.c and what is below it: real scripts in sh, whose
 * answers count up, so that each tells which question it answered.
 */
#include "handlerd/sources.h"

#include "common/arch.h"
#include "common/log.h"
#include "tests/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A test that hangs fails after this time; nothing else depends on it. */
#define PATIENCE_MS 30000

/*
 * What a request says in its form has the script do: "gate" waits for the file `go`, "fail" answers
 * nonsense, "none" has no opinion, "keep" allows that the answer is kept for an hour.
 */
#define SCRIPT(name)                                                                               \
	"#!/bin/sh\nn=0\nwhile read -r l; do case \"$l\" in\n"                                     \
	"*self-test*) echo '{\"ok\":true}'; continue;; esac\n"                                     \
	"n=$((n+1)); keep=\n"                                                                      \
	"case \"$l\" in *gate*) while [ ! -e go ]; do sleep 0.02; done;; esac\n"                   \
	"case \"$l\" in *keep*) keep=',\"cache_s\":3600';; esac\n"                                 \
	"case \"$l\" in *fail*) echo '{\"action\":\"fly\"}';;\n"                                   \
	"*none*) echo '{\"action\":\"none\"}';;\n"                                                 \
	"*whole*) echo "                                                                           \
	"'{\"action\":\"menu\",\"entries\":[{\"name\":\"w\",\"type\":\"local\"}]}';;\n"            \
	"*wrong*) echo '{\"action\":\"menu\",\"entries\":[{\"name\":\"w\",\"type\":\"x\"}]}';;\n"  \
	"*) echo '{\"action\":\"menu\",\"entries\":[\"" name "'$n'\"]'\"$keep\"'}';; esac; done\n"

static char folder[] = "/tmp/bootferry-sources-XXXXXX";
static struct loop *loop;
static struct spawner *spawner;
static struct loop_timer patience;
static struct webservice_conf no_web;
static struct sources *sources;
static char script_a[160], script_b[160];

static const char *
in_folder(const char *name)
{
	static char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0 || chmod(path, mode) < 0)
		abort();
}

static void
open_gate(void)
{
	write_file(in_folder("go"), "", 0644);
}

static void
shut_gate(void)
{
	(void)unlink(in_folder("go")); /* it may not be there */
}

static void
on_patience(void *arg)
{
	(void)arg;
	test_fail(__FILE__, __LINE__, "nothing came");
	loop_stop(loop);
}

/* --- who asks ------------------------------------------------------------------------------- */

struct asker {
	struct source_waiter waiter;
	struct boot_request request;
	struct hook_facts facts;
	struct question q;
	unsigned told;
	enum source_state state;
	char entry[64]; /* of a menu; "": no opinion */
	char why[200];
	bool has_inline;
};

static void consult(struct asker *a);

static void
on_told(void *arg)
{
	struct asker *a = arg;

	a->told++;
	consult(a);
	if (a->state != SOURCE_UNASKED || a->told > 100)
		loop_stop(loop);
}

static void
consult(struct asker *a)
{
	struct source_answer answer = { 0 };

	a->waiter.fn = on_told;
	a->waiter.arg = a;
	a->entry[0] = a->why[0] = '\0';
	a->state = sources_consult(sources, SOURCE_IMAGES, &a->q, &a->waiter, &answer);
	a->has_inline = answer.inline_choices != NULL && answer.inline_choices->nentries > 0;
	if (a->state == SOURCE_ANSWERED && answer.verdict->nitems > 0)
		(void)snprintf(a->entry, sizeof(a->entry), "%s", answer.verdict->items[0].name);
	if (a->state == SOURCE_FAILED)
		(void)snprintf(a->why, sizeof(a->why), "%s", answer.why);
}

static void
ask_as(struct asker *a, uint64_t machine, uint64_t boot, const char *form)
{
	*a = (struct asker){
		.request = { .id = 1,
		    .stage = STAGE_BOOT,
		    .via = VIA_HTTPS,
		    .arch = ARCH_UNKNOWN,
		    .params = slice_str(form) },
		.facts = { .now_ms = 1, .root = "/", .base = "http://x/", .title = "t" },
	};
	a->q = (struct question){
		.request = &a->request,
		.facts = &a->facts,
		.machine = machine,
		.boot = boot,
	};
}

/* Until it has an answer or a failure. */
static void
wait_for(struct asker *a)
{
	(void)loop_timer_set(loop, &patience, PATIENCE_MS);
	while (a->state == SOURCE_UNASKED && loop_timer_is_set(&patience))
		(void)loop_run(loop);
	loop_timer_clear(loop, &patience);
}

/* Asks and waits, if need be; what the answer names. */
static const char *
hear(struct asker *a)
{
	consult(a);
	wait_for(a);
	return a->entry;
}

static void
on_step(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* The loop serves for so long. */
static void
pass(unsigned ms)
{
	struct loop_timer step;

	loop_timer_init(&step, on_step, NULL);
	(void)loop_timer_set(loop, &step, ms);
	(void)loop_run(loop);
	loop_timer_clear(loop, &step);
}

/* What the pool has answered in all, with a failure counted as an answer. */
static long long
answered(void)
{
	json_t *status = sources_status(sources), *pool = json_object_get(status, "images");
	long long n = json_integer_value(json_object_get(pool, "answered")) +
	              json_integer_value(json_object_get(pool, "failed"));

	json_decref(status);
	return n;
}

static void
wait_answered(long long n)
{
	for (unsigned i = 0; answered() < n && i < PATIENCE_MS / 20; i++)
		pass(20);
	CHECK_INT(answered(), n);
}

static void
configure(char *script, int64_t max_waiting)
{
	static char none[] = "";
	const struct hooks_conf hooks = {
		.paths = { [SOURCE_BOOT] = none, [SOURCE_ALLOW] = none, [SOURCE_IMAGES] = script },
		.workers = 1,
		.deadline_ms = 20000,
		.start_ms = 20000,
		.memory_mb = 512,
		.max_waiting = max_waiting,
	};

	CHECK_INT(sources_configure(sources, &hooks, &no_web), 0);
}

/* A fresh script and nothing said. */
static void
begin(void)
{
	sources_free(sources);
	if (sources_new(loop, spawner, &sources) < 0)
		abort();
	shut_gate();
	configure(script_a, 100);
}

/* --- the cases ------------------------------------------------------------------------------ */

static void
test_answers(void)
{
	struct asker a, b, c;

	test_case("who asks waits, is told once, and hears the answer");
	begin();
	ask_as(&a, 1, 10, "");
	consult(&a);
	CHECK_INT(a.state, SOURCE_UNASKED);
	wait_for(&a);
	CHECK_INT(a.told, 1);
	CHECK_STR(a.entry, "a1");

	test_case("another request of that machine hears the same at once");
	ask_as(&b, 1, 10, "serial=x&boot=00000001");
	consult(&b);
	CHECK_INT(b.state, SOURCE_ANSWERED);
	CHECK_STR(b.entry, "a1");

	test_case("another machine has a question of its own");
	ask_as(&c, 2, 11, "");
	CHECK_STR(hear(&c), "a2");

	test_case(
	    "the choice from its menu finds the answer still there, and who asks anew does not");
	pass(SOURCES_FRESH_MS + 100);
	ask_as(&b, 1, 10, "entry=a1");
	b.q.choice = true;
	consult(&b);
	CHECK_INT(b.state, SOURCE_ANSWERED);
	CHECK_STR(b.entry, "a1");
	ask_as(&b, 1, 10, "");
	CHECK_STR(hear(&b), "a3");

	test_case("a choice in another boot is asked anew");
	pass(SOURCES_FRESH_MS + 100);
	ask_as(&b, 1, 99, "entry=a3");
	b.q.choice = true;
	CHECK_STR(hear(&b), "a4");

	test_case("other words make another question");
	ask_as(&b, 1, 99, "authmethod=pin&pin=1234");
	CHECK_STR(hear(&b), "a5");

	test_case("an entry that is told whole comes with the answer");
	ask_as(&b, 3, 12, "whole=1");
	CHECK_STR(hear(&b), "w");
	CHECK(b.has_inline);

	test_case("who only looks asks nobody");
	ask_as(&b, 4, 13, "");
	b.q.peek = true;
	consult(&b);
	CHECK_INT(b.state, SOURCE_UNASKED);
	ask_as(&b, 3, 12, "whole=1");
	b.q.peek = true;
	consult(&b);
	CHECK_INT(b.state, SOURCE_ANSWERED);
	CHECK_INT(answered(), 6);
}

static void
test_early(void)
{
	struct asker a, b;

	test_case("what was asked early is there when it is wanted");
	begin();
	ask_as(&a, 1, 10, "");
	a.q.early = true;
	consult(&a);
	CHECK_INT(a.state, SOURCE_UNASKED);
	wait_answered(1);
	CHECK_INT(a.told, 0);
	pass(SOURCES_FRESH_MS + 100);
	ask_as(&b, 1, 10, "");
	consult(&b);
	CHECK_INT(b.state, SOURCE_ANSWERED);
	CHECK_STR(b.entry, "a1");

	test_case("and serves that one request: later ones ask anew");
	pass(SOURCES_FRESH_MS + 100);
	CHECK_STR(hear(&b), "a2");

	test_case("an early question to one without an opinion yet is asked again in time");
	ask_as(&a, 2, 11, "none=1");
	a.q.early = true;
	consult(&a);
	wait_answered(3);
	ask_as(&b, 2, 11, "none=1");
	consult(&b);
	CHECK_INT(b.state, SOURCE_UNASKED);
	wait_for(&b);
	CHECK_INT(b.state, SOURCE_ANSWERED);
	CHECK_INT(answered(), 4);

	test_case("an answer that came too late for one request serves the next");
	ask_as(&a, 3, 12, "gate=1");
	consult(&a);
	CHECK_INT(a.state, SOURCE_UNASKED);
	sources_leave(&a.waiter);
	open_gate();
	wait_answered(5);
	CHECK_INT(a.told, 0);
	ask_as(&b, 3, 13, "gate=1");
	consult(&b);
	CHECK_INT(b.state, SOURCE_ANSWERED);
	CHECK_STR(b.entry, "a5");
}

static void
test_cache(void)
{
	struct asker a, b;

	test_case("an answer may allow to be kept");
	begin();
	ask_as(&a, 1, 10, "keep=1");
	CHECK_STR(hear(&a), "a1");
	pass(SOURCES_FRESH_MS + 100);
	ask_as(&b, 1, 20, "keep=1");
	consult(&b);
	CHECK_INT(b.state, SOURCE_ANSWERED);
	CHECK_STR(b.entry, "a1");

	test_case("a menu made of a kept answer serves the choice from it");
	ask_as(&b, 1, 20, "entry=a1");
	b.q.choice = true;
	consult(&b);
	CHECK_INT(b.state, SOURCE_ANSWERED);
	CHECK_STR(b.entry, "a1");

	test_case("a failure is not kept for as long as the answer before it");
	configure(script_a, 1);
	ask_as(&a, 1, 10, "keep=1");
	CHECK_STR(hear(&a), "a1");
	{
		struct asker busy, waiting;

		ask_as(&busy, 2, 11, "gate=1");
		consult(&busy);
		pass(100); /* the worker has it */
		ask_as(&waiting, 3, 12, "gate=1");
		consult(&waiting);
		ask_as(&b, 1, 10, "keep=1&pin=1");
		consult(&b);
		CHECK_INT(b.state, SOURCE_FAILED);
		CHECK_STR(b.why, "too many requests wait for it");
		open_gate();
		wait_for(&busy);
		wait_for(&waiting);
	}
	pass(SOURCES_FRESH_MS + 100);
	CHECK(hear(&b)[0] == 'a');
}

static void
test_failures(void)
{
	struct asker a, b;

	test_case("nonsense is a failure, and says what was wrong");
	begin();
	ask_as(&a, 1, 10, "fail=1");
	(void)hear(&a);
	CHECK_INT(a.state, SOURCE_FAILED);
	CHECK(strstr(a.why, "fly") != NULL);

	test_case("it serves all who ask at once, so that a broken script is not asked for each");
	ask_as(&b, 1, 10, "fail=1");
	consult(&b);
	CHECK_INT(b.state, SOURCE_FAILED);

	test_case("and is forgotten soon");
	pass(SOURCES_FRESH_MS + 100);
	consult(&b);
	CHECK_INT(b.state, SOURCE_UNASKED);
	wait_for(&b);

	test_case("an entry told whole is judged by the same table as the configuration's");
	ask_as(&a, 2, 11, "wrong=1");
	(void)hear(&a);
	CHECK_INT(a.state, SOURCE_FAILED);
	CHECK(strstr(a.why, "type") != NULL);

	test_case("a boot that began with a script which a reload took away goes on without");
	configure("", 100);
	ask_as(&a, 3, 12, "");
	consult(&a);
	CHECK_INT(a.state, SOURCE_ANSWERED);
}

static void
test_others(void)
{
	struct asker a, b;

	test_case("two who ask different things about one machine each hear their own");
	begin();
	ask_as(&a, 1, 10, "gate=1&pin=1");
	consult(&a);
	ask_as(&b, 1, 10, "gate=1&pin=2&whole=1");
	consult(&b);
	CHECK_INT(b.state, SOURCE_UNASKED);
	open_gate();
	wait_for(&b);
	CHECK_STR(b.entry, "w");
	wait_for(&a);
	CHECK(a.entry[0] == 'a');
	/* whoever waits first is not thrown out; the other asks when that was answered */
	CHECK_INT(a.told, 1);
	CHECK_INT(b.told, 2);

	test_case("who waits while the configuration changes is answered by the new script");
	begin();
	ask_as(&a, 1, 10, "gate=1");
	consult(&a);
	CHECK_INT(a.state, SOURCE_UNASKED);
	configure(script_b, 100);
	CHECK_INT(a.told, 0); /* in a round of its own */
	open_gate();
	wait_for(&a);
	CHECK_STR(a.entry, "b1");
	CHECK_INT(a.told, 2);

	test_case("and what the old one said is forgotten");
	configure(script_a, 100);
	ask_as(&b, 1, 10, "gate=1");
	CHECK_STR(hear(&b), "a1");

	test_case("the same configuration again disturbs nobody");
	shut_gate();
	ask_as(&a, 5, 15, "gate=1");
	consult(&a);
	configure(script_a, 100);
	CHECK_INT(a.told, 0);
	open_gate();
	CHECK_STR(hear(&a), "a2");

	test_case("the end leaves those who wait alone");
	shut_gate();
	ask_as(&a, 6, 16, "gate=1");
	consult(&a);
	CHECK_INT(a.state, SOURCE_UNASKED);
	sources_free(sources);
	sources = NULL;
	CHECK_INT(a.told, 0);
	sources_leave(&a.waiter);
}

int
main(void)
{
	char command[160];
	json_t *empty = json_object();

	log_init("test", true);
	log_set_level(getenv("V") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) < 0 || spawner_fork("", &spawner) < 0 ||
	    loop_new(&loop) < 0 || spawner_attach(spawner, loop) < 0 ||
	    config_parse_object(webservice_keys, empty, &no_web, sizeof(no_web), NULL, NULL) < 0)
		return 1;
	json_decref(empty);
	(void)snprintf(script_a, sizeof(script_a), "%s", in_folder("a"));
	(void)snprintf(script_b, sizeof(script_b), "%s", in_folder("b"));
	write_file(script_a, SCRIPT("a"), 0755);
	write_file(script_b, SCRIPT("b"), 0755);
	loop_timer_init(&patience, on_patience, NULL);
	test_answers();
	test_early();
	test_cache();
	test_failures();
	test_others();
	spawner_close(spawner);
	loop_free(loop);
	config_free_object(webservice_keys, &no_web);
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command) != 0)
		return 1;
	return test_end();
}
