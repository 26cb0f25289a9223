/*
 * Other servers that answer boot clients: DHCP servers, and PXE servers beside us.
 *
 * A packet of a server is read into what it sends (rival_read), what that does to the kind of
 * client that it is for is looked up (rival_judge), and a bounded table keeps who was seen
 * (struct rivals).  dhcpproxyd has such a table of its wire, handlerd one of all subnets.  Pure;
 * time is an argument.
 */
#ifndef COMMON_RIVAL_H
#define COMMON_RIVAL_H

#include "common/dhcp.h"
#include "common/msg.h"

#include <jansson.h>

/* What a server sends; told as names by rival_sends_format(). */
#define RIVAL_SENDS_ADDRESS    (1u << 0)  /* it is the DHCP server: yiaddr is set */
#define RIVAL_SENDS_PXE        (1u << 1)  /* option 60 begins with PXEClient */
#define RIVAL_SENDS_HTTP       (1u << 2)  /* or with HTTPClient */
#define RIVAL_SENDS_FILE       (1u << 3)  /* a boot file, in `file` or option 67 */
#define RIVAL_SENDS_NEXT       (1u << 4)  /* siaddr names a host that is not the server */
#define RIVAL_SENDS_TO_US      (1u << 5)  /* and that is us */
#define RIVAL_SENDS_PXE10      (1u << 6)  /* option 43 has PXE's sub-options 6 to 10 */
#define RIVAL_SENDS_MENU       (1u << 7)  /* among them a menu */
#define RIVAL_SENDS_PRIORITY   (1u << 8)  /* option 175.1 is not below ours, 1 */
#define RIVAL_SENDS_NO_PROXY   (1u << 9)  /* option 175.176: iPXE is not to wait for proxies */
#define RIVAL_SENDS_BOOTP      (1u << 10) /* no option 53 */
#define RIVAL_SENDS_BOOTSERVER (1u << 11) /* from port 4011 */
#define RIVAL_SENDS_RELAYED    (1u << 12) /* through a relay */
/* What is of use to a client that boots from the network. */
#define RIVAL_SENDS_BOOT                                                                           \
	(RIVAL_SENDS_PXE | RIVAL_SENDS_HTTP | RIVAL_SENDS_FILE | RIVAL_SENDS_PXE10 |               \
	    RIVAL_SENDS_BOOTSERVER)
/* About the server itself, beside these in an event. */
#define RIVAL_IS_EXPECTED (1u << 24) /* the configuration names it */
#define RIVAL_IS_SIBLING  (1u << 25) /* it is one of us */

/* What it does to a client, the worst last. */
enum rival_effect {
	RIVAL_PLAIN,     /* nothing: it has nothing to do with booting */
	RIVAL_DISCARDED, /* the client discards it */
	RIVAL_LEADS_TO_US,
	RIVAL_LOSES, /* our offer wins, as long as it comes */
	RIVAL_RACES, /* either may win */
	RIVAL_WINS,  /* the client does not come to us */
	RIVAL_EFFECTS,
};

const char *rival_client_name(enum rival_client v); /* "any", "bios", "uefi", ... */
/* "plain", "discarded", "leads-here", "loses", "races", "wins" */
const char *rival_effect_name(enum rival_effect v);

/* The kind of client that a request is from. */
enum rival_client rival_client_of(enum boot_client client, uint16_t arch);

#define RIVAL_FILE_MAX 128

/* What a server sends to one kind of client. */
struct rival_offer {
	uint32_t sends; /* RIVAL_SENDS_... */
	struct ipaddr next;
	char file[RIVAL_FILE_MAX]; /* cut if it is longer */
	uint64_t offers;           /* so many; 0: none was seen */
	uint64_t untold;           /* of them since they were told last */
	uint64_t last_ms;
	/* as it was told last, and when; 0: never */
	uint32_t told_sends;
	struct ipaddr told_next;
	uint64_t told_ms;
	unsigned changes; /* told one after the other */
};

struct rival {
	struct ipaddr address; /* option 54, or where it came from */
	struct macaddr mac;    /* of the frame: the router's, if one is between */
	char interface[16];
	char subnet[64];
	uint64_t first_ms, last_ms;
	bool is_expected, is_sibling;
	bool is_usual; /* handlerd: it was there while it learned, or somebody accepted it */
	struct rival_offer to[RIVAL_CLIENTS];
};

/*
 * Reads a server's packet, sent from `from` and this port; `ours` are our own addresses.  0, or
 * -ENOMSG if it is no offer or acknowledgement.  *ret_server: who says that he sent it.
 */
int rival_read(const struct dhcp_packet *p, const uint8_t from[static 4], uint16_t from_port,
    const struct ipaddr *ours, size_t nours, struct ipaddr *ret_server, struct rival_offer *ret);

/* What an offer does to such a client, in words, and what helps; `cure` may be "". */
struct rival_judgement {
	enum rival_effect effect;
	const char *words; /* "UEFI PXE takes ..." */
	const char *cure;
};

const struct rival_judgement *rival_judge(enum rival_client client, const struct rival_offer *o);
/* The worst of what it does to all clients that got something from it. */
const struct rival_judgement *rival_worst(const struct rival *r);

/* "address option-60=PXEClient file", for logs and JSON. */
const char *rival_sends_format(uint32_t sends, char *buf, size_t size);

/* --- the table ------------------------------------------------------------------------------ */

struct rivals {
	struct rival *v;
	size_t n, limit;
	uint64_t made_room; /* servers forgotten for others */
};

/* At most `limit` servers; the one that was silent longest makes room.  0, or -ENOMEM. */
int rivals_init(struct rivals *t, size_t limit);
void rivals_fini(struct rivals *t);

/* Who a server is. */
struct rival_id {
	struct ipaddr address;
	struct macaddr mac;
	struct slice interface, subnet;
};

/*
 * The server, put into the table if need be (*ret_new).  Those that are usual or expected make
 * room last.  Valid until the next call.
 */
struct rival *rivals_note(
    struct rivals *t, const struct rival_id *id, uint64_t now_ms, bool *ret_new);

/* Whether an offer is, to clients, what these are. */
bool rival_is_same(uint32_t sends, const struct ipaddr *next, const struct rival_offer *o);

/* Takes down an offer to this kind of client (`o->offers` of them more). */
void rival_note_offer(
    struct rival *r, enum rival_client client, const struct rival_offer *o, uint64_t now_ms);

/* Between two words about one server and one kind of client, but for the first few changes. */
#define RIVAL_TELL_MS 60000
#define RIVAL_CHANGES 4

enum rival_news {
	RIVAL_NO_NEWS,
	RIVAL_GOES_ON, /* nothing new, but it is time for its numbers */
	RIVAL_CHANGED, /* what it sends is not what it was */
	RIVAL_FIRST,   /* the first offer to such a client */
};

/* Whether there is something to tell; all but `untold` then counts as told. */
enum rival_news rival_tell(struct rival *r, enum rival_client client, uint64_t now_ms);

/* Those with this address or MAC are usual ones from now on.  How many. */
size_t rivals_accept(struct rivals *t, const char *name);
/* Forgets those with this address or MAC; NULL: all.  How many. */
size_t rivals_forget(struct rivals *t, const char *name);

/* The list for people and programs, those seen last first. */
json_t *rivals_dump(const struct rivals *t);
/* What rivals_dump() gave, for a table that is empty; what cannot be read is left out. */
void rivals_restore(struct rivals *t, const json_t *dump);

#endif
