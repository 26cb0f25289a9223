/* A connection over a stream of nng; see bus_pipe.h. */
#include "common/bus_nng.h"
#include "common/bus_pipe_kind.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RETRY_MS 1 /* until it is looked again whether the kernel took the rest */

struct stream {
	struct bus_pipe pipe;
	nng_stream *stream;

	/* receiving: while `reading` nng fills what is free of pipe.in */
	nng_aio *in_aio;
	struct loop_fd lf;
	atomic_bool landed; /* nng's thread is through with in_aio */
	bool reading;
	bool acting; /* a thread of nng takes the messages, for a loop that waits */
	bool wants;  /* and has taken all */

	/*
	 * Sending: in_flight belongs to nng, pipe.out gathers what comes meanwhile.  Nobody is
	 * called when a send is through, as that would be a wake-up for each message: nearly always
	 * it is through when nng_stream_send() returns.
	 */
	nng_aio *out_aio;
	bool sending;
	struct bus_buffer in_flight;
	size_t sent;
	struct loop_timer retry;
};

static struct stream *
stream_of(struct bus_pipe *p)
{
	return (struct stream *)p;
}

static void
wake_loop(struct stream *s)
{
	uint64_t one = 1;

	/* fails only when the counter is full, and then the loop wakes anyhow */
	if (write(s->lf.fd, &one, sizeof(one)) < 0)
		return;
}

/* --- receiving ------------------------------------------------------------------------------- */

/* Asks nng for more; what was not taken moves to the front. */
static void
begin_reading(struct stream *s)
{
	struct bus_buffer *b = &s->pipe.in.b;
	nng_iov iov;

	bus_frame_rewind(&s->pipe.in);
	iov = (nng_iov){ b->p + b->used, b->size - b->used };
	(void)nng_aio_set_iov(s->in_aio, 1, &iov); /* one is never too many */
	nng_stream_recv(s->stream, s->in_aio);
}

/* All was taken.  A thread of nng waits with reading on until it has left the loop. */
static void
read_on(struct stream *s)
{
	atomic_store_explicit(&s->landed, false, memory_order_relaxed);
	s->reading = true;
	if (s->acting)
		s->wants = true;
	else
		begin_reading(s);
}

/*
 * On a thread of nng: does the work of a loop that shares it and waits, else wakes the loop.  What
 * ends the connection is left to the loop's thread, for nng_aio_free() waits for this callback.
 */
static void
on_landed(void *arg)
{
	struct stream *s = arg;
	bool good = nng_aio_result(s->in_aio) == 0 && nng_aio_count(s->in_aio) > 0;
	bool wants;

	atomic_store_explicit(&s->landed, true, memory_order_release);
	if (!good || !loop_enter(s->pipe.loop)) {
		wake_loop(s);
		return;
	}
	s->acting = true;
	s->wants = false;
	s->pipe.fn(s->pipe.arg);
	s->acting = false;
	wants = s->wants;
	loop_leave(s->pipe.loop);
	/* what comes at once calls another thread of nng, which finds the loop free */
	if (wants)
		begin_reading(s);
}

static void
end_reading(struct stream *s)
{
	s->reading = false;
	if (nng_aio_result(s->in_aio) != 0 || nng_aio_count(s->in_aio) == 0)
		s->pipe.ended = true;
	else
		s->pipe.in.b.used += nng_aio_count(s->in_aio);
}

/* The loop's thread is to find it so. */
static int
end_of(struct stream *s, int why)
{
	if (!s->acting)
		return why;
	wake_loop(s);
	return -EAGAIN;
}

static int
stream_recv(struct bus_pipe *p, struct slice *ret)
{
	struct stream *s = stream_of(p);
	int rc;

	if (s->reading && atomic_load_explicit(&s->landed, memory_order_acquire))
		end_reading(s);
	if (s->reading)
		return -EAGAIN;
	rc = bus_frame_take(&p->in, ret);
	if (rc == 0)
		return 0;
	if (rc == -ENOMEM || (rc == -EAGAIN && p->ended))
		rc = -EPIPE;
	if (rc != -EAGAIN)
		return end_of(s, rc);
	read_on(s);
	return -EAGAIN;
}

static void
stream_again(struct bus_pipe *p)
{
	wake_loop(stream_of(p));
}

static void
on_wake(void *arg, uint32_t events)
{
	struct stream *s = arg;

	(void)events;
	s->pipe.fn(s->pipe.arg);
}

/* --- sending --------------------------------------------------------------------------------- */

/*
 * True when nng is through with the send.  nng 1.5 has no nng_aio_busy(): but the result and the
 * count are 0 from the beginning of an operation to its end, and one that ends without either is
 * none of ours, as no send is empty.
 */
static bool
send_is_through(struct stream *s)
{
	if (nng_aio_result(s->out_aio) == 0 && nng_aio_count(s->out_aio) == 0)
		return false;
	nng_aio_wait(s->out_aio); /* nng's thread may be at its last lines yet */
	return true;
}

static void
begin_send(struct stream *s)
{
	nng_iov iov = { s->in_flight.p + s->sent, s->in_flight.used - s->sent };

	(void)nng_aio_set_iov(s->out_aio, 1, &iov);
	s->sending = true;
	nng_stream_send(s->stream, s->out_aio);
}

/* Goes on as far as nng takes it at once. */
static void
go_on_sending(struct stream *s)
{
	while (!s->pipe.ended) {
		if (s->sending) {
			if (!send_is_through(s)) {
				(void)loop_timer_set(s->pipe.loop, &s->retry, RETRY_MS);
				return;
			}
			s->sending = false;
			s->sent += nng_aio_count(s->out_aio);
			if (nng_aio_result(s->out_aio) != 0) {
				s->pipe.ended = true;
				return;
			}
		}
		if (s->sent == s->in_flight.used) {
			struct bus_buffer empty = s->in_flight;

			s->in_flight = s->pipe.out;
			s->pipe.out = empty;
			s->pipe.out.used = 0;
			s->sent = 0;
		}
		if (s->in_flight.used == 0)
			return;
		begin_send(s);
	}
}

static void
on_retry(void *arg)
{
	struct stream *s = arg;

	go_on_sending(s);
	if (s->pipe.ended)
		s->pipe.fn(s->pipe.arg);
}

static int
stream_send(struct bus_pipe *p, struct slice message)
{
	int rc;

	if (p->ended)
		return -EPIPE;
	rc = bus_frame_put(&p->out, message);
	if (rc < 0)
		return rc;
	go_on_sending(stream_of(p));
	return p->ended ? -EPIPE : 0;
}

/* --- life ------------------------------------------------------------------------------------ */

static void
stream_free(struct bus_pipe *p)
{
	struct stream *s = stream_of(p);

	/* ends what is under way; nothing is begun on a closed stream, which would never end */
	nng_stream_close(s->stream);
	if (s->in_aio != NULL)
		nng_aio_free(s->in_aio); /* waits for the callback */
	if (s->out_aio != NULL)
		nng_aio_free(s->out_aio);
	nng_stream_free(s->stream);
	loop_timer_clear(p->loop, &s->retry);
	if (s->lf.fd >= 0) {
		loop_del(p->loop, &s->lf);
		close(s->lf.fd);
	}
	free(p->in.b.p);
	free(s->in_flight.p);
	free(p->out.p);
	free(s);
}

static const struct bus_pipe_kind stream_kind = { stream_free, stream_send, stream_recv,
	stream_again };

int
bus_stream_new(
    struct loop *loop, nng_stream *stream, bus_pipe_fn *fn, void *arg, struct bus_pipe **ret)
{
	struct stream *s = calloc(1, sizeof(*s));
	int fd, rc;

	if (s == NULL) {
		nng_stream_free(stream);
		return -ENOMEM;
	}
	s->pipe = (struct bus_pipe){ .kind = &stream_kind, .loop = loop, .fn = fn, .arg = arg };
	s->stream = stream;
	s->lf.fd = -1;
	loop_timer_init(&s->retry, on_retry, s);
	rc = bus_buffer_grow(&s->pipe.in.b, BUS_IN_BYTES);
	if (rc == 0)
		rc = bus_errno(nng_aio_alloc(&s->in_aio, on_landed, s));
	if (rc == 0)
		rc = bus_errno(nng_aio_alloc(&s->out_aio, NULL, NULL));
	if (rc == 0) {
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		/* by edges: the counter need not be read */
		rc = fd < 0 ? -errno : loop_add(loop, &s->lf, fd, EPOLLIN | EPOLLET, on_wake, s);
		if (rc < 0 && fd >= 0) {
			close(fd);
			s->lf.fd = -1;
		}
	}
	if (rc < 0) {
		stream_free(&s->pipe);
		return rc;
	}
	read_on(s);
	*ret = &s->pipe;
	return 0;
}
