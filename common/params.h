/*
 * URL-encoded text: names and values of forms and queries (application/x-www-form-urlencoded), as
 * clients send them.  Nothing is allocated; what is decoded may hold any octet, NUL too.  Pure.
 */
#ifndef COMMON_PARAMS_H
#define COMMON_PARAMS_H

#include "common/wire.h"

#define PARAMS_NAME_MAX 64 /* characters of a name that is looked for */

/*
 * Decodes %XX, and '+' as a blank if `form`; writes at most `size` bytes.  The number written, or
 * -EINVAL / -ENAMETOOLONG.
 */
int url_decode(struct slice s, bool form, char *dst, size_t size);

/*
 * Takes the next pair off the front of *text, still encoded; empty pairs are passed over, and a
 * pair without '=' has an empty value.  False when there is none.
 */
bool params_next(struct slice *text, struct slice *ret_name, struct slice *ret_value);

/*
 * The value of the first pair of that name (compared without case) that can be decoded, in `buf`.
 * 0; -ENOENT if there is none; -EMSGSIZE if its value has more than `size` bytes.
 */
int params_get(struct slice text, const char *name, void *buf, size_t size, struct slice *ret);

/*
 * The same as a string: its length, without the NUL; -ENOENT, -EMSGSIZE, or -EBADMSG if it holds a
 * NUL.  *buf is "" then.  `size` is at least 1.
 */
int params_text(struct slice text, const char *name, char *buf, size_t size);

#endif
