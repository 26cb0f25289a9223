/*
 * Registry hives ("regf", version 1.3), as Windows' boot manager reads its BCD from: one bin of
 * cells, written from the leaves to the root.  Pure: all goes into a buffer; numbers in it are
 * little-endian.
 */
#ifndef HANDLERD_HIVE_H
#define HANDLERD_HIVE_H

#include "common/wire.h"

/* A file is a multiple of this. */
#define HIVE_PAGE 4096

enum hive_type {
	HIVE_SZ = 1,
	HIVE_BINARY = 3,
	HIVE_DWORD = 4,
	HIVE_MULTI_SZ = 7,
};

struct hive {
	uint8_t *p;
	size_t size, used;
	uint32_t security; /* the cell that all keys share */
	bool bad;          /* it did not fit */
};

void hive_begin(struct hive *h, void *buf, size_t size);

/*
 * A value and a key; each gives the place that the key above it is told, 0 if there was no room.
 * Names are ASCII.  Subkeys come in the order of their names in capitals.
 */
uint32_t hive_value(struct hive *h, const char *name, enum hive_type type, struct slice data);
uint32_t hive_key(struct hive *h, const char *name, const uint32_t *keys, size_t nkeys,
    const uint32_t *values, size_t nvalues);

/* The whole file, with this key as its root.  Empty, and h->bad, if it did not fit. */
struct slice hive_end(struct hive *h, uint32_t root);

#endif
