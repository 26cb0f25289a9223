/*
 * What the files that write scripts share.  Labels of ours begin with "bf_" and variables with
 * "bf-", so that they do not meet a site's own.
 */
#ifndef HANDLERD_SCRIPT_PARTS_H
#define HANDLERD_SCRIPT_PARTS_H

#include "handlerd/script.h"

/* "#!ipxe" and the variables. */
void script_put_head(struct wbuf *w, const struct script_ctx *ctx);

/*
 * Makes the parameter set "paramdata" and the variable "paramquery", which both say what a boot
 * request says; ${bf-post} is set if this build has parameter sets.  A set is gone when it was
 * posted.  `at`, not 0, makes the label within it unlike those of other such blocks.
 */
void script_put_params(struct wbuf *w, const struct script_ctx *ctx, bool with_tokens, unsigned at);

/* True for the names by which a client is tied to one web service. */
bool script_is_token(const char *name);
/* True if the web service may set a variable of this name: it is none of ours. */
bool script_may_carry(const char *name);

/*
 * From the label bf_ask on: sends the boot request, with the choice in ${bf-entry}, until it is
 * answered; goes to bf_leave after the last try.
 */
void script_put_ask(struct wbuf *w, const struct script_ctx *ctx);

/* From the label bf_leave on: leaves network boot.  The end of every script. */
void script_put_leave(struct wbuf *w);

/* From one URL to the next, then back to us; the end of a script. */
void script_put_refer(
    struct wbuf *w, const struct script_ctx *ctx, const char *const *urls, size_t n);

/* Turns to the next server, if there are several. */
void script_put_next_server(struct wbuf *w, const struct script_ctx *ctx);

/* Reports the failure of ${bf-item}, which is ${bf-error}. */
void script_put_report(struct wbuf *w);

/*
 * Counts in the variable, which lives as long as this iPXE, and pauses for so many seconds; goes
 * to bf_leave after `limit` times.
 */
void script_put_pause(struct wbuf *w, const char *variable, unsigned limit);

/*
 * Text of the site for the rest of a line, in which "${...}" is expanded; it cannot end the line
 * or begin another command.  A title comes first behind its command, where "-" would begin an
 * option; other words come behind one.
 */
void script_put_title(struct wbuf *w, const char *text);
void script_put_words(struct wbuf *w, const char *text);
/* An "echo" for each line of a text, in which nothing is expanded: it may be anybody's. */
void script_put_lines(struct wbuf *w, const char *text);

/* The URL of a place; `secret`: with this boot's token, if it is ours to give. */
void script_put_place(
    struct wbuf *w, const struct script_ctx *ctx, const struct place *place, bool secret);

/* Goes on when the key was pressed, or there is no prompt for this firmware, else to bf_leave. */
void script_put_prompt(struct wbuf *w, const struct prompt *p);

#endif
