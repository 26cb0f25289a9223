/* Tests of httpsbootd/tls_settings.c, tls_chain.c and tls_tickets.c: handshakes in memory. */
#include "httpsbootd/tls_settings.h"

#include "common/log.h"
#include "httpsbootd/tls_chain.h"
#include "tests/httpsbootd/certs.h"
#include "tests/test.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/bootferry-tls-XXXXXX";

static const char *
path(const char *name)
{
	static char buf[8][128];
	static unsigned next;

	next = (next + 1) % NITEMS(buf);
	(void)snprintf(buf[next], sizeof(buf[next]), "%s/%s", dir, name);
	return buf[next];
}

static struct {
	EVP_PKEY *a_key, *b_key, *rsa, *ec, *user;
	X509 *a, *b, *a_by_b, *b_by_a, *rsa_leaf, *ec_leaf, *rsa_leaf_b, *user_leaf, *stranger;
} c;

static void
make_certs(void)
{
	c.a_key = certs_key("rsa");
	c.b_key = certs_key("rsa");
	c.rsa = certs_key("rsa");
	c.ec = certs_key("ec");
	c.user = certs_key("ec");
	c.a = certs_make("CA a", c.a_key, NULL, NULL, true, 100);
	c.b = certs_make("CA b", c.b_key, NULL, NULL, true, 100);
	c.a_by_b = certs_make("CA a", c.a_key, c.b, c.b_key, true, 100);
	c.b_by_a = certs_make("CA b", c.b_key, c.a, c.a_key, true, 100);
	c.rsa_leaf = certs_make("boot.example", c.rsa, c.a, c.a_key, false, 50);
	c.ec_leaf = certs_make("boot.example", c.ec, c.a, c.a_key, false, 60);
	c.rsa_leaf_b = certs_make("boot.example", c.rsa, c.b, c.b_key, false, 50);
	c.user_leaf = certs_make("pc 17", c.user, c.b, c.b_key, false, 5);
	c.stranger = certs_make("pc 18", c.user, NULL, NULL, false, 5);
	certs_write(path("a.pem"), (X509 *[]){ c.a, NULL });
	certs_write(path("b.pem"), (X509 *[]){ c.b, NULL });
	certs_write(path("rsa.pem"), (X509 *[]){ c.rsa_leaf, c.a, NULL });
	certs_write(path("leaf.pem"), (X509 *[]){ c.rsa_leaf, NULL });
	certs_write(path("ec.pem"), (X509 *[]){ c.ec_leaf, c.a, NULL });
	certs_write(path("begun.pem"), (X509 *[]){ c.rsa_leaf, c.a, c.a_by_b, c.b, NULL });
	certs_write(path("switched.pem"), (X509 *[]){ c.rsa_leaf_b, c.b, c.b_by_a, c.a, NULL });
	certs_write_key(path("rsa.key"), c.rsa);
	certs_write_key(path("ec.key"), c.ec);
}

static void
free_certs(void)
{
	EVP_PKEY *keys[] = { c.a_key, c.b_key, c.rsa, c.ec, c.user };
	X509 *certs[] = { c.a, c.b, c.a_by_b, c.b_by_a, c.rsa_leaf, c.ec_leaf, c.rsa_leaf_b,
		c.user_leaf, c.stranger };
	static const char *const files[] = { "a.pem", "b.pem", "rsa.pem", "leaf.pem", "ec.pem",
		"begun.pem", "switched.pem", "rsa.key", "ec.key", "junk.pem", "both.pem" };

	for (size_t i = 0; i < NITEMS(keys); i++)
		EVP_PKEY_free(keys[i]);
	for (size_t i = 0; i < NITEMS(certs); i++)
		X509_free(certs[i]);
	for (size_t i = 0; i < NITEMS(files); i++)
		(void)unlink(path(files[i]));
	CHECK_INT(rmdir(dir), 0);
}

static int
load(const char *rsa, const char *ec, struct tls_conf *conf, struct tls_settings *ret)
{
	conf->files[0] = (struct tls_files){ rsa, path("rsa.key"), NULL };
	conf->files[1] = (struct tls_files){ ec, ec[0] != '\0' ? path("ec.key") : "", NULL };
	if (conf->client_ca == NULL)
		conf->client_ca = "";
	return tls_settings_load(conf, ret);
}

static void
must_load(const char *rsa, const char *ec, struct tls_conf *conf, struct tls_settings *ret)
{
	memset(ret, 0, sizeof(*ret));
	CHECK_INT(load(rsa, ec, conf, ret), 0);
	if (ret->ctx == NULL)
		exit(test_end());
}

/* A client that trusts one root (NULL: asks for nothing). */
static SSL *
new_client(SSL_CTX *ctx, X509 *root, int version, const char *ciphers)
{
	SSL *ssl;

	SSL_CTX_set_min_proto_version(ctx, 0);
	SSL_CTX_set_max_proto_version(ctx, version);
	if (ciphers != NULL)
		CHECK_INT(SSL_CTX_set_cipher_list(ctx, ciphers), 1);
	if (root != NULL) {
		CHECK_INT(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root), 1);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	}
	ssl = SSL_new(ctx);
	return ssl;
}

static void
test_choice(struct tls_conf *conf)
{
	static const struct {
		const char *what;
		int version;
		const char *ciphers, *sigalgs;
		enum tls_profile profile;
		int key; /* of the certificate; 0: the handshake fails */
	} cases[] = {
		{ "a client of today gets the curve", TLS1_3_VERSION, NULL, NULL, TLS_COMPAT,
		    EVP_PKEY_EC },
		{ "and over TLS 1.2", TLS1_2_VERSION, NULL, NULL, TLS_COMPAT, EVP_PKEY_EC },
		{ "TLS 1.3 with RSA signatures alone gets RSA", TLS1_3_VERSION, NULL,
		    "RSA-PSS+SHA256:RSA+SHA256", TLS_COMPAT, EVP_PKEY_RSA },
		{ "TLS 1.2 with RSA signatures alone gets RSA", TLS1_2_VERSION, NULL, "RSA+SHA256",
		    TLS_COMPAT, EVP_PKEY_RSA },
		{ "iPXE 1.21: ECDHE and RSA", TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", NULL,
		    TLS_COMPAT, EVP_PKEY_RSA },
		{ "OVMF of 2022: DHE", TLS1_2_VERSION, "DHE-RSA-AES256-GCM-SHA384", NULL,
		    TLS_COMPAT, EVP_PKEY_RSA },
		{ "iPXE of 2019: plain RSA", TLS1_2_VERSION, "AES128-SHA", NULL, TLS_COMPAT,
		    EVP_PKEY_RSA },
		{ "with any of its four suites", TLS1_2_VERSION,
		    "AES256-SHA256:AES128-SHA256:AES256-SHA", NULL, TLS_COMPAT, EVP_PKEY_RSA },
		{ "CBC is for nobody else", TLS1_2_VERSION, "ECDHE+AES:DHE+AES:!AESGCM:!AESCCM",
		    NULL, TLS_COMPAT, 0 },
		{ "strict has no DHE", TLS1_2_VERSION, "DHE-RSA-AES256-GCM-SHA384", NULL,
		    TLS_STRICT, 0 },
		{ "strict has no plain RSA", TLS1_2_VERSION, "AES256-GCM-SHA384", NULL, TLS_STRICT,
		    0 },
		{ "strict has no CBC", TLS1_2_VERSION, "ECDHE-RSA-AES256-SHA384", NULL, TLS_STRICT,
		    0 },
		{ "strict has ECDHE with AES-GCM", TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256",
		    NULL, TLS_STRICT, EVP_PKEY_RSA },
		{ "strict has TLS 1.3", TLS1_3_VERSION, NULL, NULL, TLS_STRICT, EVP_PKEY_EC },
		{ "nobody has TLS 1.1", TLS1_1_VERSION, "ALL@SECLEVEL=0", NULL, TLS_COMPAT, 0 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		struct tls_settings s;
		SSL *server, *client;
		bool ok;

		test_case("certificates: %s", cases[i].what);
		conf->profile = cases[i].profile;
		must_load(path("rsa.pem"), path("ec.pem"), conf, &s);
		CHECK_INT(s.ncerts, 2);
		CHECK_INT(s.ntrust, 1); /* the same root twice */
		if (cases[i].sigalgs != NULL)
			CHECK_INT(SSL_CTX_set1_sigalgs_list(ctx, cases[i].sigalgs), 1);
		client = new_client(ctx, c.a, cases[i].version, cases[i].ciphers);
		server = SSL_new(s.ctx);
		ok = certs_handshake(server, client);
		CHECK_INT(ok, cases[i].key != 0);
		if (ok) {
			CHECK_INT(EVP_PKEY_get_base_id(
				      X509_get0_pubkey(SSL_get0_peer_certificate(client))),
			    cases[i].key);
			CHECK_INT(sk_X509_num(SSL_get_peer_cert_chain(client)), 2);
		}
		SSL_free(client);
		SSL_free(server);
		SSL_CTX_free(ctx);
		tls_settings_free(&s);
	}
	conf->profile = TLS_COMPAT;
}

/* Which suite is agreed on with a client that lists others first. */
static void
test_preference(struct tls_conf *conf)
{
	static const struct {
		const char *what;
		int version;
		const char *ciphers;
		enum tls_profile profile;
		const char *suite;
	} cases[] = {
		{ "AES-128 goes before AES-256", TLS1_2_VERSION,
		    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256", TLS_COMPAT,
		    "ECDHE-ECDSA-AES128-GCM-SHA256" },
		{ "in strict, too", TLS1_2_VERSION,
		    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256", TLS_STRICT,
		    "ECDHE-ECDSA-AES128-GCM-SHA256" },
		{ "and with DHE", TLS1_2_VERSION,
		    "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256", TLS_COMPAT,
		    "DHE-RSA-AES128-GCM-SHA256" },
		{ "and in TLS 1.3", TLS1_3_VERSION, NULL, TLS_COMPAT, "TLS_AES_128_GCM_SHA256" },
		{ "but forward secrecy goes before either", TLS1_2_VERSION,
		    "AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384",
		    TLS_COMPAT, "ECDHE-RSA-AES256-GCM-SHA384" },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		struct tls_settings s;
		SSL *server, *client;

		test_case("suites: %s", cases[i].what);
		conf->profile = cases[i].profile;
		must_load(path("rsa.pem"), path("ec.pem"), conf, &s);
		client = new_client(ctx, c.a, cases[i].version, cases[i].ciphers);
		server = SSL_new(s.ctx);
		CHECK(certs_handshake(server, client));
		CHECK_STR(SSL_get_cipher_name(client), cases[i].suite);
		SSL_free(client);
		SSL_free(server);
		SSL_CTX_free(ctx);
		tls_settings_free(&s);
	}
	conf->profile = TLS_COMPAT;
}

/* Goes along a chain as iPXE does: from the first certificate that it trusts back to the leaf. */
static bool
ipxe_accepts(STACK_OF(X509) * chain, X509 *root)
{
	int at;

	for (at = 0; at < sk_X509_num(chain); at++) {
		if (X509_cmp(sk_X509_value(chain, at), root) == 0)
			break;
	}
	if (at == sk_X509_num(chain))
		return false;
	for (; at > 0; at--) {
		X509 *issuer = sk_X509_value(chain, at), *cert = sk_X509_value(chain, at - 1);

		if (X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(issuer)) != 0 ||
		    X509_verify(cert, X509_get0_pubkey(issuer)) != 1)
			return false;
	}
	return true;
}

static void
test_rollover(struct tls_conf *conf)
{
	static const char *const files[] = { "begun.pem", "switched.pem" };

	for (size_t i = 0; i < NITEMS(files); i++) {
		X509 *const roots[] = { c.a, c.b };
		struct tls_settings s;

		must_load(path(files[i]), "", conf, &s);
		test_case("%s: both roots are announced", files[i]);
		CHECK_INT(s.ntrust, 2);
		for (size_t k = 0; k < NITEMS(roots) * 2; k++) {
			SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
			bool ipxe = k % 2 != 0;
			SSL *client = new_client(ctx, roots[k / 2], TLS1_2_VERSION, NULL);
			SSL *server = SSL_new(s.ctx);

			test_case("%s: %s that knows %s", files[i], ipxe ? "iPXE" : "firmware",
			    k / 2 == 0 ? "the old CA" : "the new CA");
			if (ipxe) {
				SSL_set_verify(client, SSL_VERIFY_NONE, NULL);
				SSL_set_tlsext_max_fragment_length(
				    client, TLSEXT_max_fragment_length_4096);
			}
			CHECK(certs_handshake(server, client));
			CHECK_INT(
			    tls_settings_client(server), ipxe ? TLS_CLIENT_IPXE : TLS_CLIENT_UEFI);
			if (ipxe)
				CHECK(ipxe_accepts(SSL_get_peer_cert_chain(client), roots[k / 2]));
			else
				CHECK_INT(SSL_get_verify_result(client), X509_V_OK);
			CHECK_INT(sk_X509_num(SSL_get_peer_cert_chain(client)), 4);
			SSL_free(client);
			SSL_free(server);
			SSL_CTX_free(ctx);
		}
		tls_settings_free(&s);
	}
}

/* A session by ticket, in the client's hands; NULL if it gave none. */
static SSL_SESSION *
connect_once(SSL_CTX *server_ctx, SSL_CTX *ctx, SSL_SESSION *had, bool *reused)
{
	SSL *client = SSL_new(ctx), *server = SSL_new(server_ctx);
	SSL_SESSION *got = NULL;

	if (had != NULL)
		CHECK_INT(SSL_set_session(client, had), 1);
	CHECK(certs_handshake(server, client));
	*reused = SSL_session_reused(server) == 1;
	got = SSL_get1_session(client);
	/* a connection that just ends would spoil its session */
	SSL_set_shutdown(client, SSL_SENT_SHUTDOWN);
	SSL_free(client);
	SSL_free(server);
	return got;
}

static void
test_tickets(struct tls_conf *conf)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	for (size_t i = 0; i < NITEMS(versions); i++) {
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		struct tls_settings one, other;
		struct tls_tickets_stats stats;
		SSL_SESSION *first, *next;
		bool reused;

		CHECK_INT(tls_tickets_new(&conf->tickets), 0);
		SSL_CTX_set_max_proto_version(ctx, versions[i]);
		must_load(path("rsa.pem"), "", conf, &one);
		must_load(path("rsa.pem"), path("ec.pem"), conf, &other);
		first = connect_once(one.ctx, ctx, NULL, &reused);
		test_case("TLS 1.%zu: a ticket is given out", i + 2);
		CHECK(!reused && SSL_SESSION_has_ticket(first) == 1);
		test_case("TLS 1.%zu: another context takes it, as after a reload", i + 2);
		next = connect_once(other.ctx, ctx, first, &reused);
		CHECK(reused);
		SSL_SESSION_free(next);
		test_case("TLS 1.%zu: the key before is still good, and the ticket renewed", i + 2);
		CHECK_INT(tls_tickets_rotate(conf->tickets), 0);
		next = connect_once(one.ctx, ctx, first, &reused);
		CHECK(reused);
		tls_tickets_stats(conf->tickets, &stats);
		CHECK_INT(stats.renewed, 1);
		test_case("TLS 1.%zu: the key before that is forgotten", i + 2);
		CHECK_INT(tls_tickets_rotate(conf->tickets), 0);
		SSL_SESSION_free(connect_once(one.ctx, ctx, first, &reused));
		CHECK(!reused);
		SSL_SESSION_free(connect_once(one.ctx, ctx, next, &reused));
		CHECK(reused);
		tls_tickets_stats(conf->tickets, &stats);
		CHECK_INT(stats.unknown, 1);
		CHECK_INT(stats.rotations, 2);
		SSL_SESSION_free(first);
		SSL_SESSION_free(next);
		tls_settings_free(&one);
		tls_settings_free(&other);
		tls_tickets_free(conf->tickets);
		conf->tickets = NULL;
		test_case("TLS 1.%zu: without tickets nothing is resumed", i + 2);
		must_load(path("rsa.pem"), "", conf, &one);
		first = connect_once(one.ctx, ctx, NULL, &reused);
		SSL_SESSION_free(connect_once(one.ctx, ctx, first, &reused));
		CHECK(!reused);
		SSL_SESSION_free(first);
		tls_settings_free(&one);
		SSL_CTX_free(ctx);
	}
}

/* The longest record that a server sends, by the lengths in their headers. */
static int
longest_record(SSL *server)
{
	static char data[40000];
	unsigned char *p;
	long n, at = 0;
	int longest = 0;
	BIO *out = BIO_new(BIO_s_mem());

	SSL_set0_wbio(server, out);
	for (size_t done = 0; done < sizeof(data);) {
		int k = SSL_write(server, data + done, (int)(sizeof(data) - done));

		if (k <= 0)
			break;
		done += (size_t)k;
	}
	n = BIO_get_mem_data(out, &p);
	CHECK(n > (long)sizeof(data));
	while (at + 5 <= n) {
		int length = p[at + 3] << 8 | p[at + 4];

		longest = length > longest ? length : longest;
		at += 5 + length;
	}
	CHECK_INT(at, n);
	return longest;
}

static void
test_short_records(struct tls_conf *conf)
{
	static const struct {
		const char *what;
		uint8_t mode;
		int bytes;
	} cases[] = {
		{ "512 bytes", TLSEXT_max_fragment_length_512, 512 },
		{ "4096 bytes, as iPXE asks", TLSEXT_max_fragment_length_4096, 4096 },
		{ "no limit", TLSEXT_max_fragment_length_DISABLED, 16384 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		SSL *client = new_client(ctx, c.a, TLS1_2_VERSION, NULL);
		struct tls_settings s;
		SSL *server;
		int longest;

		test_case("max_fragment_length: %s", cases[i].what);
		must_load(path("rsa.pem"), "", conf, &s);
		server = SSL_new(s.ctx);
		SSL_set_tlsext_max_fragment_length(client, cases[i].mode);
		CHECK(certs_handshake(server, client));
		longest = longest_record(server);
		/* an explicit nonce and a tag stand beside the text */
		CHECK(longest >= cases[i].bytes && longest <= cases[i].bytes + 64);
		SSL_free(client);
		SSL_free(server);
		SSL_CTX_free(ctx);
		tls_settings_free(&s);
	}
}

static void
test_clients(struct tls_conf *conf)
{
	const struct {
		const char *what;
		enum tls_client_certs mode;
		X509 *cert;
		bool ok, known;
	} cases[] = {
		{ "none is asked for", TLS_CLIENT_CERTS_OFF, c.user_leaf, true, false },
		{ "one may be shown", TLS_CLIENT_CERTS_OPTIONAL, c.user_leaf, true, true },
		{ "and need not be", TLS_CLIENT_CERTS_OPTIONAL, NULL, true, false },
		{ "but a bad one ends it", TLS_CLIENT_CERTS_OPTIONAL, c.stranger, false, false },
		{ "one must be shown", TLS_CLIENT_CERTS_REQUIRED, NULL, false, false },
		{ "and is", TLS_CLIENT_CERTS_REQUIRED, c.user_leaf, true, true },
	};

	conf->client_ca = path("b.pem");
	for (size_t i = 0; i < NITEMS(cases); i++) {
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		struct tls_identity *id;
		struct tls_settings s;
		SSL *server, *client;

		test_case("clients' certificates: %s", cases[i].what);
		conf->client_certs = cases[i].mode;
		conf->client_ca = path("b.pem");
		must_load(path("rsa.pem"), "", conf, &s);
		if (cases[i].cert != NULL) {
			CHECK_INT(SSL_CTX_use_certificate(ctx, cases[i].cert), 1);
			CHECK_INT(SSL_CTX_use_PrivateKey(ctx, c.user), 1);
		}
		client = new_client(ctx, c.a, TLS1_2_VERSION, NULL);
		server = SSL_new(s.ctx);
		CHECK_INT(certs_handshake(server, client), cases[i].ok);
		CHECK_INT(s.clients_until_ms != 0, cases[i].mode != TLS_CLIENT_CERTS_OFF);
		id = cases[i].ok ? tls_identity_new(server) : NULL;
		CHECK_INT(id != NULL, cases[i].known);
		if (id != NULL) {
			CHECK_STR(id->subject, "CN=pc 17");
			CHECK_STR(id->issuer, "CN=CA b");
			CHECK_INT(strlen(id->fingerprint), 64);
			CHECK(id->serial[0] != '\0');
		}
		free(id);
		SSL_free(client);
		SSL_free(server);
		SSL_CTX_free(ctx);
		tls_settings_free(&s);
	}
	conf->client_certs = TLS_CLIENT_CERTS_OFF;
	conf->client_ca = NULL;
}

static void
test_files(struct tls_conf *conf)
{
	const struct {
		X509 *certs[4];
		int n;
	} lines[] = {
		{ { c.rsa_leaf }, 1 },
		{ { c.rsa_leaf, c.a }, 2 },
		{ { c.rsa_leaf, c.b }, 1 },
		{ { c.rsa_leaf, c.a, c.a_by_b, c.b }, 4 },
		{ { c.rsa_leaf_b, c.b, c.b_by_a, c.a }, 4 },
		{ { c.rsa_leaf, c.a, c.b, c.a_by_b }, 2 },
		{ { c.rsa_leaf, c.ec_leaf, c.a }, 1 },
		{ { NULL }, 0 },
	};
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct tls_settings s = { 0 };
	SSL *client, *server;
	EVP_PKEY *weak;
	X509 *weak_leaf;
	FILE *f;

	f = fopen(path("junk.pem"), "w");
	fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", f);
	fclose(f);
	test_case("files: what is wrong is refused");
	CHECK_INT(load(path("none.pem"), "", conf, &s), -EINVAL);
	CHECK_INT(load(path("junk.pem"), "", conf, &s), -EINVAL);
	CHECK_INT(load(path("rsa.key"), "", conf, &s), -EINVAL); /* no certificate in it */
	CHECK_INT(load(path("ec.pem"), "", conf, &s), -EINVAL);  /* not of this key */
	conf->client_certs = TLS_CLIENT_CERTS_OPTIONAL;
	conf->client_ca = path("none.pem");
	CHECK_INT(load(path("rsa.pem"), "", conf, &s), -EINVAL);
	conf->client_certs = TLS_CLIENT_CERTS_OFF;
	conf->client_ca = NULL;
	CHECK(s.ctx == NULL);
	test_case("files: what was kept takes the place of those that do not fit");
	conf->files[0] = (struct tls_files){ path("rsa.pem"), path("ec.key"), path("both.pem") };
	conf->files[1] = (struct tls_files){ path("ec.pem"), path("ec.key"), path("none.pem") };
	CHECK_INT(tls_settings_load(conf, &s), -EINVAL); /* nothing is kept yet */
	certs_write(path("both.pem"), (X509 *[]){ c.rsa_leaf, c.a, NULL });
	f = fopen(path("both.pem"), "a");
	PEM_write_PrivateKey(f, c.rsa, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	CHECK_INT(tls_settings_load(conf, &s), 0);
	CHECK(s.ncerts == 2 && s.certs[0].kept && !s.certs[1].kept);
	CHECK_STR(s.certs[0].file, path("rsa.pem"));
	tls_settings_free(&s);
	test_case("files: at a start one of two is better than none");
	conf->files[0] = (struct tls_files){ path("rsa.pem"), path("rsa.key"), NULL };
	CHECK_INT(tls_settings_load(conf, &s), 0);
	CHECK(s.ncerts == 2 && !s.incomplete);
	tls_settings_free(&s);
	for (int i = 0; i < 3; i++) {
		conf->files[0].key = path(i == 1 ? "ec.key" : "rsa.key");
		conf->files[1] = (struct tls_files){ path(i == 2 ? "rsa.pem" : "ec.pem"),
			path(i == 1 ? "ec.key" : "rsa.key"), NULL };
		CHECK_INT(tls_settings_load(conf, &s), -EINVAL);
		conf->lenient = true;
		CHECK_INT(tls_settings_load(conf, &s), 0);
		CHECK(s.ncerts == 1 && s.incomplete);
		CHECK_STR(s.certs[0].kind, i == 1 ? "EC prime256v1" : "RSA 2048");
		tls_settings_free(&s);
		conf->lenient = false;
	}
	test_case("files: one that OpenSSL finds too weak is left out, too");
	weak = EVP_RSA_gen(512);
	weak_leaf = certs_make("boot.example", weak, c.a, c.a_key, false, 5);
	certs_write(path("both.pem"), (X509 *[]){ weak_leaf, c.a, NULL });
	certs_write_key(path("junk.pem"), weak);
	conf->files[0] = (struct tls_files){ path("both.pem"), path("junk.pem"), NULL };
	conf->files[1] = (struct tls_files){ path("ec.pem"), path("ec.key"), NULL };
	CHECK_INT(tls_settings_load(conf, &s), -EINVAL);
	conf->lenient = true;
	CHECK_INT(tls_settings_load(conf, &s), 0);
	CHECK(s.ncerts == 1 && s.incomplete);
	client = new_client(ctx, c.a, TLS1_2_VERSION, NULL);
	server = SSL_new(s.ctx);
	CHECK(certs_handshake(server, client));
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
	tls_settings_free(&s);
	conf->lenient = false;
	X509_free(weak_leaf);
	EVP_PKEY_free(weak);
	conf->files[1].certificate = "";
	test_case("files: whether each certificate is signed by the next");
	for (size_t i = 0; i < NITEMS(lines); i++) {
		STACK_OF(X509) *chain = sk_X509_new_null();

		for (size_t k = 0; k < NITEMS(lines[i].certs) && lines[i].certs[k] != NULL; k++)
			sk_X509_push(chain, lines[i].certs[k]);
		CHECK_INT(tls_chain_line(chain), lines[i].n);
		sk_X509_free(chain);
	}
	test_case("files: what vouches for the root is told of apart");
	must_load(path("begun.pem"), "", conf, &s);
	CHECK(s.certs[0].voucher_until_ms > s.certs[0].expires_ms); /* 100 days, the leaf 50 */
	CHECK_STR(s.certs[0].voucher, "CA b");
	CHECK(!s.certs[0].ours && !s.certs[0].ca_expires);
	CHECK_STR(s.certs[0].issuer, "CA a");
	tls_settings_free(&s);
	test_case("files: a certificate without its root gives no fingerprint");
	must_load(path("leaf.pem"), "", conf, &s);
	CHECK_INT(s.ntrust, 0);
	CHECK_STR(s.certs[0].kind, "RSA 2048");
	CHECK(s.certs[0].expires_ms > 0);
	tls_settings_free(&s);
}

int
main(void)
{
	struct tls_conf conf = { 0 };

	log_init("test", true);
	if (mkdtemp(dir) == NULL)
		return 1;
	make_certs();
	test_choice(&conf);
	test_preference(&conf);
	test_rollover(&conf);
	test_tickets(&conf);
	test_short_records(&conf);
	test_clients(&conf);
	test_files(&conf);
	free_certs();
	return test_end();
}
