/*
 * What handlerd writes down of what happens: boots, lines of their timelines, the log.  Each line
 * goes to the store's journal and to those who watch.
 */
#ifndef HANDLERD_NOTES_H
#define HANDLERD_NOTES_H

#include "common/rpc.h"
#include "handlerd/store.h"

struct notes {
	struct store *store;
	struct boots *boots;
	struct rpc_server *rpc; /* or NULL */
	bool put_something;     /* store_kick() is due */
	size_t part;            /* whose repetitions are told next */
};

/* Puts a record into the journal; logs when there is no room. */
void notes_put(struct notes *n, const struct record *r);
/* Stores what changed of a boot. */
void notes_boot(struct notes *n, struct boot *b);
/*
 * Adds to a boot's timeline, unless it says what the line before said; `b` may be NULL.  0, or
 * -ENOSPC.
 */
int notes_entry(struct notes *n, struct boot *b, struct entry_record *e, uint64_t now_ms);
/* A line about something that handlerd itself did or found out; `why` and `text` may be "". */
void notes_remark(
    struct notes *n, struct boot *b, const char *kind, const char *why, const char *text);
/* True if the timeline tells of this offer already, so that its event would only repeat it. */
bool notes_offer_is_told(const struct boot *b, const struct boot_answer *a, uint64_t now_ms);
/*
 * Stores the counts of repetitions that no other line has told of, for one of NOTES_PARTS parts of
 * the boots at a call, so that a storm's 50,000 do not hold up decisions.
 */
#define NOTES_PARTS 100
void notes_repeats(struct notes *n);
/* Stores all that are left: at the end. */
void notes_last_repeats(struct notes *n);
/* The log's line of a decision. */
void notes_log(const struct boot_request *r, const struct boot *b, const struct boot_answer *a);

#endif
