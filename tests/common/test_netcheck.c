/* Tests of common/netcheck.c and common/finding.c: what is said of a host's network. */
#include "common/netcheck.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

#define GOOD_LINK                                                                                  \
	.interface = "eth0", .exists = true, .up = true, .carrier = true, .broadcast = true,       \
	.mtu = 1500
#define ADDRESS(a, b, c, d, bits) .naddresses = 1, .addresses = { { "eth0", { a, b, c, d }, bits } }
#define TOLD(a, b, c, d)          .address = { 4, { a, b, c, d } }

static const struct {
	const char *what;
	struct netfacts facts;
	enum finding_verdict verdict;
	const char *check, *found;
} cases[] = {
	{ "a good interface and address", { GOOD_LINK, ADDRESS(10, 77, 0, 2, 24) }, FINDING_GOOD,
	    "address", "clients are told 10.77.0.2, an address of eth0" },
	{ "an interface that is not there", { .interface = "eth9" }, FINDING_FAULT, "interface",
	    "there is no interface eth9" },
	{ "one that is down", { .interface = "eth0", .exists = true }, FINDING_FAULT, "interface",
	    "eth0 is down" },
	{ "one without link", { .interface = "eth0", .exists = true, .up = true }, FINDING_FAULT,
	    "interface", "eth0 has no link" },
	{ "one without broadcasts",
	    { .interface = "tun0", .exists = true, .up = true, .carrier = true, .mtu = 1500 },
	    FINDING_FAULT, "interface", "tun0 knows no broadcasts (point to point)" },
	{ "a small MTU",
	    { .interface = "eth0",
		.exists = true,
		.up = true,
		.carrier = true,
		.broadcast = true,
		.mtu = 1420,
		ADDRESS(10, 77, 0, 2, 24) },
	    FINDING_WARNING, "mtu", "eth0 has an MTU of 1420 bytes" },
	{ "no address", { GOOD_LINK }, FINDING_FAULT, "address", "eth0 has no IPv4 address" },
	{ "an address of nobody here", { GOOD_LINK, ADDRESS(10, 77, 0, 2, 24), TOLD(10, 9, 9, 9) },
	    FINDING_FAULT, "address",
	    "clients are told 10.9.9.9, which is no address of this host" },
	{ "the loopback's", { GOOD_LINK, ADDRESS(10, 77, 0, 2, 24), TOLD(127, 0, 0, 1) },
	    FINDING_FAULT, "address",
	    "clients are told 127.0.0.1, at which they reach nobody but themselves" },
	{ "an address of another interface",
	    { GOOD_LINK, .naddresses = 1, .addresses = { { "eth1", { 10, 9, 9, 9 }, 24 } },
		TOLD(10, 9, 9, 9) },
	    FINDING_WARNING, "address",
	    "clients are told 10.9.9.9, which is on eth1 and not on eth0" },
	{ "a network of two addresses", { GOOD_LINK, ADDRESS(10, 77, 0, 2, 31) }, FINDING_WARNING,
	    "netmask", "10.77.0.2 is in a network of two addresses (/31)" },
	{ "of one", { GOOD_LINK, ADDRESS(10, 77, 0, 2, 32) }, FINDING_WARNING, "netmask",
	    "10.77.0.2 has the mask /32" },
	{ "a port of its own",
	    { GOOD_LINK, ADDRESS(10, 77, 0, 2, 24), .dhcp_port = 67, .pid = 7, .nholders = 1,
		.holders = { { .port = 67, .pid = 7, .name = "dhcpproxyd" } } },
	    FINDING_GOOD, "ports", "port 67 is dhcpproxyd's alone" },
	{ "a shared port",
	    { GOOD_LINK, ADDRESS(10, 77, 0, 2, 24), .dhcp_port = 67, .pid = 7, .nholders = 2,
		.holders = { { .port = 67, .pid = 7, .name = "dhcpproxyd" },
		    { .port = 67, .pid = 8, .name = "dnsmasq" } } },
	    FINDING_WARNING, "ports", "port 67 is shared with dnsmasq (process 8, at 0.0.0.0)" },
	{ "a port that somebody else has",
	    { GOOD_LINK, ADDRESS(10, 77, 0, 2, 24), .boot_port = 4011, .pid = 7, .nholders = 1,
		.holders = { { .port = 4011, .pid = 8, .name = "in.pxe" } } },
	    FINDING_WARNING, "ports",
	    "port 4011 is held by in.pxe (process 8, at 0.0.0.0), not by dhcpproxyd" },
	{ "a port read by a packet socket",
	    { GOOD_LINK, ADDRESS(10, 77, 0, 2, 24), .dhcp_port = 67, .pid = 7, .packet = true,
		.nholders = 1, .holders = { { .port = 67, .pid = 8, .name = "kea-dhcp4" } } },
	    FINDING_GOOD, "ports",
	    "port 67 is held by kea-dhcp4 (process 8); dhcpproxyd reads it by a packet socket" },
	{ "another dhcpproxyd",
	    { GOOD_LINK, ADDRESS(10, 77, 0, 2, 24), .dhcp_port = 67, .pid = 7, .nholders = 2,
		.holders = { { .port = 67, .pid = 7, .name = "dhcpproxyd" },
		    { .port = 67, .pid = 9, .name = "dhcpproxyd" } } },
	    FINDING_WARNING, "ports", "port 67: another dhcpproxyd (process 9) has it, too" },
	{ "a container on a bridge of its own",
	    { GOOD_LINK, ADDRESS(10, 77, 0, 2, 24), .container = true, .veth = true },
	    FINDING_WARNING, "container",
	    "this is a container, and eth0 its cable to a bridge of the host" },
};

static void
test_judge(void)
{
	for (size_t i = 0; i < NITEMS(cases); i++) {
		static struct findings f;
		const struct finding *at = NULL;

		test_case("netcheck: %s", cases[i].what);
		f.n = 0;
		netcheck_judge(&cases[i].facts, &f);
		for (size_t k = 0; k < f.n && at == NULL; k++) {
			if (strcmp(f.v[k].check, cases[i].check) == 0)
				at = &f.v[k];
		}
		CHECK(at != NULL);
		if (at == NULL)
			continue;
		CHECK_STR(at->found, cases[i].found);
		CHECK_INT(at->verdict, cases[i].verdict);
		CHECK_INT(findings_worst(&f), cases[i].verdict);
		CHECK((at->effect != NULL) == (at->verdict != FINDING_GOOD));
		CHECK((at->cure != NULL) == (at->verdict != FINDING_GOOD));
	}
}

static void
test_udp(void)
{
	static const char line[] =
	    "  123: 0100007F:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000   101  "
	    "      0 23456 2 0000000000000000 0\n";
	struct netfacts_holder h;
	char cut[sizeof(line)];

	test_case("a line of /proc/net/udp");
	CHECK_INT(netcheck_read_udp(line, &h), 0);
	CHECK_INT(h.port, 67);
	CHECK_INT(h.inode, 23456);
	CHECK(h.address[0] == 127 && h.address[3] == 1);

	test_case("its heading, and what is cut off, are none");
	CHECK_INT(netcheck_read_udp("  sl  local_address rem_address   st tx_queue rx_queue\n", &h),
	    -EBADMSG);
	for (size_t n = 0; n < 80; n++) {
		memcpy(cut, line, n);
		cut[n] = '\0';
		CHECK_INT(netcheck_read_udp(cut, &h), -EBADMSG);
	}
}

static void
test_findings(void)
{
	static struct findings f;
	json_t *list;

	test_case("findings take what fits, and no control characters");
	for (int i = 0; i < FINDINGS_MAX + 5; i++)
		finding_good(&f, "x", "a\033[2Jb%d", i);
	CHECK_INT(f.n, FINDINGS_MAX);
	CHECK_STR(f.v[0].found, "a?[2Jb0");
	CHECK_INT(findings_worst(&f), FINDING_GOOD);

	test_case("as JSON");
	f.n = 0;
	finding_add(&f, FINDING_FAULT, "c", "e", "d", "found %s", "it");
	list = findings_dump(&f);
	CHECK_STR(json_string_value(json_object_get(json_array_get(list, 0), "verdict")), "fault");
	CHECK_STR(json_string_value(json_object_get(json_array_get(list, 0), "cure")), "d");
	CHECK_INT(findings_worst(&f), FINDING_FAULT);
	json_decref(list);
}

int
main(void)
{
	test_judge();
	test_udp();
	test_findings();
	return test_end();
}
