/* See content.h. */
#include "common/content.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define A_RACE 16 /* tries */

static int
open_beneath(int root_fd, const char *path, uint64_t flags)
{
	/* O_NONBLOCK: opening a FIFO must not wait for a writer */
	struct open_how how = {
		.flags = (flags & O_PATH) != 0
		             ? O_CLOEXEC | flags
		             : O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd;
	int tries = 0;

	/* EAGAIN: a rename raced with the look-up; or, for long, another process has a lease */
	do
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN && ++tries < A_RACE);
	if (fd < 0)
		return errno == EXDEV || errno == ELOOP ? -EACCES : -errno;
	return (int)fd;
}

int
content_root_open(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	/* systemd's RestrictSUIDSGID= answers openat2() with ENOSYS: that is better known at the
	 * start than at the first file */
	rc = open_beneath(fd, ".", O_PATH | O_DIRECTORY);
	if (rc == -ENOSYS) {
		close(fd);
		return rc;
	}
	if (rc >= 0)
		close(rc);
	return fd;
}

const char *
content_strerror(int error)
{
	return error == ENOSYS ? "openat2(2) is denied, by an old kernel or by a sandbox"
	                       : strerror(error);
}

/* Finds the entry of a folder that is `name` but for case.  0, or a negative errno. */
static int
find_entry(int dir_fd, const char *name, size_t n, char ret[static 256])
{
	const struct dirent *e;
	bool found = false;
	DIR *dir;

	dir = fdopendir(dir_fd);
	if (dir == NULL) {
		int rc = -errno;

		close(dir_fd);
		return rc;
	}
	while ((e = readdir(dir)) != NULL) {
		if (strlen(e->d_name) != n || strncasecmp(e->d_name, name, n) != 0)
			continue;
		if (!found || strcmp(e->d_name, ret) < 0)
			memcpy(ret, e->d_name, n + 1);
		found = true;
	}
	closedir(dir);
	return found ? 0 : -ENOENT;
}

/* Replaces each component of `path` by the name on the disk that matches but for case. */
static int
fold_case(int root_fd, const char *path, char ret[static CONTENT_PATH_MAX])
{
	char entry[256];
	size_t used = 0;

	while (*path != '\0') {
		size_t n = strcspn(path, "/");
		int dir_fd, rc;

		if (n >= sizeof(entry))
			return -ENAMETOOLONG;
		ret[used] = '\0';
		dir_fd = open_beneath(root_fd, used > 0 ? ret : ".", O_DIRECTORY);
		if (dir_fd < 0)
			return dir_fd;
		rc = find_entry(dir_fd, path, n, entry);
		if (rc < 0)
			return rc;
		if (used > 0)
			ret[used++] = '/';
		/* fits: the names differ from those of `path` only in case */
		memcpy(ret + used, entry, n);
		used += n;
		path += n;
		path += *path == '/';
	}
	ret[used] = '\0';
	return 0;
}

int
content_open_folder(int root_fd, const char *path)
{
	return open_beneath(root_fd, path, O_DIRECTORY);
}

/* What is known of an open file; closes it if that is no regular one. */
static int
describe(struct content_file *f)
{
	struct stat st;
	int rc = fstat(f->fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EISDIR;

	if (rc < 0) {
		close(f->fd);
		return rc;
	}
	f->size = (uint64_t)st.st_size;
	f->inode = st.st_ino;
	f->device = st.st_dev;
	f->mtime = st.st_mtim;
	return 0;
}

int
content_stat_exactly(int root_fd, const char *path, struct content_file *ret)
{
	struct content_file f;
	int rc;

	assert(strlen(path) < sizeof(f.path));
	strcpy(f.path, path);
	/* O_PATH: neither a FIFO nor a device notices */
	f.fd = open_beneath(root_fd, f.path, O_PATH);
	if (f.fd < 0)
		return f.fd == -ENOTDIR ? -ENOENT : f.fd;
	rc = describe(&f);
	if (rc < 0)
		return rc;
	close(f.fd);
	f.fd = -1;
	*ret = f;
	return 0;
}

int
content_open(int root_fd, const char *path, struct content_file *ret)
{
	struct content_file f;
	int rc;

	assert(strlen(path) < sizeof(f.path));
	strcpy(f.path, path);
	f.fd = open_beneath(root_fd, f.path, 0);
	if (f.fd == -ENOENT || f.fd == -ENOTDIR) {
		rc = fold_case(root_fd, path, f.path);
		if (rc < 0)
			return rc == -ENOTDIR ? -ENOENT : rc;
		f.fd = open_beneath(root_fd, f.path, 0);
	}
	if (f.fd < 0)
		return f.fd == -ENXIO ? -EISDIR : f.fd; /* ENXIO: a socket */
	rc = describe(&f);
	if (rc == 0)
		*ret = f;
	return rc;
}

int
content_stat(int root_fd, const char *path, struct content_file *ret)
{
	int rc = content_open(root_fd, path, ret);

	if (rc == 0) {
		close(ret->fd);
		ret->fd = -1;
	}
	return rc;
}
