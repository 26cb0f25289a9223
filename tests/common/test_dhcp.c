/* Tests of common/dhcp.c. */
#include "common/dhcp.h"

#include "tests/common/packets.h"
#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
test_options(void)
{
	static const struct {
		const char *what, *options;
		int rc;
		uint8_t type;
	} cases[] = {
		{ "edk2's DISCOVER", EDK2_DISCOVER, 0, DHCP_DISCOVER },
		{ "iPXE's DISCOVER", IPXE_EFI_2019, 0, DHCP_DISCOVER },
		{ "U-Boot's DISCOVER", UBOOT, 0, DHCP_DISCOVER },
		{ "no End option, as old ROMs", "350101", 0, DHCP_DISCOVER },
		{ "pads between options", "00 350101 0000 3902 05c0 ff", 0, DHCP_DISCOVER },
		{ "junk behind the End option", "350101 ff 35ff", 0, DHCP_DISCOVER },
		{ "no message type: a BOOTP client", "ff", 0, 0 },
		{ "an option without its length", "350101 39", -EBADMSG, 0 },
		{ "an option that runs out of the packet", "350101 3904 05c0", -EBADMSG, 0 },
		{ "a message type of two octets", "35020101 ff", -EBADMSG, 0 },
		{ "the first of two message types counts", "350101 350103 ff", 0, DHCP_DISCOVER },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		uint8_t bytes[1500];
		size_t n = packet_build(cases[i].options, bytes, sizeof(bytes));
		struct dhcp_packet p;
		int rc;

		test_case("packet: %s", cases[i].what);
		rc = dhcp_parse((struct slice){ bytes, n }, &p);
		CHECK_INT(rc, cases[i].rc);
		if (rc == 0)
			CHECK_INT(p.type, cases[i].type);
	}
}

static void
test_header(void)
{
	uint8_t bytes[1500], *copy;
	size_t n = packet_build(EDK2_DISCOVER, bytes, sizeof(bytes));
	struct dhcp_packet p;

	test_case("the header's fields are read, flags only as far as they mean something");
	bytes[10] = 0xff; /* flags: one Intel NUC fills the lower bits */
	bytes[11] = 0x80;
	memcpy(bytes + 108, "boot.efi", 8);
	CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
	CHECK_INT(p.op, DHCP_BOOTREQUEST);
	CHECK_INT(p.xid, 0xcafe0001);
	CHECK_INT(p.secs, 4);
	CHECK_INT(p.flags, DHCP_FLAG_BROADCAST);
	CHECK_INT(p.chaddr[5], 0x56);
	CHECK(slice_is(p.file, "boot.efi"));

	test_case("every truncation is refused or read without harm");
	for (size_t cut = 0; cut < n; cut++) {
		int rc;

		copy = malloc(cut + 1);
		memcpy(copy, bytes, cut);
		rc = dhcp_parse((struct slice){ copy, cut }, &p);
		CHECK(cut < DHCP_HEADER_BYTES ? rc == -EBADMSG : rc == 0 || rc == -EBADMSG);
		free(copy);
	}

	test_case("a hardware address longer than its field is refused");
	bytes[2] = 17;
	CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), -EBADMSG);
	bytes[2] = 16;
	CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);

	test_case("BOOTP of another vendor is refused");
	bytes[236] ^= 1;
	CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), -EBADMSG);
}

static void
test_overload(void)
{
	uint8_t bytes[1500];
	size_t n = packet_build("350101 340103 ff", bytes, sizeof(bytes));
	struct dhcp_packet p;

	test_case("options in file and sname are read, and no name is seen there");
	memcpy(bytes + 108, "\x3c\x09PXEClient\xff", 12);
	memcpy(bytes + 44, "\x4d\x04iPXE\xff", 7);
	CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), 0);
	CHECK(slice_is(p.opt[DHCP_OPT_CLASS], "PXEClient"));
	CHECK(slice_is(p.opt[DHCP_OPT_USER_CLASS], "iPXE"));
	CHECK_INT(p.file.n, 0);

	test_case("an overloaded field that runs out is refused");
	memset(bytes + 44, 0x4d, DHCP_SNAME_BYTES);
	bytes[44 + 1] = 200;
	CHECK_INT(dhcp_parse((struct slice){ bytes, n }, &p), -EBADMSG);
}

int
main(void)
{
	static const uint8_t chain[] = { 6, 1, 8, 0, 71, 4, 1, 2, 3, 4, 255, 9, 9 };
	uint8_t long_value[256] = { 0 }, buf[300];
	struct slice value;
	struct wbuf w;

	test_options();
	test_header();
	test_overload();

	test_case("sub-options are found across pads, up to the end mark");
	CHECK_INT(dhcp_sub_option((struct slice){ chain, sizeof(chain) }, 71, &value), 0);
	CHECK_INT(value.n, 4);
	CHECK_INT(dhcp_sub_option((struct slice){ chain, sizeof(chain) }, 9, &value), -ENOENT);
	CHECK_INT(dhcp_sub_option((struct slice){ chain, 6 }, 71, &value), -ENOENT);

	test_case("an empty option is never written, one too long spoils the packet");
	wbuf_init(&w, buf, sizeof(buf));
	dhcp_put_option(&w, 67, (struct slice){ 0 });
	CHECK_INT(w.used, 0);
	dhcp_put_option(&w, 67, (struct slice){ long_value, 255 });
	CHECK(!w.bad && w.used == 257);
	wbuf_init(&w, buf, sizeof(buf));
	dhcp_put_option(&w, 67, (struct slice){ long_value, 256 });
	CHECK(w.bad);
	return test_end();
}
