/* See certs.h. */
#include "tests/httpsbootd/certs.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

EVP_PKEY *
certs_key(const char *kind)
{
	EVP_PKEY *key = strcmp(kind, "rsa") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");

	assert(key != NULL);
	return key;
}

static void
add(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert(ext != NULL && X509_add_ext(cert, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

X509 *
certs_make(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, bool ca, int days)
{
	static long serial = 1;
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);
	int rc;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_time_adj_ex(X509_getm_notAfter(cert), days, 0, NULL);
	X509_set_pubkey(cert, key);
	rc = X509_NAME_add_entry_by_txt(
	    subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
	assert(rc == 1);
	X509_set_issuer_name(cert, issuer != NULL ? X509_get_subject_name(issuer) : subject);
	add(cert, issuer, NID_basic_constraints, ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (ca)
		add(cert, issuer, NID_key_usage, "critical,keyCertSign");
	rc = X509_sign(cert, issuer_key != NULL ? issuer_key : key, EVP_sha256());
	assert(rc > 0);
	(void)rc;
	return cert;
}

void
certs_write(const char *path, X509 *const *certs)
{
	FILE *f = fopen(path, "w");

	assert(f != NULL);
	for (size_t i = 0; certs[i] != NULL; i++)
		PEM_write_X509(f, certs[i]);
	fclose(f);
}

void
certs_write_key(const char *path, EVP_PKEY *key)
{
	FILE *f = fopen(path, "w");

	assert(f != NULL);
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

static void
carry(BIO *from, BIO *to)
{
	char buf[16384];
	int n;

	while ((n = BIO_read(from, buf, sizeof(buf))) > 0)
		BIO_write(to, buf, n);
}

bool
certs_handshake(SSL *server, SSL *client)
{
	BIO *to_server = BIO_new(BIO_s_mem()), *to_client = BIO_new(BIO_s_mem());
	bool done[2] = { false, false };
	char byte;

	BIO_up_ref(to_server);
	BIO_up_ref(to_client);
	SSL_set_bio(server, to_server, BIO_new(BIO_s_mem()));
	SSL_set_bio(client, to_client, BIO_new(BIO_s_mem()));
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < 10 && !(done[0] && done[1]); i++) {
		done[1] = SSL_do_handshake(client) == 1;
		carry(SSL_get_wbio(client), to_server);
		done[0] = SSL_do_handshake(server) == 1;
		carry(SSL_get_wbio(server), to_client);
	}
	/* tickets of TLS 1.3, and alerts on certificates, come behind the handshake */
	if (done[0] && done[1]) {
		(void)SSL_write(server, "x", 1);
		carry(SSL_get_wbio(server), to_client);
		done[1] = SSL_read(client, &byte, 1) == 1;
		carry(SSL_get_wbio(client), to_server);
	}
	BIO_free(to_server);
	BIO_free(to_client);
	return done[0] && done[1];
}
