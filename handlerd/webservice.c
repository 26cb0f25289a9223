/*
 * The web service; see webservice.h.
 *
 * A question is what goes to the service; askers wait for it, several for one question.  A question
 * is in one of two lists: waiting for its turn, or under way.  An asker's end has a cause that
 * comes from the loop: the reply, its own deadline, or (for one that is settled within
 * webservice_ask()) the hook before the loop waits.
 */
#include "handlerd/webservice.h"

#include "common/log.h"
#include "handlerd/ws_bootferry.h"
#include "handlerd/ws_decode.h"
#include "handlerd/ws_pixiecore.h"
#include "handlerd/ws_reports.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_names[WS_STATUSES] = {
	[WS_ANSWERED] = "answered",
	[WS_CACHED] = "cached",
	[WS_TIMED_OUT] = "timed-out",
	[WS_FAILED] = "failed",
	[WS_BROKEN] = "broken",
	[WS_QUEUE_FULL] = "queue-full",
	[WS_BAD_ANSWER] = "bad-answer",
};

struct question;

struct ws_asker {
	struct webservice *ws;
	struct ws_asker *prev, *next;
	struct ws_asker **list; /* the question's, or those that are settled */
	struct question *question;
	struct loop_timer deadline;
	enum ws_feature feature;
	uint64_t asked_ms;
	webservice_fn *done;
	void *arg;
	/* settled within webservice_ask(): what the hook tells */
	enum ws_status status;
	bool stale, has_answer;
	struct ws_answer answer;
};

struct question {
	struct webservice *ws;
	struct question *prev, *next;
	struct questions *list;
	enum ws_feature feature;
	char *key;
	char *body;
	char path[128];
	char id[33];
	uint64_t end_ms;          /* the service's own limit */
	struct loop_timer expiry; /* while it waits for its turn */
	struct ws_asker *askers;
	struct ws_call *call;
};

struct questions {
	struct question *first, *last;
	size_t n;
};

struct webservice {
	struct loop *loop;
	struct webservice_conf conf; /* without its strings */
	struct ws_decoder decoder;
	struct ws_client *client;
	struct ws_reports *reports;
	struct questions waiting, under_way;
	size_t nasking;
	struct ws_asker *settled;
	struct loop_hook hook;
	uint64_t by_status[WS_STATUSES];
	uint64_t asked, early, joined, late, slowest_ms;
};

const char *
ws_status_name(enum ws_status v)
{
	return v < WS_STATUSES ? status_names[v] : "?";
}

/* --- lists ---------------------------------------------------------------------------------- */

static void
list_put(struct questions *list, struct question *q)
{
	q->list = list;
	q->prev = list->last;
	q->next = NULL;
	if (list->last != NULL)
		list->last->next = q;
	else
		list->first = q;
	list->last = q;
	list->n++;
}

static void
list_take(struct question *q)
{
	struct questions *list = q->list;

	if (q->prev != NULL)
		q->prev->next = q->next;
	else
		list->first = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	else
		list->last = q->prev;
	list->n--;
}

static void
asker_put(struct ws_asker **list, struct ws_asker *a)
{
	a->list = list;
	a->prev = NULL;
	a->next = *list;
	if (a->next != NULL)
		a->next->prev = a;
	*list = a;
}

static void
asker_free(struct ws_asker *a)
{
	loop_timer_clear(a->ws->loop, &a->deadline);
	if (a->prev != NULL)
		a->prev->next = a->next;
	else
		*a->list = a->next;
	if (a->next != NULL)
		a->next->prev = a->prev;
	if (a->question != NULL)
		a->ws->nasking--;
	if (a->has_answer)
		ws_answer_fini(&a->answer);
	free(a);
}

static void
question_free(struct question *q)
{
	while (q->askers != NULL)
		asker_free(q->askers);
	loop_timer_clear(q->ws->loop, &q->expiry);
	free(q->key);
	free(q->body);
	free(q);
}

/* --- answers -------------------------------------------------------------------------------- */

/* Tells an asker; it is gone then. */
static void
tell(struct ws_asker *a, enum ws_status status, const struct ws_answer *answer, bool stale,
    const char *text)
{
	struct webservice *ws = a->ws;
	struct ws_result result = { .status = status,
		.answer = answer,
		.fallback = (enum ws_fallback)ws->conf.fallbacks[a->feature],
		.stale = stale,
		.took_ms = (uint32_t)(loop_now_ms(ws->loop) - a->asked_ms),
		.text = text };
	webservice_fn *done = a->done;
	void *arg = a->arg;

	ws->by_status[status]++;
	if (status == WS_ANSWERED && result.took_ms > ws->slowest_ms)
		ws->slowest_ms = result.took_ms;
	asker_free(a);
	done(arg, &result);
}

/* True if there is an earlier answer that serves; see ws_recall(). */
static bool
recall(const struct ws_asker *a, const char *key, bool stale, struct ws_answer *ret)
{
	return key != NULL && ws_recall(&a->ws->decoder, a->feature, key, loop_now_ms(a->ws->loop),
				  stale, ret) == 0;
}

/* Tells an asker that there is no answer, or an older one. */
static void
tell_failure(struct ws_asker *a, const char *key, enum ws_status status, const char *text)
{
	struct ws_answer answer;

	if (!recall(a, key, true, &answer)) {
		tell(a, status, NULL, false, text);
		return;
	}
	tell(a, WS_CACHED, &answer, true, text);
	ws_answer_fini(&answer);
}

/* A question's end without an answer.  It must be out of its list. */
static void
fail(struct question *q, enum ws_status status, const char *text)
{
	while (q->askers != NULL)
		tell_failure(q->askers, q->key, status, text);
	question_free(q);
}

/* --- questions ------------------------------------------------------------------------------ */

static void pump(struct webservice *ws);

/* What the service said is handed to all who asked. */
static void
answer_all(struct question *q, const struct ws_said *said)
{
	struct webservice *ws = q->ws;
	char error[WS_ERROR_SIZE], quoted[LOG_QUOTE_SIZE];
	struct ws_answer answer;

	if (ws_decode(&ws->decoder, q->feature, said, &answer, error) < 0) {
		log_peer_warn("webservice %s: bad answer to %s: %s", said->url,
		    ws_features[q->feature].name, log_quote(slice_str(error), quoted));
		fail(q, WS_BAD_ANSWER, error);
		return;
	}
	ws->late += q->askers == NULL;
	if (q->key != NULL)
		ws_keep(
		    &ws->decoder, q->key, said, &answer, loop_now_ms(ws->loop), q->askers == NULL);
	while (q->askers != NULL)
		tell(q->askers, WS_ANSWERED, &answer, false, "");
	ws_answer_fini(&answer);
	question_free(q);
}

static void
on_reply(void *arg, const struct ws_reply *reply)
{
	struct question *q = arg;
	struct webservice *ws = q->ws;

	list_take(q); /* before anybody is told, who may ask again */
	if (reply->outcome == WS_REPLIED)
		answer_all(
		    q, &(struct ws_said){ reply->url, reply->answer->status, reply->answer->body });
	else
		fail(q, reply->outcome == WS_OUT_OF_TIME ? WS_TIMED_OUT : WS_FAILED, reply->text);
	pump(ws);
}

/* Sends a question that is in no list.  0, or a negative errno: it is the caller's still. */
static int
start(struct question *q)
{
	uint64_t now_ms = loop_now_ms(q->ws->loop);
	struct ws_request request = { .method = q->body != NULL ? "POST" : "GET",
		.path = q->path,
		.body = slice_str(q->body),
		.id = q->id,
		.deadline_ms = q->end_ms > now_ms ? (uint32_t)(q->end_ms - now_ms) : 1 };
	int rc = ws_client_call(q->ws->client, &request, on_reply, q, &q->call);

	if (rc == 0) {
		loop_timer_clear(q->ws->loop, &q->expiry);
		list_put(&q->ws->under_way, q);
	}
	return rc;
}

/* Starts what waits, as far as calls may be under way. */
static void
pump(struct webservice *ws)
{
	while (ws->waiting.first != NULL && ws->under_way.n < (size_t)ws->conf.max_calls) {
		struct question *q = ws->waiting.first;

		list_take(q);
		if (q->askers == NULL && q->key == NULL)
			question_free(q); /* nobody could use the answer */
		else if (start(q) < 0)
			fail(q, WS_BROKEN, "it does not answer, and is asked rarely");
	}
}

static void
on_expiry(void *arg)
{
	struct question *q = arg;

	list_take(q);
	fail(q, WS_TIMED_OUT, "its turn did not come in time");
}

static void
on_deadline(void *arg)
{
	struct ws_asker *a = arg;

	tell_failure(a, a->question->key, WS_TIMED_OUT, "no answer in time");
}

/* Tells those whose end came within webservice_ask(). */
static void
on_hook(void *arg)
{
	struct webservice *ws = arg;
	size_t n = 0;

	/* no more than there are now: whoever is told may ask again, and be settled again */
	for (struct ws_asker *a = ws->settled; a != NULL; a = a->next)
		n++;
	while (n-- > 0 && ws->settled != NULL) {
		struct ws_asker *a = ws->settled;
		struct ws_answer answer = a->answer;
		bool has_answer = a->has_answer;

		a->has_answer = false; /* ours now */
		tell(a, a->status, has_answer ? &answer : NULL, a->stale,
		    has_answer                   ? ""
		    : a->status == WS_QUEUE_FULL ? "too many wait for it"
						 : "it does not answer, and is asked rarely");
		if (has_answer)
			ws_answer_fini(&answer);
	}
}

static void
settle(struct ws_asker *a, enum ws_status status, const char *key)
{
	a->status = status;
	if (!a->has_answer && recall(a, key, true, &a->answer)) {
		a->has_answer = a->stale = true;
		a->status = WS_CACHED;
	}
	asker_put(&a->ws->settled, a);
	loop_hurry(a->ws->loop);
}

static struct question *
find(struct webservice *ws, const char *key)
{
	struct questions *lists[] = { &ws->under_way, &ws->waiting };

	for (size_t i = 0; key != NULL && i < NITEMS(lists); i++) {
		for (struct question *q = lists[i]->first; q != NULL; q = q->next) {
			if (q->key != NULL && strcmp(q->key, key) == 0)
				return q;
		}
	}
	return NULL;
}

/* A question in no list.  0; -EINVAL for one that cannot be asked; -ENOMEM. */
static int
question_new(struct webservice *ws, enum ws_feature feature, json_t *body, const char *key,
    struct question **ret)
{
	struct question *q = calloc(1, sizeof(*q));
	int rc = -ENOMEM;

	if (q == NULL)
		return -ENOMEM;
	q->ws = ws;
	q->feature = feature;
	q->end_ms = loop_now_ms(ws->loop) + (uint64_t)ws->conf.timeout_ms;
	loop_timer_init(&q->expiry, on_expiry, q);
	(void)snprintf(q->id, sizeof(q->id), "%016" PRIx64 "%016" PRIx64, ws_random(), ws_random());
	if (key != NULL && (q->key = strdup(key)) == NULL)
		goto out;
	if (ws->conf.dialect == WS_PIXIECORE) {
		rc = ws_pixiecore_path(body, q->path, sizeof(q->path));
	} else {
		(void)snprintf(q->path, sizeof(q->path), "%s", ws_features[feature].path);
		rc = ws_bootferry_body(body, feature);
		q->body = rc == 0 ? json_dumps(body, JSON_COMPACT) : NULL;
		rc = q->body != NULL ? 0 : -ENOMEM;
	}
out:
	if (rc < 0)
		question_free(q);
	else
		*ret = q;
	return rc;
}

/*
 * Finds or makes the question of an asker (NULL: nobody asks, it is early).  0, and *ret is NULL
 * if the asker is settled; or a negative errno.
 */
static int
enquire(struct webservice *ws, enum ws_feature feature, json_t *body, const char *key,
    struct ws_asker *a, struct question **ret)
{
	struct question *q;
	int rc;

	*ret = NULL;
	if (a != NULL && recall(a, key, false, &a->answer)) {
		a->has_answer = true;
		settle(a, WS_CACHED, NULL);
		return 0;
	}
	*ret = find(ws, key);
	if (*ret != NULL && (a == NULL || ws->nasking < (size_t)ws->conf.max_waiting)) {
		ws->joined++;
		return 0;
	}
	if (*ret != NULL || ws->nasking >= (size_t)ws->conf.max_waiting ||
	    ws->waiting.n >= (size_t)ws->conf.max_waiting) {
		*ret = NULL;
		if (a != NULL)
			settle(a, WS_QUEUE_FULL, key);
		return 0;
	}
	if (!ws_client_would_pass(ws->client))
		goto broken;
	rc = question_new(ws, feature, body, key, &q);
	if (rc < 0)
		return rc;
	if (ws->under_way.n >= (size_t)ws->conf.max_calls) {
		if (loop_timer_set(ws->loop, &q->expiry, (uint64_t)ws->conf.timeout_ms) < 0) {
			question_free(q);
			return -ENOMEM;
		}
		list_put(&ws->waiting, q);
	} else if (start(q) < 0) {
		question_free(q);
		goto broken;
	}
	*ret = q;
	return 0;
broken:
	if (a != NULL)
		settle(a, WS_BROKEN, key);
	return 0;
}

int
webservice_ask(struct webservice *ws, enum ws_feature feature, json_t *body, uint32_t deadline_ms,
    const char *key, webservice_fn *done, void *arg, struct ws_asker **ret)
{
	char *full = NULL;
	struct ws_asker *a = NULL;
	struct question *q;
	int rc = -ENOMEM;

	if (!webservice_wants(ws, feature)) {
		json_decref(body);
		return -ENOENT;
	}
	if (ws->conf.client_override && ws_bootferry_override(body)) {
		json_decref(body);
		return -ECANCELED;
	}
	if (ws_bootferry_personal(body))
		key = NULL;
	if (key != NULL && asprintf(&full, "%s|%s", ws_features[feature].name, key) < 0) {
		full = NULL;
		goto out;
	}
	if (done != NULL) {
		a = calloc(1, sizeof(*a));
		if (a == NULL)
			goto out;
		*a = (struct ws_asker){ .ws = ws,
			.feature = feature,
			.asked_ms = loop_now_ms(ws->loop),
			.done = done,
			.arg = arg };
		loop_timer_init(&a->deadline, on_deadline, a);
	}
	ws->asked += done != NULL;
	ws->early += done == NULL;
	rc = enquire(ws, feature, body, full, a, &q);
	if (rc == 0 && a != NULL && q != NULL) {
		rc = loop_timer_set(ws->loop, &a->deadline, deadline_ms);
		if (rc == 0) {
			a->question = q;
			ws->nasking++;
			asker_put(&q->askers, a);
		}
	}
	if (rc < 0)
		free(a);
	else if (ret != NULL)
		*ret = a;
out:
	free(full);
	json_decref(body);
	return rc;
}

void
webservice_cancel(struct ws_asker *asker)
{
	asker_free(asker);
}

/* --- the rest ------------------------------------------------------------------------------- */

bool
webservice_wants(const struct webservice *ws, enum ws_feature feature)
{
	return ws != NULL && ws->conf.features[feature];
}

int
webservice_report(struct webservice *ws, enum ws_feature feature, json_t *body, const char *machine)
{
	if (!webservice_wants(ws, feature)) {
		json_decref(body);
		return -ENOENT;
	}
	if (ws_bootferry_body(body, feature) < 0) {
		json_decref(body);
		return -ENOMEM;
	}
	return ws_reports_add(ws->reports, ws_features[feature].path, body, machine);
}

int
webservice_open(struct loop *loop, const struct webservice_conf *conf, verdict_entry_fn *entry,
    void *entry_arg, struct webservice **ret)
{
	const struct http_conf http = { .ca = conf->ca,
		.certificate = conf->certificate,
		.key = conf->key,
		.token_file = conf->token_file,
		.proxy = conf->proxy,
		.max_answer = (size_t)conf->max_answer_kb * 1024 };
	const struct breaker_conf breaker = { .failures = (uint32_t)conf->breaker_failures,
		.share_percent = (uint32_t)conf->breaker_share,
		.max_wait_ms = (uint32_t)conf->breaker_max_wait_ms };
	const struct ws_reports_conf reports = { .max = (size_t)conf->max_reports,
		.max_age_ms = (uint64_t)conf->report_age_s * 1000,
		.timeout_ms = (uint32_t)conf->timeout_ms };
	struct webservice *ws = calloc(1, sizeof(*ws));
	int rc;

	if (ws == NULL)
		return -ENOMEM;
	ws->loop = loop;
	ws->conf = *conf;
	ws->conf.urls = (struct config_strings){ 0 };
	ws->conf.ca = ws->conf.certificate = ws->conf.key = NULL;
	ws->conf.token_file = ws->conf.proxy = NULL;
	ws->decoder = (struct ws_decoder){ .dialect = (enum ws_dialect)conf->dialect,
		.not_found = (enum ws_not_found)conf->not_found,
		.entry = entry,
		.entry_arg = entry_arg,
		.stale_ms = (uint64_t)conf->cache_age_s * 1000 };
	rc = ws_client_open(loop, &conf->urls, &http, &breaker, &ws->client);
	if (rc == 0)
		rc = ws_cache_new((size_t)conf->cache_mb << 20, &ws->decoder.cache);
	if (rc == 0)
		rc = ws_reports_open(loop, ws->client, &reports, &ws->reports);
	if (rc < 0) {
		webservice_close(ws);
		return rc;
	}
	loop_hook_add(loop, &ws->hook, on_hook, ws);
	*ret = ws;
	return 0;
}

void
webservice_close(struct webservice *ws)
{
	struct questions *lists[2];

	if (ws == NULL)
		return;
	lists[0] = &ws->under_way;
	lists[1] = &ws->waiting;
	loop_hook_del(ws->loop, &ws->hook);
	ws_client_close(ws->client);
	ws_reports_close(ws->reports);
	for (size_t i = 0; i < NITEMS(lists); i++) {
		while (lists[i]->first != NULL) {
			struct question *q = lists[i]->first;

			list_take(q);
			question_free(q);
		}
	}
	while (ws->settled != NULL)
		asker_free(ws->settled);
	ws_cache_free(ws->decoder.cache);
	free(ws);
}

json_t *
webservice_status(const struct webservice *ws)
{
	json_t *status = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "asked",
	    (json_int_t)ws->asked, "early", (json_int_t)ws->early, "joined", (json_int_t)ws->joined,
	    "late", (json_int_t)ws->late, "slowest_ms", (json_int_t)ws->slowest_ms, "waiting",
	    (json_int_t)ws->waiting.n, "under_way", (json_int_t)ws->under_way.n, "cached",
	    (json_int_t)ws_cache_count(ws->decoder.cache), "cache_bytes",
	    (json_int_t)ws_cache_bytes(ws->decoder.cache));
	json_t *results = json_object();

	for (int i = 0; i < WS_STATUSES; i++)
		json_object_set_new(
		    results, status_names[i], json_integer((json_int_t)ws->by_status[i]));
	json_object_set_new(status, "results", results);
	json_object_set_new(status, "reports", ws_reports_status(ws->reports));
	json_object_set_new(status, "urls", ws_client_status(ws->client));
	return status;
}
