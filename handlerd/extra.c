/* Options that a rule adds; see extra.h. */
#include "handlerd/extra.h"

#include "common/dhcp.h"
#include "common/hex.h"
#include "common/ident.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CODE 128
#define LAST_CODE  254

static int
put_addresses(struct wbuf *w, const char *text)
{
	while (true) {
		size_t n = strcspn(text, ",");
		struct ipaddr ip;

		if (ip_parse((struct slice){ (const uint8_t *)text, n }, &ip) < 0 || ip.family != 4)
			return -EINVAL;
		wbuf_bytes(w, ip.b, 4);
		if (text[n] == '\0')
			return 0;
		text += n + 1;
	}
}

static int
put_number(struct wbuf *w, const char *text, unsigned octets)
{
	uint64_t v;

	if (parse_u64(text, &v) < 0 || v >> (8 * octets) != 0)
		return -EINVAL;
	while (octets-- > 0)
		wbuf_u8(w, (uint8_t)(v >> (8 * octets)));
	return 0;
}

static int
put_value(struct wbuf *w, struct slice type, const char *value)
{
	uint8_t bytes[EXTRA_BYTES];
	int n;

	if (slice_is(type, "text") || slice_is(type, "cstring")) {
		wbuf_str(w, value);
		if (slice_is(type, "cstring"))
			wbuf_u8(w, 0);
		return 0;
	}
	if (slice_is(type, "ip"))
		return put_addresses(w, value);
	if (slice_is(type, "u8"))
		return put_number(w, value, 1);
	if (slice_is(type, "u16"))
		return put_number(w, value, 2);
	if (slice_is(type, "u32"))
		return put_number(w, value, 4);
	if (!slice_is(type, "hex"))
		return -ENOENT;
	n = hex_parse(slice_str(value), bytes, sizeof(bytes));
	if (n < 0)
		return -EINVAL;
	wbuf_bytes(w, bytes, (size_t)n);
	return 0;
}

/* The number before the first colon, and what is behind it. */
static const char *
read_code(const char *text, unsigned *ret)
{
	unsigned v = 0;

	for (; *text >= '0' && *text <= '9' && v <= LAST_CODE; text++)
		v = v * 10 + (unsigned)(*text - '0');
	*ret = v;
	return *text == ':' ? text + 1 : NULL;
}

int
extra_put(struct wbuf *w, const char *text, const char **why)
{
	uint8_t room[UINT8_MAX];
	unsigned code;
	const char *type = read_code(text, &code);
	const char *value = type != NULL ? strchr(type, ':') : NULL;
	struct wbuf option;
	int rc;

	if (value == NULL) {
		*why = "is not CODE:TYPE:VALUE";
		return -EINVAL;
	}
	if (code < FIRST_CODE || code > LAST_CODE || code == DHCP_OPT_ETHERBOOT) {
		*why = "has a code that is not 128 to 254, or is 175";
		return -EINVAL;
	}
	wbuf_init(&option, room, sizeof(room));
	rc = put_value(
	    &option, (struct slice){ (const uint8_t *)type, (size_t)(value - type) }, value + 1);
	if (rc < 0 || option.bad || option.used == 0) {
		*why = rc == -ENOENT ? "has a type that is none of text, cstring, hex, ip, u8, "
		                       "u16, u32"
		       : option.bad  ? "is longer than 255 octets"
		       : rc < 0      ? "has a value that is not of its type"
		                     : "has no value";
		return -EINVAL;
	}
	if (w->size - w->used < option.used + 2) {
		*why = "does not fit: all of a rule's options may have 255 octets";
		return -EINVAL;
	}
	dhcp_put_option(w, (uint8_t)code, wbuf_view(&option));
	return 0;
}
