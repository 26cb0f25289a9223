/*
 * TLS in front of the HTTP engine: OpenSSL ends it here, and the engine gets the plain bytes
 * through a socket pair.  One struct tls_front belongs to one loop; the settings are shared.
 */
#ifndef HTTPSBOOTD_TLS_H
#define HTTPSBOOTD_TLS_H

#include "common/loop.h"
#include "httpsbootd/tls_settings.h"

#include <sys/socket.h>

#define TLS_HANDSHAKE_MS 15000 /* a firmware's RSA may take its time */

struct tls_front;

struct tls_stats {
	uint64_t accepted;
	uint64_t handshakes;
	uint64_t failed[TLS_FAILURES];
	uint64_t timed_out; /* clients that stopped reading */
	uint64_t resumed;
	uint64_t open; /* now */
};

struct tls_ops {
	/*
	 * Takes over the engine's end of the pair for a client.  `socket` is the client's own
	 * descriptor, to ask it for addresses, `ssl` the connection, to ask it for a certificate.
	 * Negative: the connection is closed.
	 */
	int (*deliver)(void *arg, int fd, int socket, const SSL *ssl, const struct sockaddr *peer,
	    socklen_t len);
	/* A client's descriptor is about to be closed, whatever became of it. */
	void (*closing)(void *arg, int socket);
	/* A handshake failed; `detail` is OpenSSL's word for it. */
	void (*failed)(
	    void *arg, const struct sockaddr *peer, const struct tls_end *end, const char *detail);
};

/*
 * `idle_ms`: a client that takes nothing of what waits for it for so long is dropped.  0, or
 * -ENOMEM.
 */
int tls_front_new(struct loop *loop, const struct tls_ops *ops, void *arg, uint64_t idle_ms,
    struct tls_front **ret);
/* Ends all connections. */
void tls_front_free(struct tls_front *t);
/* Takes over an accepted, non-blocking socket. */
void tls_front_accept(
    struct tls_front *t, SSL_CTX *ctx, int fd, const struct sockaddr_storage *peer, socklen_t len);
void tls_front_stats(const struct tls_front *t, struct tls_stats *ret);

#endif
