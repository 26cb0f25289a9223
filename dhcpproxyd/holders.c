/* Who else holds a port; see holders.h. */
#include "dhcpproxyd/holders.h"

#include "dhcpproxyd/diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_BYTES 32768

/* What is to be found. */
struct search {
	uint16_t port;
	int ifindex;
	uint64_t own_inode;
};

static bool
is_rival(const struct search *s, const struct diag_message *m)
{
	return m->kind == DIAG_SOCKET && m->port == s->port && m->inode != s->own_inode &&
	       (m->ifindex == 0 || s->ifindex == 0 || m->ifindex == s->ifindex);
}

/* The kernel answers while it is asked: this waits for nobody. */
static int
look(int fd, int family, const struct search *s)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	uint8_t bytes[ANSWER_BYTES];
	struct diag_message m;
	int found = 0;
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	diag_put_question(&w, family, s->port);
	if (sendto(fd, bytes, w.used, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	for (;;) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
		struct slice left = { bytes, n > 0 ? (size_t)n : 0 };
		int rc;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		while ((rc = diag_next(&left, &m)) == 0) {
			if (m.kind == DIAG_DONE)
				return found;
			if (m.kind == DIAG_FAILED)
				return m.error < 0 ? m.error : -EBADMSG;
			found += is_rival(s, &m);
		}
		if (rc == -EBADMSG)
			return rc;
	}
}

/* How many fit, of both families; a negative errno. */
static int
search(const struct search *s)
{
	struct timeval limit = { .tv_sec = 1 };
	int fd, n, n6;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	n = look(fd, AF_INET, s);
	if (n >= 0) {
		/* a socket of IPv6 that takes IPv4, too, holds the port of both */
		n6 = look(fd, AF_INET6, s);
		n += n6 > 0 ? n6 : 0; /* a kernel without IPv6 */
	}
	close(fd);
	return n;
}

int
holders_find(uint16_t port, int ifindex, int own_fd)
{
	struct search s = { .port = port, .ifindex = ifindex };
	struct stat st;
	int n;

	if (own_fd >= 0 && fstat(own_fd, &st) == 0)
		s.own_inode = st.st_ino;
	n = search(&s);
	return n > 0 ? 1 : n;
}

int
holders_count(uint16_t port)
{
	struct search s = { .port = port };

	return search(&s);
}
