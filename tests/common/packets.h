/*
 * DHCP packets of real clients, built from the options that they were seen to send (hardware
 * address 52:54:00:12:34:56, UUID 00112233-4455-6677-8899-aabbccddeeff).
 */
#ifndef TESTS_COMMON_PACKETS_H
#define TESTS_COMMON_PACKETS_H

#include "common/dhcp.h"

#define OPT_UUID   "6111 00 33221100 5544 7766 8899aabbccddeeff "
#define CLASS_X64  "3c20 505845436c69656e743a417263683a30303030373a554e44493a303033303030 "
#define CLASS_IPXE "3c20 505845436c69656e743a417263683a30303030373a554e44493a303033303130 "
#define CLASS_BIOS "3c20 505845436c69656e743a417263683a30303030303a554e44493a303032303031 "
#define CLASS_HTTP "3c21 48545450436c69656e743a417263683a30303031363a554e44493a303033303030 "
#define CLASS_BARE "3c09 505845436c69656e74 "
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

/* The header of all of them, with these options; the number of bytes. */
size_t packet_build(const char *options, uint8_t *dst, size_t size);

#endif
