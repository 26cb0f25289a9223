/*
 * Calls to the web service: one of its URLs is chosen, by a circuit breaker each, and the next one
 * is tried when it fails.  Knows nothing of what is asked.
 */
#ifndef HANDLERD_WS_CLIENT_H
#define HANDLERD_WS_CLIENT_H

#include "common/config.h"
#include "common/http.h"
#include "handlerd/breaker.h"

struct ws_client;
struct ws_call;

struct ws_request {
	const char *method;
	const char *path;     /* behind the URL: "/v1/boot" */
	struct slice body;    /* JSON; none if body.p is NULL; must stay valid during the call */
	const char *id;       /* Idempotency-Key: the same for each try */
	uint32_t deadline_ms; /* for all tries together, at least 1 */
};

enum ws_outcome {
	WS_REPLIED,  /* `answer` holds what the service said: any status below 500 but 429 */
	WS_NO_PASS,  /* no URL's breaker let it through */
	WS_NO_REPLY, /* all failed; `text` tells the last failure */
	WS_OUT_OF_TIME,
};

struct ws_reply {
	enum ws_outcome outcome;
	const struct http_answer *answer; /* NULL if none came */
	const char *url;                  /* that answered, as configured; "" if none */
	const char *text;                 /* for people */
};

/* Called once a call, from the loop, never within ws_client_call(). */
typedef void ws_reply_fn(void *arg, const struct ws_reply *reply);

/* At least one of `urls`, at most 64.  0, -EINVAL (logged), -ENOMEM. */
int ws_client_open(struct loop *loop, const struct config_strings *urls,
    const struct http_conf *http, const struct breaker_conf *breaker, struct ws_client **ret);
/* Ends all calls without calling back.  NULL is allowed. */
void ws_client_close(struct ws_client *c);

/* True if a call could go out now. */
bool ws_client_would_pass(const struct ws_client *c);
/* 0; -EAGAIN if no breaker lets it through (then nothing is called back); -ENOMEM. */
int ws_client_call(struct ws_client *c, const struct ws_request *request, ws_reply_fn *done,
    void *arg, struct ws_call **ret);

/* A new array: each URL with the state of its breaker and what was counted. */
json_t *ws_client_status(const struct ws_client *c);

/* Random bits for jitter and ids. */
uint64_t ws_random(void);

#endif
