/*
 * The queue of a front daemon's events: numbered, bounded, kept until handlerd confirms them.
 *
 * Events leave one message at a time.  What was sent stays queued and is sent again when no
 * confirmation comes, or when the handlerd that had it is gone.  What does not fit is counted, and
 * told as an event of its own (EVENT_LOST) when there is room again.
 */
#ifndef COMMON_BUS_EVENTS_H
#define COMMON_BUS_EVENTS_H

#include "common/msg.h"

#define BUS_EVENTS      65536 /* queued events, and their bytes */
#define BUS_EVENT_BYTES (16u << 20)
#define BUS_EVENT_BATCH 512  /* events in one message */
#define BUS_ACK_MS      1000 /* events that nobody confirmed are sent again */

struct queued_event;

struct bus_events {
	struct queued_event *first, **last;
	size_t n, bytes;
	uint64_t next_seq;
	uint64_t sent_seq; /* the last event of the message under way; 0: none is */
	uint64_t sent_ms;
	uint64_t unreported; /* events that found no room, and that no EVENT_LOST tells of yet */
};

void bus_events_init(struct bus_events *q);
/* Forgets what is queued. */
void bus_events_fini(struct bus_events *q);

/*
 * Queues an event, with its at_ms filled in; sets its seq.  `buf` is room for one record.  0, or
 * -ENOBUFS after counting it as lost.
 */
int bus_events_add(struct bus_events *q, struct boot_event *e, void *buf, size_t size);
/* True when a message of events may leave now. */
bool bus_events_due(const struct bus_events *q, uint64_t now_ms);
/*
 * Puts the oldest events into a message of kind MSG_EVENTS, until that has max_bytes or
 * BUS_EVENT_BATCH records.  The number of the last one; 0 if there is none.
 */
uint64_t bus_events_pack(const struct bus_events *q, struct msg_writer *w, size_t max_bytes);
/* The message with the events up to `seq` is under way. */
void bus_events_sent(struct bus_events *q, uint64_t seq, uint64_t now_ms);
/* It may never have arrived: they are due again. */
void bus_events_resend(struct bus_events *q);
/* Those up to `seq` are stored; true if losses are to be reported now, by bus_events_losses(). */
bool bus_events_acked(struct bus_events *q, uint64_t seq);
/* The event that tells of the losses so far, which then count as reported. */
struct boot_event bus_events_losses(struct bus_events *q);

#endif
