/*
 * The web service: questions and reports to an HTTP(S) server of the site.
 *
 * A question never waits longer than its asker's deadline, and a dead or slow service costs nobody
 * more than that: a circuit breaker for each URL, a bounded queue, a limit of calls under way.  A
 * question goes on after its deadline, up to the service's own limit; its late answer serves the
 * next one who asks with the same key.  Reports wait in a bounded queue until they are delivered.
 */
#ifndef HANDLERD_WEBSERVICE_H
#define HANDLERD_WEBSERVICE_H

#include "common/config.h"
#include "common/loop.h"
#include "handlerd/ws.h"

#define WEBSERVICE_URLS 8

struct webservice_conf {
	struct config_strings urls; /* none: there is no web service */
	int dialect;                /* enum ws_dialect */
	char *ca;
	char *certificate;
	char *key;
	char *token_file;
	char *proxy;
	bool features[WS_FEATURES];
	int fallbacks[WS_FEATURES]; /* enum ws_fallback; no meaning for reports */
	int not_found;              /* enum ws_not_found */
	bool client_override;
	int64_t timeout_ms;
	int64_t max_calls;
	int64_t max_waiting;
	int64_t max_answer_kb;
	int64_t breaker_failures;
	int64_t breaker_share;
	int64_t breaker_max_wait_ms;
	int64_t cache_mb;
	int64_t cache_age_s; /* 0: no answer stands in for a service that fails */
	int64_t max_reports;
	int64_t report_age_s;
};

/* The keys of the block `webservice`; their places are within struct webservice_conf. */
extern const struct config_key webservice_keys[];
/* Tells what is wrong across keys; `path` is the block's name, for the messages. */
void webservice_check(
    const struct webservice_conf *conf, const char *path, config_error_fn *error, void *arg);

enum ws_status {
	WS_ANSWERED,
	WS_CACHED,     /* an answer given earlier */
	WS_TIMED_OUT,  /* nothing within the deadline */
	WS_FAILED,     /* no connection, no trust, cut short, status 5xx or 429 */
	WS_BROKEN,     /* not asked: the breakers are open */
	WS_QUEUE_FULL, /* not asked: too many wait */
	WS_BAD_ANSWER, /* it makes no sense */
	WS_STATUSES,
};

const char *ws_status_name(enum ws_status v); /* "answered", "cached", "timed-out", ... */

/* Lent to the callback for the time of the call. */
struct ws_result {
	enum ws_status status;
	const struct ws_answer *answer; /* ANSWERED and CACHED; else NULL */
	enum ws_fallback fallback;      /* what the site wants done without an answer */
	bool stale;                     /* CACHED because the service did not answer */
	uint32_t took_ms;
	const char *text; /* for the log and the timeline: why there is no answer, or "" */
};

/* Called once a question, from the loop, never within webservice_ask(). */
typedef void webservice_fn(void *arg, const struct ws_result *result);

struct webservice;
struct ws_asker;

/*
 * `conf`, with at least one URL, is copied.  `entry` (with `entry_arg`) judges entries in answers,
 * or NULL.  0, -EINVAL (logged), -ENOMEM.
 */
int webservice_open(struct loop *loop, const struct webservice_conf *conf, verdict_entry_fn *entry,
    void *entry_arg, struct webservice **ret);
/* Ends all without calling back; reports that wait are lost (logged).  NULL is allowed. */
void webservice_close(struct webservice *ws);

/* True if this feature is on.  NULL is allowed: false. */
bool webservice_wants(const struct webservice *ws, enum ws_feature feature);

/*
 * Asks.  `body` is what hook_request() makes; it is taken over, in any case.  `key` names the
 * question: askers of equal keys share one answer, and it may serve again; NULL if it concerns only
 * this moment (what a person typed, the parameter authvalue, has that effect by itself).
 * `deadline_ms` is how long the asker waits. With `done` NULL the answer is only fetched early, for
 * the one who asks later with the same key.
 *
 * 0, and *ret (if not NULL, and `done` is not) is for webservice_cancel(); -ENOENT if the feature
 * is off; -ECANCELED if the client may demand the local handler, and does; -EINVAL if the dialect
 * cannot ask this (pixiecore, without a MAC); -ENOMEM.
 */
int webservice_ask(struct webservice *ws, enum ws_feature feature, json_t *body,
    uint32_t deadline_ms, const char *key, webservice_fn *done, void *arg, struct ws_asker **ret);
/* `done` will not be called.  Only before it was. */
void webservice_cancel(struct ws_asker *asker);

/*
 * Reports.  `body` is taken over, in any case; it should say when things happened, as it may be
 * delivered late.  Reports of one `machine` are delivered in order.  When the queue is full the
 * oldest is dropped.  0, -ENOENT if the feature is off, -EMSGSIZE beyond 64 KiB, -ENOMEM.
 */
int webservice_report(
    struct webservice *ws, enum ws_feature feature, json_t *body, const char *machine);

/* For `ferryctl status`: a new object. */
json_t *webservice_status(const struct webservice *ws);

#endif
