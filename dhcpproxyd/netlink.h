/*
 * Keeps a struct links up to date by the kernel's announcements, so that an interface that comes,
 * goes or changes its address needs no restart.
 */
#ifndef DHCPPROXYD_NETLINK_H
#define DHCPPROXYD_NETLINK_H

#include "common/loop.h"
#include "dhcpproxyd/links.h"

struct netlink;

/* Something is different now; called once for what was read at a time. */
typedef void netlink_changed_fn(void *arg);

/*
 * Asks for all there is and waits for the answer; `changed` is not called for that.  0, or a
 * negative errno after logging what is wrong.
 */
int netlink_open(struct loop *loop, netlink_changed_fn *changed, void *arg, struct netlink **ret);
void netlink_close(struct netlink *n); /* NULL is allowed */
/* Valid as long as `n` is. */
const struct links *netlink_links(const struct netlink *n);

#endif
