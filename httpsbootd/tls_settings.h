/*
 * The TLS settings that one set of certificate files gives: an RSA certificate and one with an
 * elliptic curve side by side, of which OpenSSL takes what the ClientHello allows; the profile of
 * protocol versions and cipher suites; what is asked of clients' own certificates.
 */
#ifndef HTTPSBOOTD_TLS_SETTINGS_H
#define HTTPSBOOTD_TLS_SETTINGS_H

#include "common/digest.h"
#include "httpsbootd/tls_failure.h"
#include "httpsbootd/tls_pair.h"
#include "httpsbootd/tls_tickets.h"

#include <openssl/ssl.h>

#define TLS_CERTS     2
#define TLS_ROOTS_MAX 4 /* a roll-over of the CA has two, with certificates of two CAs four */

enum tls_profile {
	TLS_COMPAT, /* what boot clients need: DHE and plain RSA key exchange besides ECDHE */
	TLS_STRICT, /* TLS 1.3, and ECDHE with authenticated ciphers of TLS 1.2 */
};

/* Whether clients show a certificate of their own. */
enum tls_client_certs {
	TLS_CLIENT_CERTS_OFF,
	TLS_CLIENT_CERTS_OPTIONAL, /* one that is shown must be good */
	TLS_CLIENT_CERTS_REQUIRED,
};

struct tls_conf {
	/* PEM files of certificate chain and key; an empty name: none */
	struct tls_files {
		const char *certificate, *key;
		const char *kept; /* both, for when those cannot be used; NULL or empty: none */
	} files[TLS_CERTS];
	enum tls_profile profile;
	enum tls_client_certs client_certs;
	const char *client_ca;       /* PEM file */
	struct tls_tickets *tickets; /* NULL: no tickets are given out */
	uint64_t session_s;          /* how long one may be resumed */
	bool lenient;                /* one of two certificates is better than none */
};

/* One certificate that is served. */
struct tls_cert {
	char file[4097];
	char subject[256];
	char kind[32]; /* "RSA 3072", "EC P-256" */
	char issuer[128];
	uint64_t begins_ms, expires_ms; /* since 1970: valid in between, with its chain */
	bool ours, ca_expires;          /* `ferryctl ca` made it; its CA expires as early */
	/* of what vouches for its root; until 0: nothing does */
	char voucher[128];
	uint64_t voucher_from_ms, voucher_until_ms;
	bool old_clients; /* RSA: all boot clients can use it */
	bool kept;        /* it is the one that was kept */
	struct tls_pair pair;
};

struct tls_settings {
	SSL_CTX *ctx;
	struct tls_cert certs[TLS_CERTS];
	size_t ncerts;
	bool incomplete; /* one could not be used, and is left out */
	/* of the CAs of clients' certificates; until 0: none is asked for */
	uint64_t clients_from_ms, clients_until_ms;
	/* SHA-256 of the roots that are sent, in DER, each once */
	uint8_t trust[TLS_ROOTS_MAX * DIGEST_BYTES];
	size_t ntrust; /* roots; 0: iPXE, which knows but a root's print, has none to trust */
};

/* 0, or -EINVAL after logging which key and file are at fault. */
int tls_settings_load(const struct tls_conf *conf, struct tls_settings *ret);
void tls_settings_free(struct tls_settings *s);

/* What the ClientHello of a connection showed. */
enum tls_client tls_settings_client(const SSL *ssl);

/* A client's own certificate, verified. */
struct tls_identity {
	char subject[512], issuer[512]; /* RFC 2253 */
	char serial[64];                /* hexadecimal */
	char fingerprint[DIGEST_STRLEN];
};

/* The identity of a connection, as new memory; NULL: it has none. */
struct tls_identity *tls_identity_new(const SSL *ssl);

#endif
