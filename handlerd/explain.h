/*
 * A decision as a person reads it: what would be sent, who decided, and who did not and why.
 */
#ifndef HANDLERD_EXPLAIN_H
#define HANDLERD_EXPLAIN_H

#include "handlerd/decide.h"

/* A new object; NULL when out of memory.  docs/control.md lists its keys. */
json_t *explain_decision(const struct boot_request *r, const struct policy *policy,
    const struct facts *facts, const struct decision *d);

/* What of an answer makes a difference to a machine, as a new object, for comparing. */
json_t *explain_outcome(const struct decision *d);

#endif
