/* Fetching a Debian package of another release by the system's own apt. */
#ifndef FERRYCTL_FETCH_H
#define FERRYCTL_FETCH_H

#include <stddef.h>

/*
 * Downloads `package` of the Debian release `suite` (from `mirror`; NULL: the one that the system
 * uses) and unpacks it below `work`, a folder of the caller's.  apt gets lists, caches and sources
 * of its own in there: nothing else on the system changes.  `ret_version` gets the package's
 * version.  0, or -1 after printing why.
 */
int fetch_package(const char *work, const char *suite, const char *mirror, const char *package,
    char *ret_version, size_t size);

#endif
