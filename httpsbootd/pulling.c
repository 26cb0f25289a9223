/* See pulling.h. */
#include "httpsbootd/pulling.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/*
 * A file up to this size is given when it is complete: if it does not come, the client then gets an
 * answer that says so, and not a connection that ends in the middle.
 */
#define WHOLE_BYTES (1u << 20)

static void
enlist(struct exchange *x)
{
	struct worker *w = x->worker;

	x->pull_next = w->pulling;
	x->pull_prev = &w->pulling;
	if (x->pull_next != NULL)
		x->pull_next->pull_prev = &x->pull_next;
	w->pulling = x;
}

static enum MHD_Result
note_via(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	if (strcasecmp(name, MHD_HTTP_HEADER_VIA) == 0)
		hops_read(arg, slice_str(value));
	return MHD_YES;
}

static int
ask(struct exchange *x)
{
	const struct keep_want want = {
		.path = x->path,
		.size = x->file_size,
		.sha256 = x->has_sha256 ? x->file_sha256 : NULL,
	};
	struct hops hops;
	int rc;

	hops.n = 0;
	hops.full = false;
	(void)MHD_get_connection_values(x->connection, MHD_HEADER_KIND, note_via, &hops);
	rc = pull_get(x->worker->pull, &x->worker->pull_user, &want, x->head, &hops, &x->pulled);
	if (rc < 0)
		return rc;
	enlist(x);
	return 0;
}

/* Whether enough of it is known to begin an answer. */
static bool
is_due(const struct exchange *x, const struct pull_view *v)
{
	if (v->state == PULL_STREAMING)
		return x->head || v->size > WHOLE_BYTES;
	return v->state != PULL_ASKING;
}

int
pulling_open(struct exchange *x, struct content_file *ret)
{
	int rc = x->pulled == NULL ? ask(x) : 0;
	struct pull_view v;

	if (rc < 0) {
		x->retry_s = 1;
		(void)snprintf(x->text, sizeof(x->text), "too many files are asked for at once");
		return rc;
	}
	pull_look(x->pulled, &v);
	if (!is_due(x, &v))
		return -EINPROGRESS;
	if (v.state == PULL_FAILED) {
		x->retry_s = v.retry_s;
		(void)snprintf(x->text, sizeof(x->text), "%s", v.text);
		return v.error;
	}
	*ret = (struct content_file){
		.fd = -1,
		.size = v.size,
		.inode = v.tag,
		.mtime = { .tv_sec = v.modified_s },
	};
	memcpy(ret->path, x->path, sizeof(ret->path));
	if (x->head)
		return 0;
	rc = pull_dup(x->pulled);
	if (rc < 0)
		return rc;
	ret->fd = rc;
	return 0;
}

bool
pulling_is_partial(const struct exchange *x)
{
	struct pull_view v = { .state = PULL_COMPLETE };

	if (x->pulled != NULL)
		pull_look(x->pulled, &v);
	return v.state == PULL_STREAMING || v.state == PULL_FAILED;
}

int64_t
pulling_ready(const struct exchange *x)
{
	return pull_ready(x->pulled, x->delivery.offset);
}

const char *
pulling_why(struct exchange *x)
{
	struct pull_view v;

	pull_look(x->pulled, &v);
	(void)snprintf(x->text, sizeof(x->text), "%s", v.text);
	return x->text;
}

void
pulling_end(struct exchange *x)
{
	if (x->pulled == NULL)
		return;
	*x->pull_prev = x->pull_next;
	if (x->pull_next != NULL)
		x->pull_next->pull_prev = x->pull_prev;
	pull_release(&x->worker->pull_user, x->pulled);
	x->pulled = NULL;
}

/* Something went on: whoever waited for that is let go. */
static void
on_heard(void *arg, uint32_t events)
{
	struct worker *w = arg;
	struct pull_view v;

	(void)events;
	pull_user_heard(&w->pull_user);
	for (struct exchange *x = w->pulling; x != NULL; x = x->pull_next) {
		if (x->state != EXCHANGE_PULLING) {
			tls_body_go_on(x->client);
			continue;
		}
		pull_look(x->pulled, &v);
		if (is_due(x, &v))
			exchange_go_on(x);
	}
}

int
pulling_start(struct worker *w, struct pull *pull)
{
	int rc;

	if (pull == NULL)
		return 0;
	rc = pull_add_user(pull, &w->pull_user);
	if (rc < 0)
		return rc;
	w->pull = pull;
	return loop_add(w->loop, &w->pull_lf, w->pull_user.fd, EPOLLIN, on_heard, w);
}

void
pulling_stop(struct worker *w)
{
	if (w->pull == NULL)
		return;
	loop_del(w->loop, &w->pull_lf);
	close(w->pull_user.fd);
}
