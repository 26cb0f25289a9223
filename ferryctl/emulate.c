/*
 * The packets that clients send; see emulate.h.  Options, their order and their values are those
 * that were captured (edk2 2022.11, iPXE of 2019 and 2.0, U-Boot 2023.01) or published (Intel's
 * ROMs, the Raspberry Pi's).  All set the broadcast flag, for nobody has the address that a DHCP
 * server may offer, and nobody's card takes what is sent to the emulated hardware address.
 */
#include "ferryctl/emulate.h"

#include "common/pxe.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Options between the message type and the End, in hexadecimal; U stands for option 97, M for the
 * hardware address.
 */
#define SIZE      "390205c0 "
#define LIST_EDK2 "3723 0102030405060c0d0f111216171c28292a2b3233363a3b3c42436180818283848586 87 "
#define LIST_HTTP "371b 0102030405060c0d0f111216171c28292a2b3233363a3b3ceb4361 "
#define LIST_IPXE "3717 010306070c0f111a2b3c4243778081828384858687afcb "
#define LIST_ROM  "3717 01020305060b0c0d1011122b363c438081828384858687 "
#define LIST_PI   "370e 0102032b3c438081828384858687 "
#define CLASS_PXE "3c20 505845436c69656e743a417263683a "
#define CLASS_WEB "3c21 48545450436c69656e743a417263683a "
#define EDK2_NDI  "5e03010300 "
#define IPXE_ID   "5d020007 5e0301030a " CLASS_PXE "30303030373a554e44493a303033303130 4d0469505845 "
#define FEATURES  "170101 240101 130101 110101 270101 290101 150101 1b0101 120101 "
#define EDK2_PXE(arch, digits)                                                                     \
	SIZE LIST_EDK2 "U " EDK2_NDI "5d02" arch CLASS_PXE digits "3a554e44493a303033303030"

static const struct firmware {
	const char *key, *name;
	enum arch_cpu cpu;
	bool new_xid; /* for the request to the boot server */
	const char *forms[2];
} firmwares[EMULATES] = {
	[EMULATE_BIOS] = { "bios", "BIOS PXE ROM", ARCH_CPU_BIOS, false,
	    { SIZE LIST_ROM "U 5d020000 5e03010201 " CLASS_PXE
			    "30303030303a554e44493a303032303031" } },
	[EMULATE_X64] = { "uefi-x64", "UEFI x64 PXE", ARCH_CPU_X64, true,
	    { EDK2_PXE("0007 ", "3030303037 ") } },
	[EMULATE_IA32] = { "uefi-ia32", "UEFI ia32 PXE", ARCH_CPU_IA32, true,
	    { EDK2_PXE("0006 ", "3030303036 ") } },
	[EMULATE_ARM64] = { "uefi-arm64", "UEFI arm64 PXE", ARCH_CPU_ARM64, true,
	    { EDK2_PXE("000b ", "3030303131 ") } },
	[EMULATE_HTTP] = { "uefi-http", "UEFI x64 HTTP Boot", ARCH_CPU_X64, false,
	    { SIZE LIST_HTTP "U " EDK2_NDI "5d020010 " CLASS_WEB
			     "30303031363a554e44493a303033303030" } },
	[EMULATE_IPXE_OLD] = { "ipxe-2019", "iPXE of 2019, x64", ARCH_CPU_X64, false,
	    { SIZE IPXE_ID LIST_IPXE "af27 b105011af41000 eb03010000 " FEATURES "3d0701 M U" } },
	[EMULATE_IPXE] = { "ipxe", "iPXE 2.0 with HTTPS, x64", ARCH_CPU_X64, false,
	    { SIZE IPXE_ID LIST_IPXE "af2a b105011af41000 eb03020000 140101 " FEATURES
				     "3d0701 M U" } },
	/* its option 97 has "RPi4", the board, its address and its serial number */
	[EMULATE_PI] = { "raspberry-pi", "Raspberry Pi 4", ARCH_CPU_NONE, false,
	    { LIST_PI SIZE "5d020000 5e03010201 " CLASS_PXE "30303030303a554e44493a303032303031 "
			   "6111 00 52506934 c03111a0 b5ac10d0 b5ac10d0" } },
	[EMULATE_UBOOT] = { "u-boot", "U-Boot arm64", ARCH_CPU_ARM64, false,
	    { "39020240 5d020016 5e03010000 3c0c 552d426f6f742e61726d7638 3705 0103060c11",
		"39020240 5d02000b 5e03010000 " CLASS_PXE
		"30303031313a554e44493a303033303030 3705 0103060c11" } },
	[EMULATE_RELAYED] = { "relayed", "UEFI x64 PXE, relayed", ARCH_CPU_X64, true,
	    { EDK2_PXE("0007 ", "3030303037 ") } },
};

/* What a relay adds: circuit-id and remote-id (RFC 3046). */
#define RELAY_INFO "5214 0106 646f63746f72 020a 626f6f74666572727921"

const char *
emulate_key(enum emulate_kind kind)
{
	return firmwares[kind].key;
}

const char *
emulate_name(enum emulate_kind kind)
{
	return firmwares[kind].name;
}

enum arch_cpu
emulate_cpu(enum emulate_kind kind)
{
	return firmwares[kind].cpu;
}

bool
emulate_new_xid(enum emulate_kind kind)
{
	return firmwares[kind].new_xid;
}

unsigned
emulate_forms(enum emulate_kind kind)
{
	return firmwares[kind].forms[1] != NULL ? 2 : 1;
}

static uint8_t
nibble(char c)
{
	return (uint8_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

/* The UUID by which all machines that never were are known, told apart by their address. */
static void
put_uuid(struct wbuf *w, const uint8_t mac[static 6])
{
	static const uint8_t front[] = { DHCP_OPT_UUID, 17, 0, 0xd0, 0xc7, 0x04, 0xd0, 0xc7, 0x04,
		0xd0, 0x47, 0x80, 0x00 };

	wbuf_bytes(w, front, sizeof(front));
	wbuf_bytes(w, mac, 6);
}

static void
put_options(struct wbuf *w, const char *hex, const uint8_t mac[static 6])
{
	while (*hex != '\0') {
		if (*hex == ' ') {
			hex++;
		} else if (*hex == 'U') {
			put_uuid(w, mac);
			hex++;
		} else if (*hex == 'M') {
			wbuf_bytes(w, mac, 6);
			hex++;
		} else {
			wbuf_u8(w, (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1])));
			hex += 2;
		}
	}
}

static void
put_header(struct wbuf *w, const struct emulate_client *c, uint32_t xid, bool broadcast,
    const uint8_t ciaddr[static 4])
{
	static const uint8_t cookie[] = { 0x63, 0x82, 0x53, 0x63 };
	bool relayed = c->kind == EMULATE_RELAYED;

	wbuf_u8(w, DHCP_BOOTREQUEST);
	wbuf_u8(w, 1); /* Ethernet */
	wbuf_u8(w, sizeof(c->mac));
	wbuf_u8(w, relayed ? 1 : 0); /* hops */
	wbuf_u32(w, xid);
	wbuf_u16(w, 0); /* secs */
	wbuf_u16(w, broadcast ? DHCP_FLAG_BROADCAST : 0);
	wbuf_bytes(w, ciaddr, 4);
	wbuf_fill(w, 0, 8); /* yiaddr, siaddr */
	wbuf_bytes(w, c->giaddr, 4);
	wbuf_bytes(w, c->mac, sizeof(c->mac));
	wbuf_fill(w, 0, DHCP_CHADDR_BYTES - sizeof(c->mac) + DHCP_SNAME_BYTES + DHCP_FILE_BYTES);
	wbuf_bytes(w, cookie, sizeof(cookie));
}

void
emulate_discover(const struct emulate_client *c, unsigned form, struct wbuf *w)
{
	static const uint8_t none[4], type = DHCP_DISCOVER;
	size_t start = w->used, least;

	put_header(w, c, c->xid + form, true, none);
	dhcp_put_option(w, DHCP_OPT_TYPE, (struct slice){ &type, 1 });
	put_options(w, firmwares[c->kind].forms[form], c->mac);
	if (c->kind == EMULATE_RELAYED)
		put_options(w, RELAY_INFO, c->mac);
	wbuf_u8(w, DHCP_OPT_END);
	/* old ROMs fill up to the 576 octets of IP that everybody takes */
	least = c->kind == EMULATE_BIOS ? DHCP_SAFE_MAX : DHCP_REPLY_MIN;
	if (!w->bad && w->used - start < least)
		wbuf_fill(w, DHCP_OPT_PAD, least - (w->used - start));
}

void
emulate_request(const struct emulate_client *c, const struct emulate_verdict *v, uint32_t xid,
    const uint8_t ciaddr[static 4], struct wbuf *w)
{
	static const uint8_t none[4], type = DHCP_REQUEST;
	struct emulate_client direct = *c;
	bool ipxe = c->kind == EMULATE_IPXE || c->kind == EMULATE_IPXE_OLD;
	uint8_t picked[] = { PXE_OPT_BOOT_ITEM, 4, (uint8_t)(v->item >> 8), (uint8_t)v->item, 0, 0,
		DHCP_OPT_END };

	/* from its own address, past the relay */
	memcpy(direct.giaddr, none, 4);
	put_header(w, &direct, xid, ipxe, ciaddr);
	dhcp_put_option(w, DHCP_OPT_TYPE, (struct slice){ &type, 1 });
	put_options(w, firmwares[c->kind].forms[v->form], c->mac);
	if (v->has_item)
		dhcp_put_option(w, DHCP_OPT_VENDOR, (struct slice){ picked, sizeof(picked) });
	if (ipxe)
		dhcp_put_option(w, DHCP_OPT_SERVER_ID, (struct slice){ v->proxy, 4 });
	wbuf_u8(w, DHCP_OPT_END);
}

void
emulate_say(struct emulate_verdict *v, const char *fmt, ...)
{
	char *step = v->steps[v->nsteps < EMULATE_STEPS ? v->nsteps : EMULATE_STEPS - 1];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(step, EMULATE_STEP, fmt, ap);
	va_end(ap);
	/* names come from the network, and go to a terminal */
	for (char *p = step; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			*p = '?';
	}
	if (v->nsteps < EMULATE_STEPS)
		v->nsteps++;
}
