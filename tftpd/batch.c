/* See batch.h. */
#include "tftpd/batch.h"

#include <assert.h>
#include <errno.h>

void
batch_clear(struct batch *b)
{
	b->nmsgs = b->niov = b->nheaders = b->npackets = 0;
}

bool
batch_is_full(const struct batch *b)
{
	return b->nmsgs == BATCH_MESSAGES || b->nheaders == BATCH_BLOCKS;
}

/* Ends a message that holds what was added to b->iov since `first`. */
static void
add_message(struct batch *b, const struct listen_path *path, size_t first, uint16_t segment)
{
	struct msghdr *m = &b->msgs[b->nmsgs].msg_hdr;

	*m = (struct msghdr){ .msg_iov = &b->iov[first], .msg_iovlen = b->niov - first };
	listen_address(path, segment, m, b->control[b->nmsgs].bytes);
	b->nmsgs++;
}

uint8_t *
batch_packet(struct batch *b)
{
	assert(!batch_is_full(b));
	return b->packets[b->npackets];
}

void
batch_packet_end(struct batch *b, const struct listen_path *path, size_t n)
{
	size_t first = b->niov;

	assert(n <= BATCH_PACKET);
	b->iov[b->niov++] = (struct iovec){ b->packets[b->npackets++], n };
	/* there are two vectors for each block: this one takes a block's place */
	b->nheaders++;
	add_message(b, path, first, 0);
}

uint32_t
batch_blocks(struct batch *b, const struct listen_path *path, const struct batch_run *run,
    batch_wire_fn *wire, const void *arg)
{
	uint32_t packet = TFTP_HEADER_BYTES + run->blksize, count = 1;
	size_t first = b->niov, room = BATCH_BLOCKS - b->nheaders;

	if (batch_is_full(b))
		return 0;
	if (run->segmented && packet <= BATCH_BYTES / 2) {
		count = BATCH_BYTES / packet;
		if (count > BATCH_SEGMENTS)
			count = BATCH_SEGMENTS;
		if (count > room)
			count = (uint32_t)room;
		if (count > run->count)
			count = run->count;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *header = b->headers[b->nheaders++];
		uint32_t n = i + 1 == run->count ? run->last_bytes : run->blksize;
		struct wbuf w;

		wbuf_init(&w, header, TFTP_HEADER_BYTES);
		tftp_put_data_header(&w, wire(arg, run->block + i));
		b->iov[b->niov++] = (struct iovec){ header, TFTP_HEADER_BYTES };
		if (n > 0)
			b->iov[b->niov++] = (struct iovec){
				(void *)(uintptr_t)(run->data + (size_t)i * run->blksize), n
			};
	}
	add_message(b, path, first, count > 1 ? (uint16_t)packet : 0);
	return count;
}

int
batch_send(struct batch *b, int fd, size_t from)
{
	int sent = sendmmsg(fd, b->msgs + from, (unsigned)(b->nmsgs - from), MSG_DONTWAIT);

	return sent < 0 ? -errno : sent;
}
