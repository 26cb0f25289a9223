/*
 * The short self-test at the start: some seconds after dhcpproxyd is ready it looks, once, at the
 * host's network, asks handlerd what some kinds of firmware would be offered, and tries to fetch
 * that.  What is wrong is logged, a line each.  All that may block is done by a thread of its own,
 * with copies; clients are served meanwhile.
 */
#ifndef DHCPPROXYD_CHECKUP_H
#define DHCPPROXYD_CHECKUP_H

#include "dhcpproxyd/dhcpproxyd.h"
#include "dhcpproxyd/networks.h"
#include "dhcpproxyd/proxy6.h"

struct checkup;

/* Sets it going.  0, or -ENOMEM.  `front` and what it points to must stay. */
int checkup_start(struct front *front, const struct networks *networks, struct checkup **ret);
/* NULL is allowed; a thread that is under way ends by itself. */
void checkup_free(struct checkup *c);

/* handlerd's answer, or NULL, to a question whose struct asked says that it is ours. */
void checkup_answered(struct checkup *c, struct asked *asked, const struct boot_answer *answer);

#endif
