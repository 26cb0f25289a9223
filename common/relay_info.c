/* See relay_info.h. */
#include "common/relay_info.h"

#include <errno.h>

static void
keep_first(struct slice *kept, struct slice value)
{
	if (kept->p == NULL)
		*kept = value;
}

int
relay_info_parse(struct slice option, struct relay_info *ret)
{
	struct rbuf r;

	*ret = (struct relay_info){ 0 };
	rbuf_init(&r, option.p, option.n);
	while (r.left > 0) {
		uint8_t tag = rbuf_u8(&r);
		struct slice value = rbuf_slice(&r, rbuf_u8(&r));

		if (r.bad)
			return -EBADMSG;
		switch (tag) {
		case RELAY_INFO_CIRCUIT_ID: keep_first(&ret->circuit_id, value); break;
		case RELAY_INFO_REMOTE_ID: keep_first(&ret->remote_id, value); break;
		case RELAY_INFO_SUBSCRIBER_ID: keep_first(&ret->subscriber_id, value); break;
		case RELAY_INFO_LINK_SELECTION:
			if (value.n != 4)
				return -EBADMSG;
			if (ret->link.family == 0)
				ret->link = ip_from_v4(value.p);
			break;
		default: break;
		}
	}
	return 0;
}

static bool
is_text(struct slice id)
{
	for (size_t i = 0; i < id.n; i++) {
		if (id.p[i] < 0x20 || id.p[i] > 0x7e)
			return false;
	}
	return id.n < 2 || id.p[0] != '0' || (id.p[1] | 0x20) != 'x';
}

char *
relay_id_format(struct slice id, char dst[static RELAY_ID_STRLEN])
{
	static const char digits[] = "0123456789abcdef";
	char *p = dst;

	if (id.n > RELAY_ID_MAX)
		id.n = RELAY_ID_MAX;
	if (is_text(id)) {
		(void)slice_copy(dst, RELAY_ID_STRLEN, id);
		return dst;
	}
	*p++ = '0';
	*p++ = 'x';
	for (size_t i = 0; i < id.n; i++) {
		*p++ = digits[id.p[i] >> 4];
		*p++ = digits[id.p[i] & 0xf];
	}
	*p = '\0';
	return dst;
}
