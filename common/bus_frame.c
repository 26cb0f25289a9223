/* See bus_frame.h. */
#include "common/bus_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_BYTES 4

int
bus_buffer_grow(struct bus_buffer *b, size_t size)
{
	uint8_t *fresh;

	if (b->size >= size)
		return 0;
	fresh = realloc(b->p, size);
	if (fresh == NULL)
		return -ENOMEM;
	b->p = fresh;
	b->size = size;
	return 0;
}

static uint32_t
length_at(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

int
bus_frame_take(struct bus_incoming *in, struct slice *ret)
{
	size_t have = in->b.used - in->at;
	uint32_t n;

	if (have < LENGTH_BYTES)
		return bus_buffer_grow(&in->b, LENGTH_BYTES) < 0 ? -ENOMEM : -EAGAIN;
	n = length_at(in->b.p + in->at);
	if (n > MSG_MAX_BYTES)
		return -EBADMSG;
	if (have - LENGTH_BYTES < n)
		return bus_buffer_grow(&in->b, LENGTH_BYTES + n) < 0 ? -ENOMEM : -EAGAIN;
	*ret = (struct slice){ in->b.p + in->at + LENGTH_BYTES, n };
	in->at += LENGTH_BYTES + n;
	return 0;
}

void
bus_frame_rewind(struct bus_incoming *in)
{
	if (in->at == 0)
		return;
	memmove(in->b.p, in->b.p + in->at, in->b.used - in->at);
	in->b.used -= in->at;
	in->at = 0;
}

int
bus_frame_put(struct bus_buffer *out, struct slice message)
{
	size_t need = out->used + LENGTH_BYTES + message.n;
	struct wbuf w;

	if (out->used + message.n > BUS_OUT_BYTES)
		return -EAGAIN;
	/* twice the room, as all may be copied each time; without the memory, what is needed */
	if (out->size < need)
		(void)bus_buffer_grow(out, 2 * out->size);
	if (bus_buffer_grow(out, need) < 0)
		return -EAGAIN;
	wbuf_init(&w, out->p + out->used, out->size - out->used);
	wbuf_u32(&w, (uint32_t)message.n);
	wbuf_slice(&w, message);
	out->used += w.used;
	return 0;
}
