/*
 * Reads captured packets from a file as tcpdump writes it (classic pcap, either byte order, micro-
 * or nanoseconds), for explaining what would be answered to them.  It takes Ethernet (tagged or
 * not), Linux "cooked" captures of both versions, and raw IP; IPv4 without fragments.
 */
#ifndef FERRYCTL_CAPTURE_H
#define FERRYCTL_CAPTURE_H

#include "common/wire.h"

#define CAPTURE_FRAME_MAX 262144       /* tcpdump's own limit */
#define CAPTURE_FILE_MAX  (256u << 20) /* bytes of a file that are read */

/* The UDP datagram of a frame. */
struct capture_packet {
	unsigned number; /* of the frame in its file, as Wireshark counts: from 1 */
	uint64_t at_us;  /* since 1970 */
	uint8_t from[4], to[4];
	uint16_t from_port, to_port;
	struct slice payload; /* valid while the file's bytes are; shorter if it was cut */
	bool cut;             /* the capture did not keep the whole frame */
};

/* Is called with each datagram to port 67 or 4011; anything but 0 ends the reading. */
typedef int capture_fn(void *arg, const struct capture_packet *p);

/*
 * Calls `fn` for the datagrams in the bytes of a file.  0; what `fn` returned, if that was not 0;
 * -EBADMSG: not a pcap file, or broken after the datagrams that were given (a record that is cut
 * off at the end of the file is not an error: tcpdump was ended there); -EPROTONOSUPPORT: of a
 * link type that is not taken, or pcapng.
 */
int capture_parse(struct slice file, capture_fn *fn, void *arg);

/* The same for a file; -EFBIG: larger than CAPTURE_FILE_MAX; or what opening and reading it gave.
 */
int capture_read(const char *path, capture_fn *fn, void *arg);

#endif
