/*
 * One line of the log an interval for all that was dropped in it, by reason: a flood must not
 * become one of the log.
 */
#ifndef DHCPPROXYD_DROPS_H
#define DHCPPROXYD_DROPS_H

#include "common/counters.h"
#include "common/loop.h"

#define DROPS_INTERVAL_MS 10000
#define DROPS_REASONS     32 /* the most */

struct drops {
	struct loop *loop;
	struct loop_timer timer;
	const struct counter *reasons; /* `help` says in words what was dropped */
	const void *base;
	void (*gather)(void *arg);
	void *arg;
	uint64_t told[DROPS_REASONS];
};

/*
 * Looks at these counters every interval; `gather` (or NULL) brings them up to date before.  They
 * must stay valid.  0, or -ENOMEM.
 */
int drops_open(struct drops *d, struct loop *loop, const struct counter *reasons, const void *base,
    void (*gather)(void *arg), void *arg);
/* Harmless if it was never opened. */
void drops_close(struct drops *d);

/*
 * What was added since the last call, as "12 (too fast), 3 (...)"; the number of reasons.  Pure.
 */
size_t drops_tell(const struct counter *reasons, const void *base, uint64_t *told, struct wbuf *w);

#endif
