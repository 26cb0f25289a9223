/* A worker; see serve.h. */
#include "httpsbootd/serve.h"

#include "common/log.h"
#include "common/sockaddr.h"
#include "httpsbootd/exchange.h"
#include "httpsbootd/pulling.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG     4096
#define ACCEPT_TURN 64  /* connections taken before others get their turn */
#define ENGINE_TURN 16  /* runs of the engine before sockets are looked at again */
#define PAUSE_MS    100 /* before connections are taken again when descriptors had run out */
/* The engine's own limit, which never bites: connections are counted before it gets them. */
#define ENGINE_CONNECTIONS (1u << 24)

/* Remembers what a descriptor is; false when out of memory. */
static bool
note_fd(struct worker *w, int fd, const struct fd_info *info)
{
	size_t i = (size_t)fd;

	if (i >= w->nfds) {
		size_t n = w->nfds == 0 ? 1024 : w->nfds;
		struct fd_info *fds;

		while (n <= i)
			n *= 2;
		fds = realloc(w->fds, n * sizeof(*fds));
		if (fds == NULL)
			return false;
		memset(fds + w->nfds, 0, (n - w->nfds) * sizeof(*fds));
		w->fds = fds;
		w->nfds = n;
	}
	free(w->fds[i].identity);
	w->fds[i] = *info;
	return true;
}

static void
closing(void *arg, int socket)
{
	struct worker *w = arg;

	watch_close(w->fds[socket].watched);
	w->fds[socket].watched = NULL;
}

static void
established(void *arg, int socket)
{
	struct worker *w = arg;

	watch_enter(w->fds[socket].watched, PACE_FRESH);
}

/* A client has begun to send: the other end of its pair goes to the engine. */
static int
deliver(void *arg, int fd, struct tls_conn *client, int socket, const SSL *ssl,
    const struct sockaddr *peer, socklen_t len)
{
	const struct fd_info info = {
		.client = client,
		.local = ip_of_socket(socket),
		.tls_version = ssl != NULL ? SSL_get_version(ssl) : NULL,
		.tls_suite = ssl != NULL ? SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)) : NULL,
		.identity = ssl != NULL ? tls_identity_new(ssl) : NULL,
	};
	struct worker *w = arg;

	if (!note_fd(w, fd, &info)) {
		free(info.identity);
		close(fd);
		return -ENOMEM;
	}
	/* closes it itself when it refuses */
	return MHD_add_connection(w->mhd, fd, peer, len) == MHD_YES ? 0 : -ENOBUFS;
}

/* The engine need not wait for epoll to tell it. */
static void
fed(void *arg)
{
	struct worker *w = arg;

	w->mhd_due = true;
}

static void
handshake_failed(
    void *arg, const struct sockaddr *peer, const struct tls_end *end, const char *detail)
{
	struct worker *w = arg;
	enum tls_failure failure = tls_failure_of(end);
	char ip[IP_STRLEN], words[TLS_WORDS];
	struct boot_event e = {
		.kind = EVENT_TLS_FAILED,
		.via = VIA_HTTPS,
		.address = ip_from_sockaddr(peer),
		.subnet = slice_str(w->instance),
	};

	(void)ip_format(&e.address, ip);
	(void)tls_failure_words(end, detail, words);
	if (failure == TLS_FAILURE_SILENT) { /* load balancers look in like this all day */
		log_peer_debug("https client=%s: TLS failed: %s", ip, words);
		return;
	}
	if (!tls_noise_pass(&w->noise, &e.address, failure, loop_now_ms(w->loop))) {
		atomic_fetch_add_explicit(&w->stats.tls_quiet, 1, memory_order_relaxed);
		return;
	}
	e.text = slice_str(words);
	bus_event(w->bus, &e);
	log_peer_warn("https client=%s kind=%s why=%s: TLS failed: %s", ip,
	    tls_client_name(end->client), tls_failure_name(failure), words);
}

static const struct tls_ops tls_ops = {
	.established = established,
	.deliver = deliver,
	.fed = fed,
	.closing = closing,
	.failed = handshake_failed,
};

/* A client that does not keep pace is about to be cut off. */
static void
on_slow(void *arg, struct watched *c, enum pace_fault fault)
{
	struct exchange *x = watch_user(c);
	char ip[IP_STRLEN];

	(void)arg;
	if (x != NULL)
		x->fault = fault;
	log_peer_warn(
	    "client=%s is cut off: %s", ip_format(watch_peer(c), ip), pace_fault_name(fault));
}

static void
on_progress(void *arg, struct watched *c, uint64_t ms, uint64_t taken)
{
	struct exchange *x = watch_user(c);

	(void)arg;
	if (x != NULL)
		exchange_progress(x, ms, taken);
}

static const struct watch_ops watch_ops = {
	.slow = on_slow,
	.progress = on_progress,
};

/* While the engine has a client's connection, exchanges may name it. */
static void
on_connection(void *arg, struct MHD_Connection *connection, void **context,
    enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info;
	struct worker *w = arg;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		assert(info != NULL);
		*context = w->fds[info->connect_fd].client;
		tls_conn_hold(*context);
	} else {
		exchange_forget(w, connection);
		tls_conn_release(*context);
	}
}

/* A listener stays readable while descriptors are short: it rests, instead of the loop spinning. */
static void
pause_accepting(struct worker *w)
{
	for (size_t i = 0; i < w->nlisteners; i++)
		loop_mod(w->loop, &w->listeners[i].lf, 0);
	(void)loop_timer_set(w->loop, &w->pause_timer, PAUSE_MS);
}

static void
on_pause_over(void *arg)
{
	struct worker *w = arg;

	if (atomic_load(&w->thread.stopping))
		return;
	for (size_t i = 0; i < w->nlisteners; i++)
		loop_mod(w->loop, &w->listeners[i].lf, EPOLLIN);
}

static void
accept_all(struct worker *w, int listen_fd, bool secure)
{
	for (int i = 0; i < ACCEPT_TURN; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		struct fd_info info = { 0 };
		struct ipaddr ip;
		int fd, on = 1;
		SSL_CTX *ctx;

		fd = accept4(
		    listen_fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
				return;
			log_peer_warn("accept: %s", strerror(errno));
			pause_accepting(w);
			return;
		}
		ip = ip_from_sockaddr((const struct sockaddr *)&peer);
		info.watched = watch_open(w->watch, fd, &ip);
		if (info.watched == NULL || !note_fd(w, fd, &info)) {
			watch_close(info.watched);
			close(fd);
			continue;
		}
		atomic_fetch_add_explicit(&w->stats.connections, 1, memory_order_relaxed);
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* only speed */
		ctx = secure ? tls_shared_get(w->tls) : NULL;
		tls_front_accept(w->front, ctx, fd, &peer, len);
		SSL_CTX_free(ctx);
	}
}

static void
on_connect(void *arg, uint32_t events)
{
	struct listener *l = arg;

	(void)events;
	accept_all(l->w, l->fd, l->secure);
}

static void
on_engine(void *arg, uint32_t events)
{
	struct worker *w = arg;

	(void)events;
	w->mhd_due = true;
}

static void
on_engine_timer(void *arg)
{
	struct worker *w = arg;

	w->mhd_due = true;
}

static void
publish_stats(struct worker *w)
{
	struct tls_stats t;

	const struct watch_stats *watch = watch_get_stats(w->watch);

	tls_front_stats(w->front, &t);
	atomic_store_explicit(&w->stats.turned, watch->turned, memory_order_relaxed);
	atomic_store_explicit(
	    &w->stats.turned_address, watch->turned_address, memory_order_relaxed);
	atomic_store_explicit(&w->stats.evicted, watch->evicted, memory_order_relaxed);
	atomic_store_explicit(
	    &w->stats.slow_heads, watch->slow[PACE_SLOW_HEAD], memory_order_relaxed);
	atomic_store_explicit(
	    &w->stats.slow_bodies, watch->slow[PACE_SLOW_BODY], memory_order_relaxed);
	atomic_store_explicit(
	    &w->stats.slow_answers, watch->slow[PACE_SLOW_ANSWER], memory_order_relaxed);
	atomic_store_explicit(&w->stats.tls_handshakes, t.handshakes, memory_order_relaxed);
	for (int i = 0; i < TLS_FAILURES; i++)
		atomic_store_explicit(&w->stats.tls_failed[i], t.failed[i], memory_order_relaxed);
	atomic_store_explicit(&w->stats.tls_resumed, t.resumed, memory_order_relaxed);
	atomic_store(&w->idle, atomic_load(&w->stats.open) == 0 && bus_is_drained(w->bus));
}

/* Before the loop waits, the engine does what there is to do. */
static void
run_engine(void *arg)
{
	struct worker *w = arg;
	MHD_UNSIGNED_LONG_LONG ms = 0;
	bool ran = false, timed = false;

	for (int i = 0; w->mhd_due && i < ENGINE_TURN; i++) {
		(void)MHD_run(w->mhd); /* fails only when it is not of the kind that is run so */
		ran = true;
		/* 0: it stopped in the middle, so that one connection does not keep out others */
		timed = MHD_get_timeout(w->mhd, &ms) == MHD_YES;
		w->mhd_due = timed && ms == 0;
	}
	tls_front_run(w->front);
	publish_stats(w);
	if (w->mhd_due)
		loop_hurry(w->loop);
	if (!ran)
		return;
	if (timed && ms > 0)
		(void)loop_timer_set(w->loop, &w->mhd_timer, ms);
	else
		loop_timer_clear(w->loop, &w->mhd_timer);
}

/* The main thread wants no more connections taken. */
static void
on_stop(void *arg)
{
	struct worker *w = arg;

	for (size_t i = 0; i < w->nlisteners; i++)
		loop_del(w->loop, &w->listeners[i].lf);
}

static void __attribute__((format(printf, 2, 0))) engine_log(void *arg, const char *fmt, va_list ap)
{
	char text[512];
	int n;

	(void)arg;
	if (log_get_level() < LOG_LEVEL_DEBUG) /* it tells much, and of nothing that is amiss */
		return;
	n = vsnprintf(text, sizeof(text), fmt, ap);
	while (n > 0 && (size_t)n < sizeof(text) && text[n - 1] == '\n')
		text[--n] = '\0';
	/* on a socket pair it tells of each answer that TCP's options do not apply */
	log_peer_debug("engine: %s", text);
}

static int
open_socket(const struct ipaddr *address, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from_ip(address, port, &ss);
	int on = 1, off = 0, fd, rc;

	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
	    (ss.ss_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0) ||
	    bind(fd, (const struct sockaddr *)&ss, len) < 0 || listen(fd, BACKLOG) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* Without an address both families, where there is IPv6, else IPv4. */
static int
open_listener(struct worker *w, struct ipaddr address, int64_t port, bool secure)
{
	struct listener *l = &w->listeners[w->nlisteners];
	bool any = address.family == 0;
	char text[IP_STRLEN];
	int fd;

	if (any)
		address.family = 6;
	fd = open_socket(&address, (uint16_t)port);
	if (fd == -EAFNOSUPPORT && any) {
		address.family = 4;
		fd = open_socket(&address, (uint16_t)port);
	}
	if (fd < 0) {
		log_errx("%s, %s: %s port %d: %s",
		    address.family == 6 && !any ? "address or address6" : "address",
		    secure ? "port" : "http_port", ip_format(&address, text), (int)port,
		    strerror(-fd));
		return fd;
	}
	*l = (struct listener){ .w = w, .fd = fd, .secure = secure };
	w->nlisteners++;
	return 0;
}

static int
listen_at(struct worker *w, struct ipaddr address)
{
	int rc = open_listener(w, address, w->conf->port, true);

	if (rc == 0 && w->conf->http_port != 0)
		rc = open_listener(w, address, w->conf->http_port, false);
	return rc;
}

static int
open_listeners(struct worker *w)
{
	const struct httpsbootd_conf *conf = w->conf;
	int rc = listen_at(w, conf->address);

	/* without `address` all of them are listened on already */
	if (rc == 0 && conf->address.family != 0 && conf->address6.family != 0)
		rc = listen_at(w, conf->address6);
	for (size_t i = 0; rc == 0 && i < conf->more_addresses.n; i++) {
		struct ipaddr ip = { 0 };

		(void)ip_parse(slice_str(conf->more_addresses.v[i]), &ip); /* checked */
		rc = listen_at(w, ip);
	}
	return rc;
}

int
worker_open(const struct worker_conf *conf, struct worker **ret)
{
	struct worker *w = calloc(1, sizeof(*w));
	const struct pace_limits limits = {
		.head_ms = (uint64_t)conf->conf->head_timeout_s * 1000,
		.slow_ms = (uint64_t)conf->conf->slow_timeout_s * 1000,
		.min_rate = (uint64_t)conf->conf->min_rate,
	};
	int rc;

	if (w == NULL)
		return -ENOMEM;
	w->conf = conf->conf;
	w->instance = conf->instance;
	w->tls = conf->tls;
	w->root_fd = conf->root_fd;
	w->watch_shared = conf->watch;
	w->access_log = conf->access_log;
	w->pull_user.fd = -1;
	rc = loop_thread_open(&w->thread, on_stop, w);
	if (rc < 0)
		goto fail;
	w->loop = w->thread.loop;
	rc = open_listeners(w);
	if (rc < 0)
		goto fail;
	rc = watch_new(w->loop, &limits, w->watch_shared, &watch_ops, w, &w->watch);
	if (rc < 0)
		goto fail;
	rc = tls_front_new(w->loop, &tls_ops, w, (uint64_t)w->conf->idle_timeout_s * 1000,
	    (size_t)w->conf->max_head_bytes, &w->front);
	if (rc < 0)
		goto fail;
	*ret = w;
	return 0;
fail:
	worker_close(w);
	return rc;
}

static int
start_engine(struct worker *w)
{
	const union MHD_DaemonInfo *info;

	w->mhd = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
	    0, NULL, NULL, exchange_step, w, MHD_OPTION_EXTERNAL_LOGGER, engine_log, NULL,
	    MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, w, MHD_OPTION_NOTIFY_COMPLETED,
	    exchange_end, w, MHD_OPTION_NOTIFY_CONNECTION, on_connection, w,
	    MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_CONNECTION_LIMIT, ENGINE_CONNECTIONS,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)w->conf->max_head_bytes, MHD_OPTION_END);
	if (w->mhd == NULL)
		return -ENOMEM;
	info = MHD_get_daemon_info(w->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	assert(info != NULL);
	return loop_add(w->loop, &w->mhd_lf, info->epoll_fd, EPOLLIN, on_engine, w);
}

int
worker_start(struct worker *w, struct pull *pull)
{
	const struct front_conf *front = &w->conf->front;
	const struct bus_client_conf bus = {
		.urls = (const char *const *)front->handler.v,
		.nurls = front->handler.n,
		.tls_ca = front->handler_ca,
		.tls_certificate = front->handler_certificate,
		.deadline_ms = (uint32_t)front->handler_timeout_ms,
		.max_pending = (uint32_t)w->conf->max_connections,
		.quiet = true,
		.answer = exchange_answer,
		.answer_arg = w,
	};
	int rc;

	loop_timer_init(&w->mhd_timer, on_engine_timer, w);
	loop_timer_init(&w->pause_timer, on_pause_over, w);
	/* before the bus's own hook: what the engine asks leaves in the same round */
	loop_hook_add(w->loop, &w->hook, run_engine, w);
	rc = bus_client_open(w->loop, &bus, &w->bus);
	if (rc == 0)
		rc = start_engine(w);
	for (size_t i = 0; rc == 0 && i < w->nlisteners; i++) {
		struct listener *l = &w->listeners[i];

		rc = loop_add(w->loop, &l->lf, l->fd, EPOLLIN, on_connect, l);
	}
	if (rc == 0)
		rc = pulling_start(w, pull);
	return rc < 0 ? rc : loop_thread_start(&w->thread);
}

void
worker_stop(struct worker *w)
{
	loop_thread_stop(&w->thread);
}

bool
worker_is_idle(struct worker *w)
{
	return atomic_load(&w->idle);
}

void
worker_close(struct worker *w)
{
	if (w == NULL)
		return;
	loop_thread_end(&w->thread);
	/* the clients' ends first: the engine then sees its own end */
	tls_front_free(w->front);
	if (w->mhd != NULL) {
		loop_del(w->loop, &w->mhd_lf);
		exchange_abandon(w);
		MHD_stop_daemon(w->mhd);
	}
	bus_client_close(w->bus);
	if (w->loop != NULL) {
		for (size_t i = 0; i < w->nlisteners; i++)
			loop_del(w->loop, &w->listeners[i].lf);
	}
	pulling_stop(w);
	watch_free(w->watch);
	for (size_t i = 0; i < w->nlisteners; i++)
		close(w->listeners[i].fd);
	loop_thread_close(&w->thread);
	for (size_t i = 0; i < w->nfds; i++)
		free(w->fds[i].identity);
	free(w->fds);
	free(w);
}

const struct serve_stats *
worker_stats(const struct worker *w)
{
	return &w->stats;
}
