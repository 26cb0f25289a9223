/* The rules of the adaptive style of offers; see styles.h. */
#include "handlerd/styles.h"

#include "common/arch.h"
#include "handlerd/styles_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS     UINT64_C(86400000)
#define BIT(style) ((uint16_t)(1u << (style)))

const char *
style_why_name(enum style_why v)
{
	static const char *const names[STYLE_WHYS] = {
		[STYLE_DEFAULT] = "default",
		[STYLE_RULE] = "rule",
		[STYLE_TWICE] = "tried-twice",
		[STYLE_NEXT] = "unanswered-before",
		[STYLE_ROUND] = "all-unanswered",
		[STYLE_MACHINE] = "machine",
		[STYLE_MODEL] = "model",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

const char *
style_why_words(enum style_why v)
{
	static const char *const words[STYLE_WHYS] = {
		[STYLE_DEFAULT] = "the site's default; nothing speaks against it",
		[STYLE_RULE] = "set by a rule or the configuration, whatever was learned",
		[STYLE_TWICE] = "the machine did not follow it, but it is known to work: once more",
		[STYLE_NEXT] = "the machine did not follow the style before",
		[STYLE_ROUND] = "the machine followed none of the styles: they begin again",
		[STYLE_MACHINE] = "the machine followed it before",
		[STYLE_MODEL] = "machines of this model did not follow the default, but this one",
	};

	return (size_t)v < NITEMS(words) ? words[v] : "?";
}

bool
styles_kind_of(uint16_t arch, bool http, enum styles_kind *ret)
{
	enum arch_kind kind = arch_find(arch)->kind;

	if (!http && kind != ARCH_KIND_BIOS && kind != ARCH_KIND_UEFI)
		return false;
	*ret = http ? STYLES_HTTP : kind == ARCH_KIND_BIOS ? STYLES_BIOS : STYLES_UEFI;
	return true;
}

size_t
styles_list(enum styles_kind kind, enum offer_style first, enum offer_style ret[static STYLES_MAX])
{
	static const enum offer_style in_order[STYLES_KINDS][STYLES_MAX] = {
		/* BINL is what WDS sends, so what vendors test; menus are what they test least */
		[STYLES_UEFI] = { OFFER_BINL, OFFER_PXE10, OFFER_MENU, OFFER_PXE10_PROMPT },
		[STYLES_BIOS] = { OFFER_PXE10_PROMPT, OFFER_PXE10, OFFER_MENU, OFFER_BINL },
	};
	size_t n = 1;

	ret[0] = first;
	if (kind == STYLES_HTTP)
		return n;
	for (size_t i = 0; i < STYLES_MAX; i++) {
		if (in_order[kind][i] != first && n < STYLES_MAX)
			ret[n++] = in_order[kind][i];
	}
	return n;
}

/* --- tables ----------------------------------------------------------------------------------- */

static size_t
rows_for(size_t places)
{
	size_t rows = 1;

	while (rows * STYLES_WAYS < places)
		rows *= 2;
	return rows;
}

int
styles_new(size_t max_models, size_t max_machines, struct styles **ret)
{
	struct styles *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->model_rows = rows_for(max_models);
	t->machine_rows = rows_for(max_machines);
	t->model_keys = calloc(t->model_rows * STYLES_WAYS, sizeof(*t->model_keys));
	t->models = calloc(t->model_rows * STYLES_WAYS, sizeof(*t->models));
	t->machine_tags = calloc(t->machine_rows * STYLES_WAYS, sizeof(*t->machine_tags));
	t->machines = calloc(t->machine_rows * STYLES_WAYS, sizeof(*t->machines));
	if (t->model_keys == NULL || t->models == NULL || t->machine_tags == NULL ||
	    t->machines == NULL) {
		styles_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void
styles_free(struct styles *t)
{
	if (t == NULL)
		return;
	free(t->model_keys);
	free(t->models);
	free(t->machine_tags);
	free(t->machines);
	free(t);
}

uint64_t
styles_changes(const struct styles *t)
{
	return t->changes;
}

uint64_t
styles_news(const struct styles *t)
{
	return t->news;
}

static void
note_news(struct styles *t)
{
	t->changes++;
	t->news++;
}

static size_t
model_row(const struct styles *t, uint64_t key)
{
	return ((key ^ key >> 32) & (t->model_rows - 1)) * STYLES_WAYS;
}

struct model *
styles_peek_model(const struct styles *t, uint64_t key)
{
	size_t row = model_row(t, key);

	for (size_t i = row; key != 0 && i < row + STYLES_WAYS; i++) {
		if (t->model_keys[i] == key)
			return &t->models[i];
	}
	return NULL;
}

/* Those that were followed once are the last to make room: they cost the most to learn again. */
static uint64_t
model_worth(const struct model *m)
{
	uint64_t worth = m->seen_ms;

	for (size_t i = 0; i < NITEMS(m->tally); i++) {
		if (m->tally[i].successes > 0)
			worth |= UINT64_C(1) << 62;
	}
	return worth;
}

static uint8_t
keep_text(uint8_t dst[static FIRMWARE_TEXT_MAX], struct slice s)
{
	size_t n = s.n < FIRMWARE_TEXT_MAX ? s.n : FIRMWARE_TEXT_MAX;

	if (n > 0)
		memcpy(dst, s.p, n);
	return (uint8_t)n;
}

struct model *
styles_get_model(struct styles *t, uint64_t key, const struct firmware *f, uint64_t now_ms)
{
	struct model *m = styles_peek_model(t, key);
	size_t row = model_row(t, key), place = row;

	if (m != NULL) {
		m->seen_ms = now_ms;
		return m;
	}
	for (size_t i = row; i < row + STYLES_WAYS; i++) {
		if (t->model_keys[i] == 0) {
			place = i;
			break;
		}
		if (model_worth(&t->models[i]) < model_worth(&t->models[place]))
			place = i;
	}
	t->model_keys[place] = key;
	m = &t->models[place];
	*m = (struct model){
		.seen_ms = now_ms,
		.ndi = f->ndi,
		.arch = f->arch,
		.has_adapter = f->has_adapter,
		.adapter = { f->adapter[0], f->adapter[1], f->adapter[2] },
	};
	m->class_n = keep_text(m->class, f->class);
	m->param_list_n = keep_text(m->param_list, f->param_list);
	return m;
}

struct firmware
styles_firmware(const struct model *m)
{
	return (struct firmware){
		.arch = m->arch,
		.ndi = m->ndi,
		.has_adapter = m->has_adapter,
		.adapter = { m->adapter[0], m->adapter[1], m->adapter[2] },
		.class = { m->class, m->class_n },
		.param_list = { m->param_list, m->param_list_n },
	};
}

static uint64_t
machine_hash(const struct macaddr *mac, bool http)
{
	uint64_t h = http ? UINT64_C(0x84222325cbf29ce4) : UINT64_C(0xcbf29ce484222325), v[2];

	memcpy(v, mac->b, sizeof(v)); /* zeros behind its length */
	h = (h ^ v[0]) * UINT64_C(0x9e3779b97f4a7c15);
	h ^= h >> 32;
	h = (h ^ v[1] ^ mac->len) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint32_t
machine_tag(uint64_t hash)
{
	uint32_t tag = (uint32_t)(hash >> 32);

	return tag != 0 ? tag : 1;
}

struct machine_style *
styles_peek_machine(const struct styles *t, const struct macaddr *mac, bool http)
{
	uint64_t hash = machine_hash(mac, http);
	size_t row = (hash & (t->machine_rows - 1)) * STYLES_WAYS;
	uint32_t tag = machine_tag(hash);

	for (size_t i = row; mac->len > 0 && i < row + STYLES_WAYS; i++) {
		struct machine_style *m = &t->machines[i];

		if (t->machine_tags[i] == tag && m->http == http && mac_eq(&m->mac, mac))
			return m;
	}
	return NULL;
}

struct machine_style *
styles_get_machine(struct styles *t, const struct macaddr *mac, bool http)
{
	uint64_t hash = machine_hash(mac, http);
	size_t row = (hash & (t->machine_rows - 1)) * STYLES_WAYS, place = row;
	struct machine_style *m = styles_peek_machine(t, mac, http);

	if (m != NULL)
		return m;
	for (size_t i = row; i < row + STYLES_WAYS; i++) {
		if (t->machine_tags[i] == 0) {
			place = i;
			break;
		}
		if (t->machines[i].offered_ms < t->machines[place].offered_ms)
			place = i;
	}
	t->machine_tags[place] = machine_tag(hash);
	t->machines[place] = (struct machine_style){ .mac = *mac, .http = http };
	return &t->machines[place];
}

/* --- models ----------------------------------------------------------------------------------- */

/* What speaks against a style, as it has faded by now: half in so many days, on a straight line. */
uint32_t
styles_faded(const struct model_tally *tally, uint64_t now_ms)
{
	const uint64_t half = STYLES_HALF_DAYS * DAY_MS;
	uint64_t age = now_ms > tally->at_ms ? now_ms - tally->at_ms : 0;
	uint64_t v = age / half < 32 ? tally->against >> (age / half) : 0;

	return (uint32_t)(v - v * (age % half) / (2 * half));
}

bool
styles_in_doubt(const struct model_tally *tally, uint64_t now_ms)
{
	return tally->against > 0 &&
	       styles_faded(tally, now_ms) >= (uint32_t)(STYLES_DOUBT * AGAINST_UNIT);
}

static bool
is_known(const struct model *model, enum offer_style style, uint64_t now_ms)
{
	return model != NULL && model->tally[style].successes > 0 &&
	       !styles_in_doubt(&model->tally[style], now_ms);
}

static size_t
choose_for_model(const struct model *model, const enum offer_style *list, size_t n, uint64_t now_ms)
{
	if (model == NULL || !styles_in_doubt(&model->tally[list[0]], now_ms))
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (is_known(model, list[i], now_ms))
			return i;
	}
	return 0;
}

size_t
styles_of_model(
    const struct styles *t, uint64_t key, const enum offer_style *list, size_t n, uint64_t now_ms)
{
	return choose_for_model(styles_peek_model(t, key), list, n, now_ms);
}

bool
styles_hopeless(struct styles *t, uint64_t key)
{
	struct model *m = styles_peek_model(t, key);

	if (m == NULL || m->hopeless)
		return false;
	m->hopeless = true;
	note_news(t);
	return true;
}

size_t
styles_count_hopeless(const struct styles *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->model_rows * STYLES_WAYS; i++)
		n += t->model_keys[i] != 0 && t->models[i].hopeless;
	return n;
}

/* --- the choice ------------------------------------------------------------------------------- */

static bool
keeps(const struct machine_style *m, enum offer_style first, uint64_t now_ms)
{
	return m->has_kept && m->kept_first == first &&
	       now_ms / 1000 < m->kept_s + (uint64_t)STYLES_KEEP_DAYS * (DAY_MS / 1000);
}

static size_t
place_of(const enum offer_style *list, size_t n, unsigned style)
{
	size_t i = 0;

	while (i < n && list[i] != (enum offer_style)style)
		i++;
	return i;
}

/* Rule 1. */
static size_t
choose_next(const struct machine_style *m, const struct model *model, const enum offer_style *list,
    size_t n, uint64_t now_ms, enum style_why *ret_why)
{
	uint16_t tried = m->tried | BIT(m->given);
	size_t at = place_of(list, n, m->given);
	/* there is no other one to turn to: then one failure says little, too */
	bool twice = n == 1 || is_known(model, (enum offer_style)m->given, now_ms) ||
	             (keeps(m, list[0], now_ms) && m->kept == m->given);

	if (twice && m->misses < 2 && at < n) {
		*ret_why = STYLE_TWICE;
		return at;
	}
	*ret_why = STYLE_NEXT;
	for (size_t i = 0; i < n; i++) {
		if ((tried & BIT(list[i])) == 0 && is_known(model, list[i], now_ms))
			return i;
	}
	for (size_t i = 0; i < n; i++) {
		if ((tried & BIT(list[i])) == 0)
			return i;
	}
	*ret_why = STYLE_ROUND;
	return choose_for_model(model, list, n, now_ms);
}

size_t
styles_choose(const struct styles *t, const struct macaddr *mac, bool http, uint64_t key,
    const enum offer_style *list, size_t n, uint64_t now_ms, enum style_why *ret_why)
{
	const struct machine_style *m = styles_peek_machine(t, mac, http);
	const struct model *model;
	size_t i;

	if (m != NULL && key != 0 && m->model != key)
		m = NULL; /* other firmware with the same adapter */
	model = styles_peek_model(t, key != 0 ? key : m != NULL ? m->model : 0);
	if (m != NULL && m->state == TRIAL_BACK && m->first == (uint8_t)list[0])
		return choose_next(m, model, list, n, now_ms, ret_why);
	/* asked again before anything else was heard: the same answer */
	i = m != NULL && m->state == TRIAL_GIVEN ? place_of(list, n, m->given) : n;
	if (i < n && m->first == (uint8_t)list[0]) {
		*ret_why = (enum style_why)m->why;
		return i;
	}
	i = m != NULL && keeps(m, list[0], now_ms) ? place_of(list, n, m->kept) : n;
	if (i < n) {
		*ret_why = i == 0 ? STYLE_DEFAULT : STYLE_MACHINE;
		return i;
	}
	i = choose_for_model(model, list, n, now_ms);
	*ret_why = i == 0 ? STYLE_DEFAULT : STYLE_MODEL;
	return i;
}

/* --- what happens ----------------------------------------------------------------------------- */

/* What the last round told is over; what was followed and counted stays. */
static void
end_round(struct machine_style *m)
{
	m->state = TRIAL_NONE;
	m->tried = m->strong = 0;
	m->misses = 0;
}

static bool
comes_back(const struct machine_style *m, const struct styles_sight *sight, uint64_t elapsed_ms)
{
	/* without an address it had no way to follow anything: its DHCP server may just be slow */
	if (!m->leased)
		return elapsed_ms >= STYLES_PATIENCE_MS;
	if (sight->xid == m->xid && sight->secs > m->secs)
		return elapsed_ms >= STYLES_RETRY_MS;
	return elapsed_ms >= STYLES_ANEW_MS;
}

struct styles_return
styles_arrive(struct styles *t, const struct styles_sight *sight, uint64_t now_ms)
{
	struct machine_style *m =
	    styles_peek_machine(t, sight->mac, firmware_is_http(sight->firmware));
	struct styles_return r = { .unanswered = false };
	struct model *model;
	uint64_t elapsed_ms;

	if (m == NULL || m->state != TRIAL_GIVEN || m->model != sight->key)
		return r;
	elapsed_ms = now_ms > m->offered_ms ? now_ms - m->offered_ms : 0;
	if (!comes_back(m, sight, elapsed_ms))
		return r;
	if (elapsed_ms > (m->leased ? STYLES_LEASED_MS : STYLES_UNLEASED_MS)) {
		end_round(m); /* who knows what happened since */
		return r;
	}
	m->state = TRIAL_BACK;
	if (m->misses < UINT8_MAX)
		m->misses++;
	if (m->leased)
		m->strong |= BIT(m->given);
	model = styles_peek_model(t, m->model);
	if (model != NULL) {
		struct model_tally *tally = &model->tally[m->given];

		tally->failures += tally->failures < UINT32_MAX;
	}
	t->changes++;
	return (struct styles_return){ true, (enum offer_style)m->given, m->leased };
}

void
styles_given(struct styles *t, const struct styles_sight *sight, enum offer_style style,
    enum offer_style first, enum style_why why, uint64_t now_ms)
{
	struct machine_style *m;

	if (sight->mac->len == 0)
		return;
	m = styles_get_machine(t, sight->mac, firmware_is_http(sight->firmware));
	if (m->model != sight->key) /* other firmware: nothing of what it did counts */
		*m = (struct machine_style){ .mac = m->mac, .http = m->http, .model = sight->key };
	if (m->state == TRIAL_GIVEN && m->given == (uint8_t)style) {
		if (sight->xid != m->xid) {
			m->xid = sight->xid;
			m->secs = sight->secs;
		}
		return; /* the same trial */
	}
	(void)styles_get_model(t, sight->key, sight->firmware, now_ms);
	if (m->state == TRIAL_BACK) {
		if (m->given != (uint8_t)style) {
			m->tried |= BIT(m->given);
			m->misses = 0;
		}
		if (why == STYLE_ROUND) {
			m->tried = m->strong = 0;
			m->misses = 0;
		}
	} else {
		end_round(m);
	}
	m->state = TRIAL_GIVEN;
	m->given = (uint8_t)style;
	m->first = (uint8_t)first;
	m->why = (uint8_t)why;
	m->offered_ms = now_ms;
	m->xid = sight->xid;
	m->secs = sight->secs;
	m->leased = false;
}

void
styles_void(struct styles *t, const struct macaddr *mac, bool http)
{
	struct machine_style *m = styles_peek_machine(t, mac, http);

	if (m != NULL && (m->state == TRIAL_GIVEN || m->state == TRIAL_BACK))
		end_round(m);
}

void
styles_leased(struct styles *t, const struct macaddr *mac)
{
	for (int http = 0; http < 2; http++) {
		struct machine_style *m = styles_peek_machine(t, mac, http != 0);

		if (m != NULL && m->state == TRIAL_GIVEN)
			m->leased = true;
	}
}

/*
 * Which of the offers of this round the machine followed, by what it does; OFFER_STYLES: none of
 * them, as when a DHCP server sends machines to port 4011 by itself.
 */
static unsigned
style_followed(const struct machine_style *m, enum styles_sign sign)
{
	uint16_t offered = m->tried | BIT(m->given);
	const enum offer_style by_file[] = { OFFER_PXE10, OFFER_PXE10_PROMPT };

	if (m->http)
		return m->given;
	switch (sign) {
	case STYLES_SIGN_BOOTSERVER:
		if ((offered & BIT(OFFER_BINL)) != 0)
			return OFFER_BINL;
		/* not all firmware names the item that it picked */
		return (offered & BIT(OFFER_MENU)) != 0 ? OFFER_MENU : OFFER_STYLES;
	case STYLES_SIGN_ITEM: return (offered & BIT(OFFER_MENU)) != 0 ? OFFER_MENU : OFFER_STYLES;
	default: break;
	}
	if (m->given == OFFER_PXE10 || m->given == OFFER_PXE10_PROMPT)
		return m->given;
	for (size_t i = 0; i < NITEMS(by_file); i++) {
		if ((m->tried & BIT(by_file[i])) != 0)
			return by_file[i];
	}
	return m->given; /* what it did at port 4011 was not seen */
}

/* Rule 3. */
static void
count_against(struct machine_style *m, struct model *model, unsigned followed, uint64_t now_ms)
{
	const uint32_t most = STYLES_AGAINST_MAX * AGAINST_UNIT;

	for (unsigned i = 0; i < OFFER_STYLES; i++) {
		struct model_tally *tally = &model->tally[i];

		if (i == followed || (m->tried & BIT(i)) == 0 || (m->counted & BIT(i)) != 0 ||
		    (tally->successes > 0 && (m->strong & BIT(i)) == 0))
			continue;
		tally->against = styles_faded(tally, now_ms) + AGAINST_UNIT;
		if (tally->against > most)
			tally->against = most;
		tally->at_ms = now_ms;
		m->counted |= BIT(i);
	}
}

static void
count_success(struct styles *t, struct machine_style *m, unsigned style, uint64_t now_ms)
{
	struct model *model = styles_peek_model(t, m->model);
	struct model_tally *tally;

	t->changes++;
	/* what a model gets, or this machine does, is another thing than before */
	if (style != m->first || (m->has_kept && m->kept != style) || model == NULL ||
	    model->hopeless || model->tally[style].successes == 0)
		note_news(t);
	m->has_kept = true;
	m->kept = (uint8_t)style;
	m->kept_first = m->first;
	m->kept_s = (uint32_t)(now_ms / 1000);
	if (model == NULL)
		return;
	count_against(m, model, style, now_ms);
	m->counted &= (uint16_t)~BIT(style);
	tally = &model->tally[style];
	tally->against = styles_faded(tally, now_ms) / 2;
	tally->at_ms = now_ms;
	tally->successes += tally->successes < UINT32_MAX;
	model->hopeless = false;
	model->seen_ms = now_ms;
}

static struct machine_style *
tried_machine(const struct styles *t, const struct macaddr *mac, bool http)
{
	struct machine_style *m = styles_peek_machine(t, mac, http);

	return m != NULL && (m->state == TRIAL_GIVEN || m->state == TRIAL_BACK) ? m : NULL;
}

bool
styles_followed(struct styles *t, const struct macaddr *mac, enum styles_sign sign, uint64_t now_ms)
{
	struct machine_style *pxe = tried_machine(t, mac, false);
	struct machine_style *http = tried_machine(t, mac, true);
	struct machine_style *m = pxe;
	unsigned style;

	/* firmware may have gone on from PXE to HTTP Boot, or back */
	if (pxe == NULL || (http != NULL && (sign == STYLES_SIGN_HTTP ||
						(sign == STYLES_SIGN_LOADER &&
						    http->offered_ms >= pxe->offered_ms))))
		m = http;
	if (m == NULL)
		return false;
	style = style_followed(m, sign);
	if (style < OFFER_STYLES)
		count_success(t, m, style, now_ms);
	end_round(m);
	m->state = TRIAL_FOLLOWED;
	return true;
}

bool
styles_is_odd(const struct styles *t, const struct machine_style *m, uint64_t now_ms)
{
	const struct model *model = styles_peek_model(t, m->model);
	enum offer_style list[STYLES_MAX];
	enum styles_kind kind;
	size_t n;

	if (!m->has_kept || model == NULL || !styles_kind_of(model->arch, m->http, &kind))
		return false;
	n = styles_list(kind, (enum offer_style)m->kept_first, list);
	return list[choose_for_model(model, list, n, now_ms)] != (enum offer_style)m->kept;
}

bool
styles_forget(struct styles *t, uint64_t key)
{
	struct model *model = styles_peek_model(t, key);

	if (model == NULL)
		return false;
	t->model_keys[model - t->models] = 0;
	for (size_t i = 0; i < t->machine_rows * STYLES_WAYS; i++) {
		if (t->machine_tags[i] != 0 && t->machines[i].model == key)
			t->machine_tags[i] = 0;
	}
	note_news(t);
	return true;
}
