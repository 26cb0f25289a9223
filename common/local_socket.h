/* Unix stream sockets with a path: for the control socket and for the bus on one host. */
#ifndef COMMON_LOCAL_SOCKET_H
#define COMMON_LOCAL_SOCKET_H

#include <sys/types.h>

/*
 * A listening socket at `path`, which does not block, with this mode; a socket that stands there
 * and that nobody serves any more is replaced.  The descriptor, or a negative errno: -ENAMETOOLONG
 * (108 octets are too many), -EADDRINUSE when somebody serves it, or what the system says.
 */
int local_listen(const char *path, mode_t mode, int backlog);
/* Connects, and does not block.  The descriptor, or a negative errno. */
int local_connect(const char *path);

#endif
