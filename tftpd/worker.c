/* See worker.h. */
#include "tftpd/worker.h"

#include "common/log.h"
#include "tftpd/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* The least to which the table of transfers is sized; it never grows. */
#define CHAINS_MIN 1024

static void
take_request(struct worker *w, const struct listen_path *path, struct slice bytes,
    const struct tftp_packet *p)
{
	enum tftp_error code;
	const char *text;

	/* in single-port mode they still come; what begins now would be cut off */
	if (w->stopping) {
		w->stats.stopping++;
		return;
	}
	if (p->op == TFTP_WRQ) {
		w->stats.wrq++;
		code = TFTP_ERROR_ACCESS;
		text = "This server only reads";
	} else if (p->mode == TFTP_MODE_OTHER) {
		code = TFTP_ERROR_ILLEGAL;
		text = "Unknown mode";
	} else {
		session_request(w, path, bytes, p);
		return;
	}
	session_send_error(w, path, listen_pick(path->set), code, slice_str(text));
}

/* Longer than any that is served, and maybe than what was received of it: it need not parse. */
static bool
is_long_request(size_t socket, struct slice bytes)
{
	return socket == 0 && bytes.n > SESSION_REQUEST_MAX && bytes.p[0] == 0 &&
	       bytes.p[1] == TFTP_RRQ;
}

static void
on_packet(void *arg, const struct listen_path *path, size_t socket, struct slice bytes)
{
	struct worker *w = arg;
	struct tftp_packet p;

	/* nobody can be answered at port 0 */
	if (listen_peer_port(path) == 0)
		w->stats.malformed++;
	else if (is_long_request(socket, bytes))
		session_send_error(w, path, listen_pick(path->set), TFTP_ERROR_ILLEGAL,
		    slice_str("The request is too long"));
	else if (tftp_parse(bytes, &p) < 0)
		w->stats.malformed++;
	else if ((p.op == TFTP_RRQ || p.op == TFTP_WRQ) && socket == 0)
		take_request(w, path, bytes, &p);
	else if (!session_packet(w, path, socket, &p))
		/*
		 * RFC 1350 wants an ERROR here; it would end the client's other, living transfer
		 * when the packet is merely late, and answer forged senders: silence serves better.
		 */
		w->stats.strangers++;
}

struct outgoing *
worker_outgoing(struct worker *w, const struct listen_set *set, size_t socket)
{
	struct outgoing *o = w->outgoing;

	while (o->set != set)
		o++;
	return o + socket;
}

static void
on_room(void *arg, struct listen_set *set, size_t socket)
{
	worker_outgoing(arg, set, socket)->blocked = false;
}

static const struct listen_ops listen_ops = {
	.packet = on_packet,
	.room = on_room,
};

static void
on_stop(void *arg)
{
	struct worker *w = arg;

	w->stopping = true;
	for (size_t i = 0; i < w->nsets; i++)
		listen_stop(w->sets[i]);
}

/* Before the loop waits: what this round brought about leaves together. */
static void
on_round(void *arg)
{
	struct worker *w = arg;

	queue_send(w);
	pthread_mutex_lock(&w->lock);
	w->published = w->stats;
	bus_client_stats(w->bus, &w->published_bus);
	pthread_mutex_unlock(&w->lock);
	atomic_store_explicit(
	    &w->idle, w->stats.transfers == 0 && bus_is_drained(w->bus), memory_order_relaxed);
}

static int
open_sets(struct worker *w, size_t index, size_t count)
{
	const struct tftpd_conf *conf = w->shared->conf;
	const struct ipaddr *const addresses[WORKER_SETS] = { &conf->address, &conf->address6 };
	/* without `address` all of both families are listened on already */
	size_t n = conf->address.family != 0 && conf->address6.family != 0 ? 2 : 1;

	while (w->nsets < n) {
		struct listen_conf c = {
			.address = addresses[w->nsets],
			.port = (uint16_t)conf->port,
			.transfers = conf->transfer_ports,
			.worker = index,
			.workers = count,
		};
		int rc = listen_open(w->thread.loop, &c, &listen_ops, w, &w->sets[w->nsets]);

		if (rc < 0)
			return rc;
		for (size_t i = 0; i < listen_count(w->sets[w->nsets]); i++) {
			struct outgoing *o = &w->outgoing[w->noutgoing++];

			o->set = w->sets[w->nsets];
			o->socket = i;
			for (size_t class = 0; class < TRANSFER_CLASSES; class ++)
				TAILQ_INIT(&o->lists[class]);
		}
		w->nsets++;
	}
	return 0;
}

static int
alloc_chains(struct worker *w)
{
	w->nchains = CHAINS_MIN;
	while (w->nchains < (size_t)w->shared->conf->max_transfers)
		w->nchains *= 2;
	w->chains = calloc(w->nchains, sizeof(struct session *));
	if (w->chains == NULL)
		return -ENOMEM;
	return getrandom(w->hash_key, sizeof(w->hash_key), 0) < 0 ? -errno : 0;
}

int
worker_open(struct tftpd_shared *shared, size_t index, size_t count, struct worker **ret)
{
	struct worker *w = calloc(1, sizeof(*w));
	int rc;

	if (w == NULL)
		return -ENOMEM;
	w->shared = shared;
	pthread_mutex_init(&w->lock, NULL);
	rc = alloc_chains(w);
	if (rc == 0)
		rc = loop_thread_open(&w->thread, on_stop, w);
	if (rc < 0)
		log_errx("worker: %s", strerror(-rc));
	else
		rc = open_sets(w, index, count);
	if (rc < 0) {
		worker_close(w);
		return rc;
	}
	*ret = w;
	return 0;
}

int
worker_start(struct worker *w)
{
	const struct front_conf *front = &w->shared->conf->front;
	const struct bus_client_conf bus = {
		.urls = (const char *const *)front->handler.v,
		.nurls = front->handler.n,
		.tls_ca = front->handler_ca,
		.tls_certificate = front->handler_certificate,
		.deadline_ms = (uint32_t)front->handler_timeout_ms,
		.max_pending = (uint32_t)w->shared->conf->max_transfers,
		.quiet = true,
		.answer = session_answer,
		.answer_arg = w,
	};
	int rc;

	loop_hook_add(w->thread.loop, &w->hook, on_round, w);
	rc = bus_client_open(w->thread.loop, &bus, &w->bus);
	return rc < 0 ? rc : loop_thread_start(&w->thread);
}

void
worker_stop(struct worker *w)
{
	loop_thread_stop(&w->thread);
}

bool
worker_is_idle(const struct worker *w)
{
	return atomic_load(&w->idle);
}

void
worker_close(struct worker *w)
{
	if (w == NULL)
		return;
	loop_thread_end(&w->thread);
	for (size_t i = 0; w->chains != NULL && i < w->nchains; i++) {
		while (w->chains[i] != NULL)
			session_free(w->chains[i]);
	}
	for (size_t i = 0; i < w->nsets; i++)
		listen_close(w->sets[i]);
	bus_client_close(w->bus);
	loop_thread_close(&w->thread);
	pthread_mutex_destroy(&w->lock);
	free(w->chains);
	free(w);
}

void
worker_add_stats(struct worker *w, struct tftpd_stats *sum)
{
	const uint64_t *from = (const uint64_t *)&w->published;
	uint64_t *to = (uint64_t *)sum;

	_Static_assert(sizeof(*sum) % sizeof(*to) == 0, "it holds nothing but uint64_t");
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
	pthread_mutex_unlock(&w->lock);
}

void
worker_add_bus_stats(struct worker *w, struct bus_client_stats *sum)
{
	pthread_mutex_lock(&w->lock);
	bus_stats_add(sum, &w->published_bus);
	pthread_mutex_unlock(&w->lock);
}
