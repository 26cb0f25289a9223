/*
 * The network interfaces of this host and their IPv4 addresses, as the kernel told them.  Pure:
 * messages in, answers out.
 */
#ifndef DHCPPROXYD_LINKS_H
#define DHCPPROXYD_LINKS_H

#include "dhcpproxyd/rtnl.h"

/* Of each kind; what the kernel tells beyond is not taken down. */
#define LINKS_MAX 65536

struct link {
	int ifindex;
	uint32_t born; /* tells a new interface from an older one with the same ifindex */
	uint32_t seen; /* the round in which the kernel named it last */
	char name[RTNL_NAME];
	bool up, running;
	uint8_t mac[6];
	uint8_t mac_n;
};

struct link_address {
	int ifindex;
	uint32_t seen;
	uint8_t b[4];
	uint8_t prefix;
	bool secondary;
};

/* Both in ascending order of ifindex; addresses of one interface in the kernel's order. */
struct links {
	struct link *v;
	size_t n, room;
	struct link_address *addresses;
	size_t naddresses, addresses_room;
	uint32_t births, round;
};

void links_fini(struct links *t);

/* True if something is different now; -ENOMEM counts as nothing. */
bool links_apply(struct links *t, const struct rtnl_message *m);
/* What is not named from here to links_sweep() is gone then: true if something was. */
void links_mark(struct links *t);
bool links_sweep(struct links *t);

/* NULL if there is none. */
const struct link *links_find(const struct links *t, int ifindex);
/* True if the name is one of these, which may hold * and ? (glob(7)); none of them: any name. */
bool links_name_fits(const char *name, char *const *patterns, size_t npatterns);

/* The addresses of an interface: the first of them, and how many follow each other. */
const struct link_address *links_addresses(const struct links *t, int ifindex, size_t *ret_n);
/* True if some interface has this address. */
bool links_have(const struct links *t, const uint8_t address[static 4]);

/*
 * The address to answer from when a datagram from `from` came to `to` on an interface: `to` if it
 * is one of this host's; for a broadcast the one whose network `from` is in, else the first.
 * False if it was sent to none of us.  0.0.0.0 if the interface has no address.
 */
bool links_local(const struct links *t, int ifindex, const uint8_t from[static 4],
    const uint8_t to[static 4], uint8_t ret[static 4]);

#endif
