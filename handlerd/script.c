/* iPXE scripts; see script.h. */
#include "handlerd/script.h"

#include <string.h>

/* Tries of the boot request, with a pause that grows from 1 s by a second each. */
#define COLLECT_TRIES 12

static void
put_vars(struct wbuf *w, const struct script_vars *vars)
{
	char id[BOOT_ID_STRLEN];

	wbuf_str(w, "#!ipxe\n");
	wbuf_printf(w, "set pxeurl %s\n", vars->base);
	wbuf_printf(w, "set fileurl %s2PXE/file/\n", vars->base);
	wbuf_printf(w, "set reporturl %s2PXE/report/\n", vars->base);
	if (vars->boot != 0)
		wbuf_printf(w, "set bootid %s\n", boot_id_format(vars->boot, id));
}

void
script_collect(struct wbuf *w, const struct script_vars *vars)
{
	/*
	 * What is posted, under which name, and the same for a query.  The values are iPXE's
	 * settings.  "uristring" takes a setting's raw bytes as they are, so it is for those that
	 * are strings: a MAC or UUID would leave as binary.
	 */
	static const struct {
		const char *name, *setting, *query;
	} posted[] = {
		{ "mac", "netX/mac", "netX/mac:hexhyp" },
		{ "uuid", "uuid", "uuid" },
		{ "manufacturer", "manufacturer", "manufacturer:uristring" },
		{ "product", "product", "product:uristring" },
		{ "serial", "serial", "serial:uristring" },
		{ "asset", "asset", "asset:uristring" },
		{ "platform", "platform", "platform:uristring" },
		{ "buildarch", "buildarch", "buildarch:uristring" },
		{ "version", "version", "version:uristring" },
	};

	put_vars(w, vars);
	wbuf_str(w, "set tries:int32 0\n"
		    ":ask\n"
		    "isset ${netX/ip} || dhcp || goto again\n"
		    "params || goto query\n");
	for (size_t i = 0; i < NITEMS(posted); i++)
		wbuf_printf(w, "param %s ${%s} ||\n", posted[i].name, posted[i].setting);
	if (vars->boot != 0)
		wbuf_str(w, "param boot ${bootid} ||\n");
	wbuf_str(w, "chain --replace --autofree ${pxeurl}2PXE/boot##params || goto again\n"
		    ":query\n"
		    "chain --replace --autofree ${pxeurl}2PXE/boot");
	for (size_t i = 0; i < NITEMS(posted); i++)
		wbuf_printf(w, "%c%s=${%s}", i == 0 ? '?' : '&', posted[i].name, posted[i].query);
	if (vars->boot != 0)
		wbuf_str(w, "&boot=${bootid}");
	wbuf_printf(w,
	    " || goto again\n"
	    ":again\n"
	    "inc tries\n"
	    "iseq ${tries} %d && goto leave ||\n"
	    "echo Bootferry: no script from ${pxeurl} (error ${errno}), trying again in ${tries} "
	    "s\n"
	    "sleep ${tries}\n"
	    "goto ask\n"
	    ":leave\n"
	    "echo Bootferry: giving up, the firmware goes on\n"
	    "exit 1\n",
	    COLLECT_TRIES);
}

/* "kernel ${fileurl}images/NAME/FILE" and the like, which end in the menu when they fail. */
static void
put_file(
    struct wbuf *w, const char *command, const struct image *im, const char *file, const char *rest)
{
	wbuf_printf(w, "%s ${fileurl}images/%s/%s%s%s || goto failed\n", command, im->name, file,
	    rest[0] != '\0' ? " " : "", rest);
}

static void
put_linux(struct wbuf *w, const struct image *im)
{
	const struct image_file *kernel = image_find(im, IMAGE_KERNEL);

	wbuf_printf(w, "kernel ${fileurl}images/%s/%s", im->name, kernel->name);
	/* an EFI kernel finds its initrds by these names (Documentation/admin-guide/efi-stub) */
	for (size_t i = 0; i < im->nfiles; i++) {
		if (im->files[i].role == IMAGE_INITRD)
			wbuf_printf(w, " initrd=%s", im->files[i].name);
	}
	if (im->args[0] != '\0')
		wbuf_printf(w, " %s", im->args);
	wbuf_str(w, " || goto failed\n");
	for (size_t i = 0; i < im->nfiles; i++) {
		if (im->files[i].role == IMAGE_INITRD)
			wbuf_printf(w, "initrd --name %s ${fileurl}images/%s/%s || goto failed\n",
			    im->files[i].name, im->name, im->files[i].name);
	}
	wbuf_str(w, "boot || goto failed\n");
}

static void
put_wim(struct wbuf *w, const struct image *im)
{
	/* the names that wimboot knows */
	static const struct {
		enum image_role role;
		const char *name;
	} parts[] = {
		{ IMAGE_BCD, "BCD" },
		{ IMAGE_SDI, "boot.sdi" },
		{ IMAGE_WIMFILE, "boot.wim" },
	};

	put_file(w, "kernel", im, image_find(im, IMAGE_WIMBOOT)->name, im->args);
	for (size_t i = 0; i < NITEMS(parts); i++) {
		const struct image_file *f = image_find(im, parts[i].role);

		if (f != NULL)
			wbuf_printf(w, "initrd --name %s ${fileurl}images/%s/%s || goto failed\n",
			    parts[i].name, im->name, f->name);
	}
	wbuf_str(w, "boot || goto failed\n");
}

static void
put_image(struct wbuf *w, const struct image *im)
{
	wbuf_printf(w, ":image_%s\nimgfree ||\n", im->name);
	switch (im->type) {
	case IMAGE_LINUX: put_linux(w, im); break;
	case IMAGE_WIM: put_wim(w, im); break;
	case IMAGE_EFI:
		put_file(w, "chain", im, image_find(im, IMAGE_EFIFILE)->name, im->args);
		break;
	case IMAGE_SCRIPT:
		put_file(w, "chain", im, image_find(im, IMAGE_SCRIPTFILE)->name, im->args);
		break;
	case IMAGE_ISO:
		put_file(w, "sanboot --no-describe", im, image_find(im, IMAGE_ISOFILE)->name, "");
		break;
	case IMAGE_TYPES: break;
	}
	wbuf_str(w, "goto start\n");
}

/* The image that the menu stands on: by name, by flag, else the first that suits. */
static const struct image *
pick_default(const struct policy *policy, const struct image *images, size_t n, enum arch_cpu cpu)
{
	const struct image *flagged = NULL, *first = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct image *im = &images[i];

		if (!image_suits(im, cpu))
			continue;
		if (policy->menu_default[0] != '\0' && strcmp(im->name, policy->menu_default) == 0)
			return im;
		if (im->is_default && flagged == NULL)
			flagged = im;
		if (first == NULL)
			first = im;
	}
	return flagged != NULL ? flagged : first;
}

void
script_menu(struct wbuf *w, const struct script_vars *vars, const struct policy *policy,
    const struct image *images, size_t n, enum arch_cpu cpu)
{
	const struct image *def = pick_default(policy, images, n, cpu);

	put_vars(w, vars);
	wbuf_printf(w, ":start\nmenu %s\n", policy->menu_title);
	for (size_t i = 0; i < n; i++) {
		if (image_suits(&images[i], cpu))
			wbuf_printf(w, "item image_%s %s\n", images[i].name,
			    images[i].title[0] != '\0' ? images[i].title : images[i].name);
	}
	wbuf_str(w, "item --gap\n"
		    "item local Leave network boot\n"
		    "item shell iPXE shell\n");
	wbuf_str(w, "choose");
	if (def != NULL)
		wbuf_printf(w, " --default image_%s", def->name);
	if (policy->menu_timeout_ms > 0)
		wbuf_printf(w, " --timeout %u", policy->menu_timeout_ms);
	wbuf_str(w, " selected || goto local\n"
		    "goto ${selected}\n");
	for (size_t i = 0; i < n; i++) {
		if (image_suits(&images[i], cpu))
			put_image(w, &images[i]);
	}
	wbuf_str(w, ":failed\n"
		    "set failure ${errno}\n"
		    "echo Bootferry: ${selected} failed (error ${failure})\n"
		    "imgfree ||\n"
		    "imgfetch --name report "
		    "${reporturl}failed/ipxe?boot=${bootid}&item=${selected}&error=${failure} ||\n"
		    "imgfree report ||\n"
		    "sleep 5\n"
		    "goto start\n"
		    ":shell\n"
		    "shell ||\n"
		    "goto start\n"
		    ":local\n"
		    "echo Bootferry: leaving network boot\n"
		    "exit\n");
}

void
script_no_image(struct wbuf *w, const struct script_vars *vars)
{
	put_vars(w, vars);
	wbuf_str(w, "echo Bootferry: there is no image for this machine on the server\n"
		    "echo Bootferry: ferryctl images add ... makes one\n"
		    "sleep 5\n"
		    "exit\n");
}

void
script_empty(struct wbuf *w)
{
	wbuf_str(w, "#!ipxe\n");
}
