/*
 * Health checks of referral targets, on the loop: a TCP connection, a TFTP read request, an HTTP(S)
 * request.  Nothing here waits; one probe a target is under way at most.
 */
#ifndef HANDLERD_PROBE_H
#define HANDLERD_PROBE_H

#include "common/loop.h"
#include "handlerd/targets.h"

struct prober;

/*
 * Begins to probe: each target first within a second (or its interval, if that is shorter), then
 * every interval_ms, less or more by a tenth, so that probes of many servers do not fall together.
 * `targets` and `conf` must outlive it.  0, -ENOMEM, or -EINVAL when probe_ca cannot be read.
 */
int prober_open(struct loop *loop, const struct referral_conf *conf, const struct targets *targets,
    struct prober **ret);
/* Not from a callback of the loop that belongs to a probe.  NULL is allowed. */
void prober_close(struct prober *p);

/*
 * Takes over from the prober of a configuration before what is known of targets with the same name
 * and the same probe, so that a reload forgets nothing.
 */
void prober_adopt(struct prober *p, const struct prober *before);

/* One a target, in the targets' order; valid until prober_close(). */
const struct target_health *prober_health(const struct prober *p);
/* A new array for `ferryctl status`, an object a target. */
json_t *prober_status(const struct prober *p);

#endif
