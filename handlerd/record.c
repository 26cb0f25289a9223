/* See record.h. */
#include "handlerd/record.h"

#include "common/fields.h"

#include <errno.h>
#include <string.h>

#define MAC(tag, form, max, member)                                                                \
	{                                                                                          \
		tag, form, max, offsetof(struct machine, member)                                   \
	}
static const struct field machine_fields[] = {
	MAC(1, FIELD_U64, 0, id),
	MAC(2, FIELD_U64, 0, first_ms),
	MAC(3, FIELD_U64, 0, last_ms),
	MAC(4, FIELD_BOOL, 0, has_uuid),
	MAC(5, FIELD_UUID, 0, uuid),
	MAC(6, FIELD_SLICE, IDENTITY_TEXT_MAX, serial),
	MAC(7, FIELD_SLICE, IDENTITY_TEXT_MAX, asset),
	MAC(8, FIELD_SLICE, IDENTITY_TEXT_MAX, manufacturer),
	MAC(9, FIELD_SLICE, IDENTITY_TEXT_MAX, product),
	MAC(10, FIELD_SLICE, IDENTITY_TEXT_MAX, platform),
	MAC(11, FIELD_SLICE, IDENTITY_TEXT_MAX, version),
	MAC(12, FIELD_IP, 0, relay),
	MAC(13, FIELD_SLICE, IDENTITY_TEXT_MAX, remote),
	MAC(14, FIELD_SLICE, IDENTITY_TEXT_MAX, circuit),
	MAC(15, FIELD_U16, 0, arch),
	MAC(16, FIELD_IP, 0, address),
	MAC(17, FIELD_ENUM, MACHINE_STATES, state),
	MAC(18, FIELD_SLICE, IDENTITY_TEXT_MAX, group),
	MAC(19, FIELD_SLICE, IDENTITY_TEXT_MAX, entry),
	MAC(20, FIELD_BOOL, 0, once),
	MAC(21, FIELD_U64, 0, until_ms),
	MAC(22, FIELD_SLICE, IDENTITY_TEXT_MAX, by),
	MAC(23, FIELD_ENUM, PHASES, phase),
	MAC(24, FIELD_U64, 0, phase_ms),
	MAC(25, FIELD_SLICE, IDENTITY_TEXT_MAX, image),
	MAC(26, FIELD_SLICE, IDENTITY_TEXT_MAX, roots),
	MAC(27, FIELD_U64, 0, roots_ms),
};

/* A machine's MACs in one field: for each an octet 1 if it is sure, its length, the address. */
#define MACS_BYTES (MACHINE_MACS * (2 + sizeof(((struct macaddr *)0)->b)))
struct machine_macs {
	struct slice packed;
};
static const struct field macs_fields[] = {
	{ 32, FIELD_SLICE, MACS_BYTES, offsetof(struct machine_macs, packed) },
};

#define EVENT(tag, form, max, member)                                                              \
	{                                                                                          \
		tag, form, max, offsetof(struct machine_event, member)                             \
	}
static const struct field event_fields[] = {
	EVENT(1, FIELD_U64, 0, machine),
	EVENT(2, FIELD_U64, 0, other),
	EVENT(3, FIELD_U64, 0, at_ms),
	EVENT(4, FIELD_ENUM, MACHINE_EVENTS, kind),
	EVENT(5, FIELD_SLICE, IDENTITY_TEXT_MAX, by),
	EVENT(6, FIELD_SLICE, 1024, text),
};

struct gone {
	uint64_t id;
};
static const struct field gone_fields[] = {
	{ 1, FIELD_U64, 0, offsetof(struct gone, id) },
};

#define ASK(tag, form, max, member)                                                                \
	{                                                                                          \
		tag, form, max, offsetof(struct request_record, member)                            \
	}
static const struct field request_fields[] = {
	ASK(1, FIELD_U64, 0, at_ms),
	ASK(2, FIELD_U64, 0, boot),
	ASK(3, FIELD_U64, 0, machine),
	ASK(4, FIELD_MAC, 0, mac),
	ASK(5, FIELD_ENUM, STAGES, stage),
	ASK(6, FIELD_SLICE, 12288, request),
	ASK(7, FIELD_SLICE, 4096, outcome),
	ASK(8, FIELD_SLICE, 12288, sources),
	ASK(9, FIELD_ENUM, PHASES, before),
	ASK(10, FIELD_U64, 0, before_ms),
	ASK(11, FIELD_U32, 0, attempt),
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
	BOOT(14, FIELD_U64, 0, machine),
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

const char *
machine_event_name(enum machine_event_kind v)
{
	static const char *const names[MACHINE_EVENTS] = {
		[MACHINE_EVENT_CHANGED] = "changed",
		[MACHINE_EVENT_MERGED] = "merged",
		[MACHINE_EVENT_SPLIT] = "split",
		[MACHINE_EVENT_STATE] = "state",
		[MACHINE_EVENT_GROUP] = "group",
		[MACHINE_EVENT_ASSIGNED] = "assigned",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

static void
encode_machine(struct wbuf *w, const struct machine *m)
{
	uint8_t bytes[MACS_BYTES];
	struct machine_macs macs;
	struct wbuf packed;

	wbuf_init(&packed, bytes, sizeof(bytes));
	for (size_t i = 0; i < m->nmacs; i++) {
		wbuf_u8(&packed, m->macs[i].sure);
		wbuf_u8(&packed, m->macs[i].mac.len);
		wbuf_bytes(&packed, m->macs[i].mac.b, m->macs[i].mac.len);
	}
	macs.packed = wbuf_view(&packed);
	w->bad |= packed.bad;
	fields_encode(w, machine_fields, NITEMS(machine_fields), m);
	fields_encode(w, macs_fields, NITEMS(macs_fields), &macs);
}

static int
decode_macs(struct slice packed, struct machine *m)
{
	struct rbuf r;

	rbuf_init(&r, packed.p, packed.n);
	while (r.left > 0 && m->nmacs < MACHINE_MACS) {
		struct machine_mac *to = &m->macs[m->nmacs++];

		to->sure = rbuf_u8(&r) != 0;
		to->mac.len = rbuf_u8(&r);
		if (to->mac.len == 0 || to->mac.len > sizeof(to->mac.b))
			return -EBADMSG;
		rbuf_bytes(&r, to->mac.b, to->mac.len);
	}
	return r.bad || r.left > 0 ? -EBADMSG : 0;
}

static int
decode_machine(struct slice body, struct machine *ret)
{
	struct machine_macs macs;
	int rc;

	rc = fields_decode(body, macs_fields, NITEMS(macs_fields), &macs, sizeof(macs));
	if (rc == 0)
		rc = fields_decode(body, machine_fields, NITEMS(machine_fields), ret, sizeof(*ret));
	return rc == 0 ? decode_macs(macs.packed, ret) : rc;
}

void
record_encode(struct wbuf *w, const struct record *r)
{
	wbuf_u8(w, (uint8_t)r->kind);
	switch (r->kind) {
	case RECORD_MACHINE: encode_machine(w, &r->machine); break;
	case RECORD_MACHINE_GONE:
		fields_encode(w, gone_fields, NITEMS(gone_fields), &r->machine_gone);
		break;
	case RECORD_MACHINE_EVENT:
		fields_encode(w, event_fields, NITEMS(event_fields), &r->machine_event);
		break;
	case RECORD_REQUEST:
		fields_encode(w, request_fields, NITEMS(request_fields), &r->request);
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
	if (kind < RECORD_BOOT || kind >= RECORD_KINDS)
		return -EBADMSG;
	ret->kind = (enum record_kind)kind;
	switch (ret->kind) {
	case RECORD_MACHINE: return decode_machine(body, &ret->machine);
	case RECORD_MACHINE_GONE:
		return fields_decode(body, gone_fields, NITEMS(gone_fields), &ret->machine_gone,
		    sizeof(ret->machine_gone));
	case RECORD_MACHINE_EVENT:
		return fields_decode(body, event_fields, NITEMS(event_fields), &ret->machine_event,
		    sizeof(ret->machine_event));
	case RECORD_REQUEST:
		return fields_decode(body, request_fields, NITEMS(request_fields), &ret->request,
		    sizeof(ret->request));
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
