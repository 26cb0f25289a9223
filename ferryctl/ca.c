/*
 * ferryctl ca: options, and the commands that make and show certificates; see ca.h.
 */
#include "ferryctl/ca.h"

#include "common/hex.h"
#include "common/ident.h"
#include "common/start.h"
#include "ferryctl/table.h"

#include <errno.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define USAGE                                                                                      \
	"ca init [--name HOST]... [--address IP]... [--key rsa|ecdsa|both] [--ca-key rsa|ecdsa] "  \
	"[--bits N] [--days N] [--ca-days N] [--force] |\n"                                        \
	"  ca renew [--name HOST]... [--address IP]... [--days N] [--new-key] [--force] |\n"       \
	"  ca issue --out PREFIX [--name HOST]... [--address IP]... [--key rsa|ecdsa] [--days N] " \
	"[--new-key] [--client] [--owner ACCOUNT] |\n"                                             \
	"  ca show | ca export [--format pem|der|fingerprint|uefi] [--out FILE] |\n"               \
	"  ca check [FILE] [--name HOST]... [--address IP]... |\n"                                 \
	"  ca import CERTIFICATE KEY [--issuer ROOT] [--force] |\n"                                \
	"  ca roll [status|begin|switch|finish|abort] [--ca-key ...] [--ca-days N] "               \
	"[--within DAYS] [--force] |\n"                                                            \
	"  ca cross [CERTIFICATES | --issuer ROOT --issuer-key KEY | --remove]\n"                  \
	"    all take --dir DIR, which is " CTL_ETC "; without --name and --address: this host's " \
	"name and addresses"

/* --- showing -------------------------------------------------------------------------------- */

json_t *
ca_dump_cert(X509 *cert)
{
	uint8_t digest[DIGEST_BYTES];
	char hex[DIGEST_STRLEN], subject[256], issuer[256], group[24] = "", kind[64];
	EVP_PKEY *key = X509_get0_pubkey(cert);
	json_t *dump;
	struct tm tm = { 0 };

	(void)X509_digest(cert, EVP_sha256(), digest, NULL); /* of a certificate just read */
	(void)X509_NAME_oneline(X509_get_subject_name(cert), subject, sizeof(subject));
	(void)X509_NAME_oneline(X509_get_issuer_name(cert), issuer, sizeof(issuer));
	(void)EVP_PKEY_get_group_name(key, group, sizeof(group), NULL); /* a curve has one */
	(void)snprintf(kind, sizeof(kind), "%s %d%s%s", EVP_PKEY_get0_type_name(key),
	    EVP_PKEY_get_bits(key), group[0] != '\0' ? " " : "", group);
	(void)ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm); /* as above */
	dump = json_pack("{s:s, s:s, s:s, s:o, s:I, s:s}", "subject", subject, "issuer", issuer,
	    "kind", kind, "names", ca_list_names(cert), "expires_ms",
	    (json_int_t)timegm(&tm) * 1000, "sha256", digest_format(digest, hex));
	return dump;
}

void
ca_print_cert(const char *title, const char *file, X509 *cert)
{
	json_t *which = ca_dump_cert(cert);
	const json_t *name;
	char time[32];
	size_t i;

	printf("%-12s %s, %s\n", title, member_text(which, "subject"), member_text(which, "kind"));
	if (file != NULL)
		printf("  file       %s\n", file);
	printf("  expires    %s\n", format_time((uint64_t)member_int(which, "expires_ms"), time));
	printf("  SHA-256    %s\n", member_text(which, "sha256"));
	if (json_array_size(json_object_get(which, "names")) > 0) {
		printf("  names     ");
		json_array_foreach(json_object_get(which, "names"), i, name)
		    printf(" %s", json_string_value(name));
		printf("\n");
	}
	json_decref(which);
}

static int
show_json(const struct ca_store *s, const struct ca_pair pairs[static CA_PAIRS])
{
	json_t *report = json_pack("{s:s, s:s, s:o}", "dir", s->dir, "phase",
	    ca_phase_name(s->phase), "ca", ca_dump_cert(s->ca));

	if (s->next != NULL)
		json_object_set_new(report, "next", ca_dump_cert(s->next));
	if (pairs[0].leaf != NULL)
		json_object_set_new(report, "server", ca_dump_cert(pairs[0].leaf));
	if (pairs[1].leaf != NULL)
		json_object_set_new(report, "server_ecdsa", ca_dump_cert(pairs[1].leaf));
	return ctl_print_json(report);
}

static void
show_text(const struct ca_store *s, const struct ca_pair pairs[static CA_PAIRS])
{
	char path[PUBLISH_PATH], time[32];

	ca_store_path(s, "ca/ca.pem", path);
	ca_print_cert("site CA", path, s->ca);
	if (s->next != NULL) {
		ca_store_path(s, "ca/next.pem", path);
		ca_print_cert("next CA", path, s->next);
	}
	if (s->phase != CA_STEADY)
		printf("roll-over    %s since %s: `ferryctl ca roll` tells what comes next\n",
		    ca_phase_name(s->phase), format_time(s->since_ms, time));
	for (size_t i = 0; i < CA_PAIRS; i++) {
		if (pairs[i].leaf == NULL)
			continue;
		ca_print_cert("certificate", pairs[i].cert_file, pairs[i].leaf);
		printf("  key        %s\n", pairs[i].key_file);
	}
}

int
ca_show(struct ca_options *o)
{
	struct ca_pair pairs[CA_PAIRS] = { 0 };
	struct ca_store s;
	int rc = ca_store_open(&s, o->dir, false);

	if (rc == CTL_OK)
		rc = ca_pair_open(&s, CA_KEY_RSA, &pairs[0]);
	if (rc == CTL_OK)
		rc = ca_pair_open(&s, CA_KEY_ECDSA, &pairs[1]);
	if (rc == CTL_OK && o->ctl->json)
		rc = show_json(&s, pairs);
	else if (rc == CTL_OK)
		show_text(&s, pairs);
	for (size_t i = 0; i < CA_PAIRS; i++)
		ca_pair_close(&pairs[i]);
	ca_store_close(&s);
	return rc;
}

/* --- making --------------------------------------------------------------------------------- */

static bool
wants(enum ca_key key, size_t pair)
{
	return key == CA_KEY_BOTH || (key == CA_KEY_ECDSA) == (pair == 1);
}

/* A leaf for a pair: with the key that is there, if it may be kept. */
static int
make_pair(const struct ca_store *s, enum ca_key kind, const struct ca_options *o, bool keep_key)
{
	EVP_PKEY *signer_key;
	X509 *signer = ca_store_signer(s, &signer_key);
	struct ca_pair p;
	int rc = ca_pair_open(s, kind, &p);

	if (rc != CTL_OK) /* what is there is no certificate: it is replaced all the same */
		(void)ctl_error("%s is made anew", p.cert_file);
	if (p.key != NULL && !keep_key) {
		EVP_PKEY_free(p.key);
		p.key = NULL;
	}
	X509_free(p.leaf);
	p.leaf = NULL;
	if (p.key == NULL)
		p.key = ca_new_key(kind, o->bits);
	if (p.key != NULL)
		p.leaf = ca_make_leaf(p.key, signer, signer_key, o);
	rc = p.leaf != NULL ? ca_pair_write(s, &p) : CTL_FAIL;
	ca_pair_close(&p);
	return rc;
}

/* What a new CA replaces, but its retired ones. */
static int
forget_roll(const struct ca_store *s)
{
	static const char *const files[] = { "ca/roll.json", "ca/next.pem", "ca/next.key",
		"ca/ca-by-next.pem", "ca/next-by-ca.pem", "ca/cross.pem" };

	for (size_t i = 0; i < NITEMS(files); i++) {
		if (ca_store_remove(s, files[i]) != CTL_OK)
			return CTL_FAIL;
	}
	return CTL_OK;
}

static int
make_all(struct ca_store *s, const struct ca_options *o)
{
	static const enum ca_key kinds[CA_PAIRS] = { CA_KEY_RSA, CA_KEY_ECDSA };
	struct ca_pair p = { 0 };
	int rc = CTL_OK;

	s->ca_key = ca_new_key(o->ca_key, o->bits);
	if (s->ca_key != NULL)
		s->ca = ca_make_root(s->ca_key, o->ca_days);
	if (s->ca == NULL || ca_store_make_folders(o->dir) != CTL_OK || forget_roll(s) != CTL_OK)
		return CTL_FAIL;
	p.leaf = s->ca; /* alone: nothing is sent behind it */
	p.key = s->ca_key;
	ca_store_path(s, "ca/ca.pem", p.cert_file);
	ca_store_path(s, "ca/ca.key", p.key_file);
	if (ca_pair_write_alone(&p) != CTL_OK)
		return CTL_FAIL;
	for (size_t i = 0; rc == CTL_OK && i < CA_PAIRS; i++) {
		if (wants(o->key, i)) {
			rc = make_pair(s, kinds[i], o, false);
		} else { /* of the CA before, perhaps */
			rc = ca_store_remove(s, i == 1 ? "tls/server-ecdsa.pem" : "tls/server.pem");
			if (rc == CTL_OK)
				rc = ca_store_remove(
				    s, i == 1 ? "tls/server-ecdsa.key" : "tls/server.key");
		}
	}
	return rc;
}

/* A key alone is what an init leaves that was cut off. */
static bool
has_any(const struct ca_store *s)
{
	static const char *const files[] = { "ca/ca.pem", "tls/server.pem",
		"tls/server-ecdsa.pem" };
	char path[PUBLISH_PATH];

	for (size_t i = 0; i < NITEMS(files); i++) {
		ca_store_path(s, files[i], path);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

int
ca_init(struct ca_options *o)
{
	struct ca_store s = { 0 };
	int rc;

	if (strlen(o->dir) >= sizeof(s.dir))
		return ctl_error("%s: %s", o->dir, strerror(ENAMETOOLONG));
	strcpy(s.dir, o->dir);
	if (!o->force && has_any(&s))
		return ctl_error(
		    "there is a CA in %s already, or a certificate; `ferryctl ca renew --key rsa` "
		    "makes a certificate that is missing; `ferryctl ca roll` replaces the CA "
		    "without a machine that fails to boot; --force does so at once, and machines "
		    "that trust only the old one will not boot until they got the "
		    "new fingerprint",
		    o->dir);
	if (o->key == CA_KEY_UNSET)
		o->key = CA_KEY_RSA;
	if (o->ca_key == CA_KEY_UNSET)
		o->ca_key = o->key == CA_KEY_ECDSA ? CA_KEY_ECDSA : CA_KEY_RSA;
	if (o->key == CA_KEY_ECDSA)
		fprintf(stderr, "without an RSA certificate firmware of before 2025 and iPXE of "
				"before 2.0 cannot boot over HTTPS\n");
	if (o->nnames == 0 && o->naddresses == 0 && ca_add_own(o) != CTL_OK)
		return CTL_FAIL;
	rc = make_all(&s, o);
	if (rc == CTL_OK)
		rc = ca_restamp(o->ctl, s.ca, !o->force);
	ca_store_close(&s);
	return rc == CTL_OK ? ca_show(o) : rc;
}

/* A certificate lives no longer than its CA, and no renewal helps. */
static void
tell_of_end(const struct ca_store *s, const struct ca_options *o)
{
	X509 *ca = ca_store_signer(s, NULL);
	int days = 0, seconds = 0;

	if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(ca)) != 1)
		return;
	if (days < 0 || seconds < 0)
		fprintf(stderr,
		    "the CA has expired, and what it signs has, too: `ferryctl ca roll` "
		    "replaces it\n");
	else if ((uint64_t)days < o->days)
		fprintf(stderr,
		    "the CA expires in %d days, and what it signs with it: `ferryctl ca "
		    "roll` replaces it\n",
		    days);
}

int
ca_renew(struct ca_options *o)
{
	static const enum ca_key kinds[CA_PAIRS] = { CA_KEY_RSA, CA_KEY_ECDSA };
	bool given = o->nnames > 0 || o->naddresses > 0;
	struct ca_store s;
	size_t renewed = 0;
	int rc = ca_store_open(&s, o->dir, true);

	for (size_t i = 0; rc == CTL_OK && i < CA_PAIRS; i++) {
		struct ca_pair p;

		rc = ca_pair_open(&s, kinds[i], &p);
		if (rc == CTL_OK && p.leaf != NULL && !o->force && !ca_is_ours(&s, p.leaf)) {
			rc = ctl_error("%s: it is of another CA: `ferryctl ca import` brings its "
				       "successor; --force puts one of this site's CA in its place",
			    p.cert_file);
		} else if (rc == CTL_OK && p.leaf != NULL) {
			if (!given) {
				ca_drop_names(o);
				rc = ca_add_of(o, p.leaf);
			}
			if (rc == CTL_OK && o->nnames + o->naddresses == 0)
				rc = ctl_error(
				    "%s: it names no host: give --name and --address", p.cert_file);
			if (rc == CTL_OK)
				rc = make_pair(&s, kinds[i], o, !o->new_key);
			renewed++;
		} else if (rc == CTL_OK && (o->key == kinds[i] || o->key == CA_KEY_BOTH)) {
			rc = o->nnames + o->naddresses == 0 ? ca_add_own(o) : CTL_OK;
			if (rc == CTL_OK)
				rc = make_pair(&s, kinds[i], o, false);
			renewed++;
		}
		ca_pair_close(&p);
	}
	if (rc == CTL_OK && renewed == 0)
		rc = ctl_error("%s/tls holds no certificate: `ferryctl ca renew --key rsa` makes "
			       "one",
		    o->dir);
	if (rc == CTL_OK)
		tell_of_end(&s, o);
	ca_store_close(&s);
	if (rc != CTL_OK)
		return rc;
	if (!o->ctl->json)
		puts("httpsbootd takes it within seconds, without a reload\n");
	return ca_show(o);
}

/* The key of the last time is kept, unless another kind is asked for. */
static EVP_PKEY *
key_for_issue(const struct ca_options *o, const char *file)
{
	EVP_PKEY *had = o->force || o->new_key ? NULL : ca_read_key(file, NULL);
	enum ca_key kind = o->key;

	if (had != NULL && (kind == CA_KEY_UNSET || (EVP_PKEY_get_base_id(had) == EVP_PKEY_EC) ==
							(kind == CA_KEY_ECDSA)))
		return had;
	EVP_PKEY_free(had);
	return ca_new_key(kind == CA_KEY_ECDSA ? CA_KEY_ECDSA : CA_KEY_RSA, o->bits);
}

int
ca_issue(struct ca_options *o)
{
	/* a client's key is for whoever shows it; a server's for httpsbootd, if that is here */
	struct ca_pair p = { .owner = o->owner != NULL ? o->owner
		                      : o->client      ? NULL
		                                       : CA_ACCOUNT,
		.owner_asked = o->owner != NULL };
	EVP_PKEY *signer_key;
	struct ca_store s;
	X509 *signer;
	int rc;

	if (o->out == NULL)
		return ctl_usage(USAGE);
	if (o->key == CA_KEY_BOTH)
		return ctl_error("--key: one certificate is issued at a time");
	if (o->client ? o->nnames == 0 : o->nnames + o->naddresses == 0)
		return ctl_error(o->client
				     ? "a client's certificate needs a --name"
				     : "give --name and --address of the host that it is for");
	if (snprintf(p.cert_file, sizeof(p.cert_file), "%s.pem", o->out) >=
	    (int)sizeof(p.cert_file) - 16)
		return ctl_error("--out: %s", strerror(ENAMETOOLONG));
	(void)snprintf(p.key_file, sizeof(p.key_file), "%s.key", o->out);
	rc = ca_store_open(&s, o->dir, true);
	if (rc == CTL_OK) {
		signer = ca_store_signer(&s, &signer_key);
		p.key = key_for_issue(o, p.key_file);
		if (p.key != NULL)
			p.leaf = ca_make_leaf(p.key, signer, signer_key, o);
		rc = p.leaf != NULL ? ca_pair_write(&s, &p) : CTL_FAIL;
	}
	if (rc == CTL_OK && o->ctl->json) {
		rc = ctl_print_json(ca_dump_cert(p.leaf));
	} else if (rc == CTL_OK) {
		ca_print_cert("certificate", p.cert_file, p.leaf);
		printf("  key        %s\n", p.key_file);
	}
	ca_pair_close(&p);
	ca_store_close(&s);
	return rc;
}

/* --- exporting ------------------------------------------------------------------------------ */

/*
 * EFI_SIGNATURE_LIST of X.509 certificates (UEFI section 32.4.1), one list each, as firmware keeps
 * those that HTTPS trusts: OVMF takes it from fw_cfg, tools of makers enrol it.
 */
static bool
put_uefi(BIO *out, X509 *cert)
{
	static const uint8_t x509_guid[16] = { 0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87,
		0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72 };
	static const uint8_t owner[16] = "Bootferry";
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);
	uint32_t sizes[3] = { 28 + 16 + (uint32_t)n, 0, 16 + (uint32_t)n };
	uint8_t little[12];
	bool ok;

	for (size_t i = 0; i < sizeof(little); i++)
		little[i] = (uint8_t)(sizes[i / 4] >> 8 * (i % 4));
	ok = n > 0 && BIO_write(out, x509_guid, 16) == 16 && BIO_write(out, little, 12) == 12 &&
	     BIO_write(out, owner, 16) == 16 && BIO_write(out, der, n) == n;
	OPENSSL_free(der);
	return ok;
}

static bool
put_cert(BIO *out, const char *format, X509 *cert)
{
	uint8_t digest[DIGEST_BYTES];
	char hex[DIGEST_STRLEN];

	if (strcmp(format, "der") == 0)
		return i2d_X509_bio(out, cert) == 1;
	if (strcmp(format, "uefi") == 0)
		return put_uefi(out, cert);
	if (strcmp(format, "fingerprint") == 0)
		return X509_digest(cert, EVP_sha256(), digest, NULL) == 1 &&
		       BIO_printf(out, "%s\n", digest_format(digest, hex)) > 0;
	return PEM_write_bio_X509(out, cert) == 1;
}

int
ca_export(struct ca_options *o)
{
	static const char *const formats[] = { "pem", "der", "fingerprint", "uefi" };
	const char *format = o->format != NULL ? o->format : "pem";
	BIO *out = BIO_new(BIO_s_mem());
	struct ca_store s = { 0 };
	bool known = false, ok;
	char *data;
	long n;
	int rc;

	for (size_t i = 0; i < NITEMS(formats); i++)
		known = known || strcmp(format, formats[i]) == 0;
	if (!known) {
		BIO_free(out);
		return ctl_error("--format is pem, der, fingerprint or uefi");
	}
	rc = ca_store_open(&s, o->dir, false);
	/* while a CA is replaced, who is given one is given both; DER has room for one alone */
	ok = rc == CTL_OK && out != NULL && put_cert(out, format, ca_store_signer(&s, NULL));
	if (ok && s.next != NULL && strcmp(format, "der") != 0)
		ok = put_cert(out, format, s.phase == CA_SWITCHED ? s.ca : s.next);
	if (rc == CTL_OK && !ok)
		rc = ca_openssl_error("export");
	if (rc == CTL_OK) {
		n = BIO_get_mem_data(out, &data);
		if (o->out != NULL)
			rc = publish_bytes(o->out, data, (size_t)n, 0644) < 0 ? CTL_FAIL : CTL_OK;
		else if (fwrite(data, 1, (size_t)n, stdout) != (size_t)n)
			rc = ctl_error("standard output: %s", strerror(errno));
	}
	BIO_free(out);
	ca_store_close(&s);
	return rc;
}

/* --- options -------------------------------------------------------------------------------- */

static int
take_number(const char *text, const char *option, uint64_t min, uint64_t max, uint64_t *ret)
{
	if (parse_u64(text, ret) < 0 || *ret < min || *ret > max)
		return ctl_error("--%s is a number from %llu to %llu", option,
		    (unsigned long long)min, (unsigned long long)max);
	return CTL_OK;
}

static int
take_key(const char *text, const char *option, bool both, enum ca_key *ret)
{
	if (strcmp(text, "rsa") == 0)
		*ret = CA_KEY_RSA;
	else if (strcmp(text, "ecdsa") == 0)
		*ret = CA_KEY_ECDSA;
	else if (both && strcmp(text, "both") == 0)
		*ret = CA_KEY_BOTH;
	else
		return ctl_error("--%s is rsa%s", option, both ? ", ecdsa or both" : " or ecdsa");
	return CTL_OK;
}

static int
take_option(struct ca_options *o, int k, const char *value)
{
	switch (k) {
	case 'd': o->dir = value; return CTL_OK;
	case 'n': return ca_add_name(o, value);
	case 'a': return ca_add_address(o, value);
	case 't': return take_number(value, "days", 1, 36500, &o->days);
	case 'T': return take_number(value, "ca-days", 1, 36500, &o->ca_days);
	case 'b': return take_number(value, "bits", 2048, 8192, &o->bits);
	case 'k': return take_key(value, "key", true, &o->key);
	case 'K': return take_key(value, "ca-key", false, &o->ca_key);
	case 'f': o->force = true; return CTL_OK;
	case 'w': o->new_key = true; return CTL_OK;
	case 'c': o->client = true; return CTL_OK;
	case 'r': o->remove = true; return CTL_OK;
	case 'o': o->out = value; return CTL_OK;
	case 'F': o->format = value; return CTL_OK;
	case 'i': o->issuer = value; return CTL_OK;
	case 'I': o->issuer_key = value; return CTL_OK;
	case 'W': return take_number(value, "within", 1, 3650, &o->within);
	case 'O': o->owner = value; return CTL_OK;
	default: return ctl_usage(USAGE);
	}
}

static int
parse_options(int argc, char *argv[], size_t max_args, struct ca_options *o)
{
	static const struct option options[] = {
		{ "dir", required_argument, NULL, 'd' },
		{ "name", required_argument, NULL, 'n' },
		{ "address", required_argument, NULL, 'a' },
		{ "days", required_argument, NULL, 't' },
		{ "ca-days", required_argument, NULL, 'T' },
		{ "bits", required_argument, NULL, 'b' },
		{ "key", required_argument, NULL, 'k' },
		{ "ca-key", required_argument, NULL, 'K' },
		{ "force", no_argument, NULL, 'f' },
		{ "new-key", no_argument, NULL, 'w' },
		{ "client", no_argument, NULL, 'c' },
		{ "remove", no_argument, NULL, 'r' },
		{ "out", required_argument, NULL, 'o' },
		{ "format", required_argument, NULL, 'F' },
		{ "issuer", required_argument, NULL, 'i' },
		{ "issuer-key", required_argument, NULL, 'I' },
		{ "within", required_argument, NULL, 'W' },
		{ "owner", required_argument, NULL, 'O' },
		{ 0 },
	};
	int k, rc = CTL_OK;

	optind = 0; /* anew: options may stand behind words here, which main() forbids */
	while (rc == CTL_OK && (k = getopt_long(argc, argv, "", options, NULL)) != -1)
		rc = take_option(o, k, optarg);
	while (rc == CTL_OK && optind < argc) {
		if (o->nargs == max_args)
			return ctl_usage(USAGE);
		o->args[o->nargs++] = argv[optind++];
	}
	return rc;
}

int
cmd_ca(const struct ctl *c, int argc, char *argv[])
{
	static const struct {
		const char *name;
		int (*fn)(struct ca_options *o);
		size_t max_args;
		bool changes, makes; /* files below DIR, and DIR itself */
	} commands[] = {
		{ "init", ca_init, 0, true, true },
		{ "renew", ca_renew, 0, true, false },
		{ "issue", ca_issue, 0, true, false },
		{ "show", ca_show, 0, false, false },
		{ "export", ca_export, 0, false, false },
		{ "check", ca_check, 1, false, false },
		{ "import", ca_import, 2, true, true },
		{ "roll", ca_roll, 1, true, false },
		{ "cross", ca_cross, 1, true, false },
	};
	struct ca_options o = { .ctl = c,
		.dir = CTL_ETC,
		.days = CERT_DAYS,
		.ca_days = CA_DAYS,
		.bits = CA_BITS,
		.within = CA_WITHIN,
		.key = CA_KEY_UNSET,
		.ca_key = CA_KEY_UNSET };
	int rc, lock = -1;

	for (size_t i = 0; argc >= 2 && i < NITEMS(commands); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		rc = parse_options(argc - 1, argv + 1, commands[i].max_args, &o);
		if ((uint64_t)time(NULL) * 1000 < BOOTFERRY_SINCE_MS)
			fprintf(stderr,
			    "ferryctl: this host's clock says a time before this program "
			    "was made: set it first, certificates that are made now expire "
			    "too early\n");
		if (rc == CTL_OK && commands[i].changes)
			rc = ca_store_lock(o.dir, commands[i].makes, &lock);
		if (rc == CTL_OK)
			rc = commands[i].fn(&o);
		if (lock >= 0)
			close(lock);
		ca_drop_names(&o);
		return rc;
	}
	return ctl_usage(USAGE);
}
