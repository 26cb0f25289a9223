/*
 * Forms (application/x-www-form-urlencoded), in a query or a body, and what they tell of a
 * machine.  Pure.
 */
#ifndef COMMON_FORM_H
#define COMMON_FORM_H

#include "common/msg.h"

#define FORM_FIELDS 64 /* taken; what comes after is ignored */

struct form_field {
	struct slice name, value; /* decoded */
};

struct form {
	struct form_field fields[FORM_FIELDS];
	size_t n;
};

/*
 * Adds the fields of `text` to `form`, decoded into `scratch`; a pair that cannot be decoded is
 * left out.  Slices point into scratch.
 */
void form_parse(struct slice text, struct wbuf *scratch, struct form *form);
/* The value of the first field of that name, compared without case; empty if there is none. */
struct slice form_get(const struct form *form, const char *name);

/*
 * Copies what a client sent (a form, a whole target, a name) without what is secret in it, fit for
 * logs and timelines: "..." stands in place of what follows "token=", "tokenid=" and "authvalue=",
 * up to the next "&", in any case and encoding, wherever they stand; and of what looks like a token
 * of ours, under whatever name, all but the beginning.  At most `size` bytes; what was written.
 */
struct slice form_without_secrets(struct slice text, char *dst, size_t size);

/*
 * Fills in what the form says of the machine: mac, uuid, manufacturer, product, serial, asset,
 * platform, buildarch, version, boot, token, with 2PXE's names (guid, make, model, architecture)
 * too.
 */
void form_to_request(const struct form *form, struct boot_request *r);

#endif
