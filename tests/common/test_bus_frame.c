/* Tests of common/bus_frame.c. */
#include "common/bus_frame.h"

#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
check_contents(struct slice message)
{
	bool same = true;

	for (size_t i = 0; i < message.n; i++)
		same = same && message.p[i] == (uint8_t)(message.n + i);
	CHECK(same);
}

/* Hands over what `stream` holds, so many octets at a time; how many messages came out of it. */
static int
take_in_pieces(const struct bus_buffer *stream, size_t piece, size_t sizes[static 8])
{
	struct bus_incoming in = { 0 };
	struct slice message;
	int n = 0, rc;

	for (size_t at = 0; at < stream->used || at == 0;) {
		size_t room;

		while ((rc = bus_frame_take(&in, &message)) == 0 && n < 8) {
			check_contents(message);
			sizes[n++] = message.n;
		}
		CHECK_INT(rc, -EAGAIN);
		bus_frame_rewind(&in);
		room = in.b.size - in.b.used;
		CHECK(room > 0);
		if (room > piece)
			room = piece;
		if (room > stream->used - at)
			room = stream->used - at;
		memcpy(in.b.p + in.b.used, stream->p + at, room);
		in.b.used += room;
		at += room;
	}
	while (bus_frame_take(&in, &message) == 0 && n < 8) {
		check_contents(message);
		sizes[n++] = message.n;
	}
	free(in.b.p);
	return n;
}

static void
put(struct bus_buffer *out, size_t n)
{
	uint8_t *text = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		text[i] = (uint8_t)(n + i);
	CHECK_INT(bus_frame_put(out, (struct slice){ text, n }), 0);
	free(text);
}

int
main(void)
{
	static const size_t pieces[] = { 1, 3, 4, 5, 7, 1000, 100000 };
	static const uint8_t long_one[] = { 0xff, 0, 0, 0, 'x' };
	struct bus_buffer out = { 0 };
	struct bus_incoming in = { 0 };
	struct slice message, huge;
	size_t sizes[8] = { 0 };

	test_case("messages come out as they went in, however the stream is cut");
	put(&out, 0);
	put(&out, 1);
	put(&out, 700);
	put(&out, 70000);
	for (size_t i = 0; i < NITEMS(pieces); i++) {
		CHECK_INT(take_in_pieces(&out, pieces[i], sizes), 4);
		CHECK_INT(sizes[0], 0);
		CHECK_INT(sizes[1], 1);
		CHECK_INT(sizes[2], 700);
		CHECK_INT(sizes[3], 70000);
	}

	test_case("a length beyond any message is refused before there is memory for it");
	CHECK_INT(bus_buffer_grow(&in.b, 64), 0);
	memcpy(in.b.p, long_one, sizeof(long_one));
	in.b.used = sizeof(long_one);
	CHECK_INT(bus_frame_take(&in, &message), -EBADMSG);
	CHECK_INT(in.b.size, 64);

	test_case("what waits to be sent has a bound");
	huge = (struct slice){ calloc(1, MSG_MAX_BYTES), MSG_MAX_BYTES };
	out.used = 0;
	CHECK_INT(bus_frame_put(&out, huge), 0);
	CHECK_INT(bus_frame_put(&out, huge), -EAGAIN);
	CHECK_INT(out.used, MSG_MAX_BYTES + 4);
	free((void *)(uintptr_t)huge.p);
	free(in.b.p);
	free(out.p);
	return test_end();
}
