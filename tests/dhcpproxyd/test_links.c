/* Tests of dhcpproxyd/links.c. */
#include "dhcpproxyd/links.h"

#include "tests/dhcpproxyd/netlinks.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static struct links t;

/* True if the table is another afterwards. */
static bool
apply(struct wbuf *w)
{
	struct slice s = wbuf_view(w);
	struct rtnl_message m;
	bool differs = false;

	while (rtnl_next(&s, &m) == 0)
		differs |= links_apply(&t, &m);
	return differs;
}

static bool
link_is(unsigned type, int ifindex, const char *name, unsigned flags)
{
	uint8_t bytes[512];
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	put_link(&w, type, ifindex, name, flags);
	return apply(&w);
}

static bool
address_is(unsigned type, int ifindex, const char *address, unsigned prefix)
{
	uint8_t bytes[512];
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	put_address(&w, type, ifindex, address, prefix, NULL, 0);
	return apply(&w);
}

static void
test_changes(void)
{
	uint32_t born;

	test_case("an interface that is new, told again, changed, renamed");
	CHECK(link_is(RTM_NEWLINK, 7, "eth0", 0));
	CHECK(!link_is(RTM_NEWLINK, 7, "eth0", 0));
	CHECK(link_is(RTM_NEWLINK, 7, "eth0", IFF_UP));
	CHECK(link_is(RTM_NEWLINK, 7, "eth0", IFF_UP | IFF_RUNNING));
	CHECK(link_is(RTM_NEWLINK, 7, "lan0", IFF_UP | IFF_RUNNING));
	CHECK_STR(links_find(&t, 7)->name, "lan0");
	CHECK(links_find(&t, 6) == NULL && links_find(&t, 8) == NULL);

	test_case("one that comes back with the same number is another");
	born = links_find(&t, 7)->born;
	CHECK(address_is(RTM_NEWADDR, 7, "10.77.1.10", 24));
	CHECK(link_is(RTM_DELLINK, 7, "lan0", 0));
	CHECK(!link_is(RTM_DELLINK, 7, "lan0", 0));
	CHECK(links_find(&t, 7) == NULL);
	CHECK_INT(t.naddresses, 0);
	CHECK(link_is(RTM_NEWLINK, 7, "lan0", 0));
	CHECK(links_find(&t, 7)->born != born);

	test_case("addresses come and go");
	CHECK(address_is(RTM_NEWADDR, 7, "10.77.1.10", 24));
	CHECK(!address_is(RTM_NEWADDR, 7, "10.77.1.10", 24));
	CHECK(address_is(RTM_NEWADDR, 7, "10.77.1.11", 24));
	CHECK(address_is(RTM_DELADDR, 7, "10.77.1.10", 24));
	CHECK(!address_is(RTM_DELADDR, 7, "10.77.1.10", 24));
	CHECK_INT(t.naddresses, 1);

	test_case("after something was lost, what is not named again is gone");
	CHECK(link_is(RTM_NEWLINK, 3, "eth3", 0));
	CHECK(address_is(RTM_NEWADDR, 3, "10.3.0.1", 24));
	links_mark(&t);
	CHECK(!link_is(RTM_NEWLINK, 7, "lan0", 0));
	CHECK(!address_is(RTM_NEWADDR, 7, "10.77.1.11", 24));
	CHECK(links_sweep(&t));
	CHECK_INT(t.n, 1);
	CHECK_INT(t.naddresses, 1);
	CHECK_STR(t.v[0].name, "lan0");
	links_mark(&t);
	CHECK(!link_is(RTM_NEWLINK, 7, "lan0", 0));
	CHECK(links_sweep(&t));
	CHECK_INT(t.naddresses, 0);
	links_fini(&t);
}

static void
test_order(void)
{
	char name[RTNL_NAME];
	size_t n;

	test_case("many in any order are found");
	for (int i = 0; i < 1000; i++) {
		int ifindex = 1 + i * 389 % 1000;

		(void)snprintf(name, sizeof(name), "v%d", ifindex);
		CHECK(link_is(RTM_NEWLINK, ifindex, name, IFF_UP));
		(void)snprintf(name, sizeof(name), "10.1.%d.%d", ifindex / 250, ifindex % 250);
		CHECK(address_is(RTM_NEWADDR, ifindex, name, 16));
	}
	for (int i = 1; i <= 1000; i++) {
		const struct link_address *a = links_addresses(&t, i, &n);

		(void)snprintf(name, sizeof(name), "v%d", i);
		CHECK_STR(links_find(&t, i)->name, name);
		CHECK_INT(n, 1);
		CHECK_INT(a->b[3], i % 250);
	}
	for (int i = 1; i <= 1000; i += 2)
		CHECK(link_is(RTM_DELLINK, i, "v", 0));
	CHECK_INT(t.n, 500);
	CHECK_INT(t.naddresses, 500);
	CHECK(links_addresses(&t, 1, &n) == NULL && n == 0);
	links_fini(&t);
}

static void
test_names(void)
{
	static const struct {
		const char *name, *a, *b;
		bool fits;
	} cases[] = {
		{ "eth0", "eth0", "eth1", true },
		{ "eth1", "eth0", "eth1", true },
		{ "eth2", "eth0", "eth1", false },
		{ "eth0.20", "eth0", "eth1", false },
		{ "eth0.20", "eth0.*", "x", true },
		{ "eth0", "eth0.*", "x", false },
		{ "br-lan", "br-?an", "x", true },
		{ "eth01", "eth0", "x", false },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		char a[16], b[16], *patterns[] = { a, b };

		strcpy(a, cases[i].a);
		strcpy(b, cases[i].b);
		test_case("%s is %samong %s, %s", cases[i].name, cases[i].fits ? "" : "not ", a, b);
		CHECK(links_name_fits(cases[i].name, patterns, 2) == cases[i].fits);
	}
	test_case("without names, any");
	CHECK(links_name_fits("lo", NULL, 0));
}

static void
test_local(void)
{
	static const struct {
		const char *what;
		int ifindex;
		const char *from, *to, *want; /* NULL: not for us */
	} cases[] = {
		{ "a broadcast of a client without an address", 2, "0.0.0.0", "255.255.255.255",
		    "10.77.1.10" },
		{ "of a client in the second network", 2, "10.77.2.50", "255.255.255.255",
		    "10.77.2.10" },
		{ "of one in a network that we are not in", 2, "10.99.0.1", "255.255.255.255",
		    "10.77.1.10" },
		{ "the broadcast of a network", 2, "10.77.1.50", "10.77.1.255", "10.77.1.10" },
		{ "that of another interface is none here", 3, "10.77.1.50", "10.77.1.255", NULL },
		{ "a relay's to the first address", 2, "10.99.0.1", "10.77.1.10", "10.77.1.10" },
		{ "a relay's to the second one", 2, "10.99.0.1", "10.77.1.11", "10.77.1.11" },
		{ "a relay's to an address of another interface", 2, "10.99.0.1", "10.77.3.10",
		    "10.77.3.10" },
		{ "to another host, passing through", 2, "10.99.0.1", "10.77.9.1", NULL },
		{ "a broadcast where we have no address", 4, "0.0.0.0", "255.255.255.255",
		    "0.0.0.0" },
		{ "a network of two has no broadcast", 5, "10.5.0.0", "10.5.0.1", "10.5.0.1" },
		{ "nor does its other end become one", 5, "10.5.0.0", "10.5.0.2", NULL },
	};

	(void)link_is(RTM_NEWLINK, 2, "eth0", IFF_UP);
	(void)link_is(RTM_NEWLINK, 3, "eth1", IFF_UP);
	(void)link_is(RTM_NEWLINK, 4, "eth2", IFF_UP);
	(void)link_is(RTM_NEWLINK, 5, "ptp", IFF_UP);
	(void)address_is(RTM_NEWADDR, 3, "10.77.3.10", 24);
	(void)address_is(RTM_NEWADDR, 2, "10.77.1.10", 24);
	(void)address_is(RTM_NEWADDR, 2, "10.77.1.11", 24);
	(void)address_is(RTM_NEWADDR, 2, "10.77.2.10", 24);
	(void)address_is(RTM_NEWADDR, 5, "10.5.0.1", 31);
	for (size_t i = 0; i < NITEMS(cases); i++) {
		uint8_t from[4], to[4], got[4] = { 1, 1, 1, 1 };
		char text[INET_ADDRSTRLEN];

		test_case("answered from: %s", cases[i].what);
		CHECK_INT(inet_pton(AF_INET, cases[i].from, from), 1);
		CHECK_INT(inet_pton(AF_INET, cases[i].to, to), 1);
		CHECK(links_local(&t, cases[i].ifindex, from, to, got) == (cases[i].want != NULL));
		if (cases[i].want != NULL)
			CHECK_STR(inet_ntop(AF_INET, got, text, sizeof(text)), cases[i].want);
	}
	links_fini(&t);
}

int
main(void)
{
	test_changes();
	test_order();
	test_names();
	test_local();
	return test_end();
}
