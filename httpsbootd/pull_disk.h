/*
 * The folder of files that came from the origin.  A file is called by the digest of its path, so no
 * path leads out of the folder; NAME.json beside it holds what is noted of it, NAME.part is on its
 * way.  Whatever stands there otherwise is left alone.
 */
#ifndef HTTPSBOOTD_PULL_DISK_H
#define HTTPSBOOTD_PULL_DISK_H

#include "httpsbootd/keep.h"

/* Opens the folder, and keeps another daemon out: a descriptor, or a negative errno after logging.
 */
int pull_disk_open(const char *path);

/* If the folder was removed: makes it anew, behind the same descriptor.  True if it is there again.
 */
bool pull_disk_reopen(int dir, const char *path);

/* A file of the folder, and when it was last used, in ms since 1970. */
struct pull_found {
	struct keep_note note;
	uint64_t used_ms;
};
/* Removes what is not whole; the rest as new memory, those used longest ago first.  0, or -ENOMEM.
 */
int pull_disk_scan(int dir, struct pull_found **ret, size_t *ret_n);

/* A new file for what is about to come; `size` -1: not known.  A descriptor, or a negative errno.
 */
int pull_disk_begin(int dir, const char *path);
/* Sees to it that there is room for it.  0, or -ENOSPC. */
int pull_disk_reserve(int fd, uint64_t size);
int pull_disk_write(int fd, uint64_t offset, struct slice bytes); /* 0, or a negative errno */
/* It will not be whole. */
void pull_disk_forget(int dir, const char *path);
/* It is whole: it gets its name and its note, safe from a power cut.  0, or a negative errno. */
int pull_disk_keep(int dir, int fd, const struct keep_note *note);
/* Notes anew what is known of a file.  0, or a negative errno. */
int pull_disk_note(int dir, const struct keep_note *note);
/* It has been used. */
void pull_disk_touch(int dir, const char *path);
/* Opens a file: a descriptor, or a negative errno; -ESTALE if it is not what the note says. */
int pull_disk_read(int dir, const struct keep_note *note);
void pull_disk_drop(int dir, const char *path);

#endif
