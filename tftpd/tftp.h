/*
 * TFTP packets (RFC 1350, RFC 2347).
 */
#ifndef TFTPD_TFTP_H
#define TFTPD_TFTP_H

#include "common/wire.h"

#define TFTP_HEADER_BYTES    4
#define TFTP_DEFAULT_BLKSIZE 512
#define TFTP_OPTIONS_MAX     16 /* taken of a request; what comes after is ignored */
#define TFTP_ERROR_TEXT_MAX  128

enum tftp_op {
	TFTP_RRQ = 1,
	TFTP_WRQ = 2,
	TFTP_DATA = 3,
	TFTP_ACK = 4,
	TFTP_ERROR = 5,
	TFTP_OACK = 6,
};

enum tftp_error {
	TFTP_ERROR_UNDEFINED = 0,
	TFTP_ERROR_NOT_FOUND = 1,
	TFTP_ERROR_ACCESS = 2,
	TFTP_ERROR_FULL = 3,
	TFTP_ERROR_ILLEGAL = 4,
	TFTP_ERROR_UNKNOWN_TID = 5,
	TFTP_ERROR_OPTIONS = 8, /* RFC 2347 */
};

enum tftp_mode {
	TFTP_MODE_OCTET,
	TFTP_MODE_NETASCII,
	TFTP_MODE_OTHER, /* mail, or something that does not exist */
};

/* Option name and value, NUL-terminated in the packet. */
struct tftp_option {
	const char *name;
	const char *value;
};

/* A view of the packet. */
struct tftp_packet {
	uint16_t op;
	/* RRQ and WRQ */
	struct slice file;
	enum tftp_mode mode;
	struct tftp_option options[TFTP_OPTIONS_MAX];
	size_t noptions;
	/* DATA and ACK */
	uint16_t block;
	uint8_t window; /* an ACK's fifth octet (Microsoft's variable window); 0: none */
	/* ERROR */
	uint16_t error;
	struct slice text; /* of an ERROR */
};

/*
 * Parses a packet.  A request whose last string lacks its NUL is refused, as the reader would run
 * on; an ACK may have a fifth octet.  0, or -EBADMSG with *ret in no particular state.
 */
int tftp_parse(struct slice bytes, struct tftp_packet *ret);

void tftp_put_data_header(struct wbuf *w, uint16_t block);
/* `text` is cut to TFTP_ERROR_TEXT_MAX. */
void tftp_put_error(struct wbuf *w, enum tftp_error code, const char *text);

#endif
