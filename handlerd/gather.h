/*
 * Facts: what handlerd knows when it decides about a request, gathered from the catalogue, the
 * announcements, the table of machines, the boot and the content root.
 */
#ifndef HANDLERD_GATHER_H
#define HANDLERD_GATHER_H

#include "common/relay_info.h"
#include "handlerd/handlerd.h"
#include "handlerd/referral.h"

/* Other httpsbootds that scripts are told of. */
#define GATHER_OTHERS 4

/* What facts point to, besides the tables. */
struct fact_room {
	char host[256];
	char ip[IP_STRLEN];
	char path[CONTENT_PATH_MAX];
	char others[GATHER_OTHERS][300];
	const char *other_list[GATHER_OTHERS];
	char token[TOKEN_STRLEN];
	char circuit[RELAY_ID_STRLEN], remote[RELAY_ID_STRLEN];
	struct ipaddr own[2 * SERVICES_MAX];
	struct url_place places[3 * SERVICES_MAX];
};

/*
 * All but the sources' answers.  `b` may be NULL.  `only_look`: a token is not used up by it, and
 * nothing written down.  Valid until the next request, or until one of the tables changes.
 */
void gather(struct handlerd *h, const struct boot_request *r, const struct boot *b,
    const struct policy *policy, uint64_t now_ms, bool only_look, struct fact_room *room,
    struct facts *f);

/*
 * A good token tells whose request it is, where the address does not: behind NAT, or when two
 * machines have one MAC.  It is its boot's then, in *r.
 */
void gather_token_owner(struct handlerd *h, struct boot_request *r, uint64_t now_ms);

/* Finds out which machine a boot is of, and takes down what a request tells about it. */
void gather_machine(
    struct handlerd *h, const struct boot_request *r, struct boot *b, uint64_t now_ms);

#endif
