/* One answer of a server, as the emulated clients read it. */
#ifndef FERRYCTL_EMULATE_OFFER_H
#define FERRYCTL_EMULATE_OFFER_H

#include "ferryctl/emulate.h"

/* What edk2 makes of option 43 of an offer with option 60 = PXEClient. */
enum offer_shape {
	SHAPE_NONE, /* no PXE offer */
	SHAPE_BINL, /* none of the tags 6 to 10: it names a boot server to ask */
	SHAPE_PXE10,
	SHAPE_WFM, /* all of the tags 1 to 5 and none of these: dropped */
};

struct offer {
	struct dhcp_packet p;
	const struct emulate_packet *packet;
	size_t index;
	bool proxy;     /* yiaddr is 0: it offers no address */
	bool pxe, http; /* by option 60 */
	enum offer_shape shape;
	struct slice file; /* as edk2 takes it: option 67, else the header's */
	bool has_siaddr;
	uint8_t server[4]; /* siaddr, else option 54 */
	uint8_t id[4];     /* option 54, else siaddr, else where it came from */
	/* option 43 */
	uint8_t control;
	struct slice menu, prompt, servers;
	bool has_prompt, has_menu, has_servers, has_multicast;
	/* option 175 */
	int priority;
	bool no_pxedhcp;
	struct slice trust;
};

/*
 * Reads an answer to this client.  NULL, or why every client drops it.  `ret` is valid while the
 * packet is.
 */
const char *offer_read(const struct emulate_packet *packet, uint32_t xid,
    const uint8_t mac[static 6], struct offer *ret);
/*
 * Why edk2's DHCP driver drops it, or NULL: it checks the length of each option that it knows, and
 * wants the End option and, but for BOOTP, a server identifier.
 */
const char *offer_edk2_flaw(const struct offer *o);

/* "10.77.0.1" of four octets. */
#define V4_STRLEN 16
const char *v4_format(const uint8_t b[static 4], char buf[static V4_STRLEN]);
/* A name from the network, cut to `size`. */
const char *offer_text(struct slice s, char *buf, size_t size);

#endif
