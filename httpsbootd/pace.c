/* See pace.h. */
#include "httpsbootd/pace.h"

#include "common/wire.h"

void
pace_init(struct pace *p, uint64_t now_ms, const struct pace_counts *counts)
{
	pace_enter(p, PACE_HANDSHAKE, now_ms, counts);
}

void
pace_enter(struct pace *p, enum pace_stage stage, uint64_t now_ms, const struct pace_counts *counts)
{
	*p = (struct pace){
		.stage = stage,
		.since_ms = now_ms,
		.at_stage = *counts,
		.mark_ms = now_ms,
		.mark = stage == PACE_BODY ? counts->received : counts->acked,
	};
}

/* True if the counter has not kept to the rate since the mark, for too long. */
static bool
is_slow(struct pace *p, const struct pace_limits *limits, uint64_t now_ms, uint64_t counter)
{
	uint64_t ms = now_ms - p->mark_ms;

	if ((counter - p->mark) * 1000 >= limits->min_rate * ms) {
		/* each window counts for itself: what was fast once may not stall for it later */
		if (ms >= limits->slow_ms / 2) {
			p->mark_ms = now_ms;
			p->mark = counter;
		}
		return false;
	}
	return ms >= limits->slow_ms;
}

/* A client that has taken all that was sent is not the slow one. */
static bool
is_slow_answer(struct pace *p, const struct pace_limits *limits, uint64_t now_ms,
    const struct pace_counts *counts)
{
	if (counts->unsent)
		return is_slow(p, limits, now_ms, counts->acked);
	p->mark_ms = now_ms;
	p->mark = counts->acked;
	return false;
}

enum pace_fault
pace_look(struct pace *p, const struct pace_limits *limits, uint64_t now_ms,
    const struct pace_counts *counts)
{
	switch (p->stage) {
	case PACE_FRESH:
	case PACE_HEAD: return now_ms - p->since_ms >= limits->head_ms ? PACE_SLOW_HEAD : PACE_FINE;
	case PACE_IDLE:
		if (counts->received > p->at_stage.received) {
			pace_enter(p, PACE_HEAD, now_ms, counts);
			return PACE_FINE;
		}
		/* the engine is done with an answer when the last of it is in a buffer */
		return is_slow_answer(p, limits, now_ms, counts) ? PACE_SLOW_ANSWER : PACE_FINE;
	case PACE_BODY:
		return is_slow(p, limits, now_ms, counts->received) ? PACE_SLOW_BODY : PACE_FINE;
	case PACE_ANSWER:
		return is_slow_answer(p, limits, now_ms, counts) ? PACE_SLOW_ANSWER : PACE_FINE;
	default: return PACE_FINE;
	}
}

uint64_t
pace_taken(const struct pace *p, const struct pace_counts *counts)
{
	return p->stage == PACE_ANSWER ? counts->acked - p->at_stage.acked : 0;
}

const char *
pace_fault_name(enum pace_fault v)
{
	static const char *const names[] = {
		[PACE_FINE] = "fine",
		[PACE_SLOW_HEAD] = "slow-head",
		[PACE_SLOW_BODY] = "slow-body",
		[PACE_SLOW_ANSWER] = "slow-answer",
	};
	_Static_assert(NITEMS(names) == PACE_FAULTS, "a name for each");

	return (unsigned)v < PACE_FAULTS ? names[v] : "?";
}
