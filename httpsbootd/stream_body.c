/*
 * Bodies of large answers, which do not pass through the engine: it writes their heads only; see
 * stream.h.  Without TLS the kernel sends them from the page cache (sendfile); with TLS they are
 * read, encrypted and sent in large pieces.  A file is read, not mapped: one that is cut meanwhile
 * gives a short read, and no signal.
 */
#include "httpsbootd/stream.h"

#include "httpsbootd/head.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define A_TURN    8             /* pieces before others get their turn */
#define SEND_FILE (1024 * 1024) /* by the kernel at once */

static void
free_head(struct tls_conn *c)
{
	free(c->head);
	c->head = NULL;
	c->head_n = 0;
}

static bool
is_changed(const struct delivery *d)
{
	struct stat st;

	return d->stays && (fstat(d->fd, &st) < 0 || st.st_mtim.tv_sec != d->mtime.tv_sec ||
			       st.st_mtim.tv_nsec != d->mtime.tv_nsec);
}

/*
 * How much of the body there is to be sent, in *ret; 0: the rest is not there yet.  False if it
 * never will be.
 */
static bool
look_for_more(struct tls_conn *c, uint64_t *ret)
{
	struct delivery *d = c->body;
	int64_t there = d->ready != NULL ? d->ready(d) : (int64_t)d->left;

	/* asked before the last piece: without it nobody takes what he has for a file */
	if (d->left <= (c->ssl != NULL ? PLAIN_BYTES : SEND_FILE) && is_changed(d))
		there = -1;
	c->starved = there == 0;
	c->file_failed = there < 0;
	*ret = there > 0 && (uint64_t)there < d->left ? (uint64_t)there : d->left;
	return there >= 0;
}

/* The head of what still grows does not wait for it.  False when the connection is broken. */
static bool
send_head(struct tls_conn *c)
{
	if (!stream_output(c, c->head, c->head_n) || !stream_flush(c))
		return false;
	free_head(c);
	return true;
}

/* Encrypts the next piece of a file, behind the head if that still waits. */
static bool
send_encrypted(struct tls_conn *c, uint64_t there)
{
	struct delivery *d = c->body;
	uint8_t *p = c->front->plain;
	size_t n = PLAIN_BYTES, room;
	ssize_t got;

	if (c->head != NULL)
		memcpy(p, c->head, c->head_n);
	room = n - c->head_n;
	n = there < room ? (size_t)there : room;
	do {
		got = pread(d->fd, p + c->head_n, n, (off_t)d->offset);
	} while (got < 0 && errno == EINTR);
	c->file_failed = got <= 0;
	if (got <= 0 || !stream_output(c, p, c->head_n + (size_t)got))
		return false;
	free_head(c);
	d->offset += (size_t)got;
	d->left -= (size_t)got;
	return stream_flush(c);
}

/* Lets the kernel send from a file.  *blocked: the client takes no more now. */
static bool
send_plain(struct tls_conn *c, uint64_t there, bool *blocked)
{
	struct delivery *d = c->body;
	off_t offset = (off_t)d->offset;
	ssize_t n;

	if (c->head != NULL) {
		if (!send_head(c))
			return false;
		if (stream_is_blocked(c))
			return true;
	}
	n = sendfile(c->client.fd, d->fd, &offset, there < SEND_FILE ? there : SEND_FILE);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		*blocked = errno == EAGAIN;
		return true;
	}
	/* of the two it is the socket that fails with these */
	c->file_failed = n == 0 || (n < 0 && errno != EPIPE && errno != ECONNRESET &&
				       errno != ETIMEDOUT && errno != EHOSTUNREACH);
	if (n <= 0)
		return false;
	d->offset += (size_t)n;
	d->left -= (size_t)n;
	c->moved_ms = loop_now_ms(c->front->loop);
	return true;
}

bool
stream_pump_body(struct tls_conn *c)
{
	struct delivery *d = c->body;
	bool blocked = false;
	uint64_t there;

	if (d->ready != NULL && c->head != NULL && !stream_is_blocked(c) && !send_head(c))
		return false;
	for (int i = 0; i < A_TURN && !blocked && d->left > 0 && !stream_is_blocked(c); i++) {
		if (!look_for_more(c, &there))
			return false;
		if (c->starved)
			break;
		if (c->ssl != NULL ? !send_encrypted(c, there) : !send_plain(c, there, &blocked))
			return false;
	}
	if (d->left == 0 && !stream_is_blocked(c)) {
		c->body = NULL;
		c->starved = false;
		d->ended(d, DELIVERY_COMPLETE);
	}
	return true;
}

/* --- what exchanges ask for ------------------------------------------------------------------ */

int
tls_body_expect(struct tls_conn *c)
{
	struct tls_front *t = c->front;
	ssize_t n;

	assert(c->body == NULL);
	if (c->gone || c->broken || c->engine.fd < 0)
		return -ECONNRESET;
	stream_make_ready(c);
	/* earlier answers, and "100 Continue", go first: what comes then is the head alone */
	while ((n = recv(c->engine.fd, t->plain, sizeof(t->plain), 0)) > 0) {
		if (!stream_output(c, t->plain, (size_t)n) || !stream_flush(c)) {
			t->out_n = 0;
			c->broken = true;
			return -ECONNRESET;
		}
	}
	c->holding = true;
	return 0;
}

int
tls_body_begin(struct tls_conn *c, struct delivery *d)
{
	uint8_t *head = c->front->plain;
	ssize_t n;
	int rc;

	if (c->gone || c->broken || c->engine.fd < 0)
		return -ECONNRESET;
	stream_make_ready(c);
	c->holding = false;
	n = recv(c->engine.fd, head, PLAIN_BYTES - HEAD_LENGTH_DIGITS, 0);
	rc = n <= 0 ? -ECONNRESET : head_put_length(head, (size_t)n, d->left);
	if (rc > 0) {
		c->head = malloc((size_t)rc);
		if (c->head == NULL)
			rc = -ENOMEM;
	}
	if (rc < 0) {
		c->broken = true;
		return rc;
	}
	memcpy(c->head, head, (size_t)rc);
	c->head_n = (size_t)rc;
	c->body = d;
	return 0;
}

void
tls_body_forget(struct tls_conn *c)
{
	c->holding = false;
	stream_make_ready(c);
}

void
tls_body_go_on(struct tls_conn *c)
{
	if (c->gone || !c->starved)
		return;
	c->starved = false;
	c->moved_ms = loop_now_ms(c->front->loop);
	stream_make_ready(c);
}

struct delivery *
tls_body_of(const struct tls_conn *c)
{
	return c->body;
}
