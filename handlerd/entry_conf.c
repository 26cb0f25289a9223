/* The configuration of entries, menus and prompts; see entry.h. */
#include "handlerd/entry.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TITLE_BYTES 128
#define PLACE_BYTES 1024
#define TEXT_BYTES  16384

/* In the order of the enums. */
static const char *const types[] = { "image", "linux", "wim", "efi", "iso", "script", "local",
	"refer", NULL };
static const char *const firmwares[] = { "any", "bios", "uefi", NULL };
static const char *const kinds[] = { "entry", "menu", "text", "local", "shell", NULL };

#define STRING(key, member, bytes, about)                                                          \
	{                                                                                          \
		.name = (key), .type = CONFIG_STRING, .def = "\"\"", .max = (bytes), AT(member),   \
		.help = (about)                                                                    \
	}

#define AT(member) .off = offsetof(struct entry, member)

const struct config_key entry_keys[] = {
	STRING("name", name, IMAGE_NAME_MAX - 1, "name in rules, menus and on the command line"),
	STRING("title", title, TITLE_BYTES, "text in menus; empty: the name"),
	{ .name = "type",
	    .type = CONFIG_ENUM,
	    .def = "\"image\"",
	    .names = types,
	    AT(type),
	    .help = "what it is, see [entries.md](entries.md)" },
	STRING("image", image, IMAGE_NAME_MAX - 1, "`image`: the image; empty: that of this name"),
	STRING("kernel", kernel, PLACE_BYTES, "`linux`: place of the kernel"),
	{ .name = "initrds",
	    .type = CONFIG_STRINGS,
	    .def = "[]",
	    .max = ENTRY_INITRDS_MAX,
	    AT(initrds),
	    .help = "`linux`: places of initial RAM disks, in order" },
	STRING("wimboot", wimboot, PLACE_BYTES, "`wim`: place of wimboot"),
	STRING("wim", wim, PLACE_BYTES, "`wim`: place of the Windows PE image"),
	STRING("bcd", bcd, PLACE_BYTES, "`wim`: place of the BCD; empty: the one within the WIM"),
	STRING("sdi", sdi, PLACE_BYTES, "`wim`: place of boot.sdi; empty: the one within the WIM"),
	{ .name = "files",
	    .type = CONFIG_STRINGS,
	    .def = "[]",
	    .max = ENTRY_FILES_MAX,
	    AT(files),
	    .help = "`wim`: places of files that WinPE finds in `System32`, as in "
		    "`scripts/pe.ini as winpeshl.ini`" },
	STRING(
	    "file", file, PLACE_BYTES, "`efi`, `iso`, `script`: place of the file; `refer`: a URL"),
	STRING("text", text, TEXT_BYTES, "`script`: iPXE commands"),
	STRING("args", args, IMAGE_ARGS_MAX - 1,
	    "arguments of the kernel, of wimboot or of the EFI program"),
	STRING("target", target, IMAGE_NAME_MAX - 1, "`refer`: name of a target of the referral"),
	{ .name = "arch",
	    .type = CONFIG_STRINGS,
	    .def = "[]",
	    .max = ARCH_CPUS,
	    AT(arch),
	    .help = "architectures it is for; empty: all" },
	{ .name = "firmware",
	    .type = CONFIG_ENUM,
	    .def = "\"any\"",
	    .names = firmwares,
	    AT(firmware),
	    .help = "firmware it is for" },
	{ .name = "min_memory_mb",
	    .type = CONFIG_INT,
	    .def = "0",
	    .max = 1 << 24,
	    AT(min_memory_mb),
	    .unit = "MB",
	    .help = "memory that a machine needs for it" },
	{ .name = "secret",
	    .type = CONFIG_BOOL,
	    .def = "false",
	    AT(secret),
	    .help = "its files need a token of the boot" },
	{ 0 },
};

#undef AT
#define AT(member) .off = offsetof(struct menu_item, member)

static const struct config_key item_keys[] = {
	{ .name = "kind",
	    .type = CONFIG_ENUM,
	    .def = "\"entry\"",
	    .names = kinds,
	    AT(kind),
	    .help = "what choosing it does; `text` is a heading, or a gap" },
	STRING("name", name, IMAGE_NAME_MAX - 1, "name of the entry or menu"),
	STRING("title", title, TITLE_BYTES, "text; empty: that of the entry or menu"),
	STRING("key", key, 1, "letter or digit that chooses it"),
	{ 0 },
};

#undef AT
#define AT(member) .off = offsetof(struct menu, member)

const struct config_key menu_keys[] = {
	STRING("name", name, IMAGE_NAME_MAX - 1, "name in rules and other menus"),
	STRING("title", title, TITLE_BYTES, "heading; empty: the name"),
	{ .name = "items",
	    .type = CONFIG_LIST,
	    .max = MENU_ITEMS_MAX,
	    .sub = item_keys,
	    .size = sizeof(struct menu_item),
	    AT(items),
	    .help = "its lines; none: everything that suits the machine" },
	STRING("standing", standing, IMAGE_NAME_MAX - 1,
	    "name of the item that it stands on; empty: the first"),
	{ .name = "timeout_ms",
	    .type = CONFIG_INT,
	    .def = "0",
	    .max = 86400000,
	    AT(timeout_ms),
	    .unit = "ms",
	    .help = "how long it waits before it takes the item it stands on; 0: for ever" },
	STRING("picture", picture, PLACE_BYTES, "place of a PNG file behind it"),
	STRING("text_colour", text_colour, 16,
	    "`black`, `red`, `green`, `yellow`, `blue`, "
	    "`magenta`, `cyan`, `white`"),
	STRING("background_colour", background_colour, 16, "the same"),
	STRING("selected_colour", selected_colour, 16, "of the item that it stands on"),
	STRING("selected_background", selected_background, 16, "the same"),
	{ 0 },
};

#undef AT
#define AT(member) .off = offsetof(struct prompt, member)

const struct config_key prompt_keys[] = {
	STRING("bios_text", bios_text, TITLE_BYTES, "on BIOS machines; empty: no prompt there"),
	STRING("uefi_text", uefi_text, TITLE_BYTES, "on UEFI machines; empty: no prompt there"),
	STRING("key", key, 16,
	    "`F5` to `F12`, `Enter`, `Esc`, `Space`, a character, or iPXE's code as `0x197e`; "
	    "empty: any key"),
	{ .name = "timeout_ms",
	    .type = CONFIG_INT,
	    .def = "10000",
	    .max = 86400000,
	    AT(timeout_ms),
	    .unit = "ms",
	    .help = "without the key in that time the machine leaves network boot; 0: waits" },
	{ 0 },
};

/* --- what the tables cannot say ------------------------------------------------------------- */

/* Where the mistakes of one object go. */
struct complaints {
	const char *path;
	config_error_fn *error;
	void *arg;
};

static void __attribute__((format(printf, 3, 4)))
complain(const struct complaints *c, const char *key, const char *fmt, ...)
{
	char path[256], what[512];
	va_list ap;

	(void)snprintf(path, sizeof(path), "%s%s%s", c->path,
	    key[0] != '\0' && c->path[0] != '\0' ? "." : "", key);
	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap); /* a cut sentence still helps */
	va_end(ap);
	c->error(c->arg, path, what);
}

static void
check_name(const struct complaints *c, const char *key, const char *name)
{
	if (!image_name_valid(name))
		complain(c, key,
		    "\"%.80s\" is no name: letters, digits, '.', '_' and '-', at most %d", name,
		    IMAGE_NAME_MAX - 1);
	else if (strncmp(name, "bf_", 3) == 0)
		complain(c, key, "\"%.80s\": names that begin with \"bf_\" are taken", name);
}

/* For a line of a script: iPXE would end it at a line feed, and run what stands behind "&&". */
static void
check_line(const struct complaints *c, const char *key, const char *text)
{
	if (!image_line_valid(text))
		complain(c, key,
		    "it holds a control character, or a word that iPXE takes for the "
		    "end of a command");
}

static void
check_place(const struct complaints *c, const char *key, const char *text, bool needed)
{
	struct place p;

	if (text[0] == '\0') {
		if (needed)
			complain(c, key, "it is needed for this type");
	} else if (place_parse(text, &p) < 0) {
		complain(
		    c, key, "\"%.100s\" is neither a URL nor a path below the content root", text);
	}
}

static void
check_places(const struct complaints *c, const char *key, const struct config_strings *list)
{
	for (size_t i = 0; i < list->n; i++) {
		char item[64];

		(void)snprintf(item, sizeof(item), "%s[%zu]", key, i);
		check_place(c, item, list->v[i], true);
	}
}

/* Which keys belong to which types, besides those that are for all; ENTRY_IMAGE takes additions. */
#define FOR(type) (1u << (type))

static void
check_parts(const struct complaints *c, const struct entry *e)
{
	const struct {
		const char *key;
		bool given, needed;
		unsigned types;
	} parts[] = {
		{ "image", e->image[0] != '\0', false, FOR(ENTRY_IMAGE) },
		{ "kernel", e->kernel[0] != '\0', true, FOR(ENTRY_LINUX) },
		{ "initrds", e->initrds.n > 0, false, FOR(ENTRY_LINUX) | FOR(ENTRY_IMAGE) },
		{ "wimboot", e->wimboot[0] != '\0', true, FOR(ENTRY_WIM) },
		{ "wim", e->wim[0] != '\0', true, FOR(ENTRY_WIM) },
		{ "bcd", e->bcd[0] != '\0', false, FOR(ENTRY_WIM) },
		{ "sdi", e->sdi[0] != '\0', false, FOR(ENTRY_WIM) },
		{ "files", e->files.n > 0, false, FOR(ENTRY_WIM) | FOR(ENTRY_IMAGE) },
		{ "file", e->file[0] != '\0', true, FOR(ENTRY_EFI) | FOR(ENTRY_ISO) },
		{ "file", e->file[0] != '\0', e->text[0] == '\0', FOR(ENTRY_SCRIPT) },
		{ "file", e->file[0] != '\0', e->target[0] == '\0', FOR(ENTRY_REFER) },
		{ "text", e->text[0] != '\0', false, FOR(ENTRY_SCRIPT) },
		{ "target", e->target[0] != '\0', false, FOR(ENTRY_REFER) },
		{ "args", e->args[0] != '\0', false,
		    FOR(ENTRY_IMAGE) | FOR(ENTRY_LINUX) | FOR(ENTRY_WIM) | FOR(ENTRY_EFI) |
			FOR(ENTRY_SCRIPT) },
	};
	unsigned type = FOR(e->type);

	for (size_t i = 0; i < NITEMS(parts); i++) {
		bool belongs = false;

		for (size_t k = 0; k < NITEMS(parts); k++)
			belongs |=
			    strcmp(parts[k].key, parts[i].key) == 0 && (parts[k].types & type) != 0;
		if ((parts[i].types & type) != 0 && parts[i].needed && !parts[i].given)
			complain(c, parts[i].key, "an entry of type %s needs it",
			    entry_type_name((enum entry_type)e->type));
		else if (parts[i].given && !belongs &&
			 (i == 0 || strcmp(parts[i].key, parts[i - 1].key) != 0))
			complain(c, parts[i].key, "it is not for an entry of type %s",
			    entry_type_name((enum entry_type)e->type));
	}
	if (e->file[0] != '\0' && (e->text[0] != '\0' || e->target[0] != '\0'))
		complain(
		    c, "file", "either this or \"%s\"", e->text[0] != '\0' ? "text" : "target");
}

void
entry_check(const struct entry *e, const char *path, config_error_fn *error, void *arg)
{
	const struct complaints c = { path, error, arg };
	struct place p;

	check_name(&c, "name", e->name);
	check_line(&c, "title", e->title);
	check_line(&c, "args", e->args);
	check_parts(&c, e);
	if (e->image[0] != '\0')
		check_name(&c, "image", e->image);
	if (e->target[0] != '\0')
		check_name(&c, "target", e->target);
	check_place(&c, "kernel", e->kernel, false);
	check_place(&c, "wimboot", e->wimboot, false);
	check_place(&c, "bcd", e->bcd, false);
	check_place(&c, "sdi", e->sdi, false);
	check_place(&c, "wim", e->wim, false);
	check_place(&c, "file", e->file, false);
	check_places(&c, "initrds", &e->initrds);
	check_places(&c, "files", &e->files);
	if (e->type == ENTRY_REFER && e->file[0] != '\0' && place_parse(e->file, &p) == 0 &&
	    !p.is_url)
		complain(&c, "file", "\"%.100s\" is no URL", e->file);
	for (size_t i = 0; i < e->arch.n; i++) {
		if (arch_cpu_from_name(slice_str(e->arch.v[i])) == ARCH_CPU_NONE)
			complain(&c, "arch", "there is no architecture \"%.40s\"", e->arch.v[i]);
	}
	if (e->type == ENTRY_EFI && e->firmware == ENTRY_BIOS)
		complain(&c, "firmware", "an EFI program does not start from BIOS");
}

static void
check_colour(const struct complaints *c, const char *key, const char *name)
{
	unsigned v;

	if (name[0] != '\0' && entry_colour_parse(name, &v) < 0)
		complain(c, key, "there is no colour \"%.40s\"", name);
}

static void
check_item(const struct complaints *c, const struct menu *m, size_t at)
{
	const struct menu_item *items = m->items.v, *item = &items[at];
	char key[64];

	(void)snprintf(key, sizeof(key), "items[%zu].name", at);
	if (item->kind == MENU_ENTRY || item->kind == MENU_MENU)
		check_name(c, key, item->name);
	else if (item->name[0] != '\0')
		complain(c, key, "only items of kind entry and menu have one");
	(void)snprintf(key, sizeof(key), "items[%zu].title", at);
	check_line(c, key, item->title);
	(void)snprintf(key, sizeof(key), "items[%zu].key", at);
	if (item->key[0] == '\0')
		return;
	if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
		item->key[0]) == NULL)
		complain(c, key, "it is neither a letter nor a digit");
	for (size_t i = 0; i < at; i++) {
		if (strcmp(items[i].key, item->key) == 0)
			complain(c, key, "items[%zu] has the same", i);
	}
}

void
menu_check(const struct menu *m, const char *path, config_error_fn *error, void *arg)
{
	const struct complaints c = { path, error, arg };
	const struct menu_item *items = m->items.v;
	bool stands = m->standing[0] == '\0' || m->items.n == 0;

	check_name(&c, "name", m->name);
	check_line(&c, "title", m->title);
	check_place(&c, "picture", m->picture, false);
	check_colour(&c, "text_colour", m->text_colour);
	check_colour(&c, "background_colour", m->background_colour);
	check_colour(&c, "selected_colour", m->selected_colour);
	check_colour(&c, "selected_background", m->selected_background);
	for (size_t i = 0; i < m->items.n; i++) {
		check_item(&c, m, i);
		stands |= strcmp(items[i].name, m->standing) == 0 ||
		          (items[i].kind == MENU_LOCAL && strcmp(m->standing, "local") == 0);
	}
	if (!stands)
		complain(&c, "standing", "there is no item \"%.80s\"", m->standing);
}

void
prompt_check(const struct prompt *p, const char *path, config_error_fn *error, void *arg)
{
	const struct complaints c = { path, error, arg };
	uint16_t key;

	check_line(&c, "bios_text", p->bios_text);
	check_line(&c, "uefi_text", p->uefi_text);
	if (p->key[0] != '\0' && entry_key_parse(p->key, &key) < 0)
		complain(&c, "key", "there is no key \"%.40s\"", p->key);
}

static void
check_menu_items(const struct choices *all, const struct menu *m, const struct complaints *c)
{
	const struct menu_item *items = m->items.v;

	for (size_t i = 0; i < m->items.n; i++) {
		char key[64];

		if (items[i].kind != MENU_MENU || choices_menu(all, items[i].name) != NULL)
			continue;
		(void)snprintf(key, sizeof(key), "items[%zu].name", i);
		complain(c, key, "there is no menu \"%.80s\"", items[i].name);
	}
}

void
choices_check(const struct choices *all, config_error_fn *error, void *arg)
{
	char path[64];
	const struct complaints c = { path, error, arg };

	for (size_t i = 0; i < all->nentries; i++) {
		(void)snprintf(path, sizeof(path), "entries[%zu]", i);
		entry_check(&all->entries[i], path, error, arg);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(all->entries[k].name, all->entries[i].name) == 0)
				complain(&c, "name", "entries[%zu] is called the same", k);
		}
	}
	for (size_t i = 0; i < all->nmenus; i++) {
		(void)snprintf(path, sizeof(path), "menus[%zu]", i);
		menu_check(&all->menus[i], path, error, arg);
		check_menu_items(all, &all->menus[i], &c);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(all->menus[k].name, all->menus[i].name) == 0)
				complain(&c, "name", "menus[%zu] is called the same", k);
		}
	}
}
