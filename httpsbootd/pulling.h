/* What an exchange has to do with the origin: a file that is not here is waited for, and given
 * while it comes. */
#ifndef HTTPSBOOTD_PULLING_H
#define HTTPSBOOTD_PULLING_H

#include "httpsbootd/exchange.h"

/*
 * The exchange's file, from the origin.  0 with the file, whose descriptor is the caller's, or -1
 * if only its head is wanted; -EINPROGRESS: pulling_heard() will let the engine ask again; or
 * another negative errno, with x->text: -ENOENT, -EFBIG, -EACCES (the origin refuses it), -EAGAIN
 * with x->retry_s, ...
 */
int pulling_open(struct exchange *x, struct content_file *ret);
/* True if the file is not complete: its body has to wait for what comes. */
bool pulling_is_partial(const struct exchange *x);
/* The delivery's `ready`. */
int64_t pulling_ready(const struct exchange *x);
/* Why a body that was promised did not come. */
const char *pulling_why(struct exchange *x);
/* The exchange is over. */
void pulling_end(struct exchange *x);

/* Joins the worker to the origin; NULL: there is none.  0, or a negative errno. */
int pulling_start(struct worker *w, struct pull *pull);
/* All exchanges are over. */
void pulling_stop(struct worker *w);

#endif
