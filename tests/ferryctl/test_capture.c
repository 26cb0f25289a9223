/* Tests of ferryctl/capture.c. */
#include "ferryctl/capture.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* File heads: magic, version, zone, accuracy, length kept, link type. */
#define LITTLE    "d4c3b2a1 0200 0400 00000000 00000000 00000400 "
#define LITTLE_NS "4d3cb2a1 0200 0400 00000000 00000000 00000400 "
#define BIG       "a1b2c3d4 0002 0004 00000000 00000000 00040000 "
/* An IPv4 packet of 35 bytes: 0.0.0.0:68 to 255.255.255.255:67, "BOOTREQ". */
#define DATAGRAM "0044 0043 000f 0000 424f4f54524551 "
#define IP       "4500 0023 0001 0000 4011 0000 00000000 ffffffff "
#define MACS     "ffffffffffff 525400123456 "

struct seen {
	unsigned n;
	struct capture_packet last;
	int answer;
};

static int
see(void *arg, const struct capture_packet *p)
{
	struct seen *s = arg;

	s->n++;
	s->last = *p;
	return s->answer;
}

static const struct {
	const char *what;
	const char *bytes;
	int rc;
	unsigned n;
	const char *payload;
} cases[] = {
	{ "Ethernet, little-endian",
	    LITTLE "01000000 01000000 02000000 31000000 31000000 " MACS "0800 " IP DATAGRAM, 0, 1,
	    "BOOTREQ" },
	{ "Ethernet, big-endian",
	    BIG "00000001 00000001 00000002 00000031 00000031 " MACS "0800 " IP DATAGRAM, 0, 1,
	    "BOOTREQ" },
	{ "check sums behind frames are a matter of the link type's upper bits",
	    LITTLE "01000024 01000000 02000000 35000000 35000000 " MACS "0800 " IP DATAGRAM
		   "01020304",
	    0, 1, "BOOTREQ" },
	{ "padding of short Ethernet frames is not part of the datagram",
	    LITTLE "01000000 01000000 02000000 35000000 35000000 " MACS "0800 " IP DATAGRAM
		   "00000000",
	    0, 1, "BOOTREQ" },
	{ "a VLAN tag is passed over",
	    LITTLE "01000000 01000000 02000000 35000000 35000000 " MACS
		   "8100 0007 0800 " IP DATAGRAM,
	    0, 1, "BOOTREQ" },
	{ "two VLAN tags are passed over",
	    LITTLE "01000000 01000000 02000000 39000000 39000000 " MACS
		   "88a8 0007 8100 0008 0800 " IP DATAGRAM,
	    0, 1, "BOOTREQ" },
	{ "Linux cooked",
	    LITTLE
	    "71000000 01000000 02000000 33000000 33000000 0000 0001 0006 525400123456 0000 0800 " IP
		DATAGRAM,
	    0, 1, "BOOTREQ" },
	{ "Linux cooked, version 2",
	    LITTLE "14010000 01000000 02000000 37000000 37000000 0800 0000 00000002 0001 00 06 "
		   "525400123456 0000 " IP DATAGRAM,
	    0, 1, "BOOTREQ" },
	{ "raw IP", LITTLE "65000000 01000000 02000000 23000000 23000000 " IP DATAGRAM, 0, 1,
	    "BOOTREQ" },
	{ "raw IPv4, by its own number",
	    LITTLE "e4000000 01000000 02000000 23000000 23000000 " IP DATAGRAM, 0, 1, "BOOTREQ" },
	{ "IP options stand before the datagram",
	    LITTLE
	    "65000000 01000000 02000000 27000000 27000000 4600 0027 0001 0000 4011 0000 00000000 "
	    "ffffffff 94040000 " DATAGRAM,
	    0, 1, "BOOTREQ" },
	{ "port 4011 counts",
	    LITTLE "65000000 01000000 02000000 23000000 23000000 " IP
		   "0044 0fab 000f 0000 424f4f54524551",
	    0, 1, "BOOTREQ" },
	{ "the server's answer does not: it goes to port 68",
	    LITTLE "65000000 01000000 02000000 23000000 23000000 " IP
		   "0043 0044 000f 0000 424f4f54524551",
	    0, 0, "" },
	{ "TCP does not",
	    LITTLE
	    "65000000 01000000 02000000 23000000 23000000 4500 0023 0001 0000 4006 0000 00000000 "
	    "ffffffff " DATAGRAM,
	    0, 0, "" },
	{ "a fragment is passed over",
	    LITTLE
	    "65000000 01000000 02000000 23000000 23000000 4500 0023 0001 2000 4011 0000 00000000 "
	    "ffffffff " DATAGRAM,
	    0, 0, "" },
	{ "IPv6 is passed over",
	    LITTLE
	    "65000000 01000000 02000000 23000000 23000000 6500 0023 0001 0000 4011 0000 00000000 "
	    "ffffffff " DATAGRAM,
	    0, 0, "" },
	{ "an IP head of less than 20 bytes is passed over",
	    LITTLE
	    "65000000 01000000 02000000 23000000 23000000 4400 0023 0001 0000 4011 0000 00000000 "
	    "ffffffff " DATAGRAM,
	    0, 0, "" },
	{ "a datagram's length of less than its head is passed over",
	    LITTLE "65000000 01000000 02000000 23000000 23000000 " IP
		   "0044 0043 0007 0000 424f4f54524551",
	    0, 0, "" },
	{ "ARP is passed over, and what follows is read",
	    LITTLE "01000000 01000000 02000000 0f000000 0f000000 " MACS "0806 00 "
		   "01000000 02000000 31000000 31000000 " MACS "0800 " IP DATAGRAM,
	    0, 1, "BOOTREQ" },
	{ "no packets", LITTLE "01000000", 0, 0, "" },
	{ "a record cut off at the end of the file is left out",
	    LITTLE "65000000 01000000 02000000 24000000 24000000 " IP DATAGRAM, 0, 0, "" },
	{ "a record of more than tcpdump writes is a mistake",
	    LITTLE "65000000 01000000 02000000 01000400 01000400 " IP DATAGRAM, -EBADMSG, 0, "" },
	{ "pcapng is another format",
	    "0a0d0d0a 1c000000 4d3c2b1a 01000000 ffffffffffffffff 1c000000", -EPROTONOSUPPORT, 0,
	    "" },
	{ "a link type that is not taken", LITTLE "69000000", -EPROTONOSUPPORT, 0, "" },
	{ "something else than a capture", "7f454c46 02010100 0000000000000000 0000000000000000",
	    -EBADMSG, 0, "" },
	{ "a head that is cut off", LITTLE "010000", -EBADMSG, 0, "" },
	{ "nothing", "", -EBADMSG, 0, "" },
};

static void
rows(void)
{
	uint8_t bytes[512];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct slice file = { bytes, test_unhex(cases[i].bytes, bytes, sizeof(bytes)) };
		struct seen s = { 0 };

		test_case("%s", cases[i].what);
		CHECK_INT(capture_parse(file, see, &s), cases[i].rc);
		CHECK_INT(s.n, cases[i].n);
		CHECK(s.n == 0 || slice_is(s.last.payload, cases[i].payload));
	}
}

static void
one_packet(void)
{
	uint8_t bytes[256];
	struct seen s = { 0 };
	struct slice file = { bytes, 0 };

	test_case("number, time, addresses and ports come with the bytes");
	file.n =
	    test_unhex(LITTLE_NS "65000000 01000000 40420f00 23000000 23000000 4500 0023 0001 0000 "
				 "4011 0000 0a4d0132 0a4d010a " DATAGRAM,
		bytes, sizeof(bytes));
	CHECK_INT(capture_parse(file, see, &s), 0);
	CHECK_INT(s.last.number, 1);
	CHECK_INT(s.last.at_us, 1001000);
	CHECK_BYTES(((struct slice){ s.last.from, 4 }),
	    ((struct slice){ (uint8_t *)"\x0a\x4d\x01\x32", 4 }));
	CHECK_BYTES(
	    ((struct slice){ s.last.to, 4 }), ((struct slice){ (uint8_t *)"\x0a\x4d\x01\x0a", 4 }));
	CHECK_INT(s.last.from_port, 68);
	CHECK_INT(s.last.to_port, 67);
	CHECK(!s.last.cut);

	test_case("a frame that was captured in part says so");
	file.n = test_unhex(LITTLE "65000000 01000000 02000000 21000000 23000000 " IP
				   "0044 0043 000f 0000 424f4f5452",
	    bytes, sizeof(bytes));
	CHECK_INT(capture_parse(file, see, &s), 0);
	CHECK(s.last.cut);
	CHECK(slice_is(s.last.payload, "BOOTR"));

	test_case("the reader can be told to stop");
	s = (struct seen){ .answer = 7 };
	file.n = test_unhex(LITTLE "65000000 01000000 02000000 23000000 23000000 " IP DATAGRAM
				   "01000000 02000000 23000000 23000000 " IP DATAGRAM,
	    bytes, sizeof(bytes));
	CHECK_INT(capture_parse(file, see, &s), 7);
	CHECK_INT(s.n, 1);
	s = (struct seen){ 0 };
	CHECK_INT(capture_parse(file, see, &s), 0);
	CHECK_INT(s.n, 2);
	CHECK_INT(s.last.number, 2);

	test_case("each truncation of a good file is read without harm");
	for (size_t n = 0; n < file.n; n++) {
		uint8_t *copy = malloc(n + 1);

		CHECK(copy != NULL);
		if (copy == NULL)
			return;
		memcpy(copy, bytes, n);
		s = (struct seen){ 0 };
		CHECK_INT(capture_parse((struct slice){ copy, n }, see, &s), n < 24 ? -EBADMSG : 0);
		CHECK_INT(s.n, n < 24 + 16 + 35 ? 0 : 1);
		free(copy);
	}
}

static void
files(void)
{
	const char *tests = getenv("BOOTFERRY_TESTS");
	struct seen s = { 0 };
	char path[512];

	test_case("a capture of real firmware, from a file");
	snprintf(path, sizeof(path), "%s/data/captures/uefi-pxe4.pcap", tests ? tests : "tests");
	CHECK_INT(capture_read(path, see, &s), 0);
	CHECK(s.n >= 2);
	CHECK(s.last.payload.n >= 240);

	test_case("files that cannot be read say why");
	CHECK_INT(capture_read("/nonexistent/x.pcap", see, &s), -ENOENT);
	CHECK_INT(capture_read("/dev/null", see, &s), -EINVAL);
	CHECK_INT(capture_read("/tmp", see, &s), -EINVAL);
	snprintf(path, sizeof(path), "/tmp/bootferry-capture-%d", (int)getpid());
	FILE *f = fopen(path, "w");
	CHECK(f != NULL && ftruncate(fileno(f), (off_t)CAPTURE_FILE_MAX + 1) == 0);
	if (f != NULL)
		fclose(f);
	CHECK_INT(capture_read(path, see, &s), -EFBIG);
	(void)unlink(path); /* it may be gone */
}

int
main(void)
{
	rows();
	one_packet();
	files();
	return test_end();
}
