/* Tests of common/bus_events.c. */
#include "common/bus_events.h"

#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>

static uint8_t buf[64 << 10];

static int
add(struct bus_events *q)
{
	struct boot_event e = { .kind = EVENT_OFFER };

	return bus_events_add(q, &e, buf, sizeof(buf));
}

/* Packs one message; its last number, and how many events it holds. */
static uint64_t
pack(const struct bus_events *q, size_t max_bytes, size_t *ret_records)
{
	struct msg_writer w;
	uint64_t seq;

	msg_begin(&w, buf, sizeof(buf), MSG_EVENTS, 1);
	seq = bus_events_pack(q, &w, max_bytes);
	*ret_records = w.records;
	return seq;
}

static void
test_order(void)
{
	struct boot_event e = { .kind = EVENT_SCRIPT, .bytes = 5 }, got;
	struct bus_events q;
	struct msg_writer w;
	struct msg_reader r;
	size_t n;

	bus_events_init(&q);
	test_case("nothing queued: nothing is due, and a message has no number");
	CHECK(!bus_events_due(&q, 1));
	CHECK_INT(pack(&q, sizeof(buf), &n), 0);

	test_case("events are numbered from 1 and come out as they went in");
	CHECK_INT(bus_events_add(&q, &e, buf, sizeof(buf)), 0);
	CHECK_INT(e.seq, 1);
	CHECK_INT(add(&q), 0);
	msg_begin(&w, buf, sizeof(buf), MSG_EVENTS, 1);
	CHECK_INT(bus_events_pack(&q, &w, sizeof(buf)), 2);
	CHECK_INT(msg_open(&r, buf, msg_end(&w).n), 0);
	CHECK_INT(msg_get_event(&r, &got), 0);
	CHECK_INT(got.seq, 1);
	CHECK_INT(got.kind, EVENT_SCRIPT);
	CHECK_INT(msg_get_event(&r, &got), 0);
	CHECK_INT(got.seq, 2);

	test_case("one message at a time is under way");
	CHECK(bus_events_due(&q, 100));
	bus_events_sent(&q, 2, 100);
	CHECK(!bus_events_due(&q, 100 + BUS_ACK_MS - 1));

	test_case("without a confirmation it is due again after a while");
	CHECK(bus_events_due(&q, 100 + BUS_ACK_MS));

	test_case("it is due at once when its handlerd is gone");
	bus_events_resend(&q);
	CHECK(bus_events_due(&q, 101));

	test_case("what is confirmed in part keeps the rest, and waits for it");
	bus_events_sent(&q, 2, 200);
	CHECK(!bus_events_acked(&q, 1));
	CHECK_INT(q.n, 1);
	CHECK(!bus_events_due(&q, 201));

	test_case("what is confirmed whole leaves nothing");
	CHECK(!bus_events_acked(&q, 2));
	CHECK_INT(q.n, 0);
	CHECK_INT(q.bytes, 0);

	test_case("a confirmation of what never was is harmless");
	CHECK(!bus_events_acked(&q, 1000));
	CHECK_INT(add(&q), 0);
	CHECK_INT(pack(&q, sizeof(buf), &n), 3);
	bus_events_fini(&q);
}

static void
test_bounds(void)
{
	struct boot_event losses;
	struct bus_events q;
	int refused = 0;
	size_t n;

	bus_events_init(&q);
	test_case("a message holds a bounded number of events, and of bytes");
	for (size_t i = 0; i < BUS_EVENTS; i++)
		CHECK_INT(add(&q), 0);
	CHECK_INT(pack(&q, sizeof(buf), &n), BUS_EVENT_BATCH);
	CHECK_INT(n, BUS_EVENT_BATCH);
	CHECK(pack(&q, 100, &n) < BUS_EVENT_BATCH);
	CHECK(n > 0);

	test_case("events beyond the bound are lost, and told of when there is room");
	for (int i = 0; i < 5; i++)
		refused += add(&q) == -ENOBUFS;
	CHECK_INT(refused, 5);
	CHECK(bus_events_acked(&q, 1));
	losses = bus_events_losses(&q);
	CHECK_INT(losses.kind, EVENT_LOST);
	CHECK_INT(losses.bytes, 5);
	CHECK_INT(bus_events_add(&q, &losses, buf, sizeof(buf)), 0);
	CHECK(!bus_events_acked(&q, 1));

	test_case("numbers have no gap where events were lost");
	CHECK_INT(losses.seq, BUS_EVENTS + 1);

	test_case("an event larger than a message is lost, not queued");
	losses.text = (struct slice){ buf, sizeof(buf) };
	CHECK_INT(bus_events_add(&q, &losses, buf, 64), -ENOBUFS);
	bus_events_fini(&q);
}

int
main(void)
{
	test_order();
	test_bounds();
	return test_end();
}
