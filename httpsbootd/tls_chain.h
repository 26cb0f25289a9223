/*
 * Certificate chains as they stand in a PEM file and as they are sent.
 *
 * While a CA is rolled over, a chain has two roots and a certificate that ties them together:
 * leaf, its root, the same root signed by the other one, the other one.  iPXE goes along it from
 * whichever root it knows, and wants that order; OpenSSL (and firmware that is made of it) stops at
 * the first root that it meets, and finds its way if the roots stand at the end.
 */
#ifndef HTTPSBOOTD_TLS_CHAIN_H
#define HTTPSBOOTD_TLS_CHAIN_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * All certificates of a file, the leaf first: a new stack, free with sk_X509_pop_free().  NULL if
 * it cannot be read or holds none; OpenSSL's queue of errors, or errno, tells why.
 */
STACK_OF(X509) * tls_chain_read(const char *file);
/* True if a root stands before the end. */
bool tls_chain_is_tied(const STACK_OF(X509) * chain);
/* A new stack with the roots at the end, the last one first; it borrows.  NULL: out of memory. */
STACK_OF(X509) * tls_chain_roots_last(const STACK_OF(X509) * chain);
bool tls_cert_is_root(X509 *cert);
/* How many certificates from the first on are each signed by the next: all, if it is in order. */
int tls_chain_line(const STACK_OF(X509) * chain);
/*
 * From when on all of its certificates up to its root are valid, and when the first of them
 * expires, in ms since 1970; 0: not known.  `ret_ca`: that is a CA's, or with it.
 */
uint64_t tls_chain_begins_ms(const STACK_OF(X509) * chain);
uint64_t tls_chain_expires_ms(const STACK_OF(X509) * chain, bool *ret_ca);
/*
 * The first to expire of what stands behind its root, by which another root vouches for it: NULL if
 * nothing does; borrowed.
 */
X509 *tls_chain_voucher(
    const STACK_OF(X509) * chain, uint64_t *ret_from_ms, uint64_t *ret_until_ms);
/* The first to expire of any certificates; ret_from_ms: when the last of them begins. */
void tls_certs_times(const STACK_OF(X509) * certs, uint64_t *ret_from_ms, uint64_t *ret_until_ms);
/* True if `ferryctl ca` made it. */
bool tls_chain_is_ours(const STACK_OF(X509) * chain);

#endif
