/*
 * ferryctl doctor dhcp: what is wrong, in words.  doctor.c asks the daemons and looks at the host,
 * doctor_clients.c lets emulated clients ask, doctor_judge.c judges what
 * they got, doctor_print.c tells.
 */
#ifndef FERRYCTL_DOCTOR_H
#define FERRYCTL_DOCTOR_H

#include "common/netcheck.h"
#include "ferryctl/ctl.h"
#include "ferryctl/emulate.h"
#include "ferryctl/segment.h"

#define DOCTOR_SERVERS 16
#define DOCTOR_PACKET  1500

/* A server that answered. */
struct doctor_server {
	uint8_t id[4]; /* option 54, or where it came from */
	uint8_t mac[6];
	bool leases, proxies;       /* it offers addresses; it answers as a proxy */
	bool pxe, pxe10, http;      /* option 60; with sub-options of 43 */
	bool pxe_lease, file_lease; /* in an offer with an address */
	unsigned answers, doubles;  /* doubles: more than one to the same question */
};

/* One emulated client. */
struct doctor_client {
	struct emulate_client machine;
	size_t n;
	struct emulate_packet packets[EMULATE_PACKETS];
	uint8_t bytes[EMULATE_PACKETS][DOCTOR_PACKET];
	uint64_t asked_ms;
	bool leased;
	struct emulate_verdict v;
	/* what dhcpproxyd says of it */
	char end[16], reason[40], rule[64];
	/* what it would fetch */
	bool fetched;
	uint64_t size;
	enum finding_verdict verdict;
	char told[FINDING_TEXT]; /* the verdict in words */
	const char *effect, *cure;
};

struct doctor {
	const struct ctl *c;
	const char *proxy_socket; /* of dhcpproxyd; NULL: from here alone */
	bool from_here;
	char interface[16];
	struct netfacts facts;
	struct ipaddr own;  /* the address that clients are told; none: not known */
	struct ipaddr here; /* this host's on the interface */
	struct segment *segment;
	char *root; /* content root, or NULL */
	struct findings findings;
	struct doctor_client *clients; /* EMULATES of them */
	uint64_t leased_ms;            /* when an address was offered last */
	size_t nservers;
	struct doctor_server servers[DOCTOR_SERVERS];
};

/* Lets all clients ask, and judges what they get; findings are added.  False after printing why
 * that is not possible. */
bool doctor_run_clients(struct doctor *d);

/* True if this is an address of this host. */
bool doctor_is_own(const struct doctor *d, const uint8_t b[static 4]);
/* The verdict about what it got; fetches what it would. */
void doctor_judge_client(const struct doctor *d, struct doctor_client *c);
/* Adds findings about the servers that were heard. */
void doctor_judge_servers(struct doctor *d);

/* Prints all, or as JSON; the exit status. */
int doctor_print(const struct doctor *d);

#endif
