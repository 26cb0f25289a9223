/*
 * The body of an answer that goes from its file to the client without passing through the HTTP
 * engine.  One at a time belongs to a connection (tls.h, tls_body_begin()).
 */
#ifndef HTTPSBOOTD_DELIVERY_H
#define HTTPSBOOTD_DELIVERY_H

#include <stdint.h>

enum delivery_end {
	DELIVERY_COMPLETE,
	DELIVERY_CLOSED,  /* by the client, or because the server ends */
	DELIVERY_STALLED, /* the client took nothing for too long */
	DELIVERY_BROKEN,  /* the file cannot be read, or has become shorter */
};

struct delivery {
	int fd; /* of the file; its owner closes it when all is over */
	uint64_t offset, left;
	/* All is over; called once, never from within tls_body_begin(). */
	void (*ended)(struct delivery *d, enum delivery_end end);
};

#endif
