/* Finding the file that a name stands for: the plan of names.h, tried on the content root. */
#ifndef HANDLERD_LOOKUP_H
#define HANDLERD_LOOKUP_H

#include "common/content.h"
#include "handlerd/folders.h"
#include "handlerd/names.h"

/*
 * `path` gets the name normalised, or the path of what was found, as it is on the disk.  0, or why
 * the name is none (*ret_path_rc likewise), or -ENOENT, -EISDIR (only something that is no regular
 * file), -EACCES, or what else the system said.
 */
int lookup_file(int root_fd, struct folders *folders, const struct names_ask *ask,
    char path[static CONTENT_PATH_MAX], int *ret_path_rc, struct content_file *ret);

#endif
