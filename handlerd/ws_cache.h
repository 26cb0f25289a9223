/*
 * Answers of the web service that may serve again.  Each stands under a key (feature and machine)
 * and says for how long it serves without asking (fresh), and for how long it may stand in for a
 * service that does not answer (stale).  An answer that nobody has seen yet, as it was asked for
 * early or came late, serves the next one who asks.  Bounded by bytes, the least lately used go
 * first.  Pure: time is an argument.
 */
#ifndef HANDLERD_WS_CACHE_H
#define HANDLERD_WS_CACHE_H

#include "common/wire.h"

/* For so long an answer waits for the one who has not seen it. */
#define WS_CACHE_UNSEEN_MS 60000

struct ws_cache;

/* Room for `max_bytes` of keys and answers.  0, or -ENOMEM. */
int ws_cache_new(size_t max_bytes, struct ws_cache **ret);
void ws_cache_free(struct ws_cache *c); /* NULL is allowed */

/*
 * Keeps a copy of an answer, in place of an earlier one.  An answer that is neither fresh, stale
 * nor unseen, or larger than a sixteenth of the room, only removes the earlier one.
 */
void ws_cache_put(struct ws_cache *c, const char *key, struct slice answer, uint64_t now_ms,
    uint64_t fresh_ms, uint64_t stale_ms, bool unseen);

/* The answer that serves without asking; valid until the next call.  0, or -ENOENT. */
int ws_cache_fresh(struct ws_cache *c, const char *key, uint64_t now_ms, struct slice *ret);
/* The answer that serves when the service does not.  Likewise. */
int ws_cache_stale(struct ws_cache *c, const char *key, uint64_t now_ms, struct slice *ret);

size_t ws_cache_count(const struct ws_cache *c);
size_t ws_cache_bytes(const struct ws_cache *c);

#endif
