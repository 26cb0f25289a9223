/*
 * What the web service is told of a boot without being asked: that it got its entry, that its files
 * are on their way and there, that it started.
 */
#ifndef HANDLERD_REPORT_H
#define HANDLERD_REPORT_H

#include "handlerd/handlerd.h"

/* After a decision: the entry that a machine got, or the report that it sent. */
void report_decision(struct handlerd *h, const struct boot_request *r, const struct boot *b,
    const struct facts *facts, const struct decision *d);
/* After an event of a front daemon: a transfer of one of an image's files. */
void report_transfer(struct handlerd *h, const struct boot *b, const struct boot_event *e);

#endif
