/*
 * What a DHCP client says about itself as a network boot client: PXE (Intel PXE 2.1, RFC 4578),
 * iPXE, UEFI HTTP Boot (UEFI 2.10 section 24.7), Raspberry Pi, U-Boot.
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
	IPXE_OPT_CROSSCERT = 93,
	IPXE_OPT_VERSION = 235,
};

struct pxe_client {
	enum boot_client client; /* CLIENT_UNKNOWN: not a network boot client */
	uint16_t arch;           /* ARCH_UNKNOWN if nothing tells it */
	struct macaddr mac;      /* chaddr, or what stands for it */
	bool has_uuid;
	struct uuid uuid;
	bool has_ipxe_features;
	uint64_t ipxe_features;
	uint32_t ipxe_version;
	bool has_boot_item; /* 43.71 came: a boot server was picked from a menu */
	uint8_t boot_item[4];
};

/*
 * The architecture: the first of `numbers` (option 93, or DHCPv6's 61) that we know, else the
 * digits after "Arch:" in the class if we know those, else the first number of all; ARCH_UNKNOWN if
 * nothing tells it.
 */
uint16_t pxe_arch(struct slice numbers, struct slice class);

/*
 * `boot_port`: it came to port 4011, where nobody asks but boot clients; a Raspberry Pi leaves out
 * what tells it apart there.
 */
void pxe_classify(const struct dhcp_packet *p, bool boot_port, struct pxe_client *ret);

/*
 * Its hardware address.  InfiniBand's does not fit into chaddr: hlen is 0 there, and the client
 * identifier stands for it (RFC 4390 section 2.1), which ends in the GUID of the port.
 */
struct macaddr pxe_mac(const struct dhcp_packet *p);

/* What hardware addresses of the Raspberry Pi's makers begin with. */
#define PXE_RPI_OUIS 6
extern const uint8_t pxe_rpi_ouis[PXE_RPI_OUIS][3];

/* True for hardware addresses of the makers of the Raspberry Pi. */
bool pxe_is_rpi_address(const struct macaddr *mac);
/* True for the models up to 3, whose boot code is in a mask ROM. */
bool pxe_is_old_rpi(const struct macaddr *mac);

/* Which firmware most likely has this architecture and address, where nobody says more. */
enum boot_client pxe_likely_client(uint16_t arch, const struct macaddr *mac);

/* True if this client loads by URL: HTTP Boot, and U-Boot where it says so. */
bool pxe_wants_url(enum boot_client client, uint16_t arch);

/*
 * How long, in ms, this client will wait for the answer to a request with this `secs`, at least: to
 * the end of its present try.  `boot_server`: the request is for the second step, not a DISCOVER.
 */
uint32_t pxe_wait_ms(const struct pxe_client *c, bool boot_server, uint16_t secs);

#endif
