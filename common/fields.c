/* Records as rows of fields; see fields.h. */
#include "common/fields.h"

#include <errno.h>
#include <string.h>

/* The value of a field, as the bytes that go out; numbers are put into `scratch`. */
static struct slice
field_value(const struct field *f, const void *record, uint8_t scratch[static 17])
{
	const uint8_t *at = (const uint8_t *)record + f->off;
	struct wbuf w;

	wbuf_init(&w, scratch, 17);
	switch (f->form) {
	case FIELD_BOOL: wbuf_u8(&w, *(const bool *)at); break;
	case FIELD_ENUM:
	case FIELD_ENUM_SOFT: wbuf_u8(&w, (uint8_t) * (const int *)at); break;
	case FIELD_U16: wbuf_u16(&w, *(const uint16_t *)at); break;
	case FIELD_U32: wbuf_u32(&w, *(const uint32_t *)at); break;
	case FIELD_U64: wbuf_u64(&w, *(const uint64_t *)at); break;
	case FIELD_UUID: wbuf_bytes(&w, at, 16); break;
	case FIELD_MAC: {
		const struct macaddr *mac = (const struct macaddr *)at;

		wbuf_bytes(&w, mac->b, mac->len);
		break;
	}
	case FIELD_IP: {
		const struct ipaddr *ip = (const struct ipaddr *)at;

		wbuf_bytes(&w, ip->b, ip->family == 4 ? 4 : ip->family == 6 ? 16 : 0);
		break;
	}
	case FIELD_SLICE: return *(const struct slice *)at;
	}
	return wbuf_view(&w);
}

static bool
is_zero(struct slice v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] != 0)
			return false;
	}
	return true;
}

void
fields_encode(struct wbuf *w, const struct field *fields, size_t n, const void *record)
{
	for (size_t i = 0; i < n; i++) {
		const struct field *f = &fields[i];
		uint8_t scratch[17];
		struct slice v = field_value(f, record, scratch);
		/* an address is told by its length: 0.0.0.0 is not "none" */
		bool by_length =
		    f->form == FIELD_SLICE || f->form == FIELD_IP || f->form == FIELD_MAC;

		if (by_length ? v.n == 0 : is_zero(v))
			continue;
		if (f->form == FIELD_SLICE && v.n > f->max) {
			w->bad = true;
			return;
		}
		wbuf_u16(w, f->tag);
		wbuf_u32(w, (uint32_t)v.n);
		wbuf_slice(w, v);
	}
}

/* Stores a field's value; false if it has not the form that the table says. */
static bool
set_field(const struct field *f, void *record, struct slice v)
{
	uint8_t *at = (uint8_t *)record + f->off;
	struct rbuf r;

	rbuf_init(&r, v.p, v.n);
	switch (f->form) {
	case FIELD_BOOL: *(bool *)at = rbuf_u8(&r) != 0; break;
	case FIELD_ENUM:
	case FIELD_ENUM_SOFT: {
		uint8_t n = rbuf_u8(&r);

		if (n >= f->max && f->form == FIELD_ENUM)
			return false;
		*(int *)at = n < f->max ? n : 0;
		break;
	}
	case FIELD_U16: *(uint16_t *)at = rbuf_u16(&r); break;
	case FIELD_U32: *(uint32_t *)at = rbuf_u32(&r); break;
	case FIELD_U64: *(uint64_t *)at = rbuf_u64(&r); break;
	case FIELD_UUID: rbuf_bytes(&r, at, 16); break;
	case FIELD_MAC: {
		struct macaddr *mac = (struct macaddr *)at;

		if (v.n > sizeof(mac->b))
			return false;
		mac->len = (uint8_t)v.n;
		rbuf_bytes(&r, mac->b, v.n);
		break;
	}
	case FIELD_IP: {
		struct ipaddr *ip = (struct ipaddr *)at;

		if (v.n != 4 && v.n != 16)
			return false;
		ip->family = v.n == 4 ? 4 : 6;
		rbuf_bytes(&r, ip->b, v.n);
		break;
	}
	case FIELD_SLICE:
		if (v.n > f->max)
			return false;
		*(struct slice *)at = v;
		return true;
	}
	return !r.bad && r.left == 0;
}

int
fields_decode(struct slice body, const struct field *fields, size_t n, void *record, size_t size)
{
	size_t next = 0;
	struct rbuf r;

	memset(record, 0, size);
	rbuf_init(&r, body.p, body.n);
	while (r.left > 0) {
		uint16_t tag = rbuf_u16(&r);
		struct slice v = rbuf_slice(&r, rbuf_u32(&r));

		if (r.bad)
			return -EBADMSG;
		/* senders write them in the table's order: look on from the one before */
		for (size_t i = 0; i < n; i++, next++) {
			if (next >= n)
				next = 0;
			if (fields[next].tag != tag)
				continue;
			if (!set_field(&fields[next++], record, v))
				return -EBADMSG;
			break;
		}
	}
	return 0;
}
