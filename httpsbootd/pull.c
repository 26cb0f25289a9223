/*
 * The table of files that come from the origin, which all workers ask; see pull.h.  One lock guards
 * it; what a worker looks at for each piece that it sends is atomic.
 */
#include "httpsbootd/pull.h"

#include "common/log.h"
#include "httpsbootd/pull_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define SPARES_MAX 4096  /* paths of which nothing is kept, but why */
#define QUEUE_MAX  4096  /* fetches that wait for their turn */
#define TOUCH_MS   60000 /* between two notes on the disk that a file is in use */

uint64_t
pull_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static enum pull_state
state_of(const struct pulled *p)
{
	return (enum pull_state)atomic_load_explicit(&p->state, memory_order_acquire);
}

/* --- versions -----------------------------------------------------------------------------------
 */

static struct pulled *
pulled_new(struct pull *pull, struct pull_file *file)
{
	struct pulled *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->pull = pull;
	p->file = file;
	p->refs = 1;
	p->fd = -1;
	file->item.users++;
	return p;
}

void
pull_unref(struct pulled *p, int *ret_fd)
{
	*ret_fd = -1;
	if (--p->refs > 0)
		return;
	*ret_fd = p->fd;
	if (p->file->open == p)
		p->file->open = NULL;
	p->file->item.users--;
	free(p);
}

bool
pull_take_kept(struct pulled *p)
{
	struct pull_file *file = p->file;
	char path[LOG_QUOTE_SIZE];
	int fd;

	if (!file->item.kept)
		return false;
	fd = file->open != NULL ? pull_dup(file->open) : pull_disk_read(p->pull->dir, &file->note);
	if (fd == -ENOENT || fd == -ESTALE || fd == -ELOOP) { /* somebody was at the folder */
		log_peer_warn("origin.cache: file=%s, which was kept, is gone: %s",
		    log_quote(slice_str(file->note.path), path), strerror(-fd));
		pull_disk_drop(p->pull->dir, file->item.path);
		shelf_drop(&p->pull->shelf, &file->item);
	}
	if (fd < 0)
		return false;
	p->fd = fd;
	p->tag = file->note.tag;
	p->modified_s = file->note.modified_s;
	atomic_store(&p->size, file->note.size);
	atomic_store_explicit(&p->state, PULL_COMPLETE, memory_order_release);
	if (file->open == NULL)
		file->open = p;
	return true;
}

void
pull_wake(struct pull *pull)
{
	uint64_t one = 1;

	for (struct pull_user *u = pull->users; u != NULL; u = u->next) {
		if (atomic_load(&u->held) == 0 || atomic_exchange(&u->due, true))
			continue;
		if (write(u->fd, &one, sizeof(one)) < 0)
			continue; /* the counter is full: it wakes anyhow */
	}
}

void
pull_hurry(struct pull *pull)
{
	uint64_t one = 1;

	if (write(pull->queue_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it wakes anyhow */
}

void
pull_user_heard(struct pull_user *user)
{
	uint64_t count;

	if (read(user->fd, &count, sizeof(count)) < 0)
		count = 0; /* somebody was quicker */
	atomic_store(&user->due, false);
}

/* --- asking -------------------------------------------------------------------------------------
 */

/* Memory of paths of which there is nothing is bounded: clients ask for whatever they like. */
static struct pull_file *
file_of(struct pull *pull, const char *path)
{
	struct pull_file *file = (struct pull_file *)shelf_find(&pull->shelf, path);
	struct shelf_item *spare;

	if (file != NULL) {
		shelf_touch(&pull->shelf, &file->item);
		return file;
	}
	if (pull->shelf.nitems - pull->shelf.nkept >= SPARES_MAX) {
		spare = shelf_spare(&pull->shelf);
		if (spare == NULL)
			return NULL;
		shelf_remove(&pull->shelf, spare);
		free(spare);
	}
	file = calloc(1, sizeof(*file));
	if (file == NULL)
		return NULL;
	(void)snprintf(file->item.path, sizeof(file->item.path), "%s", path);
	shelf_add(&pull->shelf, &file->item);
	return file;
}

static void
touch_kept(struct pull *pull, struct pull_file *file, uint64_t now_ms)
{
	if (now_ms - file->touched_ms < TOUCH_MS && file->touched_ms != 0)
		return;
	file->touched_ms = now_ms;
	pull_disk_touch(pull->dir, file->item.path);
}

/* The kept file, for one more; NULL if it is not there any more. */
static struct pulled *
give_kept(struct pull *pull, struct pull_file *file, uint64_t now_ms)
{
	struct pulled *p = file->open;

	if (p != NULL) {
		p->refs++;
	} else {
		p = pulled_new(pull, file);
		if (p != NULL && !pull_take_kept(p)) {
			int fd;

			pull_unref(p, &fd);
			p = NULL;
		}
	}
	if (p != NULL)
		touch_kept(pull, file, now_ms);
	return p;
}

static struct pulled *
give_failure(
    struct pull *pull, struct pull_file *file, int error, uint64_t wait_ms, const char *text)
{
	struct pulled *p = pulled_new(pull, file);

	if (p == NULL)
		return NULL;
	p->error = error;
	p->retry_s = (uint32_t)((wait_ms + 999) / 1000);
	(void)snprintf(p->text, sizeof(p->text), "%s", text);
	atomic_store_explicit(&p->state, PULL_FAILED, memory_order_release);
	return p;
}

/* Whether what is on its way may be what is wanted; it is checked by what is known now. */
static bool
agrees(struct pulled *p, const struct keep_want *want)
{
	struct fetch *f = p->fetch;
	uint64_t size = state_of(p) != PULL_ASKING ? atomic_load(&p->size)
	                : f != NULL                ? f->want.size
	                                           : 0;

	if (want->size != 0 && size != 0 && want->size != size)
		return false;
	if (f == NULL) /* it has just ended */
		return true;
	if (state_of(p) == PULL_COMPLETE) /* it was checked by what was known before */
		return want->sha256 == NULL || f->head ||
		       memcmp(want->sha256, f->note.sha256, DIGEST_BYTES) == 0;
	if (want->sha256 != NULL && f->want.sha256 != NULL &&
	    memcmp(want->sha256, f->sha256, DIGEST_BYTES) != 0)
		return false;
	if (want->size != 0)
		f->want.size = want->size;
	if (want->sha256 != NULL && f->want.sha256 == NULL) {
		memcpy(f->sha256, want->sha256, sizeof(f->sha256));
		f->want.sha256 = f->sha256;
	}
	return true;
}

static struct pulled *
begin(struct pull *pull, struct pull_file *file, const struct keep_want *want, bool head, bool old,
    const struct hops *hops)
{
	struct pulled *p = pulled_new(pull, file);
	struct fetch *f = p != NULL ? calloc(1, sizeof(*f)) : NULL;
	int fd;

	if (f == NULL) {
		if (p != NULL)
			pull_unref(p, &fd);
		return NULL;
	}
	*f = (struct fetch){ .pull = pull,
		.p = p,
		.want = { .path = file->item.path, .size = want->size },
		.head = head,
		.conditional = old && !head && (file->note.etag[0] != '\0' || file->note.dated) };
	if (want->sha256 != NULL) {
		memcpy(f->sha256, want->sha256, sizeof(f->sha256));
		f->want.sha256 = f->sha256;
	}
	f->hops = *hops;
	p->fetch = f;
	p->refs++; /* the fetch's own */
	if (head)
		file->asked = p;
	else
		file->coming = p;
	*pull->queue_end = f;
	pull->queue_end = &f->next;
	pull->queued++;
	pull_hurry(pull);
	return p;
}

void
pull_note_stale(struct pull *pull, const struct pull_file *file)
{
	uint64_t now_ms = wall_clock_ms(), since_ms = file->note.checked_ms;
	char path[LOG_QUOTE_SIZE];

	PULL_ADD(pull, stale, 1);
	log_peer_warn("origin: %s is given as it was %llu s ago",
	    log_quote(slice_str(file->item.path), path),
	    (unsigned long long)(now_ms > since_ms ? (now_ms - since_ms) / 1000 : 0));
}

/* The origin has to say something. */
static struct pulled *
ask_origin(struct pull *pull, struct pull_file *file, const struct keep_want *want, bool head,
    bool old, const struct hops *hops, uint64_t now_ms)
{
	struct pulled *under_way = file->coming != NULL || !head ? file->coming : file->asked;
	uint64_t until_ms = file->pause_ms > pull->pause_ms ? file->pause_ms : pull->pause_ms;
	const char *text = file->pause_ms > now_ms ? file->text : pull->problem;
	int error = file->pause_ms > now_ms ? file->error : -EAGAIN;

	if (pull_ring_closes(pull, file, hops))
		return give_failure(pull, file, -ELOOP, 0, pull->ring);
	if (hops->full)
		return give_failure(
		    pull, file, -EAGAIN, 5000, "too many servers are each other's origin");
	if (under_way != NULL && !agrees(under_way, want))
		return give_failure(
		    pull, file, -EAGAIN, 1000, "the file is being replaced at the origin");
	if (under_way != NULL) {
		PULL_ADD(pull, joins, 1);
		under_way->refs++;
		if (under_way->fetch != NULL)
			pull_ring_join(under_way->fetch, hops);
		return under_way;
	}
	if (until_ms > now_ms && old && (error == -EAGAIN || error == -ELOOP)) {
		pull_note_stale(pull, file);
		return give_kept(pull, file, now_ms);
	}
	if (until_ms > now_ms)
		return give_failure(pull, file, error, until_ms - now_ms, text);
	if (pull->queued >= QUEUE_MAX)
		return give_failure(pull, file, -EAGAIN, 5000, "too many files are being fetched");
	PULL_ADD(pull, misses, 1);
	return begin(pull, file, want, head, old, hops);
}

static struct pulled *
get(struct pull *pull, const struct keep_want *want, bool head, const struct hops *hops)
{
	struct pull_file *file = file_of(pull, want->path);
	uint64_t now_ms = pull_now_ms();
	enum keep_use use = KEEP_WRONG;
	struct pulled *p;

	if (file == NULL)
		return NULL;
	if (file->item.kept)
		use = keep_judge(&file->note, want, wall_clock_ms(), pull->conf.fresh_ms);
	if (use == KEEP_GOOD) {
		p = give_kept(pull, file, now_ms);
		if (p != NULL) {
			PULL_ADD(pull, hits, 1);
			return p;
		}
	}
	return ask_origin(pull, file, want, head, use == KEEP_OLD, hops, now_ms);
}

int
pull_get(struct pull *pull, struct pull_user *user, const struct keep_want *want, bool head,
    const struct hops *hops, struct pulled **ret)
{
	struct pulled *p;

	/* before it can be told of: what ends at once is heard of, too */
	atomic_fetch_add(&user->held, 1);
	pthread_mutex_lock(&pull->lock);
	p = get(pull, want, head, hops);
	pthread_mutex_unlock(&pull->lock);
	if (p == NULL) {
		atomic_fetch_sub(&user->held, 1);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}

void
pull_release(struct pull_user *user, struct pulled *p)
{
	struct pull *pull = p->pull;
	bool gone;
	int fd;

	pthread_mutex_lock(&pull->lock);
	gone = p->file->open != p;
	pull_unref(p, &fd);
	if (fd >= 0 && gone)
		pull_keeper_close(pull, fd);
	pthread_mutex_unlock(&pull->lock);
	if (fd >= 0 && !gone)
		close(fd);
	atomic_fetch_sub(&user->held, 1);
}

void
pull_look(struct pulled *p, struct pull_view *ret)
{
	pthread_mutex_lock(&p->pull->lock);
	*ret = (struct pull_view){
		.state = state_of(p),
		.size = atomic_load(&p->size),
		.tag = p->tag,
		.modified_s = p->modified_s,
		.error = p->error,
		.retry_s = p->retry_s,
	};
	memcpy(ret->text, p->text, sizeof(ret->text));
	pthread_mutex_unlock(&p->pull->lock);
}

int64_t
pull_ready(const struct pulled *p, uint64_t offset)
{
	/* in this order: what has come is the state's or more */
	enum pull_state state = state_of(p);
	uint64_t size = atomic_load(&p->size), end = 0;

	if (state == PULL_FAILED)
		return -1;
	if (state == PULL_COMPLETE)
		end = size;
	else if (state == PULL_STREAMING)
		end = keep_ready(atomic_load_explicit(&p->came, memory_order_acquire), size);
	return end > offset ? (int64_t)(end - offset) : 0;
}

int
pull_dup(struct pulled *p)
{
	int fd = fcntl(p->fd, F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* --- what is kept -------------------------------------------------------------------------------
 */

static int
load_cache(struct pull *pull)
{
	struct pull_found *found = NULL;
	size_t n = 0;
	int rc = pull_disk_scan(pull->dir, &found, &n);

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct pull_file *file = file_of(pull, found[i].note.path);
		struct shelf_item *victim;

		if (file == NULL) {
			rc = -ENOMEM;
			break;
		}
		file->note = found[i].note;
		/* the limit may have become lower: those used last come last */
		while (shelf_room(&pull->shelf, file->note.size, &victim) == 1) {
			pull_disk_drop(pull->dir, victim->path);
			shelf_drop(&pull->shelf, victim);
			PULL_ADD(pull, evicted, 1);
		}
		if (shelf_room(&pull->shelf, file->note.size, &victim) == 0)
			shelf_keep(&pull->shelf, &file->item, file->note.size);
		else
			pull_disk_drop(pull->dir, file->item.path);
	}
	free(found);
	if (rc < 0)
		log_errx("origin.cache: \"%s\": %s", pull->conf.cache, strerror(-rc));
	return rc;
}

int
pull_open(const struct pull_conf *conf, struct pull **ret)
{
	struct pull *pull = calloc(1, sizeof(*pull));
	uint64_t key[3];
	int rc;

	if (pull == NULL)
		return -ENOMEM;
	pthread_mutex_init(&pull->lock, NULL);
	pthread_cond_init(&pull->keeper_due, NULL);
	pthread_cond_init(&pull->keeper_closed, NULL);
	pull->conf = *conf;
	pull->dir = pull->queue_fd = -1;
	pull->queue_end = &pull->queue;
	pull->keeping_end = &pull->keeping;
	rc = getrandom(key, sizeof(key), 0) == (ssize_t)sizeof(key) ? 0 : -EIO;
	if (rc == 0) {
		shelf_init(&pull->shelf, conf->max_bytes, key);
		hops_own(conf->instance, conf->host, key[2], pull->own);
		rc = pull_disk_open(conf->cache);
	}
	if (rc >= 0) {
		pull->dir = rc;
		rc = load_cache(pull);
	}
	if (rc == 0)
		rc = pull_fetch_open(pull);
	if (rc < 0) {
		pull_close(pull);
		return rc;
	}
	log_info("origin: %zu files with %llu bytes are kept in %s", pull->shelf.nkept,
	    (unsigned long long)pull->shelf.kept_bytes, conf->cache);
	*ret = pull;
	return 0;
}

int
pull_add_user(struct pull *pull, struct pull_user *user)
{
	user->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (user->fd < 0)
		return -errno;
	user->next = pull->users;
	pull->users = user;
	return 0;
}

int
pull_start(struct pull *pull)
{
	int rc = pull_keeper_start(pull);

	return rc < 0 ? rc : loop_thread_start(&pull->thread);
}

void
pull_stop(struct pull *pull)
{
	if (pull == NULL)
		return;
	loop_thread_end(&pull->thread);
	pull_keeper_end(pull);
}

void
pull_close(struct pull *pull)
{
	struct shelf_item *item, *newer;

	if (pull == NULL)
		return;
	pull_stop(pull);
	pull_fetch_close(pull);
	for (item = pull->shelf.oldest; item != NULL; item = newer) {
		newer = item->newer;
		free(item);
	}
	if (pull->dir >= 0)
		close(pull->dir);
	pthread_cond_destroy(&pull->keeper_due);
	pthread_cond_destroy(&pull->keeper_closed);
	pthread_mutex_destroy(&pull->lock);
	free(pull);
}

/* --- what people ask ----------------------------------------------------------------------------
 */

const struct pull_stats *
pull_stats(const struct pull *pull)
{
	return &pull->stats;
}

uint64_t
pull_kept_bytes(struct pull *pull)
{
	uint64_t n;

	pthread_mutex_lock(&pull->lock);
	n = pull->shelf.kept_bytes;
	pthread_mutex_unlock(&pull->lock);
	return n;
}

/* With the lock held. */
static const char *
problem_of(const struct pull *pull)
{
	const char *ring = pull_ring_words(pull);

	return pull->failures > 0 ? pull->problem : ring != NULL ? ring : "";
}

const char *
pull_problem(struct pull *pull, char *dst, size_t size)
{
	const char *text;

	pthread_mutex_lock(&pull->lock);
	text = problem_of(pull);
	(void)snprintf(dst, size, "%s%s", text[0] != '\0' ? "origin: " : "", text);
	pthread_mutex_unlock(&pull->lock);
	return dst;
}

json_t *
pull_dump(struct pull *pull)
{
	json_t *json;

	pthread_mutex_lock(&pull->lock);
	json = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:s}", "url", pull->conf.urls[pull->url],
	    "cache", pull->conf.cache, "files", (json_int_t)pull->shelf.nkept, "bytes",
	    (json_int_t)pull->shelf.kept_bytes, "max_bytes", (json_int_t)pull->shelf.max_bytes,
	    "waiting", (json_int_t)pull->queued, "problem", problem_of(pull));
	pthread_mutex_unlock(&pull->lock);
	return json;
}

json_t *
pull_list(struct pull *pull)
{
	json_t *list = json_array();

	pthread_mutex_lock(&pull->lock);
	for (struct shelf_item *i = pull->shelf.newest; i != NULL; i = i->older) {
		const struct pull_file *file = (const struct pull_file *)i;
		json_t *json;

		if (!i->kept)
			continue;
		json = keep_dump(&file->note);
		(void)json_object_del(json, "tag"); /* nobody's business */
		(void)json_object_set_new(json, "in_use", json_boolean(file->open != NULL));
		(void)json_array_append_new(list, json);
	}
	pthread_mutex_unlock(&pull->lock);
	return list;
}

size_t
pull_drop(struct pull *pull, const char *path)
{
	size_t n = 0;

	pthread_mutex_lock(&pull->lock);
	for (struct shelf_item *i = pull->shelf.oldest; i != NULL; i = i->newer) {
		struct pull_file *file = (struct pull_file *)i;

		if (!i->kept || (path != NULL && strcmp(path, i->path) != 0))
			continue;
		pull_keeper_drop(pull, file);
		n++;
	}
	pthread_mutex_unlock(&pull->lock);
	return n;
}
