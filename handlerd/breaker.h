/*
 * A circuit breaker for one server that is asked for help.  Closed: all calls go out.  Too many
 * failures open it: calls fail at once, so that nobody waits for a dead server and a sick one is
 * left in peace.  From time to time one call is let through as a probe (half-open); if it works
 * the breaker closes, else the wait doubles, up to a bound.  Pure: time and chance are arguments.
 */
#ifndef HANDLERD_BREAKER_H
#define HANDLERD_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_WINDOW      32   /* calls whose outcomes are remembered */
#define BREAKER_MIN_WAIT_MS 1000 /* never more than one probe in this time */

struct breaker_conf {
	uint32_t failures;      /* so many in a row open it; 1 or more */
	uint32_t share_percent; /* ... or this share of the last BREAKER_WINDOW calls; 0: never */
	uint32_t max_wait_ms;   /* between probes; BREAKER_MIN_WAIT_MS or more */
};

enum breaker_state {
	BREAKER_CLOSED,
	BREAKER_OPEN,
	BREAKER_HALF_OPEN, /* a probe is out */
	BREAKER_STATES,
};

struct breaker {
	struct breaker_conf conf;
	enum breaker_state state;
	uint32_t epoch;    /* counts changes of state, so that late outcomes are known */
	uint32_t in_a_row; /* failures */
	uint32_t window;   /* outcomes of the last calls, 1 for a failure, the latest lowest */
	uint32_t known;    /* how many of them there are */
	uint32_t wait_ms;  /* from the last failed probe to the next */
	uint64_t next_ms;  /* when the next probe may go out */
	uint64_t opened;   /* how often it opened from closed */
	uint64_t refused;  /* calls that were not let through */
};

const char *breaker_state_name(enum breaker_state v); /* "closed", "open", "half-open" */

void breaker_init(struct breaker *b, const struct breaker_conf *conf);
/*
 * True if a call may go out now; its outcome must then be told, once, with the ticket.  False: do
 * without it.
 */
bool breaker_pass(struct breaker *b, uint64_t now_ms, uint32_t *ret_ticket);
/* True if breaker_pass() would let a call through; counts and changes nothing. */
bool breaker_would_pass(const struct breaker *b, uint64_t now_ms);
void breaker_success(struct breaker *b, uint32_t ticket);
/* `chance` is a random number, which spreads the probes of several daemons. */
void breaker_failure(struct breaker *b, uint32_t ticket, uint64_t now_ms, uint32_t chance);

#endif
