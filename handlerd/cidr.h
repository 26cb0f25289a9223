/* Networks: an address and the length of its prefix.  Pure. */
#ifndef HANDLERD_CIDR_H
#define HANDLERD_CIDR_H

#include "common/ident.h"

struct cidr {
	struct ipaddr net;
	uint8_t bits;
};

/*
 * "10.0.0.0/8", "2001:db8::/32", or an address alone.  Bits behind the prefix must be 0: what is
 * written there was meant to count.  0, or -EINVAL.
 */
int cidr_parse(struct slice s, struct cidr *ret);
/* False for an address of the other family, or none. */
bool cidr_holds(const struct cidr *c, const struct ipaddr *ip);

#endif
