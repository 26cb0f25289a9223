/* See tls_tickets.h. */
#include "httpsbootd/tls_tickets.h"

#include "common/wire.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NAME_BYTES 16 /* as OpenSSL has it in a ticket */
#define KEY_BYTES  32

struct key {
	uint8_t name[NAME_BYTES];
	uint8_t cipher[KEY_BYTES]; /* AES-256-CBC */
	uint8_t mac[KEY_BYTES];    /* HMAC-SHA-256 */
};

struct tls_tickets {
	pthread_mutex_t lock;
	struct key *keys; /* a page of their own: the present one, the one before */
	bool has_former;
	uint64_t rotations;
	_Atomic uint64_t issued, taken, renewed, unknown;
};

#define KEYS       2
#define PAGE_BYTES 4096

int
tls_tickets_new(struct tls_tickets **ret)
{
	struct tls_tickets *t = calloc(1, sizeof(*t));
	void *page;

	_Static_assert(KEYS * sizeof(struct key) <= PAGE_BYTES, "a page is enough");
	if (t == NULL)
		return -ENOMEM;
	page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		free(t);
		return -ENOMEM;
	}
	/* a host may forbid either; the keys are short-lived anyhow */
	(void)mlock(page, PAGE_BYTES);
	(void)madvise(page, PAGE_BYTES, MADV_DONTDUMP);
	t->keys = page;
	if (RAND_priv_bytes((uint8_t *)t->keys, sizeof(struct key)) != 1) {
		(void)munmap(page, PAGE_BYTES); /* cannot fail for what was mapped */
		free(t);
		return -EIO;
	}
	pthread_mutex_init(&t->lock, NULL);
	*ret = t;
	return 0;
}

void
tls_tickets_free(struct tls_tickets *t)
{
	if (t == NULL)
		return;
	OPENSSL_cleanse(t->keys, PAGE_BYTES);
	(void)munmap(t->keys, PAGE_BYTES); /* as above */
	pthread_mutex_destroy(&t->lock);
	free(t);
}

int
tls_tickets_rotate(struct tls_tickets *t)
{
	struct key fresh;

	if (RAND_priv_bytes((uint8_t *)&fresh, sizeof(fresh)) != 1)
		return -EIO;
	pthread_mutex_lock(&t->lock);
	t->keys[1] = t->keys[0];
	t->keys[0] = fresh;
	t->has_former = true;
	t->rotations++;
	pthread_mutex_unlock(&t->lock);
	OPENSSL_cleanse(&fresh, sizeof(fresh));
	return 0;
}

static int
set_up(
    const struct key *key, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
		    OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac, KEY_BYTES),
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1 &&
	       EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, encrypt) == 1;
}

/* OpenSSL's callback: 1 good, 2 good and to be renewed, 0 not known, -1 failed. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int encrypt)
{
	struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct key keys[KEYS];
	bool has_former;
	int rc = 0;

	pthread_mutex_lock(&t->lock);
	memcpy(keys, t->keys, sizeof(keys));
	has_former = t->has_former;
	pthread_mutex_unlock(&t->lock);
	if (encrypt) {
		memcpy(name, keys[0].name, NAME_BYTES);
		rc = RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1 && set_up(&keys[0], iv, cipher, mac, 1)
		         ? 1
		         : -1;
		atomic_fetch_add_explicit(&t->issued, rc == 1, memory_order_relaxed);
	} else if (memcmp(name, keys[0].name, NAME_BYTES) == 0) {
		/* of TLS 1.3 each serves once: the client needs another (RFC 8446 appendix C.4) */
		int good = SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;

		rc = set_up(&keys[0], iv, cipher, mac, 0) ? good : -1;
		atomic_fetch_add_explicit(&t->taken, rc == good, memory_order_relaxed);
	} else if (has_former && memcmp(name, keys[1].name, NAME_BYTES) == 0) {
		rc = set_up(&keys[1], iv, cipher, mac, 0) ? 2 : -1;
		atomic_fetch_add_explicit(&t->renewed, rc == 2, memory_order_relaxed);
	} else {
		atomic_fetch_add_explicit(&t->unknown, 1, memory_order_relaxed);
	}
	OPENSSL_cleanse(keys, sizeof(keys));
	return rc;
}

int
tls_tickets_use(struct tls_tickets *t, SSL_CTX *ctx)
{
	if (SSL_CTX_set_app_data(ctx, t) != 1 ||
	    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) != 1)
		return -EIO;
	return 0;
}

void
tls_tickets_stats(struct tls_tickets *t, struct tls_tickets_stats *ret)
{
	pthread_mutex_lock(&t->lock);
	ret->rotations = t->rotations;
	pthread_mutex_unlock(&t->lock);
	ret->issued = atomic_load(&t->issued);
	ret->taken = atomic_load(&t->taken);
	ret->renewed = atomic_load(&t->renewed);
	ret->unknown = atomic_load(&t->unknown);
}
