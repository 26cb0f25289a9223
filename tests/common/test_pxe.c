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

int
main(void)
{
	static const struct {
		const char *what, *options;
		enum boot_client client;
		uint16_t arch;
		bool features, https;
		uint32_t version;
	} cases[] = {
		{ "edk2 PXE", EDK2_DISCOVER, CLIENT_PXE, 7, false, false, 0 },
		{ "edk2 HTTP Boot", EDK2_HTTP, CLIENT_HTTP, 16, false, false, 0 },
		{ "iPXE of 2019 has no HTTPS", IPXE_EFI_2019, CLIENT_IPXE, 7, true, false,
		    0x010000 },
		{ "a chained iPXE sends a bare PXEClient; 93 tells the architecture", IPXE_CHAINED,
		    CLIENT_IPXE, 0, true, true, 0x020000 },
		{ "iPXE with a renamed user class, known by option 175",
		    "350101 5d020007 " CLASS_IPXE "4d0a54696e6b657262656c6c " FEATURES_HTTPS "ff",
		    CLIENT_IPXE, 7, true, true, 0x020000 },
		{ "a user class with its length in front (RFC 3004)",
		    "350101 5d020007 " CLASS_IPXE "4d050469505845 ff", CLIENT_IPXE, 7, false, false,
		    0 },
		{ "gPXE", "350101 " CLASS_BIOS "4d0467505845 ff", CLIENT_IPXE, 0, false, false, 0 },
		{ "an option 175 that is no chain is still iPXE's",
		    "350101 5d020007 " CLASS_IPXE "af05 68747470ff ff", CLIENT_IPXE, 7, true, false,
		    0 },
		{ "U-Boot's own class is not PXE", UBOOT, CLIENT_UNKNOWN, 22, false, false, 0 },
		{ "no option 93: the digits of option 60", "350101 " CLASS_X64 "ff", CLIENT_PXE, 7,
		    false, false, 0 },
		{ "several architectures: the first that is known",
		    "350101 5d04 00ff 000b " CLASS_BARE "ff", CLIENT_PXE, 11, false, false, 0 },
		{ "only an unknown architecture: it is told as it is",
		    "350101 5d02 00ff " CLASS_BARE "ff", CLIENT_PXE, 255, false, false, 0 },
		{ "neither 93 nor digits: an old BIOS ROM", "350101 " CLASS_BARE "ff", CLIENT_PXE,
		    0, false, false, 0 },
		{ "digits that are none", "350101 3c14 505845436c69656e743a417263683a3030303037 ff",
		    CLIENT_PXE, 7, false, false, 0 },
		{ "an ordinary DHCP client", "350101 3c08 4d53465420352e30 ff", CLIENT_UNKNOWN,
		    ARCH_UNKNOWN, false, false, 0 },
	};
	struct pxe_client c;
	struct dhcp_packet p;
	uint8_t bytes[1500];
	char text[UUID_STRLEN];
	size_t n;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("client: %s", cases[i].what);
		n = packet_build(cases[i].options, bytes, sizeof(bytes));
		CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
		pxe_classify(&p, &c);
		CHECK_INT(c.client, cases[i].client);
		CHECK_INT(c.arch, cases[i].arch);
		CHECK_INT(c.has_ipxe_features, cases[i].features);
		CHECK_INT((c.ipxe_features & IPXE_FEATURE_HTTPS) != 0, cases[i].https);
		CHECK_INT(c.ipxe_version, cases[i].version);
	}

	test_case("the UUID is read in SMBIOS order");
	n = packet_build(EDK2_DISCOVER, bytes, sizeof(bytes));
	CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
	pxe_classify(&p, &c);
	CHECK(c.has_uuid);
	CHECK_STR(uuid_format(&c.uuid, text), "00112233-4455-6677-8899-aabbccddeeff");

	test_case("a UUID of zeros, as from OVMF without SMBIOS, is none");
	n = packet_build(
	    "350101 6111 00 00000000000000000000000000000000 ff", bytes, sizeof(bytes));
	CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
	pxe_classify(&p, &c);
	CHECK(!c.has_uuid);

	test_waits();

	test_case("a boot item picked from a menu is noted");
	n = packet_build(ROM_MENU_REQUEST, bytes, sizeof(bytes));
	CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
	pxe_classify(&p, &c);
	CHECK(c.has_boot_item && c.boot_item[0] == 0x80);
	return test_end();
}
