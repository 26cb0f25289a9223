/* Calls to the web service; see ws_client.h. */
#include "handlerd/ws_client.h"

#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Time that must be left for another try to make sense. */
#define TRY_MIN_MS 20

struct target {
	char *url;
	struct breaker breaker;
	uint64_t replies, failures;
	uint64_t probes;       /* calls that were let through while it was open */
	uint32_t last_took_ms; /* of the last reply */
	char last_failure[160];
};

struct ws_client {
	struct loop *loop;
	struct http *http;
	struct ws_call *calls;
	struct target *targets;
	size_t ntargets;
};

struct ws_call {
	struct ws_client *client;
	struct ws_call *prev, *next;
	const char *method;
	char *path;
	struct slice body;
	char id[64]; /* the header */
	uint64_t end_ms;
	uint64_t tried; /* bit n: target n */
	struct target *target;
	uint32_t ticket;
	struct http_request *http;
	ws_reply_fn *done;
	void *arg;
};

uint64_t
ws_random(void)
{
	uint64_t v;

	/* jitter and ids, no secrets: the clock does if the kernel has nothing */
	if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != (ssize_t)sizeof(v))
		v = wall_clock_ms() * UINT64_C(6364136223846793005);
	return v;
}

int
ws_client_open(struct loop *loop, const struct config_strings *urls, const struct http_conf *http,
    const struct breaker_conf *breaker, struct ws_client **ret)
{
	struct ws_client *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->loop = loop;
	c->targets = calloc(urls->n, sizeof(*c->targets));
	rc = c->targets != NULL ? http_open(loop, http, &c->http) : -ENOMEM;
	if (rc < 0) {
		ws_client_close(c);
		return rc;
	}
	for (size_t i = 0; i < urls->n; i++) {
		breaker_init(&c->targets[i].breaker, breaker);
		c->targets[i].url = strdup(urls->v[i]);
		if (c->targets[i].url == NULL) {
			ws_client_close(c);
			return -ENOMEM;
		}
		c->ntargets++;
	}
	*ret = c;
	return 0;
}

static void
call_free(struct ws_call *call)
{
	if (call->http != NULL)
		http_cancel(call->http);
	if (call->prev != NULL)
		call->prev->next = call->next;
	else
		call->client->calls = call->next;
	if (call->next != NULL)
		call->next->prev = call->prev;
	free(call->path);
	free(call);
}

void
ws_client_close(struct ws_client *c)
{
	if (c == NULL)
		return;
	while (c->calls != NULL)
		call_free(c->calls);
	http_close(c->http);
	for (size_t i = 0; i < c->ntargets; i++)
		free(c->targets[i].url);
	free(c->targets);
	free(c);
}

static void
end_call(struct ws_call *call, enum ws_outcome outcome, const struct http_answer *answer,
    const char *text)
{
	struct ws_reply reply = {
		.outcome = outcome, .answer = answer, .url = call->target->url, .text = text
	};
	ws_reply_fn *done = call->done;
	void *arg = call->arg;

	call_free(call);
	done(arg, &reply);
}

/* How many URLs that were not tried yet would take the call. */
static uint32_t
left_to_try(const struct ws_call *call)
{
	uint64_t now_ms = loop_now_ms(call->client->loop);
	uint32_t n = 0;

	for (size_t i = 0; i < call->client->ntargets; i++) {
		if ((call->tried & UINT64_C(1) << i) == 0 &&
		    breaker_would_pass(&call->client->targets[i].breaker, now_ms))
			n++;
	}
	return n;
}

static void on_answer(void *arg, const struct http_answer *answer);

static int
send_to(struct ws_call *call, struct target *t, uint32_t deadline_ms)
{
	const char *headers[] = { call->id, "Accept: application/json",
		call->body.p != NULL ? "Content-Type: application/json" : NULL, NULL };
	struct http_ask ask = { .method = call->method,
		.headers = headers,
		.body = call->body,
		.deadline_ms = deadline_ms };
	size_t n = strlen(t->url);
	char *url;
	int rc;

	while (n > 0 && t->url[n - 1] == '/')
		n--;
	if (asprintf(&url, "%.*s%s", (int)n, t->url, call->path) < 0)
		return -ENOMEM;
	ask.url = url;
	rc = http_ask(call->client->http, &ask, on_answer, call, &call->http);
	free(url);
	return rc;
}

static void
fail_target(struct ws_client *c, struct target *t, uint32_t ticket, const char *why)
{
	enum breaker_state before = t->breaker.state;

	t->failures++;
	(void)snprintf(t->last_failure, sizeof(t->last_failure), "%s", why);
	breaker_failure(&t->breaker, ticket, loop_now_ms(c->loop), (uint32_t)ws_random());
	if (before == BREAKER_CLOSED && t->breaker.state == BREAKER_OPEN)
		log_warnx("webservice %s: asked no more until it answers again: %s", t->url, why);
}

/* Sends the call to the first URL that takes it.  0, -EAGAIN if none does. */
static int
try_next(struct ws_call *call)
{
	struct ws_client *c = call->client;
	uint64_t now_ms = loop_now_ms(c->loop);

	for (size_t i = 0; i < c->ntargets; i++) {
		struct target *t = &c->targets[i];
		bool probe = t->breaker.state == BREAKER_OPEN;
		uint32_t share;
		int rc;

		if ((call->tried & UINT64_C(1) << i) != 0 ||
		    !breaker_pass(&t->breaker, now_ms, &call->ticket))
			continue;
		t->probes += probe;
		call->tried |= UINT64_C(1) << i;
		call->target = t;
		/* so that one that hangs leaves time for the others */
		share = (uint32_t)(call->end_ms - now_ms) / (left_to_try(call) + 1);
		rc = send_to(call, t, share > 0 ? share : 1);
		if (rc == 0)
			return 0;
		/* ours to mend (a token that cannot be read, no memory), but as good as dead */
		fail_target(c, t, call->ticket, strerror(-rc));
	}
	return -EAGAIN;
}

static void
on_answer(void *arg, const struct http_answer *answer)
{
	struct ws_call *call = arg;
	struct ws_client *c = call->client;
	struct target *t = call->target;
	bool was_open = t->breaker.state != BREAKER_CLOSED;

	call->http = NULL;
	if (answer->error == 0 && answer->status < 500 && answer->status != 429) {
		t->replies++;
		t->last_took_ms = answer->took_ms;
		breaker_success(&t->breaker, call->ticket);
		if (was_open && t->breaker.state == BREAKER_CLOSED)
			log_info("webservice %s answers again", t->url);
		end_call(call, WS_REPLIED, answer, answer->text);
		return;
	}
	fail_target(c, t, call->ticket, answer->text);
	if (loop_now_ms(c->loop) + TRY_MIN_MS < call->end_ms && try_next(call) == 0)
		return;
	end_call(call, answer->error == -ETIMEDOUT ? WS_OUT_OF_TIME : WS_NO_REPLY,
	    answer->error == 0 ? answer : NULL, answer->text);
}

bool
ws_client_would_pass(const struct ws_client *c)
{
	uint64_t now_ms = loop_now_ms(c->loop);

	for (size_t i = 0; i < c->ntargets; i++) {
		if (breaker_would_pass(&c->targets[i].breaker, now_ms))
			return true;
	}
	return false;
}

int
ws_client_call(struct ws_client *c, const struct ws_request *request, ws_reply_fn *done, void *arg,
    struct ws_call **ret)
{
	struct ws_call *call = calloc(1, sizeof(*call));
	int rc;

	if (call == NULL)
		return -ENOMEM;
	*call = (struct ws_call){ .client = c,
		.next = c->calls,
		.method = request->method,
		.path = strdup(request->path),
		.body = request->body,
		.end_ms = loop_now_ms(c->loop) + request->deadline_ms,
		.done = done,
		.arg = arg };
	if (call->next != NULL)
		call->next->prev = call;
	c->calls = call;
	(void)snprintf(call->id, sizeof(call->id), "Idempotency-Key: %s", request->id);
	rc = call->path != NULL ? try_next(call) : -ENOMEM;
	if (rc < 0)
		call_free(call);
	else
		*ret = call;
	return rc;
}

json_t *
ws_client_status(const struct ws_client *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->ntargets; i++) {
		const struct target *t = &c->targets[i];

		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "url", t->url,
			"breaker", breaker_state_name(t->breaker.state), "replies",
			(json_int_t)t->replies, "failures", (json_int_t)t->failures, "refused",
			(json_int_t)t->breaker.refused, "opened", (json_int_t)t->breaker.opened,
			"probes", (json_int_t)t->probes, "last_took_ms",
			(json_int_t)t->last_took_ms, "last_failure", t->last_failure));
	}
	return list;
}
