/* Transfers under way; see transfers.h.  A hash by sender and number, and a list by time. */
#include "handlerd/transfers.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS 4096u /* a power of two */

struct node {
	struct node *chain; /* of its hash */
	struct node *newer, *older;
	struct running r;
};

struct transfers {
	size_t limit;
	struct node *newest, *oldest;
	struct transfers_stats stats;
	struct transfer_failures failures[TRANSFERS_REASONS];
	struct node *chains[CHAINS];
};

int
transfers_new(size_t limit, struct transfers **ret)
{
	struct transfers *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->limit = limit;
	*ret = t;
	return 0;
}

static struct node **
chain_of(struct transfers *t, uint64_t origin, uint64_t id)
{
	uint64_t h = (origin ^ id * 0x9e3779b97f4a7c15u) * 0x9e3779b97f4a7c15u;

	return &t->chains[h >> 32 & (CHAINS - 1)];
}

/* The link to it; to NULL if it is not there. */
static struct node **
find(struct transfers *t, uint64_t origin, uint64_t id)
{
	struct node **at = chain_of(t, origin, id);

	while (*at != NULL && ((*at)->r.origin != origin || (*at)->r.id != id))
		at = &(*at)->chain;
	return at;
}

static void
unlist(struct transfers *t, struct node *n)
{
	*(n->newer != NULL ? &n->newer->older : &t->newest) = n->older;
	*(n->older != NULL ? &n->older->newer : &t->oldest) = n->newer;
}

static void
list_first(struct transfers *t, struct node *n)
{
	n->newer = NULL;
	n->older = t->newest;
	*(n->older != NULL ? &n->older->newer : &t->oldest) = n;
	t->newest = n;
}

static void
drop(struct transfers *t, struct node **at)
{
	struct node *n = *at;

	assert(n != NULL);
	*at = n->chain;
	unlist(t, n);
	t->stats.running--;
	free(n);
}

void
transfers_free(struct transfers *t)
{
	if (t == NULL)
		return;
	while (t->newest != NULL)
		drop(t, find(t, t->newest->r.origin, t->newest->r.id));
	free(t);
}

/* The one that an event is of, made if it is new; NULL without memory. */
static struct node *
take(struct transfers *t, uint64_t origin, const struct boot_event *e, uint64_t now_ms)
{
	struct node **at = find(t, origin, e->transfer), *n = *at;

	if (n != NULL) {
		unlist(t, n);
		list_first(t, n);
		return n;
	}
	if (t->stats.running >= t->limit) {
		drop(t, find(t, t->oldest->r.origin, t->oldest->r.id));
		t->stats.pushed++;
	}
	n = calloc(1, sizeof(*n));
	if (n == NULL)
		return NULL;
	n->r.origin = origin;
	n->r.id = e->transfer;
	/* by its sender's clock it may have begun before it was heard of */
	n->r.began_ms = now_ms > e->duration_ms ? now_ms - e->duration_ms : now_ms;
	at = chain_of(t, origin, e->transfer);
	n->chain = *at;
	*at = n;
	list_first(t, n);
	t->stats.running++;
	return n;
}

/* The words of a failure without what differs from one to the next. */
static void
generalise(struct slice text, char ret[static TRANSFERS_WORDS])
{
	size_t used = 0;

	for (size_t i = 0; i < text.n && used + 1 < TRANSFERS_WORDS; i++) {
		if (!isdigit(text.p[i]))
			ret[used++] = (char)text.p[i];
		else if (used == 0 || ret[used - 1] != 'N')
			ret[used++] = 'N';
	}
	ret[used] = '\0';
}

static void
count_failure(struct transfers *t, struct slice text)
{
	struct transfers_stats *s = &t->stats;
	char words[TRANSFERS_WORDS];
	size_t i = 0;

	s->failed++;
	generalise(text.n > 0 ? text : slice_str("no reason given"), words);
	while (i < s->nfailures && strcmp(t->failures[i].words, words) != 0)
		i++;
	if (i == s->nfailures && i < TRANSFERS_REASONS) {
		/* the last place is for all that has none of its own: clients can make up words */
		memcpy(t->failures[i].words, i + 1 < TRANSFERS_REASONS ? words : "others",
		    i + 1 < TRANSFERS_REASONS ? sizeof(words) : sizeof("others"));
		s->nfailures++;
	}
	t->failures[i < TRANSFERS_REASONS ? i : TRANSFERS_REASONS - 1].n++;
}

void
transfers_note(struct transfers *t, uint64_t origin, const struct boot_event *e, uint64_t boot,
    const struct macaddr *mac, uint64_t now_ms)
{
	bool begins = e->kind == EVENT_TRANSFER_BEGAN;
	struct node *n;

	switch (e->kind) {
	case EVENT_TRANSFER_FAILED: count_failure(t, e->text); break;
	case EVENT_TRANSFER_FINISHED: t->stats.finished++; break;
	case EVENT_TRANSFER_BEGAN:
	case EVENT_TRANSFER_PROGRESS:
	case EVENT_SIZE_PROBE: break;
	default: return;
	}
	if (e->transfer == 0)
		return;
	if (!begins && e->kind != EVENT_TRANSFER_PROGRESS) {
		struct node **at = find(t, origin, e->transfer);

		if (*at != NULL)
			drop(t, at);
		return;
	}
	n = take(t, origin, e, now_ms);
	if (n == NULL)
		return;
	n->r.heard_ms = now_ms;
	n->r.progressed = !begins;
	n->r.boot = boot;
	n->r.mac = *mac;
	n->r.via = e->via;
	n->r.address = e->address;
	n->r.bytes = begins ? 0 : e->bytes;
	n->r.size = e->size != 0 ? e->size : begins ? e->bytes : n->r.size;
	n->r.bytes_per_s = e->bytes_per_s;
	n->r.blksize = e->blksize;
	n->r.windowsize = e->windowsize;
	n->r.retransmits = e->retransmits;
	(void)slice_copy(n->r.subnet, sizeof(n->r.subnet), e->subnet);
	(void)slice_copy(n->r.file, sizeof(n->r.file), e->file);
}

void
transfers_expire(struct transfers *t, uint64_t now_ms, transfers_fn *fn, void *arg)
{
	while (t->oldest != NULL && now_ms > t->oldest->r.heard_ms + TRANSFERS_QUIET_MS) {
		fn(arg, &t->oldest->r);
		t->stats.forgotten++;
		drop(t, find(t, t->oldest->r.origin, t->oldest->r.id));
	}
}

void
transfers_each(const struct transfers *t, size_t limit, transfers_fn *fn, void *arg)
{
	for (const struct node *n = t->newest; n != NULL && limit > 0; n = n->older, limit--)
		fn(arg, &n->r);
}

struct transfers_stats
transfers_stats(const struct transfers *t)
{
	struct transfers_stats s = t->stats;

	s.failures = t->failures;
	return s;
}
