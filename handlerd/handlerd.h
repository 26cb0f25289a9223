/*
 * handlerd: the one place where decisions are made.
 *
 * A front daemon's request is tied to a boot, facts are gathered, decide() answers, and what
 * happened is written down.  Everything but the writing to disk belongs to the loop's thread.
 */
#ifndef HANDLERD_HANDLERD_H
#define HANDLERD_HANDLERD_H

#include "common/bus_server.h"
#include "common/config.h"
#include "common/rpc.h"
#include "common/start.h"
#include "handlerd/catalogue.h"
#include "handlerd/folders.h"
#include "handlerd/inventory.h"
#include "handlerd/keyring.h"
#include "handlerd/loops.h"
#include "handlerd/notes.h"
#include "handlerd/probe.h"
#include "handlerd/rivalry.h"
#include "handlerd/selftest.h"
#include "handlerd/services.h"
#include "handlerd/sources.h"
#include "handlerd/token_file.h"
#include "handlerd/told.h"
#include "handlerd/transfers.h"

#include <time.h>

struct handlerd_conf {
	struct config_strings listen;
	char *listen_ca;
	char *listen_certificate;
	char *control;
	char *user;
	int log_level;
	char *store;
	char *root;
	struct policy_conf policy;
	struct webservice_conf webservice;
	struct identity_lists identity;
	struct token_conf tokens;
	struct loops_conf loop_guard;
	int64_t boot_idle_s;
	int64_t max_open_boots;
	int64_t max_inquiries;
	int64_t keep_days;
	int64_t keep_requests_h;
	int64_t max_boots;
	int64_t max_machines;
	int64_t max_entries;
	int64_t learn_servers_h;
};

extern const struct config_table handlerd_config;

/* How many senders of events are remembered; the one heard least lately makes room. */
#define HANDLERD_ORIGINS 1024

struct handlerd {
	struct handlerd_conf *conf;
	const struct opts *opts;
	struct loop *loop;
	struct rpc_server *rpc;
	struct bus_server *bus;
	struct store *store;
	struct notes notes;
	struct inventory inventory;
	struct boots *boots;
	struct policy *policy; /* in force for boots that begin now */
	uint64_t policies;     /* made so far */
	struct spawner *spawner;
	struct sources *sources;
	struct prober *prober;
	struct keyring *keyring;
	struct token_file tokens;
	uint64_t by_token_fault[TOKEN_FAULTS]; /* of requests for secret files */
	struct adapt *adapt;
	uint64_t adapt_saved; /* adapt_changes() when it was written to its file */
	struct styles *styles;
	uint64_t styles_saved, styles_news; /* styles_changes() and _news() likewise */
	bool styles_due;                    /* styles_timer runs */
	struct loop_timer styles_timer;
	uint64_t styles_second, styles_unremarked; /* remarks of this second, and those left out */
	unsigned styles_remarks;
	struct replay *replays;
	struct inquiry *inquiries;
	size_t ninquiries;
	uint64_t late_inquiries; /* whose clients could not wait for a source */
	struct fact_room *room;
	struct tm local;     /* local time, */
	time_t local_minute; /* of this minute */
	struct services services;
	struct rivalry rivalry;
	struct loops *loops;
	uint64_t loops_held; /* machines that the guard has held so far */
	struct catalogue *catalogue;
	struct watch *watch;
	struct folders *folders;
	struct loop_hook kick_hook;
	int root_fd; /* -1: handlerd does not see the content root */
	uint64_t started_ms;
	uint64_t decisions;
	uint64_t repeated_events;
	uint64_t offers_delayed; /* by admission.h, */
	uint64_t admissions;     /* and how often that began for a tftpd */
	struct transfers *transfers;
	struct selftest selftest;
	uint64_t by_reason[REASONS];
	struct told strange_archs; /* models whose architecture nobody knows */
	struct {
		uint64_t origin, seq, used;
	} origins[HANDLERD_ORIGINS];
	uint64_t restored_origins;
	struct loop_timer repeats_timer, minute_timer;
	uint8_t scratch[DECIDE_SCRATCH];
};

/* Makes the control socket and opens the content root.  0, or a negative errno after logging. */
int handlerd_open(struct handlerd **ret, struct handlerd_conf *conf, const struct opts *opts);
/* Gives up root, opens the store and the bus, serves until SIGTERM. */
int handlerd_run(struct handlerd *h);
void handlerd_close(struct handlerd *h);

/* What changed in the configuration goes to the log, the store, the tables. */
void handlerd_apply(struct handlerd *h);
/* Reads the content root again. */
void handlerd_rescan(struct handlerd *h);
/*
 * Takes over a configuration, all of it or nothing: `text` (or NULL: the file) is read, checked and
 * compiled; then scripts, web service and probes are set up, and if one of them fails, put back as
 * they were.  `check`: only tells what would change.  A new object {changed, restart}, or NULL with
 * every mistake in *ret_errors (a new list of {path, error}), which is also logged.
 */
json_t *handlerd_reload(struct handlerd *h, const char *text, bool check, json_t **ret_errors);
/* The policy of a configuration's text, for explaining; NULL with *ret_errors as above. */
struct policy *handlerd_policy_of(struct handlerd *h, const char *text, json_t **ret_errors);

/* The methods of the control socket, whose argument is the struct handlerd. */
extern const struct rpc_method handlerd_methods[];

/* What the policy knows of the web service. */
void handlerd_link_policy(struct policy_conf *policy, const struct webservice_conf *web);

/* What people, rules and reports decide about a machine. */
void handlerd_set_state(
    struct handlerd *h, uint64_t machine, enum machine_state state, struct slice by);
void handlerd_assign(struct handlerd *h, uint64_t machine, struct slice entry, bool once,
    uint64_t until_ms, struct slice by);

/* The path of a file beside the database. */
void handlerd_state_path(const struct handlerd *h, const char *name, char path[static 4096]);
/* Reads such a file: NULL if there is none yet, or, after logging what is wrong, a damaged one. */
json_t *handlerd_state_load(const struct handlerd *h, const char *name);
/* Writes such a file; takes over `dump`.  False after logging why not. */
bool handlerd_state_save(const struct handlerd *h, const char *name, json_t *dump);

/* The path of the database in the key `store`; NULL if it is of another kind. */
const char *handlerd_store_path(const char *store);

#endif
