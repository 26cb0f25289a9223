/*
 * The table of machines under rows of requests, merges and splits: whatever clients claim, what was
 * added is found again, counts agree, and nothing is left at the end.
 */
#include "handlerd/machines_db.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define MACHINES 40

static struct slice
take_text(struct rbuf *r)
{
	return rbuf_slice(r, rbuf_u8(r) & 0x1f);
}

/* A request as the fuzzer wants it; short ones end the row. */
static void
take_request(struct rbuf *r, struct boot_request *ret)
{
	uint8_t has = rbuf_u8(r);

	*ret = (struct boot_request){ .has_uuid = (has & 1) != 0 };
	if ((has & 2) != 0) {
		ret->mac.len = 1 + (rbuf_u8(r) & 0x0f);
		rbuf_bytes(r, ret->mac.b, ret->mac.len);
	}
	if (ret->has_uuid)
		rbuf_bytes(r, ret->uuid.b, sizeof(ret->uuid.b));
	if ((has & 4) != 0)
		ret->serial = take_text(r);
	if ((has & 8) != 0)
		ret->asset = take_text(r);
	if ((has & 16) != 0)
		ret->manufacturer = take_text(r);
	if ((has & 32) != 0)
		ret->relay_info = take_text(r);
}

static void
note(struct machines *t, const struct identity *claim, uint64_t now_ms)
{
	const struct machine_facts facts = { .arch = ARCH_UNKNOWN };
	struct machine_change change;
	struct match m, again;
	uint64_t id = 0;

	machines_match(t, claim, &m);
	MUST(m.ncandidates <= MATCH_CANDIDATES && (m.id == 0 || m.candidates[0].id == m.id));
	for (size_t i = 0; i < m.ncandidates; i++)
		MUST((m.candidates[i].why == WHY_BEST) == (m.candidates[i].id == m.id));
	if (m.id != 0) {
		MUST(machines_learn(t, m.id, claim, &facts, now_ms, &change) == 0);
	} else if (machines_add(t, claim, &facts, now_ms, &id, &change) == 0) {
		machines_match(t, claim, &again);
		MUST(again.ncandidates > 0);
	}
}

static void
step(struct machines *t, struct rbuf *r, uint64_t now_ms)
{
	uint8_t op = rbuf_u8(r);
	uint64_t a = rbuf_u8(r), b, fresh;
	struct machine_change change;
	struct boot_request request;
	struct identity claim;

	take_request(r, &request);
	identity_from_request(&request, &claim);
	switch (op % 8) {
	case 0:
		b = rbuf_u8(r);
		(void)machines_merge(t, a, b, &change);
		break;
	case 1: (void)machines_split(t, a, &claim, 1, &fresh, &change); break;
	case 2: (void)machines_set_group(t, a, claim.serial); break;
	case 3: (void)machines_remove(t, a); break;
	default: note(t, &claim, now_ms); break;
	}
	while (machines_evict(t) != 0)
		;
}

static void
ignore(void *arg, const struct duplicate *d)
{
	(void)arg;
	MUST(d->n >= 2 && d->n <= MACHINE_SHARERS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct machines_conf conf = {
		.max_machines = MACHINES,
		.hash_key = { 5, 6 },
		.weights = match_weights_default,
	};
	struct machines *t;
	struct rbuf r;

	if (machines_new(&conf, &t) < 0)
		return 0;
	rbuf_init(&r, data, size);
	for (uint64_t now_ms = 1; r.left > 0 && !r.bad; now_ms++)
		step(t, &r, now_ms);
	(void)machines_duplicates(t, 1000, ignore, NULL);
	MUST(machines_count(t) <= MACHINES);
	for (uint64_t id = 1; id <= t->last_id; id++)
		(void)machines_remove(t, id);
	MUST(machines_count(t) == 0 && t->index.n == 0 && t->texts.by_hash.n == 0);
	machines_free(t);
	return 0;
}
