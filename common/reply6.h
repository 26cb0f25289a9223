/*
 * The same as common/reply.h for DHCPv6 (RFC 8415, RFC 5970): from a request to handlerd's
 * question, and from its answer to the reply.
 *
 * We hand out no addresses.  What UEFI firmware makes of an ADVERTISE without one (edk2's
 * PxeBcDhcp6.c and HttpBootDhcp6.c, measured with OVMF): it is a proxy's offer, which is taken
 * beside the ADVERTISE of a DHCPv6 server that gives the address, if the vendor class says
 * PXEClient or HTTPClient.  HTTP Boot loads its URL; PXE then asks for the boot file at port 4011
 * of the host in the URL, or at ff02::1:2 if there is none, and loads what that REPLY says.
 */
#ifndef COMMON_REPLY6_H
#define COMMON_REPLY6_H

#include "common/dhcp6.h"
#include "common/reply.h"

/* Room for the wrappings of an answer: all that relays can send, with usual names of ports. */
#define DHCP6_WRAP_MAX 1024

/* What has to be kept of a request until its answer is there. */
struct dhcp6_ask {
	enum ask_kind kind; /* ASK_DISCOVER or ASK_BOOTSERVER */
	enum dhcp6_type reply;
	uint32_t xid;
	struct pxe_client client;
	struct macaddr mac;    /* len 0 if nothing tells it */
	struct ipaddr address; /* the client's own, unless it is only of the link */
	struct ipaddr relay;   /* the link that the relays name, else the relay */
	struct ipaddr server;  /* ours towards this client */
	bool boot_server_too;  /* the boot server answers at that address */
	uint8_t client_id[DHCP6_DUID_MAX];
	uint8_t client_id_n;
	/* the relay's interface-id and remote-id, written as IPv4's option 82 (RFC 3046) */
	uint8_t relay_info[255];
	uint8_t relay_info_n;
	size_t nrelays;
	bool relay_port; /* the relay listens where its packet came from (RFC 8357) */
	size_t marks[DHCP6_RELAYS_MAX];
	uint16_t wrap_n;
	uint8_t wrap[DHCP6_WRAP_MAX];
};

/* Where a packet came in. */
struct dhcp6_place {
	bool boot_port;       /* at 4011, not at 547 */
	bool boot_server_too; /* the boot server runs: its step can be offered */
	struct ipaddr server; /* our address towards this client; none: there is none */
	struct ipaddr from;   /* the source of the packet: client or relay */
};

/*
 * Sorts a parsed packet and fills in *ask (for ASK_DISCOVER and ASK_BOOTSERVER).  *lease is filled
 * in for ASK_LEASE: the address that the client asks a DHCPv6 server for.
 */
enum ask_kind ask6_from_packet(const struct dhcp6_packet *p, const struct dhcp6_place *place,
    struct dhcp6_ask *ask, struct ipaddr *lease);

/* The hardware address that a packet tells, or one of length 0. */
struct macaddr ask6_mac(const struct dhcp6_packet *p, const struct ipaddr *from);

/* As ask_to_request(); slices also point into *ask. */
void ask6_to_request(const struct dhcp6_ask *ask, const struct dhcp6_packet *p, const char *subnet,
    const char *interface, struct boot_request *ret);

/*
 * Writes the ADVERTISE or REPLY for an answer with ACTION_OFFER, in its wrappings.  OFFER_LOCAL is
 * a URL that fails at once: DHCPv6 knows no boot menu.  0, or -EMSGSIZE if it does not fit.
 */
int reply6_build(const struct dhcp6_ask *ask, const struct boot_answer *answer, struct wbuf *w);

/* Our DUID where clients know us by this address: it says nothing else, and needs no memory. */
#define REPLY6_DUID_BYTES 18
void reply6_duid(const struct ipaddr *server, uint8_t ret[static REPLY6_DUID_BYTES]);

#endif
