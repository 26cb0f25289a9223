/* A keyed hash, for tables whose keys strangers choose.  Pure. */
#ifndef COMMON_HASH_H
#define COMMON_HASH_H

#include "common/wire.h"

/* SipHash-1-3, of which 32 bits are kept: without the key nobody can choose where things go. */
uint32_t hash_keyed(const uint64_t key[static 2], struct slice s);

#endif
