/*
 * Tests of handlerd/script*.c against the files in tests/data/scripts, made for the site in
 * site.json there.  tests/suite/test_scripts.py runs the same files on real iPXE; here a change of
 * a single line shows.  UPDATE=1 writes the files anew.
 */
#include "handlerd/script.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_BYTES (64 * 1024)

static uint8_t buf[SCRATCH_BYTES];

struct site {
	struct config_list entries, menus;
	struct prompt prompt;
};

static const struct config_key site_keys[] = {
	{ .name = "entries",
	    .type = CONFIG_LIST,
	    .max = 64,
	    .sub = entry_keys,
	    .size = sizeof(struct entry),
	    .off = offsetof(struct site, entries),
	    .help = "" },
	{ .name = "menus",
	    .type = CONFIG_LIST,
	    .max = 64,
	    .sub = menu_keys,
	    .size = sizeof(struct menu),
	    .off = offsetof(struct site, menus),
	    .help = "" },
	{ .name = "prompt",
	    .type = CONFIG_BLOCK,
	    .sub = prompt_keys,
	    .off = offsetof(struct site, prompt) },
	{ 0 },
};

static struct site site;

static struct image images[] = {
	{ .name = "debian",
	    .title = "Debian installer",
	    .type = IMAGE_LINUX,
	    .args = "auto=true url=${pxeurl}x",
	    .nfiles = 3,
	    .files = { { IMAGE_KERNEL, "vmlinuz", 1, { 0 } },
		{ IMAGE_INITRD, "initrd.gz", 1, { 0 } },
		{ IMAGE_INITRD, "firmware.cpio", 1, { 0 } } } },
	{ .name = "disc-image",
	    .type = IMAGE_ISO,
	    .nfiles = 1,
	    .files = { { IMAGE_ISOFILE, "live.iso", 1, { 0 } } } },
	{ .name = "shell.efi",
	    .type = IMAGE_EFI,
	    .nfiles = 1,
	    .files = { { IMAGE_EFIFILE, "shell.efi", 1, { 0 } } } },
	{ .name = "wiki",
	    .title = "The site's own",
	    .type = IMAGE_SCRIPT,
	    .is_default = true,
	    .nfiles = 1,
	    .files = { { IMAGE_SCRIPTFILE, "wiki.ipxe", 1, { 0 } } } },
	{ .name = "winpe",
	    .title = "Windows PE",
	    .type = IMAGE_WIM,
	    .args = "gui",
	    .cpu = ARCH_CPU_X64,
	    .is_secret = true,
	    .min_memory_mb = 1024,
	    .nfiles = 5,
	    .files = { { IMAGE_WIMBOOT, "wimboot", 1, { 0 } },
		{ IMAGE_WIMFILE, "pe.wim", 1, { 0 } }, { IMAGE_BCD, "BCD", 1, { 0 } },
		{ IMAGE_SDI, "boot.sdi", 1, { 0 } }, { IMAGE_INJECT, "winpeshl.ini", 1, { 0 } } } },
};

static struct choices choices = { .images = images, .nimages = NITEMS(images) };
static const char *const others[] = { "http://10.77.1.11:8060/" };

static const struct script_ctx uefi = {
	.base = "http://10.77.1.10:8060/",
	.boot = 42,
	.client = { ARCH_CPU_X64, ENTRY_UEFI, 1024 },
};
static const struct script_ctx two_servers = {
	.base = "http://10.77.1.10:8060/",
	.others = others,
	.nothers = 1,
	.boot = 42,
	.client = { ARCH_CPU_X64, ENTRY_UEFI, 4096 },
	.token = "tOk-en_1",
};
static const struct script_ctx trusting = {
	.base = "http://10.77.1.10:8060/",
	.others = others,
	.nothers = 1,
	.trusted_base = "https://10.77.1.10:8050/",
	.trust = "00ff",
};
static const struct script_ctx rolling = {
	.base = "http://10.77.1.10:8060/",
	.trusted_base = "https://10.77.1.10:8050/",
	.trust = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
};
static const struct script_ctx bios = {
	.base = "http://10.77.1.10:8060/",
	.client = { ARCH_CPU_BIOS, ENTRY_BIOS, 0 },
};

static void
print_error(void *arg, const char *path, const char *what)
{
	(void)arg;
	test_fail(__FILE__, __LINE__, "%s: %s", path, what);
}

static void
load_site(void)
{
	size_t n;
	uint8_t *text = test_data("scripts/site.json", &n);
	json_t *object = json_loadb((const char *)text, n, 0, NULL);

	test_case("script: the site's configuration");
	CHECK_INT(
	    config_parse_object(site_keys, object, &site, sizeof(site), print_error, NULL), 0);
	choices.entries = site.entries.v;
	choices.nentries = site.entries.n;
	choices.menus = site.menus.v;
	choices.nmenus = site.menus.n;
	json_decref(object);
	free(text);
}

/* --- what is made --------------------------------------------------------------------------- */

static void
make_entry(struct wbuf *w, const struct script_ctx *ctx, const char *name)
{
	struct choice c = { 0 };

	CHECK_INT(choices_find(&choices, name, &c), 0);
	if (c.entry != NULL || c.image != NULL)
		script_entry(w, ctx, c);
}

static void
make_menu(struct wbuf *w, const struct script_ctx *ctx, const char *name)
{
	const struct menu *m = choices_menu(&choices, name);

	CHECK(m != NULL && script_menu_has_any(ctx, &choices, m));
	if (m != NULL)
		script_menu(w, ctx, &choices, m, NULL);
}

static void
make_all(struct wbuf *w, const struct script_ctx *ctx, const char *unused)
{
	char empty[] = "", name[] = "all", title[] = "Bootferry";
	struct menu all = { .name = name,
		.title = title,
		.standing = empty,
		.picture = empty,
		.text_colour = empty,
		.background_colour = empty,
		.selected_colour = empty,
		.selected_background = empty };
	const struct choices only_images = { .images = images, .nimages = NITEMS(images) };

	(void)unused;
	CHECK(script_menu_has_any(ctx, &only_images, &all));
	script_menu(w, ctx, &only_images, &all, NULL);
}

static void
make_prompted_menu(struct wbuf *w, const struct script_ctx *ctx, const char *name)
{
	script_menu(w, ctx, &choices, choices_menu(&choices, name), &site.prompt);
}

static void
make_prompt(struct wbuf *w, const struct script_ctx *ctx, const char *name)
{
	struct choice c = { 0 };

	CHECK_INT(choices_find(&choices, name, &c), 0);
	script_prompt(w, ctx, &site.prompt, c);
}

static void
make_collect(struct wbuf *w, const struct script_ctx *ctx, const char *unused)
{
	(void)unused;
	script_collect(w, ctx);
}

static void
make_carrying(struct wbuf *w, const struct script_ctx *ctx, const char *params)
{
	static const struct ws_pair carry[] = {
		{ "wsurl", "https://ws.example:8051/" },
		{ "tokenid", "t-1" },
		{ "requestid", "r-2" },
		{ "statusid", "two words" },
		{ "mandatory", "true" },
		{ "site", "south" }, /* the client said "north" */
		{ "mac", "525400000001" },
		{ "pxeurl", "https://elsewhere.example/" },
		{ "bf-entry", "x" },
		{ "BootID", "0000002b" },
	};
	struct script_ctx with = *ctx;

	with.params = slice_str(params);
	with.carry = carry;
	with.ncarry = NITEMS(carry);
	script_collect(w, &with);
}

static void
make_wait(struct wbuf *w, const struct script_ctx *ctx, const char *text)
{
	script_wait(w, ctx, text);
}

static void
make_denial(struct wbuf *w, const struct script_ctx *ctx, const char *text)
{
	script_message(w, ctx, text, SCRIPT_LEAVE);
}

static void
make_error(struct wbuf *w, const struct script_ctx *ctx, const char *text)
{
	script_message(w, ctx, text, SCRIPT_ASK);
}

static void
make_leave(struct wbuf *w, const struct script_ctx *ctx, const char *unused)
{
	(void)unused;
	script_leave(w, ctx);
}

static void
make_refer(struct wbuf *w, const struct script_ctx *ctx, const char *first)
{
	static const struct ws_pair carry[] = { { "tokenid", "t-1" }, { "wsurl", "https://ws/" },
		{ "class", "b" } };
	const char *const urls[] = { first, "http://10.77.1.11:8060/2PXE/boot", "no URL" };
	struct script_ctx with = *ctx;

	with.params = slice_str("site=north&tokenid=t-1&authmethod=pin&authvalue=42&bfvia=a");
	with.carry = carry;
	with.ncarry = NITEMS(carry);
	script_refer(w, &with, urls, NITEMS(urls));
}

static void
make_site(struct wbuf *w, const struct script_ctx *ctx, const char *text)
{
	script_site(w, ctx, text);
}

static const struct {
	const char *what, *file;
	void (*make)(struct wbuf *w, const struct script_ctx *ctx, const char *arg);
	const struct script_ctx *ctx;
	const char *arg;
} scripts[] = {
	{ "who are you", "collect", make_collect, &uefi, "" },
	{ "who are you, with a secure base for who knows the fingerprint", "collect-trust",
	    make_collect, &trusting, "" },
	{ "who are you, while the CA is replaced: either fingerprint, or both, in any order",
	    "collect-roll", make_collect, &rolling, "" },
	{ "who are you, from a server that has a neighbour", "collect-two", make_collect,
	    &two_servers, "" },
	{ "parameters and tokens go along, but nothing that iPXE would run", "collect-carrying",
	    make_carrying, &uefi,
	    "mac=forged&site=north&pin=a%20%26%26+reboot&x=%24%7Bserial%7D&bad=%zz&a%20b=1&=2&nul=%"
	    "00"
	    "&Entry=x&token=y&q=%22%0a%0d&tokenid=z&empty=" },
	{ "a Linux entry", "linux", make_entry, &two_servers, "linux" },
	{ "a Linux image", "linux-image", make_entry, &uefi, "debian" },
	{ "places with names, and a URL", "linux-places", make_entry, &uefi, "two-initrds" },
	{ "a WIM with files", "wim", make_entry, &uefi, "pe" },
	{ "a secret WIM without", "wim-secret", make_entry, &two_servers, "pe-bare" },
	{ "an entry that adds to a secret image", "wim-image", make_entry, &two_servers, "winpe" },
	{ "an EFI program", "efi", make_entry, &uefi, "tool" },
	{ "an EFI image", "efi-image", make_entry, &uefi, "shell.efi" },
	{ "an ISO image", "iso", make_entry, &uefi, "disc" },
	{ "an ISO image of the content root", "iso-image", make_entry, &bios, "disc-image" },
	{ "the site's own text", "script", make_entry, &uefi, "site" },
	{ "the site's own file", "script-file", make_entry, &uefi, "site-file" },
	{ "the local disk", "local", make_entry, &uefi, "disk" },
	{ "another server by an entry", "refer-entry", make_entry, &uefi, "other" },
	{ "menus, for a UEFI machine of 1 GB", "menu", make_menu, &uefi, "main" },
	{ "menus, for a BIOS machine of unknown size", "menu-bios", make_menu, &bios, "main" },
	{ "a menu of all images", "menu-all", make_all, &uefi, "" },
	{ "a menu behind a key", "menu-prompt", make_prompted_menu, &uefi, "main" },
	{ "an entry behind a key", "prompt", make_prompt, &uefi, "site" },
	{ "the local disk behind a key", "prompt-local", make_prompt, &uefi, "disk" },
	{ "waiting for approval", "wait", make_wait, &uefi, "Ask ext. 42\nor wait ${reboot}" },
	{ "a machine that is denied", "deny", make_denial, &uefi,
	    "--Not here && reboot\n\n\\\nserial ${serial} || shell\\" },
	{ "an error that may pass", "error", make_error, &two_servers, "The store is locked" },
	{ "leaving", "leave", make_leave, &uefi, "" },
	{ "other servers in order", "refer", make_refer, &uefi,
	    "http://10.77.1.10:8060/gone.ipxe" },
	{ "a script from elsewhere", "site", make_site, &uefi, "#!ipxe\necho hello\nexit 0\n" },
};

/* --- what is true of all -------------------------------------------------------------------- */

static void
compare(const struct wbuf *w, const char *name)
{
	char file[64], path[128];
	uint8_t *want;
	size_t n;

	(void)snprintf(file, sizeof(file), "scripts/%s.ipxe", name);
	CHECK(!w->bad);
	if (getenv("UPDATE") != NULL) {
		FILE *f;

		(void)snprintf(path, sizeof(path), "tests/data/%s", file);
		f = fopen(path, "w");
		CHECK(f != NULL && fwrite(w->p, 1, w->used, f) == w->used && fclose(f) == 0);
	}
	want = test_data(file, &n);
	CHECK_BYTES(wbuf_view(w), ((struct slice){ want, n }));
	free(want);
}

/* Every line is one that iPXE of 2019 and 2.0 know, and stands guarded if one of them does not. */
static void
check_line(const char *line)
{
	static const char *const commands[] = { "#!ipxe", "set", "clear", "isset", "params",
		"param", "chain", "inc", "iseq", "echo", "sleep", "goto", "exit", "menu", "item",
		"choose", "imgfree", "kernel", "initrd", "boot", "imgfetch", "imgexec", "shell",
		"prompt", "sanboot", "cpair", "console" };
	static const char *const lacking[] = { "params", "param", "cpair", "console" };
	size_t n = strcspn(line, " ");
	bool known = line[0] == ':';

	for (size_t i = 0; i < NITEMS(commands); i++)
		known |= strlen(commands[i]) == n && strncmp(line, commands[i], n) == 0;
	if (!known)
		test_fail(__FILE__, __LINE__, "unknown command: %s", line);
	for (size_t i = 0; i < NITEMS(lacking); i++) {
		if (strlen(lacking[i]) == n && strncmp(line, lacking[i], n) == 0 &&
		    strstr(line, " ||") == NULL)
			test_fail(__FILE__, __LINE__, "not guarded: %s", line);
	}
}

static bool
has_label(const struct wbuf *w, const char *label)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "\n:%s\n", label);

	return memmem(w->p, w->used, line, (size_t)n) != NULL;
}

/* No "goto" leads nowhere, but for those to a choice. */
static void
check_labels(const struct wbuf *w, const char *line)
{
	for (const char *at = strstr(line, "goto "); at != NULL; at = strstr(at, "goto ")) {
		char label[80];

		at += 5;
		(void)snprintf(label, sizeof(label), "%.*s", (int)strcspn(at, " "), at);
		if (label[0] != '$' && !has_label(w, label))
			test_fail(__FILE__, __LINE__, "no label: %s", label);
	}
}

static void
check_script(const struct wbuf *w)
{
	char *text = strndup((const char *)w->p, w->used), *line, *save = NULL;
	const char *last = "";

	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		check_line(line);
		check_labels(w, line);
		last = line;
	}
	CHECK_STR(last, "exit 1"); /* no dead end */
	free(text);
}

static void
test_scripts(void)
{
	struct wbuf w;

	for (size_t i = 0; i < NITEMS(scripts); i++) {
		test_case("script: %s", scripts[i].what);
		wbuf_init(&w, buf, sizeof(buf));
		scripts[i].make(&w, scripts[i].ctx, scripts[i].arg);
		compare(&w, scripts[i].file);
		check_script(&w);
	}
	test_case("script: an answer to a report");
	wbuf_init(&w, buf, sizeof(buf));
	script_empty(&w);
	CHECK(slice_is(wbuf_view(&w), "#!ipxe\n"));
}

/* --- bounds --------------------------------------------------------------------------------- */

static void
test_large_menu(void)
{
	static struct image many[1024];
	static const struct choices all = { .images = many, .nimages = NITEMS(many) };
	char empty[] = "", name[] = "all";
	struct menu menu = { .name = name,
		.title = name,
		.standing = empty,
		.picture = empty,
		.text_colour = empty,
		.background_colour = empty,
		.selected_colour = empty,
		.selected_background = empty };
	struct wbuf w;

	test_case("script: a menu of a thousand long titles says what did not fit");
	for (size_t i = 0; i < NITEMS(many); i++) {
		(void)snprintf(many[i].name, sizeof(many[i].name), "image-%04zu-%052d", i, 0);
		memset(many[i].title, 'x', sizeof(many[i].title) - 1);
	}
	wbuf_init(&w, buf, sizeof(buf));
	script_menu(&w, &two_servers, &all, &menu, NULL);
	CHECK(!w.bad && w.used < SCRIPT_MENU_BYTES + 8192);
	CHECK(memmem(w.p, w.used, "more do not fit", 15) != NULL);
	check_script(&w);

	test_case("script: a client's parameters take a bounded part of it");
	{
		static char params[1 << 20];
		struct script_ctx ctx = uefi;

		for (size_t i = 0; i + 8 < sizeof(params); i += 8)
			memcpy(params + i, "abc=%20&", 8);
		ctx.params = slice_str(params);
		wbuf_init(&w, buf, sizeof(buf));
		script_collect(&w, &ctx);
		CHECK(!w.bad && w.used < 8192);
		check_script(&w);
	}
}

int
main(void)
{
	load_site();
	test_scripts();
	test_large_menu();
	config_free_object(site_keys, &site);
	return test_end();
}
