/* See bus_link.h. */
#include "common/bus_link.h"

#include "common/bus_nng.h"
#include "common/log.h"
#include "common/msg.h"

#include <errno.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define QUEUE_MESSAGES 256 /* nng's queues, in messages */

struct bus_link {
	nng_socket socket;
	int recv_fd; /* nng's */
	int wake_fd;
	uint32_t next_header; /* nng's request id; unused, as ours stand in the records */

	/* written by nng's threads */
	pthread_mutex_t lock;
	uint32_t pipe;  /* the connection that stands; 0: none */
	uint32_t ended; /* the last that ended without having been told of before */
	unsigned losses;
};

/*
 * On a thread of nng: hand over and return.  A connection that ends while it begins is told of in
 * either order, or only its end.
 */
static void
on_pipe(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	uint32_t id = (uint32_t)nng_pipe_id(pipe);
	struct bus_link *l = arg;
	uint64_t one = 1;

	pthread_mutex_lock(&l->lock);
	if (ev != NNG_PIPE_EV_ADD_POST) {
		if (l->pipe == id)
			l->pipe = 0;
		else
			l->ended = id;
		l->losses++;
	} else if (l->ended != id) {
		l->pipe = id;
	}
	pthread_mutex_unlock(&l->lock);
	/* fails only when the counter is full, and then the loop wakes anyhow */
	if (write(l->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static void
link_free(void *arg)
{
	struct bus_link *l = arg;

	if (l->wake_fd >= 0)
		close(l->wake_fd);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* 0, an error of nng, or a negative errno that was logged. */
static int
link_dial(struct bus_link *l, const struct bus_link_conf *conf)
{
	int dial_min_ms = conf->slow ? BUS_SLOW_DIAL_MS : 50;
	int dial_max_ms = conf->slow ? BUS_SLOW_DIAL_MS : 500;
	nng_tls_config *tls = NULL;
	nng_dialer d;
	int rc;

	if ((rc = nng_socket_set_int(l->socket, NNG_OPT_SENDBUF, QUEUE_MESSAGES)) != 0 ||
	    (rc = nng_socket_set_int(l->socket, NNG_OPT_RECVBUF, QUEUE_MESSAGES)) != 0 ||
	    (rc = nng_socket_set_size(l->socket, NNG_OPT_RECVMAXSZ, MSG_MAX_BYTES)) != 0 ||
	    (rc = nng_socket_set_ms(l->socket, NNG_OPT_RECONNMINT, dial_min_ms)) != 0 ||
	    (rc = nng_socket_set_ms(l->socket, NNG_OPT_RECONNMAXT, dial_max_ms)) != 0 ||
	    (rc = nng_pipe_notify(l->socket, NNG_PIPE_EV_ADD_POST, on_pipe, l)) != 0 ||
	    (rc = nng_pipe_notify(l->socket, NNG_PIPE_EV_REM_POST, on_pipe, l)) != 0 ||
	    (rc = nng_dialer_create(&d, l->socket, conf->url)) != 0)
		return rc;
	if (bus_url_is_tls(conf->url)) {
		rc = bus_tls_new(conf->url, conf->tls_ca, conf->tls_certificate, &tls);
		if (rc < 0)
			return rc;
		rc = nng_dialer_set_ptr(d, NNG_OPT_TLS_CONFIG, tls);
		nng_tls_config_free(tls); /* the dialer holds it now */
		if (rc != 0)
			return rc;
	}
	rc = nng_socket_get_int(l->socket, NNG_OPT_RECVFD, &l->recv_fd);
	return rc != 0 ? rc : nng_dialer_start(d, NNG_FLAG_NONBLOCK);
}

int
bus_link_open(const struct bus_link_conf *conf, struct bus_link **ret)
{
	struct bus_link *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL)
		return -ENOMEM;
	pthread_mutex_init(&l->lock, NULL);
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = l->wake_fd < 0 ? NNG_ENOFILES : nng_req0_open_raw(&l->socket);
	if (rc == 0) {
		rc = link_dial(l, conf);
		if (rc != 0)
			bus_close_socket(l->socket);
	}
	if (rc != 0) {
		link_free(l);
		if (rc < 0)
			return rc;
		log_errx("handler: \"%s\": %s", conf->url, nng_strerror(rc));
		return bus_errno(rc);
	}
	*ret = l;
	return 0;
}

void
bus_link_close(struct bus_link *l, struct bus_closing **ret)
{
	if (bus_close_begin(l->socket, link_free, l, ret) < 0)
		*ret = NULL;
}

int
bus_link_recv_fd(const struct bus_link *l)
{
	return l->recv_fd;
}

int
bus_link_wake_fd(const struct bus_link *l)
{
	return l->wake_fd;
}

struct bus_link_state
bus_link_state(struct bus_link *l)
{
	struct bus_link_state state;
	uint64_t count;

	/* before the look at the figures, so that a change after it wakes again */
	if (read(l->wake_fd, &count, sizeof(count)) < 0)
		count = 0; /* nothing new; asked for another reason */
	pthread_mutex_lock(&l->lock);
	state = (struct bus_link_state){ .connected = l->pipe != 0, .losses = l->losses };
	pthread_mutex_unlock(&l->lock);
	return state;
}

int
bus_link_send(struct bus_link *l, struct slice message)
{
	nng_msg *m;
	int rc;

	rc = nng_msg_alloc(&m, 0);
	if (rc != 0)
		return bus_errno(rc);
	/* the top bit ends nng's list of hops */
	rc = nng_msg_header_append_u32(m, 0x80000000u | (l->next_header++ & 0x7fffffffu));
	if (rc == 0)
		rc = nng_msg_append(m, message.p, message.n);
	if (rc != 0) {
		nng_msg_free(m);
		return bus_errno(rc);
	}
	return bus_errno(bus_send_message(l->socket, m));
}

nng_msg *
bus_link_recv(struct bus_link *l)
{
	nng_msg *m;

	return nng_recvmsg(l->socket, &m, NNG_FLAG_NONBLOCK) == 0 ? m : NULL;
}
