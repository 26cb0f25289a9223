/*
 * pixiecore's API; see ws_pixiecore.h.  An answer is turned into an object of our own dialect with
 * an inline entry, so that there is one place that judges entries.
 */
#include "handlerd/ws_pixiecore.h"

#include "common/image.h"
#include "handlerd/ws_bootferry.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INITRDS_MAX 64
#define CMDLINE_MAX 8192

struct reading {
	const char *api;
	char *error;
	size_t error_size;
};

static int __attribute__((format(printf, 2, 3))) wrong(struct reading *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(r->error, r->error_size, fmt, ap); /* a cut sentence is still one */
	va_end(ap);
	return -EINVAL;
}

int
ws_pixiecore_path(const json_t *object, char *buf, size_t size)
{
	const json_t *text = json_object_get(json_object_get(object, "request"), "mac");
	struct macaddr mac;
	char formatted[MAC_STRLEN];

	if (!json_is_string(text) || mac_parse(slice_str(json_string_value(text)), &mac) < 0)
		return -EINVAL;
	(void)snprintf(buf, size, "/v1/boot/%s", mac_format(&mac, formatted));
	return 0;
}

/* Writes a URL of the answer as an absolute one. */
static int
put_url(struct reading *r, const char *key, struct slice url, struct wbuf *w)
{
	const char *host = strstr(r->api, "://") + 3;
	bool absolute = false;
	size_t api_n = strlen(r->api);

	for (size_t i = 0; i < url.n; i++) {
		if (url.p[i] <= ' ' || url.p[i] >= 0x7f)
			return wrong(r, "%s: a URL with blanks or control characters", key);
		absolute |= i > 0 && i + 2 < url.n && memcmp(url.p + i, "://", 3) == 0;
	}
	if (absolute && !slice_begins(url, "http://") && !slice_begins(url, "https://"))
		return wrong(r, "%s: only http and https URLs can be served", key);
	if (url.n == 0)
		return wrong(r, "%s: an empty URL", key);
	while (api_n > 0 && r->api[api_n - 1] == '/')
		api_n--;
	if (!absolute && url.p[0] == '/') {
		wbuf_bytes(w, r->api, (size_t)(host - r->api) + strcspn(host, "/"));
	} else if (!absolute) {
		wbuf_bytes(w, r->api, api_n);
		wbuf_u8(w, '/');
	}
	wbuf_slice(w, url);
	return w->bad ? wrong(r, "%s: it is too long", key) : 0;
}

static json_t *
absolute(struct reading *r, const char *key, const json_t *value)
{
	char text[VERDICT_URL_MAX + 1];
	struct wbuf w;

	wbuf_init(&w, text, VERDICT_URL_MAX);
	if (!json_is_string(value)) {
		(void)wrong(r, "%s: it must be a string", key);
		return NULL;
	}
	if (put_url(r, key, slice_str(json_string_value(value)), &w) < 0)
		return NULL;
	return json_stringn((const char *)w.p, w.used);
}

/* The place behind blanks. */
static const char *
skip(const char *s)
{
	return s + strspn(s, " \t");
}

/*
 * One action of Go's text/template: {{ URL "..." }}, the only function there is, and {{ ID "..."
 * }}, by which pixiecore's static mode names the same.  *at stands behind "{{" and is moved on.
 */
static int
put_action(struct reading *r, const char **at, struct wbuf *w)
{
	const char *s = skip(*at), *end;
	size_t name = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	char quote;

	if (!(name == 3 && memcmp(s, "URL", 3) == 0) && !(name == 2 && memcmp(s, "ID", 2) == 0))
		return wrong(r, "cmdline: only {{ URL \"...\" }} is understood in it");
	s = skip(s + name);
	quote = *s;
	if (quote != '"' && quote != '`')
		return wrong(r, "cmdline: URL needs a string in quotes");
	end = strchr(++s, quote);
	if (end == NULL || memchr(s, '\\', (size_t)(end - s)) != NULL)
		return wrong(r, "cmdline: a string that does not end, or with escapes");
	if (put_url(r, "cmdline", (struct slice){ (const uint8_t *)s, (size_t)(end - s) }, w) < 0)
		return -EINVAL;
	s = skip(end + 1);
	if (strncmp(s, "}}", 2) != 0)
		return wrong(r, "cmdline: only {{ URL \"...\" }} is understood in it");
	*at = s + 2;
	return 0;
}

static int
put_template(struct reading *r, const char *s, struct wbuf *w)
{
	while (*s != '\0') {
		if (s[0] == '{' && s[1] == '{') {
			s += 2;
			if (put_action(r, &s, w) < 0)
				return -EINVAL;
		} else {
			wbuf_u8(w, (uint8_t)*s++);
		}
	}
	return 0;
}

/* The older form: an object, each of whose keys is a parameter. */
static int
put_object(struct reading *r, const json_t *object, struct wbuf *w)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value)
	{
		const json_t *url = json_object_get(value, "url");

		if (w->used > 0)
			wbuf_u8(w, ' ');
		wbuf_str(w, name);
		if (json_is_true(value))
			continue;
		wbuf_u8(w, '=');
		if (json_is_string(value))
			wbuf_str(w, json_string_value(value));
		else if (!json_is_string(url))
			return wrong(
			    r, "cmdline.%.40s: it is neither a string, true nor a URL", name);
		else if (put_url(r, "cmdline", slice_str(json_string_value(url)), w) < 0)
			return -EINVAL;
	}
	return 0;
}

static json_t *
cmdline(struct reading *r, const json_t *value)
{
	char *text = malloc(CMDLINE_MAX);
	json_t *line = NULL;
	struct wbuf w;
	int rc = 0;

	if (text == NULL)
		return NULL;
	wbuf_init(&w, text, CMDLINE_MAX);
	if (json_is_string(value))
		rc = put_template(r, json_string_value(value), &w);
	else if (json_is_object(value))
		rc = put_object(r, value, &w);
	else if (value != NULL)
		rc = wrong(r, "cmdline: it must be a string");
	if (rc == 0 && w.bad)
		rc = wrong(r, "cmdline: it is longer than %d bytes", CMDLINE_MAX);
	for (size_t i = 0; rc == 0 && i < w.used; i++) {
		if (iscntrl(w.p[i]))
			rc = wrong(r, "cmdline: it holds a control character");
	}
	if (rc == 0)
		line = json_stringn((const char *)w.p, w.used);
	free(text);
	return line;
}

static json_t *
initrds(struct reading *r, const json_t *list)
{
	json_t *out = json_array();

	if (list != NULL && !json_is_null(list) &&
	    (!json_is_array(list) || json_array_size(list) > INITRDS_MAX)) {
		(void)wrong(r, "initrd: it must be a list of at most %d strings", INITRDS_MAX);
		goto bad;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *url = absolute(r, "initrd", json_array_get(list, i));

		if (url == NULL || json_array_append_new(out, url) < 0)
			goto bad;
	}
	return out;
bad:
	json_decref(out);
	return NULL;
}

/* The message as an entry's title: on one line, and cut where no character is. */
static json_t *
title(const json_t *message)
{
	const char *whole = json_is_string(message) ? json_string_value(message) : "";
	size_t n = strlen(whole);
	char text[IMAGE_TITLE_MAX];

	if (n >= sizeof(text)) {
		n = sizeof(text) - 1;
		while (n > 0 && ((uint8_t)whole[n] & 0xc0) == 0x80)
			n--;
	}
	n = slice_copy(text, sizeof(text), (struct slice){ (const uint8_t *)whole, n });
	for (size_t i = 0; i < n; i++) {
		if (iscntrl((unsigned char)text[i]))
			text[i] = ' ';
	}
	return json_stringn(text, n);
}

/* The answer in our own dialect; NULL after saying what is wrong. */
static json_t *
translate(struct reading *r, const json_t *object)
{
	json_t *script = json_object_get(object, "ipxe-script");
	json_t *kernel, *files, *args;

	if (json_is_string(script) && json_string_length(script) > 0)
		return json_pack("{s:s, s:O}", "action", "script", "script", script);
	kernel = absolute(r, "kernel", json_object_get(object, "kernel"));
	files = kernel != NULL ? initrds(r, json_object_get(object, "initrd")) : NULL;
	args = files != NULL ? cmdline(r, json_object_get(object, "cmdline")) : NULL;
	if (args == NULL) {
		json_decref(kernel);
		json_decref(files);
		return NULL;
	}
	/* the message has no better place than where a client shows what it boots */
	return json_pack("{s:s, s:{s:s, s:s, s:o, s:o, s:o, s:o}}", "action", "entry", "entry",
	    "name", WS_PIXIECORE_ENTRY, "type", "linux", "title",
	    title(json_object_get(object, "message")), "kernel", kernel, "initrds", files, "args",
	    args);
}

int
ws_pixiecore_answer(const json_t *object, const char *api, verdict_entry_fn *entry, void *arg,
    struct ws_answer *ret, char *error, size_t error_size)
{
	struct reading r = { .api = api, .error = error, .error_size = error_size };
	json_t *own;
	int rc;

	if (!json_is_object(object))
		return wrong(&r, "the answer must be an object");
	(void)wrong(&r, "out of memory"); /* unless something else is said */
	own = translate(&r, object);
	if (own == NULL)
		return -EINVAL;
	rc = ws_bootferry_answer(WS_BOOT_REQUEST, own, entry, arg, ret, error, error_size);
	json_decref(own);
	return rc;
}

int
ws_pixiecore_not_found(enum ws_not_found how, struct ws_answer *ret)
{
	static const enum verdict_kind kinds[WS_NOT_FOUNDS] = {
		[WS_NOT_FOUND_LOCAL] = VERDICT_LOCAL,
		[WS_NOT_FOUND_NONE] = VERDICT_NONE,
		[WS_NOT_FOUND_DENY] = VERDICT_DENY,
	};
	int rc = ws_answer_init(ret);

	if (rc == 0)
		ret->verdict.kind = kinds[how];
	return rc;
}
