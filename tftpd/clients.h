/*
 * How many transfers each client address has, over all workers: the limit for one client, so that
 * nobody takes the places of all others.
 *
 * Counted by a keyed hash of the address, without a row for each of them: addresses that share a
 * counter, which nobody can choose, share the limit.
 */
#ifndef TFTPD_CLIENTS_H
#define TFTPD_CLIENTS_H

#include "common/ident.h"

#include <stdatomic.h>

#define CLIENTS_COUNTERS 65536u

struct clients {
	uint64_t key[2];
	_Atomic uint32_t counts[CLIENTS_COUNTERS];
};

/* Its storage is zeroed. */
void clients_init(struct clients *c);
/* Counts one more unless there are `most`: its place for clients_drop(), or -EDQUOT. */
int32_t clients_take(struct clients *c, const struct ipaddr *ip, uint32_t most);
void clients_drop(struct clients *c, int32_t place);

#endif
