/* Tests of dhcpproxyd/hold.c and drops.c: replies that wait, and the line about what was dropped.
 */
#include "dhcpproxyd/drops.h"
#include "dhcpproxyd/hold.h"
#include "tests/test.h"

#include <errno.h>
#include <string.h>

struct got {
	struct loop *loop;
	unsigned n, want;
	uint8_t order[8];
};

static void
on_over(void *arg, const struct held *h)
{
	struct got *g = arg;

	CHECK_INT(h->bytes.n, 300);
	CHECK_INT(h->asker, h->bytes.p[0]);
	g->order[g->n++] = h->bytes.p[0];
	if (g->n == g->want)
		loop_stop(g->loop);
}

static void
test_holds(void)
{
	uint8_t bytes[300] = { 0 };
	struct held h = { .bytes = { bytes, sizeof(bytes) } };
	struct got g = { .want = 3 };
	struct holds *t;

	test_case("held: each goes when its time is over, and no more than the limit wait");
	CHECK_INT(loop_new(&g.loop), 0);
	CHECK_INT(holds_new(g.loop, 3, on_over, &g, &t), 0);
	for (uint8_t i = 1; i <= 3; i++) {
		h.asker = bytes[0] = i;
		CHECK_INT(holds_add(t, &h, 40u - i * 10u), 0);
	}
	CHECK_INT(holds_add(t, &h, 10), -ENOSPC);
	memset(bytes, 0, sizeof(bytes)); /* they are copies */
	CHECK_INT(loop_run(g.loop), 0);
	CHECK_INT(holds_count(t), 0);
	CHECK_BYTES(
	    ((struct slice){ g.order, 3 }), ((struct slice){ (const uint8_t[]){ 3, 2, 1 }, 3 }));

	test_case("held: what still waits at the end is dropped");
	CHECK_INT(holds_add(t, &h, 10000), 0);
	CHECK_INT(holds_add(t, &h, 10), 0);
	holds_free(t);
	holds_free(NULL);
	loop_free(g.loop);
}

static void
hold(struct holds *t, uint8_t mac, uint32_t xid, bool boot_port, bool admitted, uint64_t delay_ms)
{
	uint8_t bytes[300] = { mac };
	char file[] = "boot/x";
	struct held h = { .bytes = { bytes, sizeof(bytes) },
		.asker = mac,
		.admitted = admitted,
		.xid = xid,
		.mac = { 6, { 2, 0, 0, 0, 0, mac } },
		.boot_port = boot_port,
		.file = slice_str(file) };

	CHECK_INT(holds_add(t, &h, delay_ms), 0);
	memset(file, 0, sizeof(file)); /* it is a copy, too */
}

static enum hold_again
again(struct holds *t, uint8_t mac, uint32_t xid, bool boot_port)
{
	const struct macaddr m = { 6, { 2, 0, 0, 0, 0, mac } };

	return holds_again(t, &m, xid, boot_port);
}

static void
on_flushed(void *arg, const struct held *h)
{
	struct got *g = arg;

	CHECK(slice_is(h->file, "boot/x"));
	on_over(g, h);
}

static void
test_again(void)
{
	struct got g = { .want = 99 };
	struct holds *t;

	CHECK_INT(loop_new(&g.loop), 0);
	CHECK_INT(holds_new(g.loop, 8, on_flushed, &g, &t), 0);
	hold(t, 1, 7, true, true, 10000);
	hold(t, 2, 7, true, true, 10000);
	hold(t, 3, 7, false, false, 10000);

	test_case("held: a client that asks again finds its reply waiting");
	CHECK_INT(again(t, 1, 7, true), HOLD_SAME);
	CHECK_INT(again(t, 1, 7, true), HOLD_SAME);
	test_case("held: others, and replies that wait for other reasons, are not meant");
	CHECK_INT(again(t, 9, 7, true), HOLD_NONE);
	CHECK_INT(again(t, 3, 7, false), HOLD_NONE);
	CHECK_INT(holds_count(t), 3);
	test_case("held: one that begins anew has given the exchange before up");
	CHECK_INT(again(t, 1, 8, true), HOLD_DROPPED);
	CHECK_INT(again(t, 1, 8, true), HOLD_NONE);
	CHECK_INT(holds_count(t), 2);
	test_case("held: the offer is not the boot server's answer, even with one xid");
	hold(t, 1, 7, false, true, 10000);
	CHECK_INT(again(t, 1, 7, true), HOLD_DROPPED);
	CHECK_INT(holds_count(t), 2);
	test_case("held: at the end those of handlerd leave at once, the others wait on");
	hold(t, 4, 7, true, true, 10000);
	holds_flush(t);
	CHECK_INT(g.n, 2);
	CHECK_INT(holds_count(t), 1);
	CHECK_INT(again(t, 2, 7, true), HOLD_NONE);
	CHECK_INT(again(t, 4, 7, true), HOLD_NONE);
	holds_free(t);
	loop_free(g.loop);
}

struct counts {
	uint64_t a, b;
};

static const struct counter reasons[] = {
	{ "a", offsetof(struct counts, a), "too fast" },
	{ "b", offsetof(struct counts, b), "too long" },
	{ 0 },
};

static void
check_told(const struct counts *c, uint64_t *told, size_t n, const char *want)
{
	char text[128];
	struct wbuf w;

	wbuf_init(&w, text, sizeof(text) - 1);
	CHECK_INT(drops_tell(reasons, c, told, &w), n);
	text[w.used] = '\0';
	CHECK_STR(text, want);
}

static void
test_drops(void)
{
	uint64_t told[DROPS_REASONS] = { 0 };
	struct counts c = { 0 };

	test_case("dropped: nothing, nothing told");
	check_told(&c, told, 0, "");
	test_case("dropped: what was added since the last time, by reason");
	c.a = 12;
	check_told(&c, told, 1, "12 too fast");
	c = (struct counts){ 13, 3 };
	check_told(&c, told, 2, "1 too fast, 3 too long");
	check_told(&c, told, 0, "");
}

int
main(void)
{
	test_holds();
	test_again();
	test_drops();
	return test_end();
}
