/* What is known of the ways to clients; see paths.h. */
#include "tftpd/paths.h"

#include "common/hash.h"

#include <string.h>

/* Headers of IP, UDP and TFTP. */
#define HEADERS4_BYTES 32u
#define HEADERS6_BYTES 52u
/* A window is not halved below. */
#define WINDOW_MIN 4u
/* Blocks from which on a transfer tells something of its window. */
#define BLOCKS_MIN 64u
/* A first block was sent for so long after the options had been confirmed: it is lost. */
#define LOST_US 1000000u

/*
 * What is tried when larger blocks are lost.  Each step is a boot that failed, so they are few: the
 * first is below PPPoE (1492), VXLAN (1450), WireGuard (1420) and most of IPsec (1400), the second
 * is what IPv6 promises.  Below, 1024 and 512 are the sizes that the oldest loaders take.
 */
static const struct {
	uint16_t mtu;   /* of the way; or */
	uint16_t bytes; /* of a block */
} steps[] = { { 1500, 0 }, { 1380, 0 }, { 1280, 0 }, { 0, 1024 }, { 0, TFTP_DEFAULT_BLKSIZE } };

void
paths_init(struct paths *p, const uint64_t key[static 2])
{
	memset(p, 0, sizeof(*p));
	p->key[0] = key[0];
	p->key[1] = key[1];
}

static size_t
set_of(const struct paths *p, const struct ipaddr *ip)
{
	return hash_keyed(p->key, (struct slice){ ip->b, sizeof(ip->b) }) % PATHS_SETS;
}

static bool
is_old(const struct path *e, uint64_t now_ms)
{
	return e->ip.family == 0 || now_ms - e->used_ms > PATHS_KEEP_MS;
}

static const struct path *
find(const struct paths *p, const struct ipaddr *ip, uint64_t now_ms)
{
	const struct path *set = p->table[set_of(p, ip)];

	for (size_t i = 0; i < PATHS_WAYS; i++) {
		if (!is_old(&set[i], now_ms) && ip_eq(&set[i].ip, ip))
			return &set[i];
	}
	return NULL;
}

/* The larger, the sooner it makes room. */
static uint64_t
worthless(const struct path *e, uint64_t now_ms)
{
	if (is_old(e, now_ms))
		return UINT64_MAX;
	/* one that limits nothing only spares the client a first measurement */
	return now_ms - e->used_ms +
	       (e->blksize == 0 && e->windowsize == 0 ? (uint64_t)PATHS_KEEP_MS : 0);
}

static struct path *
find_or_add(struct paths *p, const struct ipaddr *ip, uint64_t now_ms)
{
	struct path *set = p->table[set_of(p, ip)], *e = &set[0];

	for (size_t i = 0; i < PATHS_WAYS; i++) {
		if (!is_old(&set[i], now_ms) && ip_eq(&set[i].ip, ip)) {
			set[i].used_ms = now_ms;
			return &set[i];
		}
		if (worthless(&set[i], now_ms) > worthless(e, now_ms))
			e = &set[i];
	}
	*e = (struct path){ .used_ms = now_ms, .ip = *ip };
	return e;
}

void
paths_advise(const struct paths *p, const struct ipaddr *ip, uint64_t now_ms, uint64_t *blksize,
    uint64_t *windowsize, uint32_t *rtt_us)
{
	const struct path *e = find(p, ip, now_ms);

	*rtt_us = 0;
	if (e == NULL)
		return;
	*rtt_us = e->rtt_us;
	if (e->blksize != 0 && *blksize > e->blksize)
		*blksize = e->blksize;
	if (e->windowsize != 0 && *windowsize > e->windowsize)
		*windowsize = e->windowsize;
}

/* The largest step below a block that was lost. */
static uint16_t
next_lower(const struct ipaddr *ip, uint32_t bytes)
{
	uint32_t headers = ip->family == 6 ? HEADERS6_BYTES : HEADERS4_BYTES;

	for (size_t i = 0; i < NITEMS(steps); i++) {
		uint32_t step = steps[i].mtu != 0 ? steps[i].mtu - headers : steps[i].bytes;

		if (step < bytes)
			return (uint16_t)step;
	}
	return TFTP_DEFAULT_BLKSIZE;
}

static void
learn_blksize(struct path *e, struct outcome *o)
{
	const struct transfer *t = o->t;
	uint32_t first = outcome_first_bytes(o);

	if (t->acked > 0) {
		if (first > e->confirmed)
			e->confirmed = (uint16_t)first;
		if (first > e->blksize)
			e->blksize = 0; /* more gets through than was thought */
		return;
	}
	if (o->result == TRANSFER_ABORTED && t->oack_out && !t->tsize) {
		/* it may have wanted what it asked for */
		e->blksize = e->windowsize = 0;
		return;
	}
	if (!t->oack || !transfer_first_lost(t) || first <= TFTP_DEFAULT_BLKSIZE ||
	    t->sent_us - t->progress_us < LOST_US || o->result == TRANSFER_DONE_SILENT)
		return;
	if (e->confirmed >= first) {
		/* such blocks did arrive: it may have been switched off, but not twice */
		e->confirmed = 0;
		return;
	}
	e->blksize = next_lower(&e->ip, first);
	o->next_blksize = e->blksize;
}

static void
learn_windowsize(struct path *e, const struct outcome *o)
{
	const struct transfer *t = o->t;
	bool done = o->result == TRANSFER_DONE || o->result == TRANSFER_DONE_SILENT;

	if (t->acked == 0 || t->acked + t->retransmits < BLOCKS_MIN)
		return;
	if (t->retransmits > t->acked / 2) {
		if (t->windowsize > WINDOW_MIN && !t->msft)
			e->windowsize =
			    t->windowsize / 2 > WINDOW_MIN ? t->windowsize / 2 : WINDOW_MIN;
	} else if (done && t->retransmits < t->acked / 16 && t->windowsize == e->windowsize) {
		/* the limit was used up and did no harm */
		e->windowsize = e->windowsize > UINT16_MAX / 2 ? 0 : (uint16_t)(e->windowsize * 2);
	}
}

void
paths_learn(struct paths *p, const struct ipaddr *ip, struct outcome *o, uint64_t now_ms)
{
	struct path *e = find_or_add(p, ip, now_ms);

	o->next_blksize = 0;
	if (o->t->srtt_us != 0)
		e->rtt_us = o->t->srtt_us;
	learn_blksize(e, o);
	learn_windowsize(e, o);
}
