/*
 * What the HTTP engine gets of a client's octets.  Cut into pieces of any sizes they give the same
 * as in one, and what came out comes out unchanged when it is put in again: the gate and an engine
 * that is as strict as it can agree where each request ends.
 */
#include "httpsbootd/gate.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define MAX_HEAD 4096

struct result {
	uint8_t *out;
	size_t n;
	uint64_t number;
	enum reqhead_fault fault;
	bool part;
};

/* `step` octets at a time; with 0 it changes. */
static void
run(const uint8_t *data, size_t size, size_t step, struct result *ret)
{
	struct gate g = { 0 };
	size_t at = 0, turn = 7;

	ret->out = malloc(size + 256);
	ret->n = 0;
	MUST(ret->out != NULL);
	while (at < size) {
		size_t n = step != 0 ? step : 1 + (turn = turn * 31 + data[at]) % 50;
		uint8_t *copy, *room, *p;
		struct slice s;

		n = n < size - at ? n : size - at;
		p = copy = malloc(n); /* exact: reading on would be seen */
		room = malloc(n + GATE_ROOM);
		MUST(copy != NULL && room != NULL);
		memcpy(copy, data + at, n);
		at += n;
		while (gate_next(&g, MAX_HEAD, &p, &n, room, &s)) {
			MUST(s.n > 0 && ret->n + s.n <= size + 256);
			memcpy(ret->out + ret->n, s.p, s.n);
			ret->n += s.n;
		}
		MUST(n == 0 && !gate_is_broken(&g));
		MUST(g.held_n <= MAX_HEAD && (g.held == NULL || gate_has_part(&g)));
		free(copy);
		free(room);
	}
	ret->number = g.number;
	ret->fault = g.refused != NULL ? g.refused->fault : REQHEAD_FINE;
	ret->part = gate_has_part(&g);
	MUST((g.state == GATE_REFUSED) == (g.refused != NULL));
	MUST(g.refused == NULL || g.refused->number == g.number);
	gate_fini(&g);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result whole, parts, bytes, again;

	run(data, size, size + 1, &whole);
	run(data, size, 0, &parts);
	run(data, size, 1, &bytes);
	MUST(parts.n == whole.n && memcmp(parts.out, whole.out, whole.n) == 0);
	MUST(bytes.n == whole.n && memcmp(bytes.out, whole.out, whole.n) == 0);
	MUST(parts.number == whole.number && bytes.number == whole.number);
	MUST(parts.fault == whole.fault && bytes.fault == whole.fault);
	run(whole.out, whole.n, whole.n + 1, &again);
	MUST(again.n == whole.n && memcmp(again.out, whole.out, whole.n) == 0);
	MUST(again.number == whole.number && again.fault == REQHEAD_FINE && !again.part);
	free(whole.out);
	free(parts.out);
	free(bytes.out);
	free(again.out);
	return 0;
}
