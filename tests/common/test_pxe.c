/* Tests of common/pxe.c. */
#include "common/pxe.h"

#include "common/arch.h"
#include "tests/common/packets.h"
#include "tests/test.h"

static void
test_waits(void)
{
	static const struct {
		const char *what;
		enum boot_client client;
		bool boot_server;
		uint16_t secs;
		uint32_t wait_ms;
	} cases[] = {
		{ "firmware's first try", CLIENT_PXE, false, 0, 4000 },
		{ "its second", CLIENT_PXE, false, 4, 8000 },
		{ "its third", CLIENT_PXE, false, 12, 16000 },
		{ "its last", CLIENT_PXE, false, 28, 32000 },
		{ "the second with its octets swapped", CLIENT_PXE, false, 0x0400, 8000 },
		{ "a long time that is none swapped", CLIENT_PXE, false, 0x0401, 32000 },
		{ "HTTP Boot's first try", CLIENT_HTTP, false, 0, 4000 },
		{ "HTTP Boot's third try", CLIENT_HTTP, false, 12, 16000 },
		{ "iPXE's first try, by a number that is no seconds", CLIENT_IPXE, false, 4, 1000 },
		{ "iPXE that tells no number", CLIENT_IPXE, false, 0, 1000 },
		{ "iPXE's second try with an offer in hand", CLIENT_IPXE, false, 10, 2000 },
		{ "iPXE leaves early, however often it asked", CLIENT_IPXE, false, 27, 2000 },
		{ "edk2 on port 4011, first try", CLIENT_PXE, true, 0, 1000 },
		{ "edk2 on port 4011, third try", CLIENT_PXE, true, 2, 3000 },
		{ "edk2 on port 4011, last try", CLIENT_PXE, true, 3, 4000 },
		{ "edk2 on port 4011, longer than ever seen", CLIENT_PXE, true, 0xffff, 4000 },
		{ "iPXE on port 4011", CLIENT_IPXE, true, 11, 1000 },
		{ "a Raspberry Pi on port 4011", CLIENT_UNKNOWN, true, 0, 1000 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		const struct pxe_client c = { .client = cases[i].client };

		test_case("wait: %s", cases[i].what);
		CHECK_INT(pxe_wait_ms(&c, cases[i].boot_server, cases[i].secs), cases[i].wait_ms);
	}
}

/* The hardware address, or what stands for it. */
static void
test_addresses(void)
{
	static const struct {
		const char *what, *options, *mac, *want;
	} cases[] = {
		{ "as in chaddr", EDK2_DISCOVER, "525400123456", "52:54:00:12:34:56" },
		{ "chaddr goes before option 61", IPOIB, "525400123456", "52:54:00:12:34:56" },
		{ "InfiniBand: the GUID at the end of the identifier", IPOIB, "",
		    "00:02:c9:03:00:a1:b2:c3" },
		{ "the form of RFC 4361 has it at its end, too",
		    "350101 3d14 ff 00000000 0002 0000 02c9 00 0002c90300a1b2c3 ff", "",
		    "00:02:c9:03:00:a1:b2:c3" },
		{ "a short identifier is taken whole", "350101 3d07 01 525400123456 ff", "",
		    "52:54:00:12:34:56" },
		{ "one of a type alone is none", "350101 3d01 01 ff", "", "" },
		{ "none at all", "350101 ff", "", "" },
	};
	char text[MAC_STRLEN];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		uint8_t bytes[1500];
		struct dhcp_packet p;
		struct macaddr mac;
		size_t n = packet_from(cases[i].options, cases[i].mac, bytes, sizeof(bytes));

		test_case("address: %s", cases[i].what);
		CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
		mac = pxe_mac(&p);
		CHECK_STR(mac_format(&mac, text), cases[i].want);
	}
}

static void
test_likely(void)
{
	static const struct {
		uint16_t arch;
		const char *mac;
		enum boot_client want;
		bool url;
	} cases[] = {
		{ 0, "525400123456", CLIENT_PXE, false },
		{ 0, "b827eb123456", CLIENT_RPI, false },
		{ 7, "b827eb123456", CLIENT_PXE, false },
		{ 16, "525400123456", CLIENT_HTTP, true },
		{ 20, "525400123456", CLIENT_HTTP, true },
		{ 22, "525400123456", CLIENT_UBOOT, false },
		{ 24, "525400123456", CLIENT_UBOOT, true },
		{ ARCH_RPI, "525400123456", CLIENT_RPI, false },
		{ ARCH_UNKNOWN, "525400123456", CLIENT_PXE, false },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct macaddr mac;

		test_case("likely client of architecture %u at %s", cases[i].arch, cases[i].mac);
		CHECK_INT(mac_parse(slice_str(cases[i].mac), &mac), 0);
		CHECK_INT(pxe_likely_client(cases[i].arch, &mac), cases[i].want);
		CHECK_INT(pxe_wants_url(cases[i].want, cases[i].arch), cases[i].url);
	}
}

/* Whatever option 175 holds, a feature is there if a look for it alone finds it. */
static void
test_features(void)
{
	static const uint8_t tags[] = { 0, 1, 15, 16, 17, 0x13, 0x14, 0x24, 79, 80, 235, 255 };
	uint32_t random = 1;

	test_case("features are read as any sub-option is");
	for (int round = 0; round < 5000; round++) {
		uint8_t bytes[64];
		struct dhcp_packet p = { 0 };
		struct pxe_client c;
		struct slice value;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			random = random * 1103515245 + 12345;
			bytes[i] = (random >> 30) == 0  ? (uint8_t)(random >> 16)
			           : (random >> 29 & 1) ? tags[(random >> 16) % NITEMS(tags)]
			                                : (uint8_t)(random >> 16 & 3);
		}
		p.has[DHCP_OPT_ETHERBOOT] = true;
		p.opt[DHCP_OPT_ETHERBOOT] = (struct slice){ bytes, (random >> 16) % 65 };
		pxe_classify(&p, false, &c);
		for (uint8_t tag = 16; tag <= 79; tag++) {
			bool there = dhcp_sub_option(p.opt[DHCP_OPT_ETHERBOOT], tag, &value) == 0;

			if (there != ((c.ipxe_features & IPXE_FEATURE(tag)) != 0))
				CHECK_INT(tag, 0);
		}
	}
}

int
main(void)
{
	static const struct {
		const char *what, *options;
		enum boot_client client;
		uint16_t arch;
		bool features, https;
		uint32_t version;
		const char *mac; /* NULL: that of a virtual PC */
		bool boot_port;
	} cases[] = {
		{ "edk2 PXE", EDK2_DISCOVER, CLIENT_PXE, 7, false, false, 0, NULL, false },
		{ "edk2 HTTP Boot", EDK2_HTTP, CLIENT_HTTP, 16, false, false, 0, NULL, false },
		{ "iPXE of 2019 has no HTTPS", IPXE_EFI_2019, CLIENT_IPXE, 7, true, false, 0x010000,
		    NULL, false },
		{ "a chained iPXE sends a bare PXEClient; 93 tells the architecture", IPXE_CHAINED,
		    CLIENT_IPXE, 0, true, true, 0x020000, NULL, false },
		{ "iPXE with a renamed user class, known by option 175",
		    "350101 5d020007 " CLASS_IPXE "4d0a54696e6b657262656c6c " FEATURES_HTTPS "ff",
		    CLIENT_IPXE, 7, true, true, 0x020000, NULL, false },
		{ "a user class with its length in front (RFC 3004)",
		    "350101 5d020007 " CLASS_IPXE "4d050469505845 ff", CLIENT_IPXE, 7, false, false,
		    0, NULL, false },
		{ "gPXE without option 175 has no HTTPS either", GPXE_BARE, CLIENT_IPXE, 0, true,
		    false, 0, NULL, false },
		{ "gPXE with its features", GPXE, CLIENT_IPXE, 0, true, false, 0x010000, NULL,
		    false },
		{ "an option 175 that is no chain is still iPXE's",
		    "350101 5d020007 " CLASS_IPXE "af05 68747470ff ff", CLIENT_IPXE, 7, true, false,
		    0, NULL, false },
		{ "U-Boot by its own name", UBOOT, CLIENT_UBOOT, 22, false, false, 0, NULL, false },
		{ "U-Boot as UEFI firmware", UBOOT_PXE, CLIENT_PXE, 11, false, false, 0, NULL,
		    false },
		{ "U-Boot that boots by HTTP", UBOOT_HTTP, CLIENT_UBOOT, 24, false, false, 0, NULL,
		    false },
		{ "U-Boot whose name tells the CPU", "350101 3c0c 552d426f6f742e61726d7638 ff",
		    CLIENT_UBOOT, 22, false, false, 0, NULL, false },
		{ "U-Boot on a 32-bit ARM", "350101 3c0c 552d426f6f742e61726d7637 ff", CLIENT_UBOOT,
		    21, false, false, 0, NULL, false },
		{ "U-Boot for x86 says BIOS, and is none", "350101 5d020000 3c06 552d426f6f74 ff",
		    CLIENT_UBOOT, ARCH_UNKNOWN, false, false, 0, NULL, false },
		{ "a Raspberry Pi 3, by its address", RPI_OLD, CLIENT_RPI, ARCH_RPI, false, false,
		    0, "b827eba1b2c3", false },
		{ "the same words from a PC", RPI_OLD, CLIENT_PXE, 0, false, false, 0, NULL,
		    false },
		{ "a Pi 4 of 2019, by its address", RPI_OLD, CLIENT_RPI, ARCH_RPI, false, false, 0,
		    "dca632a1b2c3", false },
		{ "a Pi 4, by option 97, whatever its address", RPI4, CLIENT_RPI, ARCH_RPI, false,
		    false, 0, NULL, false },
		{ "a Pi 5", RPI5, CLIENT_RPI, ARCH_RPI, false, false, 0, "2ccf67a1b2c3", false },
		{ "one that says what the registry wants", RPI_ARCH, CLIENT_RPI, ARCH_RPI, false,
		    false, 0, NULL, false },
		{ "rpiboot by name", "350101 3c07 727069626f6f74 ff", CLIENT_RPI, ARCH_RPI, false,
		    false, 0, NULL, false },
		{ "a Pi with UEFI firmware is that", "350101 5d02000b " CLASS_ARM64 "ff",
		    CLIENT_PXE, 11, false, false, 0, "dca632a1b2c3", false },
		{ "a Pi with U-Boot is that", UBOOT, CLIENT_UBOOT, 22, false, false, 0,
		    "dca632a1b2c3", false },
		{ "a Pi with iPXE is that", IPXE_EFI_2019, CLIENT_IPXE, 7, true, false, 0x010000,
		    "dca632a1b2c3", false },
		{ "a Pi whose system is running is an ordinary client",
		    "350101 3c0a 6468637063642d392e34 ff", CLIENT_UNKNOWN, ARCH_UNKNOWN, false,
		    false, 0, "dca632a1b2c3", false },
		{ "on port 4011 the address is enough", RPI_REQUEST, CLIENT_RPI, ARCH_RPI, false,
		    false, 0, "dca632a1b2c3", true },
		{ "on port 67 it is not", RPI_REQUEST, CLIENT_UNKNOWN, ARCH_UNKNOWN, false, false,
		    0, "dca632a1b2c3", false },
		{ "iPXE on InfiniBand", IPOIB, CLIENT_IPXE, 7, true, true, 0x020000, "", false },
		{ "a Windows program on port 4011", WDS_REQUEST, CLIENT_PXE, 0, false, false, 0,
		    NULL, true },
		{ "no option 93: the digits of option 60", "350101 " CLASS_X64 "ff", CLIENT_PXE, 7,
		    false, false, 0, NULL, false },
		{ "several architectures: the first that is known",
		    "350101 5d04 00ff 000b " CLASS_BARE "ff", CLIENT_PXE, 11, false, false, 0, NULL,
		    false },
		{ "an unknown architecture: the digits, if those are known",
		    "350101 5d02 00ff " CLASS_X64 "ff", CLIENT_PXE, 7, false, false, 0, NULL,
		    false },
		{ "a deprecated one as well: Itanium is no x64",
		    "350101 5d02 0002 " CLASS_BARE "ff", CLIENT_PXE, 2, false, false, 0, NULL,
		    false },
		{ "only an unknown architecture: it is told as it is",
		    "350101 5d02 00ff " CLASS_BARE "ff", CLIENT_PXE, 255, false, false, 0, NULL,
		    false },
		{ "neither 93 nor digits: an old BIOS ROM", "350101 " CLASS_BARE "ff", CLIENT_PXE,
		    0, false, false, 0, NULL, false },
		{ "digits that are none", "350101 3c14 505845436c69656e743a417263683a3030303037 ff",
		    CLIENT_PXE, 7, false, false, 0, NULL, false },
		{ "an ordinary DHCP client", "350101 3c08 4d53465420352e30 ff", CLIENT_UNKNOWN,
		    ARCH_UNKNOWN, false, false, 0, NULL, false },
	};
	struct pxe_client c;
	struct dhcp_packet p;
	uint8_t bytes[1500];
	char text[UUID_STRLEN];
	size_t n;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("client: %s", cases[i].what);
		n = cases[i].mac == NULL
		        ? packet_build(cases[i].options, bytes, sizeof(bytes))
		        : packet_from(cases[i].options, cases[i].mac, bytes, sizeof(bytes));
		CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
		pxe_classify(&p, cases[i].boot_port, &c);
		CHECK_INT(c.client, cases[i].client);
		CHECK_INT(c.arch, cases[i].arch);
		CHECK_INT(c.has_ipxe_features, cases[i].features);
		CHECK_INT((c.ipxe_features & IPXE_FEATURE_HTTPS) != 0, cases[i].https);
		CHECK_INT(c.ipxe_version, cases[i].version);
	}

	test_case("the UUID is read in SMBIOS order");
	n = packet_build(EDK2_DISCOVER, bytes, sizeof(bytes));
	CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
	pxe_classify(&p, false, &c);
	CHECK(c.has_uuid);
	CHECK_STR(uuid_format(&c.uuid, text), "00112233-4455-6677-8899-aabbccddeeff");

	test_case("a UUID of zeros, as from OVMF without SMBIOS, is none");
	n = packet_build(
	    "350101 6111 00 00000000000000000000000000000000 ff", bytes, sizeof(bytes));
	CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
	pxe_classify(&p, false, &c);
	CHECK(!c.has_uuid);

	test_waits();
	test_addresses();
	test_likely();
	test_features();

	test_case("a boot item picked from a menu is noted");
	n = packet_build(ROM_MENU_REQUEST, bytes, sizeof(bytes));
	CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
	pxe_classify(&p, false, &c);
	CHECK(c.has_boot_item && c.boot_item[0] == 0x80);
	return test_end();
}
