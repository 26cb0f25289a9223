/* Tests of dhcpproxyd/seen.c: which client another server's offer is for. */
#include "dhcpproxyd/seen.h"

#include "tests/test.h"

static const uint64_t key[2] = { 3, 4 };

int
main(void)
{
	const uint8_t mac[16] = { 2, 0, 0, 0, 0, 1 }, other[16] = { 2, 0, 0, 0, 0, 2 };
	struct slice who = { mac, 6 };
	struct seen *t;
	uint32_t a, b;

	CHECK_INT(seen_new(1000, key, &t), 0);
	a = seen_hash(t, 0x1234, who);
	b = seen_hash(t, 0x1234, (struct slice){ other, 6 });

	test_case("a client is known by xid and hardware address together");
	CHECK(a != 0 && b != 0 && a != b);
	CHECK(seen_hash(t, 0x1235, who) != a);
	CHECK_INT(seen_hash(t, 0x1234, who), a);
	CHECK(seen_hash(t, 0x1234, (struct slice){ NULL, 0 }) != 0);
	CHECK_INT(
	    seen_hash(t, 1, (struct slice){ mac, 16 }), seen_hash(t, 1, (struct slice){ mac, 16 }));

	test_case("it is remembered with its kind, for a while");
	CHECK_INT(seen_kind(t, a, 1000), RIVAL_ANY);
	seen_note(t, a, RIVAL_IPXE, 1000);
	CHECK_INT(seen_kind(t, a, 1000), RIVAL_IPXE);
	CHECK_INT(seen_kind(t, b, 1000), RIVAL_ANY);
	CHECK_INT(seen_kind(t, a, 1000 + SEEN_MS), RIVAL_IPXE);
	CHECK_INT(seen_kind(t, a, 1001 + SEEN_MS), RIVAL_ANY);

	test_case("a server's answer counts until the client asks again");
	seen_note(t, a, RIVAL_UEFI, 2000);
	CHECK(!seen_is_served(t, a, 2000));
	seen_served(t, b, 2000); /* never heard of */
	CHECK(!seen_is_served(t, b, 2000));
	seen_served(t, a, 2100);
	CHECK(seen_is_served(t, a, 2200));
	seen_note(t, a, RIVAL_UEFI, 6000);
	CHECK(!seen_is_served(t, a, 6000));

	test_case("many clients: the table keeps its size");
	for (uint32_t i = 0; i < 100000; i++)
		seen_note(t, seen_hash(t, i, who), RIVAL_BIOS, 7000);
	CHECK_INT(seen_kind(t, seen_hash(t, 99999, who), 7000), RIVAL_BIOS);
	seen_free(t);
	seen_free(NULL);
	return test_end();
}
