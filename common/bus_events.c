/* See bus_events.h. */
#include "common/bus_events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct queued_event {
	struct queued_event *next;
	uint64_t seq;
	uint32_t n;
	uint8_t record[];
};

void
bus_events_init(struct bus_events *q)
{
	*q = (struct bus_events){ .next_seq = 1 };
	q->last = &q->first;
}

static void
release(struct bus_events *q, uint64_t seq)
{
	while (q->first != NULL && q->first->seq <= seq) {
		struct queued_event *e = q->first;

		q->first = e->next;
		q->n--;
		q->bytes -= e->n;
		free(e);
	}
	if (q->first == NULL)
		q->last = &q->first;
}

void
bus_events_fini(struct bus_events *q)
{
	release(q, UINT64_MAX);
}

int
bus_events_add(struct bus_events *q, struct boot_event *e, void *buf, size_t size)
{
	struct queued_event *queued;
	struct msg_writer w;
	struct slice record;

	e->seq = q->next_seq;
	msg_begin(&w, buf, size, MSG_EVENTS, 0);
	if (q->n >= BUS_EVENTS || q->bytes >= BUS_EVENT_BYTES || msg_put_event(&w, e) < 0)
		goto lost;
	record = msg_last_record(&w);
	queued = malloc(sizeof(*queued) + record.n);
	if (queued == NULL)
		goto lost;
	*queued = (struct queued_event){ .seq = e->seq, .n = (uint32_t)record.n };
	memcpy(queued->record, record.p, record.n);
	*q->last = queued;
	q->last = &queued->next;
	q->n++;
	q->bytes += record.n;
	q->next_seq++;
	return 0;
lost:
	q->unreported++;
	return -ENOBUFS;
}

bool
bus_events_due(const struct bus_events *q, uint64_t now_ms)
{
	return q->first != NULL && (q->sent_seq == 0 || now_ms - q->sent_ms >= BUS_ACK_MS);
}

uint64_t
bus_events_pack(const struct bus_events *q, struct msg_writer *w, size_t max_bytes)
{
	uint64_t seq = 0;

	for (const struct queued_event *e = q->first; e != NULL; e = e->next) {
		if (w->records == BUS_EVENT_BATCH || w->w.used > max_bytes ||
		    msg_put_record(w, (struct slice){ e->record, e->n }) < 0)
			break;
		seq = e->seq;
	}
	return seq;
}

void
bus_events_sent(struct bus_events *q, uint64_t seq, uint64_t now_ms)
{
	q->sent_seq = seq;
	q->sent_ms = now_ms;
}

void
bus_events_resend(struct bus_events *q)
{
	q->sent_seq = 0;
}

bool
bus_events_acked(struct bus_events *q, uint64_t seq)
{
	release(q, seq);
	if (seq >= q->sent_seq)
		q->sent_seq = 0;
	return q->unreported > 0;
}

struct boot_event
bus_events_losses(struct bus_events *q)
{
	struct boot_event e = { .kind = EVENT_LOST, .bytes = q->unreported };

	q->unreported = 0;
	return e;
}
