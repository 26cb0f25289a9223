/*
 * Messages of the kernel about network interfaces and their IPv4 addresses (rtnetlink(7)).
 */
#ifndef DHCPPROXYD_RTNL_H
#define DHCPPROXYD_RTNL_H

#include "common/wire.h"

#define RTNL_NAME 16 /* bytes of an interface's name with its NUL: IFNAMSIZ */

enum rtnl_kind {
	RTNL_OTHER, /* of no interest */
	RTNL_LINK,  /* an interface is there, perhaps changed */
	RTNL_LINK_GONE,
	RTNL_ADDRESS,
	RTNL_ADDRESS_GONE,
	RTNL_DONE,   /* the end of what was asked for */
	RTNL_FAILED, /* what was asked for is refused: `error` */
};

struct rtnl_message {
	enum rtnl_kind kind;
	uint32_t seq;     /* of the question; 0: not asked for */
	bool interrupted; /* what was asked for changed meanwhile, so that a part may be missing */
	int error;        /* a negative errno */
	int ifindex;
	/* of a link */
	char name[RTNL_NAME];
	bool up, running; /* switched on; with a carrier, too */
	uint8_t mac[6];
	uint8_t mac_n; /* 0: it has none like Ethernet's */
	/* of an address */
	uint8_t address[4];
	uint8_t prefix; /* 0 to 32 */
	bool secondary; /* not the one that the kernel prefers in its network */
};

/*
 * Takes the next message off *left.  0; -ENOENT after the last; -EBADMSG for one that is
 * malformed: *left is behind it, or empty if its length was wrong.
 */
int rtnl_next(struct slice *left, struct rtnl_message *ret);

/* The question for all interfaces (RTNL_LINK) or all IPv4 addresses (RTNL_ADDRESS). */
#define RTNL_DUMP_MAX 64
void rtnl_put_dump(struct wbuf *w, enum rtnl_kind what, uint32_t seq);

#endif
