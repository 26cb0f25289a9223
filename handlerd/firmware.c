/* Fingerprints of firmware; see firmware.h. */
#include "handlerd/firmware.h"

#include "common/arch.h"
#include "common/hex.h"
#include "common/relay_info.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const uuid_forms[] = {
	[NDI_UUID_ABSENT] = "absent",
	[NDI_UUID_GIVEN] = "given",
	[NDI_UUID_ODD] = "odd",
};

void
firmware_of_request(const struct boot_request *r, struct firmware *ret)
{
	*ret = (struct firmware){
		.arch = r->arch,
		.ndi = r->ndi & ~NDI_BOOT_ITEM,
		.has_adapter = r->mac.len >= 3,
		.class = r->vendor_class,
		.param_list = r->param_list,
	};
	if (ret->has_adapter)
		memcpy(ret->adapter, r->mac.b, 3);
}

bool
firmware_is_http(const struct firmware *f)
{
	return slice_begins(f->class, "HTTPClient");
}

/* --- the key ---------------------------------------------------------------------------------- */

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

/* Eight octets at a time: this runs for every DISCOVER. */
static uint64_t
mix_bytes(uint64_t h, const uint8_t *p, size_t n)
{
	uint64_t v;

	h = mix(h, n);
	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&v, p, 8);
		h = mix(h, le64toh(v));
	}
	v = 0;
	if (n > 0)
		memcpy(&v, p, n);
	return mix(h, le64toh(v));
}

/*
 * edk2's HTTP Boot asks for one option more than it fills in, third from the end: an octet of
 * whatever was in memory (measured: 0xea, 0xeb), which must not make a model of its own.
 */
static size_t
junk_at(const struct firmware *f)
{
	const struct slice *s = &f->param_list;

	return s->n >= 3 && s->p[s->n - 2] == 67 && s->p[s->n - 1] == 97 && firmware_is_http(f)
	           ? s->n - 3
	           : SIZE_MAX;
}

uint64_t
firmware_key(const struct firmware *f)
{
	uint64_t h = mix(UINT64_C(0xcbf29ce484222325), (uint64_t)f->ndi << 32 | f->arch);
	size_t junk = junk_at(f);
	uint64_t adapter = 0;

	if (f->has_adapter)
		adapter = UINT64_C(1) << 24 | (uint64_t)f->adapter[0] << 16 |
		          (uint64_t)f->adapter[1] << 8 | f->adapter[2];
	h = mix(h, adapter);
	h = mix_bytes(h, f->class.p, f->class.n);
	if (junk == SIZE_MAX) {
		h = mix_bytes(h, f->param_list.p, f->param_list.n);
	} else {
		h = mix_bytes(h, f->param_list.p, junk);
		h = mix_bytes(h, f->param_list.p + junk + 1, 2);
	}
	return h != 0 ? h : 1;
}

const char *
firmware_key_format(uint64_t key, char buf[static FIRMWARE_KEY_STRLEN])
{
	(void)snprintf(buf, FIRMWARE_KEY_STRLEN, "%016llx", (unsigned long long)key);
	return buf;
}

/* --- for people ------------------------------------------------------------------------------- */

static const char *
adapter_format(const struct firmware *f, char buf[static 16])
{
	(void)snprintf(buf, 16, "%02x:%02x:%02x", f->adapter[0], f->adapter[1], f->adapter[2]);
	return f->has_adapter ? buf : "";
}

const char *
firmware_words(const struct firmware *f, char buf[static FIRMWARE_WORDS_MAX])
{
	char ndi[32] = "", adapter[16], words[32] = "";

	if (NDI_VERSION(f->ndi) != 0)
		(void)snprintf(ndi, sizeof(ndi), ", UNDI %u.%u", f->ndi >> 8 & 0xff, f->ndi & 0xff);
	if (NDI_UUID_OF(f->ndi) == NDI_UUID_ABSENT)
		(void)snprintf(words, sizeof(words), ", tells no UUID");
	(void)snprintf(buf, FIRMWARE_WORDS_MAX, "%s%s%s%s%s%s, asks for %zu options",
	    arch_find(f->arch)->name, firmware_is_http(f) ? " Boot" : " by PXE", ndi,
	    f->has_adapter ? ", adapters " : "", adapter_format(f, adapter), words,
	    f->param_list.n);
	return buf;
}

/* --- JSON ------------------------------------------------------------------------------------- */

json_t *
firmware_dump(const struct firmware *f)
{
	char class[RELAY_ID_STRLEN], options[2 * FIRMWARE_TEXT_MAX + 1], ndi[16], adapter[16];

	(void)snprintf(
	    ndi, sizeof(ndi), "%u.%u.%u", f->ndi >> 16 & 0xff, f->ndi >> 8 & 0xff, f->ndi & 0xff);
	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "class",
	    relay_id_format(f->class, class), "arch", f->arch, "ndi", ndi, "uuid",
	    uuid_forms[NDI_UUID_OF(f->ndi)], "options", hex_format(f->param_list, options),
	    "adapter", adapter_format(f, adapter));
}

static int
parse_class(const json_t *v, struct firmware_room *room, struct firmware *f)
{
	struct slice s = { (const uint8_t *)json_string_value(v), json_string_length(v) };
	int n = (int)s.n;

	if (s.p == NULL)
		return -EINVAL;
	if (slice_begins(s, "0x"))
		n = hex_parse((struct slice){ s.p + 2, s.n - 2 }, room->class, sizeof(room->class));
	else if (s.n <= sizeof(room->class))
		memcpy(room->class, s.p, s.n);
	else
		n = -EINVAL;
	if (n < 0)
		return -EINVAL;
	f->class = (struct slice){ room->class, (size_t)n };
	return slice_begins(f->class, "PXEClient") || firmware_is_http(f) ? 0 : -EINVAL;
}

static int
parse_arch(const json_t *v, struct firmware_room *room, struct firmware *f)
{
	(void)room;
	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > UINT16_MAX)
		return -EINVAL;
	f->arch = (uint16_t)json_integer_value(v);
	return 0;
}

static int
parse_ndi(const json_t *v, struct firmware_room *room, struct firmware *f)
{
	const char *s = json_string_value(v);
	uint32_t ndi = 0;

	(void)room;
	for (int i = 0; i < 3; i++) {
		size_t digits = s != NULL ? strspn(s, "0123456789") : 0;
		unsigned long n = digits >= 1 && digits <= 3 ? strtoul(s, NULL, 10) : 256;

		if (n > 255 || s[digits] != (i < 2 ? '.' : '\0'))
			return -EINVAL;
		ndi = ndi << 8 | (uint32_t)n;
		s += digits + 1;
	}
	f->ndi |= ndi;
	return 0;
}

static int
parse_uuid(const json_t *v, struct firmware_room *room, struct firmware *f)
{
	const char *s = json_string_value(v);

	(void)room;
	for (unsigned i = 0; s != NULL && i < NITEMS(uuid_forms); i++) {
		if (strcmp(s, uuid_forms[i]) != 0)
			continue;
		f->ndi |= NDI_UUID(i);
		return 0;
	}
	return -EINVAL;
}

static int
parse_options(const json_t *v, struct firmware_room *room, struct firmware *f)
{
	struct slice s = { (const uint8_t *)json_string_value(v), json_string_length(v) };
	int n = s.p == NULL ? -EINVAL
	        : s.n == 0  ? 0
	                    : hex_parse(s, room->param_list, sizeof(room->param_list));

	if (n < 0)
		return -EINVAL;
	f->param_list = (struct slice){ room->param_list, (size_t)n };
	return 0;
}

static int
parse_adapter(const json_t *v, struct firmware_room *room, struct firmware *f)
{
	const char *s = json_string_value(v);
	struct macaddr mac;

	(void)room;
	if (s == NULL)
		return -EINVAL;
	if (s[0] == '\0')
		return 0;
	/* never a whole address: what is shared speaks of models, not of machines */
	if (mac_parse(slice_str(s), &mac) < 0 || mac.len != 3)
		return -EINVAL;
	f->has_adapter = true;
	memcpy(f->adapter, mac.b, 3);
	return 0;
}

static const struct {
	const char *key;
	int (*parse)(const json_t *v, struct firmware_room *room, struct firmware *f);
	const char *what;
} members[] = {
	{ "class", parse_class, "is no text that begins with PXEClient or HTTPClient" },
	{ "arch", parse_arch, "is no number from 0 to 65535" },
	{ "ndi", parse_ndi, "is not of the form \"1.3.16\"" },
	{ "uuid", parse_uuid, "is none of \"absent\", \"given\", \"odd\"" },
	{ "options", parse_options, "is not up to 255 octets in hexadecimal digits" },
	{ "adapter", parse_adapter, "is neither empty nor the first three octets of a MAC" },
};

int
firmware_parse(const json_t *o, struct firmware_room *room, struct firmware *ret,
    const char **ret_key, const char **ret_what)
{
	struct firmware f = { .arch = 0 };

	for (size_t i = 0; i < NITEMS(members); i++) {
		const json_t *v = json_object_get(o, members[i].key);

		if (v != NULL && members[i].parse(v, room, &f) == 0)
			continue;
		*ret_key = members[i].key;
		*ret_what = v == NULL ? "is missing" : members[i].what;
		return -EINVAL;
	}
	*ret = f;
	return 0;
}
