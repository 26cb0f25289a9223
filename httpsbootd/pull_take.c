/*
 * What the origin sends; see pull.h.  It is written to the cache at once, and those who wait for it
 * read it there.
 */
#include "httpsbootd/httpdate.h"
#include "httpsbootd/pull_parts.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* Room that is asked for at once for a file whose size is not known. */
#define STEP_BYTES (16u << 20)

static uint64_t
tag_of(const char *etag)
{
	uint8_t digest[DIGEST_BYTES];
	uint64_t tag = 0;

	/* every server that fetches this version from there then has the same */
	if (etag[0] == '"')
		digest_bytes(slice_str(etag), digest);
	else if (getrandom(digest, sizeof(tag), 0) != (ssize_t)sizeof(tag))
		memset(digest, 0, sizeof(digest)); /* size and date are left to tell them apart */
	memcpy(&tag, digest, sizeof(tag));
	return tag;
}

/* What the head says of the file. */
static void
note_head(struct fetch *f, const struct http_head *head)
{
	struct keep_note *note = &f->note;
	uint64_t now_ms = wall_clock_ms();

	memcpy(note->path, f->p->file->item.path, sizeof(note->path));
	if (strlen(head->etag) < sizeof(note->etag))
		(void)snprintf(note->etag, sizeof(note->etag), "%s", head->etag);
	note->dated = httpdate_parse(head->modified, &note->modified_s) == 0;
	if (!note->dated)
		note->modified_s = (int64_t)(now_ms / 1000);
	note->tag = tag_of(note->etag);
	note->checked_ms = now_ms;
	f->no_store = strcasestr(head->cache_control, "no-store") != NULL;
}

static void
publish_head(struct fetch *f, int64_t size)
{
	struct pulled *p = f->p;

	p->tag = f->note.tag;
	p->modified_s = f->note.modified_s;
	if (size < 0)
		return;
	atomic_store(&p->size, (uint64_t)size);
	if (!f->head)
		atomic_store_explicit(&p->state, PULL_STREAMING, memory_order_release);
}

/*
 * Lists of folders, and what gateways and login forms say with status 200, which would be kept as
 * the file.
 */
static bool
is_page(const char *type, const char *path)
{
	const char *end = strrchr(path, '.');

	if (strncasecmp(type, "text/html", 9) != 0 &&
	    strncasecmp(type, "application/xhtml", 17) != 0)
		return false;
	return end == NULL || (strcasecmp(end, ".html") != 0 && strcasecmp(end, ".htm") != 0 &&
				  strcasecmp(end, ".xhtml") != 0);
}

static int
on_head(void *arg, const struct http_head *head)
{
	struct fetch *f = arg;
	struct pull *pull = f->pull;
	int64_t size = -1;
	int rc;

	if (f->again)
		return fetch_go_on(f, head);
	if (head->status != 200)
		return fetch_fault(f, -EAGAIN, "the origin answered with another status than 200");
	if (head->encoding[0] != '\0' && strcasecmp(head->encoding, "identity") != 0)
		return fetch_fault(f, -EAGAIN, "the origin sends the file encoded");
	if (is_page(head->type, f->p->file->item.path))
		return fetch_fault(
		    f, -EACCES, "the origin sends a web page instead of the file: a login?");
	note_head(f, head);
	pull_lock(pull);
	f->fault = keep_check_head(
	    &f->want, head->length, head->framed, pull->conf.max_bytes, &size, &f->fault_text);
	pull_unlock(pull);
	if (f->fault < 0)
		return f->fault;
	if (f->head && size < 0)
		return fetch_fault(f, -EAGAIN, "the origin does not tell the file's size");
	f->length = size;
	fetch_mark(f, head);
	rc = f->head ? 0 : fetch_reserve(f, size > 0 ? (uint64_t)size : 0);
	if (rc == 0 && !f->head)
		rc = fetch_open_part(f, size);
	if (rc < 0)
		return rc;
	pull_lock(pull);
	publish_head(f, size);
	pull_unlock(pull);
	pull_wake(pull);
	return 0;
}

/* How much room to ask for, of which so much is needed: others are not to go for nothing. */
static uint64_t
step_of(const struct fetch *f, uint64_t needed)
{
	uint64_t part = f->pull->conf.max_bytes / 16, left = f->pull->conf.max_bytes - f->reserved;
	uint64_t step = part < STEP_BYTES ? part : STEP_BYTES;

	if (step > left)
		step = left;
	return step > needed ? step : needed;
}

static int
on_body(void *arg, struct slice bytes)
{
	struct fetch *f = arg;
	uint64_t came = atomic_load(&f->p->came);
	int rc = 0;

	if (f->head)
		return 0;
	if (f->pass_over > 0) {
		uint64_t n = bytes.n < f->pass_over ? bytes.n : f->pass_over;

		f->pass_over -= n;
		bytes.p += n;
		bytes.n -= n;
	}
	if (f->length >= 0 && bytes.n > (uint64_t)f->length - came)
		return fetch_fault(f, -EBADMSG, "the origin sent more than the file");
	while (rc == 0 && f->length < 0 && came + bytes.n > f->reserved)
		rc = fetch_reserve(f, step_of(f, came + bytes.n - f->reserved));
	if (rc == 0)
		rc = fetch_write_part(f, came, bytes);
	if (rc < 0)
		return rc;
	if (EVP_DigestUpdate(f->digest, bytes.p, bytes.n) != 1)
		return fetch_fault(f, -EAGAIN, "out of memory");
	atomic_store_explicit(&f->p->came, came + bytes.n, memory_order_release);
	PULL_ADD(f->pull, bytes, bytes.n);
	return 0;
}

const struct http_sink fetch_sink = { on_head, on_body };
