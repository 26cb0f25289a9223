/* The kernel's list of UDP sockets; see diag.h. */
#include "dhcpproxyd/diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>

int
diag_next(struct slice *left, struct diag_message *ret)
{
	struct diag_message m = { 0 };
	struct inet_diag_msg s;
	struct nlmsghdr h;
	struct slice body;
	int32_t error;

	if (left->n == 0)
		return -ENOENT;
	if (left->n < sizeof(h))
		goto bad;
	memcpy(&h, left->p, sizeof(h));
	if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > left->n)
		goto bad;
	body = (struct slice){ left->p + sizeof(h), h.nlmsg_len - sizeof(h) };
	if (h.nlmsg_type == NLMSG_DONE) {
		m.kind = DIAG_DONE;
	} else if (h.nlmsg_type == NLMSG_ERROR) {
		if (body.n < sizeof(error))
			goto bad;
		memcpy(&error, body.p, sizeof(error));
		m.kind = DIAG_FAILED;
		m.error = error;
	} else if (h.nlmsg_type == SOCK_DIAG_BY_FAMILY) {
		if (body.n < sizeof(s))
			goto bad;
		memcpy(&s, body.p, sizeof(s));
		m.kind = DIAG_SOCKET;
		m.port = ntohs(s.id.idiag_sport);
		m.ifindex = (int)s.id.idiag_if;
		m.inode = s.idiag_inode;
		m.uid = s.idiag_uid;
	}
	/* the last may come without its padding */
	body.n = NLMSG_ALIGN(h.nlmsg_len) < left->n ? NLMSG_ALIGN(h.nlmsg_len) : left->n;
	left->p += body.n;
	left->n -= body.n;
	*ret = m;
	return 0;
bad:
	left->n = 0;
	return -EBADMSG;
}

/*
 * The kernel's filter looks at the local port only: two comparisons, each with its number in the
 * operation behind it.  A jump to 4 bytes behind the last operation says no.
 */
void
diag_put_question(struct wbuf *w, int family, uint16_t port)
{
	const struct inet_diag_bc_op filter[] = {
		{ INET_DIAG_BC_S_GE, 2 * sizeof(filter[0]), 4 * sizeof(filter[0]) + 4 },
		{ .no = port },
		{ INET_DIAG_BC_S_LE, 2 * sizeof(filter[0]), 2 * sizeof(filter[0]) + 4 },
		{ .no = port },
	};
	struct inet_diag_req_v2 question = { .sdiag_family = (uint8_t)family,
		.sdiag_protocol = IPPROTO_UDP,
		.idiag_states = UINT32_MAX };
	struct nlattr attribute = { sizeof(attribute) + sizeof(filter), INET_DIAG_REQ_BYTECODE };
	struct nlmsghdr h = {
		.nlmsg_len = sizeof(h) + sizeof(question) + sizeof(attribute) + sizeof(filter),
		.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
	};

	wbuf_bytes(w, &h, sizeof(h));
	wbuf_bytes(w, &question, sizeof(question));
	wbuf_bytes(w, &attribute, sizeof(attribute));
	wbuf_bytes(w, filter, sizeof(filter));
}
