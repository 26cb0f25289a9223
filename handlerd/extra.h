/*
 * DHCP options that a rule adds to an offer, for programs that read some of their own: the path of
 * Windows' BCD (252), pxelinux' configuration (209, 210), and the like.  Pure.
 *
 * An option is written CODE:TYPE:VALUE.  Types: `text`; `cstring`, a text with a NUL behind it;
 * `hex`; `ip`, addresses with commas between them; `u8`, `u16`, `u32`.  Codes are those that the
 * registry leaves to sites and vendors, 128 to 254 but 175: of the others firmware checks lengths,
 * and drops the whole packet.
 */
#ifndef HANDLERD_EXTRA_H
#define HANDLERD_EXTRA_H

#include "common/wire.h"

#define EXTRA_OPTIONS 8
#define EXTRA_BYTES   255 /* of all options of a rule together */

/* Writes one option as it stands in a packet.  0, or -EINVAL with *why, `w` as it was. */
int extra_put(struct wbuf *w, const char *text, const char **why);

#endif
