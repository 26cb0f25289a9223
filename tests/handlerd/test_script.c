/*
 * Tests of handlerd/script.c against the files in tests/data/script.  The boot tests run such
 * scripts on real iPXE; here a change of a single line shows.  UPDATE=1 writes the files anew.
 */
#include "handlerd/script.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t buf[DECIDE_SCRATCH];

static void
compare(const struct wbuf *w, const char *name)
{
	char path[128];
	uint8_t *want;
	size_t n;

	CHECK(!w->bad);
	if (getenv("UPDATE") != NULL) {
		FILE *f;

		snprintf(path, sizeof(path), "tests/data/%s", name);
		f = fopen(path, "w");
		CHECK(f != NULL && fwrite(w->p, 1, w->used, f) == w->used && fclose(f) == 0);
	}
	want = test_data(name, &n);
	CHECK_BYTES(wbuf_view(w), ((struct slice){ want, n }));
	free(want);
}

/* Every line is one that iPXE of 2019 and 2.0 knows, and no label is missing. */
static void
check_lines(const struct wbuf *w)
{
	static const char *const commands[] = { "#!ipxe", "set", "isset", "params", "param",
		"chain", "inc", "iseq", "echo", "sleep", "goto", "exit", "menu", "item", "choose",
		"imgfree", "kernel", "initrd", "boot", "imgfetch", "shell" };
	char *text = strndup((const char *)w->p, w->used), *line, *save = NULL;

	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		size_t n = strcspn(line, " ");
		bool known = line[0] == ':';

		for (size_t i = 0; i < NITEMS(commands); i++)
			known |= strlen(commands[i]) == n && strncmp(line, commands[i], n) == 0;
		if (!known)
			test_fail(__FILE__, __LINE__, "unknown command: %s", line);
	}
	free(text);
}

int
main(void)
{
	static struct image images[] = {
		{ .name = "debian",
		    .title = "Debian installer",
		    .type = IMAGE_LINUX,
		    .args = "auto=true url=${pxeurl}x",
		    .nfiles = 3,
		    .files = { { IMAGE_KERNEL, "vmlinuz", 1, { 0 } },
			{ IMAGE_INITRD, "initrd.gz", 1, { 0 } },
			{ IMAGE_INITRD, "firmware.cpio", 1, { 0 } } } },
		{ .name = "shell.efi",
		    .type = IMAGE_EFI,
		    .nfiles = 1,
		    .files = { { IMAGE_EFIFILE, "shell.efi", 1, { 0 } } } },
		{ .name = "site",
		    .title = "The site's own",
		    .type = IMAGE_SCRIPT,
		    .nfiles = 1,
		    .files = { { IMAGE_SCRIPTFILE, "site.ipxe", 1, { 0 } } } },
		{ .name = "winpe",
		    .title = "Windows PE",
		    .type = IMAGE_WIM,
		    .args = "gui",
		    .cpu = ARCH_CPU_X64,
		    .nfiles = 4,
		    .files = { { IMAGE_WIMBOOT, "wimboot", 1, { 0 } },
			{ IMAGE_WIMFILE, "pe.wim", 1, { 0 } }, { IMAGE_BCD, "BCD", 1, { 0 } },
			{ IMAGE_SDI, "boot.sdi", 1, { 0 } } } },
	};
	const struct script_vars vars = { "https://boot.example:8050/", 42 };
	const struct script_vars anonymous = { "http://10.0.0.1:8060/", 0 };
	struct policy policy = {
		.menu_title = "Bootferry", .menu_default = "site", .menu_timeout_ms = 10000
	};
	struct wbuf w;

	test_case("script: who are you");
	wbuf_init(&w, buf, sizeof(buf));
	script_collect(&w, &vars);
	compare(&w, "script/collect.ipxe");
	check_lines(&w);

	test_case("script: the same without a boot");
	wbuf_init(&w, buf, sizeof(buf));
	script_collect(&w, &anonymous);
	CHECK(memmem(w.p, w.used, "bootid", 6) == NULL);
	check_lines(&w);

	test_case("script: the menu for a UEFI machine");
	wbuf_init(&w, buf, sizeof(buf));
	script_menu(&w, &vars, &policy, images, NITEMS(images), ARCH_CPU_X64);
	compare(&w, "script/menu-uefi.ipxe");
	check_lines(&w);

	test_case("script: the menu for a BIOS machine, without a time limit");
	policy.menu_timeout_ms = 0;
	policy.menu_default = "gone";
	wbuf_init(&w, buf, sizeof(buf));
	script_menu(&w, &anonymous, &policy, images, NITEMS(images), ARCH_CPU_BIOS);
	compare(&w, "script/menu-bios.ipxe");
	check_lines(&w);

	test_case("script: nothing to boot");
	wbuf_init(&w, buf, sizeof(buf));
	script_no_image(&w, &vars);
	compare(&w, "script/no-image.ipxe");
	check_lines(&w);
	return test_end();
}
