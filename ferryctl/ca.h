/*
 * ferryctl ca: what its parts share.  Certificates are made by ca_make.c, kept in files by
 * ca_store.c and ca_pair.c, replaced step by step by ca_roll.c, read into facts by ca_facts.c, and
 * judged by ca_judge.c.
 */
#ifndef FERRYCTL_CA_H
#define FERRYCTL_CA_H

#include "ferryctl/ctl.h"
#include "ferryctl/publish.h"

#include <openssl/x509.h>
#include <stdbool.h>

#define CA_NAMES   32
#define CA_DAYS    7300
#define CERT_DAYS  3650
#define CA_BITS    3072
#define CA_WITHIN  7 /* days */
#define CA_PAIRS   2 /* server certificates: RSA, ECDSA */
#define CA_CHAIN   8 /* certificates in a chain that we write */
#define CA_KEYS    4 /* in one file, while one takes another's place */

#define CA_ACCOUNT "bootferry-httpsbootd" /* whose the server's key is */

enum ca_key {
	CA_KEY_RSA,
	CA_KEY_ECDSA,
	CA_KEY_BOTH,
	CA_KEY_UNSET,
};

struct ca_options {
	const struct ctl *ctl;
	const char *dir;
	char *names[CA_NAMES];
	size_t nnames;
	char *addresses[CA_NAMES];
	size_t naddresses;
	uint64_t days, ca_days, bits;
	uint64_t within; /* days in which a machine was seen */
	enum ca_key key, ca_key;
	bool force, new_key, client, remove;
	const char *out, *format, *issuer, *issuer_key, *owner;
	const char *args[3]; /* what is no option */
	size_t nargs;
};

/* --- ca_make.c: NULL after printing why ------------------------------------------------------ */

EVP_PKEY *ca_new_key(enum ca_key kind, uint64_t bits);
X509 *ca_make_root(EVP_PKEY *key, uint64_t days);
/* For the names and addresses in `o`; for a server, or (o->client) for a client. */
X509 *ca_make_leaf(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, const struct ca_options *o);
/* The name and key of one CA, signed by another one; valid as long as both are. */
X509 *ca_make_cross(X509 *ca, X509 *issuer, EVP_PKEY *issuer_key);
/* True if a chain may be this long below it: CAs of before had room for a leaf alone. */
bool ca_can_vouch(X509 *ca);

/* --- ca_names.c ------------------------------------------------------------------------------ */

int ca_add_name(struct ca_options *o, const char *name);
int ca_add_address(struct ca_options *o, const char *address);
/* This host's full name and addresses. */
int ca_add_own(struct ca_options *o);
/* Those of a certificate. */
int ca_add_of(struct ca_options *o, X509 *cert);
/* The same for people, also such as we would not put into one. */
json_t *ca_list_names(X509 *cert);
/* Frees them all. */
void ca_drop_names(struct ca_options *o);

/* --- ca_store.c ------------------------------------------------------------------------------ */

enum ca_phase {
	CA_STEADY,   /* one CA */
	CA_BEGUN,    /* a new one is known; the old one's certificates are served */
	CA_SWITCHED, /* the new one's certificates are served, the old one is still known */
};

/* Below DIR/ca and DIR/tls. */
struct ca_store {
	char dir[PUBLISH_PATH - 64];
	X509 *ca, *next;
	EVP_PKEY *ca_key, *next_key;
	X509 *ca_by_next, *next_by_ca; /* the one vouches for the other */
	/* other roots that vouch for ours, each followed by that root: ca/cross.pem */
	STACK_OF(X509) * cross;
	enum ca_phase phase;
	bool back;         /* CA_BEGUN: after CA_SWITCHED, on the way back */
	uint64_t since_ms; /* of the phase */
};

/* Reads what is there; `need_key`: the CA must be able to sign.  CTL_OK, or CTL_FAIL after printing
 * why. */
int ca_store_open(struct ca_store *s, const char *dir, bool need_key);
void ca_store_close(struct ca_store *s);
void ca_store_path(const struct ca_store *s, const char *name, char ret[static PUBLISH_PATH]);
/* The CA that signs in this phase. */
X509 *ca_store_signer(const struct ca_store *s, EVP_PKEY **ret_key);
/* Writes the phase down; `back`: it is reached from the one behind it. */
int ca_store_set_phase(struct ca_store *s, enum ca_phase phase, bool back);
int ca_store_put_cert(const struct ca_store *s, const char *name, X509 *cert);
int ca_store_put_key(const struct ca_store *s, const char *name, EVP_PKEY *key);
int ca_store_remove(const struct ca_store *s, const char *name);
/* Writes ca/cross.pem, or removes it. */
int ca_store_put_cross(const struct ca_store *s);
/*
 * Keeps other calls away from the files until *ret is closed, and removes what a call that was cut
 * off left there.  `make`: the folder is made if need be.  CTL_OK; also, with *ret -1, if the
 * folder cannot be opened, of which others tell.
 */
int ca_store_lock(const char *dir, bool make, int *ret);
/* Makes the folders. */
int ca_store_make_folders(const char *dir);
/* Without a message: NULL if there is none. */
X509 *ca_read_cert(const char *path);
/* All keys of a file.  Their number. */
size_t ca_read_keys(const char *path, EVP_PKEY *ret[static CA_KEYS]);
/* The one of them that fits the certificate (NULL: none is given), else the first. */
EVP_PKEY *ca_read_key(const char *path, X509 *cert);
STACK_OF(X509) * ca_read_certs(const char *path);
const char *ca_phase_name(enum ca_phase v);
/* What is sent behind a leaf of the signer: at most CA_CHAIN, borrowed.  The number. */
size_t ca_store_chain(const struct ca_store *s, X509 *ret[static CA_CHAIN]);

/* --- ca_pair.c ------------------------------------------------------------------------------- */

/* A certificate with its key. */
struct ca_pair {
	char cert_file[PUBLISH_PATH], key_file[PUBLISH_PATH];
	X509 *leaf;
	EVP_PKEY *key;
	const char *owner; /* account that the key is given to; NULL: the caller's */
	bool owner_asked;  /* it must be, else it is if that is possible */
};

/* Names the pair of that kind below DIR/tls, and reads it if it is there: then leaf is not NULL. */
int ca_pair_open(const struct ca_store *s, enum ca_key kind, struct ca_pair *ret);
void ca_pair_close(struct ca_pair *p);
/* Key, and certificate with the chain that this phase wants. */
int ca_pair_write(const struct ca_store *s, const struct ca_pair *p);
/* Key, and a certificate with a chain from elsewhere. */
int ca_pair_write_chain(const struct ca_pair *p, STACK_OF(X509) * chain);
/* Key, and the certificate alone. */
int ca_pair_write_alone(const struct ca_pair *p);
/* Files in PEM, with mode 0644, and 0600. */
int ca_write_certs(const char *path, X509 *const *certs, size_t n);
int ca_write_keys(
    const char *path, EVP_PKEY *const *keys, size_t n, const struct publish_owner *owner);

/* --- ca_chain.c ------------------------------------------------------------------------------ */

/*
 * Puts the certificates of a bundle into order: the one of this key, those above it, its root, then
 * what else vouches for that root.  Others are left out, with a word about it.  CTL_OK; -ENOENT:
 * none is of this key, nothing is changed; or CTL_FAIL after printing why.
 */
int ca_sort_chain(STACK_OF(X509) * bundle, EVP_PKEY *key, const char *file);
/* Prints that a file holds no such thing in PEM, and what it may be.  CTL_FAIL. */
int ca_no_pem(const char *file, const char *what);

/* --- commands -------------------------------------------------------------------------------- */

int ca_init(struct ca_options *o);
int ca_renew(struct ca_options *o);
int ca_issue(struct ca_options *o);
int ca_show(struct ca_options *o);
int ca_export(struct ca_options *o);
int ca_roll(struct ca_options *o);
int ca_check(struct ca_options *o);
int ca_import(struct ca_options *o);
int ca_cross(struct ca_options *o);
/* Signed by the CA, or by the one that takes its place. */
bool ca_is_ours(const struct ca_store *s, X509 *leaf);
/*
 * Who has been told of a new CA, as handlerd knows it: NULL if it does not answer.  For people; and
 * as a warning before a step, of which `last` is the one that forgets the old CA.
 */
json_t *ca_roots_ask(const struct ca_options *o, X509 *ca);
void ca_roots_print(const struct ca_options *o, const json_t *told);
void ca_roots_warn(const struct ca_options *o, X509 *ca, bool last);
/* Writes the server certificates of this CA anew, with the chains that are right now. */
int ca_refresh_pairs(const struct ca_store *s, struct ca_options *o);
/* A certificate for people and programs. */
json_t *ca_dump_cert(X509 *cert);
void ca_print_cert(const char *title, const char *file, X509 *cert);
int ca_openssl_error(const char *what);
/*
 * Stamped loaders get the CA's fingerprint anew; `first`: this CA replaces none, so that there need
 * not be any.  CTL_OK, or CTL_FAIL after printing why.
 */
int ca_restamp(const struct ctl *c, X509 *ca, bool first);

#endif
