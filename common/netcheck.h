/*
 * What can be wrong with the network of a host before any packet is sent: interface, addresses,
 * ports.  netcheck_judge() is pure; netfacts_read() collects what it judges.
 */
#ifndef COMMON_NETCHECK_H
#define COMMON_NETCHECK_H

#include "common/finding.h"
#include "common/ident.h"

#include <sys/types.h>

#define NETFACTS_ADDRESSES 32
#define NETFACTS_HOLDERS   16

struct netfacts_address {
	char interface[16];
	uint8_t b[4];
	uint8_t prefix;
};

/* Who has a UDP socket on a port. */
struct netfacts_holder {
	uint16_t port;
	uint8_t address[4]; /* that it is bound to; 0.0.0.0: all */
	uint64_t inode;
	pid_t pid; /* 0: not allowed to look */
	char name[32];
};

struct netfacts {
	/* asked about */
	char interface[16];            /* "": all */
	struct ipaddr address;         /* that clients are told; none: the interface's own */
	uint16_t dhcp_port, boot_port; /* 0: not served */
	pid_t pid;                     /* of the dhcpproxyd that is asked about; 0: not known */
	/* found */
	bool exists, up, carrier, loopback, broadcast, veth, container;
	bool neighbours; /* somebody else was heard on the interface */
	bool packet;     /* dhcpproxyd reads the port of DHCP by packet sockets */
	int ifindex;
	unsigned mtu;
	size_t naddresses;
	struct netfacts_address addresses[NETFACTS_ADDRESSES]; /* of all interfaces */
	size_t nholders;
	struct netfacts_holder holders[NETFACTS_HOLDERS];
};

void netcheck_judge(const struct netfacts *f, struct findings *out);

/*
 * Reads a line of /proc/net/udp: 0, or -EBADMSG for what is none (the heading).  Only port, address
 * and inode are filled in.
 */
int netcheck_read_udp(const char *line, struct netfacts_holder *ret);

/* Fills in what is to be found. */
void netfacts_read(struct netfacts *f);

#endif
