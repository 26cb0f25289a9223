/* httpsbootd: the main thread, which owns the workers; see httpsbootd.h. */
#include "httpsbootd/httpsbootd.h"

#include "common/content.h"
#include "common/log.h"
#include "common/loop_thread.h"
#include "httpsbootd/pull.h"
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
	uint64_t refused_heads[REQHEAD_FAULTS];
	uint64_t turned_address, evicted, slow_heads, slow_bodies, slow_answers;
	uint64_t origin_hits, origin_misses, origin_joins, origin_bytes, origin_failures;
	uint64_t origin_absent, origin_evicted, origin_stale, origin_unchanged, origin_kept_bytes;
	uint64_t origin_rings, origin_resumed;
};

#define STAT(member, text)                                                                         \
	{                                                                                          \
#member, offsetof(struct stats, member), text                                      \
	}
#define FAILED(name, which, text)                                                                  \
	{                                                                                          \
#name, offsetof(struct stats, tls_failed[which]), text                             \
	}
#define HEAD(name, which, text)                                                                    \
	{                                                                                          \
#name, offsetof(struct stats, refused_heads[which]), text                          \
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
	CERT(certificate_not_yet, not_yet, "certificates that are not valid yet"),
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
	STAT(malformed, "requests that are no proper HTTP, or with a head beyond max_head_bytes"),
	HEAD(bad_line, REQHEAD_LINE, "of these: no request line of HTTP"),
	HEAD(bad_version, REQHEAD_VERSION, "of these: not HTTP/1.x"),
	HEAD(long_target, REQHEAD_LONG_TARGET, "of these: too long a URL"),
	HEAD(large_head, REQHEAD_LARGE, "of these: too large a head"),
	HEAD(bad_line_end, REQHEAD_LINE_END, "of these: a line feed alone"),
	HEAD(bad_field_name, REQHEAD_NAME, "of these: a field without a proper name"),
	HEAD(bad_field_value, REQHEAD_VALUE, "of these: a control character in a field"),
	HEAD(folded_field, REQHEAD_FOLDED, "of these: a field on several lines"),
	HEAD(bad_length, REQHEAD_LENGTH, "of these: a Content-Length that is no number"),
	HEAD(two_lengths, REQHEAD_LENGTHS, "of these: two lengths for one body"),
	HEAD(bad_coding, REQHEAD_CODING, "of these: a transfer coding that is not known"),
	HEAD(no_host, REQHEAD_NO_HOST, "of these: HTTP/1.1 without a Host"),
	HEAD(bad_host, REQHEAD_HOST, "of these: two Hosts, or one that is none"),
	HEAD(bad_chunk, REQHEAD_CHUNK, "of these: broken chunks"),
	STAT(log_lost, "lines that the file access_log has not got"),
	STAT(origin_hits, "files from the cache of what the origin has"),
	STAT(origin_misses, "files that the origin was asked for"),
	STAT(origin_joins, "requests for a file that was on its way already"),
	STAT(origin_bytes, "bytes that came from the origin"),
	STAT(origin_unchanged, "kept files that the origin has not changed"),
	STAT(origin_stale, "kept files that were given because the origin could not be asked"),
	STAT(origin_absent, "files that the origin has not either"),
	STAT(origin_failures, "files that could not be fetched"),
	STAT(origin_resumed, "files that broke off and were taken up where they ended"),
	STAT(origin_rings, "requests that came back to this server from its own origin"),
	STAT(origin_evicted, "kept files that made room"),
	STAT(origin_kept_bytes, "bytes that are kept"),
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
	struct pull *pull; /* NULL: no origin */
	char *cache, problem[PULL_TEXT_SIZE + 16], host[256];
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
	status->pulls = d->pull != NULL;
	/* a certificate's trouble keeps more from booting than a file's */
	if (status->pulls && status->problem.n == 0)
		status->problem = slice_str(pull_problem(d->pull, d->problem, sizeof(d->problem)));
}

static void
gather_origin(struct httpsbootd *d, struct stats *sum)
{
	const struct pull_stats *s = pull_stats(d->pull);

	sum->origin_hits = atomic_load(&s->hits);
	sum->origin_misses = atomic_load(&s->misses);
	sum->origin_joins = atomic_load(&s->joins);
	sum->origin_bytes = atomic_load(&s->bytes);
	sum->origin_unchanged = atomic_load(&s->unchanged);
	sum->origin_stale = atomic_load(&s->stale);
	sum->origin_absent = atomic_load(&s->absent);
	sum->origin_failures = atomic_load(&s->failures);
	sum->origin_evicted = atomic_load(&s->evicted);
	sum->origin_resumed = atomic_load(&s->resumed);
	sum->origin_rings = atomic_load(&s->rings);
	sum->origin_kept_bytes = pull_kept_bytes(d->pull);
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
		for (int k = 0; k < REQHEAD_FAULTS; k++)
			sum.refused_heads[k] += atomic_load(&s->refused_heads[k]);
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
	if (d->pull != NULL)
		gather_origin(d, &sum);
	d->stats = sum;
}

static void
add_status(void *arg, json_t *status)
{
	struct httpsbootd *d = arg;

	json_object_set_new(status, "tls", certificates_dump(d->certificates));
	if (d->pull != NULL)
		json_object_set_new(status, "origin", pull_dump(d->pull));
}

static json_t *
rpc_cache_list(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	const struct front *f = arg;
	const struct httpsbootd *d = f->arg;

	(void)conn;
	(void)params;
	if (d->pull == NULL)
		return rpc_fail(error, RPC_FAILED, "there is no origin: origin.url is empty");
	return pull_list(d->pull);
}

static json_t *
rpc_cache_drop(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	const struct front *f = arg;
	const struct httpsbootd *d = f->arg;
	const json_t *path = json_object_get(params, "path");
	size_t n;

	(void)conn;
	if (d->pull == NULL)
		return rpc_fail(error, RPC_FAILED, "there is no origin: origin.url is empty");
	if (path != NULL && !json_is_string(path))
		return rpc_fail(error, RPC_INVALID_PARAMS, "path must be a string");
	n = pull_drop(d->pull, json_string_value(path));
	log_info("origin.cache: %zu files were dropped by hand", n);
	return json_pack("{s:I}", "dropped", (json_int_t)n);
}

static const struct rpc_method methods[] = {
	{ "cache.list", rpc_cache_list, "", "the files that were fetched from the origin" },
	{ "cache.drop", rpc_cache_drop, "path?", "forgets one of them, or all" },
	{ 0 },
};

static const struct front_ops ops = {
	.stop = stop,
	.idle = idle,
	.reloaded = reloaded,
	.announce = announce,
	.gather = gather,
	.status = add_status,
};

/* A connection takes up to four descriptors: its own, the engine's two, and a file. */
static void
raise_limit(const struct httpsbootd_conf *conf)
{
	struct rlimit limit, more;
	rlim_t want = (rlim_t)conf->max_connections * 4 + 256;

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
	size_t n = loop_thread_count(d->conf->workers, WORKERS_AUTO);
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

/* The folder for what comes from the origin, while there is the privilege to make it. */
static int
make_cache(struct httpsbootd *d)
{
	const struct httpsbootd_conf *conf = d->conf;
	char inside[4200];
	bool given;

	if (conf->origin.url[0] == '\0')
		return 0;
	given = conf->origin.cache[0] != '\0';
	if (asprintf(&d->cache, "%s%s", given ? conf->origin.cache : "/var/cache/bootferry/",
		given ? "" : d->front.instance) < 0) {
		d->cache = NULL;
		return -ENOMEM;
	}
	(void)snprintf(inside, sizeof(inside), "%.4096s/x", d->cache);
	return start_make_folder(inside, conf->front.user, daemon_kind_name(DAEMON_HTTPSBOOTD));
}

static int
open_pull(struct httpsbootd *d)
{
	const struct httpsbootd_conf *c = d->conf;
	struct pull_conf conf = {
		.instance = d->front.instance,
		.host = c->name[0] != '\0' ? c->name : d->host,
		.urls = { c->origin.url },
		.nurls = 1 + c->origin.more_urls.n,
		.ca = c->origin.ca,
		.certificate = c->origin.certificate,
		.key = c->origin.key,
		.auth = (enum http_auth)c->origin.auth,
		.user = c->origin.user,
		.password_file = c->origin.password_file,
		.timeout_s = (uint32_t)c->origin.timeout_s,
		.min_rate = (uint32_t)c->origin.min_rate,
		.retries = (uint32_t)c->origin.retries,
		.cache = d->cache,
		.max_bytes = (uint64_t)c->origin.max_bytes,
		.fresh_ms = (uint64_t)c->origin.fresh_s * 1000,
	};

	for (size_t i = 0; i < c->origin.more_urls.n; i++)
		conf.urls[1 + i] = c->origin.more_urls.v[i];
	(void)gethostname(d->host, sizeof(d->host) - 1); /* for people only */
	return c->origin.url[0] != '\0' ? pull_open(&conf, &d->pull) : 0;
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
		.methods = methods,
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
	if (rc == 0)
		rc = make_cache(d);
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
	rc = open_pull(d);
	if (rc < 0)
		return rc;
	rc = front_connect(&d->front, 1, on_answer);
	for (size_t i = 0; rc == 0 && i < d->nworkers; i++)
		rc = worker_start(d->workers[i], d->pull);
	if (rc == 0 && d->pull != NULL)
		rc = pull_start(d->pull);
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
	pull_stop(d->pull);
	for (size_t i = 0; i < d->nworkers; i++)
		worker_close(d->workers[i]);
	pull_close(d->pull);
	free(d->cache);
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
