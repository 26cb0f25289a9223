/*
 * ferryctl ca cross: another root vouches for the site's CA, so that loaders which were built with
 * that root alone trust this site.  The cross-certificate goes into the chain that is sent, and
 * into the content root, where iPXE asks for it by its setting `crosscert`.
 */
#include "ferryctl/ca.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "certificate"

/* --- the files that clients ask for ---------------------------------------------------------- */

/* The CRC that iPXE names a file by: the usual polynomial, without the last inversion. */
static uint32_t
crc_of_name(X509_NAME *name)
{
	unsigned char *der = NULL;
	int n = i2d_X509_NAME(name, &der);
	uint32_t crc = UINT32_MAX;

	for (int i = 0; i < n; i++) {
		crc ^= der[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
	}
	OPENSSL_free(der);
	return crc;
}

#define SET_NAME 16

/*
 * A SET of certificates, as iPXE reads it: those for `ca`, each with what stands behind it.  Its
 * name, empty if there are none.
 */
static int
write_set(const char *folder, const struct ca_store *s, X509 *ca, char ret_name[static SET_NAME])
{
	unsigned char header[5] = { 0x31, 0x83 };
	BIO *body = BIO_new(BIO_s_mem()), *whole = BIO_new(BIO_s_mem());
	char path[PUBLISH_PATH], *data = NULL;
	bool inside = false, any = false, ok = body != NULL && whole != NULL;
	long n;
	int rc = CTL_OK;

	for (int i = 0; ok && i < sk_X509_num(s->cross); i++) {
		X509 *cert = sk_X509_value(s->cross, i);
		bool root = X509_self_signed(cert, 0) == 1;

		inside = inside ||
		         X509_NAME_cmp(X509_get_subject_name(cert), X509_get_subject_name(ca)) == 0;
		if (inside)
			ok = i2d_X509_bio(body, cert) == 1;
		any = any || inside;
		inside = inside && !root;
	}
	n = ok ? BIO_get_mem_data(body, &data) : 0;
	for (int i = 0; i < 3; i++)
		header[2 + i] = (unsigned char)(n >> (16 - 8 * i));
	(void)snprintf(path, sizeof(path), "%.4000s/auto/%08x.der", folder,
	    crc_of_name(X509_get_subject_name(ca)));
	ok = ok && BIO_write(whole, header, sizeof(header)) == (int)sizeof(header) &&
	     (n == 0 || BIO_write(whole, data, (int)n) == (int)n);
	if (!ok)
		rc = ca_openssl_error(path);
	n = ok ? BIO_get_mem_data(whole, &data) : 0;
	if (rc == CTL_OK && any && data != NULL)
		rc = publish_bytes(path, data, (size_t)n, 0644) < 0 ? CTL_FAIL : CTL_OK;
	if (rc == CTL_OK && any)
		(void)snprintf(ret_name, SET_NAME, "%s", strrchr(path, '/') + 1);
	BIO_free(body);
	BIO_free(whole);
	return rc;
}

/* All of them as PEM, for scripts that load them into iPXE's store of certificates. */
static int
write_list(const char *folder, const struct ca_store *s)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char path[PUBLISH_PATH], *data;
	bool ok = bio != NULL;
	int rc = CTL_OK;
	long n;

	(void)snprintf(path, sizeof(path), "%.4000s/cross.crt", folder);
	for (int i = 0; ok && i < sk_X509_num(s->cross); i++)
		ok = PEM_write_bio_X509(bio, sk_X509_value(s->cross, i)) == 1;
	if (!ok) {
		rc = ca_openssl_error(path);
	} else {
		n = BIO_get_mem_data(bio, &data);
		if (publish_bytes(path, data, (size_t)n, 0644) < 0)
			rc = CTL_FAIL;
	}
	BIO_free(bio);
	return rc;
}

/* Ours alone: the site may keep other certificates in that folder. */
static int
remove_list(const char *folder)
{
	char path[PUBLISH_PATH];

	(void)snprintf(path, sizeof(path), "%.4000s/cross.crt", folder);
	if (unlink(path) < 0 && errno != ENOENT)
		return ctl_error("cannot remove %s: %s", path, strerror(errno));
	(void)rmdir(folder); /* fails if there is more in it */
	return CTL_OK;
}

/* What stands in auto/ beside those two: sets of CAs that are no longer vouched for. */
static int
remove_others(const char *auto_folder, const char *first, const char *second)
{
	DIR *d = opendir(auto_folder);
	struct dirent *e;
	int rc = CTL_OK;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strlen(e->d_name) != 12 || strspn(e->d_name, "0123456789abcdef") != 8 ||
		    strcmp(e->d_name + 8, ".der") != 0 || strcmp(e->d_name, first) == 0 ||
		    strcmp(e->d_name, second) == 0)
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) < 0)
			rc = ctl_error(
			    "cannot remove %s/%s: %s", auto_folder, e->d_name, strerror(errno));
	}
	if (d != NULL)
		closedir(d);
	return rc;
}

/* A client may ask at any moment: what is there is replaced, what is not needed goes last. */
static int
publish(const struct ctl *c, const struct ca_store *s)
{
	char folder[PUBLISH_PATH], deep[PUBLISH_PATH], names[2][SET_NAME] = { "", "" };
	bool any = sk_X509_num(s->cross) > 0;
	char *root = ctl_root(c);
	int rc = CTL_OK;

	(void)snprintf(folder, sizeof(folder), "%.4000s/" FOLDER, root);
	(void)snprintf(deep, sizeof(deep), "%.4000s/" FOLDER "/auto", root);
	free(root);
	if (any) {
		rc = publish_folder(deep) < 0 ? CTL_FAIL : write_list(folder, s);
		if (rc == CTL_OK)
			rc = write_set(folder, s, s->ca, names[0]);
		if (rc == CTL_OK && s->next != NULL)
			rc = write_set(folder, s, s->next, names[1]);
	}
	if (rc == CTL_OK)
		rc = remove_others(deep, names[0], names[1]);
	if (rc == CTL_OK && !any) {
		publish_sweep(deep, PUBLISH_STALE_S);
		(void)rmdir(deep); /* as the one above it */
		rc = remove_list(folder);
	}
	ctl_content_changed(c);
	return rc;
}

/* --- bringing them in ------------------------------------------------------------------------ */

static bool
is_for(X509 *cert, X509 *ca)
{
	return ca != NULL &&
	       X509_NAME_cmp(X509_get_subject_name(cert), X509_get_subject_name(ca)) == 0 &&
	       EVP_PKEY_eq(X509_get0_pubkey(cert), X509_get0_pubkey(ca)) == 1 &&
	       X509_self_signed(cert, 0) == 0;
}

/* A file of a cross-certificate and those behind it, up to its root. */
static STACK_OF(X509) * read_signed(const struct ca_store *s, const char *file)
{
	STACK_OF(X509) *certs = ca_read_certs(file);
	int n = sk_X509_num(certs);
	const char *wrong = NULL;

	if (certs == NULL)
		wrong = "it holds no certificate in PEM";
	else if (!is_for(sk_X509_value(certs, 0), s->ca) &&
		 !is_for(sk_X509_value(certs, 0), s->next))
		wrong = "its first certificate is not for this site's CA, with its name and key";
	else if (X509_self_signed(sk_X509_value(certs, n - 1), 1) != 1)
		wrong = "it does not end with the root that vouches for the CA";
	for (int i = 0; wrong == NULL && i + 1 < n; i++) {
		if (X509_verify(sk_X509_value(certs, i),
			X509_get0_pubkey(sk_X509_value(certs, i + 1))) != 1)
			wrong = "its certificates are not each signed by the next";
	}
	if (wrong == NULL)
		return certs;
	(void)ctl_error("%s: %s", file, wrong);
	sk_X509_pop_free(certs, X509_free);
	return NULL;
}

static STACK_OF(X509) * make_signed(const struct ca_store *s, const struct ca_options *o)
{
	X509 *issuer = ca_read_cert(o->issuer), *cert = NULL;
	EVP_PKEY *key = ca_read_key(o->issuer_key, issuer);
	STACK_OF(X509) *certs = NULL;

	if (issuer == NULL || key == NULL)
		(void)ctl_error("%s: it holds no %s in PEM",
		    issuer == NULL ? o->issuer : o->issuer_key,
		    issuer == NULL ? "certificate" : "key");
	else if (X509_check_private_key(issuer, key) != 1)
		(void)ctl_error("%s: it is not the key of %s", o->issuer_key, o->issuer);
	else if (X509_self_signed(issuer, 1) != 1)
		(void)ctl_error("%s: it is no root", o->issuer);
	else if (X509_get_pathlen(issuer) == 0)
		(void)ctl_error("%s: it allows no CA below it (pathlen)", o->issuer);
	else
		cert = ca_make_cross(
		    s->phase == CA_BEGUN && s->next != NULL ? s->next : s->ca, issuer, key);
	if (cert != NULL)
		certs = sk_X509_new_null();
	if (certs != NULL) {
		(void)sk_X509_push(certs, cert);
		(void)sk_X509_push(certs, issuer);
	} else {
		X509_free(cert);
		X509_free(issuer);
	}
	EVP_PKEY_free(key);
	return certs;
}

/* In place of what there was for the same CA. */
static int
merge(struct ca_store *s, STACK_OF(X509) * fresh)
{
	STACK_OF(X509) *kept = sk_X509_new_null();
	X509 *subject = sk_X509_value(fresh, 0);
	bool skipping = false;

	if (kept == NULL)
		return ctl_error("out of memory");
	while (sk_X509_num(s->cross) > 0) {
		X509 *cert = sk_X509_shift(s->cross);
		bool root = X509_self_signed(cert, 0) == 1;

		skipping = skipping || is_for(cert, subject);
		if (skipping || sk_X509_push(kept, cert) == 0)
			X509_free(cert);
		skipping = skipping && !root;
	}
	while (sk_X509_num(fresh) > 0) {
		X509 *cert = sk_X509_shift(fresh);

		if (sk_X509_push(kept, cert) == 0)
			X509_free(cert);
	}
	sk_X509_free(s->cross);
	s->cross = kept;
	return CTL_OK;
}

static int
show(const struct ca_options *o, const struct ca_store *s)
{
	json_t *list = json_array();

	for (int i = 0; i < sk_X509_num(s->cross); i++)
		json_array_append_new(list, ca_dump_cert(sk_X509_value(s->cross, i)));
	if (o->ctl->json)
		return ctl_print_json(list);
	json_decref(list);
	if (sk_X509_num(s->cross) <= 0)
		puts("no other root vouches for this site's CA");
	for (int i = 0; i < sk_X509_num(s->cross); i++) {
		X509 *cert = sk_X509_value(s->cross, i);

		ca_print_cert(X509_self_signed(cert, 0) == 1 ? "root" : "vouched for", NULL, cert);
	}
	return CTL_OK;
}

int
ca_cross(struct ca_options *o)
{
	STACK_OF(X509) *fresh = NULL;
	struct ca_store s;
	bool change = o->remove || o->nargs > 0 || o->issuer != NULL;
	int rc = ca_store_open(&s, o->dir, false);

	if (rc == CTL_OK && (o->issuer == NULL) != (o->issuer_key == NULL))
		rc = ctl_error("--issuer and --issuer-key go together");
	if (rc == CTL_OK && o->nargs > 0) {
		fresh = read_signed(&s, o->args[0]);
		rc = fresh != NULL ? merge(&s, fresh) : CTL_FAIL;
	} else if (rc == CTL_OK && o->issuer != NULL) {
		fresh = make_signed(&s, o);
		rc = fresh != NULL ? merge(&s, fresh) : CTL_FAIL;
	} else if (rc == CTL_OK && o->remove) {
		sk_X509_pop_free(s.cross, X509_free);
		s.cross = NULL;
	}
	sk_X509_free(fresh);
	if (rc == CTL_OK && change)
		rc = ca_store_put_cross(&s);
	if (rc == CTL_OK && change)
		rc = ca_refresh_pairs(&s, o);
	if (rc == CTL_OK && change)
		rc = publish(o->ctl, &s);
	if (rc == CTL_OK)
		rc = show(o, &s);
	ca_store_close(&s);
	return rc;
}
