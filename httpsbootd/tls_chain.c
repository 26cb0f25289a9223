/* See tls_chain.h. */
#include "httpsbootd/tls_chain.h"

#include "common/start.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CHAIN_MAX 16

STACK_OF(X509) * tls_chain_read(const char *file)
{
	STACK_OF(X509) *chain = NULL;
	FILE *f = fopen(file, "re");
	X509 *cert;

	ERR_clear_error();
	if (f == NULL)
		return NULL;
	chain = sk_X509_new_null();
	while (chain != NULL && sk_X509_num(chain) < CHAIN_MAX &&
	       (cert = PEM_read_X509_AUX(f, NULL, NULL, NULL)) != NULL) {
		if (sk_X509_push(chain, cert) == 0)
			X509_free(cert);
	}
	fclose(f);
	/* the end of the file is an error to PEM_read, too */
	if (sk_X509_num(chain) == CHAIN_MAX ||
	    (sk_X509_num(chain) > 0 &&
		ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)) {
		ERR_clear_error();
		return chain;
	}
	sk_X509_pop_free(chain, X509_free);
	return NULL;
}

bool
tls_cert_is_root(X509 *cert)
{
	return X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0;
}

bool
tls_chain_is_tied(const STACK_OF(X509) * chain)
{
	for (int i = 1; i + 1 < sk_X509_num(chain); i++) {
		if (tls_cert_is_root(sk_X509_value(chain, i)))
			return true;
	}
	return false;
}

STACK_OF(X509) * tls_chain_roots_last(const STACK_OF(X509) * chain)
{
	STACK_OF(X509) *out = sk_X509_new_null();
	bool ok = out != NULL;

	for (int i = 0; ok && i < sk_X509_num(chain); i++) {
		if (i == 0 || !tls_cert_is_root(sk_X509_value(chain, i)))
			ok = sk_X509_push(out, sk_X509_value(chain, i)) > 0;
	}
	for (int i = sk_X509_num(chain) - 1; ok && i > 0; i--) {
		if (tls_cert_is_root(sk_X509_value(chain, i)))
			ok = sk_X509_push(out, sk_X509_value(chain, i)) > 0;
	}
	if (!ok) {
		sk_X509_free(out);
		out = NULL;
	}
	return out;
}

int
tls_chain_line(const STACK_OF(X509) * chain)
{
	int n = sk_X509_num(chain) > 0 ? 1 : 0;

	for (; n > 0 && n < sk_X509_num(chain); n++) {
		X509 *cert = sk_X509_value(chain, n - 1), *next = sk_X509_value(chain, n);

		if (X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(next)) != 0 ||
		    X509_verify(cert, X509_get0_pubkey(next)) != 1)
			break;
	}
	ERR_clear_error(); /* a signature of somebody else is one */
	return n;
}

/* 0: not known */
static uint64_t
time_ms(const ASN1_TIME *t)
{
	struct tm tm;
	time_t s = ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;

	return s > 0 ? (uint64_t)s * 1000 : 0;
}

/* Up to its own root: what stands behind is for clients that know another one. */
static bool
is_own(const STACK_OF(X509) * chain, int i)
{
	return i < sk_X509_num(chain) && (i < 2 || !tls_cert_is_root(sk_X509_value(chain, i - 1)));
}

uint64_t
tls_chain_begins_ms(const STACK_OF(X509) * chain)
{
	uint64_t last = 0;

	for (int i = 0; is_own(chain, i); i++) {
		uint64_t ms = time_ms(X509_get0_notBefore(sk_X509_value(chain, i)));

		last = ms > last ? ms : last;
	}
	return last;
}

uint64_t
tls_chain_expires_ms(const STACK_OF(X509) * chain, bool *ret_ca)
{
	uint64_t first = 0;

	*ret_ca = false;
	for (int i = 0; is_own(chain, i); i++) {
		uint64_t ms = time_ms(X509_get0_notAfter(sk_X509_value(chain, i)));

		if (ms == 0 || (first != 0 && ms > first))
			continue;
		first = ms;
		*ret_ca = i > 0;
	}
	return first;
}

void
tls_certs_times(const STACK_OF(X509) * certs, uint64_t *ret_from_ms, uint64_t *ret_until_ms)
{
	*ret_from_ms = *ret_until_ms = 0;
	for (int i = 0; i < sk_X509_num(certs); i++) {
		uint64_t from = time_ms(X509_get0_notBefore(sk_X509_value(certs, i)));
		uint64_t until = time_ms(X509_get0_notAfter(sk_X509_value(certs, i)));

		*ret_from_ms = from > *ret_from_ms ? from : *ret_from_ms;
		if (until != 0 && (*ret_until_ms == 0 || until < *ret_until_ms))
			*ret_until_ms = until;
	}
}

X509 *
tls_chain_voucher(const STACK_OF(X509) * chain, uint64_t *ret_from_ms, uint64_t *ret_until_ms)
{
	X509 *first = NULL;
	uint64_t until = 0;
	int i = 0;

	while (is_own(chain, i))
		i++;
	for (; i < sk_X509_num(chain); i++) {
		X509 *cert = sk_X509_value(chain, i);
		uint64_t ms = time_ms(X509_get0_notAfter(cert));

		if (tls_cert_is_root(cert) || ms == 0 || (first != NULL && ms >= until))
			continue;
		first = cert;
		until = ms;
	}
	if (first != NULL) {
		*ret_from_ms = time_ms(X509_get0_notBefore(first));
		*ret_until_ms = until;
	}
	return first;
}

bool
tls_chain_is_ours(const STACK_OF(X509) * chain)
{
	char name[256] = "";

	/* what ca_make.c calls a CA; the one that is here now may be another */
	return X509_NAME_get_text_by_NID(X509_get_issuer_name(sk_X509_value(chain, 0)),
		   NID_commonName, name, sizeof(name)) > 0 &&
	       strncmp(name, SITE_CA_NAME " ", strlen(SITE_CA_NAME) + 1) == 0;
}
