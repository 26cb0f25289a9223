/*
 * From what the service said, a status and a body, to an answer; and keeping what it said in the
 * cache, to be read again when it serves.  Pure.
 */
#ifndef HANDLERD_WS_DECODE_H
#define HANDLERD_WS_DECODE_H

#include "handlerd/ws.h"
#include "handlerd/ws_cache.h"

#define WS_ERROR_SIZE 256

struct ws_decoder {
	enum ws_dialect dialect;
	enum ws_not_found not_found;
	verdict_entry_fn *entry; /* judges inline entries, or NULL */
	void *entry_arg;
	struct ws_cache *cache;
	uint64_t stale_ms; /* for so long an answer may stand in for a service that fails */
};

struct ws_said {
	const char *url; /* that said it, as configured */
	long status;
	struct slice body;
};

/*
 * The pixiecore dialect knows no feature but WS_BOOT_REQUEST.  0, and *ret is for
 * ws_answer_fini(); -EINVAL with a sentence in `error`, in which the service's
 * own words may stand; -ENOMEM.
 */
int ws_decode(const struct ws_decoder *d, enum ws_feature feature, const struct ws_said *said,
    struct ws_answer *ret, char error[static WS_ERROR_SIZE]);

/* Keeps what was decoded to `answer`, as far as that allows; `unseen` if nobody has got it. */
void ws_keep(const struct ws_decoder *d, const char *key, const struct ws_said *said,
    const struct ws_answer *answer, uint64_t now_ms, bool unseen);

/*
 * The answer that was kept: one that serves without asking, or, if `stale`, one that stands in.
 * 0, and *ret is for ws_answer_fini(); or -ENOENT.
 */
int ws_recall(const struct ws_decoder *d, enum ws_feature feature, const char *key, uint64_t now_ms,
    bool stale, struct ws_answer *ret);

#endif
