/* Certificates and the TLS profile; see tls_settings.h. */
#include "httpsbootd/tls_settings.h"

#include "common/log.h"
#include "httpsbootd/tls_chain.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * What boot clients can do.  OVMF up to 2025 knows DHE and plain RSA only, iPXE before November
 * 2022 plain RSA with AES-CBC only, which is there for that one alone; neither of them ECDSA. Those
 * with forward secrecy go first, and of them AES-128: loaders and firmware have AES in plain C, in
 * which 256 bits take fourteen rounds instead of ten.
 */
#define COMPAT_CIPHERS                                                                             \
	"ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM+AES128:DHE+AESGCM:"            \
	"kRSA+AESGCM+AES128:kRSA+AESGCM:kRSA+AES:"                                                 \
	"!aNULL:!eNULL:!PSK:!SRP:!ARIA:!CAMELLIA:!AESCCM:!DSS"
#define STRICT_CIPHERS                                                                             \
	"ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20:"                                         \
	"!aNULL:!eNULL:!PSK:!SRP:!ARIA:!CAMELLIA:!AESCCM"
#define TLS13_CIPHERS "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* --- what hangs on OpenSSL's objects --------------------------------------------------------- */

/* Of an SSL_CTX: the one with chains in iPXE's order.  Of an SSL: an enum tls_client. */
static int ordered_index = -1, client_index = -1;
static pthread_once_t indices_once = PTHREAD_ONCE_INIT;

static void
free_ordered(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	(void)parent;
	(void)ad;
	(void)idx;
	(void)argl;
	(void)argp;
	SSL_CTX_free(ptr);
}

static void
make_indices(void)
{
	ordered_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_ordered);
	client_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

enum tls_client
tls_settings_client(const SSL *ssl)
{
	return (enum tls_client)(uintptr_t)SSL_get_ex_data(ssl, client_index);
}

static bool
has_extension(SSL *ssl, unsigned type)
{
	const unsigned char *p;
	size_t n;

	return SSL_client_hello_get0_ext(ssl, type, &p, &n) == 1;
}

static int
on_hello(SSL *ssl, int *alert, void *arg)
{
	const struct tls_hello hello = {
		.short_records = has_extension(ssl, TLSEXT_TYPE_max_fragment_length),
		.server_name = has_extension(ssl, TLSEXT_TYPE_server_name),
		.versions = has_extension(ssl, TLSEXT_TYPE_supported_versions),
	};
	enum tls_client client = tls_client_of(&hello);
	SSL_CTX *ordered = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ordered_index);

	(void)alert;
	(void)arg;
	(void)SSL_set_ex_data(ssl, client_index, (void *)(uintptr_t)client); /* for words only */
	if (client == TLS_CLIENT_IPXE && ordered != NULL)
		(void)SSL_set_SSL_CTX(ssl, ordered); /* else the order is the other one */
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* --- one certificate ------------------------------------------------------------------------ */

/* One line of OpenSSL's queue of errors, or errno's text. */
static const char *
openssl_error(int saved, char buf[static 256])
{
	unsigned long e = ERR_get_error();

	if (e == 0)
		return saved != 0 ? strerror(saved) : "it cannot be used";
	ERR_error_string_n(e, buf, 256);
	ERR_clear_error();
	return buf;
}

static void
note_roots(struct tls_settings *s, const STACK_OF(X509) * chain)
{
	uint8_t digest[DIGEST_BYTES];

	for (int i = 0; i < sk_X509_num(chain); i++) {
		X509 *cert = sk_X509_value(chain, i);
		bool had = false;

		if (!tls_cert_is_root(cert) || X509_digest(cert, EVP_sha256(), digest, NULL) != 1)
			continue;
		for (size_t k = 0; k < s->ntrust; k++)
			had = had || memcmp(s->trust + k * DIGEST_BYTES, digest, DIGEST_BYTES) == 0;
		if (had || s->ntrust == TLS_ROOTS_MAX)
			continue;
		memcpy(s->trust + s->ntrust * DIGEST_BYTES, digest, DIGEST_BYTES);
		s->ntrust++;
	}
}

static void
describe(struct tls_cert *cert, const char *file)
{
	const STACK_OF(X509) *chain = cert->pair.chain;
	X509 *leaf = sk_X509_value(chain, 0), *voucher;
	EVP_PKEY *key = X509_get0_pubkey(leaf);
	char group[24] = "";

	(void)snprintf(cert->file, sizeof(cert->file), "%s", file);
	(void)X509_NAME_oneline(
	    X509_get_subject_name(leaf), cert->subject, (int)sizeof(cert->subject));
	(void)X509_NAME_get_text_by_NID(X509_get_issuer_name(leaf), NID_commonName, cert->issuer,
	    (int)sizeof(cert->issuer)); /* it may have none */
	cert->begins_ms = tls_chain_begins_ms(chain);
	cert->expires_ms = tls_chain_expires_ms(chain, &cert->ca_expires);
	cert->ours = tls_chain_is_ours(chain);
	voucher = tls_chain_voucher(chain, &cert->voucher_from_ms, &cert->voucher_until_ms);
	if (voucher != NULL) /* it may have no common name */
		(void)X509_NAME_get_text_by_NID(X509_get_issuer_name(voucher), NID_commonName,
		    cert->voucher, (int)sizeof(cert->voucher));
	cert->old_clients = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
	if (!cert->old_clients && EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1)
		(void)snprintf(cert->kind, sizeof(cert->kind), "EC %s", group);
	else
		(void)snprintf(cert->kind, sizeof(cert->kind), "%s %d",
		    EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
}

/* Leaf, key and what is sent behind the leaf. */
static bool
use_certificate(SSL_CTX *ctx, const STACK_OF(X509) * chain, EVP_PKEY *key)
{
	STACK_OF(X509) *rest = sk_X509_dup(chain);
	bool ok = rest != NULL && SSL_CTX_use_certificate(ctx, sk_X509_shift(rest)) == 1 &&
	          SSL_CTX_set1_chain(ctx, rest) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1;

	sk_X509_free(rest);
	return ok;
}

/* A pair whose files are at fault is replaced by the one that was kept, if there is one. */
static int
read_pair(const struct tls_files *files, size_t i, struct tls_pair *ret, bool *ret_kept)
{
	static const char *const names[TLS_CERTS][2] = { { "certificate", "key" },
		{ "certificate_ecdsa", "key_ecdsa" } };
	char words[TLS_PAIR_WORDS];
	bool key;

	*ret_kept = false;
	if (tls_pair_read(files->certificate, files->key, ret, &key, words) == 0)
		return 0;
	log_errx("%s: \"%s\": %s", names[i][key], key ? files->key : files->certificate, words);
	if (files->kept == NULL || files->kept[0] == '\0' || access(files->kept, F_OK) < 0)
		return -EINVAL;
	if (tls_pair_read(files->kept, files->kept, ret, &key, words) < 0) {
		log_errx("kept_certificates: \"%s\": %s", files->kept, words);
		return -EINVAL;
	}
	log_warnx("%s: \"%s\": what was served last is served until that is mended", names[i][0],
	    files->certificate);
	*ret_kept = true;
	return 0;
}

/* Two of a kind would take each other's place. */
static bool
is_other_kind(const struct tls_settings *s, const struct tls_cert *cert)
{
	if (s->ncerts == 0 || s->certs[0].old_clients != cert->old_clients)
		return true;
	log_errx("certificate_ecdsa: \"%s\": it is of the same kind as `certificate`: %s",
	    cert->file, cert->kind);
	return false;
}

/*
 * `ordered` gets chains as they stand, `ctx` those with the roots last.  0, or -EINVAL: then the
 * two are as before, but perhaps for a certificate without its key, which is never chosen.
 */
static int
load_certificate(SSL_CTX *ctx, SSL_CTX *ordered, const struct tls_files *files, size_t i,
    struct tls_settings *s, bool *tied)
{
	struct tls_cert *cert = &s->certs[s->ncerts];
	STACK_OF(X509) * last;
	char error[256];
	bool ok;

	*cert = (struct tls_cert){ 0 }; /* one that was refused may have been here */
	if (read_pair(files, i, &cert->pair, &cert->kept) < 0)
		return -EINVAL;
	describe(cert, files->certificate);
	if (!is_other_kind(s, cert)) {
		tls_pair_free(&cert->pair);
		return -EINVAL;
	}
	last = tls_chain_roots_last(cert->pair.chain);
	ok = last != NULL && use_certificate(ctx, last, cert->pair.key) &&
	     use_certificate(ordered, cert->pair.chain, cert->pair.key);
	if (ok) {
		s->ncerts++;
		note_roots(s, cert->pair.chain);
		*tied = *tied || tls_chain_is_tied(cert->pair.chain);
	} else {
		log_errx("%s: \"%s\": %s", i == 0 ? "certificate" : "certificate_ecdsa",
		    files->certificate, openssl_error(0, error));
		tls_pair_free(&cert->pair);
	}
	sk_X509_free(last);
	return ok ? 0 : -EINVAL;
}

/* --- contexts ------------------------------------------------------------------------------- */

/*
 * A session opens only where it was made: other CAs for clients' certificates, another context, and
 * so no session that was made under the old ones.
 */
static bool
set_session_context(SSL_CTX *ctx, const struct tls_conf *conf)
{
	unsigned char context[SSL_MAX_SID_CTX_LENGTH] = { 'b', 'f',
		(unsigned char)conf->client_certs };
	uint8_t digest[DIGEST_BYTES];
	uint64_t size;
	int fd, rc;

	if (conf->client_certs != TLS_CLIENT_CERTS_OFF) {
		fd = open(conf->client_ca, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return false;
		rc = digest_fd(fd, -1, digest, &size);
		close(fd);
		if (rc < 0)
			return false;
		memcpy(context + 3, digest, sizeof(context) - 3);
	}
	return SSL_CTX_set_session_id_context(ctx, context, sizeof(context)) == 1;
}

static bool
ask_clients(SSL_CTX *ctx, const struct tls_conf *conf)
{
	STACK_OF(X509_NAME) * names;
	int mode = SSL_VERIFY_PEER;

	if (conf->client_certs == TLS_CLIENT_CERTS_OFF)
		return true;
	if (conf->client_certs == TLS_CLIENT_CERTS_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	names = SSL_load_client_CA_file(conf->client_ca);
	if (names == NULL || SSL_CTX_load_verify_locations(ctx, conf->client_ca, NULL) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return false;
	}
	SSL_CTX_set_client_CA_list(ctx, names); /* takes them */
	SSL_CTX_set_verify(ctx, mode, NULL);
	return true;
}

static bool
use_tickets(SSL_CTX *ctx, const struct tls_conf *conf)
{
	if (conf->session_s > 0)
		SSL_CTX_set_timeout(ctx, (long)conf->session_s);
	if (conf->tickets == NULL) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
		return SSL_CTX_set_num_tickets(ctx, 0) == 1;
	}
	/* a boot client opens one connection after the other, and needs no second one */
	return tls_tickets_use(conf->tickets, ctx) == 0 && SSL_CTX_set_num_tickets(ctx, 1) == 1;
}

/*
 * The group of DHE: that of RFC 7919 with 3072 bits, which is made for TLS.  OpenSSL's own choice
 * is the one of RFC 3526.
 */
static bool
use_dh_group(SSL_CTX *ctx)
{
	char name[] = "ffdhe3072";
	const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(
					  OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
		OSSL_PARAM_construct_end() };
	EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	EVP_PKEY *group = NULL;
	bool done = maker != NULL && EVP_PKEY_paramgen_init(maker) == 1 &&
	            EVP_PKEY_CTX_set_params(maker, params) == 1 &&
	            EVP_PKEY_paramgen(maker, &group) == 1 &&
	            SSL_CTX_set0_tmp_dh_pkey(ctx, group) == 1;

	if (!done)
		EVP_PKEY_free(group);
	EVP_PKEY_CTX_free(maker);
	return done;
}

/* Without certificates; NULL after logging. */
static SSL_CTX *
new_context(const struct tls_conf *conf)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	const char *key = "TLS", *value = "OpenSSL";
	char error[256];
	bool strict = conf->profile == TLS_STRICT;

	if (ctx == NULL)
		goto fail;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
				     SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* what is sent is what the file holds: nothing is looked for, handshake by handshake */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, strict ? STRICT_CIPHERS : COMPAT_CIPHERS) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, TLS13_CIPHERS) != 1 || !use_dh_group(ctx) ||
	    !use_tickets(ctx, conf))
		goto fail;
	key = "client_ca";
	value = conf->client_ca;
	if (!ask_clients(ctx, conf) || !set_session_context(ctx, conf))
		goto fail;
	return ctx;
fail:
	log_errx("%s: \"%s\": %s", key, value, openssl_error(errno, error));
	SSL_CTX_free(ctx);
	return NULL;
}

static void
note_client_cas(const struct tls_conf *conf, struct tls_settings *s)
{
	STACK_OF(X509) * cas;

	if (conf->client_certs == TLS_CLIENT_CERTS_OFF)
		return;
	cas = tls_chain_read(conf->client_ca); /* it could be read a moment ago */
	tls_certs_times(cas, &s->clients_from_ms, &s->clients_until_ms);
	sk_X509_pop_free(cas, X509_free);
}

int
tls_settings_load(const struct tls_conf *conf, struct tls_settings *ret)
{
	struct tls_settings s = { 0 };
	SSL_CTX *ordered;
	bool tied = false;
	int rc;

	(void)pthread_once(&indices_once, make_indices);
	ERR_clear_error();
	s.ctx = new_context(conf);
	ordered = s.ctx != NULL ? new_context(conf) : NULL;
	rc = ordered != NULL ? 0 : -EINVAL;
	for (size_t i = 0; rc == 0 && i < TLS_CERTS; i++) {
		if (conf->files[i].certificate[0] == '\0')
			continue;
		rc = load_certificate(s.ctx, ordered, &conf->files[i], i, &s, &tied);
		s.incomplete = s.incomplete || rc < 0;
		if (rc == -EINVAL && conf->lenient)
			rc = 0;
	}
	if (rc == 0 && s.ncerts == 0)
		rc = -EINVAL;
	note_client_cas(conf, &s);
	if (rc == 0 && tied && SSL_CTX_set_ex_data(s.ctx, ordered_index, ordered) == 1)
		ordered = NULL; /* s.ctx has it now */
	SSL_CTX_free(ordered);
	if (rc < 0) {
		tls_settings_free(&s);
		return rc;
	}
	*ret = s;
	return 0;
}

void
tls_settings_free(struct tls_settings *s)
{
	for (size_t i = 0; i < TLS_CERTS; i++)
		tls_pair_free(&s->certs[i].pair);
	SSL_CTX_free(s->ctx);
	s->ctx = NULL;
	s->ncerts = 0;
}

/* --- clients' certificates ------------------------------------------------------------------- */

/* As RFC 2253 writes a name. */
static void
format_name(const X509_NAME *name, char *dst, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n = 0;

	if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_get_mem_data(bio, &text);
	if (n > 0)
		(void)slice_copy(dst, size, (struct slice){ (const uint8_t *)text, (size_t)n });
	else
		dst[0] = '\0';
	BIO_free(bio);
}

struct tls_identity *
tls_identity_new(const SSL *ssl)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	struct tls_identity *id;
	uint8_t digest[DIGEST_BYTES];
	BIGNUM *serial;
	char *hex = NULL;

	/* what is not verified never comes so far; this asks again all the same */
	if (cert == NULL || SSL_get_verify_result(ssl) != X509_V_OK ||
	    X509_digest(cert, EVP_sha256(), digest, NULL) != 1)
		return NULL;
	id = calloc(1, sizeof(*id));
	if (id == NULL)
		return NULL;
	format_name(X509_get_subject_name(cert), id->subject, sizeof(id->subject));
	format_name(X509_get_issuer_name(cert), id->issuer, sizeof(id->issuer));
	(void)digest_format(digest, id->fingerprint);
	serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	if (serial != NULL)
		hex = BN_bn2hex(serial);
	if (hex != NULL)
		(void)slice_copy(id->serial, sizeof(id->serial), slice_str(hex));
	OPENSSL_free(hex);
	BN_free(serial);
	return id;
}
