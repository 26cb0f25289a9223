/*
 * Making keys and certificates that all boot clients accept: SHA-256, names and addresses in the
 * subjectAltName, serverAuth alone, no OCSP address (iPXE would ask there and fail); see ca.h.
 */
#include "ferryctl/ca.h"

#include "common/start.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

int
ca_openssl_error(const char *what)
{
	unsigned long e = ERR_get_error();
	char text[256];

	if (e == 0)
		return ctl_error("%s", what);
	ERR_error_string_n(e, text, sizeof(text));
	ERR_clear_error();
	return ctl_error("%s: %s", what, text);
}

EVP_PKEY *
ca_new_key(enum ca_key kind, uint64_t bits)
{
	EVP_PKEY *key = kind == CA_KEY_ECDSA ? EVP_EC_gen("P-256") : EVP_RSA_gen((unsigned)bits);

	if (key == NULL)
		(void)ca_openssl_error("key");
	return key;
}

static int
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok ? 0 : -1;
}

/*
 * A certificate without names, extensions and signature, not longer valid than its issuer.  It has
 * been valid since 1970: a PC whose battery is dead has a clock that says 2000, or the year when
 * its firmware was made, and iPXE would not accept one that begins later (error 0216eb8f).
 */
static X509 *
new_cert(uint64_t days, EVP_PKEY *key, X509 *issuer)
{
	X509 *cert = X509_new();
	BIGNUM *serial = BN_new();
	bool ok;

	ok = cert != NULL && serial != NULL && X509_set_version(cert, 2) == 1 &&
	     BN_rand(serial, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
	     BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL &&
	     ASN1_TIME_set(X509_getm_notBefore(cert), 0) != NULL &&
	     X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, NULL) != NULL &&
	     X509_set_pubkey(cert, key) == 1;
	if (ok && issuer != NULL &&
	    ASN1_TIME_compare(X509_get0_notAfter(cert), X509_get0_notAfter(issuer)) > 0)
		ok = X509_set1_notAfter(cert, X509_get0_notAfter(issuer)) == 1;
	BN_free(serial);
	if (!ok) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

static bool
set_names(X509 *cert, const char *common_name, X509 *issuer)
{
	X509_NAME *name = X509_get_subject_name(cert);

	return X509_NAME_add_entry_by_txt(
		   name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(cert, issuer != NULL ? X509_get_subject_name(issuer) : name) ==
	           1;
}

/* What all CA certificates have; it may sign other CAs, as a roll-over needs. */
static bool
finish_ca(X509 *cert, X509 *issuer, EVP_PKEY *issuer_key)
{
	return add_extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE") == 0 &&
	       add_extension(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign") == 0 &&
	       add_extension(cert, issuer, NID_subject_key_identifier, "hash") == 0 &&
	       X509_sign(cert, issuer_key, EVP_sha256()) > 0;
}

X509 *
ca_make_root(EVP_PKEY *key, uint64_t days)
{
	unsigned char random[4];
	char name[64];
	X509 *cert;

	if (RAND_bytes(random, sizeof(random)) != 1) {
		(void)ca_openssl_error("random numbers");
		return NULL;
	}
	/* the tag keeps two CAs of one site apart */
	(void)snprintf(name, sizeof(name), SITE_CA_NAME " %02x%02x%02x%02x", random[0], random[1],
	    random[2], random[3]);
	cert = new_cert(days, key, NULL);
	if (cert == NULL || !set_names(cert, name, NULL) || !finish_ca(cert, cert, key)) {
		(void)ca_openssl_error("CA certificate");
		X509_free(cert);
		return NULL;
	}
	return cert;
}

X509 *
ca_make_cross(X509 *ca, X509 *issuer, EVP_PKEY *issuer_key)
{
	X509 *cert = new_cert(36500, X509_get0_pubkey(ca), issuer);
	bool ok = cert != NULL;

	if (ok && ASN1_TIME_compare(X509_get0_notAfter(cert), X509_get0_notAfter(ca)) > 0)
		ok = X509_set1_notAfter(cert, X509_get0_notAfter(ca)) == 1;
	ok = ok && X509_set_subject_name(cert, X509_get_subject_name(ca)) == 1 &&
	     X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1 &&
	     finish_ca(cert, issuer, issuer_key);
	if (!ok) {
		(void)ca_openssl_error("cross-certificate");
		X509_free(cert);
		return NULL;
	}
	return cert;
}

bool
ca_can_vouch(X509 *ca)
{
	long room = X509_get_pathlen(ca);

	return room < 0 || room > 1;
}

static bool
put_alt_names(X509 *cert, X509 *ca, const struct ca_options *o)
{
	char san[8192];
	struct wbuf w;

	wbuf_init(&w, san, sizeof(san) - 1);
	for (size_t i = 0; i < o->nnames; i++)
		wbuf_printf(&w, "%sDNS:%s", w.used > 0 ? "," : "", o->names[i]);
	for (size_t i = 0; i < o->naddresses; i++)
		wbuf_printf(&w, "%sIP:%s", w.used > 0 ? "," : "", o->addresses[i]);
	if (w.bad)
		return false;
	san[w.used] = '\0';
	return w.used == 0 || add_extension(cert, ca, NID_subject_alt_name, san) == 0;
}

X509 *
ca_make_leaf(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, const struct ca_options *o)
{
	/* plain RSA key exchange wants keyEncipherment, which no curve has */
	bool rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
	const char *usage = rsa && !o->client ? "critical,digitalSignature,keyEncipherment"
	                                      : "critical,digitalSignature";
	const char *name = o->nnames > 0 ? o->names[0] : o->addresses[0];
	X509 *cert = new_cert(o->days, key, ca);

	/* a common name ends there (RFC 5280 appendix A.1); the name counts where it stands whole
	 */
	if (strlen(name) > ub_common_name)
		name = "Bootferry server";

	if (cert == NULL || !set_names(cert, name, ca) ||
	    add_extension(cert, ca, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
	    add_extension(cert, ca, NID_key_usage, usage) < 0 ||
	    add_extension(cert, ca, NID_ext_key_usage, o->client ? "clientAuth" : "serverAuth") <
		0 ||
	    !put_alt_names(cert, ca, o) ||
	    add_extension(cert, ca, NID_subject_key_identifier, "hash") < 0 ||
	    add_extension(cert, ca, NID_authority_key_identifier, "keyid") < 0 ||
	    X509_sign(cert, ca_key, EVP_sha256()) == 0) {
		(void)ca_openssl_error("certificate");
		X509_free(cert);
		return NULL;
	}
	return cert;
}
