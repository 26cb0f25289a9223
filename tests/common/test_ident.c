/* Tests of common/ident.c. */
#include "common/ident.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

static void
test_macs(void)
{
	static const struct {
		const char *what, *in, *out;
	} cases[] = {
		{ "with colons", "52:54:00:12:34:56", "52:54:00:12:34:56" },
		{ "with dashes, as iPXE's hexhyp", "52-54-00-12-34-56", "52:54:00:12:34:56" },
		{ "bare, as iPXE's hexraw", "525400123456", "52:54:00:12:34:56" },
		{ "in upper case", "AA:BB:CC:DD:EE:FF", "aa:bb:cc:dd:ee:ff" },
		{ "of 8 octets (InfiniBand GUID)", "0002c903000ffd01", "00:02:c9:03:00:0f:fd:01" },
		{ "empty", "", NULL },
		{ "half an octet", "5", NULL },
		{ "a separator at the end", "52:", NULL },
		{ "a separator in front", ":52", NULL },
		{ "no hexadecimal digit", "5g", NULL },
		{ "17 octets", "0011223344556677889900112233445566", NULL },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct macaddr mac = { 0 };
		char text[MAC_STRLEN];
		int rc = mac_parse(slice_str(cases[i].in), &mac);

		test_case("hardware address: %s", cases[i].what);
		CHECK_INT(rc, cases[i].out != NULL ? 0 : -EINVAL);
		CHECK_STR(mac_format(&mac, text), cases[i].out != NULL ? cases[i].out : "");
	}
}

static void
test_uuids(void)
{
	/* what edk2 sends in option 97 for this UUID */
	static const uint8_t smbios[16] = { 0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88,
		0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
	const char *canonical = "00112233-4455-6677-8899-aabbccddeeff";
	char text[UUID_STRLEN];
	struct uuid u;

	test_case("a UUID is read with and without dashes, in any case");
	CHECK_INT(uuid_parse(slice_str(canonical), &u), 0);
	CHECK_STR(uuid_format(&u, text), canonical);
	CHECK_INT(uuid_parse(slice_str("00112233445566778899AABBCCDDEEFF"), &u), 0);
	CHECK_STR(uuid_format(&u, text), canonical);
	CHECK_INT(uuid_parse(slice_str("00112233-4455"), &u), -EINVAL);
	CHECK_INT(uuid_parse(slice_str("00112233-4455-6677-8899-aabbccddeeff00"), &u), -EINVAL);

	test_case("a UUID in SMBIOS order becomes the printed one");
	uuid_from_smbios(smbios, &u);
	CHECK_STR(uuid_format(&u, text), canonical);
	CHECK(!uuid_is_zero(&u));
}

static void
test_ips(void)
{
	struct ipaddr a = { 0 }, b = { 0 };
	char text[IP_STRLEN];

	test_case("IP addresses of both families are read and printed");
	CHECK_INT(ip_parse(slice_str("10.77.1.10"), &a), 0);
	CHECK_STR(ip_format(&a, text), "10.77.1.10");
	CHECK_INT(ip_parse(slice_str("2001:db8::1"), &b), 0);
	CHECK_STR(ip_format(&b, text), "2001:db8::1");
	CHECK(!ip_eq(&a, &b));
	CHECK(!ip_is_any(&a));

	test_case("what is no IP address is refused");
	CHECK_INT(ip_parse(slice_str("10.77.1"), &a), -EINVAL);
	CHECK_INT(ip_parse(slice_str("10.77.1.10 "), &a), -EINVAL);
	CHECK_INT(ip_parse(slice_str(""), &a), -EINVAL);
	CHECK_INT(ip_parse((struct slice){ (const uint8_t *)"1.2.3.4\0x", 9 }, &a), -EINVAL);

	test_case("0.0.0.0 from a packet is no address");
	a = ip_from_v4((const uint8_t[4]){ 0, 0, 0, 0 });
	CHECK_INT(a.family, 0);
	CHECK_STR(ip_format(&a, text), "");
	CHECK(ip_is_any(&a));
	CHECK_INT(ip_parse(slice_str("0.0.0.0"), &a), 0);
	CHECK(ip_is_any(&a));
}

int
main(void)
{
	char text[BOOT_ID_STRLEN];
	uint64_t id;

	test_macs();
	test_uuids();
	test_ips();

	{
		static const struct {
			const char *what, *ip, *mac;
		} rows[] = {
			{ "an address of the link", "fe80::5054:ff:fe12:3456",
			    "52:54:00:12:34:56" },
			{ "a global one", "2001:db8::211:22ff:fe33:4455", "00:11:22:33:44:55" },
			{ "one that DHCPv6 gave", "2001:db8::1f82", "" },
			{ "a random one", "2001:db8::8d2f:1c3a:77b1:90ee", "" },
			{ "a group's", "ff02::5054:ff:fe12:3456", "" },
			{ "one of a hardware address that is a group's", "fe80::5354:ff:fe12:3456",
			    "" },
			{ "IPv4", "10.0.0.1", "" },
		};

		for (size_t i = 0; i < NITEMS(rows); i++) {
			struct macaddr mac = { 0 };
			struct ipaddr ip;
			char mac_text[MAC_STRLEN];

			test_case("hardware address from an IPv6 address: %s", rows[i].what);
			CHECK_INT(ip_parse(slice_str(rows[i].ip), &ip), 0);
			CHECK_INT(mac_from_ipv6(&ip, &mac), rows[i].mac[0] != '\0');
			CHECK_STR(mac_format(&mac, mac_text), rows[i].mac);
		}
	}

	test_case("a boot id survives printing and reading");
	for (uint64_t v = 1; v < UINT64_C(1) << BOOT_ID_BITS; v = v * 7 + 3) {
		CHECK_INT(boot_id_parse(slice_str(boot_id_format(v, text)), &id), 0);
		CHECK(id == v);
	}
	CHECK_INT(boot_id_parse(slice_str("0000000Z"), &id), 0);
	CHECK_INT(id, 31);

	test_case("what is no boot id is refused, also the one for none");
	CHECK_STR(boot_id_format(0, text), "-");
	CHECK_INT(boot_id_parse(slice_str("-"), &id), -EINVAL);
	CHECK_INT(boot_id_parse(slice_str("00000000"), &id), -EINVAL);
	CHECK_INT(boot_id_parse(slice_str("0000000i"), &id), -EINVAL);
	CHECK_INT(boot_id_parse(slice_str("000000001"), &id), -EINVAL);
	return test_end();
}
