/*
 * What the parts of the pull-through share: pull.c is the table that workers ask; pull_fetch.c is
 * the thread that fetches, with pull_room.c, pull_take.c, pull_resume.c,
 * pull_ring.c and pull_end.c;
 * pull_keeper.c is the thread that waits for the disk.
 */
#ifndef HTTPSBOOTD_PULL_PARTS_H
#define HTTPSBOOTD_PULL_PARTS_H

#include "common/loop_thread.h"
#include "httpsbootd/pull.h"
#include "httpsbootd/pull_disk.h"
#include "httpsbootd/resume.h"
#include "httpsbootd/shelf.h"

/* What is known of a path. */
struct pull_file {
	struct shelf_item item; /* its users are the struct pulled that name it */
	struct keep_note note;  /* of the kept one */
	struct pulled *open;    /* the kept one, if somebody reads it */
	struct pulled *coming;  /* the one on its way, if there is one */
	struct pulled *asked;   /* HEAD */
	uint64_t touched_ms;
	/* why there is none, until then */
	uint64_t pause_ms;
	unsigned failures;
	int error;
	char text[PULL_TEXT_SIZE];
};

struct pulled {
	struct pull *pull;
	struct pull_file *file;
	unsigned refs; /* under the lock, as all but what is atomic */
	int fd;        /* -1: only what there is to say about it */
	_Atomic int state;
	_Atomic uint64_t came; /* while PULL_STREAMING */
	_Atomic uint64_t size; /* known from PULL_STREAMING on */
	uint64_t tag;
	int64_t modified_s;
	int error;
	uint32_t retry_s;
	char text[PULL_TEXT_SIZE];
	struct fetch *fetch; /* that brings it; NULL: it is over */
};

/* One request to the origin: of the fetching thread, but for `want` while it waits in the queue. */
struct fetch {
	struct pull *pull;
	struct pulled *p;
	struct fetch *next;
	struct keep_want want; /* path in p->file, digest in `sha256` */
	uint8_t sha256[DIGEST_BYTES];
	bool head;
	bool conditional; /* only if it is not the kept one any more */
	struct http_request *request;
	void *digest; /* EVP_MD_CTX */
	uint64_t began_ms;
	uint64_t reserved; /* on the shelf */
	uint64_t told;     /* to the users */
	int64_t length;    /* of the body; -1: not known */
	bool no_store;     /* the origin does not want it kept */
	bool unchanged;    /* the kept one still is the file */
	struct keep_note note;
	int fault; /* of ours, in words: */
	const char *fault_text;
	/* when it breaks off: pull_resume.c */
	struct resume_mark mark;
	bool marked;       /* it can be taken up */
	bool again;        /* it was */
	unsigned tries;    /* in a row, that brought little */
	uint64_t broke_at; /* the last time */
	uint64_t pass_over;
	struct loop_timer retry;
	size_t url, urls_tried;
	/* who else wants it: pull_ring.c */
	struct hops hops;   /* the servers before us, of whoever was first */
	struct hops joined; /* of those who came later */
	bool untried;       /* whether `joined` is a ring */
	bool ringed;        /* it has come back to us */
};

struct pull {
	pthread_mutex_t lock;
	struct pull_conf conf;
	int dir;
	struct pull_user *users;
	struct shelf shelf;
	struct fetch *queue, **queue_end;
	size_t queued;
	/* the origin itself: which one is asked now, and whether it cannot be reached */
	size_t url;
	uint64_t url_until_ms;
	unsigned failures;
	uint64_t pause_ms;
	char problem[PULL_TEXT_SIZE];
	char own[HOP_STRLEN]; /* our name in a Via */
	uint64_t ring_until_ms;
	char ring[PULL_TEXT_SIZE]; /* the one that was met last */
	struct pull_stats stats;

	/* of the thread that fetches */
	struct loop_thread thread;
	struct loop_fd lf;
	struct loop_hook hook;
	int queue_fd;
	struct http *http;
	struct fetch *running;
	size_t nrunning;
	struct loop_timer ring_timer;
	size_t nprobes;

	/* what waits for the thread that waits for the disk */
	pthread_t keeper;
	pthread_cond_t keeper_due;
	bool keeper_runs, keeper_ends;
	struct fetch *keeping, **keeping_end;
	size_t nkeeping;
	int doomed[256]; /* to be closed */
	size_t ndoomed, nclosing;
	pthread_cond_t keeper_closed;
};

#define FETCH_URL_MAX      4096
#define HTTP_LOOP_DETECTED 508 /* RFC 5842 section 7.2 */

#define PULL_ADD(pull, counter, n)                                                                 \
	atomic_fetch_add_explicit(&(pull)->stats.counter, n, memory_order_relaxed)

static inline void
pull_lock(struct pull *pull)
{
	pthread_mutex_lock(&pull->lock);
}

static inline void
pull_unlock(struct pull *pull)
{
	pthread_mutex_unlock(&pull->lock);
}

/* Remembers a fault of the fetch's own, and returns it; `text` is constant. */
static inline int
fetch_fault(struct fetch *f, int error, const char *text)
{
	f->fault = error;
	f->fault_text = text;
	return error;
}

/* pull.c; with the lock held unless said otherwise */
uint64_t pull_now_ms(void); /* CLOCK_MONOTONIC, no lock */
/* The kept file becomes what `p` is.  False if it cannot be read: it is forgotten then. */
bool pull_take_kept(struct pulled *p);
/* The kept file is given though it may have changed. */
void pull_note_stale(struct pull *pull, const struct pull_file *file);
void pull_wake(struct pull *pull);  /* no lock needed */
void pull_hurry(struct pull *pull); /* the fetching thread looks for work; no lock needed */
/* Gives up a reference; *ret_fd is to be closed without the lock if it is not -1. */
void pull_unref(struct pulled *p, int *ret_fd);

/* pull_ring.c; with the lock held: */
/* Whether a request was here before.  Its file cannot come from the origin, which is noted. */
bool pull_ring_closes(struct pull *pull, struct pull_file *file, const struct hops *hops);
/* Another one waits for what the fetch brings. */
void pull_ring_join(struct fetch *f, const struct hops *hops);
/* The ring, while there was one lately; else NULL. */
const char *pull_ring_words(const struct pull *pull);

/* The rest is the fetching thread's, and takes the lock itself. */

/* pull_ring.c: ends what has come back to us, and tries what joined. */
void pull_ring_look(struct pull *pull);
void pull_ring_try(void *arg); /* the timer's */

/* pull_room.c: 0, or a negative errno, which is the fetch's fault then. */
int fetch_reserve(struct fetch *f, uint64_t bytes); /* so many more */
int fetch_open_part(struct fetch *f, int64_t size); /* -1: not known */
int fetch_write_part(struct fetch *f, uint64_t offset, struct slice bytes);

/* pull_take.c; its arg is the struct fetch */
extern const struct http_sink fetch_sink;

/* pull_resume.c */
/* What the file is known by. */
void fetch_mark(struct fetch *f, const struct http_head *head);
/* True if the answer is a file that broke off, and that is taken up again later. */
bool fetch_breaks(struct fetch *f, const struct http_answer *answer);
/* The origin cannot be reached: true if another one is asked later, before anything has come. */
bool fetch_turns(struct fetch *f, const struct http_answer *answer);
/* The next origin is the one that is asked from now on. */
void pull_turn(struct pull *pull, size_t from);
/* The head of an answer to that: 0, or the fetch's fault. */
int fetch_go_on(struct fetch *f, const struct http_head *head);

/* pull_end.c: the fetch is gone afterwards. */
void fetch_ended(void *arg, const struct http_answer *answer);
void fetch_fail(struct fetch *f, int error, const char *text);
void fetch_fail_ring(struct fetch *f);
void fetch_free(struct fetch *f);
/* Nobody waits for it any more, and whoever comes now asks anew.  Any thread. */
void fetch_let_go(struct fetch *f);

/* pull_keeper.c */
/* With the lock held: a fetch that is none of the running ones any more; the keeper lets it go. */
void pull_keeper_take(struct fetch *f);
/* With the lock held: a descriptor of a file that may be large and gone. */
void pull_keeper_close(struct pull *pull, int fd);
/* With the lock held: a kept file goes; its room may be free a while later. */
void pull_keeper_drop(struct pull *pull, struct pull_file *file);
/* With the lock held, which is given away meanwhile: waits for that.  False if there was nothing.
 */
bool pull_keeper_finish(struct pull *pull);
int pull_keeper_start(struct pull *pull); /* 0, or a negative errno */
void pull_keeper_end(struct pull *pull);  /* what still waits is left in pull->keeping */

/* pull_fetch.c */
/* Asks the origin; `headers` up to a NULL.  Fails the fetch if that cannot be. */
void fetch_send(struct fetch *f, const char *const headers[2]);
void fetch_start(struct fetch *f);
int fetch_url(const struct fetch *f, char *dst, size_t size);
int pull_fetch_open(struct pull *pull);
void pull_fetch_close(struct pull *pull);

#endif
