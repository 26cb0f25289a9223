/*
 * Requests: tied to a boot and a machine, decided, answered and written down.  One that needs the
 * word of a script or of the web service waits here as an inquiry, while others go on; when its
 * client cannot wait longer, it is answered without.
 */
#ifndef HANDLERD_INQUIRE_H
#define HANDLERD_INQUIRE_H

#include "handlerd/handlerd.h"

/* What is held back of the time that a client waits: for the way and for the fall-back. */
#define INQUIRE_MARGIN_MS 300
/* Where the front daemon does not say how long its client waits. */
#define INQUIRE_WAIT_MS 2500

/* A request from a front daemon. */
void inquire(struct handlerd *h, const struct bus_reply *to, const struct boot_request *r);

/*
 * The same decision, with its steps, for a person: nothing is sent, written down or learned.
 * `result` is called once, perhaps before this returns, with a new object, or NULL when out of
 * memory.  `policy` NULL: that of the machine's boot, else the one in force.  Of `may_ask` (bit n:
 * enum source n) those are asked whom the decision needs; of others only counts what they said
 * lately.
 */
typedef void explain_fn(void *arg, json_t *result);
void inquire_explain(struct handlerd *h, const struct boot_request *r, struct policy *policy,
    unsigned may_ask, explain_fn *result, void *arg);

/* Ends all inquiries: their clients get no answer. */
void inquire_stop(struct handlerd *h);

#endif
