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
#include "handlerd/inventory.h"
#include "handlerd/services.h"
#include "handlerd/store.h"

struct handlerd_conf {
	struct config_strings listen;
	char *listen_ca;
	char *listen_certificate;
	char *control;
	char *user;
	int log_level;
	char *store;
	char *root;
	int mode;
	char *script_title;
	char *script_default;
	int64_t script_timeout_ms;
	int offer_uefi;
	int offer_bios;
	struct identity_lists identity;
	int64_t boot_idle_s;
	int64_t max_open_boots;
	int64_t keep_days;
	int64_t max_boots;
	int64_t max_machines;
	int64_t max_entries;
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
	struct inventory inventory;
	struct boots *boots;
	struct services services;
	struct catalogue *catalogue;
	struct watch *watch;
	struct loop_hook kick_hook;
	int root_fd; /* -1: handlerd does not see the content root */
	bool put_something;
	bool stopping;
	uint64_t started_ms;
	uint64_t decisions;
	uint64_t repeated_events;
	uint64_t by_reason[REASONS];
	struct {
		uint64_t origin, seq, used;
	} origins[HANDLERD_ORIGINS];
	uint64_t restored_origins;
	struct loop_timer repeats_timer;
	uint8_t scratch[DECIDE_SCRATCH];
};

/* Makes the control socket and opens the content root.  0, or a negative errno after logging. */
int handlerd_open(struct handlerd **ret, struct handlerd_conf *conf, const struct opts *opts);
/* Gives up root, opens the store and the bus, serves until SIGTERM. */
int handlerd_run(struct handlerd *h);
void handlerd_close(struct handlerd *h);

/* Reads the content root again. */
void handlerd_rescan(struct handlerd *h);
/* The control socket's "reload": a new object, or NULL after logging. */
json_t *handlerd_reload(struct handlerd *h);

/* The methods of the control socket, whose argument is the struct handlerd. */
extern const struct rpc_method handlerd_methods[];

/* The path of the database in the key `store`; NULL if it is of another kind. */
const char *handlerd_store_path(const char *store);

#endif
