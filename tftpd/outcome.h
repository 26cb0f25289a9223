/*
 * How a transfer ended, in plain words for those who look after the network: what happened, and
 * what that usually means.  Pure.
 */
#ifndef TFTPD_OUTCOME_H
#define TFTPD_OUTCOME_H

#include "tftpd/transfer.h"

#define OUTCOME_TEXT_SIZE 240

struct outcome {
	const struct transfer *t;
	enum transfer_result result;
	uint64_t size;           /* of the file */
	uint16_t error;          /* code of the client's ERROR, for TRANSFER_ABORTED */
	struct slice error_text; /* as it came */
	/* the ports that transfers leave from, as configured; 0: any */
	uint16_t first_port, last_port;
	/* paths_learn() sets it: what the client's next request is offered; 0: as before */
	uint32_t next_blksize;
};

/* The first block's bytes. */
uint32_t outcome_first_bytes(const struct outcome *o);

/* The words, cut to the buffer; none for a transfer of which there is nothing to say. */
const char *outcome_text(const struct outcome *o, char buf[static OUTCOME_TEXT_SIZE]);

#endif
