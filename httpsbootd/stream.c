/*
 * How bytes move; see stream.h.
 *
 * What goes to a client in one turn gathers in one buffer of the front, however many TLS records it
 * makes, and leaves in one send.  What the client does not take is kept with its connection, and
 * until that is gone nothing more is made for it: a slow client costs one piece, an idle one
 * nothing.
 */
#include "httpsbootd/stream.h"

#include "common/log.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define A_TURN 8 /* pieces before others get their turn */
/* With more than this unsent, nothing is read: TLS itself answers to some records (KeyUpdate). */
#define OUTPUT_BYTES (64 * 1024)
/* What is read behind a request that was refused, and for how long after the answer. */
#define DROP_BYTES (4u << 20)
#define LINGER_MS  1000

void
stream_make_ready(struct tls_conn *c)
{
	struct tls_front *t = c->front;

	if (c->gone || c->ready_prev != NULL)
		return;
	c->ready_next = t->ready;
	c->ready_prev = &t->ready;
	if (c->ready_next != NULL)
		c->ready_next->ready_prev = &c->ready_next;
	t->ready = c;
}

void
stream_drop_engine(struct tls_conn *c)
{
	if (c->engine.fd < 0)
		return;
	loop_close(c->front->loop, &c->engine);
	c->engine.fd = -1;
	free(c->in);
	c->in = NULL;
	c->in_n = c->in_off = 0;
	c->fed = 0;
}

/* --- to the client -------------------------------------------------------------------------- */

/* Room for n more octets of output; NULL when out of memory. */
static uint8_t *
reserve(struct tls_front *t, size_t n)
{
	if (t->out_n + n > t->out_size) {
		size_t size = t->out_size == 0 ? PLAIN_BYTES + PLAIN_BYTES / 8 : t->out_size;
		uint8_t *p;

		while (size < t->out_n + n)
			size *= 2;
		p = realloc(t->out, size);
		if (p == NULL)
			return NULL;
		t->out = p;
		t->out_size = size;
	}
	return t->out + t->out_n;
}

/*
 * Reads from a client's socket.  A call that gave less than was asked for has emptied it: until
 * epoll tells of more, no other is made.
 */
static ssize_t
receive_raw(struct tls_conn *c, void *dst, size_t size)
{
	ssize_t n = -1;

	errno = EAGAIN;
	while (c->readable) {
		n = recv(c->client.fd, dst, size, 0);
		if (n < 0 && errno == EINTR)
			continue;
		c->readable = n == (ssize_t)size;
		break;
	}
	c->eof |= n == 0;
	return n;
}

static int
on_bio_read(BIO *bio, char *dst, int size)
{
	ssize_t n = receive_raw(BIO_get_data(bio), dst, (size_t)size);

	BIO_clear_retry_flags(bio);
	if (n < 0 && errno == EAGAIN)
		BIO_set_retry_read(bio);
	return (int)n;
}

static int
on_bio_write(BIO *bio, const char *p, int n)
{
	const struct tls_conn *c = BIO_get_data(bio);
	struct tls_front *t = c->front;
	uint8_t *dst = n > 0 ? reserve(t, (size_t)n) : NULL;

	if (dst == NULL)
		return -1;
	memcpy(dst, p, (size_t)n);
	t->out_n += (size_t)n;
	return n;
}

static long
on_bio_ctrl(BIO *bio, int command, long number, void *p)
{
	const struct tls_conn *c = BIO_get_data(bio);

	(void)number;
	(void)p;
	return command == BIO_CTRL_FLUSH || (command == BIO_CTRL_EOF && c->eof);
}

static int
on_bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

BIO_METHOD *
stream_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bootferry");

	if (m == NULL)
		return NULL;
	(void)BIO_meth_set_read(m, on_bio_read); /* these cannot fail */
	(void)BIO_meth_set_write(m, on_bio_write);
	(void)BIO_meth_set_ctrl(m, on_bio_ctrl);
	(void)BIO_meth_set_create(m, on_bio_create);
	return m;
}

bool
stream_output(struct tls_conn *c, const uint8_t *p, size_t n)
{
	uint8_t *dst;

	if (c->ssl == NULL) {
		dst = reserve(c->front, n);
		if (dst == NULL)
			return false;
		memcpy(dst, p, n);
		c->front->out_n += n;
		return true;
	}
	while (n > 0) {
		int k;

		ERR_clear_error();
		k = SSL_write(c->ssl, p, (int)n);
		if (k <= 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

bool
stream_is_blocked(const struct tls_conn *c)
{
	return c->rest_n > 0 && !c->lazy;
}

/* Sends what waits, then n octets more: how many it took of them all.  Negative: it is gone. */
static ssize_t
send_some(struct tls_conn *c, uint8_t *p, size_t n)
{
	struct iovec iov[2] = {
		{ .iov_base = c->rest + c->rest_off, .iov_len = c->rest_n },
		{ .iov_base = p, .iov_len = n },
	};
	struct msghdr m = { .msg_iov = c->rest_n > 0 ? iov : iov + 1,
		.msg_iovlen = c->rest_n > 0 ? 2 : 1 };
	/* the file follows at once, and fills the segment */
	int flags = MSG_NOSIGNAL | (c->ssl == NULL && c->body != NULL ? MSG_MORE : 0);
	ssize_t sent;

	do {
		sent = sendmsg(c->client.fd, &m, flags);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EAGAIN ? 0 : -1;
	c->moved_ms = loop_now_ms(c->front->loop);
	return sent;
}

/* Keeps output that the client does not take now. */
static bool
keep(struct tls_conn *c, const uint8_t *p, size_t n)
{
	uint8_t *fresh;

	if (n == 0)
		return true;
	fresh = malloc(c->rest_n + n);
	if (fresh == NULL)
		return false;
	if (c->rest_n > 0)
		memcpy(fresh, c->rest + c->rest_off, c->rest_n);
	memcpy(fresh + c->rest_n, p, n);
	free(c->rest);
	c->rest = fresh;
	c->rest_n += n;
	c->rest_off = 0;
	return true;
}

bool
stream_keep(struct tls_conn *c)
{
	struct tls_front *t = c->front;
	size_t n = t->out_n;

	t->out_n = 0;
	c->lazy = n > 0;
	return keep(c, t->out, n);
}

bool
stream_flush(struct tls_conn *c)
{
	struct tls_front *t = c->front;
	size_t sent, of_rest, n = t->out_n;
	ssize_t rc;

	if (n == 0 && (c->rest_n == 0 || c->lazy))
		return true;
	t->out_n = 0;
	c->lazy = false;
	rc = send_some(c, t->out, n);
	if (rc < 0)
		return false;
	sent = (size_t)rc;
	of_rest = sent < c->rest_n ? sent : c->rest_n;
	c->rest_off += of_rest;
	c->rest_n -= of_rest;
	if (c->rest_n == 0) {
		free(c->rest);
		c->rest = NULL;
		c->rest_off = 0;
	}
	return keep(c, t->out + (sent - of_rest), n - (sent - of_rest));
}

/* --- from the client to the engine ---------------------------------------------------------- */

/* Hands on what the engine did not take at once; it may have closed its end with some unread. */
static void
feed(struct tls_conn *c)
{
	while (c->in_n > 0) {
		ssize_t n = send(c->engine.fd, c->in + c->in_off, c->in_n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			c->in_n = 0;
			c->client_done = true; /* nobody wants the rest */
			break;
		}
		c->front->ops->fed(c->front->arg);
		c->in_off += (size_t)n;
		c->in_n -= (size_t)n;
	}
	free(c->in);
	c->in = NULL;
	c->in_off = 0;
}

/* Keeps octets for the engine, behind those that it has not taken. */
static bool
keep_input(struct tls_conn *c, struct slice s)
{
	uint8_t *in;

	if (s.n == 0)
		return true;
	in = malloc(c->in_n + s.n);
	if (in == NULL)
		return false;
	if (c->in_n > 0)
		memcpy(in, c->in + c->in_off, c->in_n);
	memcpy(in + c->in_n, s.p, s.n);
	free(c->in);
	c->in = in;
	c->in_n += s.n;
	c->in_off = 0;
	return true;
}

/* Gives octets to the engine, or keeps them for it. */
static bool
give(struct tls_conn *c, struct slice s)
{
	struct tls_front *t = c->front;
	ssize_t sent = -1;

	if (c->engine.fd < 0 && tls_conn_connect(c) < 0) {
		log_peer_warn("https: no room for another connection");
		return false;
	}
	errno = EAGAIN;
	while (c->in_n == 0) {
		sent = send(c->engine.fd, s.p, s.n, MSG_NOSIGNAL);
		if (sent >= 0 || errno != EINTR)
			break;
	}
	if (sent < 0 && errno != EAGAIN) {
		c->client_done = true; /* nobody wants the rest */
		return true;
	}
	t->ops->fed(t->arg);
	c->fed += s.n;
	if (sent > 0) {
		s.p += sent;
		s.n -= (size_t)sent;
	}
	return keep_input(c, s);
}

/* Gives the engine what is fit for it of n octets in the front's input buffer. */
static bool
take(struct tls_conn *c, size_t n)
{
	struct tls_front *t = c->front;
	struct slice s = { t->input, 0 }, next;
	uint8_t *p = t->input;

	while (!c->client_done && gate_next(&c->gate, t->max_head, &p, &n, t->room, &next)) {
		bool in_input = next.p >= t->input && next.p < t->input + sizeof(t->input);

		if (next.p == s.p + s.n) { /* a form behind its head */
			s.n += next.n;
			continue;
		}
		if (s.n > 0 && !give(c, s))
			return false;
		s = in_input ? next : (struct slice){ p, 0 };
		if (!in_input && !give(c, next)) /* stays valid until the next turn only */
			return false;
	}
	if (c->gate.idle > DROP_BYTES && c->gate.state == GATE_REFUSED)
		c->client_done = true;
	return !gate_is_broken(&c->gate) && (s.n == 0 || give(c, s));
}

/* The client sends no more. */
static void
end_input(struct tls_conn *c)
{
	c->client_done = true;
	if (c->engine.fd >= 0)
		(void)shutdown(c->engine.fd, SHUT_WR); /* closed already, if it fails */
}

/* Octets of the client, decrypted, in the front's input buffer: how many; 0: none now; negative:
 * the connection is broken. */
static ssize_t
receive(struct tls_conn *c)
{
	struct tls_front *t = c->front;
	ssize_t n;

	if (c->ssl == NULL) {
		n = receive_raw(c, t->input, sizeof(t->input));
		if (n == 0)
			end_input(c);
		return n < 0 && errno == EAGAIN ? 0 : n;
	}
	ERR_clear_error();
	n = SSL_read(c->ssl, t->input, sizeof(t->input));
	if (n > 0)
		return n;
	switch (SSL_get_error(c->ssl, (int)n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: return 0;
	case SSL_ERROR_ZERO_RETURN: end_input(c); return 0;
	default: return -1;
	}
}

/* Client to engine.  False when the connection is broken. */
static bool
pump_in(struct tls_conn *c)
{
	while (!c->client_done && !c->engine_done && c->in_n == 0 && c->rest_n <= OUTPUT_BYTES) {
		ssize_t n = receive(c);

		if (n <= 0)
			return n == 0;
		c->moved_ms = loop_now_ms(c->front->loop);
		if (!take(c, (size_t)n))
			return false;
	}
	return true;
}

/* --- from the engine to the client ---------------------------------------------------------- */

/* Engine to client.  False when the connection is broken. */
static bool
pump_out(struct tls_conn *c)
{
	struct tls_front *t = c->front;

	for (int i = 0; i < A_TURN; i++) {
		ssize_t n;

		if (c->engine.fd < 0 || stream_is_blocked(c) || c->body != NULL || c->holding)
			return true;
		n = recv(c->engine.fd, t->plain, sizeof(t->plain), 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n <= 0) {
			/* its end is closed and would be reported for ever */
			stream_drop_engine(c);
			c->engine_done = true;
			if (c->ssl != NULL)
				(void)SSL_shutdown(c->ssl); /* goes out with the rest, or not */
		} else if (!stream_output(c, t->plain, (size_t)n)) {
			return false;
		}
		/* when the engine has closed its end, that is told in the same segment */
		if (n > 0 && c->held == 0)
			continue;
		if (!stream_flush(c))
			return false;
		if (n > 0 && (size_t)n < sizeof(t->plain))
			return true; /* that was all */
	}
	return true;
}

/*
 * A client that was answered before it had sent all may still be sending.  That is thrown away for
 * a while: the kernel would answer it with a reset, and the client might not see what was wrong
 * (RFC 9112 section 9.6).  False when that is over.
 */
static bool
linger(struct tls_conn *c)
{
	struct tls_front *t = c->front;
	ssize_t n = 0;

	if (!c->lingers) {
		if (c->gate.state == GATE_HEAD || c->eof || shutdown(c->client.fd, SHUT_WR) < 0)
			return false;
		c->lingers = true;
		(void)loop_timer_set(t->loop, &c->timer, LINGER_MS); /* has its place */
	}
	for (int i = 0; i < A_TURN; i++) {
		n = receive_raw(c, t->input, sizeof(t->input));
		if (n <= 0)
			break;
		c->gate.idle += (size_t)n;
	}
	return (n > 0 || (n < 0 && errno == EAGAIN)) && c->gate.idle <= DROP_BYTES;
}

bool
stream_move(struct tls_conn *c)
{
	if (c->lingers)
		return linger(c);
	if (c->broken || !stream_flush(c))
		return false;
	if (c->engine.fd >= 0)
		feed(c);
	if (!pump_in(c))
		return false;
	if (c->engine.fd < 0)
		c->lazy = false; /* no answer is due with which it could go */
	if ((c->body != NULL && !stream_pump_body(c)) || !pump_out(c) || !stream_flush(c))
		return false;
	if (c->rest_n > 0 || c->body != NULL)
		return true;
	if (c->engine_done)
		return linger(c);
	/* a client that sends no more and never asked for anything gets nothing */
	return !(c->client_done && c->engine.fd < 0);
}

void
stream_wait(struct tls_conn *c)
{
	struct loop *loop = c->front->loop;
	bool out = stream_is_blocked(c) || c->body != NULL;
	uint32_t client = out && (!c->starved || stream_is_blocked(c)) ? EPOLLOUT : 0, engine = 0;

	if (c->lingers) {
		loop_mod(loop, &c->client, EPOLLIN);
		return;
	}
	if (!c->client_done && !c->engine_done && c->in_n == 0 && c->rest_n <= OUTPUT_BYTES)
		client |= EPOLLIN;
	if (c->in_n > 0)
		engine |= EPOLLOUT;
	if (!out && !c->holding)
		engine |= EPOLLIN;
	loop_mod(loop, &c->client, client);
	if (c->engine.fd < 0)
		return;
	if (c->engine.fn != NULL)
		loop_mod(loop, &c->engine, engine);
	else if (!out && !c->holding) /* closed by the engine, and not yet read to its end */
		(void)loop_add(loop, &c->engine, c->engine.fd, engine, tls_conn_on_engine, c);
}
