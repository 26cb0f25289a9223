/*
 * The thread that fetches files from the origin; see pull.h.  pull_take.c has what comes,
 * pull_end.c how it ends.
 */
#include "common/log.h"
#include "httpsbootd/httpdate.h"
#include "httpsbootd/pull_parts.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RUNNING_MAX 32    /* requests to the origin at once */
#define KEEPING_MAX 256   /* files that wait for a slow disk before no more are fetched */
#define REFUSAL_MAX 65536 /* bytes of an error's page, which is forgotten */

/* Asks only for what is newer than the kept one. */
static void
put_conditions(struct fetch *f, char lines[static 2][KEEP_ETAG_MAX + 40], const char **headers)
{
	const struct keep_note *note = &f->p->file->note;
	char date[HTTPDATE_STRLEN];
	size_t n = 0;

	pull_lock(f->pull);
	f->conditional = f->conditional && f->p->file->item.kept; /* it may have made room */
	if (f->conditional && note->etag[0] != '\0') {
		(void)snprintf(lines[n], KEEP_ETAG_MAX + 40, "If-None-Match: %s", note->etag);
		headers[n] = lines[n];
		n++;
	}
	if (f->conditional && note->dated) {
		(void)snprintf(lines[n], KEEP_ETAG_MAX + 40, "If-Modified-Since: %s",
		    httpdate_format(note->modified_s, date));
		headers[n] = lines[n];
		n++;
	}
	pull_unlock(f->pull);
	headers[n] = NULL;
}

int
fetch_url(const struct fetch *f, char *dst, size_t size)
{
	return http_url_join(f->pull->conf.urls[f->url], f->p->file->item.path, dst, size);
}

void
fetch_send(struct fetch *f, const char *const headers[2])
{
	struct pull *pull = f->pull;
	char url[FETCH_URL_MAX], via[HOPS_STRLEN];
	const char *all[] = { via, headers[0], headers[0] != NULL ? headers[1] : NULL, NULL };
	const struct http_ask ask = {
		.method = f->head ? "HEAD" : "GET",
		.url = url,
		.headers = all,
		.sink = &fetch_sink,
		.min_rate = pull->conf.min_rate,
		.stall_s = pull->conf.timeout_s,
	};
	int rc = fetch_url(f, url, sizeof(url));

	hops_line(&f->hops, pull->own, via);
	if (rc == 0)
		rc = http_ask(pull->http, &ask, fetch_ended, f, &f->request);
	if (rc < 0)
		fetch_fail(f, -EAGAIN,
		    rc == -EACCES ? "origin.password_file cannot be read" : strerror(-rc));
}

void
fetch_start(struct fetch *f)
{
	char lines[2][KEEP_ETAG_MAX + 40];
	const char *headers[3];

	put_conditions(f, lines, headers);
	fetch_send(f, headers);
}

static void
start(struct fetch *f)
{
	struct pull *pull = f->pull;

	f->began_ms = loop_now_ms(pull->thread.loop);
	f->length = -1;
	pull_lock(pull);
	if (pull->url_until_ms <= pull_now_ms()) /* the first one may be there again */
		pull->url = 0;
	f->url = pull->url;
	pull_unlock(pull);
	f->digest = EVP_MD_CTX_new();
	if (f->digest == NULL || EVP_DigestInit_ex(f->digest, EVP_sha256(), NULL) != 1)
		fetch_fail(f, -EAGAIN, "out of memory");
	else
		fetch_start(f);
}

static struct fetch *
take_one(struct pull *pull)
{
	struct fetch *f;

	pull_lock(pull);
	f = pull->nrunning < RUNNING_MAX && pull->nkeeping < KEEPING_MAX ? pull->queue : NULL;
	if (f != NULL) {
		pull->queue = f->next;
		if (pull->queue == NULL)
			pull->queue_end = &pull->queue;
		pull->queued--;
		f->next = pull->running;
		pull->running = f;
		pull->nrunning++;
	}
	pull_unlock(pull);
	return f;
}

static void
on_queue(void *arg, uint32_t events)
{
	struct pull *pull = arg;
	struct fetch *f;
	uint64_t count;

	(void)events;
	if (read(pull->queue_fd, &count, sizeof(count)) < 0)
		return;
	while ((f = take_one(pull)) != NULL)
		start(f);
	pull_ring_look(pull);
}

/* Before the loop waits, those who wait hear of what came in this round. */
static void
tell_progress(void *arg)
{
	struct pull *pull = arg;
	bool news = false;

	for (struct fetch *f = pull->running; f != NULL; f = f->next) {
		uint64_t came = atomic_load(&f->p->came);

		news = news || came != f->told;
		f->told = came;
	}
	if (news)
		pull_wake(pull);
}

static void
on_stop(void *arg)
{
	(void)arg; /* what is under way goes on until the end */
}

int
pull_fetch_open(struct pull *pull)
{
	const struct pull_conf *c = &pull->conf;
	const struct http_conf conf = {
		.ca = c->ca,
		.certificate = c->certificate,
		.key = c->key,
		.token_file = "",
		.proxy = "",
		.max_answer = REFUSAL_MAX,
		.auth = c->auth,
		.user = c->user,
		.password_file = c->password_file,
	};
	int rc = loop_thread_open(&pull->thread, on_stop, pull);

	if (rc < 0)
		return rc;
	pull->queue_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = pull->queue_fd < 0
	         ? -errno
	         : loop_add(pull->thread.loop, &pull->lf, pull->queue_fd, EPOLLIN, on_queue, pull);
	if (rc < 0)
		return rc;
	loop_timer_init(&pull->ring_timer, pull_ring_try, pull);
	loop_hook_add(pull->thread.loop, &pull->hook, tell_progress, pull);
	return http_open(pull->thread.loop, &conf, &pull->http);
}

static void
free_all(struct pull *pull, struct fetch *f)
{
	while (f != NULL) {
		struct fetch *next = f->next;
		int fd;

		if (f->p->fd >= 0 && !f->unchanged)
			pull_disk_forget(pull->dir, f->p->file->item.path);
		loop_timer_clear(pull->thread.loop, &f->retry);
		pull_unref(f->p, &fd);
		if (fd >= 0)
			close(fd);
		fetch_free(f);
		f = next;
	}
}

void
pull_fetch_close(struct pull *pull)
{
	http_close(pull->http); /* nobody is called back */
	free_all(pull, pull->running);
	free_all(pull, pull->keeping);
	free_all(pull, pull->queue);
	if (pull->thread.loop != NULL)
		loop_del(pull->thread.loop, &pull->lf);
	if (pull->queue_fd >= 0)
		close(pull->queue_fd);
	loop_thread_close(&pull->thread);
}
