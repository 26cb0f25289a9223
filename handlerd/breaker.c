/* Circuit breakers; see breaker.h. */
#include "handlerd/breaker.h"

#include "common/wire.h"

static const char *const state_names[BREAKER_STATES] = {
	[BREAKER_CLOSED] = "closed",
	[BREAKER_OPEN] = "open",
	[BREAKER_HALF_OPEN] = "half-open",
};

const char *
breaker_state_name(enum breaker_state v)
{
	return v < BREAKER_STATES ? state_names[v] : "?";
}

void
breaker_init(struct breaker *b, const struct breaker_conf *conf)
{
	*b = (struct breaker){ .conf = *conf };
}

static void
enter(struct breaker *b, enum breaker_state state)
{
	b->state = state;
	b->epoch++;
}

bool
breaker_would_pass(const struct breaker *b, uint64_t now_ms)
{
	return b->state == BREAKER_CLOSED || (b->state == BREAKER_OPEN && now_ms >= b->next_ms);
}

bool
breaker_pass(struct breaker *b, uint64_t now_ms, uint32_t *ret_ticket)
{
	if (!breaker_would_pass(b, now_ms)) {
		b->refused++;
		return false;
	}
	if (b->state == BREAKER_OPEN)
		enter(b, BREAKER_HALF_OPEN);
	*ret_ticket = b->epoch;
	return true;
}

static void
remember(struct breaker *b, bool failed)
{
	b->window = b->window << 1 | failed;
	if (b->known < BREAKER_WINDOW)
		b->known++;
}

void
breaker_success(struct breaker *b, uint32_t ticket)
{
	if (ticket != b->epoch)
		return; /* of a call from before the change: it says nothing about now */
	b->in_a_row = 0;
	if (b->state == BREAKER_HALF_OPEN) {
		b->window = b->known = 0;
		enter(b, BREAKER_CLOSED);
	} else {
		remember(b, false);
	}
}

/* Opens for `wait_ms`, and up to half as long again. */
static void
open_for(struct breaker *b, uint32_t wait_ms, uint64_t now_ms, uint32_t chance)
{
	b->wait_ms = wait_ms;
	b->next_ms = now_ms + wait_ms + chance % (wait_ms / 2 + 1);
	enter(b, BREAKER_OPEN);
}

void
breaker_failure(struct breaker *b, uint32_t ticket, uint64_t now_ms, uint32_t chance)
{
	uint32_t failed;

	if (ticket != b->epoch)
		return;
	if (b->state == BREAKER_HALF_OPEN) {
		open_for(b,
		    b->wait_ms > b->conf.max_wait_ms / 2 ? b->conf.max_wait_ms : b->wait_ms * 2,
		    now_ms, chance);
		return;
	}
	remember(b, true);
	failed = (uint32_t)__builtin_popcount(b->window);
	if (++b->in_a_row < b->conf.failures &&
	    (b->conf.share_percent == 0 || b->known < BREAKER_WINDOW ||
		failed * 100 < b->conf.share_percent * BREAKER_WINDOW))
		return;
	b->in_a_row = 0;
	b->opened++;
	open_for(b, BREAKER_MIN_WAIT_MS, now_ms, chance);
}
