/*
 * Recorded requests: kept for some time, so that another configuration can be tried on what really
 * happened before it is put into force.
 */
#ifndef HANDLERD_RECALL_H
#define HANDLERD_RECALL_H

#include "handlerd/handlerd.h"

/* Records a request with what was answered, unless it only repeats the one before. */
void recall_keep(struct handlerd *h, const struct boot_request *r, struct boot *b,
    const struct facts *facts, const struct decision *d);

/*
 * Decides all requests since `since_ms` again, by the policy in force and by `policy` (whose
 * reference is taken over), on equal facts: the machine as it is known now, the time of the
 * request, and what scripts and the web service said then.  `done` gets a new object {requests,
 * machines, unreadable, changes: [...]}, or NULL.  Goes a piece at a time, others are served
 * between.
 */
typedef void recall_fn(void *arg, json_t *result);
int recall_replay(
    struct handlerd *h, struct policy *policy, uint64_t since_ms, recall_fn *done, void *arg);
/* Ends what is under way. */
void recall_stop(struct handlerd *h);

#endif
