/*
 * Text that came from a client as a JSON string: whatever its octets are, there is one, and every
 * reader of JSON takes it.  Pure.
 */
#ifndef COMMON_JSON_TEXT_H
#define COMMON_JSON_TEXT_H

#include "common/wire.h"

#include <jansson.h>

/*
 * A new string; NULL only for want of memory.  UTF-8 stays as it is.  Other octets are read as
 * Latin-1, and NULs, which many readers refuse or end at, become U+FFFD.
 */
json_t *json_text(struct slice s);

#endif
