/* handlerd's end of the bus; see bus_server.h. */
#include "common/bus_server.h"

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
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_BYTES (256u << 10) /* a message of answers is sent when it passes this */
#define A_ROUND     64           /* messages of a connection read before others get their turn */
#define AGAIN_MS    100          /* after a failure to accept */
/*
 * Events leave a front daemon one message at a time.  A confirmation that lets a moment pass has
 * the next one carry all that came meanwhile: under load, two messages less for each request.
 */
#define ACK_MS   3
#define ACK_FULL 128 /* events that are confirmed at once, for there are many more */

/* A front daemon's connection; its id tells its place and tells it from those there before. */
struct connection {
	struct bus_server *server;
	struct bus_pipe *pipe; /* NULL: none */
	uint64_t id;
	uint64_t ack_seq; /* to be confirmed; 0: nothing is */
};

/* What listens at one URL. */
struct listener {
	struct bus_server *server;
	const char *path; /* of a Unix socket, and no listener of nng then; or NULL */
	nng_stream_listener *listener;
	nng_aio *aio;
	struct loop_fd lf;
	atomic_bool accepted; /* nng's thread is through with aio */
	struct loop_timer again;
	ino_t ino; /* of the socket at `path` */
};

struct bus_server {
	struct loop *loop;
	struct bus_server_conf conf;
	struct listener *listeners;
	size_t nlisteners;
	struct connection connections[BUS_CONNECTIONS];
	uint64_t generation;
	struct loop_hook hook;
	struct loop_timer ack_timer;

	/* the answers of this round so far, all for the connection `to` */
	uint8_t *buf;
	struct msg_writer batch;
	uint64_t to;

	uint8_t small[64]; /* for messages without records, and acknowledgements */
	struct bus_server_stats stats;
};

static struct connection *
connection_of(struct bus_server *s, uint64_t id)
{
	struct connection *c = &s->connections[id % BUS_CONNECTIONS];

	return c->pipe != NULL && c->id == id ? c : NULL;
}

static void
reply_send(struct bus_server *s, uint64_t to, struct slice message)
{
	struct connection *c = connection_of(s, to);

	/* the asker's deadline covers a loss, and its end is told by reading */
	if (c != NULL && bus_pipe_send(c->pipe, message) == -EAGAIN) {
		s->stats.unread++;
		log_peer_warn("bus: a front daemon does not read; its answers are dropped");
	}
}

static void
flush(void *arg)
{
	struct bus_server *s = arg;

	if (s->batch.records > 0)
		reply_send(s, s->to, msg_end(&s->batch));
	msg_begin(&s->batch, s->buf, MSG_MAX_BYTES, MSG_ANSWERS, 0);
}

void
bus_answer(struct bus_server *s, const struct bus_reply *to, struct boot_answer *a)
{
	a->id = to->id;
	if (s->batch.records > 0 && (s->to != to->connection || s->batch.w.used > BATCH_BYTES))
		flush(s);
	s->to = to->connection;
	if (msg_put_answer(&s->batch, a) < 0) {
		flush(s);
		if (msg_put_answer(&s->batch, a) < 0) {
			struct boot_answer refusal = {
				.id = a->id,
				.action = ACTION_ERROR,
				.reason = REASON_TOO_LONG,
				.error = BOOT_ERROR_UNAVAILABLE,
				.boot = a->boot,
				.text = slice_str("the answer is too large"),
			};

			/* fits by its constant size */
			(void)msg_put_answer(&s->batch, &refusal);
		}
	}
	s->stats.answers++;
}

/* Tells the front daemon which of its events are safe. */
static void
confirm(struct bus_server *s, struct connection *c)
{
	struct msg_ack ack;
	struct msg_writer w;

	if (c == NULL || c->ack_seq == 0)
		return;
	ack = (struct msg_ack){ .seq = c->ack_seq };
	c->ack_seq = 0;
	msg_begin(&w, s->small, sizeof(s->small), MSG_ACK, 0);
	(void)msg_put_ack(&w, &ack); /* fits */
	reply_send(s, c->id, msg_end(&w));
}

static void
on_ack_due(void *arg)
{
	struct bus_server *s = arg;

	for (size_t i = 0; i < BUS_CONNECTIONS; i++)
		confirm(s, &s->connections[i]);
}

static void
take_events(struct bus_server *s, struct msg_reader *r, uint64_t from)
{
	struct connection *c = connection_of(s, from);
	struct boot_event e;
	size_t n = 0;
	int rc;

	while ((rc = msg_get_event(r, &e)) != -ENOENT) {
		if (rc < 0) {
			s->stats.malformed++;
			continue;
		}
		if (!s->conf.ops->event(s->conf.arg, r->header.origin, &e))
			break;
		s->stats.events++;
		n++;
		if (c != NULL)
			c->ack_seq = e.seq;
	}
	if (n >= ACK_FULL)
		confirm(s, c);
	else if (n > 0 && !loop_timer_is_set(&s->ack_timer) &&
		 loop_timer_set(s->loop, &s->ack_timer, ACK_MS) < 0)
		confirm(s, c);
}

static void
on_message(struct bus_server *s, uint64_t from, struct slice message)
{
	struct daemon_status status;
	struct boot_request request;
	struct bus_reply to = { .connection = from };
	struct msg_reader r;
	struct msg_writer w;
	int rc;

	s->stats.messages++;
	rc = msg_open(&r, message.p, message.n);
	if (rc < 0) {
		s->stats.malformed += rc == -EBADMSG;
		s->stats.versions += rc == -EPROTO;
		log_peer_warn("bus: dropped a message that %s",
		    rc == -EPROTO ? "is of another version: are all daemons of one release?"
				  : "makes no sense");
		return;
	}
	switch (r.header.kind) {
	case MSG_PING:
		msg_begin(&w, s->small, sizeof(s->small), MSG_PONG, 0);
		reply_send(s, from, msg_end(&w));
		break;
	case MSG_REQUESTS:
		while ((rc = msg_get_request(&r, &request)) != -ENOENT) {
			if (rc < 0) {
				s->stats.malformed++;
				continue;
			}
			s->stats.requests++;
			to.id = request.id;
			s->conf.ops->request(s->conf.arg, &to, &request);
		}
		break;
	case MSG_EVENTS: take_events(s, &r, from); break;
	case MSG_STATUS:
		while ((rc = msg_get_status(&r, &status)) != -ENOENT) {
			if (rc == 0)
				s->conf.ops->status(s->conf.arg, r.header.origin, &status);
			else
				s->stats.malformed++;
		}
		break;
	default: s->stats.malformed++; break;
	}
}

/* --- connections ----------------------------------------------------------------------------- */

static void
drop(struct connection *c)
{
	bus_pipe_free(c->pipe);
	c->pipe = NULL;
	c->server->stats.connections--;
}

static void
on_pipe(void *arg)
{
	struct connection *c = arg;
	struct slice message;

	/* a bounded round: others, timers and signals get their turn */
	for (int i = 0; i < A_ROUND; i++) {
		int rc = bus_pipe_recv(c->pipe, &message);

		if (rc == -EAGAIN)
			return;
		if (rc < 0) {
			if (rc == -EBADMSG)
				c->server->stats.malformed++;
			drop(c);
			return;
		}
		on_message(c->server, c->id, message);
	}
	bus_pipe_again(c->pipe);
}

/* By nng's stream, or if that is NULL by the descriptor. */
static void
take_connection(struct bus_server *s, nng_stream *stream, int fd)
{
	int rc;

	struct connection *c = NULL;

	for (size_t i = 0; i < BUS_CONNECTIONS && c == NULL; i++) {
		if (s->connections[i].pipe == NULL)
			c = &s->connections[i];
	}
	if (c == NULL) {
		s->stats.refused++;
		log_peer_warn("bus: refused a connection: there are %d already", BUS_CONNECTIONS);
		nng_stream_free(stream);
		if (fd >= 0)
			close(fd);
		return;
	}
	*c = (struct connection){
		.server = s,
		.id = ++s->generation * BUS_CONNECTIONS + (uint64_t)(c - s->connections),
	};
	rc = stream != NULL ? bus_stream_new(s->loop, stream, on_pipe, c, &c->pipe)
	                    : bus_local_new(s->loop, fd, on_pipe, c, &c->pipe);
	if (rc < 0)
		log_peer_warn("bus: refused a connection: out of memory or descriptors");
	else
		s->stats.connections++;
}

/* --- listening ------------------------------------------------------------------------------- */

/* On a thread of nng. */
static void
on_accepted(void *arg)
{
	struct listener *l = arg;
	uint64_t one = 1;

	atomic_store_explicit(&l->accepted, true, memory_order_release);
	/* fails only when the counter is full, and then the loop wakes anyhow */
	if (write(l->lf.fd, &one, sizeof(one)) < 0)
		return;
}

static void
accept_next(void *arg)
{
	struct listener *l = arg;

	atomic_store_explicit(&l->accepted, false, memory_order_relaxed);
	nng_stream_listener_accept(l->listener, l->aio);
}

static void
on_accepted_loop(void *arg, uint32_t events)
{
	struct listener *l = arg;

	(void)events;
	if (!atomic_load_explicit(&l->accepted, memory_order_acquire) ||
	    loop_timer_is_set(&l->again))
		return;
	if (nng_aio_result(l->aio) != 0) { /* out of descriptors, say */
		log_peer_warn("bus: accepting: %s", nng_strerror(nng_aio_result(l->aio)));
		if (loop_timer_set(l->server->loop, &l->again, AGAIN_MS) == 0)
			return;
	} else {
		take_connection(l->server, nng_aio_get_output(l->aio, 0), -1);
	}
	accept_next(l);
}

static int
set_tls(struct listener *l)
{
	const struct bus_server_conf *conf = &l->server->conf;
	nng_tls_config *tls;
	int rc = bus_tls_new(NULL, conf->tls_ca, conf->tls_certificate, &tls);

	if (rc < 0)
		return rc;
	rc = bus_errno(nng_stream_listener_set_ptr(l->listener, NNG_OPT_TLS_CONFIG, tls));
	nng_tls_config_free(tls); /* the listener holds it now */
	return rc;
}

/* A socket that stays readable while descriptors are short rests, instead of the loop spinning. */
static void
on_connect(void *arg, uint32_t events)
{
	struct listener *l = arg;
	int fd;

	(void)events;
	while ((fd = accept4(l->lf.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		take_connection(l->server, NULL, fd);
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	log_peer_warn("bus: accepting: %s", strerror(errno));
	if (loop_timer_set(l->server->loop, &l->again, AGAIN_MS) == 0)
		loop_mod(l->server->loop, &l->lf, 0);
}

static void
listen_on(void *arg)
{
	struct listener *l = arg;

	loop_mod(l->server->loop, &l->lf, EPOLLIN);
}

static int
listen_locally(struct listener *l)
{
	struct stat st;
	int rc, fd = local_listen(l->path, 0660, BUS_CONNECTIONS);

	if (fd < 0)
		return fd;
	if (stat(l->path, &st) == 0)
		l->ino = st.st_ino;
	loop_timer_init(&l->again, listen_on, l);
	rc = loop_add(l->server->loop, &l->lf, fd, EPOLLIN, on_connect, l);
	if (rc < 0)
		close(fd);
	return rc;
}

static int
listen_by_nng(struct listener *l, const char *url)
{
	int fd, rc;

	loop_timer_init(&l->again, accept_next, l);
	rc = nng_stream_listener_alloc(&l->listener, url);
	if (rc == 0 && bus_url_is_tls(url)) {
		rc = set_tls(l);
		if (rc < 0)
			return rc;
	}
	if (rc == 0)
		rc = nng_stream_listener_listen(l->listener);
	if (rc == 0)
		rc = nng_aio_alloc(&l->aio, on_accepted, l);
	if (rc != 0)
		return bus_errno(rc);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	rc = loop_add(l->server->loop, &l->lf, fd, EPOLLIN | EPOLLET, on_accepted_loop, l);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	accept_next(l);
	return 0;
}

static int
add_listener(struct bus_server *s, const char *url)
{
	struct listener *l = &s->listeners[s->nlisteners++];
	int rc;

	l->server = s;
	l->path = bus_url_path(url);
	l->lf.fd = -1;
	rc = l->path != NULL ? listen_locally(l) : listen_by_nng(l, url);
	if (rc < 0) {
		l->lf.fd = -1;
		log_errx("listen: \"%s\": %s", url, strerror(-rc));
	}
	return rc;
}

/* Nobody else's: another handlerd may have made its own there. */
static void
remove_socket(const struct listener *l)
{
	struct stat st;

	if (l->ino != 0 && stat(l->path, &st) == 0 && st.st_ino == l->ino)
		(void)unlink(l->path); /* may not be ours to remove any more */
}

static void
close_listener(struct bus_server *s, struct listener *l)
{
	loop_timer_clear(s->loop, &l->again);
	if (l->listener != NULL)
		nng_stream_listener_close(l->listener);
	if (l->aio != NULL) {
		nng_aio_stop(l->aio); /* waits for the callback */
		if (atomic_load(&l->accepted) && nng_aio_result(l->aio) == 0)
			nng_stream_free(nng_aio_get_output(l->aio, 0));
		nng_aio_free(l->aio);
	}
	nng_stream_listener_free(l->listener);
	/* while it is open nobody else makes one there, and its inode stays its own */
	remove_socket(l);
	if (l->lf.fd >= 0) {
		loop_del(s->loop, &l->lf);
		close(l->lf.fd);
	}
}

/* --- life ------------------------------------------------------------------------------------ */

int
bus_server_open(struct loop *loop, const struct bus_server_conf *conf, struct bus_server **ret)
{
	struct bus_server *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (s == NULL)
		return -ENOMEM;
	s->loop = loop;
	s->conf = *conf;
	s->buf = malloc(MSG_MAX_BYTES);
	s->listeners = calloc(conf->nurls, sizeof(*s->listeners));
	if (s->buf == NULL || s->listeners == NULL)
		rc = -ENOMEM;
	else
		flush(s); /* nothing to send yet: begins the first batch */
	for (size_t i = 0; rc == 0 && i < conf->nurls; i++) {
		if (bus_url_is_open(conf->urls[i]))
			log_warnx("listen: \"%s\": tcp has neither secrecy nor authentication; "
				  "prefer tls+tcp",
			    conf->urls[i]);
		rc = add_listener(s, conf->urls[i]);
	}
	loop_hook_add(loop, &s->hook, flush, s);
	loop_timer_init(&s->ack_timer, on_ack_due, s);
	if (rc < 0) {
		bus_server_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void
bus_server_close(struct bus_server *s)
{
	if (s == NULL)
		return;
	loop_hook_del(s->loop, &s->hook);
	loop_timer_clear(s->loop, &s->ack_timer);
	if (s->batch.records > 0)
		flush(s);
	for (size_t i = 0; i < s->nlisteners; i++)
		close_listener(s, &s->listeners[i]);
	for (size_t i = 0; i < BUS_CONNECTIONS; i++) {
		if (s->connections[i].pipe != NULL)
			drop(&s->connections[i]);
	}
	free(s->listeners);
	free(s->buf);
	free(s);
}

void
bus_server_stats(const struct bus_server *s, struct bus_server_stats *ret)
{
	*ret = s->stats;
}
