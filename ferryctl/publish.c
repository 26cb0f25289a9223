/* See publish.h. */
#include "ferryctl/publish.h"

#include "ferryctl/ctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int
say(const char *what, const char *path)
{
	int saved = errno;

	(void)ctl_error("%s %s: %s", what, path, strerror(saved));
	return -saved;
}

int
publish_folder(const char *path)
{
	char copy[PUBLISH_PATH];

	if (strlen(path) >= sizeof(copy)) {
		errno = ENAMETOOLONG;
		return say("folder", path);
	}
	strcpy(copy, path);
	for (char *p = copy + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) == 0) {
			/* whatever the caller's umask: daemons of other accounts read here */
			if (chmod(copy, 0755) < 0)
				return say("folder", copy);
		} else if (errno != EEXIST) {
			return say("folder", copy);
		}
		if (c == '\0')
			return 0;
		*p = c;
	}
}

/* --- what was cut off ----------------------------------------------------------------------- */

/* The tag says whose a hidden name is: nobody else's file is ever taken for a left-over. */
#define TAG    ".ferry-"
#define RANDOM "XXXXXX"

/* ".NAME.ferry-XXXXXX" */
static bool
is_hidden_name(const char *name)
{
	size_t n = strlen(name), tail = strlen(TAG RANDOM);

	return name[0] == '.' && n > tail + 1 && memcmp(name + n - tail, TAG, strlen(TAG)) == 0 &&
	       strspn(name + n - strlen(RANDOM),
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		   "0123456789") == strlen(RANDOM);
}

/* nftw() has no argument for its callback. */
static time_t newest;

static int
note_time(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)path;
	(void)flag;
	(void)ftw;
	if (st->st_mtime > newest)
		newest = st->st_mtime;
	return 0;
}

/* It is ours, and nothing in it has changed for so long. */
static bool
is_stale(const char *path, unsigned age_s)
{
	time_t now = time(NULL);
	struct stat st;

	/* in a folder for all, somebody else might move away what is being removed */
	if (lstat(path, &st) < 0 || st.st_uid != geteuid())
		return false;
	newest = 0;
	return nftw(path, note_time, 16, FTW_PHYS) == 0 && newest <= now &&
	       now - newest >= (time_t)age_s;
}

void
publish_sweep(const char *folder, unsigned age_s)
{
	char path[PUBLISH_PATH];
	struct dirent *e;
	DIR *d = opendir(folder);

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (is_hidden_name(e->d_name) &&
		    snprintf(path, sizeof(path), "%s/%s", folder, e->d_name) < PUBLISH_PATH &&
		    is_stale(path, age_s))
			(void)publish_remove(path); /* says why not; what stays is hidden */
	}
	if (d != NULL)
		closedir(d);
}

/* The folder of a path. */
static void
folder_of(const char *path, char ret[static PUBLISH_PATH])
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		strcpy(ret, ".");
	else
		(void)snprintf(
		    ret, PUBLISH_PATH, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

/* "FOLDER/.NAME.ferry-XXXXXX" for mkstemp() and mkdtemp(); older ones make room. */
static int
hidden_name(const char *path, char ret[static PUBLISH_PATH])
{
	const char *slash = strrchr(path, '/');
	size_t folder = slash != NULL ? (size_t)(slash - path) + 1 : 0;
	char above[PUBLISH_PATH];

	if (snprintf(ret, PUBLISH_PATH, "%.*s.%s" TAG RANDOM, (int)folder, path, path + folder) >=
	    PUBLISH_PATH) {
		errno = ENAMETOOLONG;
		return say("name", path);
	}
	folder_of(path, above);
	publish_sweep(above, PUBLISH_STALE_S);
	return 0;
}

/* The entry of a rename is on the disk only when its folder is. */
static void
sync_folder(const char *path)
{
	char folder[PUBLISH_PATH];
	int fd;

	folder_of(path, folder);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd); /* best effort: some file systems have no such thing */
		close(fd);
	}
}

static int
finish(int fd, const char *hidden, const char *to, unsigned mode, const struct publish_owner *owner)
{
	int rc = 0;

	if ((owner != NULL && fchown(fd, owner->uid, owner->gid) < 0) || fchmod(fd, mode) < 0 ||
	    fsync(fd) < 0 || rename(hidden, to) < 0) {
		rc = say("cannot write", to);
		(void)unlink(hidden); /* what cannot be removed stays hidden */
	}
	close(fd);
	if (rc == 0)
		sync_folder(to);
	return rc;
}

int
publish_copy(const char *from, const char *to, uint8_t sha256[static DIGEST_BYTES], uint64_t *size)
{
	char hidden[PUBLISH_PATH];
	struct stat st;
	int in, out, rc;

	in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return say("cannot read", from);
	if (fstat(in, &st) < 0 || !S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		rc = say("not a file:", from);
		close(in);
		return rc;
	}
	rc = hidden_name(to, hidden);
	out = rc == 0 ? mkstemp(hidden) : -1;
	if (out < 0) {
		rc = rc < 0 ? rc : say("cannot write", to);
		close(in);
		return rc;
	}
	rc = digest_fd(in, out, sha256, size);
	close(in);
	if (rc < 0) {
		(void)ctl_error("cannot copy %s to %s: %s", from, to, strerror(-rc));
		close(out);
		(void)unlink(hidden); /* as above */
		return rc;
	}
	return finish(out, hidden, to, 0644, NULL);
}

int
publish_bytes(const char *to, const void *p, size_t n, unsigned mode)
{
	return publish_bytes_for(to, p, n, mode, NULL);
}

int
publish_bytes_for(
    const char *to, const void *p, size_t n, unsigned mode, const struct publish_owner *owner)
{
	char hidden[PUBLISH_PATH];
	const char *at = p;
	int rc = hidden_name(to, hidden);
	int fd = rc == 0 ? mkstemp(hidden) : -1;

	if (fd < 0)
		return rc < 0 ? rc : say("cannot write", to);
	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0) {
			rc = say("cannot write", to);
			close(fd);
			(void)unlink(hidden); /* as above */
			return rc;
		}
		at += done;
		n -= (size_t)done;
	}
	return finish(fd, hidden, to, mode, owner);
}

int
publish_begin(const char *path, char ret[static PUBLISH_PATH])
{
	int rc = hidden_name(path, ret);

	if (rc < 0)
		return rc;
	if (mkdtemp(ret) == NULL || chmod(ret, 0755) < 0)
		return say("cannot make a folder beside", path);
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int
publish_remove(const char *path)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
		return say("cannot remove", path);
	return 0;
}

int
publish_swap(const char *hidden, const char *path)
{
	if (renameat2(AT_FDCWD, hidden, AT_FDCWD, path, RENAME_NOREPLACE) == 0) {
		sync_folder(path);
		return 0;
	}
	if (errno != EEXIST)
		return say("cannot publish", path);
	if (renameat2(AT_FDCWD, hidden, AT_FDCWD, path, RENAME_EXCHANGE) < 0)
		return say("cannot replace", path);
	sync_folder(path);
	return publish_remove(hidden); /* the old one has the hidden name now */
}
