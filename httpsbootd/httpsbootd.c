/* httpsbootd: the main thread, which owns the workers; see httpsbootd.h. */
#include "httpsbootd/httpsbootd.h"

#include "common/content.h"
#include "common/log.h"
#include "httpsbootd/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define WORKERS_MAX  64
#define WORKERS_AUTO 8

struct stats {
	uint64_t connections, tls_handshakes, tls_failed, tls_resumed;
	uint64_t requests, boots, files, heads, ranges, reports, not_found, refused, turned;
	uint64_t unanswered, too_large, aborted, bytes, scripts, open;
	uint64_t unlisted, unmodified;
};

#define STAT(member, text)                                                                         \
	{                                                                                          \
#member, offsetof(struct stats, member), text                                      \
	}
static const struct counter counters[] = {
	STAT(connections, "connections accepted"),
	STAT(tls_handshakes, "TLS handshakes done"),
	STAT(tls_failed, "TLS handshakes that failed"),
	STAT(tls_resumed, "TLS sessions resumed"),
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
	struct tls_shared tls;
	struct worker *workers[WORKERS_MAX];
	size_t nworkers;
	int root_fd;
	struct stats stats;
};

/* Reads certificate and key anew; what is in use stays if they are not good. */
static int
load_certificate(struct httpsbootd *d)
{
	struct tls_settings fresh, old;
	int rc = tls_settings_load(d->conf->certificate, d->conf->key, &fresh);

	if (rc < 0)
		return rc;
	if (!fresh.has_root)
		log_warnx("certificate: \"%s\" holds no root certificate: iPXE, which knows only "
			  "a root's fingerprint, cannot trust it by our offers",
		    d->conf->certificate);
	if (fresh.expires_ms != 0 && fresh.expires_ms < wall_clock_ms())
		log_warnx("certificate: \"%s\" has expired", d->conf->certificate);
	pthread_mutex_lock(&d->tls.lock);
	old = d->tls.settings;
	d->tls.settings = fresh;
	pthread_mutex_unlock(&d->tls.lock);
	tls_settings_free(&old);
	return 0;
}

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

	if (load_certificate(d) < 0)
		log_warnx("reload: the certificate in use stays");
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
	/* only this thread changes the settings */
	if (d->tls.settings.has_root)
		status->trust = (struct slice){ d->tls.settings.trust, TLS_TRUST_MAX };
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
		sum.tls_failed += atomic_load(&s->tls_failed);
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
		sum.open += atomic_load(&s->open);
	}
	d->stats = sum;
}

static const struct front_ops ops = {
	.stop = stop,
	.idle = idle,
	.reloaded = reloaded,
	.announce = announce,
	.gather = gather,
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

static int
open_workers(struct httpsbootd *d)
{
	size_t n = count_workers(d->conf);
	const struct worker_conf conf = {
		.conf = d->conf,
		.instance = d->front.instance,
		.tls = &d->tls,
		.root_fd = d->root_fd,
		.max_connections = (unsigned)(((size_t)d->conf->max_connections + n - 1) / n),
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
	pthread_mutex_init(&d->tls.lock, NULL);
	d->root_fd = content_root_open(conf->root);
	rc = d->root_fd < 0 ? d->root_fd : 0;
	if (rc < 0)
		log_errx("root: \"%s\": %s", conf->root, content_strerror(-rc));
	if (rc == 0)
		rc = load_certificate(d);
	if (rc == 0)
		rc = front_open(&d->front);
	raise_limit(conf);
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
	rc = front_connect(&d->front, 1, on_answer);
	for (size_t i = 0; rc == 0 && i < d->nworkers; i++)
		rc = worker_start(d->workers[i]);
	if (rc < 0) {
		log_errx("worker: %s", strerror(-rc));
		return rc;
	}
	return front_run(&d->front);
}

void
httpsbootd_close(struct httpsbootd *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->nworkers; i++)
		worker_close(d->workers[i]);
	front_close(&d->front);
	tls_settings_free(&d->tls.settings);
	pthread_mutex_destroy(&d->tls.lock);
	if (d->root_fd >= 0)
		close(d->root_fd);
	free(d);
}
