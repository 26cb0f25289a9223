/*
 * From a request to handlerd's question, and from its answer to the reply packet.
 */
#ifndef COMMON_REPLY_H
#define COMMON_REPLY_H

#include "common/msg.h"
#include "common/pxe.h"

/* What a packet is to us. */
enum ask_kind {
	ASK_NOTHING,    /* not from a boot client, or of a type that is not for us */
	ASK_DISCOVER,   /* to be answered by an OFFER */
	ASK_BOOTSERVER, /* to be answered by an ACK */
	ASK_LEASE,      /* a boot client asks a DHCP server for an address: only to be noted */
};

/* What has to be kept of a request until its answer is there. */
struct dhcp_ask {
	enum ask_kind kind; /* ASK_DISCOVER or ASK_BOOTSERVER */
	bool boot_port;     /* it came to the boot server port */
	uint8_t htype, hlen;
	uint32_t xid;
	uint16_t flags;
	uint8_t ciaddr[4], giaddr[4];
	uint8_t chaddr[DHCP_CHADDR_BYTES];
	struct pxe_client client;
	uint8_t server[4]; /* our address towards this client */
	bool bootp;        /* without option 53: it gets none back (RFC 1534 section 2) */
	uint16_t max_size; /* the longest reply that it takes, in bytes of UDP payload */
	uint8_t uuid[17];  /* option 97 as it came */
	uint8_t uuid_n;
	uint8_t relay_info[255]; /* option 82 as it came */
	uint8_t relay_info_n;
};

/*
 * Sorts a parsed packet that came to port 67 (or, with `boot_port`, 4011) of our address `server`
 * and fills in *ask (for ASK_DISCOVER and ASK_BOOTSERVER).
 */
enum ask_kind ask_from_packet(const struct dhcp_packet *p, bool boot_port,
    const uint8_t server[static 4], struct dhcp_ask *ask);

/*
 * The question for handlerd.  Slices point into the packet and `subnet`, `interface`; the caller
 * sets nothing but the id afterwards.
 */
void ask_to_request(const struct dhcp_ask *ask, const struct dhcp_packet *p, const char *subnet,
    const char *interface, struct boot_request *ret);

/*
 * Writes the OFFER or ACK for an answer with ACTION_OFFER.  OFFER_LOCAL uses the answer's file, a
 * URL, only for HTTP Boot, and needs none.  0, or -EMSGSIZE if the name or the options do not fit
 * into what the client takes.
 */
int reply_build(const struct dhcp_ask *ask, const struct boot_answer *answer, struct wbuf *w);

#endif
