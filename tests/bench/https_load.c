/*
 * Load for an HTTP server, in one thread.
 *
 * usage: https_load [-c CONNECTIONS] [-d SECONDS] [-v 12|13] [-f FORM] MODE ADDRESS PORT PATH
 *
 * new     a new connection for each request, without a session to resume: a full handshake.  With
 *         FORM it is posted; "@" in it becomes the octets of a MAC address, one of 4,096.
 * file    large answers, which are thrown away undecrypted, so that the server is measured and not
 *         the client: "bytes" are those on the wire.
 * plain   the same without TLS.
 * idle    opens so many connections, fetches PATH on each, says "ready" and keeps them until its
 *         input ends; tells how many are still open then.
 *
 * Prints one line of JSON.  An answer other than 200 is an error, and one that ends early, too.
 */
#include "common/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE   64        /* handshakes under way when connections are opened to be idle */
#define DISCARD   (4 << 20) /* taken from a socket at once */
#define LARGE     (1 << 20) /* an answer to discard() that is smaller tells of an error */
#define MACHINES  4096
#define GIVE_UP_S 30 /* without anything happening */

enum mode {
	MODE_NEW,
	MODE_FILE,
	MODE_PLAIN,
	MODE_IDLE,
	MODES
};
static const char *const mode_names[MODES] = { "new", "file", "plain", "idle" };

enum state {
	STATE_CONNECTING,
	STATE_SENDING,
	STATE_RECEIVING,
	STATE_IDLE,
	STATE_CLOSED
};

struct client {
	int fd;
	SSL *ssl;
	enum state state;
	bool wants_write;
	size_t got;      /* of the answer, as it came */
	size_t expected; /* by its header, which is part of that; 0: not known yet */
	char head[4096];
};

static struct sockaddr_in server = { .sin_family = AF_INET };
static const char *path, *form;
static enum mode mode;
static SSL_CTX *ctx;
static int ep;
static unsigned serial, opened, living;
static uint64_t requests, bytes, errors, resumed;

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* The request of the connection that was opened as the serial'th. */
static size_t
make_request(char *buf, size_t size)
{
	char body[1024], mac[24];
	size_t n = 0;
	int k;

	if (form == NULL) {
		k = snprintf(buf, size, "GET %s HTTP/1.1\r\nHost: boot.example\r\n%s\r\n", path,
		    mode == MODE_IDLE ? "" : "Connection: close\r\n");
		return (size_t)k;
	}
	snprintf(mac, sizeof(mac), "52:54:00:00:%02x:%02x", serial % MACHINES / 256,
	    serial % MACHINES % 256);
	for (const char *p = form; *p != '\0' && n + sizeof(mac) < sizeof(body); p++) {
		if (*p != '@') {
			body[n++] = *p;
			continue;
		}
		memcpy(body + n, mac, strlen(mac));
		n += strlen(mac);
	}
	k = snprintf(buf, size,
	    "POST %s HTTP/1.1\r\nHost: boot.example\r\nUser-Agent: iPXE/1.21.1\r\n"
	    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\n\r\n%.*s",
	    path, n, (int)n, body);
	return (size_t)k;
}

static void
wait_for(struct client *c, bool write)
{
	struct epoll_event ev = { .events = write ? EPOLLOUT : EPOLLIN, .data.ptr = c };

	if (c->wants_write == write)
		return;
	c->wants_write = write;
	(void)epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev); /* it is in the set */
}

static bool
client_open(struct client *c)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = c };
	int on = 1;

	*c = (struct client){ .state = STATE_CONNECTING, .wants_write = true };
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return false;
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if ((connect(c->fd, (struct sockaddr *)&server, sizeof(server)) < 0 &&
		errno != EINPROGRESS) ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		return false;
	if (mode != MODE_PLAIN) {
		c->ssl = SSL_new(ctx);
		if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1)
			return false;
		SSL_set_connect_state(c->ssl);
	}
	opened++;
	living++;
	return true;
}

static void
client_close(struct client *c)
{
	if (c->state == STATE_CLOSED)
		return;
	SSL_free(c->ssl);
	close(c->fd);
	c->state = STATE_CLOSED;
	living--;
}

/* Looks at the answer's header; false if it is not what is wanted. */
static bool
read_head(struct client *c)
{
	const char *end, *length;

	c->head[c->got < sizeof(c->head) ? c->got : sizeof(c->head) - 1] = '\0';
	end = strstr(c->head, "\r\n\r\n");
	if (end == NULL)
		return c->got < sizeof(c->head) - 1;
	length = strcasestr(c->head, "\r\nContent-Length: ");
	if (strncmp(c->head, "HTTP/1.1 200 ", 13) != 0 || length == NULL || length > end)
		return false;
	c->expected = (size_t)(end + 4 - c->head) + strtoull(length + 18, NULL, 10);
	return true;
}

/* The answer is complete, or the connection is over. */
static void
finish(struct client *c, bool good)
{
	requests += good;
	errors += !good;
	if (good && mode == MODE_IDLE) {
		c->state = STATE_IDLE;
		wait_for(c, false);
		return;
	}
	client_close(c);
}

/* SSL_ERROR_NONE: done; otherwise what is waited for has been set up, or the client is over. */
static int
after_ssl(struct client *c, int rc)
{
	int error = rc > 0 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, rc);

	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		wait_for(c, error == SSL_ERROR_WANT_WRITE);
	else if (error != SSL_ERROR_NONE)
		finish(c, false);
	return error;
}

static void
receive_tls(struct client *c)
{
	static char waste[65536];

	for (;;) {
		bool in_head = c->expected == 0;
		char *dst = in_head ? c->head + c->got : waste;
		size_t room = in_head ? sizeof(c->head) - 1 - c->got : sizeof(waste);
		int n = SSL_read(c->ssl, dst, (int)room);

		if (n <= 0 && SSL_get_error(c->ssl, n) == SSL_ERROR_ZERO_RETURN) {
			resumed += SSL_session_reused(c->ssl) == 1;
			finish(c, c->expected != 0 && c->got == c->expected);
			return;
		}
		if (after_ssl(c, n) != SSL_ERROR_NONE)
			return;
		c->got += (size_t)n;
		bytes += (uint64_t)n;
		if (in_head && !read_head(c)) {
			finish(c, false);
			return;
		}
		if (mode == MODE_IDLE && c->expected != 0 && c->got >= c->expected) {
			finish(c, c->got == c->expected);
			return;
		}
	}
}

/* Counts what comes, until the server is through. */
static void
discard(struct client *c)
{
	ssize_t n = recv(c->fd, NULL, DISCARD, MSG_TRUNC);

	if (n > 0) {
		c->got += (size_t)n;
		bytes += (uint64_t)n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		finish(c, n == 0 && c->got >= LARGE);
	}
}

static void
step(struct client *c)
{
	char request[2048];
	size_t n;

	ERR_clear_error();
	if (c->state == STATE_CONNECTING) {
		if (c->ssl != NULL && after_ssl(c, SSL_connect(c->ssl)) != SSL_ERROR_NONE)
			return;
		c->state = STATE_SENDING;
	}
	if (c->state == STATE_SENDING) {
		serial++;
		n = make_request(request, sizeof(request));
		/* a fresh connection has room for a request */
		if (c->ssl == NULL ? send(c->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n
				   : SSL_write(c->ssl, request, (int)n) != (int)n) {
			finish(c, false);
			return;
		}
		c->state = STATE_RECEIVING;
		wait_for(c, false);
		return;
	}
	if (c->state == STATE_IDLE) {
		/* tickets may come; anything else ends it */
		if (after_ssl(c, SSL_read(c->ssl, request, sizeof(request))) == SSL_ERROR_NONE)
			client_close(c);
		return;
	}
	if (mode == MODE_NEW || mode == MODE_IDLE)
		receive_tls(c);
	else
		discard(c);
}

static void
run(struct client *clients, unsigned n, double seconds)
{
	uint64_t begin = now_us(), now = begin, heard = begin;
	uint64_t end = begin + (uint64_t)(seconds * 1e6);
	struct epoll_event events[256], ev = { .events = EPOLLIN, .data.ptr = NULL };
	unsigned at = 0;
	bool told = false;

	/* a file as input is always at its end */
	if (mode == MODE_IDLE && epoll_ctl(ep, EPOLL_CTL_ADD, STDIN_FILENO, &ev) < 0) {
		perror("https_load: standard input");
		exit(1);
	}
	for (;;) {
		int k;

		if (mode == MODE_IDLE) {
			while (at < n && opened - (unsigned)(requests + errors) < AT_ONCE &&
			       client_open(&clients[at]))
				at++;
			if (!told && requests + errors >= n) {
				told = true;
				printf("ready\n");
				fflush(stdout);
			}
		} else if (now >= end || now - heard > GIVE_UP_S * 1000000ull) {
			break;
		}
		for (unsigned i = 0; mode != MODE_IDLE && i < n; i++) {
			if (clients[i].state == STATE_CLOSED && !client_open(&clients[i])) {
				perror("https_load");
				exit(1);
			}
		}
		k = epoll_wait(ep, events, NITEMS(events), 100);
		now = now_us();
		for (int i = 0; i < k; i++) {
			if (events[i].data.ptr == NULL)
				goto out;
			step(events[i].data.ptr);
			heard = now;
		}
	}
out:
	printf("{\"requests\": %llu, \"bytes\": %llu, \"errors\": %llu, \"resumed\": %llu, "
	       "\"open\": %u, \"seconds\": %.3f}\n",
	    (unsigned long long)requests, (unsigned long long)bytes, (unsigned long long)errors,
	    (unsigned long long)resumed, living, (double)(now_us() - begin) / 1e6);
}

static _Noreturn void
usage(void)
{
	fputs("usage: https_load [-c CONNECTIONS] [-d SECONDS] [-v 12|13] [-f FORM] "
	      "new|file|plain|idle ADDRESS PORT PATH\n",
	    stderr);
	exit(2);
}

int
main(int argc, char *argv[])
{
	const struct rlimit files = { 65536, 65536 };
	int opt, version = TLS1_3_VERSION;
	unsigned connections = 8;
	struct client *clients;
	double seconds = 3;

	while ((opt = getopt(argc, argv, "c:d:v:f:")) != -1) {
		switch (opt) {
		case 'c': connections = (unsigned)atoi(optarg); break;
		case 'd': seconds = atof(optarg); break;
		case 'v': version = atoi(optarg) == 12 ? TLS1_2_VERSION : TLS1_3_VERSION; break;
		case 'f': form = optarg; break;
		default: usage();
		}
	}
	while (optind < argc && mode < MODES && strcmp(argv[optind], mode_names[mode]) != 0)
		mode++;
	if (argc - optind != 4 || mode == MODES || connections == 0 ||
	    inet_pton(AF_INET, argv[optind + 1], &server.sin_addr) != 1)
		usage();
	server.sin_port = htons((uint16_t)atoi(argv[optind + 2]));
	path = argv[optind + 3];
	(void)setrlimit(RLIMIT_NOFILE, &files); /* 5,000 idle connections need it */
	ctx = SSL_CTX_new(TLS_client_method());
	ep = epoll_create1(0);
	clients = calloc(connections, sizeof(*clients));
	if (ctx == NULL || ep < 0 || clients == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, version) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, version) != 1)
		return 1;
	/* one suite a version: servers prefer different ones, and are to do the same work */
	if (SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM+AES128") != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1)
		return 1;
	/* no certificate is checked: the client shall cost little */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	for (unsigned i = 0; i < connections; i++)
		clients[i].state = STATE_CLOSED;
	run(clients, connections, seconds);
	return 0;
}
