/*
 * Opening files below the content root.  The kernel itself keeps the look-up beneath the root
 * (openat2, RESOLVE_BENEATH): a symbolic link that leads out of it is refused, whatever the name.
 */
#ifndef COMMON_CONTENT_H
#define COMMON_CONTENT_H

#include "common/path.h"

#include <sys/types.h>
#include <time.h>

struct content_file {
	int fd;
	uint64_t size;
	uint64_t inode, device;
	struct timespec mtime;
	char path[CONTENT_PATH_MAX]; /* in the case of the names on the disk */
};

/*
 * Opens the root folder: a descriptor, or a negative errno; -ENOSYS where openat2(2), which keeps
 * names below the root, cannot be used.
 */
int content_root_open(const char *path);
/* Words for a failure of it, positive errno: the system's own, but for ENOSYS. */
const char *content_strerror(int error);

/*
 * Opens the regular file at `path`, normalised; where no such name exists, one that differs only
 * in case is taken (the first by byte order, if there are several).  The caller closes ret->fd.
 * 0, or -ENOENT, -EACCES, -EISDIR (not a regular file), or what else the system said.
 */
int content_open(int root_fd, const char *path, struct content_file *ret);
/* The same without keeping it open: ret->fd is -1. */
int content_stat(int root_fd, const char *path, struct content_file *ret);
/* The same of the name as it is, in any case of its letters no other; nothing is opened for it. */
int content_stat_exactly(int root_fd, const char *path, struct content_file *ret);
/* Opens a folder for reading its names: a descriptor, or a negative errno. */
int content_open_folder(int root_fd, const char *path);

#endif
