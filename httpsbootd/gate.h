/*
 * What of a client's octets the HTTP engine gets: whole heads that are proper HTTP/1.x, and the
 * bodies that these promise.  For anything else it gets a request of ours, so that its answer comes
 * behind those to the requests before, and nothing of what follows.  Pure.
 */
#ifndef HTTPSBOOTD_GATE_H
#define HTTPSBOOTD_GATE_H

#include "httpsbootd/reqhead.h"

#define GATE_TARGET_MAX 1024 /* of a refused request's target that is kept */
/* More than what was taken in this many octets may come out at once, of a body in chunks. */
#define GATE_ROOM 32

/* The request behind which nothing is read. */
struct gate_refused {
	enum reqhead_fault fault;
	uint64_t number; /* of the request, from 1 on */
	bool in_body;    /* the engine has its head, and was given the end of its body */
	char method[16];
	char target[GATE_TARGET_MAX + 1];
};

enum gate_state {
	GATE_HEAD,
	GATE_BODY,
	GATE_CHUNK_SIZE,
	GATE_CHUNK_EXTENSION,
	GATE_CHUNK_SIZE_LF,
	GATE_CHUNK_DATA,
	GATE_CHUNK_DATA_CR,
	GATE_CHUNK_DATA_LF,
	GATE_TRAILER_BEGIN,
	GATE_TRAILER,
	GATE_TRAILER_LF,
	GATE_END_LF,
	GATE_REFUSED,
};

struct gate {
	enum gate_state state;
	bool passed;     /* `held` has been given out */
	uint64_t number; /* of the request whose octets come now, or came last */
	uint64_t left;   /* of a body or a chunk */
	size_t digits;   /* of a chunk's size */
	size_t idle;     /* octets that are of no use: empty lines, extensions, trailers */
	uint8_t *held;   /* a head whose end has not come; NULL: none */
	size_t held_n, held_size, line, seen;
	struct gate_refused *refused; /* NULL: nothing was */
};

/*
 * Takes octets off the front of the *n at *p and gives out what the engine is to get of them, valid
 * until the next call or until the input is overwritten.  True if there is any; to be called until
 * it is not.  The input may be changed in place, and `room` has GATE_ROOM octets more than it.  A
 * head may be of `max_head` octets, with what it costs the engine.
 */
bool gate_next(
    struct gate *g, size_t max_head, uint8_t **p, size_t *n, uint8_t *room, struct slice *ret);
/* True if there was no memory: the connection is to be closed. */
bool gate_is_broken(const struct gate *g);
/* True if a head has begun and not ended. */
bool gate_has_part(const struct gate *g);
void gate_fini(struct gate *g);

#endif
