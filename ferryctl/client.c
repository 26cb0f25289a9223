/* Calls over the control socket; see ctl.h. */
#include "ferryctl/ctl.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TEXT_MAX (16u << 20) /* bytes of a file that goes over the socket */

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

json_t *
ctl_caller(void)
{
	const struct passwd *pw = getpwuid(getuid());

	return pw != NULL ? json_string(pw->pw_name) : json_sprintf("uid %u", (unsigned)getuid());
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

/* The message, and each mistake of a configuration that stands behind it. */
static void
print_error(const json_t *error)
{
	const json_t *mistake;
	size_t i;

	(void)ctl_error("%s", json_string_value(json_object_get(error, "message")));
	json_array_foreach(json_object_get(error, "data"), i, mistake)(void)
	    ctl_error("%s: %s", json_string_value(json_object_get(mistake, "path")),
		json_string_value(json_object_get(mistake, "error")));
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
		print_error(error);
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

/* A file's text as a JSON string; NULL after printing why. */
json_t *
ctl_read_text(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = malloc(TEXT_MAX + 1);
	json_t *v = NULL;
	size_t n;

	if (f != NULL && text != NULL) {
		n = fread(text, 1, TEXT_MAX + 1, f);
		if (ferror(f) == 0 && n <= TEXT_MAX)
			v = json_stringn(text, n);
		if (v == NULL)
			(void)ctl_error("%s: it cannot be read as text", path);
	} else {
		(void)ctl_error("%s: %s", path, strerror(errno));
	}
	if (f != NULL)
		(void)fclose(f); /* it was only read */
	free(text);
	return v;
}
