/* See served.h. */
#include "tftpd/served.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void
served_files_init(struct served_files *files)
{
	*files = (struct served_files){ .n = 0 };
	pthread_mutex_init(&files->lock, NULL);
}

void
served_files_fini(struct served_files *files)
{
	assert(files->n == 0);
	pthread_mutex_destroy(&files->lock);
}

static struct served **
chain(struct served_files *files, uint64_t inode)
{
	return &files->chains[inode % SERVED_CHAINS];
}

/* The file as it was opened, in a chain; NULL if nobody reads it so.  Under the lock. */
static struct served *
find(struct served_files *files, const struct content_file *f, enum served_kind kind)
{
	struct served *s = *chain(files, f->inode);

	while (s != NULL && (s->kind != kind || s->inode != f->inode || s->device != f->device ||
				s->file_size != f->size || s->mtime.tv_sec != f->mtime.tv_sec ||
				s->mtime.tv_nsec != f->mtime.tv_nsec))
		s = s->next;
	return s;
}

/* Puts it into its chain.  Under the lock. */
static void
add(struct served_files *files, const struct content_file *f, enum served_kind kind,
    struct served *s)
{
	struct served **first = chain(files, f->inode);

	s->kind = kind;
	s->refs = 0;
	s->inode = f->inode;
	s->device = f->device;
	s->file_size = f->size;
	s->mtime = f->mtime;
	s->next = *first;
	s->prev = first;
	if (s->next != NULL)
		s->next->prev = &s->next;
	*first = s;
	files->n++;
	if (kind == SERVED_NETASCII)
		files->converted += s->size;
}

/* Maps a file; NULL with a negative errno in *ret_rc. */
static struct served *
map(const struct content_file *f, int *ret_rc)
{
	struct served *s = calloc(1, sizeof(*s));
	void *p = NULL;

	if (s == NULL || f->size > SIZE_MAX) {
		*ret_rc = s == NULL ? -ENOMEM : -EFBIG;
		free(s);
		return NULL;
	}
	if (f->size > 0)
		p = mmap(NULL, (size_t)f->size, PROT_READ, MAP_SHARED, f->fd, 0);
	if (p == MAP_FAILED) {
		*ret_rc = -errno;
		free(s);
		return NULL;
	}
	s->data = p;
	s->size = f->size;
	s->fd = f->fd;
	return s;
}

int
served_file(struct served_files *files, struct content_file *f, struct served **ret)
{
	struct served *s;
	bool keep = false;
	int rc = 0;

	pthread_mutex_lock(&files->lock);
	s = find(files, f, SERVED_MAPPED);
	if (s == NULL) {
		s = map(f, &rc);
		keep = s != NULL;
		if (keep)
			add(files, f, SERVED_MAPPED, s);
	}
	if (s != NULL) {
		s->refs++;
		*ret = s;
	}
	pthread_mutex_unlock(&files->lock);
	if (!keep)
		close(f->fd);
	return rc;
}

bool
served_is_unchanged(const struct served *s)
{
	struct stat st;

	return s->kind != SERVED_MAPPED ||
	       (fstat(s->fd, &st) == 0 && (uint64_t)st.st_size == s->size &&
		   st.st_mtim.tv_sec == s->mtime.tv_sec && st.st_mtim.tv_nsec == s->mtime.tv_nsec);
}

int
served_bytes(struct slice bytes, struct served **ret)
{
	struct served *s = malloc(sizeof(*s) + bytes.n);

	if (s == NULL)
		return -ENOMEM;
	*s = (struct served){ .size = bytes.n };
	if (bytes.n > 0) {
		memcpy(s + 1, bytes.p, bytes.n);
		s->data = (const uint8_t *)(s + 1);
	}
	*ret = s;
	return 0;
}

int
served_netascii(struct slice bytes, struct served **ret)
{
	struct served *s = malloc(sizeof(*s) + 2 * bytes.n), *shrunk;
	uint8_t *out;
	size_t size;

	if (s == NULL)
		return -ENOMEM;
	out = (uint8_t *)(s + 1);
	for (size_t i = 0; i < bytes.n; i++) {
		if (bytes.p[i] == '\n')
			*out++ = '\r';
		*out++ = bytes.p[i];
		if (bytes.p[i] == '\r')
			*out++ = '\0';
	}
	size = (size_t)(out - (uint8_t *)(s + 1));
	shrunk = realloc(s, sizeof(*s) + size);
	if (shrunk != NULL)
		s = shrunk;
	*s = (struct served){ .size = size, .data = (const uint8_t *)(s + 1) };
	*ret = s;
	return 0;
}

static uint64_t
cost(const struct served *s)
{
	return sizeof(*s) + s->size;
}

int
served_made(struct served_files *files, struct slice bytes, bool netascii, struct served **ret)
{
	struct served *s;
	int rc = netascii ? served_netascii(bytes, &s) : served_bytes(bytes, &s);

	if (rc < 0)
		return rc;
	if (atomic_fetch_add(&files->made, cost(s)) + cost(s) > SERVED_MADE_MAX) {
		atomic_fetch_sub(&files->made, cost(s));
		free(s);
		return -ENOMEM;
	}
	s->counted = true;
	*ret = s;
	return 0;
}

/* Reads a file whole and converts it: 0, or a negative errno. */
static int
convert(const struct content_file *f, struct served **ret)
{
	uint8_t *bytes = malloc((size_t)f->size + 1);
	size_t n = 0;
	int rc = 0;

	if (bytes == NULL)
		return -ENOMEM;
	while (n < f->size) {
		ssize_t got = read(f->fd, bytes + n, (size_t)f->size - n);

		if (got < 0) {
			rc = -errno;
			goto out;
		}
		if (got == 0)
			break;
		n += (size_t)got;
	}
	rc = served_netascii((struct slice){ bytes, n }, ret);
out:
	free(bytes);
	return rc;
}

/* One that is converted already gets another reader; NULL if there is none. */
static struct served *
share_converted(struct served_files *files, const struct content_file *f, int *ret_rc)
{
	struct served *s;

	pthread_mutex_lock(&files->lock);
	s = find(files, f, SERVED_NETASCII);
	if (s != NULL)
		s->refs++;
	/* before it is read: whoever asks for too much shall not cost that as well */
	*ret_rc = s == NULL && files->converted + f->size > SERVED_CONVERTED_MAX ? -ENOMEM : 0;
	pthread_mutex_unlock(&files->lock);
	return s;
}

/* Takes what was converted, unless another thread was quicker or there is too much of it. */
static int
keep_converted(struct served_files *files, const struct content_file *f, struct served *fresh,
    struct served **ret)
{
	struct served *s;
	int rc = 0;

	pthread_mutex_lock(&files->lock);
	s = find(files, f, SERVED_NETASCII);
	if (s == NULL && files->converted + fresh->size > SERVED_CONVERTED_MAX) {
		rc = -ENOMEM;
	} else if (s == NULL) {
		add(files, f, SERVED_NETASCII, fresh);
		s = fresh;
	}
	if (s != NULL) {
		s->refs++;
		*ret = s;
	}
	pthread_mutex_unlock(&files->lock);
	if (s != fresh)
		free(fresh);
	return rc;
}

int
served_netascii_file(struct served_files *files, struct content_file *f, struct served **ret)
{
	struct served *s = NULL;
	int rc = -EFBIG;

	if (f->size <= SERVED_NETASCII_MAX)
		s = share_converted(files, f, &rc);
	if (s != NULL) {
		*ret = s;
	} else if (rc == 0) {
		/* not under the lock, as it takes a while */
		rc = convert(f, &s);
		if (rc == 0)
			rc = keep_converted(files, f, s, ret);
	}
	close(f->fd);
	return rc;
}

void
served_release(struct served_files *files, struct served *s)
{
	bool last;

	if (s == NULL)
		return;
	if (s->kind == SERVED_BYTES) {
		if (s->counted)
			atomic_fetch_sub(&files->made, cost(s));
		free(s);
		return;
	}
	pthread_mutex_lock(&files->lock);
	last = --s->refs == 0;
	if (last) {
		*s->prev = s->next;
		if (s->next != NULL)
			s->next->prev = s->prev;
		files->n--;
		if (s->kind == SERVED_NETASCII)
			files->converted -= s->size;
	}
	pthread_mutex_unlock(&files->lock);
	if (!last)
		return;
	if (s->kind == SERVED_MAPPED) {
		if (s->data != NULL)
			munmap((void *)(uintptr_t)s->data, (size_t)s->size);
		close(s->fd);
	}
	free(s);
}
