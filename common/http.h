/*
 * HTTP and HTTPS requests to other servers, by libcurl on our loop: asynchronous, connections are
 * kept and used again.  One struct http holds the settings that its requests share.
 *
 * Only http: and https: URLs; no proxy but the configured one; no cookies, no .netrc, nothing from
 * the environment.  A redirect is followed only to the same scheme, host and port.  Certificates
 * are always checked.
 */
#ifndef COMMON_HTTP_H
#define COMMON_HTTP_H

#include "common/loop.h"
#include "common/wire.h"

struct http;
struct http_request;

/* "" (never NULL) where a thing is not wanted.  The strings are copied. */
struct http_conf {
	const char *ca;          /* PEM file with the only CAs believed; "": the system's */
	const char *certificate; /* PEM file shown to servers that want one */
	const char *key;         /* its private key; "": in the same file */
	const char *token_file;  /* its text goes out as bearer token; read again when changed */
	const char *proxy;       /* URL */
	size_t max_answer;       /* bytes; a longer answer is an error */
};

struct http_ask {
	const char *method; /* "GET", "POST", ... */
	const char *url;
	const char *const *headers; /* "Name: value", ended by NULL; or NULL */
	struct slice body;          /* none if body.p is NULL */
	uint32_t deadline_ms;       /* for all of it, from now on; at least 1 */
};

/* Lent to the callback, for the time of the call. */
struct http_answer {
	/*
	 * 0: `status` says it.  Otherwise there was no whole answer: -ETIMEDOUT, -ECONNREFUSED
	 * (no connection), -EACCES (the TLS handshake failed, or no trust), -EFBIG (too large),
	 * -EXDEV (redirect to elsewhere), -EPIPE (cut short, or not HTTP).
	 */
	int error;
	long status;
	struct slice body;
	const char *type;       /* Content-Type, or "" */
	uint32_t retry_after_s; /* 0: the server did not say */
	uint32_t took_ms;
	char text[160]; /* for people: what went wrong, or "status 404"; holds no secret */
};

/* Called once a request, from the loop, never within http_ask(). */
typedef void http_done_fn(void *arg, const struct http_answer *answer);

/* 0, -EINVAL when a file of `conf` cannot be read (logged), or -ENOMEM. */
int http_open(struct loop *loop, const struct http_conf *conf, struct http **ret);
/* Ends all requests without calling back.  Not from a callback.  NULL is allowed. */
void http_close(struct http *http);

/* 0; -EINVAL for a URL that is not http(s); -EACCES when the token is not readable; -ENOMEM. */
int http_ask(struct http *http, const struct http_ask *ask, http_done_fn *done, void *arg,
    struct http_request **ret);
/* Its callback will not be called.  Only before it was. */
void http_cancel(struct http_request *request);

/* True if `url` is an absolute http(s) URL with a host, without user, password or fragment. */
bool http_url_valid(const char *url);
/* True if `url` is https:, or names an address of this host's loopback. */
bool http_url_private(const char *url);

#endif
