/* Recorded requests; see recall.h. */
#include "handlerd/recall.h"

#include "common/form.h"
#include "common/log.h"
#include "handlerd/explain.h"
#include "handlerd/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_BYTES 12288
#define SAID_BYTES    12000
#define REPEAT_MS     10000 /* the same request and answer within that is not recorded again */
#define A_PIECE       200   /* requests of one round of the loop */
#define CHANGES_MAX   10000 /* machines that are listed */

/* --- recording ------------------------------------------------------------------------------ */

static uint64_t
mix(uint64_t h, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 0x100000001b3u;
	return (h ^ s.n) * 0x100000001b3u;
}

static bool
is_repeated(struct boot *b, const struct boot_request *r, const struct decision *d, uint64_t now_ms)
{
	uint64_t note = mix(0xcbf29ce484222325u + (uint64_t)r->stage, d->answer.file);

	note = mix(note, slice_str(boot_reason_name(d->answer.reason)));
	note = mix(mix(note, d->answer.rule), r->params);
	if (b->recall_note == note && now_ms - b->recall_ms < REPEAT_MS)
		return true;
	b->recall_note = note;
	b->recall_ms = now_ms;
	return false;
}

/* What sources said, as JSON text; NULL if none was asked. */
static char *
dump_sources(const struct facts *f)
{
	json_t *o = NULL;
	char *text;

	for (enum source i = 0; i < SOURCES; i++) {
		const struct source_answer *a = &f->sources[i];

		if (a->state == SOURCE_UNASKED)
			continue;
		if (o == NULL)
			o = json_object();
		json_object_set_new(o, source_name(i),
		    a->state == SOURCE_ANSWERED ? verdict_dump(a->verdict) : json_null());
	}
	text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	return text;
}

static void
keep(struct handlerd *h, const struct boot_request *r, struct boot *b, const struct facts *facts,
    const struct decision *d)
{
	struct record record = { .kind = RECORD_REQUEST };
	struct request_record *q = &record.request;
	struct boot_request kept = *r;
	uint8_t buf[REQUEST_BYTES];
	char form[REQUEST_BYTES], asked[REQUEST_BYTES];
	struct msg_writer w;
	json_t *outcome;
	char *text, *sources;

	/* what is kept for days tells no PIN and opens no file */
	kept.token = (struct slice){ 0 };
	kept.params = form_without_secrets(r->params, form, sizeof(form));
	kept.file = form_without_secrets(r->file, asked, sizeof(asked));
	if (kept.params.n == sizeof(form) || kept.file.n == sizeof(asked))
		return;
	msg_begin(&w, buf, sizeof(buf), MSG_REQUESTS, 0);
	if (msg_put_request(&w, &kept) < 0)
		return; /* a form of many kilobytes is no request of ours */
	outcome = explain_outcome(d);
	text = json_dumps(outcome, JSON_COMPACT);
	json_decref(outcome);
	sources = dump_sources(facts);
	*q = (struct request_record){
		.at_ms = facts->now_ms,
		.boot = b->id,
		.machine = b->machine,
		.mac = facts->subject.mac,
		.stage = r->stage,
		.request = msg_end(&w),
		.outcome = slice_str(text),
		.sources = slice_str(sources),
		.before = b->before,
		.before_ms = b->before_ms,
		.attempt = b->attempt,
	};
	if (q->sources.n > SAID_BYTES)
		q->sources = slice_str("{}");
	if (q->request.n + q->outcome.n + q->sources.n < REQUEST_BYTES)
		notes_put(&h->notes, &record);
	free(text);
	free(sources);
}

void
recall_keep(struct handlerd *h, const struct boot_request *r, struct boot *b,
    const struct facts *facts, const struct decision *d)
{
	if (h->conf->keep_requests_h != 0 && b != NULL &&
	    (r->stage == STAGE_DISCOVER || r->stage == STAGE_BOOTSERVER ||
		r->stage == STAGE_BOOT) &&
	    !is_repeated(b, r, d, facts->now_ms))
		keep(h, r, b, facts, d);
}

/* --- trying another policy ------------------------------------------------------------------ */

struct replay {
	struct handlerd *h;
	struct policy *policy;
	uint64_t since_ms, next;
	struct loop_timer timer;
	recall_fn *done;
	void *arg;
	struct replay *following;
	json_t *changes;  /* "machine/stage" to the change seen last */
	json_t *machines; /* those seen, as keys */
	uint64_t requests, unreadable;
	size_t piece; /* requests of this round */
};

/* Verdicts that were recorded, put back into facts; who was not asked then has no opinion. */
struct said_then {
	struct verdict none;
	struct verdict verdicts[SOURCES];
	bool has[SOURCES];
};

static void
restore_sources(struct slice text, struct facts *f, struct said_then *said)
{
	static const struct verdict_rules any = { .kinds = VERDICT_ANY };
	json_t *o = text.n > 0 ? json_loadb((const char *)text.p, text.n, 0, NULL) : NULL;
	char error[128];

	for (enum source i = 0; i < SOURCES; i++) {
		json_t *v = json_object_get(o, source_name(i));

		f->sources[i] =
		    (struct source_answer){ .state = SOURCE_ANSWERED, .verdict = &said->none };
		if (v == NULL)
			continue;
		f->sources[i] =
		    (struct source_answer){ .state = SOURCE_FAILED, .why = "it failed then" };
		if (json_is_null(v))
			continue;
		said->has[i] =
		    verdict_parse(v, &any, &said->verdicts[i], error, sizeof(error)) == 0;
		if (said->has[i])
			f->sources[i] = (struct source_answer){ .state = SOURCE_ANSWERED,
				.verdict = &said->verdicts[i] };
	}
	json_decref(o);
}

static json_t *
decide_again(struct replay *p, const struct boot_request *r, const struct request_record *q,
    struct policy *policy)
{
	struct boot then = {
		.id = q->boot,
		.machine = q->machine,
		.mac = q->mac,
		.arch = r->arch,
		.before = q->before,
		.before_ms = q->before_ms,
		.attempt = q->attempt,
	};
	char nothing[] = "";
	struct said_then said = { .none = { .kind = VERDICT_NONE,
				      .text = nothing,
				      .name = nothing,
				      .url = nothing,
				      .title = nothing,
				      .standing = nothing,
				      .reason = nothing } };
	struct decision d;
	struct facts facts;
	struct wbuf scratch;
	json_t *outcome;

	gather(p->h, r, &then, policy, q->at_ms, true, p->h->room, &facts);
	restore_sources(q->sources, &facts, &said);
	wbuf_init(&scratch, p->h->scratch, sizeof(p->h->scratch));
	decide(r, policy, &facts, &scratch, &d);
	outcome = explain_outcome(&d);
	for (size_t i = 0; i < SOURCES; i++) {
		if (said.has[i])
			verdict_fini(&said.verdicts[i]);
	}
	return outcome;
}

static void
compare(struct replay *p, const struct boot_request *r, const struct request_record *q)
{
	json_t *was = decide_again(p, r, q, p->h->policy), *is = decide_again(p, r, q, p->policy);
	char key[96], id[BOOT_ID_STRLEN], mac[MAC_STRLEN];

	(void)snprintf(key, sizeof(key), "%llu/%s/%s", (unsigned long long)q->machine,
	    mac_format(&q->mac, mac), boot_stage_name(q->stage));
	if (!json_equal(was, is) && (json_object_get(p->changes, key) != NULL ||
					json_object_size(p->changes) < CHANGES_MAX))
		json_object_set_new(p->changes, key,
		    json_pack("{s:I, s:s, s:s, s:s, s:I, s:O, s:O}", "machine",
			(json_int_t)q->machine, "mac", mac, "boot", boot_id_format(q->boot, id),
			"stage", boot_stage_name(q->stage), "at_ms", (json_int_t)q->at_ms, "now",
			was, "then", is));
	else
		/* what the machine asked last is what counts */
		json_object_del(p->changes, key);
	json_decref(was);
	json_decref(is);
	(void)snprintf(key, sizeof(key), "%llu/%s", (unsigned long long)q->machine, mac);
	json_object_set_new(p->machines, key, json_true());
}

static void
replay_one(void *arg, uint64_t number, const struct request_record *q)
{
	struct replay *p = arg;
	struct boot_request r;
	struct msg_reader reader;

	p->next = number + 1;
	p->requests++;
	p->piece++;
	if (msg_open(&reader, q->request.p, q->request.n) < 0 || msg_get_request(&reader, &r) < 0) {
		p->unreadable++; /* by another release */
		return;
	}
	compare(p, &r, q);
}

static void
replay_free(struct replay *p)
{
	struct replay **at = &p->h->replays;

	while (*at != p)
		at = &(*at)->following;
	*at = p->following;
	loop_timer_clear(p->h->loop, &p->timer);
	policy_unref(p->policy);
	json_decref(p->changes);
	json_decref(p->machines);
	free(p);
}

static json_t *
replay_result(const struct replay *p)
{
	json_t *list = json_array(), *change;
	const char *key;

	json_object_foreach(p->changes, key, change) json_array_append(list, change);
	return json_pack("{s:I, s:I, s:I, s:o}", "requests", (json_int_t)p->requests, "machines",
	    (json_int_t)json_object_size(p->machines), "unreadable", (json_int_t)p->unreadable,
	    "changes", list);
}

static void
on_piece(void *arg)
{
	struct replay *p = arg;

	p->piece = 0;
	if (store_each_request(p->h->store, p->since_ms, p->next, A_PIECE, replay_one, p) < 0) {
		p->done(p->arg, NULL);
		replay_free(p);
		return;
	}
	if (p->piece == A_PIECE && loop_timer_set(p->h->loop, &p->timer, 0) == 0)
		return;
	p->done(p->arg, replay_result(p));
	replay_free(p);
}

int
recall_replay(
    struct handlerd *h, struct policy *policy, uint64_t since_ms, recall_fn *done, void *arg)
{
	struct replay *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	*p = (struct replay){
		.h = h,
		.policy = policy,
		.since_ms = since_ms,
		.done = done,
		.arg = arg,
		.following = h->replays,
		.changes = json_object(),
		.machines = json_object(),
	};
	h->replays = p;
	loop_timer_init(&p->timer, on_piece, p);
	if (loop_timer_set(h->loop, &p->timer, 0) < 0) {
		p->policy = NULL; /* stays the caller's */
		replay_free(p);
		return -ENOMEM;
	}
	return 0;
}

void
recall_stop(struct handlerd *h)
{
	while (h->replays != NULL) {
		h->replays->done(h->replays->arg, NULL);
		replay_free(h->replays);
	}
}
