/*
 * DHCP packets (RFC 2131 section 2, RFC 2132) as views, and the options of network boot.
 */
#ifndef COMMON_DHCP_H
#define COMMON_DHCP_H

#include "common/ident.h"

#define DHCP_HEADER_BYTES 240 /* fixed fields and the cookie */
#define DHCP_FILE_BYTES   128
#define DHCP_SNAME_BYTES  64
#define DHCP_CHADDR_BYTES 16
#define DHCP_COOKIE       0x63825363u
/* A reply never gets longer: a client must take 576 octets of IP (RFC 2131 section 2). */
#define DHCP_REPLY_MAX 1472
#define DHCP_SAFE_MAX  548
/* BOOTP's least; Linux's own client and some ROMs drop shorter ones (RFC 1542 section 2.1). */
#define DHCP_REPLY_MIN 300

enum dhcp_op {
	DHCP_BOOTREQUEST = 1,
	DHCP_BOOTREPLY = 2
};

/* Option 53 (RFC 2132 section 9.6). */
enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER = 2,
	DHCP_REQUEST = 3,
	DHCP_ACK = 5,
	DHCP_INFORM = 8,
};

enum dhcp_opt {
	DHCP_OPT_PAD = 0,
	DHCP_OPT_VENDOR = 43,       /* vendor specific; PXE's own when 60 says PXEClient */
	DHCP_OPT_REQUESTED_IP = 50, /* RFC 2132 section 9.1 */
	DHCP_OPT_OVERLOAD = 52,
	DHCP_OPT_TYPE = 53,
	DHCP_OPT_SERVER_ID = 54,
	DHCP_OPT_PARAM_LIST = 55, /* RFC 2132 section 9.8 */
	DHCP_OPT_MAX_SIZE = 57,
	DHCP_OPT_CLASS = 60,
	DHCP_OPT_CLIENT_ID = 61,
	DHCP_OPT_TFTP_SERVER = 66, /* RFC 2132 section 9.4 */
	DHCP_OPT_BOOT_FILE = 67,
	DHCP_OPT_USER_CLASS = 77,
	DHCP_OPT_RELAY_INFO = 82, /* RFC 3046 */
	DHCP_OPT_ARCH = 93,       /* RFC 4578 section 2.1 */
	DHCP_OPT_NDI = 94,        /* RFC 4578 section 2.2 */
	DHCP_OPT_UUID = 97,       /* RFC 4578 section 2.3 */
	DHCP_OPT_ETHERBOOT = 175, /* iPXE's encapsulated options */
	DHCP_OPT_END = 255,
};

#define DHCP_FLAG_BROADCAST 0x8000u

/* Valid while the bytes it was parsed from are. */
struct dhcp_packet {
	uint8_t op, htype, hlen, hops;
	uint32_t xid;
	uint16_t secs;
	uint16_t flags; /* only the broadcast bit; some firmware fills the rest with junk */
	uint8_t ciaddr[4], yiaddr[4], siaddr[4], giaddr[4];
	uint8_t chaddr[DHCP_CHADDR_BYTES];
	struct slice file;     /* up to its NUL; empty when it was overloaded with options */
	uint8_t type;          /* option 53, 0 without it */
	bool has[256];         /* which options came */
	struct slice opt[256]; /* the first of each, as edk2 takes it */
};

/*
 * Parses a packet.  Options may also stand in `file` and `sname` (option 52, RFC 2132 section
 * 9.3); the End option may be missing, as old ROMs leave it out.  0, or -EBADMSG with *ret in no
 * particular state: shorter than the header, no DHCP cookie, hlen above 16, an option that runs
 * out of its field, or a message type of another length than 1.
 */
int dhcp_parse(struct slice bytes, struct dhcp_packet *ret);

/*
 * Finds a sub-option in an encapsulated option (43, 175): 0, or -ENOENT.  A chain that runs out
 * of the option ends there.
 */
int dhcp_sub_option(struct slice option, uint8_t tag, struct slice *ret);

/* Writes one option; more than 255 bytes spoil the cursor.  An empty value is not written. */
void dhcp_put_option(struct wbuf *w, uint8_t tag, struct slice value);

#endif
