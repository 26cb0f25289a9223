/*
 * ferryctl: the control client.  What handlerd knows is asked over its control socket; what is
 * files (images, loaders, certificates) is done here, with the rights of who calls.
 */
#ifndef FERRYCTL_CTL_H
#define FERRYCTL_CTL_H

#include "common/wire.h"

#include <jansson.h>

#define CTL_SOCKET "/run/bootferry/handlerd.sock"
#define CTL_ROOT   "/var/lib/bootferry/content"
#define CTL_ETC    "/etc/bootferry"

/* The options before the command. */
struct ctl {
	const char *socket;
	bool json;
	const char *root; /* NULL: the one of handlerd's configuration, or CTL_ROOT */
};

/* Exit statuses. */
#define CTL_OK    0
#define CTL_FAIL  1
#define CTL_USAGE 2

/* Prints "ferryctl: ..." to standard error; returns CTL_FAIL. */
int ctl_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints how a command is called; returns CTL_USAGE. */
int ctl_usage(const char *text);

/*
 * Calls a method; takes over params (NULL: none).  The new result, or NULL after printing why.
 */
json_t *ctl_call(const struct ctl *c, const char *method, json_t *params);
/* The same without a word when nobody serves the socket. */
json_t *ctl_try(const struct ctl *c, const char *method, json_t *params);
/* Calls a method that subscribes, then hands each notification's params to fn, for ever. */
int ctl_follow(const struct ctl *c, const char *method, void (*fn)(void *arg, const json_t *params),
    void *arg);

/* The account of who calls, for a machine's history: a new string. */
json_t *ctl_caller(void);

/* A file's text as a JSON string; NULL after printing why. */
json_t *ctl_read_text(const char *path);

/* The content root, as a new string. */
char *ctl_root(const struct ctl *c);
/* Tells handlerd, if it is there, that the content has changed. */
void ctl_content_changed(const struct ctl *c);
/* Prints JSON for programs; takes it over. */
int ctl_print_json(json_t *v);

/* The commands: argv[0] is the command's own name. */
int cmd_status(const struct ctl *c, int argc, char *argv[]);
int cmd_boots(const struct ctl *c, int argc, char *argv[]);
int cmd_transfers(const struct ctl *c, int argc, char *argv[]);
int cmd_machines(const struct ctl *c, int argc, char *argv[]);
int cmd_images(const struct ctl *c, int argc, char *argv[]);
int cmd_loaders(const struct ctl *c, int argc, char *argv[]);
int cmd_quirks(const struct ctl *c, int argc, char *argv[]);
int cmd_script(const struct ctl *c, int argc, char *argv[]);
int cmd_ca(const struct ctl *c, int argc, char *argv[]);
int cmd_assign(const struct ctl *c, int argc, char *argv[]); /* and unassign */
/* approve, deny, block, hold, release */
int cmd_state(const struct ctl *c, int argc, char *argv[]);
int cmd_group(const struct ctl *c, int argc, char *argv[]);
int cmd_waiting(const struct ctl *c, int argc, char *argv[]);
int cmd_explain(const struct ctl *c, int argc, char *argv[]);
int cmd_replay(const struct ctl *c, int argc, char *argv[]);
int cmd_dhcp_options(const struct ctl *c, int argc, char *argv[]);
int cmd_config(const struct ctl *c, int argc, char *argv[]);
int cmd_loops(const struct ctl *c, int argc, char *argv[]);
int cmd_rivals(const struct ctl *c, int argc, char *argv[]);
int cmd_cache(const struct ctl *c, int argc, char *argv[]);
int cmd_doctor(const struct ctl *c, int argc, char *argv[]);
int cmd_reload(const struct ctl *c, int argc, char *argv[]);

#endif
