/* Scripts that boot one entry or image; see script.h. */
#include "handlerd/script.h"

#include "handlerd/plan.h"
#include "handlerd/script_parts.h"

#include <assert.h>
#include <string.h>

/* Tries of one choice, on each of the servers in turn. */
#define BOOT_TRIES 3

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
	struct plan plan;

	put_begin(w, choice_name(c));
	if (e != NULL && e->type == ENTRY_SCRIPT && e->text[0] != '\0') {
		put_site_text(w, ctx, e->text);
	} else {
		plan_choice(&plan, c);
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
