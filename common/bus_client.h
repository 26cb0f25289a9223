/*
 * The front daemons' end of the bus to handlerd, over nng.
 *
 * A bus_client holds a list of handlerds and uses the first that lives.  Requests
 * collected in one round of the loop leave as one message; answers are matched by id.  Life is
 * told by pings, not by answers: a decision may take its time, a process that does not answer a
 * ping is dead.  When the one in use dies, what it left unanswered goes to the next at once.
 *
 * Events leave in messages of their own, one message at a time, and stay in the client's queue
 * until handlerd says that they are stored: a handlerd that is killed loses none.  The queue is
 * bounded; what does not fit is counted and reported as EVENT_LOST.
 *
 * nng's threads never touch anything here: a client belongs to the thread of its loop.
 */
#ifndef COMMON_BUS_CLIENT_H
#define COMMON_BUS_CLIENT_H

#include "common/loop.h"
#include "common/msg.h"

#define BUS_PING_MS    250  /* between two pings */
#define BUS_SILENCE_MS 700  /* without a sign of life, a handlerd counts as dead */
#define BUS_STATUS_MS  2000 /* between two MSG_STATUS, */
#define BUS_HASTE_MS   250  /* and between those that bus_load() has hurried */
#define BUS_LOAD_STEP  50u  /* permille: by so much must the load change for that */
#define BUS_HANDLERS   16   /* the most handlerds in a list */

/*
 * A handlerd without a sign of life for BUS_RENEW_MS gets a new connection, and again after twice
 * that time, until it is BUS_RENEW_SLOWER times as long.
 */
#define BUS_RENEW_MS     2000
#define BUS_RENEW_SLOWER 30

struct bus_client;

/* All members are uint64_t. */
struct bus_client_stats {
	uint64_t asked;         /* requests taken */
	uint64_t answered;      /* in time */
	uint64_t expired;       /* no answer within the deadline */
	uint64_t refused;       /* not taken: too many were pending */
	uint64_t late;          /* answers to requests that had expired, dropped */
	uint64_t malformed;     /* messages and records that made no sense, dropped */
	uint64_t resent;        /* requests given to another handlerd, or again */
	uint64_t failovers;     /* changes of the handlerd in use */
	uint64_t renewed;       /* connections given up because no life was seen */
	uint64_t events;        /* events taken */
	uint64_t events_lost;   /* events that found the queue full */
	uint64_t events_queued; /* waiting for their confirmation now */
};

/* `answer` is NULL when the deadline passed.  Valid only during the call. */
typedef void bus_answer_fn(void *arg, void *cookie, const struct boot_answer *answer);
/* Fills in what is announced to handlerd; slices must stay valid until the next call. */
typedef void bus_status_fn(void *arg, struct daemon_status *status);

struct bus_client_conf {
	const char *const *urls; /* nng URLs: ipc://..., tcp://..., tls+tcp://... */
	size_t nurls;
	const char *tls_ca;          /* PEM file, for tls+tcp */
	const char *tls_certificate; /* PEM file with certificate and key */
	uint32_t deadline_ms;        /* 1 to 600000 */
	uint32_t max_pending;        /* requests in flight */
	bool quiet; /* another client of this process logs how the handlerds fare */
	bus_answer_fn *answer;
	void *answer_arg;
	bus_status_fn *status; /* NULL: announces nothing */
	void *status_arg;
};

/*
 * Starts connecting; needs no handlerd to be there.  Starts threads: drop privileges first.  0,
 * or a negative errno after logging what is wrong with which URL.
 */
int bus_client_open(struct loop *loop, const struct bus_client_conf *conf, struct bus_client **ret);
/* Forgets pending requests without calling back.  NULL is allowed. */
void bus_client_close(struct bus_client *c);

/*
 * Asks; sets r->id, and r->wait_ms to no more than the deadline (0: to the deadline).  Returns the
 * id, by which bus_cancel() knows it, or 0 when max_pending are in flight or the request is too
 * large: no callback will come then.
 */
uint64_t bus_ask(struct bus_client *c, struct boot_request *r, void *cookie);
/* No callback will come for this id; harmless if it came already. */
void bus_cancel(struct bus_client *c, uint64_t id);

/* Queues an event; sets its seq, and its at_ms if that is 0. */
void bus_event(struct bus_client *c, struct boot_event *e);

/*
 * Tells the load (load_permille) as it is now, as often as the caller likes: it costs a comparison.
 * When it is far from what was announced last, or has reached LOAD_FULL or left it, all handlerds
 * get a new announcement at once, but no more often than each BUS_HASTE_MS.
 */
void bus_load(struct bus_client *c, uint32_t load_permille);

/* True if a handlerd is connected and answers pings. */
bool bus_is_up(const struct bus_client *c);
/* True if every event has been confirmed. */
bool bus_is_drained(const struct bus_client *c);
void bus_client_stats(const struct bus_client *c, struct bus_client_stats *ret);
/* For those of a process that has several. */
void bus_stats_add(struct bus_client_stats *sum, const struct bus_client_stats *s);
/* Appends the figures as lines of "name value", as struct daemon_status wants them. */
void bus_stats_print(const struct bus_client_stats *s, struct wbuf *w);

#endif
