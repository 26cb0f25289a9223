/* The keys of tokens and their file; see keyring.h. */
#include "handlerd/keyring.h"

#include "common/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECRET_BYTES 32
#define FILE_MAX     4096
#define SITE_CHARS   8

struct key {
	uint16_t id; /* never 0 */
	uint64_t made_ms;
	uint8_t secret[SECRET_BYTES];
	EVP_MAC_CTX *mac; /* begun with the secret: each hash works on a copy */
};

/* What a file holds; the newest key is the last. */
struct keys {
	char site[KEYRING_SITE_MAX];
	struct key v[KEYRING_KEYS_MAX];
	size_t n;
};

struct keyring {
	int folder_fd;
	uint64_t key_life_ms, token_life_ms;
	struct keys keys;
	struct stat file; /* as it was when it was read */
	struct token_signer signer;
	char path[4096]; /* for the log */
};

static void
random_bytes(void *p, size_t n)
{
	/* up to 256 bytes come whole, and only a kernel that is still starting makes us wait */
	ssize_t got = getrandom(p, n, 0);

	assert(got == (ssize_t)n);
	(void)got;
}

uint64_t
keyring_random(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

/* --- keys ------------------------------------------------------------------------------------- */

static void
keys_fini(struct keys *keys)
{
	for (size_t i = 0; i < keys->n; i++)
		EVP_MAC_CTX_free(keys->v[i].mac);
	OPENSSL_cleanse(keys, sizeof(*keys));
}

static int
begin_mac(struct key *k)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	k->mac = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
	EVP_MAC_free(mac); /* the context has a reference of its own */
	if (k->mac == NULL || EVP_MAC_init(k->mac, k->secret, sizeof(k->secret), params) != 1)
		return -EIO;
	return 0;
}

/* A new newest key; the oldest makes room. */
static int
add_key(struct keys *keys, uint64_t now_ms)
{
	struct key k = { .made_ms = now_ms };
	bool taken;
	int rc;

	do {
		random_bytes(&k.id, sizeof(k.id));
		taken = k.id == 0;
		for (size_t i = 0; i < keys->n; i++)
			taken = taken || keys->v[i].id == k.id;
	} while (taken);
	random_bytes(k.secret, sizeof(k.secret));
	rc = begin_mac(&k);
	if (rc < 0) {
		EVP_MAC_CTX_free(k.mac);
		return rc;
	}
	if (keys->n == KEYRING_KEYS_MAX) {
		EVP_MAC_CTX_free(keys->v[0].mac);
		keys->n--;
		memmove(&keys->v[0], &keys->v[1], keys->n * sizeof(keys->v[0]));
	}
	keys->v[keys->n++] = k;
	OPENSSL_cleanse(&k, sizeof(k));
	return 0;
}

/* --- the file --------------------------------------------------------------------------------- */

static int
unhex(const char *s, uint8_t *dst, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	if (strlen(s) != 2 * n)
		return -EBADMSG;
	for (size_t i = 0; i < 2 * n; i++) {
		const char *at = strchr(digits, s[i]);

		if (at == NULL)
			return -EBADMSG;
		dst[i / 2] = (uint8_t)(dst[i / 2] << 4 | (at - digits));
	}
	return 0;
}

static int
read_key(struct keys *keys, const json_t *item)
{
	json_int_t id = json_integer_value(json_object_get(item, "id"));
	json_int_t made = json_integer_value(json_object_get(item, "made_ms"));
	const char *secret = json_string_value(json_object_get(item, "secret"));
	struct key *k = &keys->v[keys->n];

	if (id < 1 || id > UINT16_MAX || made < 0 || secret == NULL ||
	    unhex(secret, k->secret, sizeof(k->secret)) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < keys->n; i++) {
		if (keys->v[i].id == id || keys->v[i].made_ms > (uint64_t)made)
			return -EBADMSG;
	}
	k->id = (uint16_t)id;
	k->made_ms = (uint64_t)made;
	keys->n++; /* its context is freed with it, also when it was not begun */
	return begin_mac(k);
}

static int
keys_parse(const char *text, size_t n, struct keys *ret)
{
	json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	const char *site = json_string_value(json_object_get(root, "site"));
	const json_t *list = json_object_get(root, "keys");
	struct keys keys = { .n = 0 };
	int rc = -EBADMSG;

	if (site != NULL && strlen(site) == SITE_CHARS &&
	    site[strspn(site, "abcdefghijklmnopqrstuvwxyz0123456789")] == '\0' &&
	    json_array_size(list) >= 1 && json_array_size(list) <= KEYRING_KEYS_MAX) {
		memcpy(keys.site, site, SITE_CHARS + 1);
		rc = 0;
	}
	for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
		rc = read_key(&keys, json_array_get(list, i));
	json_decref(root);
	if (rc < 0) {
		keys_fini(&keys);
		return rc;
	}
	*ret = keys;
	return 0;
}

static size_t
keys_build(const struct keys *keys, char *dst, size_t size)
{
	struct wbuf w;

	wbuf_init(&w, dst, size);
	wbuf_printf(&w, "{\"site\": \"%s\", \"keys\": [", keys->site);
	for (size_t i = 0; i < keys->n; i++) {
		const struct key *k = &keys->v[i];

		wbuf_printf(&w, "%s\n{\"id\": %u, \"made_ms\": %llu, \"secret\": \"",
		    i > 0 ? "," : "", k->id, (unsigned long long)k->made_ms);
		for (size_t b = 0; b < SECRET_BYTES; b++)
			wbuf_printf(&w, "%02x", k->secret[b]);
		wbuf_str(&w, "\"}");
	}
	wbuf_str(&w, "]}\n");
	assert(!w.bad); /* four keys are some 500 bytes */
	return w.used;
}

/* Reads the file.  0, -ENOENT, -EPERM, -EBADMSG, ... */
static int
load(const struct keyring *ring, struct keys *ret, struct stat *ret_file)
{
	int fd = openat(ring->folder_fd, KEYRING_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[FILE_MAX];
	ssize_t n;
	int rc;

	if (fd < 0)
		return -errno;
	n = fstat(fd, ret_file) < 0 ? -1 : read(fd, text, sizeof(text));
	rc = n < 0 ? -errno : 0;
	close(fd);
	if (rc == 0 && (ret_file->st_mode & 077) != 0)
		rc = -EPERM;
	if (rc == 0)
		rc = n == FILE_MAX ? -EBADMSG : keys_parse(text, (size_t)n, ret);
	OPENSSL_cleanse(text, sizeof(text));
	return rc;
}

static int
write_file(int fd, const char *text, size_t n)
{
	ssize_t done = write(fd, text, n);

	if (done < 0 || fsync(fd) < 0)
		return -errno;
	return (size_t)done == n ? 0 : -ENOSPC;
}

/*
 * Writes beside and puts in place: in place of the file, or only if there is none (`first`), so
 * that of several handlerds that begin at once all take the keys of one.  0, -EEXIST, ...
 */
static int
save(const struct keyring *ring, const struct keys *keys, bool first)
{
	char text[FILE_MAX], name[64];
	size_t n = keys_build(keys, text, sizeof(text));
	int fd, rc;

	(void)snprintf(
	    name, sizeof(name), ".%s.%016llx", KEYRING_FILE, (unsigned long long)keyring_random());
	fd = openat(ring->folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	rc = fd < 0 ? -errno : write_file(fd, text, n);
	OPENSSL_cleanse(text, sizeof(text));
	if (fd < 0)
		return rc;
	close(fd);
	if (rc == 0 && first)
		rc = linkat(ring->folder_fd, name, ring->folder_fd, KEYRING_FILE, 0) < 0 ? -errno
		                                                                         : 0;
	else if (rc == 0)
		rc =
		    renameat(ring->folder_fd, name, ring->folder_fd, KEYRING_FILE) < 0 ? -errno : 0;
	(void)unlinkat(ring->folder_fd, name, 0); /* gone already if it was renamed */
	(void)fsync(ring->folder_fd); /* else a crash brings the keys of before back: no harm */
	return rc;
}

static int
create(const struct keyring *ring, uint64_t now_ms)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345"; /* 32: no bias */
	struct keys keys = { .n = 0 };
	uint8_t b[SITE_CHARS];
	int rc;

	random_bytes(b, sizeof(b));
	for (size_t i = 0; i < SITE_CHARS; i++)
		keys.site[i] = letters[b[i] % 32];
	rc = add_key(&keys, now_ms);
	if (rc == 0)
		rc = save(ring, &keys, true);
	keys_fini(&keys);
	return rc == -EEXIST ? 0 : rc;
}

static int
take_file(struct keyring *ring)
{
	struct keys keys;
	int rc = load(ring, &keys, &ring->file);

	if (rc < 0) {
		log_peer_warn("%s: %s", ring->path,
		    rc == -EPERM     ? "others may read it: it must have mode 0600"
		    : rc == -EBADMSG ? "not a file of token keys"
				     : strerror(-rc));
		return rc;
	}
	keys_fini(&ring->keys);
	ring->keys = keys;
	return 0;
}

static bool
file_changed(const struct keyring *ring)
{
	struct stat st;

	/* one that is gone is not missed until a key is due: the keys in memory are the site's */
	return fstatat(ring->folder_fd, KEYRING_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (st.st_ino != ring->file.st_ino || st.st_size != ring->file.st_size ||
		   st.st_mtim.tv_sec != ring->file.st_mtim.tv_sec ||
		   st.st_mtim.tv_nsec != ring->file.st_mtim.tv_nsec);
}

static const struct key *
find_key(const struct keys *keys, uint16_t id)
{
	for (size_t i = 0; i < keys->n; i++) {
		if (keys->v[i].id == id)
			return &keys->v[i];
	}
	return id == 0 ? &keys->v[keys->n - 1] : NULL;
}

static int
hash(void *arg, uint16_t key_id, struct slice bytes, uint16_t *ret_key_id,
    uint8_t ret[static TOKEN_MAC])
{
	struct keyring *ring = arg;
	const struct key *k = find_key(&ring->keys, key_id);
	EVP_MAC_CTX *ctx;
	size_t n = 0;
	bool ok;

	/* another handlerd may have made a key a moment ago */
	if (k == NULL && file_changed(ring) && take_file(ring) == 0)
		k = find_key(&ring->keys, key_id);
	if (k == NULL)
		return -ENOKEY;
	ctx = EVP_MAC_CTX_dup(k->mac);
	ok = ctx != NULL && EVP_MAC_update(ctx, bytes.p, bytes.n) == 1 &&
	     EVP_MAC_final(ctx, ret, &n, TOKEN_MAC) == 1 && n == TOKEN_MAC;
	EVP_MAC_CTX_free(ctx);
	if (!ok)
		return -EIO;
	*ret_key_id = k->id;
	return 0;
}

static uint64_t
wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int
keyring_open(const char *folder, uint64_t key_life_s, uint64_t token_life_s, struct keyring **ret)
{
	struct keyring *ring = calloc(1, sizeof(*ring));
	struct stat st;
	int rc = 0;

	if (ring == NULL)
		return -ENOMEM;
	ring->key_life_ms = key_life_s * 1000;
	ring->token_life_ms = token_life_s * 1000;
	ring->signer = (struct token_signer){ hash, ring };
	(void)snprintf(ring->path, sizeof(ring->path), "%.3000s/%s", folder, KEYRING_FILE);
	ring->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ring->folder_fd < 0) {
		rc = -errno;
		log_warnx("%s: %s", folder, strerror(-rc));
	} else if (fstatat(ring->folder_fd, KEYRING_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
		   errno == ENOENT) {
		rc = create(ring, wall_ms());
		if (rc < 0)
			log_warnx("%s: cannot be made: %s", ring->path, strerror(-rc));
	}
	if (rc == 0)
		rc = take_file(ring);
	if (rc < 0) {
		keyring_close(ring);
		return rc;
	}
	*ret = ring;
	return 0;
}

void
keyring_close(struct keyring *ring)
{
	if (ring == NULL)
		return;
	keys_fini(&ring->keys);
	if (ring->folder_fd >= 0)
		close(ring->folder_fd);
	free(ring);
}

/* --- as time goes by -------------------------------------------------------------------------- */

static bool
is_due(const struct keyring *ring, uint64_t now_ms)
{
	const struct key *newest = &ring->keys.v[ring->keys.n - 1];

	return now_ms > newest->made_ms && now_ms - newest->made_ms >= ring->key_life_ms;
}

/* Keys that were replaced so long ago that their last token has expired. */
static size_t
count_dead(const struct keyring *ring, uint64_t now_ms)
{
	const struct keys *keys = &ring->keys;
	size_t n = 0;

	while (n + 1 < keys->n && now_ms > keys->v[n + 1].made_ms &&
	       now_ms - keys->v[n + 1].made_ms > ring->token_life_ms)
		n++;
	return n;
}

static void
drop_oldest(struct keys *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		EVP_MAC_CTX_free(keys->v[i].mac);
	keys->n -= n;
	memmove(&keys->v[0], &keys->v[n], keys->n * sizeof(keys->v[0]));
	OPENSSL_cleanse(&keys->v[keys->n], n * sizeof(keys->v[0]));
}

static void
drop_newest(struct keys *keys)
{
	struct key *k = &keys->v[--keys->n];

	EVP_MAC_CTX_free(k->mac);
	OPENSSL_cleanse(k, sizeof(*k));
}

/* Makes the change in the file; whoever holds the lock does it for all. */
static int
rotate(struct keyring *ring, uint64_t now_ms)
{
	int rc = flock(ring->folder_fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;

	if (rc < 0)
		return rc == -EWOULDBLOCK ? 0 : rc;
	if (file_changed(ring)) /* by somebody who had the lock before */
		rc = take_file(ring);
	if (rc == 0 && (is_due(ring, now_ms) || count_dead(ring, now_ms) > 0)) {
		bool due = is_due(ring, now_ms);

		if (due && (rc = add_key(&ring->keys, now_ms)) < 0)
			due = false;
		if (rc == 0) {
			drop_oldest(&ring->keys, count_dead(ring, now_ms));
			rc = save(ring, &ring->keys, false);
		}
		if (rc < 0 && due) /* what others do not know must not sign */
			drop_newest(&ring->keys);
		if (rc == 0 && due)
			log_info("tokens get a new key, %zu in use", ring->keys.n);
		if (fstatat(ring->folder_fd, KEYRING_FILE, &ring->file, AT_SYMLINK_NOFOLLOW) < 0)
			memset(&ring->file, 0, sizeof(ring->file));
	}
	(void)flock(ring->folder_fd, LOCK_UN);
	return rc;
}

int
keyring_refresh(struct keyring *ring, uint64_t now_ms)
{
	int rc = 0;

	if (file_changed(ring))
		rc = take_file(ring);
	if (rc == 0 && (is_due(ring, now_ms) || count_dead(ring, now_ms) > 0)) {
		rc = rotate(ring, now_ms);
		if (rc < 0)
			log_warnx("%s: no new key: %s", ring->path, strerror(-rc));
	}
	return rc;
}

const struct token_signer *
keyring_signer(struct keyring *ring)
{
	return &ring->signer;
}

const char *
keyring_site(const struct keyring *ring)
{
	return ring->keys.site;
}

size_t
keyring_count(const struct keyring *ring, uint64_t *ret_newest_ms)
{
	*ret_newest_ms = ring->keys.v[ring->keys.n - 1].made_ms;
	return ring->keys.n;
}
