/* Giving up root. */
#ifndef COMMON_PRIV_H
#define COMMON_PRIV_H

#include <stdint.h>
#include <sys/types.h>

/*
 * The ids of `user`, "name" or "uid:gid" in numbers.  0; -ENOENT if there is no such account;
 * -EINVAL if it is neither form.
 */
int priv_ids(const char *user, uid_t *uid, gid_t *gid);

/*
 * Becomes `user` (with the account's groups, if it is a name) for good, and bars
 * the way back (no_new_privs).  Does nothing but the latter when the process is not root, or
 * `user` is empty.  0; -ENOENT if there is no such account; -EINVAL if `user` is neither form;
 * or what the system said.
 */
int priv_drop(const char *user);
/*
 * The same, but an account that is not root keeps those of these capabilities that root had: a
 * mask of (uint64_t)1 << CAP_... (capabilities(7)).
 */
int priv_drop_keep(const char *user, uint64_t capabilities);

#endif
