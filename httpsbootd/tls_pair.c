/* See tls_pair.h. */
#include "httpsbootd/tls_pair.h"

#include "httpsbootd/tls_chain.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#define KEYS_MAX 8 /* of one file */
#define TRIES    3

void
tls_pair_free(struct tls_pair *p)
{
	sk_X509_pop_free(p->chain, X509_free);
	EVP_PKEY_free(p->key);
	*p = (struct tls_pair){ 0 };
}

/* --- words ---------------------------------------------------------------------------------- */

static void
say_unreadable(const char *what, int saved, char words[static TLS_PAIR_WORDS])
{
	unsigned long e = ERR_peek_last_error();
	char text[256];

	if (saved != 0) {
		(void)snprintf(words, TLS_PAIR_WORDS, "%s%s", strerror(saved),
		    saved == ENOENT   ? "; `ferryctl ca init` makes a certificate and its key"
		    : saved == EACCES ? "; httpsbootd's account must be able to read it"
				      : "");
	} else if (e == 0 || ERR_GET_REASON(e) == PEM_R_NO_START_LINE ||
		   ERR_GET_LIB(e) == ERR_LIB_OSSL_DECODER) { /* which says "unsupported" */
		(void)snprintf(words, TLS_PAIR_WORDS, "it holds no %s in PEM", what);
	} else {
		ERR_error_string_n(e, text, sizeof(text));
		(void)snprintf(words, TLS_PAIR_WORDS, "it holds no good %s in PEM: %s", what, text);
	}
	ERR_clear_error();
}

/* The key fits no certificate that could be the server's own. */
static void
say_mismatch(const struct tls_pair *p, EVP_PKEY *const *keys, size_t nkeys, const char *cert_file,
    char words[static TLS_PAIR_WORDS])
{
	for (int i = 1; i < sk_X509_num(p->chain); i++) {
		for (size_t k = 0; k < nkeys; k++) {
			if (X509_check_private_key(sk_X509_value(p->chain, i), keys[k]) != 1)
				continue;
			(void)snprintf(words, TLS_PAIR_WORDS,
			    "it is the key of certificate %d in \"%.100s\": the server's own must "
			    "be the first there; `ferryctl ca import` puts them into order",
			    i + 1, cert_file);
			ERR_clear_error();
			return;
		}
	}
	(void)snprintf(words, TLS_PAIR_WORDS,
	    "it is not the key of the certificate in \"%.100s\": if one of the two has been "
	    "replaced, "
	    "replace the other as well; `ferryctl ca import CERTIFICATE KEY` replaces both at "
	    "once, "
	    "`ferryctl ca renew --new-key` makes both anew",
	    cert_file);
	ERR_clear_error();
}

/* --- reading -------------------------------------------------------------------------------- */

/* Nobody is there to enter one; OpenSSL would ask at the terminal. */
static int
no_passphrase(char *buf, int size, int writing, void *asked)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

/* All keys of a file; 0 with errno, or OpenSSL's queue, telling why. */
static size_t
read_keys(const char *file, EVP_PKEY *ret[static KEYS_MAX], bool *ret_passphrase)
{
	FILE *f = fopen(file, "re");
	size_t n = 0;

	ERR_clear_error();
	*ret_passphrase = false;
	if (f == NULL)
		return 0;
	while (n < KEYS_MAX &&
	       (ret[n] = PEM_read_PrivateKey(f, NULL, no_passphrase, ret_passphrase)) != NULL)
		n++;
	fclose(f);
	errno = 0; /* what is wrong is in the text */
	return n;
}

/* 0, -EINVAL, or -EAGAIN: the two do not fit. */
static int
read_once(const char *cert_file, const char *key_file, struct tls_pair *p, bool *ret_key,
    char words[static TLS_PAIR_WORDS])
{
	EVP_PKEY *keys[KEYS_MAX];
	bool passphrase;
	size_t n;

	errno = 0;
	*ret_key = false;
	p->chain = tls_chain_read(cert_file);
	if (p->chain == NULL) {
		say_unreadable("certificate", errno, words);
		return -EINVAL;
	}
	*ret_key = true;
	n = read_keys(key_file, keys, &passphrase);
	if (n == 0 && passphrase) {
		(void)snprintf(words, TLS_PAIR_WORDS,
		    "it has a passphrase, which nobody enters here: `openssl pkey -in %.100s -out "
		    "FILE` writes it without",
		    key_file);
		ERR_clear_error();
		return -EINVAL;
	}
	if (n == 0) {
		say_unreadable("key", errno, words);
		return -EINVAL;
	}
	for (size_t i = 0; i < n; i++) {
		if (p->key == NULL &&
		    X509_check_private_key(sk_X509_value(p->chain, 0), keys[i]) == 1) {
			p->key = keys[i];
			keys[i] = NULL;
		}
	}
	if (p->key == NULL)
		say_mismatch(p, keys, n, cert_file, words);
	for (size_t i = 0; i < n; i++)
		EVP_PKEY_free(keys[i]);
	ERR_clear_error();
	return p->key != NULL ? 0 : -EAGAIN;
}

int
tls_pair_read(const char *cert_file, const char *key_file, struct tls_pair *ret, bool *ret_key,
    char words[static TLS_PAIR_WORDS])
{
	struct tls_pair p = { 0 };
	int rc;

	/* both may have been replaced between the one and the other */
	for (int i = 0; i < TRIES; i++) {
		rc = read_once(cert_file, key_file, &p, ret_key, words);
		if (rc == 0) {
			*ret = p;
			return 0;
		}
		tls_pair_free(&p);
		if (rc != -EAGAIN)
			break;
	}
	return -EINVAL;
}
