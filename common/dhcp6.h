/*
 * DHCPv6 packets (RFC 8415) as views, and the options of network boot (RFC 5970).
 *
 * A message of a client may come wrapped by relay agents, each around what the one before it sent;
 * an answer goes back in the same wrappings (RFC 8415 sections 9 and 19.3).
 */
#ifndef COMMON_DHCP6_H
#define COMMON_DHCP6_H

#include "common/ident.h"

#define DHCP6_HEADER_BYTES       4
#define DHCP6_RELAY_HEADER_BYTES 34
#define DHCP6_RELAYS_MAX         8 /* HOP_COUNT_LIMIT (RFC 8415 section 7.6) */
/* A reply never gets longer: a frame of 1500 less the headers of IPv6 and UDP. */
#define DHCP6_REPLY_MAX   1452
#define DHCP6_DUID_MAX    130 /* a type and at most 128 octets (RFC 8415 section 11.1) */

#define DHCP6_CLIENT_PORT 546
#define DHCP6_SERVER_PORT 547

enum dhcp6_type {
	DHCP6_SOLICIT = 1,
	DHCP6_ADVERTISE = 2,
	DHCP6_REQUEST = 3,
	DHCP6_RENEW = 5,
	DHCP6_REBIND = 6,
	DHCP6_REPLY = 7,
	DHCP6_INFORMATION_REQUEST = 11,
	DHCP6_RELAY_FORW = 12,
	DHCP6_RELAY_REPL = 13,
};

enum dhcp6_opt {
	DHCP6_OPT_CLIENT_ID = 1,
	DHCP6_OPT_SERVER_ID = 2,
	DHCP6_OPT_IA_NA = 3,
	DHCP6_OPT_IAADDR = 5,
	DHCP6_OPT_ORO = 6,
	DHCP6_OPT_ELAPSED = 8, /* hundredths of a second */
	DHCP6_OPT_RELAY_MSG = 9,
	DHCP6_OPT_USER_CLASS = 15,
	DHCP6_OPT_VENDOR_CLASS = 16,
	DHCP6_OPT_INTERFACE_ID = 18,
	DHCP6_OPT_REMOTE_ID = 37,   /* RFC 4649 */
	DHCP6_OPT_BOOT_URL = 59,    /* RFC 5970 section 3.1 */
	DHCP6_OPT_BOOT_PARAM = 60,  /* RFC 5970 section 3.2 */
	DHCP6_OPT_ARCH = 61,        /* RFC 5970 section 3.3 */
	DHCP6_OPT_NII = 62,         /* RFC 5970 section 3.4 */
	DHCP6_OPT_CLIENT_LL = 79,   /* RFC 6939, from a relay */
	DHCP6_OPT_RELAY_PORT = 135, /* RFC 8357, from a relay */
};

/* Intel's number, which PXE's vendor class goes by (measured on edk2 and iPXE). */
#define DHCP6_ENTERPRISE_PXE 343

/* DUIDs, RFC 8415 section 11. */
enum dhcp6_duid {
	DHCP6_DUID_LLT = 1,
	DHCP6_DUID_EN = 2,
	DHCP6_DUID_LL = 3,
	DHCP6_DUID_UUID = 4,
};

/* One wrapping. */
struct dhcp6_relay {
	uint8_t hops;
	uint8_t link[16], peer[16];
	bool has_interface_id;
	struct slice interface_id;
	struct slice remote_id;
	struct slice client_ll;
	bool has_port; /* it listens where this came from, not on the usual port (RFC 8357), */
	uint16_t port; /* and this is what it wants back */
};

/* Valid while the bytes it was parsed from are. */
struct dhcp6_packet {
	struct dhcp6_relay relays[DHCP6_RELAYS_MAX]; /* the one that sent to us first */
	size_t nrelays;
	uint8_t type;
	uint32_t xid; /* 24 bits */
	bool has_elapsed;
	uint16_t elapsed;
	/* the first of each; empty if it did not come */
	struct slice client_id, server_id, ia_na, oro, user_class, arch, nii;
	/* the vendor class of PXE's enterprise, else the first: what stands behind the number */
	bool has_vendor_class;
	uint32_t vendor_enterprise;
	struct slice vendor_class;
};

/*
 * Parses a message, with its wrappings: 0, or -EBADMSG with *ret in no particular state: too short,
 * more than DHCP6_RELAYS_MAX relays, a RELAY-FORW without a message, an option that runs out of the
 * message, an elapsed time of another length than 2.
 */
int dhcp6_parse(struct slice bytes, struct dhcp6_packet *ret);

/* The first address within an IA_NA's options: 0, or -ENOENT. */
int dhcp6_ia_address(struct slice ia_na, struct ipaddr *ret);

/*
 * Begins the answer's wrappings for `relays`, and ends them: the lengths can only be known then.
 * `marks` holds places in `w` meanwhile.
 */
void dhcp6_begin_relays(struct wbuf *w, const struct dhcp6_relay *relays, size_t nrelays,
    size_t marks[static DHCP6_RELAYS_MAX]);
void dhcp6_end_relays(struct wbuf *w, size_t nrelays, const size_t marks[static DHCP6_RELAYS_MAX]);

/* Writes the header of a message, and one option; more than 65535 bytes spoil the cursor. */
void dhcp6_put_header(struct wbuf *w, enum dhcp6_type type, uint32_t xid);
void dhcp6_put_option(struct wbuf *w, uint16_t code, struct slice value);

#endif
