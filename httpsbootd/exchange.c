/*
 * HTTP requests: from the engine's callbacks to a question for handlerd, and from its answer to a
 * response.
 *
 * The engine calls exchange_begin() with the request line, exchange_step() once with the header,
 * then for each piece of the body, then without any; there the connection is suspended until
 * handlerd has answered, and the next exchange_step() sends.
 */
#include "httpsbootd/exchange.h"

#include "common/arch.h"
#include "common/log.h"
#include "common/params.h"
#include "common/sockaddr.h"
#include "httpsbootd/pulling.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* What a request to handlerd may hold (common/msg.c). */
#define PARAMS_MAX  (1u << 20)
#define PROGRESS_MS 5000 /* between two reports of how far a transfer is */
/* What is read of a body that nobody wants. */
#define FORGET_MAX      (4u << 20)
#define SMALL_BYTES     (64 * 1024) /* a file's part that goes through the engine */

#define ADD(counter, n) atomic_fetch_add_explicit(&(counter), n, memory_order_relaxed)

/* NULL: the client is gone. */
static struct watched *
watched_of(const struct exchange *x)
{
	int fd = tls_conn_socket(x->client);

	return fd >= 0 ? x->worker->fds[fd].watched : NULL;
}

/* Its client is in another stage, unless that is still given an answer before. */
static void
enter(const struct exchange *x, enum pace_stage stage)
{
	if (tls_body_of(x->client) == NULL)
		watch_enter(watched_of(x), stage);
}

static void
take_client(struct exchange *x, struct fd_info *info)
{
	int64_t max = x->worker->conf->max_requests;
	int fd = tls_conn_socket(info->client);

	x->client = info->client;
	x->secure = tls_conn_is_secure(x->client);
	x->local = info->local;
	x->tls_version = info->tls_version;
	x->tls_suite = info->tls_suite;
	x->identity = info->identity;
	if (fd >= 0)
		x->last = ++x->worker->fds[fd].requests >= (uint64_t)max && max != 0;
	/* else the client still gets the answer before this one */
	if (tls_body_of(x->client) == NULL)
		watch_set_user(watched_of(x), x);
}

/* The request of a connection whose head is not complete, if there is one. */
static struct exchange **
begun_of(struct worker *w, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	assert(info != NULL);
	return &w->fds[info->connect_fd].begun;
}

/*
 * The engine would make a list of a query's names, which nobody reads, in the memory of the head.
 * Of 0.9.75 was seen that a few hundred names do not fit there, and that it then never answers.
 * It lends us the line in its own buffer and looks at what stands behind the question mark
 * afterwards; where it lent a copy, this would do nothing.
 */
static void
hide_query(const char *uri)
{
	char *mark = strchr((char *)(uintptr_t)uri, '?');

	if (mark != NULL)
		mark[1] = '\0';
}

void *
exchange_begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
	struct worker *w = cls;
	size_t n = strlen(uri);
	struct exchange *x = calloc(1, sizeof(*x) + n + 1);
	const union MHD_ConnectionInfo *info;

	if (x == NULL)
		return NULL; /* exchange_step() then gives up */
	memcpy(x->target, uri, n + 1);
	x->worker = w;
	x->connection = connection;
	x->first_call = true;
	x->began_ms = loop_now_ms(w->loop);
	x->bad_target = route_parse(x->target, &x->route) < 0;
	hide_query(uri);
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	x->peer = ip_from_sockaddr(info != NULL ? info->client_addr : NULL);
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	assert(info != NULL);
	exchange_forget(w, connection);
	w->fds[info->connect_fd].begun = x;
	take_client(x, &w->fds[info->connect_fd]);
	x->next = w->exchanges;
	x->prev = &w->exchanges;
	if (x->next != NULL)
		x->next->prev = &x->next;
	w->exchanges = x;
	ADD(w->stats.requests, 1);
	ADD(w->stats.open, 1);
	return x;
}

void
exchange_abandon(struct worker *w)
{
	for (struct exchange *x = w->exchanges; x != NULL; x = x->next) {
		if (x->state != EXCHANGE_ASKING && x->state != EXCHANGE_PULLING)
			continue;
		if (x->question != 0)
			bus_cancel(w->bus, x->question);
		x->question = 0;
		x->state = EXCHANGE_ANSWERED;
		x->unanswered = true;
		MHD_resume_connection(x->connection);
	}
}

static bool
keep_body(struct exchange *x, const char *upload, size_t n)
{
	if (x->body_n + n > (size_t)x->worker->conf->max_form_bytes)
		return false;
	if (x->body_n + n > x->body_size) {
		size_t size = x->body_size == 0 ? 2048 : x->body_size * 2;
		uint8_t *p;

		while (size < x->body_n + n)
			size *= 2;
		p = realloc(x->body, size);
		if (p == NULL)
			return false;
		x->body = p;
		x->body_size = size;
	}
	memcpy(x->body + x->body_n, upload, n);
	x->body_n += n;
	return true;
}

static void
note_too_large(struct exchange *x)
{
	ADD(x->worker->stats.too_large, !x->too_large);
	x->too_large = true;
}

static struct exchange *
exchange_of(struct delivery *d)
{
	return (struct exchange *)((char *)d - offsetof(struct exchange, delivery));
}

/* The body of an answer has been sent, or will not be. */
static void on_delivered(struct delivery *d, enum delivery_end end);

/* --- the answer ----------------------------------------------------------------------------- */

static const char *
header_of(struct exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result
queue(struct exchange *x, unsigned status, const char *type, struct MHD_Response *response)
{
	enum MHD_Result rc = MHD_NO;

	x->state = EXCHANGE_SENDING;
	x->status = status;
	enter(x, PACE_ANSWER);
	/* where the next request would begin is not certain behind such a head */
	if (response != NULL && (x->last || x->bad_head != NULL)) {
		ADD(x->worker->stats.last_requests, x->last);
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
	if (x->bad_method || x->bad_type || x->bad_head != NULL || x->unlisted) {
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
	ADD(x->worker->stats.not_found, status == MHD_HTTP_NOT_FOUND);
	ADD(x->worker->stats.refused,
	    status != MHD_HTTP_NOT_FOUND && status != MHD_HTTP_SERVICE_UNAVAILABLE);
	return send_bytes(x, status, "text/plain", line,
	    n > 0 && (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static void
report(struct exchange *x, enum event_kind kind, uint64_t bytes, uint64_t rate, const char *text)
{
	uint64_t ms = loop_now_ms(x->worker->loop) - x->began_ms;
	struct boot_event e = {
		.kind = kind,
		.via = x->secure ? VIA_HTTPS : VIA_HTTP,
		.boot = x->boot,
		.address = x->peer,
		.bytes = bytes,
		.duration_ms = ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms,
		.subnet = slice_str(x->worker->instance),
		.file = slice_str(x->path),
		.text = slice_str(text),
		.transfer = x->number,
		.size = x->transfer ? x->bytes : 0,
		.bytes_per_s = rate,
	};

	if (kind == EVENT_TRANSFER_BEGAN)
		e.duration_ms = 0;
	bus_event(x->worker->bus, &e);
}

void
exchange_progress(struct exchange *x, uint64_t ms, uint64_t taken)
{
	/* the head of the answer and TLS's own bytes are in it */
	uint64_t bytes = taken < x->bytes ? taken : x->bytes;
	uint64_t since_ms = ms - x->told_ms;

	if (!x->transfer || since_ms < PROGRESS_MS)
		return;
	report(x, EVENT_TRANSFER_PROGRESS, bytes, (bytes - x->told_bytes) * 1000 / since_ms, "");
	x->told_ms = ms;
	x->told_bytes = bytes;
}

static void
put_file_head(struct MHD_Response *response, const struct filehead *head)
{
	if (response == NULL)
		return;
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, head->etag);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_LAST_MODIFIED, head->modified);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
	if (head->content_range[0] != '\0')
		(void)MHD_add_response_header(
		    response, MHD_HTTP_HEADER_CONTENT_RANGE, head->content_range);
}

/* What the client says under which conditions it wants a file. */
static void
file_asked(struct exchange *x, struct filehead_asked *asked)
{
	*asked = (struct filehead_asked){
		.get = strcmp(x->method, MHD_HTTP_METHOD_GET) == 0,
		.head = x->head,
		.range = header_of(x, MHD_HTTP_HEADER_RANGE),
		.if_range = header_of(x, MHD_HTTP_HEADER_IF_RANGE),
		.if_match = header_of(x, MHD_HTTP_HEADER_IF_MATCH),
		.if_none_match = header_of(x, MHD_HTTP_HEADER_IF_NONE_MATCH),
		.if_modified_since = header_of(x, MHD_HTTP_HEADER_IF_MODIFIED_SINCE),
		.if_unmodified_since = header_of(x, MHD_HTTP_HEADER_IF_UNMODIFIED_SINCE),
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
			.ready = partial ? ready_from_origin : NULL,
			.ended = on_delivered,
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
		enter(x, PACE_THINK);
		tls_conn_set_owed(x->client, true);
		MHD_suspend_connection(x->connection);
		return MHD_YES;
	}
	if (rc < 0)
		return send_file_error(x, rc);
	file_asked(x, &asked);
	filehead_make(&f, &asked, &head);
	x->bytes = head.bytes;
	ADD(x->worker->stats.ranges, head.status == FILEHEAD_PART);
	ADD(x->worker->stats.unmodified, head.status == FILEHEAD_NOT_MODIFIED);
	response = file_body(x, &f, &head);
	put_file_head(response, &head);
	memcpy(x->path, f.path, sizeof(x->path));
	x->transfer = !x->head && (head.status == FILEHEAD_WHOLE || head.status == FILEHEAD_PART);
	if (x->transfer) {
		x->number = ++x->worker->transfers;
		report(x, EVENT_TRANSFER_BEGAN, x->bytes, 0, "");
	}
	return queue(x, head.status,
	    head.status == FILEHEAD_NOT_MODIFIED ? NULL : media_type(x->path), response);
}

static enum MHD_Result
send_answer(struct exchange *x)
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

	if (x->bad_target)
		return send_status(x, MHD_HTTP_BAD_REQUEST, "not a path");
	if (x->route.kind == ROUTE_NONE)
		return send_status(x, MHD_HTTP_NOT_FOUND, "nothing is served there");
	if (x->bad_method)
		return send_status(x, MHD_HTTP_METHOD_NOT_ALLOWED, "GET, HEAD and POST are served");
	if (x->unlisted)
		return send_status(
		    x, MHD_HTTP_FORBIDDEN, "this is not served over plain HTTP, only over HTTPS");
	if (x->bad_type)
		return send_status(x, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
		    "a form must be application/x-www-form-urlencoded");
	if (x->bad_head != NULL)
		return send_status(x, MHD_HTTP_BAD_REQUEST, x->bad_head);
	if (x->too_large)
		return send_status(x, MHD_HTTP_CONTENT_TOO_LARGE, "the form is too large");
	if (x->unanswered)
		return send_status(x, MHD_HTTP_SERVICE_UNAVAILABLE, "the boot server is busy");
	switch (x->action) {
	case ACTION_FILE: return send_file(x);
	case ACTION_DATA:
		ADD(x->worker->stats.scripts, 1);
		return send_bytes(x, MHD_HTTP_OK, "text/plain", x->data, x->data_n);
	case ACTION_ERROR:
		return send_status(x, errors[x->error].status,
		    x->text[0] != '\0' ? x->text : errors[x->error].text);
	default:
		return send_status(
		    x, MHD_HTTP_NOT_FOUND, "this server has nothing for this machine");
	}
}

/* --- the question --------------------------------------------------------------------------- */

static void
count_route(struct exchange *x)
{
	struct serve_stats *s = &x->worker->stats;

	ADD(s->boots, x->route.kind == ROUTE_BOOT);
	ADD(s->files, x->route.kind == ROUTE_FILE);
	ADD(s->heads, x->head);
	ADD(s->reports, x->route.kind == ROUTE_REPORT);
}

static bool
has_field(const struct form *form, struct slice name)
{
	for (size_t i = 0; i < form->n; i++) {
		struct slice had = form->fields[i].name;

		if (had.n == name.n && name.n > 0 &&
		    strncasecmp((const char *)had.p, (const char *)name.p, name.n) == 0)
			return true;
	}
	return false;
}

/*
 * The form that handlerd gets: the body, then what the query tells beside it.  A referral's URL
 * has its mark in the query, and iPXE posts a form to it.
 */
static struct slice
join_params(const struct exchange *x, const struct form *body, char *dst)
{
	struct slice query = x->route.query, name, value;
	size_t used = x->body_n;

	if (x->body_n == 0)
		return query;
	memcpy(dst, x->body, x->body_n);
	while (params_next(&query, &name, &value)) {
		size_t n = name.n + value.n + 2; /* with '&' and '=' */

		if (has_field(body, name) || used + n > PARAMS_MAX)
			continue;
		dst[used] = '&';
		memcpy(dst + used + 1, name.p, name.n);
		dst[used + 1 + name.n] = '=';
		if (value.n > 0)
			memcpy(dst + used + 2 + name.n, value.p, value.n);
		used += n;
	}
	return (struct slice){ (const uint8_t *)dst, used };
}

/* What the client proved itself with; valid while the connection is. */
static void
add_identity(const struct exchange *x, struct boot_request *r)
{
	const struct tls_identity *id = x->identity;

	if (id == NULL)
		return;
	r->client_subject = slice_str(id->subject);
	r->client_issuer = slice_str(id->issuer);
	r->client_serial = slice_str(id->serial);
	r->client_fingerprint = slice_str(id->fingerprint);
}

static bool
ask(struct exchange *x)
{
	static const enum boot_stage stages[] = {
		[ROUTE_BOOT] = STAGE_BOOT,
		[ROUTE_FILE] = STAGE_FILE,
		[ROUTE_REPORT] = STAGE_REPORT,
	};
	const char *agent = header_of(x, MHD_HTTP_HEADER_USER_AGENT);
	/* decoding never makes anything longer, joining by two octets a pair without '=' */
	size_t size = 2 * x->route.query.n + x->body_n + 2;
	uint8_t *scratch = malloc(2 * size);
	struct form form = { .n = 0 };
	struct wbuf w;
	struct boot_request r = {
		.stage = stages[x->route.kind],
		.via = x->secure ? VIA_HTTPS : VIA_HTTP,
		.arch = ARCH_UNKNOWN,
		.address = x->peer,
		.server = x->local,
		.subnet = slice_str(x->worker->instance),
		.file = { (const uint8_t *)x->route.rest, x->route.rest_n },
		.head_only = x->head,
	};

	if (scratch == NULL)
		return false;
	add_identity(x, &r);
	wbuf_init(&w, scratch, size);
	form_parse((struct slice){ x->body, x->body_n }, &w, &form);
	r.params = join_params(x, &form, (char *)scratch + size);
	form_parse(x->route.query, &w, &form);
	form_to_request(&form, &r);
	/* who does not say who he is may have an address that does */
	if (r.mac.len == 0 && r.boot == 0 && r.token.n == 0)
		(void)mac_from_ipv6(&r.address, &r.mac);
	if (r.version.n == 0 && agent != NULL)
		r.version = (struct slice){ (const uint8_t *)agent, strnlen(agent, 255) };
	if (agent != NULL && strncmp(agent, "UefiHttpBoot/", 13) == 0)
		r.client = CLIENT_HTTP;
	else if (agent != NULL && strncmp(agent, "iPXE/", 5) == 0)
		r.client = CLIENT_IPXE;
	x->question = bus_ask(x->worker->bus, &r, x);
	free(scratch);
	return x->question != 0;
}

void
exchange_answer(void *arg, void *cookie, const struct boot_answer *answer)
{
	struct worker *w = arg;
	struct exchange *x = cookie;

	x->question = 0;
	x->state = EXCHANGE_ANSWERED;
	tls_conn_set_owed(x->client, false);
	if (answer == NULL) {
		ADD(w->stats.unanswered, 1);
		x->unanswered = true;
	} else {
		x->boot = answer->boot;
		x->action = answer->action;
		x->error = answer->error;
		x->reason = answer->reason;
		(void)slice_copy(x->text, sizeof(x->text), answer->text);
		x->file_size = answer->file_size;
		x->has_sha256 = answer->file_sha256.n == sizeof(x->file_sha256);
		if (x->has_sha256)
			memcpy(x->file_sha256, answer->file_sha256.p, sizeof(x->file_sha256));
		if (answer->action == ACTION_DATA) {
			x->data = malloc(answer->data.n + 1);
			if (x->data == NULL) {
				x->unanswered = true;
			} else {
				memcpy(x->data, answer->data.p, answer->data.n);
				x->data_n = answer->data.n;
			}
		} else if (answer->action == ACTION_FILE &&
			   path_normalise(answer->file, x->path) < 0) {
			x->action = ACTION_ERROR;
			x->error = BOOT_ERROR_NOT_FOUND;
		}
	}
	MHD_resume_connection(x->connection);
	w->mhd_due = true;
}

void
exchange_go_on(struct exchange *x)
{
	x->state = EXCHANGE_ANSWERED;
	tls_conn_set_owed(x->client, false);
	MHD_resume_connection(x->connection);
	x->worker->mhd_due = true;
}

/* What tells where a request ends. */
struct framing {
	size_t lengths, codings;
	bool bad_name, bad_coding;
};

static enum MHD_Result
note_field(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	/* RFC 9110 section 5.6.2, as far as it is no letter or digit */
	static const char marks[] = "!#$%&'*+-.^_`|~";
	struct framing *f = arg;
	size_t n = 0;

	(void)kind;
	while (isalnum((unsigned char)name[n]) || (name[n] != '\0' && strchr(marks, name[n])))
		n++;
	f->bad_name |= n == 0 || name[n] != '\0';
	f->lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
	if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		f->codings++;
		f->bad_coding |= value == NULL || strcasecmp(value, "chunked") != 0;
	}
	return MHD_YES;
}

/*
 * What of a head leaves open where the request ends, or NULL.  A proxy before us may read that in
 * another way than the engine, and then takes a part of one client's request for another one's
 * (RFC 9112 sections 5.1, 6.1 and 6.3).
 */
static const char *
fault_of_head(struct exchange *x, const char *version)
{
	struct framing f = { 0 };

	(void)MHD_get_connection_values(x->connection, MHD_HEADER_KIND, note_field, &f);
	if (f.bad_name)
		return "a header field has no proper name";
	if (f.lengths + f.codings > 1)
		return "two lengths for one body";
	if (f.bad_coding || (f.codings > 0 && strcmp(version, MHD_HTTP_VERSION_1_1) != 0))
		return "a transfer coding that is not known";
	return NULL;
}

/* What the head of a request says about how it is to be taken. */
static void
read_head(struct exchange *x, const char *method, const char *version)
{
	static const char form[] = "application/x-www-form-urlencoded";
	const struct httpsbootd_conf *conf = x->worker->conf;
	const char *type = header_of(x, MHD_HTTP_HEADER_CONTENT_TYPE);
	size_t n = sizeof(form) - 1;
	bool post;

	(void)slice_copy(
	    x->agent, sizeof(x->agent), slice_str(header_of(x, MHD_HTTP_HEADER_USER_AGENT)));
	(void)slice_copy(x->method, sizeof(x->method), slice_str(method));
	post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;
	x->head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	x->bad_method = !x->head && !post && strcmp(method, MHD_HTTP_METHOD_GET) != 0;
	/* iPXE sends no other type; scripts that send none mean a form as well */
	x->bad_type = post && type != NULL &&
	              (strncasecmp(type, form, n) != 0 || strchr("; \t", type[n]) == NULL);
	x->bad_head = fault_of_head(x, version);
	x->unlisted = !x->secure && !x->bad_target && x->route.kind != ROUTE_NONE &&
	              !route_is_listed(
			  &x->route, (const char *const *)conf->http_allow.v, conf->http_allow.n);
	ADD(x->worker->stats.unlisted, x->unlisted);
	count_route(x);
}

static bool
has_body(struct exchange *x)
{
	return header_of(x, MHD_HTTP_HEADER_CONTENT_LENGTH) != NULL ||
	       header_of(x, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
}

static bool
is_wrong(const struct exchange *x)
{
	return x->bad_target || x->bad_method || x->bad_type || x->bad_head != NULL ||
	       x->too_large || x->unlisted;
}

/*
 * False if the answer is known and the body had better stay where it is: the client asked first
 * (RFC 9110 section 10.1.1), or would send more than is worth reading to forget it.  Any other
 * body is read, for a client that sends without reading would not see the answer.
 */
static bool
wants_body(struct exchange *x)
{
	const char *length = header_of(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t n = 0;

	if (length != NULL && parse_u64(length, &n) < 0)
		n = UINT64_MAX;
	if (n > (uint64_t)x->worker->conf->max_form_bytes)
		note_too_large(x);
	return !is_wrong(x) || (header_of(x, MHD_HTTP_HEADER_EXPECT) == NULL && n <= FORGET_MAX &&
				   x->bad_head == NULL);
}

/* False if the connection is to be closed: a body without a length that does not end. */
static bool
take_body(struct exchange *x, const char *upload, size_t n)
{
	x->sent_n += n;
	if (!is_wrong(x) && !keep_body(x, upload, n))
		note_too_large(x);
	return x->sent_n <= FORGET_MAX;
}

/* Requests that a client sends before it has the body that it asked for wait for their turn. */
static bool
waits_for_leader(struct exchange *x)
{
	struct delivery *d = tls_body_of(x->client);

	if (d == NULL)
		return false;
	x->leader = exchange_of(d);
	x->leader->follower = x; /* the engine takes the next request when it is through with one */
	return true;
}

enum MHD_Result
exchange_step(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_n, void **con_cls)
{
	struct exchange *x = *con_cls;

	(void)cls;
	(void)url;
	if (x == NULL)
		return MHD_NO;
	if (x->first_call) {
		x->first_call = false;
		*begun_of(x->worker, connection) = NULL;
		read_head(x, method, version);
		enter(x, has_body(x) ? PACE_BODY : PACE_THINK);
		return wants_body(x) ? MHD_YES : send_answer(x);
	}
	if (*upload_n > 0) {
		if (!take_body(x, upload, *upload_n))
			return MHD_NO;
		*upload_n = 0;
		return MHD_YES;
	}
	if (x->state == EXCHANGE_READING) {
		if (is_wrong(x) || x->route.kind == ROUTE_NONE)
			return send_answer(x);
		if (waits_for_leader(x)) {
			MHD_suspend_connection(connection);
			return MHD_YES;
		}
		if (!ask(x)) {
			x->unanswered = true;
			return send_answer(x);
		}
		x->state = EXCHANGE_ASKING;
		enter(x, PACE_THINK);
		tls_conn_set_owed(x->client, true);
		MHD_suspend_connection(connection);
		return MHD_YES;
	}
	return x->state == EXCHANGE_ANSWERED ? send_answer(x) : MHD_YES;
}

static void
log_exchange(const struct exchange *x, bool complete)
{
	struct access_log *log = x->worker->access_log;
	const struct access_line line = {
		.secure = x->secure,
		.boot = x->boot,
		.client = x->peer,
		.method = x->method,
		.target = x->target,
		.status = x->status,
		.bytes = x->head ? 0 : x->taken,
		.of = x->head ? 0 : x->bytes,
		.ms = loop_now_ms(x->worker->loop) - x->began_ms,
		.why = boot_reason_name(x->reason),
		.file = x->path,
		.tls_version = x->tls_version,
		.tls_suite = x->tls_suite,
		.agent = x->agent,
		.end = complete                ? NULL
		       : x->fault != PACE_FINE ? pace_fault_name(x->fault)
		                               : "aborted",
	};

	if (!access_log_is_on(log))
		return;
	access_log_write(log, &line);
}

/* The engine refuses by itself what is no HTTP, or too large a head; NULL: it has said nothing. */
static void
note_engine_status(struct exchange *x, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_HTTP_STATUS);

	if (x->status != 0 || info == NULL)
		return;
	x->status = info->http_status;
	ADD(x->worker->stats.malformed, 1);
}

/* The exchange is over; `why` tells what went wrong, NULL: nothing. */
static void
finish(struct exchange *x, const char *why)
{
	struct worker *w = x->worker;
	struct exchange *next = x->follower;
	uint64_t taken = x->bytes;

	if (x->question != 0)
		bus_cancel(w->bus, x->question);
	if (why == NULL) {
		ADD(w->stats.bytes, x->head ? 0 : x->bytes);
	} else {
		uint64_t n = watch_taken(watched_of(x));

		ADD(w->stats.aborted, 1);
		taken = n < taken ? n : taken;
	}
	x->taken = taken;
	if (tls_body_of(x->client) == NULL) {
		watch_set_user(watched_of(x), next);
		enter(x, next != NULL ? PACE_THINK : PACE_IDLE);
	}
	if (x->transfer)
		report(x, why == NULL ? EVENT_TRANSFER_FINISHED : EVENT_TRANSFER_FAILED, taken, 0,
		    why == NULL             ? ""
		    : x->fault != PACE_FINE ? "the client took it too slowly"
					    : why);
	else if (x->route.kind == ROUTE_BOOT && x->status == MHD_HTTP_OK && why == NULL && !x->head)
		report(
		    x, EVENT_SCRIPT, x->bytes, 0, x->unanswered ? "handlerd did not answer" : "");
	if (x->status != 0)
		log_exchange(x, why == NULL);
	ADD(w->stats.open, (uint64_t)-1);
	*x->prev = x->next;
	if (x->next != NULL)
		x->next->prev = x->prev;
	if (x->leader != NULL)
		x->leader->follower = NULL;
	if (next != NULL) {
		next->leader = NULL;
		MHD_resume_connection(next->connection);
		w->mhd_due = true;
	}
	if (x->delivers)
		close(x->delivery.fd);
	pulling_end(x);
	free(x->body);
	free(x->data);
	free(x);
}

static const char *const end_words[] = {
	[DELIVERY_COMPLETE] = NULL,
	[DELIVERY_CLOSED] = "the client closed the connection before it had all",
	[DELIVERY_STALLED] = "the client took nothing for too long",
	[DELIVERY_BROKEN] = "the file became shorter, or could not be read",
};

static void
on_delivered(struct delivery *d, enum delivery_end end)
{
	struct exchange *x = exchange_of(d);

	finish(x, end == DELIVERY_BROKEN && d->ready != NULL ? pulling_why(x) : end_words[end]);
}

/* Seen of libmicrohttpd 0.9.75, where the names of a query do not fit the memory of its head. */
void
exchange_forget(struct worker *w, struct MHD_Connection *connection)
{
	struct exchange **begun = begun_of(w, connection), *x = *begun;

	if (x == NULL)
		return;
	*begun = NULL;
	note_engine_status(x, connection);
	finish(x, end_words[DELIVERY_CLOSED]);
}

/* How much of what the client sent was this request, as far as is known for certain. */
static uint64_t
request_bytes(const struct exchange *x, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return x->sent_n + (info != NULL ? info->header_size : 0);
}

void
exchange_end(void *cls, struct MHD_Connection *connection, void **con_cls,
    enum MHD_RequestTerminationCode code)
{
	bool complete = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
	struct exchange *x = *con_cls;

	(void)cls;
	if (x == NULL)
		return;
	*con_cls = NULL;
	if (x->first_call)
		*begun_of(x->worker, connection) = NULL;
	note_engine_status(x, connection);
	tls_conn_set_owed(x->client, false);
	tls_conn_answered(x->client, request_bytes(x, connection));
	if (x->delivers && complete && tls_body_begin(x->client, &x->delivery) == 0)
		return; /* on_delivered() goes on */
	if (x->delivers) {
		tls_body_forget(x->client);
		complete = false;
	}
	finish(x, end_words[complete                        ? DELIVERY_COMPLETE
			    : tls_conn_timed_out(x->client) ? DELIVERY_STALLED
							    : DELIVERY_CLOSED]);
}
