/*
 * What the adaptive loader knows, as JSON and back:
 *   {"models": [{"key": "...", "loaders": [{"path": "...", "build": 1, "silences": 256,
 *                "lives": 3, "at_ms": 1700000000000}]}],
 *    "machines": [{"mac": "...", "kept": "HEX", "kept_first": "HEX", "kept_ms": 0,
 *                  "silent": [{"loader": "HEX", "round": true}]}]}
 * A loader's number is the hash of its path and build.  Silences count in 256ths.
 */
#include "handlerd/adapt_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX_STRLEN 17

static json_t *
hex_json(uint64_t v)
{
	char buf[HEX_STRLEN];

	(void)snprintf(buf, sizeof(buf), "%016llx", (unsigned long long)v);
	return json_string(buf);
}

/* 0 for anything else, which is no loader. */
static uint64_t
hex_value(const json_t *v)
{
	const char *s = json_string_value(v);

	if (s == NULL || strlen(s) != HEX_STRLEN - 1 || s[strspn(s, "0123456789abcdef")] != '\0')
		return 0;
	return strtoull(s, NULL, 16);
}

static json_t *
dump_model(const struct adapt_model *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->n; i++) {
		const struct adapt_tally *t = &m->v[i];

		if (t->silences == 0 && t->lives == 0)
			continue; /* was only given so far */
		json_array_append_new(
		    list, json_pack("{s:s, s:I, s:i, s:I, s:I}", "path", t->path, "build",
			      (json_int_t)t->build, "silences", (int)t->silences, "lives",
			      (json_int_t)t->lives, "at_ms", (json_int_t)t->at_ms));
	}
	return json_pack("{s:s, s:o}", "key", m->key, "loaders", list);
}

static json_t *
dump_machine(const struct adapt_machine *m)
{
	json_t *list = json_array();
	char mac[MAC_STRLEN];

	for (size_t i = 0; i < m->nsilent; i++)
		json_array_append_new(
		    list, json_pack("{s:o, s:b}", "loader", hex_json(m->silent[i].loader), "round",
			      m->silent[i].round));
	return json_pack("{s:s, s:o, s:o, s:I, s:o}", "mac", mac_format(&m->mac, mac), "kept",
	    hex_json(m->kept), "kept_first", hex_json(m->kept_first), "kept_ms",
	    (json_int_t)m->kept_ms, "silent", list);
}

json_t *
adapt_dump(const struct adapt *t)
{
	json_t *models = json_array(), *machines = json_array();

	for (const struct adapt_node *n = t->models.oldest; n != NULL; n = n->newer)
		json_array_append_new(models, dump_model((const struct adapt_model *)n));
	for (const struct adapt_node *n = t->machines.oldest; n != NULL; n = n->newer) {
		const struct adapt_machine *m = (const struct adapt_machine *)n;

		if (m->kept != 0 || m->nsilent > 0)
			json_array_append_new(machines, dump_machine(m));
	}
	return json_pack("{s:o, s:o}", "models", models, "machines", machines);
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

static bool
restore_tally(struct adapt_model *m, const json_t *item)
{
	const json_t *build = json_object_get(item, "build");
	struct loader_choice loader = {
		.path = json_string_value(json_object_get(item, "path")),
		.build = (uint64_t)json_integer_value(build),
	};
	uint64_t silences, lives, at_ms;
	struct adapt_tally *t;

	if (loader.path == NULL || strlen(loader.path) >= ADAPT_PATH_MAX ||
	    !json_is_integer(build) ||
	    !get_number(item, "silences", (json_int_t)ADAPT_SILENCES * SILENCE_UNIT, &silences) ||
	    !get_number(item, "lives", UINT32_MAX, &lives) ||
	    !get_number(item, "at_ms", INT64_MAX, &at_ms))
		return false;
	t = adapt_get_tally(m, &loader);
	t->silences = (uint32_t)silences;
	t->lives = (uint32_t)lives;
	t->at_ms = at_ms;
	return true;
}

static bool
restore_model(struct adapt *t, const json_t *item)
{
	const char *key = json_string_value(json_object_get(item, "key"));
	const json_t *list = json_object_get(item, "loaders");
	struct adapt_model *m;
	bool good = false;

	if (key == NULL || key[0] == '\0' || strlen(key) >= ADAPT_KEY_MAX || !json_is_array(list) ||
	    (m = adapt_get_model(t, key)) == NULL)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++)
		good = restore_tally(m, json_array_get(list, i)) || good;
	return good;
}

static bool
restore_machine(struct adapt *t, const json_t *item)
{
	const char *text = json_string_value(json_object_get(item, "mac"));
	const json_t *list = json_object_get(item, "silent");
	struct adapt_machine *m;
	struct macaddr mac;
	uint64_t kept_ms;

	if (text == NULL || mac_parse(slice_str(text), &mac) < 0 ||
	    !get_number(item, "kept_ms", INT64_MAX, &kept_ms) ||
	    (m = adapt_get_machine(t, &mac)) == NULL)
		return false;
	m->kept = hex_value(json_object_get(item, "kept"));
	m->kept_first = hex_value(json_object_get(item, "kept_first"));
	m->kept_ms = kept_ms;
	m->nsilent = 0;
	for (size_t i = 0; i < json_array_size(list) && m->nsilent < ADAPT_LOADERS; i++) {
		const json_t *silent = json_array_get(list, i);
		uint64_t loader = hex_value(json_object_get(silent, "loader"));

		if (loader == 0)
			continue;
		m->silent[m->nsilent].loader = loader;
		m->silent[m->nsilent++].round = json_is_true(json_object_get(silent, "round"));
	}
	return true;
}

size_t
adapt_restore(struct adapt *t, const json_t *dump)
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
