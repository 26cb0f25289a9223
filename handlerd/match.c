/*
 * Weighing a claim against the machines that share an identifier with it; see machines.h.
 *
 * Worth of the claim's identifiers is judged once; then each candidate is scored, the candidates
 * are put in order, and each that is not the best is told why.
 */
#include "handlerd/machines_db.h"

#include <stdlib.h>
#include <string.h>

/*
 * - A UUID is the board's and told at every stage: 50.  Makers and cloning tools repeat it, so that
 *   another serial number (70) or another model (30) outweighs it.
 * - A MAC is the adapter's, and adapters move: 40, and less than the threshold remains when the
 *   UUID is another one (20).  30 as long as the machine's serial number was not seen with it.
 * - A serial number is the case's and stays when a board is replaced: 45.  It counts with its maker
 *   only, else 20.  With nothing but new parts around it (new UUID, new MAC) it is below the
 *   threshold: whole series have one number, and taking them for one machine would install them all
 *   when one is assigned.  The asset tag, or the old MAC, is enough beside it.
 * - An asset tag is typed by people: 20, and -5 when it differs, for it changes with the owner.
 * - A switch port tells where a machine stands, not which it is: it only decides between equals.
 */
const struct match_weights match_weights_default = {
	.mac = 40,
	.uuid = 50,
	.serial = 45,
	.asset = 20,
	.mac_unsure = 30,
	.serial_alone = 20,
	.uuid_differs = 20,
	.serial_differs = 70,
	.asset_differs = 5,
	.model_differs = 30,
	.port = 10,
	.threshold = 30,
};

const char *
evidence_kind_name(enum evidence_kind v)
{
	static const char *const names[EVIDENCE_KINDS] = {
		[EVIDENCE_UNSAID] = "unsaid",
		[EVIDENCE_SAME] = "same",
		[EVIDENCE_SWAPPED] = "swapped",
		[EVIDENCE_DIFFERS] = "differs",
		[EVIDENCE_SHARED] = "shared-adapter",
		[VERDICT_OTHER_MAKER] = "other-maker",
		[EVIDENCE_BAD] = "known-bad",
		[EVIDENCE_CROWDED] = "crowded",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

const char *
match_why_name(enum match_why v)
{
	static const char *const names[MATCH_WHYS] = {
		[WHY_BEST] = "best",
		[WHY_BELOW] = "below-threshold",
		[WHY_FEWER] = "fewer-points",
		[WHY_PORT] = "other-port",
		[WHY_OLDER] = "seen-earlier",
		[WHY_PASSING] = "passing",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

/* A claim, and what each of its identifiers is worth where it is the same. */
struct weighed {
	const struct identity *claim;
	enum evidence_kind worth[IDENTIFIERS];
	uint32_t holders[IDENTIFIERS][MACHINE_SHARERS];
	size_t nholders[IDENTIFIERS];
};

static const enum key_kind key_of[] = {
	[IDENTIFIER_MAC] = KEY_MAC,
	[IDENTIFIER_UUID] = KEY_UUID,
	[IDENTIFIER_SERIAL] = KEY_SERIAL,
	[IDENTIFIER_ASSET] = KEY_ASSET,
};

static enum evidence_kind
text_worth(const struct machines *t, struct slice s)
{
	if (s.n == 0)
		return EVIDENCE_UNSAID;
	return identity_text_is_bad(t->conf.lists, s) ? EVIDENCE_BAD : EVIDENCE_SAME;
}

static void
weigh(const struct machines *t, const struct identity *claim, struct weighed *ret)
{
	const struct identity_lists *lists = t->conf.lists;

	ret->claim = claim;
	ret->worth[IDENTIFIER_MAC] = claim->mac.len == 0                          ? EVIDENCE_UNSAID
	                             : identity_mac_is_shared(lists, &claim->mac) ? EVIDENCE_SHARED
	                                                                          : EVIDENCE_SAME;
	ret->worth[IDENTIFIER_UUID] = !claim->has_uuid                            ? EVIDENCE_UNSAID
	                              : identity_uuid_is_bad(lists, &claim->uuid) ? EVIDENCE_BAD
	                                                                          : EVIDENCE_SAME;
	ret->worth[IDENTIFIER_SERIAL] = text_worth(t, claim->serial);
	ret->worth[IDENTIFIER_ASSET] = text_worth(t, claim->asset);
	for (size_t i = 0; i < NITEMS(key_of); i++) {
		ret->nholders[i] = rows_holding(t, key_of[i], claim, ret->holders[i]);
		if (ret->nholders[i] == MACHINE_SHARERS && ret->worth[i] == EVIDENCE_SAME)
			ret->worth[i] = EVIDENCE_CROWDED;
	}
}

int
match_worth(const struct machines *t, const struct identity *claim)
{
	const struct match_weights *w = &t->conf.weights;
	const int points[] = {
		[IDENTIFIER_MAC] = w->mac,
		[IDENTIFIER_UUID] = w->uuid,
		[IDENTIFIER_SERIAL] = claim->manufacturer.n > 0 ? w->serial : w->serial_alone,
		[IDENTIFIER_ASSET] = w->asset,
	};
	struct weighed weighed;
	int sum = 0;

	weigh(t, claim, &weighed);
	for (size_t i = 0; i < NITEMS(points); i++)
		sum += weighed.worth[i] == EVIDENCE_SAME ? points[i] : 0;
	return sum;
}

bool
row_is_passing(const struct machines *t, const struct row *row)
{
	struct slice serial = row_serial(row), asset = row_asset(row);

	return !row_is_decided(row) &&
	       (serial.n == 0 || identity_text_is_bad(t->conf.lists, serial)) &&
	       (asset.n == 0 || identity_text_is_bad(t->conf.lists, asset));
}

/* --- evidence ------------------------------------------------------------------------------- */

static void
tell(struct candidate *c, enum identifier which, enum evidence_kind verdict, int points)
{
	c->evidence[which].verdict = verdict;
	c->evidence[which].points = points;
	c->score += points;
}

/* Something is the same on both sides: points only if it is worth something. */
static void
tell_same(const struct weighed *w, struct candidate *c, enum identifier which,
    enum evidence_kind verdict, int points)
{
	if (w->worth[which] == EVIDENCE_SAME)
		tell(c, which, verdict, points);
	else
		tell(c, which, w->worth[which], 0);
}

static bool
is_sure(const struct row *row, const struct macaddr *mac)
{
	const uint8_t *p = row->bytes;

	for (size_t i = 0; i < row->nmacs; i++) {
		uint8_t len = *p & (uint8_t)~ROW_MAC_SURE;

		if (len == mac->len && memcmp(p + 1, mac->b, len) == 0)
			return (*p & ROW_MAC_SURE) != 0;
		p += 1 + len;
	}
	return false;
}

static void
score_mac(
    const struct machines *t, const struct weighed *w, const struct row *row, struct candidate *c)
{
	const struct macaddr *mac = &w->claim->mac;

	if (mac->len == 0 || row->nmacs == 0)
		return;
	if (!row_has_mac(row, mac))
		tell(c, IDENTIFIER_MAC, EVIDENCE_DIFFERS, 0);
	else
		tell_same(w, c, IDENTIFIER_MAC, EVIDENCE_SAME,
		    is_sure(row, mac) ? t->conf.weights.mac : t->conf.weights.mac_unsure);
}

static void
score_uuid(
    const struct machines *t, const struct weighed *w, const struct row *row, struct candidate *c)
{
	enum evidence_kind v;

	if (!w->claim->has_uuid)
		return;
	v = row_has_uuid(row, &w->claim->uuid);
	if (v == EVIDENCE_SAME || v == EVIDENCE_SWAPPED)
		tell_same(w, c, IDENTIFIER_UUID, v, t->conf.weights.uuid);
	else if (v == EVIDENCE_DIFFERS && (w->worth[IDENTIFIER_UUID] == EVIDENCE_BAD ||
					      identity_uuid_is_bad(t->conf.lists, &row->uuid)))
		tell(c, IDENTIFIER_UUID, EVIDENCE_BAD, 0);
	else if (v == EVIDENCE_DIFFERS)
		tell(c, IDENTIFIER_UUID, v, -t->conf.weights.uuid_differs);
}

static void
score_text(const struct machines *t, const struct weighed *w, enum identifier which,
    struct slice said, struct slice known, int same, int differs, struct candidate *c)
{
	if (said.n == 0 || known.n == 0)
		return;
	if (slice_eq(said, known))
		tell_same(w, c, which, EVIDENCE_SAME, same);
	else if (w->worth[which] == EVIDENCE_BAD || identity_text_is_bad(t->conf.lists, known))
		tell(c, which, EVIDENCE_BAD, 0);
	else
		tell(c, which, EVIDENCE_DIFFERS, -differs);
}

/* -1: they differ, 0: one side does not say, 1: same. */
static int
compare(struct slice a, struct slice b)
{
	if (a.n == 0 || b.n == 0)
		return 0;
	return slice_eq(a, b) ? 1 : -1;
}

static void
score_rest(
    const struct machines *t, const struct weighed *w, const struct row *row, struct candidate *c)
{
	const struct match_weights *weights = &t->conf.weights;
	const struct identity *claim = w->claim;
	struct slice maker = texts_get(&t->texts, row->texts[ROW_MANUFACTURER]);
	struct slice circuit = texts_get(&t->texts, row->texts[ROW_CIRCUIT]);
	struct slice remote = texts_get(&t->texts, row->texts[ROW_REMOTE]);
	int same_maker = compare(claim->manufacturer, maker);
	int same_product = compare(claim->product, texts_get(&t->texts, row->texts[ROW_PRODUCT]));
	bool same_serial = slice_eq(claim->serial, row_serial(row)) && claim->serial.n > 0;

	if (same_serial && same_maker < 0)
		tell(c, IDENTIFIER_SERIAL, VERDICT_OTHER_MAKER, 0);
	else
		score_text(t, w, IDENTIFIER_SERIAL, claim->serial, row_serial(row),
		    same_maker > 0 ? weights->serial : weights->serial_alone,
		    weights->serial_differs, c);
	score_text(t, w, IDENTIFIER_ASSET, claim->asset, row_asset(row), weights->asset,
	    weights->asset_differs, c);
	if (same_maker < 0 || same_product < 0)
		tell(c, IDENTIFIER_MODEL, EVIDENCE_DIFFERS, -weights->model_differs);
	else if (same_product > 0)
		tell(c, IDENTIFIER_MODEL, EVIDENCE_SAME, 0);
	if (claim->circuit.n == 0 || circuit.n == 0)
		return;
	if (slice_eq(claim->circuit, circuit) && slice_eq(claim->remote, remote) &&
	    ip_eq(&claim->relay, &row->relay)) {
		tell(c, IDENTIFIER_PORT, EVIDENCE_SAME, 0);
		c->port = weights->port;
	} else {
		tell(c, IDENTIFIER_PORT, EVIDENCE_DIFFERS, 0);
	}
}

/* --- order ---------------------------------------------------------------------------------- */

/* A candidate with what decides between equals. */
struct rival {
	struct candidate c;
	uint64_t last_ms;
	bool passing;
	bool takes_over; /* it may take over those that are passing */
};

static int
by_rank(const void *a, const void *b)
{
	const struct rival *x = a, *y = b;

	if (x->c.score != y->c.score)
		return x->c.score > y->c.score ? -1 : 1;
	if (x->c.port != y->c.port)
		return x->c.port > y->c.port ? -1 : 1;
	if (x->last_ms != y->last_ms)
		return x->last_ms > y->last_ms ? -1 : 1;
	return x->c.id < y->c.id ? -1 : x->c.id > y->c.id;
}

static bool
is_in(const struct rival *v, size_t n, uint64_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i].c.id == id)
			return true;
	}
	return false;
}

static size_t
gather(const struct machines *t, const struct weighed *w, struct rival v[static MATCH_CANDIDATES])
{
	size_t n = 0;

	for (size_t i = 0; i < NITEMS(key_of); i++) {
		for (size_t j = 0; j < w->nholders[i]; j++) {
			const struct row *row = t->v[w->holders[i][j]].row;
			struct rival *r = &v[n];

			if (is_in(v, n, row->id))
				continue;
			*r = (struct rival){ .c.id = row->id, .last_ms = row->last_ms };
			score_mac(t, w, row, &r->c);
			score_uuid(t, w, row, &r->c);
			score_rest(t, w, row, &r->c);
			r->passing = row_is_passing(t, row);
			r->takes_over = !r->passing && r->c.score >= t->conf.weights.threshold &&
			                (r->c.evidence[IDENTIFIER_SERIAL].points > 0 ||
					    r->c.evidence[IDENTIFIER_ASSET].points > 0);
			n++;
		}
	}
	if (n > 1)
		qsort(v, n, sizeof(v[0]), by_rank);
	return n;
}

/* The place of the best in ranked rivals; n if none is good enough. */
static size_t
find_best(const struct machines *t, const struct rival *v, size_t n)
{
	if (n == 0 || v[0].c.score < t->conf.weights.threshold)
		return n;
	for (size_t i = 0; i < n && v[0].passing; i++) {
		if (v[i].takes_over)
			return i;
	}
	return 0;
}

static enum match_why
why_not(const struct machines *t, const struct rival *r, const struct rival *best)
{
	if (r->c.score < t->conf.weights.threshold)
		return WHY_BELOW;
	if (r->c.score > best->c.score || (r->passing && best->takes_over))
		return WHY_PASSING;
	if (r->c.score < best->c.score)
		return WHY_FEWER;
	return r->c.port < best->c.port ? WHY_PORT : WHY_OLDER;
}

void
machines_match(const struct machines *t, const struct identity *claim, struct match *ret)
{
	struct rival v[MATCH_CANDIDATES];
	struct weighed w;
	size_t n, best;

	weigh(t, claim, &w);
	n = gather(t, &w, v);
	best = find_best(t, v, n);
	ret->id = best < n ? v[best].c.id : 0;
	ret->score = best < n ? v[best].c.score : 0;
	ret->ambiguous = false;
	ret->ncandidates = n;
	for (size_t i = 0; i < n; i++) {
		/* the best comes to the first place, those before it move down */
		size_t to = i == best ? 0 : i < best && best < n ? i + 1 : i;

		v[i].c.why = i == best  ? WHY_BEST
		             : best < n ? why_not(t, &v[i], &v[best])
		                        : WHY_BELOW;
		if (v[i].c.why == WHY_PORT || v[i].c.why == WHY_OLDER)
			ret->ambiguous = true;
		ret->candidates[to] = v[i].c;
	}
}
