/* Tests of dhcpproxyd/diag.c. */
#include "dhcpproxyd/diag.h"

#include "tests/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

static uint8_t bytes[1024];

static void
put(struct wbuf *w, unsigned type, const void *body, size_t n)
{
	struct nlmsghdr h = { .nlmsg_len = (uint32_t)(sizeof(h) + n),
		.nlmsg_type = (uint16_t)type };

	wbuf_bytes(w, &h, sizeof(h));
	wbuf_bytes(w, body, n);
}

static void
test_answer(void)
{
	struct inet_diag_msg s = { .idiag_family = AF_INET,
		.id = { .idiag_sport = htons(67), .idiag_if = 3 },
		.idiag_uid = 101,
		.idiag_inode = 4711 };
	int32_t error = -ENOENT;
	struct diag_message m;
	struct slice left;
	struct wbuf w;
	size_t n;

	test_case("sockets, then the end");
	wbuf_init(&w, bytes, sizeof(bytes));
	put(&w, SOCK_DIAG_BY_FAMILY, &s, sizeof(s));
	s.id.idiag_if = 0;
	put(&w, SOCK_DIAG_BY_FAMILY, &s, sizeof(s));
	put(&w, NLMSG_DONE, &error, sizeof(error));
	n = w.used;
	left = wbuf_view(&w);
	CHECK_INT(diag_next(&left, &m), 0);
	CHECK_INT(m.kind, DIAG_SOCKET);
	CHECK_INT(m.port, 67);
	CHECK_INT(m.ifindex, 3);
	CHECK_INT(m.inode, 4711);
	CHECK_INT(m.uid, 101);
	CHECK_INT(diag_next(&left, &m), 0);
	CHECK_INT(m.ifindex, 0);
	CHECK_INT(diag_next(&left, &m), 0);
	CHECK_INT(m.kind, DIAG_DONE);
	CHECK_INT(diag_next(&left, &m), -ENOENT);

	test_case("cut anywhere, nothing is read behind the end");
	for (size_t i = 0; i < n; i++) {
		left = (struct slice){ bytes, i };
		while (diag_next(&left, &m) == 0)
			CHECK(m.kind == DIAG_SOCKET);
		CHECK_INT(left.n, 0);
	}

	test_case("a refusal");
	wbuf_init(&w, bytes, sizeof(bytes));
	put(&w, NLMSG_ERROR, &error, sizeof(error));
	left = wbuf_view(&w);
	CHECK_INT(diag_next(&left, &m), 0);
	CHECK_INT(m.kind, DIAG_FAILED);
	CHECK_INT(m.error, -ENOENT);
}

static void
test_question(void)
{
	struct nlmsghdr h;
	struct wbuf w;

	test_case("a question says how long it is");
	wbuf_init(&w, bytes, DIAG_QUESTION_MAX);
	diag_put_question(&w, AF_INET, 67);
	CHECK(!w.bad);
	memcpy(&h, bytes, sizeof(h));
	CHECK_INT(h.nlmsg_len, w.used);
}

int
main(void)
{
	test_answer();
	test_question();
	return test_end();
}
