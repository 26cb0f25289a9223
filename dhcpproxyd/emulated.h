/*
 * Machines that are not there: the hardware addresses with which a self-test is about to ask, and
 * what became of their requests.  The control socket names them, for some seconds; their requests
 * take the way of all others and are marked, so that handlerd writes nothing down.
 *
 * Somebody on the network who guesses the time and the address is answered without a trace at most
 * EMULATED_PACKETS times a test; the counter shows it.  Pure.
 */
#ifndef DHCPPROXYD_EMULATED_H
#define DHCPPROXYD_EMULATED_H

#include "common/reply.h"

#include <jansson.h>

#define EMULATED_MAX     16
#define EMULATED_PACKETS 64 /* of one machine in one test */
#define EMULATED_S_MAX   60

enum emulated_end {
	EMULATED_UNSEEN,     /* no request came */
	EMULATED_PENDING,    /* it waits for handlerd */
	EMULATED_ANSWERED,   /* a packet left */
	EMULATED_SILENT,     /* handlerd leaves it to others */
	EMULATED_UNANSWERED, /* handlerd said nothing in time */
	EMULATED_UNFIT,      /* the reply does not fit into a packet */
	EMULATED_ENDS,
};

const char *emulated_end_name(enum emulated_end v);

struct emulated_client {
	struct macaddr mac;
	uint32_t discovers, requests;
	enum emulated_end end; /* of the last one */
	enum boot_reason reason;
	enum offer_style style;
	char rule[64];
	char file[256];
};

struct emulated {
	uint64_t until_ms; /* 0: no test is on */
	size_t n;
	struct emulated_client v[EMULATED_MAX];
};

/* Begins anew. */
void emulated_begin(struct emulated *e, uint64_t until_ms);
/* False if there are too many. */
bool emulated_add(struct emulated *e, const struct macaddr *mac);

/* True if this is the hardware address of one of them. */
bool emulated_knows(const struct emulated *e, const uint8_t chaddr[static 6]);
/* True if this request is of a test that is on; it is counted then. */
bool emulated_takes(struct emulated *e, const struct dhcp_ask *ask, uint64_t now_ms);
/* What its answer was: NULL for none; `fits`: it left. */
void emulated_note(
    struct emulated *e, const struct dhcp_ask *ask, const struct boot_answer *answer, bool fits);

/* A new list of what became of each. */
json_t *emulated_dump(const struct emulated *e);

#endif
