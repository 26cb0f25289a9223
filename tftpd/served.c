/* See served.h. */
#include "tftpd/served.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct served *
find(const struct served_files *files, const struct content_file *f)
{
	struct served *s = files->first;

	while (s != NULL &&
	       (s->inode != f->inode || s->device != f->device || s->size != f->size ||
		   s->mtime.tv_sec != f->mtime.tv_sec || s->mtime.tv_nsec != f->mtime.tv_nsec))
		s = s->next;
	return s;
}

int
served_file(struct served_files *files, struct content_file *f, struct served **ret)
{
	struct served *s = find(files, f);
	int rc = 0;

	if (s != NULL) {
		close(f->fd);
		s->refs++;
		*ret = s;
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		rc = -ENOMEM;
	} else if (f->size > 0) {
		void *p = f->size > SIZE_MAX
		              ? MAP_FAILED
		              : mmap(NULL, (size_t)f->size, PROT_READ, MAP_SHARED, f->fd, 0);

		if (p == MAP_FAILED)
			rc = -errno;
		else
			s->data = p;
	}
	close(f->fd);
	if (rc < 0) {
		free(s);
		return rc;
	}
	s->refs = 1;
	s->size = f->size;
	s->mapped = true;
	s->inode = f->inode;
	s->device = f->device;
	s->mtime = f->mtime;
	s->next = files->first;
	s->prev = &files->first;
	if (s->next != NULL)
		s->next->prev = &s->next;
	files->first = s;
	files->n++;
	*ret = s;
	return 0;
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
	if (s == NULL || --s->refs > 0)
		return;
	if (s->mapped) {
		*s->prev = s->next;
		if (s->next != NULL)
			s->next->prev = s->prev;
		files->n--;
		if (s->data != NULL)
			munmap((void *)(uintptr_t)s->data, (size_t)s->size);
	}
	free(s);
}
