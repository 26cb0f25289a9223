/* From what the service said to an answer; see ws_decode.h. */
#include "handlerd/ws_decode.h"

#include "handlerd/ws_bootferry.h"
#include "handlerd/ws_pixiecore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX 4096

int
ws_decode(const struct ws_decoder *d, enum ws_feature feature, const struct ws_said *said,
    struct ws_answer *ret, char error[static WS_ERROR_SIZE])
{
	json_error_t je;
	json_t *object;
	int rc;

	if (d->dialect == WS_PIXIECORE && said->status == 404)
		return ws_pixiecore_not_found(d->not_found, ret);
	if (d->dialect == WS_BOOTFERRY && said->status == 204) /* no opinion */
		return ws_answer_init(ret);
	if (said->status != 200) {
		(void)snprintf(error, WS_ERROR_SIZE, "status %ld%s", said->status,
		    said->status == 404 ? "; is the URL right?" : "");
		return -EINVAL;
	}
	object = json_loadb((const char *)said->body.p, said->body.n, JSON_REJECT_DUPLICATES, &je);
	if (object == NULL) {
		(void)snprintf(error, WS_ERROR_SIZE, "no JSON: line %d: %s", je.line, je.text);
		return -EINVAL;
	}
	if (d->dialect == WS_PIXIECORE)
		rc = ws_pixiecore_answer(
		    object, said->url, d->entry, d->entry_arg, ret, error, WS_ERROR_SIZE);
	else
		rc = ws_bootferry_answer(
		    feature, object, d->entry, d->entry_arg, ret, error, WS_ERROR_SIZE);
	json_decref(object);
	return rc;
}

/* In the cache stands "STATUS URL\n" and the body. */
void
ws_keep(const struct ws_decoder *d, const char *key, const struct ws_said *said,
    const struct ws_answer *answer, uint64_t now_ms, bool unseen)
{
	size_t size = said->body.n + strlen(said->url) + 32;
	char *text = malloc(size);
	struct wbuf w;

	if (text == NULL)
		return; /* the answer has served its asker; the next one asks again */
	wbuf_init(&w, text, size);
	wbuf_printf(&w, "%ld %s\n", said->status, said->url);
	wbuf_slice(&w, said->body);
	ws_cache_put(d->cache, key, wbuf_view(&w), now_ms, answer->verdict.cache_s * UINT64_C(1000),
	    answer->keep ? d->stale_ms : 0, unseen);
	free(text);
}

int
ws_recall(const struct ws_decoder *d, enum ws_feature feature, const char *key, uint64_t now_ms,
    bool stale, struct ws_answer *ret)
{
	char head[URL_MAX + 32], error[WS_ERROR_SIZE], *space;
	struct ws_said said;
	struct slice text = { 0 };
	const uint8_t *end;
	size_t n;
	int rc;

	rc = stale ? ws_cache_stale(d->cache, key, now_ms, &text)
	           : ws_cache_fresh(d->cache, key, now_ms, &text);
	if (rc < 0)
		return rc;
	end = memchr(text.p, '\n', text.n);
	if (end == NULL || (size_t)(end - text.p) >= sizeof(head))
		return -ENOENT;
	n = (size_t)(end - text.p);
	memcpy(head, text.p, n);
	head[n] = '\0';
	said.status = strtol(head, &space, 10);
	said.url = space + 1;
	said.body = (struct slice){ end + 1, text.n - n - 1 };
	return ws_decode(d, feature, &said, ret, error) == 0 ? 0 : -ENOENT;
}
