/* Requests and answers of scripts; see hook.h. */
#include "common/hook.h"

#include "common/arch.h"
#include "common/form.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
	const char *name;
	unsigned kinds;
	enum verdict_kind standard;
} hooks[HOOKS] = {
	[HOOK_ALLOW_BOOT] = { "allow-boot",
	    VERDICT_BIT(VERDICT_NONE) | VERDICT_BIT(VERDICT_ALLOW) | VERDICT_BIT(VERDICT_DENY) |
		VERDICT_BIT(VERDICT_HOLD),
	    VERDICT_NONE },
	[HOOK_IMAGES] = { "images", VERDICT_BIT(VERDICT_NONE) | VERDICT_BIT(VERDICT_MENU),
	    VERDICT_MENU },
	[HOOK_BOOT] = { "boot", VERDICT_ANY, VERDICT_NONE },
};

const char *
hook_name(enum hook v)
{
	return v < HOOKS ? hooks[v].name : "?";
}

int
hook_parse_name(const char *name, enum hook *ret)
{
	for (enum hook v = 0; v < HOOKS; v++) {
		if (strcmp(name, hooks[v].name) == 0) {
			*ret = v;
			return 0;
		}
	}
	return -EINVAL;
}

/* --- text of the network -------------------------------------------------------------------- */

/* The object being filled, and where the names of its replaced values go. */
struct filling {
	json_t *object;
	const char *path; /* of the object: "request." */
	json_t *replaced;
	bool *failed; /* out of memory */
};

/* Adds a value; takes it over. */
static void
put(struct filling *f, const char *key, json_t *value)
{
	if (value == NULL || json_object_set_new(f->object, key, value) < 0)
		*f->failed = true;
}

/* The length of the UTF-8 sequence at the start of `s`, 0 if it is none (RFC 3629 section 4). */
static size_t
utf8_length(struct slice s)
{
	/* first byte, its bounds, the bounds of the second byte, length */
	static const struct {
		uint8_t first, last, low, high, n;
	} forms[] = {
		{ 0x01, 0x7f, 0, 0, 1 }, /* a NUL is valid but ends strings early: replaced, too */
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < NITEMS(forms); i++) {
		if (s.p[0] < forms[i].first || s.p[0] > forms[i].last)
			continue;
		if (s.n < forms[i].n ||
		    (forms[i].n > 1 && (s.p[1] < forms[i].low || s.p[1] > forms[i].high)))
			return 0;
		for (size_t k = 2; k < forms[i].n; k++) {
			if ((s.p[k] & 0xc0) != 0x80)
				return 0;
		}
		return forms[i].n;
	}
	return 0;
}

json_t *
hook_text(struct slice s, bool *replaced)
{
	char *text = malloc(s.n * 3 + 1);
	json_t *value;
	size_t n = 0;

	if (text == NULL)
		return NULL;
	while (s.n > 0) {
		size_t len = utf8_length(s);

		memcpy(text + n, len > 0 ? (const char *)s.p : "\xef\xbf\xbd", len > 0 ? len : 3);
		n += len > 0 ? len : 3;
		*replaced |= len == 0;
		len = len > 0 ? len : 1;
		s.p += len;
		s.n -= len;
	}
	value = json_stringn(text, n);
	free(text);
	return value;
}

/* A value that a stranger chose, unless it is empty. */
static void
put_text(struct filling *f, const char *key, struct slice s)
{
	bool replaced = false;

	if (s.n == 0)
		return;
	put(f, key, hook_text(s, &replaced));
	if (replaced && json_array_append_new(f->replaced, json_sprintf("%s%s", f->path, key)) < 0)
		*f->failed = true;
}

/* A value of our own, unless there is none. */
static void
put_own(struct filling *f, const char *key, const char *value)
{
	if (value != NULL && value[0] != '\0')
		put_text(f, key, slice_str(value));
}

static void
put_number(struct filling *f, const char *key, uint64_t v)
{
	put(f, key, json_integer((json_int_t)v));
}

/* "2026-11-23T02:49:26Z" */
static void
put_time(struct filling *f, const char *key, uint64_t at_ms)
{
	time_t at_s = (time_t)(at_ms / 1000);
	char text[40];
	struct tm tm;

	if (at_ms == 0 || gmtime_r(&at_s, &tm) == NULL)
		return;
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	put(f, key, json_string(text));
}

/* An object below `key`, or as the last element of the list `list`. */
static struct filling
below(struct filling *f, const char *key, const char *path, json_t *list)
{
	json_t *o = json_object();

	if (list == NULL)
		put(f, key, o);
	else if (json_array_append_new(list, o) < 0)
		*f->failed = true;
	return (struct filling){ o, path, f->replaced, f->failed };
}

/* --- the client ----------------------------------------------------------------------------- */

/* {"text": "...", "hex": "..."}; the text only if it prints. */
static json_t *
octets(struct slice s)
{
	char hex[2 * 255 + 1];
	bool prints = s.n > 0;
	json_t *o;

	hex[0] = '\0';
	for (size_t i = 0; i < s.n && i < 255; i++) {
		(void)snprintf(hex + 2 * i, 3, "%02x", s.p[i]);
		prints &= s.p[i] >= ' ' && s.p[i] < 0x7f;
	}
	o = json_pack("{s:s}", "hex", hex);
	if (o != NULL && prints)
		json_object_set_new(o, "text", json_stringn((const char *)s.p, s.n));
	return o;
}

/* Option 82's sub-options 1 and 2 (RFC 3046 section 2.0). */
static void
put_relay_info(struct filling *f, struct slice info)
{
	struct rbuf b;

	rbuf_init(&b, info.p, info.n);
	while (b.left > 0) {
		uint8_t code = rbuf_u8(&b);
		struct slice value = rbuf_slice(&b, rbuf_u8(&b));

		if (b.bad)
			return;
		if (code == 1 || code == 2)
			put(f, code == 1 ? "circuit_id" : "remote_id", octets(value));
	}
}

static void
put_arch(struct filling *f, const struct boot_request *r, uint16_t boot_arch)
{
	uint16_t number = r->arch != ARCH_UNKNOWN ? r->arch : boot_arch;
	const struct arch *a = arch_find(number);
	const char *firmware = NULL;

	if (slice_is(r->platform, "efi"))
		firmware = "uefi";
	else if (slice_is(r->platform, "pcbios"))
		firmware = "bios";
	else if (a->kind != ARCH_KIND_NONE)
		firmware = arch_kind_name(a->kind);
	put_own(f, "firmware", firmware);
	if (number == ARCH_UNKNOWN)
		return;
	put(f, "arch",
	    json_pack("{s:i, s:s, s:s}", "number", number, "name", a->name, "cpu",
		arch_cpu_name(a->cpu)));
}

static void
put_ipxe(struct filling *f, const struct boot_request *r)
{
	/* the feature tags of option 175 (iPXE, include/ipxe/features.h) */
	static const struct {
		uint8_t tag;
		const char *name;
	} features[] = {
		{ 0x10, "pxeext" },
		{ 0x11, "iscsi" },
		{ 0x12, "aoe" },
		{ 0x13, "http" },
		{ 0x14, "https" },
		{ 0x15, "tftp" },
		{ 0x16, "ftp" },
		{ 0x17, "dns" },
		{ 0x18, "bzimage" },
		{ 0x19, "multiboot" },
		{ 0x1a, "slam" },
		{ 0x1b, "srp" },
		{ 0x20, "nbi" },
		{ 0x21, "pxe" },
		{ 0x22, "elf" },
		{ 0x23, "comboot" },
		{ 0x24, "efi" },
		{ 0x25, "fcoe" },
		{ 0x26, "vlan" },
		{ 0x27, "menu" },
		{ 0x28, "sdi" },
		{ 0x29, "nfs" },
	};
	char version[32];
	json_t *names;

	if (r->ipxe_version != 0) {
		(void)snprintf(version, sizeof(version), "%u.%u.%u", r->ipxe_version >> 16,
		    r->ipxe_version >> 8 & 0xff, r->ipxe_version & 0xff);
		put(f, "ipxe_version", json_string(version));
	}
	if (!r->has_ipxe_features)
		return;
	names = json_array();
	for (size_t i = 0; i < NITEMS(features); i++) {
		if ((r->ipxe_features & IPXE_FEATURE(features[i].tag)) != 0)
			json_array_append_new(names, json_string(features[i].name));
	}
	put(f, "ipxe_features", names);
}

/* The form that was posted, names and values decoded; the first of equal names counts. */
static void
put_params(struct filling *f, struct slice text)
{
	struct filling params;
	bool cut = text.n > HOOK_PARAMS_MAX;
	struct form form = { .n = 0 };
	uint8_t *scratch;
	struct wbuf w;

	if (text.n == 0)
		return;
	if (cut) /* at the end of the last pair that is whole */
		for (text.n = HOOK_PARAMS_MAX; text.n > 0 && text.p[text.n] != '&'; text.n--)
			;
	scratch = malloc(text.n + 1);
	if (scratch == NULL) {
		*f->failed = true;
		return;
	}
	params = below(f, "params", "request.params.", NULL);
	wbuf_init(&w, scratch, text.n + 1);
	form_parse(text, &w, &form);
	for (size_t i = 0; i < form.n; i++) {
		struct slice name = form.fields[i].name, value = form.fields[i].value;
		char key[64];

		cut |= name.n >= sizeof(key) || value.n > HOOK_PARAM_MAX;
		if (value.n > HOOK_PARAM_MAX)
			value.n = HOOK_PARAM_MAX;
		/* a name that is no plain word is no parameter of ours */
		if (name.n == 0 || name.n >= sizeof(key) ||
		    slice_copy(key, sizeof(key), name) != name.n)
			continue;
		for (size_t k = 0; k < name.n; k++) {
			if (key[k] <= ' ' || key[k] >= 0x7f)
				key[k] = '?';
		}
		if (json_object_get(params.object, key) != NULL)
			continue;
		if (value.n == 0)
			put(&params, key, json_string(""));
		else
			put_text(&params, key, value);
	}
	free(scratch);
	if (cut || form.n == FORM_FIELDS)
		put(f, "params_cut", json_true());
}

static void
put_client(struct filling *f, const struct boot_request *r, uint16_t boot_arch)
{
	char mac[MAC_STRLEN], uuid[UUID_STRLEN], id[BOOT_ID_STRLEN], ip[IP_STRLEN];
	const struct {
		const char *key;
		struct slice value;
	} texts[] = {
		{ "subnet", r->subnet },
		{ "interface", r->interface },
		{ "file", r->file },
		{ "manufacturer", r->manufacturer },
		{ "product", r->product },
		{ "serial", r->serial },
		{ "asset", r->asset },
		{ "platform", r->platform },
		{ "buildarch", r->buildarch },
		{ "version", r->version },
		{ "vendor_class", r->vendor_class },
		{ "user_class", r->user_class },
		{ "client_subject", r->client_subject },
		{ "client_issuer", r->client_issuer },
		{ "client_serial", r->client_serial },
		{ "client_fingerprint", r->client_fingerprint },
	};
	const struct {
		const char *key;
		const struct ipaddr *value;
	} addresses[] = {
		{ "address", &r->address },
		{ "server", &r->server },
		{ "relay", &r->relay },
	};

	put_own(f, "stage", boot_stage_name(r->stage));
	put_own(f, "client", boot_client_name(r->client));
	put_own(f, "via", boot_via_name(r->via));
	if (r->boot != 0)
		put_own(f, "boot", boot_id_format(r->boot, id));
	put_own(f, "mac", mac_format(&r->mac, mac));
	if (r->has_uuid)
		put_own(f, "uuid", uuid_format(&r->uuid, uuid));
	for (size_t i = 0; i < NITEMS(addresses); i++) {
		if (!ip_is_any(addresses[i].value))
			put_own(f, addresses[i].key, ip_format(addresses[i].value, ip));
	}
	put_arch(f, r, boot_arch);
	for (size_t i = 0; i < NITEMS(texts); i++)
		put_text(f, texts[i].key, texts[i].value);
	put_relay_info(f, r->relay_info);
	put_ipxe(f, r);
	put_params(f, r->params);
}

/* --- what we know --------------------------------------------------------------------------- */

static void
put_machine(struct filling *f, const struct hook_machine *m)
{
	put_own(f, "id", m->id);
	put_own(f, "name", m->name);
	put_own(f, "group", m->group);
	put_own(f, "state", m->state);
	put_own(f, "entry", m->entry);
	if (m->once)
		put(f, "once", json_true());
	put_time(f, "first_seen", m->first_ms);
	put_time(f, "last_seen", m->last_ms);
	put_number(f, "boots", m->boots);
}

static void
put_boot(struct filling *f, const struct hook_boot *b)
{
	char id[BOOT_ID_STRLEN];

	put_own(f, "boot", boot_id_format(b->id, id));
	put_time(f, "started", b->started_ms);
	put_own(f, "phase", b->phase);
	put_own(f, "entry", b->entry);
}

static void
put_config(struct filling *f, const struct hook_facts *facts)
{
	put_own(f, "root", facts->root);
	put_own(f, "base", facts->base);
	put_own(f, "title", facts->title);
	put_own(f, "default", facts->standing);
	put_number(f, "menu_timeout_ms", facts->menu_timeout_ms);
}

static void
put_facts(struct filling *f, const struct hook_facts *facts)
{
	json_t *history = json_array(), *entries = json_array();
	struct filling part;

	put(f, "history", history);
	put(f, "entries", entries);
	if (*f->failed)
		return;
	part = below(f, "config", "config.", NULL);
	put_config(&part, facts);
	if (facts->machine != NULL) {
		part = below(f, "machine", "machine.", NULL);
		put_machine(&part, facts->machine);
	}
	for (size_t i = 0; i < facts->nboots; i++) {
		part = below(f, NULL, "history.", history);
		put_boot(&part, &facts->boots[i]);
	}
	for (size_t i = 0; i < facts->nentries; i++) {
		part = below(f, NULL, "entries.", entries);
		put_own(&part, "name", facts->entries[i].name);
		put_own(&part, "title", facts->entries[i].title);
		put_own(&part, "type", facts->entries[i].type);
	}
}

json_t *
hook_request(enum hook hook, const struct boot_request *r, const struct hook_facts *facts)
{
	bool failed = false;
	struct filling f = { json_object(), "", json_array(), &failed };
	struct filling client;

	put_number(&f, "version", HOOK_VERSION);
	put_own(&f, "type", hook_name(hook));
	put_time(&f, "time", facts->now_ms);
	put_number(&f, "deadline_ms", facts->deadline_ms);
	client = below(&f, "request", "request.", NULL);
	put_client(&client, r, facts->arch);
	put_facts(&f, facts);
	if (json_array_size(f.replaced) > 0)
		put(&f, "replaced", json_incref(f.replaced));
	json_decref(f.replaced);
	if (failed) {
		json_decref(f.object);
		return NULL;
	}
	return f.object;
}

json_t *
hook_self_test(enum hook hook)
{
	return json_pack("{s:i, s:s, s:s}", "version", HOOK_VERSION, "type", "self-test", "hook",
	    hook_name(hook));
}

int
hook_self_test_check(const json_t *answer, char *error, size_t error_size)
{
	const char *why = json_string_value(json_object_get(answer, "error"));

	if (json_is_true(json_object_get(answer, "ok")))
		return 0;
	if (why != NULL)
		(void)snprintf(error, error_size, "it says: %.200s", why);
	else
		(void)snprintf(error, error_size, "it did not answer {\"ok\": true}");
	return -EINVAL;
}

int
hook_answer_parse(enum hook hook, json_t *answer, verdict_entry_fn *entry, void *arg,
    struct verdict *ret, char *error, size_t error_size)
{
	const struct verdict_rules rules = {
		.kinds = hooks[hook].kinds,
		.standard = hooks[hook].standard,
		.entry = entry,
		.arg = arg,
	};

	return verdict_parse(answer, &rules, ret, error, error_size);
}
