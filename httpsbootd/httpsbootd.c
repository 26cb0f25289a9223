/* httpsbootd: the main thread, which owns the workers; see httpsbootd.h. */
#include "httpsbootd/httpsbootd.h"

#include "common/content.h"
#include "common/log.h"
#include "httpsbootd/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define WORKERS_MAX  64
#define WORKERS_AUTO 8

struct stats {
	uint64_t connections, tls_handshakes, tls_resumed;
	uint64_t tls_failed[TLS_FAILURES], tls_quiet;
	struct certificates_stats cert;
	uint64_t requests, boots, files, heads, ranges, reports, not_found, refused, turned;
	uint64_t unanswered, too_large, aborted, bytes, scripts, open;
	uint64_t unlisted, unmodified, last_requests, malformed, log_lost;
	uint64_t turned_address, evicted, slow_heads, slow_bodies, slow_answers;
};

#define STAT(member, text)                                                                         \
	{                                                                                          \
#member, offsetof(struct stats, member), text                                      \
	}
#define FAILED(name, which, text)                                                                  \
	{                                                                                          \
#name, offsetof(struct stats, tls_failed[which]), text                             \
	}
#define CERT(name, member, text)                                                                   \
	{                                                                                          \
#name, offsetof(struct stats, cert.member), text                                   \
	}
static const struct counter counters[] = {
	STAT(connections, "connections accepted"),
	STAT(tls_handshakes, "TLS handshakes done"),
	STAT(tls_resumed, "TLS sessions resumed"),
	FAILED(
	    tls_no_trust, TLS_FAILURE_NO_TRUST, "handshakes: the client knows none of our roots"),
	FAILED(tls_rejected, TLS_FAILURE_REJECTED, "handshakes: it refused the certificate"),
	FAILED(tls_cipher, TLS_FAILURE_CIPHER, "handshakes: no cipher suite in common"),
	FAILED(tls_version, TLS_FAILURE_VERSION, "handshakes: no TLS 1.2"),
	FAILED(tls_not_tls, TLS_FAILURE_NOT_TLS, "handshakes: something else than TLS"),
	FAILED(tls_client, TLS_FAILURE_CLIENT, "handshakes: the client's own certificate"),
	FAILED(tls_silent, TLS_FAILURE_SILENT, "handshakes: gone before it said anything"),
	FAILED(tls_late, TLS_FAILURE_LATE, "handshakes: not finished in time"),
	FAILED(tls_other, TLS_FAILURE_OTHER, "handshakes that failed otherwise"),
	STAT(tls_quiet, "failed handshakes that were not told of, the same client's"),
	CERT(certificate_days, days_left, "days until the first certificate expires"),
	CERT(certificate_loads, loads, "times that certificates were read"),
	CERT(certificate_refused, failed_loads, "times that they were no good"),
	CERT(ticket_keys, tickets.rotations, "keys of session tickets made anew"),
	CERT(tickets, tickets.issued, "session tickets given out"),
	CERT(tickets_taken, tickets.taken, "session tickets taken"),
	CERT(tickets_renewed, tickets.renewed, "session tickets of the key before, taken"),
	CERT(tickets_unknown, tickets.unknown, "session tickets of no key that is known"),
	STAT(requests, "HTTP requests"),
	STAT(boots, "boot requests"),
	STAT(files, "requests for files"),
	STAT(heads, "HEAD requests"),
	STAT(ranges, "requests for a part of a file"),
	STAT(unmodified, "requests for a file that the client has already"),
	STAT(reports, "reports"),
	STAT(scripts, "scripts delivered"),
	STAT(not_found, "requests for what is not there"),
	STAT(refused, "requests refused"),
	STAT(unlisted, "requests by plain HTTP for what http_allow does not list"),
	STAT(turned, "connections turned away because of max_connections"),
	STAT(turned_address, "connections turned away because of max_connections_per_address"),
	STAT(evicted, "connections without a request that made room for others"),
	STAT(slow_heads, "connections cut off because a request's head took too long"),
	STAT(slow_bodies, "connections cut off because a form came too slowly"),
	STAT(slow_answers, "connections cut off because the client took too little"),
	STAT(last_requests, "connections closed after max_requests"),
	STAT(malformed, "requests that are no HTTP, or whose head is larger than max_head_bytes"),
	STAT(log_lost, "lines that the file access_log has not got"),
	STAT(too_large, "forms larger than max_form_bytes"),
	STAT(unanswered, "requests that handlerd did not answer in time"),
	STAT(aborted, "requests that the client broke off"),
	STAT(bytes, "bytes of finished answers"),
	STAT(open, "requests under way"),
	{ 0 },
};

struct httpsbootd {
	struct httpsbootd_conf *conf;
	struct front front;
	struct certificates *certificates;
	struct watch_shared watch;
	struct access_log *access_log;
	struct loop_timer log_timer;
	struct worker *workers[WORKERS_MAX];
	size_t nworkers;
	int root_fd;
	struct stats stats;
};

static void
stop(void *arg)
{
	struct httpsbootd *d = arg;

	for (size_t i = 0; i < d->nworkers; i++)
		worker_stop(d->workers[i]);
}

static bool
idle(void *arg)
{
	const struct httpsbootd *d = arg;

	for (size_t i = 0; i < d->nworkers; i++) {
		if (!worker_is_idle(d->workers[i]))
			return false;
	}
	return true;
}

static void
reloaded(void *arg)
{
	struct httpsbootd *d = arg;

	certificates_reload(d->certificates);
	(void)access_log_reopen(d->access_log); /* told there; the old file stays in use */
}

static void
announce(void *arg, struct daemon_status *status)
{
	struct httpsbootd *d = arg;

	status->address = d->conf->address;
	status->address6 = d->conf->address6;
	status->port = (uint16_t)d->conf->port;
	status->http_port = (uint16_t)d->conf->http_port;
	status->host_name = slice_str(d->conf->name);
	certificates_announce(d->certificates, status);
}

static void
gather(void *arg)
{
	struct httpsbootd *d = arg;
	struct stats sum = { 0 };

	for (size_t i = 0; i < d->nworkers; i++) {
		const struct serve_stats *s = worker_stats(d->workers[i]);

		sum.connections += atomic_load(&s->connections);
		sum.tls_handshakes += atomic_load(&s->tls_handshakes);
		for (int k = 0; k < TLS_FAILURES; k++)
			sum.tls_failed[k] += atomic_load(&s->tls_failed[k]);
		sum.tls_quiet += atomic_load(&s->tls_quiet);
		sum.tls_resumed += atomic_load(&s->tls_resumed);
		sum.requests += atomic_load(&s->requests);
		sum.boots += atomic_load(&s->boots);
		sum.files += atomic_load(&s->files);
		sum.heads += atomic_load(&s->heads);
		sum.ranges += atomic_load(&s->ranges);
		sum.reports += atomic_load(&s->reports);
		sum.scripts += atomic_load(&s->scripts);
		sum.not_found += atomic_load(&s->not_found);
		sum.refused += atomic_load(&s->refused);
		sum.turned += atomic_load(&s->turned);
		sum.too_large += atomic_load(&s->too_large);
		sum.unanswered += atomic_load(&s->unanswered);
		sum.aborted += atomic_load(&s->aborted);
		sum.bytes += atomic_load(&s->bytes);
		sum.unlisted += atomic_load(&s->unlisted);
		sum.unmodified += atomic_load(&s->unmodified);
		sum.malformed += atomic_load(&s->malformed);
		sum.last_requests += atomic_load(&s->last_requests);
		sum.turned_address += atomic_load(&s->turned_address);
		sum.evicted += atomic_load(&s->evicted);
		sum.slow_heads += atomic_load(&s->slow_heads);
		sum.slow_bodies += atomic_load(&s->slow_bodies);
		sum.slow_answers += atomic_load(&s->slow_answers);
		sum.open += atomic_load(&s->open);
	}
	sum.log_lost = d->access_log != NULL ? access_log_lost(d->access_log) : 0;
	certificates_gather(d->certificates, &sum.cert);
	d->stats = sum;
}

static void
add_status(void *arg, json_t *status)
{
	struct httpsbootd *d = arg;

	json_object_set_new(status, "tls", certificates_dump(d->certificates));
}

static const struct front_ops ops = {
	.stop = stop,
	.idle = idle,
	.reloaded = reloaded,
	.announce = announce,
	.gather = gather,
	.status = add_status,
};

/* A TLS connection takes three descriptors. */
static void
raise_limit(const struct httpsbootd_conf *conf)
{
	struct rlimit limit, more;
	rlim_t want = (rlim_t)conf->max_connections * 3 + 256;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= want)
		return;
	more = (struct rlimit){ .rlim_cur = want,
		.rlim_max = limit.rlim_max > want ? limit.rlim_max : want };
	if (setrlimit(RLIMIT_NOFILE, &more) == 0)
		return;
	/* only root may raise the hard limit, and not in every container */
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(
	    RLIMIT_NOFILE, &limit); /* cannot fail: the soft limit goes up to the hard */
	if (limit.rlim_cur < want)
		log_warnx("max_connections: %d need %llu file descriptors, the limit is %llu",
		    (int)conf->max_connections, (unsigned long long)want,
		    (unsigned long long)limit.rlim_cur);
}

static size_t
count_workers(const struct httpsbootd_conf *conf)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (conf->workers > 0)
		return (size_t)conf->workers;
	return cpus < 1 ? 1 : cpus > WORKERS_AUTO ? WORKERS_AUTO : (size_t)cpus;
}

static void
on_log_timer(void *arg)
{
	struct httpsbootd *d = arg;

	access_log_flush(d->access_log);
	(void)loop_timer_set(d->front.loop, &d->log_timer, ACCESS_LOG_FLUSH_MS);
}

static int
open_crowd(struct httpsbootd *d)
{
	uint64_t key[2];

	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		return -EIO;
	return crowd_new((size_t)d->conf->max_connections,
	    (size_t)d->conf->max_connections_per_address, key, &d->watch.crowd);
}

static int
open_workers(struct httpsbootd *d)
{
	size_t n = count_workers(d->conf);
	const struct worker_conf conf = {
		.conf = d->conf,
		.instance = d->front.instance,
		.tls = certificates_shared(d->certificates),
		.root_fd = d->root_fd,
		.watch = &d->watch,
		.access_log = d->access_log,
	};

	while (d->nworkers < n) {
		int rc = worker_open(&conf, &d->workers[d->nworkers]);

		if (rc < 0)
			return rc;
		d->nworkers++;
	}
	return 0;
}

int
httpsbootd_open(struct httpsbootd **ret, struct httpsbootd_conf *conf, const struct opts *opts)
{
	struct httpsbootd *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return -ENOMEM;
	d->conf = conf;
	d->front = (struct front){
		.daemon = DAEMON_HTTPSBOOTD,
		.table = &httpsbootd_config,
		.conf = conf,
		.opts = opts,
		.ops = &ops,
		.arg = d,
		.counters = counters,
		.counter_base = &d->stats,
	};
	pthread_mutex_init(&d->watch.lock, NULL);
	d->root_fd = content_root_open(conf->root);
	rc = d->root_fd < 0 ? d->root_fd : 0;
	if (rc < 0)
		log_errx("root: \"%s\": %s", conf->root, content_strerror(-rc));
	if (rc == 0)
		rc = certificates_open(&d->front, conf, &d->certificates);
	if (rc == 0)
		rc = front_open(&d->front);
	raise_limit(conf);
	if (rc == 0)
		rc = access_log_new(conf->access_log, &d->access_log);
	if (rc == 0)
		rc = open_crowd(d);
	if (rc == 0)
		rc = open_workers(d);
	if (rc < 0) {
		httpsbootd_close(d);
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
httpsbootd_run(struct httpsbootd *d)
{
	int rc;

	front_drop(&d->front);
	rc = access_log_reopen(d->access_log);
	if (rc < 0)
		return rc;
	loop_timer_init(&d->log_timer, on_log_timer, d);
	on_log_timer(d);
	rc = front_connect(&d->front, 1, on_answer);
	for (size_t i = 0; rc == 0 && i < d->nworkers; i++)
		rc = worker_start(d->workers[i]);
	if (rc < 0) {
		log_errx("worker: %s", strerror(-rc));
		return rc;
	}
	certificates_watch(d->certificates);
	return front_run(&d->front);
}

void
httpsbootd_close(struct httpsbootd *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->nworkers; i++)
		worker_close(d->workers[i]);
	certificates_close(d->certificates);
	loop_timer_clear(d->front.loop, &d->log_timer);
	front_close(&d->front);
	access_log_free(d->access_log);
	pthread_mutex_destroy(&d->watch.lock);
	crowd_free(d->watch.crowd);
	if (d->root_fd >= 0)
		close(d->root_fd);
	free(d);
}
