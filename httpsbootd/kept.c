/* See kept.h. */
#include "httpsbootd/kept.h"

#include "common/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void
kept_name(const char *folder, const char *cert_file, char ret[static KEPT_PATH])
{
	uint8_t digest[DIGEST_BYTES];
	char hex[DIGEST_STRLEN];

	/* by the name that the configuration has: two daemons with the same files share what is
	 * kept, two with others never meet */
	ret[0] = '\0';
	if (folder[0] == '\0' ||
	    EVP_Digest(cert_file, strlen(cert_file), digest, NULL, EVP_sha256(), NULL) != 1)
		return;
	if (snprintf(ret, KEPT_PATH, "%s/%.16s.pem", folder, digest_format(digest, hex)) >=
	    KEPT_PATH - 16)
		ret[0] = '\0';
}

/* True if the file holds just that. */
static bool
is_same(const char *name, const char *data, size_t n)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	char *had = malloc(n + 1);
	size_t got = 0;
	ssize_t k = 0;
	bool same;

	while (fd >= 0 && had != NULL && got <= n && (k = read(fd, had + got, n + 1 - got)) > 0)
		got += (size_t)k;
	same = fd >= 0 && had != NULL && k == 0 && got == n && memcmp(had, data, n) == 0;
	if (had != NULL)
		OPENSSL_cleanse(had, got);
	free(had);
	if (fd >= 0)
		close(fd);
	return same;
}

/* Beside it, and then in its place: who dies here leaves the one before. */
static int
replace_in(int dir, const char *name, const char *data, size_t n)
{
	const char *base = strrchr(name, '/') + 1;
	char beside[64];
	int fd, rc = 0;

	/* always the same one, so that none is left for ever; another daemon has to wait */
	if (flock(dir, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	(void)snprintf(beside, sizeof(beside), "%.32s.new", base);
	fd = openat(
	    dir, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
	if (fd < 0)
		return -errno;
	while (rc == 0 && n > 0) {
		ssize_t done = write(fd, data, n);

		if (done < 0) {
			rc = -errno;
		} else {
			data += done;
			n -= (size_t)done;
		}
	}
	if (rc == 0 && (fsync(fd) < 0 || renameat(dir, beside, dir, base) < 0))
		rc = -errno;
	close(fd);
	if (rc < 0)
		(void)unlinkat(dir, beside, 0); /* what stays is written over next time */
	return rc;
}

static int
replace(const char *name, const char *data, size_t n)
{
	char folder[KEPT_PATH];
	int dir, rc;

	(void)snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(name, '/') - name), name);
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	rc = replace_in(dir, name, data, n);
	close(dir); /* and the lock */
	return rc;
}

int
kept_write(const char *name, const struct tls_pair *p)
{
	BIO *bio = BIO_new(BIO_s_mem());
	bool ok = bio != NULL;
	char *data = NULL;
	long n = 0;
	int rc = -ENOMEM;

	for (int i = 0; ok && i < sk_X509_num(p->chain); i++)
		ok = PEM_write_bio_X509(bio, sk_X509_value(p->chain, i)) == 1;
	ok = ok && PEM_write_bio_PrivateKey(bio, p->key, NULL, NULL, 0, NULL, NULL) == 1;
	if (ok)
		n = BIO_get_mem_data(bio, &data);
	if (ok && data != NULL)
		rc = is_same(name, data, (size_t)n) ? 0 : replace(name, data, (size_t)n);
	if (data != NULL)
		OPENSSL_cleanse(data, (size_t)n);
	BIO_free(bio);
	return rc;
}
