/* The web service's own dialect; see ws_bootferry.h. */
#include "handlerd/ws_bootferry.h"

#include "common/hook.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What clients carry along, in both directions unless it says otherwise. */
static const struct {
	const char *name;
	bool is_bool;
	bool answered; /* the service may set it */
} carried[] = {
	{ "tokenid", false, true },
	{ "requestid", false, true },
	{ "statusid", false, true },
	{ "wsurl", false, true },
	{ "offerid", false, true },
	{ "authmethod", false, true },
	{ "authvalue", false, false }, /* what a person typed: goes one way */
	{ "mandatory", true, true },
	{ "nomenu", true, true },
};

bool
ws_carry_name_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n > 0 && n <= WS_CARRY_NAME_MAX && name[n] == '\0' && name[0] != '-';
}

bool
ws_carry_value_valid(const char *value)
{
	size_t n = strlen(value);

	if (n > WS_CARRY_MAX_TEXT)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (value[i] <= ' ' || value[i] > '~' || strchr("$\"'\\`#;|", value[i]) != NULL)
			return false;
	}
	/* words by themselves, they would end the command */
	return strcmp(value, "&&") != 0;
}

/* --- bodies --------------------------------------------------------------------------------- */

static const char *
param(const json_t *params, const char *name)
{
	void *at;

	for (at = json_object_iter((json_t *)params); at != NULL;
	     at = json_object_iter_next((json_t *)params, at)) {
		if (strcasecmp(json_object_iter_key(at), name) == 0)
			return json_string_value(json_object_iter_value(at));
	}
	return NULL;
}

static bool
says_yes(const char *value)
{
	return value != NULL && (strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

static json_t *
params_of(const json_t *object)
{
	return json_object_get(json_object_get(object, "request"), "params");
}

int
ws_bootferry_body(json_t *object, enum ws_feature feature)
{
	json_t *params = params_of(object);
	json_t *base = json_object_get(json_object_get(object, "config"), "base");
	int rc = json_object_set_new(object, "type", json_string(ws_features[feature].name));

	for (size_t i = 0; i < NITEMS(carried) && rc == 0; i++) {
		const char *value = param(params, carried[i].name);

		if (value == NULL || value[0] == '\0')
			continue;
		rc = json_object_set_new(object, carried[i].name,
		    carried[i].is_bool ? json_boolean(says_yes(value)) : json_string(value));
	}
	if (params != NULL && rc == 0)
		rc = json_object_set(object, "paramdata", params);
	if (base != NULL && rc == 0)
		rc = json_object_set(object, "pxeurl", base);
	return rc == 0 ? 0 : -ENOMEM;
}

bool
ws_bootferry_override(const json_t *object)
{
	return says_yes(param(params_of(object), "wsoverride"));
}

bool
ws_bootferry_personal(const json_t *object)
{
	const char *value = param(params_of(object), "authvalue");

	return value != NULL && value[0] != '\0';
}

/* Text that may hold what a machine sent: what is no UTF-8 becomes plain. */
static json_t *
plain_string(const char *text)
{
	json_t *value = json_string(text);
	char *copy;

	if (value != NULL)
		return value;
	copy = strdup(text);
	for (char *c = copy; c != NULL && *c != '\0'; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
	value = copy != NULL ? json_string(copy) : NULL;
	free(copy);
	return value;
}

static bool
put_string(json_t *object, const char *key, const char *text)
{
	return text == NULL || text[0] == '\0' ||
	       json_object_set_new(object, key, plain_string(text)) == 0;
}

static bool
put_number(json_t *object, const char *key, uint64_t v)
{
	return v == 0 || json_object_set_new(object, key, json_integer((json_int_t)v)) == 0;
}

json_t *
ws_bootferry_report(json_t *object, const struct ws_report *r)
{
	char id[BOOT_ID_STRLEN], mac[MAC_STRLEN], uuid[UUID_STRLEN], ip[IP_STRLEN];
	json_t *o = json_object();

	if (object == NULL)
		object = json_pack("{s:i}", "version", HOOK_VERSION);
	if (json_object_set_new(o, "at_ms", json_integer((json_int_t)r->at_ms)) == 0 &&
	    put_string(o, "boot", r->boot != 0 ? boot_id_format(r->boot, id) : NULL) &&
	    put_string(o, "mac", r->mac != NULL ? mac_format(r->mac, mac) : NULL) &&
	    put_string(o, "uuid", r->uuid != NULL ? uuid_format(r->uuid, uuid) : NULL) &&
	    put_string(o, "address",
		r->address != NULL && !ip_is_any(r->address) ? ip_format(r->address, ip) : NULL) &&
	    put_string(o, "entry", r->entry) && put_string(o, "url", r->url) &&
	    put_number(o, "bytes", r->bytes) && put_number(o, "duration_ms", r->duration_ms) &&
	    put_string(o, "error", r->error) && json_object_set(object, "report", o) == 0) {
		json_decref(o);
		return object;
	}
	json_decref(o);
	json_decref(object);
	return NULL;
}

/* --- answers -------------------------------------------------------------------------------- */

/* An answer being read: `rest` loses the keys that are understood here. */
struct reading {
	json_t *rest;
	struct ws_answer a;
	char *error;
	size_t error_size;
};

static int __attribute__((format(printf, 2, 3))) wrong(struct reading *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(r->error, r->error_size, fmt, ap); /* a cut sentence is still one */
	va_end(ap);
	return -EINVAL;
}

static int
carry(struct reading *r, const char *name, const char *value)
{
	struct ws_pair *p;

	if (!ws_carry_name_valid(name))
		return wrong(r, "paramdata: \"%.40s\" is no name that a client can carry", name);
	if (!ws_carry_value_valid(value))
		return wrong(r, "%s: a client cannot carry this value", name);
	if (r->a.ncarry == WS_CARRY_MAX)
		return wrong(r, "paramdata: more than %d values", WS_CARRY_MAX);
	p = realloc(r->a.carry, (r->a.ncarry + 1) * sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	r->a.carry = p;
	p += r->a.ncarry;
	*p = (struct ws_pair){ strdup(name), strdup(value) };
	r->a.ncarry++;
	return p->name != NULL && p->value != NULL ? 0 : -ENOMEM;
}

static int
read_carried(struct reading *r)
{
	json_t *params = json_object_get(r->rest, "paramdata"), *value;
	const char *name;
	int rc = 0;

	for (size_t i = 0; i < NITEMS(carried) && rc == 0; i++) {
		value = json_object_get(r->rest, carried[i].name);
		if (value == NULL || !carried[i].answered)
			continue;
		if (carried[i].is_bool ? !json_is_boolean(value) : !json_is_string(value))
			return wrong(r, "%s: it must be a %s", carried[i].name,
			    carried[i].is_bool ? "boolean" : "string");
		if (json_is_true(value))
			rc = carry(r, carried[i].name, "true");
		else if (json_is_string(value))
			rc = carry(r, carried[i].name, json_string_value(value));
		(void)json_object_del(r->rest, carried[i].name);
	}
	if (rc < 0 || params == NULL)
		return rc;
	if (!json_is_object(params))
		return wrong(r, "paramdata: it must be an object");
	json_object_foreach(params, name, value)
	{
		if (!json_is_string(value))
			return wrong(r, "paramdata.%.40s: it must be a string", name);
		rc = carry(r, name, json_string_value(value));
		if (rc < 0)
			return rc;
	}
	(void)json_object_del(r->rest, "paramdata");
	return 0;
}

/* Takes a string out of the answer; a missing one leaves *place as it is. */
static int
take_string(struct reading *r, const char *name, size_t max, bool lines, char **place)
{
	const json_t *value = json_object_get(r->rest, name);
	const char *text = json_string_value(value);
	size_t n = json_string_length(value);
	char *copy;

	if (value == NULL)
		return 0;
	if (text == NULL)
		return wrong(r, "%s: it must be a string", name);
	if (n > max)
		return wrong(r, "%s: it is longer than %zu bytes", name, max);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] >= ' ' && text[i] != 0x7f)
			continue;
		if (!lines || strchr("\t\r\n", text[i]) == NULL || text[i] == '\0')
			return wrong(r, "%s: it holds a control character", name);
	}
	copy = strdup(text);
	if (copy == NULL)
		return -ENOMEM;
	free(*place);
	*place = copy;
	(void)json_object_del(r->rest, name);
	return 0;
}

static int
take_keep(struct reading *r)
{
	const json_t *value = json_object_get(r->rest, "keep");

	if (value == NULL)
		return 0;
	if (!json_is_boolean(value))
		return wrong(r, "keep: it must be a boolean");
	r->a.keep = json_is_true(value);
	(void)json_object_del(r->rest, "keep");
	return 0;
}

/* A name that WinPE may have in a folder: no path, and none that Windows cannot have. */
static bool
file_name_valid(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && name[strcspn(name, "/\\:*?\"<>|$")] == '\0';
}

static int
read_content(struct reading *r, enum ws_feature feature)
{
	int rc = take_string(r, "text", WS_TEXT_MAX, true, &r->a.text);

	if (rc == 0 && feature == WS_EXTRA_FILE)
		rc = take_string(r, "name", WS_NAME_MAX, false, &r->a.name);
	if (rc == 0 && feature == WS_EXTRA_FILE)
		rc = take_string(r, "url", VERDICT_URL_MAX, false, &r->a.url);
	if (rc < 0)
		return rc;
	if (r->a.text[0] != '\0' && r->a.url[0] != '\0')
		return wrong(r, "text, url: only one of the two can be");
	if ((r->a.name[0] != '\0') !=
	    (feature == WS_EXTRA_FILE && (r->a.text[0] != '\0' || r->a.url[0] != '\0')))
		return wrong(r, "name: a file has a name, and a text or url");
	if (r->a.name[0] != '\0' && !file_name_valid(r->a.name))
		return wrong(r, "name: it is no name of a file");
	if (r->a.url[0] != '\0' && strncmp(r->a.url, "https://", 8) != 0 &&
	    strncmp(r->a.url, "http://", 7) != 0)
		return wrong(r, "url: it must be an https or http URL");
	/* what is left: cache_s, reason, and nothing that a decision would have */
	return json_object_set_new(r->rest, "action", json_string("none")) == 0 ? 0 : -ENOMEM;
}

/* What `wsoverride` or a missing action stand for. */
static int
read_decision(struct reading *r)
{
	const json_t *override = json_object_get(r->rest, "wsoverride");

	if (override != NULL && !json_is_boolean(override))
		return wrong(r, "wsoverride: it must be a boolean");
	if (json_is_true(override) &&
	    json_object_set_new(r->rest, "action", json_string("override")) < 0)
		return -ENOMEM;
	(void)json_object_del(r->rest, "wsoverride");
	return 0;
}

int
ws_bootferry_answer(enum ws_feature feature, const json_t *object, verdict_entry_fn *entry,
    void *arg, struct ws_answer *ret, char *error, size_t error_size)
{
	const struct verdict_rules rules = { .kinds = VERDICT_ANY, .entry = entry, .arg = arg };
	struct reading r = { .error = error, .error_size = error_size };
	struct verdict v;
	int rc;

	if (!json_is_object(object))
		return wrong(&r, "the answer must be an object");
	r.rest = json_copy((json_t *)object);
	rc = ws_answer_init(&r.a);
	if (r.rest == NULL || rc < 0) {
		json_decref(r.rest);
		if (rc == 0)
			ws_answer_fini(&r.a);
		return -ENOMEM;
	}
	rc = read_carried(&r);
	if (rc == 0)
		rc = take_string(&r, "status", WS_STATUS_MAX, false, &r.a.status);
	if (rc == 0)
		rc = take_keep(&r);
	if (rc == 0)
		rc = ws_features[feature].kind == WS_CONTENT ? read_content(&r, feature)
		                                             : read_decision(&r);
	if (rc == 0)
		rc = verdict_parse(r.rest, &rules, &v, error, error_size);
	json_decref(r.rest);
	if (rc < 0) {
		ws_answer_fini(&r.a);
		return rc;
	}
	verdict_fini(&r.a.verdict);
	r.a.verdict = v;
	*ret = r.a;
	return 0;
}
