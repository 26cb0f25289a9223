/* Tests of handlerd/loops.c: who is in a loop, and for how long. */
#include "handlerd/loops.h"

#include "tests/test.h"

static const uint64_t key[2] = { 5, 6 };
static const struct macaddr a = { 6, { 2, 0, 0, 0, 0, 1 } }, b = { 6, { 2, 0, 0, 0, 0, 2 } };

#define NOW UINT64_C(1700000000000)

static void
test_counting(void)
{
	static const struct {
		const char *what;
		struct loops_conf conf;
		unsigned n, every_ms; /* fetches */
		unsigned held_at;     /* the fetch that does it; 0: none */
	} cases[] = {
		{ "four within a minute", { 4, 60, 300 }, 10, 15000, 4 },
		{ "at once", { 4, 60, 300 }, 10, 0, 4 },
		{ "one every 20 s: the fourth is there within 60 s", { 4, 60, 300 }, 4, 20000, 4 },
		{ "one every 21 s: never four within 60 s", { 4, 60, 300 }, 50, 21000, 0 },
		{ "two boots an hour", { 4, 60, 300 }, 100, 1800000, 0 },
		{ "no guard", { 0, 60, 300 }, 100, 0, 0 },
		{ "the very first", { 1, 60, 300 }, 3, 0, 1 },
		{ "as many as there may be", { LOOPS_FETCHES_MAX, 60, 300 }, 40, 10,
		    LOOPS_FETCHES_MAX },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct loops *t;
		unsigned held_at = 0;

		test_case("fetches: %s", cases[i].what);
		CHECK_INT(loops_new(64, key, &t), 0);
		for (unsigned n = 1; n <= cases[i].n && held_at == 0; n++) {
			if (loops_fetched(t, &cases[i].conf, &a, slice_str("boot/x64/ipxe.efi"),
				NOW + (n - 1) * (uint64_t)cases[i].every_ms))
				held_at = n;
		}
		CHECK_INT(held_at, cases[i].held_at);
		loops_free(t);
	}
}

static void
fetch(struct loops *t, const struct macaddr *mac, const char *path, unsigned n, uint64_t now_ms)
{
	const struct loops_conf conf = { 4, 60, 300 };

	while (n-- > 0)
		(void)loops_fetched(t, &conf, mac, slice_str(path), now_ms);
}

static void
test_holding(void)
{
	uint64_t since_ms, until_ms;
	struct macaddr mac;
	struct loops *t;
	size_t at = 0;

	CHECK_INT(loops_new(1024, key, &t), 0);
	test_case("held: loaders and machines are counted apart");
	fetch(t, &a, "boot/x64/ipxe.efi", 3, NOW);
	fetch(t, &a, "boot/x64/snponly.efi", 3, NOW);
	fetch(t, &b, "boot/x64/ipxe.efi", 3, NOW);
	CHECK_INT(loops_held_until(t, &a, NOW), 0);
	CHECK(!loops_next(t, &at, NOW, &mac, &since_ms, &until_ms));

	test_case("held: the machine, not the loader, and only that one");
	fetch(t, &a, "boot/x64/ipxe.efi", 1, NOW + 1000);
	CHECK_INT(loops_held_until(t, &a, NOW + 1000), NOW + 301000);
	CHECK_INT(loops_held_until(t, &b, NOW + 1000), 0);
	at = 0;
	CHECK(loops_next(t, &at, NOW + 1000, &mac, &since_ms, &until_ms));
	CHECK(mac_eq(&mac, &a) && since_ms == NOW + 1000 && until_ms == NOW + 301000);
	CHECK(!loops_next(t, &at, NOW + 1000, &mac, &since_ms, &until_ms));

	test_case("held: what it fetches meanwhile neither counts nor lengthens it");
	fetch(t, &a, "boot/x64/ipxe.efi", 9, NOW + 2000);
	CHECK_INT(loops_held_until(t, &a, NOW + 300999), NOW + 301000);

	test_case("held: it comes off by time, and counting begins anew");
	CHECK_INT(loops_held_until(t, &a, NOW + 301000), 0);
	fetch(t, &a, "boot/x64/ipxe.efi", 3, NOW + 301000);
	CHECK_INT(loops_held_until(t, &a, NOW + 301000), 0);
	fetch(t, &a, "boot/x64/ipxe.efi", 1, NOW + 301000);
	CHECK(loops_held_until(t, &a, NOW + 301000) != 0);

	test_case("held: a person lets it go, and all of them");
	CHECK_INT(loops_release(t, &b, NOW + 302000), 0);
	CHECK_INT(loops_release(t, &a, NOW + 302000), 1);
	CHECK_INT(loops_held_until(t, &a, NOW + 302000), 0);
	fetch(t, &a, "x", 4, NOW + 303000);
	fetch(t, &b, "x", 4, NOW + 303000);
	CHECK_INT(loops_release(t, NULL, NOW + 303000), 2);

	test_case("held: a request that tells no hardware address is not held");
	fetch(t, &(struct macaddr){ 0 }, "x", 9, NOW + 303000);
	CHECK_INT(loops_held_until(t, &(struct macaddr){ 0 }, NOW + 303000), 0);

	test_case("held: a flood of others' fetches does not let it go");
	fetch(t, &a, "x", 4, NOW + 304000);
	for (uint32_t i = 0; i < 100000; i++) {
		const struct macaddr other = { 6,
			{ 4, 0, 0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };

		fetch(t, &other, "x", 1, NOW + 304000 + i);
	}
	CHECK(loops_held_until(t, &a, NOW + 304001) != 0);
	loops_free(t);
	loops_free(NULL);
}

int
main(void)
{
	test_counting();
	test_holding();
	return test_end();
}
