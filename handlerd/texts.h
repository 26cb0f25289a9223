/*
 * Texts that many machines have in common (makers, models, groups), each kept once and counted.
 * Pure.
 */
#ifndef HANDLERD_TEXTS_H
#define HANDLERD_TEXTS_H

#include "handlerd/index.h"

struct text;

struct texts {
	const uint64_t *key; /* of the hash */
	union text_slot {
		struct text *text;
		uint32_t next_free;
	} * v;
	uint32_t n, size; /* slots ever used, and allocated */
	uint32_t first_free;
	struct index by_hash;
	size_t bytes;
};

/* `key` (two numbers) stays the caller's. */
void texts_init(struct texts *t, const uint64_t *key);
void texts_fini(struct texts *t);

/*
 * The number of a text, counted once more; 0 stands for the empty text.  0, or -ENOMEM with *ret
 * untouched.
 */
int texts_take(struct texts *t, struct slice s, uint32_t *ret);
/* One use less. */
void texts_drop(struct texts *t, uint32_t number);
/* Stays until the last use is dropped; a NUL follows it. */
struct slice texts_get(const struct texts *t, uint32_t number);

#endif
