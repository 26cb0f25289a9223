/*
 * Requests of a self-test (ferryctl doctor, and dhcpproxyd at its start): machines that are not
 * there ask as real ones would.  They are answered like any other, and leave nothing behind: no
 * boot, no machine, no line of a timeline, nothing learned.  They are counted.  Pure.
 *
 * Which requests these are, front daemons say, who were told by their own control sockets; nobody
 * on the network can.  The test then fetches what it was offered, and tftpd and httpsbootd know
 * nothing of it: so for some seconds what comes from the address that the test was run from counts
 * as part of it.
 */
#ifndef HANDLERD_SELFTEST_H
#define HANDLERD_SELFTEST_H

#include "common/msg.h"

#define SELFTEST_FETCH_MS 60000

struct selftest {
	struct ipaddr address; /* from where what was offered is fetched, */
	uint64_t until_ms;     /* until then */
	uint64_t requests;
};

/* True if this request is one; then it is counted. */
bool selftest_takes(struct selftest *t, const struct boot_request *r, uint64_t now_ms);
/* True if this event tells of one. */
bool selftest_covers(const struct selftest *t, const struct boot_event *e, uint64_t now_ms);
/*
 * What of an answer is not for a self-test: its boot is none; and where a source (`need`) would
 * have to be asked first, whom a self-test does not ask: silence, with that as the reason.
 */
void selftest_answer(unsigned need, struct boot_answer *a);

#endif
