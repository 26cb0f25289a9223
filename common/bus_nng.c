/* See bus_nng.h. */
#include "common/bus_nng.h"

#include "common/log.h"
#include "common/wire.h"

#include <errno.h>
#include <string.h>

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
