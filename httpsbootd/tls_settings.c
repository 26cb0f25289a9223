/* Certificates and the TLS profile; see tls.h. */
#include "httpsbootd/tls.h"

#include "common/log.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

/*
 * What boot clients can do.  OVMF up to 2025 knows DHE and plain RSA only, iPXE before 2022 plain
 * RSA only; neither of them ECDSA.  Those with forward secrecy go first.
 */
#define COMPAT_CIPHERS                                                                             \
	"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES:"             \
	"!aNULL:!eNULL:!PSK:!SRP:!ARIA:!CAMELLIA:!CCM:!DSS"

/* One line of OpenSSL's queue of errors. */
static const char *
openssl_error(char buf[static 256])
{
	unsigned long e = ERR_get_error();

	if (e == 0)
		return "unknown error";
	ERR_error_string_n(e, buf, 256);
	ERR_clear_error();
	return buf;
}

static uint64_t
asn1_to_ms(const ASN1_TIME *t)
{
	struct tm tm;
	time_t s;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return 0;
	s = timegm(&tm);
	return s > 0 ? (uint64_t)s * 1000 : 0;
}

static bool
is_self_signed(X509 *cert)
{
	return X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0;
}

/* The root that clients are to trust: the self-signed one of what is sent. */
static void
find_root(struct tls_settings *s)
{
	X509 *leaf = SSL_CTX_get0_certificate(s->ctx), *root = NULL;
	STACK_OF(X509) *chain = NULL;

	(void)SSL_CTX_get0_chain_certs(s->ctx, &chain); /* leaves NULL when there is none */
	for (int i = 0; i < sk_X509_num(chain); i++) {
		if (is_self_signed(sk_X509_value(chain, i)))
			root = sk_X509_value(chain, i);
	}
	if (root == NULL && is_self_signed(leaf))
		root = leaf;
	if (root != NULL)
		s->has_root = X509_digest(root, EVP_sha256(), s->trust, NULL) == 1;
	(void)X509_NAME_oneline(X509_get_subject_name(leaf), s->subject, (int)sizeof(s->subject));
	s->expires_ms = asn1_to_ms(X509_get0_notAfter(leaf));
}

int
tls_settings_load(const char *certificate, const char *key, struct tls_settings *ret)
{
	struct tls_settings s = { .ctx = SSL_CTX_new(TLS_server_method()) };
	static const unsigned char session_context[] = "bootferry";
	char error[256];
	const char *at = "TLS", *file = certificate;

	ERR_clear_error();
	if (s.ctx == NULL)
		goto fail;
	SSL_CTX_set_options(s.ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
				       SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(s.ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (SSL_CTX_set_min_proto_version(s.ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(s.ctx, COMPAT_CIPHERS) != 1 ||
	    SSL_CTX_set_dh_auto(s.ctx, 1) != 1 ||
	    SSL_CTX_set_session_id_context(s.ctx, session_context, sizeof(session_context) - 1) !=
		1)
		goto fail;
	at = "certificate";
	if (SSL_CTX_use_certificate_chain_file(s.ctx, certificate) != 1)
		goto fail;
	at = "key";
	file = key;
	if (SSL_CTX_use_PrivateKey_file(s.ctx, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(s.ctx) != 1)
		goto fail;
	find_root(&s);
	*ret = s;
	return 0;
fail:
	log_errx("%s: \"%s\": %s; `ferryctl ca init` makes a certificate and its key", at, file,
	    openssl_error(error));
	SSL_CTX_free(s.ctx);
	return -EINVAL;
}

void
tls_settings_free(struct tls_settings *s)
{
	SSL_CTX_free(s->ctx);
	s->ctx = NULL;
}
