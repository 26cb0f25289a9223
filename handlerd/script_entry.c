/*
 * Scripts that boot one entry or image; see script.h.  Both become a plan, a program and the files
 * it gets, so that there is one way to write each kind.
 */
#include "handlerd/script.h"
#include "handlerd/script_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Tries of one choice, on each of the servers in turn. */
#define BOOT_TRIES 3

#define PLAN_PARTS (IMAGE_FILES_MAX + ENTRY_INITRDS_MAX + ENTRY_FILES_MAX + 3)

struct plan {
	enum entry_type type;
	struct place program; /* kernel, wimboot, EFI program, ISO image, script */
	const char *args;
	struct place parts[PLAN_PARTS]; /* in the order of loading */
	size_t nparts;
	bool secret;
	/* the paths of an image's files */
	char paths[IMAGE_FILES_MAX][sizeof("images/") + IMAGE_NAME_MAX + IMAGE_FILE_MAX];
};

/* What entry_check() let pass is a place. */
static struct place
place_of(const char *text)
{
	struct place p = { 0 };

	(void)place_parse(text, &p);
	return p;
}

/* Adds a file under the name that the program looks for, unless the place names another. */
static void
add_part(struct plan *plan, struct place p, const char *name)
{
	assert(plan->nparts < PLAN_PARTS);
	if (name != NULL && !p.named)
		p.name = slice_str(name);
	plan->parts[plan->nparts++] = p;
}

static void
add_places(struct plan *plan, const struct config_strings *list, size_t max)
{
	for (size_t i = 0; i < list->n && i < max; i++)
		add_part(plan, place_of(list->v[i]), NULL);
}

/* The names that wimboot knows; the WIM comes last, it is what takes long. */
static const struct {
	enum image_role role;
	const char *name;
} wim_parts[] = {
	{ IMAGE_INJECT, NULL },
	{ IMAGE_BCD, "BCD" },
	{ IMAGE_SDI, "boot.sdi" },
	{ IMAGE_WIMFILE, "boot.wim" },
};

/* The role of the program in an image of each type. */
static const struct {
	enum entry_type type;
	enum image_role program;
} image_plans[IMAGE_TYPES] = {
	[IMAGE_LINUX] = { ENTRY_LINUX, IMAGE_KERNEL },
	[IMAGE_WIM] = { ENTRY_WIM, IMAGE_WIMBOOT },
	[IMAGE_EFI] = { ENTRY_EFI, IMAGE_EFIFILE },
	[IMAGE_SCRIPT] = { ENTRY_SCRIPT, IMAGE_SCRIPTFILE },
	[IMAGE_ISO] = { ENTRY_ISO, IMAGE_ISOFILE },
};

static struct place
image_place(struct plan *plan, const struct image *im, size_t i)
{
	(void)snprintf(
	    plan->paths[i], sizeof(plan->paths[i]), "images/%s/%s", im->name, im->files[i].name);
	return (
	    struct place){ .at = slice_str(plan->paths[i]), .name = slice_str(im->files[i].name) };
}

static void
add_role(struct plan *plan, const struct image *im, enum image_role role, const char *name)
{
	for (size_t i = 0; i < im->nfiles; i++) {
		if (im->files[i].role == role)
			add_part(plan, image_place(plan, im, i), name);
	}
}

/* What an entry adds to its image comes before what the image ends with. */
static void
plan_image(struct plan *plan, const struct image *im, const struct entry *e)
{
	plan->type = image_plans[im->type].type;
	for (size_t i = 0; i < im->nfiles; i++) {
		if (im->files[i].role == image_plans[im->type].program)
			plan->program = image_place(plan, im, i);
	}
	plan->args = e != NULL && e->args[0] != '\0' ? e->args : im->args;
	plan->secret = im->is_secret || (e != NULL && e->secret);
	if (im->type == IMAGE_LINUX) {
		add_role(plan, im, IMAGE_INITRD, NULL);
		if (e != NULL)
			add_places(plan, &e->initrds, ENTRY_INITRDS_MAX);
	}
	if (im->type != IMAGE_WIM)
		return;
	if (e != NULL)
		add_places(plan, &e->files, ENTRY_FILES_MAX);
	for (size_t i = 0; i < NITEMS(wim_parts); i++)
		add_role(plan, im, wim_parts[i].role, wim_parts[i].name);
}

static void
plan_entry(struct plan *plan, const struct entry *e)
{
	plan->type = (enum entry_type)e->type;
	plan->args = e->args;
	plan->secret = e->secret;
	switch (plan->type) {
	case ENTRY_LINUX:
		plan->program = place_of(e->kernel);
		add_places(plan, &e->initrds, ENTRY_INITRDS_MAX);
		break;
	case ENTRY_WIM:
		plan->program = place_of(e->wimboot);
		add_places(plan, &e->files, ENTRY_FILES_MAX);
		if (e->bcd[0] != '\0')
			add_part(plan, place_of(e->bcd), "BCD");
		if (e->sdi[0] != '\0')
			add_part(plan, place_of(e->sdi), "boot.sdi");
		add_part(plan, place_of(e->wim), "boot.wim");
		break;
	case ENTRY_EFI:
	case ENTRY_ISO:
	case ENTRY_SCRIPT: plan->program = place_of(e->file); break;
	default: break;
	}
}

/* --- writing -------------------------------------------------------------------------------- */

static void
put_program(
    struct wbuf *w, const struct script_ctx *ctx, const char *command, const struct plan *plan)
{
	wbuf_str(w, command);
	if (plan->program.named) {
		wbuf_str(w, " --name ");
		wbuf_slice(w, plan->program.name);
	}
	wbuf_u8(w, ' ');
	script_put_place(w, ctx, &plan->program, plan->secret);
}

static void
put_args(struct wbuf *w, const struct plan *plan)
{
	if (plan->args[0] != '\0') {
		wbuf_u8(w, ' ');
		script_put_words(w, plan->args);
	}
}

static void
put_linux(struct wbuf *w, const struct script_ctx *ctx, const struct plan *plan)
{
	put_program(w, ctx, "kernel", plan);
	/* an EFI kernel finds its initrds by these names (Documentation/admin-guide/efi-stub) */
	for (size_t i = 0; i < plan->nparts; i++) {
		wbuf_str(w, " initrd=");
		wbuf_slice(w, plan->parts[i].name);
	}
	put_args(w, plan);
	wbuf_str(w, " || goto bf_failed\n");
	for (size_t i = 0; i < plan->nparts; i++) {
		wbuf_str(w, "initrd --name ");
		wbuf_slice(w, plan->parts[i].name);
		wbuf_u8(w, ' ');
		script_put_place(w, ctx, &plan->parts[i], plan->secret);
		wbuf_str(w, " || goto bf_failed\n");
	}
	wbuf_str(w, "boot || goto bf_ended\n");
}

/* A file that the web service is asked for: often it wants none. */
static bool
is_asked_for(const struct place *p)
{
	return !p->is_url && ws_feature_of_file(p->at) != WS_FEATURES;
}

static void
put_wim(struct wbuf *w, const struct script_ctx *ctx, const struct plan *plan)
{
	put_program(w, ctx, "kernel", plan);
	put_args(w, plan);
	wbuf_str(w, " || goto bf_failed\n");
	for (size_t i = 0; i < plan->nparts; i++) {
		/*
		 * UEFI shows wimboot a file system where the image's name counts; BIOS builds
		 * make a cpio archive, and older ones name the file there by its argument.
		 */
		wbuf_str(w, "initrd --name ");
		wbuf_slice(w, plan->parts[i].name);
		wbuf_u8(w, ' ');
		script_put_place(w, ctx, &plan->parts[i], plan->secret);
		wbuf_u8(w, ' ');
		wbuf_slice(w, plan->parts[i].name);
		wbuf_str(w, is_asked_for(&plan->parts[i]) ? " ||\n" : " || goto bf_failed\n");
	}
	wbuf_str(w, "boot || goto bf_ended\n");
}

/* What runs and may come back. */
static void
put_call(struct wbuf *w, const struct script_ctx *ctx, const struct plan *plan)
{
	put_program(w, ctx, "imgfetch --name bf-program", plan);
	put_args(w, plan);
	wbuf_str(w, " || goto bf_failed\n"
		    "imgexec --autofree bf-program || goto bf_ended\n");
}

static void
put_iso(struct wbuf *w, const struct script_ctx *ctx, const struct plan *plan)
{
	wbuf_str(w, "sanboot --no-describe ");
	script_put_place(w, ctx, &plan->program, plan->secret);
	wbuf_str(w, " && goto bf_done ||\n"
		    "set bf-error ${errno}\n"
		    "echo Bootferry: this firmware did not start the ISO image as a disk\n"
		    "goto bf_error\n");
}

static void
put_site_text(struct wbuf *w, const struct script_ctx *ctx, const char *text)
{
	size_t n = strlen(text);

	script_put_params(w, ctx, true, 2);
	wbuf_bytes(w, text, n);
	if (n == 0 || text[n - 1] != '\n')
		wbuf_u8(w, '\n');
}

/* What follows when a choice has failed, or has come back. */
static void
put_ends(struct wbuf *w, const struct script_ctx *ctx)
{
	wbuf_str(w, "goto bf_done\n"
		    ":bf_failed\n"
		    "set bf-error ${errno}\n"
		    ":bf_error\n"
		    "echo Bootferry: ${bf-item} failed (error ${bf-error})\n"
		    "imgfree ||\n");
	script_put_next_server(w, ctx); /* also for the report: this one may be down */
	script_put_report(w);
	wbuf_printf(w,
	    "inc bf-loads\n"
	    "iseq ${bf-loads} %d && goto bf_done ||\n"
	    "echo Bootferry: trying again in ${bf-loads} s\n"
	    "sleep ${bf-loads} ||\n",
	    BOOT_TRIES);
	wbuf_str(w, "goto bf_start\n"
		    ":bf_ended\n"
		    "set bf-error ${errno}\n"
		    "echo Bootferry: ${bf-item} has ended (error ${bf-error})\n"
		    "imgfree ||\n");
	script_put_report(w);
	/* from a menu back to the menu */
	wbuf_str(w, ":bf_done\n"
		    "isset ${bf-menu} || goto bf_leave\n");
	script_put_ask(w, ctx);
	script_put_leave(w);
}

static void
put_begin(struct wbuf *w, const char *name)
{
	wbuf_printf(w,
	    "clear bf-entry ||\n"
	    "clear bf-asked ||\n"
	    "clear bf-waits ||\n"
	    "set bf-item %s\n"
	    "set bf-loads:int32 0\n"
	    ":bf_start\n"
	    "imgfree ||\n",
	    name);
}

static void
put_plan(struct wbuf *w, const struct script_ctx *ctx, const struct plan *plan)
{
	switch (plan->type) {
	case ENTRY_LINUX: put_linux(w, ctx, plan); break;
	case ENTRY_WIM: put_wim(w, ctx, plan); break;
	case ENTRY_ISO: put_iso(w, ctx, plan); break;
	case ENTRY_SCRIPT:
		script_put_params(w, ctx, true, 2);
		put_call(w, ctx, plan);
		break;
	default: put_call(w, ctx, plan); break;
	}
}

static void
put_choice(struct wbuf *w, const struct script_ctx *ctx, struct choice c)
{
	const struct entry *e = c.entry;
	struct plan plan = { 0 };

	put_begin(w, choice_name(c));
	if (e != NULL && e->type == ENTRY_SCRIPT && e->text[0] != '\0') {
		put_site_text(w, ctx, e->text);
	} else {
		if (c.image != NULL)
			plan_image(&plan, c.image, e);
		else if (e != NULL)
			plan_entry(&plan, e);
		put_plan(w, ctx, &plan);
	}
	put_ends(w, ctx);
}

void
script_prompt(
    struct wbuf *w, const struct script_ctx *ctx, const struct prompt *prompt, struct choice c)
{
	enum entry_type type = c.entry != NULL ? (enum entry_type)c.entry->type : ENTRY_IMAGE;

	assert(c.entry != NULL || c.image != NULL);
	script_put_head(w, ctx);
	if (prompt != NULL)
		script_put_prompt(w, prompt);
	if (type == ENTRY_LOCAL)
		script_put_leave(w);
	else if (type == ENTRY_REFER)
		script_put_refer(w, ctx, (const char *const[]){ c.entry->file }, 1);
	else
		put_choice(w, ctx, c);
}

void
script_entry(struct wbuf *w, const struct script_ctx *ctx, struct choice c)
{
	script_prompt(w, ctx, NULL, c);
}

void
script_site(struct wbuf *w, const struct script_ctx *ctx, const char *text)
{
	script_put_head(w, ctx);
	put_begin(w, "script");
	put_site_text(w, ctx, text);
	put_ends(w, ctx);
}
