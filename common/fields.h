/*
 * Records as rows of fields: a 16-bit tag, a 32-bit length, the value.  A table states each
 * field's tag, form, bound and place in its struct; encoder and decoder are two loops over it.
 * Fields with their zero value are left out, unknown tags are skipped, so that a newer program
 * can read an older one's records and the other way round.
 */
#ifndef COMMON_FIELDS_H
#define COMMON_FIELDS_H

#include "common/ident.h"

enum field_form {
	FIELD_BOOL,      /* bool */
	FIELD_ENUM,      /* int; one octet below `max`, else the record is refused */
	FIELD_ENUM_SOFT, /* int; one octet, a value this program does not know reads as 0 */
	FIELD_U16,
	FIELD_U32,
	FIELD_U64,
	FIELD_MAC,   /* struct macaddr */
	FIELD_UUID,  /* struct uuid */
	FIELD_IP,    /* struct ipaddr */
	FIELD_SLICE, /* struct slice of at most `max` bytes */
};

struct field {
	uint16_t tag;
	enum field_form form;
	uint32_t max;
	size_t off;
};

/*
 * Appends the fields of `record`.  Sets w->bad if they do not fit or a slice is longer than its
 * bound; the caller then takes back what was written.
 */
void fields_encode(struct wbuf *w, const struct field *fields, size_t n, const void *record);
/*
 * Fills `record` (size bytes, zeroed first) from `body`; slices point into it.  0, or -EBADMSG
 * with *record in no particular state.
 */
int fields_decode(
    struct slice body, const struct field *fields, size_t n, void *record, size_t size);

#endif
