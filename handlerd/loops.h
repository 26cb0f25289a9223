/*
 * The loop guard: a machine that fetches the same loader again and again gets no further.
 *
 * Such a loop comes about when iPXE is offered iPXE once more, by the DHCP server's own boot file,
 * or when a loader dies and the firmware starts over.  `fetches` of one loader by one machine
 * within `within_s` hold the machine for `hold_s`; then it may try again.
 *
 * Counts and holds are in one table of fixed size, by keyed hashes; what was touched longest ago
 * among a few makes room, holds last.  Pure; time is an argument.
 */
#ifndef HANDLERD_LOOPS_H
#define HANDLERD_LOOPS_H

#include "common/config.h"
#include "common/ident.h"

#define LOOPS_FETCHES_MAX 16

struct loops_conf {
	int64_t fetches; /* 0: no guard */
	int64_t within_s;
	int64_t hold_s;
};

extern const struct config_key loops_keys[];

struct loops;

/* Room for about so many machines and loaders.  0, or -ENOMEM. */
int loops_new(size_t limit, const uint64_t key[static 2], struct loops **ret);
void loops_free(struct loops *t); /* NULL is allowed */

/* A machine has fetched a loader whole.  True if it is held from now on. */
bool loops_fetched(struct loops *t, const struct loops_conf *conf, const struct macaddr *mac,
    struct slice path, uint64_t now_ms);

/* Until when a machine is held; 0: it is not. */
uint64_t loops_held_until(const struct loops *t, const struct macaddr *mac, uint64_t now_ms);

/* Lets a machine go (NULL: all), its counts forgotten.  How many were held. */
size_t loops_release(struct loops *t, const struct macaddr *mac, uint64_t now_ms);

/* Those that are held, from place *at on (begin with 0): false after the last. */
bool loops_next(const struct loops *t, size_t *at, uint64_t now_ms, struct macaddr *ret_mac,
    uint64_t *ret_since_ms, uint64_t *ret_until_ms);

#endif
