/*
 * The thread that fetches files from the origin; see pull.h.
 *
 * What comes is written to the cache at once, and those who wait for it read it there.  The end of
 * it they get only when all of it was checked, so that a file which is short or wrong looks
 * complete to nobody.
 */
#include "common/log.h"
#include "httpsbootd/httpdate.h"
#include "httpsbootd/pull_parts.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define RUNNING_MAX 32 /* requests to the origin at once */
/* Room that is asked for at once for a file whose size is not known. */
#define STEP_BYTES  (16u << 20)
#define URL_MAX     4096
#define REFUSAL_MAX 65536 /* bytes of an error's page, which is forgotten */

static void start_some(struct pull *pull);

static void
lock(struct pull *pull)
{
	pthread_mutex_lock(&pull->lock);
}

static void
unlock(struct pull *pull)
{
	pthread_mutex_unlock(&pull->lock);
}

static int
fault(struct fetch *f, int error, const char *text)
{
	f->fault = error;
	f->fault_text = text;
	return error;
}

/* --- room ---------------------------------------------------------------------------------------
 */

static void
evict(struct pull *pull, struct shelf_item *victim)
{
	char path[LOG_QUOTE_SIZE];

	log_peer_info("origin.cache: %s makes room", log_quote(slice_str(victim->path), path));
	pull_disk_drop(pull->dir, victim->path);
	shelf_drop(&pull->shelf, victim);
	PULL_ADD(pull, evicted, 1);
}

/* Room on the shelf for so many bytes more of this file. */
static int
reserve(struct fetch *f, uint64_t bytes)
{
	struct pull *pull = f->pull;
	struct shelf_item *victim;
	int rc;

	lock(pull);
	while ((rc = shelf_room(&pull->shelf, bytes, &victim)) == 1)
		evict(pull, victim);
	if (rc == 0) {
		pull->shelf.reserved += bytes;
		f->reserved += bytes;
	}
	unlock(pull);
	if (rc == -EFBIG)
		return fault(f, rc, "the file is larger than origin.max_bytes");
	return rc < 0 ? fault(f, -EAGAIN, "all files in the cache are in use: there is no room")
	              : 0;
}

/* The disk is full, whatever the limit says: true if something could go. */
static bool
evict_for_disk(struct pull *pull)
{
	struct shelf_item *item;
	bool found = false;

	lock(pull);
	for (item = pull->shelf.oldest; item != NULL && !found; item = item->newer) {
		found = item->kept && item->users == 0;
		if (found)
			evict(pull, item);
	}
	unlock(pull);
	return found;
}

static int
open_part(struct fetch *f, int64_t size)
{
	struct pull *pull = f->pull;
	const char *path = f->p->file->item.path;
	int fd = pull_disk_begin(pull->dir, path), rc;

	if (fd < 0) {
		log_peer_warn("origin.cache: %s", strerror(-fd));
		return fault(f, -EAGAIN, "the cache cannot be written");
	}
	lock(pull);
	f->p->fd = fd;
	unlock(pull);
	do {
		rc = pull_disk_reserve(fd, size > 0 ? (uint64_t)size : 0);
	} while (rc == -ENOSPC && evict_for_disk(pull));
	return rc < 0 ? fault(f, -EAGAIN, "the disk of the cache is full") : 0;
}

static int
write_part(struct fetch *f, uint64_t offset, struct slice bytes)
{
	int rc;

	do {
		rc = pull_disk_write(f->p->fd, offset, bytes);
	} while (rc == -ENOSPC && evict_for_disk(f->pull));
	if (rc == -ENOSPC)
		return fault(f, -EAGAIN, "the disk of the cache is full");
	if (rc < 0) {
		log_peer_warn("origin.cache: %s", strerror(-rc));
		return fault(f, -EAGAIN, "the cache cannot be written");
	}
	return 0;
}

/* --- what comes ---------------------------------------------------------------------------------
 */

static uint64_t
tag_of(const char *etag)
{
	uint8_t digest[DIGEST_BYTES];
	uint64_t tag = 0;

	/* every server that fetches this version from there then has the same */
	if (etag[0] == '"')
		digest_bytes(slice_str(etag), digest);
	else if (getrandom(digest, sizeof(tag), 0) != (ssize_t)sizeof(tag))
		memset(digest, 0, sizeof(digest)); /* size and date are left to tell them apart */
	memcpy(&tag, digest, sizeof(tag));
	return tag;
}

/* What the head says of the file. */
static void
note_head(struct fetch *f, const struct http_head *head)
{
	struct keep_note *note = &f->note;
	uint64_t now_ms = wall_clock_ms();

	memcpy(note->path, f->p->file->item.path, sizeof(note->path));
	if (strlen(head->etag) < sizeof(note->etag))
		(void)snprintf(note->etag, sizeof(note->etag), "%s", head->etag);
	note->dated = httpdate_parse(head->modified, &note->modified_s) == 0;
	if (!note->dated)
		note->modified_s = (int64_t)(now_ms / 1000);
	note->tag = tag_of(note->etag);
	note->checked_ms = now_ms;
	f->no_store = strcasestr(head->cache_control, "no-store") != NULL;
}

static void
publish_head(struct fetch *f, int64_t size)
{
	struct pulled *p = f->p;

	p->tag = f->note.tag;
	p->modified_s = f->note.modified_s;
	if (size < 0)
		return;
	atomic_store(&p->size, (uint64_t)size);
	if (!f->head)
		atomic_store_explicit(&p->state, PULL_STREAMING, memory_order_release);
}

static int
on_head(void *arg, const struct http_head *head)
{
	struct fetch *f = arg;
	struct pull *pull = f->pull;
	int64_t size = -1;
	int rc;

	if (head->status != 200)
		return fault(f, -EAGAIN, "the origin answered with another status than 200");
	if (head->encoding[0] != '\0' && strcasecmp(head->encoding, "identity") != 0)
		return fault(f, -EAGAIN, "the origin sends the file encoded");
	note_head(f, head);
	lock(pull);
	f->fault = keep_check_head(
	    &f->want, head->length, head->framed, pull->conf.max_bytes, &size, &f->fault_text);
	unlock(pull);
	if (f->fault < 0)
		return f->fault;
	if (f->head && size < 0)
		return fault(f, -EAGAIN, "the origin does not tell the file's size");
	f->length = size;
	rc = f->head ? 0 : reserve(f, size > 0 ? (uint64_t)size : 0);
	if (rc == 0 && !f->head)
		rc = open_part(f, size);
	if (rc < 0)
		return rc;
	lock(pull);
	publish_head(f, size);
	unlock(pull);
	pull_wake(pull);
	return 0;
}

static int
on_body(void *arg, struct slice bytes)
{
	struct fetch *f = arg;
	uint64_t came = atomic_load(&f->p->came);
	int rc = 0;

	if (f->head)
		return 0;
	if (f->length >= 0 && bytes.n > (uint64_t)f->length - came)
		return fault(f, -EBADMSG, "the origin sent more than the file");
	if (f->length < 0 && came + bytes.n > f->reserved)
		rc = reserve(f, STEP_BYTES);
	if (rc == 0)
		rc = write_part(f, came, bytes);
	if (rc < 0)
		return rc;
	if (EVP_DigestUpdate(f->digest, bytes.p, bytes.n) != 1)
		return fault(f, -EAGAIN, "out of memory");
	atomic_store_explicit(&f->p->came, came + bytes.n, memory_order_release);
	PULL_ADD(f->pull, bytes, bytes.n);
	return 0;
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

/* --- ends ---------------------------------------------------------------------------------------
 */

static void
fetch_free(struct fetch *f)
{
	EVP_MD_CTX_free(f->digest);
	free(f);
}

/* With the lock held: it is over, and whoever comes now asks anew. */
static void
leave(struct fetch *f)
{
	struct pull *pull = f->pull;
	struct pull_file *file = f->p->file;
	struct fetch **at = &pull->running;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	pull->nrunning--;
	pull->shelf.reserved -= f->reserved;
	if (file->coming == f->p)
		file->coming = NULL;
	if (file->asked == f->p)
		file->asked = NULL;
	f->p->fetch = NULL;
}

/* It is over: others get their turn. */
static void
end(struct fetch *f)
{
	struct pull *pull = f->pull;
	int fd;

	lock(pull);
	leave(f);
	pull_unref(f->p, &fd);
	unlock(pull);
	if (fd >= 0)
		close(fd);
	fetch_free(f);
	pull_wake(pull);
	start_some(pull);
}

/* With the lock held: the origin is there. */
static void
note_reached(struct pull *pull)
{
	if (pull->failures > 0)
		log_peer_info("origin: it can be reached again");
	pull->failures = 0;
	pull->pause_ms = 0;
}

/* Clients are given what there was before, if that may still be right. */
static bool
give_stale(struct fetch *f)
{
	struct pull_file *file = f->p->file;
	uint64_t now_ms = wall_clock_ms();
	char path[LOG_QUOTE_SIZE];

	if (f->p->fd >= 0 || atomic_load(&f->p->state) != PULL_ASKING || !file->item.kept ||
	    keep_judge(&file->note, &f->want, now_ms, f->pull->conf.fresh_ms) == KEEP_WRONG ||
	    !pull_take_kept(f->p))
		return false;
	PULL_ADD(f->pull, stale, 1);
	log_peer_warn("origin: %s is given as it was %llu s ago",
	    log_quote(slice_str(file->item.path), path),
	    (unsigned long long)((now_ms - file->note.checked_ms) / 1000));
	return true;
}

static void
fail(struct fetch *f, int error, const char *text)
{
	struct pull *pull = f->pull;
	struct pulled *p = f->p;
	struct pull_file *file = p->file;
	uint64_t now_ms = pull_now_ms(), wait_ms;
	char path[LOG_QUOTE_SIZE];

	log_peer_warn("origin: %s: %s", log_quote(slice_str(file->item.path), path), text);
	if (p->fd >= 0)
		pull_disk_forget(pull->dir, file->item.path);
	PULL_ADD(pull, failures, 1);
	lock(pull);
	wait_ms = keep_pause_ms(++file->failures);
	file->pause_ms = now_ms + wait_ms;
	file->error = error == -EFBIG || error == -EACCES ? error : -EAGAIN;
	(void)snprintf(file->text, sizeof(file->text), "%s", text);
	if (file->error == -EAGAIN && give_stale(f)) {
		unlock(pull);
		end(f);
		return;
	}
	p->error = file->error;
	p->retry_s = (uint32_t)((wait_ms + 999) / 1000);
	memcpy(p->text, file->text, sizeof(p->text));
	atomic_store_explicit(&p->state, PULL_FAILED, memory_order_release);
	unlock(pull);
	end(f);
}

/* The origin cannot be reached, by this request or any other. */
static void
fail_origin(struct fetch *f, const char *text)
{
	struct pull *pull = f->pull;

	lock(pull);
	/* one outage, not as many as there are files */
	if (pull->pause_ms <= pull_now_ms())
		pull->pause_ms = pull_now_ms() + keep_pause_ms(++pull->failures);
	(void)snprintf(pull->problem, sizeof(pull->problem), "%s", text);
	unlock(pull);
	fail(f, -EAGAIN, text);
}

static void
end_absent(struct fetch *f)
{
	struct pull *pull = f->pull;
	struct pull_file *file = f->p->file;

	PULL_ADD(pull, absent, 1);
	lock(pull);
	if (file->item.kept) {
		shelf_drop(&pull->shelf, &file->item);
		pull_disk_drop(pull->dir, file->item.path);
	}
	file->failures = 0;
	file->pause_ms = pull_now_ms() + keep_pause_ms(3);
	file->error = f->p->error = -ENOENT;
	(void)snprintf(file->text, sizeof(file->text), "no such file");
	memcpy(f->p->text, file->text, sizeof(f->p->text));
	atomic_store_explicit(&f->p->state, PULL_FAILED, memory_order_release);
	unlock(pull);
	end(f);
}

/* The kept one still is the file. */
static void
end_unchanged(struct fetch *f)
{
	struct pull *pull = f->pull;
	struct pull_file *file = f->p->file;
	struct keep_note note;
	bool good;

	lock(pull);
	file->note.checked_ms = wall_clock_ms();
	note = file->note;
	good = pull_take_kept(f->p);
	file->failures = 0;
	file->pause_ms = 0;
	unlock(pull);
	if (!good) {
		fail(f, -EAGAIN, "the kept file is gone");
		return;
	}
	PULL_ADD(pull, unchanged, 1);
	(void)pull_disk_note(pull->dir, &note); /* else the origin is asked again after a start */
	end(f);
}

static void
log_whole(const struct fetch *f)
{
	uint64_t ms = loop_now_ms(f->pull->thread.loop) - f->began_ms;
	char path[LOG_QUOTE_SIZE];

	log_peer_info("origin: fetched file=%s bytes=%llu ms=%llu",
	    log_quote(slice_str(f->note.path), path), (unsigned long long)f->note.size,
	    (unsigned long long)ms);
}

/* All of it is here and right: those who wait get the rest, and then it is put on the shelf. */
static void
end_whole(struct fetch *f)
{
	struct pull *pull = f->pull;
	struct pulled *p = f->p;
	struct pull_file *file = p->file;
	int rc = 0;

	f->note.size = atomic_load(&p->came);
	lock(pull);
	atomic_store(&p->size, f->note.size);
	atomic_store_explicit(&p->state, PULL_COMPLETE, memory_order_release);
	file->failures = 0;
	file->pause_ms = 0;
	unlock(pull);
	pull_wake(pull);
	log_whole(f);
	if (f->no_store)
		pull_disk_forget(pull->dir, file->item.path);
	else
		rc = pull_disk_keep(pull->dir, p->fd, &f->note);
	if (rc < 0)
		log_peer_warn("origin.cache: a file could not be kept: %s", strerror(-rc));
	lock(pull);
	shelf_drop(&pull->shelf, &file->item);
	file->open = NULL; /* the one before; its readers go on */
	if (rc < 0 || f->no_store)
		pull_disk_drop(pull->dir, file->item.path);
	if (rc == 0 && !f->no_store) {
		file->note = f->note;
		file->open = p;
		shelf_keep(&pull->shelf, &file->item, f->note.size);
	}
	unlock(pull);
	end(f);
}

/* The answer to HEAD, or a whole file, unless it is a wrong one. */
static void
end_good(struct fetch *f)
{
	struct pull *pull = f->pull;
	unsigned n = DIGEST_BYTES;
	const char *text = "";
	int rc;

	if (f->head) {
		lock(pull);
		atomic_store_explicit(&f->p->state, PULL_COMPLETE, memory_order_release);
		unlock(pull);
		end(f);
		return;
	}
	if (EVP_DigestFinal_ex(f->digest, f->note.sha256, &n) != 1) {
		fail(f, -EAGAIN, "out of memory");
		return;
	}
	lock(pull);
	rc = keep_check_end(&f->want, f->length, atomic_load(&f->p->came), f->note.sha256, &text);
	unlock(pull);
	if (rc < 0)
		fail(f, rc, text);
	else
		end_whole(f);
}

static void
on_done(void *arg, const struct http_answer *answer)
{
	struct fetch *f = arg;
	struct pull *pull = f->pull;
	char text[sizeof(answer->text) + 40];

	if (f->fault < 0) { /* we broke it off */
		fail(f, f->fault, f->fault_text);
		return;
	}
	if (answer->error == -ECONNREFUSED || answer->error == -EACCES ||
	    (answer->error == -ETIMEDOUT && f->p->fd < 0)) {
		fail_origin(f, answer->text);
		return;
	}
	lock(pull);
	note_reached(pull);
	unlock(pull);
	if (answer->error < 0) {
		(void)snprintf(text, sizeof(text), "the origin broke off: %s", answer->text);
		fail(f, -EAGAIN, text);
	} else if (answer->status == 304 && f->conditional) {
		end_unchanged(f);
	} else if (answer->status == 404 || answer->status == 410) {
		end_absent(f);
	} else if (answer->status != 200) {
		(void)snprintf(
		    text, sizeof(text), "the origin answers with status %ld", answer->status);
		fail(f,
		    answer->status == 401 || answer->status == 403 || answer->status == 407
			? -EACCES
			: -EAGAIN,
		    text);
	} else {
		end_good(f);
	}
}

/* --- beginnings ---------------------------------------------------------------------------------
 */

static const struct http_sink sink = { on_head, on_body };

/* Asks only for what is newer than the kept one. */
static void
put_conditions(struct fetch *f, char lines[static 2][KEEP_ETAG_MAX + 40], const char **headers)
{
	const struct keep_note *note = &f->p->file->note;
	char date[HTTPDATE_STRLEN];
	size_t n = 0;

	lock(f->pull);
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
	unlock(f->pull);
	headers[n] = NULL;
}

static void
start(struct fetch *f)
{
	struct pull *pull = f->pull;
	char url[URL_MAX], lines[2][KEEP_ETAG_MAX + 40];
	const char *headers[3];
	struct http_ask ask = {
		.method = f->head ? "HEAD" : "GET",
		.url = url,
		.headers = headers,
		.sink = &sink,
		.min_rate = pull->conf.min_rate,
		.stall_s = pull->conf.timeout_s,
	};
	int rc;

	f->began_ms = loop_now_ms(pull->thread.loop);
	f->length = -1;
	put_conditions(f, lines, headers);
	f->digest = EVP_MD_CTX_new();
	rc = f->digest != NULL && EVP_DigestInit_ex(f->digest, EVP_sha256(), NULL) == 1 ? 0
	                                                                                : -ENOMEM;
	if (rc == 0)
		rc = http_url_join(pull->conf.url, f->p->file->item.path, url, sizeof(url));
	if (rc == 0)
		rc = http_ask(pull->http, &ask, on_done, f, &f->request);
	if (rc < 0)
		fail(f, -EAGAIN,
		    rc == -EACCES ? "origin.password_file cannot be read" : strerror(-rc));
}

static struct fetch *
take_one(struct pull *pull)
{
	struct fetch *f;

	lock(pull);
	f = pull->nrunning < RUNNING_MAX ? pull->queue : NULL;
	if (f != NULL) {
		pull->queue = f->next;
		if (pull->queue == NULL)
			pull->queue_end = &pull->queue;
		pull->queued--;
		f->next = pull->running;
		pull->running = f;
		pull->nrunning++;
	}
	unlock(pull);
	return f;
}

static void
start_some(struct pull *pull)
{
	uint64_t one = 1;
	bool some;

	lock(pull);
	some = pull->queue != NULL;
	unlock(pull);
	/* from the loop: a request must not be begun from within another one's end */
	if (some && write(pull->queue_fd, &one, sizeof(one)) < 0)
		return; /* it wakes anyhow */
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
	loop_hook_add(pull->thread.loop, &pull->hook, tell_progress, pull);
	return http_open(pull->thread.loop, &conf, &pull->http);
}

static void
free_all(struct pull *pull, struct fetch *f)
{
	while (f != NULL) {
		struct fetch *next = f->next;
		int fd;

		if (f->p->fd >= 0)
			pull_disk_forget(pull->dir, f->p->file->item.path);
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
	free_all(pull, pull->queue);
	if (pull->thread.loop != NULL)
		loop_del(pull->thread.loop, &pull->lf);
	if (pull->queue_fd >= 0)
		close(pull->queue_fd);
	loop_thread_close(&pull->thread);
}
