/*
 * Why a TLS handshake failed, for people: the alert or the way it broke off, with what we saw of
 * the client, gives a kind (which is counted) and a sentence that says what to do.  Pure.
 */
#ifndef HTTPSBOOTD_TLS_FAILURE_H
#define HTTPSBOOTD_TLS_FAILURE_H

#include "common/ident.h"

enum tls_failure {
	TLS_FAILURE_NO_TRUST, /* the client knows none of the roots that we send */
	TLS_FAILURE_REJECTED, /* it does not accept the certificate for another reason */
	TLS_FAILURE_CIPHER,   /* no suite, group or signature in common */
	TLS_FAILURE_VERSION,  /* no TLS 1.2 */
	TLS_FAILURE_NOT_TLS,  /* plain HTTP, or something else */
	TLS_FAILURE_CLIENT,   /* its own certificate is missing or not good */
	TLS_FAILURE_SILENT,   /* gone before it said anything: a port scan, a health check */
	TLS_FAILURE_LATE,     /* not finished in time */
	TLS_FAILURE_OTHER,
	TLS_FAILURES,
};

/* Who sends such a ClientHello. */
enum tls_client {
	TLS_CLIENT_UNSEEN, /* none came */
	TLS_CLIENT_IPXE,   /* asks for short records (RFC 6066 section 4) */
	TLS_CLIENT_UEFI,   /* nothing of TLS 1.3 and no server name: firmware before 2025-09 */
	TLS_CLIENT_OTHER,
	TLS_CLIENTS,
};

/* What is looked at in a ClientHello. */
struct tls_hello {
	bool short_records; /* max_fragment_length */
	bool server_name;
	bool versions; /* supported_versions: it knows TLS 1.3 */
};

enum tls_client tls_client_of(const struct tls_hello *hello);

/* How it ended: what OpenSSL says of it. */
struct tls_end {
	int reason;    /* of its first error (ERR_GET_REASON); 0: it has none */
	bool late;     /* our own time limit */
	bool answered; /* the certificate was sent */
	enum tls_client client;
};

enum tls_failure tls_failure_of(const struct tls_end *end);

#define TLS_WORDS 512
/* A sentence with the cause and what to do; `detail` stands in where we know no better. */
const char *tls_failure_words(
    const struct tls_end *end, const char *detail, char buf[static TLS_WORDS]);

const char *tls_failure_name(enum tls_failure v);
const char *tls_client_name(enum tls_client v);

/*
 * A client that cannot get through tries for ever: of its failures one in TLS_QUIET_MS becomes an
 * event and a line, and all clients together cause no more than TLS_EVENTS_PER_S.
 */
#define TLS_QUIET_MS     10000
#define TLS_EVENTS_PER_S 20

struct tls_noise {
	struct {
		struct ipaddr address;
		enum tls_failure failure;
		uint64_t until_ms;
	} seen[64];
	uint64_t second;
	unsigned told; /* in this second */
};

/* True if this one is to be told of. */
bool tls_noise_pass(
    struct tls_noise *n, const struct ipaddr *address, enum tls_failure failure, uint64_t now_ms);

#endif
