/*
 * TLS connections; see tls.h.
 *
 * Towards the client, reading goes through a socket BIO and writing into a memory BIO, so that what
 * the engine hands over in one read of up to PLAIN_BYTES leaves in one send, however many records
 * it makes.  While something waits to be sent, nothing more is taken from the engine: a slow client
 * costs one buffer.
 */
#include "httpsbootd/tls.h"

#include "common/log.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLAIN_BYTES (256 * 1024) /* read from the engine at once */
#define INPUT_BYTES (16 * 1024)  /* of the client, decrypted, on its way to the engine */
#define KEEP_BYTES  (64 * 1024)  /* an idle connection gives back a larger output buffer */
#define A_TURN      4            /* reads from the engine before others get their turn */
/* With more than this unsent, nothing is read: TLS itself answers to some records (KeyUpdate). */
#define OUTPUT_BYTES (64 * 1024)

struct tls_conn {
	struct tls_front *front;
	struct tls_conn *next, **prev;
	SSL *ssl;
	BIO *out; /* owned by ssl */
	size_t out_off;
	struct loop_fd client, engine; /* engine.fd -1: none, or not any more */
	struct loop_timer timer;
	struct sockaddr_storage peer;
	socklen_t peer_len;
	bool established; /* the handshake is over */
	bool client_done; /* sends no more */
	bool progress;    /* the client took something since the timer was set */
	bool waiting;     /* the timer watches over that */
	size_t in_n, in_off;
	uint8_t in[INPUT_BYTES];
};

struct tls_front {
	struct loop *loop;
	const struct tls_ops *ops;
	void *arg;
	struct tls_conn *conns;
	uint64_t idle_ms;
	struct tls_stats stats;
	uint8_t plain[PLAIN_BYTES];
};

static void
drop_engine(struct tls_conn *c)
{
	if (c->engine.fd < 0)
		return;
	loop_del(c->front->loop, &c->engine);
	close(c->engine.fd);
	c->engine.fd = -1;
	c->in_n = 0;
}

static void
conn_free(struct tls_conn *c)
{
	struct tls_front *t = c->front;

	loop_timer_clear(t->loop, &c->timer);
	drop_engine(c);
	loop_del(t->loop, &c->client);
	t->ops->closing(t->arg, c->client.fd);
	close(c->client.fd);
	SSL_free(c->ssl);
	*c->prev = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	t->stats.open--;
	free(c);
}

static size_t
out_pending(const struct tls_conn *c)
{
	return (size_t)BIO_ctrl_pending(c->out) - c->out_off;
}

/* Sends what waits; false when the client is gone. */
static bool
flush(struct tls_conn *c)
{
	char *data;
	size_t n = (size_t)BIO_get_mem_data(c->out, &data);

	while (c->out_off < n) {
		ssize_t sent = send(c->client.fd, data + c->out_off, n - c->out_off, MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN || errno == EINTR;
		c->out_off += (size_t)sent;
		c->progress = true;
	}
	if (n > 0) {
		c->out_off = 0;
		(void)BIO_reset(c->out);
	}
	return true;
}

/* An idle connection shall not keep the buffer of its last large answer. */
static void
shrink(struct tls_conn *c)
{
	BUF_MEM *mem;
	BIO *fresh;

	BIO_get_mem_ptr(c->out, &mem);
	if (mem->max <= KEEP_BYTES || out_pending(c) > 0)
		return;
	fresh = BIO_new(BIO_s_mem());
	if (fresh == NULL)
		return;
	SSL_set0_wbio(c->ssl, fresh);
	c->out = fresh;
}

/* While something waits for the client, a timer watches whether it takes anything. */
static void
watch_progress(struct tls_conn *c, bool out)
{
	if (out && (!c->waiting || c->progress))
		(void)loop_timer_set(c->front->loop, &c->timer, c->front->idle_ms);
	else if (!out && c->waiting)
		loop_timer_clear(c->front->loop, &c->timer);
	c->waiting = out;
	c->progress = false;
}

static void on_engine(void *arg, uint32_t events);

/* Waits for what the state of the connection lets happen next. */
static void
update_interest(struct tls_conn *c)
{
	struct loop *loop = c->front->loop;
	size_t pending = out_pending(c);
	bool out = pending > 0;
	uint32_t client = out ? EPOLLOUT : 0, engine = 0;

	if (!c->established || (!c->client_done && c->in_n == 0 && pending <= OUTPUT_BYTES))
		client |= EPOLLIN;
	if (c->established)
		watch_progress(c, out);
	if (c->in_n > 0)
		engine |= EPOLLOUT;
	if (!out)
		engine |= EPOLLIN;
	loop_mod(loop, &c->client, client);
	if (c->engine.fd < 0)
		return;
	if (c->engine.fn != NULL)
		loop_mod(loop, &c->engine, engine);
	else if (!out) /* closed by the engine, and not yet read to its end */
		(void)loop_add(loop, &c->engine, c->engine.fd, engine, on_engine, c);
}

/* Hands decrypted bytes to the engine, which may have closed its end with some of them unread. */
static void
feed_engine(struct tls_conn *c)
{
	while (c->in_n > 0) {
		ssize_t n = send(c->engine.fd, c->in + c->in_off, c->in_n, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			c->in_n = 0;
			c->client_done = true; /* nobody wants the rest */
			break;
		}
		c->in_off += (size_t)n;
		c->in_n -= (size_t)n;
	}
	c->in_off = 0;
}

/* Client to engine.  False when the connection is broken. */
static bool
pump_in(struct tls_conn *c)
{
	while (!c->client_done && c->in_n == 0 && c->engine.fd >= 0 &&
	       out_pending(c) <= OUTPUT_BYTES) {
		int n;

		ERR_clear_error();
		n = SSL_read(c->ssl, c->in, sizeof(c->in));
		if (n > 0) {
			c->in_n = (size_t)n;
			feed_engine(c);
			continue;
		}
		switch (SSL_get_error(c->ssl, n)) {
		case SSL_ERROR_WANT_READ:
		case SSL_ERROR_WANT_WRITE: return true;
		case SSL_ERROR_ZERO_RETURN:
			c->client_done = true;
			(void)shutdown(c->engine.fd, SHUT_WR); /* closed already, if it fails */
			return true;
		default: return false;
		}
	}
	return true;
}

/* Encrypts bytes of the engine; a memory BIO takes them all. */
static bool
encrypt(struct tls_conn *c, const uint8_t *p, size_t n)
{
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

/* Engine to client.  False when the connection is broken. */
static bool
pump_out(struct tls_conn *c)
{
	struct tls_front *t = c->front;

	for (int i = 0; i < A_TURN && c->engine.fd >= 0 && out_pending(c) == 0; i++) {
		ssize_t n = recv(c->engine.fd, t->plain, sizeof(t->plain), 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			shrink(c);
			return true;
		}
		if (n <= 0) {
			/* its end is closed and would be reported for ever */
			drop_engine(c);
			(void)SSL_shutdown(c->ssl); /* the notice goes out with the rest, or not */
		} else if (!encrypt(c, t->plain, (size_t)n)) {
			return false;
		}
		if (!flush(c))
			return false;
	}
	return true;
}

static void
service(struct tls_conn *c)
{
	if (!flush(c))
		goto end;
	if (c->engine.fd >= 0)
		feed_engine(c);
	if (!pump_in(c) || !pump_out(c) || !flush(c))
		goto end;
	if (c->engine.fd < 0 && out_pending(c) == 0)
		goto end;
	update_interest(c);
	return;
end:
	conn_free(c);
}

static void
on_engine(void *arg, uint32_t events)
{
	struct tls_conn *c = arg;

	/* the engine has closed its end, which epoll reports whatever is asked for: what it left is
	 * read when the client has taken what waits */
	if ((events & (EPOLLHUP | EPOLLERR)) != 0 && out_pending(c) > 0)
		loop_del(c->front->loop, &c->engine);
	service(c);
}

static void
fail_handshake(struct tls_conn *c, bool late)
{
	struct tls_front *t = c->front;
	unsigned long e = ERR_peek_error();
	const struct tls_end end = {
		.reason = ERR_GET_REASON(e),
		.late = late,
		.answered = BIO_number_written(c->out) > 0,
		.client = tls_settings_client(c->ssl),
	};
	char detail[256];

	ERR_error_string_n(e, detail, sizeof(detail));
	t->stats.failed[tls_failure_of(&end)]++;
	t->ops->failed(t->arg, (const struct sockaddr *)&c->peer, &end, detail);
	(void)flush(c); /* our alert, as far as it goes */
	conn_free(c);
}

/* The handshake is over: the engine gets its end. */
static int
connect_engine(struct tls_conn *c)
{
	struct tls_front *t = c->front;
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	rc = loop_add(t->loop, &c->engine, pair[0], EPOLLIN, on_engine, c);
	if (rc < 0) {
		c->engine.fd = -1;
		close(pair[0]);
		close(pair[1]);
		return rc;
	}
	c->established = true;
	return t->ops->deliver(
	    t->arg, pair[1], c->client.fd, c->ssl, (const struct sockaddr *)&c->peer, c->peer_len);
}

static void
handshake(struct tls_conn *c)
{
	struct tls_front *t = c->front;
	int rc, error;

	ERR_clear_error();
	rc = SSL_accept(c->ssl);
	error = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, rc);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		if (!flush(c))
			fail_handshake(c, false);
		else
			update_interest(c);
		return;
	}
	if (error != SSL_ERROR_NONE) {
		fail_handshake(c, false);
		return;
	}
	loop_timer_clear(t->loop, &c->timer);
	t->stats.handshakes++;
	t->stats.resumed += SSL_session_reused(c->ssl) == 1;
	if (connect_engine(c) < 0) {
		log_peer_warn("https: no room for another connection");
		conn_free(c);
		return;
	}
	service(c);
}

static void
on_client(void *arg, uint32_t events)
{
	struct tls_conn *c = arg;

	if (!c->established)
		handshake(c);
	else if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		conn_free(c);
	else
		service(c);
}

static void
on_timeout(void *arg)
{
	struct tls_conn *c = arg;

	if (c->established) {
		c->front->stats.timed_out++;
		conn_free(c);
	} else {
		ERR_clear_error();
		fail_handshake(c, true);
	}
}

int
tls_front_new(struct loop *loop, const struct tls_ops *ops, void *arg, uint64_t idle_ms,
    struct tls_front **ret)
{
	struct tls_front *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->loop = loop;
	t->ops = ops;
	t->arg = arg;
	t->idle_ms = idle_ms;
	*ret = t;
	return 0;
}

void
tls_front_free(struct tls_front *t)
{
	if (t == NULL)
		return;
	while (t->conns != NULL)
		conn_free(t->conns);
	free(t);
}

void
tls_front_accept(
    struct tls_front *t, SSL_CTX *ctx, int fd, const struct sockaddr_storage *peer, socklen_t len)
{
	struct tls_conn *c = calloc(1, sizeof(*c));
	BIO *in = BIO_new_socket(fd, BIO_NOCLOSE), *out = BIO_new(BIO_s_mem());
	SSL *ssl = SSL_new(ctx);

	if (c == NULL || in == NULL || out == NULL || ssl == NULL ||
	    loop_add(t->loop, &c->client, fd, EPOLLIN, on_client, c) < 0) {
		log_peer_warn("https: out of memory, refusing a connection");
		free(c);
		BIO_free(in);
		BIO_free(out);
		SSL_free(ssl);
		t->ops->closing(t->arg, fd);
		close(fd);
		return;
	}
	SSL_set0_rbio(ssl, in);
	SSL_set0_wbio(ssl, out);
	c->front = t;
	c->engine.fd = -1;
	c->ssl = ssl;
	c->out = out;
	c->peer = *peer;
	c->peer_len = len;
	c->next = t->conns;
	c->prev = &t->conns;
	if (c->next != NULL)
		c->next->prev = &c->next;
	t->conns = c;
	t->stats.accepted++;
	t->stats.open++;
	loop_timer_init(&c->timer, on_timeout, c);
	(void)loop_timer_set(t->loop, &c->timer, TLS_HANDSHAKE_MS);
	SSL_set_accept_state(ssl);
}

void
tls_front_stats(const struct tls_front *t, struct tls_stats *ret)
{
	*ret = t->stats;
}
