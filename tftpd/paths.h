/*
 * What was learnt of the way to each client, for its next request: the largest block that gets
 * through, the window that it can take, the round trip.  A table of fixed size by address; what is
 * old or says little makes room.  Pure, and without a lock: threads that share one bring theirs.
 */
#ifndef TFTPD_PATHS_H
#define TFTPD_PATHS_H

#include "common/ident.h"
#include "tftpd/outcome.h"

#define PATHS_WAYS 8
#define PATHS_SETS 512 /* 4096 clients */
/* What was not used for so long is forgotten: networks change. */
#define PATHS_KEEP_MS 3600000u

struct path {
	uint64_t used_ms;
	uint32_t rtt_us;     /* 0: not known */
	uint16_t blksize;    /* the most to be offered; 0: no limit */
	uint16_t confirmed;  /* bytes of the largest first block that arrived; 0: none */
	uint16_t windowsize; /* the most to be offered; 0: no limit */
	struct ipaddr ip;    /* family 0: nobody's */
};

struct paths {
	uint64_t key[2]; /* of the hash, as clients choose their addresses */
	struct path table[PATHS_SETS][PATHS_WAYS];
};

void paths_init(struct paths *p, const uint64_t key[static 2]);

/*
 * Lowers *blksize and *windowsize to what the way to the client is known to carry, and sets
 * *rtt_us, 0 if it is not known.
 */
void paths_advise(const struct paths *p, const struct ipaddr *ip, uint64_t now_ms,
    uint64_t *blksize, uint64_t *windowsize, uint32_t *rtt_us);

/*
 * Learns from a transfer that ended.  One whose options were confirmed, but never its first block
 * of more than 512 bytes, has the next one offered less, down by what usual tunnels take; that is
 * told in o->next_blksize.
 */
void paths_learn(struct paths *p, const struct ipaddr *ip, struct outcome *o, uint64_t now_ms);

#endif
