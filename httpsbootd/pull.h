/*
 * Pull-through: a file that is not in the content root is fetched from the origin, once for all who
 * want it, and given to them while it comes; it is kept in a cache.
 *
 * A struct pull is shared by all workers; a thread of its own fetches (pull_fetch.c).  What a
 * worker holds is a struct pulled: one version of a file, on its way or here.  All of pull.h may be
 * called by any thread.
 */
#ifndef HTTPSBOOTD_PULL_H
#define HTTPSBOOTD_PULL_H

#include "common/http.h"
#include "httpsbootd/hops.h"
#include "httpsbootd/keep.h"

#include <stdatomic.h>

#define ORIGINS_MAX    8
#define PULL_TEXT_SIZE 224 /* why there is no file */

struct pull;
struct pulled;

struct pull_conf {
	const char *instance, *host;   /* what the origin is told of who we are */
	const char *urls[ORIGINS_MAX]; /* in this order, while one cannot be reached */
	size_t nurls;
	const char *ca, *certificate, *key;
	enum http_auth auth;
	const char *user, *password_file;
	uint32_t timeout_s, min_rate, retries;
	const char *cache;
	uint64_t max_bytes;
	uint64_t fresh_ms;
};

enum pull_state {
	PULL_ASKING,    /* nothing is known of it yet, or not how large it is */
	PULL_STREAMING, /* the size is known, a part is here */
	PULL_COMPLETE,  /* all of it is here, and checked */
	PULL_FAILED,
};

struct pull_view {
	enum pull_state state;
	/* from PULL_STREAMING on */
	uint64_t size;
	uint64_t tag; /* for an ETag */
	int64_t modified_s;
	/*
	 * PULL_FAILED: -ENOENT if the origin has no such file, -EFBIG, -EACCES, -ELOOP, else it may
	 * help to wait
	 */
	int error;
	uint32_t retry_s;
	char text[PULL_TEXT_SIZE];
};

/* A worker. */
struct pull_user {
	struct pull_user *next;
	int fd; /* becomes readable when something went on; pull_user_heard() then */
	_Atomic bool due;
	_Atomic unsigned held;
};

struct pull_stats {
	_Atomic uint64_t hits, misses, joins, bytes, failures, absent, evicted, stale, unchanged;
	_Atomic uint64_t rings, resumed;
};

/* Opens the cache.  0, or a negative errno after logging why. */
int pull_open(const struct pull_conf *conf, struct pull **ret);
/* Before pull_start(). 0, or a negative errno. */
int pull_add_user(struct pull *pull, struct pull_user *user);
int pull_start(struct pull *pull);
/* Ends its threads, which wake users: before those go.  NULL is allowed. */
void pull_stop(struct pull *pull);
/* Users have released what they held.  NULL is allowed. */
void pull_close(struct pull *pull);

/*
 * A file, or with `head` only what there is to say about it, for a request that came through
 * `hops`.  0, with whatever there is of it, which is released later; or -ENOMEM.
 */
int pull_get(struct pull *pull, struct pull_user *user, const struct keep_want *want, bool head,
    const struct hops *hops, struct pulled **ret);
void pull_release(struct pull_user *user, struct pulled *p);
void pull_look(struct pulled *p, struct pull_view *ret);
/* How many octets from `offset` on can be read; negative: none ever, it failed. */
int64_t pull_ready(const struct pulled *p, uint64_t offset);
/* A new descriptor of it, or a negative errno. */
int pull_dup(struct pulled *p);
/* Before what was waited for is looked at. */
void pull_user_heard(struct pull_user *user);

const struct pull_stats *pull_stats(const struct pull *pull);
/* Bytes that are kept now. */
uint64_t pull_kept_bytes(struct pull *pull);
/* What keeps it from fetching, in words; "" if nothing does.  Returns dst. */
const char *pull_problem(struct pull *pull, char *dst, size_t size);
/* For `status`, and the list of what is kept; new objects. */
json_t *pull_dump(struct pull *pull);
json_t *pull_list(struct pull *pull);
/* Forgets a kept file, or with NULL all of them; who reads one goes on.  How many it were. */
size_t pull_drop(struct pull *pull, const char *path);

#endif
