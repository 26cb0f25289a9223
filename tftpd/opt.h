/*
 * TFTP options (RFC 2347): blksize (RFC 2348), timeout and tsize (RFC 2349), windowsize
 * (RFC 7440), and two without an RFC: rollover (the number that follows 65535), and msftwindow, by
 * which Microsoft's boot manager tells with each ACK how long the next window may be.
 */
#ifndef TFTPD_OPT_H
#define TFTPD_OPT_H

#include "tftpd/tftp.h"

#define TFTP_OACK_MAX 256 /* bytes that an OACK of ours can have */

struct tftp_opts {
	uint64_t blksize;
	uint64_t timeout_s; /* 0: the client left it to us */
	uint64_t tsize;
	uint64_t windowsize;
	uint64_t rollover;
	uint64_t msftwindow; /* 0: not agreed */
};

/* Bits of `seen`, in the order of the table. */
#define TFTP_SEEN_BLKSIZE    1u
#define TFTP_SEEN_TIMEOUT    2u
#define TFTP_SEEN_TSIZE      4u
#define TFTP_SEEN_WINDOWSIZE 8u
#define TFTP_SEEN_ROLLOVER   16u
#define TFTP_SEEN_MSFTWINDOW 32u

/* What we allow. */
struct tftp_limits {
	uint64_t blksize;    /* the most */
	uint64_t windowsize; /* the most */
	uint64_t tsize;      /* of this file */
};

/*
 * Settles the options of a request.  *ret has the values to use, defaults for what was not asked;
 * the result tells which options were agreed.  An option that is unknown, or has a value that its
 * RFC does not allow, is left out; blksize and windowsize above our limits are lowered to them.
 */
unsigned tftp_opts_settle(
    const struct tftp_packet *request, const struct tftp_limits *limits, struct tftp_opts *ret);

/*
 * Writes the OACK for what was agreed: the options that the client asked for and no others, in its
 * order and its spelling, as edk2 and pxelinux abort over anything else.
 */
void tftp_put_oack(
    struct wbuf *w, const struct tftp_packet *request, const struct tftp_opts *opts, unsigned seen);

#endif
