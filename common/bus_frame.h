/*
 * How messages of the bus stand in a stream of bytes: each behind its length, four octets with the
 * most significant first.
 */
#ifndef COMMON_BUS_FRAME_H
#define COMMON_BUS_FRAME_H

#include "common/msg.h"

/* Zeroed, it is empty; the memory at `p` is its owner's to free. */
struct bus_buffer {
	uint8_t *p;
	size_t size, used;
};

/* What came; bytes at..used of `b` are to be taken. */
struct bus_incoming {
	struct bus_buffer b;
	size_t at;
};

/* 0, or -ENOMEM. */
int bus_buffer_grow(struct bus_buffer *b, size_t size);

/*
 * The next message, valid until the buffer is touched again.  0, -EAGAIN when it is not there yet
 * (the buffer has room for it then), -EBADMSG when it is longer than MSG_MAX_BYTES, -ENOMEM.
 */
int bus_frame_take(struct bus_incoming *in, struct slice *ret);
/* Moves what was not taken to the front. */
void bus_frame_rewind(struct bus_incoming *in);
/* Appends a message.  0, or -EAGAIN when more than BUS_OUT_BYTES would wait, or without memory. */
int bus_frame_put(struct bus_buffer *out, struct slice message);

#define BUS_IN_BYTES  (512u << 10)         /* of room for what comes, at first */
#define BUS_OUT_BYTES (2u * MSG_MAX_BYTES) /* the most that waits to be sent */

#endif
