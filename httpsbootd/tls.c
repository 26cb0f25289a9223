/* Connections of clients: their beginning and end; see tls.h. */
#include "httpsbootd/stream.h"

#include "common/log.h"

#include <errno.h>
#include <linux/sockios.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * A connection without a request for so long gives the engine's part of it back: most of what an
 * idle one takes.
 */
#define ENGINE_REST_MS 1000

/* Frees the struct when nobody has it any more. */
static void
put(struct tls_conn *c)
{
	if (c->gone && c->held == 0)
		free(c);
}

static void
conn_free(struct tls_conn *c, enum delivery_end end)
{
	struct tls_front *t = c->front;
	struct delivery *body = c->body;

	c->body = NULL;
	if (body != NULL)
		body->ended(body, end); /* while the socket can be asked how much went out */
	loop_timer_clear(t->loop, &c->timer);
	stream_drop_engine(c);
	t->ops->closing(t->arg, c->client.fd);
	loop_close(t->loop, &c->client);
	SSL_free(c->ssl);
	c->ssl = NULL;
	*c->prev = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	if (c->ready_prev != NULL) {
		*c->ready_prev = c->ready_next;
		if (c->ready_next != NULL)
			c->ready_next->ready_prev = c->ready_prev;
	}
	free(c->rest);
	free(c->head);
	gate_fini(&c->gate);
	t->out_n = 0; /* what it had in there */
	t->stats.open--;
	c->gone = true;
	put(c);
}

void
tls_conn_serve(struct tls_conn *c)
{
	if (stream_move(c))
		stream_wait(c);
	else
		conn_free(c, c->file_failed ? DELIVERY_BROKEN : DELIVERY_CLOSED);
}

void
tls_conn_on_engine(void *arg, uint32_t events)
{
	struct tls_conn *c = arg;

	/* the engine has closed its end, which epoll reports whatever is asked for: what it left is
	 * read when the client has taken what waits */
	if ((events & (EPOLLHUP | EPOLLERR)) != 0 &&
	    (c->rest_n > 0 || c->body != NULL || c->holding))
		loop_del(c->front->loop, &c->engine);
	tls_conn_serve(c);
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
	(void)stream_flush(c); /* our alert, as far as it goes */
	conn_free(c, DELIVERY_CLOSED);
}

/* Sets the timer, but not so far away that the engine would be kept for nothing. */
static void
set_timer(struct tls_conn *c, uint64_t ms)
{
	if ((c->engine.fd >= 0 || c->body != NULL || c->rest_n > 0) && ms > ENGINE_REST_MS)
		ms = ENGINE_REST_MS;
	(void)loop_timer_set(c->front->loop, &c->timer, ms); /* has its place in the heap, or had */
}

int
tls_conn_connect(struct tls_conn *c)
{
	struct tls_front *t = c->front;
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	rc = loop_add(t->loop, &c->engine, pair[0], EPOLLIN, tls_conn_on_engine, c);
	if (rc < 0) {
		c->engine.fd = -1;
		close(pair[0]);
		close(pair[1]);
		return rc;
	}
	set_timer(c, t->idle_ms);
	return t->ops->deliver(t->arg, pair[1], c, c->client.fd, c->ssl,
	    (const struct sockaddr *)&c->peer, c->peer_len);
}

/* The client may ask now. */
static void
establish(struct tls_conn *c)
{
	struct tls_front *t = c->front;

	c->established = true;
	t->ops->established(t->arg, c->client.fd);
	c->moved_ms = loop_now_ms(t->loop);
	set_timer(c, t->idle_ms);
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
		if (!stream_flush(c))
			fail_handshake(c, false);
		else
			loop_mod(t->loop, &c->client, EPOLLIN | (c->rest_n > 0 ? EPOLLOUT : 0));
		return;
	}
	if (error != SSL_ERROR_NONE) {
		fail_handshake(c, false);
		return;
	}
	t->stats.handshakes++;
	t->stats.resumed += SSL_session_reused(c->ssl) == 1;
	/* a ticket for later is all that TLS 1.3 has to send now: it goes with the first answer */
	if (SSL_version(c->ssl) == TLS1_3_VERSION && !stream_keep(c)) {
		conn_free(c, DELIVERY_CLOSED);
		return;
	}
	establish(c);
	tls_conn_serve(c);
}

static void
on_client(void *arg, uint32_t events)
{
	struct tls_conn *c = arg;

	c->readable |= (events & ~(uint32_t)EPOLLOUT) != 0;
	if (!c->established)
		handshake(c);
	else if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		conn_free(c, DELIVERY_CLOSED);
	else
		tls_conn_serve(c);
}

/* The engine has answered all that it was given, and keeps nothing but memory. */
static bool
engine_rests(const struct tls_conn *c)
{
	int unread = 0;

	return c->engine.fd >= 0 && c->fed == 0 && c->in_n == 0 && c->rest_n == 0 &&
	       c->body == NULL && !c->holding && ioctl(c->engine.fd, FIONREAD, &unread) == 0 &&
	       unread == 0;
}

/*
 * A slow client empties a full send buffer for minutes before there is room for more, which is all
 * that epoll would tell: what it has confirmed since the last look counts as well.
 */
static void
look_at_slow(struct tls_conn *c)
{
	int unconfirmed = 0;

	if ((c->body == NULL && c->rest_n == 0) || ioctl(c->client.fd, SIOCOUTQ, &unconfirmed) < 0)
		return;
	if (unconfirmed != c->unconfirmed)
		c->moved_ms = loop_now_ms(c->front->loop);
	c->unconfirmed = unconfirmed;
}

static void
on_timeout(void *arg)
{
	struct tls_conn *c = arg;
	struct tls_front *t = c->front;
	uint64_t still;

	look_at_slow(c);
	still = loop_now_ms(t->loop) - c->moved_ms;
	if (!c->established) {
		ERR_clear_error();
		fail_handshake(c, true);
		return;
	}
	if (c->lingers) {
		conn_free(c, DELIVERY_CLOSED);
		return;
	}
	if (!c->owed && !c->starved && still >= t->idle_ms) {
		t->stats.timed_out++;
		c->timed_out = true;
		if (c->ssl != NULL && c->rest_n == 0 && c->body == NULL) {
			(void)SSL_shutdown(c->ssl); /* as far as it goes */
			(void)stream_flush(c);
		}
		conn_free(c, DELIVERY_STALLED);
		return;
	}
	if (still >= ENGINE_REST_MS && engine_rests(c))
		stream_drop_engine(c); /* the next request gets another */
	set_timer(c, c->owed || c->starved ? t->idle_ms : t->idle_ms - still);
}

int
tls_front_new(struct loop *loop, const struct tls_ops *ops, void *arg, uint64_t idle_ms,
    size_t max_head, struct tls_front **ret)
{
	struct tls_front *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->bio = stream_bio_method();
	if (t->bio == NULL) {
		free(t);
		return -ENOMEM;
	}
	t->loop = loop;
	t->ops = ops;
	t->arg = arg;
	t->idle_ms = idle_ms;
	t->max_head = max_head;
	*ret = t;
	return 0;
}

void
tls_front_free(struct tls_front *t)
{
	if (t == NULL)
		return;
	while (t->conns != NULL)
		conn_free(t->conns, DELIVERY_CLOSED);
	BIO_meth_free(t->bio);
	free(t->out);
	free(t);
}

/* OpenSSL's part of a connection.  False when out of memory. */
static bool
make_ssl(struct tls_conn *c, SSL_CTX *ctx)
{
	c->out = BIO_new(c->front->bio);
	c->ssl = SSL_new(ctx);
	if (c->out == NULL || c->ssl == NULL) {
		BIO_free(c->out);
		return false;
	}
	c->secure = true;
	BIO_set_data(c->out, c);
	SSL_set_bio(c->ssl, c->out, c->out);
	SSL_set_read_ahead(c->ssl, 1); /* a record's header and content by one call */
	SSL_set_accept_state(c->ssl);
	return true;
}

void
tls_front_accept(
    struct tls_front *t, SSL_CTX *ctx, int fd, const struct sockaddr_storage *peer, socklen_t len)
{
	struct tls_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		goto fail;
	c->front = t;
	c->engine.fd = -1;
	loop_timer_init(&c->timer, on_timeout, c);
	if ((ctx != NULL && !make_ssl(c, ctx)) ||
	    loop_timer_set(t->loop, &c->timer, TLS_HANDSHAKE_MS) < 0 ||
	    loop_add(t->loop, &c->client, fd, EPOLLIN, on_client, c) < 0)
		goto fail;
	c->peer = *peer;
	c->peer_len = len;
	c->next = t->conns;
	c->prev = &t->conns;
	if (c->next != NULL)
		c->next->prev = &c->next;
	t->conns = c;
	t->stats.accepted++;
	t->stats.open++;
	if (ctx == NULL)
		establish(c);
	return;
fail:
	log_peer_warn("%s: out of memory, refusing a connection", ctx != NULL ? "https" : "http");
	if (c != NULL) {
		loop_timer_clear(t->loop, &c->timer);
		SSL_free(c->ssl);
	}
	free(c);
	t->ops->closing(t->arg, fd);
	close(fd);
}

void
tls_front_run(struct tls_front *t)
{
	while (t->ready != NULL) {
		struct tls_conn *c = t->ready;

		t->ready = c->ready_next;
		if (t->ready != NULL)
			t->ready->ready_prev = &t->ready;
		c->ready_prev = NULL;
		tls_conn_serve(c);
	}
}

bool
tls_conn_is_secure(const struct tls_conn *c)
{
	return c->secure;
}

int
tls_conn_socket(const struct tls_conn *c)
{
	return c->gone ? -1 : c->client.fd;
}

void
tls_conn_hold(struct tls_conn *c)
{
	c->held++;
}

void
tls_conn_release(struct tls_conn *c)
{
	c->held--;
	put(c);
}

const struct gate_refused *
tls_conn_refused(const struct tls_conn *c)
{
	return c->gate.refused;
}

bool
tls_conn_has_part(const struct tls_conn *c)
{
	return gate_has_part(&c->gate);
}

bool
tls_conn_timed_out(const struct tls_conn *c)
{
	return c->timed_out;
}

void
tls_conn_set_owed(struct tls_conn *c, bool owed)
{
	if (c->gone)
		return;
	c->owed = owed;
	c->moved_ms = loop_now_ms(c->front->loop);
}

void
tls_conn_answered(struct tls_conn *c, uint64_t taken)
{
	c->fed -= taken < c->fed ? taken : c->fed;
	stream_make_ready(c);
}

void
tls_front_stats(const struct tls_front *t, struct tls_stats *ret)
{
	*ret = t->stats;
}
