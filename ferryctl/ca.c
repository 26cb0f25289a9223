/*
 * ferryctl ca: a site's own CA and the server certificate that all boot clients accept: RSA 3072,
 * SHA-256, names and addresses in the subjectAltName, serverAuth alone, no OCSP address (iPXE would
 * ask there and fail), the root in the chain (iPXE knows but its fingerprint).
 */
#include "common/digest.h"
#include "common/ident.h"
#include "common/sockaddr.h"
#include "ferryctl/ctl.h"
#include "ferryctl/publish.h"
#include "ferryctl/table.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RSA_BITS 3072
#define CA_DAYS  7300
#define DAYS     3650
#define NAMES    32
#define GROUP    "bootferry-httpsbootd"
#define USAGE                                                                                      \
	"ca init [--dir DIR] [--name HOST]... [--address IP]... [--days N] [--ca-days N] "         \
	"[--force] |\n"                                                                            \
	"  ca show [--dir DIR]\n"                                                                  \
	"    without --name and --address: this host's name and addresses; DIR is " CTL_ETC

struct ca_options {
	const char *dir;
	char *names[NAMES];
	size_t nnames;
	char *addresses[NAMES];
	size_t naddresses;
	uint64_t days, ca_days;
	bool force;
};

struct ca_paths {
	char ca_cert[PUBLISH_PATH], ca_key[PUBLISH_PATH], cert[PUBLISH_PATH], key[PUBLISH_PATH];
};

static void
set_paths(const char *dir, struct ca_paths *p)
{
	(void)snprintf(p->ca_cert, sizeof(p->ca_cert), "%s/ca/ca.pem", dir);
	(void)snprintf(p->ca_key, sizeof(p->ca_key), "%s/ca/ca.key", dir);
	(void)snprintf(p->cert, sizeof(p->cert), "%s/tls/server.pem", dir);
	(void)snprintf(p->key, sizeof(p->key), "%s/tls/server.key", dir);
}

static int
openssl_failed(const char *what)
{
	char text[256];

	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	return ctl_error("%s: %s", what, text);
}

/* --- names ---------------------------------------------------------------------------------- */

/* Lower-case letters, digits, '-' and '.': iPXE compares names as they stand. */
static bool
is_host_name(const char *s)
{
	if (s[0] == '\0' || strlen(s) > 253)
		return false;
	for (; *s != '\0'; s++) {
		if (!((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '-' ||
			*s == '.' || *s == '*'))
			return false;
	}
	return true;
}

static int
add_name(struct ca_options *o, const char *name)
{
	if (!is_host_name(name))
		return ctl_error("\"%s\" is no host name in lower case", name);
	if (o->nnames == NAMES)
		return ctl_error("more than %d names", NAMES);
	o->names[o->nnames] = strdup(name);
	return o->names[o->nnames++] != NULL ? CTL_OK : ctl_error("out of memory");
}

static int
add_address(struct ca_options *o, const char *address)
{
	struct ipaddr ip;

	if (ip_parse(slice_str(address), &ip) < 0 || ip_is_any(&ip))
		return ctl_error("\"%s\" is not an IP address", address);
	if (o->naddresses == NAMES)
		return ctl_error("more than %d addresses", NAMES);
	o->addresses[o->naddresses] = strdup(address);
	return o->addresses[o->naddresses++] != NULL ? CTL_OK : ctl_error("out of memory");
}

/* The host's own name, full if it is known, in lower case. */
static int
add_own_name(struct ca_options *o)
{
	char name[256];
	struct addrinfo hints = { .ai_flags = AI_CANONNAME }, *info = NULL;

	if (gethostname(name, sizeof(name)) < 0)
		return ctl_error("host name: %s", strerror(errno));
	name[sizeof(name) - 1] = '\0';
	if (strchr(name, '.') == NULL && getaddrinfo(name, NULL, &hints, &info) == 0 &&
	    info->ai_canonname != NULL)
		(void)snprintf(name, sizeof(name), "%s", info->ai_canonname);
	if (info != NULL)
		freeaddrinfo(info);
	for (char *p = name; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p |= 0x20;
	}
	return add_name(o, name);
}

/* Every address of the host but loopback and link-local ones, which no client is told. */
static int
add_own_addresses(struct ca_options *o)
{
	struct ifaddrs *list, *i;

	if (getifaddrs(&list) < 0)
		return ctl_error("addresses: %s", strerror(errno));
	for (i = list; i != NULL && o->naddresses < NAMES; i = i->ifa_next) {
		struct ipaddr ip = ip_from_sockaddr(i->ifa_addr);
		char text[IP_STRLEN];
		bool local = ip.family == 6 && ip.b[0] == 0xfe && (ip.b[1] & 0xc0) == 0x80;

		if (ip.family != 0 && !local && (i->ifa_flags & IFF_LOOPBACK) == 0)
			(void)add_address(o, ip_format(&ip, text));
	}
	freeifaddrs(list);
	return CTL_OK;
}

/* --- certificates --------------------------------------------------------------------------- */

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

/* A certificate without extensions and signature, valid from yesterday on: clocks differ. */
static X509 *
new_cert(const char *common_name, uint64_t days, EVP_PKEY *key, X509 *issuer)
{
	X509 *cert = X509_new();
	BIGNUM *serial = BN_new();
	X509_NAME *name;
	bool ok;

	ok = cert != NULL && serial != NULL && X509_set_version(cert, 2) == 1 &&
	     BN_rand(serial, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
	     BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL &&
	     X509_gmtime_adj(X509_getm_notBefore(cert), -24 * 3600L) != NULL &&
	     X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, NULL) != NULL &&
	     X509_set_pubkey(cert, key) == 1;
	name = ok ? X509_get_subject_name(cert) : NULL;
	ok = ok && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		       (const unsigned char *)common_name, -1, -1, 0) == 1;
	ok = ok &&
	     X509_set_issuer_name(cert, issuer != NULL ? X509_get_subject_name(issuer) : name) == 1;
	BN_free(serial);
	if (!ok) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

static X509 *
make_ca(EVP_PKEY *key, const struct ca_options *o)
{
	char name[64], tag[9];
	unsigned char random[4];
	X509 *cert;

	/* the tag keeps two CAs of one site apart */
	if (RAND_bytes(random, sizeof(random)) != 1)
		return NULL;
	(void)snprintf(
	    tag, sizeof(tag), "%02x%02x%02x%02x", random[0], random[1], random[2], random[3]);
	(void)snprintf(name, sizeof(name), "Bootferry site CA %s", tag);
	cert = new_cert(name, o->ca_days, key, NULL);
	if (cert == NULL)
		return NULL;
	if (add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") < 0 ||
	    add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") < 0 ||
	    add_extension(cert, cert, NID_subject_key_identifier, "hash") < 0 ||
	    X509_sign(cert, key, EVP_sha256()) == 0) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

static X509 *
make_server(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, const struct ca_options *o)
{
	char san[8192];
	struct wbuf w;
	X509 *cert;

	wbuf_init(&w, san, sizeof(san) - 1);
	for (size_t i = 0; i < o->nnames; i++)
		wbuf_printf(&w, "%sDNS:%s", w.used > 0 ? "," : "", o->names[i]);
	for (size_t i = 0; i < o->naddresses; i++)
		wbuf_printf(&w, "%sIP:%s", w.used > 0 ? "," : "", o->addresses[i]);
	san[w.used] = '\0';
	cert = new_cert(o->nnames > 0 ? o->names[0] : o->addresses[0], o->days, key, ca);
	if (cert == NULL)
		return NULL;
	if (w.bad || add_extension(cert, ca, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
	    add_extension(cert, ca, NID_key_usage, "critical,digitalSignature,keyEncipherment") <
		0 ||
	    add_extension(cert, ca, NID_ext_key_usage, "serverAuth") < 0 ||
	    add_extension(cert, ca, NID_subject_alt_name, san) < 0 ||
	    add_extension(cert, ca, NID_subject_key_identifier, "hash") < 0 ||
	    add_extension(cert, ca, NID_authority_key_identifier, "keyid") < 0 ||
	    X509_sign(cert, ca_key, EVP_sha256()) == 0) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

/* --- files ---------------------------------------------------------------------------------- */

static int
write_bio(const char *path, BIO *bio, unsigned mode)
{
	char *data;
	long n = BIO_get_mem_data(bio, &data);
	int rc = publish_bytes(path, data, (size_t)n, mode);

	OPENSSL_cleanse(data, (size_t)n);
	return rc;
}

static int
write_key(const char *path, EVP_PKEY *key, unsigned mode)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int rc = -1;

	if (bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
		rc = write_bio(path, bio, mode);
	BIO_free(bio);
	return rc;
}

static int
write_certs(const char *path, X509 *first, X509 *second)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int rc = -1;

	if (bio != NULL && PEM_write_bio_X509(bio, first) == 1 &&
	    (second == NULL || PEM_write_bio_X509(bio, second) == 1))
		rc = write_bio(path, bio, 0644);
	BIO_free(bio);
	return rc;
}

/* The server's key is for httpsbootd, by the group of its account, if it has one here. */
static int
share_key(const char *path)
{
	const struct group *gr = getgrnam(GROUP);

	if (gr == NULL || geteuid() != 0)
		return 0;
	if (chown(path, 0, gr->gr_gid) < 0 || chmod(path, 0640) < 0)
		return ctl_error("%s: %s", path, strerror(errno));
	return 0;
}

static int
write_all(const struct ca_options *o, X509 *ca, EVP_PKEY *ca_key, X509 *cert, EVP_PKEY *key)
{
	struct ca_paths p;
	char folder[PUBLISH_PATH];

	set_paths(o->dir, &p);
	(void)snprintf(folder, sizeof(folder), "%s/tls", o->dir);
	if (publish_folder(folder) < 0)
		return CTL_FAIL;
	(void)snprintf(folder, sizeof(folder), "%s/ca", o->dir);
	if (publish_folder(folder) < 0)
		return CTL_FAIL;
	if (chmod(folder, 0700) < 0)
		return ctl_error("%s: %s", folder, strerror(errno));
	if (write_key(p.ca_key, ca_key, 0600) < 0 || write_certs(p.ca_cert, ca, NULL) < 0 ||
	    write_key(p.key, key, 0600) < 0 || write_certs(p.cert, cert, ca) < 0)
		return CTL_FAIL;
	return share_key(p.key) != 0 ? CTL_FAIL : CTL_OK;
}

/* --- commands ------------------------------------------------------------------------------- */

static json_t *
dump_cert(X509 *cert)
{
	uint8_t digest[DIGEST_BYTES];
	char hex[DIGEST_STRLEN], subject[256];
	GENERAL_NAMES *san = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	json_t *names = json_array();
	struct tm tm = { 0 };

	(void)X509_digest(cert, EVP_sha256(), digest, NULL); /* of a certificate just read */
	(void)X509_NAME_oneline(X509_get_subject_name(cert), subject, sizeof(subject));
	for (int i = 0; i < sk_GENERAL_NAME_num(san); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(san, i);
		struct ipaddr ip = { 0 };
		char text[IP_STRLEN];

		if (n->type == GEN_DNS) {
			json_array_append_new(
			    names, json_stringn((const char *)ASN1_STRING_get0_data(n->d.dNSName),
				       (size_t)ASN1_STRING_length(n->d.dNSName)));
		} else if (n->type == GEN_IPADD) {
			int len = ASN1_STRING_length(n->d.iPAddress);

			ip.family = len == 4 ? 4 : len == 16 ? 6 : 0;
			memcpy(ip.b, ASN1_STRING_get0_data(n->d.iPAddress),
			    ip.family == 4   ? 4
			    : ip.family == 6 ? 16
					     : 0);
			json_array_append_new(names, json_string(ip_format(&ip, text)));
		}
	}
	GENERAL_NAMES_free(san);
	(void)ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm); /* as above */
	return json_pack("{s:s, s:o, s:I, s:s}", "subject", subject, "names", names, "expires_ms",
	    (json_int_t)timegm(&tm) * 1000, "sha256", digest_format(digest, hex));
}

static int
print_certs(const struct ctl *c, const char *dir, X509 *ca, X509 *cert)
{
	json_t *report = json_pack(
	    "{s:s, s:o, s:o}", "dir", dir, "ca", dump_cert(ca), "server", dump_cert(cert));
	const json_t *which, *name;
	char time[32];
	size_t i;

	if (c->json)
		return ctl_print_json(report);
	which = json_object_get(report, "ca");
	printf("site CA      %s\n", member_text(which, "subject"));
	printf("  file       %s/ca/ca.pem\n", dir);
	printf("  expires    %s\n", format_time((uint64_t)member_int(which, "expires_ms"), time));
	printf("  SHA-256    %s\n", member_text(which, "sha256"));
	which = json_object_get(report, "server");
	printf("certificate  %s\n", member_text(which, "subject"));
	printf("  file       %s/tls/server.pem, key %s/tls/server.key\n", dir, dir);
	printf("  expires    %s\n", format_time((uint64_t)member_int(which, "expires_ms"), time));
	printf("  names     ");
	json_array_foreach(json_object_get(which, "names"), i, name)
	    printf(" %s", json_string_value(name));
	printf("\n");
	json_decref(report);
	return CTL_OK;
}

static int
init(const struct ctl *c, struct ca_options *o)
{
	EVP_PKEY *ca_key = NULL, *key = NULL;
	X509 *ca = NULL, *cert = NULL;
	struct ca_paths p;
	int rc;

	set_paths(o->dir, &p);
	if (!o->force && (access(p.ca_key, F_OK) == 0 || access(p.key, F_OK) == 0))
		return ctl_error("there is a CA in %s already; --force replaces it, and machines "
				 "that trust only the old one will not boot until they got the "
				 "new fingerprint",
		    o->dir);
	if (o->nnames == 0 && o->naddresses == 0 &&
	    (add_own_name(o) != CTL_OK || add_own_addresses(o) != CTL_OK))
		return CTL_FAIL;
	ca_key = EVP_RSA_gen(RSA_BITS);
	key = EVP_RSA_gen(RSA_BITS);
	if (ca_key != NULL && key != NULL)
		ca = make_ca(ca_key, o);
	if (ca != NULL)
		cert = make_server(key, ca, ca_key, o);
	if (cert == NULL)
		rc = openssl_failed("certificate");
	else
		rc = write_all(o, ca, ca_key, cert, key);
	if (rc == CTL_OK)
		rc = print_certs(c, o->dir, ca, cert);
	X509_free(cert);
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
	return rc;
}

static X509 *
read_cert(const char *path)
{
	FILE *f = fopen(path, "r");
	X509 *cert;

	if (f == NULL) {
		(void)ctl_error("%s: %s", path, strerror(errno));
		return NULL;
	}
	cert = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	if (cert == NULL)
		(void)ctl_error("%s: not a certificate in PEM", path);
	return cert;
}

static int
show(const struct ctl *c, const struct ca_options *o)
{
	X509 *ca, *cert = NULL;
	struct ca_paths p;
	int rc = CTL_FAIL;

	set_paths(o->dir, &p);
	ca = read_cert(p.ca_cert);
	if (ca != NULL)
		cert = read_cert(p.cert);
	if (cert != NULL)
		rc = print_certs(c, o->dir, ca, cert);
	X509_free(cert);
	X509_free(ca);
	return rc;
}

static int
take_days(const char *text, const char *option, uint64_t *ret)
{
	if (parse_u64(text, ret) < 0 || *ret < 1 || *ret > 36500)
		return ctl_error("--%s is a number of days from 1 to 36500", option);
	return CTL_OK;
}

static int
parse_options(int argc, char *argv[], struct ca_options *o)
{
	static const struct option options[] = {
		{ "dir", required_argument, NULL, 'd' },
		{ "name", required_argument, NULL, 'n' },
		{ "address", required_argument, NULL, 'a' },
		{ "days", required_argument, NULL, 't' },
		{ "ca-days", required_argument, NULL, 'T' },
		{ "force", no_argument, NULL, 'f' },
		{ 0 },
	};
	int k, rc = CTL_OK;

	optind = 1;
	while (rc == CTL_OK && (k = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (k) {
		case 'd': o->dir = optarg; break;
		case 'n': rc = add_name(o, optarg); break;
		case 'a': rc = add_address(o, optarg); break;
		case 't': rc = take_days(optarg, "days", &o->days); break;
		case 'T': rc = take_days(optarg, "ca-days", &o->ca_days); break;
		case 'f': o->force = true; break;
		default: rc = ctl_usage(USAGE); break;
		}
	}
	return rc == CTL_OK && optind != argc ? ctl_usage(USAGE) : rc;
}

int
cmd_ca(const struct ctl *c, int argc, char *argv[])
{
	struct ca_options o = { .dir = CTL_ETC, .days = DAYS, .ca_days = CA_DAYS };
	int rc;

	if (argc < 2 || (strcmp(argv[1], "init") != 0 && strcmp(argv[1], "show") != 0))
		return ctl_usage(USAGE);
	rc = parse_options(argc - 1, argv + 1, &o);
	if (rc == CTL_OK)
		rc = strcmp(argv[1], "init") == 0 ? init(c, &o) : show(c, &o);
	for (size_t i = 0; i < o.nnames; i++)
		free(o.names[i]);
	for (size_t i = 0; i < o.naddresses; i++)
		free(o.addresses[i]);
	return rc;
}
