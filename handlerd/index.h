/*
 * An index from keyed hashes to numbers (places in a table), for several per key.  It holds no
 * keys: a reader compares what it finds with what it looks for.  Pure.
 *
 * Open addressing with linear probing; an entry takes 8 bytes, an index is 56 to 70 % full.
 */
#ifndef HANDLERD_INDEX_H
#define HANDLERD_INDEX_H

#include "common/hash.h"

#define INDEX_NONE UINT32_MAX

struct index_entry {
	uint32_t hash;
	uint32_t place; /* INDEX_NONE: free */
};

struct index {
	struct index_entry *v;
	size_t n, size;
};

/* An index begins as zeros. */
void index_fini(struct index *x);
/* Makes room for so many more: as many index_add() then cannot fail.  0 or -ENOMEM. */
int index_reserve(struct index *x, size_t more);
/* The same pair twice is there twice.  index_reserve() comes first. */
void index_add(struct index *x, uint32_t hash, uint32_t place);
/* Takes the pair out once; false if it is not there. */
bool index_remove(struct index *x, uint32_t hash, uint32_t place);

/*
 * Walks the entries with this hash: begin with *at = index_begin(), until it gives INDEX_NONE.
 * Other keys may have the same hash.
 */
size_t index_begin(const struct index *x, uint32_t hash);
uint32_t index_next(const struct index *x, uint32_t hash, size_t *at);

#endif
