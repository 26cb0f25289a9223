/*
 * Connections of clients, in front of the HTTP engine: OpenSSL ends TLS here, and the engine gets
 * the plain bytes through a socket pair, from the first request on.  Plain HTTP goes the same way.
 * Of large answers the engine writes the head only, and the body goes from its file to the client
 * (delivery.h).  One struct tls_front belongs to one loop; the settings are shared.
 */
#ifndef HTTPSBOOTD_TLS_H
#define HTTPSBOOTD_TLS_H

#include "common/loop.h"
#include "httpsbootd/delivery.h"
#include "httpsbootd/gate.h"
#include "httpsbootd/tls_settings.h"

#include <sys/socket.h>

#define TLS_HANDSHAKE_MS 15000 /* a firmware's RSA may take its time */

struct tls_front;
struct tls_conn;

struct tls_stats {
	uint64_t accepted;
	uint64_t handshakes;
	uint64_t failed[TLS_FAILURES];
	uint64_t timed_out; /* clients that stopped sending or reading */
	uint64_t resumed;
	uint64_t open; /* now */
};

struct tls_ops {
	/* A client may send its first request: the handshake is over, or there is none. */
	void (*established)(void *arg, int socket);
	/*
	 * Takes over the engine's end of the pair for a client that has begun to send.  `socket` is
	 * the client's own descriptor, to ask it for addresses, `ssl` the connection, to ask it for
	 * a certificate; NULL: plain HTTP.  Negative: the connection is closed.
	 */
	int (*deliver)(void *arg, int fd, struct tls_conn *c, int socket, const SSL *ssl,
	    const struct sockaddr *peer, socklen_t len);
	/* The engine has got something to read. */
	void (*fed)(void *arg);
	/* A client's descriptor is about to be closed, whatever became of it. */
	void (*closing)(void *arg, int socket);
	/* A handshake failed; `detail` is OpenSSL's word for it. */
	void (*failed)(
	    void *arg, const struct sockaddr *peer, const struct tls_end *end, const char *detail);
};

/*
 * `idle_ms`: a client that neither sends nor takes anything for so long is dropped.  `max_head`: of
 * octets of a request's head (gate.h).  0, or -ENOMEM.
 */
int tls_front_new(struct loop *loop, const struct tls_ops *ops, void *arg, uint64_t idle_ms,
    size_t max_head, struct tls_front **ret);
/* Ends all connections. */
void tls_front_free(struct tls_front *t);
/* Takes over an accepted, non-blocking socket.  `ctx` NULL: plain HTTP. */
void tls_front_accept(
    struct tls_front *t, SSL_CTX *ctx, int fd, const struct sockaddr_storage *peer, socklen_t len);
/* Moves what the engine has brought about; to be called when that has run. */
void tls_front_run(struct tls_front *t);
void tls_front_stats(const struct tls_front *t, struct tls_stats *ret);

bool tls_conn_is_secure(const struct tls_conn *c);
/* The client's own descriptor; -1: the connection is over. */
int tls_conn_socket(const struct tls_conn *c);
/* The struct stays until as many tls_conn_release(), also when the connection is over. */
void tls_conn_hold(struct tls_conn *c);
void tls_conn_release(struct tls_conn *c);
/* The request that was refused before the engine saw it; NULL: none, or it is over. */
const struct gate_refused *tls_conn_refused(const struct tls_conn *c);
/* The client has sent a part of the next request's head. */
bool tls_conn_has_part(const struct tls_conn *c);
/* It has been closed because nothing moved. */
bool tls_conn_timed_out(const struct tls_conn *c);
/* While an answer is being worked out nothing need move. */
void tls_conn_set_owed(struct tls_conn *c, bool owed);
/*
 * An answer is complete, as far as the engine is concerned: it is passed on without waiting.
 * `taken` octets of what the client sent were its request.
 */
void tls_conn_answered(struct tls_conn *c, uint64_t taken);

/*
 * The next answer that the engine writes is the head for a body; no other body may be under way.
 * 0, or -ECONNRESET.
 */
int tls_body_expect(struct tls_conn *c);
/*
 * The engine has written the head, of an answer without content, in full: the head gets the body's
 * length, and the body follows.  0, and d->ended() is called later; or a negative errno, and the
 * connection will be closed.
 */
int tls_body_begin(struct tls_conn *c, struct delivery *d);
/* The engine did not come to write it. */
void tls_body_forget(struct tls_conn *c);
/* More of the file may be there. */
void tls_body_go_on(struct tls_conn *c);
/* What is being delivered; NULL: nothing. */
struct delivery *tls_body_of(const struct tls_conn *c);

#endif
