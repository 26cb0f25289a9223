/*
 * Keys of session tickets (RFC 5077, RFC 8446 section 4.6.1): one set for all workers and all
 * certificates of a process.  They live in memory that is neither swapped nor dumped, are replaced
 * at intervals, and a ticket under the key before the present one is still good; so a stolen key
 * opens at most two intervals of recorded traffic.
 */
#ifndef HTTPSBOOTD_TLS_TICKETS_H
#define HTTPSBOOTD_TLS_TICKETS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

struct tls_tickets;

struct tls_tickets_stats {
	uint64_t rotations;
	uint64_t issued;  /* tickets */
	uint64_t taken;   /* under the present key */
	uint64_t renewed; /* under the one before, and answered with a new one */
	uint64_t unknown; /* under none that we have: a full handshake follows */
};

/* 0, or -ENOMEM or -EIO (no random numbers). */
int tls_tickets_new(struct tls_tickets **ret);
/* No context uses it any more.  NULL is allowed. */
void tls_tickets_free(struct tls_tickets *t);
/* A new key; the one before stays good, the one before that is forgotten.  0, or -EIO: all stays.
 */
int tls_tickets_rotate(struct tls_tickets *t);
/* Makes a context use them; they must outlive it.  0, or -EIO. */
int tls_tickets_use(struct tls_tickets *t, SSL_CTX *ctx);
void tls_tickets_stats(struct tls_tickets *t, struct tls_tickets_stats *ret);

#endif
