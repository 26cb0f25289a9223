/* Configuration tables; see config.h. */
#include "common/config.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 256

/* The daemons that may have a block in a shared file. */
static const char *const daemons[] = { "dhcpproxyd", "tftpd", "httpsbootd", "handlerd" };

struct load {
	const struct config_table *table;
	uint8_t *conf;
	config_error_fn *error;
	void *arg;
	size_t errors;
};

static void __attribute__((format(printf, 3, 4)))
complain(struct load *l, const char *path, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap); /* a cut message is still one */
	va_end(ap);
	l->errors++;
	l->error(l->arg, path, what);
}

/* The value as it stands in the file, for an error message. */
static void
describe(const json_t *v, char buf[static 80])
{
	char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

	(void)snprintf(buf, 80, "%s", text != NULL ? text : "?");
	free(text);
}

static void
set_int(struct load *l, const struct config_key *k, const char *path, const json_t *v)
{
	int64_t n = json_integer_value(v);
	char got[80];

	if (json_is_integer(v) && n >= k->min && n <= k->max) {
		*(int64_t *)(l->conf + k->off) = n;
		return;
	}
	describe(v, got);
	complain(l, path, "%s is not a whole number from %lld to %lld", got, (long long)k->min,
	    (long long)k->max);
}

static void
set_string(struct load *l, const struct config_key *k, const char *path, const json_t *v)
{
	char **at = (char **)(l->conf + k->off);
	char got[80];

	describe(v, got);
	if (!json_is_string(v)) {
		complain(l, path, "%s is not a string", got);
	} else if (json_string_length(v) > (size_t)k->max) {
		complain(l, path, "%s is longer than %lld bytes", got, (long long)k->max);
	} else if (strlen(json_string_value(v)) != json_string_length(v)) {
		complain(l, path, "%s holds a NUL", got);
	} else {
		free(*at);
		*at = strdup(json_string_value(v));
		if (*at == NULL)
			complain(l, path, "out of memory");
	}
}

static void
set_enum(struct load *l, const struct config_key *k, const char *path, const json_t *v)
{
	char got[80], list[256] = "";

	for (int i = 0; k->names[i] != NULL; i++) {
		size_t used = strlen(list);

		if (json_is_string(v) && strcmp(json_string_value(v), k->names[i]) == 0) {
			*(int *)(l->conf + k->off) = i;
			return;
		}
		(void)snprintf(
		    list + used, sizeof(list) - used, "%s\"%s\"", i == 0 ? "" : ", ", k->names[i]);
	}
	describe(v, got);
	complain(l, path, "%s is none of %s", got, list);
}

static void
set_ip(struct load *l, const struct config_key *k, const char *path, const json_t *v)
{
	struct ipaddr *at = (struct ipaddr *)(l->conf + k->off);
	char got[80];

	if (json_is_string(v) && json_string_length(v) == 0) {
		*at = (struct ipaddr){ 0 };
		return;
	}
	if (json_is_string(v) && ip_parse(slice_str(json_string_value(v)), at) == 0)
		return;
	describe(v, got);
	complain(l, path, "%s is not an IP address", got);
}

static void
free_strings(struct config_strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
	*list = (struct config_strings){ 0 };
}

static void
set_strings(struct load *l, const struct config_key *k, const char *path, const json_t *v)
{
	struct config_strings *at = (struct config_strings *)(l->conf + k->off);
	size_t n = json_array_size(v);
	char got[80];

	if (!json_is_array(v) || n < (size_t)k->min || n > (size_t)k->max) {
		describe(v, got);
		complain(l, path, "%s is not a list of %lld to %lld strings%s", got,
		    (long long)k->min, (long long)k->max,
		    (k->flags & CONFIG_COMMAS) != 0 ? " or a string of such" : "");
		return;
	}
	free_strings(at);
	at->v = calloc(n + 1, sizeof(*at->v));
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(v, i);

		if (!json_is_string(item) ||
		    strlen(json_string_value(item)) != json_string_length(item)) {
			describe(item, got);
			complain(l, path, "item %zu, %s, is not a string", i + 1, got);
			continue;
		}
		if (at->v == NULL || (at->v[at->n] = strdup(json_string_value(item))) == NULL) {
			complain(l, path, "out of memory");
			return;
		}
		at->n++;
	}
}

/* "a, b" as a new list of its parts without the blanks around them; any other value as it is. */
static json_t *
part_commas(json_t *v)
{
	const char *text = json_string_value(v);
	json_t *list;

	if (text == NULL || strlen(text) != json_string_length(v))
		return json_incref(v);
	list = json_array();
	while (text[strspn(text, " ")] != '\0') {
		size_t n, part;

		text += strspn(text, " ");
		part = n = strcspn(text, ",");
		while (part > 0 && text[part - 1] == ' ')
			part--;
		json_array_append_new(list, json_stringn(text, part));
		text += n;
		text += *text == ',';
	}
	return list;
}

static bool
is_port(const json_t *v, int64_t min)
{
	return json_is_integer(v) && json_integer_value(v) >= min && json_integer_value(v) <= 65535;
}

static void
set_ports(struct load *l, const struct config_key *k, const char *path, const json_t *v)
{
	struct config_ports *at = (struct config_ports *)(l->conf + k->off);
	const json_t *first = json_array_get(v, 0), *last = json_array_get(v, 1);
	char got[80];

	if (is_port(v, 0)) {
		at->first = at->last = (uint16_t)json_integer_value(v);
	} else if (json_array_size(v) == 2 && is_port(first, 1) && is_port(last, 1) &&
		   json_integer_value(first) <= json_integer_value(last)) {
		at->first = (uint16_t)json_integer_value(first);
		at->last = (uint16_t)json_integer_value(last);
	} else {
		describe(v, got);
		complain(l, path, "%s is neither a port, [first, last] nor 0 for any port", got);
	}
}

/* The row of that name, and how far the struct that its place is in lies behind the table's. */
static const struct config_key *
find_key(const struct config_key *keys, const char *name, size_t *base)
{
	assert(keys != NULL);
	for (const struct config_key *k = keys; k->name != NULL; k++) {
		if (k->type == CONFIG_INCLUDE) {
			const struct config_key *found = find_key(k->sub, name, base);

			if (found != NULL) {
				*base += k->off;
				return found;
			}
		} else if (strcmp(k->name, name) == 0) {
			return k;
		}
	}
	return NULL;
}

static void set_block(struct load *l, const struct config_key *keys, const char *path, json_t *v);
static void set_defaults(struct load *l, const struct config_key *keys);
static void free_list(const struct config_key *k, struct config_list *list);

static void
set_list(struct load *l, const struct config_key *k, const char *path, json_t *v)
{
	struct config_list *list = (struct config_list *)(l->conf + k->off);
	uint8_t *conf = l->conf;
	size_t i;
	json_t *item;
	char got[80];

	if (!json_is_array(v) || json_array_size(v) > (size_t)k->max) {
		describe(v, got);
		complain(
		    l, path, "%s is not a list of at most %lld blocks", got, (long long)k->max);
		return;
	}
	free_list(k, list);
	list->v = calloc(json_array_size(v) + 1, k->size);
	if (list->v == NULL) {
		complain(l, path, "out of memory");
		return;
	}
	json_array_foreach(v, i, item)
	{
		char sub[PATH_BYTES];

		(void)snprintf(sub, sizeof(sub), "%s[%zu]", path, i);
		l->conf = (uint8_t *)list->v + i * k->size;
		list->n++;
		set_defaults(l, k->sub);
		set_block(l, k->sub, sub, item);
	}
	l->conf = conf;
}

/* A block's keys, or an included table's: their places begin at that of its row. */
static void
enter(struct load *l, const struct config_key *k, const char *path, json_t *v)
{
	l->conf += k->off;
	set_block(l, k->sub, path, v);
	l->conf -= k->off;
}

static void
set_value(struct load *l, const struct config_key *k, const char *path, json_t *v)
{
	char got[80];

	switch (k->type) {
	case CONFIG_BOOL:
		if (json_is_boolean(v)) {
			*(bool *)(l->conf + k->off) = json_is_true(v);
			break;
		}
		describe(v, got);
		complain(l, path, "%s is neither true nor false", got);
		break;
	case CONFIG_INT: set_int(l, k, path, v); break;
	case CONFIG_STRING: set_string(l, k, path, v); break;
	case CONFIG_ENUM: set_enum(l, k, path, v); break;
	case CONFIG_IP: set_ip(l, k, path, v); break;
	case CONFIG_STRINGS:
		v = (k->flags & CONFIG_COMMAS) != 0 ? part_commas(v) : json_incref(v);
		set_strings(l, k, path, v);
		json_decref(v);
		break;
	case CONFIG_PORTS: set_ports(l, k, path, v); break;
	case CONFIG_BLOCK: enter(l, k, path, v); break;
	case CONFIG_LIST: set_list(l, k, path, v); break;
	case CONFIG_INCLUDE: break; /* find_key() looks through it */
	}
}

static void
join(char path[static PATH_BYTES], const char *parent, const char *name)
{
	(void)snprintf(path, PATH_BYTES, "%s%s%s", parent, parent[0] == '\0' ? "" : ".", name);
}

static void
set_block(struct load *l, const struct config_key *keys, const char *path, json_t *v)
{
	const char *name;
	json_t *value;
	char got[80];

	if (!json_is_object(v)) {
		describe(v, got);
		complain(l, path, "%s is not a block", got);
		return;
	}
	json_object_foreach(v, name, value)
	{
		size_t base = 0;
		const struct config_key *k = find_key(keys, name, &base);
		char sub[PATH_BYTES];

		join(sub, path, name);
		if (k == NULL) {
			complain(l, sub, "unknown key");
			continue;
		}
		l->conf += base;
		set_value(l, k, sub, value);
		l->conf -= base;
	}
}

static bool
is_daemon(const char *name)
{
	for (size_t i = 0; i < NITEMS(daemons); i++) {
		if (strcmp(daemons[i], name) == 0)
			return true;
	}
	return false;
}

static bool
has_blocks(json_t *root)
{
	const char *name;
	json_t *value;

	json_object_foreach(root, name, value)
	{
		if (is_daemon(name))
			return true;
	}
	return false;
}

/* A file that several daemons share: the shared keys, then this daemon's own block. */
static void
set_shared(struct load *l, json_t *root)
{
	json_t *own = json_object_get(root, l->table->daemon);
	const char *name;
	json_t *value;

	json_object_foreach(root, name, value)
	{
		size_t base = 0;
		const struct config_key *k = find_key(l->table->keys, name, &base);

		if (is_daemon(name))
			continue;
		if (k == NULL) {
			complain(l, name, "unknown key");
		} else if ((k->flags & CONFIG_SHARED) == 0) {
			complain(l, name, "belongs into the block \"%s\"", l->table->daemon);
		} else {
			l->conf += base;
			set_value(l, k, name, value);
			l->conf -= base;
		}
	}
	if (own != NULL)
		set_block(l, l->table->keys, l->table->daemon, own);
}

static void
set_defaults(struct load *l, const struct config_key *keys)
{
	for (const struct config_key *k = keys; k->name != NULL; k++) {
		json_t *v;

		if (k->type == CONFIG_LIST)
			continue; /* none */
		if (k->sub != NULL) {
			l->conf += k->off;
			set_defaults(l, k->sub);
			l->conf -= k->off;
			continue;
		}
		v = json_loads(k->def, JSON_DECODE_ANY, NULL);
		assert(v != NULL); /* a default that is no JSON is a mistake in the table */
		set_value(l, k, k->name, v);
		json_decref(v);
	}
}

static void
count_error(void *arg, const char *path, const char *what)
{
	complain(arg, path, "%s", what);
}

int
config_parse(const struct config_table *table, const char *text, size_t n, void *conf,
    config_error_fn *error, void *arg)
{
	struct load l = { .table = table, .conf = conf, .error = error, .arg = arg };
	json_error_t je;
	json_t *root;

	memset(conf, 0, table->size);
	set_defaults(&l, table->keys);
	assert(l.errors == 0);
	if (text == NULL)
		return 0;
	root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
	if (root == NULL) {
		char where[32];

		(void)snprintf(where, sizeof(where), "line %d, column %d", je.line, je.column);
		complain(&l, where, "%s", je.text);
	} else if (has_blocks(root)) {
		set_shared(&l, root);
	} else {
		set_block(&l, table->keys, "", root);
	}
	/* also beside errors in single keys, which then have their defaults: all are told at once
	 */
	if (root != NULL && table->check != NULL)
		table->check(conf, count_error, &l);
	json_decref(root);
	if (l.errors > 0) {
		config_free(table, conf);
		return -EINVAL;
	}
	return 0;
}

static void
free_keys(const struct config_key *keys, uint8_t *conf)
{
	for (const struct config_key *k = keys; k->name != NULL; k++) {
		uint8_t *at = conf + k->off;

		if (k->type == CONFIG_STRING) {
			free(*(char **)at);
			*(char **)at = NULL;
		} else if (k->type == CONFIG_STRINGS) {
			free_strings((struct config_strings *)at);
		} else if (k->type == CONFIG_LIST) {
			free_list(k, (struct config_list *)at);
		} else if (k->sub != NULL) {
			free_keys(k->sub, at);
		}
	}
}

static void
free_list(const struct config_key *k, struct config_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free_keys(k->sub, (uint8_t *)list->v + i * k->size);
	free(list->v);
	*list = (struct config_list){ 0 };
}

void
config_free(const struct config_table *table, void *conf)
{
	if (conf != NULL)
		free_keys(table->keys, conf);
}

int
config_parse_object(const struct config_key *keys, json_t *object, void *conf, size_t size,
    config_error_fn *error, void *arg)
{
	struct load l = { .conf = conf, .error = error, .arg = arg };

	memset(conf, 0, size);
	set_defaults(&l, keys);
	set_block(&l, keys, "", object);
	if (l.errors > 0) {
		free_keys(keys, conf);
		return -EINVAL;
	}
	return 0;
}

void
config_free_object(const struct config_key *keys, void *conf)
{
	if (conf != NULL)
		free_keys(keys, conf);
}

static json_t *dump_list(const struct config_key *k, const struct config_list *list);

static json_t *
dump_value(const struct config_key *k, const uint8_t *conf)
{
	const uint8_t *at = conf + k->off;
	char text[IP_STRLEN];
	json_t *list;

	switch (k->type) {
	case CONFIG_BOOL: return json_boolean(*(const bool *)at);
	case CONFIG_INT: return json_integer(*(const int64_t *)at);
	case CONFIG_STRING: return json_string(*(char *const *)at);
	case CONFIG_ENUM: return json_string(k->names[*(const int *)at]);
	case CONFIG_IP: return json_string(ip_format((const struct ipaddr *)at, text));
	case CONFIG_STRINGS:
		list = json_array();
		for (size_t i = 0; i < ((const struct config_strings *)at)->n; i++)
			json_array_append_new(
			    list, json_string(((const struct config_strings *)at)->v[i]));
		return list;
	case CONFIG_PORTS: {
		const struct config_ports *p = (const struct config_ports *)at;

		if (p->first == p->last)
			return json_integer(p->first);
		return json_pack("[i,i]", p->first, p->last);
	}
	case CONFIG_LIST: return dump_list(k, (const struct config_list *)at);
	case CONFIG_BLOCK:
	case CONFIG_INCLUDE: break;
	}
	return json_null();
}

static bool
is_default(const struct config_key *k, const json_t *v)
{
	json_t *def =
	    k->type == CONFIG_LIST ? json_array() : json_loads(k->def, JSON_DECODE_ANY, NULL);
	bool same = json_equal(def, v);

	json_decref(def);
	return same;
}

/* `brief` leaves out what has its default. */
static void
dump_keys(const struct config_key *keys, const uint8_t *conf, bool brief, json_t *object)
{
	for (const struct config_key *k = keys; k->name != NULL; k++) {
		json_t *v;

		if (k->type == CONFIG_INCLUDE) {
			dump_keys(k->sub, conf + k->off, brief, object);
			continue;
		}
		if (k->type == CONFIG_BLOCK) {
			v = json_object();
			dump_keys(k->sub, conf + k->off, brief, v);
			if (brief && json_object_size(v) == 0) {
				json_decref(v);
				continue;
			}
		} else {
			v = dump_value(k, conf);
			if (brief && is_default(k, v)) {
				json_decref(v);
				continue;
			}
		}
		json_object_set_new(object, k->name, v);
	}
}

static json_t *
dump_list(const struct config_key *k, const struct config_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(
		    array, config_dump_object(k->sub, (const uint8_t *)list->v + i * k->size));
	return array;
}

json_t *
config_dump_object(const struct config_key *keys, const void *conf)
{
	json_t *object = json_object();

	dump_keys(keys, conf, true, object);
	return object;
}

json_t *
config_dump(const struct config_table *table, const void *conf)
{
	json_t *object = json_object();

	dump_keys(table->keys, conf, false, object);
	return object;
}

/* Exchanges one value between two structs. */
static void
swap_value(const struct config_key *k, uint8_t *a, uint8_t *b)
{
	static const size_t sizes[] = {
		[CONFIG_BOOL] = sizeof(bool),
		[CONFIG_INT] = sizeof(int64_t),
		[CONFIG_STRING] = sizeof(char *),
		[CONFIG_ENUM] = sizeof(int),
		[CONFIG_IP] = sizeof(struct ipaddr),
		[CONFIG_STRINGS] = sizeof(struct config_strings),
		[CONFIG_PORTS] = sizeof(struct config_ports),
		[CONFIG_LIST] = sizeof(struct config_list),
	};
	uint8_t tmp[sizeof(struct ipaddr)];
	size_t n;

	assert(k->type < NITEMS(sizes) && sizes[k->type] > 0);
	n = sizes[k->type];
	_Static_assert(sizeof(struct ipaddr) >= sizeof(struct config_strings), "the largest");
	memcpy(tmp, a + k->off, n);
	memcpy(a + k->off, b + k->off, n);
	memcpy(b + k->off, tmp, n);
}

/* `next` is only looked at if `swap` is false. */
static void
apply_keys(const struct config_key *keys, const char *parent, uint8_t *conf, uint8_t *next,
    bool swap, json_t *changed, json_t *restart)
{
	for (const struct config_key *k = keys; k->name != NULL; k++) {
		char path[PATH_BYTES];
		json_t *was, *is;

		join(path, parent, k->name);
		if (k->type == CONFIG_BLOCK || k->type == CONFIG_INCLUDE) {
			apply_keys(k->sub, k->type == CONFIG_BLOCK ? path : parent, conf + k->off,
			    next + k->off, swap, changed, restart);
			continue;
		}
		was = dump_value(k, conf);
		is = dump_value(k, next);
		if (json_equal(was, is)) {
			json_decref(was);
			json_decref(is);
			continue;
		}
		if ((k->flags & CONFIG_RESTART) != 0) {
			json_array_append_new(restart, json_string(path));
			json_decref(was);
			json_decref(is);
			continue;
		}
		if (swap)
			swap_value(k, conf, next);
		json_object_set_new(changed, path, json_pack("[o,o]", was, is));
	}
}

static json_t *
compare(const struct config_table *table, void *conf, void *next, bool swap)
{
	json_t *changed = json_object(), *restart = json_array();

	apply_keys(table->keys, "", conf, next, swap, changed, restart);
	return json_pack("{s:o,s:o}", "changed", changed, "restart", restart);
}

json_t *
config_apply(const struct config_table *table, void *conf, void *next)
{
	return compare(table, conf, next, true);
}

json_t *
config_compare(const struct config_table *table, void *conf, void *next)
{
	return compare(table, conf, next, false);
}

static void
document_bounds(const struct config_key *k, char buf[static 256])
{
	size_t used = 0;

	buf[0] = '\0';
	switch (k->type) {
	case CONFIG_BOOL: (void)snprintf(buf, 256, "true, false"); break;
	case CONFIG_INT:
		(void)snprintf(buf, 256, "%lld to %lld%s%s", (long long)k->min, (long long)k->max,
		    k->unit != NULL ? " " : "", k->unit != NULL ? k->unit : "");
		break;
	case CONFIG_STRING: (void)snprintf(buf, 256, "text"); break;
	case CONFIG_ENUM:
		for (int i = 0; k->names[i] != NULL && used < 256; i++)
			used += (size_t)snprintf(
			    buf + used, 256 - used, "%s`\"%s\"`", i == 0 ? "" : ", ", k->names[i]);
		break;
	case CONFIG_IP: (void)snprintf(buf, 256, "IP address, or empty"); break;
	case CONFIG_STRINGS:
		(void)snprintf(buf, 256, "list of %lld to %lld strings%s", (long long)k->min,
		    (long long)k->max,
		    (k->flags & CONFIG_COMMAS) != 0 ? ", or one string with commas" : "");
		break;
	case CONFIG_PORTS: (void)snprintf(buf, 256, "port, `[first, last]`, or 0"); break;
	case CONFIG_LIST:
		(void)snprintf(buf, 256, "list of at most %lld blocks", (long long)k->max);
		break;
	case CONFIG_BLOCK:
	case CONFIG_INCLUDE: break;
	}
}

static void
document_keys(const struct config_key *keys, const char *parent,
    void (*put)(void *arg, const char *text), void *arg)
{
	for (const struct config_key *k = keys; k->name != NULL; k++) {
		char path[PATH_BYTES], bounds[256], line[2048];

		join(path, parent, k->name);
		if (k->type == CONFIG_BLOCK || k->type == CONFIG_INCLUDE) {
			document_keys(k->sub, k->type == CONFIG_BLOCK ? path : parent, put, arg);
			continue;
		}
		document_bounds(k, bounds);
		(void)snprintf(line, sizeof(line), "| `%s` | `%s` | %s | %s | %s%s |\n", path,
		    k->type == CONFIG_LIST ? "[]" : k->def, bounds,
		    (k->flags & CONFIG_RESTART) != 0 ? "restart" : "reload", k->help,
		    (k->flags & CONFIG_SHARED) != 0 ? " (*shared*)" : "");
		put(arg, line);
		if (k->type == CONFIG_LIST) {
			(void)snprintf(path + strlen(path), PATH_BYTES - strlen(path), "[]");
			document_keys(k->sub, path, put, arg);
		}
	}
}

void
config_document(
    const struct config_table *table, void (*put)(void *arg, const char *text), void *arg)
{
	put(arg, "| key | default | values | a change needs | meaning |\n|---|---|---|---|---|\n");
	document_keys(table->keys, "", put, arg);
}
