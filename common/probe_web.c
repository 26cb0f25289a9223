/* See probe_web.h. */
#include "common/probe_web.h"

#include "common/sockaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <unistd.h>

#define DIGEST 32
#define HEAD   4096 /* bytes of an answer that are read */

struct place {
	bool secure;
	char host[256];
	char port[8];
	const char *path;
};

struct probe {
	const struct probe_web *ask;
	struct place place;
	int fd;
	SSL *ssl;
	struct probe_result *ret;
};

static bool
read_place(const char *url, struct place *ret)
{
	const char *host, *end;
	size_t n;

	ret->secure = strncasecmp(url, "https://", 8) == 0;
	if (!ret->secure && strncasecmp(url, "http://", 7) != 0)
		return false;
	host = url + (ret->secure ? 8 : 7);
	if (*host == '[') {
		host++;
		n = strcspn(host, "]");
		end = host + n + (host[n] == ']');
	} else {
		n = strcspn(host, ":/?#");
		end = host + n;
	}
	if (n == 0 || n >= sizeof(ret->host))
		return false;
	memcpy(ret->host, host, n);
	ret->host[n] = '\0';
	(void)snprintf(ret->port, sizeof(ret->port), "%s", ret->secure ? "443" : "80");
	if (*end == ':') {
		n = strspn(end + 1, "0123456789");
		if (n == 0 || n >= sizeof(ret->port))
			return false;
		memcpy(ret->port, end + 1, n);
		ret->port[n] = '\0';
		end += 1 + n;
	}
	ret->path = *end == '/' ? end : "/";
	return true;
}

static bool
fail(struct probe *p, const char *what, const char *why)
{
	(void)snprintf(p->ret->text, sizeof(p->ret->text), "%s: %s", what, why);
	return false;
}

static bool
dial(struct probe *p)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	struct timeval limit = { .tv_sec = p->ask->wait_ms / 1000,
		.tv_usec = (suseconds_t)(p->ask->wait_ms % 1000) * 1000 };
	struct sockaddr_storage from;
	int rc = getaddrinfo(p->place.host, p->place.port, &hints, &list), error = EHOSTUNREACH;

	if (rc != 0)
		return fail(p, p->place.host, gai_strerror(rc));
	for (const struct addrinfo *a = list; a != NULL && p->fd < 0; a = a->ai_next) {
		p->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (p->fd < 0)
			continue;
		/* also limits the time to connect; without them it waits longer */
		(void)setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		(void)setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		/* an address that is none of ours cannot be asked from: then whatever there is */
		if (p->ask->from.family == 4 && a->ai_family == AF_INET)
			(void)bind(p->fd, (const struct sockaddr *)&from,
			    sockaddr_from_ip(&p->ask->from, 0, &from));
		if (connect(p->fd, a->ai_addr, a->ai_addrlen) == 0)
			break;
		error = errno;
		close(p->fd);
		p->fd = -1;
	}
	freeaddrinfo(list);
	if (p->fd < 0)
		return fail(p, "connecting", strerror(error == EINPROGRESS ? ETIMEDOUT : error));
	return true;
}

/* The root among these, by the fingerprints or, without any, by signing itself; or NULL. */
static X509 *
find_root(const STACK_OF(X509) * chain, struct slice trust)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		X509 *x = sk_X509_value(chain, i);

		if (trust.n == 0 && X509_self_signed(x, 1) == 1)
			return x;
		if (X509_digest(x, EVP_sha256(), digest, &n) != 1 || n != DIGEST)
			continue;
		for (size_t at = 0; at + DIGEST <= trust.n; at += DIGEST) {
			if (memcmp(trust.p + at, digest, DIGEST) == 0)
				return x;
		}
	}
	return NULL;
}

static bool
verify(struct probe *p)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(p->ssl);
	X509 *leaf = chain != NULL && sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : NULL;
	X509 *root = leaf != NULL ? find_root(chain, p->ask->trust) : NULL;
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	const char *why = NULL;
	bool named;

	if (leaf == NULL || store == NULL || ctx == NULL) {
		why = "there is none";
	} else if (root == NULL) {
		why =
		    p->ask->trust.n > 0
			? "the root that is trusted by the offer's fingerprint is not sent with it"
			: "no root is sent with it";
	} else if (X509_STORE_add_cert(store, root) != 1 ||
		   X509_STORE_CTX_init(ctx, store, leaf, chain) != 1) {
		why = "it cannot be verified";
	} else if (X509_verify_cert(ctx) != 1) {
		why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
	} else {
		named = X509_check_ip_asc(leaf, p->place.host, 0) == 1 ||
		        X509_check_host(leaf, p->place.host, 0, 0, NULL) == 1;
		if (!named)
			why = "it is not for this name or address";
	}
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return why == NULL || fail(p, "certificate", why);
}

static bool
shake_hands(struct probe *p)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	unsigned long error;
	bool good = false;

	if (ctx == NULL)
		return fail(p, "TLS", "out of memory");
	/* what firmware and iPXE have; the certificate is looked at afterwards, by their rules */
	(void)SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	p->ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	if (p->ssl == NULL || SSL_set_fd(p->ssl, p->fd) != 1)
		return fail(p, "TLS", "out of memory");
	(void)SSL_set_tlsext_host_name(p->ssl, p->place.host); /* without it, it is none */
	ERR_clear_error();
	if (SSL_connect(p->ssl) != 1) {
		error = ERR_peek_last_error();
		(void)fail(p, "TLS", error != 0 ? ERR_reason_error_string(error) : "no handshake");
	} else {
		good = verify(p);
	}
	ERR_clear_error();
	return good;
}

static bool
send_all(struct probe *p, const char *text)
{
	int n = (int)strlen(text);

	if (p->ssl != NULL)
		return SSL_write(p->ssl, text, n) == n;
	return send(p->fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

/* The status in "HTTP/1.1 200 OK"; 0 if this is no answer of HTTP. */
static unsigned
status_of(const char *head)
{
	if (strncmp(head, "HTTP/1.0 ", 9) != 0 && strncmp(head, "HTTP/1.1 ", 9) != 0)
		return 0;
	return strspn(head + 9, "0123456789") == 3 ? (unsigned)strtoul(head + 9, NULL, 10) : 0;
}

/* The head of the answer. */
static void
read_answer(struct probe *p)
{
	char head[HEAD + 1], *line;
	unsigned status;
	size_t n = 0;

	head[0] = '\0';
	while (n < HEAD && strstr(head, "\r\n\r\n") == NULL) {
		ssize_t got = p->ssl != NULL ? SSL_read(p->ssl, head + n, (int)(HEAD - n))
		                             : recv(p->fd, head + n, HEAD - n, 0);

		if (got <= 0)
			break;
		n += (size_t)got;
		head[n] = '\0';
	}
	status = status_of(head);
	if (status == 0) {
		(void)fail(p, "HTTP", n == 0 ? "no answer" : "no answer of HTTP");
		return;
	}
	if (status != 200) {
		(void)snprintf(p->ret->text, sizeof(p->ret->text), "HTTP status %u", status);
		return;
	}
	p->ret->good = true;
	line = strcasestr(head, "\r\nContent-Length:");
	if (line != NULL)
		p->ret->size = strtoull(line + strlen("\r\nContent-Length:"), NULL, 10);
}

void
probe_web(const struct probe_web *ask, struct probe_result *ret)
{
	struct probe p = { .ask = ask, .fd = -1, .ret = ret };
	char request[2048];

	memset(ret, 0, sizeof(*ret));
	if (!read_place(ask->url, &p.place)) {
		(void)fail(&p, "URL", "it is none of http or https");
		return;
	}
	(void)snprintf(request, sizeof(request),
	    "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\nUser-Agent: Bootferry self-test\r\n"
	    "Connection: close\r\n\r\n",
	    ask->method, p.place.path, p.place.host);
	if (dial(&p) && (!p.place.secure || shake_hands(&p))) {
		if (send_all(&p, request))
			read_answer(&p);
		else
			(void)fail(&p, "HTTP", "the connection was closed");
	}
	SSL_free(p.ssl);
	if (p.fd >= 0)
		close(p.fd);
}
