/* See plan.h. */
#include "handlerd/plan.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

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

void
plan_choice(struct plan *plan, struct choice c)
{
	*plan = (struct plan){ .type = ENTRY_LOCAL, .args = "" };
	if (c.image != NULL)
		plan_image(plan, c.image, c.entry);
	else if (c.entry != NULL)
		plan_entry(plan, c.entry);
}
