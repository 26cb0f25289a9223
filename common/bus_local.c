/* A connection over a Unix socket, read and written by the loop itself; see bus_pipe.h. */
#include "common/bus_pipe_kind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct local {
	struct bus_pipe pipe;
	struct loop_fd lf;
	bool readable; /* since it was read last; one read a turn, so that others get theirs */
	size_t sent;   /* of pipe.out */
	bool waits;    /* for the hook to send */
	struct loop_hook hook;
	bool again; /* messages are left, of which epoll knows nothing */
};

static struct local *
local_of(struct bus_pipe *p)
{
	return (struct local *)p;
}

static void
read_some(struct local *l)
{
	struct bus_buffer *b = &l->pipe.in.b;
	ssize_t n;

	bus_frame_rewind(&l->pipe.in);
	n = recv(l->lf.fd, b->p + b->used, b->size - b->used, 0);
	if (n > 0)
		b->used += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		l->pipe.ended = true;
	l->readable = false;
}

static int
local_recv(struct bus_pipe *p, struct slice *ret)
{
	struct local *l = local_of(p);
	int rc = bus_frame_take(&p->in, ret);

	if (rc == -EAGAIN && l->readable) {
		read_some(l);
		rc = bus_frame_take(&p->in, ret);
	}
	if (rc == -ENOMEM || (rc == -EAGAIN && p->ended))
		return -EPIPE;
	return rc;
}

/* Sends what waits, as far as the kernel takes it. */
static void
send_some(struct local *l)
{
	struct bus_buffer *out = &l->pipe.out;

	while (l->sent < out->used) {
		ssize_t n = send(l->lf.fd, out->p + l->sent, out->used - l->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			l->pipe.ended = l->pipe.ended || errno != EAGAIN;
			break;
		}
		l->sent += (size_t)n;
	}
	if (l->sent == out->used)
		l->sent = out->used = 0;
	loop_mod(l->pipe.loop, &l->lf, EPOLLIN | (out->used > 0 || l->again ? EPOLLOUT : 0));
}

/* All of a round leaves by one call, and wakes the other side once. */
static void
on_hook(void *arg)
{
	struct local *l = arg;

	loop_hook_del(l->pipe.loop, &l->hook);
	l->waits = false;
	send_some(l);
}

/*
 * Appends a message.  A peer that reads, but never all, leaves the buffer never empty: what has
 * been sent makes room once it is the larger part, which is seldom enough to cost little.
 */
static int
put(struct local *l, struct slice message)
{
	struct bus_buffer *out = &l->pipe.out;
	int rc = bus_frame_put(out, message);

	if (rc == 0 || l->sent <= out->used / 2)
		return rc;
	out->used -= l->sent;
	memmove(out->p, out->p + l->sent, out->used);
	l->sent = 0;
	return bus_frame_put(out, message);
}

static int
local_send(struct bus_pipe *p, struct slice message)
{
	struct local *l = local_of(p);
	bool full = p->out.used > 0 && !l->waits; /* then epoll tells when there is room */
	int rc;

	if (p->ended)
		return -EPIPE;
	rc = put(l, message);
	if (rc == 0 && !full && !l->waits) {
		loop_hook_add(p->loop, &l->hook, on_hook, l);
		l->waits = true;
	}
	return rc;
}

static void
on_socket(void *arg, uint32_t events)
{
	struct local *l = arg;
	bool again = l->again;

	l->again = false;
	l->readable = l->readable || (events & ~(uint32_t)EPOLLOUT) != 0;
	if ((events & EPOLLOUT) != 0)
		send_some(l); /* and waits for room no longer, unless there is need */
	if (l->readable || again || l->pipe.ended)
		l->pipe.fn(l->pipe.arg);
}

/*
 * A socket with room calls back in the next round, after others had their turn; a timer would let
 * the loop wait for a millisecond.  One without room has a peer that does not read: his messages
 * wait until he does.
 */
static void
local_again(struct bus_pipe *p)
{
	struct local *l = local_of(p);

	l->again = true;
	loop_mod(p->loop, &l->lf, EPOLLIN | EPOLLOUT);
}

static void
local_free(struct bus_pipe *p)
{
	struct local *l = local_of(p);

	if (l->waits)
		on_hook(l); /* the last answers of one that stops */
	loop_del(p->loop, &l->lf);
	close(l->lf.fd);
	free(p->in.b.p);
	free(p->out.p);
	free(l);
}

static const struct bus_pipe_kind local_kind = { local_free, local_send, local_recv, local_again };

int
bus_local_new(struct loop *loop, int fd, bus_pipe_fn *fn, void *arg, struct bus_pipe **ret)
{
	struct local *l = calloc(1, sizeof(*l));
	int rc = -ENOMEM;

	if (l != NULL) {
		l->pipe =
		    (struct bus_pipe){ .kind = &local_kind, .loop = loop, .fn = fn, .arg = arg };
		rc = bus_buffer_grow(&l->pipe.in.b, BUS_IN_BYTES);
	}
	if (rc == 0)
		rc = loop_add(loop, &l->lf, fd, EPOLLIN, on_socket, l);
	if (rc < 0) {
		if (l != NULL)
			free(l->pipe.in.b.p);
		free(l);
		close(fd);
		return rc;
	}
	*ret = &l->pipe;
	return 0;
}
