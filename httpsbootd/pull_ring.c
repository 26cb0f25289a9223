/*
 * Servers that are each other's origin; see pull.h.  What none of them has would go round until
 * somebody's time ran out.  Each writes its name into the requests that it sends on (hops.h), and
 * does not send on one that it has seen before.
 *
 * Where two want the same file at the same moment, each one's request waits for the fetch of the
 * other and goes no further.  So when a request joins a fetch that then has no answer for a while,
 * HEAD goes to the origin in its name.  If there is a ring, it comes to a server whose own fetch is
 * a part of it, which ends that; all who wait for it are told then, one after the other.
 */
#include "common/log.h"
#include "httpsbootd/pull_parts.h"

#include <stdio.h>
#include <string.h>

#define TOLD_MS 60000 /* between two lines about a ring */
/* An origin that has the file mostly has begun to send it by then. */
#define TRY_MS     200
#define PROBES_MAX 64 /* at once */

/* What came back is a part of it. */
static void
end_own(struct pulled *p)
{
	if (p == NULL || p->fetch == NULL || atomic_load(&p->state) != PULL_ASKING)
		return;
	p->fetch->ringed = true;
	pull_hurry(p->pull);
}

bool
pull_ring_closes(struct pull *pull, struct pull_file *file, const struct hops *hops)
{
	uint64_t now_ms = pull_now_ms();
	char ring[sizeof(pull->ring) - 40], quoted[LOG_QUOTE_SIZE];

	if (!hops_has(hops, pull->own))
		return false;
	PULL_ADD(pull, rings, 1);
	hops_ring(hops, pull->own, ring, sizeof(ring));
	if (pull_ring_words(pull) == NULL)
		log_peer_warn("origin: a ring: %s: each is the next one's client, and none has "
			      "%s; the origin.url of one of them must lead elsewhere",
		    ring, log_quote(slice_str(file->item.path), quoted));
	(void)snprintf(pull->ring, sizeof(pull->ring), "a ring of servers: %s", ring);
	pull->ring_until_ms = now_ms + TOLD_MS;
	end_own(file->coming);
	end_own(file->asked);
	return true;
}

const char *
pull_ring_words(const struct pull *pull)
{
	return pull_now_ms() < pull->ring_until_ms ? pull->ring : NULL;
}

void
pull_ring_join(struct fetch *f, const struct hops *hops)
{
	/* what comes already comes from somewhere */
	if (atomic_load(&f->p->state) != PULL_ASKING || !hops_join(&f->joined, hops))
		return;
	f->untried = true;
	pull_hurry(f->pull);
}

/* With the lock held. */
static struct fetch *
next_ringed(const struct pull *pull)
{
	struct fetch *f = pull->running;

	while (f != NULL && !(f->ringed && f->request != NULL))
		f = f->next;
	return f;
}

void
pull_ring_look(struct pull *pull)
{
	bool untried = false;
	struct fetch *f;

	for (;;) {
		pull_lock(pull);
		f = next_ringed(pull);
		pull_unlock(pull);
		if (f == NULL)
			break;
		http_cancel(f->request);
		f->request = NULL;
		fetch_fail_ring(f);
	}
	pull_lock(pull);
	for (f = pull->running; f != NULL; f = f->next)
		untried = untried || f->untried;
	pull_unlock(pull);
	if (untried && !loop_timer_is_set(&pull->ring_timer))
		(void)loop_timer_set(pull->thread.loop, &pull->ring_timer, TRY_MS);
}

/* What the origin says of it will be said of the fetch as well. */
static void
on_probed(void *arg, const struct http_answer *answer)
{
	struct pull *pull = arg;

	(void)answer;
	pull->nprobes--;
}

static void
probe(struct fetch *f, const char *via)
{
	struct pull *pull = f->pull;
	char url[FETCH_URL_MAX];
	const char *headers[] = { via, NULL };
	const struct http_ask ask = {
		.method = "HEAD",
		.url = url,
		.headers = headers,
		.deadline_ms = pull->conf.timeout_s * 1000,
	};
	struct http_request *request;

	/* else the fetch's own time limit is left */
	if (pull->nprobes < PROBES_MAX && fetch_url(f, url, sizeof(url)) == 0 &&
	    http_ask(pull->http, &ask, on_probed, pull, &request) == 0)
		pull->nprobes++;
}

void
pull_ring_try(void *arg)
{
	struct pull *pull = arg;
	char via[HOPS_STRLEN];

	for (struct fetch *f = pull->running; f != NULL; f = f->next) {
		bool due;

		pull_lock(pull);
		due = f->untried && atomic_load(&f->p->state) == PULL_ASKING;
		f->untried = false;
		if (due)
			hops_line(&f->joined, pull->own, via);
		pull_unlock(pull);
		if (due)
			probe(f, via);
	}
}
