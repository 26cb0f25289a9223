/* Text from the network, made fit for a line of a log.  Pure. */
#ifndef COMMON_QUOTE_H
#define COMMON_QUOTE_H

#include "common/wire.h"

/*
 * `s` quoted when it is empty or holds a blank, with \xNN for what does not print, cut with "..."
 * when it does not fit into `size` bytes (at least 16) with its NUL.  Returns buf.
 */
const char *quote(struct slice s, char *buf, size_t size);

#endif
