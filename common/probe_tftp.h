/* Asks a TFTP server for a file's first block, as a client would, to see whether it is there. */
#ifndef COMMON_PROBE_TFTP_H
#define COMMON_PROBE_TFTP_H

#include "common/ident.h"

struct probe_tftp {
	struct ipaddr server; /* IPv4 */
	uint16_t port;
	struct ipaddr from; /* own address to ask from; none: as the routes say */
	const char *name;
	uint32_t wait_ms; /* for all of it */
};

struct probe_result {
	bool good;
	uint64_t size;  /* of the whole; 0: not told */
	char text[400]; /* what is wrong */
};

/* Blocks until the answer is there or the time is over. */
void probe_tftp(const struct probe_tftp *ask, struct probe_result *ret);

#endif
