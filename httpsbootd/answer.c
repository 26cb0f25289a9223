/* Responses: what handlerd decided, or what is wrong, as HTTP; see answer.h. */
#include "httpsbootd/answer.h"

#include "httpsbootd/pulling.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define SMALL_BYTES (64 * 1024) /* a file's part that goes through the engine */

static enum MHD_Result
queue(struct exchange *x, unsigned status, const char *type, struct MHD_Response *response)
{
	enum MHD_Result rc = MHD_NO;

	x->state = EXCHANGE_SENDING;
	x->status = status;
	exchange_enter(x, PACE_ANSWER);
	/* where the next request would begin is not certain behind such a head */
	if (response != NULL && (x->last || x->refused != REQHEAD_FINE)) {
		SERVE_ADD(x->worker->stats.last_requests, x->last);
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	}
	if (response != NULL &&
	    (type == NULL ||
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES))
		rc = MHD_queue_response(x->connection, status, response);
	MHD_destroy_response(response); /* the engine has a reference of its own */
	return rc;
}

static enum MHD_Result
send_bytes(struct exchange *x, unsigned status, const char *type, const void *p, size_t n)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(n, (void *)(uintptr_t)p, MHD_RESPMEM_MUST_COPY);
	char retry[16];

	x->bytes = n;
	/* what is made for one machine now is of no use to another, or later */
	if (response != NULL)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (response != NULL && status == MHD_HTTP_SERVICE_UNAVAILABLE) {
		(void)snprintf(retry, sizeof(retry), "%u", x->retry_s != 0 ? x->retry_s : 2u);
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, retry);
	}
	if (response != NULL && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD, POST");
	return queue(x, status, type, response);
}

/*
 * The boot path answers with a script and status 200 also when something is wrong: iPXE would
 * throw away the body of anything else and stop there.
 */
static enum MHD_Result
send_error_script(struct exchange *x, unsigned status, const char *text)
{
	char script[1024];
	int n;

	/* to ask again would not change it */
	if (x->refused != REQHEAD_FINE || x->bad_method || x->bad_type || x->bad_expect ||
	    x->unlisted) {
		n = snprintf(script, sizeof(script), "#!ipxe\necho Bootferry: %s\nexit 1\n", text);
		return send_bytes(x, status, "text/plain", script,
		    n > 0 && (size_t)n < sizeof(script) ? (size_t)n : sizeof(script) - 1);
	}
	n = snprintf(script, sizeof(script),
	    "#!ipxe\n"
	    "echo Bootferry: %s\n"
	    "set tries:int32 0\n"
	    ":again\n"
	    "inc tries\n"
	    "echo Trying again in ${tries} s\n"
	    "sleep ${tries}\n"
	    "chain --replace --autofree /2PXE/boot ||\n"
	    "iseq ${tries} 20 || goto again\n"
	    "echo Giving up, the firmware goes on\n"
	    "exit 1\n",
	    text);
	return send_bytes(x, MHD_HTTP_OK, "text/plain", script,
	    n > 0 && (size_t)n < sizeof(script) ? (size_t)n : sizeof(script) - 1);
}

static enum MHD_Result
send_status(struct exchange *x, unsigned status, const char *text)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "%s\n", text);

	if (x->route.kind == ROUTE_BOOT && !x->bad_target)
		return send_error_script(x, x->bad_method ? status : MHD_HTTP_OK, text);
	SERVE_ADD(x->worker->stats.not_found, status == MHD_HTTP_NOT_FOUND);
	SERVE_ADD(x->worker->stats.refused,
	    status != MHD_HTTP_NOT_FOUND && status != MHD_HTTP_SERVICE_UNAVAILABLE);
	return send_bytes(x, status, "text/plain", line,
	    n > 0 && (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static void
put_file_head(
    struct MHD_Response *response, const struct content_file *f, const struct filehead *head)
{
	if (response == NULL)
		return;
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, head->etag);
	/* a clock may have been wrong (RFC 9110 section 8.8.2.1) */
	if (f->mtime.tv_sec <= time(NULL))
		(void)MHD_add_response_header(
		    response, MHD_HTTP_HEADER_LAST_MODIFIED, head->modified);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
	if (head->content_range[0] != '\0')
		(void)MHD_add_response_header(
		    response, MHD_HTTP_HEADER_CONTENT_RANGE, head->content_range);
}

static enum MHD_Result
count_range(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	unsigned *n = arg;

	(void)kind;
	(void)value;
	*n += strcasecmp(name, MHD_HTTP_HEADER_RANGE) == 0;
	return MHD_YES;
}

/* The range that is asked for; two fields would be a list, which gets the whole. */
static const char *
range_of(struct exchange *x)
{
	const char *range = exchange_header(x, MHD_HTTP_HEADER_RANGE);
	unsigned n = 0;

	if (range != NULL)
		(void)MHD_get_connection_values(x->connection, MHD_HEADER_KIND, count_range, &n);
	return n == 1 ? range : NULL;
}

/* What the client says under which conditions it wants a file. */
static void
file_asked(struct exchange *x, struct filehead_asked *asked)
{
	*asked = (struct filehead_asked){
		.get = strcmp(x->method, MHD_HTTP_METHOD_GET) == 0,
		.head = x->head,
		.range = range_of(x),
		.if_range = exchange_header(x, MHD_HTTP_HEADER_IF_RANGE),
		.if_match = exchange_header(x, MHD_HTTP_HEADER_IF_MATCH),
		.if_none_match = exchange_header(x, MHD_HTTP_HEADER_IF_NONE_MATCH),
		.if_modified_since = exchange_header(x, MHD_HTTP_HEADER_IF_MODIFIED_SINCE),
		.if_unmodified_since = exchange_header(x, MHD_HTTP_HEADER_IF_UNMODIFIED_SINCE),
	};
}

/* A small body, read at once: it leaves with its head. */
static struct MHD_Response *
small_body(int fd, uint64_t first, size_t n)
{
	struct MHD_Response *response;
	char *p = malloc(n);
	size_t had = 0;

	while (p != NULL && had < n) {
		ssize_t got = pread(fd, p + had, n - had, (off_t)(first + had));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) { /* it has become shorter, or cannot be read */
			free(p);
			return NULL;
		}
		had += (size_t)got;
	}
	if (p == NULL)
		return NULL;
	response = MHD_create_response_from_buffer(n, p, MHD_RESPMEM_MUST_FREE);
	if (response == NULL)
		free(p);
	return response;
}

/* The engine asks for nothing where only the length of a body counts. */
static ssize_t
no_body(void *arg, uint64_t at, char *dst, size_t n)
{
	(void)arg;
	(void)at;
	(void)dst;
	(void)n;
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static int64_t
ready_from_origin(struct delivery *d)
{
	return pulling_ready(exchange_of(d));
}

/*
 * The bytes of a file; the descriptor is taken over.  A large body is left to the client's own
 * connection: the engine then writes the head only, and the exchange goes on until the body has
 * been sent.  NULL: the connection is to be closed.
 */
static struct MHD_Response *
file_body(struct exchange *x, const struct content_file *f, const struct filehead *head)
{
	/* 304 has no body, but the length of the one that it stands for (RFC 9110 section 8.6) */
	bool none = head->status == FILEHEAD_NOT_MODIFIED;
	uint64_t n = none ? f->size : head->bytes;
	uint64_t first = head->bytes > 0 ? head->range.first : 0;
	bool partial = pulling_is_partial(x);
	struct MHD_Response *response = NULL;

	if (n == 0) { /* no bytes need no descriptor, and libmicrohttpd takes none */
		response = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
	} else if (none || x->head) { /* the engine takes nothing of it but its length */
		response = MHD_create_response_from_callback(n, SMALL_BYTES, no_body, NULL, NULL);
	} else if (n <= SMALL_BYTES && !partial) {
		response = small_body(f->fd, first, (size_t)n);
	} else if (tls_body_expect(x->client) == 0) {
		x->delivers = true;
		x->delivery = (struct delivery){
			.fd = f->fd,
			.offset = first,
			.left = n,
			.stays = x->pulled == NULL,
			.mtime = f->mtime,
			.ready = partial ? ready_from_origin : NULL,
			.ended = exchange_delivered,
		};
		return MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
	}
	if (f->fd >= 0)
		close(f->fd);
	return response;
}

/* A file that cannot be given. */
static enum MHD_Result
send_file_error(struct exchange *x, int error)
{
	const char *text = x->text[0] != '\0' ? x->text : strerror(-error);

	switch (error) {
	case -ENOENT:
	case -EISDIR: return send_status(x, MHD_HTTP_NOT_FOUND, "no such file");
	case -EACCES:
		return send_status(
		    x, x->pulled != NULL ? MHD_HTTP_BAD_GATEWAY : MHD_HTTP_FORBIDDEN, text);
	case -EFBIG: return send_status(x, MHD_HTTP_INSUFFICIENT_STORAGE, text);
	case -ELOOP: return send_status(x, MHD_HTTP_LOOP_DETECTED, text);
	default: return send_status(x, MHD_HTTP_SERVICE_UNAVAILABLE, text);
	}
}

static enum MHD_Result
send_file(struct exchange *x)
{
	struct MHD_Response *response;
	struct filehead_asked asked;
	struct filehead head;
	struct content_file f;
	int rc;

	rc = x->pulled != NULL ? -ENOENT : content_open(x->worker->root_fd, x->path, &f);
	if (rc == -ENOENT && x->worker->pull != NULL)
		rc = pulling_open(x, &f);
	if (rc == -EINPROGRESS) {
		x->state = EXCHANGE_PULLING;
		exchange_enter(x, PACE_THINK);
		tls_conn_set_owed(x->client, true);
		MHD_suspend_connection(x->connection);
		return MHD_YES;
	}
	if (rc < 0)
		return send_file_error(x, rc);
	file_asked(x, &asked);
	filehead_make(&f, &asked, &head);
	x->bytes = head.bytes;
	SERVE_ADD(x->worker->stats.ranges, head.status == FILEHEAD_PART);
	SERVE_ADD(x->worker->stats.unmodified, head.status == FILEHEAD_NOT_MODIFIED);
	response = file_body(x, &f, &head);
	put_file_head(response, &f, &head);
	memcpy(x->path, f.path, sizeof(x->path));
	x->transfer = !x->head && (head.status == FILEHEAD_WHOLE || head.status == FILEHEAD_PART);
	if (x->transfer) {
		x->number = ++x->worker->transfers;
		exchange_report(x, EVENT_TRANSFER_BEGAN, x->bytes, 0, "");
	}
	return queue(x, head.status,
	    head.status == FILEHEAD_NOT_MODIFIED ? NULL : media_type(x->path), response);
}

enum MHD_Result
answer_send(struct exchange *x)
{
	static const struct {
		unsigned status;
		const char *text;
	} errors[BOOT_ERRORS] = {
		[BOOT_ERROR_NONE] = { MHD_HTTP_FORBIDDEN, "refused" },
		[BOOT_ERROR_NOT_FOUND] = { MHD_HTTP_NOT_FOUND, "not found" },
		[BOOT_ERROR_FORBIDDEN] = { MHD_HTTP_FORBIDDEN, "forbidden" },
		[BOOT_ERROR_UNAVAILABLE] = { MHD_HTTP_SERVICE_UNAVAILABLE, "try again later" },
	};

	if (x->refused != REQHEAD_FINE)
		return send_status(
		    x, reqhead_fault_status(x->refused), reqhead_fault_words(x->refused));
	if (x->bad_target && !x->bad_method)
		return send_status(x, MHD_HTTP_BAD_REQUEST, "not a path");
	if (x->route.kind == ROUTE_NONE && !x->bad_method)
		return send_status(x, MHD_HTTP_NOT_FOUND, "nothing is served there");
	if (x->bad_method)
		return send_status(x, MHD_HTTP_METHOD_NOT_ALLOWED, "GET, HEAD and POST are served");
	if (x->unlisted)
		return send_status(
		    x, MHD_HTTP_FORBIDDEN, "this is not served over plain HTTP, only over HTTPS");
	if (x->bad_type)
		return send_status(x, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
		    "a form must be application/x-www-form-urlencoded");
	if (x->bad_expect)
		return send_status(
		    x, MHD_HTTP_EXPECTATION_FAILED, "nothing but 100-continue can be expected");
	if (x->too_large)
		return send_status(x, MHD_HTTP_CONTENT_TOO_LARGE, "the form is too large");
	if (x->unanswered)
		return send_status(x, MHD_HTTP_SERVICE_UNAVAILABLE, "the boot server is busy");
	switch (x->action) {
	case ACTION_FILE: return send_file(x);
	case ACTION_DATA:
		SERVE_ADD(x->worker->stats.scripts, 1);
		return send_bytes(x, MHD_HTTP_OK, "text/plain", x->data, x->data_n);
	case ACTION_ERROR:
		return send_status(x, errors[x->error].status,
		    x->text[0] != '\0' ? x->text : errors[x->error].text);
	default:
		return send_status(
		    x, MHD_HTTP_NOT_FOUND, "this server has nothing for this machine");
	}
}
