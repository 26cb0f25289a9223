/*
 * What the control socket tells of models of firmware: which styles of offers they follow, which
 * loaders came to life on them; and what is taken over from other sites, or forgotten.
 */
#include "handlerd/control_quirks.h"

#include "common/json_text.h"
#include "handlerd/control_machines.h"
#include "handlerd/quirks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_SHOWN 200
#define AT_MAX         1000000

/* --- telling ---------------------------------------------------------------------------------- */

/* The style that new machines of a model get, and the default that it goes by. */
static void
set_first(json_t *o, const struct handlerd *h, const struct styles_model *m, uint64_t now_ms)
{
	const struct policy_conf *conf = &h->policy->conf;
	bool http = firmware_is_http(&m->firmware);
	enum offer_style list[STYLES_MAX], first;
	enum styles_kind kind;
	size_t n;

	if (!styles_kind_of(m->firmware.arch, http, &kind))
		return;
	first = kind == STYLES_HTTP   ? OFFER_HTTP
	        : kind == STYLES_BIOS ? policy_style(conf->offer_bios)
	                              : policy_style(conf->offer_uefi);
	n = styles_list(kind, first, list);
	json_object_set_new(o, "default", json_string(offer_style_name(first)));
	if (conf->offer_adapt)
		first = list[styles_of_model(h->styles, m->key, list, n, now_ms)];
	json_object_set_new(o, "style", json_string(offer_style_name(first)));
}

static json_t *
dump_model(const struct handlerd *h, const struct styles_model *m, uint64_t now_ms)
{
	char key[FIRMWARE_KEY_STRLEN], words[FIRMWARE_WORDS_MAX];
	json_t *o = firmware_dump(&m->firmware), *styles = json_object();

	json_object_set_new(o, "model", json_string(firmware_key_format(m->key, key)));
	json_object_set_new(o, "words", json_string(firmware_words(&m->firmware, words)));
	json_object_set_new(o, "seen_ms", json_integer((json_int_t)m->seen_ms));
	json_object_set_new(o, "hopeless", json_boolean(m->hopeless));
	set_first(o, h, m, now_ms);
	for (int i = 0; i < OFFER_STYLES; i++) {
		const struct styles_tally *t = &m->tally[i];

		if (t->successes > 0 || t->failures > 0 || t->against > 0)
			json_object_set_new(styles, offer_style_name((enum offer_style)i),
			    json_pack("{s:I, s:I, s:f}", "successes", (json_int_t)t->successes,
				"failures", (json_int_t)t->failures, "against", t->against));
	}
	json_object_set_new(o, "styles", styles);
	return o;
}

struct listing {
	const struct handlerd *h;
	uint64_t now_ms;
	json_t *list;
};

static void
list_model(void *arg, const struct styles_model *m)
{
	struct listing *l = arg;

	json_array_append_new(l->list, dump_model(l->h, m, l->now_ms));
}

/* What was learned about loaders (adapt.h): all of it, or of one name. */
static json_t *
list_loaders(const struct handlerd *h, const char *key)
{
	json_t *dump = adapt_dump(h->adapt), *list = json_array(), *m;
	size_t i;

	json_array_foreach(json_object_get(dump, "models"), i, m)
	{
		if (json_array_size(json_object_get(m, "loaders")) > 0 &&
		    (key == NULL || strcmp(json_string_value(json_object_get(m, "key")), key) == 0))
			json_array_append(list, m);
	}
	json_decref(dump);
	return list;
}

json_t *
rpc_quirks_list(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	struct listing l = { h, wall_clock_ms(), json_array() };

	(void)conn;
	(void)params;
	(void)error;
	styles_each_model(h->styles, l.now_ms, list_model, &l);
	return json_pack("{s:o, s:o}", "models", l.list, "loaders", list_loaders(h, NULL));
}

/* The model of parameter `model`: its number, or as much of it as is one model's alone. */
static bool
get_model(const struct handlerd *h, const json_t *params, uint64_t now_ms, struct styles_model *ret,
    struct rpc_error *error)
{
	const char *name = control_text(params, "model", error);
	int rc;

	if (name == NULL)
		return false;
	rc = styles_find_model(h->styles, name, now_ms, ret);
	if (rc == 0)
		return true;
	(void)rpc_fail(error, RPC_NOT_FOUND,
	    rc == -ENOTUNIQ ? "several models begin with \"%s\"" : "there is no model \"%s\"",
	    name);
	return false;
}

json_t *
rpc_quirks_show(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	uint64_t now_ms = wall_clock_ms();
	const struct slice nothing = { 0 };
	struct macaddr mac = { .len = 6 };
	struct styles_model m;
	char key[ADAPT_KEY_MAX];
	json_t *o;

	(void)conn;
	if (!get_model(h, params, now_ms, &m, error))
		return NULL;
	o = dump_model(h, &m, now_ms);
	memcpy(mac.b, m.firmware.adapter, 3);
	(void)adapt_key(nothing, nothing, &mac, m.firmware.class, m.firmware.arch, key);
	json_object_set_new(o, "loaders", list_loaders(h, key));
	return o;
}

/* --- sharing ---------------------------------------------------------------------------------- */

json_t *
rpc_quirks_export(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;

	(void)conn;
	(void)params;
	(void)error;
	return styles_export(h->styles, wall_clock_ms());
}

struct importing {
	json_t *errors;
	const char *name;
	int64_t at;
};

/* A mistake by its place in the file, of which this may be a part. */
static void
note_mistake(void *arg, const char *path, const char *what)
{
	static const char list[] = "models[";
	struct importing *im = arg;
	char place[512], *end;

	if (strncmp(path, list, strlen(list)) == 0) {
		unsigned long n = strtoul(path + strlen(list), &end, 10);

		(void)snprintf(place, sizeof(place), "%.*s%s%s%lld%s", NAME_MAX_SHOWN, im->name,
		    im->name[0] != '\0' ? ": " : "", list, (long long)im->at + (long long)n, end);
	} else {
		(void)snprintf(place, sizeof(place), "%.*s%s%s", NAME_MAX_SHOWN, im->name,
		    im->name[0] != '\0' ? ": " : "", path);
	}
	json_array_append_new(
	    im->errors, json_pack("{s:o, s:o}", "path", json_text(slice_str(place)), "error",
			    json_text(slice_str(what))));
}

json_t *
rpc_quirks_import(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	const json_t *at = json_object_get(params, "at");
	struct importing im = { .name = control_text(params, "name", error) };
	const json_t *only = json_object_get(params, "check");
	bool check = json_is_true(only);
	int rc;

	(void)conn;
	if (im.name == NULL)
		return NULL;
	if (only != NULL && !json_is_boolean(only))
		return rpc_fail(error, RPC_INVALID_PARAMS, "\"check\" is neither true nor false");
	if (at != NULL &&
	    (!json_is_integer(at) || json_integer_value(at) < 0 || json_integer_value(at) > AT_MAX))
		return rpc_fail(
		    error, RPC_INVALID_PARAMS, "\"at\" is a whole number from 0 to %d", AT_MAX);
	im.at = json_integer_value(at);
	im.errors = json_array();
	rc = styles_import(h->styles, json_object_get(params, "quirks"), check, wall_clock_ms(),
	    note_mistake, &im);
	if (rc < 0)
		return rpc_fail_with(
		    error, RPC_FAILED, im.errors, "the quirks have mistakes; nothing changed");
	json_decref(im.errors);
	quirks_save(h); /* who was told so relies on it */
	return json_pack("{s:i, s:b}", "models", rc, "check", check);
}

json_t *
rpc_quirks_forget(void *arg, struct rpc_conn *conn, const json_t *params, struct rpc_error *error)
{
	struct handlerd *h = arg;
	struct styles_model m;
	bool known;

	(void)conn;
	if (!get_model(h, params, wall_clock_ms(), &m, error))
		return NULL;
	known = styles_forget(h->styles, m.key);
	quirks_save(h);
	return json_boolean(known);
}
