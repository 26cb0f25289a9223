/* Tests of handlerd/sources.c: those who wait, beside test_sources.c. */
#include "handlerd/sources.h"

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

static char folder[] = "/tmp/bootferry-sources-XXXXXX";
static struct loop *loop;
static struct spawner *spawner;
static struct sources *sources;
static struct webservice_conf web;
static struct loop_timer patience;
static unsigned patient; /* askers that have not heard yet */

/* Proves itself and repeats the serial number of who asks, as the text of a refusal. */
static const char echo[] =
    "#!/bin/sh\nwhile read -r l; do case \"$l\" in\n*self-test*) echo '{\"ok\":true}';;\n"
    "*) s=${l#*\\\"serial\\\":\\\"}; echo "
    "\"{\\\"action\\\":\\\"deny\\\",\\\"text\\\":\\\"${s%%\\\"*}\\\"}\";;\n"
    "esac; done\n";
/* Likewise, for an hour; but "SLOW" takes its time. */
static const char cached[] =
    "#!/bin/sh\nwhile read -r l; do case \"$l\" in\n*self-test*) echo '{\"ok\":true}';;\n"
    "*SLOW*) sleep 0.5; echo '{\"action\":\"none\"}';;\n"
    "*) s=${l#*\\\"serial\\\":\\\"}; echo \"{\\\"action\\\":\\\"deny\\\",\\\"text\\\":"
    "\\\"${s%%\\\"*}\\\",\\\"cache_s\\\":3600}\";;\nesac; done\n";
/* Proves itself and then says nothing. */
static const char dumb[] =
    "#!/bin/sh\nread -r l; echo '{\"ok\":true}'; while read -r l; do :; done\n";

struct asker {
	struct source_waiter waiter;
	struct boot_request r;
	enum source source;
	uint64_t machine;
	unsigned told;
	enum source_state state;
	enum verdict_kind kind;
	char text[64];
};

static void
write_script(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0 || chmod(path, 0755) < 0)
		abort();
}

/* The script of this name (or none: "") as the hook `boot`. */
static void
configure(const char *name)
{
	static char path[128], none[] = "";
	struct hooks_conf hooks = {
		.paths = { [SOURCE_BOOT] = path, [SOURCE_ALLOW] = none, [SOURCE_IMAGES] = none },
		.workers = 1,
		.deadline_ms = 20000,
		.start_ms = 20000,
		.memory_mb = 256,
		.max_waiting = 2,
		.user = none,
	};

	path[0] = '\0';
	if (name[0] != '\0')
		(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	CHECK_INT(sources_configure(sources, &hooks, &web), 0);
}

static void
consult(struct asker *a)
{
	static const struct hook_facts facts = { .root = "/", .base = "https://x/", .title = "" };
	const struct question q = {
		.request = &a->r, .facts = &facts, .machine = a->machine, .boot = a->machine
	};
	struct source_answer answer = { .why = NULL };

	a->state = sources_consult(sources, a->source, &q, &a->waiter, &answer);
	if (a->state == SOURCE_UNASKED)
		return;
	(void)snprintf(a->text, sizeof(a->text), "%s",
	    a->state == SOURCE_ANSWERED ? answer.verdict->text : answer.why);
	a->kind = a->state == SOURCE_ANSWERED ? answer.verdict->kind : VERDICT_NONE;
	if (--patient == 0)
		loop_stop(loop);
}

static void
on_told(void *arg)
{
	struct asker *a = arg;

	if (++a->told > 10) /* the loop would not come round again */
		abort();
	consult(a);
}

static void
begin(struct asker *a, enum source source, uint64_t machine, const char *serial)
{
	*a = (struct asker){
		.r = { .stage = STAGE_BOOT, .serial = slice_str(serial), .arch = 7 },
		.source = source,
		.machine = machine,
	};
	a->r.mac.len = 6;
	a->waiter = (struct source_waiter){ .fn = on_told, .arg = a };
	patient++;
	consult(a);
}

static void
on_patience(void *arg)
{
	(void)arg;
	test_fail(__FILE__, __LINE__, "%u askers still wait", patient);
	loop_stop(loop);
}

static void
wait_all(void)
{
	(void)loop_timer_set(loop, &patience, PATIENCE_MS);
	if (patient > 0)
		(void)loop_run(loop);
	loop_timer_clear(loop, &patience);
	patient = 0;
}

static void
test_words(void)
{
	struct asker one, two, three;

	test_case("of a machine that asks with other words meanwhile, each asker gets his answer");
	configure("echo");
	begin(&one, SOURCE_BOOT, 1, "ONE");
	begin(&two, SOURCE_BOOT, 1, "TWO");
	begin(&three, SOURCE_BOOT, 2, "THREE");
	wait_all();
	CHECK_STR(one.text, "ONE");
	CHECK_STR(two.text, "TWO");
	CHECK_STR(three.text, "THREE");
}

static void
test_reconfigure(void)
{
	static struct asker one, two, gone; /* the last ones wait until the end */

	test_case("who waits for a script that a reload replaces asks the new one");
	configure("dumb");
	begin(&one, SOURCE_BOOT, 3, "ONE");
	begin(&two, SOURCE_BOOT, 4, "TWO");
	begin(&gone, SOURCE_BOOT, 4, "TWO");
	CHECK_INT(one.state, SOURCE_UNASKED);
	configure("echo");
	CHECK_INT(one.told, 0);
	sources_leave(&gone.waiter);
	patient--;
	wait_all();
	CHECK_STR(one.text, "ONE");
	CHECK_STR(two.text, "TWO");
	CHECK_INT(gone.told, 0);

	test_case("who waits for a script that a reload takes away goes on without");
	configure("dumb");
	begin(&one, SOURCE_BOOT, 3, "ONE");
	configure("");
	wait_all();
	CHECK_INT(one.state, SOURCE_ANSWERED);

	test_case("and an end while somebody waits leaves nothing behind");
	configure("dumb");
	begin(&one, SOURCE_BOOT, 3, "ONE");
	begin(&two, SOURCE_BOOT, 4, "TWO");
	configure("echo");
	patient = 0;
}

static void
test_cache(void)
{
	struct asker one, slow[3];

	test_case("a failure does not last as long as the answer before it was good for");
	configure("cached");
	begin(&one, SOURCE_BOOT, 1, "ONE");
	wait_all();
	CHECK_STR(one.text, "ONE");
	begin(&one, SOURCE_BOOT, 1, "ONE");
	CHECK_INT(one.state, SOURCE_ANSWERED);
	for (unsigned i = 0; i < NITEMS(slow); i++) /* one at work, two wait */
		begin(&slow[i], SOURCE_BOOT, 2 + i, "SLOW");
	begin(&one, SOURCE_BOOT, 1, "TWO");
	CHECK_STR(one.text, "too many requests wait for it");
	wait_all(); /* longer than a failure lasts */
	begin(&one, SOURCE_BOOT, 1, "TWO");
	wait_all();
	CHECK_STR(one.text, "TWO");
}

/* Nobody listens at the web service's port. */
static void
test_override(void)
{
	static char url[] = "http://127.0.0.1:9/", *urls[] = { url };
	const struct config_strings none = web.urls;
	struct asker one;

	test_case("a client that may want the local handler does not get the fall-back");
	web.urls = (struct config_strings){ .v = urls, .n = 1 };
	web.features[WS_BOOT_REQUEST] = web.client_override = true;
	configure("");
	begin(&one, SOURCE_WEBSERVICE, 1, "ONE");
	wait_all();
	CHECK_INT(one.state, SOURCE_FAILED);
	one.r.params = slice_str("wsoverride=1");
	patient = 1;
	consult(&one);
	CHECK_INT(one.state, SOURCE_ANSWERED);
	CHECK_INT(one.kind, VERDICT_OVERRIDE);
	patient = 0;
	web.urls = none;
}

static void
no_error(void *arg, const char *path, const char *what)
{
	(void)arg;
	test_fail(__FILE__, __LINE__, "%s: %s", path, what);
}

int
main(void)
{
	json_t *nothing = json_object();
	char command[160];

	log_init("test", true);
	log_set_level(getenv("V") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) < 0 || spawner_fork("", &spawner) < 0 ||
	    loop_new(&loop) < 0 || spawner_attach(spawner, loop) < 0 ||
	    sources_new(loop, spawner, &sources) < 0 ||
	    config_parse_object(webservice_keys, nothing, &web, sizeof(web), no_error, NULL) < 0)
		return 1;
	json_decref(nothing);
	loop_timer_init(&patience, on_patience, NULL);
	write_script("echo", echo);
	write_script("dumb", dumb);
	write_script("cached", cached);
	test_words();
	test_cache();
	test_override();
	test_reconfigure();
	sources_free(sources);
	config_free_object(webservice_keys, &web);
	spawner_close(spawner);
	loop_free(loop);
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command) != 0)
		return 1;
	return test_end();
}
