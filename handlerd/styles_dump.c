/*
 * What the adaptive style knows, as JSON and back, and what other sites may have of it.
 *   {"models": [{"class": "...", "arch": 7, ..., (firmware_dump())
 *                "seen_ms": 0, "hopeless": false,
 *                "styles": {"binl": {"successes": 3, "failures": 1, "against": 1.5, "at_ms": 0}}}],
 *    "machines": [{"mac": "...", "model": KEY, "kept": "pxe10", "first": "binl", "kept_s": 0}]}
 * An export has {"bootferry_quirks": 1} before its models, and no times.
 */
#include "handlerd/styles_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT     1
#define COUNT_MAX  1000000000
#define MODELS_MAX 100000
/* A whole file may be wrong: what is told of it has an end. */
#define MISTAKES_MAX 50

static unsigned
style_by_name(const char *name)
{
	unsigned i = 0;

	while (i < OFFER_STYLES &&
	       (name == NULL || strcmp(offer_style_name((enum offer_style)i), name) != 0))
		i++;
	return i;
}

/* --- reading the table ------------------------------------------------------------------------ */

static void
describe(const struct styles *t, size_t place, uint64_t now_ms, struct styles_model *ret)
{
	const struct model *m = &t->models[place];

	*ret = (struct styles_model){
		.key = t->model_keys[place],
		.firmware = styles_firmware(m),
		.seen_ms = m->seen_ms,
		.hopeless = m->hopeless,
	};
	for (size_t i = 0; i < OFFER_STYLES; i++)
		ret->tally[i] = (struct styles_tally){ m->tally[i].successes, m->tally[i].failures,
			(double)styles_faded(&m->tally[i], now_ms) / AGAINST_UNIT };
}

void
styles_each_model(const struct styles *t, uint64_t now_ms,
    void (*fn)(void *arg, const struct styles_model *m), void *arg)
{
	for (size_t i = 0; i < t->model_rows * STYLES_WAYS; i++) {
		struct styles_model m;

		if (t->model_keys[i] == 0)
			continue;
		describe(t, i, now_ms, &m);
		fn(arg, &m);
	}
}

int
styles_find_model(
    const struct styles *t, const char *name, uint64_t now_ms, struct styles_model *ret)
{
	char key[FIRMWARE_KEY_STRLEN];
	size_t n = strlen(name);
	int rc = -ENOENT;

	if (n == 0)
		return rc;
	for (size_t i = 0; i < t->model_rows * STYLES_WAYS; i++) {
		if (t->model_keys[i] == 0 ||
		    strncmp(firmware_key_format(t->model_keys[i], key), name, n) != 0)
			continue;
		if (rc == 0)
			return -ENOTUNIQ;
		rc = 0;
		describe(t, i, now_ms, ret);
	}
	return rc;
}

/* --- writing ---------------------------------------------------------------------------------- */

static json_t *
dump_tallies(const struct model *m, uint64_t now_ms, bool times)
{
	json_t *all = json_object();

	for (unsigned i = 0; i < OFFER_STYLES; i++) {
		const struct model_tally *t = &m->tally[i];
		/* a file that is kept says what was counted, one to share what counts now */
		uint32_t against = times ? t->against : styles_faded(t, now_ms);
		json_t *o;

		if (t->successes == 0 && t->failures == 0 && against == 0)
			continue;
		o = json_pack("{s:I, s:I, s:f}", "successes", (json_int_t)t->successes, "failures",
		    (json_int_t)t->failures, "against", (double)against / AGAINST_UNIT);
		if (times)
			json_object_set_new(o, "at_ms", json_integer((json_int_t)t->at_ms));
		json_object_set_new(all, offer_style_name((enum offer_style)i), o);
	}
	return all;
}

/* Models that something is known of. */
static json_t *
dump_models(const struct styles *t, uint64_t now_ms, bool times)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->model_rows * STYLES_WAYS; i++) {
		const struct model *m = &t->models[i];
		struct firmware f;
		json_t *tallies, *o;

		if (t->model_keys[i] == 0)
			continue;
		tallies = dump_tallies(m, now_ms, times);
		if (json_object_size(tallies) == 0) {
			json_decref(tallies);
			continue;
		}
		f = styles_firmware(m);
		o = firmware_dump(&f);
		if (times) {
			json_object_set_new(o, "seen_ms", json_integer((json_int_t)m->seen_ms));
			json_object_set_new(o, "hopeless", json_boolean(m->hopeless));
		}
		json_object_set_new(o, "styles", tallies);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *
dump_machines(const struct styles *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->machine_rows * STYLES_WAYS; i++) {
		const struct machine_style *m = &t->machines[i];
		char mac[MAC_STRLEN], key[FIRMWARE_KEY_STRLEN];

		if (t->machine_tags[i] == 0 || !styles_is_odd(t, m, m->offered_ms))
			continue;
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:s, s:s, s:I}", "mac", mac_format(&m->mac, mac),
			      "model", firmware_key_format(m->model, key), "kept",
			      offer_style_name((enum offer_style)m->kept), "first",
			      offer_style_name((enum offer_style)m->kept_first), "kept_s",
			      (json_int_t)m->kept_s));
	}
	return list;
}

json_t *
styles_dump(const struct styles *t)
{
	return json_pack(
	    "{s:o, s:o}", "models", dump_models(t, 0, true), "machines", dump_machines(t));
}

json_t *
styles_export(const struct styles *t, uint64_t now_ms)
{
	return json_pack(
	    "{s:i, s:o}", "bootferry_quirks", FORMAT, "models", dump_models(t, now_ms, false));
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Who is told of mistakes: an importer; nobody, when our own file is read. */
struct reading {
	styles_mistake_fn *mistake;
	void *arg;
	unsigned mistakes;
	bool times; /* our own file, which has some keys more */
};

/* `v`: the wrong value, or NULL. */
static void
tell(struct reading *r, const char *path, const json_t *v, const char *what)
{
	char text[256], *value;

	r->mistakes++;
	if (r->mistake == NULL || r->mistakes > MISTAKES_MAX)
		return;
	value =
	    v != NULL ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
	(void)snprintf(text, sizeof(text), "%.60s%s%s%s", value != NULL ? value : "",
	    value != NULL && strlen(value) > 60 ? "..." : "", value != NULL ? " " : "", what);
	free(value);
	r->mistake(r->arg, path, text);
}

/* A whole number from 0 to `max`; false if it is none. */
static bool
get_number(const json_t *object, const char *key, json_int_t max, uint64_t *ret)
{
	const json_t *v = json_object_get(object, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max)
		return false;
	*ret = (uint64_t)json_integer_value(v);
	return true;
}

static void
read_tally(const json_t *o, const char *path, struct reading *r, struct model_tally *ret)
{
	static const char *const counts[] = { "successes", "failures" };
	uint64_t n[2] = { 0, 0 };
	const json_t *against = json_object_get(o, "against"), *v;
	double machines = json_number_value(against);
	char at[256];
	const char *key;

	if (!json_is_object(o)) {
		tell(r, path, o, "is no object");
		return;
	}
	for (size_t i = 0; i < 2; i++) {
		if (get_number(o, counts[i], COUNT_MAX, &n[i]))
			continue;
		(void)snprintf(at, sizeof(at), "%s.%s", path, counts[i]);
		tell(r, at, json_object_get(o, counts[i]),
		    "is no whole number from 0 to 1000000000");
	}
	if (!json_is_number(against) || !(machines >= 0 && machines <= STYLES_AGAINST_MAX)) {
		(void)snprintf(at, sizeof(at), "%s.against", path);
		tell(r, at, against, "is no number from 0 to 6");
		machines = 0;
	}
	json_object_foreach((json_t *)(uintptr_t)o, key, v)
	{
		if (strcmp(key, "successes") == 0 || strcmp(key, "failures") == 0 ||
		    strcmp(key, "against") == 0 || (r->times && strcmp(key, "at_ms") == 0))
			continue;
		(void)snprintf(at, sizeof(at), "%s.%.60s", path, key);
		tell(r, at, NULL, "is not known");
	}
	*ret = (struct model_tally){
		.successes = (uint32_t)n[0],
		.failures = (uint32_t)n[1],
		.against = (uint32_t)(machines * AGAINST_UNIT + 0.5),
	};
	if (r->times)
		(void)get_number(o, "at_ms", INT64_MAX, &ret->at_ms);
}

static bool
is_key_of_model(const char *key, bool times)
{
	static const char *const keys[] = { "class", "arch", "ndi", "uuid", "options", "adapter",
		"styles" };

	for (size_t i = 0; i < NITEMS(keys); i++) {
		if (strcmp(keys[i], key) == 0)
			return true;
	}
	return times && (strcmp(key, "seen_ms") == 0 || strcmp(key, "hopeless") == 0);
}

/* One model; true if it had no mistake. */
static bool
read_model(const json_t *o, const char *path, struct reading *r, struct firmware_room *room,
    struct firmware *f, struct model_tally tally[static OFFER_STYLES])
{
	unsigned before = r->mistakes;
	const char *key, *what;
	json_t *styles = json_object_get(o, "styles"), *v;
	char at[128];

	if (!json_is_object(o)) {
		tell(r, path, o, "is no object");
		return false;
	}
	if (firmware_parse(o, room, f, &key, &what) < 0) {
		(void)snprintf(at, sizeof(at), "%s.%s", path, key);
		tell(r, at, json_object_get(o, key), what);
	}
	json_object_foreach((json_t *)(uintptr_t)o, key, v)
	{
		if (is_key_of_model(key, r->times))
			continue;
		(void)snprintf(at, sizeof(at), "%s.%.60s", path, key);
		tell(r, at, NULL, "is not known");
	}
	memset(tally, 0, OFFER_STYLES * sizeof(*tally));
	if (!json_is_object(styles)) {
		(void)snprintf(at, sizeof(at), "%s.styles", path);
		tell(r, at, styles, "is no object");
	}
	json_object_foreach(styles, key, v)
	{
		unsigned style = style_by_name(key);

		(void)snprintf(at, sizeof(at), "%s.styles.%.60s", path, key);
		if (style == OFFER_STYLES)
			tell(r, at, NULL, "is no style of offers");
		else
			read_tally(v, at, r, &tally[style]);
	}
	return r->mistakes == before;
}

/* --- restoring -------------------------------------------------------------------------------- */

static size_t
restore_model(struct styles *t, const json_t *o)
{
	struct reading r = { .times = true };
	struct model_tally tally[OFFER_STYLES];
	struct firmware_room room;
	struct firmware f;
	uint64_t seen_ms = 0;
	struct model *m;

	if (!read_model(o, "", &r, &room, &f, tally))
		return 0;
	(void)get_number(o, "seen_ms", INT64_MAX, &seen_ms);
	m = styles_get_model(t, firmware_key(&f), &f, seen_ms);
	m->hopeless = json_is_true(json_object_get(o, "hopeless"));
	memcpy(m->tally, tally, sizeof(m->tally));
	return 1;
}

static size_t
restore_machine(struct styles *t, const json_t *o)
{
	const char *mac_text = json_string_value(json_object_get(o, "mac"));
	const char *key = json_string_value(json_object_get(o, "model"));
	unsigned kept = style_by_name(json_string_value(json_object_get(o, "kept")));
	unsigned first = style_by_name(json_string_value(json_object_get(o, "first")));
	struct machine_style *m;
	struct macaddr mac;
	uint64_t kept_s, n;

	if (mac_text == NULL || mac_parse(slice_str(mac_text), &mac) < 0 || key == NULL ||
	    strlen(key) != FIRMWARE_KEY_STRLEN - 1 ||
	    key[strspn(key, "0123456789abcdef")] != '\0' || kept == OFFER_STYLES ||
	    first == OFFER_STYLES || !get_number(o, "kept_s", UINT32_MAX, &kept_s))
		return 0;
	n = strtoull(key, NULL, 16);
	m = styles_get_machine(t, &mac, kept == OFFER_HTTP);
	m->model = n;
	m->has_kept = true;
	m->kept = (uint8_t)kept;
	m->kept_first = (uint8_t)first;
	m->kept_s = (uint32_t)kept_s;
	m->offered_ms = kept_s * 1000;
	return 1;
}

size_t
styles_restore(struct styles *t, const json_t *dump)
{
	const json_t *models = json_object_get(dump, "models");
	const json_t *machines = json_object_get(dump, "machines");
	size_t taken = 0;

	for (size_t i = 0; i < json_array_size(models); i++)
		taken += restore_model(t, json_array_get(models, i));
	for (size_t i = 0; i < json_array_size(machines); i++)
		taken += restore_machine(t, json_array_get(machines, i));
	return taken;
}

/* --- importing -------------------------------------------------------------------------------- */

static void
merge(struct styles *t, const struct firmware *f, const struct model_tally *from, uint64_t now_ms)
{
	struct model *m = styles_get_model(t, firmware_key(f), f, now_ms);

	for (size_t i = 0; i < OFFER_STYLES; i++) {
		struct model_tally *own = &m->tally[i];
		uint32_t against = styles_faded(own, now_ms);

		/* our own eyes count more than hearsay */
		if (own->successes == 0 && from[i].against > against) {
			own->against = from[i].against;
			own->at_ms = now_ms;
		}
		if (from[i].successes > own->successes)
			own->successes = from[i].successes;
		if (from[i].failures > own->failures)
			own->failures = from[i].failures;
	}
}

int
styles_import(struct styles *t, const json_t *object, bool check, uint64_t now_ms,
    styles_mistake_fn *mistake, void *arg)
{
	struct reading r = { .mistake = mistake, .arg = arg };
	const json_t *models = json_object_get(object, "models");
	uint64_t format = 0;
	const char *key;
	json_t *v;

	if (!get_number(object, "bootferry_quirks", FORMAT, &format) || format != FORMAT)
		tell(&r, "bootferry_quirks", json_object_get(object, "bootferry_quirks"),
		    "is not 1: this is no file of `ferryctl quirks export`");
	if (!json_is_array(models) || json_array_size(models) > MODELS_MAX)
		tell(&r, "models", models, "is no list of up to 100000 models");
	json_object_foreach((json_t *)(uintptr_t)object, key, v)
	{
		if (strcmp(key, "bootferry_quirks") != 0 && strcmp(key, "models") != 0)
			tell(&r, key, NULL, "is not known");
	}
	for (int pass = 0; pass < (check ? 1 : 2) && r.mistakes == 0; pass++) {
		for (size_t i = 0; i < json_array_size(models); i++) {
			struct model_tally tally[OFFER_STYLES];
			struct firmware_room room;
			struct firmware f;
			char path[40];

			(void)snprintf(path, sizeof(path), "models[%zu]", i);
			if (read_model(json_array_get(models, i), path, &r, &room, &f, tally) &&
			    pass > 0)
				merge(t, &f, tally, now_ms);
		}
	}
	if (r.mistakes > 0)
		return -EINVAL;
	if (!check) {
		t->changes++;
		t->news++;
	}
	return (int)json_array_size(models);
}
