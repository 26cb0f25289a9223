/* handlerd's end of the bus; see bus_server.h. */
#include "common/bus_server.h"

#include "common/bus_nng.h"
#include "common/log.h"

#include <errno.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES    (256u << 10) /* a message of answers is sent when it passes this */
#define QUEUE_MESSAGES 1024         /* nng's queues, in messages */
#define A_ROUND        64           /* messages read before answers leave */

struct bus_server {
	struct loop *loop;
	struct bus_server_conf conf;
	nng_socket socket;
	bool open;
	struct loop_fd recv_lf;
	struct loop_hook hook;

	/* the answers of this round so far, all for `to` */
	uint8_t *buf;
	struct msg_writer batch;
	struct bus_reply to;

	uint8_t small[64]; /* for messages without records, and acknowledgements */
	struct bus_server_stats stats;
};

static void
reply_send(struct bus_server *s, const struct bus_reply *to, struct slice message)
{
	nng_msg *m;
	int rc;

	rc = nng_msg_alloc(&m, 0);
	if (rc != 0)
		return;
	rc = nng_msg_header_append(m, to->header, to->header_n);
	if (rc == 0)
		rc = nng_msg_append(m, message.p, message.n);
	if (rc == 0)
		rc = bus_send_message(s->socket, m);
	else
		nng_msg_free(m);
	if (rc != 0) /* the asker's deadline covers this */
		log_peer_warn("bus: an answer could not be sent: %s", nng_strerror(rc));
}

static void
flush(void *arg)
{
	struct bus_server *s = arg;

	if (s->batch.records > 0)
		reply_send(s, &s->to, msg_end(&s->batch));
	msg_begin(&s->batch, s->buf, MSG_MAX_BYTES, MSG_ANSWERS, 0);
}

void
bus_answer(struct bus_server *s, const struct bus_reply *to, struct boot_answer *a)
{
	a->id = to->id;
	if (s->batch.records > 0 && (s->to.header_n != to->header_n ||
					memcmp(s->to.header, to->header, to->header_n) != 0 ||
					s->batch.w.used > BATCH_BYTES))
		flush(s);
	s->to = *to;
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

static void
take_events(struct bus_server *s, struct msg_reader *r, const struct bus_reply *to)
{
	struct msg_ack ack = { 0 };
	struct boot_event e;
	struct msg_writer w;
	int rc;

	while ((rc = msg_get_event(r, &e)) != -ENOENT) {
		if (rc < 0) {
			s->stats.malformed++;
			continue;
		}
		if (!s->conf.ops->event(s->conf.arg, r->header.origin, &e))
			break;
		s->stats.events++;
		ack.seq = e.seq;
	}
	if (ack.seq == 0)
		return;
	msg_begin(&w, s->small, sizeof(s->small), MSG_ACK, 0);
	(void)msg_put_ack(&w, &ack); /* fits */
	reply_send(s, to, msg_end(&w));
}

static void
on_message(struct bus_server *s, const struct bus_reply *way, const void *body, size_t n)
{
	struct daemon_status status;
	struct boot_request request;
	struct bus_reply to = *way;
	struct msg_reader r;
	struct msg_writer w;
	int rc;

	s->stats.messages++;
	rc = msg_open(&r, body, n);
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
		reply_send(s, &to, msg_end(&w));
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
	case MSG_EVENTS: take_events(s, &r, &to); break;
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

static void
on_readable(void *arg, uint32_t events)
{
	struct bus_server *s = arg;
	nng_msg *m;

	(void)events;
	/* the descriptor stays readable while messages wait: a bounded round keeps timers alive */
	for (int i = 0; i < A_ROUND && nng_recvmsg(s->socket, &m, NNG_FLAG_NONBLOCK) == 0; i++) {
		struct bus_reply way = { .header_n = (uint8_t)nng_msg_header_len(m) };

		if (nng_msg_header_len(m) <= sizeof(way.header)) {
			memcpy(way.header, nng_msg_header(m), way.header_n);
			on_message(s, &way, nng_msg_body(m), nng_msg_len(m));
		}
		nng_msg_free(m);
	}
}

static int
add_listener(struct bus_server *s, const char *url)
{
	nng_tls_config *tls = NULL;
	nng_listener l;
	int rc;

	rc = nng_listener_create(&l, s->socket, url);
	if (rc == 0 && strncmp(url, "ipc://", 6) == 0)
		rc = nng_listener_set_int(l, NNG_OPT_IPC_PERMISSIONS, 0660);
	if (rc == 0 && bus_url_is_tls(url)) {
		rc = bus_tls_new(NULL, s->conf.tls_ca, s->conf.tls_certificate, &tls);
		if (rc < 0)
			return rc;
		rc = nng_listener_set_ptr(l, NNG_OPT_TLS_CONFIG, tls);
		nng_tls_config_free(tls); /* the listener holds it now */
	}
	if (rc == 0)
		rc = nng_listener_start(l, 0);
	if (rc != 0)
		log_errx("listen: \"%s\": %s", url, nng_strerror(rc));
	return bus_errno(rc);
}

int
bus_server_open(struct loop *loop, const struct bus_server_conf *conf, struct bus_server **ret)
{
	struct bus_server *s = calloc(1, sizeof(*s));
	int fd = -1, rc;

	if (s == NULL)
		return -ENOMEM;
	s->loop = loop;
	s->conf = *conf;
	s->buf = malloc(MSG_MAX_BYTES);
	rc = s->buf != NULL ? nng_rep0_open_raw(&s->socket) : NNG_ENOMEM;
	if (rc == 0) {
		s->open = true;
		flush(s); /* nothing to send yet: begins the first batch */
	}
	if (rc == 0)
		rc = nng_socket_set_int(s->socket, NNG_OPT_RECVBUF, QUEUE_MESSAGES);
	if (rc == 0)
		rc = nng_socket_set_int(s->socket, NNG_OPT_SENDBUF, QUEUE_MESSAGES);
	if (rc == 0)
		rc = nng_socket_set_size(s->socket, NNG_OPT_RECVMAXSZ, MSG_MAX_BYTES);
	if (rc == 0)
		rc = nng_socket_get_int(s->socket, NNG_OPT_RECVFD, &fd);
	rc = bus_errno(rc);
	for (size_t i = 0; rc == 0 && i < conf->nurls; i++) {
		if (bus_url_is_open(conf->urls[i]))
			log_warnx("listen: \"%s\": tcp has neither secrecy nor authentication; "
				  "prefer tls+tcp",
			    conf->urls[i]);
		rc = add_listener(s, conf->urls[i]);
	}
	if (rc == 0)
		rc = loop_add(loop, &s->recv_lf, fd, EPOLLIN, on_readable, s);
	if (rc < 0) {
		bus_server_close(s);
		return rc;
	}
	loop_hook_add(loop, &s->hook, flush, s);
	*ret = s;
	return 0;
}

void
bus_server_close(struct bus_server *s)
{
	if (s == NULL)
		return;
	loop_hook_del(s->loop, &s->hook);
	loop_del(s->loop, &s->recv_lf);
	if (s->open) {
		if (s->batch.records > 0)
			flush(s);
		bus_close_socket(s->socket);
	}
	free(s->buf);
	free(s);
}

void
bus_server_stats(const struct bus_server *s, struct bus_server_stats *ret)
{
	*ret = s->stats;
}
