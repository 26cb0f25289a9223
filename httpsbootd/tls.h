/*
 * TLS in front of the HTTP engine: OpenSSL ends it here, and the engine gets the plain bytes
 * through a socket pair.  One struct tls_front belongs to one loop; the settings are shared.
 */
#ifndef HTTPSBOOTD_TLS_H
#define HTTPSBOOTD_TLS_H

#include "common/digest.h"
#include "common/loop.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

#define TLS_HANDSHAKE_MS 15000 /* a firmware's RSA may take its time */
#define TLS_TRUST_MAX    DIGEST_BYTES

/* What one set of certificate files gives. */
struct tls_settings {
	SSL_CTX *ctx;
	uint8_t trust[TLS_TRUST_MAX]; /* SHA-256 of the root that is sent, in DER */
	bool has_root; /* a root is sent at all: iPXE needs it, knowing but its print */
	char subject[256];
	uint64_t expires_ms; /* since 1970 */
};

/*
 * Reads certificate chain and key.  The profile is what boot clients need: TLS 1.2 and 1.3, with
 * ECDHE, DHE and plain RSA key exchange.  0, or -EINVAL after logging which file is at fault.
 */
int tls_settings_load(const char *certificate, const char *key, struct tls_settings *ret);
void tls_settings_free(struct tls_settings *s);

struct tls_front;

struct tls_stats {
	uint64_t accepted;
	uint64_t handshakes;
	uint64_t failed;    /* handshakes */
	uint64_t timed_out; /* handshakes, and clients that stopped reading */
	uint64_t resumed;
	uint64_t open; /* now */
};

struct tls_ops {
	/*
	 * Takes over the engine's end of the pair for a client.  `socket` is the client's own
	 * descriptor, to ask it for addresses.  Negative: the connection is closed.
	 */
	int (*deliver)(void *arg, int fd, int socket, const struct sockaddr *peer, socklen_t len);
	/* A handshake failed; `why` is a sentence. */
	void (*failed)(void *arg, const struct sockaddr *peer, const char *why);
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
