/*
 * `ferryctl script test`: runs a script as handlerd would, asks it once, and judges the answer.
 */
#include "common/child.h"
#include "common/hook.h"
#include "ferryctl/ctl.h"
#include "ferryctl/table.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES (512 * 1024) /* as handlerd takes */

static const char how[] =
    "script test FILE [--hook allow-boot|images|boot] --request R.json [--deadline-ms N]\n"
    "                [--start-ms N] [--memory-mb N] [--network]\n";

struct trial {
	const char *file;
	char path[CHILD_PATH_MAX];
	json_t *request;
	enum hook hook;
	uint64_t deadline_ms, start_ms;
	struct child_limits limits;

	pid_t pid;
	int in, out; /* our ends */
	char *line;  /* LINE_BYTES */
	size_t n;
};

static uint64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --- the exchange --------------------------------------------------------------------------- */

static int
start(struct trial *t)
{
	int in[2], out[2], rc;
	char error[CHILD_ERROR];

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return ctl_error("pipe: %s", strerror(errno));
	rc = child_start(t->path, &t->limits, (const int[3]){ in[0], out[1], STDERR_FILENO },
	    &t->pid, error, sizeof(error));
	close(in[0]);
	close(out[1]);
	t->in = in[1];
	t->out = out[0];
	(void)fcntl(t->in, F_SETFL, O_NONBLOCK);
	return rc < 0 ? ctl_error("%s: %s", t->file, error) : CTL_OK;
}

/* True if there is a whole line. */
static bool
has_line(const struct trial *t)
{
	return memchr(t->line, '\n', t->n) != NULL;
}

/* Writes `text` and reads until a line is there: NULL, or what went wrong. */
static const char *
exchange(struct trial *t, const char *text, uint64_t limit_ms)
{
	uint64_t end_us = now_us() + limit_ms * 1000;
	size_t left = strlen(text);

	t->n = 0;
	while (!has_line(t)) {
		struct pollfd wait[2] = { { .fd = t->out, .events = POLLIN },
			{ .fd = left > 0 ? t->in : -1, .events = POLLOUT } };
		uint64_t now = now_us();
		ssize_t n;

		if (now >= end_us || poll(wait, 2, (int)((end_us - now) / 1000) + 1) == 0)
			return "no answer in time";
		if (wait[1].revents != 0) {
			n = write(t->in, text, left);
			if (n < 0 && errno != EAGAIN)
				return "it ended, or closed its standard input or output";
			text += n > 0 ? n : 0;
			left -= n > 0 ? (size_t)n : 0;
		}
		if (wait[0].revents == 0)
			continue;
		n = read(t->out, t->line + t->n, LINE_BYTES - t->n);
		if (n <= 0)
			return "it ended, or closed its standard input or output";
		t->n += (size_t)n;
		if (t->n == LINE_BYTES)
			return "a line of more than 512 KiB";
	}
	return NULL;
}

/* Asks; the new answer, or NULL after saying what is wrong. */
static json_t *
ask(struct trial *t, const char *what, const json_t *request, uint64_t limit_ms, uint64_t *ret_us)
{
	char *body = json_dumps(request, JSON_COMPACT), *text = NULL, *end;
	uint64_t began_us = now_us();
	const char *wrong = "out of memory";
	json_t *answer = NULL;
	json_error_t error;

	if (body != NULL && asprintf(&text, "%s\n", body) >= 0)
		wrong = exchange(t, text, limit_ms);
	*ret_us = now_us() - began_us;
	free(body);
	free(text);
	if (wrong == NULL) {
		end = memchr(t->line, '\n', t->n);
		answer =
		    json_loadb(t->line, (size_t)(end - t->line), JSON_REJECT_DUPLICATES, &error);
		if (answer == NULL)
			(void)ctl_error("%s: %s: no JSON: %s", t->file, what, error.text);
		else if (end + 1 != t->line + t->n)
			(void)ctl_error("%s: %s: it wrote more than one line", t->file, what);
		else if (json_is_object(answer))
			return answer;
		else
			(void)ctl_error("%s: %s: it must be a JSON object", t->file, what);
	} else {
		(void)ctl_error("%s: %s: %s (limit %llu ms)", t->file, what, wrong,
		    (unsigned long long)limit_ms);
	}
	json_decref(answer);
	return NULL;
}

/* Ends it and gives what it used. */
static void
stop(const struct trial *t, struct rusage *usage)
{
	(void)kill(-t->pid, SIGKILL); /* it may be gone */
	while (wait4(t->pid, NULL, 0, usage) < 0 && errno == EINTR)
		;
	close(t->in);
	close(t->out);
}

/* --- the report ----------------------------------------------------------------------------- */

/* What the verdict means, in a line. */
static void
print_verdict(const struct verdict *v)
{
	printf("verdict     %s", verdict_kind_name(v->kind));
	if (v->kind == VERDICT_MENU)
		printf(" of %zu, default %s", v->nitems,
		    v->standing[0] != '\0' ? v->standing : v->items[0].name);
	else if (v->kind == VERDICT_SCRIPT)
		printf(" of %zu bytes", strlen(v->text));
	else if (v->text[0] != '\0')
		printf(": %s", v->text);
	else if (v->name[0] != '\0' || v->url[0] != '\0')
		printf(": %s", v->name[0] != '\0' ? v->name : v->url);
	puts("");
	if (v->reason[0] != '\0')
		printf("reason      %s\n", v->reason);
}

static int
report(const struct ctl *c, const json_t *answer, const struct verdict *v, uint64_t start_us,
    uint64_t answer_us, const struct rusage *usage)
{
	uint64_t peak = (uint64_t)usage->ru_maxrss * 1024;
	char bytes[32], *text;

	if (c->json)
		return ctl_print_json(json_pack("{s:O, s:s, s:I, s:I, s:I}", "answer", answer,
		    "verdict", verdict_kind_name(v->kind), "start_us", (json_int_t)start_us,
		    "answer_us", (json_int_t)answer_us, "memory_bytes", (json_int_t)peak));
	text = json_dumps(answer, JSON_INDENT(2));
	printf("answer      %s\n", text != NULL ? text : "");
	free(text);
	print_verdict(v);
	printf("self-test   after %.1f ms, with the start\n", (double)start_us / 1000);
	printf("time        %.1f ms\n", (double)answer_us / 1000);
	printf("memory      %s\n", format_bytes(peak, bytes));
	return CTL_OK;
}

static int
run_trial(const struct ctl *c, struct trial *t)
{
	json_t *test = hook_self_test(t->hook), *tested, *answer = NULL;
	uint64_t start_us, answer_us = 0, began_us = now_us();
	char error[256];
	struct rusage usage = { 0 };
	struct verdict v;
	int rc = start(t);

	if (rc == CTL_OK) {
		tested = ask(t, "self-test", test, t->start_ms, &start_us);
		start_us = now_us() - began_us;
		if (tested != NULL && hook_self_test_check(tested, error, sizeof(error)) < 0)
			rc = ctl_error("%s: self-test: %s", t->file, error);
		else if (tested != NULL)
			answer = ask(t, "answer", t->request, t->deadline_ms, &answer_us);
		json_decref(tested);
		stop(t, &usage);
		if (answer == NULL)
			rc = CTL_FAIL;
	}
	if (answer != NULL &&
	    hook_answer_parse(t->hook, answer, NULL, NULL, &v, error, sizeof(error)) < 0) {
		rc = ctl_error("%s: answer: %s", t->file, error);
	} else if (answer != NULL) {
		rc = report(c, answer, &v, start_us, answer_us, &usage);
		verdict_fini(&v);
	}
	json_decref(answer);
	json_decref(test);
	return rc;
}

/* --- the command ---------------------------------------------------------------------------- */

/* The recorded request, for the hook that it or the caller names. */
static int
load_request(struct trial *t, const char *file, const char *hook)
{
	json_error_t error;
	const char *type;

	t->request = json_load_file(file, 0, &error);
	if (!json_is_object(t->request))
		return ctl_error(
		    "%s: %s", file, t->request != NULL ? "it must be a JSON object" : error.text);
	type = json_string_value(json_object_get(t->request, "type"));
	if (hook == NULL)
		hook = type;
	if (hook == NULL || hook_parse_name(hook, &t->hook) < 0)
		return ctl_error("%s: its \"type\" is no hook, and --hook names none", file);
	json_object_set_new(t->request, "type", json_string(hook));
	json_object_set_new(t->request, "id", json_integer(1));
	json_object_set_new(t->request, "deadline_ms", json_integer((json_int_t)t->deadline_ms));
	return CTL_OK;
}

static int
find_script(struct trial *t)
{
	char *path = realpath(t->file, NULL);
	int rc = CTL_OK;

	if (path == NULL)
		return ctl_error("%s: %s", t->file, strerror(errno));
	if (strlen(path) >= sizeof(t->path))
		rc = ctl_error("%s: its path is too long", t->file);
	else
		strcpy(t->path, path);
	free(path);
	return rc;
}

int
cmd_script(const struct ctl *c, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "hook", required_argument, NULL, 'h' },
		{ "request", required_argument, NULL, 'r' },
		{ "deadline-ms", required_argument, NULL, 'd' },
		{ "start-ms", required_argument, NULL, 's' },
		{ "memory-mb", required_argument, NULL, 'm' },
		{ "network", no_argument, NULL, 'n' },
		{ 0 },
	};
	struct trial t = { .deadline_ms = 3000, .start_ms = 10000, .in = -1, .out = -1 };
	const char *hook = NULL, *request = NULL;
	uint64_t memory_mb = 512;
	bool good = true;
	int o, rc;

	optind = 0; /* begins anew, and takes options behind FILE, too */
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'h': hook = optarg; break;
		case 'r': request = optarg; break;
		case 'd': good &= parse_u64(optarg, &t.deadline_ms) == 0; break;
		case 's': good &= parse_u64(optarg, &t.start_ms) == 0; break;
		case 'm': good &= parse_u64(optarg, &memory_mb) == 0; break;
		case 'n': t.limits.network = true; break;
		default: good = false; break;
		}
	}
	if (!good || request == NULL || argc - optind != 2 || strcmp(argv[optind], "test") != 0 ||
	    t.deadline_ms > 3600000 || t.start_ms > 3600000 || memory_mb > 1u << 20)
		return ctl_usage(how);
	t.file = argv[optind + 1];
	t.limits.memory_bytes = memory_mb << 20;
	signal(SIGPIPE, SIG_IGN);
	rc = find_script(&t);
	if (rc == CTL_OK)
		rc = load_request(&t, request, hook);
	t.line = malloc(LINE_BYTES);
	if (rc == CTL_OK)
		rc = t.line != NULL ? run_trial(c, &t) : ctl_error("out of memory");
	free(t.line);
	json_decref(t.request);
	return rc;
}
