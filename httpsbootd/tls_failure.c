/* See tls_failure.h. */
#include "httpsbootd/tls_failure.h"

#include <openssl/sslerr.h>
#include <stdio.h>

/* OpenSSL's reason for an alert of the client is this and the alert's number. */
#define ALERTS 1000

/* RFC 8446 section 6: what a client says that ends a handshake. */
static const struct {
	int alert;
	enum tls_failure failure;
	const char *name;
} alerts[] = {
	{ 40, TLS_FAILURE_CIPHER, "handshake_failure" },
	{ 42, TLS_FAILURE_REJECTED, "bad_certificate" },
	{ 43, TLS_FAILURE_REJECTED, "unsupported_certificate" },
	{ 44, TLS_FAILURE_REJECTED, "certificate_revoked" },
	{ 45, TLS_FAILURE_REJECTED, "certificate_expired" },
	{ 46, TLS_FAILURE_REJECTED, "certificate_unknown" },
	{ 47, TLS_FAILURE_OTHER, "illegal_parameter" },
	{ 48, TLS_FAILURE_NO_TRUST, "unknown_ca" },
	{ 49, TLS_FAILURE_REJECTED, "access_denied" },
	{ 50, TLS_FAILURE_OTHER, "decode_error" },
	{ 51, TLS_FAILURE_OTHER, "decrypt_error" },
	{ 70, TLS_FAILURE_VERSION, "protocol_version" },
	{ 71, TLS_FAILURE_CIPHER, "insufficient_security" },
	{ 80, TLS_FAILURE_OTHER, "internal_error" },
	{ 90, TLS_FAILURE_OTHER, "user_canceled" },
};

/* What OpenSSL itself finds wrong. */
static const struct {
	int reason;
	enum tls_failure failure;
} reasons[] = {
	{ SSL_R_NO_SHARED_CIPHER, TLS_FAILURE_CIPHER },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, TLS_FAILURE_CIPHER },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, TLS_FAILURE_CIPHER },
	{ SSL_R_NO_SUITABLE_GROUPS, TLS_FAILURE_CIPHER },
	{ SSL_R_NO_SHARED_GROUPS, TLS_FAILURE_CIPHER },
	{ SSL_R_UNSUPPORTED_PROTOCOL, TLS_FAILURE_VERSION },
	{ SSL_R_VERSION_TOO_LOW, TLS_FAILURE_VERSION },
	{ SSL_R_WRONG_VERSION_NUMBER, TLS_FAILURE_NOT_TLS },
	{ SSL_R_HTTP_REQUEST, TLS_FAILURE_NOT_TLS },
	{ SSL_R_HTTPS_PROXY_REQUEST, TLS_FAILURE_NOT_TLS },
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, TLS_FAILURE_CLIENT },
	{ SSL_R_CERTIFICATE_VERIFY_FAILED, TLS_FAILURE_CLIENT },
};

enum tls_client
tls_client_of(const struct tls_hello *hello)
{
	if (hello->short_records)
		return TLS_CLIENT_IPXE;
	return hello->server_name || hello->versions ? TLS_CLIENT_OTHER : TLS_CLIENT_UEFI;
}

static size_t
find_alert(const struct tls_end *end)
{
	size_t i;

	for (i = 0; i < NITEMS(alerts); i++) {
		if (end->reason == ALERTS + alerts[i].alert)
			break;
	}
	return i;
}

/* It went away without a word. */
static bool
has_just_gone(const struct tls_end *end)
{
	return end->reason == 0 || end->reason == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

enum tls_failure
tls_failure_of(const struct tls_end *end)
{
	size_t i = find_alert(end);

	if (end->late)
		return end->client == TLS_CLIENT_UNSEEN ? TLS_FAILURE_SILENT : TLS_FAILURE_LATE;
	if (i < NITEMS(alerts))
		return alerts[i].failure;
	for (i = 0; i < NITEMS(reasons); i++) {
		if (end->reason == reasons[i].reason)
			return reasons[i].failure;
	}
	if (!has_just_gone(end))
		return TLS_FAILURE_OTHER;
	if (end->client == TLS_CLIENT_UNSEEN)
		return TLS_FAILURE_SILENT;
	/* iPXE closes without an alert when it does not accept a certificate */
	return end->answered ? TLS_FAILURE_NO_TRUST : TLS_FAILURE_OTHER;
}

/* --- sentences ------------------------------------------------------------------------------ */

static const char *
trust_words(enum tls_client client)
{
	switch (client) {
	case TLS_CLIENT_IPXE:
		return "iPXE does not trust this site's CA: no offer of ours with option 175.90 "
		       "reached the firmware that started it, it was built with roots of its own, "
		       "or its clock says a time when the certificate is not valid; `ferryctl "
		       "loaders list` tells which, `ferryctl loaders stamp` and `ferryctl "
		       "dhcp-options` help";
	case TLS_CLIENT_UEFI:
		return "the firmware does not trust this site's CA: enrol ca.pem of `ferryctl ca "
		       "export` in its setup (TLS authentication), or let it boot by PXE";
	default:
		return "the client does not trust this site's CA: give it ca.pem of `ferryctl ca "
		       "export`";
	}
}

static const char *
rejected_words(const struct tls_end *end)
{
	if (end->reason == SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED)
		return "the client takes the certificate for expired: look at its clock, and at "
		       "`ferryctl ca show`";
	if (end->reason == SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE)
		return "the client cannot use such a certificate: `ferryctl ca check` tells for "
		       "whom it is good";
	if (end->client == TLS_CLIENT_UEFI)
		return "the firmware does not accept the certificate: the CA that is enrolled in "
		       "it "
		       "is not this site's, its clock is wrong, or the name in the URL is none of "
		       "the certificate's; `ferryctl ca check` tells";
	return "the client does not accept the certificate: is the name or address in its URL one "
	       "of the certificate's, and its clock right?  `ferryctl ca check` tells";
}

static const char *
cipher_words(enum tls_client client)
{
	switch (client) {
	case TLS_CLIENT_IPXE:
		return "this iPXE and the server have no cipher suite in common: old builds know "
		       "RSA certificates and plain RSA key exchange only; set `tls_profile` to "
		       "\"compat\" and have an RSA certificate";
	case TLS_CLIENT_UEFI:
		return "this firmware and the server have no cipher suite in common: that of "
		       "before "
		       "2025 knows RSA certificates only, and DHE or plain RSA key exchange; set "
		       "`tls_profile` to \"compat\" and have an RSA certificate of 3072 bits";
	default:
		return "client and server have no cipher suite in common: `tls_profile` and the "
		       "kinds of certificates tell what is offered";
	}
}

static const char *
other_words(const struct tls_end *end)
{
	if (has_just_gone(end))
		return "the client closed the connection in the middle of the handshake";
	return NULL;
}

static const char *
words_of(const struct tls_end *end)
{
	switch (tls_failure_of(end)) {
	case TLS_FAILURE_NO_TRUST: return trust_words(end->client);
	case TLS_FAILURE_REJECTED: return rejected_words(end);
	case TLS_FAILURE_CIPHER: return cipher_words(end->client);
	case TLS_FAILURE_VERSION:
		return "the client speaks no TLS 1.2 or later: iPXE of before 2013 and firmware of "
		       "that age can only be served over plain HTTP (`http_port`)";
	case TLS_FAILURE_NOT_TLS:
		return "the client speaks plain HTTP, or something else, on the HTTPS port: its "
		       "URL "
		       "must begin with https://";
	case TLS_FAILURE_CLIENT:
		return "the client's own certificate is missing or not of `client_ca`";
	case TLS_FAILURE_SILENT:
		return "the connection ended before anything was said: a port scan, a health "
		       "check, "
		       "or a path on which only small packets pass";
	case TLS_FAILURE_LATE:
		return "the client did not finish the handshake in time: packets are lost, or "
		       "larger "
		       "ones do not pass (MTU)";
	default: return other_words(end);
	}
}

const char *
tls_failure_words(const struct tls_end *end, const char *detail, char buf[static TLS_WORDS])
{
	const char *words = words_of(end);
	size_t i = find_alert(end);

	if (words == NULL)
		words = detail;
	if (i < NITEMS(alerts))
		(void)snprintf(
		    buf, TLS_WORDS, "%s (alert %s, %d)", words, alerts[i].name, alerts[i].alert);
	else if (tls_failure_of(end) == TLS_FAILURE_NO_TRUST)
		(void)snprintf(buf, TLS_WORDS, "%s (it closed on seeing the certificate)", words);
	else
		(void)snprintf(buf, TLS_WORDS, "%s", words);
	return buf;
}

const char *
tls_failure_name(enum tls_failure v)
{
	static const char *const names[] = {
		[TLS_FAILURE_NO_TRUST] = "no-trust",
		[TLS_FAILURE_REJECTED] = "rejected",
		[TLS_FAILURE_CIPHER] = "cipher",
		[TLS_FAILURE_VERSION] = "version",
		[TLS_FAILURE_NOT_TLS] = "not-tls",
		[TLS_FAILURE_CLIENT] = "client-certificate",
		[TLS_FAILURE_SILENT] = "silent",
		[TLS_FAILURE_LATE] = "late",
		[TLS_FAILURE_OTHER] = "other",
	};
	_Static_assert(NITEMS(names) == TLS_FAILURES, "a name for each");

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

const char *
tls_client_name(enum tls_client v)
{
	static const char *const names[] = {
		[TLS_CLIENT_UNSEEN] = "unseen",
		[TLS_CLIENT_IPXE] = "ipxe",
		[TLS_CLIENT_UEFI] = "uefi",
		[TLS_CLIENT_OTHER] = "other",
	};
	_Static_assert(NITEMS(names) == TLS_CLIENTS, "a name for each");

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

bool
tls_noise_pass(
    struct tls_noise *n, const struct ipaddr *address, enum tls_failure failure, uint64_t now_ms)
{
	uint32_t hash = address->family;
	size_t place;

	for (size_t i = 0; i < sizeof(address->b); i++)
		hash = hash * 31 + address->b[i];
	place = hash % NITEMS(n->seen);
	if (n->seen[place].failure == failure && n->seen[place].until_ms > now_ms &&
	    ip_eq(&n->seen[place].address, address))
		return false;
	if (n->second != now_ms / 1000) {
		n->second = now_ms / 1000;
		n->told = 0;
	}
	if (n->told == TLS_EVENTS_PER_S)
		return false;
	n->told++;
	n->seen[place].address = *address;
	n->seen[place].failure = failure;
	n->seen[place].until_ms = now_ms + TLS_QUIET_MS;
	return true;
}
