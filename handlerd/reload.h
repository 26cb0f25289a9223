/*
 * Taking over a configuration: a transaction of check, compile, set-up and switch, undone if any
 * part fails (handlerd_reload() in handlerd.h).
 */
#ifndef HANDLERD_RELOAD_H
#define HANDLERD_RELOAD_H

#include "handlerd/handlerd.h"

/* Puts the configuration that handlerd was started with into force.  0, or a negative errno. */
int reload_first(struct handlerd *h);

#endif
