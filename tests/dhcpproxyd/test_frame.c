/* Tests of dhcpproxyd/frame.c. */
#include "dhcpproxyd/frame.h"

#include "tests/test.h"

#include <string.h>

/* From 0.0.0.0:68 to 255.255.255.255:67, "hello"; both checksums by another implementation. */
#define BROADCAST "45000021 12340000 4011 6899 00000000 ffffffff 0044 0043 000d bb7b 68656c6c6f"
/* From 10.77.1.1:67 to 10.77.1.10:67 with an IP option, "hello!". */
#define WITH_OPTION                                                                                \
	"46000026 00010000 4011 cf1d 0a4d0101 0a4d010a 94040000 0043 0043 000e a4b4 68656c6c6f21"

static void
test_parse(void)
{
	static const struct {
		const char *what, *packet;
		bool unsummed;
		enum frame_fault want;
		const char *from, *to; /* address and port in hexadecimal */
		const char *payload;
	} cases[] = {
		{ "a broadcast", BROADCAST, false, FRAME_GOOD, "00000000 0044", "ffffffff 0043",
		    "68656c6c6f" },
		{ "IP options are passed over", WITH_OPTION, false, FRAME_GOOD, "0a4d0101 0043",
		    "0a4d010a 0043", "68656c6c6f21" },
		{ "what Ethernet pads is left out", BROADCAST "000000000000", false, FRAME_GOOD,
		    "00000000 0044", "ffffffff 0043", "68656c6c6f" },
		{ "without a checksum",
		    "45000021 12340000 4011 6899 00000000 ffffffff 0044 0043 000d 0000 68656c6c6f",
		    false, FRAME_GOOD, "00000000 0044", "ffffffff 0043", "68656c6c6f" },
		{ "a checksum that is left to hardware",
		    "45000021 12340000 4011 6899 00000000 ffffffff 0044 0043 000d 1234 68656c6c6f",
		    true, FRAME_GOOD, "00000000 0044", "ffffffff 0043", "68656c6c6f" },
		{ "a wrong checksum",
		    "45000021 12340000 4011 6899 00000000 ffffffff 0044 0043 000d 1234 68656c6c6f",
		    false, FRAME_CHECKSUM, NULL, NULL, NULL },
		{ "a wrong octet",
		    "45000021 12340000 4011 6899 00000000 ffffffff 0044 0043 000d bb7b 68656c6c70",
		    false, FRAME_CHECKSUM, NULL, NULL, NULL },
		{ "a wrong checksum of the IP header, whoever made the other",
		    "45000021 12350000 4011 6899 00000000 ffffffff 0044 0043 000d bb7b 68656c6c6f",
		    true, FRAME_CHECKSUM, NULL, NULL, NULL },
		{ "a first fragment",
		    "45000021 12342000 4011 4899 00000000 ffffffff 0044 0043 000d bb7b 68656c6c6f",
		    false, FRAME_FRAGMENT, NULL, NULL, NULL },
		{ "a later fragment",
		    "45000021 12340001 4011 6898 00000000 ffffffff 0044 0043 000d bb7b 68656c6c6f",
		    false, FRAME_FRAGMENT, NULL, NULL, NULL },
		{ "don't fragment is no fragment",
		    "45000021 12344000 4011 2899 00000000 ffffffff 0044 0043 000d bb7b 68656c6c6f",
		    false, FRAME_GOOD, "00000000 0044", "ffffffff 0043", "68656c6c6f" },
		{ "TCP",
		    "45000021 12340000 4006 68a4 00000000 ffffffff 0044 0043 000d bb7b 68656c6c6f",
		    false, FRAME_NOT_UDP, NULL, NULL, NULL },
		{ "IPv6",
		    "65000021 12340000 4011 4899 00000000 ffffffff 0044 0043 000d bb7b 68656c6c6f",
		    false, FRAME_NOT_UDP, NULL, NULL, NULL },
		{ "a header of less than 20 octets",
		    "44000021 12340000 4011 68a8 00000000 ffffffff 0044 0043 000d bb7b 68656c6c6f",
		    false, FRAME_SHORT, NULL, NULL, NULL },
		{ "a length of UDP that runs out of IP's",
		    "45000021 12340000 4011 6899 00000000 ffffffff 0044 0043 000e bb7b 68656c6c6f"
		    "00",
		    false, FRAME_SHORT, NULL, NULL, NULL },
		{ "a length of UDP below its header's",
		    "45000021 12340000 4011 6899 00000000 ffffffff 0044 0043 0007 bb7b 68656c6c6f",
		    false, FRAME_SHORT, NULL, NULL, NULL },
		{ "a length of IP that ends before UDP's header does",
		    "4500001b 12340000 4011 689f 00000000 ffffffff 0044 0043 000d bb7b 68656c6c6f",
		    false, FRAME_SHORT, NULL, NULL, NULL },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		uint8_t packet[128], want[64], got[64];
		size_t n = test_unhex(cases[i].packet, packet, sizeof(packet));
		struct frame f = { .from_port = 7 };
		struct wbuf w;

		test_case("frame: %s", cases[i].what);
		CHECK_INT(
		    frame_parse((struct slice){ packet, n }, cases[i].unsummed, &f), cases[i].want);
		if (cases[i].want != FRAME_GOOD) {
			CHECK_INT(f.from_port, 7);
			continue;
		}
		wbuf_init(&w, got, sizeof(got));
		wbuf_bytes(&w, f.from, 4);
		wbuf_u16(&w, f.from_port);
		CHECK_BYTES(wbuf_view(&w),
		    ((struct slice){ want, test_unhex(cases[i].from, want, sizeof(want)) }));
		wbuf_init(&w, got, sizeof(got));
		wbuf_bytes(&w, f.to, 4);
		wbuf_u16(&w, f.to_port);
		CHECK_BYTES(wbuf_view(&w),
		    ((struct slice){ want, test_unhex(cases[i].to, want, sizeof(want)) }));
		CHECK_BYTES(f.payload,
		    ((struct slice){ want, test_unhex(cases[i].payload, want, sizeof(want)) }));
	}
}

static void
test_truncations(void)
{
	uint8_t packet[64];
	size_t n = test_unhex(WITH_OPTION, packet, sizeof(packet));
	struct frame f;

	test_case("frame: cut anywhere, it is too short");
	for (size_t i = 0; i < n; i++)
		CHECK_INT(frame_parse((struct slice){ packet, i }, false, &f), FRAME_SHORT);
}

/* A packet around this payload, with what the kernel adds. */
static size_t
wrap(const struct frame *f, uint8_t *packet, size_t size)
{
	struct wbuf w;
	uint32_t sum = 0;

	wbuf_init(&w, packet, size);
	frame_headers(f, packet);
	w.used = FRAME_IP_BYTES + FRAME_UDP_BYTES;
	for (size_t i = 0; i < 20; i += 2)
		sum += (uint32_t)packet[i] << 8 | packet[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	wbuf_patch_u16(&w, 10, (uint16_t) ~(sum + (sum >> 16)));
	wbuf_slice(&w, f->payload);
	return w.used;
}

static void
test_build(void)
{
	uint8_t packet[64], payload[32], want[28];
	struct frame f = { .from = { 10, 77, 1, 1 },
		.to = { 10, 77, 1, 10 },
		.from_port = 67,
		.to_port = 67,
		.payload = { (const uint8_t *)"hello!", 6 } };
	struct frame got;

	test_case("frame: a header as another implementation makes it");
	frame_headers(&f, packet);
	CHECK_BYTES(((struct slice){ packet, FRAME_IP_BYTES + FRAME_UDP_BYTES }),
	    ((struct slice){ want,
		test_unhex("45000022 00000000 4011 0000 0a4d0101 0a4d010a 0043 0043 000e a4b4",
		    want, sizeof(want)) }));

	test_case("frame: without a source there is no checksum");
	memset(f.from, 0, 4);
	frame_headers(&f, packet);
	CHECK_BYTES(((struct slice){ packet + FRAME_IP_BYTES, FRAME_UDP_BYTES }),
	    ((struct slice){ want, test_unhex("0043 0043 000e 0000", want, sizeof(want)) }));

	test_case("frame: what is written reads back, whatever the length and the octets");
	for (size_t n = 0; n <= sizeof(payload); n++) {
		uint16_t sum;

		memset(payload, (int)(n * 37), n);
		f = (struct frame){ .from = { 192, 0, 2, (uint8_t)(n + 1) },
			.to = { 255, 255, 255, 255 },
			.from_port = 67,
			.to_port = 68,
			.payload = { payload, n } };
		CHECK_INT(frame_parse((struct slice){ packet, wrap(&f, packet, sizeof(packet)) },
			      false, &got),
		    FRAME_GOOD);
		CHECK_BYTES(got.payload, f.payload);
		sum = (uint16_t)(packet[26] << 8 | packet[27]);
		CHECK(sum != 0);
	}

	test_case("frame: a sum of zero is written as 0xffff");
	for (unsigned v = 0; v <= 0xffff; v++) {
		/* one of these makes the rest's sum zero */
		payload[0] = (uint8_t)(v >> 8);
		payload[1] = (uint8_t)v;
		f.payload.n = 2;
		frame_headers(&f, packet);
		CHECK(packet[26] != 0 || packet[27] != 0);
	}
}

int
main(void)
{
	test_parse();
	test_truncations();
	test_build();
	return test_end();
}
