/*
 * Reports on their way to the web service: a bounded queue that outlives an outage.  Reports of one
 * machine go out one after the other, in order; each is tried until the service takes it, refuses
 * it for good, or it is too old.
 */
#ifndef HANDLERD_WS_REPORTS_H
#define HANDLERD_WS_REPORTS_H

#include "handlerd/ws_client.h"

#include <jansson.h>

struct ws_reports;

struct ws_reports_conf {
	size_t max;          /* in the queue */
	uint64_t max_age_ms; /* older ones are dropped */
	uint32_t timeout_ms; /* of one try */
};

/* `client` stays the caller's, and is closed before the reports are.  0, or -ENOMEM. */
int ws_reports_open(struct loop *loop, struct ws_client *client, const struct ws_reports_conf *conf,
    struct ws_reports **ret);
/* Logs how many are lost.  NULL is allowed. */
void ws_reports_close(struct ws_reports *r);

/* Takes over `body`, in any case.  0, or -ENOMEM. */
int ws_reports_add(struct ws_reports *r, const char *path, json_t *body, const char *machine);

/* A new object with what was counted. */
json_t *ws_reports_status(const struct ws_reports *r);

#endif
