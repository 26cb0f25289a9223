/*
 * The body of an answer that goes from its file to the client without passing through the HTTP
 * engine.  One at a time belongs to a connection (tls.h, tls_body_begin()).
 */
#ifndef HTTPSBOOTD_DELIVERY_H
#define HTTPSBOOTD_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum delivery_end {
	DELIVERY_COMPLETE,
	DELIVERY_CLOSED,  /* by the client, or because the server ends */
	DELIVERY_STALLED, /* the client took nothing for too long */
	DELIVERY_BROKEN,  /* the file cannot be read, was changed, or does not come */
};

struct delivery {
	int fd; /* of the file; its owner closes it when all is over */
	uint64_t offset, left;
	/*
	 * The file must be as it was when the answer began: no client is to take half of an old
	 * file and half of a new one, written over it in place, for a file.
	 */
	bool stays;
	struct timespec mtime; /* of one that `stays` */
	/*
	 * A file that is still growing: how many octets from `offset` on are there by now;
	 * negative: the rest will not come.  After 0 it is not asked again before tls_body_go_on().
	 * NULL: all of them are there.
	 */
	int64_t (*ready)(struct delivery *d);
	/* All is over; called once, never from within tls_body_begin(). */
	void (*ended)(struct delivery *d, enum delivery_end end);
};

#endif
