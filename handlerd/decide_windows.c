/* The BCD that Windows' boot manager asks for by TFTP, where the site has none; see decide.h. */
#include "handlerd/bcd.h"
#include "handlerd/decision.h"
#include "handlerd/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MENUS 32

/* Where boot.sdi is asked for if an image names none: beside the boot manager it is found, too. */
#define STOCK_SDI "boot/boot.sdi"

/* The images of a store, and room for what they point to. */
struct collection {
	const struct deciding *d;
	const struct choices *choices;
	struct entry_client client;
	const char *wanted; /* the item that the menu stands on */
	/* the menu that is looked through, and what it points to */
	struct menu menu;
	struct menu_item items[VERDICT_ENTRIES_MAX];
	char standing[IMAGE_NAME_MAX];
	const struct menu *seen[MENUS];
	size_t nseen;
	struct bcd bcd;
	char wims[BCD_IMAGES][CONTENT_PATH_MAX], sdis[BCD_IMAGES][CONTENT_PATH_MAX];
};

bool
is_for_windows(const struct facts *f)
{
	return f->path_rc == 0 && f->file_rc == -ENOENT &&
	       strcasecmp(path_base(f->path), "BCD") == 0;
}

/* A public file of ours. */
static bool
take_path(const struct deciding *d, const struct place *p, char ret[static CONTENT_PATH_MAX])
{
	return !p->is_url && memchr(p->at.p, '$', p->at.n) == NULL &&
	       path_normalise(p->at, ret) == 0 && !policy_path_is_secret(d->policy, ret);
}

/* Takes a choice in if the boot manager can boot it. */
static bool
take(void *arg, struct choice c)
{
	struct collection *k = arg;
	size_t n = k->bcd.nimages;
	const struct place *sdi = NULL;
	struct plan plan;

	if (n == BCD_IMAGES)
		return true;
	plan_choice(&plan, c);
	if (plan.type != ENTRY_WIM || plan.secret || plan.nparts == 0)
		return false;
	for (size_t i = 0; i + 1 < plan.nparts; i++) {
		if (slice_is(plan.parts[i].name, "boot.sdi"))
			sdi = &plan.parts[i];
	}
	/* the image comes last in a plan */
	if (!take_path(k->d, &plan.parts[plan.nparts - 1], k->wims[n]) ||
	    (sdi != NULL && !take_path(k->d, sdi, k->sdis[n])))
		return false;
	k->bcd.images[n] = (struct bcd_image){
		.title = choice_title(c),
		.wim = slice_str(k->wims[n]),
		.sdi = slice_str(sdi != NULL ? k->sdis[n] : STOCK_SDI),
	};
	if (strcmp(choice_name(c), k->wanted) == 0)
		k->bcd.standing = n;
	k->bcd.nimages++;
	return false;
}

/* All of a menu, and of those that it leads to. */
static void
take_menu(struct collection *k, const struct menu *m)
{
	const struct menu_item *items = m->items.v;
	const struct menu *below;
	struct choice c;

	for (size_t i = 0; i < k->nseen; i++) {
		if (k->seen[i] == m)
			return;
	}
	if (k->nseen == MENUS)
		return;
	k->seen[k->nseen++] = m;
	if (m->items.n == 0)
		(void)choices_each(k->choices, &k->client, take, k);
	for (size_t i = 0; i < m->items.n; i++) {
		if (items[i].kind == MENU_ENTRY &&
		    choices_find(k->choices, items[i].name, &c) == 0 && choice_suits(c, &k->client))
			(void)take(k, c);
		below = items[i].kind == MENU_MENU ? choices_menu(k->choices, items[i].name) : NULL;
		if (below != NULL)
			take_menu(k, below);
	}
}

static void
take_ruling(struct collection *k, const struct ruling *ruling)
{
	struct choice c;

	if (ruling->kind == RULING_MENU) {
		menu_of_ruling(k->d, ruling, &k->menu, k->items, k->standing);
		k->wanted = k->menu.standing;
		k->bcd.timeout_s = k->menu.timeout_ms > 0 ? (k->menu.timeout_ms + 999) / 1000 : -1;
		take_menu(k, &k->menu);
	} else if (choices_find(k->choices, ruling->entry, &c) == 0 &&
		   choice_suits(c, &k->client)) {
		(void)snprintf(k->d->out->entry, sizeof(k->d->out->entry), "%s", choice_name(c));
		(void)take(k, c);
	}
}

static void
give_store(const struct deciding *d, const struct bcd *bcd, enum boot_reason reason)
{
	struct wbuf *w = d->scratch;
	struct slice store;

	store = bcd_build(bcd, w->p + w->used, w->bad ? 0 : w->size - w->used);
	if (store.n == 0) {
		answer_refuse(d, BOOT_ERROR_UNAVAILABLE, REASON_TOO_LONG, "the answer is too long");
		return;
	}
	w->used += store.n;
	d->a->action = ACTION_DATA;
	d->a->reason = reason;
	d->a->data = store;
}

void
give_bcd(const struct deciding *d)
{
	/* the question is the one that a boot request asks, and has the same answer */
	struct facts facts = *d->facts;
	enum arch_cpu cpu = facts.subject.cpu;
	struct collection k = { .d = d, .wanted = "" };
	struct ruling ruling;
	struct offered o;

	facts.subject.stage = STAGE_BOOT;
	judge(d->policy, &facts, NULL, NULL, &ruling);
	d->a->rule = slice_str(ruling.rule);
	d->out->need = ruling.need;
	d->out->effects |= ruling.effects;
	d->out->as_boot = true;
	if (ruling.kind == RULING_PENDING)
		return;
	if (ruling.kind != RULING_MENU && ruling.kind != RULING_ENTRY) {
		/* it can show nothing but an error */
		answer_refuse(d,
		    ruling.kind == RULING_WAIT ? BOOT_ERROR_UNAVAILABLE : BOOT_ERROR_FORBIDDEN,
		    ruling.reason,
		    ruling.text != NULL && ruling.kind != RULING_SCRIPT
			? ruling.text
			: "this machine is not to boot Windows by the network now");
		return;
	}
	set_offered(d, &ruling, &o);
	k.choices = o.all;
	k.client = (struct entry_client){ .cpu = cpu,
		.firmware = cpu == ARCH_CPU_BIOS ? ENTRY_BIOS : ENTRY_UEFI };
	k.bcd.uefi = cpu != ARCH_CPU_BIOS;
	take_ruling(&k, &ruling);
	if (k.bcd.nimages == 0)
		answer_refuse(d, BOOT_ERROR_NOT_FOUND, REASON_NO_IMAGE,
		    "there is no Windows image for this machine");
	else
		give_store(d, &k.bcd, ruling.reason);
}
