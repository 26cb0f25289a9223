/*
 * DHCP option 82, relay agent information (RFC 3046): what a switch or relay says of the port that
 * a request came from.  Pure.
 */
#ifndef COMMON_RELAY_INFO_H
#define COMMON_RELAY_INFO_H

#include "common/ident.h"

/* Sub-options. */
enum relay_info_opt {
	RELAY_INFO_CIRCUIT_ID = 1,     /* RFC 3046 section 3.1 */
	RELAY_INFO_REMOTE_ID = 2,      /* RFC 3046 section 3.2 */
	RELAY_INFO_LINK_SELECTION = 5, /* RFC 3527 */
	RELAY_INFO_SUBSCRIBER_ID = 6,  /* RFC 3993 */
};

/* Slices point into the option; empty for what it does not hold. */
struct relay_info {
	struct slice circuit_id;
	struct slice remote_id;
	struct slice subscriber_id;
	struct ipaddr link; /* the subnet that the client is on; none if not told */
};

/*
 * Reads the option's value.  Each sub-option's first instance counts; unknown ones are passed over.
 * 0, or -EBADMSG if a sub-option runs out of the option or link selection is no IPv4 address; *ret
 * then holds what stood before that.
 */
int relay_info_parse(struct slice option, struct relay_info *ret);

/* Room for an identifier of RELAY_ID_MAX octets; a longer one is cut to that. */
#define RELAY_ID_MAX    255
#define RELAY_ID_STRLEN (2 + 2 * RELAY_ID_MAX + 1)

/*
 * An identifier as people write it in rules, in `dst`, which is returned:
 * as text where all of it is printable ASCII ("Gi1/0/12"), else as 0x and hexadecimal digits.  A
 * text that begins with "0x" is written in digits as well, so that no two identifiers look alike.
 */
char *relay_id_format(struct slice id, char dst[static RELAY_ID_STRLEN]);

#endif
