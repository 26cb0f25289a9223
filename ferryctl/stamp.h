/*
 * Stamping a loader: the fingerprint of the public iPXE root, which stands exactly once in a build
 * that is not compressed, is replaced by that of a site's CA.  Pure.
 */
#ifndef FERRYCTL_STAMP_H
#define FERRYCTL_STAMP_H

#include "common/digest.h"
#include "common/wire.h"

/*
 * Replaces `from` by `to`, and mends the PE image's checksum if it has one.  0, -ENOENT if `from`
 * is not there (behind the headers), -EEXIST if it is more than once: nothing is changed then.
 */
int stamp_apply(uint8_t *bytes, size_t n, const uint8_t from[static DIGEST_BYTES],
    const uint8_t to[static DIGEST_BYTES]);

/*
 * The other way: true if `bytes` are `original` with its one fingerprint `from` replaced, by that
 * of *ret.
 */
bool stamp_read(struct slice bytes, struct slice original, const uint8_t from[static DIGEST_BYTES],
    uint8_t ret[static DIGEST_BYTES]);

/* True for a PE image with a Secure Boot signature, which a change makes worthless. */
bool stamp_is_signed(struct slice bytes);

#endif
