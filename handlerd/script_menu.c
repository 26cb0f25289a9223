/*
 * Scripts that ask a person: menus and prompts; see script.h.
 *
 * All menus that can be reached stand in one script.  An item's value is a label, or the name of
 * an entry, to which there is no label: this is how "goto" tells them apart.
 */
#include "handlerd/script.h"
#include "handlerd/script_parts.h"

#include <stdio.h>
#include <string.h>

/* Menus in one script; more are left out, as if nothing in them suited. */
#define MENUS_MAX 32

/* iPXE's colour pairs: of ordinary text, and of the item that the menu stands on. */
#define PAIR_TEXT   1
#define PAIR_SELECT 2

struct tree {
	struct wbuf *w;
	const struct script_ctx *ctx;
	const struct choices *choices;
	size_t start;                        /* of the script in the buffer */
	const struct menu *menus[MENUS_MAX]; /* shown, the root first */
	size_t nmenus;
};

static const struct menu_item *
items_of(const struct menu *m)
{
	return m->items.v;
}

/* --- what is shown -------------------------------------------------------------------------- */

static bool
suits(const struct tree *t, const char *name, struct choice *ret)
{
	return choices_find(t->choices, name, ret) == 0 && choice_suits(*ret, &t->ctx->client);
}

static bool
is_any(void *arg, struct choice c)
{
	(void)arg;
	(void)c;
	return true;
}

/* Menus that were looked at. */
struct seen {
	const struct menu *v[MENUS_MAX];
	size_t n;
};

/* True if there is something to boot in this menu, or below it in one not looked at yet. */
static bool
has_any(const struct tree *t, const struct menu *m, struct seen *seen)
{
	const struct menu_item *items = items_of(m);
	struct choice c;

	for (size_t i = 0; i < seen->n; i++) {
		if (seen->v[i] == m)
			return false;
	}
	if (seen->n == MENUS_MAX)
		return false;
	seen->v[seen->n++] = m;
	if (m->items.n == 0)
		return choices_each(t->choices, &t->ctx->client, is_any, NULL);
	for (size_t i = 0; i < m->items.n; i++) {
		const struct menu *below;

		if (items[i].kind == MENU_ENTRY && suits(t, items[i].name, &c))
			return true;
		below = items[i].kind == MENU_MENU ? choices_menu(t->choices, items[i].name) : NULL;
		if (below != NULL && has_any(t, below, seen))
			return true;
	}
	return false;
}

bool
script_menu_has_any(
    const struct script_ctx *ctx, const struct choices *choices, const struct menu *root)
{
	const struct tree t = { .ctx = ctx, .choices = choices };
	struct seen seen = { 0 };

	return has_any(&t, root, &seen);
}

/* The menu that an item leads to, if it is to be shown; takes its place among the shown ones. */
static const struct menu *
menu_below(struct tree *t, const struct menu_item *item)
{
	const struct menu *m = choices_menu(t->choices, item->name);
	struct seen seen = { 0 };

	if (m == NULL || !has_any(t, m, &seen))
		return NULL;
	for (size_t i = 0; i < t->nmenus; i++) {
		if (t->menus[i] == m)
			return m;
	}
	if (t->nmenus == MENUS_MAX)
		return NULL;
	t->menus[t->nmenus++] = m;
	return m;
}

/* --- one menu ------------------------------------------------------------------------------- */

/* A menu being written. */
struct page {
	struct tree *t;
	const struct menu *m;
	char standing[sizeof("bf_menu_") + IMAGE_NAME_MAX]; /* the value it stands on */
	bool standing_found;
	size_t left_out;
};

static void
note_standing(struct page *p, const char *prefix, const char *name, bool wanted)
{
	if (p->standing_found || (!wanted && p->standing[0] != '\0'))
		return;
	(void)snprintf(p->standing, sizeof(p->standing), "%s%.*s", prefix, IMAGE_NAME_MAX, name);
	p->standing_found = wanted;
}

static bool
has_room(struct page *p)
{
	if (p->t->w->used - p->t->start < SCRIPT_MENU_BYTES)
		return true;
	p->left_out++;
	return false;
}

static void
put_item(struct page *p, const char *key, const char *prefix, const char *name, const char *title)
{
	struct wbuf *w = p->t->w;

	if (!has_room(p))
		return;
	wbuf_str(w, "item ");
	if (key[0] != '\0')
		wbuf_printf(w, "--key %s ", key);
	wbuf_printf(w, "%s%s ", prefix, name);
	script_put_words(w, title[0] != '\0' ? title : name);
	wbuf_u8(w, '\n');
	note_standing(p, prefix, name, strcmp(p->m->standing, name) == 0);
}

static bool
put_choice(void *arg, struct choice c)
{
	struct page *p = arg;

	put_item(p, "", "", choice_name(c), choice_title(c));
	/* the image that was added as the default, unless the menu names one */
	if (p->m->standing[0] == '\0' && c.image != NULL && c.image->is_default)
		note_standing(p, "", choice_name(c), true);
	return false;
}

static const char *
either(const char *a, const char *b)
{
	return a[0] != '\0' ? a : b;
}

static void
put_menu_item(struct page *p, const struct menu_item *item)
{
	struct wbuf *w = p->t->w;
	const struct menu *below;
	struct choice c;

	switch ((enum menu_item_kind)item->kind) {
	case MENU_ENTRY:
		if (suits(p->t, item->name, &c))
			put_item(
			    p, item->key, "", item->name, either(item->title, choice_title(c)));
		break;
	case MENU_MENU:
		below = menu_below(p->t, item);
		if (below != NULL)
			put_item(p, item->key, "bf_menu_", item->name,
			    either(item->title, either(below->title, below->name)));
		break;
	case MENU_TEXT:
		if (!has_room(p))
			break;
		wbuf_str(w, "item --gap");
		if (item->title[0] != '\0') {
			wbuf_str(w, " -- ");
			script_put_words(w, item->title);
		}
		wbuf_u8(w, '\n');
		break;
	case MENU_LOCAL:
		put_item(p, item->key, "bf_", "local", either(item->title, "Leave network boot"));
		break;
	case MENU_SHELL:
		put_item(p, item->key, "bf_", "shell", either(item->title, "iPXE shell"));
		break;
	case MENU_ITEM_KINDS: break;
	}
}

static void
put_pair(struct wbuf *w, unsigned pair, const char *foreground, const char *background)
{
	unsigned f, b;
	bool has_f = entry_colour_parse(foreground, &f) == 0;
	bool has_b = entry_colour_parse(background, &b) == 0;

	if (!has_f && !has_b)
		return;
	wbuf_str(w, "cpair");
	if (has_f)
		wbuf_printf(w, " --foreground %u", f);
	if (has_b)
		wbuf_printf(w, " --background %u", b);
	wbuf_printf(w, " %u ||\n", pair);
}

static void
put_looks(const struct tree *t, const struct menu *m)
{
	struct place picture;

	if (m->picture[0] != '\0' && place_parse(m->picture, &picture) == 0) {
		/* fetched once, not each time that the menu is shown */
		wbuf_str(t->w, "iseq ${bf-picture} ");
		wbuf_slice(t->w, picture.at);
		wbuf_str(t->w, " || console --picture ");
		script_put_place(t->w, t->ctx, &picture, false);
		wbuf_str(t->w, " && set bf-picture ");
		wbuf_slice(t->w, picture.at);
		wbuf_str(t->w, " ||\n");
	}
	put_pair(t->w, PAIR_TEXT, m->text_colour, m->background_colour);
	put_pair(t->w, PAIR_SELECT, m->selected_colour, m->selected_background);
}

static void
put_page(struct tree *t, const struct menu *m)
{
	struct page p = { .t = t, .m = m };
	const struct menu_item *items = items_of(m);
	bool is_root = m == t->menus[0];
	struct wbuf *w = t->w;

	wbuf_printf(w, ":bf_menu_%s\n", m->name);
	if (!is_root) /* where it was come from is where it goes back to */
		wbuf_printf(
		    w, "isset ${bf-above-%s} || set bf-above-%s ${bf-here}\n", m->name, m->name);
	wbuf_printf(w, "set bf-here bf_menu_%s\n", m->name);
	put_looks(t, m);
	wbuf_str(w, "menu ");
	script_put_title(w, either(m->title, m->name));
	wbuf_u8(w, '\n');
	for (size_t i = 0; i < m->items.n; i++)
		put_menu_item(&p, &items[i]);
	if (m->items.n == 0) {
		(void)choices_each(t->choices, &t->ctx->client, put_choice, &p);
		wbuf_str(w, "item --gap\n"
			    "item bf_local Leave network boot\n"
			    "item bf_shell iPXE shell\n");
	}
	if (p.left_out > 0)
		wbuf_printf(w, "item --gap -- %zu more do not fit: this site needs smaller menus\n",
		    p.left_out);
	if (!is_root)
		wbuf_printf(w, "item --gap\nitem bf_back_%s Back\n", m->name);
	wbuf_str(w, "choose");
	if (p.standing[0] != '\0')
		wbuf_printf(w, " --default %s", p.standing);
	if (m->timeout_ms > 0)
		wbuf_printf(w, " --timeout %lld", (long long)m->timeout_ms);
	/* Escape */
	wbuf_printf(w,
	    " bf-choice || goto bf_%s%s\n"
	    "goto ${bf-choice} || goto bf_chosen\n",
	    is_root ? "local" : "back_", is_root ? "" : m->name);
	if (!is_root)
		wbuf_printf(w,
		    ":bf_back_%s\n"
		    "set bf-choice ${bf-above-%s}\n"
		    "clear bf-above-%s ||\n"
		    "goto ${bf-choice} || goto bf_menu_%s\n",
		    m->name, m->name, m->name, t->menus[0]->name);
}

void
script_menu(struct wbuf *w, const struct script_ctx *ctx, const struct choices *choices,
    const struct menu *root, const struct prompt *prompt)
{
	struct tree t = { .w = w, .ctx = ctx, .choices = choices, .start = w->used };

	t.menus[t.nmenus++] = root;
	script_put_head(w, ctx);
	wbuf_str(w, "set bf-menu 1\n"
		    "clear bf-asked ||\n"
		    "clear bf-waits ||\n");
	if (prompt != NULL)
		script_put_prompt(w, prompt);
	/* pages add the menus that they lead to */
	for (size_t i = 0; i < t.nmenus; i++)
		put_page(&t, t.menus[i]);
	wbuf_printf(w,
	    ":bf_shell\n"
	    "shell ||\n"
	    "goto bf_menu_%s\n"
	    ":bf_chosen\n"
	    "set bf-entry ${bf-choice}\n",
	    root->name);
	script_put_ask(w, ctx);
	wbuf_str(w, ":bf_local\n"
		    "imgfetch --name bf-report --timeout 5000 "
		    "${reporturl}local/ipxe?boot=${bootid} ||\n"
		    "imgfree bf-report ||\n");
	script_put_leave(w);
}

/* --- prompts -------------------------------------------------------------------------------- */

static void
put_one_prompt(struct wbuf *w, const struct prompt *p, const char *text)
{
	uint16_t key;

	if (text[0] == '\0') {
		wbuf_str(w, "goto bf_go\n");
		return;
	}
	wbuf_str(w, "prompt");
	if (p->key[0] != '\0' && entry_key_parse(p->key, &key) == 0)
		wbuf_printf(w, " --key 0x%02x", key);
	if (p->timeout_ms > 0)
		wbuf_printf(w, " --timeout %lld", (long long)p->timeout_ms);
	wbuf_u8(w, ' ');
	script_put_title(w, text);
	wbuf_str(w, " && goto bf_go || goto bf_leave\n");
}

void
script_put_prompt(struct wbuf *w, const struct prompt *p)
{
	/* by what iPXE says of itself, whatever was posted */
	wbuf_str(w, "iseq ${platform} pcbios && goto bf_bios ||\n");
	put_one_prompt(w, p, p->uefi_text);
	wbuf_str(w, ":bf_bios\n");
	put_one_prompt(w, p, p->bios_text);
	wbuf_str(w, ":bf_go\n");
}
