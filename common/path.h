/*
 * Names as clients send them, made into paths below the content root.  Pure: nothing is looked
 * up here.
 */
#ifndef COMMON_PATH_H
#define COMMON_PATH_H

#include "common/wire.h"

#define CONTENT_PATH_MAX  512 /* with the NUL */
#define CONTENT_DEPTH_MAX 16  /* components */

/*
 * Normalises a name: back-slashes become slashes, leading, doubled and trailing slashes and "."
 * components go, trailing blanks and bytes that old ROMs read behind the end of their option
 * (0xff, control characters) are cut.  0, or
 * -EINVAL        it is empty, or holds a NUL or another control character
 * -EACCES        it holds ".." or a component that begins with a dot, which is never content
 * -ENAMETOOLONG  it does not fit, or has too many components
 */
int path_normalise(struct slice name, char ret[static CONTENT_PATH_MAX]);

/* True if `path`, normalised, is `dir` or below it, without regard to case. */
bool path_is_below(const char *path, const char *dir);
/* The last component. */
const char *path_base(const char *path);

#endif
