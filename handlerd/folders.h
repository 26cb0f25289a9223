/*
 * Names on the disk that match but for case, found without reading folders anew for each: the
 * names of folders that were looked into are kept, and a folder is read again when its time of
 * change says so.  So a probe for a file that is not there costs a system call for each folder on
 * the way, however many files those hold.
 */
#ifndef HANDLERD_FOLDERS_H
#define HANDLERD_FOLDERS_H

#include "common/path.h"

/* Folders that are kept, and names in all of them together. */
#define FOLDERS_MAX       256
#define FOLDERS_NAMES_MAX 500000

struct folders;

/* `root_fd` stays the caller's.  0, or -ENOMEM. */
int folders_new(int root_fd, struct folders **ret);
void folders_free(struct folders *f);

/* A request begins: each folder is looked at anew, once. */
void folders_round(struct folders *f);

/*
 * The path in the case of the names on the disk; of several the one that is exactly so, else the
 * first by byte order.  Letters are those of ASCII.  0, -ENOENT, -EACCES for a way out of the root,
 * or what else the system said.  In a folder of more names than are kept only the exact one counts.
 */
int folders_find(struct folders *f, const char *path, char ret[static CONTENT_PATH_MAX]);

/* How often a folder was read. */
uint64_t folders_reads(const struct folders *f);

#endif
