/*
 * Tokens: what a client shows to prove that handlerd gave it a boot.
 *
 * A token is 63 bytes in URL-safe base 64: version, key, random id, boot, expiry, scope, count, a
 * keyed hash of each thing that it is bound to (MAC, address, what it opens), and an HMAC-SHA256,
 * cut to 128 bits, of all that.  Nothing about the machine can be read from it.  The hashes of the
 * bindings are keyed, too, and apart from each other, so that a refusal can say what differed.
 *
 * Pure: the keyed hash is the caller's (handlerd/keyring), and so is time.
 */
#ifndef HANDLERD_TOKEN_H
#define HANDLERD_TOKEN_H

#include "common/config.h"
#include "common/ident.h"

#define TOKEN_BYTES  63
#define TOKEN_STRLEN 85 /* with the NUL */
#define TOKEN_MAC    32 /* bytes that the keyed hash gives */

/* What a token opens. */
enum token_scope {
	TOKEN_SCOPE_BOOT,   /* all that its boot needs: every stage, any file */
	TOKEN_SCOPE_IMAGE,  /* the files of the image `name`, and reports */
	TOKEN_SCOPE_FILE,   /* the file at the path `name` alone */
	TOKEN_SCOPE_REPORT, /* reports alone */
	TOKEN_SCOPES,
};

enum token_fault {
	TOKEN_GOOD,
	TOKEN_MALFORMED,   /* not a token at all, or of another version */
	TOKEN_UNKNOWN_KEY, /* of a key that we do not have (any more) */
	TOKEN_FORGED,      /* the hash is not that of our key */
	TOKEN_EXPIRED,
	TOKEN_OTHER_MACHINE,
	TOKEN_OTHER_ADDRESS,
	TOKEN_OTHER_SCOPE,
	TOKEN_USED_UP, /* by token_uses_note() */
	TOKEN_FAULTS,
};

const char *token_scope_name(enum token_scope v);
const char *token_fault_name(enum token_fault v); /* "good", "malformed", "unknown-key", ... */

struct token_claims {
	uint64_t id;         /* random, 64 bits */
	uint64_t boot;       /* BOOT_ID_BITS */
	uint64_t expires_ms; /* since 1970; kept in seconds, rounded up */
	enum token_scope scope;
	uint16_t uses;         /* so often may each thing be fetched; 0: as often as it likes */
	struct macaddr mac;    /* bound to it; len 0: to none */
	struct ipaddr address; /* likewise; family 0: to none */
	const char *name;      /* of TOKEN_SCOPE_IMAGE and _FILE; else ignored, may be NULL */
};

#define TOKEN_LIFE_MAX_S 604800

/* The block `tokens` of the configuration. */
struct token_conf {
	int64_t life_s;     /* of a token */
	int64_t key_life_s; /* of the key that new tokens get */
	int64_t uses;       /* for claims' `uses` */
	bool bind_address;  /* whether tokens are bound to the client's address */
	int64_t max_held;   /* tokens whose uses are counted at once */
};

/* Its rows; their places are within struct token_conf. */
extern const struct config_key token_keys[];

/*
 * The keyed hash.  key_id 0 stands for the key that new tokens get; *ret_key_id is then its id.
 * 0, -ENOKEY, or -EIO.
 */
typedef int token_hash_fn(void *arg, uint16_t key_id, struct slice bytes, uint16_t *ret_key_id,
    uint8_t ret[static TOKEN_MAC]);

struct token_signer {
	token_hash_fn *hash;
	void *arg;
};

/* 0; -EINVAL for claims that are out of range; or what the hash says. */
int token_mint(
    const struct token_signer *s, const struct token_claims *claims, char ret[static TOKEN_STRLEN]);

/* Who shows the token, and what for. */
struct token_use {
	struct macaddr mac; /* of the boot that the token names; len 0: not known, which fits only
	                       a token that is bound to none */
	struct ipaddr address;  /* where the request comes from */
	enum token_scope scope; /* _FILE: a file is asked for; _REPORT: a report is made; _BOOT: any
	                           other stage.  _IMAGE is not for uses */
	const char *path;       /* of the file, below the content root, normalised */
	const char *image;      /* the image that the file belongs to, or NULL */
};

/*
 * Reads the claims without trust in them: for finding the boot, whose MAC token_check() needs.
 * mac, address and name stay empty.  0, or -EBADMSG.
 */
int token_peek(struct slice text, struct token_claims *ret);

/*
 * TOKEN_GOOD, with *ret as of token_peek(), or the first fault in the order of the enum.  Compares
 * in constant time; a forged token tells nothing of the rest.
 */
enum token_fault token_check(const struct token_signer *s, struct slice text,
    const struct token_use *use, uint64_t now_ms, struct token_claims *ret);

/*
 * How often tokens were used.  A bounded table: it forgets expired tokens and, when it is full, the
 * one that was seen first longest ago; another handlerd that shares the keys counts for itself.
 *
 * What a restart must not forget is in one piece of memory, the ring, which may be a file's
 * (handlerd/token_file).  Whatever a process that was killed left in it can be taken over.
 */
struct token_uses;

size_t token_uses_bytes(size_t limit); /* of the ring */
/*
 * `ring` is of token_uses_bytes(limit) zeros and stays the caller's; NULL: the table has memory of
 * its own.  0, or -ENOMEM.
 */
int token_uses_new(size_t limit, void *ring, struct token_uses **ret);
void token_uses_free(struct token_uses *t);
/*
 * Takes over what is not expired in another ring, of any size, into a new table; -EBADMSG if it is
 * none.
 */
int token_uses_take(struct token_uses *t, struct slice ring, uint64_t now_ms);

struct token_uses_stats {
	size_t held;
	uint64_t made_room; /* tokens that were forgotten before they expired */
};
struct token_uses_stats token_uses_stats(const struct token_uses *t);

/*
 * Counts one use of a token that token_check() found good.  `what` tells things apart that may be
 * fetched `claims->uses` times each (the path of a file; "" for all else).  TOKEN_GOOD or
 * TOKEN_USED_UP; *ret_uses is the number of this use, so that claims->uses + 1 is the first one
 * too many: the one to raise an event for.
 */
enum token_fault token_uses_note(struct token_uses *t, const struct token_claims *claims,
    const char *what, uint64_t now_ms, uint32_t *ret_uses);

#endif
