/* Reports on their way to the web service; see ws_reports.h. */
#include "handlerd/ws_reports.h"

#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS        4 /* under way at a time, so that questions find room */
#define FIRST_WAIT_S 1 /* after a failure; doubles */
#define MAX_WAIT_S   60
#define LOOK_MS      250   /* between looks at breakers that let nothing through */
#define BODY_MAX     65536 /* bytes */

struct report {
	struct ws_reports *reports;
	struct report *prev, *next; /* in order of arrival */
	struct report *follower;    /* the next of the same machine, which waits for this one */
	bool waits;                 /* for an earlier one of its machine */
	uint64_t machine;           /* hash: a collision only makes one wait for another's */
	const char *path;
	char *body;
	char id[33];
	uint64_t added_ms, next_ms; /* not tried before */
	uint32_t tries;
	struct ws_call *call;
};

struct ws_reports {
	struct loop *loop;
	struct ws_client *client;
	struct ws_reports_conf conf;
	struct report *first, *last;
	size_t n, calls;
	struct loop_timer timer;
	uint64_t delivered, retried, dropped, refused, expired;
};

static void pump(struct ws_reports *r);

static void
on_timer(void *arg)
{
	pump(arg);
}

int
ws_reports_open(struct loop *loop, struct ws_client *client, const struct ws_reports_conf *conf,
    struct ws_reports **ret)
{
	struct ws_reports *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->loop = loop;
	r->client = client;
	r->conf = *conf;
	loop_timer_init(&r->timer, on_timer, r);
	*ret = r;
	return 0;
}

static void
report_free(struct report *p)
{
	struct ws_reports *r = p->reports;

	if (p->follower != NULL)
		p->follower->waits = false;
	if (p->waits) {
		/* whoever it waits for gets its follower */
		for (struct report *q = p->prev; q != NULL; q = q->prev) {
			if (q->follower == p) {
				q->follower = p->follower;
				if (p->follower != NULL)
					p->follower->waits = true;
				break;
			}
		}
	}
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		r->first = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	else
		r->last = p->prev;
	r->n--;
	free(p->body);
	free(p);
}

void
ws_reports_close(struct ws_reports *r)
{
	if (r == NULL)
		return;
	loop_timer_clear(r->loop, &r->timer);
	if (r->n > 0)
		log_warnx("webservice: %zu reports were not delivered", r->n);
	while (r->first != NULL)
		report_free(r->first);
	free(r);
}

/* When it may be tried again: doubling waits, up to half as long again by chance. */
static void
postpone(struct report *p, uint32_t retry_after_s)
{
	uint64_t wait_ms = FIRST_WAIT_S * 1000;

	for (uint32_t i = 1; i < p->tries && wait_ms < MAX_WAIT_S * 1000; i++)
		wait_ms *= 2;
	if (wait_ms < retry_after_s * UINT64_C(1000))
		wait_ms = retry_after_s * UINT64_C(1000);
	p->next_ms = loop_now_ms(p->reports->loop) + wait_ms + ws_random() % (wait_ms / 2 + 1);
	p->reports->retried++;
}

/* True if asking again could bring another answer. */
static bool
may_pass_later(long status)
{
	/* 401, 403, 407: a token that somebody will renew */
	return status == 401 || status == 403 || status == 407 || status == 408 || status == 425;
}

static void
on_reply(void *arg, const struct ws_reply *reply)
{
	struct report *p = arg;
	struct ws_reports *r = p->reports;

	p->call = NULL;
	r->calls--;
	if (reply->outcome != WS_REPLIED || may_pass_later(reply->answer->status)) {
		postpone(p, reply->answer != NULL ? reply->answer->retry_after_s : 0);
	} else {
		if (reply->answer->status >= 200 && reply->answer->status < 300) {
			r->delivered++;
		} else {
			r->refused++;
			log_peer_warn("webservice %s: refuses a report to %s: %s", reply->url,
			    p->path, reply->text);
		}
		report_free(p);
	}
	pump(r);
}

/* False if nothing gets through now. */
static bool
send_report(struct ws_reports *r, struct report *p)
{
	struct ws_request request = { .method = "POST",
		.path = p->path,
		.body = slice_str(p->body),
		.id = p->id,
		.deadline_ms = r->conf.timeout_ms };

	if (ws_client_call(r->client, &request, on_reply, p, &p->call) < 0)
		return false;
	p->tries++;
	r->calls++;
	return true;
}

/* Sends what is due, and comes back when more is. */
static void
pump(struct ws_reports *r)
{
	uint64_t now_ms = loop_now_ms(r->loop), next_ms = UINT64_MAX;

	for (struct report *p = r->first, *next; p != NULL && r->calls < CALLS; p = next) {
		next = p->next;
		if (p->call != NULL)
			continue;
		if (now_ms - p->added_ms > r->conf.max_age_ms) {
			r->expired++;
			report_free(p);
		} else if (!p->waits && p->next_ms > now_ms) {
			next_ms = p->next_ms < next_ms ? p->next_ms : next_ms;
		} else if (!p->waits && !send_report(r, p)) {
			next_ms = now_ms + LOOK_MS;
			break;
		}
	}
	loop_timer_clear(r->loop, &r->timer);
	if (next_ms != UINT64_MAX) /* out of memory: the next report comes here again */
		(void)loop_timer_set(r->loop, &r->timer, next_ms - now_ms);
}

static uint64_t
hash(const char *s)
{
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

	for (; *s != '\0'; s++)
		h = (h ^ (uint8_t)*s) * UINT64_C(1099511628211);
	return h;
}

/* Makes room: the oldest that is not under way goes. */
static void
drop_oldest(struct ws_reports *r)
{
	struct report *p = r->first;

	while (p != NULL && p->call != NULL)
		p = p->next;
	if (p == NULL)
		return;
	r->dropped++;
	report_free(p);
}

int
ws_reports_add(struct ws_reports *r, const char *path, json_t *body, const char *machine)
{
	struct report *p = calloc(1, sizeof(*p));
	char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	if (p == NULL || text == NULL || strlen(text) > BODY_MAX) {
		int rc = p == NULL || text == NULL ? -ENOMEM : -EMSGSIZE;

		r->dropped++;
		free(p);
		free(text);
		return rc;
	}
	if (r->n >= r->conf.max)
		drop_oldest(r);
	*p = (struct report){ .reports = r,
		.prev = r->last,
		.machine = hash(machine),
		.path = path,
		.body = text,
		.added_ms = loop_now_ms(r->loop) };
	(void)snprintf(p->id, sizeof(p->id), "%016" PRIx64 "%016" PRIx64, ws_random(), ws_random());
	for (struct report *q = r->last; q != NULL; q = q->prev) {
		if (q->machine == p->machine) {
			q->follower = p;
			p->waits = true;
			break;
		}
	}
	if (r->last != NULL)
		r->last->next = p;
	else
		r->first = p;
	r->last = p;
	r->n++;
	/* not at once: what this round reports goes out together, and pump() may be its caller */
	if (!loop_timer_is_set(&r->timer) || !p->waits)
		(void)loop_timer_set(r->loop, &r->timer, 0);
	return 0;
}

json_t *
ws_reports_status(const struct ws_reports *r)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "waiting", (json_int_t)r->n, "delivered",
	    (json_int_t)r->delivered, "retried", (json_int_t)r->retried, "refused",
	    (json_int_t)r->refused, "expired", (json_int_t)r->expired, "dropped",
	    (json_int_t)r->dropped);
}
