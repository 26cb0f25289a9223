/* One HTTP request and its answer; what serve.c and exchange.c share. */
#ifndef HTTPSBOOTD_EXCHANGE_H
#define HTTPSBOOTD_EXCHANGE_H

#include "common/content.h"
#include "common/form.h"
#include "common/loop_thread.h"
#include "httpsbootd/access_log.h"
#include "httpsbootd/filehead.h"
#include "httpsbootd/pull.h"
#include "httpsbootd/route.h"
#include "httpsbootd/serve.h"

#include <microhttpd.h>

enum exchange_state {
	EXCHANGE_READING, /* its body, if any */
	EXCHANGE_ASKING,  /* handlerd; the connection is suspended */
	EXCHANGE_PULLING, /* its file comes from the origin; the connection is suspended */
	EXCHANGE_ANSWERED,
	EXCHANGE_SENDING,
};

struct exchange {
	struct worker *worker;
	struct exchange *next, **prev; /* among all of the worker's */
	struct MHD_Connection *connection;
	struct tls_conn *client;            /* stays while the engine has it, or a body is sent */
	struct exchange *follower, *leader; /* waits until its leader's body has been sent */
	enum exchange_state state;
	bool first_call;
	bool secure;
	bool head;
	bool bad_target, bad_method, bad_type, bad_expect, too_large;
	enum reqhead_fault refused; /* before the engine saw it; REQHEAD_FINE: it was not */
	bool unlisted;              /* plain HTTP does not serve it */
	enum pace_fault fault;      /* the client is cut off for it */
	char method[16];
	char agent[80];
	const char *tls_version, *tls_suite; /* NULL: plain HTTP */
	const struct tls_identity *identity; /* of the connection; or NULL */
	struct route route;
	struct ipaddr peer, local;
	uint64_t ordinal;  /* of its client's requests, from 1 on */
	uint64_t question; /* at handlerd, or 0 */
	uint64_t boot;
	uint64_t began_ms;

	uint8_t *body; /* of a POST */
	size_t body_n, body_size;
	uint64_t sent_n; /* what came of it, kept or not */

	/* the answer */
	enum boot_action action;
	enum boot_error error;
	enum boot_reason reason;
	bool unanswered;
	uint8_t *data;
	size_t data_n;
	char path[CONTENT_PATH_MAX];
	char text[256];
	uint64_t file_size; /* of ACTION_FILE, if it is known */
	bool has_sha256;
	uint8_t file_sha256[DIGEST_BYTES];
	uint32_t retry_s; /* for 503; 0: as usual */

	struct pulled *pulled; /* a file from the origin; NULL: none */
	struct exchange *pull_next, **pull_prev;

	unsigned status;
	uint64_t bytes;               /* that are to be sent */
	bool transfer;                /* of a file: it is reported, */
	uint64_t number;              /* under this number of its worker's */
	uint64_t taken;               /* by the client, in the end */
	uint64_t told_ms, told_bytes; /* of the last report of its progress */
	bool last;                    /* on this connection */
	bool delivers;                /* the body does not go through the engine */
	struct delivery delivery;
	char target[]; /* the request's, as it came */
};

/* A listening socket. */
struct listener {
	struct worker *w;
	struct loop_fd lf;
	int fd;
	bool secure;
};
/* HTTPS and HTTP, at `address`, at `address6`, and at the others */
#define LISTENERS_MAX (2 * (2 + MORE_ADDRESSES_MAX))

struct worker {
	const struct httpsbootd_conf *conf;
	const char *instance;
	struct tls_shared *tls;
	int root_fd;
	struct loop_thread thread;
	struct loop *loop; /* of `thread` */
	struct bus_client *bus;
	struct tls_front *front;
	struct tls_noise noise;
	struct MHD_Daemon *mhd;
	struct exchange *exchanges;
	struct pull *pull; /* NULL: there is no origin */
	struct pull_user pull_user;
	struct loop_fd pull_lf;
	struct exchange *pulling; /* whose files come from there */
	uint64_t transfers;       /* begun so far */
	struct loop_fd mhd_lf;
	struct listener listeners[LISTENERS_MAX];
	size_t nlisteners;
	struct loop_timer mhd_timer, pause_timer;
	struct access_log *access_log;
	struct watch_shared *watch_shared;
	struct watch *watch;
	struct loop_hook hook;
	bool mhd_due; /* the engine has something to do before the loop waits */
	_Atomic bool idle;
	struct serve_stats stats;

	/* what is known of each descriptor, by its number: */
	struct fd_info {
		/* a client's */
		struct watched *watched;
		uint64_t requests;
		/* the engine's */
		struct tls_conn *client;
		struct ipaddr local;
		struct exchange *begun;              /* whose head is not complete */
		const char *tls_version, *tls_suite; /* OpenSSL's own names; NULL: plain HTTP */
		struct tls_identity *identity;       /* of an engine's: the client's; or NULL */
	} * fds;
	size_t nfds;
};

/* libmicrohttpd's callbacks for requests; their cls is the struct worker. */
void *exchange_begin(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result exchange_step(void *cls, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_n, void **con_cls);
/* The engine is about to close a connection: it need not have told of its last request's end. */
void exchange_forget(struct worker *w, struct MHD_Connection *connection);
void exchange_end(void *cls, struct MHD_Connection *connection, void **con_cls,
    enum MHD_RequestTerminationCode code);
/* Some of the answer has been taken; about once a second, while it goes out. */
void exchange_progress(struct exchange *x, uint64_t ms, uint64_t taken);
/* Lets the connections that wait for handlerd go, so that the engine can be stopped. */
void exchange_abandon(struct worker *w);
/* The engine takes up an exchange in EXCHANGE_PULLING again. */
void exchange_go_on(struct exchange *x);
/* The bus's callback. */
void exchange_answer(void *arg, void *cookie, const struct boot_answer *answer);

/* --- for answer.c, question.c and exchange_end.c --- */

/* NULL: the client is gone. */
struct watched *exchange_watched(const struct exchange *x);
struct fd_info *exchange_fd(struct worker *w, struct MHD_Connection *connection);

/* A header of the request, or NULL; the first of several. */
const char *exchange_header(struct exchange *x, const char *name);
/* Its client is in another stage, unless that is still given an answer before. */
void exchange_enter(const struct exchange *x, enum pace_stage stage);
/* An event of its transfer or script; `rate` in bytes a second, for progress. */
void exchange_report(
    struct exchange *x, enum event_kind kind, uint64_t bytes, uint64_t rate, const char *text);
struct exchange *exchange_of(struct delivery *d);
/* The delivery's `ended`: the body of an answer has been sent, or will not be. */
void exchange_delivered(struct delivery *d, enum delivery_end end);

#endif
