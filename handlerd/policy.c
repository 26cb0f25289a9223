/* The compiled policy; see policy.h. */
#include "handlerd/policy.h"

#include "common/dhcp.h"
#include "handlerd/extra.h"

#include "common/path.h"
#include "handlerd/pattern.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One member of a group: the identifier in the spelling by which it is compared. */
struct group_member {
	char key[IMAGE_TITLE_MAX];
	const char *group;
};

static const char asset_prefix[] = "asset:";

const char *
mode_name(enum mode v)
{
	static const char *const names[MODES] = { "script", "referral" };

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

const char *
unknown_policy_name(enum unknown_policy v)
{
	static const char *const names[UNKNOWN_POLICIES] = { "serve", "approval", "ignore" };

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

const char *
fallback_name(enum fallback v)
{
	static const char *const names[FALLBACKS] = { "local", "deny", "wait" };

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

const char *
source_name(enum source v)
{
	static const char *const names[SOURCES] = { "webservice", "winpe", "boot", "allow_boot",
		"images" };

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

/* --- groups --------------------------------------------------------------------------------- */

static int
compare_members(const void *a, const void *b)
{
	const struct group_member *x = a, *y = b;

	return strcmp(x->key, y->key);
}

/* Serial numbers and asset tags are compared without case. */
static void
text_key(const char *prefix, struct slice s, char key[static IMAGE_TITLE_MAX])
{
	size_t n = (size_t)snprintf(key, IMAGE_TITLE_MAX, "%s", prefix);

	n += slice_copy(key + n, IMAGE_TITLE_MAX - n, s);
	for (size_t i = strlen(prefix); i < n; i++) {
		if (key[i] >= 'A' && key[i] <= 'Z')
			key[i] = (char)(key[i] | 0x20);
	}
}

/* A MAC has 6 octets or more, a UUID 16; all else is a serial number, also one as "12-34". */
static void
member_key(const char *text, char key[static IMAGE_TITLE_MAX])
{
	struct macaddr mac;
	struct uuid uuid;
	char buf[MAC_STRLEN];

	if (strncasecmp(text, asset_prefix, sizeof(asset_prefix) - 1) == 0)
		text_key(asset_prefix, slice_str(text + sizeof(asset_prefix) - 1), key);
	else if (uuid_parse(slice_str(text), &uuid) == 0)
		(void)snprintf(key, IMAGE_TITLE_MAX, "uuid:%s", uuid_format(&uuid, buf));
	else if (strpbrk(text, ":-") != NULL && mac_parse(slice_str(text), &mac) == 0 &&
		 mac.len >= 6)
		(void)snprintf(key, IMAGE_TITLE_MAX, "mac:%s", mac_format(&mac, buf));
	else
		text_key("serial:", slice_str(text), key);
}

static int
compile_groups(struct policy *p)
{
	const struct group_conf *groups = p->conf.groups.v;
	size_t n = 0;

	for (size_t i = 0; i < p->conf.groups.n; i++)
		n += groups[i].members.n;
	p->members = calloc(n + 1, sizeof(*p->members));
	if (p->members == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < p->conf.groups.n; i++) {
		for (size_t k = 0; k < groups[i].members.n; k++) {
			struct group_member *m = &p->members[p->nmembers++];

			member_key(groups[i].members.v[k], m->key);
			m->group = groups[i].name;
		}
	}
	qsort(p->members, p->nmembers, sizeof(*p->members), compare_members);
	return 0;
}

static size_t
add_groups(const struct policy *p, const char *key, struct slice *ret, size_t n, size_t size)
{
	struct group_member wanted = { .group = NULL };
	const struct group_member *m;

	(void)snprintf(wanted.key, sizeof(wanted.key), "%s", key);
	m = bsearch(&wanted, p->members, p->nmembers, sizeof(*m), compare_members);
	if (m == NULL)
		return n;
	while (m > p->members && strcmp(m[-1].key, key) == 0)
		m--;
	for (; m < p->members + p->nmembers && strcmp(m->key, key) == 0 && n < size; m++) {
		bool there = false;

		for (size_t i = 0; i < n; i++)
			there = there || slice_is(ret[i], m->group);
		if (!there)
			ret[n++] = slice_str(m->group);
	}
	return n;
}

size_t
policy_groups(
    const struct policy *p, const struct group_claim *claim, struct slice *ret, size_t size)
{
	char key[IMAGE_TITLE_MAX], buf[MAC_STRLEN];
	size_t n = 0;

	if (p->nmembers == 0)
		return 0;
	for (size_t i = 0; i < claim->nmacs; i++) {
		(void)snprintf(key, sizeof(key), "mac:%s", mac_format(&claim->macs[i], buf));
		n = add_groups(p, key, ret, n, size);
	}
	if (claim->uuid != NULL) {
		struct uuid swapped;

		(void)snprintf(key, sizeof(key), "uuid:%s", uuid_format(claim->uuid, buf));
		n = add_groups(p, key, ret, n, size);
		/* firmware, iPXE and inventories differ in the byte order */
		uuid_from_smbios(claim->uuid->b, &swapped);
		(void)snprintf(key, sizeof(key), "uuid:%s", uuid_format(&swapped, buf));
		n = add_groups(p, key, ret, n, size);
	}
	if (claim->serial.n > 0) {
		text_key("serial:", claim->serial, key);
		n = add_groups(p, key, ret, n, size);
	}
	if (claim->asset.n > 0) {
		text_key(asset_prefix, claim->asset, key);
		n = add_groups(p, key, ret, n, size);
	}
	return n;
}

/* --- secret files --------------------------------------------------------------------------- */

/*
 * True if a place may be this path.  iPXE expands its settings there, to anything: each counts as
 * "*".  Without case, as the content root's look-up; rather too much is secret than too little.
 */
static bool
is_place(const char *text, const char *path)
{
	uint8_t room[CONTENT_PATH_MAX];
	struct place place;
	struct wbuf w;

	if (text[0] == '\0' || place_parse(text, &place) < 0 || place.is_url)
		return false;
	wbuf_init(&w, room, sizeof(room));
	for (size_t i = 0; i < place.at.n; i++) {
		const uint8_t *end = memchr(place.at.p + i, '}', place.at.n - i);

		if (place.at.p[i] != '$' || i + 1 == place.at.n || place.at.p[i + 1] != '{' ||
		    end == NULL) {
			wbuf_u8(&w, place.at.p[i]);
			continue;
		}
		wbuf_u8(&w, '*');
		/* what is nested ends with the last brace of the run */
		i = (size_t)(end - place.at.p);
		while (i + 1 < place.at.n && place.at.p[i + 1] == '}')
			i++;
	}
	return w.bad || glob_match(wbuf_view(&w), slice_str(path));
}

/* A file of the image that a secret entry of type "image" dresses up. */
static bool
is_of_image(const struct entry *e, const char *path)
{
	char folder[IMAGE_NAME_MAX + 8];

	if (e->type != ENTRY_IMAGE)
		return false;
	(void)snprintf(
	    folder, sizeof(folder), "images/%s", e->image[0] != '\0' ? e->image : e->name);
	return path_is_below(path, folder);
}

static bool
has_place(const struct config_strings *list, const char *path)
{
	for (size_t i = 0; i < list->n; i++) {
		if (is_place(list->v[i], path))
			return true;
	}
	return false;
}

bool
policy_path_is_secret(const struct policy *p, const char *path)
{
	const struct entry *entries = p->conf.entries.v;

	for (size_t i = 0; i < p->conf.entries.n; i++) {
		const struct entry *e = &entries[i];

		if (e->secret && (is_place(e->kernel, path) || is_place(e->wimboot, path) ||
				     is_place(e->bcd, path) || is_place(e->sdi, path) ||
				     is_place(e->wim, path) || is_place(e->file, path) ||
				     has_place(&e->initrds, path) || has_place(&e->files, path) ||
				     is_of_image(e, path)))
			return true;
	}
	return false;
}

bool
policy_has_secrets(const struct policy *p)
{
	const struct entry *entries = p->conf.entries.v;

	for (size_t i = 0; i < p->conf.entries.n; i++) {
		if (entries[i].secret)
			return true;
	}
	return false;
}

/* --- checks --------------------------------------------------------------------------------- */

struct check {
	const struct policy *p;
	config_error_fn *error;
	void *arg;
	size_t errors;
};

static void __attribute__((format(printf, 3, 4)))
complain(struct check *c, const char *path, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap); /* a cut message is still one */
	va_end(ap);
	c->errors++;
	c->error(c->arg, path, what);
}

static void
count_error(void *arg, const char *path, const char *what)
{
	struct check *c = arg;

	c->errors++;
	c->error(c->arg, path, what);
}

static void
check_groups(struct check *c)
{
	const struct group_conf *groups = c->p->conf.groups.v;

	for (size_t i = 0; i < c->p->conf.groups.n; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "groups[%zu].name", i);
		if (!image_name_valid(groups[i].name))
			complain(c, path, "\"%.100s\" is no name", groups[i].name);
	}
}

static void
check_loaders(struct check *c)
{
	const struct loaders_conf *l = c->p->conf.loaders.v;

	for (size_t i = 0; i < c->p->conf.loaders.n; i++) {
		enum arch_cpu cpu = arch_cpu_from_name(slice_str(l[i].arch));
		char path[64];

		(void)snprintf(path, sizeof(path), "loaders[%zu].arch", i);
		if (cpu == ARCH_CPU_NONE)
			complain(c, path, "\"%.100s\" is no CPU's name", l[i].arch);
		else if (l[i].paths.n == 0)
			complain(c, path, "no loader is named for %s", l[i].arch);
		for (size_t k = 0; cpu != ARCH_CPU_NONE && k < i; k++) {
			if (arch_cpu_from_name(slice_str(l[k].arch)) == cpu)
				complain(c, path, "%s is listed before", l[i].arch);
		}
	}
}

/* A name or an address as it stands in a URL. */
static void
check_offers(struct check *c)
{
	const char *host = c->p->conf.http_host, *cross = c->p->conf.crosscert;
	struct ipaddr ip;

	if (cross[0] != '\0' && strcmp(cross, "own") != 0 && strncmp(cross, "http://", 7) != 0 &&
	    strncmp(cross, "https://", 8) != 0)
		complain(c, "offers.crosscert", "\"%.100s\" is neither \"own\" nor a URL", cross);

	if (host[strspn(host,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")] == '\0' ||
	    ip_parse(slice_str(host), &ip) == 0)
		return;
	complain(c, "offers.http_host", "\"%.100s\" is neither a host name nor an address", host);
}

static bool
is_menu(const struct policy *p, const char *name)
{
	const struct menu *menus = p->conf.menus.v;

	for (size_t i = 0; i < p->conf.menus.n; i++) {
		if (strcmp(menus[i].name, name) == 0)
			return true;
	}
	return false;
}

static bool
is_target(const struct policy *p, const char *name)
{
	const struct target_conf *t = p->conf.referral.targets.v;

	for (size_t i = 0; i < p->conf.referral.targets.n; i++) {
		if (strcmp(t[i].name, name) == 0)
			return true;
	}
	return false;
}

/* What an action needs; whether an image is there is told when it is wanted, as images come. */
static void
check_action(struct check *c, const struct rule_conf *r, const char *path)
{
	switch (r->action) {
	case RULE_ENTRY:
		if (r->entry[0] == '\0')
			complain(c, path, "action \"entry\" needs an entry");
		break;
	case RULE_SHOW_MENU:
		if (r->menu[0] != '\0' && !is_menu(c->p, r->menu))
			complain(c, path, "there is no menu \"%.100s\"", r->menu);
		break;
	case RULE_LOADER:
		if (r->loaders.n == 0)
			complain(c, path, "action \"loader\" needs loaders");
		break;
	case RULE_REFER:
		if (c->p->conf.referral.targets.n == 0)
			complain(c, path, "action \"refer\" needs targets in the block referral");
		break;
	case RULE_WEBSERVICE:
		if (!c->p->conf.ask_webservice)
			complain(c, path, "action \"webservice\" needs the feature BootRequest");
		break;
	default: break;
	}
}

static void
check_options(struct check *c, const struct rule_conf *r, const char *path)
{
	uint8_t room[EXTRA_BYTES];
	struct slice before;
	const char *why;
	struct wbuf w;

	if (r->options.n > 0 && r->action != RULE_LOADER)
		complain(c, path, "options are for action \"loader\"");
	wbuf_init(&w, room, sizeof(room));
	for (size_t i = 0; i < r->options.n; i++) {
		size_t at = w.used;

		if (extra_put(&w, r->options.v[i], &why) < 0)
			complain(c, path, "option \"%.100s\" %s", r->options.v[i], why);
		else if (dhcp_sub_option((struct slice){ room, at }, room[at], &before) == 0)
			complain(c, path, "option %u is there twice", room[at]);
	}
}

static void
check_rules(struct check *c)
{
	const struct rule_conf *rules = c->p->conf.rules.v;

	for (size_t i = 0; i < c->p->conf.rules.n; i++) {
		const struct rule_conf *r = &rules[i];
		char path[80];

		(void)snprintf(path, sizeof(path), "rules[%zu]", i);
		if (!image_name_valid(r->name))
			complain(c, path, "\"%.100s\" is no name for a rule", r->name);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(rules[k].name, r->name) == 0)
				complain(c, path, "there is a rule \"%s\" before it", r->name);
		}
		check_action(c, r, path);
		check_options(c, r, path);
		for (size_t k = 0; k < r->targets.n; k++) {
			if (!is_target(c->p, r->targets.v[k]))
				complain(c, path, "there is no target \"%.100s\"", r->targets.v[k]);
		}
		prompt_check(&r->prompt, path, count_error, c);
	}
}

static void
check_entries(struct check *c)
{
	const struct policy_conf *conf = &c->p->conf;
	const struct choices all = {
		.entries = conf->entries.v,
		.nentries = conf->entries.n,
		.menus = conf->menus.v,
		.nmenus = conf->menus.n,
	};

	const struct entry *entries = conf->entries.v;

	choices_check(&all, count_error, c);
	for (size_t i = 0; i < conf->entries.n; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "entries[%zu]", i);
		if (entries[i].type == ENTRY_REFER && entries[i].target[0] != '\0' &&
		    !is_target(c->p, entries[i].target))
			complain(c, path, "there is no target \"%.100s\"", entries[i].target);
	}
	prompt_check(&conf->prompt, "prompt", count_error, c);
}

/* --- the whole ------------------------------------------------------------------------------ */

static int
copy_conf(const struct policy_conf *from, struct policy_conf *to, config_error_fn *error, void *arg)
{
	json_t *object = config_dump_object(policy_keys, from);
	int rc;

	if (object == NULL)
		return -ENOMEM;
	rc = config_parse_object(policy_keys, object, to, sizeof(*to), error, arg);
	json_decref(object);
	if (rc < 0)
		return rc;
	to->ask_webservice = from->ask_webservice;
	to->webservice_fallback = from->webservice_fallback;
	to->winpe_features = from->winpe_features;
	memcpy(to->winpe_fallbacks, from->winpe_fallbacks, sizeof(to->winpe_fallbacks));
	return 0;
}

static int
compile(struct policy *p, struct check *c)
{
	const struct loaders_conf *l;
	int rc, result;

	check_groups(c);
	check_loaders(c);
	check_offers(c);
	check_entries(c);
	check_rules(c);
	referral_check(&p->conf.referral, count_error, c);
	if (p->conf.mode == MODE_REFERRAL && p->conf.referral.targets.n == 0)
		complain(c, "mode", "\"referral\" needs targets in the block referral");
	result = rules_compile(&p->conf.rules, count_error, c, &p->rules);
	if (result == -ENOMEM || c->errors > 0)
		return result == -ENOMEM ? result : -EINVAL;
	rc = targets_new(&p->conf.referral, &p->targets);
	if (rc == 0)
		rc = compile_groups(p);
	l = p->conf.loaders.v;
	for (size_t i = 0; i < p->conf.loaders.n; i++)
		p->loaders[arch_cpu_from_name(slice_str(l[i].arch))] = &l[i].paths;
	p->all = (struct menu){
		.name = "",
		.title = p->conf.menu_title,
		.standing = p->conf.menu_default,
		.timeout_ms = p->conf.menu_timeout_ms,
		.picture = "",
		.text_colour = "",
		.background_colour = "",
		.selected_colour = "",
		.selected_background = "",
	};
	return rc;
}

int
policy_new(const struct policy_conf *conf, uint64_t number, config_error_fn *error, void *arg,
    struct policy **ret)
{
	struct policy *p = calloc(1, sizeof(*p));
	struct check c = { .p = p, .error = error, .arg = arg };
	int rc;

	if (p == NULL)
		return -ENOMEM;
	p->refs = 1;
	p->number = number;
	rc = copy_conf(conf, &p->conf, error, arg);
	if (rc < 0) {
		free(p);
		return rc;
	}
	rc = compile(p, &c);
	if (rc < 0) {
		policy_unref(p);
		return rc;
	}
	*ret = p;
	return 0;
}

struct policy *
policy_ref(struct policy *p)
{
	p->refs++;
	return p;
}

void
policy_unref(struct policy *p)
{
	if (p == NULL || --p->refs > 0)
		return;
	rules_free(p->rules);
	targets_free(p->targets);
	free(p->members);
	config_free_object(policy_keys, &p->conf);
	free(p);
}
