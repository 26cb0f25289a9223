/*
 * The DISCOVERs of the last seconds, by who sent them: so that another server's offer, seen on the
 * wire, can be told by the kind of firmware that it is for, and so that yield mode knows whether
 * the other server has answered.
 *
 * A table of fixed size in which a later client takes the place of an earlier one with the same
 * hash: then an offer counts as one to an unknown kind of client, and in yield mode as not seen.
 * Pure; time is an argument.
 */
#ifndef DHCPPROXYD_SEEN_H
#define DHCPPROXYD_SEEN_H

#include "common/rival.h"

/* After that an offer belongs to no DISCOVER any more: firmware's longest window. */
#define SEEN_MS 40000

struct seen;

/* Room for so many.  0, or -ENOMEM. */
int seen_new(size_t clients, const uint64_t key[static 2], struct seen **ret);
void seen_free(struct seen *t); /* NULL is allowed */

/* Who a packet is from or to, as one number: xid and chaddr. */
uint32_t seen_hash(const struct seen *t, uint32_t xid, struct slice chaddr);

/* This client sent a DISCOVER. */
void seen_note(struct seen *t, uint32_t hash, enum rival_client kind, uint64_t now_ms);
/* The kind that it is; RIVAL_ANY if it is not remembered. */
enum rival_client seen_kind(const struct seen *t, uint32_t hash, uint64_t now_ms);

/* The server that we yield to has made it an offer. */
void seen_served(struct seen *t, uint32_t hash, uint64_t now_ms);
bool seen_is_served(const struct seen *t, uint32_t hash, uint64_t now_ms);

#endif
