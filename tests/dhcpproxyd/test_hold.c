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
	test_drops();
	return test_end();
}
