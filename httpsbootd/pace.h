/*
 * How fast one client sends its requests and takes its answers, and when that is too slow.  Told by
 * two counters of the kernel: bytes received from it, and bytes that it has acknowledged.  They say
 * what really went over the wire, whatever lies in buffers of ours, and TLS makes no difference.
 * Pure.
 */
#ifndef HTTPSBOOTD_PACE_H
#define HTTPSBOOTD_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum pace_stage {
	PACE_HANDSHAKE, /* of TLS, which has a limit of its own */
	PACE_FRESH,     /* no request yet: the first one is due */
	PACE_IDLE,      /* between two requests, as long as the client likes (idle_timeout_s) */
	PACE_HEAD,      /* the head of a request comes in */
	PACE_BODY,      /* its form */
	PACE_THINK,     /* it waits for us */
	PACE_ANSWER,    /* the answer goes out */
	PACE_STAGES,
};

enum pace_fault {
	PACE_FINE,
	PACE_SLOW_HEAD,
	PACE_SLOW_BODY,
	PACE_SLOW_ANSWER,
	PACE_FAULTS,
};

struct pace_limits {
	uint64_t head_ms;  /* a head, from its first byte, or from the connection's begin */
	uint64_t slow_ms;  /* so long may a client be slower than the rate */
	uint64_t min_rate; /* bytes a second */
};

struct pace_counts {
	uint64_t received, acked;
	bool unsent; /* there is more to be sent than the client has room for */
};

struct pace {
	enum pace_stage stage;
	uint64_t since_ms; /* of the stage */
	struct pace_counts at_stage;
	uint64_t mark_ms; /* when it was last fast enough */
	uint64_t mark;    /* the counter then */
};

void pace_init(struct pace *p, uint64_t now_ms, const struct pace_counts *counts);
/* The connection is in another stage, or in the same one again. */
void pace_enter(
    struct pace *p, enum pace_stage stage, uint64_t now_ms, const struct pace_counts *counts);
/* To be called now and then: every second or so. */
enum pace_fault pace_look(struct pace *p, const struct pace_limits *limits, uint64_t now_ms,
    const struct pace_counts *counts);

/* Bytes of the answer that the client has, with what TLS adds to them. */
uint64_t pace_taken(const struct pace *p, const struct pace_counts *counts);

const char *pace_fault_name(enum pace_fault v);

#endif
