/*
 * HTTP requests; see http.h.
 *
 * libcurl's multi interface tells which sockets and which time it waits for (on_socket, on_timer)
 * and is told what happened (curl_multi_socket_action).  Deadlines are timers of ours: libcurl does
 * not count the time that a request waits for a connection.
 */
#include "common/http.h"

#include "common/ident.h"
#include "common/log.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_MAX     8192
#define REDIRECTS_MAX 3
#define IDLE_S        60 /* an unused connection is not trusted to live longer */
#define PASSWORD_MAX  1024
#define STREAM_BYTES  (256L * 1024) /* of a body for a sink, read at once */

struct http {
	struct loop *loop;
	CURLM *multi;
	char *ca, *certificate, *key, *token_file, *proxy, *user, *password_file;
	enum http_auth auth;
	size_t max_answer;
	struct loop_timer timer; /* libcurl's */
	struct http_request *requests;

	/* the bearer token, and what its file looked like when it was read */
	char token[TOKEN_MAX];
	struct timespec token_mtime;
	off_t token_size;
	ino_t token_ino;
};

struct http_request {
	struct http *http;
	struct http_request *prev, *next;
	CURL *easy;
	struct curl_slist *headers;
	struct loop_timer deadline;
	uint64_t began_ms;
	http_done_fn *done;
	void *arg;
	bool is_get, too_large;
	const struct http_sink *sink;
	bool headed;   /* the sink has got the head */
	int sink_said; /* its error */
	int redirects;
	uint8_t *body;
	size_t n, size;
	char error[CURL_ERROR_SIZE];
};

/* What libcurl waits for on one socket. */
struct watched {
	struct loop_fd lf;
	struct http *http;
};

static void take_finished(struct http *http);

static void
act(struct http *http, curl_socket_t fd, int what)
{
	int running;

	(void)curl_multi_socket_action(http->multi, fd, what, &running);
	take_finished(http);
}

static void
on_ready(void *arg, uint32_t events)
{
	struct watched *w = arg;
	int what = 0;

	if ((events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP)) != 0)
		what |= CURL_CSELECT_IN;
	if ((events & EPOLLOUT) != 0)
		what |= CURL_CSELECT_OUT;
	if ((events & EPOLLERR) != 0)
		what |= CURL_CSELECT_ERR;
	act(w->http, w->lf.fd, what); /* may free `w` */
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *data)
{
	struct http *http = arg;
	struct watched *w = data;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL) {
			(void)curl_multi_assign(http->multi, fd, NULL);
			loop_del(http->loop, &w->lf);
			free(w);
		}
		return 0;
	}
	if ((what & CURL_POLL_IN) != 0)
		events |= EPOLLIN;
	if ((what & CURL_POLL_OUT) != 0)
		events |= EPOLLOUT;
	if (w != NULL) {
		loop_mod(http->loop, &w->lf, events);
		return 0;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return -1;
	w->http = http;
	if (loop_add(http->loop, &w->lf, fd, events, on_ready, w) < 0) {
		free(w);
		return -1;
	}
	(void)curl_multi_assign(http->multi, fd, w);
	return 0;
}

static int
on_timer(CURLM *multi, long delay_ms, void *arg)
{
	struct http *http = arg;

	(void)multi;
	if (delay_ms < 0)
		loop_timer_clear(http->loop, &http->timer);
	else if (loop_timer_set(http->loop, &http->timer, (uint64_t)delay_ms) < 0)
		return -1;
	return 0;
}

static void
on_timeout(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static const char *
field_of(const struct http_request *r, const char *name)
{
	struct curl_header *h;

	return curl_easy_header(r->easy, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value
	                                                                             : "";
}

static long
status_of(const struct http_request *r)
{
	long status = 0;

	(void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* The sink gets the head before anything else.  False if it does not want what follows. */
static bool
put_head(struct http_request *r)
{
	curl_off_t length = -1;
	struct http_head head;

	if (r->headed)
		return true;
	r->headed = true;
	(void)curl_easy_getinfo(r->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	head = (struct http_head){
		.status = status_of(r),
		.length = length,
		.framed =
		    length >= 0 || strcasecmp(field_of(r, "Transfer-Encoding"), "chunked") == 0,
		.etag = field_of(r, "ETag"),
		.modified = field_of(r, "Last-Modified"),
		.date = field_of(r, "Date"),
		.range = field_of(r, "Content-Range"),
		.type = field_of(r, "Content-Type"),
		.cache_control = field_of(r, "Cache-Control"),
		.encoding = field_of(r, "Content-Encoding"),
	};
	r->sink_said = r->sink->head(r->arg, &head);
	return r->sink_said == 0;
}

static size_t
stream_body(struct http_request *r, const char *p, size_t n)
{
	long status = status_of(r);

	if (status < 200 || status > 299) { /* what a refusal says is for people who browse */
		r->too_large = n > r->http->max_answer - r->n;
		r->n += n;
		return r->too_large ? 0 : n;
	}
	if (!put_head(r))
		return 0;
	r->sink_said = r->sink->body(r->arg, (struct slice){ (const uint8_t *)p, n });
	return r->sink_said == 0 ? n : 0;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;

	(void)size; /* always 1 */
	if (r->sink != NULL)
		return stream_body(r, p, n);
	if (n > r->http->max_answer - r->n) {
		r->too_large = true;
		return 0;
	}
	if (r->n + n > r->size) {
		size_t more = r->size * 2 > r->n + n ? r->size * 2 : r->n + n;
		uint8_t *body = realloc(r->body, more);

		if (body == NULL)
			return 0;
		r->body = body;
		r->size = more;
	}
	memcpy(r->body + r->n, p, n);
	r->n += n;
	return n;
}

static void
request_free(struct http_request *r)
{
	struct http *http = r->http;

	loop_timer_clear(http->loop, &r->deadline);
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		http->requests = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	if (r->easy != NULL) {
		(void)curl_multi_remove_handle(http->multi, r->easy);
		curl_easy_cleanup(r->easy);
	}
	curl_slist_free_all(r->headers);
	free(r->body);
	free(r);
}

static int
error_of(const struct http_request *r, CURLcode code)
{
	if (r->sink_said < 0)
		return r->sink_said;
	switch (code) {
	case CURLE_OK: return 0;
	case CURLE_OPERATION_TIMEDOUT: return -ETIMEDOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT: return -ECONNREFUSED;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION: return -EACCES;
	case CURLE_FILESIZE_EXCEEDED: return -EFBIG;
	default: return r->too_large ? -EFBIG : -EPIPE;
	}
}

/* Hands the request's end to its owner; the request is gone then. */
static void
finish(struct http_request *r, int error, const char *text)
{
	struct http_answer answer = { .error = error, .type = "" };
	http_done_fn *done = r->done;
	void *arg = r->arg;
	uint8_t *body = r->body;
	char type[128] = "";
	const char *said = NULL;
	curl_off_t retry = 0;

	answer.took_ms = (uint32_t)(loop_now_ms(r->http->loop) - r->began_ms);
	if (error == 0) {
		answer.status = status_of(r);
		(void)curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &said);
		(void)curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &retry);
		(void)snprintf(type, sizeof(type), "%s", said != NULL ? said : "");
		answer.retry_after_s = retry < 0 || retry > 86400 ? 0 : (uint32_t)retry;
		if (r->sink == NULL)
			answer.body = (struct slice){ r->body, r->n };
	}
	answer.type = type;
	if (text != NULL)
		(void)snprintf(answer.text, sizeof(answer.text), "%s", text);
	else
		(void)snprintf(answer.text, sizeof(answer.text), "status %ld", answer.status);
	/* off the list first: the callback may ask again, or cancel others */
	r->body = NULL;
	request_free(r);
	done(arg, &answer);
	free(body);
}

/* True if both URLs have the same scheme, host and port. */
static bool
same_origin(const char *a, const char *b)
{
	static const CURLUPart parts[] = { CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT };
	CURLU *ua = curl_url(), *ub = curl_url();
	bool same = ua != NULL && ub != NULL &&
	            curl_url_set(ua, CURLUPART_URL, a, 0) == CURLUE_OK &&
	            curl_url_set(ub, CURLUPART_URL, b, 0) == CURLUE_OK;

	for (size_t i = 0; same && i < NITEMS(parts); i++) {
		char *x = NULL, *y = NULL;

		same = curl_url_get(ua, parts[i], &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		       curl_url_get(ub, parts[i], &y, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		       strcasecmp(x, y) == 0;
		curl_free(x);
		curl_free(y);
	}
	curl_url_cleanup(ua);
	curl_url_cleanup(ub);
	return same;
}

/* Goes where the server says, if that is still itself.  1: on its way; 0: no redirect; -EXDEV. */
static int
redirect(struct http_request *r)
{
	char *from = NULL, *to = NULL;
	long status = 0;

	(void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(r->easy, CURLINFO_REDIRECT_URL, &to);
	if (status < 300 || status > 399 || to == NULL)
		return 0;
	(void)curl_easy_getinfo(r->easy, CURLINFO_EFFECTIVE_URL, &from);
	/* 301, 302 and 303 may turn another method into GET: not ours to guess */
	if (status != 307 && status != 308 && !r->is_get)
		return -EXDEV;
	if (++r->redirects > REDIRECTS_MAX || from == NULL || !same_origin(from, to))
		return -EXDEV;
	(void)curl_multi_remove_handle(r->http->multi, r->easy);
	r->n = 0;
	if (curl_easy_setopt(r->easy, CURLOPT_URL, to) != CURLE_OK ||
	    curl_multi_add_handle(r->http->multi, r->easy) != CURLM_OK)
		return -EXDEV;
	return 1;
}

/* All of an answer has come; one without a body has not been told to the sink yet. */
static void
finish_whole(struct http_request *r)
{
	long status = status_of(r);

	if (r->sink != NULL && status >= 200 && status <= 299 && !put_head(r))
		finish(r, r->sink_said, strerror(-r->sink_said));
	else
		finish(r, 0, NULL);
}

static void
take_finished(struct http *http)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(http->multi, &left)) != NULL) {
		struct http_request *r = NULL;
		CURLcode code = msg->data.result;
		char text[CURL_ERROR_SIZE];

		if (msg->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&r);
		if (code != CURLE_OK) {
			(void)snprintf(text, sizeof(text), "%s",
			    r->sink_said < 0      ? strerror(-r->sink_said)
			    : r->too_large        ? "the answer is too large"
			    : r->error[0] != '\0' ? r->error
						  : curl_easy_strerror(code));
			finish(r, error_of(r, code), text);
			continue;
		}
		switch (redirect(r)) {
		case 0: finish_whole(r); break;
		case 1: break;
		default: finish(r, -EXDEV, "a redirect that is not followed"); break;
		}
	}
}

static void
on_deadline(void *arg)
{
	struct http_request *r = arg;

	finish(r, -ETIMEDOUT, "no answer in time");
}

/* Reads the token again if its file changed.  0, or -EACCES after logging why. */
static int
refresh_token(struct http *http)
{
	char text[TOKEN_MAX];
	struct stat st;
	ssize_t n = -1;
	int fd;

	if (http->token_file[0] == '\0')
		return 0;
	fd = open(http->token_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		goto bad;
	if (http->token[0] != '\0' && st.st_mtim.tv_sec == http->token_mtime.tv_sec &&
	    st.st_mtim.tv_nsec == http->token_mtime.tv_nsec && st.st_size == http->token_size &&
	    st.st_ino == http->token_ino) {
		close(fd);
		return 0;
	}
	n = read(fd, text, sizeof(text));
	while (n > 0 && isspace((unsigned char)text[n - 1]))
		n--;
	if (n <= 0 || n == (ssize_t)sizeof(text)) {
		errno = EINVAL;
		goto bad;
	}
	for (ssize_t i = 0; i < n; i++) {
		/* it becomes part of a header */
		if (text[i] <= ' ' || text[i] > '~') {
			errno = EINVAL;
			goto bad;
		}
	}
	memcpy(http->token, text, (size_t)n);
	http->token[n] = '\0';
	http->token_mtime = st.st_mtim;
	http->token_size = st.st_size;
	http->token_ino = st.st_ino;
	explicit_bzero(text, sizeof(text));
	close(fd);
	return 0;
bad:
	log_peer_warn("token_file %s: %s", http->token_file, strerror(errno));
	explicit_bzero(text, sizeof(text));
	if (fd >= 0)
		close(fd);
	return -EACCES;
}

static bool
readable(const char *key, const char *path)
{
	if (path[0] == '\0' || access(path, R_OK) == 0)
		return true;
	log_warn("%s %s", key, path);
	return false;
}

int
http_open(struct loop *loop, const struct http_conf *conf, struct http **ret)
{
	struct http *http;

	if (!readable("CA", conf->ca) || !readable("certificate", conf->certificate) ||
	    !readable("key", conf->key))
		return -EINVAL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	http = calloc(1, sizeof(*http));
	if (http == NULL) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	http->loop = loop;
	http->max_answer = conf->max_answer;
	loop_timer_init(&http->timer, on_timeout, http);
	http->ca = strdup(conf->ca);
	http->certificate = strdup(conf->certificate);
	http->key = strdup(conf->key[0] != '\0' ? conf->key : conf->certificate);
	http->token_file = strdup(conf->token_file);
	http->proxy = strdup(conf->proxy);
	http->auth = conf->auth;
	http->user = strdup(conf->user != NULL ? conf->user : "");
	http->password_file = strdup(conf->password_file != NULL ? conf->password_file : "");
	http->multi = curl_multi_init();
	if (http->ca == NULL || http->certificate == NULL || http->key == NULL ||
	    http->token_file == NULL || http->proxy == NULL || http->user == NULL ||
	    http->password_file == NULL || http->multi == NULL) {
		http_close(http);
		return -ENOMEM;
	}
	(void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	(void)curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	(void)curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	*ret = http;
	return 0;
}

void
http_close(struct http *http)
{
	if (http == NULL)
		return;
	while (http->requests != NULL)
		request_free(http->requests);
	if (http->multi != NULL)
		(void)curl_multi_cleanup(http->multi);
	loop_timer_clear(http->loop, &http->timer);
	explicit_bzero(http->token, sizeof(http->token));
	free(http->ca);
	free(http->certificate);
	free(http->key);
	free(http->token_file);
	free(http->proxy);
	free(http->user);
	free(http->password_file);
	free(http);
	curl_global_cleanup();
}

#define SET(option, value) (ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK)

/* The settings that all requests have.  False if libcurl refuses one of them. */
static bool
set_common(struct http *http, CURL *easy)
{
	bool ok = true;

	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_PROXY, http->proxy); /* "" also hides the environment's */
	SET(CURLOPT_NOSIGNAL, 1L);
	/* else libcurl waits for a slow name server's thread when the request ends before it */
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_MAXAGE_CONN, (long)IDLE_S);
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)http->max_answer);
	SET(CURLOPT_USERAGENT, "bootferry");
	if (http->ca[0] != '\0') {
		SET(CURLOPT_CAINFO, http->ca);
		SET(CURLOPT_CAPATH, NULL);
	}
	if (http->certificate[0] != '\0') {
		SET(CURLOPT_SSLCERT, http->certificate);
		SET(CURLOPT_SSLKEY, http->key);
	}
	if (http->token_file[0] != '\0') {
		SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		SET(CURLOPT_XOAUTH2_BEARER, http->token);
	}
	return ok;
}

/* The password, without the end of its line.  0, or -EACCES after logging why. */
static int
read_password(const struct http *http, char ret[static PASSWORD_MAX])
{
	ssize_t n = 0;
	int fd;

	ret[0] = '\0';
	if (http->password_file[0] == '\0')
		return 0;
	fd = open(http->password_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		n = read(fd, ret, PASSWORD_MAX);
		close(fd);
	}
	if (n == PASSWORD_MAX)
		errno = EFBIG;
	if (fd < 0 || n < 0 || n == PASSWORD_MAX) {
		log_peer_warn("password_file %s: %s", http->password_file, strerror(errno));
		ret[0] = '\0';
		return -EACCES;
	}
	while (n > 0 && (ret[n - 1] == '\n' || ret[n - 1] == '\r'))
		n--;
	ret[n] = '\0';
	return 0;
}

/* How we prove who we are; libcurl copies it. */
static int
set_auth(const struct http *http, CURL *easy)
{
	static const long ways[] = {
		[HTTP_AUTH_BASIC] = CURLAUTH_BASIC,
		[HTTP_AUTH_NTLM] = CURLAUTH_NTLM,
		[HTTP_AUTH_NEGOTIATE] = CURLAUTH_NEGOTIATE,
	};
	char password[PASSWORD_MAX];
	bool ok = true;
	int rc;

	if (http->auth == HTTP_AUTH_NONE)
		return 0;
	rc = read_password(http, password);
	if (rc < 0)
		return rc;
	SET(CURLOPT_HTTPAUTH, ways[http->auth]);
	SET(CURLOPT_USERNAME, http->user); /* Kerberos wants one set, and be it empty */
	SET(CURLOPT_PASSWORD, password);
	explicit_bzero(password, sizeof(password));
	return ok ? 0 : -ENOMEM;
}

static bool
add_header(struct http_request *r, const char *line)
{
	struct curl_slist *headers = curl_slist_append(r->headers, line);

	if (headers == NULL)
		return false;
	r->headers = headers;
	return true;
}

static bool
set_request(struct http_request *r, const struct http_ask *ask)
{
	bool ok = add_header(r, "Expect:"); /* no round trip before the body */
	CURL *easy = r->easy;

	for (const char *const *h = ask->headers; ok && h != NULL && *h != NULL; h++)
		ok = add_header(r, *h);
	if (ask->body.p != NULL) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body.n);
		SET(CURLOPT_COPYPOSTFIELDS, (const char *)ask->body.p);
	}
	if (strcmp(ask->method, "HEAD") == 0)
		SET(CURLOPT_NOBODY, 1L);
	SET(CURLOPT_CUSTOMREQUEST, ask->method);
	SET(CURLOPT_URL, ask->url);
	SET(CURLOPT_HTTPHEADER, r->headers);
	SET(CURLOPT_PRIVATE, r);
	SET(CURLOPT_ERRORBUFFER, r->error);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, r);
	if (ask->sink != NULL) {
		SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)0);
		SET(CURLOPT_BUFFERSIZE, STREAM_BYTES);
		SET(CURLOPT_LOW_SPEED_LIMIT, (long)ask->min_rate);
		SET(CURLOPT_LOW_SPEED_TIME, (long)ask->stall_s);
		SET(CURLOPT_CONNECTTIMEOUT, (long)ask->stall_s);
	}
	return ok;
}
#undef SET

int
http_ask(struct http *http, const struct http_ask *ask, http_done_fn *done, void *arg,
    struct http_request **ret)
{
	struct http_request *r;
	int rc;

	if (!http_url_valid(ask->url))
		return -EINVAL;
	rc = refresh_token(http);
	if (rc < 0)
		return rc;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	*r = (struct http_request){ .http = http,
		.next = http->requests,
		.began_ms = loop_now_ms(http->loop),
		.done = done,
		.arg = arg,
		.is_get = strcmp(ask->method, "GET") == 0,
		.sink = ask->sink };
	if (r->next != NULL)
		r->next->prev = r;
	http->requests = r;
	loop_timer_init(&r->deadline, on_deadline, r);
	r->easy = curl_easy_init();
	rc = r->easy == NULL || !set_common(http, r->easy) ? -ENOMEM : set_auth(http, r->easy);
	if (rc < 0) {
		request_free(r);
		return rc;
	}
	if (!set_request(r, ask) ||
	    (ask->deadline_ms != 0 &&
		loop_timer_set(http->loop, &r->deadline, ask->deadline_ms) < 0) ||
	    curl_multi_add_handle(http->multi, r->easy) != CURLM_OK) {
		request_free(r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

void
http_cancel(struct http_request *request)
{
	request_free(request);
}

/* One part of a URL as new memory to curl_free(), or NULL if it has none. */
static char *
url_part(const char *url, CURLUPart part)
{
	CURLU *u = curl_url();
	char *text = NULL;

	if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK)
		(void)curl_url_get(u, part, &text, 0);
	curl_url_cleanup(u);
	return text;
}

int
http_url_join(const char *base, const char *path, char *dst, size_t size)
{
	static const char plain[] = "-._~!$'()*+,;=:@/"; /* RFC 3986, a path; '&' is left out */
	struct wbuf w;

	wbuf_init(&w, dst, size - 1);
	wbuf_str(&w, base);
	for (const char *p = path; *p != '\0'; p++) {
		if (isalnum((unsigned char)*p) || strchr(plain, *p) != NULL)
			wbuf_u8(&w, (uint8_t)*p);
		else
			wbuf_printf(&w, "%%%02X", (unsigned char)*p);
	}
	if (w.bad)
		return -ENAMETOOLONG;
	dst[w.used] = '\0';
	return 0;
}

bool
http_url_valid(const char *url)
{
	static const CURLUPart unwanted[] = { CURLUPART_USER, CURLUPART_PASSWORD,
		CURLUPART_FRAGMENT };
	char *host;

	if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
		return false;
	for (size_t i = 0; i < NITEMS(unwanted); i++) {
		char *part = url_part(url, unwanted[i]);

		curl_free(part);
		if (part != NULL)
			return false;
	}
	host = url_part(url, CURLUPART_HOST);
	curl_free(host);
	return host != NULL;
}

bool
http_url_private(const char *url)
{
	struct ipaddr ip;
	char *host;
	bool here;

	if (strncasecmp(url, "https://", 8) == 0)
		return true;
	host = url_part(url, CURLUPART_HOST);
	here = host != NULL && ((ip_parse(slice_str(host), &ip) == 0 && ip.b[0] == 127) ||
				   strcmp(host, "[::1]") == 0 || strcmp(host, "localhost") == 0);
	curl_free(host);
	return here;
}
