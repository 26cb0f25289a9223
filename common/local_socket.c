/* See local_socket.h. */
#include "common/local_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int
make_address(const char *path, struct sockaddr_un *ret)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	*ret = addr;
	return 0;
}

int
local_connect(const char *path)
{
	struct sockaddr_un addr;
	int fd, rc = make_address(path, &addr);

	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* it comes about at once, or never: -EAGAIN when too many wait to be accepted */
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* Removes a socket that nobody serves any more.  -EADDRINUSE if somebody does. */
static int
remove_stale(const char *path)
{
	int fd = local_connect(path);
	struct stat st;

	if (fd >= 0) {
		close(fd);
		return -EADDRINUSE;
	}
	if (fd == -EAGAIN) /* so many wait for it that it has no room */
		return -EADDRINUSE;
	/* that is also what the system says of a file that is none */
	if (fd == -ECONNREFUSED && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    unlink(path) < 0)
		return -errno;
	return fd == -ENAMETOOLONG ? fd : 0; /* what else is wrong will be told by bind() */
}

int
local_listen(const char *path, mode_t mode, int backlog)
{
	struct sockaddr_un addr;
	int fd, rc = make_address(path, &addr);

	if (rc == 0)
		rc = remove_stale(path);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 || chmod(path, mode) < 0 ||
	    listen(fd, backlog) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}
