/* See identity.h. */
#include "handlerd/identity.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Sub-options of option 82 (RFC 3046 section 2.0). */
#define RELAY_CIRCUIT_ID 1
#define RELAY_REMOTE_ID  2

/* UUIDs that makers left at their defaults, beside those of one octet repeated. */
static const char *const bad_uuids[] = {
	"03000200-0400-0500-0006-000700080009", /* AMI's, on many boards */
	"03020100-0504-0706-0809-0a0b0c0d0e0f", "12345678-1234-5678-90ab-cddeefaabbcc",
	"4c4c4544-0000-2010-8020-80c04f202020", /* Dell's without a service tag */
};

/* What stands where a serial number or an asset tag was never filled in. */
static const char *const bad_texts[] = {
	"0123456789",
	"1234567890",
	"123456789",
	"12345678",
	"asset tag",
	"asset-1234567890",
	"base board serial number",
	"chassis asset tag",
	"chassis serial number",
	"default",
	"default string",
	"default_string",
	"empty",
	"invalid",
	"no asset information",
	"no asset tag",
	"none",
	"not applicable",
	"not available",
	"not settable",
	"not specified",
	"null",
	"o.e.m.",
	"oem",
	"serial number",
	"system asset tag",
	"system serial number",
	"to be filled by o.e.m",
	"to be filled by o.e.m.",
	"tobefilledbyo.e.m.",
	"type2 - board serial number",
	"undefined",
	"unknown",
};

const char *
identifier_name(enum identifier v)
{
	static const char *const names[IDENTIFIERS] = {
		[IDENTIFIER_MAC] = "mac",
		[IDENTIFIER_UUID] = "uuid",
		[IDENTIFIER_SERIAL] = "serial",
		[IDENTIFIER_ASSET] = "asset",
		[IDENTIFIER_MODEL] = "model",
		[IDENTIFIER_PORT] = "port",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

static bool
is_blank(uint8_t c)
{
	return c <= ' ';
}

struct slice
identity_text(struct slice s)
{
	while (s.n > 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	if (s.n > IDENTITY_TEXT_MAX)
		s.n = IDENTITY_TEXT_MAX;
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s.n > 0 ? s : (struct slice){ NULL, 0 };
}

static void
read_relay_info(struct slice option, struct identity *id)
{
	struct rbuf r;

	rbuf_init(&r, option.p, option.n);
	while (r.left >= 2) {
		uint8_t code = rbuf_u8(&r), n = rbuf_u8(&r);
		struct slice value = rbuf_slice(&r, n);

		if (value.n > IDENTITY_TEXT_MAX)
			value.n = IDENTITY_TEXT_MAX;
		if (code == RELAY_CIRCUIT_ID)
			id->circuit = value;
		else if (code == RELAY_REMOTE_ID)
			id->remote = value;
	}
}

void
identity_from_request(const struct boot_request *r, struct identity *ret)
{
	*ret = (struct identity){
		.mac = r->mac,
		.has_uuid = r->has_uuid,
		.uuid = r->uuid,
		.serial = identity_text(r->serial),
		.asset = identity_text(r->asset),
		.manufacturer = identity_text(r->manufacturer),
		.product = identity_text(r->product),
		.relay = r->relay,
	};
	read_relay_info(r->relay_info, ret);
}

/* A pattern as octets and whether more may follow. */
static int
read_pattern(const char *pattern, struct macaddr *ret, bool *ret_open)
{
	struct slice s = slice_str(pattern);
	bool open = s.n > 0 && s.p[s.n - 1] == '*';

	if (open)
		s.n--;
	if (open && s.n > 0 && (s.p[s.n - 1] == ':' || s.p[s.n - 1] == '-'))
		s.n--;
	if (mac_parse(s, ret) < 0)
		return -EINVAL;
	*ret_open = open;
	return 0;
}

int
identity_check_adapter(const char *pattern)
{
	struct macaddr mac;
	bool open;

	return read_pattern(pattern, &mac, &open);
}

bool
identity_mac_is_shared(const struct identity_lists *lists, const struct macaddr *mac)
{
	for (size_t i = 0; lists != NULL && i < lists->shared_adapters.n; i++) {
		struct macaddr m;
		bool open;

		if (read_pattern(lists->shared_adapters.v[i], &m, &open) == 0 &&
		    (open ? m.len <= mac->len : m.len == mac->len) &&
		    memcmp(m.b, mac->b, m.len) == 0)
			return true;
	}
	return false;
}

struct uuid
uuid_swapped(const struct uuid *u)
{
	struct uuid swapped;

	uuid_from_smbios(u->b, &swapped);
	return swapped;
}

static bool
is_repeated(const uint8_t *p, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (p[i] != p[0])
			return false;
	}
	return true;
}

static bool
is_uuid(const char *text, const struct uuid *u)
{
	struct uuid want, swapped = uuid_swapped(u);

	return uuid_parse(slice_str(text), &want) == 0 &&
	       (memcmp(&want, u, sizeof(want)) == 0 || memcmp(&want, &swapped, sizeof(want)) == 0);
}

bool
identity_uuid_is_bad(const struct identity_lists *lists, const struct uuid *uuid)
{
	if (is_repeated(uuid->b, sizeof(uuid->b)))
		return true;
	for (size_t i = 0; i < NITEMS(bad_uuids); i++) {
		if (is_uuid(bad_uuids[i], uuid))
			return true;
	}
	for (size_t i = 0; lists != NULL && i < lists->bad_uuids.n; i++) {
		if (is_uuid(lists->bad_uuids.v[i], uuid))
			return true;
	}
	return false;
}

static bool
is_text(const char *want, struct slice s)
{
	return strlen(want) == s.n && strncasecmp(want, (const char *)s.p, s.n) == 0;
}

bool
identity_text_is_bad(const struct identity_lists *lists, struct slice text)
{
	if (text.n < 3 || is_repeated(text.p, text.n))
		return true;
	for (size_t i = 0; i < NITEMS(bad_texts); i++) {
		if (is_text(bad_texts[i], text))
			return true;
	}
	for (size_t i = 0; lists != NULL && i < lists->bad_serials.n; i++) {
		if (is_text(lists->bad_serials.v[i], text))
			return true;
	}
	return false;
}
