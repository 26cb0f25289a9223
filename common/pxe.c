/* Recognising network boot clients; see pxe.h. */
#include "common/pxe.h"

#include "common/arch.h"

#include <string.h>

#define UUID_OPTION_BYTES 17 /* a type octet, then the UUID (RFC 4578 section 2.3) */
#define GUID_BYTES        8  /* of an InfiniBand port */
#define FEATURE_FIRST     16
#define FEATURE_LAST      79

/* "Arch:" and five digits in option 60, as PXE 2.1 has it; ARCH_UNKNOWN without them. */
static uint16_t arch_of_class(struct slice class)
{
	static const char mark[] = ":Arch:";
	const uint8_t *at = NULL;
	uint32_t n = 0;

	if (class.n > 0)
		at = memmem(class.p, class.n, mark, sizeof(mark) - 1);
	if (at == NULL)
		return ARCH_UNKNOWN;
	at += sizeof(mark) - 1;
	if (class.p + class.n - at < 5)
		return ARCH_UNKNOWN;
	for (int i = 0; i < 5; i++) {
		if (at[i] < '0' || at[i] > '9')
			return ARCH_UNKNOWN;
		n = n * 10 + (uint32_t)(at[i] - '0');
	}
	return n < ARCH_UNKNOWN ? (uint16_t)n : ARCH_UNKNOWN;
}

/* A chained iPXE sends option 60 without digits, so the numbers go first. */
uint16_t
pxe_arch(struct slice numbers, struct slice class)
{
	uint16_t digits = arch_of_class(class), first = ARCH_UNKNOWN;
	struct rbuf r;

	rbuf_init(&r, numbers.p, numbers.n);
	while (r.left >= 2) {
		uint16_t n = rbuf_u16(&r);

		if (arch_find(n)->kind != ARCH_KIND_NONE)
			return n;
		if (first == ARCH_UNKNOWN)
			first = n;
	}
	return first == ARCH_UNKNOWN || arch_find(digits)->kind != ARCH_KIND_NONE ? digits : first;
}

struct macaddr
pxe_mac(const struct dhcp_packet *p)
{
	struct slice id = p->opt[DHCP_OPT_CLIENT_ID];
	struct macaddr mac = { .len = p->hlen };

	if (p->hlen > 0) {
		memcpy(mac.b, p->chaddr, p->hlen);
	} else if (id.n > 1) {
		mac.len = id.n - 1 < GUID_BYTES ? (uint8_t)(id.n - 1) : GUID_BYTES;
		memcpy(mac.b, id.p + id.n - mac.len, mac.len);
	}
	return mac;
}

/* by the registry of the IEEE */
const uint8_t pxe_rpi_ouis[PXE_RPI_OUIS][3] = { { 0x28, 0xcd, 0xc1 }, { 0x2c, 0xcf, 0x67 },
	{ 0xb8, 0x27, 0xeb }, { 0xd8, 0x3a, 0xdd }, { 0xdc, 0xa6, 0x32 }, { 0xe4, 0x5f, 0x01 } };

bool
pxe_is_rpi_address(const struct macaddr *mac)
{
	for (size_t i = 0; mac->len == 6 && i < NITEMS(pxe_rpi_ouis); i++) {
		if (memcmp(mac->b, pxe_rpi_ouis[i], 3) == 0)
			return true;
	}
	return false;
}

bool
pxe_is_old_rpi(const struct macaddr *mac)
{
	return mac->len == 6 && memcmp(mac->b, "\xb8\x27\xeb", 3) == 0;
}

/*
 * A Raspberry Pi says that it is a BIOS PC.  Its EEPROM of 2020 and later puts "RPi4", "RPi5" in
 * front of option 97's identifier; before, and in the ROM of a Pi 3, only the address tells it.
 * One that runs UEFI firmware, U-Boot or iPXE says so and is taken at its word.
 */
static bool
is_rpi(const struct dhcp_packet *p, const struct pxe_client *c, bool boot_port)
{
	struct slice class = p->opt[DHCP_OPT_CLASS], id = p->opt[DHCP_OPT_UUID];
	bool named = c->arch == ARCH_RPI || slice_begins(class, "rpiboot");

	if (id.n == UUID_OPTION_BYTES && memcmp(id.p + 1, "RPi", 3) == 0 && id.p[4] >= '4' &&
	    id.p[4] <= '9')
		named = true;
	/* its running system asks for an address, too, but not as a PXE client */
	if (pxe_is_rpi_address(&c->mac) && (boot_port || slice_begins(class, "PXEClient")))
		named = true;
	return named && (c->arch == ARCH_RPI || c->arch == 0 || c->arch == ARCH_UNKNOWN);
}

/*
 * U-Boot's own name for itself ends in the CPU.  Its builds for x86 say "BIOS" in option 93, but
 * could not run a BIOS program.
 */
static uint16_t
arch_of_uboot(struct slice class, uint16_t arch)
{
	if (arch != ARCH_UNKNOWN && arch != 0)
		return arch;
	if (slice_is(class, "U-Boot.armv8"))
		return 22;
	return slice_begins(class, "U-Boot.arm") ? 21 : ARCH_UNKNOWN;
}

/* User class: iPXE sends it raw, RFC 3004 wants a length before each string. */
static bool
user_class_is(struct slice s, const char *name)
{
	if (slice_is(s, name))
		return true;
	return s.n > 1 && s.p[0] == s.n - 1 && slice_is((struct slice){ s.p + 1, s.n - 1 }, name);
}

/*
 * Option 175: feature indicators are sub-options whose presence is what counts.  All in one pass:
 * one for each feature would be 30 times the work for an option full of others.
 */
static void
read_etherboot(struct slice option, struct pxe_client *c)
{
	struct slice version;
	struct rbuf r;

	c->has_ipxe_features = true;
	rbuf_init(&r, option.p, option.n);
	while (r.left > 0) {
		uint8_t tag = rbuf_u8(&r);

		if (tag == DHCP_OPT_PAD)
			continue;
		(void)rbuf_slice(&r, rbuf_u8(&r));
		if (r.bad || tag == DHCP_OPT_END)
			break;
		if (tag >= FEATURE_FIRST && tag <= FEATURE_LAST)
			c->ipxe_features |= IPXE_FEATURE(tag);
	}
	if (dhcp_sub_option(option, IPXE_OPT_VERSION, &version) == 0 && version.n == 3)
		c->ipxe_version =
		    (uint32_t)version.p[0] << 16 | (uint32_t)version.p[1] << 8 | version.p[2];
}

void
pxe_classify(const struct dhcp_packet *p, bool boot_port, struct pxe_client *ret)
{
	struct slice class = p->opt[DHCP_OPT_CLASS], user = p->opt[DHCP_OPT_USER_CLASS];
	struct slice uuid = p->opt[DHCP_OPT_UUID], item;
	struct pxe_client c = { .arch = pxe_arch(p->opt[DHCP_OPT_ARCH], class), .mac = pxe_mac(p) };

	/*
	 * iPXE first: chained builds send other option 60s and even other user classes, while
	 * option 175 is the sure sign.
	 */
	if (p->has[DHCP_OPT_ETHERBOOT]) {
		c.client = CLIENT_IPXE;
		read_etherboot(p->opt[DHCP_OPT_ETHERBOOT], &c);
	} else if (user_class_is(user, "iPXE") || user_class_is(user, "gPXE")) {
		c.client = CLIENT_IPXE;
		/* no gPXE ever had HTTPS */
		c.has_ipxe_features = user_class_is(user, "gPXE");
	} else if (is_rpi(p, &c, boot_port)) {
		c.client = CLIENT_RPI;
		c.arch = ARCH_RPI;
	} else if (slice_begins(class, "U-Boot")) {
		c.client = CLIENT_UBOOT;
		c.arch = arch_of_uboot(class, c.arch);
	} else if (slice_begins(class, "PXEClient")) {
		c.client = CLIENT_PXE;
	} else if (slice_begins(class, "HTTPClient")) {
		c.client = CLIENT_HTTP;
	}
	/* ROMs older than RFC 4578 are all BIOS */
	if (c.arch == ARCH_UNKNOWN && c.client == CLIENT_PXE)
		c.arch = 0;
	if (uuid.n == UUID_OPTION_BYTES && uuid.p[0] == 0) {
		uuid_from_smbios(uuid.p + 1, &c.uuid);
		c.has_uuid = !uuid_is_zero(&c.uuid);
	}
	if (slice_begins(class, "PXEClient") &&
	    dhcp_sub_option(p->opt[DHCP_OPT_VENDOR], PXE_OPT_BOOT_ITEM, &item) == 0 &&
	    item.n == sizeof(c.boot_item)) {
		c.has_boot_item = true;
		memcpy(c.boot_item, item.p, item.n);
	}
	*ret = c;
}

enum boot_client
pxe_likely_client(uint16_t arch, const struct macaddr *mac)
{
	switch (arch_find(arch)->kind) {
	case ARCH_KIND_HTTP: return CLIENT_HTTP;
	case ARCH_KIND_UBOOT: return CLIENT_UBOOT;
	case ARCH_KIND_RPI: return CLIENT_RPI;
	case ARCH_KIND_BIOS:
		if (arch_is_http(arch))
			return CLIENT_HTTP;
		return pxe_is_rpi_address(mac) ? CLIENT_RPI : CLIENT_PXE;
	default: return CLIENT_PXE;
	}
}

bool
pxe_wants_url(enum boot_client client, uint16_t arch)
{
	return client == CLIENT_HTTP || (client == CLIENT_UBOOT && arch_is_http(arch));
}

/*
 * Firmware sends four times, with 4, 8, 16 and 32 s to wait (PXE 2.1 section 2.2.5; edk2 and most
 * ROMs), and tells by `secs` which try it is: seconds since the first.  It takes what came until
 * a window ends, if that was enough to boot from.
 */
static uint32_t
firmware_wait_ms(uint16_t secs)
{
	/* some ROMs have the octets the wrong way round */
	unsigned s = secs > 0xff && (secs & 0xff) == 0 ? secs >> 8 : secs;

	if (s < 4)
		return 4000;
	if (s < 12)
		return 8000;
	return s < 28 ? 16000 : 32000;
}

/*
 * iPXE waits 1, 2, 4, ... 10 s, but leaves discovery when it has a DHCP server's offer and 2 s are
 * over.  Its `secs` is the number of the try, shifted by two bits.
 */
static uint32_t
ipxe_wait_ms(uint16_t secs)
{
	return secs >> 2 <= 1 ? 1000 : 2000;
}

uint32_t
pxe_wait_ms(const struct pxe_client *c, bool boot_server, uint16_t secs)
{
	if (c->client == CLIENT_IPXE)
		return boot_server ? 1000 : ipxe_wait_ms(secs);
	/* edk2 asks the boot server four times, with 1, 2, 3 and 4 s to wait and secs 0 to 3 */
	if (boot_server)
		return secs < 3 ? (secs + 1u) * 1000 : 4000;
	return firmware_wait_ms(secs);
}
