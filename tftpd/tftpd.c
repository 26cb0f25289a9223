/* tftpd: the main thread, which opens the workers and speaks for them; see tftpd.h. */
#include "tftpd/tftpd.h"

#include "common/log.h"
#include "tftpd/load.h"
#include "tftpd/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_AUTO 8  /* more do not speed up what a network can carry */
#define WORKERS_MAX  64 /* of the key `workers` */
#define LOAD_MS      100

#define STAT(member, text)                                                                         \
	{                                                                                          \
#member, offsetof(struct tftpd_stats, member), text                                \
	}
const struct counter tftpd_counters[] = {
	STAT(rrq, "read requests"),
	STAT(wrq, "write requests, refused"),
	STAT(malformed, "packets that are no TFTP"),
	STAT(strangers, "packets that belong to no transfer"),
	STAT(merged, "repeated requests of one client, taken as one"),
	STAT(replaced, "transfers ended by a new request from the same port"),
	STAT(refused, "requests dropped because of max_transfers"),
	STAT(crowded, "requests dropped because of max_client_transfers"),
	STAT(unanswered, "requests that handlerd did not answer in time"),
	STAT(silent, "requests that handlerd left unanswered on purpose"),
	STAT(errors, "errors sent"),
	STAT(not_found, "errors sent for files that are not there"),
	STAT(started, "transfers started"),
	STAT(finished, "transfers finished"),
	STAT(probes, "size probes"),
	STAT(failed, "transfers failed"),
	STAT(retransmits, "blocks sent again"),
	STAT(blocks, "blocks sent"),
	STAT(sent_bytes, "bytes in these blocks"),
	STAT(bytes, "bytes delivered by finished transfers"),
	STAT(no_room, "sends that waited for the socket"),
	STAT(unsent, "messages that could not be sent"),
	STAT(stopping, "requests dropped because tftpd is about to end"),
	STAT(transfers, "transfers and requests under way"),
	STAT(waiting_blocks, "blocks that wait for room in the socket"),
	{ 0 },
};

struct tftpd {
	struct tftpd_conf *conf;
	struct front front;
	struct tftpd_shared shared;
	struct worker *workers[WORKERS_MAX];
	size_t nworkers;
	struct tftpd_stats stats; /* of all workers, when last gathered */
	struct load load;
	struct loop_timer load_timer;
};

static void
stop(void *arg)
{
	struct tftpd *d = arg;

	for (size_t i = 0; i < d->nworkers; i++)
		worker_stop(d->workers[i]);
}

static bool
idle(void *arg)
{
	const struct tftpd *d = arg;

	for (size_t i = 0; i < d->nworkers; i++) {
		if (!worker_is_idle(d->workers[i]))
			return false;
	}
	return true;
}

static void
reloaded(void *arg)
{
	struct tftpd *d = arg;
	struct tftpd_limits *limits = &d->shared.limits;

	atomic_store(&limits->blksize, (uint32_t)d->conf->max_blksize);
	atomic_store(&limits->windowsize, (uint32_t)d->conf->max_windowsize);
	atomic_store(&limits->client_transfers, (uint32_t)d->conf->max_client_transfers);
	atomic_store(&limits->fragments, d->conf->allow_fragments);
}

static void
announce(void *arg, struct daemon_status *status)
{
	const struct tftpd *d = arg;

	status->address = d->conf->address;
	status->address6 = d->conf->address6;
	status->port = (uint16_t)d->conf->port;
	status->transfers = (uint32_t)d->load.last.transfers;
	status->max_transfers = (uint32_t)d->conf->max_transfers;
	status->bytes_per_s = d->load.bytes_per_s;
	status->retransmit_permille = d->load.retransmit_permille;
	status->queue_blocks = d->load.queue_blocks;
	status->load_permille = d->load.permille;
}

static void
gather(void *arg)
{
	struct tftpd *d = arg;

	d->stats = (struct tftpd_stats){ 0 };
	for (size_t i = 0; i < d->nworkers; i++)
		worker_add_stats(d->workers[i], &d->stats);
}

/* The main thread's own connection asks and tells nothing: what counts are the workers'. */
static void
bus_stats(void *arg, struct bus_client_stats *sum)
{
	struct tftpd *d = arg;

	for (size_t i = 0; i < d->nworkers; i++)
		worker_add_bus_stats(d->workers[i], sum);
}

static void
on_load(void *arg)
{
	struct tftpd *d = arg;
	struct load_sample s;

	gather(d);
	s = (struct load_sample){
		.at_ms = loop_now_ms(d->front.loop),
		.bytes = d->stats.sent_bytes,
		.blocks = d->stats.blocks,
		.retransmits = d->stats.retransmits,
		.transfers = d->stats.transfers,
		.max_transfers = (uint64_t)d->conf->max_transfers,
		.waiting_blocks = d->stats.waiting_blocks,
		.waiting_bytes = d->stats.waiting_bytes,
	};
	load_update(&d->load, &s);
	bus_load(d->front.bus, d->load.permille);
	(void)loop_timer_set(d->front.loop, &d->load_timer, LOAD_MS);
}

static const struct front_ops ops = {
	.stop = stop,
	.idle = idle,
	.reloaded = reloaded,
	.announce = announce,
	.gather = gather,
	.bus_stats = bus_stats,
};

static int
open_workers(struct tftpd *d)
{
	const struct tftpd_conf *conf = d->conf;
	size_t n = listen_workers(&conf->transfer_ports, (uint16_t)conf->port,
	    loop_thread_count(conf->workers, WORKERS_AUTO));
	int rc = listen_claim(&conf->address, (uint16_t)conf->port);

	if (rc == 0 && conf->address.family != 0 && conf->address6.family != 0)
		rc = listen_claim(&conf->address6, (uint16_t)conf->port);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = worker_open(&d->shared, i, n, &d->workers[d->nworkers]);
		d->nworkers += rc == 0;
		/* another program has its ports: the other workers serve without it */
		if (rc == -EADDRINUSE)
			rc = 0;
	}
	if (rc < 0)
		return rc;
	if (d->nworkers == 0) {
		log_errx("transfer_ports: none of %u to %u can be bound: %s",
		    conf->transfer_ports.first, conf->transfer_ports.last, strerror(EADDRINUSE));
		return -EADDRINUSE;
	}
	if (d->nworkers < n)
		log_warnx("transfer_ports: other programs have some of %u to %u, so there are %zu "
			  "threads instead of %zu",
		    conf->transfer_ports.first, conf->transfer_ports.last, d->nworkers, n);
	return 0;
}

int
tftpd_open(struct tftpd **ret, struct tftpd_conf *conf, const struct opts *opts)
{
	struct tftpd *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return -ENOMEM;
	d->conf = conf;
	d->front = (struct front){
		.daemon = DAEMON_TFTPD,
		.table = &tftpd_config,
		.conf = conf,
		.opts = opts,
		.ops = &ops,
		.arg = d,
		.counters = tftpd_counters,
		.counter_base = &d->stats,
	};
	d->shared.conf = conf;
	served_files_init(&d->shared.files);
	clients_init(&d->shared.clients);
	/* the key that nobody knows is that of the other table */
	pthread_mutex_init(&d->shared.paths_lock, NULL);
	paths_init(&d->shared.paths, d->shared.clients.key);
	reloaded(d);
	rc = d->shared.root_fd = content_root_open(conf->root);
	if (rc < 0)
		log_errx("root: \"%s\": %s", conf->root, content_strerror(-rc));
	else
		rc = front_open(&d->front);
	d->shared.instance = d->front.instance;
	if (rc == 0)
		rc = open_workers(d);
	if (rc < 0) {
		tftpd_close(d);
		return rc;
	}
	*ret = d;
	return 0;
}

/* The main thread's own connection to handlerd only announces. */
static void
on_answer(void *arg, void *cookie, const struct boot_answer *answer)
{
	(void)arg;
	(void)cookie;
	(void)answer;
}

int
tftpd_run(struct tftpd *d)
{
	int rc;

	front_drop(&d->front);
	rc = front_connect(&d->front, 1, on_answer);
	for (size_t i = 0; rc == 0 && i < d->nworkers; i++)
		rc = worker_start(d->workers[i]);
	if (rc < 0) {
		log_errx("worker: %s", strerror(-rc));
		return rc;
	}
	loop_timer_init(&d->load_timer, on_load, d);
	on_load(d);
	return front_run(&d->front);
}

void
tftpd_close(struct tftpd *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->nworkers; i++)
		worker_close(d->workers[i]);
	front_close(&d->front);
	served_files_fini(&d->shared.files);
	pthread_mutex_destroy(&d->shared.paths_lock);
	if (d->shared.root_fd >= 0)
		close(d->shared.root_fd);
	free(d);
}
