/*
 * The head of a request, before the HTTP engine sees it: what is no HTTP/1.x, or leaves open where
 * the request ends, is found here.  The engine would take some of it for good, another version of
 * it the rest, and what it refuses it answers with a page of HTML.  Pure.
 */
#ifndef HTTPSBOOTD_REQHEAD_H
#define HTTPSBOOTD_REQHEAD_H

#include "common/wire.h"

enum reqhead_fault {
	REQHEAD_FINE,
	REQHEAD_LINE,        /* no request line */
	REQHEAD_VERSION,     /* not HTTP/1.x */
	REQHEAD_LONG_TARGET, /* the request line does not fit */
	REQHEAD_LARGE,       /* the head does not */
	REQHEAD_LINE_END,    /* a line feed without a carriage return */
	REQHEAD_NAME,        /* of a field: none, or no token */
	REQHEAD_VALUE,       /* of a field: a control character */
	REQHEAD_FOLDED,      /* a field on several lines */
	REQHEAD_LENGTH,      /* Content-Length is no number, or too large a one */
	REQHEAD_LENGTHS,     /* two lengths, or a length and a transfer coding */
	REQHEAD_CODING,      /* a transfer coding that is not known */
	REQHEAD_NO_HOST,     /* HTTP/1.1 without Host */
	REQHEAD_HOST,        /* two of them, or one that cannot be */
	REQHEAD_CHUNK,       /* of a body in chunks */
	REQHEAD_FAULTS,
};

/* "request-line", "http-version", ...: for logs. */
const char *reqhead_fault_name(enum reqhead_fault v);
/* The same for people, and the status of the answer. */
const char *reqhead_fault_words(enum reqhead_fault v);
unsigned reqhead_fault_status(enum reqhead_fault v);

enum reqhead_body {
	REQHEAD_NO_BODY,
	REQHEAD_OF_LENGTH,
	REQHEAD_IN_CHUNKS,
};

struct reqhead {
	enum reqhead_body body;
	uint64_t length; /* REQHEAD_OF_LENGTH */
	size_t fields;
};

/*
 * Looks for the end of the head at `p`.  *line is where the line begins that has no end yet, *seen
 * how far has been looked; both 0 at first, and kept for the next call with more octets.  The size
 * of the head with its empty line, or 0 if that is not there yet; -EBADMSG if a line does not end
 * with CR LF, -EPROTO if no request begins so.  An empty line alone is a head of 2 octets.
 */
int reqhead_find(const uint8_t *p, size_t n, size_t *line, size_t *seen);

/*
 * Checks a whole head, as reqhead_find() found it.  Blanks behind values go in front of them, and
 * Cookie gets a name that nobody looks for: the engine cannot do with the one, and makes a list of
 * the other, which nobody reads.  *ret is filled in if all is well.
 */
enum reqhead_fault reqhead_check(uint8_t *p, size_t n, struct reqhead *ret);

/*
 * Method and target of a head that is refused, as far as they can be told; empty where they cannot.
 * `p` need not be a whole head.
 */
void reqhead_guess(const uint8_t *p, size_t n, struct slice *ret_method, struct slice *ret_target);

#endif
