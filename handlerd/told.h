/*
 * What was told once and need not be told again: a set of names of bounded size.  When it is full,
 * it says so once and takes no more, so that a client that makes names up fills neither the memory
 * nor the log.  Pure.
 */
#ifndef HANDLERD_TOLD_H
#define HANDLERD_TOLD_H

#include "common/wire.h"

#define TOLD_MAX 256

struct told {
	uint64_t names[2 * TOLD_MAX]; /* hashes; 0: free */
	size_t n;
	bool full_told;
};

enum told_state {
	TOLD_NEW,  /* tell it */
	TOLD_FULL, /* tell that nothing more will be told */
	TOLD_OVER, /* it was told, or there is no room */
};

/* All zero is an empty set. */
enum told_state told_note(struct told *t, const char *name);

#endif
