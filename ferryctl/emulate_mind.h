/* What the emulated clients share in judging answers, and where each kind does it. */
#ifndef FERRYCTL_EMULATE_MIND_H
#define FERRYCTL_EMULATE_MIND_H

#include "ferryctl/emulate_offer.h"

#define PORT_DHCP       67
#define PORT_BOOTSERVER 4011
#define TEXT            160 /* of a name in a step */

/* The answers that this client can read at all. */
struct inbox {
	size_t n;
	struct offer v[EMULATE_PACKETS];
};

/* Takes out what edk2's DHCP driver drops. */
void inbox_drop_flawed(struct emulate_verdict *v, struct inbox *in);
/* Whether a DHCP server answered, and what is said if none did. */
void inbox_look_for_lease(struct emulate_verdict *v, const struct inbox *in);
/* This offer decides. */
void inbox_use(struct emulate_verdict *v, const struct offer *o, const uint8_t own[static 4]);
/* What comes next: the boot server, or a file by TFTP. */
void emulate_ask(struct emulate_verdict *v, const uint8_t server[static 4], uint16_t port);
void emulate_fetch(struct emulate_verdict *v, const uint8_t server[static 4], struct slice file);

/* At the end of a client's window for offers. */
typedef void mind_offers_fn(const struct emulate_client *c, struct inbox *in,
    const uint8_t own[static 4], struct emulate_verdict *v);
/* With the answers of a boot server. */
typedef void mind_answers_fn(
    const struct emulate_client *c, struct inbox *in, struct emulate_verdict *v);

mind_offers_fn emulate_edk2_offers, emulate_rom_offers, emulate_ipxe_offers;
mind_answers_fn emulate_pxe_answers, emulate_ipxe_answers;

#endif
