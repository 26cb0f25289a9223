/* See access_line.h. */
#include "httpsbootd/access_line.h"

#include "common/msg.h"
#include "common/quote.h"
#include "httpsbootd/route.h"

#define SHOWN_MAX 400 /* of a target or a file */

/* " name=value", if there is a value. */
static void
put(struct wbuf *w, const char *name, const char *value, size_t max)
{
	char text[SHOWN_MAX];

	if (value == NULL || value[0] == '\0')
		return;
	wbuf_printf(w, " %s=%s", name, quote(slice_str(value), text, max));
}

/* The same for what a client chose freely: there may be a secret in it. */
static void
put_clean(struct wbuf *w, const char *name, const char *value, size_t max)
{
	char shown[SHOWN_MAX + 1]; /* a cut is then seen */

	if (value != NULL)
		put(w, name, route_without_secrets(value, shown, sizeof(shown)), max);
}

const char *
access_line_format(const struct access_line *l, char dst[static ACCESS_LINE_MAX])
{
	char id[BOOT_ID_STRLEN], ip[IP_STRLEN];
	struct wbuf w;

	wbuf_init(&w, dst, ACCESS_LINE_MAX - 1);
	wbuf_printf(&w, "%s boot=%s client=%s", l->secure ? "https" : "http",
	    boot_id_format(l->boot, id), ip_format(&l->client, ip));
	put(&w, "method", l->method, 32);
	put_clean(&w, "target", l->target, SHOWN_MAX);
	wbuf_printf(&w, " status=%u bytes=%llu", l->status, (unsigned long long)l->bytes);
	if (l->of != l->bytes)
		wbuf_printf(&w, " of=%llu", (unsigned long long)l->of);
	wbuf_printf(&w, " ms=%llu", (unsigned long long)l->ms);
	put(&w, "why", l->why, 64);
	put_clean(&w, "file", l->file, SHOWN_MAX);
	put(&w, "tls", l->tls_version, 32);
	put(&w, "suite", l->tls_suite, 64);
	put_clean(&w, "agent", l->agent, 100);
	put(&w, "end", l->end, 64);
	dst[w.used] = '\0';
	return dst;
}
