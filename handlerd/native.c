/* Configurations for pxelinux and GRUB; see native.h. */
#include "handlerd/native.h"

#include "common/path.h"
#include "handlerd/plan.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ASK_S    30 /* between two questions of a machine that waits */
#define ASKS     40 /* of GRUB, each within the one before; then it starts afresh */
#define READ_S   10 /* time to read why a machine is not booted */
#define MENUS    32 /* in one configuration */
#define ITEMS    256
#define LINE_MAX 1800 /* of a kernel's arguments: pxelinux has 2048 for all of them */

enum native_kind
native_kind(const char *path)
{
	static const char pxelinux[] = "pxelinux.cfg/default";
	size_t n = strlen(path), k = strlen(pxelinux);

	if (strcasecmp(path_base(path), "grub.cfg") == 0)
		return NATIVE_GRUB;
	if (n >= k && strcasecmp(path + n - k, pxelinux) == 0 && (n == k || path[n - k - 1] == '/'))
		return NATIVE_PXELINUX;
	return NATIVE_NONE;
}

/* --- text ----------------------------------------------------------------------------------- */

/* For the rest of a line of pxelinux, where "^" would mark a key. */
static void
put_line(struct wbuf *w, const char *text)
{
	for (; *text != '\0' && *text != '\n'; text++)
		wbuf_u8(w,
		    (uint8_t)*text <= ' ' || *text == 0x7f || *text == '^' ? ' ' : (uint8_t)*text);
}

/* A word in single quotes, in which GRUB, like a shell, gives no character a meaning. */
static void
put_quoted(struct wbuf *w, struct slice text)
{
	wbuf_u8(w, '\'');
	for (size_t i = 0; i < text.n && text.p[i] != '\n'; i++) {
		if (text.p[i] == '\'')
			wbuf_str(w, "'\\''");
		else
			wbuf_u8(w, text.p[i] < ' ' || text.p[i] == 0x7f ? ' ' : text.p[i]);
	}
	wbuf_u8(w, '\'');
}

/* What is shown while nothing else is: each line of a text. */
static void
put_says(struct wbuf *w, const struct native_ctx *ctx, const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		if (ctx->kind == NATIVE_GRUB) {
			wbuf_str(w, "echo ");
			put_quoted(w, (struct slice){ (const uint8_t *)text, n });
		} else {
			wbuf_str(w, "SAY ");
			put_line(w, text);
		}
		wbuf_u8(w, '\n');
		text += n + (text[n] == '\n');
	}
}

static const char *
value_of(const struct native_ctx *ctx, struct slice name)
{
	for (const struct native_value *v = ctx->values; v != NULL && v->name != NULL; v++) {
		if (slice_is(name, v->name))
			return v->value;
	}
	return NULL;
}

/*
 * The arguments with what iPXE would expand.  0, or -1 if there is something that only iPXE knows,
 * or they are too long.
 */
static int
expand(const struct native_ctx *ctx, const char *args, char ret[static LINE_MAX])
{
	struct wbuf w;

	wbuf_init(&w, ret, LINE_MAX - 1);
	while (*args != '\0') {
		const char *end = args[0] == '$' && args[1] == '{' ? strchr(args, '}') : NULL;
		const char *value;

		if (end == NULL) {
			wbuf_u8(&w, (uint8_t)*args < ' ' ? ' ' : (uint8_t)*args);
			args++;
			continue;
		}
		value = value_of(
		    ctx, (struct slice){ (const uint8_t *)args + 2, (size_t)(end - args) - 2 });
		if (value == NULL)
			return -1;
		wbuf_str(&w, value);
		args = end + 1;
	}
	ret[w.used] = '\0';
	return w.bad ? -1 : 0;
}

/* --- what can be booted --------------------------------------------------------------------- */

/* A public file of ours with a name that no configuration's grammar minds. */
static bool
is_simple(const struct native_ctx *ctx, const struct place *p)
{
	char path[CONTENT_PATH_MAX];

	if (p->is_url || path_normalise(p->at, path) < 0 ||
	    (ctx->policy != NULL && policy_path_is_secret(ctx->policy, path)))
		return false;
	for (size_t i = 0; i < p->at.n; i++) {
		if (p->at.p[i] <= ' ' || p->at.p[i] == 0x7f ||
		    strchr("\"'`$\\;,{}|&<>()", p->at.p[i]) != NULL)
			return false;
	}
	return true;
}

/* True if the loader itself boots it; the plan and the arguments are filled in then. */
static bool
is_own(const struct native_ctx *ctx, struct choice c, struct plan *plan, char args[static LINE_MAX])
{
	if (c.entry != NULL && c.entry->type != ENTRY_IMAGE && c.entry->type != ENTRY_LINUX &&
	    c.entry->type != ENTRY_EFI)
		return false;
	plan_choice(plan, c);
	if (plan->type != ENTRY_LINUX && (plan->type != ENTRY_EFI || ctx->kind != NATIVE_GRUB ||
					     ctx->client.firmware == ENTRY_BIOS))
		return false;
	if (plan->secret || !is_simple(ctx, &plan->program) || expand(ctx, plan->args, args) < 0)
		return false;
	for (size_t i = 0; i < plan->nparts; i++) {
		if (!is_simple(ctx, &plan->parts[i]))
			return false;
	}
	return true;
}

static bool
is_local(struct choice c)
{
	return c.entry != NULL && c.entry->type == ENTRY_LOCAL;
}

/* The syslinux.efi of 6.04 stands still at LOCALBOOT, and has nothing else that leaves. */
static bool
can_leave(const struct native_ctx *ctx)
{
	return ctx->kind != NATIVE_PXELINUX || ctx->client.firmware != ENTRY_UEFI;
}

bool
native_can(const struct native_ctx *ctx, struct choice c)
{
	struct plan plan;
	char args[LINE_MAX];

	if (is_local(c))
		return can_leave(ctx);
	return ctx->ipxe != NULL || is_own(ctx, c, &plan, args);
}

/* --- parts of both --------------------------------------------------------------------------- */

/* "::" makes it a path from the root. */
static void
put_linux_path(struct wbuf *w, struct slice at)
{
	wbuf_str(w, "::");
	wbuf_slice(w, at);
}

static void
put_grub_path(struct wbuf *w, struct slice at)
{
	wbuf_str(w, "\"($bf_root)/");
	wbuf_slice(w, at);
	wbuf_u8(w, '"');
}

static void
put_grub_words(struct wbuf *w, const char *args)
{
	while (*args != '\0') {
		size_t n = strcspn(args, " ");

		if (n > 0) {
			wbuf_u8(w, ' ');
			put_quoted(w, (struct slice){ (const uint8_t *)args, n });
		}
		args += n + (args[n] == ' ');
	}
}

static void
put_grub_chain(struct wbuf *w, struct slice at, const char *args)
{
	wbuf_str(w, "chainloader ");
	put_grub_path(w, at);
	put_grub_words(w, args);
	wbuf_u8(w, '\n');
}

/* --- pxelinux ------------------------------------------------------------------------------- */

static void
put_pxelinux_plan(struct wbuf *w, const struct plan *plan, const char *args)
{
	wbuf_str(w, "LINUX ");
	put_linux_path(w, plan->program.at);
	for (size_t i = 0; i < plan->nparts; i++) {
		wbuf_str(w, i == 0 ? "\nINITRD " : ",");
		put_linux_path(w, plan->parts[i].at);
	}
	if (args[0] != '\0') {
		wbuf_str(w, "\nAPPEND ");
		wbuf_str(w, args);
	}
	wbuf_u8(w, '\n');
}

/* The command that starts iPXE, with the PXE stack that was there before. */
static void
put_ipxe(struct wbuf *w, const struct native_ctx *ctx)
{
	wbuf_str(w, "PXE ");
	put_linux_path(w, slice_str(ctx->ipxe));
	wbuf_u8(w, '\n');
}

/* The commands of one item. */
static void
put_pxelinux_item(struct wbuf *w, const struct native_ctx *ctx, struct choice c)
{
	struct plan plan;
	char args[LINE_MAX];

	if (is_local(c)) {
		wbuf_str(w, "LOCALBOOT 0\n");
	} else if (is_own(ctx, c, &plan, args)) {
		put_pxelinux_plan(w, &plan, args);
	} else {
		put_ipxe(w, ctx);
	}
}

/* --- GRUB ----------------------------------------------------------------------------------- */

static void
put_grub_plan(struct wbuf *w, const struct plan *plan, const char *args)
{
	if (plan->type == ENTRY_EFI) {
		put_grub_chain(w, plan->program.at, args);
		return;
	}
	wbuf_str(w, "linux ");
	put_grub_path(w, plan->program.at);
	put_grub_words(w, args);
	for (size_t i = 0; i < plan->nparts; i++) {
		wbuf_str(w, i == 0 ? "\ninitrd " : " ");
		put_grub_path(w, plan->parts[i].at);
	}
	wbuf_u8(w, '\n');
}

static void
put_grub_item(struct wbuf *w, const struct native_ctx *ctx, struct choice c)
{
	struct plan plan;
	char args[LINE_MAX];

	if (is_local(c))
		wbuf_str(w, "bf_leave\n");
	else if (is_own(ctx, c, &plan, args))
		put_grub_plan(w, &plan, args);
}

/*
 * Leaves for the disks.  An EFI program that ends well makes firmware show its menu, so GRUB looks
 * for the system's own loader first; what is left to firmware is the rest.
 */
static void
put_grub_head(struct wbuf *w, const struct native_ctx *ctx)
{
	static const char *const vendors[] = { "debian", "ubuntu", "fedora", "redhat", "centos",
		"rocky", "almalinux", "opensuse", "sles" };

	wbuf_str(w,
	    "# made by Bootferry for this machine\n"
	    "if [ -z \"$bf_root\" ]; then set bf_root=\"$root\"; export bf_root; fi\n"
	    "function bf_try {\n"
	    "if search --no-floppy --file --set=root \"$1\"; then chainloader \"$1\"; boot; "
	    "fi\n"
	    "}\n"
	    "function bf_leave {\n"
	    "echo 'Bootferry: leaving network boot'\n"
	    "if [ \"$grub_platform\" = efi ]; then\n"
	    "bf_try /EFI/Microsoft/Boot/bootmgfw.efi\n");
	for (size_t i = 0; i < NITEMS(vendors) && ctx->local[0] != '\0'; i++)
		wbuf_printf(w, "bf_try /EFI/%s/shim%s.efi\n", vendors[i], ctx->local);
	if (ctx->local[0] != '\0')
		wbuf_printf(w, "bf_try /EFI/BOOT/BOOT%s.EFI\n", ctx->local);
	wbuf_str(w, "else\n"
		    "set root=hd0\n"
		    "if chainloader +1; then boot; fi\n"
		    "fi\n"
		    "set root=\"$bf_root\"\n"
		    "exit\n"
		    "}\n");
}

static void
put_head(struct wbuf *w, const struct native_ctx *ctx)
{
	if (ctx->kind == NATIVE_GRUB)
		put_grub_head(w, ctx);
	else
		wbuf_str(w, "# made by Bootferry for this machine\n");
}

/* --- menus ---------------------------------------------------------------------------------- */

struct page {
	struct wbuf *w;
	const struct native_ctx *ctx;
	const struct choices *choices;
	const struct menu *seen[MENUS];
	size_t nseen, nitems;
	const char *standing; /* name of the item that it stands on, once found */
	const char *wanted, *first;
};

/* Labels of ours: no entry's name begins with "-". */
#define LABEL_LEAVE "-leave"
#define LABEL_IPXE  "-ipxe"
#define LABEL_AGAIN "-again"

static void
begin_item(const struct page *p, const char *label, const char *title)
{
	if (p->ctx->kind == NATIVE_GRUB) {
		wbuf_str(p->w, "menuentry ");
		put_quoted(p->w, slice_str(title));
		wbuf_printf(p->w, " --id '%s' {\n", label);
		return;
	}
	if (!p->ctx->has_menu) {
		wbuf_printf(p->w, "SAY   %-16s ", label);
		put_line(p->w, title);
		wbuf_u8(p->w, '\n');
	}
	wbuf_printf(p->w, "LABEL %s\n", label);
	if (p->ctx->has_menu) {
		wbuf_str(p->w, "MENU LABEL ");
		put_line(p->w, title);
		wbuf_u8(p->w, '\n');
	}
}

static void
end_item(const struct page *p)
{
	if (p->ctx->kind == NATIVE_GRUB)
		wbuf_str(p->w, "}\n");
}

static void
put_choice_item(struct page *p, struct choice c, const char *title)
{
	const char *name = choice_name(c);

	if (p->nitems >= ITEMS || !native_can(p->ctx, c))
		return;
	p->nitems++;
	begin_item(p, name, title[0] != '\0' ? title : name);
	if (p->ctx->kind == NATIVE_GRUB)
		put_grub_item(p->w, p->ctx, c);
	else
		put_pxelinux_item(p->w, p->ctx, c);
	end_item(p);
	if (p->first == NULL)
		p->first = name;
	if (strcmp(name, p->wanted) == 0)
		p->standing = name;
}

static bool
put_any(void *arg, struct choice c)
{
	struct page *p = arg;

	put_choice_item(p, c, choice_title(c));
	/* the image that was added as the default, unless the menu names one */
	if (p->wanted[0] == '\0' && c.image != NULL && c.image->is_default && p->standing == NULL &&
	    native_can(p->ctx, c))
		p->standing = choice_name(c);
	return false;
}

/* A heading: pxelinux shows it, GRUB has none. */
static void
put_heading(const struct page *p, const char *title)
{
	if (p->ctx->kind == NATIVE_GRUB)
		return;
	if (p->ctx->has_menu) {
		wbuf_str(p->w, "MENU SEPARATOR\n");
		if (title[0] == '\0')
			return;
		wbuf_str(p->w, "LABEL -\nMENU LABEL ");
	} else {
		wbuf_str(p->w, "SAY ");
	}
	put_line(p->w, title);
	wbuf_str(p->w, p->ctx->has_menu ? "\nMENU DISABLE\n" : "\n");
}

static const char *
either(const char *a, const char *b)
{
	return a[0] != '\0' ? a : b;
}

static void
put_items(struct page *p, const struct menu *m)
{
	const struct menu_item *items = m->items.v;
	struct choice c;

	for (size_t i = 0; i < p->nseen; i++) {
		if (p->seen[i] == m)
			return;
	}
	if (p->nseen == MENUS)
		return;
	p->seen[p->nseen++] = m;
	if (m->items.n == 0)
		(void)choices_each(p->choices, &p->ctx->client, put_any, p);
	for (size_t i = 0; i < m->items.n; i++) {
		const struct menu *below;

		switch ((enum menu_item_kind)items[i].kind) {
		case MENU_ENTRY:
			if (choices_find(p->choices, items[i].name, &c) == 0 &&
			    choice_suits(c, &p->ctx->client))
				put_choice_item(p, c, either(items[i].title, choice_title(c)));
			break;
		case MENU_MENU:
			below = choices_menu(p->choices, items[i].name);
			if (below == NULL)
				break;
			put_heading(p, either(items[i].title, either(below->title, below->name)));
			put_items(p, below);
			break;
		case MENU_TEXT: put_heading(p, items[i].title); break;
		default: break; /* leaving is always there, and a shell is iPXE's */
		}
	}
}

static void
put_own_items(const struct page *p)
{
	if (!can_leave(p->ctx))
		return;
	begin_item(p, LABEL_LEAVE, "Leave network boot");
	wbuf_str(p->w, p->ctx->kind == NATIVE_GRUB ? "bf_leave\n" : "LOCALBOOT 0\n");
	end_item(p);
	if (p->ctx->ipxe == NULL)
		return;
	begin_item(p, LABEL_IPXE, "iPXE");
	put_ipxe(p->w, p->ctx);
	end_item(p);
}

void
native_menu(struct wbuf *w, const struct native_ctx *ctx, const struct choices *choices,
    const struct menu *root, const struct prompt *prompt)
{
	struct page p = { .w = w, .ctx = ctx, .choices = choices, .wanted = root->standing };
	const char *text = prompt == NULL                       ? ""
	                   : ctx->client.firmware == ENTRY_BIOS ? prompt->bios_text
	                                                        : prompt->uefi_text;
	int64_t timeout_ms = root->timeout_ms;

	size_t start = w->used;

	put_head(w, ctx);
	if (ctx->kind == NATIVE_PXELINUX && ctx->has_menu) {
		wbuf_str(w, "UI menu.c32\nMENU TITLE ");
		put_line(w, either(root->title, root->name));
		wbuf_u8(w, '\n');
	} else {
		put_says(w, ctx, either(root->title, root->name));
	}
	put_says(w, ctx, text);
	put_items(&p, root);
	put_own_items(&p);
	if (p.first == NULL && !can_leave(ctx)) {
		w->used = start;
		native_message(
		    w, ctx, "There is nothing for this machine on the server.", NATIVE_ASK);
		return;
	}
	if (p.standing == NULL)
		p.standing = p.first != NULL ? p.first : LABEL_LEAVE;
	/* what asks for a key elsewhere is left here when nobody is there */
	if (text[0] != '\0' && !can_leave(ctx)) {
		timeout_ms = 0;
	} else if (text[0] != '\0') {
		p.standing = LABEL_LEAVE;
		timeout_ms = prompt->timeout_ms;
	}
	if (ctx->kind == NATIVE_GRUB)
		wbuf_printf(w, "set default='%s'\nset timeout=%lld\n", p.standing,
		    timeout_ms > 0 ? (long long)(timeout_ms + 999) / 1000 : -1LL);
	else
		wbuf_printf(w, "DEFAULT %s\nPROMPT %d\nTIMEOUT %lld\n", p.standing, !ctx->has_menu,
		    (long long)(timeout_ms + 99) / 100);
}

/* --- without a menu ------------------------------------------------------------------------- */

void
native_entry(struct wbuf *w, const struct native_ctx *ctx, struct choice c)
{
	put_head(w, ctx);
	if (ctx->kind == NATIVE_GRUB) {
		put_grub_item(w, ctx, c);
		wbuf_printf(w,
		    "boot\n"
		    "echo 'Bootferry: it could not be started'\n"
		    "sleep %d\n"
		    "bf_leave\n",
		    READ_S);
		return;
	}
	wbuf_printf(w, "DEFAULT %s\nPROMPT 0\nONERROR " LABEL_LEAVE "\nLABEL %s\n", choice_name(c),
	    choice_name(c));
	put_pxelinux_item(w, ctx, c);
	if (can_leave(ctx))
		wbuf_str(w, "LABEL " LABEL_LEAVE "\nLOCALBOOT 0\n");
	else
		wbuf_printf(w, "LABEL " LABEL_LEAVE "\nCONFIG ::%s\n", ctx->path);
}

void
native_leave(struct wbuf *w, const struct native_ctx *ctx)
{
	if (!can_leave(ctx)) {
		native_message(w, ctx,
		    "This machine is to leave network boot, which syslinux.efi cannot:\n"
		    "it asks again. GRUB and iPXE can leave.",
		    NATIVE_ASK);
		return;
	}
	put_head(w, ctx);
	wbuf_str(w, ctx->kind == NATIVE_GRUB ? "bf_leave\n"
					     : "DEFAULT " LABEL_LEAVE
					       "\nPROMPT 0\nLABEL " LABEL_LEAVE "\nLOCALBOOT 0\n");
}

void
native_ipxe(struct wbuf *w, const struct native_ctx *ctx)
{
	put_head(w, ctx);
	wbuf_str(w, "DEFAULT " LABEL_IPXE "\nPROMPT 0\nLABEL " LABEL_IPXE "\n");
	put_ipxe(w, ctx);
}

void
native_message(struct wbuf *w, const struct native_ctx *ctx, const char *text, enum native_end end)
{
	put_head(w, ctx);
	put_says(w, ctx, text);
	if (!can_leave(ctx)) {
		wbuf_printf(w,
		    "DEFAULT " LABEL_AGAIN "\nPROMPT 1\nTIMEOUT %d\nLABEL " LABEL_AGAIN
		    "\nCONFIG ::%s\n",
		    10 * ASK_S, ctx->path);
		return;
	}
	if (ctx->kind == NATIVE_PXELINUX) {
		wbuf_printf(w, "DEFAULT %s\nPROMPT 1\nTIMEOUT %d\n",
		    end == NATIVE_ASK ? LABEL_AGAIN : LABEL_LEAVE,
		    10 * (end == NATIVE_ASK ? ASK_S : READ_S));
		wbuf_printf(w, "LABEL " LABEL_AGAIN "\nCONFIG ::%s\n", ctx->path);
		wbuf_str(w, "LABEL " LABEL_LEAVE "\nLOCALBOOT 0\n");
		return;
	}
	if (end == NATIVE_LEAVE) {
		wbuf_printf(w, "sleep --interruptible %d\nbf_leave\n", READ_S);
		return;
	}
	/* GRUB cannot count, but can compare words; each question stays on its stack */
	wbuf_str(w, "set bf_asked=\"${bf_asked}x\"\nexport bf_asked\nif [ \"$bf_asked\" = ");
	wbuf_fill(w, 'x', ASKS);
	wbuf_printf(w,
	    " ]; then reboot; fi\n"
	    "echo 'Bootferry: asking again in %d s'\n"
	    "sleep --interruptible %d\n"
	    "configfile \"$config_file\"\n",
	    ASK_S, ASK_S);
}
