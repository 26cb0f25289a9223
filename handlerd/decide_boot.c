/* Answers to boot requests: iPXE scripts; see decide.h. */
#include "handlerd/decision.h"

#include "common/params.h"
#include "handlerd/referral.h"

#include <stdio.h>
#include <string.h>

#define MENUS_LOOKED 32 /* within a menu that are looked through: as many as a script shows */
#define URLS_MAX     8  /* targets of a referral that a script tries */

/* --- what scripts need to know ---------------------------------------------------------------- */

/* The base URL as a string in the scratch space, by the port that the client uses already. */
static const char *
script_base(const struct deciding *d, bool secure)
{
	size_t start = d->scratch->used;

	put_base(d->scratch, &d->facts->web, secure, false);
	wbuf_u8(d->scratch, '\0');
	return d->scratch->bad ? "" : (const char *)d->scratch->p + start;
}

/* True if the loader that this client was given cannot do HTTPS. */
static bool
is_without_https(const struct facts *f)
{
	const struct loader *best = f->best[f->subject.cpu];

	return best != NULL && best->info.https == LOADER_HTTPS_NO;
}

/*
 * Whether a script's URLs are to be HTTPS: as the client came, and for one that came by TFTP, if
 * its loader can do that and was given a reason to trust us.
 */
static bool
is_secure(const struct deciding *d)
{
	const struct facts *f = d->facts;

	if (d->r->via == VIA_HTTPS || f->web.http_port == 0)
		return true;
	if (d->r->via == VIA_HTTP || f->by_http || !is_trusted(f))
		return false;
	return !is_without_https(f);
}

static void
set_context(const struct deciding *d, struct script_ctx *ctx)
{
	const struct facts *f = d->facts;
	const struct source_answer *web = &f->sources[SOURCE_WEBSERVICE];
	bool bios = slice_is(d->r->platform, "pcbios") || f->subject.cpu == ARCH_CPU_BIOS;

	*ctx = (struct script_ctx){
		.base = script_base(d, is_secure(d)),
		.ipv6 = d->r->server.family == 6,
		.others = f->web.others,
		.nothers = f->web.nothers,
		.boot = f->boot,
		.client = { .cpu = f->subject.cpu,
		    .firmware = bios                              ? ENTRY_BIOS
		                : f->subject.cpu != ARCH_CPU_NONE ? ENTRY_UEFI
		                                                  : ENTRY_ANY_FIRMWARE,
		    .memory_mb = f->memory_mb },
		.params = d->r->params,
		.token = f->token,
		.carry = web->carry,
		.ncarry = web->ncarry,
	};
}

/* --- menus and entries ------------------------------------------------------------------------ */

/* What there is for this machine: what a source told whole, then the site's. */
void
set_offered(const struct deciding *d, const struct ruling *ruling, struct offered *o)
{
	const struct policy_conf *conf = &d->policy->conf;

	o->site = (struct choices){
		.entries = conf->entries.v,
		.nentries = conf->entries.n,
		.menus = conf->menus.v,
		.nmenus = conf->menus.n,
		.images = d->facts->images,
		.nimages = d->facts->nimages,
	};
	o->all = &o->site;
	if (ruling->inline_choices != NULL) {
		o->inlined = *ruling->inline_choices;
		o->inlined.next = &o->site;
		o->all = &o->inlined;
	}
}

/* The menu that a source's list makes.  Strings are the verdict's. */
static void
menu_of_verdict(
    const struct deciding *d, const struct verdict *v, struct menu *menu, struct menu_item *items)
{
	static char none[] = "";

	*menu = d->policy->all;
	for (size_t i = 0; i < v->nitems; i++)
		items[i] = (struct menu_item){
			.kind = MENU_ENTRY,
			.name = v->items[i].name,
			.title = none,
			.key = none,
		};
	menu->items = (struct config_list){ .v = items, .n = v->nitems };
	menu->standing = v->standing;
	if (v->title[0] != '\0')
		menu->title = v->title;
	if (v->timeout_ms != VERDICT_TIMEOUT_SITE)
		menu->timeout_ms = v->timeout_ms;
}

void
menu_of_ruling(const struct deciding *d, const struct ruling *ruling, struct menu *menu,
    struct menu_item items[static VERDICT_ENTRIES_MAX], char standing[static IMAGE_NAME_MAX])
{
	*menu = ruling->menu != NULL ? *ruling->menu : d->policy->all;
	if (ruling->verdict != NULL)
		menu_of_verdict(d, ruling->verdict, menu, items);
	if (ruling->standing != NULL) {
		(void)snprintf(standing, IMAGE_NAME_MAX, "%s", ruling->standing);
		menu->standing = standing;
	}
}

/* Menus that were looked through; they may lead to each other in circles. */
struct looked {
	const struct menu *v[MENUS_LOOKED];
	size_t n;
};

static bool
menu_offers(const struct offered *o, const struct menu *menu, const char *name, struct looked *l)
{
	const struct menu_item *items = menu->items.v;

	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i] == menu)
			return false;
	}
	if (l->n == MENUS_LOOKED)
		return false;
	l->v[l->n++] = menu;
	if (menu->items.n == 0)
		return true; /* it shows everything */
	for (size_t i = 0; i < menu->items.n; i++) {
		const struct menu *sub;

		if (items[i].kind == MENU_ENTRY && strcmp(items[i].name, name) == 0)
			return true;
		if (items[i].kind != MENU_MENU)
			continue;
		sub = choices_menu(o->all, items[i].name);
		if (sub != NULL && menu_offers(o, sub, name, l))
			return true;
	}
	return false;
}

static void
say(const struct deciding *d, const struct script_ctx *ctx, enum boot_reason reason,
    enum script_end end, const char *text)
{
	size_t start = d->scratch->used;

	script_message(d->scratch, ctx, text, end);
	answer_script(d, start, reason);
}

static void refer(const struct deciding *d, const struct script_ctx *ctx, const char *url,
    const char *const *names, size_t nnames);

static void
boot_entry(const struct deciding *d, const struct script_ctx *ctx, const struct offered *o,
    const char *name, const struct prompt *prompt, enum boot_reason reason)
{
	struct choice c;
	char text[256];
	size_t start;

	if (choices_find(o->all, name, &c) < 0) {
		(void)snprintf(text, sizeof(text), "The entry %s is not on the server.", name);
		say(d, ctx, REASON_NO_ENTRY, SCRIPT_ASK, text);
		return;
	}
	if (!choice_suits(c, &ctx->client)) {
		(void)snprintf(
		    text, sizeof(text), "The entry %s is not for a machine of this kind.", name);
		say(d, ctx, REASON_NO_ENTRY, SCRIPT_LEAVE, text);
		return;
	}
	(void)snprintf(d->out->entry, sizeof(d->out->entry), "%s", choice_name(c));
	if (c.entry != NULL && c.entry->type == ENTRY_REFER && c.entry->target[0] != '\0') {
		refer(d, ctx, NULL, (const char *const[]){ c.entry->target }, 1);
		return;
	}
	start = d->scratch->used;
	if (prompt != NULL)
		script_prompt(d->scratch, ctx, prompt, c);
	else
		script_entry(d->scratch, ctx, c);
	answer_script(d, start, reason);
}

/* The item of the menu that came back as a boot request; 2PXE's scripts call it offerid. */
static bool
get_choice(const struct boot_request *r, char *buf, size_t size)
{
	char nomenu[8];

	if (params_text(r->params, "entry", buf, size) > 0)
		return true;
	return params_text(r->params, "nomenu", nomenu, sizeof(nomenu)) > 0 &&
	       strcmp(nomenu, "true") == 0 && params_text(r->params, "offerid", buf, size) > 0;
}

static void
show_menu(const struct deciding *d, const struct script_ctx *ctx, const struct offered *o,
    const struct ruling *ruling)
{
	struct menu_item items[VERDICT_ENTRIES_MAX];
	char chosen[IMAGE_NAME_MAX], standing[IMAGE_NAME_MAX];
	struct looked looked = { .n = 0 };
	struct menu menu;
	size_t start;

	menu_of_ruling(d, ruling, &menu, items, standing);
	if (get_choice(d->r, chosen, sizeof(chosen))) {
		if (!image_name_valid(chosen) || !menu_offers(o, &menu, chosen, &looked))
			say(d, ctx, REASON_NOT_OFFERED, SCRIPT_LEAVE,
			    "That is not in the menu of this machine.");
		else
			boot_entry(d, ctx, o, chosen, NULL, REASON_CHOSEN);
		return;
	}
	if (!script_menu_has_any(ctx, o->all, &menu)) {
		say(d, ctx, REASON_NO_IMAGE, SCRIPT_ASK,
		    "There is no image for this machine on the server.\n"
		    "ferryctl images add ... makes one.");
		return;
	}
	start = d->scratch->used;
	script_menu(d->scratch, ctx, o->all, &menu, ruling->prompt);
	answer_script(d, start, ruling->reason);
}

/* --- referral ------------------------------------------------------------------------------- */

static void
refer(const struct deciding *d, const struct script_ctx *ctx, const char *url,
    const char *const *names, size_t nnames)
{
	struct target_choice choices[TARGETS_MAX];
	struct referral_url_result carried;
	const char *urls[URLS_MAX];
	char via[REFERRAL_VIA_MAX + 1];
	size_t n, used = 0, start;
	struct slice passed;

	(void)params_text(d->r->params, REFERRAL_VIA, via, sizeof(via));
	passed = slice_str(via);
	n = url != NULL
	        ? 1
	        : targets_pick(d->policy->targets, d->facts->health, &d->facts->self,
		      d->policy->conf.referral.max_hops, d->r, passed, names, nnames, choices);
	for (size_t i = 0; i < n && used < URLS_MAX; i++) {
		const char *to = url != NULL ? url : choices[i].file;
		size_t at = d->scratch->used;

		if (url == NULL && !choices[i].by_url)
			continue;
		if (referral_url(
			d->scratch, to, d->r->params, passed, d->facts->self.id, &carried) < 0)
			continue;
		wbuf_u8(d->scratch, '\0');
		urls[used++] = (const char *)d->scratch->p + at;
		if (used == 1 && url == NULL)
			d->a->text = slice_str(choices[i].target->conf->name);
	}
	if (used == 0 || d->scratch->bad) {
		say(d, ctx, REASON_NO_TARGET, SCRIPT_ASK,
		    "No boot server that this machine could be referred to can be used.");
		return;
	}
	start = d->scratch->used;
	script_refer(d->scratch, ctx, urls, used);
	answer_script(d, start, REASON_REFERRED);
}

static void
refer_by_ruling(const struct deciding *d, const struct script_ctx *ctx, const struct ruling *ruling)
{
	if (ruling->names != NULL)
		refer(d, ctx, NULL, (const char *const *)ruling->names->v, ruling->names->n);
	else if (ruling->entry != NULL && ruling->entry[0] != '\0')
		refer(d, ctx, NULL, &ruling->entry, 1);
	else
		refer(d, ctx, ruling->url, NULL, 0);
}

/* --- the request ---------------------------------------------------------------------------- */

/*
 * Where a DHCP server hands out our fingerprint and we never see its answers, iPXE itself is asked
 * what it was told.  Not one that came by plain HTTP Boot: it has no packet of the firmware.
 */
static void
set_trusted_base(const struct deciding *d, struct script_ctx *ctx)
{
	const struct facts *f = d->facts;
	size_t start;

	if (d->r->via != VIA_TFTP || is_secure(d) || f->by_http || f->web.trust.n == 0)
		return;
	ctx->trusted_base = script_base(d, true);
	start = d->scratch->used;
	for (size_t i = 0; i < f->web.trust.n; i++)
		wbuf_printf(d->scratch, "%02x", f->web.trust.p[i]);
	wbuf_u8(d->scratch, '\0');
	ctx->trust = (const char *)d->scratch->p + start;
	if (d->scratch->bad)
		ctx->trusted_base = NULL;
}

void
give_collector(const struct deciding *d)
{
	struct script_ctx ctx;
	size_t start;

	set_context(d, &ctx);
	set_trusted_base(d, &ctx);
	start = d->scratch->used;
	script_collect(d->scratch, &ctx);
	answer_script(d, start, REASON_COLLECT);
}

static void
answer_ruling(const struct deciding *d, const struct script_ctx *ctx, const struct ruling *ruling)
{
	struct offered o;
	size_t start = d->scratch->used;

	set_offered(d, ruling, &o);
	switch (ruling->kind) {
	case RULING_MENU: show_menu(d, ctx, &o, ruling); return;
	case RULING_ENTRY:
		/* a machine that was told what to do is not asked for a key */
		boot_entry(d, ctx, &o, ruling->entry,
		    ruling->reason == REASON_RULE_ENTRY ? ruling->prompt : NULL, ruling->reason);
		return;
	case RULING_REFER: refer_by_ruling(d, ctx, ruling); return;
	case RULING_SCRIPT: script_site(d->scratch, ctx, ruling->text); break;
	case RULING_WAIT:
	case RULING_MESSAGE: script_wait(d->scratch, ctx, ruling->text); break;
	case RULING_REFUSE: script_message(d->scratch, ctx, ruling->text, SCRIPT_LEAVE); break;
	case RULING_IGNORE:
	case RULING_LOCAL:
	case RULING_PENDING: script_leave(d->scratch, ctx); break;
	}
	answer_script(d, start, ruling->reason);
}

void
decide_boot(const struct deciding *d)
{
	struct script_ctx ctx;
	struct ruling ruling;

	if (d->r->mac.len == 0 && !d->r->has_uuid) {
		give_collector(d);
		return;
	}
	if (is_in_loop(d)) {
		set_context(d, &ctx);
		say(d, &ctx, REASON_LOOP, SCRIPT_LEAVE,
		    "This machine fetched the same loader again and again: a loop.\n"
		    "It leaves network boot, and may try again in a few minutes.");
		return;
	}
	judge(d->policy, d->facts, NULL, NULL, &ruling);
	d->a->rule = slice_str(ruling.rule);
	d->out->need = ruling.need;
	d->out->effects |= ruling.effects;
	if (ruling.kind == RULING_PENDING)
		return;
	set_context(d, &ctx);
	answer_ruling(d, &ctx, &ruling);
	if (d->a->text.n == 0 && ruling.said != NULL)
		d->a->text = slice_str(ruling.said);
}
