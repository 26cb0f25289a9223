/*
 * A chain from a bundle: certificates of which nobody looked at the order, with some too many; see
 * ca.h.
 */
#include "ferryctl/ca.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

static bool
is_by(X509 *cert, X509 *issuer)
{
	bool by = X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(issuer)) == 0 &&
	          X509_verify(cert, X509_get0_pubkey(issuer)) == 1;

	ERR_clear_error(); /* one of the same name is none */
	return by;
}

/* The same CA, as another one vouches for it. */
static bool
is_twin(X509 *cert, X509 *root)
{
	return X509_NAME_cmp(X509_get_subject_name(cert), X509_get_subject_name(root)) == 0 &&
	       EVP_PKEY_eq(X509_get0_pubkey(cert), X509_get0_pubkey(root)) == 1 &&
	       X509_self_signed(cert, 0) != 1;
}

/* What comes next behind `last`, taken out; a root before its twins.  NULL: nothing. */
static X509 *
take_next(STACK_OF(X509) * bundle, X509 *last)
{
	bool root = X509_self_signed(last, 0) == 1;
	int best = -1;

	for (int i = 0; i < sk_X509_num(bundle); i++) {
		X509 *cert = sk_X509_value(bundle, i);

		if (root ? !is_twin(cert, last) : !is_by(last, cert))
			continue;
		if (best < 0 || X509_self_signed(cert, 0) == 1)
			best = i;
	}
	return best >= 0 ? sk_X509_delete(bundle, best) : NULL;
}

static void
drop_doubles(STACK_OF(X509) * bundle)
{
	for (int i = 0; i < sk_X509_num(bundle); i++) {
		for (int k = sk_X509_num(bundle) - 1; k > i; k--) {
			if (X509_cmp(sk_X509_value(bundle, i), sk_X509_value(bundle, k)) == 0)
				X509_free(sk_X509_delete(bundle, k));
		}
	}
}

int
ca_sort_chain(STACK_OF(X509) * bundle, EVP_PKEY *key, const char *file)
{
	STACK_OF(X509) *sorted = sk_X509_new_null();
	X509 *cert = NULL;
	int n = sk_X509_num(bundle);

	if (sorted == NULL)
		return ctl_error("out of memory");
	for (int i = 0; cert == NULL && i < n; i++) {
		if (X509_check_private_key(sk_X509_value(bundle, i), key) == 1)
			cert = sk_X509_delete(bundle, i);
	}
	ERR_clear_error(); /* those that it does not fit */
	if (cert == NULL) {
		sk_X509_free(sorted);
		return -ENOENT;
	}
	drop_doubles(bundle);
	while (cert != NULL && sk_X509_push(sorted, cert) > 0)
		cert = take_next(bundle, cert);
	n = sk_X509_num(bundle);
	if (n > 0)
		fprintf(stderr,
		    "ferryctl: %s: %d certificate%s not of this key's chain, and left out\n", file,
		    n, n == 1 ? " is" : "s are");
	while (sk_X509_num(bundle) > 0)
		X509_free(sk_X509_pop(bundle));
	while (sk_X509_num(sorted) > 0)
		(void)sk_X509_push(bundle, sk_X509_shift(sorted)); /* it had room for them */
	sk_X509_free(sorted);
	return CTL_OK;
}

int
ca_no_pem(const char *file, const char *what)
{
	FILE *f = fopen(file, "re");
	int first = f != NULL ? getc(f) : EOF;

	if (f == NULL)
		return ctl_error("%s: %s", file, strerror(errno));
	fclose(f);
	/* a SEQUENCE: what Windows and appliances export */
	if (first == 0x30)
		return ctl_error(
		    "%s: it holds no %s in PEM, but looks like PKCS #12 (.pfx) or DER: "
		    "`openssl pkcs12 -in FILE -nodes -out NEW`, or `openssl x509 -inform "
		    "DER -in FILE -out NEW`, makes PEM of it",
		    file, what);
	return ctl_error("%s: it holds no %s in PEM%s", file, what,
	    strcmp(what, "key") == 0 ? ", or one with a passphrase" : "");
}
