/*
 * The files of a site's CA; see ca.h.
 *
 *   ca/ca.pem ca.key             the CA
 *   ca/next.pem next.key         the one that takes its place, while a roll-over is under way
 *   ca/ca-by-next.pem ...        each vouching for the other
 *   ca/roll.json                 how far the roll-over has come
 *   ca/cross.pem                 other roots that vouch for ours
 *   tls/server.pem server.key    what httpsbootd serves; server-ecdsa.* beside it
 */
#include "ferryctl/ca.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- reading -------------------------------------------------------------------------------- */

STACK_OF(X509) * ca_read_certs(const char *path)
{
	STACK_OF(X509) *certs = NULL;
	FILE *f = fopen(path, "re");
	X509 *cert;

	if (f == NULL)
		return NULL;
	certs = sk_X509_new_null();
	while (certs != NULL && (cert = PEM_read_X509(f, NULL, NULL, NULL)) != NULL) {
		if (sk_X509_push(certs, cert) == 0)
			X509_free(cert);
	}
	ERR_clear_error(); /* the end of the file is one */
	fclose(f);
	if (sk_X509_num(certs) > 0)
		return certs;
	sk_X509_free(certs);
	return NULL;
}

X509 *
ca_read_cert(const char *path)
{
	STACK_OF(X509) *certs = ca_read_certs(path);
	X509 *first = certs != NULL ? sk_X509_shift(certs) : NULL;

	sk_X509_pop_free(certs, X509_free);
	return first;
}

size_t
ca_read_keys(const char *path, EVP_PKEY *ret[static CA_KEYS])
{
	FILE *f = fopen(path, "re");
	size_t n = 0;

	if (f == NULL)
		return 0;
	while (n < CA_KEYS && (ret[n] = PEM_read_PrivateKey(f, NULL, NULL, NULL)) != NULL)
		n++;
	ERR_clear_error(); /* the end of the file is one */
	fclose(f);
	return n;
}

EVP_PKEY *
ca_read_key(const char *path, X509 *cert)
{
	EVP_PKEY *keys[CA_KEYS], *key;
	size_t n = ca_read_keys(path, keys), best = 0;

	if (n == 0)
		return NULL;
	for (size_t i = n; cert != NULL && i-- > 0;) {
		if (X509_check_private_key(cert, keys[i]) == 1)
			best = i;
	}
	ERR_clear_error(); /* one that does not fit is one */
	key = keys[best];
	for (size_t i = 0; i < n; i++) {
		if (i != best)
			EVP_PKEY_free(keys[i]);
	}
	return key;
}

void
ca_store_path(const struct ca_store *s, const char *name, char ret[static PUBLISH_PATH])
{
	(void)snprintf(ret, PUBLISH_PATH, "%s/%s", s->dir, name);
}

static X509 *
read_cert(const struct ca_store *s, const char *name)
{
	char path[PUBLISH_PATH];

	ca_store_path(s, name, path);
	return ca_read_cert(path);
}

static EVP_PKEY *
read_key(const struct ca_store *s, const char *name, X509 *cert)
{
	char path[PUBLISH_PATH];

	ca_store_path(s, name, path);
	return ca_read_key(path, cert);
}

static void
read_phase(struct ca_store *s)
{
	char path[PUBLISH_PATH];
	json_t *roll;

	ca_store_path(s, "ca/roll.json", path);
	roll = json_load_file(path, 0, NULL);
	if (roll == NULL)
		return;
	s->phase = json_is_true(json_object_get(roll, "switched")) ? CA_SWITCHED : CA_BEGUN;
	s->back = s->phase == CA_BEGUN && json_is_true(json_object_get(roll, "back"));
	s->since_ms = (uint64_t)json_integer_value(json_object_get(roll, "since_ms"));
	json_decref(roll);
}

/* The new CA's key has taken its place, the certificate has not yet. */
static bool
is_next_moved(const struct ca_store *s)
{
	return s->ca_key != NULL && X509_check_private_key(s->next, s->ca_key) == 1;
}

int
ca_store_open(struct ca_store *s, const char *dir, bool need_key)
{
	char path[PUBLISH_PATH];
	EVP_PKEY *key;
	X509 *signer;

	memset(s, 0, sizeof(*s));
	if (strlen(dir) >= sizeof(s->dir))
		return ctl_error("%s: %s", dir, strerror(ENAMETOOLONG));
	strcpy(s->dir, dir);
	s->ca = read_cert(s, "ca/ca.pem");
	s->ca_key = read_key(s, "ca/ca.key", s->ca);
	s->next = read_cert(s, "ca/next.pem");
	s->next_key = read_key(s, "ca/next.key", s->next);
	s->ca_by_next = read_cert(s, "ca/ca-by-next.pem");
	s->next_by_ca = read_cert(s, "ca/next-by-ca.pem");
	ca_store_path(s, "ca/cross.pem", path);
	s->cross = ca_read_certs(path);
	read_phase(s);
	ca_store_path(s, "ca/ca.pem", path);
	if (s->ca == NULL)
		return ctl_error("%s: %s", path,
		    access(path, R_OK) == 0 ? "not a certificate in PEM"
		    : errno == ENOENT       ? "there is none; `ferryctl ca init` makes a CA"
		    : errno == EACCES       ? "only root can read it"
					    : strerror(errno));
	if (!need_key)
		return CTL_OK;
	signer = ca_store_signer(s, &key);
	if (key == NULL || X509_check_private_key(signer, key) != 1)
		return ctl_error("%s/ca/%s.key: %s", dir, signer == s->ca ? "ca" : "next",
		    key != NULL ? "it is not the key of the certificate beside it"
		    : signer != s->ca && is_next_moved(s)
			? "`ferryctl ca roll finish` was cut off: repeat it"
		    : access(path, R_OK) == 0 && geteuid() != 0
			? "only root can read it"
			: "it cannot be read, and the CA cannot sign without");
	return CTL_OK;
}

void
ca_store_close(struct ca_store *s)
{
	X509_free(s->ca);
	X509_free(s->next);
	X509_free(s->ca_by_next);
	X509_free(s->next_by_ca);
	EVP_PKEY_free(s->ca_key);
	EVP_PKEY_free(s->next_key);
	sk_X509_pop_free(s->cross, X509_free);
	memset(s, 0, sizeof(*s));
}

X509 *
ca_store_signer(const struct ca_store *s, EVP_PKEY **ret_key)
{
	bool next = s->phase == CA_SWITCHED && s->next != NULL;

	if (ret_key != NULL)
		*ret_key = next ? s->next_key : s->ca_key;
	return next ? s->next : s->ca;
}

const char *
ca_phase_name(enum ca_phase v)
{
	static const char *const names[] = {
		[CA_STEADY] = "steady", [CA_BEGUN] = "begun", [CA_SWITCHED] = "switched"
	};

	return names[v];
}

/* --- chains --------------------------------------------------------------------------------- */

/* Where in ca/cross.pem the certificate for this CA stands; -1: nowhere. */
static int
find_cross(const struct ca_store *s, X509 *ca)
{
	for (int i = 0; i < sk_X509_num(s->cross); i++) {
		X509 *cert = sk_X509_value(s->cross, i);

		if (X509_NAME_cmp(X509_get_subject_name(cert), X509_get_subject_name(ca)) == 0 &&
		    EVP_PKEY_eq(X509_get0_pubkey(cert), X509_get0_pubkey(ca)) == 1)
			return i;
	}
	return -1;
}

/*
 * Behind the leaf comes its root, so that who knows it is content, then the root's twin that
 * another one vouches for, and that one: who knows any of them finds the way back.
 */
size_t
ca_store_chain(const struct ca_store *s, X509 *ret[static CA_CHAIN])
{
	bool switched = s->phase == CA_SWITCHED;
	X509 *root = ca_store_signer(s, NULL);
	X509 *twin = switched ? s->next_by_ca : s->ca_by_next, *other = switched ? s->ca : s->next;
	size_t n = 0;
	int at;

	ret[n++] = root;
	at = find_cross(s, root);
	/* a chain is a line: one that leads elsewhere ends it, unless the other root is on that way
	 */
	if (s->phase != CA_STEADY && twin != NULL && other != NULL &&
	    (at < 0 || find_cross(s, other) >= 0)) {
		ret[n++] = twin;
		ret[n++] = other;
		at = find_cross(s, other);
	}
	while (at >= 0 && at < sk_X509_num(s->cross) && n < CA_CHAIN) {
		X509 *cert = sk_X509_value(s->cross, at++);

		ret[n++] = cert;
		if (X509_self_signed(cert, 0) == 1)
			break;
	}
	return n;
}

/* --- writing -------------------------------------------------------------------------------- */

int
ca_store_put_cert(const struct ca_store *s, const char *name, X509 *cert)
{
	char path[PUBLISH_PATH];

	ca_store_path(s, name, path);
	return ca_write_certs(path, &cert, 1);
}

int
ca_store_put_key(const struct ca_store *s, const char *name, EVP_PKEY *key)
{
	char path[PUBLISH_PATH];

	ca_store_path(s, name, path);
	return ca_write_keys(path, &key, 1, NULL);
}

int
ca_store_remove(const struct ca_store *s, const char *name)
{
	char path[PUBLISH_PATH];

	ca_store_path(s, name, path);
	return unlink(path) < 0 && errno != ENOENT
	           ? ctl_error("cannot remove %s: %s", path, strerror(errno))
	           : CTL_OK;
}

int
ca_store_set_phase(struct ca_store *s, enum ca_phase phase, bool back)
{
	char path[PUBLISH_PATH], text[128];
	struct timespec now;
	int n;

	clock_gettime(CLOCK_REALTIME, &now);
	s->phase = phase;
	s->back = back;
	s->since_ms = (uint64_t)now.tv_sec * 1000;
	ca_store_path(s, "ca/roll.json", path);
	n = snprintf(text, sizeof(text), "{\"switched\": %s, \"back\": %s, \"since_ms\": %llu}\n",
	    phase == CA_SWITCHED ? "true" : "false", back ? "true" : "false",
	    (unsigned long long)s->since_ms);
	return publish_bytes(path, text, (size_t)n, 0644) < 0 ? CTL_FAIL : CTL_OK;
}

int
ca_store_lock(const char *dir, bool make, int *ret)
{
	static const char *const folders[] = { "ca", "tls" };
	char path[PUBLISH_PATH];
	struct stat st;

	*ret = -1;
	if (make && ca_store_make_folders(dir) != CTL_OK)
		return CTL_FAIL;
	/* this one, which is root's alone: nobody else can keep root waiting */
	(void)snprintf(path, sizeof(path), "%s/ca", dir);
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret < 0)
		return CTL_OK;
	if (flock(*ret, LOCK_EX | LOCK_NB) < 0) {
		fprintf(stderr, "ferryctl: waiting for another one at work in %s\n", dir);
		if (flock(*ret, LOCK_EX) < 0)
			return ctl_error("%s: %s", dir, strerror(errno));
	}
	(void)snprintf(path, sizeof(path), "%s/ca/ca.key", dir);
	if (stat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		fprintf(stderr,
		    "ferryctl: warning: %s: others than its owner may use it (mode %04o): `chmod "
		    "600` "
		    "mends that, and if somebody did, `ferryctl ca roll` replaces the CA\n",
		    path, (unsigned)(st.st_mode & 07777));
	/* nobody else writes there now: whatever is hidden was left, keys among it */
	for (size_t i = 0; i < NITEMS(folders); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, folders[i]);
		publish_sweep(path, 0);
	}
	return CTL_OK;
}

int
ca_store_make_folders(const char *dir)
{
	char folder[PUBLISH_PATH];

	(void)snprintf(folder, sizeof(folder), "%s/tls", dir);
	if (publish_folder(folder) < 0)
		return CTL_FAIL;
	(void)snprintf(folder, sizeof(folder), "%s/ca", dir);
	if (publish_folder(folder) < 0)
		return CTL_FAIL;
	if (chmod(folder, 0700) < 0)
		return ctl_error("%s: %s", folder, strerror(errno));
	return CTL_OK;
}

int
ca_store_put_cross(const struct ca_store *s)
{
	X509 *certs[4 * CA_CHAIN];
	char path[PUBLISH_PATH];
	size_t n = 0;

	if (sk_X509_num(s->cross) <= 0)
		return ca_store_remove(s, "ca/cross.pem");
	if (sk_X509_num(s->cross) > (int)NITEMS(certs))
		return ctl_error("more than %zu cross-certificates", NITEMS(certs));
	for (; (int)n < sk_X509_num(s->cross); n++)
		certs[n] = sk_X509_value(s->cross, (int)n);
	ca_store_path(s, "ca/cross.pem", path);
	return ca_write_certs(path, certs, n);
}
