/* Requests of a self-test; see selftest.h. */
#include "handlerd/selftest.h"

static bool
is_from(const struct selftest *t, const struct ipaddr *address, uint64_t now_ms)
{
	return now_ms < t->until_ms && ip_eq(address, &t->address);
}

bool
selftest_takes(struct selftest *t, const struct boot_request *r, uint64_t now_ms)
{
	bool fetch = r->stage == STAGE_FILE || r->stage == STAGE_BOOT;

	if (r->selftest) {
		t->address = r->server;
		t->until_ms = now_ms + SELFTEST_FETCH_MS;
	} else if (t->until_ms == 0 || !fetch || !is_from(t, &r->address, now_ms)) {
		return false;
	}
	t->requests++;
	return true;
}

bool
selftest_covers(const struct selftest *t, const struct boot_event *e, uint64_t now_ms)
{
	return t->until_ms != 0 && e->boot == 0 && is_from(t, &e->address, now_ms);
}

void
selftest_answer(unsigned need, struct boot_answer *a)
{
	a->boot = 0;     /* the one that it was decided for is imagined */
	a->delay_ms = 0; /* nothing will be loaded */
	if (need == 0)
		return;
	a->action = ACTION_IGNORE;
	a->reason = REASON_SOURCE_LATE;
}
