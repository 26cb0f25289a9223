/* Tests of dhcpproxyd/rtnl.c. */
#include "dhcpproxyd/rtnl.h"

#include "tests/dhcpproxyd/netlinks.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

static uint8_t bytes[4096];
static struct wbuf w;

static struct slice
begin(void)
{
	wbuf_init(&w, bytes, sizeof(bytes));
	return (struct slice){ bytes, 0 };
}

static const char *
dotted(const uint8_t b[static 4])
{
	static char text[INET_ADDRSTRLEN];

	return inet_ntop(AF_INET, b, text, sizeof(text));
}

static void
test_links(void)
{
	struct rtnl_message m;
	struct slice s;

	test_case("an interface with its name, state and MAC");
	s = begin();
	put_link(&w, RTM_NEWLINK, 7, "eth0.20", IFF_UP | IFF_RUNNING);
	put_link(&w, RTM_NEWLINK, 8, "eth1", IFF_UP);
	put_link(&w, RTM_DELLINK, 7, "eth0.20", 0);
	s.n = w.used;
	CHECK_INT(rtnl_next(&s, &m), 0);
	CHECK_INT(m.kind, RTNL_LINK);
	CHECK_INT(m.ifindex, 7);
	CHECK_STR(m.name, "eth0.20");
	CHECK(m.up && m.running);
	CHECK_INT(m.mac_n, 6);
	CHECK_INT(m.mac[5], 7);

	test_case("one without a carrier");
	CHECK_INT(rtnl_next(&s, &m), 0);
	CHECK_STR(m.name, "eth1");
	CHECK(m.up && !m.running);

	test_case("one that goes; then nothing more");
	CHECK_INT(rtnl_next(&s, &m), 0);
	CHECK_INT(m.kind, RTNL_LINK_GONE);
	CHECK_INT(m.ifindex, 7);
	CHECK_INT(rtnl_next(&s, &m), -ENOENT);

	test_case("one without a name is malformed; what follows is read");
	s = begin();
	put_link(&w, RTM_NEWLINK, 7, NULL, 0);
	put_link(&w, RTM_NEWLINK, 8, "eth1", 0);
	s.n = w.used;
	CHECK_INT(rtnl_next(&s, &m), -EBADMSG);
	CHECK_INT(rtnl_next(&s, &m), 0);
	CHECK_STR(m.name, "eth1");

	test_case("what a bridge tells of its port is not of the port itself");
	s = begin();
	put_link(&w, RTM_DELLINK, 7, "eth0", 0);
	bytes[sizeof(struct nlmsghdr)] = AF_BRIDGE;
	s.n = w.used;
	CHECK_INT(rtnl_next(&s, &m), 0);
	CHECK_INT(m.kind, RTNL_OTHER);
}

static void
test_addresses(void)
{
	struct rtnl_message m;
	struct slice s;

	test_case("an address");
	s = begin();
	put_address(&w, RTM_NEWADDR, 7, "10.77.1.10", 24, NULL, 0);
	put_address(&w, RTM_NEWADDR, 7, "10.77.1.11", 24, NULL, IFA_F_SECONDARY);
	put_address(&w, RTM_NEWADDR, 9, "10.8.0.1", 32, "10.8.0.2", 0);
	put_address(&w, RTM_DELADDR, 7, "10.77.1.10", 24, NULL, 0);
	put_address(&w, RTM_NEWADDR, 7, "10.77.1.10", 33, NULL, 0);
	s.n = w.used;
	CHECK_INT(rtnl_next(&s, &m), 0);
	CHECK_INT(m.kind, RTNL_ADDRESS);
	CHECK_INT(m.ifindex, 7);
	CHECK_INT(m.prefix, 24);
	CHECK(!m.secondary);
	CHECK_STR(dotted(m.address), "10.77.1.10");

	test_case("a second one of the same network");
	CHECK_INT(rtnl_next(&s, &m), 0);
	CHECK(m.secondary);
	CHECK_STR(dotted(m.address), "10.77.1.11");

	test_case("of a point-to-point link it is ours, not the other end's");
	CHECK_INT(rtnl_next(&s, &m), 0);
	CHECK_STR(dotted(m.address), "10.8.0.1");

	test_case("one that goes");
	CHECK_INT(rtnl_next(&s, &m), 0);
	CHECK_INT(m.kind, RTNL_ADDRESS_GONE);

	test_case("a network that cannot be");
	CHECK_INT(rtnl_next(&s, &m), -EBADMSG);
}

static void
test_others(void)
{
	struct nlmsghdr h = { .nlmsg_len = sizeof(h), .nlmsg_type = NLMSG_DONE, .nlmsg_seq = 5 };
	int32_t refused = -EPERM;
	struct rtnl_message m;
	struct slice s;

	test_case("the end of an answer, that was interrupted");
	s = begin();
	h.nlmsg_flags = NLM_F_DUMP_INTR;
	wbuf_bytes(&w, &h, sizeof(h));
	s.n = w.used;
	CHECK_INT(rtnl_next(&s, &m), 0);
	CHECK_INT(m.kind, RTNL_DONE);
	CHECK_INT(m.seq, 5);
	CHECK(m.interrupted);

	test_case("a refusal");
	s = begin();
	h.nlmsg_type = NLMSG_ERROR;
	h.nlmsg_len = sizeof(h) + 4;
	wbuf_bytes(&w, &h, sizeof(h));
	wbuf_bytes(&w, &refused, 4);
	s.n = w.used;
	CHECK_INT(rtnl_next(&s, &m), 0);
	CHECK_INT(m.kind, RTNL_FAILED);
	CHECK_INT(m.error, -EPERM);

	test_case("a length below the header's ends it");
	s = begin();
	h.nlmsg_len = 15;
	wbuf_bytes(&w, &h, sizeof(h));
	wbuf_fill(&w, 0, 64);
	s.n = w.used;
	CHECK_INT(rtnl_next(&s, &m), -EBADMSG);
	CHECK_INT(rtnl_next(&s, &m), -ENOENT);

	test_case("a question for all of something");
	s = begin();
	rtnl_put_dump(&w, RTNL_ADDRESS, 9);
	s.n = w.used;
	CHECK(!w.bad && w.used <= RTNL_DUMP_MAX);
	CHECK_INT(rtnl_next(&s, &m), 0);
	CHECK_INT(m.seq, 9);
	CHECK_INT(rtnl_next(&s, &m), -ENOENT);
}

static void
test_truncations(void)
{
	struct rtnl_message m;
	size_t n;

	test_case("cut anywhere, nothing is read behind the end");
	(void)begin();
	put_link(&w, RTM_NEWLINK, 7, "eth0", IFF_UP);
	put_address(&w, RTM_NEWADDR, 7, "10.77.1.10", 24, NULL, 0);
	n = w.used;
	for (size_t i = 0; i < n; i++) {
		struct slice s = { bytes, i };
		int rc;

		while ((rc = rtnl_next(&s, &m)) == 0)
			CHECK_INT(m.kind, RTNL_LINK);
		CHECK(rc == -EBADMSG || i == 0 || s.n == 0);
	}
}

int
main(void)
{
	test_links();
	test_addresses();
	test_others();
	test_truncations();
	return test_end();
}
