/*
 * What a DHCP client says about itself as a network boot client: PXE (Intel PXE 2.1, RFC 4578),
 * iPXE, UEFI HTTP Boot (UEFI 2.10 section 24.7).
 */
#ifndef COMMON_PXE_H
#define COMMON_PXE_H

#include "common/dhcp.h"
#include "common/msg.h"

/* Sub-options of option 43 (PXE 2.1 table 2-1). */
enum pxe_opt {
	PXE_OPT_DISCOVERY_CONTROL = 6,
	PXE_OPT_BOOT_SERVERS = 8,
	PXE_OPT_BOOT_MENU = 9,
	PXE_OPT_MENU_PROMPT = 10,
	PXE_OPT_BOOT_ITEM = 71,
};

/* Load the file that this packet names: no prompt, no menu, no discovery. */
#define PXE_DISCOVERY_BYPASS 0x08
/* Neither broadcast nor multicast discovery. */
#define PXE_DISCOVERY_NONE 0x03

/* Types of boot servers: that of a menu's item "boot locally", and the first of those that vendors
 * may give out as they like. */
#define PXE_TYPE_LOCAL  0
#define PXE_TYPE_VENDOR 0x8000

/* Sub-options of option 175. */
enum ipxe_opt {
	IPXE_OPT_PRIORITY = 1, /* signed octet */
	IPXE_OPT_TRUST = 90,   /* SHA-256 of root certificates */
	IPXE_OPT_VERSION = 235,
};

struct pxe_client {
	enum boot_client client; /* CLIENT_UNKNOWN: not a network boot client */
	uint16_t arch;           /* ARCH_UNKNOWN if nothing tells it */
	bool has_uuid;
	struct uuid uuid;
	bool has_ipxe_features;
	uint64_t ipxe_features;
	uint32_t ipxe_version;
	bool has_boot_item; /* 43.71 came: a boot server was picked from a menu */
	uint8_t boot_item[4];
};

void pxe_classify(const struct dhcp_packet *p, struct pxe_client *ret);

/*
 * How long, in ms, this client will wait for the answer to a request with this `secs`, at least: to
 * the end of its present try.  `boot_server`: the request is for the second step, not a DISCOVER.
 */
uint32_t pxe_wait_ms(const struct pxe_client *c, bool boot_server, uint16_t secs);

#endif
