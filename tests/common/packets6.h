/* DHCPv6 packets of real clients, in hexadecimal (OVMF 2022.11, iPXE 2.0, Kea 2.2). */
#ifndef TESTS_COMMON_PACKETS6_H
#define TESTS_COMMON_PACKETS6_H

#define EDK2_DUID "000100120004414c4e562142314d8c010123456789ab "
#define IPXE_DUID "000100120004564e4c4142214d318c010123456789ab "
#define CLASS6_PXE                                                                                 \
	"00100026000001570020505845436c69656e743a417263683a30303030373a554e44493a303033303030 "
#define CLASS6_HTTP                                                                                \
	"00100027000001570021"                                                                     \
	"48545450436c69656e743a417263683a30303031363a554e44493a303033303030 "
#define CLASS6_IPXE                                                                                \
	"00100026000001570020505845436c69656e743a417263683a30303030373a554e44493a303033303130 "

#define EDK2_OPTIONS6                                                                              \
	EDK2_DUID "000800020000 0003000ced68d557ffffffffffffffff 00060008003b003c00170010 "        \
		  "003e0003010300 003d00020007 " CLASS6_PXE
#define EDK2_SOLICIT6 "01eb86a2 " EDK2_OPTIONS6
/* the address fd77:1::1004, asked of Kea */
#define EDK2_REQUEST6                                                                              \
	"03ec86a2 " EDK2_DUID "000800020000 0002000e000100013295f0db36422de8fd22 "                 \
	"00030028ed68d55700000096000000f0"                                                         \
	"00050018fd7700010000000000000000000010040000012c00000258 "                                \
	"00060008003b003c00170010 003e0003010300 003d00020007 " CLASS6_PXE
/* the boot server step: no IA, and the server id that the ADVERTISE had, here of fd77:1::10 */
#define EDK2_BOOTSERVER6                                                                           \
	"03eb86a2 00020012 0004fd77000100008000 8000000000000010 " EDK2_DUID "0008000201f4 "       \
	"00060008003b003c00170010 003e0003010300 003d00020007 " CLASS6_PXE
#define EDK2_HTTP6                                                                                 \
	"01000102 " EDK2_DUID "000800020000 0003000ced68d557ffffffffffffffff "                     \
	"00060008003b003c00170010 003e0003010300 003d00020010 " CLASS6_HTTP
#define IPXE_SOLICIT6                                                                              \
	"010c6722 " IPXE_DUID                                                                      \
	"0003000c8bb804ee0000000000000000 0006000800170018003b003c " CLASS6_IPXE                   \
	"003d00020007 003e000301030a 000f0006000469505845 000800020000"
#define IPXE_INFORM6                                                                               \
	"0b0c6722 " IPXE_DUID "0006000800170018003b003c " CLASS6_IPXE                              \
	"003d00020007 003e000301030a 000f0006000469505845 000800020000"
#define KEA_ADVERTISE6                                                                             \
	"02eb86a2 " EDK2_DUID "0002000e000100013295f0db36422de8fd22 "                              \
	"00030028ed68d55700000096000000f0"                                                         \
	"00050018fd7700010000000000000000000010040000012c00000258 "                                \
	"003b0023746674703a2f2f5b666437373a313a3a31305d2f6e65772f736e706f6e6c792e656669"

#endif
