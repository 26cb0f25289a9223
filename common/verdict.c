/* Verdicts; see verdict.h. */
#include "common/verdict.h"

#include "common/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[VERDICT_KINDS] = {
	[VERDICT_NONE] = "none",
	[VERDICT_ALLOW] = "allow",
	[VERDICT_DENY] = "deny",
	[VERDICT_HOLD] = "hold",
	[VERDICT_ENTRY] = "entry",
	[VERDICT_MENU] = "menu",
	[VERDICT_SCRIPT] = "script",
	[VERDICT_LOCAL] = "local",
	[VERDICT_REFER] = "refer",
	[VERDICT_OVERRIDE] = "override",
};

/* What a key of the answer belongs to, besides "action", "reason", "cache_s" and "id". */
static const struct {
	const char *name;
	unsigned kinds;
} keys[] = {
	{ "text", VERDICT_BIT(VERDICT_DENY) | VERDICT_BIT(VERDICT_HOLD) },
	{ "entry", VERDICT_BIT(VERDICT_ENTRY) },
	{ "entries", VERDICT_BIT(VERDICT_MENU) },
	{ "default", VERDICT_BIT(VERDICT_MENU) },
	{ "timeout_ms", VERDICT_BIT(VERDICT_MENU) },
	{ "title", VERDICT_BIT(VERDICT_MENU) },
	{ "script", VERDICT_BIT(VERDICT_SCRIPT) },
	{ "target", VERDICT_BIT(VERDICT_REFER) },
	{ "url", VERDICT_BIT(VERDICT_REFER) },
	{ "action", VERDICT_ANY },
	{ "reason", VERDICT_ANY },
	{ "cache_s", VERDICT_ANY },
	{ "id", VERDICT_ANY },
};

/* An answer being read. */
struct reading {
	json_t *object;
	const struct verdict_rules *rules;
	struct verdict v;
	char *error;
	size_t error_size;
};

const char *
verdict_kind_name(enum verdict_kind v)
{
	return v < VERDICT_KINDS ? kind_names[v] : "?";
}

int
verdict_init(struct verdict *v)
{
	*v = (struct verdict){
		.text = strdup(""),
		.name = strdup(""),
		.url = strdup(""),
		.title = strdup(""),
		.standing = strdup(""),
		.reason = strdup(""),
		.timeout_ms = VERDICT_TIMEOUT_SITE,
	};
	if (v->text == NULL || v->name == NULL || v->url == NULL || v->title == NULL ||
	    v->standing == NULL || v->reason == NULL) {
		verdict_fini(v);
		return -ENOMEM;
	}
	return 0;
}

void
verdict_fini(struct verdict *v)
{
	for (size_t i = 0; i < v->nitems; i++) {
		free(v->items[i].name);
		json_decref(v->items[i].object);
	}
	free(v->items);
	free(v->text);
	free(v->name);
	free(v->url);
	free(v->title);
	free(v->standing);
	free(v->reason);
	*v = (struct verdict){ 0 };
}

static int __attribute__((format(printf, 2, 3))) wrong(struct reading *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(r->error, r->error_size, fmt, ap); /* a cut sentence is still one */
	va_end(ap);
	return -EINVAL;
}

/* Puts a new copy in the place of an owned string. */
static int
replace(char **place, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return -ENOMEM;
	free(*place);
	*place = copy;
	return 0;
}

/* A string of at most `max` bytes that fits on one line; NULL after saying what is wrong. */
static const char *
line_value(struct reading *r, const char *key, const json_t *value, size_t max)
{
	const char *text = json_string_value(value);
	size_t n = json_string_length(value);

	if (text == NULL) {
		(void)wrong(r, "%s: it must be a string", key);
		return NULL;
	}
	if (n > max) {
		(void)wrong(r, "%s: it has %zu bytes, at most %zu are allowed", key, n, max);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
			(void)wrong(r, "%s: it holds a control character", key);
			return NULL;
		}
	}
	return text;
}

/* A key that may be missing. */
static int
line(struct reading *r, const char *key, size_t max, char **place)
{
	const json_t *value = json_object_get(r->object, key);
	const char *text;

	if (value == NULL)
		return 0;
	text = line_value(r, key, value, max);
	return text == NULL ? -EINVAL : replace(place, text);
}

/* A number from 0 to `max` that may be missing. */
static int
number(struct reading *r, const char *key, json_int_t max, uint32_t *place)
{
	const json_t *value = json_object_get(r->object, key);

	if (value == NULL)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > max)
		return wrong(
		    r, "%s: it must be a whole number from 0 to %lld", key, (long long)max);
	*place = (uint32_t)json_integer_value(value);
	return 0;
}

static int
entry_name(struct reading *r, const char *key, const json_t *value, char **place)
{
	const char *name = line_value(r, key, value, VERDICT_TEXT_MAX);

	if (name == NULL)
		return -EINVAL;
	if (!image_name_valid(name))
		return wrong(r, "%s: \"%.80s\" is no name of an entry", key, name);
	return replace(place, name);
}

/* An entry by its name, or an object with the keys of one. */
static int
item(struct reading *r, const char *key, json_t *value, struct verdict_item *it)
{
	const json_t *name = value;
	char path[48], what[256];
	int rc;

	if (json_is_object(value)) {
		(void)snprintf(path, sizeof(path), "%s.name", key);
		key = path;
		name = json_object_get(value, "name");
	} else if (!json_is_string(value)) {
		return wrong(r, "%s: it must be the name of an entry, or an entry", key);
	}
	rc = entry_name(r, key, name, &it->name);
	if (rc < 0 || !json_is_object(value))
		return rc;
	if (r->rules->entry != NULL &&
	    r->rules->entry(r->rules->arg, value, what, sizeof(what)) < 0)
		return wrong(r, "%.*s: %s", (int)strlen(path) - 5, path, what);
	it->object = json_deep_copy(value);
	return it->object != NULL ? 0 : -ENOMEM;
}

static int
make_items(struct reading *r, size_t n)
{
	r->v.items = calloc(n, sizeof(*r->v.items));
	return r->v.items != NULL ? 0 : -ENOMEM;
}

static int
read_entry(struct reading *r)
{
	json_t *value = json_object_get(r->object, "entry");
	int rc = make_items(r, 1);

	if (rc < 0)
		return rc;
	if (value == NULL)
		return wrong(r, "entry: it is missing");
	r->v.nitems = 1;
	rc = item(r, "entry", value, &r->v.items[0]);
	if (rc == 0)
		rc = replace(&r->v.name, r->v.items[0].name);
	return rc;
}

static int
read_menu(struct reading *r)
{
	const json_t *list = json_object_get(r->object, "entries");
	size_t n = json_array_size(list);
	bool found = false;
	char key[32];
	int rc;

	if (!json_is_array(list))
		return wrong(r, "entries: it must be a list");
	if (n == 0 || n > VERDICT_ENTRIES_MAX)
		return wrong(r, "entries: there must be 1 to %d of them", VERDICT_ENTRIES_MAX);
	rc = make_items(r, n);
	for (size_t i = 0; i < n && rc == 0; i++) {
		(void)snprintf(key, sizeof(key), "entries[%zu]", i);
		r->v.nitems = i + 1;
		rc = item(r, key, json_array_get(list, i), &r->v.items[i]);
	}
	if (rc == 0 && json_object_get(r->object, "default") != NULL)
		rc =
		    entry_name(r, "default", json_object_get(r->object, "default"), &r->v.standing);
	for (size_t i = 0; i < n && rc == 0; i++) {
		found |= strcmp(r->v.items[i].name, r->v.standing) == 0;
		for (size_t j = 0; j < i && rc == 0; j++) {
			if (strcmp(r->v.items[i].name, r->v.items[j].name) == 0)
				rc = wrong(r, "entries[%zu]: \"%s\" stands in the list already", i,
				    r->v.items[i].name);
		}
	}
	if (rc == 0 && r->v.standing[0] != '\0' && !found)
		rc = wrong(r, "default: \"%s\" is none of the entries", r->v.standing);
	if (rc == 0)
		rc = number(r, "timeout_ms", VERDICT_TIMEOUT_MAX, &r->v.timeout_ms);
	return rc == 0 ? line(r, "title", VERDICT_TEXT_MAX, &r->v.title) : rc;
}

static int
read_script(struct reading *r)
{
	const json_t *value = json_object_get(r->object, "script");
	const char *text = json_string_value(value);
	char what[128];

	if (text == NULL)
		return wrong(r, "script: it must be a string");
	if (verdict_script_check((struct slice){ (const uint8_t *)text, json_string_length(value) },
		what, sizeof(what)) < 0)
		return wrong(r, "script: %s", what);
	return replace(&r->v.text, text);
}

static int
read_refer(struct reading *r)
{
	static const char *const schemes[] = { "https://", "http://", "tftp://" };
	const json_t *target = json_object_get(r->object, "target");
	const json_t *url = json_object_get(r->object, "url");
	bool known = false;
	int rc;

	if ((target == NULL) == (url == NULL))
		return wrong(r, "target, url: one of the two must be there");
	if (target != NULL)
		return entry_name(r, "target", target, &r->v.name);
	rc = line(r, "url", VERDICT_URL_MAX, &r->v.url);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < NITEMS(schemes); i++)
		known |= strncmp(r->v.url, schemes[i], strlen(schemes[i])) == 0;
	if (!known || strchr(r->v.url, ' ') != NULL)
		return wrong(r, "url: it must be an https, http or tftp URL without blanks");
	return 0;
}

/* Which kind it is, and that no key stands there that this kind has no use for. */
static int
read_kind(struct reading *r)
{
	const json_t *action = json_object_get(r->object, "action");
	const char *name = json_string_value(action), *key;
	enum verdict_kind kind = VERDICT_NONE;
	json_t *value;

	if (action == NULL) {
		kind = r->rules->standard;
		if (kind == VERDICT_NONE)
			return wrong(r, "action: it is missing");
	} else {
		while (
		    kind < VERDICT_KINDS && (name == NULL || strcmp(name, kind_names[kind]) != 0))
			kind++;
		if (kind == VERDICT_KINDS)
			return wrong(r, "action: there is no \"%.40s\"", name != NULL ? name : "");
	}
	if ((r->rules->kinds & VERDICT_BIT(kind)) == 0)
		return wrong(r, "action: \"%s\" is no answer to this question", kind_names[kind]);
	r->v.kind = kind;
	json_object_foreach(r->object, key, value)
	{
		size_t i = 0;

		while (i < NITEMS(keys) && strcmp(keys[i].name, key) != 0)
			i++;
		if (i == NITEMS(keys))
			return wrong(r, "%.40s: there is no such key", key);
		if ((keys[i].kinds & VERDICT_BIT(kind)) == 0)
			return wrong(
			    r, "%s: the action \"%s\" has no use for it", key, kind_names[kind]);
	}
	return 0;
}

static int
read_all(struct reading *r)
{
	int rc = read_kind(r);

	if (rc == 0)
		rc = line(r, "reason", VERDICT_TEXT_MAX, &r->v.reason);
	if (rc == 0)
		rc = number(r, "cache_s", VERDICT_CACHE_MAX_S, &r->v.cache_s);
	if (rc < 0)
		return rc;
	switch (r->v.kind) {
	case VERDICT_DENY:
	case VERDICT_HOLD: return line(r, "text", VERDICT_TEXT_MAX, &r->v.text);
	case VERDICT_ENTRY: return read_entry(r);
	case VERDICT_MENU: return read_menu(r);
	case VERDICT_SCRIPT: return read_script(r);
	case VERDICT_REFER: return read_refer(r);
	case VERDICT_NONE:
	case VERDICT_ALLOW:
	case VERDICT_LOCAL:
	case VERDICT_OVERRIDE:
	case VERDICT_KINDS: break;
	}
	return 0;
}

int
verdict_parse(json_t *object, const struct verdict_rules *rules, struct verdict *ret, char *error,
    size_t error_size)
{
	struct reading r = {
		.object = object,
		.rules = rules,
		.error = error,
		.error_size = error_size,
	};
	int rc;

	if (!json_is_object(object))
		return wrong(&r, "the answer must be an object");
	rc = verdict_init(&r.v);
	if (rc == 0)
		rc = read_all(&r);
	if (rc < 0) {
		if (rc == -ENOMEM)
			(void)wrong(&r, "out of memory");
		verdict_fini(&r.v);
		return rc;
	}
	*ret = r.v;
	return 0;
}

int
verdict_script_check(struct slice text, char *error, size_t error_size)
{
	static const char magic[] = "#!ipxe";
	size_t n = sizeof(magic) - 1;
	const char *what = NULL;

	if (text.n > VERDICT_SCRIPT_MAX)
		what = "it is longer than 64 KiB";
	else if (memchr(text.p, '\0', text.n) != NULL)
		what = "it holds a NUL";
	else if (!slice_begins(text, magic) ||
		 (text.n > n && text.p[n] != '\n' && text.p[n] != '\r'))
		what = "its first line must be \"#!ipxe\"";
	if (what == NULL)
		return 0;
	(void)snprintf(error, error_size, "%s", what);
	return -EINVAL;
}

static void
set_line(json_t *o, const char *key, const char *text)
{
	if (text[0] != '\0')
		json_object_set_new(o, key, json_string(text));
}

static json_t *
dump_item(const struct verdict_item *it)
{
	return it->object != NULL ? json_deep_copy(it->object) : json_string(it->name);
}

static void
dump_menu(const struct verdict *v, json_t *o)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->nitems; i++)
		json_array_append_new(list, dump_item(&v->items[i]));
	json_object_set_new(o, "entries", list);
	set_line(o, "default", v->standing);
	set_line(o, "title", v->title);
	if (v->timeout_ms != VERDICT_TIMEOUT_SITE)
		json_object_set_new(o, "timeout_ms", json_integer(v->timeout_ms));
}

json_t *
verdict_dump(const struct verdict *v)
{
	json_t *o = json_object();

	set_line(o, "action", verdict_kind_name(v->kind));
	set_line(o, "reason", v->reason);
	if (v->cache_s > 0)
		json_object_set_new(o, "cache_s", json_integer(v->cache_s));
	switch (v->kind) {
	case VERDICT_DENY:
	case VERDICT_HOLD: set_line(o, "text", v->text); break;
	case VERDICT_SCRIPT: set_line(o, "script", v->text); break;
	case VERDICT_ENTRY: json_object_set_new(o, "entry", dump_item(&v->items[0])); break;
	case VERDICT_MENU: dump_menu(v, o); break;
	case VERDICT_REFER:
		set_line(o, "target", v->name);
		set_line(o, "url", v->url);
		break;
	default: break;
	}
	return o;
}

int
verdict_copy(const struct verdict *v, struct verdict *ret)
{
	const struct verdict_rules any = { .kinds = VERDICT_ANY };
	json_t *dump = verdict_dump(v);
	char error[128];
	int rc = verdict_parse(dump, &any, ret, error, sizeof(error));

	json_decref(dump);
	return rc < 0 ? -ENOMEM : 0;
}
