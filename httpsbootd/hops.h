/*
 * The httpsbootds that a request for a file has come through, one the other's origin, as the field
 * Via names them (RFC 9110 section 7.6.3).  Each writes its own name there, so that it knows a
 * request that comes round to it again.  Pure.
 */
#ifndef HTTPSBOOTD_HOPS_H
#define HTTPSBOOTD_HOPS_H

#include "common/wire.h"

#define HOPS_MAX     16
#define HOP_STRLEN   128
#define HOPS_STRLEN  ((HOPS_MAX + 1) * (HOP_STRLEN + 8)) /* of hops_line() */
#define HOPS_ID_TEXT "bootferry-"                        /* how our names begin */

struct hops {
	size_t n;
	bool full; /* there were more */
	char name[HOPS_MAX][HOP_STRLEN];
};

/* The name of this process: for people, and unlike any other's by `random`.  Returns ret. */
const char *hops_own(
    const char *instance, const char *host, uint64_t random, char ret[static HOP_STRLEN]);
/* Adds the servers of our kind that a Via names; proxies of others between them are no concern. */
void hops_read(struct hops *h, struct slice via);
bool hops_has(const struct hops *h, const char *name);
/* Puts what `more` has before what is there.  True if some of it is new. */
bool hops_join(struct hops *h, const struct hops *more);
/* The field, with ourselves at the end: "Via: 1.1 A, 1.1 OWN".  Returns dst. */
const char *hops_line(const struct hops *h, const char *own, char dst[static HOPS_STRLEN]);
/* The ring that a request of `own` came round: "a > b > a", cut to fit.  Returns dst. */
const char *hops_ring(const struct hops *h, const char *own, char *dst, size_t size);

#endif
