/* Names of folders, kept; see folders.h. */
#include "handlerd/folders.h"

#include "common/content.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * A time of change has the grain of the kernel's tick, up to 10 ms: a folder that was read so soon
 * after it changed may have changed again within the same tick.
 */
#define GRAIN_NS INT64_C(50000000)
/* A folder that keeps changing is read no oftener than so. */
#define PAUSE_NS INT64_C(20000000)

struct folder {
	char *path; /* as on the disk; "" is the root; NULL: this place is free */
	uint64_t round;
	dev_t device;
	ino_t inode;
	int64_t changed_ns, read_ns; /* by the clock of file systems */
	bool too_large;
	char *names; /* each with its NUL */
	size_t used, size, n;
	uint32_t *table; /* of offsets into `names` + 1, by the hash of the name in small letters */
	size_t mask;
};

struct folders {
	int root_fd;
	uint64_t round, reads;
	size_t names;
	struct folder v[FOLDERS_MAX];
};

int
folders_new(int root_fd, struct folders **ret)
{
	struct folders *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -ENOMEM;
	f->root_fd = root_fd;
	f->round = 1;
	*ret = f;
	return 0;
}

static void
empty(struct folders *f, struct folder *d)
{
	f->names -= d->n;
	free(d->path);
	free(d->names);
	free(d->table);
	*d = (struct folder){ 0 };
}

void
folders_free(struct folders *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < FOLDERS_MAX; i++)
		empty(f, &f->v[i]);
	free(f);
}

void
folders_round(struct folders *f)
{
	f->round++;
}

uint64_t
folders_reads(const struct folders *f)
{
	return f->reads;
}

static int64_t
nanoseconds(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static int64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &t); /* cannot fail with this clock */
	return nanoseconds(&t);
}

static uint8_t
small(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static size_t
hash_name(const char *name, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ small((uint8_t)name[i])) * 0x100000001b3u;
	return (size_t)(h ^ h >> 29);
}

/* --- reading -------------------------------------------------------------------------------- */

static int
add_name(struct folders *f, struct folder *d, const char *name)
{
	size_t n = strlen(name) + 1;

	if (d->used + n > d->size) {
		size_t size = d->size > 0 ? 2 * d->size : 1024;
		char *names = size <= UINT32_MAX ? realloc(d->names, size) : NULL;

		if (names == NULL)
			return -ENOMEM;
		d->names = names;
		d->size = size;
	}
	memcpy(d->names + d->used, name, n);
	d->used += n;
	d->n++;
	f->names++;
	return 0;
}

static int
build_table(struct folder *d)
{
	size_t n = 8;

	while (n < 2 * d->n)
		n *= 2;
	d->table = calloc(n, sizeof(*d->table));
	if (d->table == NULL)
		return -ENOMEM;
	d->mask = n - 1;
	for (size_t at = 0; at < d->used; at += strlen(d->names + at) + 1) {
		size_t i = hash_name(d->names + at, strlen(d->names + at)) & d->mask;

		while (d->table[i] != 0)
			i = (i + 1) & d->mask;
		d->table[i] = (uint32_t)at + 1;
	}
	return 0;
}

/* The folder that was asked for least lately, of those that this request does not use. */
static struct folder *
make_room(struct folders *f)
{
	struct folder *oldest = NULL;

	for (size_t i = 0; i < FOLDERS_MAX; i++) {
		struct folder *d = &f->v[i];

		if (d->path == NULL)
			return d;
		if (d->round != f->round && (oldest == NULL || d->round < oldest->round))
			oldest = d;
	}
	if (oldest != NULL)
		empty(f, oldest);
	return oldest;
}

/* Empties others until so many more names fit; false if that cannot be. */
static bool
has_room(struct folders *f, const struct folder *d)
{
	while (f->names >= FOLDERS_NAMES_MAX) {
		struct folder *oldest = NULL;

		for (size_t i = 0; i < FOLDERS_MAX; i++) {
			struct folder *o = &f->v[i];

			if (o != d && o->n > 0 && (oldest == NULL || o->round < oldest->round))
				oldest = o;
		}
		if (oldest == NULL)
			return false;
		empty(f, oldest);
	}
	return true;
}

static int
read_names(struct folders *f, struct folder *d, DIR *dir)
{
	const struct dirent *e;
	int rc = 0;

	while (rc == 0 && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.') /* never content */
			continue;
		if (!has_room(f, d)) {
			d->too_large = true;
			break;
		}
		rc = add_name(f, d, e->d_name);
	}
	if (rc == 0 && !d->too_large)
		return build_table(d);
	f->names -= d->n;
	free(d->names);
	d->names = NULL;
	d->used = d->size = d->n = 0;
	return rc;
}

/* Reads a folder into its place.  On failure the place is free. */
static int
read_folder(struct folders *f, struct folder *d, const char *path)
{
	int fd = content_open_folder(f->root_fd, path[0] != '\0' ? path : "."), rc;
	struct stat st;
	DIR *dir;

	empty(f, d);
	if (fd < 0)
		return fd;
	f->reads++;
	d->read_ns = now_ns();
	rc = fstat(fd, &st) < 0 ? -errno : 0;
	dir = rc == 0 ? fdopendir(fd) : NULL;
	if (dir == NULL) {
		rc = rc < 0 ? rc : -errno;
		close(fd);
		return rc;
	}
	d->device = st.st_dev;
	d->inode = st.st_ino;
	d->changed_ns = nanoseconds(&st.st_mtim);
	d->round = f->round;
	d->path = strdup(path);
	rc = d->path == NULL ? -ENOMEM : read_names(f, d, dir);
	closedir(dir);
	if (rc < 0)
		empty(f, d);
	return rc;
}

/* True if what is known of a folder still holds. */
static bool
is_fresh(const struct folders *f, const struct folder *d)
{
	struct stat st;

	if (now_ns() - d->read_ns < PAUSE_NS)
		return true;
	if (d->read_ns - d->changed_ns < GRAIN_NS)
		return false;
	/* it was opened beneath the root; what the path leads to now matters only if it is the same
	 */
	return fstatat(f->root_fd, d->path[0] != '\0' ? d->path : ".", &st, 0) == 0 &&
	       st.st_dev == d->device && st.st_ino == d->inode &&
	       nanoseconds(&st.st_mtim) == d->changed_ns;
}

/* A folder as it is now; NULL with *ret_rc. */
static const struct folder *
get_folder(struct folders *f, const char *path, int *ret_rc)
{
	struct folder *d = NULL;

	for (size_t i = 0; i < FOLDERS_MAX && d == NULL; i++) {
		if (f->v[i].path != NULL && strcmp(f->v[i].path, path) == 0)
			d = &f->v[i];
	}
	if (d != NULL && (d->round == f->round || is_fresh(f, d))) {
		d->round = f->round;
		return d;
	}
	if (d == NULL)
		d = make_room(f);
	/* no room: more folders than one name can lead through */
	*ret_rc = d == NULL ? -ENOENT : read_folder(f, d, path);
	return *ret_rc < 0 ? NULL : d;
}

/* --- finding -------------------------------------------------------------------------------- */

/* The name in this folder, or NULL. */
static const char *
find_name(const struct folder *d, const char *name, size_t n)
{
	const char *found = NULL;

	if (d->names == NULL || d->table == NULL)
		return NULL;
	for (size_t i = hash_name(name, n) & d->mask; d->table[i] != 0; i = (i + 1) & d->mask) {
		const char *at = d->names + d->table[i] - 1;

		if (strncasecmp(at, name, n) != 0 || at[n] != '\0')
			continue;
		if (memcmp(at, name, n) == 0)
			return at;
		if (found == NULL || strcmp(at, found) < 0)
			found = at;
	}
	return found;
}

int
folders_find(struct folders *f, const char *path, char ret[static CONTENT_PATH_MAX])
{
	char found[CONTENT_PATH_MAX];
	size_t used = 0;

	while (*path != '\0') {
		size_t n = strcspn(path, "/");
		const char *name = path;
		const struct folder *d;
		int rc = 0;

		found[used] = '\0';
		d = get_folder(f, found, &rc);
		if (d == NULL)
			return rc == -ENOTDIR || rc == -ENAMETOOLONG ? -ENOENT : rc;
		if (!d->too_large)
			name = find_name(d, path, n);
		if (name == NULL)
			return -ENOENT;
		/* fits: the names differ from those of `path` only in case */
		if (used > 0)
			found[used++] = '/';
		memcpy(found + used, name, n);
		used += n;
		path += n;
		path += *path == '/';
	}
	found[used] = '\0';
	memcpy(ret, found, used + 1);
	return 0;
}
