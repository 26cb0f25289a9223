/*
 * What every daemon does before it serves: options, configuration file, background, privileges,
 * the word that it is ready.  docs/architecture.md has the order.
 */
#ifndef COMMON_START_H
#define COMMON_START_H

#include "common/config.h"

#include <stdbool.h>

#define BOOTFERRY_VERSION "0.1.0"
/* 2026-11-01, before this version was made: a clock that says less than that is wrong. */
#define BOOTFERRY_SINCE_MS (1793491200 * UINT64_C(1000))
/* What the names of the site's own CAs begin with. */
#define SITE_CA_NAME "Bootferry site CA"

struct opts {
	const char *config_path; /* NULL: built-in defaults */
	bool check_only;         /* -n */
	bool foreground;         /* -f */
	bool verbose;            /* -v */
};

/* Reads the options that all daemons share; exits on -V, -h and misuse. */
void opts_parse(struct opts *opts, const char *daemon, int argc, char *argv[]);

/*
 * Loads the configuration file that the options name, or the defaults if they name none.  0, or
 * -EINVAL after every error was told as "FILE: key.path: what is wrong", on standard error for -n
 * and for a daemon on its way to the background, and in the log of one that is to serve.
 */
int config_load(const struct opts *opts, const struct config_table *table, void *conf);
/* The same, but mistakes go to `error`.  0, or -EINVAL; `conf` then holds nothing. */
int config_read(const struct opts *opts, const struct config_table *table, void *conf,
    config_error_fn *error, void *arg);
/* Prints the effective settings as JSON to standard output. */
void config_print(const struct config_table *table, const void *conf);
/*
 * The reload: reads the file again and takes over what may change, logging each change.  Returns
 * a new object as config_apply() does, or NULL after logging the errors; nothing changed then.
 */
json_t *config_reload(const struct opts *opts, const struct config_table *table, void *conf);

/*
 * The name of this instance: `subnet` if it is set, else the file's name without folder and
 * ".json", else "default".  The result is new.
 */
char *config_instance(const char *path, const char *subnet);

/*
 * Goes to the background.  The parent waits until start_ready() and exits with 0, or exits with 1
 * when the child ends before.  Call it before anything starts a thread.
 */
void start_background(void);
/*
 * Makes the folder that `path` is in, with those above it, if they are not there.  Started by
 * root, what it makes belongs to the account that start_drop() would become.  0, or a negative
 * errno after logging which folder could not be made.
 */
int start_make_folder(const char *path, const char *user, const char *daemon);

/*
 * Becomes `user`; "" stands for the account "bootferry-DAEMON", without which it warns and stays
 * root, so that a first try needs no set-up.  `keep`: as for priv_drop_keep().  Otherwise exits on
 * failure.
 */
void start_drop(const char *user, const char *daemon, uint64_t keep);
/* Tells systemd, the waiting parent and the log that requests are served from now on. */
void start_ready(void);
/* Tells systemd that the end has begun. */
void start_stopping(void);

#endif
