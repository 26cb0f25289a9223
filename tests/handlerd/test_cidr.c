/* Tests of handlerd/cidr.c. */
#include "handlerd/cidr.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

int
main(void)
{
	static const struct {
		const char *what, *net;
		int rc;
		const char *in, *out; /* an address that it holds, and one that it does not */
	} cases[] = {
		{ "a network", "10.1.0.0/16", 0, "10.1.255.255", "10.2.0.0" },
		{ "a prefix within an octet", "10.1.16.0/20", 0, "10.1.31.7", "10.1.32.0" },
		{ "an address alone", "10.1.2.3", 0, "10.1.2.3", "10.1.2.2" },
		{ "the same with its length", "10.1.2.3/32", 0, "10.1.2.3", "10.1.2.4" },
		{ "everything of one family", "0.0.0.0/0", 0, "255.1.2.3", "::1" },
		{ "IPv6", "2001:db8::/33", 0, "2001:db8:7fff::1", "2001:db8:8000::1" },
		{ "an IPv6 address alone", "2001:db8::1", 0, "2001:db8::1", "2001:db8::2" },
		{ "bits behind the prefix", "10.1.2.3/24", -EINVAL, NULL, NULL },
		{ "too long a prefix", "10.0.0.0/33", -EINVAL, NULL, NULL },
		{ "too long a prefix for IPv6", "::/129", -EINVAL, NULL, NULL },
		{ "no prefix behind the slash", "10.0.0.0/", -EINVAL, NULL, NULL },
		{ "digits without end", "10.0.0.0/0008", -EINVAL, NULL, NULL },
		{ "a sign", "10.0.0.0/-8", -EINVAL, NULL, NULL },
		{ "no address", "lab/8", -EINVAL, NULL, NULL },
		{ "nothing", "", -EINVAL, NULL, NULL },
	};
	const struct ipaddr none = { 0 };

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct cidr c = { .bits = 99 };
		struct ipaddr ip;

		test_case("network: %s", cases[i].what);
		CHECK_INT(cidr_parse(slice_str(cases[i].net), &c), cases[i].rc);
		if (cases[i].rc < 0) {
			CHECK_INT(c.bits, 99);
			continue;
		}
		CHECK_INT(ip_parse(slice_str(cases[i].in), &ip), 0);
		CHECK(cidr_holds(&c, &ip));
		CHECK_INT(ip_parse(slice_str(cases[i].out), &ip), 0);
		CHECK(!cidr_holds(&c, &ip));
		CHECK(!cidr_holds(&c, &none));
	}
	return test_end();
}
