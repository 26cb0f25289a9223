/* The control socket; see rpc.h. */
#include "common/rpc.h"

#include "common/json_text.h"
#include "common/local_socket.h"
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_MS 100 /* after a failure to accept */

/* An answer that comes later. */
struct rpc_deferred {
	struct rpc_conn *conn; /* NULL: it is gone */
	json_t *id;
	struct rpc_deferred *next, **prev;
};

struct rpc_conn {
	struct rpc_server *server;
	struct rpc_conn *next, **prev;
	struct loop_fd lf;
	bool subscribed;
	bool broken; /* to be closed when its callback returns */
	/* of the call that is being answered */
	json_t *call_id;
	bool call_deferred;
	struct rpc_deferred *deferred;

	char *in; /* what was read of a line that has not ended */
	size_t in_n, in_size;
	char *out; /* what could not be sent yet */
	size_t out_n, out_size;
};

struct rpc_server {
	struct loop *loop;
	struct loop_fd lf;
	struct loop_timer again; /* accepts again, when descriptors had run out */
	const struct rpc_method *methods;
	void *arg;
	struct rpc_conn *conns;
	size_t nconns;
	char *path;
};

json_t *
rpc_fail(struct rpc_error *error, int code, const char *fmt, ...)
{
	va_list ap;

	error->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(error->text, sizeof(error->text), fmt, ap); /* a cut text still helps */
	va_end(ap);
	return NULL;
}

json_t *
rpc_fail_with(struct rpc_error *error, int code, json_t *data, const char *fmt, ...)
{
	va_list ap;

	error->code = code;
	error->data = data;
	va_start(ap, fmt);
	(void)vsnprintf(error->text, sizeof(error->text), fmt, ap); /* as above */
	va_end(ap);
	return NULL;
}

static void
conn_free(struct rpc_conn *c)
{
	loop_del(c->server->loop, &c->lf);
	close(c->lf.fd);
	*c->prev = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	c->server->nconns--;
	while (c->deferred != NULL) {
		struct rpc_deferred *d = c->deferred;

		c->deferred = d->next;
		d->conn = NULL;
		d->prev = NULL;
	}
	free(c->in);
	free(c->out);
	free(c);
}

/* Grows a buffer to hold `need` bytes; false when out of memory. */
static bool
reserve(char **buf, size_t *size, size_t need)
{
	size_t want = *size == 0 ? 4096 : *size;
	char *p;

	if (need <= *size)
		return true;
	while (want < need)
		want *= 2;
	p = realloc(*buf, want);
	if (p == NULL)
		return false;
	*buf = p;
	*size = want;
	return true;
}

static void
conn_flush(struct rpc_conn *c)
{
	size_t sent = 0;

	while (sent < c->out_n) {
		ssize_t n = send(c->lf.fd, c->out + sent, c->out_n - sent, MSG_NOSIGNAL);

		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				c->broken = true;
			break;
		}
		sent += (size_t)n;
	}
	if (sent > 0) {
		memmove(c->out, c->out + sent, c->out_n - sent);
		c->out_n -= sent;
	}
	loop_mod(c->server->loop, &c->lf, c->out_n > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* Sends one object as a line; takes it over. */
static void
conn_send(struct rpc_conn *c, json_t *message)
{
	char *text = json_dumps(message, JSON_COMPACT);
	size_t n = text != NULL ? strlen(text) : 0;

	json_decref(message);
	if (text == NULL || c->out_n + n + 1 > RPC_OUTPUT_MAX ||
	    !reserve(&c->out, &c->out_size, c->out_n + n + 1)) {
		log_warnx("control: a connection does not read its answers, closing it");
		c->broken = true;
	} else {
		memcpy(c->out + c->out_n, text, n);
		c->out[c->out_n + n] = '\n';
		c->out_n += n + 1;
		conn_flush(c);
	}
	free(text);
}

static void
send_error(struct rpc_conn *c, json_t *id, int code, const char *text, json_t *data)
{
	/* what it quotes may be cut within a character, or be none */
	conn_send(
	    c, json_pack("{s:s, s:O, s:{s:i, s:o, s:o*}}", "jsonrpc", "2.0", "id", id, "error",
		   "code", code, "message", json_text(slice_str(text)), "data", data));
}

static json_t *
list_methods(const struct rpc_server *server)
{
	json_t *list = json_array();

	for (const struct rpc_method *m = server->methods; m->name != NULL; m++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "method", m->name,
						"params", m->params, "help", m->help));
	return list;
}

static void
call(struct rpc_conn *c, json_t *id, const char *name, const json_t *params)
{
	const struct rpc_server *server = c->server;
	struct rpc_error error = { .code = RPC_INTERNAL_ERROR, .text = "internal error" };
	const struct rpc_method *m = server->methods;
	json_t *result;

	if (strcmp(name, "rpc.methods") == 0) {
		result = list_methods(server);
	} else {
		while (m->name != NULL && strcmp(m->name, name) != 0)
			m++;
		if (m->name == NULL)
			result = rpc_fail(
			    &error, RPC_METHOD_NOT_FOUND, "there is no method \"%s\"", name);
		else {
			c->call_id = id;
			c->call_deferred = false;
			result = m->fn(server->arg, c, params, &error);
			c->call_id = NULL;
			if (c->call_deferred)
				return;
		}
	}
	if (id == NULL) { /* a notification wants no answer */
		json_decref(result);
		json_decref(error.data);
	} else if (result == NULL)
		send_error(c, id, error.code, error.text, error.data);
	else
		conn_send(
		    c, json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, "result", result));
}

static void
handle_line(struct rpc_conn *c, const char *line, size_t n)
{
	json_t *message = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	json_t *id = json_object_get(message, "id");
	const json_t *params = json_object_get(message, "params");
	const char *name = json_string_value(json_object_get(message, "method"));
	json_t *null = json_null(), *none = json_object();

	if (message == NULL)
		send_error(c, null, RPC_PARSE_ERROR, "not a JSON object on one line", NULL);
	else if (name == NULL || (params != NULL && !json_is_object(params)))
		send_error(c, id != NULL ? id : null, RPC_INVALID_REQUEST,
		    "a request has a \"method\" and, if any, an object as \"params\"", NULL);
	else
		call(c, id, name, params != NULL ? params : none);
	json_decref(none);
	json_decref(message);
}

static void
handle_input(struct rpc_conn *c)
{
	size_t start = 0;
	char *end;

	while (!c->broken && (end = memchr(c->in + start, '\n', c->in_n - start)) != NULL) {
		size_t n = (size_t)(end - (c->in + start));

		if (n > 0)
			handle_line(c, c->in + start, n);
		start += n + 1;
	}
	memmove(c->in, c->in + start, c->in_n - start);
	c->in_n -= start;
}

static void
on_conn(void *arg, uint32_t events)
{
	struct rpc_conn *c = arg;
	ssize_t n;

	if ((events & EPOLLOUT) != 0)
		conn_flush(c);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !c->broken) {
		if (c->in_n >= RPC_LINE_MAX || !reserve(&c->in, &c->in_size, c->in_n + 4096)) {
			log_warnx("control: a line is longer than %d bytes", RPC_LINE_MAX);
			c->broken = true;
		} else {
			n = recv(c->lf.fd, c->in + c->in_n, c->in_size - c->in_n, 0);
			if (n > 0) {
				c->in_n += (size_t)n;
				handle_input(c);
			} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
				c->broken = true;
			}
		}
	}
	if (c->broken)
		conn_free(c);
}

static void
on_again(void *arg)
{
	struct rpc_server *server = arg;

	loop_mod(server->loop, &server->lf, EPOLLIN);
}

static void
on_accept(void *arg, uint32_t events)
{
	struct rpc_server *server = arg;
	struct rpc_conn *c;
	int fd;

	(void)events;
	fd = accept4(server->lf.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
			return;
		log_peer_warn("control: accept: %s", strerror(errno));
		/* it stays readable while descriptors are short: it rests, instead of the loop
		 * spinning */
		if (loop_timer_set(server->loop, &server->again, AGAIN_MS) == 0)
			loop_mod(server->loop, &server->lf, 0);
		return;
	}
	c = server->nconns < RPC_CONNECTIONS ? calloc(1, sizeof(*c)) : NULL;
	if (c == NULL) {
		log_peer_warn("control: more than %d connections", RPC_CONNECTIONS);
		close(fd);
		return;
	}
	c->server = server;
	if (loop_add(server->loop, &c->lf, fd, EPOLLIN, on_conn, c) < 0) {
		close(fd);
		free(c);
		return;
	}
	c->next = server->conns;
	c->prev = &server->conns;
	if (c->next != NULL)
		c->next->prev = &c->next;
	server->conns = c;
	server->nconns++;
}

int
rpc_open(struct loop *loop, const char *path, const struct rpc_method *methods, void *arg,
    struct rpc_server **ret)
{
	struct rpc_server *server;
	int fd = -1, rc;

	server = calloc(1, sizeof(*server));
	if (server == NULL)
		return -ENOMEM;
	server->loop = loop;
	server->methods = methods;
	server->arg = arg;
	server->path = strdup(path);
	if (server->path == NULL) {
		rc = -ENOMEM;
		goto fail;
	}
	fd = local_listen(path, 0660, 16);
	if (fd < 0) {
		rc = fd;
		goto fail;
	}
	loop_timer_init(&server->again, on_again, server);
	rc = loop_add(loop, &server->lf, fd, EPOLLIN, on_accept, server);
	if (rc < 0)
		goto fail;
	*ret = server;
	return 0;
fail:
	if (fd >= 0)
		close(fd);
	free(server->path);
	free(server);
	return rc;
}

void
rpc_close(struct rpc_server *server)
{
	if (server == NULL)
		return;
	while (server->conns != NULL)
		conn_free(server->conns);
	loop_timer_clear(server->loop, &server->again);
	loop_del(server->loop, &server->lf);
	close(server->lf.fd);
	(void)unlink(server->path); /* may be gone, or not ours to remove any more */
	free(server->path);
	free(server);
}

struct rpc_deferred *
rpc_defer(struct rpc_conn *conn)
{
	struct rpc_deferred *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->conn = conn;
	d->id = json_incref(conn->call_id);
	d->next = conn->deferred;
	d->prev = &conn->deferred;
	if (d->next != NULL)
		d->next->prev = &d->next;
	conn->deferred = d;
	conn->call_deferred = true;
	return d;
}

void
rpc_finish(struct rpc_deferred *d, json_t *result, const struct rpc_error *error)
{
	struct rpc_conn *c = d->conn;

	if (c != NULL) {
		*d->prev = d->next;
		if (d->next != NULL)
			d->next->prev = d->prev;
	}
	if (c == NULL || d->id == NULL || c->broken)
		json_decref(result);
	else if (result == NULL)
		send_error(c, d->id, error->code, error->text, error->data);
	else
		conn_send(c,
		    json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", d->id, "result", result));
	/* as in rpc_publish(): what is broken here ends at its next event */
	if (c != NULL && c->broken)
		(void)shutdown(c->lf.fd, SHUT_RDWR);
	json_decref(d->id);
	free(d);
}

void
rpc_subscribe(struct rpc_conn *conn)
{
	conn->subscribed = true;
}

bool
rpc_has_subscribers(const struct rpc_server *server)
{
	for (const struct rpc_conn *c = server->conns; c != NULL; c = c->next) {
		if (c->subscribed)
			return true;
	}
	return false;
}

void
rpc_publish(struct rpc_server *server, const char *method, json_t *params)
{
	struct rpc_conn *next;

	for (struct rpc_conn *c = server->conns; c != NULL; c = next) {
		next = c->next;
		if (!c->subscribed || c->broken)
			continue;
		conn_send(c, json_pack("{s:s, s:s, s:O}", "jsonrpc", "2.0", "method", method,
				 "params", params));
		/* a broken one ends at its next event, which the closed end raises by itself;
		 * shutting it down makes sure of that */
		if (c->broken)
			(void)shutdown(c->lf.fd, SHUT_RDWR);
	}
	json_decref(params);
}
