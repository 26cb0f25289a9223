/*
 * A certificate and its key are two files, and two renames.  So that at no moment the one lacks the
 * other, whenever this is cut off, the key's file holds both keys while the certificate is
 * replaced:
 *
 *   1. the key's file gets the new key behind the one in use
 *   2. the certificate's file gets the new certificate
 *   3. the key's file loses the old key
 *
 * Of several keys httpsbootd and we take the one that fits the certificate.  The one in use stands
 * first, for programs that know the first one alone.
 */
#include "ferryctl/ca.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- PEM files ------------------------------------------------------------------------------ */

static int
write_bio(const char *path, BIO *bio, unsigned mode, const struct publish_owner *owner)
{
	char *data;
	long n = BIO_get_mem_data(bio, &data);
	int rc = publish_bytes_for(path, data, (size_t)n, mode, owner);

	OPENSSL_cleanse(data, (size_t)n);
	return rc < 0 ? CTL_FAIL : CTL_OK;
}

int
ca_write_keys(const char *path, EVP_PKEY *const *keys, size_t n, const struct publish_owner *owner)
{
	BIO *bio = BIO_new(BIO_s_mem());
	bool ok = bio != NULL;
	int rc = CTL_FAIL;

	for (size_t i = 0; ok && i < n; i++)
		ok = PEM_write_bio_PrivateKey(bio, keys[i], NULL, NULL, 0, NULL, NULL) == 1;
	if (ok)
		rc = write_bio(path, bio, 0600, owner);
	else
		(void)ca_openssl_error(path);
	BIO_free(bio);
	return rc;
}

int
ca_write_certs(const char *path, X509 *const *certs, size_t n)
{
	BIO *bio = BIO_new(BIO_s_mem());
	bool ok = bio != NULL;
	int rc = CTL_FAIL;

	for (size_t i = 0; ok && i < n; i++)
		ok = PEM_write_bio_X509(bio, certs[i]) == 1;
	if (ok)
		rc = write_bio(path, bio, 0644, NULL);
	else
		(void)ca_openssl_error(path);
	BIO_free(bio);
	return rc;
}

/* --- pairs ---------------------------------------------------------------------------------- */

int
ca_pair_open(const struct ca_store *s, enum ca_key kind, struct ca_pair *ret)
{
	const char *suffix = kind == CA_KEY_ECDSA ? "-ecdsa" : "";

	*ret = (struct ca_pair){ .owner = CA_ACCOUNT };
	(void)snprintf(
	    ret->cert_file, sizeof(ret->cert_file), "%s/tls/server%s.pem", s->dir, suffix);
	(void)snprintf(ret->key_file, sizeof(ret->key_file), "%s/tls/server%s.key", s->dir, suffix);
	ret->leaf = ca_read_cert(ret->cert_file);
	ret->key = ca_read_key(ret->key_file, ret->leaf);
	if (ret->leaf == NULL && access(ret->cert_file, F_OK) == 0)
		return ctl_error("%s: not a certificate in PEM", ret->cert_file);
	return CTL_OK;
}

void
ca_pair_close(struct ca_pair *p)
{
	X509_free(p->leaf);
	EVP_PKEY_free(p->key);
	p->leaf = NULL;
	p->key = NULL;
}

/* Whose the key is to be: *ret NULL: the caller's. */
static int
find_owner(const struct ca_pair *p, struct publish_owner *room, const struct publish_owner **ret)
{
	const struct passwd *pw;

	*ret = NULL;
	/* who is not root can give it to nobody; httpsbootd may have no account on this host */
	if (p->owner == NULL || (geteuid() != 0 && !p->owner_asked))
		return CTL_OK;
	pw = getpwnam(p->owner);
	if (pw == NULL)
		return p->owner_asked ? ctl_error("there is no account \"%s\"", p->owner) : CTL_OK;
	*room = (struct publish_owner){ pw->pw_uid, pw->pw_gid };
	*ret = room;
	return CTL_OK;
}

/* What a link led to is no longer looked at: whoever renews that must be told. */
static void
tell_of_link(const char *path)
{
	char to[PUBLISH_PATH];
	ssize_t n = readlink(path, to, sizeof(to) - 1);

	if (n < 0)
		return;
	to[n] = '\0';
	fprintf(stderr,
	    "ferryctl: %s was a link to %s; it is a file of its own now: what changes there comes "
	    "here "
	    "by `ferryctl ca import` alone\n",
	    path, to);
}

static int
put(const struct ca_pair *p, X509 *const *certs, size_t n)
{
	EVP_PKEY *had[CA_KEYS], *both[2];
	size_t nhad = ca_read_keys(p->key_file, had), nboth = 0;
	X509 *in_use = ca_read_cert(p->cert_file);
	const struct publish_owner *owner;
	struct publish_owner room;
	bool known = false;
	int rc = find_owner(p, &room, &owner);

	for (size_t i = 0; i < nhad; i++) {
		if (EVP_PKEY_eq(had[i], p->key) == 1)
			known = true;
		else if (nboth == 0 && in_use != NULL &&
			 X509_check_private_key(in_use, had[i]) == 1)
			both[nboth++] = had[i];
	}
	ERR_clear_error(); /* those that do not fit */
	tell_of_link(p->cert_file);
	both[nboth++] = p->key;
	if (rc == CTL_OK && !known)
		rc = ca_write_keys(p->key_file, both, nboth, owner);
	if (rc == CTL_OK)
		rc = ca_write_certs(p->cert_file, certs, n);
	if (rc == CTL_OK && (known ? nhad > 1 || p->owner_asked : nboth > 1))
		rc = ca_write_keys(p->key_file, &p->key, 1, owner);
	for (size_t i = 0; i < nhad; i++)
		EVP_PKEY_free(had[i]);
	X509_free(in_use);
	return rc;
}

int
ca_pair_write(const struct ca_store *s, const struct ca_pair *p)
{
	X509 *certs[CA_CHAIN + 1] = { p->leaf };
	size_t n = 1 + ca_store_chain(s, certs + 1);

	return put(p, certs, n);
}

int
ca_pair_write_alone(const struct ca_pair *p)
{
	return put(p, &p->leaf, 1);
}

int
ca_pair_write_chain(const struct ca_pair *p, STACK_OF(X509) * chain)
{
	X509 *certs[2 * CA_CHAIN];
	size_t n = 0;

	if (sk_X509_num(chain) > (int)NITEMS(certs))
		return ctl_error(
		    "%s: a chain of more than %zu certificates", p->cert_file, NITEMS(certs));
	for (; (int)n < sk_X509_num(chain); n++)
		certs[n] = sk_X509_value(chain, (int)n);
	return put(p, certs, n);
}
