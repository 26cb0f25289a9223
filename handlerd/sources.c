/* Sources; see sources.h. */
#include "handlerd/sources.h"

#include "common/log.h"
#include "common/params.h"
#include "handlerd/identity.h"
#include "handlerd/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WHY_MAX 200
#define CHAINS  16384 /* a power of two */
#define MIB     (UINT64_C(1) << 20)

/* What a source said about a machine, or is asked. */
struct said {
	struct sources *owner;
	enum source source;
	uint64_t machine, boot;
	uint64_t print; /* of what it was asked */
	enum source_state state;
	uint64_t at_ms, fresh_ms; /* when it came, and how long it serves as it is */
	uint64_t cache_ms;        /* and how long because the source allows that */
	bool unseen;
	struct verdict verdict;
	bool has_verdict;
	struct entry *entries; /* that the verdict told whole */
	struct choices choices;
	struct ws_pair *carry;
	size_t ncarry;
	char status[WS_STATUS_MAX + 1];
	char *content; /* SOURCE_WINPE: the file, or NULL */
	size_t bytes;  /* of all that, about */
	char why[WHY_MAX];
	struct source_waiter *waiters;
	struct workers_ask *ask;
	struct ws_asker *asker;
	struct said *next, **prev;  /* in its chain */
	struct said *newer, *older; /* by use */
};

struct pool {
	struct workers *workers; /* NULL: there is no such hook */
	struct workers_conf conf;
	char path[4096 + 1];
	uint32_t deadline_ms;
};

struct sources {
	struct loop *loop;
	struct spawner *spawner;
	struct pool pools[SOURCES];
	struct webservice *web;
	struct webservice_conf web_conf; /* what `web` was made of */
	bool has_web_conf;
	struct said *chains[CHAINS];
	struct said *newest, *oldest;
	size_t n;
	size_t bytes;                /* of what was said, about */
	struct source_waiter *woken; /* whose question went with the old configuration */
	struct loop_timer wake_timer;
};

static const enum hook hook_of[SOURCES] = {
	[SOURCE_BOOT] = HOOK_BOOT,
	[SOURCE_ALLOW] = HOOK_ALLOW_BOOT,
	[SOURCE_IMAGES] = HOOK_IMAGES,
};

/* Sources that are the web service: its settings change for them together. */
static bool
is_web(enum source source)
{
	return source == SOURCE_WEBSERVICE || source == SOURCE_WINPE;
}

/* --- what was said -------------------------------------------------------------------------- */

static struct said **
chain_of(struct sources *s, uint64_t machine, enum source source)
{
	uint64_t h = (machine * SOURCES + (uint64_t)source) * 0x9e3779b97f4a7c15u;

	return &s->chains[h >> 32 & (CHAINS - 1)];
}

static void
unlink_age(struct said *a)
{
	struct sources *s = a->owner;

	*(a->older != NULL ? &a->older->newer : &s->oldest) = a->newer;
	*(a->newer != NULL ? &a->newer->older : &s->newest) = a->older;
}

static void
link_age(struct said *a)
{
	struct sources *s = a->owner;

	a->older = s->newest;
	a->newer = NULL;
	*(s->newest != NULL ? &s->newest->newer : &s->oldest) = a;
	s->newest = a;
}

/* Forgets what was said: the verdict and its entries. */
static void
clear(struct said *a)
{
	if (a->has_verdict)
		verdict_fini(&a->verdict);
	a->has_verdict = false;
	for (size_t i = 0; i < a->choices.nentries; i++)
		config_free_object(entry_keys, &a->entries[i]);
	free(a->entries);
	a->entries = NULL;
	a->choices = (struct choices){ 0 };
	ws_pairs_free(a->carry, a->ncarry);
	a->carry = NULL;
	a->ncarry = 0;
	a->owner->bytes -= a->bytes;
	a->bytes = 0;
	a->status[0] = '\0';
	free(a->content);
	a->content = NULL;
	a->why[0] = '\0';
}

static void
stop_asking(struct said *a)
{
	if (a->ask != NULL)
		workers_cancel(a->ask);
	if (a->asker != NULL)
		webservice_cancel(a->asker);
	a->ask = NULL;
	a->asker = NULL;
}

void
sources_leave(struct source_waiter *w)
{
	if (w->prev == NULL)
		return;
	*w->prev = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	w->prev = NULL;
}

static void
link_waiter(struct source_waiter **list, struct source_waiter *w)
{
	w->next = *list;
	w->prev = list;
	if (w->next != NULL)
		w->next->prev = &w->next;
	*list = w;
}

/* Those who wait move to another list. */
static void
move_waiters(struct said *a, struct source_waiter **list, bool all)
{
	struct source_waiter *next;

	for (struct source_waiter *w = a->waiters; w != NULL; w = next) {
		next = w->next;
		if (!all && w->print != a->print)
			continue;
		sources_leave(w);
		link_waiter(list, w);
	}
}

/* Each may consult again, which has it wait elsewhere, leave, or end. */
static void
tell(struct source_waiter **list)
{
	while (*list != NULL) {
		struct source_waiter *w = *list;

		sources_leave(w);
		w->fn(w->arg);
	}
}

/*
 * Tells all who wait; first those whose question was answered, as the others will ask theirs in
 * its place.
 */
static void
tell_waiters(struct said *a)
{
	struct source_waiter *served = NULL, *others = NULL;

	move_waiters(a, &served, false);
	move_waiters(a, &others, true);
	tell(&served);
	tell(&others);
}

static void
said_free(struct said *a)
{
	struct sources *s = a->owner;

	stop_asking(a);
	while (a->waiters != NULL)
		sources_leave(a->waiters);
	clear(a);
	*a->prev = a->next;
	if (a->next != NULL)
		a->next->prev = a->prev;
	unlink_age(a);
	s->n--;
	free(a);
}

/* Room for one more: the answer longest unused goes, but not one that is waited for. */
static void
make_room(struct sources *s, const struct said *but)
{
	struct said *a = s->oldest;

	while (a != NULL && (s->n >= SOURCES_KEPT || s->bytes > SOURCES_BYTES)) {
		struct said *newer = a->newer;

		if (a != but && a->state != SOURCE_UNASKED)
			said_free(a);
		a = newer;
	}
}

static struct said *
find_said(struct sources *s, uint64_t machine, enum source source)
{
	struct said *a = *chain_of(s, machine, source);

	while (a != NULL && (a->machine != machine || a->source != source))
		a = a->next;
	return a;
}

static struct said *
add_said(struct sources *s, uint64_t machine, enum source source)
{
	struct said **chain = chain_of(s, machine, source);
	struct said *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	make_room(s, NULL);
	a->owner = s;
	a->machine = machine;
	a->source = source;
	a->state = SOURCE_FAILED;
	a->next = *chain;
	a->prev = chain;
	if (*chain != NULL)
		(*chain)->prev = &a->next;
	*chain = a;
	link_age(a);
	s->n++;
	return a;
}

/* --- what was asked ------------------------------------------------------------------------- */

static uint64_t
mix(uint64_t h, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 0x100000001b3u;
	return (h ^ s.n) * 0x100000001b3u;
}

/*
 * What any client of ours posts of itself, and what follows from an answer; all else in a form was
 * put there by the site or a person, and makes another question of it.
 */
static bool
is_usual(struct slice pair)
{
	static const char *const names[] = { "netif", "nomenu", "offerid", "mandatory",
		"updatedparams" };
	const uint8_t *equals = memchr(pair.p, '=', pair.n);
	struct slice name = { pair.p, equals != NULL ? (size_t)(equals - pair.p) : pair.n };

	for (size_t i = 0; i < NITEMS(names); i++) {
		if (strlen(names[i]) == name.n &&
		    strncasecmp((const char *)name.p, names[i], name.n) == 0)
			return true;
	}
	return script_param_is_own(name);
}

static uint64_t
print_of(const struct question *q)
{
	const struct boot_request *r = q->request;
	uint64_t h =
	    mix(0xcbf29ce484222325u + (uint64_t)q->feature, (struct slice){ r->mac.b, r->mac.len });
	size_t at = 0;

	/* as the table of machines keeps them, which is what an early question says */
	h = mix(mix(h, identity_text(r->manufacturer)), identity_text(r->product));
	h = mix(mix(h, identity_text(r->serial)), identity_text(r->asset));
	while (at < r->params.n) {
		struct slice pair = { r->params.p + at, 0 };

		while (at + pair.n < r->params.n && pair.p[pair.n] != '&')
			pair.n++;
		at += pair.n + 1;
		if (pair.n > 0 && !is_usual(pair))
			h = mix(h, pair);
	}
	return h;
}

/* True if a person's input is part of the question. */
static bool
is_answer_of_person(const struct boot_request *r)
{
	char value[2];

	return params_text(r->params, "authvalue", value, sizeof(value)) != -ENOENT;
}

/* --- answers arrive ------------------------------------------------------------------------- */

static void
note_error(void *arg, const char *path, const char *what)
{
	struct said *a = arg;

	if (a->why[0] == '\0')
		(void)snprintf(a->why, sizeof(a->why), "%s: %s", path, what);
}

/* An inline entry is judged by the same table as one in the configuration. */
static int
judge_entry(void *arg, json_t *object, char *error, size_t size)
{
	struct said note = { .why = "" };
	struct entry e;

	(void)arg;
	if (config_parse_object(entry_keys, object, &e, sizeof(e), note_error, &note) < 0) {
		(void)snprintf(error, size, "%s", note.why);
		return -EINVAL;
	}
	entry_check(&e, "entry", note_error, &note);
	(void)snprintf(error, size, "%s", note.why);
	config_free_object(entry_keys, &e);
	return note.why[0] == '\0' ? 0 : -EINVAL;
}

/* The entries that the verdict told whole, as structs. */
static int
take_entries(struct said *a)
{
	const struct verdict *v = &a->verdict;

	a->entries = calloc(v->nitems + 1, sizeof(*a->entries));
	if (a->entries == NULL)
		return -ENOMEM;
	a->choices.entries = a->entries;
	for (size_t i = 0; i < v->nitems; i++) {
		struct entry *e = &a->entries[a->choices.nentries];

		if (v->items[i].object == NULL)
			continue;
		if (config_parse_object(
			entry_keys, v->items[i].object, e, sizeof(*e), note_error, a) < 0)
			return -EINVAL;
		a->choices.nentries++;
	}
	return 0;
}

/* How much memory an answer takes, about: a script or a long menu is what counts. */
static void
weigh(struct said *a)
{
	const struct verdict *v = &a->verdict;

	if (a->has_verdict)
		a->bytes = strlen(v->text) + v->nitems * (sizeof(*v->items) + IMAGE_NAME_MAX);
	for (size_t i = 0; a->has_verdict && i < v->nitems; i++) {
		/* its JSON, and the entry made of it */
		if (v->items[i].object != NULL)
			a->bytes += 2 * sizeof(struct entry) + 2048;
	}
	if (a->content != NULL)
		a->bytes += strlen(a->content);
	a->owner->bytes += a->bytes;
}

/* The state changes, and those who wait hear of it. */
static void
settle(struct said *a, enum source_state state)
{
	a->state = state;
	a->at_ms = loop_now_ms(a->owner->loop);
	a->unseen = a->waiters == NULL;
	a->cache_ms = state == SOURCE_ANSWERED ? a->verdict.cache_s * UINT64_C(1000) : 0;
	a->fresh_ms = !a->unseen                 ? SOURCES_FRESH_MS
	              : state == SOURCE_ANSWERED ? SOURCES_UNSEEN_MS
	                                         : SOURCES_FAILED_MS;
	/* an early question to one who cannot say yet is asked again when it is time */
	if (a->unseen && state == SOURCE_ANSWERED && a->verdict.kind == VERDICT_NONE)
		a->fresh_ms = 0;
	weigh(a);
	make_room(a->owner, a);
	tell_waiters(a);
}

static void
fail(struct said *a, const char *why)
{
	char quoted[LOG_QUOTE_SIZE];

	if (why != a->why)
		(void)snprintf(a->why, sizeof(a->why), "%s", why);
	log_peer_warn("%s: %s", source_name(a->source), log_quote(slice_str(a->why), quoted));
	settle(a, SOURCE_FAILED);
}

static void
on_worker(void *arg, int error, json_t *answer, const char *why)
{
	struct said *a = arg;
	char text[WHY_MAX] = "";

	a->ask = NULL;
	if (answer == NULL || error < 0) {
		fail(a, why);
		return;
	}
	if (hook_answer_parse(hook_of[a->source], answer, judge_entry, NULL, &a->verdict, text,
		sizeof(text)) < 0) {
		fail(a, text);
		return;
	}
	a->has_verdict = true;
	if (take_entries(a) < 0)
		fail(a, a->why[0] != '\0' ? a->why : "out of memory");
	else
		settle(a, SOURCE_ANSWERED);
}

static void
on_web(void *arg, const struct ws_result *result)
{
	struct said *a = arg;

	a->asker = NULL;
	if (result->answer == NULL) {
		fail(a, result->text[0] != '\0' ? result->text : ws_status_name(result->status));
		return;
	}
	if (verdict_copy(&result->answer->verdict, &a->verdict) < 0) {
		fail(a, "out of memory");
		return;
	}
	a->has_verdict = true;
	if (ws_pairs_copy(result->answer->carry, result->answer->ncarry, &a->carry) < 0) {
		fail(a, "out of memory");
		return;
	}
	a->ncarry = result->answer->ncarry;
	(void)snprintf(a->status, sizeof(a->status), "%s", result->answer->status);
	a->content = strdup(result->answer->text);
	if (a->content == NULL) {
		fail(a, "out of memory");
		return;
	}
	if (take_entries(a) < 0)
		fail(a, a->why[0] != '\0' ? a->why : "out of memory");
	else
		settle(a, SOURCE_ANSWERED);
}

/* --- asking --------------------------------------------------------------------------------- */

static int
ask_web(struct said *a, const struct question *q)
{
	json_t *body = hook_request(HOOK_BOOT, q->request, q->facts);
	struct sources *s = a->owner;
	char key[64];

	if (body == NULL)
		return -ENOMEM;
	(void)snprintf(key, sizeof(key), "%llx/%llx", (unsigned long long)a->machine,
	    (unsigned long long)a->print);
	return webservice_ask(s->web, q->feature, body, (uint32_t)s->web_conf.timeout_ms,
	    is_answer_of_person(q->request) ? NULL : key, on_web, a, &a->asker);
}

static int
ask_hook(struct said *a, const struct question *q)
{
	struct pool *pool = &a->owner->pools[a->source];
	json_t *request = hook_request(hook_of[a->source], q->request, q->facts);
	int rc;

	if (request == NULL)
		return -ENOMEM;
	rc = workers_ask(pool->workers, request, pool->deadline_ms, on_worker, a, &a->ask);
	json_decref(request);
	return rc;
}

/* As if it had said so. */
static int
settle_as(struct said *a, enum verdict_kind kind)
{
	int rc = verdict_init(&a->verdict);

	if (rc < 0)
		return rc;
	a->verdict.kind = kind;
	a->has_verdict = true;
	a->state = SOURCE_ANSWERED;
	return 0;
}

static void
ask(struct said *a, const struct question *q)
{
	struct sources *s = a->owner;
	bool web = is_web(a->source);
	int rc = -ENOENT;

	a->state = SOURCE_UNASKED;
	a->boot = q->boot;
	a->print = print_of(q);
	if (web && s->web != NULL)
		rc = ask_web(a, q);
	else if (!web && s->pools[a->source].workers != NULL)
		rc = ask_hook(a, q);
	if (rc == 0)
		return;
	a->at_ms = loop_now_ms(s->loop);
	a->fresh_ms = SOURCES_FRESH_MS;
	a->cache_ms = 0;
	a->unseen = false;
	/* the client wants the local handler, and may; or a boot began with a source that a
	 * reload has taken away since */
	if ((rc == -ECANCELED && settle_as(a, VERDICT_OVERRIDE) == 0) ||
	    (rc == -ENOENT && settle_as(a, VERDICT_NONE) == 0))
		return;
	(void)snprintf(a->why, sizeof(a->why), "%s",
	    rc == -ENOBUFS ? "too many requests wait for it"
	    : rc == -EPIPE ? "none of its workers runs"
			   : strerror(-rc));
	a->state = SOURCE_FAILED;
}

/* Whether what was said answers this question, too. */
static bool
still_serves(struct said *a, const struct question *q, uint64_t now_ms)
{
	uint64_t age_ms = now_ms - a->at_ms;

	if (q->choice && a->boot == q->boot && a->state == SOURCE_ANSWERED)
		return age_ms < SOURCES_CHOICE_MS;
	if (a->print != print_of(q))
		return false;
	if (age_ms < a->cache_ms)
		return true;
	return age_ms < a->fresh_ms;
}

static void
join(struct said *a, struct source_waiter *w, uint64_t print)
{
	if (w == NULL || w->prev != NULL)
		return;
	w->print = print;
	link_waiter(&a->waiters, w);
}

enum source_state
sources_consult(struct sources *s, enum source source, const struct question *q,
    struct source_waiter *waiter, struct source_answer *ret)
{
	uint64_t now_ms = loop_now_ms(s->loop), print = print_of(q);
	struct said *a = find_said(s, q->machine, source);

	if (a == NULL && q->peek)
		return SOURCE_UNASKED;
	if (a == NULL)
		a = add_said(s, q->machine, source);
	if (a == NULL) {
		*ret = (struct source_answer){ .state = SOURCE_FAILED, .why = "out of memory" };
		return SOURCE_FAILED;
	}
	unlink_age(a);
	link_age(a);
	if (q->peek && (a->state == SOURCE_UNASKED || !still_serves(a, q, now_ms)))
		return SOURCE_UNASKED;
	/* what the same machine asked before with other words goes first if somebody waits for it
	 */
	if (a->state == SOURCE_UNASKED ? a->print != print && a->waiters == NULL
				       : a->at_ms == 0 || !still_serves(a, q, now_ms)) {
		stop_asking(a);
		clear(a);
		ask(a, q);
	}
	if (a->state == SOURCE_UNASKED) {
		if (!q->early)
			join(a, waiter, print);
		return SOURCE_UNASKED;
	}
	if (!q->choice && !q->peek)
		a->boot = q->boot; /* the menu of this boot is made of it */
	if (a->unseen && !q->early && !q->peek) {
		/* it waited for this one: from now on it ages as if it had just come */
		a->unseen = false;
		a->at_ms = now_ms;
		a->fresh_ms = SOURCES_FRESH_MS;
	}
	*ret = (struct source_answer){
		.state = a->state,
		.verdict = a->has_verdict ? &a->verdict : NULL,
		.inline_choices = a->choices.nentries > 0 ? &a->choices : NULL,
		.why = a->why,
		.carry = a->carry,
		.ncarry = a->ncarry,
		.status = a->status[0] != '\0' ? a->status : NULL,
		.content = a->content,
	};
	return a->state;
}

/* --- life ----------------------------------------------------------------------------------- */

static void
on_wake(void *arg)
{
	struct sources *s = arg;

	tell(&s->woken);
}

int
sources_new(struct loop *loop, struct spawner *spawner, struct sources **ret)
{
	struct sources *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->loop = loop;
	s->spawner = spawner;
	loop_timer_init(&s->wake_timer, on_wake, s);
	*ret = s;
	return 0;
}

/* Those who wait are told when the new configuration is in place: on_wake(). */
static void
forget_all(struct sources *s, enum source source)
{
	struct said *next;

	for (struct said *a = s->oldest; a != NULL; a = next) {
		next = a->newer;
		if (a->source != source)
			continue;
		move_waiters(a, &s->woken, true);
		said_free(a);
	}
}

void
sources_free(struct sources *s)
{
	if (s == NULL)
		return;
	while (s->oldest != NULL)
		said_free(s->oldest);
	while (s->woken != NULL)
		sources_leave(s->woken);
	loop_timer_clear(s->loop, &s->wake_timer);
	for (size_t i = 0; i < SOURCES; i++)
		workers_close(s->pools[i].workers);
	webservice_close(s->web);
	if (s->has_web_conf)
		config_free_object(webservice_keys, &s->web_conf);
	free(s);
}

static int
configure_pool(struct sources *s, enum source source, const struct hooks_conf *hooks)
{
	struct pool *pool = &s->pools[source];
	const struct workers_conf conf = {
		.hook = hook_of[source],
		.path = pool->path,
		.count = (unsigned)hooks->workers,
		.start_ms = (uint32_t)hooks->start_ms,
		.max_waiting = (uint32_t)hooks->max_waiting,
		.max_requests = (uint32_t)hooks->recycle,
		.limits = { .memory_bytes = (uint64_t)hooks->memory_mb * MIB,
		    .network = hooks->network },
	};
	int rc;

	pool->deadline_ms = (uint32_t)hooks->deadline_ms;
	if (strcmp(pool->path, hooks->paths[source]) == 0 && pool->conf.count == conf.count &&
	    pool->conf.start_ms == conf.start_ms && pool->conf.max_waiting == conf.max_waiting &&
	    pool->conf.max_requests == conf.max_requests &&
	    pool->conf.limits.memory_bytes == conf.limits.memory_bytes &&
	    pool->conf.limits.network == conf.limits.network)
		return 0;
	forget_all(s, source);
	workers_close(pool->workers);
	pool->workers = NULL;
	(void)snprintf(pool->path, sizeof(pool->path), "%s", hooks->paths[source]);
	pool->conf = conf;
	if (pool->path[0] == '\0')
		return 0;
	rc = workers_open(s->loop, s->spawner, &conf, &pool->workers);
	if (rc < 0)
		pool->path[0] = '\0'; /* the next configuration opens it again */
	return rc;
}

static int
configure_web(struct sources *s, const struct webservice_conf *web)
{
	json_t *is = config_dump_object(webservice_keys, web), *was = NULL;
	bool same;
	int rc;

	if (s->has_web_conf)
		was = config_dump_object(webservice_keys, &s->web_conf);
	same = was != NULL && json_equal(is, was);
	json_decref(was);
	if (same) {
		json_decref(is);
		return 0;
	}
	forget_all(s, SOURCE_WEBSERVICE);
	forget_all(s, SOURCE_WINPE);
	webservice_close(s->web);
	s->web = NULL;
	if (s->has_web_conf)
		config_free_object(webservice_keys, &s->web_conf);
	s->has_web_conf = false;
	/* the client wants its settings to stay: a copy of our own */
	rc = config_parse_object(webservice_keys, is, &s->web_conf, sizeof(s->web_conf), note_error,
	    &(struct said){ 0 });
	json_decref(is);
	if (rc < 0)
		return rc;
	s->has_web_conf = true;
	if (s->web_conf.urls.n == 0)
		return 0;
	return webservice_open(s->loop, &s->web_conf, judge_entry, NULL, &s->web);
}

int
sources_configure(
    struct sources *s, const struct hooks_conf *hooks, const struct webservice_conf *web)
{
	int rc = 0, one;

	for (enum source i = SOURCE_BOOT; i < SOURCES; i++) {
		one = configure_pool(s, i, hooks);
		if (one < 0) {
			log_errx("%s: %s", source_name(i), strerror(-one));
			rc = one;
		}
	}
	one = configure_web(s, web);
	if (one < 0)
		log_errx("webservice: %s", strerror(-one));
	/* they ask again, in a round of their own: all of the new configuration stands then */
	if (s->woken != NULL && loop_timer_set(s->loop, &s->wake_timer, 0) < 0)
		tell(&s->woken);
	return rc < 0 ? rc : one;
}

void
sources_renew(struct sources *s)
{
	for (size_t i = 0; i < SOURCES; i++) {
		if (s->pools[i].workers != NULL)
			workers_renew(s->pools[i].workers);
	}
}

bool
sources_wants_report(const struct sources *s, enum ws_feature feature)
{
	return webservice_wants(s->web, feature);
}

void
sources_report(struct sources *s, enum ws_feature feature, json_t *body, const char *machine)
{
	if (webservice_report(s->web, feature, body, machine) == -ENOMEM)
		log_peer_warn("webservice: out of memory, a report is lost");
}

json_t *
sources_status(const struct sources *s)
{
	json_t *o = json_object();

	for (enum source i = SOURCE_BOOT; i < SOURCES; i++) {
		struct workers_stats st;

		if (s->pools[i].workers == NULL)
			continue;
		workers_stats(s->pools[i].workers, &st);
		json_object_set_new(o, source_name(i),
		    json_pack(
			"{s:s, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:s}",
			"path", s->pools[i].path, "starting", (int)st.starting, "idle",
			(int)st.idle, "busy", (int)st.busy, "waiting", (int)st.waiting, "asked",
			(json_int_t)st.asked, "answered", (json_int_t)st.answered, "timed_out",
			(json_int_t)st.timed_out, "failed", (json_int_t)st.failed, "refused",
			(json_int_t)st.refused, "started", (json_int_t)st.started, "generation",
			(int)st.generation, "pause_ms", (int)st.pause_ms, "trouble", st.trouble));
	}
	if (s->web != NULL)
		json_object_set_new(o, source_name(SOURCE_WEBSERVICE), webservice_status(s->web));
	return o;
}
