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

static bool
is_same(const struct served *s, const struct content_file *f)
{
	return s->inode == f->inode && s->device == f->device && s->size == f->size &&
	       s->mtime.tv_sec == f->mtime.tv_sec && s->mtime.tv_nsec == f->mtime.tv_nsec;
}

/* Maps a file: 0, or a negative errno. */
static int
map(const struct content_file *f, struct served **ret)
{
	struct served *s = calloc(1, sizeof(*s));
	void *p = NULL;

	if (s == NULL)
		return -ENOMEM;
	if (f->size > SIZE_MAX) {
		free(s);
		return -EFBIG;
	}
	if (f->size > 0)
		p = mmap(NULL, (size_t)f->size, PROT_READ, MAP_SHARED, f->fd, 0);
	if (p == MAP_FAILED) {
		int rc = -errno;

		free(s);
		return rc;
	}
	s->data = p;
	s->size = f->size;
	s->mapped = true;
	s->fd = f->fd;
	s->inode = f->inode;
	s->device = f->device;
	s->mtime = f->mtime;
	*ret = s;
	return 0;
}

int
served_file(struct served_files *files, struct content_file *f, struct served **ret)
{
	struct served **first = chain(files, f->inode), *s;
	bool keep = false;
	int rc = 0;

	pthread_mutex_lock(&files->lock);
	for (s = *first; s != NULL && !is_same(s, f); s = s->next)
		;
	if (s == NULL) {
		rc = map(f, &s);
		keep = rc == 0;
		if (keep) {
			assert(s != NULL); /* as clang-tidy does not see */
			s->next = *first;
			s->prev = first;
			if (s->next != NULL)
				s->next->prev = &s->next;
			*first = s;
			files->n++;
		}
	}
	if (rc == 0) {
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

	return !s->mapped ||
	       (fstat(s->fd, &st) == 0 && (uint64_t)st.st_size == s->size &&
		   st.st_mtim.tv_sec == s->mtime.tv_sec && st.st_mtim.tv_nsec == s->mtime.tv_nsec);
}

int
served_bytes(struct slice bytes, struct served **ret)
{
	struct served *s = malloc(sizeof(*s) + bytes.n);

	if (s == NULL)
		return -ENOMEM;
	*s = (struct served){ .refs = 1, .size = bytes.n };
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
	struct served *s = malloc(sizeof(*s) + 2 * bytes.n);
	uint8_t *out;

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
	*s = (struct served){ .refs = 1, .size = (uint64_t)(out - (uint8_t *)(s + 1)) };
	s->data = (const uint8_t *)(s + 1);
	*ret = s;
	return 0;
}

int
served_netascii_file(struct content_file *f, struct served **ret)
{
	uint8_t *bytes = NULL;
	size_t n = 0;
	int rc = -EFBIG;

	if (f->size > SERVED_NETASCII_MAX)
		goto out;
	rc = -ENOMEM;
	bytes = malloc((size_t)f->size + 1);
	if (bytes == NULL)
		goto out;
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
	close(f->fd);
	return rc;
}

void
served_release(struct served_files *files, struct served *s)
{
	bool last;

	if (s == NULL)
		return;
	if (!s->mapped) { /* of one transfer */
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
	}
	pthread_mutex_unlock(&files->lock);
	if (!last)
		return;
	if (s->data != NULL)
		munmap((void *)(uintptr_t)s->data, (size_t)s->size);
	close(s->fd);
	free(s);
}
