/* Tests of dhcpproxyd/probe.c: the packets, as servers and our own daemons read them. */
#include "dhcpproxyd/probe.h"

#include "common/reply.h"
#include "dhcpproxyd/frame.h"
#include "tests/test.h"

#include <string.h>

static const uint8_t mac[6] = { 0x52, 0x54, 0, 1, 2, 3 }, ours[4] = { 10, 0, 0, 1 };

int
main(void)
{
	static const struct {
		enum rival_client kind;
		enum boot_client client;
		uint16_t arch;
	} cases[] = {
		{ RIVAL_BIOS, CLIENT_PXE, 0 },
		{ RIVAL_UEFI, CLIENT_PXE, 7 },
		{ RIVAL_HTTP, CLIENT_HTTP, 16 },
		{ RIVAL_IPXE, CLIENT_IPXE, 7 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		uint8_t payload[1024], bytes[1024];
		struct dhcp_packet p;
		struct dhcp_ask ask;
		struct frame frame;
		struct wbuf w, f;

		test_case("probe: a DISCOVER of %d", cases[i].kind);
		wbuf_init(&w, payload, sizeof(payload));
		probe_build(cases[i].kind, mac, 0x12345678, &w);
		wbuf_init(&f, bytes, sizeof(bytes));
		probe_frame(mac, wbuf_view(&w), &f);
		CHECK(!w.bad && !f.bad && w.used >= 300 && w.used <= DHCP_SAFE_MAX);

		/* a good Ethernet frame, IP header and UDP datagram */
		CHECK(bytes[0] == 0xff && memcmp(bytes + 6, mac, 6) == 0 && bytes[12] == 8);
		CHECK_INT(frame_parse((struct slice){ bytes + 14, f.used - 14 }, false, &frame),
		    FRAME_GOOD);
		CHECK_INT(frame.from_port, 68);
		CHECK_INT(frame.to_port, 67);
		CHECK_BYTES(frame.payload, wbuf_view(&w));

		/* which is from such a client */
		CHECK_INT(dhcp_parse(frame.payload, &p), 0);
		CHECK_INT(ask_from_packet(&p, false, ours, &ask), ASK_DISCOVER);
		CHECK_INT(ask.client.client, cases[i].client);
		CHECK_INT(ask.client.arch, cases[i].arch);
		CHECK_INT(ask.xid, 0x12345678);
		CHECK(ask.flags == DHCP_FLAG_BROADCAST && memcmp(ask.chaddr, mac, 6) == 0);
		CHECK(probe_is_one(&p));

		test_case("probe: no other client's is one");
		p.opt[61].n--;
		CHECK(!probe_is_one(&p));
		p.opt[61] = (struct slice){ NULL, 0 };
		CHECK(!probe_is_one(&p));
		p.opt[61] = (struct slice){ (const uint8_t *)"\1bootferry-probe", 16 };
		CHECK(!probe_is_one(&p));
	}
	return test_end();
}
