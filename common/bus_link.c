/* See bus_link.h. */
#include "common/bus_link.h"

#include "common/bus_nng.h"
#include "common/bus_pipe.h"
#include "common/bus_url.h"
#include "common/local_socket.h"
#include "common/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct bus_link {
	struct loop *loop;
	struct bus_link_conf conf;
	const char *path; /* of a handlerd on this host, and no dialer then; NULL: nng dials */
	nng_stream_dialer *dialer;
	nng_aio *dial_aio;
	struct loop_fd dialed_lf;
	atomic_bool dialed; /* nng's thread is through with dial_aio */
	bool dialing;
	struct loop_timer again;
	unsigned pause_ms;
	struct bus_pipe *pipe; /* NULL: not connected */
	unsigned losses;
	int fault; /* of the last attempt on this host, so that each is logged once; 0: none */
};

/* On a thread of nng. */
static void
on_dialed(void *arg)
{
	struct bus_link *l = arg;
	uint64_t one = 1;

	atomic_store_explicit(&l->dialed, true, memory_order_release);
	/* fails only when the counter is full, and then the loop wakes anyhow */
	if (write(l->dialed_lf.fd, &one, sizeof(one)) < 0)
		return;
}

static void
dial_later(struct bus_link *l)
{
	(void)loop_timer_set(
	    l->loop, &l->again, l->pause_ms); /* out of memory: at the next renewal */
	l->pause_ms = l->pause_ms * 2 < BUS_DIAL_MAX_MS ? l->pause_ms * 2 : BUS_DIAL_MAX_MS;
}

static void
lose(struct bus_link *l)
{
	bus_pipe_free(l->pipe);
	l->pipe = NULL;
	l->losses++;
	dial_later(l);
}

static void
on_pipe(void *arg)
{
	struct bus_link *l = arg;

	l->conf.fn(l->conf.arg);
}

/* On this host a connection is there at once, or it is not. */
static void
connect_locally(struct bus_link *l)
{
	int fd = local_connect(l->path);

	/* that nobody is there, or is busy, passes and is told by who waits for an answer */
	if (fd < 0 && fd != l->fault && fd != -ENOENT && fd != -ECONNREFUSED && fd != -EAGAIN)
		log_warnx("handler: \"%s\": %s", l->conf.url, strerror(-fd));
	l->fault = fd < 0 ? fd : 0;
	if (fd < 0 || bus_local_new(l->loop, fd, on_pipe, l, &l->pipe) < 0)
		dial_later(l);
	else
		l->conf.fn(l->conf.arg);
}

static void
dial(void *arg)
{
	struct bus_link *l = arg;

	if (l->path != NULL) {
		connect_locally(l);
		return;
	}
	atomic_store_explicit(&l->dialed, false, memory_order_relaxed);
	l->dialing = true;
	nng_stream_dialer_dial(l->dialer, l->dial_aio);
}

/* The stream of a dial that came to its end; NULL: it failed, or goes on. */
static nng_stream *
take_stream(struct bus_link *l)
{
	if (!l->dialing || !atomic_load_explicit(&l->dialed, memory_order_acquire))
		return NULL;
	l->dialing = false;
	return nng_aio_result(l->dial_aio) == 0 ? nng_aio_get_output(l->dial_aio, 0) : NULL;
}

static void
on_dialed_loop(void *arg, uint32_t events)
{
	struct bus_link *l = arg;
	nng_stream *stream = take_stream(l);

	(void)events;
	if (l->dialing || l->pipe != NULL)
		return;
	if (stream == NULL || bus_stream_new(l->loop, stream, on_pipe, l, &l->pipe) < 0) {
		dial_later(l);
		return;
	}
	l->conf.fn(l->conf.arg);
}

static int
set_tls(struct bus_link *l)
{
	nng_tls_config *tls;
	int rc;

	if (!bus_url_is_tls(l->conf.url))
		return 0;
	rc = bus_tls_new(l->conf.url, l->conf.tls_ca, l->conf.tls_certificate, &tls);
	if (rc < 0)
		return rc;
	rc = bus_errno(nng_stream_dialer_set_ptr(l->dialer, NNG_OPT_TLS_CONFIG, tls));
	nng_tls_config_free(tls); /* the dialer holds it now */
	return rc;
}

static int
make_dialer(struct bus_link *l)
{
	int fd, rc;

	rc = nng_stream_dialer_alloc(&l->dialer, l->conf.url);
	if (rc != 0) {
		log_errx("handler: \"%s\": %s", l->conf.url, nng_strerror(rc));
		return bus_errno(rc);
	}
	rc = set_tls(l);
	if (rc == 0)
		rc = bus_errno(nng_aio_alloc(&l->dial_aio, on_dialed, l));
	if (rc < 0)
		return rc;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	rc = loop_add(l->loop, &l->dialed_lf, fd, EPOLLIN | EPOLLET, on_dialed_loop, l);
	if (rc < 0) {
		close(fd);
		l->dialed_lf.fd = -1;
	}
	return rc;
}

int
bus_link_open(struct loop *loop, const struct bus_link_conf *conf, struct bus_link **ret)
{
	struct bus_link *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL)
		return -ENOMEM;
	l->loop = loop;
	l->conf = *conf;
	l->pause_ms = BUS_DIAL_MIN_MS;
	l->dialed_lf.fd = -1;
	loop_timer_init(&l->again, dial, l);
	l->path = bus_url_path(conf->url);
	/* the first attempt is the loop's: its caller does not have the link yet */
	rc = l->path != NULL ? loop_timer_set(loop, &l->again, 0) : make_dialer(l);
	if (rc < 0) {
		bus_link_close(l);
		return rc;
	}
	if (l->dialer != NULL)
		dial(l);
	*ret = l;
	return 0;
}

void
bus_link_close(struct bus_link *l)
{
	if (l == NULL)
		return;
	loop_timer_clear(l->loop, &l->again);
	bus_pipe_free(l->pipe);
	if (l->dialer != NULL)
		nng_stream_dialer_close(l->dialer);
	if (l->dial_aio != NULL) {
		nng_aio_stop(l->dial_aio); /* waits for the callback */
		nng_stream_free(take_stream(l));
		nng_aio_free(l->dial_aio);
	}
	nng_stream_dialer_free(l->dialer);
	if (l->dialed_lf.fd >= 0) {
		loop_del(l->loop, &l->dialed_lf);
		close(l->dialed_lf.fd);
	}
	free(l);
}

void
bus_link_renew(struct bus_link *l)
{
	if (l->pipe != NULL)
		lose(l);
	else if (!l->dialing && !loop_timer_is_set(&l->again))
		dial_later(l);
}

bool
bus_link_is_connected(const struct bus_link *l)
{
	return l->pipe != NULL;
}

unsigned
bus_link_losses(const struct bus_link *l)
{
	return l->losses;
}

int
bus_link_send(struct bus_link *l, struct slice message)
{
	int rc = l->pipe != NULL ? bus_pipe_send(l->pipe, message) : -ENOTCONN;

	/* the loss is taken down by bus_link_recv(), which the pipe's end leads to */
	return rc == -EPIPE ? -ENOTCONN : rc;
}

bool
bus_link_recv(struct bus_link *l, struct slice *ret)
{
	int rc = l->pipe != NULL ? bus_pipe_recv(l->pipe, ret) : -EAGAIN;

	if (rc == 0) {
		l->pause_ms = BUS_DIAL_MIN_MS;
		return true;
	}
	if (rc != -EAGAIN)
		lose(l);
	return false;
}
