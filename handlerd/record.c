/* See record.h. */
#include "handlerd/record.h"

#include "common/fields.h"

#include <errno.h>
#include <string.h>

#define MAC(tag, form, max, member)                                                                \
	{                                                                                          \
		tag, form, max, offsetof(struct machine_record, member)                            \
	}
static const struct field machine_fields[] = {
	MAC(1, FIELD_MAC, 0, mac),
	MAC(2, FIELD_U64, 0, seen_ms),
	MAC(3, FIELD_BOOL, 0, has_uuid),
	MAC(4, FIELD_UUID, 0, uuid),
	MAC(5, FIELD_U16, 0, arch),
	MAC(6, FIELD_IP, 0, address),
	MAC(7, FIELD_SLICE, 1024, manufacturer),
	MAC(8, FIELD_SLICE, 1024, product),
	MAC(9, FIELD_SLICE, 1024, serial),
	MAC(10, FIELD_SLICE, 1024, asset),
	MAC(11, FIELD_SLICE, 64, platform),
	MAC(12, FIELD_SLICE, 255, version),
};

/* The texts of a boot, which has them in arrays. */
struct boot_texts {
	struct slice image, subnet;
};

#define BOOT(tag, form, max, member)                                                               \
	{                                                                                          \
		tag, form, max, offsetof(struct boot, member)                                      \
	}
static const struct field boot_fields[] = {
	BOOT(1, FIELD_U64, 0, id),
	BOOT(2, FIELD_U64, 0, started_ms),
	BOOT(3, FIELD_U64, 0, last_ms),
	BOOT(4, FIELD_MAC, 0, mac),
	BOOT(5, FIELD_BOOL, 0, has_uuid),
	BOOT(6, FIELD_UUID, 0, uuid),
	BOOT(7, FIELD_IP, 0, address),
	BOOT(8, FIELD_IP, 0, relay),
	BOOT(9, FIELD_ENUM, PHASES, phase),
	BOOT(10, FIELD_ENUM, CLIENTS, client),
	BOOT(11, FIELD_U16, 0, arch),
	BOOT(12, FIELD_BOOL, 0, trusted),
	BOOT(13, FIELD_BOOL, 0, by_http),
};
static const struct field text_fields[] = {
	{ 32, FIELD_SLICE, IMAGE_NAME_MAX, offsetof(struct boot_texts, image) },
	{ 33, FIELD_SLICE, 64, offsetof(struct boot_texts, subnet) },
};

#define ENT(tag, form, max, member)                                                                \
	{                                                                                          \
		tag, form, max, offsetof(struct entry_record, member)                              \
	}
static const struct field entry_fields[] = {
	ENT(1, FIELD_U64, 0, boot),
	ENT(2, FIELD_U64, 0, at_ms),
	ENT(3, FIELD_U64, 0, origin),
	ENT(4, FIELD_U64, 0, seq),
	ENT(5, FIELD_SLICE, 64, kind),
	ENT(6, FIELD_ENUM, VIAS, via),
	ENT(7, FIELD_MAC, 0, mac),
	ENT(8, FIELD_IP, 0, address),
	ENT(9, FIELD_SLICE, 64, subnet),
	ENT(10, FIELD_SLICE, 64, action),
	ENT(11, FIELD_SLICE, 64, reason),
	ENT(12, FIELD_SLICE, 255, rule),
	ENT(13, FIELD_SLICE, 4096, file),
	ENT(14, FIELD_U64, 0, bytes),
	ENT(15, FIELD_U32, 0, duration_ms),
	ENT(16, FIELD_U32, 0, blksize),
	ENT(17, FIELD_U32, 0, windowsize),
	ENT(18, FIELD_U32, 0, retransmits),
	ENT(19, FIELD_U32, 0, repeats),
	ENT(20, FIELD_SLICE, 1024, text),
};

void
record_encode(struct wbuf *w, const struct record *r)
{
	wbuf_u8(w, (uint8_t)r->kind);
	switch (r->kind) {
	case RECORD_MACHINE:
		fields_encode(w, machine_fields, NITEMS(machine_fields), &r->machine);
		break;
	case RECORD_BOOT: {
		struct boot_texts texts = { slice_str(r->boot.image), slice_str(r->boot.subnet) };

		fields_encode(w, boot_fields, NITEMS(boot_fields), &r->boot);
		fields_encode(w, text_fields, NITEMS(text_fields), &texts);
		break;
	}
	case RECORD_ENTRY: fields_encode(w, entry_fields, NITEMS(entry_fields), &r->entry); break;
	default: w->bad = true; break;
	}
}

int
record_decode(struct slice bytes, struct record *ret)
{
	struct boot_texts texts;
	struct rbuf r;
	struct slice body;
	uint8_t kind;
	int rc;

	rbuf_init(&r, bytes.p, bytes.n);
	kind = rbuf_u8(&r);
	body = rbuf_slice(&r, r.left);
	if (kind == RECORD_NONE || kind >= RECORD_KINDS)
		return -EBADMSG;
	ret->kind = (enum record_kind)kind;
	switch (ret->kind) {
	case RECORD_MACHINE:
		return fields_decode(body, machine_fields, NITEMS(machine_fields), &ret->machine,
		    sizeof(ret->machine));
	case RECORD_BOOT:
		rc = fields_decode(body, text_fields, NITEMS(text_fields), &texts, sizeof(texts));
		if (rc == 0)
			rc = fields_decode(
			    body, boot_fields, NITEMS(boot_fields), &ret->boot, sizeof(ret->boot));
		if (rc == 0) {
			(void)slice_copy(ret->boot.image, sizeof(ret->boot.image), texts.image);
			(void)slice_copy(ret->boot.subnet, sizeof(ret->boot.subnet), texts.subnet);
		}
		return rc;
	default:
		return fields_decode(
		    body, entry_fields, NITEMS(entry_fields), &ret->entry, sizeof(ret->entry));
	}
}
