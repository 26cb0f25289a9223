/* Tests of dhcpproxyd/servers.c: lists of servers by address or MAC. */
#include "dhcpproxyd/servers.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>

static char told[256];

static void
take_error(void *arg, const char *path, const char *what)
{
	(void)arg;
	(void)snprintf(told, sizeof(told), "%s: %s", path, what);
}

int
main(void)
{
	char *good[] = { "10.0.0.1", "02:00:00:00:00:0a", "02-00-00-00-00-0b" };
	static const struct {
		const char *text, *error;
	} bad[] = {
		{ "", "yield_to[0]: \"\" is neither an IPv4 address nor a hardware address" },
		{ "wds01",
		    "yield_to[0]: \"wds01\" is neither an IPv4 address nor a hardware address" },
		{ "10", "yield_to[0]: \"10\" is neither an IPv4 address nor a hardware address" },
		{ "fe80::1",
		    "yield_to[0]: \"fe80::1\" is neither an IPv4 address nor a hardware address" },
		{ "10.0.0.256", "yield_to[0]: \"10.0.0.256\" is neither an IPv4 address nor a "
				"hardware address" },
	};
	const struct ipaddr one = { 4, { 10, 0, 0, 1 } }, two = { 4, { 10, 0, 0, 2 } };
	const struct macaddr a = { 6, { 2, 0, 0, 0, 0, 0xa } }, b = { 6, { 2, 0, 0, 0, 0, 0xb } },
			     c = { 6, { 2, 0, 0, 0, 0, 0xc } };
	struct config_strings list = { good, NITEMS(good) };
	struct servers s;

	test_case("a server is in the list by its address or by its MAC");
	CHECK_INT(servers_parse(&list, "yield_to", take_error, NULL, &s), 0);
	CHECK(servers_has(&s, &one, &c));
	CHECK(servers_has(&s, &two, &a));
	CHECK(servers_has(&s, &two, &b));
	CHECK(!servers_has(&s, &two, &c));

	test_case("an empty list has none");
	list.n = 0;
	CHECK_INT(servers_parse(&list, "yield_to", take_error, NULL, &s), 0);
	CHECK(!servers_has(&s, &one, &a));

	for (size_t i = 0; i < NITEMS(bad); i++) {
		char *v[] = { (char *)(uintptr_t)bad[i].text };

		test_case("\"%s\" is refused by name", bad[i].text);
		list = (struct config_strings){ v, 1 };
		CHECK_INT(servers_parse(&list, "yield_to", take_error, NULL, &s), -EINVAL);
		CHECK_STR(told, bad[i].error);
		CHECK_INT(s.n, 0);
	}
	return test_end();
}
