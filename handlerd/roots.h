/*
 * Which machines have been told of a root of ours: what the last offer that carried fingerprints
 * (option 175.90) told each of them.  So it is known, while a CA is replaced, whom nothing but the
 * old one has reached.
 *
 * A machine that came to iPXE without such an offer has its trust from elsewhere: a DHCP server's
 * option 175, a stamped loader, roots that are built in or enrolled.  Of those nothing is known
 * here. Pure.
 */
#ifndef HANDLERD_ROOTS_H
#define HANDLERD_ROOTS_H

#include "handlerd/machines.h"

/* Fingerprints as they are kept: 16 digits of each, with commas between, which is enough to tell
 * them apart. */
#define ROOTS_TEXT (IDENTITY_TEXT_MAX + 1)
struct slice roots_text(struct slice prints, char ret[static ROOTS_TEXT]);
/* True if the text has that one; `print` is the fingerprint, of 32 bytes. */
bool roots_have(struct slice text, const uint8_t *print);

/* A number for a set of fingerprints, never 0, by which a change is seen: cheap enough for each
 * offer. */
uint64_t roots_mark(struct slice prints);

enum roots_told {
	ROOTS_TOLD,    /* its last offer carried the fingerprint */
	ROOTS_BOOTED,  /* and it came to iPXE since */
	ROOTS_UNTOLD,  /* it carried others only */
	ROOTS_FOREIGN, /* it came to iPXE without one that carried any */
	ROOTS_SILENT,  /* either of these two, but it was not seen since `since_ms` */
	ROOTS_NONE,    /* it never came so far */
	ROOTS_KINDS,
};

enum roots_told roots_judge(const struct machine *m, const uint8_t *print, uint64_t since_ms);

#endif
