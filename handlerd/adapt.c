/* The rules of the adaptive loader; see adapt.h. */
#include "handlerd/adapt.h"

#include "handlerd/adapt_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_PART 64 /* characters of a name in a key */
#define DAY_MS   UINT64_C(86400000)

const char *
adapt_reason_name(enum adapt_reason v)
{
	static const char *const names[ADAPT_REASONS] = {
		[ADAPT_PREFERRED] = "preferred",
		[ADAPT_NEXT] = "silent-before",
		[ADAPT_AGAIN] = "all-silent",
		[ADAPT_MACHINE] = "machine",
		[ADAPT_MODEL] = "model",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

static uint64_t
hash_bytes(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) /* FNV-1a, then spread */
		h = (h ^ b[i]) * UINT64_C(0x100000001b3);
	h = (h ^ h >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

#define HASH_START UINT64_C(0xcbf29ce484222325)

uint64_t
adapt_loader_id(const struct loader_choice *loader)
{
	uint64_t h = hash_bytes(HASH_START, loader->path, strlen(loader->path));

	h = hash_bytes(h, &loader->build, sizeof(loader->build));
	return h != 0 ? h : 1;
}

static uint64_t
mac_hash(const struct macaddr *mac)
{
	return hash_bytes(HASH_START, mac->b, mac->len);
}

/* --- tables that forget what was used longest ago --------------------------------------------- */

static int
nodes_init(struct adapt_nodes *t, size_t limit, size_t size)
{
	*t = (struct adapt_nodes){ .limit = limit > 0 ? limit : 1, .size = size };
	for (t->nchains = 16; t->nchains < t->limit;)
		t->nchains *= 2;
	t->chains = calloc(t->nchains, sizeof(struct adapt_node *));
	return t->chains != NULL ? 0 : -ENOMEM;
}

static struct adapt_node **
nodes_chain(const struct adapt_nodes *t, uint64_t hash)
{
	return &t->chains[hash & (t->nchains - 1)];
}

static struct adapt_node *
nodes_find(const struct adapt_nodes *t, uint64_t hash)
{
	struct adapt_node *n = *nodes_chain(t, hash);

	while (n != NULL && n->hash != hash)
		n = n->next;
	return n;
}

static void
nodes_unlist(struct adapt_nodes *t, struct adapt_node *n)
{
	*(n->newer != NULL ? &n->newer->older : &t->newest) = n->older;
	*(n->older != NULL ? &n->older->newer : &t->oldest) = n->newer;
}

static void
nodes_list(struct adapt_nodes *t, struct adapt_node *n)
{
	n->newer = NULL;
	n->older = t->newest;
	*(t->newest != NULL ? &t->newest->newer : &t->oldest) = n;
	t->newest = n;
}

static void
nodes_drop(struct adapt_nodes *t, struct adapt_node *n)
{
	struct adapt_node **at = nodes_chain(t, n->hash);

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	nodes_unlist(t, n);
	t->n--;
	free(n);
}

/* Finds or makes one, which is then the newest.  *fresh tells which; NULL: out of memory. */
static struct adapt_node *
nodes_get(struct adapt_nodes *t, uint64_t hash, bool *fresh)
{
	struct adapt_node *n = nodes_find(t, hash);

	*fresh = n == NULL;
	if (n != NULL) {
		nodes_unlist(t, n);
		nodes_list(t, n);
		return n;
	}
	n = calloc(1, t->size);
	if (n == NULL)
		return NULL;
	if (t->n == t->limit)
		nodes_drop(t, t->oldest);
	n->hash = hash;
	n->next = *nodes_chain(t, hash);
	*nodes_chain(t, hash) = n;
	nodes_list(t, n);
	t->n++;
	return n;
}

static void
nodes_fini(struct adapt_nodes *t)
{
	while (t->oldest != NULL)
		nodes_drop(t, t->oldest);
	free(t->chains);
}

int
adapt_new(size_t max_models, size_t max_machines, struct adapt **ret)
{
	struct adapt *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	if (nodes_init(&t->models, max_models, sizeof(struct adapt_model)) < 0 ||
	    nodes_init(&t->machines, max_machines, sizeof(struct adapt_machine)) < 0) {
		adapt_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void
adapt_free(struct adapt *t)
{
	if (t == NULL)
		return;
	nodes_fini(&t->models);
	nodes_fini(&t->machines);
	free(t);
}

uint64_t
adapt_changes(const struct adapt *t)
{
	return t->changes;
}

struct adapt_model *
adapt_get_model(struct adapt *t, const char *key)
{
	bool fresh;
	struct adapt_model *m = (struct adapt_model *)nodes_get(
	    &t->models, hash_bytes(HASH_START, key, strlen(key)), &fresh);

	if (m != NULL && fresh)
		(void)slice_copy(m->key, sizeof(m->key), slice_str(key));
	return m;
}

static const struct adapt_model *
find_model(const struct adapt *t, uint64_t hash)
{
	return (const struct adapt_model *)nodes_find(&t->models, hash);
}

struct adapt_machine *
adapt_get_machine(struct adapt *t, const struct macaddr *mac)
{
	bool fresh;
	struct adapt_machine *m =
	    (struct adapt_machine *)nodes_get(&t->machines, mac_hash(mac), &fresh);

	if (m != NULL && fresh)
		m->mac = *mac;
	return m;
}

static struct adapt_machine *
find_machine(const struct adapt *t, const struct macaddr *mac)
{
	return mac->len > 0 ? (struct adapt_machine *)nodes_find(&t->machines, mac_hash(mac))
	                    : NULL;
}

/* --- models ----------------------------------------------------------------------------------- */

/* Part of a key: cut, so that none can push another one out, and printable. */
static void
put_part(struct wbuf *w, struct slice s)
{
	for (size_t i = 0; i < s.n && i < KEY_PART && s.p[i] != '\0'; i++)
		wbuf_u8(w, s.p[i] < ' ' || s.p[i] > '~' ? '?' : s.p[i]);
}

const char *
adapt_key(struct slice manufacturer, struct slice product, const struct macaddr *mac,
    struct slice vendor_class, uint16_t arch, char ret[static ADAPT_KEY_MAX])
{
	static const char digits[] = "0123456789abcdef";
	char number[6], *p = number + sizeof(number);
	struct wbuf w;

	wbuf_init(&w, ret, ADAPT_KEY_MAX - 1); /* fits: each part has its bound */
	if (manufacturer.n > 0 || product.n > 0) {
		wbuf_str(&w, "model:");
		put_part(&w, manufacturer);
		wbuf_u8(&w, '|');
		put_part(&w, product);
	} else {
		wbuf_str(&w, "nic:");
		for (size_t i = 0; i < 3; i++) {
			wbuf_u8(&w, (uint8_t)digits[mac->b[i] >> 4]);
			wbuf_u8(&w, (uint8_t)digits[mac->b[i] & 15]);
		}
		wbuf_u8(&w, '|');
		put_part(&w, vendor_class);
	}
	*--p = '\0';
	do
		*--p = (char)('0' + arch % 10);
	while ((arch /= 10) != 0);
	wbuf_u8(&w, '|');
	wbuf_str(&w, p);
	ret[w.used] = '\0';
	return ret;
}

/* Silences as they have faded by now: half of them in ADAPT_HALF_DAYS, on a straight line. */
static uint32_t
faded(const struct adapt_tally *t, uint64_t now_ms)
{
	const uint64_t half = ADAPT_HALF_DAYS * DAY_MS;
	uint64_t age = now_ms > t->at_ms ? now_ms - t->at_ms : 0;
	uint64_t v = age / half < 32 ? t->silences >> (age / half) : 0;

	return (uint32_t)(v - v * (age % half) / (2 * half));
}

static bool
in_doubt(const struct adapt_tally *t, uint64_t now_ms)
{
	/* half of one less: silences fade from the first hour on, and so many in a week are many */
	return t != NULL && faded(t, now_ms) >= ADAPT_DOUBT * SILENCE_UNIT - SILENCE_UNIT / 2;
}

static const struct adapt_tally *
find_tally(const struct adapt_model *m, uint64_t loader)
{
	for (size_t i = 0; m != NULL && i < m->n; i++) {
		if (m->v[i].loader == loader)
			return &m->v[i];
	}
	return NULL;
}

struct adapt_tally *
adapt_get_tally(struct adapt_model *m, const struct loader_choice *loader)
{
	uint64_t id = adapt_loader_id(loader);
	struct adapt_tally *t = &m->v[0];

	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].loader == id)
			return &m->v[i];
		/* an older build of the file, else what was heard of longest ago, makes room */
		if (strcmp(m->v[i].path, loader->path) == 0 ||
		    (strcmp(t->path, loader->path) != 0 && m->v[i].at_ms < t->at_ms))
			t = &m->v[i];
	}
	if (m->n < ADAPT_LOADERS && (m->n == 0 || strcmp(t->path, loader->path) != 0))
		t = &m->v[m->n++];
	*t = (struct adapt_tally){ .loader = id, .build = loader->build };
	(void)slice_copy(t->path, sizeof(t->path), slice_str(loader->path));
	return t;
}

/* --- machines --------------------------------------------------------------------------------- */

static bool
was_silent(const struct adapt_machine *m, uint64_t loader)
{
	for (size_t i = 0; i < m->nsilent; i++) {
		if (m->silent[i].loader == loader && m->silent[i].round)
			return true;
	}
	return false;
}

/* True if it was not counted against the loader since the machine's last sign of life. */
static bool
note_silent(struct adapt_machine *m, uint64_t loader)
{
	for (size_t i = 0; i < m->nsilent; i++) {
		if (m->silent[i].loader == loader) {
			m->silent[i].round = true;
			return false;
		}
	}
	if (m->nsilent == ADAPT_LOADERS)
		memmove(&m->silent[0], &m->silent[1], --m->nsilent * sizeof(m->silent[0]));
	m->silent[m->nsilent].loader = loader;
	m->silent[m->nsilent++].round = true;
	return true;
}

static bool
keeps(const struct adapt_machine *m, uint64_t loader, uint64_t first, uint64_t now_ms)
{
	return m->kept == loader && m->kept_first == first &&
	       (now_ms < m->kept_ms || now_ms - m->kept_ms < ADAPT_KEEP_DAYS * DAY_MS);
}

/* --- the choice ------------------------------------------------------------------------------- */

static size_t
choose_for_model(const struct adapt *t, const char *key, const struct loader_choice *list, size_t n,
    uint64_t now_ms)
{
	const struct adapt_model *model = find_model(t, hash_bytes(HASH_START, key, strlen(key)));

	if (!in_doubt(find_tally(model, adapt_loader_id(&list[0])), now_ms))
		return 0;
	for (size_t i = 1; i < n; i++) {
		const struct adapt_tally *tally = find_tally(model, adapt_loader_id(&list[i]));

		if (tally != NULL && tally->lives > 0 && !in_doubt(tally, now_ms))
			return i;
	}
	return 0;
}

size_t
adapt_choose(const struct adapt *t, const char *key, const struct macaddr *mac,
    const struct loader_choice *list, size_t n, uint64_t now_ms, enum adapt_reason *ret_reason)
{
	const struct adapt_machine *m = find_machine(t, mac);
	uint64_t first = adapt_loader_id(&list[0]);
	size_t i;

	if (n > ADAPT_LOADERS)
		n = ADAPT_LOADERS;
	if (m != NULL && m->state == TRIAL_SILENT) {
		for (i = 0; i < n && was_silent(m, adapt_loader_id(&list[i]));)
			i++;
		*ret_reason = i < n ? ADAPT_NEXT : ADAPT_AGAIN;
		return i < n ? i : 0;
	}
	/* asked again before anything else was heard: the same answer */
	for (i = 0; m != NULL && m->nsilent > 0 && i < n; i++) {
		if ((m->state == TRIAL_GIVEN || m->state == TRIAL_FETCHED) &&
		    adapt_loader_id(&list[i]) == m->given) {
			*ret_reason = ADAPT_NEXT;
			return i;
		}
	}
	for (i = 0; m != NULL && i < n; i++) {
		if (keeps(m, adapt_loader_id(&list[i]), first, now_ms)) {
			*ret_reason = i == 0 ? ADAPT_PREFERRED : ADAPT_MACHINE;
			return i;
		}
	}
	i = choose_for_model(t, key, list, n, now_ms);
	*ret_reason = i == 0 ? ADAPT_PREFERRED : ADAPT_MODEL;
	return i;
}

/* --- what happens ----------------------------------------------------------------------------- */

void
adapt_given(struct adapt *t, const char *key, const struct macaddr *mac,
    const struct loader_choice *list, size_t i, uint64_t now_ms)
{
	uint64_t id = adapt_loader_id(&list[i]);
	struct adapt_machine *m;
	struct adapt_model *model;

	if (mac->len == 0)
		return;
	m = adapt_get_machine(t, mac);
	model = m != NULL ? adapt_get_model(t, key) : NULL;
	if (model == NULL)
		return; /* out of memory: nothing is learned from this one */
	(void)adapt_get_tally(model, &list[i]);
	if (m->given == id &&
	    (m->state == TRIAL_GIVEN ||
		(m->state == TRIAL_FETCHED && now_ms < m->fetched_ms + ADAPT_SILENCE_MS)))
		return;
	if (was_silent(m, id)) { /* all were: the next round */
		for (size_t k = 0; k < m->nsilent; k++)
			m->silent[k].round = false;
	}
	m->state = TRIAL_GIVEN;
	m->model = model->node.hash;
	m->given = id;
	m->first = adapt_loader_id(&list[0]);
	m->given_path = hash_bytes(HASH_START, list[i].path, strlen(list[i].path));
	m->fetched_ms = 0;
}

void
adapt_fetched(struct adapt *t, const struct macaddr *mac, const char *path, uint64_t now_ms)
{
	struct adapt_machine *m = find_machine(t, mac);

	if (m == NULL || (m->state != TRIAL_GIVEN && m->state != TRIAL_FETCHED) ||
	    m->given_path != hash_bytes(HASH_START, path, strlen(path)))
		return;
	m->state = TRIAL_FETCHED;
	m->fetched_ms = now_ms;
}

/* The tally that a trial counts for; NULL if its model or build was forgotten meanwhile. */
static struct adapt_tally *
tally_of_trial(const struct adapt *t, const struct adapt_machine *m)
{
	return (struct adapt_tally *)(uintptr_t)find_tally(find_model(t, m->model), m->given);
}

bool
adapt_alive(struct adapt *t, const struct macaddr *mac, uint64_t now_ms)
{
	struct adapt_machine *m = find_machine(t, mac);
	struct adapt_tally *tally;

	if (m == NULL || (m->state != TRIAL_GIVEN && m->state != TRIAL_FETCHED))
		return false;
	m->state = TRIAL_ALIVE;
	m->kept = m->given;
	m->kept_first = m->first;
	m->kept_ms = now_ms;
	m->nsilent = 0;
	tally = tally_of_trial(t, m);
	if (tally != NULL) {
		tally->silences = faded(tally, now_ms) / 2;
		tally->lives += tally->lives < UINT32_MAX;
		tally->at_ms = now_ms;
	}
	t->changes++;
	return true;
}

static void
count_silence(struct adapt *t, const struct adapt_machine *m, uint64_t now_ms)
{
	struct adapt_model *model = (struct adapt_model *)nodes_find(&t->models, m->model);
	struct adapt_tally *tally = tally_of_trial(t, m);
	const uint32_t most = ADAPT_SILENCES * SILENCE_UNIT;

	if (tally == NULL)
		return;
	for (size_t i = 0; i < model->n; i++) {
		struct adapt_tally *other = &model->v[i];

		if (other == tally || !in_doubt(other, now_ms))
			continue;
		other->silences = faded(other, now_ms) - SILENCE_UNIT;
		other->at_ms = now_ms;
	}
	tally->silences = faded(tally, now_ms) + SILENCE_UNIT;
	if (tally->silences > most)
		tally->silences = most;
	tally->at_ms = now_ms;
}

bool
adapt_silent(struct adapt *t, const struct macaddr *mac, uint64_t now_ms)
{
	struct adapt_machine *m = find_machine(t, mac);

	if (m == NULL || m->state != TRIAL_FETCHED || now_ms < m->fetched_ms + ADAPT_SILENCE_MS)
		return false;
	if (now_ms - m->fetched_ms > DAY_MS) { /* who knows what happened since */
		m->state = TRIAL_NONE;
		return false;
	}
	m->state = TRIAL_SILENT;
	if (m->kept == m->given)
		m->kept = 0;
	if (note_silent(m, m->given))
		count_silence(t, m, now_ms);
	t->changes++;
	return true;
}

bool
adapt_forget_model(struct adapt *t, const char *key)
{
	struct adapt_node *n = nodes_find(&t->models, hash_bytes(HASH_START, key, strlen(key)));

	if (n == NULL)
		return false;
	nodes_drop(&t->models, n);
	t->changes++;
	return true;
}

bool
adapt_forget_machine(struct adapt *t, const struct macaddr *mac)
{
	struct adapt_machine *m = find_machine(t, mac);

	if (m == NULL)
		return false;
	nodes_drop(&t->machines, &m->node);
	t->changes++;
	return true;
}
