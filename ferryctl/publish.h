/*
 * Publishing below the content root: everything is written beside its place under a hidden name,
 * flushed to the disk, and then renamed, so that no reader ever sees half of it.  What a call that
 * was cut off leaves there is removed by a later one.
 */
#ifndef FERRYCTL_PUBLISH_H
#define FERRYCTL_PUBLISH_H

#include "common/digest.h"

#include <sys/types.h>

#define PUBLISH_PATH    4096
#define PUBLISH_STALE_S 3600 /* a hidden file that has not grown for so long is nobody's */

/* Makes a folder with those above it, mode 0755.  0, or a negative errno after printing why. */
int publish_folder(const char *path);
/*
 * Copies a file to `to`, in place of one that is there; fills in what was copied.  0, or a
 * negative errno after printing why.
 */
int publish_copy(
    const char *from, const char *to, uint8_t sha256[static DIGEST_BYTES], uint64_t *size);
/* The same for bytes, with the mode given. */
int publish_bytes(const char *to, const void *p, size_t n, unsigned mode);
/* The same, and it belongs to somebody else (NULL: the caller) from the first moment on. */
struct publish_owner {
	uid_t uid;
	gid_t gid;
};
int publish_bytes_for(
    const char *to, const void *p, size_t n, unsigned mode, const struct publish_owner *owner);
/*
 * A new hidden folder beside `path`, its name in `ret`; publish_swap() then puts it in the place of
 * `path` and removes what was there.  0, or a negative errno after printing why.
 */
int publish_begin(const char *path, char ret[static PUBLISH_PATH]);
int publish_swap(const char *hidden, const char *path);
/*
 * Removes hidden files and folders that were left in a folder, in which nothing has changed for so
 * long.  All the calls above do so, by PUBLISH_STALE_S.
 */
void publish_sweep(const char *folder, unsigned age_s);
/* Removes a folder and what is in it; one that is not there is no error. */
int publish_remove(const char *path);

#endif
