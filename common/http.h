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

enum http_auth {
	HTTP_AUTH_NONE,
	HTTP_AUTH_BASIC,
	HTTP_AUTH_NTLM,
	HTTP_AUTH_NEGOTIATE, /* Kerberos */
	HTTP_AUTHS,
};

/* "" (never NULL) where a thing is not wanted.  The strings are copied. */
struct http_conf {
	const char *ca;          /* PEM file with the only CAs believed; "": the system's */
	const char *certificate; /* PEM file shown to servers that want one */
	const char *key;         /* its private key; "": in the same file */
	const char *token_file;  /* its text goes out as bearer token; read again when changed */
	const char *proxy;       /* URL */
	size_t max_answer;       /* bytes; a longer answer is an error */
	/* who we are to the server; with HTTP_AUTH_NONE the rest does not count */
	enum http_auth auth;
	const char *user; /* "DOMAIN\\user" for NTLM; "": who the Kerberos tickets are for */
	const char *password_file; /* read at each request; "": none */
};

/* The head of an answer with status 2xx; lent for the time of the call, "" where a field is not. */
struct http_head {
	long status;
	int64_t length; /* of the body; -1: the server did not say */
	bool framed;    /* a body that is cut short will be noticed */
	const char *etag, *modified, *date, *range, *type, *cache_control, *encoding;
};

/*
 * Takes the body of an answer with status 2xx as it comes.  Any other answer's is forgotten.  A
 * negative errno ends the request with it.  Called from the loop; may neither ask nor cancel.
 */
struct http_sink {
	int (*head)(void *arg, const struct http_head *head);
	int (*body)(void *arg, struct slice bytes);
};

struct http_ask {
	const char *method; /* "GET", "POST", ... */
	const char *url;
	const char *const *headers; /* "Name: value", ended by NULL; or NULL */
	struct slice body;          /* none if body.p is NULL */
	uint32_t deadline_ms;       /* for all of it, from now on; at least 1, or 0 with a sink */
	/* NULL: the body comes with the answer.  `max_answer` does not bind a sink. */
	const struct http_sink *sink;
	/* with a sink: slower than so many bytes a second for so long is -ETIMEDOUT */
	uint32_t min_rate, stall_s;
};

/* Lent to the callback, for the time of the call. */
struct http_answer {
	/*
	 * 0: `status` says it.  Otherwise there was no whole answer: -ETIMEDOUT, -ECONNREFUSED
	 * (no connection), -EACCES (the TLS handshake failed, or no trust), -EFBIG (too large),
	 * -EXDEV (redirect to elsewhere), -EPIPE (cut short, or not HTTP), or what the sink said.
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

/* 0; -EINVAL for a URL that is not http(s); -EACCES when the token or the password is not readable;
 * -ENOMEM. */
int http_ask(struct http *http, const struct http_ask *ask, http_done_fn *done, void *arg,
    struct http_request **ret);
/* Its callback will not be called.  Only before it was. */
void http_cancel(struct http_request *request);

/*
 * `path` behind `base`, which ends with "/", as a URL: what is no plain character of a path is
 * encoded.  0, or -ENAMETOOLONG.
 */
int http_url_join(const char *base, const char *path, char *dst, size_t size);

/* True if `url` is an absolute http(s) URL with a host, without user, password or fragment. */
bool http_url_valid(const char *url);
/* True if `url` is https:, or names an address of this host's loopback. */
bool http_url_private(const char *url);

#endif
