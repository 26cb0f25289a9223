/* The journal; see journal.h. */
#include "handlerd/journal.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC        UINT64_C(0x42464a524e4c3031) /* "BFJRNL01" */
#define HEADER_BYTES 4096u
#define ALIGN        8u
#define WRAP         UINT32_MAX /* length of a mark: the next record is at the ring's start */

struct header {
	uint64_t magic;
	uint64_t generation;
	uint64_t size; /* of the ring */
};

/* In front of each record; written last, so that a torn record is none. */
struct frame {
	uint64_t pos; /* its own position: an older lap's frame shows another */
	uint32_t n;
	uint32_t sum;
};

struct journal {
	struct header *header;
	uint8_t *ring;
	uint64_t size;
	_Atomic uint64_t head, tail;
};

static uint32_t
checksum(uint64_t pos, uint32_t n, const uint8_t *p)
{
	uint32_t h = 0x811c9dc5u ^ (uint32_t)pos ^ n;

	for (uint32_t i = 0; n != WRAP && i < n; i++)
		h = (h ^ p[i]) * 0x01000193u;
	return h;
}

static uint64_t
padded(uint64_t n)
{
	return (n + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
}

/* The frame at a position, if there is a whole record of this lap. */
static bool
read_frame(const struct journal *j, uint64_t pos, struct frame *f)
{
	uint64_t at = pos % j->size, room = j->size - at;

	if (room < sizeof(*f))
		return false;
	memcpy(f, j->ring + at, sizeof(*f));
	if (f->pos != pos)
		return false;
	if (f->n != WRAP && (f->n > JOURNAL_RECORD_MAX || sizeof(*f) + f->n > room))
		return false;
	return f->sum == checksum(pos, f->n, j->ring + at + sizeof(*f));
}

/* The position behind a record, or behind the rest of the lap for a wrap mark. */
static uint64_t
behind(const struct journal *j, uint64_t pos, const struct frame *f)
{
	if (f->n == WRAP)
		return pos + (j->size - pos % j->size);
	return pos + padded(sizeof(*f) + f->n);
}

/* Too little room for a frame at the lap's end: skipped without a mark. */
static uint64_t
skip_rest(const struct journal *j, uint64_t pos)
{
	uint64_t room = j->size - pos % j->size;

	return room < sizeof(struct frame) ? pos + room : pos;
}

static void
find_head(struct journal *j, uint64_t tail)
{
	uint64_t pos = skip_rest(j, tail);
	struct frame f;

	while (read_frame(j, pos, &f))
		pos = skip_rest(j, behind(j, pos, &f));
	j->tail = tail;
	j->head = pos;
}

int
journal_open(const char *path, uint64_t generation, uint64_t tail, struct journal **ret)
{
	struct journal *j = calloc(1, sizeof(*j));
	size_t total = HEADER_BYTES + JOURNAL_BYTES;
	int fd = -1, rc;
	void *p;

	if (j == NULL)
		return -ENOMEM;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0)
		goto fail;
	/* all of it now: a full disk must not show when memory is written to */
	errno = posix_fallocate(fd, 0, (off_t)total);
	if (errno != 0)
		goto fail;
	p = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		goto fail;
	close(fd);
	j->header = p;
	j->ring = (uint8_t *)p + HEADER_BYTES;
	j->size = JOURNAL_BYTES;
	if (j->header->magic == MAGIC && j->header->size == j->size && generation != 0 &&
	    j->header->generation == generation) {
		find_head(j, tail);
	} else {
		uint64_t fresh = 0;

		while (fresh == 0 || fresh == generation) {
			if (getrandom(&fresh, sizeof(fresh), 0) < 0)
				fresh = generation + 1;
		}
		memset(j->ring, 0, j->size);
		*j->header = (struct header){ MAGIC, fresh, j->size };
		/* a frame's position is never 0, which an empty ring is full of */
		j->head = j->tail = j->size;
	}
	*ret = j;
	return 0;
fail:
	rc = -errno;
	log_errx("store: journal \"%s\": %s", path, strerror(-rc));
	if (fd >= 0)
		close(fd);
	free(j);
	return rc;
}

void
journal_close(struct journal *j)
{
	if (j == NULL)
		return;
	munmap(j->header, HEADER_BYTES + JOURNAL_BYTES);
	free(j);
}

uint64_t
journal_generation(const struct journal *j)
{
	return j->header->generation;
}

static void
write_frame(struct journal *j, uint64_t pos, uint32_t n, const uint8_t *p)
{
	struct frame f = { pos, n, checksum(pos, n, p) };
	uint8_t *at = j->ring + pos % j->size;

	if (n != WRAP)
		memcpy(at + sizeof(f), p, n);
	/* the record before its frame, also for who looks after this process was killed */
	atomic_thread_fence(memory_order_release);
	memcpy(at, &f, sizeof(f));
}

int
journal_put(struct journal *j, struct slice record)
{
	uint64_t head = atomic_load_explicit(&j->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&j->tail, memory_order_acquire);
	uint64_t need = padded(sizeof(struct frame) + record.n);
	uint64_t room = j->size - head % j->size;
	uint64_t start = room < need ? head + room : head;

	if (record.n > JOURNAL_RECORD_MAX || start + need - tail > j->size - ALIGN)
		return -ENOSPC;
	if (start != head && room >= sizeof(struct frame))
		write_frame(j, head, WRAP, NULL);
	write_frame(j, start, (uint32_t)record.n, record.p);
	atomic_store_explicit(&j->head, start + need, memory_order_release);
	return 0;
}

bool
journal_has_room(const struct journal *j)
{
	return atomic_load(&j->head) - atomic_load(&j->tail) < j->size / 4 * 3;
}

int
journal_next(struct journal *j, uint64_t *pos, struct slice *ret)
{
	uint64_t head = atomic_load_explicit(&j->head, memory_order_acquire);
	uint64_t at = skip_rest(j, *pos);
	struct frame f;

	while (at < head) {
		if (!read_frame(j, at, &f)) {
			/* cannot be, as only whole records lie before head; but not for ever */
			*pos = head;
			return -EAGAIN;
		}
		if (f.n == WRAP) {
			at = behind(j, at, &f);
			continue;
		}
		*ret = (struct slice){ j->ring + at % j->size + sizeof(f), f.n };
		*pos = behind(j, at, &f);
		return 0;
	}
	return -EAGAIN;
}

uint64_t
journal_tail(const struct journal *j)
{
	return atomic_load(&j->tail);
}

uint64_t
journal_head(const struct journal *j)
{
	return atomic_load(&j->head);
}

void
journal_release(struct journal *j, uint64_t pos)
{
	atomic_store_explicit(&j->tail, pos, memory_order_release);
}
