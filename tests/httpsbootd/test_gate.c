/* Tests of httpsbootd/gate.c. */
#include "httpsbootd/gate.h"

#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#define MAX_HEAD   4096
#define TEXT(s)    s, sizeof(s) - 1
#define GET        "GET /f HTTP/1.1\r\nHost: x\r\n\r\n"
#define FORM       "POST /2PXE/boot HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\na=b&c"
#define CHUNKED    "POST /2PXE/boot HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
#define IN_PLACE   "GET / HTTP/1.1\r\nHost: refused\r\n\r\n"
#define HEAD_PLACE "HEAD / HTTP/1.1\r\nHost: refused\r\n\r\n"

static const struct {
	const char *what, *in;
	size_t n;
	const char *out;
	uint64_t number; /* of requests */
	enum reqhead_fault fault;
	const char *method, *target;
} cases[] = {
	{ "a request", TEXT(GET), GET, 1, 0, NULL, NULL },
	{ "a form", TEXT(FORM), FORM, 1, 0, NULL, NULL },
	{ "several at once", TEXT(GET FORM GET), GET FORM GET, 3, 0, NULL, NULL },
	{ "empty lines before and between", TEXT("\r\n\r\n" FORM "\r\n" GET), FORM GET, 2, 0, NULL,
	    NULL },
	{ "chunks", TEXT(CHUNKED "5\r\na=b&c\r\n1\r\nd\r\n0\r\n\r\n" GET),
	    CHUNKED "5\r\na=b&c\r\n1\r\nd\r\n0\r\n\r\n" GET, 2, 0, NULL, NULL },
	{ "what nobody reads of chunks is left out",
	    TEXT(CHUNKED "005;x=\"y\"\r\na=b&c\r\n1 ;x\r\nd\r\n00\r\nX: y\r\nZ:\r\n\r\n" GET),
	    CHUNKED "5\r\na=b&c\r\n1\r\nd\r\n0\r\n\r\n" GET, 2, 0, NULL, NULL },
	{ "a head that is none", TEXT(GET "GET /g HTTP/1.1\r\n\r\n" GET), GET IN_PLACE, 2,
	    REQHEAD_NO_HOST, "GET", "/g" },
	{ "HEAD stays HEAD", TEXT("HEAD /g HTTP/1.1\r\n\r\n"), HEAD_PLACE, 1, REQHEAD_NO_HOST,
	    "HEAD", "/g" },
	{ "a length with a NUL",
	    TEXT("POST /g HTTP/1.1\r\nHost: x\r\nContent-Length: 5\0\r\n\r\n" GET), IN_PLACE, 1,
	    REQHEAD_VALUE, "POST", "/g" },
	{ "a line feed", TEXT("GET /g HTTP/1.1\nHost: x\n\n"), IN_PLACE, 1, REQHEAD_LINE_END, "GET",
	    NULL },
	{ "TLS", TEXT("\x16\x03\x01\x02"), IN_PLACE, 1, REQHEAD_LINE, "", "" },
	{ "a form of more than it says", TEXT(FORM "=d" GET), FORM IN_PLACE, 2, REQHEAD_LINE, "",
	    "" },
	{ "a chunk's size that is none", TEXT(CHUNKED "5\r\na=b&c\r\nx\r\nd\r\n0\r\n\r\n" GET),
	    CHUNKED "5\r\na=b&c\r\n0\r\n\r\n", 1, REQHEAD_CHUNK, "", "" },
	{ "no size", TEXT(CHUNKED "\r\n"), CHUNKED "0\r\n\r\n", 1, REQHEAD_CHUNK, "", "" },
	{ "less than nothing", TEXT(CHUNKED "-1\r\n"), CHUNKED "0\r\n\r\n", 1, REQHEAD_CHUNK, "",
	    "" },
	{ "hexadecimal in C's way", TEXT(CHUNKED "0x5\r\n"), CHUNKED "0\r\n\r\n", 1, REQHEAD_CHUNK,
	    "", "" },
	{ "the largest size", TEXT(CHUNKED "fffffffffffffff\r\na"), CHUNKED "fffffffffffffff\r\na",
	    1, 0, NULL, NULL },
	{ "a larger one", TEXT(CHUNKED "1fffffffffffffff\r\na"), CHUNKED "0\r\n\r\n", 1,
	    REQHEAD_CHUNK, "", "" },
	{ "a chunk that does not end where it says", TEXT(CHUNKED "3\r\na=b&c\r\n0\r\n\r\n"),
	    CHUNKED "3\r\na=b\r\n0\r\n\r\n", 1, REQHEAD_CHUNK, "", "" },
	{ "a carriage return alone behind a chunk", TEXT(CHUNKED "3\r\na=b\r0\r\n\r\n"),
	    CHUNKED "3\r\na=b\r\n0\r\n\r\n", 1, REQHEAD_CHUNK, "", "" },
	{ "a line feed alone behind a size", TEXT(CHUNKED "3\na=b\r\n0\r\n\r\n"),
	    CHUNKED "0\r\n\r\n", 1, REQHEAD_CHUNK, "", "" },
	{ "a line feed in an extension", TEXT(CHUNKED "3;a\nb\r\na=b\r\n0\r\n\r\n"),
	    CHUNKED "0\r\n\r\n", 1, REQHEAD_CHUNK, "", "" },
	{ "a NUL in a trailer", TEXT(CHUNKED "0\r\nX: \0\r\n\r\n"), CHUNKED "0\r\n\r\n", 1,
	    REQHEAD_CHUNK, "", "" },
	{ "half a head is kept", TEXT(GET "GET /g HTTP/1.1\r\nHo"), GET, 1, 0, NULL, NULL },
};

/* Puts `n` octets in, and what comes out behind *used octets at `out`. */
static void
put(struct gate *g, const void *in, size_t n, char *out, size_t *used)
{
	uint8_t *copy = malloc(n + 1), *room = malloc(n + GATE_ROOM),
		*p = copy; /* exact: for ASan */
	struct slice s;

	memcpy(copy, in, n);
	while (gate_next(g, MAX_HEAD, &p, &n, room, &s)) {
		memcpy(out + *used, s.p, s.n);
		*used += s.n;
	}
	CHECK_INT(n, 0);
	out[*used] = '\0';
	free(copy);
	free(room);
}

static void
check_end(const struct gate *g, size_t i, const char *out)
{
	CHECK_STR(out, cases[i].out);
	CHECK_INT(g->number, cases[i].number);
	CHECK(!gate_is_broken(g));
	CHECK_INT(g->refused != NULL ? g->refused->fault : REQHEAD_FINE, cases[i].fault);
	if (g->refused == NULL)
		return;
	CHECK_INT(g->refused->number, cases[i].number);
	CHECK_INT(g->refused->in_body, cases[i].fault == REQHEAD_CHUNK);
	CHECK_STR(g->refused->method, cases[i].method);
	if (cases[i].target != NULL)
		CHECK_STR(g->refused->target, cases[i].target);
}

static void
test_rows(void)
{
	static char out[4096];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		size_t n = cases[i].n, used = 0;
		struct gate g = { 0 };

		test_case("gate: %s", cases[i].what);
		put(&g, cases[i].in, n, out, &used);
		check_end(&g, i, out);
		gate_fini(&g);

		test_case("gate: %s, cut in two anywhere", cases[i].what);
		for (size_t k = 0; k <= n; k++) {
			g = (struct gate){ 0 };
			used = 0;
			put(&g, cases[i].in, k, out, &used);
			put(&g, cases[i].in + k, n - k, out, &used);
			/* at the first octet that is wrong no more of the line is known */
			if (cases[i].target != NULL && g.refused != NULL &&
			    strlen(g.refused->target) < strlen(cases[i].target))
				(void)strcpy(g.refused->target, cases[i].target);
			check_end(&g, i, out);
			gate_fini(&g);
		}

		test_case("gate: %s, a byte at a time", cases[i].what);
		g = (struct gate){ 0 };
		used = 0;
		for (size_t k = 0; k < n; k++)
			put(&g, cases[i].in + k, 1, out, &used);
		check_end(&g, i, out);
		gate_fini(&g);
	}
}

/* `n` octets of `piece`, `step` at a time, behind `begin`. */
static enum reqhead_fault
fault_of_many(const char *begin, const char *piece, size_t n, size_t step)
{
	size_t size = strlen(begin), used = 0, k = strlen(piece);
	char *in = malloc(size + n), *out = malloc(2 * (size + n) + 64);
	enum reqhead_fault fault;
	struct gate g = { 0 };

	for (size_t i = 0; i < size + n; i++)
		in[i] = i < size ? begin[i] : piece[(i - size) % k];
	for (size_t at = 0; at < size + n; at += step)
		put(&g, in + at, step < size + n - at ? step : size + n - at, out, &used);
	fault = g.refused != NULL ? g.refused->fault : REQHEAD_FINE;
	CHECK(g.held_n <= MAX_HEAD);
	gate_fini(&g);
	free(in);
	free(out);
	return fault;
}

static void
test_limits(void)
{
	static const struct {
		const char *what, *begin, *piece;
		size_t n;
		enum reqhead_fault fault;
	} limits[] = {
		{ "a target without an end", "GET /", "a", 100000, REQHEAD_LONG_TARGET },
		{ "fields without an end", "GET / HTTP/1.1\r\n", "X: y\r\n", 100000,
		    REQHEAD_LARGE },
		{ "one field without an end", "GET / HTTP/1.1\r\nX: ", "a", 100000, REQHEAD_LARGE },
		{ "empty lines without an end", "", "\r\n", 100000, REQHEAD_LINE },
		{ "some empty lines", "", "\r\n", 100, REQHEAD_FINE },
		{ "extensions without an end", CHUNKED, "1;abcdefgh\r\na\r\n", 100000,
		    REQHEAD_CHUNK },
		{ "trailers without an end", CHUNKED "0\r\n", "X: y\r\n", 100000, REQHEAD_CHUNK },
		{ "chunks without an end", CHUNKED, "1\r\na\r\n", 100002, REQHEAD_FINE },
	};

	for (size_t i = 0; i < NITEMS(limits); i++) {
		test_case("gate: %s", limits[i].what);
		for (size_t step = 1; step <= 100000; step *= 10)
			CHECK_INT(
			    fault_of_many(limits[i].begin, limits[i].piece, limits[i].n, step),
			    limits[i].fault);
	}
}

static void
test_part(void)
{
	struct gate g = { 0 };
	char out[512];
	size_t used = 0;

	test_case("gate: it tells of a head that has begun");
	CHECK(!gate_has_part(&g));
	put(&g, TEXT(GET), out, &used);
	CHECK(!gate_has_part(&g));
	put(&g, TEXT(GET "G"), out, &used);
	CHECK(gate_has_part(&g));
	put(&g, TEXT("ET /f HTTP/1.1\r\nHost: x\r\n\r\n"), out, &used);
	CHECK(!gate_has_part(&g));
	CHECK(g.held == NULL); /* an idle connection keeps nothing */
	CHECK_STR(out, GET GET GET);
	gate_fini(&g);
}

int
main(void)
{
	test_rows();
	test_limits();
	test_part();
	return test_end();
}
