/*
 * The thread that waits for the disk; see pull.h.  It puts what has come on the shelf, safe from a
 * power cut, and lets go of large files that have made room, either of which may take seconds.  So
 * neither the thread that fetches nor those that serve have to.
 */
#include "common/log.h"
#include "httpsbootd/pull_parts.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LARGE_BYTES (4u << 20) /* that go at once */

/* A new file: it gets its name, and then whoever comes finds it on the shelf. */
static void
put_on_shelf(struct fetch *f)
{
	struct pull *pull = f->pull;
	struct pull_file *file = f->p->file;
	int rc = pull_disk_keep(pull->dir, f->p->fd, &f->note);
	char path[LOG_QUOTE_SIZE];

	if (rc < 0)
		log_peer_warn("origin.cache: file=%s could not be kept: %s",
		    log_quote(slice_str(f->note.path), path), strerror(-rc));
	pull_lock(pull);
	shelf_drop(&pull->shelf, &file->item);
	file->open = NULL; /* the one before; its readers go on */
	if (rc == 0) {
		file->note = f->note;
		file->open = f->p;
		shelf_keep(&pull->shelf, &file->item, f->note.size);
	} else {
		pull_disk_drop(pull->dir, file->item.path);
	}
	pull_unlock(pull);
}

/* The kept file is the origin's still. */
static void
renew_note(struct fetch *f)
{
	struct pull *pull = f->pull;
	bool kept;

	pull_lock(pull);
	kept = f->p->file->item.kept; /* it may have made room */
	pull_unlock(pull);
	if (kept) /* if it fails the origin is asked again after a start */
		(void)pull_disk_note(pull->dir, &f->note);
}

/* With the lock held, which is given away meanwhile. */
static void
close_doomed(struct pull *pull)
{
	while (pull->ndoomed > 0) {
		int fd = pull->doomed[--pull->ndoomed];

		pull->nclosing++;
		pull_unlock(pull);
		close(fd);
		pull_lock(pull);
		pull->nclosing--;
		pthread_cond_broadcast(&pull->keeper_closed);
	}
}

bool
pull_keeper_finish(struct pull *pull)
{
	bool some = pull->ndoomed > 0 || pull->nclosing > 0;

	close_doomed(pull);
	while (pull->nclosing > 0)
		pthread_cond_wait(&pull->keeper_closed, &pull->lock);
	return some;
}

/* The next one, or NULL at the end. */
static struct fetch *
take_next(struct pull *pull)
{
	struct fetch *f;

	pull_lock(pull);
	close_doomed(pull);
	while (pull->keeping == NULL && !pull->keeper_ends) {
		pthread_cond_wait(&pull->keeper_due, &pull->lock);
		close_doomed(pull);
	}
	f = pull->keeper_ends ? NULL : pull->keeping;
	if (f != NULL) {
		pull->keeping = f->next;
		if (pull->keeping == NULL)
			pull->keeping_end = &pull->keeping;
	}
	pull_unlock(pull);
	return f;
}

static void *
run(void *arg)
{
	struct pull *pull = arg;
	struct fetch *f;

	while ((f = take_next(pull)) != NULL) {
		if (f->unchanged)
			renew_note(f);
		else
			put_on_shelf(f);
		pull_lock(pull);
		pull->nkeeping--;
		pull_unlock(pull);
		fetch_let_go(f);
	}
	return NULL;
}

void
pull_keeper_take(struct fetch *f)
{
	struct pull *pull = f->pull;

	f->next = NULL;
	*pull->keeping_end = f;
	pull->keeping_end = &f->next;
	pull->nkeeping++;
	pthread_cond_signal(&pull->keeper_due);
}

void
pull_keeper_close(struct pull *pull, int fd)
{
	if (!pull->keeper_runs || pull->ndoomed == NITEMS(pull->doomed)) {
		close(fd);
		return;
	}
	pull->doomed[pull->ndoomed++] = fd;
	pthread_cond_signal(&pull->keeper_due);
}

void
pull_keeper_drop(struct pull *pull, struct pull_file *file)
{
	/* what is open goes when it is closed, and not when its name goes */
	int fd = file->item.bytes >= LARGE_BYTES ? pull_disk_read(pull->dir, &file->note) : -1;

	pull_disk_drop(pull->dir, file->item.path);
	shelf_drop(&pull->shelf, &file->item);
	file->open = NULL; /* whoever has it goes on, but nobody joins */
	if (fd >= 0)
		pull_keeper_close(pull, fd);
}

int
pull_keeper_start(struct pull *pull)
{
	int rc = -pthread_create(&pull->keeper, NULL, run, pull);

	pull->keeper_runs = rc == 0;
	return rc;
}

void
pull_keeper_end(struct pull *pull)
{
	if (!pull->keeper_runs)
		return;
	pull_lock(pull);
	pull->keeper_ends = true;
	pthread_cond_signal(&pull->keeper_due);
	pull_unlock(pull);
	(void)pthread_join(pull->keeper, NULL);
	pull_lock(pull);
	pull->keeper_runs = false; /* from now on whoever drops a file closes it */
	close_doomed(pull);
	pull_unlock(pull);
}
