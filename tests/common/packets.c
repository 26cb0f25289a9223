/* See packets.h. */
#include "tests/common/packets.h"

#include "tests/test.h"

#include <string.h>

size_t
packet_build(const char *options, uint8_t *dst, size_t size)
{
	static const uint8_t mac[] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
	struct wbuf w;

	wbuf_init(&w, dst, size);
	wbuf_u8(&w, DHCP_BOOTREQUEST);
	wbuf_u8(&w, 1);
	wbuf_u8(&w, 6);
	wbuf_u8(&w, 0);
	wbuf_u32(&w, 0xcafe0001);
	wbuf_u16(&w, 4);
	wbuf_u16(&w, DHCP_FLAG_BROADCAST);
	wbuf_fill(&w, 0, 16);
	wbuf_bytes(&w, mac, sizeof(mac));
	wbuf_fill(&w, 0, DHCP_CHADDR_BYTES - sizeof(mac) + DHCP_SNAME_BYTES + DHCP_FILE_BYTES);
	wbuf_u32(&w, DHCP_COOKIE);
	w.used += test_unhex(options, dst + w.used, size - w.used);
	return w.used;
}

size_t
packet_from(const char *options, const char *mac, uint8_t *dst, size_t size)
{
	size_t n = packet_build(options, dst, size);

	memset(dst + 28, 0, DHCP_CHADDR_BYTES);
	dst[2] = (uint8_t)test_unhex(mac, dst + 28, DHCP_CHADDR_BYTES);
	if (dst[2] == 0)
		dst[1] = 32; /* InfiniBand */
	return n;
}
