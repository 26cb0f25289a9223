/* Tests of common/http.c, against tests/suite/webservice.py. */
#include "common/http.h"

#include "common/log.h"
#include "tests/service.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct loop *loop;
static struct service service;
static struct http_answer last;
static char last_body[256], last_type[64];
static int answered, wanted;

static void
on_stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
on_answer(void *arg, const struct http_answer *answer)
{
	last = *answer;
	slice_copy(last_body, sizeof(last_body), answer->body);
	snprintf(last_type, sizeof(last_type), "%s", answer->type);
	if (arg != NULL)
		*(int *)arg = answer->error != 0 ? answer->error : (int)answer->status;
	if (++answered == wanted)
		loop_stop(loop);
}

/* Serves until so many answers came, at most for 20 s. */
static void
run(int n)
{
	struct loop_timer t;

	answered = 0;
	wanted = n;
	loop_timer_init(&t, on_stop, NULL);
	CHECK_INT(loop_timer_set(loop, &t, 20000), 0);
	CHECK_INT(loop_run(loop), 0);
	loop_timer_clear(loop, &t);
	CHECK_INT(answered, n);
}

static struct http *
open_http(const char *ca, const char *certificate, const char *token_file)
{
	struct http_conf conf = { .ca = ca,
		.certificate = certificate,
		.key = "",
		.token_file = token_file,
		.proxy = "",
		.max_answer = 65536 };
	struct http *http = NULL;

	CHECK_INT(http_open(loop, &conf, &http), 0);
	return http;
}

/* One request; its error, or the status. */
static int
ask(struct http *http, const char *method, const char *url, uint32_t deadline_ms)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	struct http_ask a = {
		.method = method, .url = url, .headers = headers, .deadline_ms = deadline_ms
	};
	struct http_request *request;
	int result = 0, rc;

	if (strcmp(method, "POST") == 0)
		a.body = slice_str("{\"a\":1}");
	memset(&last, 0, sizeof(last));
	rc = http_ask(http, &a, on_answer, &result, &request);
	if (rc < 0)
		return rc;
	run(1);
	return result;
}

static const char *
header(const json_t *request, const char *name)
{
	const char *v =
	    json_string_value(json_object_get(json_object_get(request, "headers"), name));

	return v != NULL ? v : "";
}

static void
test_failures(void)
{
	static const struct {
		const char *what, *mode;
		int result;
	} rows[] = {
		{ "a whole answer comes with its status", "answer", 200 },
		{ "so does one of a server that has trouble", "status 500", 500 },
		{ "a slow answer is no answer", "slow 3000", -ETIMEDOUT },
		{ "nor is a connection that stays silent", "hang", -ETIMEDOUT },
		{ "an answer cut short is an error", "half", -EPIPE },
		{ "an answer that is too large is given up", "huge 200000", -EFBIG },
		{ "a connection closed without an answer is an error", "reset", -EPIPE },
		{ "a redirect to another host is not followed", "away", -EXDEV },
		{ "a redirect on the same server is followed", "here", 200 },
	};
	struct http *http;

	service_says(&service, "v1_boot", "{\"decision\":\"none\"}");
	service_says(&service, "moved_v1_boot", "{\"moved\":true}");
	for (int tls = 0; tls < 2; tls++) {
		const char *url = tls ? service_url("https", service.https, "/v1/boot")
		                      : service_url("http", service.http, "/v1/boot");

		http = open_http(service_file(&service, "ca.pem"), "", "");
		for (size_t i = 0; i < NITEMS(rows); i++) {
			test_case("%s%s", rows[i].what, tls ? ", also over TLS" : "");
			service_mode(&service, rows[i].mode);
			CHECK_INT(ask(http, "POST", url, 1000), rows[i].result);
			if (rows[i].result < 0)
				CHECK(last.text[0] != '\0' && last.body.n == 0);
		}
		CHECK_STR(last_body, "{\"moved\":true}");
		CHECK_STR(last_type, "application/json");
		http_close(http);
	}
	service_mode(&service, "answer");
}

static void
test_trust(void)
{
	const char *url = service_url("https", service.https, "/v1/boot");
	struct http *http;
	char other[256];

	test_case("a dead port is told at once");
	http = open_http("", "", "");
	CHECK_INT(
	    ask(http, "GET", service_url("http", service_dead_port(), "/"), 10000), -ECONNREFUSED);
	CHECK(last.took_ms < 5000);
	test_case("a server of an unknown CA is not believed");
	CHECK_INT(ask(http, "GET", url, 5000), -EACCES);
	http_close(http);
	http = open_http(service_file(&service, "stranger-ca.pem"), "", "");
	CHECK_INT(ask(http, "GET", url, 5000), -EACCES);
	http_close(http);

	test_case("a certificate for another name is not believed");
	http = open_http(service_file(&service, "ca.pem"), "", "");
	snprintf(other, sizeof(other), "https://localhost:%u/v1/boot", service.https);
	CHECK_INT(ask(http, "GET", other, 5000), -EACCES);

	test_case("a server that wants a certificate does not talk to us without");
	url = service_url("https", service.mutual, "/v1/boot");
	CHECK(ask(http, "GET", url, 5000) < 0);
	http_close(http);
	test_case("nor with a stranger's");
	http =
	    open_http(service_file(&service, "ca.pem"), service_file(&service, "stranger.pem"), "");
	CHECK(ask(http, "GET", url, 5000) < 0);
	http_close(http);
	test_case("but with ours");
	http =
	    open_http(service_file(&service, "ca.pem"), service_file(&service, "client.pem"), "");
	CHECK_INT(ask(http, "GET", url, 5000), 200);
	http_close(http);

	test_case("files that cannot be read are told when opening");
	{
		struct http_conf conf = { .ca = "/nonexistent",
			.certificate = "",
			.key = "",
			.token_file = "",
			.proxy = "" };

		CHECK_INT(http_open(loop, &conf, &http), -EINVAL);
	}
}

static void
write_token(const char *text)
{
	FILE *f = fopen(service_file(&service, "token"), "w");

	CHECK(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void
test_token(void)
{
	const char *url = service_url("https", service.https, "/v1/boot");
	struct http *http =
	    open_http(service_file(&service, "ca.pem"), "", service_file(&service, "token"));
	json_t *seen = NULL;

	test_case("without its token file a request is not sent");
	CHECK_INT(ask(http, "GET", url, 5000), -EACCES);
	test_case("the token goes out without the line's end");
	write_token("first.token\n");
	CHECK_INT(ask(http, "GET", url, 5000), 200);
	service_requests(&service, &seen);
	CHECK_STR(header(seen, "Authorization"), "Bearer first.token");
	json_decref(seen);
	test_case("a changed file is read again");
	write_token("second-token");
	CHECK_INT(ask(http, "GET", url, 5000), 200);
	service_requests(&service, &seen);
	CHECK_STR(header(seen, "Authorization"), "Bearer second-token");
	json_decref(seen);
	test_case("a token that would be more than one header is refused");
	write_token("third\r\nX-Evil: 1");
	CHECK_INT(ask(http, "GET", url, 5000), -EACCES);
	http_close(http);
}

static void
test_pool(void)
{
	struct http *http = open_http(service_file(&service, "ca.pem"), "", "");
	const char *url = service_url("https", service.https, "/v1/boot");
	struct http_ask a = {
		.method = "POST", .url = url, .body = slice_str("{}"), .deadline_ms = 10000
	};
	struct http_request *requests[50];
	json_t *log, *one;
	json_int_t connection = 0;
	size_t before, i;
	int results[50];

	test_case("one request after the other uses one connection");
	before = service_requests(&service, NULL);
	for (i = 0; i < 5; i++)
		CHECK_INT(ask(http, "POST", url, 5000), 200);
	log = service_log(&service);
	CHECK_INT(json_array_size(log), before + 5);
	json_array_foreach(log, i, one)
	{
		json_int_t c = json_integer_value(json_object_get(one, "connection"));

		if (i > before)
			CHECK_INT(c, connection);
		connection = c;
	}
	CHECK_STR(
	    json_string_value(json_object_get(json_array_get(log, before), "body")), "{\"a\":1}");
	CHECK_STR(header(json_array_get(log, before), "Content-Type"), "application/json");
	json_decref(log);

	test_case("many at once are all answered, and those that are cancelled are not heard of");
	service_mode(&service, "slow 100");
	for (i = 0; i < 50; i++)
		CHECK_INT(http_ask(http, &a, on_answer, &results[i], &requests[i]), 0);
	for (i = 0; i < 50; i += 5)
		http_cancel(requests[i]);
	run(40);
	for (i = 0; i < 50; i++)
		CHECK_INT(i % 5 == 0 ? 200 : results[i], 200);

	test_case("requests under way end silently when all is closed");
	for (i = 0; i < 10; i++)
		CHECK_INT(http_ask(http, &a, on_answer, NULL, &requests[i]), 0);
	http_close(http);
	service_mode(&service, "answer");
}

/* --- sinks ------------------------------------------------------------------------------------ */

struct taken {
	int heads;
	int64_t length;
	bool framed;
	uint64_t bytes;
	char begin[32];
	int refuse_head, refuse_body;
	int result;
};

static int
take_head(void *arg, const struct http_head *head)
{
	struct taken *t = arg;

	t->heads++;
	t->length = head->length;
	t->framed = head->framed;
	CHECK_INT(head->status, 200);
	return t->refuse_head;
}

static int
take_body(void *arg, struct slice bytes)
{
	struct taken *t = arg;

	if (t->bytes == 0)
		slice_copy(t->begin, sizeof(t->begin), bytes);
	t->bytes += bytes.n;
	return t->refuse_body;
}

static void
on_taken(void *arg, const struct http_answer *answer)
{
	struct taken *t = arg;

	CHECK_INT(answer->body.n, 0);
	on_answer(&t->result, answer);
}

static void
test_sinks(void)
{
	static const struct http_sink sink = { take_head, take_body };
	static const struct {
		const char *what, *method, *mode;
		int refuse_head, refuse_body;
		int result, heads;
		int64_t length;
		uint64_t bytes;
		bool framed;
	} rows[] = {
		{ "a sink gets head and body", "GET", "answer", 0, 0, 200, 1, 15, 15, true },
		{ "HEAD has no body but its length", "HEAD", "answer", 0, 0, 200, 1, 15, 0, true },
		{ "more than max_answer is fine for a sink", "GET", "huge 200704", 0, 0, 200, 1, -1,
		    200704, false },
		{ "what is cut short is told as such", "GET", "half", 0, 0, -EPIPE, 1, 1000, 12,
		    true },
		{ "the page of an error is not for it", "GET", "status 404", 0, 0, 404, 0, 0, 0,
		    false },
		{ "nor is a redirect's, but what it leads to", "GET", "here", 0, 0, 200, 1, 14, 14,
		    true },
		{ "one to another host is not followed", "GET", "away", 0, 0, -EXDEV, 0, 0, 0,
		    false },
		{ "the head may be refused", "GET", "answer", -ENOSPC, 0, -ENOSPC, 1, 15, 0, true },
		{ "also that of a body that does not come", "HEAD", "answer", -EFBIG, 0, -EFBIG, 1,
		    15, 0, true },
		{ "and so may the body", "GET", "answer", 0, -EIO, -EIO, 1, 15, 15, true },
		{ "a server that is silent too long is given up", "GET", "hang", 0, 0, -ETIMEDOUT,
		    0, 0, 0, false },
	};
	struct http *http = open_http(service_file(&service, "ca.pem"), "", "");

	service_says(&service, "v1_boot", "{\"what\":\"file\"}");
	service_says(&service, "moved_v1_boot", "{\"moved\":true}");
	for (size_t i = 0; i < NITEMS(rows); i++) {
		struct taken t = { .refuse_head = rows[i].refuse_head,
			.refuse_body = rows[i].refuse_body };
		struct http_ask a = {
			.method = rows[i].method,
			.url = service_url("https", service.https, "/v1/boot"),
			.sink = &sink,
			.min_rate = 10,
			.stall_s = 2,
		};
		struct http_request *request;

		test_case("%s", rows[i].what);
		service_mode(&service, rows[i].mode);
		CHECK_INT(http_ask(http, &a, on_taken, &t, &request), 0);
		run(1);
		CHECK_INT(t.result, rows[i].result);
		CHECK_INT(t.heads, rows[i].heads);
		CHECK_INT(t.length, rows[i].length);
		CHECK_INT(t.bytes, rows[i].bytes);
		CHECK_INT(t.framed, rows[i].framed);
	}
	http_close(http);
	service_mode(&service, "answer");
}

static void
write_password(const char *text)
{
	FILE *f = fopen(service_file(&service, "password"), "w");

	CHECK(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void
test_auth(void)
{
	static const struct {
		enum http_auth auth;
		const char *user, *password, *header;
	} rows[] = {
		/* "anne:two words", RFC 7617; a bare NEGOTIATE_MESSAGE, [MS-NLMP] 2.2.1.1 */
		{ HTTP_AUTH_BASIC, "anne", "two words\r\n", "Basic YW5uZTp0d28gd29yZHM=" },
		{ HTTP_AUTH_BASIC, "anne", "new", "Basic YW5uZTpuZXc=" },
		{ HTTP_AUTH_NTLM, "CORP\\anne", "secret", "NTLM TlRMTVNTUAABAAAA" },
	};
	json_t *seen = NULL;
	struct http *http;

	for (size_t i = 0; i < NITEMS(rows); i++) {
		const struct http_conf conf = { .ca = service_file(&service, "ca.pem"),
			.certificate = "",
			.key = "",
			.token_file = "",
			.proxy = "",
			.max_answer = 65536,
			.auth = rows[i].auth,
			.user = rows[i].user,
			.password_file = service_file(&service, "password") };

		test_case("the server is told who asks: %.10s", rows[i].header);
		write_password(rows[i].password);
		CHECK_INT(http_open(loop, &conf, &http), 0);
		CHECK_INT(
		    ask(http, "GET", service_url("https", service.https, "/v1/boot"), 5000), 200);
		service_requests(&service, &seen);
		CHECK(strncmp(header(seen, "Authorization"), rows[i].header,
			  strlen(rows[i].header)) == 0);
		json_decref(seen);
		if (i == 0) {
			test_case("without its password a request is not sent");
			remove(service_file(&service, "password"));
			CHECK_INT(
			    ask(http, "GET", service_url("https", service.https, "/v1/boot"), 5000),
			    -EACCES);
		}
		http_close(http);
	}
}

static void
test_join(void)
{
	static const struct {
		const char *path, *url;
		size_t size;
		int rc;
	} rows[] = {
		{ "images/a.wim", "https://h/2PXE/file/images/a.wim", 100, 0 },
		{ "a b#c?d%e&f", "https://h/2PXE/file/a%20b%23c%3Fd%25e%26f", 100, 0 },
		{ "gr\xc3\xbc\xc3\x9f", "https://h/2PXE/file/gr%C3%BC%C3%9F", 100, 0 },
		{ "12345", "https://h/2PXE/file/12345", 26, 0 },
		{ "12345", "", 25, -ENAMETOOLONG },
	};

	for (size_t i = 0; i < NITEMS(rows); i++) {
		char url[100] = "";

		test_case("\"%s\" in a URL of %zu octets", rows[i].path, rows[i].size);
		CHECK_INT(http_url_join("https://h/2PXE/file/", rows[i].path, url, rows[i].size),
		    rows[i].rc);
		if (rows[i].rc == 0)
			CHECK_STR(url, rows[i].url);
	}
}

static void
test_urls(void)
{
	static const struct {
		const char *url;
		bool valid, private;
	} rows[] = {
		{ "https://service.example/x", true, true },
		{ "http://service.example/x", true, false },
		{ "http://127.0.0.1:8080", true, true },
		{ "http://[::1]:8080/", true, true },
		{ "http://localhost", true, true },
		{ "http://127.evil.example/", true, false },
		{ "https://user:secret@service.example/", false, true },
		{ "https://service.example/#x", false, true },
		{ "ftp://service.example/", false, false },
		{ "file:///etc/passwd", false, false },
		{ "https://", false, true },
		{ "service.example", false, false },
		{ "", false, false },
	};
	struct http *http = open_http("", "", "");

	for (size_t i = 0; i < NITEMS(rows); i++) {
		test_case("the URL \"%s\" is %s", rows[i].url, rows[i].valid ? "taken" : "refused");
		CHECK_INT(http_url_valid(rows[i].url), rows[i].valid);
		CHECK_INT(http_url_private(rows[i].url), rows[i].private);
		if (!rows[i].valid)
			CHECK_INT(ask(http, "GET", rows[i].url, 100), -EINVAL);
	}
	http_close(http);
}

int
main(void)
{
	log_init("test_http", true);
	log_set_level(LOG_LEVEL_ERROR);
	CHECK_INT(loop_new(&loop), 0);
	service_start(&service);
	test_failures();
	test_trust();
	test_token();
	test_pool();
	test_sinks();
	test_auth();
	test_join();
	test_urls();
	service_stop(&service);
	loop_free(loop);
	return test_end();
}
