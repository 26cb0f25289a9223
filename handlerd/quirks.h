/*
 * What models of firmware are known to need: the adaptive style of offers (styles.h) as it is used
 * by handlerd.  What requests and events tell goes in here, remarks and lines of the log come out,
 * and all is kept in a file beside the store.
 */
#ifndef HANDLERD_QUIRKS_H
#define HANDLERD_QUIRKS_H

#include "handlerd/decide.h"
#include "handlerd/handlerd.h"

/* For the DISCOVER of firmware, before it is decided about; tells nothing for any other request. */
struct styles_return quirks_arrive(
    struct handlerd *h, const struct boot_request *r, const struct policy *policy);
/* After the decision, with what quirks_arrive() told; `b` is the request's boot. */
void quirks_note(struct handlerd *h, const struct boot_request *r, struct boot *b,
    const struct styles_return *before, const struct decision *d);
/* A machine asked a DHCP server for its address. */
void quirks_lease(struct handlerd *h, const struct macaddr *mac);

/* 0, or -ENOMEM. */
int quirks_open(struct handlerd *h);
/* Writes the file if there is anything new. */
void quirks_save(struct handlerd *h);

#endif
