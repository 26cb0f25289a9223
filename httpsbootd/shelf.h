/*
 * The table of what is known of files that come from the origin: found by path, and in the order in
 * which they were last asked for, so that the one that nobody has wanted for longest makes room.
 * Pure; the caller locks.
 */
#ifndef HTTPSBOOTD_SHELF_H
#define HTTPSBOOTD_SHELF_H

#include "common/path.h"

#define SHELF_BUCKETS 8192
#define SHELF_FILES   65536 /* that are kept, at most */

/* A file; the first member of the caller's struct. */
struct shelf_item {
	struct shelf_item *next;          /* in its bucket */
	struct shelf_item *older, *newer; /* by when they were last asked for */
	char path[CONTENT_PATH_MAX];
	uint64_t bytes; /* on the disk; only while `kept` */
	bool kept;
	unsigned users; /* it must stay for them */
};

struct shelf {
	uint64_t key[2];
	struct shelf_item *buckets[SHELF_BUCKETS];
	struct shelf_item *oldest, *newest;
	uint64_t max_bytes;
	uint64_t kept_bytes, reserved; /* the latter for files on their way */
	size_t nkept, nitems;
};

void shelf_init(struct shelf *s, uint64_t max_bytes, const uint64_t key[static 2]);
struct shelf_item *shelf_find(const struct shelf *s, const char *path);
/* As the newest, not kept; item->path is set. */
void shelf_add(struct shelf *s, struct shelf_item *item);
void shelf_remove(struct shelf *s, struct shelf_item *item);
/* It was asked for. */
void shelf_touch(struct shelf *s, struct shelf_item *item);
/* Whether it is kept, and how large. */
void shelf_keep(struct shelf *s, struct shelf_item *item, uint64_t bytes);
void shelf_drop(struct shelf *s, struct shelf_item *item);

/*
 * Room for so many bytes more: 0 if there is; 1 with the file that is to be dropped first; -ENOSPC
 * if all that is kept is in use; -EFBIG if it never could.
 */
int shelf_room(const struct shelf *s, uint64_t bytes, struct shelf_item **ret);
/* The oldest of which nothing is kept and that nobody uses; NULL: none. */
struct shelf_item *shelf_spare(const struct shelf *s);

#endif
