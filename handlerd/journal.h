/*
 * The journal: a ring of records in a file mapped into memory, between the loop that makes records
 * and the thread that stores them.
 *
 * Writing is a copy into memory that belongs to the kernel's page cache, so that a record is safe
 * from the end of the process the moment it is written, at the cost of a memcpy; no decision ever
 * waits for the store.  After a crash the records behind the position that the store remembers are
 * still there.
 *
 * One thread puts, one takes.  Positions count bytes from the journal's beginning and never
 * repeat.
 */
#ifndef HANDLERD_JOURNAL_H
#define HANDLERD_JOURNAL_H

#include "common/wire.h"

#define JOURNAL_BYTES      (16u << 20)
#define JOURNAL_RECORD_MAX 16384u

struct journal;

/*
 * Opens or makes the file.  `generation` and `tail` are what the store remembers (0 and 0 for
 * none): if the file is of that generation, reading starts at `tail`, else it starts anew with a
 * generation of its own.  0, or a negative errno after logging why.
 */
int journal_open(const char *path, uint64_t generation, uint64_t tail, struct journal **ret);
void journal_close(struct journal *j);
uint64_t journal_generation(const struct journal *j);

/* 0, or -ENOSPC when the store is too far behind. */
int journal_put(struct journal *j, struct slice record);
/* True if at least a quarter of the room is free. */
bool journal_has_room(const struct journal *j);

/*
 * The record at *pos, a view that stays until journal_release(); *pos moves behind it.  0, or
 * -EAGAIN if there is none yet.  Start with journal_tail().
 */
int journal_next(struct journal *j, uint64_t *pos, struct slice *ret);
uint64_t journal_tail(const struct journal *j);
uint64_t journal_head(const struct journal *j);
/* What lies before `pos` is stored; its room may be used again. */
void journal_release(struct journal *j, uint64_t pos);

#endif
