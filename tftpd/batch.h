/*
 * Packets of many transfers that leave one socket in one system call (sendmmsg).  Consecutive
 * blocks of a transfer may be one message of it, which the kernel cuts into packets below IP
 * (UDP_SEGMENT); file contents are sent from where they are mapped, never copied here.
 */
#ifndef TFTPD_BATCH_H
#define TFTPD_BATCH_H

#include "tftpd/listen.h"
#include "tftpd/tftp.h"

#include <sys/socket.h>

#define BATCH_MESSAGES 64
#define BATCH_BLOCKS   512
#define BATCH_SEGMENTS 64    /* of one message (UDP_MAX_SEGMENTS) */
#define BATCH_BYTES    65000 /* of one message */
#define BATCH_PACKET   256   /* bytes that a packet which is not DATA may have */

struct batch {
	size_t nmsgs, niov, nheaders, npackets;
	struct mmsghdr msgs[BATCH_MESSAGES];
	union {
		struct cmsghdr align;
		uint8_t bytes[LISTEN_CONTROL];
	} control[BATCH_MESSAGES];
	struct iovec iov[2 * BATCH_BLOCKS];
	uint8_t headers[BATCH_BLOCKS][TFTP_HEADER_BYTES];
	uint8_t packets[BATCH_MESSAGES][BATCH_PACKET];
};

void batch_clear(struct batch *b);
bool batch_is_full(const struct batch *b);
/*
 * Begins a message that holds one packet which is not DATA: room for BATCH_PACKET bytes, which
 * batch_packet_end() then sends off.  The batch must not be full; *path must stay valid until it
 * has been sent, here and below.
 */
uint8_t *batch_packet(struct batch *b);
void batch_packet_end(struct batch *b, const struct listen_path *path, size_t n);

/* A run of consecutive blocks. */
struct batch_run {
	uint64_t block;      /* the first, as transfer.h counts */
	uint32_t count;      /* at least 1 */
	uint32_t blksize;    /* of all but perhaps the last */
	uint32_t last_bytes; /* of the last one of the run */
	const uint8_t *data; /* of the first; NULL if there is none */
	bool segmented;      /* try UDP_SEGMENT */
};
/* The number of a block on the wire. */
typedef uint16_t batch_wire_fn(const void *arg, uint64_t block);

/*
 * Adds one message with as many blocks of the run as go into one.  Returns their number; 0 when
 * the batch is full.
 */
uint32_t batch_blocks(struct batch *b, const struct listen_path *path, const struct batch_run *run,
    batch_wire_fn *wire, const void *arg);

/* Sends messages from `from` on: how many left, or a negative errno if the first did not. */
int batch_send(struct batch *b, int fd, size_t from);

#endif
