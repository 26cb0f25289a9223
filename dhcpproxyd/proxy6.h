/*
 * dhcpproxyd over IPv6: an answerer beside a DHCPv6 server (port 547), and the boot server of its
 * second step (4011).  As over IPv4 a packet becomes a question to handlerd, and its answer a reply
 * or silence.
 */
#ifndef DHCPPROXYD_PROXY6_H
#define DHCPPROXYD_PROXY6_H

#include "dhcpproxyd/dhcpproxyd.h"
#include "dhcpproxyd/limits.h"
#include "dhcpproxyd/networks.h"

/* Values of the key listen_dhcp6. */
enum dhcp6_listen {
	DHCP6_LISTEN_AUTO, /* raw, or udp without the right to that; none is no error */
	DHCP6_LISTEN_RAW,
	DHCP6_LISTEN_UDP,
	DHCP6_LISTEN_OFF,
};

/* The first member of everything that waits for an answer of handlerd. */
struct asked {
	bool ipv6;     /* it is proxy6's */
	bool selftest; /* it is checkup's */
};

struct proxy6_stats {
	uint64_t solicits;   /* taken from boot clients */
	uint64_t informs;    /* INFORMATION-REQUESTs likewise */
	uint64_t bootserver; /* requests to the boot server */
	uint64_t leases;     /* requests to DHCPv6 servers, noted */
	uint64_t ignored;    /* not from boot clients, or not for us */
	uint64_t malformed;
	uint64_t no_address;  /* came to an interface without an address */
	uint64_t client_rate; /* over the limits of one client, */
	uint64_t total_rate;  /* or of all */
	uint64_t refused;     /* too many pending */
	uint64_t advertises;
	uint64_t replies;
	uint64_t silent;                                /* handlerd said so */
	uint64_t unanswered;                            /* handlerd said nothing in time */
	uint64_t unfit;                                 /* the reply would not fit into a packet */
	uint64_t received, too_long, sent, send_failed; /* of both sockets */
	uint64_t bad_length;                            /* likewise */
};

struct proxy6;

/*
 * Opens the ports that the configuration wants; *ret stays NULL if that is none.  0, or a negative
 * errno after logging why.
 */
int proxy6_open(struct front *front, const struct dhcpproxyd_conf *conf,
    const struct networks *networks, struct limits *limits, struct proxy6_stats *stats,
    struct proxy6 **ret);
void proxy6_close(struct proxy6 *x);
/* All of these do nothing for NULL. */
void proxy6_stop(struct proxy6 *x);
bool proxy6_is_idle(const struct proxy6 *x);
void proxy6_gather(struct proxy6 *x);
/* What handlerd is told: the address configured, else that of the only interface, else none. */
struct ipaddr proxy6_address(const struct proxy6 *x);
/* handlerd's answer, or NULL, to a question whose struct asked says that it is ours. */
void proxy6_answered(struct proxy6 *x, struct asked *asked, const struct boot_answer *answer);

#endif
