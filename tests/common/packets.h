/*
 * DHCP packets of real clients, built from the options that they were seen to send (hardware
 * address 52:54:00:12:34:56, UUID 00112233-4455-6677-8899-aabbccddeeff).
 */
#ifndef TESTS_COMMON_PACKETS_H
#define TESTS_COMMON_PACKETS_H

#include "common/dhcp.h"

#define OPT_UUID    "6111 00 33221100 5544 7766 8899aabbccddeeff "
#define CLASS_X64   "3c20 505845436c69656e743a417263683a30303030373a554e44493a303033303030 "
#define CLASS_IPXE  "3c20 505845436c69656e743a417263683a30303030373a554e44493a303033303130 "
#define CLASS_BIOS  "3c20 505845436c69656e743a417263683a30303030303a554e44493a303032303031 "
#define CLASS_ARM64 "3c20 505845436c69656e743a417263683a30303031313a554e44493a303033303030 "
#define CLASS_HTTP  "3c21 48545450436c69656e743a417263683a30303031363a554e44493a303033303030 "
#define CLASS_BARE  "3c09 505845436c69656e74 "
#define FEATURES_2019                                                                              \
	"af27 b105011af41000 eb03010000 170101 240101 130101 110101 270101 290101 150101 1b0101 "  \
	"120101 "
#define FEATURES_HTTPS  "af12 b105011af41000 eb03020000 130101 140101 "

#define EDK2_DISCOVER   "350101 390205c0 " OPT_UUID "5e03010300 5d020007 " CLASS_X64 "ff"
#define EDK2_BOOTSERVER "350103 390205c0 " CLASS_X64 "5d020007 5e03010300 " OPT_UUID "ff"
#define EDK2_HTTP       "350101 390205c0 " OPT_UUID "5e03010300 5d020010 " CLASS_HTTP "ff"
#define IPXE_EFI_2019                                                                              \
	"350101 390205c0 5d020007 5e0301030a " CLASS_IPXE "4d0469505845 " FEATURES_2019            \
	"3d0701525400123456 " OPT_UUID "ff"
#define IPXE_CHAINED                                                                               \
	"350101 390205c0 5d020000 5e03010201 " CLASS_BARE "4d0469505845 " FEATURES_HTTPS OPT_UUID  \
	"ff"
#define UBOOT "350101 39020240 5d020016 5e03010000 3c0c 552d426f6f742e61726d7638 37050103060c11 ff"
#define ROM_MENU_REQUEST                                                                           \
	"350103 390205c0 " CLASS_BIOS "5d020000 5e03010201 2b07 4704 80000000 ff " OPT_UUID "ff"

/* U-Boot's second try, as UEFI firmware, and what a build with HTTP says */
#define UBOOT_PXE  "350101 39020240 5d02000b 5e03010000 " CLASS_ARM64 "37050103060c11 ff"
#define UBOOT_HTTP "350101 39020240 5d020018 5e03010000 3c0c 552d426f6f742e61726d7638 ff"

/* Raspberry Pi: a BIOS PC by its words; the EEPROM's own form of option 97 (2020 and later) */
#define RPI_OLD                                                                                    \
	"350101 39020240 5d020000 5e03010201 " CLASS_BIOS                                          \
	"6111 00 d3b4a2f1d3b4a2f1d3b4a2f1d3b4a2f1 ff"
#define RPI4                                                                                       \
	"350101 5d020000 5e03010201 " CLASS_BIOS "6111 00 52506934 c03111 00 32a1b2c3 d3b4a2f1 ff"
#define RPI5                                                                                       \
	"350101 5d020000 5e03010201 " CLASS_BIOS "6111 00 52506935 d04170 00 67a1b2c3 d3b4a2f1 ff"
#define RPI_ARCH "350101 5d020029 ff"
/* a Pi's request to the boot server has no option 60 */
#define RPI_REQUEST "350103 36040a4d0002 ff"

/* gPXE 1.0, whose option 175 has features of its own, and one without it */
#define GPXE                                                                                       \
	"350101 390205c0 5d020000 5e03010201 " CLASS_BIOS "4d0467505845 af15 b105011af41000 "      \
	"eb03010000 130101 150101 180101 " OPT_UUID "ff"
#define GPXE_BARE "350101 " CLASS_BIOS "4d0467505845 ff"

/* iPXE on InfiniBand: no hardware address, the client identifier ends in the port's GUID */
#define IPOIB                                                                                      \
	"350101 390205c0 5d020007 5e0301030a " CLASS_IPXE "4d0469505845 " FEATURES_HTTPS           \
	"3d15 20 80000048 fe80000000000000 0002c90300a1b2c3 " OPT_UUID "ff"

/* wdsnbp.com and a ConfigMgr client on port 4011, with option 250 */
#define WDS_REQUEST                                                                                \
	"350103 " CLASS_BARE "5d020000 fa14 0c01010d020800010200070e01010504000000 11 ff"
#define WDS_INFORM "350108 " CLASS_BARE "5d020007 fa14 0c01010d020800010200070e01010504000000 11 ff"

/* The header of all of them, with these options; the number of bytes. */
size_t packet_build(const char *options, uint8_t *dst, size_t size);
/* The same from another station; "" for InfiniBand, which has hlen 0. */
size_t packet_from(const char *options, const char *mac, uint8_t *dst, size_t size);

#endif
