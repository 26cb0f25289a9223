/*
 * URL-encoded text: names and values of forms and queries (application/x-www-form-urlencoded), as
 * clients send them.  Nothing is allocated; what is decoded may hold any octet, NUL too.  Pure.
 */
#ifndef COMMON_PARAMS_H
#define COMMON_PARAMS_H

#include "common/wire.h"

/*
 * Decodes %XX, and '+' as a blank if `form`; writes at most `size` bytes.  The number written, or
 * -EINVAL / -ENAMETOOLONG.
 */
int url_decode(struct slice s, bool form, char *dst, size_t size);

#endif
