/* See digest.h. */
#include "common/digest.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK (1u << 20)

void
digest_bytes(struct slice bytes, uint8_t ret[static DIGEST_BYTES])
{
	int ok = EVP_Digest(
	    bytes.n > 0 ? (const void *)bytes.p : "", bytes.n, ret, NULL, EVP_sha256(), NULL);

	assert(ok == 1); /* fails only without memory or without SHA-256 */
	(void)ok;
}

static int
write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

int
digest_fd(int fd, int copy_fd, uint8_t ret[static DIGEST_BYTES], uint64_t *ret_size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *chunk = malloc(CHUNK);
	uint64_t size = 0;
	int rc = -ENOMEM;

	if (ctx == NULL || chunk == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		goto out;
	for (;;) {
		ssize_t n = read(fd, chunk, CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? -errno : 0;
		if (n <= 0)
			break;
		size += (uint64_t)n;
		if (EVP_DigestUpdate(ctx, chunk, (size_t)n) != 1) {
			rc = -EIO;
			break;
		}
		if (copy_fd >= 0 && (rc = write_all(copy_fd, chunk, (size_t)n)) < 0)
			break;
	}
	if (rc == 0 && EVP_DigestFinal_ex(ctx, ret, NULL) != 1)
		rc = -EIO;
	if (rc == 0)
		*ret_size = size;
out:
	EVP_MD_CTX_free(ctx);
	free(chunk);
	return rc;
}

const char *
digest_format(const uint8_t digest[static DIGEST_BYTES], char buf[static DIGEST_STRLEN])
{
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		(void)sprintf(buf + 2 * i, "%02x", digest[i]);
	return buf;
}
