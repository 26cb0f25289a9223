/* See token_file.h. */
#include "handlerd/token_file.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What an earlier process left, of a size of its own. */
static void
take_over(struct token_uses *t, const char *path, uint64_t now_ms)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	void *p = MAP_FAILED;
	struct stat st;
	int rc = -EBADMSG;

	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0 || fstat(fd, &st) < 0) {
		rc = -errno;
	} else if (S_ISREG(st.st_mode) && st.st_size > 0) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		rc = p == MAP_FAILED
		         ? -errno
		         : token_uses_take(t, (struct slice){ p, (size_t)st.st_size }, now_ms);
	}
	if (p != MAP_FAILED)
		munmap(p, (size_t)st.st_size);
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		log_warnx("tokens: \"%s\": %s; how often tokens were used begins anew", path,
		    rc == -EBADMSG ? "it is damaged" : strerror(-rc));
}

/* Zeros, mapped from a new file; NULL with errno. */
static void *
make_ring(const char *path, size_t bytes)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	void *p = MAP_FAILED;

	if (fd < 0)
		return NULL;
	/* all of it now: a full disk must not show when memory is written to */
	errno = posix_fallocate(fd, 0, (off_t)bytes);
	if (errno == 0)
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED) { /* a disk that is full shall not stay so by a part of it */
		int saved = errno;

		(void)unlink(path);
		errno = saved;
		return NULL;
	}
	return p;
}

int
token_file_open(const char *path, size_t limit, uint64_t now_ms, struct token_file *ret)
{
	struct token_file f = { .bytes = token_uses_bytes(limit) };
	char fresh[4096 + 8];

	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	f.ring = make_ring(fresh, f.bytes);
	if (f.ring == NULL)
		log_warn("tokens: \"%s\": uses are counted in memory, and a restart forgets them",
		    fresh);
	if (token_uses_new(limit, f.ring, &f.uses) < 0) {
		token_file_close(&f);
		return -ENOMEM;
	}
	take_over(f.uses, path, now_ms);
	/* only now: killed before, the next start finds the old one */
	if (f.ring != NULL && rename(fresh, path) < 0)
		log_warn("tokens: \"%s\": a restart forgets how often tokens were used", path);
	*ret = f;
	return 0;
}

void
token_file_close(struct token_file *f)
{
	token_uses_free(f->uses);
	if (f->ring != NULL)
		munmap(f->ring, f->bytes);
	*f = (struct token_file){ 0 };
}
