/* See pull_disk.h. */
#include "httpsbootd/pull_disk.h"

#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_STRLEN (KEEP_NAME_STRLEN + 16)
#define NOTE_MAX        8192
/* What the kernel is told to begin writing, so that the sync at the end has little left to do. */
#define WRITE_BEHIND (8u << 20)

static const char *
name_of(const char *path, const char *ending, char ret[static NAME_MAX_STRLEN])
{
	(void)keep_name(path, ret);
	return strcat(ret, ending);
}

int
pull_disk_open(const char *path)
{
	int fd;

	(void)mkdir(path, 0700); /* there, or open() says what is wrong */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		int rc = -errno;

		log_warn("origin.cache: \"%s\"", path);
		return rc;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || faccessat(fd, ".", R_OK | W_OK | X_OK, 0) < 0) {
		int rc = -errno;

		log_errx("origin.cache: \"%s\": %s", path,
		    rc == -EWOULDBLOCK ? "another httpsbootd uses it" : strerror(-rc));
		close(fd);
		return rc;
	}
	return fd;
}

bool
pull_disk_reopen(int dir, const char *path)
{
	struct stat st;
	bool good;
	int fd;

	if (fstat(dir, &st) < 0 || st.st_nlink > 0)
		return false;
	fd = pull_disk_open(path);
	if (fd < 0)
		return false;
	good = dup3(fd, dir, O_CLOEXEC) >= 0; /* the lock is the new folder's, and stays */
	close(fd);
	if (good)
		log_warnx("origin.cache: \"%s\" was removed; it was made anew", path);
	return good;
}

/* --- what is there already -------------------------------------------------------------------- */

static json_t *
read_note(int dir, const char *name, struct timespec *ret_mtime)
{
	char text[NOTE_MAX];
	json_t *json = NULL;
	struct stat st;
	ssize_t n;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return NULL;
	n = fstat(fd, &st) == 0 ? read(fd, text, sizeof(text)) : -1;
	if (n > 0) {
		json = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
		*ret_mtime = st.st_mtim;
	}
	close(fd);
	return json;
}

/* Whether a file of the folder is what its note says; if so, with the note. */
static bool
is_whole(int dir, const char *name, struct pull_found *ret)
{
	char beside[NAME_MAX_STRLEN], want[KEEP_NAME_STRLEN];
	struct timespec used;
	struct stat st;
	json_t *json;
	bool whole;

	(void)snprintf(beside, sizeof(beside), "%.64s.json", name);
	json = read_note(dir, beside, &used);
	whole = json != NULL && keep_parse(json, &ret->note) == 0 &&
	        strcmp(keep_name(ret->note.path, want), name) == 0 &&
	        fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	        (uint64_t)st.st_size == ret->note.size;
	if (whole)
		ret->used_ms = (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
	json_decref(json);
	return whole;
}

static int
by_use(const void *a, const void *b)
{
	const struct pull_found *x = a, *y = b;

	return x->used_ms < y->used_ms ? -1 : x->used_ms > y->used_ms;
}

static bool
add_found(struct pull_found **list, size_t *n, size_t *size, const struct pull_found *found)
{
	if (*n == *size) {
		size_t more = *size == 0 ? 64 : *size * 2;
		struct pull_found *p = realloc(*list, more * sizeof(*p));

		if (p == NULL)
			return false;
		*list = p;
		*size = more;
	}
	(*list)[(*n)++] = *found;
	return true;
}

int
pull_disk_scan(int dir, struct pull_found **ret, size_t *ret_n)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct pull_found *list = NULL, found;
	size_t n = 0, size = 0;
	struct dirent *e;
	int rc = 0;

	if (d == NULL) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (rc == 0 && (e = readdir(d)) != NULL) {
		size_t stem = strcspn(e->d_name, ".");
		char data[KEEP_NAME_STRLEN];

		if (!keep_is_name(e->d_name, stem))
			continue;
		if (e->d_name[stem] == '\0') {
			if (!is_whole(dir, e->d_name, &found))
				(void)unlinkat(dir, e->d_name, 0); /* its note goes by itself */
			else if (!add_found(&list, &n, &size, &found))
				rc = -ENOMEM;
			continue;
		}
		memcpy(data, e->d_name, stem);
		data[stem] = '\0';
		if (strcmp(e->d_name + stem, ".json") != 0 || faccessat(dir, data, F_OK, 0) < 0)
			(void)unlinkat(dir, e->d_name, 0); /* half a file, or a note of none */
	}
	closedir(d);
	if (rc < 0) {
		free(list);
		return rc;
	}
	if (n > 0)
		qsort(list, n, sizeof(*list), by_use);
	*ret = list;
	*ret_n = n;
	return 0;
}

/* --- files --------------------------------------------------------------------------------------
 */

int
pull_disk_begin(int dir, const char *path)
{
	char name[NAME_MAX_STRLEN];
	int fd;

	(void)name_of(path, ".part", name);
	(void)unlinkat(dir, name, 0); /* of one that failed; clients may still have it open */
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int
pull_disk_reserve(int fd, uint64_t size)
{
	/* a file system that cannot will tell when it is full */
	return size > 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0 && errno == ENOSPC
	           ? -ENOSPC
	           : 0;
}

int
pull_disk_write(int fd, uint64_t offset, struct slice bytes)
{
	uint64_t before = offset / WRITE_BEHIND;

	while (bytes.n > 0) {
		ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		bytes.p += n;
		bytes.n -= (size_t)n;
		offset += (uint64_t)n;
	}
	if (offset / WRITE_BEHIND != before) /* only speed */
		(void)sync_file_range(
		    fd, (off_t)(before * WRITE_BEHIND), WRITE_BEHIND, SYNC_FILE_RANGE_WRITE);
	return 0;
}

void
pull_disk_forget(int dir, const char *path)
{
	char name[NAME_MAX_STRLEN];

	(void)unlinkat(dir, name_of(path, ".part", name), 0);
}

int
pull_disk_note(int dir, const struct keep_note *note)
{
	char name[NAME_MAX_STRLEN], fresh[NAME_MAX_STRLEN];
	json_t *json = keep_dump(note);
	int fd, rc = -ENOMEM;

	if (json == NULL)
		return -ENOMEM;
	(void)name_of(note->path, ".json", name);
	(void)name_of(note->path, ".json.part", fresh);
	fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	rc = fd < 0 ? -errno : 0;
	if (rc == 0 && (json_dumpfd(json, fd, JSON_INDENT(1)) < 0 || fdatasync(fd) < 0))
		rc = errno != 0 ? -errno : -EIO;
	if (fd >= 0)
		close(fd);
	if (rc == 0 && renameat(dir, fresh, dir, name) < 0)
		rc = -errno;
	if (rc < 0)
		(void)unlinkat(dir, fresh, 0);
	json_decref(json);
	return rc;
}

int
pull_disk_keep(int dir, int fd, const struct keep_note *note)
{
	char name[NAME_MAX_STRLEN], part[NAME_MAX_STRLEN], beside[NAME_MAX_STRLEN];
	int rc;

	(void)name_of(note->path, "", name);
	(void)name_of(note->path, ".part", part);
	/* without its note a file does not count: the old one goes before its file does */
	(void)unlinkat(dir, name_of(note->path, ".json", beside), 0);
	if (fdatasync(fd) < 0 || renameat(dir, part, dir, name) < 0) {
		rc = -errno;
		(void)unlinkat(dir, part, 0);
		return rc;
	}
	return pull_disk_note(dir, note);
}

void
pull_disk_touch(int dir, const char *path)
{
	char name[NAME_MAX_STRLEN];

	(void)utimensat(dir, name_of(path, ".json", name), NULL, AT_SYMLINK_NOFOLLOW);
}

int
pull_disk_read(int dir, const struct keep_note *note)
{
	char name[NAME_MAX_STRLEN];
	struct stat st;
	int fd = openat(
	    dir, name_of(note->path, "", name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != note->size) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

void
pull_disk_drop(int dir, const char *path)
{
	char name[NAME_MAX_STRLEN];

	(void)unlinkat(dir, name_of(path, ".json", name), 0);
	(void)unlinkat(dir, name_of(path, "", name), 0);
}
