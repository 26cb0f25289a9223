/* See bus_pipe.h. */
#include "common/bus_pipe.h"

#include "common/bus_nng.h"
#include "common/msg.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LENGTH_BYTES 4
#define IN_BYTES     (512u << 10)         /* at first; grows for a longer message */
#define OUT_BYTES    (2u * MSG_MAX_BYTES) /* the most that waits to be sent */
#define RETRY_MS     1 /* until it is looked again whether the kernel took the rest */

struct buffer {
	uint8_t *p;
	size_t size, used;
};

struct bus_pipe {
	struct loop *loop;
	nng_stream *stream;
	bus_pipe_fn *fn;
	void *arg;
	bool ended;

	/* receiving: bytes at..used of `in` are to be taken; while `reading` nng fills the rest */
	nng_aio *in_aio;
	struct loop_fd lf;
	atomic_bool landed; /* nng's thread is through with in_aio */
	bool reading;
	bool acting; /* a thread of nng takes the messages, for a loop that waits */
	bool wants;  /* and has taken all */
	struct buffer in;
	size_t at;

	/*
	 * Sending: in_flight belongs to nng, `out` gathers what comes meanwhile.  Nobody is called
	 * when a send is through, as that would be a wake-up for each message: nearly always it is
	 * through when nng_stream_send() returns.
	 */
	nng_aio *out_aio;
	bool sending;
	struct buffer in_flight, out;
	size_t sent;
	struct loop_timer retry;
};

static void
wake_loop(struct bus_pipe *p)
{
	uint64_t one = 1;

	/* fails only when the counter is full, and then the loop wakes anyhow */
	if (write(p->lf.fd, &one, sizeof(one)) < 0)
		return;
}

static int
grow(struct buffer *b, size_t size)
{
	uint8_t *fresh;

	if (b->size >= size)
		return 0;
	fresh = realloc(b->p, size);
	if (fresh == NULL)
		return -ENOMEM;
	b->p = fresh;
	b->size = size;
	return 0;
}

/* --- receiving ------------------------------------------------------------------------------- */

/* Asks nng for more; what was not taken moves to the front. */
static void
begin_reading(struct bus_pipe *p)
{
	nng_iov iov;

	if (p->at > 0) {
		memmove(p->in.p, p->in.p + p->at, p->in.used - p->at);
		p->in.used -= p->at;
		p->at = 0;
	}
	iov = (nng_iov){ p->in.p + p->in.used, p->in.size - p->in.used };
	(void)nng_aio_set_iov(p->in_aio, 1, &iov); /* one is never too many */
	nng_stream_recv(p->stream, p->in_aio);
}

/* All was taken.  A thread of nng waits with reading on until it has left the loop. */
static void
read_on(struct bus_pipe *p)
{
	atomic_store_explicit(&p->landed, false, memory_order_relaxed);
	p->reading = true;
	if (p->acting)
		p->wants = true;
	else
		begin_reading(p);
}

/*
 * On a thread of nng: does the work of a loop that shares it and waits, else wakes the loop.  What
 * ends the connection is left to the loop's thread, for nng_aio_free() waits for this callback.
 */
static void
on_landed(void *arg)
{
	struct bus_pipe *p = arg;
	bool good = nng_aio_result(p->in_aio) == 0 && nng_aio_count(p->in_aio) > 0;
	bool wants;

	atomic_store_explicit(&p->landed, true, memory_order_release);
	if (!good || !loop_enter(p->loop)) {
		wake_loop(p);
		return;
	}
	p->acting = true;
	p->wants = false;
	p->fn(p->arg);
	p->acting = false;
	wants = p->wants;
	loop_leave(p->loop);
	/* what comes at once calls another thread of nng, which finds the loop free */
	if (wants)
		begin_reading(p);
}

static void
end_reading(struct bus_pipe *p)
{
	p->reading = false;
	if (nng_aio_result(p->in_aio) != 0 || nng_aio_count(p->in_aio) == 0)
		p->ended = true;
	else
		p->in.used += nng_aio_count(p->in_aio);
}

static uint32_t
length_at(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The loop's thread is to find it so. */
static int
end_of(struct bus_pipe *p, int why)
{
	if (!p->acting)
		return why;
	wake_loop(p);
	return -EAGAIN;
}

int
bus_pipe_recv(struct bus_pipe *p, struct slice *ret)
{
	size_t have;

	if (p->reading && atomic_load_explicit(&p->landed, memory_order_acquire))
		end_reading(p);
	if (p->reading)
		return -EAGAIN;
	have = p->in.used - p->at;
	if (have >= LENGTH_BYTES) {
		uint32_t n = length_at(p->in.p + p->at);

		if (n > MSG_MAX_BYTES)
			return end_of(p, -EBADMSG);
		if (have - LENGTH_BYTES >= n) {
			*ret = (struct slice){ p->in.p + p->at + LENGTH_BYTES, n };
			p->at += LENGTH_BYTES + n;
			return 0;
		}
		if (grow(&p->in, LENGTH_BYTES + n) < 0)
			return end_of(p, -EPIPE);
	}
	if (p->ended)
		return end_of(p, -EPIPE);
	read_on(p);
	return -EAGAIN;
}

void
bus_pipe_again(struct bus_pipe *p)
{
	wake_loop(p);
}

static void
on_wake(void *arg, uint32_t events)
{
	struct bus_pipe *p = arg;

	(void)events;
	p->fn(p->arg);
}

/* --- sending --------------------------------------------------------------------------------- */

/*
 * True when nng is through with the send.  nng 1.5 has no nng_aio_busy(): but the result and the
 * count are 0 from the beginning of an operation to its end, and one that ends without either is
 * none of ours, as no send is empty.
 */
static bool
send_is_through(struct bus_pipe *p)
{
	if (nng_aio_result(p->out_aio) == 0 && nng_aio_count(p->out_aio) == 0)
		return false;
	nng_aio_wait(p->out_aio); /* nng's thread may be at its last lines yet */
	return true;
}

static void
begin_send(struct bus_pipe *p)
{
	nng_iov iov = { p->in_flight.p + p->sent, p->in_flight.used - p->sent };

	(void)nng_aio_set_iov(p->out_aio, 1, &iov);
	p->sending = true;
	nng_stream_send(p->stream, p->out_aio);
}

/* Goes on as far as nng takes it at once. */
static void
go_on_sending(struct bus_pipe *p)
{
	while (!p->ended) {
		if (p->sending) {
			if (!send_is_through(p)) {
				(void)loop_timer_set(p->loop, &p->retry, RETRY_MS);
				return;
			}
			p->sending = false;
			p->sent += nng_aio_count(p->out_aio);
			if (nng_aio_result(p->out_aio) != 0) {
				p->ended = true;
				return;
			}
		}
		if (p->sent == p->in_flight.used) {
			struct buffer empty = p->in_flight;

			p->in_flight = p->out;
			p->out = empty;
			p->out.used = 0;
			p->sent = 0;
		}
		if (p->in_flight.used == 0)
			return;
		begin_send(p);
	}
}

static void
on_retry(void *arg)
{
	struct bus_pipe *p = arg;

	go_on_sending(p);
	if (p->ended)
		p->fn(p->arg);
}

int
bus_pipe_send(struct bus_pipe *p, struct slice message)
{
	struct wbuf w;

	if (p->ended)
		return -EPIPE;
	if (p->out.used + message.n > OUT_BYTES ||
	    grow(&p->out, p->out.used + LENGTH_BYTES + message.n) < 0)
		return -EAGAIN;
	wbuf_init(&w, p->out.p + p->out.used, p->out.size - p->out.used);
	wbuf_u32(&w, (uint32_t)message.n);
	wbuf_slice(&w, message);
	p->out.used += w.used;
	go_on_sending(p);
	return p->ended ? -EPIPE : 0;
}

/* --- life ------------------------------------------------------------------------------------ */

int
bus_pipe_new(
    struct loop *loop, nng_stream *stream, bus_pipe_fn *fn, void *arg, struct bus_pipe **ret)
{
	struct bus_pipe *p = calloc(1, sizeof(*p));
	int fd, rc;

	if (p == NULL) {
		nng_stream_free(stream);
		return -ENOMEM;
	}
	*p = (struct bus_pipe){ .loop = loop, .stream = stream, .fn = fn, .arg = arg, .lf.fd = -1 };
	loop_timer_init(&p->retry, on_retry, p);
	rc = grow(&p->in, IN_BYTES);
	if (rc == 0)
		rc = bus_errno(nng_aio_alloc(&p->in_aio, on_landed, p));
	if (rc == 0)
		rc = bus_errno(nng_aio_alloc(&p->out_aio, NULL, NULL));
	if (rc == 0) {
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		/* by edges: the counter need not be read */
		rc = fd < 0 ? -errno : loop_add(loop, &p->lf, fd, EPOLLIN | EPOLLET, on_wake, p);
		if (rc < 0 && fd >= 0) {
			close(fd);
			p->lf.fd = -1;
		}
	}
	if (rc < 0) {
		bus_pipe_free(p);
		return rc;
	}
	read_on(p);
	*ret = p;
	return 0;
}

void
bus_pipe_free(struct bus_pipe *p)
{
	if (p == NULL)
		return;
	/* ends what is under way; nothing is begun on a closed stream, which would never end */
	nng_stream_close(p->stream);
	if (p->in_aio != NULL)
		nng_aio_free(p->in_aio); /* waits for the callback */
	if (p->out_aio != NULL)
		nng_aio_free(p->out_aio);
	nng_stream_free(p->stream);
	loop_timer_clear(p->loop, &p->retry);
	if (p->lf.fd >= 0) {
		loop_del(p->loop, &p->lf);
		close(p->lf.fd);
	}
	free(p->in.p);
	free(p->in_flight.p);
	free(p->out.p);
	free(p);
}
