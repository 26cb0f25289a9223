/* TFTP packets; see tftp.h. */
#include "tftpd/tftp.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* The next NUL-terminated string; NULL when its NUL is missing. */
static const char *
take_string(struct rbuf *r)
{
	const uint8_t *end = r->left > 0 ? memchr(r->p, '\0', r->left) : NULL;

	if (end == NULL) {
		r->bad = true;
		return NULL;
	}
	return (const char *)rbuf_slice(r, (size_t)(end - r->p) + 1).p;
}

static int
parse_request(struct rbuf *r, struct tftp_packet *ret)
{
	const char *file = take_string(r), *mode = take_string(r);

	if (file == NULL || mode == NULL)
		return -EBADMSG;
	ret->file = slice_str(file);
	ret->mode = strcasecmp(mode, "octet") == 0      ? TFTP_MODE_OCTET
	            : strcasecmp(mode, "netascii") == 0 ? TFTP_MODE_NETASCII
	                                                : TFTP_MODE_OTHER;
	while (r->left > 0 && ret->noptions < TFTP_OPTIONS_MAX) {
		struct tftp_option *o = &ret->options[ret->noptions];

		o->name = take_string(r);
		o->value = o->name != NULL ? take_string(r) : NULL;
		/* some clients pad behind their last option: what came before still counts */
		if (o->value == NULL || o->name[0] == '\0')
			break;
		ret->noptions++;
	}
	return 0;
}

int
tftp_parse(struct slice bytes, struct tftp_packet *ret)
{
	struct rbuf r;

	memset(ret, 0, sizeof(*ret));
	rbuf_init(&r, bytes.p, bytes.n);
	ret->op = rbuf_u16(&r);
	switch (ret->op) {
	case TFTP_RRQ:
	case TFTP_WRQ: return parse_request(&r, ret);
	case TFTP_DATA: ret->block = rbuf_u16(&r); break;
	case TFTP_ACK:
		ret->block = rbuf_u16(&r);
		if (r.left > 0)
			ret->window = rbuf_u8(&r);
		break;
	case TFTP_ERROR:
		ret->error = rbuf_u16(&r);
		/* the text may lack its NUL: nothing follows it */
		ret->text = (struct slice){ r.p, strnlen((const char *)r.p, r.left) };
		break;
	case TFTP_OACK: break;
	default: return -EBADMSG;
	}
	return r.bad ? -EBADMSG : 0;
}

void
tftp_put_data_header(struct wbuf *w, uint16_t block)
{
	wbuf_u16(w, TFTP_DATA);
	wbuf_u16(w, block);
}

void
tftp_put_error(struct wbuf *w, enum tftp_error code, const char *text)
{
	size_t n = strnlen(text, TFTP_ERROR_TEXT_MAX);

	wbuf_u16(w, TFTP_ERROR);
	wbuf_u16(w, (uint16_t)code);
	wbuf_bytes(w, text, n);
	wbuf_u8(w, '\0');
}
