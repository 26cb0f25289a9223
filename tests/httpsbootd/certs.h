/* Keys and certificates for tests, made on the spot, and a handshake in memory. */
#ifndef TESTS_HTTPSBOOTD_CERTS_H
#define TESTS_HTTPSBOOTD_CERTS_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* "rsa" (2048 bits, for speed) or "ec". */
EVP_PKEY *certs_key(const char *kind);
/* `issuer` NULL: a root.  `ca`: it may sign. */
X509 *certs_make(
    const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, bool ca, int days);
/* PEM files; the list of certificates ends with NULL. */
void certs_write(const char *path, X509 *const *certs);
void certs_write_key(const char *path, EVP_PKEY *key);

/* Runs both sides to their end; true if both are content. */
bool certs_handshake(SSL *server, SSL *client);

#endif
