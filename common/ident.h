/*
 * The identifiers that machines and boots go by: hardware address, UUID, IP address, boot id.
 * Each has a parse/format pair; formatting never fails and returns its buffer, so that it can
 * stand in an argument list.
 */
#ifndef COMMON_IDENT_H
#define COMMON_IDENT_H

#include "common/wire.h"

/* chaddr of a DHCP packet: up to 16 octets (RFC 2131 section 2). len 0: not known. */
struct macaddr {
	uint8_t len;
	uint8_t b[16];
};

#define MAC_STRLEN 48 /* "xx:" 16 times */

/*
 * Reads 1 to 16 octets in hexadecimal: "52:54:00:12:34:56", with '-' instead, or without
 * separators.  0, or -EINVAL.
 */
int mac_parse(struct slice s, struct macaddr *ret);
/* Lower-case with colons; an unknown address gives "". */
const char *mac_format(const struct macaddr *mac, char buf[static MAC_STRLEN]);
bool mac_eq(const struct macaddr *a, const struct macaddr *b);

/* Octets in the order in which a UUID is printed (RFC 9562 section 4). */
struct uuid {
	uint8_t b[16];
};

#define UUID_STRLEN 37

/* "00112233-4455-6677-8899-aabbccddeeff" in any case, the dashes optional.  0, or -EINVAL. */
int uuid_parse(struct slice s, struct uuid *ret);
const char *uuid_format(const struct uuid *u, char buf[static UUID_STRLEN]);
/*
 * Converts from SMBIOS order, in which firmware sends it: the first three fields are
 * little-endian there (RFC 4578 section 2.3 leaves this open; measured on edk2 and iPXE).
 */
void uuid_from_smbios(const uint8_t wire[static 16], struct uuid *ret);
bool uuid_is_zero(const struct uuid *u);

/* IPv4 or IPv6 address; family 0 means that there is none. */
struct ipaddr {
	uint8_t family; /* 0, 4 or 6 */
	uint8_t b[16];  /* network order, the first 4 for IPv4 */
};

#define IP_STRLEN 46

int ip_parse(struct slice s, struct ipaddr *ret); /* 0, or -EINVAL */
const char *ip_format(const struct ipaddr *ip, char buf[static IP_STRLEN]);
/* From four octets in network order; 0.0.0.0 gives the address "none". */
struct ipaddr ip_from_v4(const uint8_t b[static 4]);
bool ip_eq(const struct ipaddr *a, const struct ipaddr *b);
/* True for no address, 0.0.0.0 and ::, none of which a client could talk to. */
bool ip_is_any(const struct ipaddr *ip);

/*
 * The hardware address that an IPv6 address was made of (RFC 4291 appendix A), by firmware, iPXE
 * and whoever else does not hide it: true, or false with *ret untouched if it does not look like
 * that.
 */
bool mac_from_ipv6(const struct ipaddr *ip, struct macaddr *ret);

/*
 * A boot's identifier: 40 random bits, written as 8 characters of Crockford's base 32 in lower
 * case (no i, l, o, u), short enough to be read over the telephone.  0 means "no boot".
 */
#define BOOT_ID_BITS   40
#define BOOT_ID_STRLEN 9

const char *boot_id_format(uint64_t id, char buf[static BOOT_ID_STRLEN]); /* 0 gives "-" */
int boot_id_parse(struct slice s, uint64_t *ret);                         /* 0, or -EINVAL */

#endif
