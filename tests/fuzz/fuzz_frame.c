/* Packets of a packet socket: what is found lies inside, and reads back when it is written anew. */
#include "dhcpproxyd/frame.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t packet[FRAME_IP_BYTES + FRAME_UDP_BYTES + 1024];
	uint32_t sum = 0;
	struct frame f, again;
	struct wbuf w;

	(void)frame_parse((struct slice){ data, size }, false, &f);
	if (frame_parse((struct slice){ data, size }, true, &f) != FRAME_GOOD)
		return 0;
	MUST(f.payload.p >= data + 28 && f.payload.p + f.payload.n <= data + size);
	if (f.payload.n > sizeof(packet) - 28)
		return 0;
	wbuf_init(&w, packet, sizeof(packet));
	frame_headers(&f, packet);
	w.used = FRAME_IP_BYTES + FRAME_UDP_BYTES;
	for (size_t i = 0; i < 20; i += 2)
		sum += (uint32_t)packet[i] << 8 | packet[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	wbuf_patch_u16(&w, 10, (uint16_t) ~(sum + (sum >> 16)));
	wbuf_slice(&w, f.payload);
	MUST(frame_parse(wbuf_view(&w), false, &again) == FRAME_GOOD);
	MUST(slice_eq(f.payload, again.payload));
	MUST(f.from_port == again.from_port && f.to_port == again.to_port);
	return 0;
}
