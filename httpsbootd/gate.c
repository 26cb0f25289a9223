/* See gate.h. */
#include "httpsbootd/gate.h"

#include "common/hex.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the engine keeps of a head besides its octets, in the same memory: */
#define FIELD_BYTES  96   /* for each field, */
#define ANSWER_BYTES 1024 /* and the head of its answer */
#define HELD_BYTES   1024 /* at first */
#define CHUNK_DIGITS 15   /* of a chunk's size, so that it fits into 64 bits */

bool
gate_has_part(const struct gate *g)
{
	return g->held != NULL && !g->passed;
}

bool
gate_is_broken(const struct gate *g)
{
	return g->state == GATE_REFUSED && g->refused == NULL;
}

static void
let_go(struct gate *g)
{
	free(g->held);
	g->held = NULL;
	g->held_n = g->held_size = g->line = g->seen = 0;
	g->passed = false;
}

void
gate_fini(struct gate *g)
{
	let_go(g);
	free(g->refused);
	g->refused = NULL;
}

static void
note_refused(struct gate *g, enum reqhead_fault fault)
{
	g->state = GATE_REFUSED;
	g->idle = 0;
	g->refused = calloc(1, sizeof(*g->refused));
	if (g->refused == NULL)
		return;
	g->refused->fault = fault;
	g->refused->number = g->number;
}

/* In place of a head; false if there is no memory. */
static bool
refuse_head(
    struct gate *g, enum reqhead_fault fault, const uint8_t *head, size_t n, struct slice *ret)
{
	struct slice method, target;

	g->number++;
	note_refused(g, fault);
	if (g->refused == NULL)
		return false;
	reqhead_guess(head, n, &method, &target);
	(void)slice_copy(g->refused->method, sizeof(g->refused->method), method);
	(void)slice_copy(g->refused->target, sizeof(g->refused->target), target);
	*ret = slice_str(slice_is(method, "HEAD") ? "HEAD / HTTP/1.1\r\nHost: refused\r\n\r\n"
						  : "GET / HTTP/1.1\r\nHost: refused\r\n\r\n");
	let_go(g); /* where `head` may be */
	return true;
}

/* Keeps n octets more of a head; false if there is no memory. */
static bool
hold(struct gate *g, const uint8_t *p, size_t n)
{
	size_t size = g->held_size == 0 ? HELD_BYTES : g->held_size;
	uint8_t *held;

	while (size < g->held_n + n)
		size *= 2;
	if (g->held == NULL || size > g->held_size) {
		held = realloc(g->held, size);
		if (held == NULL)
			return false;
		g->held = held;
		g->held_size = size;
	}
	memcpy(g->held + g->held_n, p, n);
	g->held_n += n;
	return true;
}

static enum reqhead_fault
fault_of_find(int rc)
{
	return rc == -EPROTO ? REQHEAD_LINE : REQHEAD_LINE_END;
}

/* Octets that a head may have; one more is looked at. */
static size_t
limit_of(size_t max_head)
{
	return max_head > ANSWER_BYTES ? max_head - ANSWER_BYTES : 0;
}

/* Of a head that does not fit; `line` is where the line begins that has no end yet. */
static enum reqhead_fault
fault_of_size(size_t line)
{
	return line == 0 ? REQHEAD_LONG_TARGET : REQHEAD_LARGE;
}

/* A whole head; what follows it comes next. */
static bool
pass_head(struct gate *g, size_t max_head, uint8_t *head, size_t n, struct slice *ret)
{
	size_t limit = limit_of(max_head);
	enum reqhead_fault fault;
	struct reqhead h;

	if (n > limit) {
		const uint8_t *line = memchr(head, '\n', limit);

		fault = fault_of_size(line != NULL ? (size_t)(line - head) : 0);
	} else {
		fault = reqhead_check(head, n, &h);
		if (fault == REQHEAD_FINE && n + h.fields * FIELD_BYTES > limit)
			fault = REQHEAD_LARGE;
	}
	if (fault != REQHEAD_FINE)
		return refuse_head(g, fault, head, n, ret);
	g->number++;
	g->idle = 0;
	g->left = h.body == REQHEAD_OF_LENGTH ? h.length : 0;
	g->digits = 0;
	g->state = h.body == REQHEAD_IN_CHUNKS ? GATE_CHUNK_SIZE
	           : g->left > 0               ? GATE_BODY
	                                       : GATE_HEAD;
	*ret = (struct slice){ head, n };
	return true;
}

/* RFC 9112 section 2.2: empty lines before a request are nothing.  False if they are too many. */
static bool
pass_empty_line(struct gate *g, size_t max_head)
{
	g->idle += 2;
	return g->idle <= max_head;
}

/* A head that lies in the input as a whole, as nearly all do. */
static bool
next_whole(struct gate *g, size_t max_head, uint8_t **p, size_t *n, struct slice *ret)
{
	while (*n > 0) {
		size_t line = 0, seen = 0, limit = limit_of(max_head);
		size_t k = *n > limit ? limit + 1 : *n;
		uint8_t *head = *p;
		int rc = reqhead_find(head, k, &line, &seen);

		if (rc < 0)
			return refuse_head(g, fault_of_find(rc), head, k, ret);
		if (rc == 0) {
			if (k > limit)
				return refuse_head(g, fault_of_size(line), head, k, ret);
			if (!hold(g, head, *n)) {
				note_refused(g, REQHEAD_LARGE);
				gate_fini(g);
				return false;
			}
			g->line = line;
			g->seen = seen;
			*n = 0;
			return false;
		}
		*p += rc;
		*n -= (size_t)rc;
		if (rc > 2)
			return pass_head(g, max_head, head, (size_t)rc, ret);
		if (!pass_empty_line(g, max_head))
			return refuse_head(g, REQHEAD_LINE, head, 0, ret);
	}
	return false;
}

/* The next part of a head that has begun in an earlier input. */
static bool
next_part(struct gate *g, size_t max_head, uint8_t **p, size_t *n, struct slice *ret)
{
	size_t limit = limit_of(max_head), had = g->held_n, k = *n;
	int rc;

	if (had + k > limit)
		k = limit + 1 - had;
	if (!hold(g, *p, k)) {
		note_refused(g, REQHEAD_LARGE);
		gate_fini(g);
		return false;
	}
	rc = reqhead_find(g->held, g->held_n, &g->line, &g->seen);
	if (rc < 0)
		return refuse_head(g, fault_of_find(rc), g->held, g->held_n, ret);
	if (rc == 0 && g->held_n > limit)
		return refuse_head(g, fault_of_size(g->line), g->held, g->held_n, ret);
	if (rc > 0)
		k = (size_t)rc - had;
	*p += k;
	*n -= k;
	if (rc == 0)
		return false;
	if (rc == 2) {
		let_go(g);
		return pass_empty_line(g, max_head) ? next_whole(g, max_head, p, n, ret)
		                                    : refuse_head(g, REQHEAD_LINE, *p, 0, ret);
	}
	g->passed = true;
	return pass_head(g, max_head, g->held, (size_t)rc, ret);
}

/* --- bodies in chunks (RFC 9112 section 7.1) ------------------------------------------------ */

static bool
is_printing(uint8_t c)
{
	return c == '\t' || (c >= ' ' && c != 0x7f);
}

/*
 * The state behind an octet outside of the chunks' own content, or GATE_REFUSED.  What nobody reads
 * (extensions, trailers) is left out: the engine gets the plain form.
 */
static enum gate_state
step(struct gate *g, uint8_t c, struct wbuf *w)
{
	int digit;

	switch (g->state) {
	case GATE_CHUNK_SIZE:
		digit = hex_digit(c);
		if (digit >= 0) {
			g->left = g->left << 4 | (uint64_t)digit;
			return ++g->digits <= CHUNK_DIGITS ? GATE_CHUNK_SIZE : GATE_REFUSED;
		}
		if (g->digits == 0)
			return GATE_REFUSED;
		if (c == '\r')
			return GATE_CHUNK_SIZE_LF;
		return c == ';' || c == ' ' || c == '\t' ? GATE_CHUNK_EXTENSION : GATE_REFUSED;
	case GATE_CHUNK_EXTENSION:
		g->idle++;
		if (c == '\r')
			return GATE_CHUNK_SIZE_LF;
		return is_printing(c) ? GATE_CHUNK_EXTENSION : GATE_REFUSED;
	case GATE_CHUNK_SIZE_LF:
		if (c != '\n')
			return GATE_REFUSED;
		if (g->left == 0)
			return GATE_TRAILER_BEGIN;
		wbuf_printf(w, "%llx\r\n", (unsigned long long)g->left);
		return GATE_CHUNK_DATA;
	case GATE_CHUNK_DATA_CR: return c == '\r' ? GATE_CHUNK_DATA_LF : GATE_REFUSED;
	case GATE_CHUNK_DATA_LF:
		if (c != '\n')
			return GATE_REFUSED;
		wbuf_str(w, "\r\n");
		g->digits = 0;
		return GATE_CHUNK_SIZE;
	case GATE_TRAILER_BEGIN:
		if (c == '\r')
			return GATE_END_LF;
		return is_printing(c) ? GATE_TRAILER : GATE_REFUSED;
	case GATE_TRAILER:
		g->idle++;
		if (c == '\r')
			return GATE_TRAILER_LF;
		return is_printing(c) ? GATE_TRAILER : GATE_REFUSED;
	case GATE_TRAILER_LF: return c == '\n' ? GATE_TRAILER_BEGIN : GATE_REFUSED;
	case GATE_END_LF:
		if (c != '\n')
			return GATE_REFUSED;
		wbuf_str(w, "0\r\n\r\n");
		return GATE_HEAD;
	default: return GATE_REFUSED;
	}
}

/* The engine gets the end of the body, so that the request can be answered. */
static void
refuse_chunk(struct gate *g, enum gate_state at, struct wbuf *w)
{
	note_refused(g, REQHEAD_CHUNK);
	if (g->refused != NULL)
		g->refused->in_body = true;
	wbuf_str(w,
	    at == GATE_CHUNK_DATA_CR || at == GATE_CHUNK_DATA_LF ? "\r\n0\r\n\r\n" : "0\r\n\r\n");
}

static bool
next_chunks(
    struct gate *g, size_t max_head, uint8_t **p, size_t *n, uint8_t *room, struct slice *ret)
{
	struct wbuf w;

	wbuf_init(&w, room, *n + GATE_ROOM);
	while (*n > 0 && g->state != GATE_HEAD && g->state != GATE_REFUSED) {
		enum gate_state at = g->state;
		size_t k = 1;

		if (at == GATE_CHUNK_DATA) {
			k = g->left < *n ? (size_t)g->left : *n;
			wbuf_bytes(&w, *p, k);
			g->left -= k;
			g->state = g->left > 0 ? GATE_CHUNK_DATA : GATE_CHUNK_DATA_CR;
		} else {
			g->state = step(g, **p, &w);
			if (g->state == GATE_REFUSED || g->idle > max_head)
				refuse_chunk(g, at, &w);
		}
		*p += k;
		*n -= k;
	}
	if (g->state == GATE_HEAD)
		g->idle = 0;
	*ret = wbuf_view(&w);
	return ret->n > 0;
}

bool
gate_next(struct gate *g, size_t max_head, uint8_t **p, size_t *n, uint8_t *room, struct slice *ret)
{
	if (g->passed)
		let_go(g);
	switch (g->state) {
	case GATE_HEAD:
		return g->held == NULL ? next_whole(g, max_head, p, n, ret)
		                       : next_part(g, max_head, p, n, ret);
	case GATE_BODY: {
		size_t k = g->left < *n ? (size_t)g->left : *n;

		*ret = (struct slice){ *p, k };
		*p += k;
		*n -= k;
		g->left -= k;
		if (g->left == 0)
			g->state = GATE_HEAD;
		return k > 0;
	}
	case GATE_REFUSED:
		g->idle += *n;
		*n = 0;
		return false;
	default: return next_chunks(g, max_head, p, n, room, ret);
	}
}
