/* Tests of handlerd/webservice*.c, ws_client.c and ws_reports.c, against tests/suite/webservice.py.
 */
#include "handlerd/webservice.h"

#include "common/log.h"
#include "tests/service.h"
#include "tests/test.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct loop *loop;
static struct service service;

/* --- a web service by its configuration ----------------------------------------------------- */

static char errors[1024];

static void
on_error(void *arg, const char *path, const char *what)
{
	size_t n = strlen(errors);

	(void)arg;
	snprintf(errors + n, sizeof(errors) - n, "%s: %s\n", path, what);
}

static void
check_conf(const void *conf, config_error_fn *error, void *arg)
{
	webservice_check(conf, "webservice", error, arg);
}

static const struct config_table table = {
	.daemon = "handlerd",
	.keys = webservice_keys,
	.size = sizeof(struct webservice_conf),
	.check = check_conf,
};

/* Opens one by JSON, in which %s stand for what follows. */
static struct webservice *__attribute__((format(printf, 1, 2))) open_service(const char *fmt, ...)
{
	struct webservice *ws = NULL;
	struct webservice_conf conf;
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	errors[0] = '\0';
	if (config_parse(&table, text, strlen(text), &conf, on_error, NULL) < 0) {
		test_fail(__FILE__, __LINE__, "%s: %s", text, errors);
		return NULL;
	}
	CHECK_INT(webservice_open(loop, &conf, NULL, NULL, &ws), 0);
	config_free(&table, &conf);
	return ws;
}

/* One that asks the test service over HTTPS, with some keys more. */
static struct webservice *
open_plain(const char *more)
{
	return open_service("{\"urls\":[\"%s\"],\"ca\":\"%s\",\"features\":{\"boot_request\":true,"
			    "\"report_boot\":true,\"winpe_start\":true}%s%s}",
	    service_url("https", service.https, ""), service_file(&service, "ca.pem"),
	    more[0] != '\0' ? "," : "", more);
}

/* --- asking --------------------------------------------------------------------------------- */

static struct {
	int n, wanted;
	enum ws_status status; /* of the last */
	enum verdict_kind kind;
	bool stale;
	uint32_t longest_ms;
	int by_status[WS_STATUSES];
	char text[256], answer[256];
} seen;

static void
on_stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* Serves for so long, or until loop_stop(). */
static void
serve(uint64_t ms)
{
	struct loop_timer t;

	loop_timer_init(&t, on_stop, NULL);
	CHECK_INT(loop_timer_set(loop, &t, ms), 0);
	CHECK_INT(loop_run(loop), 0);
	loop_timer_clear(loop, &t);
}

static void
on_result(void *arg, const struct ws_result *result)
{
	(void)arg;
	seen.n++;
	seen.status = result->status;
	seen.stale = result->stale;
	seen.by_status[result->status]++;
	if (result->took_ms > seen.longest_ms)
		seen.longest_ms = result->took_ms;
	snprintf(seen.text, sizeof(seen.text), "%s", result->text);
	seen.answer[0] = '\0';
	CHECK((result->answer != NULL) ==
	      (result->status == WS_ANSWERED || result->status == WS_CACHED));
	if (result->answer != NULL) {
		seen.kind = result->answer->verdict.kind;
		snprintf(seen.answer, sizeof(seen.answer), "%s%s", result->answer->verdict.reason,
		    result->answer->text);
	}
	if (seen.n == seen.wanted)
		loop_stop(loop);
}

static json_t *
body(const char *mac)
{
	return json_pack("{s:i, s:{s:s, s:{s:s}}, s:{s:s}}", "version", 1, "request", "mac", mac,
	    "params", "tokenid", "t1", "config", "base", "https://boot.example:8050/");
}

static void
ask_many(struct webservice *ws, int n, uint32_t deadline_ms, const char *key)
{
	memset(&seen, 0, sizeof(seen));
	seen.wanted = n;
	for (int i = 0; i < n; i++)
		CHECK_INT(webservice_ask(ws, WS_BOOT_REQUEST, body("52:54:00:00:00:01"),
			      deadline_ms, key, on_result, NULL, NULL),
		    0);
	CHECK_INT(seen.n, 0); /* nobody is called back from within */
}

/* Asks and waits; the status's name, and "/stale" if it is. */
static const char *
ask(struct webservice *ws, uint32_t deadline_ms, const char *key)
{
	static char text[64];

	ask_many(ws, 1, deadline_ms, key);
	serve(20000);
	CHECK_INT(seen.n, 1);
	snprintf(
	    text, sizeof(text), "%s%s", ws_status_name(seen.status), seen.stale ? "/stale" : "");
	return text;
}

static void
answer_with(const char *json)
{
	service_says(&service, "v1_boot", json);
	service_mode(&service, "answer");
}

/* --- tests ---------------------------------------------------------------------------------- */

static json_t *
overriding(void)
{
	return json_pack("{s:{s:s, s:{s:s}}}", "request", "mac", "52:54:00:00:00:01", "params",
	    "wsoverride", "1");
}

static void
test_questions(void)
{
	struct webservice *ws = open_plain(""), *other;
	json_t *request = NULL, *sent;
	struct ws_asker *asker = NULL;

	test_case("a question is answered");
	answer_with("{\"action\":\"local\",\"reason\":\"because\"}");
	CHECK_STR(ask(ws, 5000, NULL), "answered");
	CHECK_INT(seen.kind, VERDICT_LOCAL);
	CHECK_STR(seen.answer, "because");

	test_case("it goes out as the dialect says");
	service_requests(&service, &request);
	CHECK_STR(json_string_value(json_object_get(request, "method")), "POST");
	CHECK_STR(json_string_value(json_object_get(request, "path")), "/v1/boot");
	CHECK_INT(json_string_length(
		      json_object_get(json_object_get(request, "headers"), "Idempotency-Key")),
	    32);
	sent = json_loads(json_string_value(json_object_get(request, "body")), 0, NULL);
	CHECK_STR(json_string_value(json_object_get(sent, "type")), "boot_request");
	CHECK_STR(json_string_value(json_object_get(sent, "tokenid")), "t1");
	CHECK_STR(json_string_value(json_object_get(sent, "pxeurl")), "https://boot.example:8050/");
	json_decref(sent);
	json_decref(request);

	test_case("what WinPE is to get is a text");
	service_says(&service, "v1_winpe_start", "{\"text\":\"ipconfig\"}");
	memset(&seen, 0, sizeof(seen));
	seen.wanted = 1;
	CHECK_INT(webservice_ask(ws, WS_WINPE_START, body("52:54:00:00:00:01"), 5000, NULL,
		      on_result, NULL, NULL),
	    0);
	serve(20000);
	CHECK_STR(seen.answer, "ipconfig");

	test_case("a feature that is off is not asked");
	CHECK_INT(webservice_ask(
		      ws, WS_CONFIG, body("52:54:00:00:00:01"), 5000, NULL, on_result, NULL, NULL),
	    -ENOENT);
	CHECK_INT(webservice_report(ws, WS_REPORT_CONFIGURATION, body("x"), "x"), -ENOENT);
	CHECK(!webservice_wants(NULL, WS_BOOT_REQUEST));

	test_case("a client's word for the local handler counts only where the site wants it");
	CHECK_INT(
	    webservice_ask(ws, WS_BOOT_REQUEST, overriding(), 5000, NULL, on_result, NULL, NULL),
	    0);
	other = open_plain("\"client_override\":true");
	CHECK_INT(
	    webservice_ask(other, WS_BOOT_REQUEST, overriding(), 5000, NULL, on_result, NULL, NULL),
	    -ECANCELED);
	webservice_close(other);
	serve(300);

	test_case("who is cancelled hears nothing");
	service_mode(&service, "slow 200");
	memset(&seen, 0, sizeof(seen));
	CHECK_INT(webservice_ask(ws, WS_BOOT_REQUEST, body("52:54:00:00:00:01"), 5000, NULL,
		      on_result, NULL, &asker),
	    0);
	webservice_cancel(asker);
	serve(400);
	CHECK_INT(seen.n, 0);

	test_case("questions under way, waiting and settled end silently with the service");
	ask_many(ws, 40, 5000, NULL);
	webservice_close(ws);
	CHECK_INT(seen.n, 0);
	service_mode(&service, "answer");
}

static void
test_failures(void)
{
	static const struct {
		const char *what, *mode, *status;
	} rows[] = {
		{ "a server error", "status 500", "failed" },
		{ "too many requests", "status 429", "failed" },
		{ "a server that stays silent", "hang", "timed-out" },
		{ "an answer cut short", "half", "failed" },
		{ "an answer that is too large", "huge 400000", "failed" },
		{ "a closed connection", "reset", "failed" },
		{ "a redirect elsewhere", "away", "failed" },
		{ "a page instead of JSON", "text", "bad-answer" },
		{ "a wrong URL", "status 404", "bad-answer" },
		{ "no permission", "status 403", "bad-answer" },
	};
	struct webservice *ws;
	char ca[128];

	snprintf(ca, sizeof(ca), "%s", service_file(&service, "ca.pem"));
	for (size_t i = 0; i < NITEMS(rows); i++) {
		test_case("%s is told as \"%s\"", rows[i].what, rows[i].status);
		ws = open_plain("\"timeout_ms\":1500");
		service_mode(&service, rows[i].mode);
		CHECK_STR(ask(ws, 1000, NULL), rows[i].status);
		CHECK(seen.text[0] != '\0');
		webservice_close(ws);
	}
	service_mode(&service, "answer");

	test_case("a dead port");
	ws = open_service("{\"urls\":[\"%s\"],\"features\":{\"boot_request\":true}}",
	    service_url("http", service_dead_port(), "/"));
	CHECK_STR(ask(ws, 5000, NULL), "failed");
	webservice_close(ws);
	test_case("a service of an unknown CA");
	ws = open_service("{\"urls\":[\"%s\"],\"ca\":\"%s\",\"features\":{\"boot_request\":true}}",
	    service_url("https", service.https, ""), service_file(&service, "stranger-ca.pem"));
	CHECK_STR(ask(ws, 5000, NULL), "failed");
	webservice_close(ws);
	test_case("a certificate that the service does not know");
	ws = open_service("{\"urls\":[\"%s\"],\"ca\":\"%s\",\"certificate\":\"%s\","
			  "\"features\":{\"boot_request\":true}}",
	    service_url("https", service.mutual, ""), ca, service_file(&service, "stranger.pem"));
	CHECK_STR(ask(ws, 5000, NULL), "failed");
	webservice_close(ws);
	test_case("a certificate that it knows");
	ws = open_service("{\"urls\":[\"%s\"],\"ca\":\"%s\",\"certificate\":\"%s\","
			  "\"features\":{\"boot_request\":true}}",
	    service_url("https", service.mutual, ""), ca, service_file(&service, "client.pem"));
	CHECK_STR(ask(ws, 5000, NULL), "answered");
	webservice_close(ws);
	test_case("a token that cannot be read");
	ws = open_service("{\"urls\":[\"%s\"],\"ca\":\"%s\",\"token_file\":\"/nonexistent\","
			  "\"features\":{\"boot_request\":true}}",
	    service_url("https", service.https, ""), ca);
	CHECK_STR(ask(ws, 5000, NULL), "broken");
	webservice_close(ws);
}

static void
test_cache(void)
{
	struct webservice *ws = open_plain("\"timeout_ms\":5000");
	size_t before;

	test_case("an answer that comes too late serves the next attempt");
	answer_with("{\"action\":\"local\",\"reason\":\"late\"}");
	service_mode(&service, "slow 500");
	CHECK_STR(ask(ws, 100, "m1"), "timed-out");
	serve(1500);
	before = service_requests(&service, NULL);
	CHECK_STR(ask(ws, 100, "m1"), "cached");
	CHECK_STR(seen.answer, "late");
	CHECK_INT(service_requests(&service, NULL), before);

	test_case("one that was asked for early is there when it is needed, once");
	service_mode(&service, "answer");
	CHECK_INT(webservice_ask(
		      ws, WS_BOOT_REQUEST, body("52:54:00:00:00:01"), 0, "m2", NULL, NULL, NULL),
	    0);
	serve(1000);
	CHECK_STR(ask(ws, 1000, "m2"), "cached");
	CHECK_STR(ask(ws, 5000, "m2"), "answered");

	test_case("those who ask the same at the same time share one request");
	service_mode(&service, "slow 200");
	before = service_requests(&service, NULL);
	ask_many(ws, 20, 5000, "m3");
	serve(20000);
	CHECK_INT(seen.by_status[WS_ANSWERED], 20);
	CHECK_INT(service_requests(&service, NULL), before + 1);

	test_case("an answer serves for as long as the service says");
	answer_with("{\"action\":\"local\",\"cache_s\":60}");
	CHECK_STR(ask(ws, 5000, "m4"), "answered");
	CHECK_STR(ask(ws, 5000, "m4"), "cached");

	test_case("but none serves again that depended on what a person typed");
	for (int i = 0; i < 2; i++) {
		json_t *typed = body("52:54:00:00:00:01");

		json_object_set_new(json_object_get(json_object_get(typed, "request"), "params"),
		    "AuthValue", json_string("1234"));
		memset(&seen, 0, sizeof(seen));
		seen.wanted = 1;
		CHECK_INT(
		    webservice_ask(ws, WS_BOOT_REQUEST, typed, 5000, "m4", on_result, NULL, NULL),
		    0);
		serve(20000);
		CHECK_STR(ws_status_name(seen.status), "answered");
	}

	test_case("without the site's consent none stands in for a failure");
	answer_with("{\"action\":\"local\"}");
	CHECK_STR(ask(ws, 5000, "m5"), "answered");
	service_mode(&service, "status 500");
	CHECK_STR(ask(ws, 5000, "m5"), "failed");
	webservice_close(ws);

	test_case("with it the last good answer does");
	ws = open_plain("\"timeout_ms\":1000,\"cache\":{\"age_s\":60}");
	answer_with("{\"action\":\"local\",\"reason\":\"good\"}");
	CHECK_STR(ask(ws, 5000, "m6"), "answered");
	answer_with("{\"action\":\"local\",\"reason\":\"once\",\"keep\":false}");
	CHECK_STR(ask(ws, 5000, "m7"), "answered");
	service_mode(&service, "status 500");
	CHECK_STR(ask(ws, 5000, "m6"), "cached/stale");
	CHECK_STR(seen.answer, "good");
	test_case("also for a client that cannot wait, and while nobody is asked");
	service_mode(&service, "hang");
	CHECK_STR(ask(ws, 100, "m6"), "cached/stale");
	service_mode(&service, "status 500");
	for (int i = 0; i < 6; i++)
		(void)ask(ws, 5000, NULL);
	CHECK_STR(ask(ws, 5000, NULL), "broken");
	CHECK_STR(ask(ws, 5000, "m6"), "cached/stale");
	test_case("but none that the service forbade to use again");
	CHECK(strncmp(ask(ws, 5000, "m7"), "cached", 6) != 0);
	webservice_close(ws);
	service_mode(&service, "answer");
}

static void
test_bounds(void)
{
	struct webservice *ws = open_plain("\"max_calls\":2,\"max_waiting\":6,\"timeout_ms\":1000");

	test_case("more askers than may wait are told at once");
	service_mode(&service, "hang");
	ask_many(ws, 10, 400, NULL);
	serve(20000);
	CHECK_INT(seen.by_status[WS_QUEUE_FULL], 4);
	CHECK_INT(seen.by_status[WS_TIMED_OUT], 6);
	webservice_close(ws);

	test_case("those who wait get their turn");
	ws = open_plain("\"max_calls\":2");
	answer_with("{\"action\":\"local\"}");
	ask_many(ws, 50, 10000, NULL);
	serve(20000);
	CHECK_INT(seen.by_status[WS_ANSWERED], 50);
	webservice_close(ws);
}

static void
test_failover(void)
{
	struct webservice *ws;
	json_t *status;

	test_case("the next URL is asked when the first is dead");
	answer_with("{\"action\":\"local\"}");
	ws = open_service("{\"urls\":[\"%s\",\"%s\"],\"ca\":\"%s\",\"features\":{"
			  "\"boot_request\":true}}",
	    service_url("https", service_dead_port(), ""), service_url("https", service.https, "/"),
	    service_file(&service, "ca.pem"));
	for (int i = 0; i < 8; i++)
		CHECK_STR(ask(ws, 5000, NULL), "answered");
	test_case("and after some failures the first is left in peace");
	status = webservice_status(ws);
	CHECK_INT(json_integer_value(json_object_get(
		      json_array_get(json_object_get(status, "urls"), 0), "failures")),
	    5);
	CHECK_STR(json_string_value(json_object_get(
		      json_array_get(json_object_get(status, "urls"), 0), "breaker")),
	    "open");
	json_decref(status);
	webservice_close(ws);
}

static void
test_storm(void)
{
	static const struct {
		const char *what, *mode;
	} rows[] = {
		{ "that refuses", "reset" },
		{ "that stays silent", "hang" },
	};
	const uint32_t deadline_ms = 1000;
	/* 16 under way, and one more for each of the failures before the fifth opens the breaker */
	const size_t first = 16 + 4;

	for (size_t i = 0; i < NITEMS(rows); i++) {
		struct webservice *ws =
		    open_plain("\"timeout_ms\":1000,\"max_calls\":16,\"max_waiting\":1024");
		uint64_t began_ms = loop_now_ms(loop);
		size_t before;
		int total = 0;

		test_case(
		    "10,000 questions to a service %s: each has its end in time", rows[i].what);
		service_mode(&service, rows[i].mode);
		memset(&seen, 0, sizeof(seen));
		before = service_requests(&service, NULL);
		for (int wave = 0; wave < 25; wave++) {
			for (int k = 0; k < 400; k++, total++)
				CHECK_INT(
				    webservice_ask(ws, WS_BOOT_REQUEST, body("52:54:00:00:00:01"),
					deadline_ms, NULL, on_result, NULL, NULL),
				    0);
			serve(100);
		}
		seen.wanted = total;
		if (seen.n < total)
			serve(10000);
		CHECK_INT(seen.n, 10000);
		CHECK_INT(seen.by_status[WS_ANSWERED] + seen.by_status[WS_CACHED], 0);
		/* a busy machine may be late, but nobody waits for the service twice */
		CHECK(seen.longest_ms < deadline_ms + 3000);
		CHECK(seen.by_status[WS_BROKEN] > 5000);

		test_case("and after the first calls it sees at most one a second");
		CHECK(service_requests(&service, NULL) <=
		      before + first + (loop_now_ms(loop) - began_ms) / 1000 + 1);
		webservice_close(ws);
	}
	service_mode(&service, "answer");
}

/* "machine:number" of the delivered reports since `from`, in order; repeated ids once. */
static void
delivered(size_t from, const char *machine, char *buf, size_t size)
{
	json_t *log = service_log(&service), *one, *ids = json_object();
	size_t i, n = 0;

	buf[0] = '\0';
	json_array_foreach(log, i, one)
	{
		const char *id = json_string_value(
		    json_object_get(json_object_get(one, "headers"), "Idempotency-Key"));
		json_t *report =
		    json_loads(json_string_value(json_object_get(one, "body")), 0, NULL);
		const char *m = json_string_value(json_object_get(report, "machine"));

		if (i >= from && m != NULL && strcmp(m, machine) == 0 &&
		    json_object_get(ids, id) == NULL) {
			n += (size_t)snprintf(buf + n, size - n, "%lld ",
			    (long long)json_integer_value(json_object_get(report, "n")));
			json_object_set_new(ids, id, json_true());
		}
		json_decref(report);
	}
	json_decref(ids);
	json_decref(log);
}

static json_int_t
reports(const struct webservice *ws, const char *counter)
{
	json_t *status = webservice_status(ws);
	json_int_t n =
	    json_integer_value(json_object_get(json_object_get(status, "reports"), counter));

	json_decref(status);
	return n;
}

static void
report(struct webservice *ws, const char *machine, int n)
{
	CHECK_INT(webservice_report(ws, WS_REPORT_BOOT,
		      json_pack("{s:s, s:i}", "machine", machine, "n", n), machine),
	    0);
}

/* Serves until so many were counted, or for 20 s. */
static void
serve_until(struct webservice *ws, const char *counter, json_int_t n)
{
	for (int i = 0; i < 400 && reports(ws, counter) < n; i++)
		serve(50);
	CHECK_INT(reports(ws, counter), n);
}

static void
test_reports(void)
{
	struct webservice *ws = open_plain("\"breaker\":{\"max_wait_ms\":1000}");
	size_t before = service_requests(&service, NULL);
	json_t *first = NULL;
	char text[256];

	test_case("a report goes out");
	report(ws, "a", 0);
	serve_until(ws, "delivered", 1);
	service_requests(&service, &first);
	CHECK_STR(json_string_value(json_object_get(first, "path")), "/v1/report/boot");
	json_decref(first);

	test_case("reports outlive an outage, and those of a machine come in order");
	service_mode(&service, "status 503");
	for (int i = 1; i <= 5; i++) {
		report(ws, "a", i);
		report(ws, "b", i);
		serve(50);
	}
	serve(1500);
	CHECK_INT(reports(ws, "waiting"), 10);
	CHECK(reports(ws, "retried") > 0);
	service_mode(&service, "answer");
	serve_until(ws, "delivered", 11);
	delivered(before, "a", text, sizeof(text));
	CHECK_STR(text, "0 1 2 3 4 5 ");
	delivered(before, "b", text, sizeof(text));
	CHECK_STR(text, "1 2 3 4 5 ");

	test_case("a report that the service refuses is not sent again");
	service_mode(&service, "status 404");
	report(ws, "a", 6);
	serve_until(ws, "refused", 1);
	CHECK_INT(reports(ws, "waiting"), 0);
	webservice_close(ws);

	test_case("when the queue is full the oldest make room");
	ws = open_plain("\"reports\":{\"queue\":5}");
	service_mode(&service, "hang");
	before = service_requests(&service, NULL);
	for (int i = 0; i < 20; i++)
		report(ws, i % 3 == 0 ? "a" : "b", i);
	CHECK_INT(reports(ws, "dropped"), 15);
	CHECK_INT(reports(ws, "waiting"), 5);
	service_mode(&service, "answer");
	serve_until(ws, "delivered", 5);
	delivered(before, "a", text, sizeof(text));
	CHECK_STR(text, "15 18 ");
	delivered(before, "b", text, sizeof(text));
	CHECK_STR(text, "16 17 19 ");

	test_case("reports that are too large are not taken");
	{
		char *large = malloc(70001);

		memset(large, 'x', 70000);
		large[70000] = '\0';
		CHECK_INT(
		    webservice_report(ws, WS_REPORT_BOOT, json_pack("{s:s}", "x", large), "c"),
		    -EMSGSIZE);
		free(large);
	}
	webservice_close(ws);
}

static void
test_pixiecore(void)
{
	struct webservice *ws =
	    open_service("{\"urls\":[\"%s\"],\"dialect\":\"pixiecore\","
			 "\"features\":{\"boot_request\":true},\"token_file\":\"%s\"}",
		service_url("http", service.http, "/api"), service_file(&service, "token"));
	FILE *f = fopen(service_file(&service, "token"), "w");
	json_t *request = NULL;

	CHECK(f != NULL && fputs("secret\n", f) >= 0 && fclose(f) == 0);
	test_case("a pixiecore service is asked by GET, and its kernel is an entry");
	service_says(
	    &service, "api_v1_boot_52-54-00-00-00-01", "{\"kernel\":\"/k\",\"initrd\":[\"/i\"]}");
	CHECK_STR(ask(ws, 5000, "m"), "answered");
	CHECK_INT(seen.kind, VERDICT_ENTRY);
	service_requests(&service, &request);
	CHECK_STR(json_string_value(json_object_get(request, "method")), "GET");
	CHECK_STR(
	    json_string_value(json_object_get(request, "path")), "/api/v1/boot/52:54:00:00:00:01");
	CHECK_STR(json_string_value(
		      json_object_get(json_object_get(request, "headers"), "Authorization")),
	    "Bearer secret");
	json_decref(request);

	test_case("a machine that it does not know leaves network boot");
	memset(&seen, 0, sizeof(seen));
	seen.wanted = 1;
	CHECK_INT(webservice_ask(ws, WS_BOOT_REQUEST, body("52:54:00:00:00:02"), 5000, "m2",
		      on_result, NULL, NULL),
	    0);
	serve(20000);
	CHECK_INT(seen.status, WS_ANSWERED);
	CHECK_INT(seen.kind, VERDICT_LOCAL);

	test_case("a machine without a MAC cannot be asked for");
	CHECK_INT(webservice_ask(ws, WS_BOOT_REQUEST, body(""), 5000, NULL, on_result, NULL, NULL),
	    -EINVAL);
	webservice_close(ws);
}

static void
test_conf(void)
{
	static const struct {
		const char *what, *json, *error;
	} rows[] = {
		{ "nothing is a configuration", "{}", "" },
		{ "features without a URL", "{\"features\":{\"boot_request\":true}}",
		    "webservice.urls: features are on, but there is no URL to ask\n" },
		{ "a URL without a scheme", "{\"urls\":[\"ws.example:8051\"]}",
		    "webservice.urls: \"ws.example:8051\" is not of the form "
		    "https://HOST[:PORT][/PATH]\n" },
		{ "a URL with a query", "{\"urls\":[\"https://ws.example/?x=1\"]}",
		    "webservice.urls: \"https://ws.example/?x=1\" is not of the form "
		    "https://HOST[:PORT][/PATH]\n" },
		{ "a token over plain HTTP",
		    "{\"urls\":[\"http://ws.example/\"],\"token_file\":\"/x\"}",
		    "webservice.urls: \"http://ws.example/\" would send the token unencrypted; use "
		    "https\n" },
		{ "a key without a certificate", "{\"key\":\"/x\"}",
		    "webservice.key: a key without a certificate\n" },
		{ "reports to pixiecore",
		    "{\"urls\":[\"https://x/\"],\"dialect\":\"pixiecore\","
		    "\"features\":{\"report_boot\":true}}",
		    "webservice.features.report_boot: the pixiecore dialect has no such thing\n" },
	};

	for (size_t i = 0; i < NITEMS(rows); i++) {
		struct webservice_conf conf;
		int rc;

		test_case("configuration: %s", rows[i].what);
		errors[0] = '\0';
		rc =
		    config_parse(&table, rows[i].json, strlen(rows[i].json), &conf, on_error, NULL);
		CHECK_INT(rc, rows[i].error[0] != '\0' ? -EINVAL : 0);
		CHECK_STR(errors, rows[i].error);
		if (rc == 0)
			config_free(&table, &conf);
	}
}

int
main(void)
{
	log_init("test_webservice", true);
	log_set_level(LOG_LEVEL_ERROR);
	CHECK_INT(loop_new(&loop), 0);
	service_start(&service);
	test_conf();
	test_questions();
	test_failures();
	test_cache();
	test_bounds();
	test_failover();
	test_storm();
	test_reports();
	test_pixiecore();
	service_stop(&service);
	loop_free(loop);
	return test_end();
}
