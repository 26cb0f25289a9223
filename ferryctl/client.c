/* Calls over the control socket; see ctl.h. */
#include "ferryctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int
ctl_error(const char *fmt, ...)
{
	va_list ap;

	fputs("ferryctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CTL_FAIL;
}

int
ctl_usage(const char *text)
{
	fprintf(stderr, "usage: ferryctl %s\n", text);
	return CTL_USAGE;
}

/* The connected socket as a stream, or NULL with errno. */
static FILE *
dial(const struct ctl *c)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	FILE *f = NULL;
	int fd;

	if (strlen(c->socket) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	strcpy(addr.sun_path, c->socket);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		f = fdopen(fd, "r+");
	if (f == NULL)
		close(fd);
	return f;
}

static int
send_call(FILE *f, const char *method, json_t *params)
{
	json_t *call = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method",
	    method, "params", params != NULL ? params : json_object());
	int rc = json_dumpf(call, f, JSON_COMPACT);

	json_decref(call);
	if (rc < 0 || fputc('\n', f) == EOF || fflush(f) == EOF)
		return -EIO;
	return 0;
}

/* The next line as JSON, or NULL at the end. */
static json_t *
receive(FILE *f)
{
	char *line = NULL;
	size_t size = 0;
	json_t *v = NULL;

	if (getline(&line, &size, f) > 0)
		v = json_loads(line, 0, NULL);
	free(line);
	return v;
}

/* The result of a call, or NULL after printing its error. */
static json_t *
take_result(json_t *reply)
{
	json_t *result = json_object_get(reply, "result");
	const json_t *error = json_object_get(reply, "error");

	if (result != NULL)
		json_incref(result);
	else if (error != NULL)
		(void)ctl_error("%s", json_string_value(json_object_get(error, "message")));
	else
		(void)ctl_error("the daemon closed the connection");
	json_decref(reply);
	return result;
}

static json_t *
call(const struct ctl *c, const char *method, json_t *params, bool quiet)
{
	FILE *f = dial(c);
	json_t *result = NULL;

	if (f == NULL) {
		json_decref(params);
		if (!quiet)
			(void)ctl_error("%s: %s%s", c->socket, strerror(errno),
			    errno == ECONNREFUSED || errno == ENOENT ? " (is handlerd running?)"
								     : "");
		return NULL;
	}
	if (send_call(f, method, params) < 0)
		(void)ctl_error("%s: %s", c->socket, strerror(errno));
	else
		result = take_result(receive(f));
	fclose(f);
	return result;
}

json_t *
ctl_call(const struct ctl *c, const char *method, json_t *params)
{
	return call(c, method, params, false);
}

json_t *
ctl_try(const struct ctl *c, const char *method, json_t *params)
{
	return call(c, method, params, true);
}

int
ctl_follow(
    const struct ctl *c, const char *method, void (*fn)(void *arg, const json_t *params), void *arg)
{
	FILE *f = dial(c);
	json_t *v;

	if (f == NULL)
		return ctl_error("%s: %s", c->socket, strerror(errno));
	if (send_call(f, method, NULL) < 0) {
		fclose(f);
		return ctl_error("%s: %s", c->socket, strerror(errno));
	}
	while ((v = receive(f)) != NULL) {
		const json_t *params = json_object_get(v, "params");

		if (params != NULL)
			fn(arg, params);
		json_decref(v);
	}
	fclose(f);
	return ctl_error("the daemon closed the connection");
}

char *
ctl_root(const struct ctl *c)
{
	json_t *conf;
	const char *root = NULL;
	char *copy;

	if (c->root != NULL)
		return strdup(c->root);
	conf = ctl_try(c, "config.show", NULL);
	root = json_string_value(json_object_get(conf, "root"));
	copy = strdup(root != NULL ? root : CTL_ROOT);
	json_decref(conf);
	return copy;
}

void
ctl_content_changed(const struct ctl *c)
{
	/* it would notice by itself, a moment later */
	json_decref(ctl_try(c, "reload", NULL));
}

int
ctl_print_json(json_t *v)
{
	if (v == NULL)
		return CTL_FAIL;
	json_dumpf(v, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
	json_decref(v);
	return CTL_OK;
}
