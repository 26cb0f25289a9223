/* Giving up root. */
#ifndef COMMON_PRIV_H
#define COMMON_PRIV_H

/*
 * Becomes `user` ("name", with the account's groups, or "uid:gid" in numbers) for good, and bars
 * the way back (no_new_privs).  Does nothing but the latter when the process is not root, or
 * `user` is empty.  0; -ENOENT if there is no such account; -EINVAL if `user` is neither form;
 * or what the system said.
 */
int priv_drop(const char *user);

#endif
