/*
 * The transfers under way, by the events of the front daemons: a live list for people.  Timelines
 * have a transfer's beginning and its end; how far it is in between is kept here alone, so that a
 * long one does not fill them.  Pure.
 *
 * It is a view of what others do, and forgives: a transfer whose beginning was missed is taken up
 * when its progress is heard of, and one of which nothing more comes is forgotten.
 */
#ifndef HANDLERD_TRANSFERS_H
#define HANDLERD_TRANSFERS_H

#include "common/msg.h"

#define TRANSFERS_MAX      32768 /* the one heard of least lately makes room */
#define TRANSFERS_QUIET_MS 60000 /* of which nothing was heard for so long is forgotten */
#define TRANSFERS_FILE_MAX 255   /* bytes of a name, what is longer is cut */
#define TRANSFERS_REASONS  32    /* different reasons of failure that are counted one by one */
#define TRANSFERS_WORDS    96    /* bytes of one, with the NUL */

struct running {
	uint64_t origin, id; /* of its sender, and its number there */
	uint64_t boot;       /* or 0 */
	uint64_t began_ms, heard_ms;
	uint64_t bytes, size, bytes_per_s;
	enum boot_via via;
	struct macaddr mac;
	struct ipaddr address;
	uint32_t blksize, windowsize, retransmits;
	bool progressed; /* more than its beginning was heard of */
	char subnet[64];
	char file[TRANSFERS_FILE_MAX + 1];
};

struct transfers;

/* One kind of failure; numbers in its words are written as "N". */
struct transfer_failures {
	char words[TRANSFERS_WORDS];
	uint64_t n;
};

struct transfers_stats {
	size_t running;
	uint64_t finished, failed;
	uint64_t forgotten;                       /* of which nothing more was heard */
	uint64_t pushed;                          /* that made room for others */
	const struct transfer_failures *failures; /* what did not fit is under "others" */
	size_t nfailures;
};

/* At most `limit` are kept.  0, or -ENOMEM. */
int transfers_new(size_t limit, struct transfers **ret);
void transfers_free(struct transfers *t);

/*
 * Takes down an event of any kind; those of transfers count, if they say which (e->transfer).
 * `mac` and `boot` are what is known of its client.  Out of memory it is left out of the list.
 */
void transfers_note(struct transfers *t, uint64_t origin, const struct boot_event *e, uint64_t boot,
    const struct macaddr *mac, uint64_t now_ms);

typedef void transfers_fn(void *arg, const struct running *r);

/* Forgets those of which nothing was heard for TRANSFERS_QUIET_MS, telling fn of each. */
void transfers_expire(struct transfers *t, uint64_t now_ms, transfers_fn *fn, void *arg);
/* Calls fn with each, the one heard of last first; at most `limit`. */
void transfers_each(const struct transfers *t, size_t limit, transfers_fn *fn, void *arg);
struct transfers_stats transfers_stats(const struct transfers *t);

#endif
