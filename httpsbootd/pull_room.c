/*
 * Room for what comes from the origin: on the shelf, by its limit, and on the disk; see pull.h.
 * What was used longest ago goes for it.
 */
#include "common/log.h"
#include "httpsbootd/pull_parts.h"

#include <errno.h>
#include <string.h>

static void
evict(struct pull *pull, struct shelf_item *victim)
{
	char path[LOG_QUOTE_SIZE];

	log_peer_info("origin.cache: %s makes room", log_quote(slice_str(victim->path), path));
	pull_keeper_drop(pull, (struct pull_file *)victim);
	PULL_ADD(pull, evicted, 1);
}

/* Room on the shelf for so many bytes more of this file. */
int
fetch_reserve(struct fetch *f, uint64_t bytes)
{
	struct pull *pull = f->pull;
	struct shelf_item *victim;
	int rc;

	pull_lock(pull);
	rc = bytes > pull->shelf.max_bytes - f->reserved ? -EFBIG : 1;
	while (rc == 1 && (rc = shelf_room(&pull->shelf, bytes, &victim)) == 1)
		evict(pull, victim);
	if (rc == 0) {
		pull->shelf.reserved += bytes;
		f->reserved += bytes;
	}
	pull_unlock(pull);
	if (rc == -EFBIG)
		return fetch_fault(f, rc, "the file is larger than origin.max_bytes");
	return rc < 0
	           ? fetch_fault(f, -EAGAIN, "all files in the cache are in use: there is no room")
	           : 0;
}

/* The disk is full, whatever the limit says: true if something could go. */
static bool
evict_for_disk(struct pull *pull)
{
	struct shelf_item *item;
	bool found;

	pull_lock(pull);
	found = pull_keeper_finish(pull); /* that may do */
	for (item = pull->shelf.oldest; item != NULL && !found; item = item->newer) {
		found = item->kept && item->users == 0;
		if (found) {
			evict(pull, item);
			(void)pull_keeper_finish(pull);
			break;
		}
	}
	pull_unlock(pull);
	return found;
}

int
fetch_open_part(struct fetch *f, int64_t size)
{
	struct pull *pull = f->pull;
	const char *path = f->p->file->item.path;
	int fd = pull_disk_begin(pull->dir, path), rc;

	if (fd == -ENOENT && pull_disk_reopen(pull->dir, pull->conf.cache))
		fd = pull_disk_begin(pull->dir, path);
	if (fd < 0) {
		log_peer_warn("origin.cache: %s", strerror(-fd));
		return fetch_fault(f, -EAGAIN, "the cache cannot be written");
	}
	pull_lock(pull);
	f->p->fd = fd;
	pull_unlock(pull);
	do {
		rc = pull_disk_reserve(fd, size > 0 ? (uint64_t)size : 0);
	} while (rc == -ENOSPC && evict_for_disk(pull));
	return rc < 0 ? fetch_fault(f, -EAGAIN, "the disk of the cache is full") : 0;
}

int
fetch_write_part(struct fetch *f, uint64_t offset, struct slice bytes)
{
	int rc;

	do {
		rc = pull_disk_write(f->p->fd, offset, bytes);
	} while (rc == -ENOSPC && evict_for_disk(f->pull));
	if (rc == -ENOSPC)
		return fetch_fault(f, -EAGAIN, "the disk of the cache is full");
	if (rc < 0) {
		log_peer_warn("origin.cache: %s", strerror(-rc));
		return fetch_fault(f, -EAGAIN, "the cache cannot be written");
	}
	return 0;
}
