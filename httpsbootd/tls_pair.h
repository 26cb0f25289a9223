/*
 * A certificate chain and its key, as they are read from two PEM files.
 *
 * The key's file may hold several: the one that fits the certificate is taken.  So whoever replaces
 * both can have the new key in there before the new certificate comes, and no moment has one
 * without the other.
 */
#ifndef HTTPSBOOTD_TLS_PAIR_H
#define HTTPSBOOTD_TLS_PAIR_H

#include <openssl/x509.h>
#include <stdbool.h>

struct tls_pair {
	STACK_OF(X509) * chain; /* the server's own first */
	EVP_PKEY *key;
};

#define TLS_PAIR_WORDS 512

/*
 * 0; or -EINVAL with what is wrong, and what to do, in `words`, and whether it is the key's file.
 */
int tls_pair_read(const char *cert_file, const char *key_file, struct tls_pair *ret, bool *ret_key,
    char words[static TLS_PAIR_WORDS]);
void tls_pair_free(struct tls_pair *p);

#endif
