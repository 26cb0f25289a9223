/*
 * Fetches that break off; see pull.h.  A file of which those who wait have got a part is taken up
 * where it ended, if the origin says that it still is the same one; all they notice is a pause.
 * Otherwise it fails: no one gets a part of one version and the rest of another.  One that has not
 * begun yet goes to the next origin.
 */
#include "common/log.h"
#include "httpsbootd/pull_parts.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Who gets this far is not at the same point again. */
#define PROGRESS_BYTES (1u << 20)
/* How long another origin than the first is asked at once. */
#define ELSEWHERE_MS 60000

static struct resume_head
head_of(const struct http_head *head)
{
	return (struct resume_head){
		.status = head->status,
		.length = head->length,
		.etag = head->etag,
		.modified = head->modified,
		.date = head->date,
		.range = head->range,
	};
}

void
fetch_mark(struct fetch *f, const struct http_head *head)
{
	const struct resume_head said = head_of(head);

	/* without its size nobody has got anything of it yet, nor do we know what its end is */
	f->marked = resume_mark(&said, &f->mark) && f->length >= 0 && !f->head;
}

/* What may be over in a moment. */
static bool
is_passing(long status)
{
	return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

static void
on_retry(void *arg)
{
	char range[RESUME_LINE_SIZE], if_range[RESUME_LINE_SIZE];
	const char *headers[] = { range, if_range };
	struct fetch *f = arg;

	resume_ask(&f->mark, atomic_load(&f->p->came), range, if_range);
	f->again = true;
	fetch_send(f, headers);
}

/* Whether somebody still waits for it. */
static bool
is_wanted(struct fetch *f)
{
	bool wanted;

	pull_lock(f->pull);
	wanted = f->p->refs > 1;
	pull_unlock(f->pull);
	return wanted;
}

bool
fetch_breaks(struct fetch *f, const struct http_answer *answer)
{
	uint64_t came = atomic_load(&f->p->came), ms;
	char path[LOG_QUOTE_SIZE];

	if (!f->marked || !is_wanted(f) ||
	    (answer->error == 0 && !(f->again && is_passing(answer->status))))
		return false;
	if (came - f->broke_at >= PROGRESS_BYTES)
		f->tries = 0;
	f->broke_at = came;
	if (f->tries >= f->pull->conf.retries)
		return false;
	ms = resume_pause_ms(++f->tries);
	log_peer_warn("origin: %s broke off at %llu of %llu bytes: %s; try %u of %u in %llu ms",
	    log_quote(slice_str(f->note.path), path), (unsigned long long)came,
	    (unsigned long long)f->length, answer->text, f->tries, f->pull->conf.retries,
	    (unsigned long long)ms);
	loop_timer_init(&f->retry, on_retry, f);
	return loop_timer_set(f->pull->thread.loop, &f->retry, ms) == 0;
}

void
pull_turn(struct pull *pull, size_t from)
{
	pull_lock(pull);
	if (pull->url == from) { /* else another fetch has noticed */
		pull->url = (from + 1) % pull->conf.nurls;
		pull->url_until_ms = pull_now_ms() + ELSEWHERE_MS;
	}
	pull_unlock(pull);
}

static void
on_turn(void *arg)
{
	fetch_start(arg);
}

bool
fetch_turns(struct fetch *f, const struct http_answer *answer)
{
	struct pull *pull = f->pull;
	bool unreachable = answer->error == -ECONNREFUSED || answer->error == -EACCES ||
	                   answer->error == -ETIMEDOUT || answer->error == -EPIPE;
	size_t from = f->url;
	char url[LOG_QUOTE_SIZE], next[LOG_QUOTE_SIZE];

	if (f->p->fd >= 0 || !(unreachable || (answer->error == 0 && is_passing(answer->status))) ||
	    ++f->urls_tried >= pull->conf.nurls)
		return false;
	f->url = (from + 1) % pull->conf.nurls;
	pull_turn(pull, from);
	log_peer_warn("origin: %s: %s; %s is asked",
	    log_quote(slice_str(pull->conf.urls[from]), url), answer->text,
	    log_quote(slice_str(pull->conf.urls[f->url]), next));
	loop_timer_init(&f->retry, on_turn, f); /* not within the end of a request */
	return loop_timer_set(pull->thread.loop, &f->retry, 0) == 0;
}

int
fetch_go_on(struct fetch *f, const struct http_head *head)
{
	const struct resume_head said = head_of(head);
	uint64_t came = atomic_load(&f->p->came);

	if (head->encoding[0] != '\0' && strcasecmp(head->encoding, "identity") != 0)
		return fetch_fault(f, -EAGAIN, "the origin sends the rest of the file encoded");
	switch (resume_judge(&f->mark, came, (uint64_t)f->length, &said)) {
	case RESUME_REST: f->pass_over = 0; break;
	case RESUME_WHOLE: f->pass_over = came; break;
	case RESUME_CHANGED:
		return fetch_fault(
		    f, -EAGAIN, "it broke off, and the origin has another version of it now");
	default:
		return fetch_fault(
		    f, -EAGAIN, "it broke off, and the origin sent something else than the rest");
	}
	PULL_ADD(f->pull, resumed, 1);
	return 0;
}
