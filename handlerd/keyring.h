/*
 * The keys of tokens: a file that several handlerds of one site may share, and HMAC-SHA256 by
 * OpenSSL.  New tokens get the newest key; the one before stays good until tokens made with it have
 * expired.
 */
#ifndef HANDLERD_KEYRING_H
#define HANDLERD_KEYRING_H

#include "handlerd/token.h"

#define KEYRING_FILE     "token.key"
#define KEYRING_KEYS_MAX 4
#define KEYRING_SITE_MAX 16

struct keyring;

/*
 * Reads `folder`/token.key, or makes it (mode 0600, written beside and renamed; of several that
 * begin at once one wins and all use its keys).  A file that others may read is refused: -EPERM;
 * one that cannot be understood: -EBADMSG.  `key_life_s`: age at which a key is replaced;
 * `token_life_s`: the longest life of a token.  0, or a negative errno after logging.
 */
int keyring_open(
    const char *folder, uint64_t key_life_s, uint64_t token_life_s, struct keyring **ret);
void keyring_close(struct keyring *k);

/*
 * To be called now and then (every minute will do): replaces a key that is too old, forgets those
 * that no token needs, and reads the file again if another handlerd changed it.  0, or a negative
 * errno after logging; the keys in memory stay good.
 */
int keyring_refresh(struct keyring *k, uint64_t now_ms);

/* For token_mint() and token_check(); valid until keyring_close(). */
const struct token_signer *keyring_signer(struct keyring *k);
/* Random bits for a token's id. */
uint64_t keyring_random(void);
/* Names those who share this file: 8 lower-case letters and digits, the id for referral_url(). */
const char *keyring_site(const struct keyring *k);
/* How many keys are held, and when the newest was made (ms since 1970). */
size_t keyring_count(const struct keyring *k, uint64_t *ret_newest_ms);

#endif
