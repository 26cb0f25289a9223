/*
 * HTTP requests: from the engine's callbacks to a question for handlerd, and from its answer to a
 * response.
 *
 * The engine calls exchange_begin() with the request line, exchange_step() once with the header,
 * then for each piece of the body, then without any; there the connection is suspended until
 * handlerd has answered, and the next exchange_step() sends.
 */
#include "httpsbootd/exchange.h"

#include "common/sockaddr.h"
#include "httpsbootd/answer.h"
#include "httpsbootd/question.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is read of a body that nobody wants. */
#define FORGET_MAX (4u << 20)

struct watched *
exchange_watched(const struct exchange *x)
{
	int fd = tls_conn_socket(x->client);

	return fd >= 0 ? x->worker->fds[fd].watched : NULL;
}

/* Its client is in another stage, unless that is still given an answer before. */
void
exchange_enter(const struct exchange *x, enum pace_stage stage)
{
	if (tls_body_of(x->client) == NULL)
		watch_enter(exchange_watched(x), stage);
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
	if (fd >= 0) {
		x->ordinal = ++x->worker->fds[fd].requests;
		x->last = x->ordinal >= (uint64_t)max && max != 0;
	}
	/* else the client still gets the answer before this one */
	if (tls_body_of(x->client) == NULL)
		watch_set_user(exchange_watched(x), x);
}

struct fd_info *
exchange_fd(struct worker *w, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	assert(info != NULL);
	return &w->fds[info->connect_fd];
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

/* What the client's gate refused, if that is the request of this number; else NULL. */
static const struct gate_refused *
refused_of(const struct tls_conn *client, uint64_t ordinal)
{
	const struct gate_refused *r = tls_conn_refused(client);

	return r != NULL && r->number == ordinal ? r : NULL;
}

/* A body in chunks may break when its head has long been taken. */
static void
note_refused(struct exchange *x, const struct gate_refused *r)
{
	if (r == NULL || x->refused != REQHEAD_FINE)
		return;
	x->refused = r->fault;
	SERVE_ADD(x->worker->stats.malformed, 1);
	SERVE_ADD(x->worker->stats.refused_heads[r->fault], 1);
}

void *
exchange_begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
	struct worker *w = cls;
	const union MHD_ConnectionInfo *info;
	struct fd_info *fd = exchange_fd(w, connection);
	int socket = tls_conn_socket(fd->client);
	const struct gate_refused *refused =
	    socket >= 0 ? refused_of(fd->client, w->fds[socket].requests + 1) : NULL;
	const char *target = refused != NULL && !refused->in_body ? refused->target : uri;
	size_t n = strlen(target);
	struct exchange *x = calloc(1, sizeof(*x) + n + 1);

	if (x == NULL)
		return NULL; /* exchange_step() then gives up */
	memcpy(x->target, target, n + 1);
	x->worker = w;
	x->connection = connection;
	x->first_call = true;
	x->began_ms = loop_now_ms(w->loop);
	x->bad_target = route_parse(x->target, &x->route) < 0;
	hide_query(uri);
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	x->peer = ip_from_sockaddr(info != NULL ? info->client_addr : NULL);
	exchange_forget(w, connection);
	fd->begun = x;
	take_client(x, fd);
	note_refused(x, refused);
	x->next = w->exchanges;
	x->prev = &w->exchanges;
	if (x->next != NULL)
		x->next->prev = &x->next;
	w->exchanges = x;
	SERVE_ADD(w->stats.requests, 1);
	SERVE_ADD(w->stats.open, 1);
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
	SERVE_ADD(x->worker->stats.too_large, !x->too_large);
	x->too_large = true;
}

struct exchange *
exchange_of(struct delivery *d)
{
	return (struct exchange *)((char *)d - offsetof(struct exchange, delivery));
}

const char *
exchange_header(struct exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

static void
count_route(struct exchange *x)
{
	struct serve_stats *s = &x->worker->stats;

	SERVE_ADD(s->boots, x->route.kind == ROUTE_BOOT);
	SERVE_ADD(s->files, x->route.kind == ROUTE_FILE);
	SERVE_ADD(s->heads, x->head);
	SERVE_ADD(s->reports, x->route.kind == ROUTE_REPORT);
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
		SERVE_ADD(w->stats.unanswered, 1);
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

/* What the head of a request says about how it is to be taken. */
static void
read_head(struct exchange *x, const char *method, const char *version)
{
	static const char form[] = "application/x-www-form-urlencoded";
	const struct httpsbootd_conf *conf = x->worker->conf;
	const char *type = exchange_header(x, MHD_HTTP_HEADER_CONTENT_TYPE);
	const char *expect = exchange_header(x, MHD_HTTP_HEADER_EXPECT);
	const struct gate_refused *refused = refused_of(x->client, x->ordinal);
	size_t n = sizeof(form) - 1;
	bool post;

	(void)slice_copy(
	    x->agent, sizeof(x->agent), slice_str(exchange_header(x, MHD_HTTP_HEADER_USER_AGENT)));
	(void)slice_copy(x->method, sizeof(x->method),
	    slice_str(refused != NULL && !refused->in_body ? refused->method : method));
	post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;
	x->head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	x->bad_method = !x->head && !post && strcmp(method, MHD_HTTP_METHOD_GET) != 0;
	/* iPXE sends no other type; scripts that send none mean a form as well */
	x->bad_type = post && type != NULL &&
	              (strncasecmp(type, form, n) != 0 || strchr("; \t", type[n]) == NULL);
	/* RFC 9110 section 10.1.1; HTTP/1.0 knows none */
	x->bad_expect = expect != NULL && strcmp(version, MHD_HTTP_VERSION_1_0) != 0 &&
	                strcasecmp(expect, "100-continue") != 0;
	x->unlisted = !x->secure && !x->bad_target && x->route.kind != ROUTE_NONE &&
	              !route_is_listed(
			  &x->route, (const char *const *)conf->http_allow.v, conf->http_allow.n);
	SERVE_ADD(x->worker->stats.unlisted, x->unlisted);
	count_route(x);
}

static bool
has_body(struct exchange *x)
{
	return exchange_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH) != NULL ||
	       exchange_header(x, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
}

static bool
is_wrong(const struct exchange *x)
{
	return x->refused != REQHEAD_FINE || x->bad_target || x->bad_method || x->bad_type ||
	       x->bad_expect || x->too_large || x->unlisted;
}

/*
 * False if the answer is known and the body had better stay where it is: the client asked first
 * (RFC 9110 section 10.1.1), or would send more than is worth reading to forget it.  Any other
 * body is read, for a client that sends without reading would not see the answer.
 */
static bool
wants_body(struct exchange *x)
{
	const char *length = exchange_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t n = 0;

	if (length != NULL && parse_u64(length, &n) < 0)
		n = UINT64_MAX;
	if (n > (uint64_t)x->worker->conf->max_form_bytes)
		note_too_large(x);
	return !is_wrong(x) ||
	       (exchange_header(x, MHD_HTTP_HEADER_EXPECT) == NULL && n <= FORGET_MAX);
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
		exchange_fd(x->worker, connection)->begun = NULL;
		read_head(x, method, version);
		exchange_enter(x, has_body(x) ? PACE_BODY : PACE_THINK);
		return wants_body(x) ? MHD_YES : answer_send(x);
	}
	if (*upload_n > 0) {
		if (!take_body(x, upload, *upload_n))
			return MHD_NO;
		*upload_n = 0;
		return MHD_YES;
	}
	if (x->state == EXCHANGE_READING) {
		note_refused(x, refused_of(x->client, x->ordinal));
		if (is_wrong(x) || x->route.kind == ROUTE_NONE)
			return answer_send(x);
		if (waits_for_leader(x)) {
			MHD_suspend_connection(connection);
			return MHD_YES;
		}
		if (!question_ask(x)) {
			x->unanswered = true;
			return answer_send(x);
		}
		x->state = EXCHANGE_ASKING;
		exchange_enter(x, PACE_THINK);
		tls_conn_set_owed(x->client, true);
		MHD_suspend_connection(connection);
		return MHD_YES;
	}
	return x->state == EXCHANGE_ANSWERED ? answer_send(x) : MHD_YES;
}
