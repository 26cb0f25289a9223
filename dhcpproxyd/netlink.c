/* The kernel's word about interfaces; see netlink.h. */
#include "dhcpproxyd/netlink.h"

#include "common/log.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MS 5000    /* at start-up; it takes a millisecond */
#define MESSAGES  65536   /* bytes; the kernel's dumps come in parts of at most 32 kB */
#define QUEUE     1 << 20 /* bytes; a storm that does not fit makes us ask for everything anew */

struct netlink {
	struct loop *loop;
	struct loop_fd lf;
	netlink_changed_fn *changed;
	void *arg;
	struct links links;
	uint32_t seq;
	enum rtnl_kind asked; /* what is being told; RTNL_OTHER: nothing */
	bool again;           /* something was lost: ask once more */
	bool differs;         /* since `changed` was called */
	uint8_t messages[MESSAGES];
};

static int
ask(struct netlink *n, enum rtnl_kind what)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	uint8_t bytes[RTNL_DUMP_MAX];
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	rtnl_put_dump(&w, what, ++n->seq);
	n->asked = what;
	if (sendto(n->lf.fd, bytes, w.used, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) <
	    0)
		return -errno;
	return 0;
}

/* Everything anew; what is not named by the end is gone. */
static int
ask_all(struct netlink *n)
{
	n->again = false;
	links_mark(&n->links);
	return ask(n, RTNL_LINK);
}

/* A part of the question is answered. */
static int
go_on(struct netlink *n)
{
	if (n->asked == RTNL_LINK)
		return ask(n, RTNL_ADDRESS); /* one at a time is all that the kernel takes */
	n->asked = RTNL_OTHER;
	if (n->again)
		return ask_all(n);
	n->differs |= links_sweep(&n->links);
	return 0;
}

static int
take(struct netlink *n, struct slice messages)
{
	struct rtnl_message m;
	int rc, result = 0;

	while ((rc = rtnl_next(&messages, &m)) != -ENOENT) {
		if (rc < 0) {
			log_peer_warn("the kernel told something malformed about an interface");
			continue;
		}
		if (m.kind != RTNL_DONE && m.kind != RTNL_FAILED) {
			n->again |= m.interrupted;
			n->differs |= links_apply(&n->links, &m);
		} else if (m.seq == n->seq && m.kind == RTNL_DONE) {
			n->again |= m.interrupted;
			result = go_on(n);
		} else if (m.seq == n->seq) {
			n->asked = RTNL_OTHER;
			result = m.error;
		}
	}
	return result;
}

/*
 * The queue overflowed.  What is still in it is older than what was lost: an interface that it
 * names may be gone by now.  So it goes, with the rest of an answer under way, and all is asked
 * anew.
 */
static int
start_over(struct netlink *n)
{
	while (recv(n->lf.fd, n->messages, sizeof(n->messages), MSG_DONTWAIT) >= 0 ||
	       errno == ENOBUFS || errno == EINTR)
		;
	return errno == EAGAIN ? ask_all(n) : -errno;
}

/* Reads what is there: 0, or a negative errno that ends it. */
static int
read_some(struct netlink *n)
{
	struct sockaddr_nl from = { 0 };
	socklen_t len = sizeof(from);
	ssize_t got;

	got = recvfrom(n->lf.fd, n->messages, sizeof(n->messages), MSG_DONTWAIT,
	    (struct sockaddr *)&from, &len);
	if (got >= 0) /* another process could send here, too */
		return from.nl_pid == 0 ? take(n, (struct slice){ n->messages, (size_t)got }) : 0;
	return errno == ENOBUFS ? start_over(n) : -errno;
}

static void
on_readable(void *arg, uint32_t events)
{
	struct netlink *n = arg;
	int rc;

	(void)events;
	while ((rc = read_some(n)) == 0)
		;
	if (rc != -EAGAIN && rc != -EINTR)
		log_peer_warn("network interfaces: %s", strerror(-rc));
	if (!n->differs)
		return;
	n->differs = false;
	n->changed(n->arg);
}

static int
first_answer(struct netlink *n)
{
	struct pollfd p = { .fd = n->lf.fd, .events = POLLIN };
	int rc = ask_all(n);

	while (rc == 0 && n->asked != RTNL_OTHER) {
		int ready = poll(&p, 1, ANSWER_MS);

		if (ready == 0)
			rc = -ETIMEDOUT;
		else if (ready > 0)
			rc = read_some(n);
		if (rc == -EAGAIN || rc == -EINTR)
			rc = 0;
	}
	n->differs = false;
	return rc;
}

static int
open_socket(void)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR };
	int fd, size = QUEUE;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

int
netlink_open(struct loop *loop, netlink_changed_fn *changed, void *arg, struct netlink **ret)
{
	struct netlink *n = calloc(1, sizeof(*n));
	int fd, rc;

	if (n == NULL)
		return -ENOMEM;
	n->loop = loop;
	n->changed = changed;
	n->arg = arg;
	fd = open_socket();
	rc = fd < 0 ? fd : loop_add(loop, &n->lf, fd, EPOLLIN, on_readable, n);
	if (rc < 0 && fd >= 0)
		close(fd);
	if (rc < 0) {
		free(n);
		n = NULL;
	} else {
		rc = first_answer(n);
	}
	if (rc < 0) {
		log_errx("asking the kernel for the network interfaces: %s", strerror(-rc));
		netlink_close(n);
		return rc;
	}
	*ret = n;
	return 0;
}

void
netlink_close(struct netlink *n)
{
	if (n == NULL)
		return;
	loop_del(n->loop, &n->lf);
	close(n->lf.fd);
	links_fini(&n->links);
	free(n);
}

const struct links *
netlink_links(const struct netlink *n)
{
	return &n->links;
}
