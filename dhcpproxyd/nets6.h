/*
 * The IPv6 addresses of this host's interfaces, read anew now and then: interfaces come late, and
 * addresses change with the prefixes of routers.
 */
#ifndef DHCPPROXYD_NETS6_H
#define DHCPPROXYD_NETS6_H

#include "common/ident.h"

#define NETS6_MAX 256 /* interfaces; more are left out */

struct net6 {
	int ifindex;
	struct ipaddr global; /* the best one to tell clients; none if there is none */
	struct ipaddr link;   /* its link-local address */
	unsigned rank;        /* of `global` */
};

struct nets6 {
	struct net6 v[NETS6_MAX];
	size_t n;
};

/*
 * Asks the kernel.  Of an interface's global addresses the lasting ones go first, then those that
 * routers gave, then temporary ones (RFC 8981); of equals the first.  Addresses that are tentative,
 * deprecated or duplicates are no use.  0, or a negative errno with *ret untouched.
 */
int nets6_read(struct nets6 *ret);

/* NULL if it has no IPv6. */
const struct net6 *nets6_find(const struct nets6 *nets, int ifindex);

#endif
