/* SHA-256 of files and bytes, by OpenSSL. */
#ifndef COMMON_DIGEST_H
#define COMMON_DIGEST_H

#include "common/wire.h"

#define DIGEST_BYTES  32
#define DIGEST_STRLEN 65

void digest_bytes(struct slice bytes, uint8_t ret[static DIGEST_BYTES]);
/*
 * Of what can be read from `fd` from where it stands; *ret_size gets the number of bytes, and if
 * `copy_fd` is not -1 they are written there too.  0, or a negative errno.
 */
int digest_fd(int fd, int copy_fd, uint8_t ret[static DIGEST_BYTES], uint64_t *ret_size);
const char *digest_format(
    const uint8_t digest[static DIGEST_BYTES], char buf[static DIGEST_STRLEN]);

#endif
