/* See bus_nng.h. */
#include "common/bus_nng.h"

#include "common/log.h"
#include "common/wire.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

int
bus_errno(int nng_error)
{
	switch (nng_error) {
	case 0: return 0;
	case NNG_ENOMEM: return -ENOMEM;
	case NNG_EINVAL: return -EINVAL;
	case NNG_EAGAIN: return -EAGAIN;
	case NNG_ETIMEDOUT: return -ETIMEDOUT;
	case NNG_ECONNREFUSED: return -ECONNREFUSED;
	case NNG_EADDRINUSE: return -EADDRINUSE;
	case NNG_EADDRINVAL: return -EADDRNOTAVAIL;
	case NNG_EPERM: return -EPERM;
	case NNG_ENOENT: return -ENOENT;
	case NNG_ENOTSUP: return -EOPNOTSUPP;
	case NNG_ENOFILES: return -EMFILE;
	default: return -EIO;
	}
}

bool
bus_url_is_tls(const char *url)
{
	return strncmp(url, "tls+tcp", 7) == 0;
}

bool
bus_url_is_open(const char *url)
{
	return strncmp(url, "tcp", 3) == 0 && strstr(url, "://127.") == NULL &&
	       strstr(url, "://localhost:") == NULL && strstr(url, "://[::1]") == NULL;
}

/* The host of "tls+tcp://HOST:PORT"; of an IPv6 address without its brackets. */
static void
copy_host(const char *url, char *ret, size_t size)
{
	const char *host = strstr(url, "://") + 3;
	size_t n = host[0] == '[' ? strcspn(++host, "]") : strcspn(host, ":/");

	(void)slice_copy(ret, size, (struct slice){ (const uint8_t *)host, n });
}

int
bus_tls_new(const char *url, const char *ca, const char *certificate, nng_tls_config **ret)
{
	nng_tls_config *tls = NULL;
	const char *at = "TLS";
	char host[256];
	int rc;

	rc = nng_tls_config_alloc(&tls, url != NULL ? NNG_TLS_MODE_CLIENT : NNG_TLS_MODE_SERVER);
	/* Mbed TLS 3.6 refuses any handshake of a client that expects no name */
	if (rc == 0 && url != NULL) {
		copy_host(url, host, sizeof(host));
		rc = nng_tls_config_server_name(tls, host);
	}
	if (rc == 0)
		rc = nng_tls_config_auth_mode(tls, NNG_TLS_AUTH_MODE_REQUIRED);
	if (rc == 0) {
		at = ca;
		rc = nng_tls_config_ca_file(tls, ca);
	}
	if (rc == 0) {
		at = certificate;
		rc = nng_tls_config_cert_key_file(tls, certificate, NULL);
	}
	if (rc != 0) {
		log_errx("bus: \"%s\": %s", at, nng_strerror(rc));
		if (tls != NULL)
			nng_tls_config_free(tls);
		return bus_errno(rc);
	}
	*ret = tls;
	return 0;
}

/*
 * nng has one thread that takes connections down, for all sockets of the process: when it hangs, it
 * hangs for each further socket too, and nobody needs to wait again.
 */
static atomic_bool reaper_hangs;

/* Shared by the thread that closes and the one that asks for it; the last one frees it. */
struct bus_closing {
	nng_socket socket;
	bus_closed_fn *closed;
	void *arg;
	sem_t done;
	atomic_int users;
};

static void
closing_release(struct bus_closing *c)
{
	if (atomic_fetch_sub(&c->users, 1) == 1) {
		sem_destroy(&c->done);
		free(c);
	}
}

static void *
close_it(void *arg)
{
	struct bus_closing *c = arg;

	nng_close(c->socket);
	if (c->closed != NULL)
		c->closed(c->arg);
	sem_post(&c->done);
	closing_release(c);
	return NULL;
}

int
bus_close_begin(nng_socket socket, bus_closed_fn *closed, void *arg, struct bus_closing **ret)
{
	struct bus_closing *c = malloc(sizeof(*c));
	pthread_t thread;
	int rc;

	if (c == NULL)
		return -ENOMEM;
	*c = (struct bus_closing){ .socket = socket, .closed = closed, .arg = arg };
	atomic_init(&c->users, 2);
	if (sem_init(&c->done, 0, 0) < 0) {
		free(c);
		return -ENOSYS;
	}
	rc = -pthread_create(&thread, NULL, close_it, c);
	if (rc < 0) {
		sem_destroy(&c->done);
		free(c);
		return rc;
	}
	pthread_detach(thread);
	*ret = c;
	return 0;
}

bool
bus_close_is_done(struct bus_closing *c)
{
	/* leaves the semaphore as it was: it may be asked again */
	return sem_trywait(&c->done) == 0 && sem_post(&c->done) == 0;
}

void
bus_close_end(struct bus_closing *c)
{
	if (c != NULL)
		closing_release(c);
}

void
bus_close_wait(struct bus_closing *c)
{
	struct timespec until;
	int rc;

	if (atomic_load(&reaper_hangs))
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += BUS_CLOSE_MS / 1000;
	do
		rc = sem_timedwait(&c->done, &until);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		(void)sem_post(&c->done); /* for who asks next */
	else if (!atomic_exchange(&reaper_hangs, true))
		log_warnx("bus: nng does not close a socket; leaving it behind");
}

void
bus_close_socket(nng_socket socket)
{
	struct bus_closing *c;

	if (atomic_load(&reaper_hangs))
		return;
	if (bus_close_begin(socket, NULL, NULL, &c) < 0) {
		nng_close(socket);
		return;
	}
	bus_close_wait(c);
	bus_close_end(c);
}

int
bus_send_message(nng_socket socket, nng_msg *m)
{
	int rc;

#ifdef __SANITIZE_ADDRESS__
	/*
	 * nng forgets a message that it takes from its queue in the moment in which the connection
	 * goes down: nni_aio_begin() fails then without the callback that would free it.
	 */
	__lsan_ignore_object(m);
#endif
	rc = nng_sendmsg(socket, m, NNG_FLAG_NONBLOCK);
	if (rc != 0)
		nng_msg_free(m);
	return rc;
}
