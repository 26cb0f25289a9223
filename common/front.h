/*
 * What the three front daemons have in common: the configuration keys of the bus and the control
 * socket, signals, reload, announcing themselves to handlerd, and an orderly end.
 */
#ifndef COMMON_FRONT_H
#define COMMON_FRONT_H

#include "common/bus_client.h"
#include "common/config.h"
#include "common/counters.h"
#include "common/rpc.h"
#include "common/start.h"

/*
 * How long a daemon may take to finish what it has in hand after SIGTERM; with what comes after
 * that it ends within 5 s.
 */
#define FRONT_STOP_MS 3500

#define FRONT_METHODS 16 /* of the control socket, with those that all have */

#define SUBNET_MAX    63 /* characters of an instance's name */

/* The first member of every front daemon's configuration. */
struct front_conf {
	struct config_strings handler;
	char *handler_ca;
	char *handler_certificate;
	int64_t handler_timeout_ms;
	char *control;
	char *user;
	int log_level;
	char *subnet;
};

/* The rows of these keys, for a CONFIG_INCLUDE. */
extern const struct config_key front_keys[];
/* The check of a front daemon's configuration, which begins with a struct front_conf. */
void front_check(const void *conf, config_error_fn *error, void *arg);

/* The check of `address` and `address6`, which the three daemons share. */
void front_check_addresses(
    const struct ipaddr *address, const struct ipaddr *address6, config_error_fn *error, void *arg);

struct front_ops {
	/* Takes in nothing new from now on. */
	void (*stop)(void *arg);
	/* True when nothing is in hand any more. */
	bool (*idle)(void *arg);
	/* The configuration changed; the struct holds the new values. */
	void (*reloaded)(void *arg);
	/* Adds address, ports, name and trust; what all have is filled in. */
	void (*announce)(void *arg, struct daemon_status *status);
	/* Brings counters up to date that live elsewhere.  NULL: all are. */
	void (*gather)(void *arg);
	/* Adds what other clients of the bus in this process have counted.  NULL: there are none.
	 */
	void (*bus_stats)(void *arg, struct bus_client_stats *sum);
	/* Adds what only this daemon has to the control method `status`.  NULL: nothing. */
	void (*status)(void *arg, json_t *status);
};

struct front {
	enum daemon_kind daemon;
	const struct config_table *table;
	void *conf; /* begins with a struct front_conf */
	const struct opts *opts;
	const struct front_ops *ops;
	void *arg;
	const struct counter *counters;
	const void *counter_base;
	const struct rpc_method *methods; /* of this daemon alone, called with the front; or NULL */
	bool shares_loop; /* answers of handlerd may be taken by a thread of nng (loop_share()) */
	uint64_t keep; /* capabilities that are kept when root is given up; see priv_drop_keep() */

	struct loop *loop;
	struct bus_client *bus;
	struct rpc_server *rpc;
	char *instance;
	uint64_t started_ms;
	uint64_t stop_at_ms;
	struct loop_timer stop_timer;
	char counters_text[8192];
	struct rpc_method all_methods[FRONT_METHODS];
};

/*
 * Before privileges are given up: the loop, signals, the control socket.  The caller has filled in
 * the members up to shares_loop.  0, or a negative errno after logging why.
 */
int front_open(struct front *f);
/* Gives up root, or exits. */
void front_drop(const struct front *f);
/* After that: connects to handlerd.  `answer` is called with f->arg.  As above. */
int front_connect(struct front *f, uint32_t max_pending, bus_answer_fn *answer);
/* Says that all is ready and serves until SIGTERM.  0, or a negative errno. */
int front_run(struct front *f);
void front_close(struct front *f);

#endif
