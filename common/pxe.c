/* Recognising network boot clients; see pxe.h. */
#include "common/pxe.h"

#include "common/arch.h"

#include <string.h>

#define UUID_OPTION_BYTES 17 /* a type octet, then the UUID (RFC 4578 section 2.3) */
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

/*
 * The architecture: the first number of option 93 that we know, else its first number, else the
 * digits of option 60.  A chained iPXE sends option 60 without them, so 93 goes first.
 */
static uint16_t
find_arch(const struct dhcp_packet *p)
{
	uint16_t first = ARCH_UNKNOWN;
	struct rbuf r;

	rbuf_init(&r, p->opt[DHCP_OPT_ARCH].p, p->opt[DHCP_OPT_ARCH].n);
	while (r.left >= 2) {
		uint16_t n = rbuf_u16(&r);

		if (arch_find(n)->kind != ARCH_KIND_NONE)
			return n;
		if (first == ARCH_UNKNOWN)
			first = n;
	}
	return first != ARCH_UNKNOWN ? first : arch_of_class(p->opt[DHCP_OPT_CLASS]);
}

/* User class: iPXE sends it raw, RFC 3004 wants a length before each string. */
static bool
user_class_is(struct slice s, const char *name)
{
	if (slice_is(s, name))
		return true;
	return s.n > 1 && s.p[0] == s.n - 1 && slice_is((struct slice){ s.p + 1, s.n - 1 }, name);
}

/* Option 175: feature indicators are sub-options whose presence is what counts. */
static void
read_etherboot(struct slice option, struct pxe_client *c)
{
	struct slice version;

	c->has_ipxe_features = true;
	for (uint8_t tag = FEATURE_FIRST; tag <= FEATURE_LAST; tag++) {
		struct slice value;

		if (dhcp_sub_option(option, tag, &value) == 0)
			c->ipxe_features |= IPXE_FEATURE(tag);
	}
	if (dhcp_sub_option(option, IPXE_OPT_VERSION, &version) == 0 && version.n == 3)
		c->ipxe_version =
		    (uint32_t)version.p[0] << 16 | (uint32_t)version.p[1] << 8 | version.p[2];
}

void
pxe_classify(const struct dhcp_packet *p, struct pxe_client *ret)
{
	struct slice class = p->opt[DHCP_OPT_CLASS], user = p->opt[DHCP_OPT_USER_CLASS];
	struct slice uuid = p->opt[DHCP_OPT_UUID], item;
	struct pxe_client c = { .arch = find_arch(p) };

	/*
	 * iPXE first: chained builds send other option 60s and even other user classes, while
	 * option 175 is the sure sign.
	 */
	if (p->has[DHCP_OPT_ETHERBOOT]) {
		c.client = CLIENT_IPXE;
		read_etherboot(p->opt[DHCP_OPT_ETHERBOOT], &c);
	} else if (user_class_is(user, "iPXE") || user_class_is(user, "gPXE")) {
		c.client = CLIENT_IPXE;
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
