/* Tests of handlerd/entry.c and handlerd/entry_conf.c. */
#include "handlerd/entry.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- places, keys, colours ------------------------------------------------------------------ */

static void
test_places(void)
{
	static const struct {
		const char *what, *text, *at, *name; /* NULL: it is none */
		bool is_url, named;
	} cases[] = {
		{ "a path", "images/x/vmlinuz", "images/x/vmlinuz", "vmlinuz", false, false },
		{ "a path with a name", "a/b as winpeshl.ini", "a/b", "winpeshl.ini", false, true },
		{ "a setting of iPXE in it", "x/${buildarch}/k", "x/${buildarch}/k", "k", false,
		    false },
		{ "a URL", "http://h/a/b.wim", "http://h/a/b.wim", "b.wim", true, false },
		{ "a URL with a query", "https://h/a/b?c=/d", "https://h/a/b?c=/d", "b", true,
		    false },
		{ "a URL that ends in a slash needs a name", "https://h/", NULL, NULL, 0, 0 },
		{ "and may have one", "https://h/ as k", "https://h/", "k", true, true },
		{ "nothing", "", NULL, NULL, 0, 0 },
		{ "a path from the root", "/etc/passwd", NULL, NULL, 0, 0 },
		{ "a path that leads out", "a/../../b", NULL, NULL, 0, 0 },
		{ "a hidden file", "a/.b", NULL, NULL, 0, 0 },
		{ "a folder", "a/b/", NULL, NULL, 0, 0 },
		{ "a path with a query", "a/b?c", NULL, NULL, 0, 0 },
		{ "two words", "a b", NULL, NULL, 0, 0 },
		{ "a line feed", "a\nshell", NULL, NULL, 0, 0 },
		{ "a line that goes on", "a\\", NULL, NULL, 0, 0 },
		{ "a name that is none", "a as b c", NULL, NULL, 0, 0 },
		{ "a name that is an option", "a as --x", NULL, NULL, 0, 0 },
		{ "a name with a folder", "a as b/c", NULL, NULL, 0, 0 },
		{ "an unknown scheme is no path either", "gopher://x/y", NULL, NULL, 0, 0 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct place p = { 0 };

		test_case("place: %s", cases[i].what);
		CHECK_INT(place_parse(cases[i].text, &p), cases[i].at != NULL ? 0 : -EINVAL);
		if (cases[i].at == NULL)
			continue;
		CHECK(slice_is(p.at, cases[i].at));
		CHECK(slice_is(p.name, cases[i].name));
		CHECK_INT(p.is_url, cases[i].is_url);
		CHECK_INT(p.named, cases[i].named);
	}
}

static void
test_names(void)
{
	uint16_t key = 0;
	unsigned colour = 0;
	enum entry_type type;

	test_case("entry: keys");
	CHECK(entry_key_parse("F12", &key) == 0 && key == 0x197e);
	CHECK(entry_key_parse("f8", &key) == 0 && key == 0x147e);
	CHECK(entry_key_parse("enter", &key) == 0 && key == 0x0a);
	CHECK(entry_key_parse("n", &key) == 0 && key == 'n');
	CHECK(entry_key_parse("0x197e", &key) == 0 && key == 0x197e);
	CHECK_INT(entry_key_parse("F13", &key), -EINVAL);
	CHECK_INT(entry_key_parse("0x", &key), -EINVAL);
	CHECK_INT(entry_key_parse("0x12345", &key), -EINVAL);
	CHECK_INT(entry_key_parse("0x1g", &key), -EINVAL);
	CHECK_INT(entry_key_parse("", &key), -EINVAL);
	CHECK_INT(key, 0x197e);

	test_case("entry: colours");
	CHECK(entry_colour_parse("white", &colour) == 0 && colour == 7);
	CHECK_INT(entry_colour_parse("pink", &colour), -EINVAL);

	test_case("entry: types");
	for (int i = 0; i < ENTRY_TYPES; i++)
		CHECK(entry_type_parse(entry_type_name((enum entry_type)i), &type) == 0 &&
		      (int)type == i);
	CHECK_INT(entry_type_parse("floppy", &type), -EINVAL);
	CHECK_STR(entry_type_name(ENTRY_TYPES), "?");
}

/* --- configurations ------------------------------------------------------------------------- */

struct site {
	struct config_list entries, menus;
	struct prompt prompt;
};

static const struct config_key site_keys[] = {
	{ .name = "entries",
	    .type = CONFIG_LIST,
	    .max = 8,
	    .sub = entry_keys,
	    .size = sizeof(struct entry),
	    .off = offsetof(struct site, entries),
	    .help = "" },
	{ .name = "menus",
	    .type = CONFIG_LIST,
	    .max = 8,
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

static char errors[4096];

static void
take_error(void *arg, const char *path, const char *what)
{
	size_t used = strlen(errors);

	(void)arg;
	(void)snprintf(errors + used, sizeof(errors) - used, "%s: %s\n", path, what);
}

/* Reads and checks; what is wrong is in `errors`. */
static int
load(const char *text, struct site *ret, struct choices *choices)
{
	json_t *object = json_loads(text, 0, NULL);
	int rc;

	errors[0] = '\0';
	CHECK(object != NULL);
	rc = config_parse_object(site_keys, object, ret, sizeof(*ret), take_error, NULL);
	json_decref(object);
	if (rc < 0)
		return rc;
	*choices = (struct choices){ .entries = ret->entries.v,
		.nentries = ret->entries.n,
		.menus = ret->menus.v,
		.nmenus = ret->menus.n };
	choices_check(choices, take_error, NULL);
	prompt_check(&ret->prompt, "prompt", take_error, NULL);
	return 0;
}

#define ENTRY(members) "{\"entries\": [{" members "}]}"
#define MENU(members)  "{\"menus\": [{\"name\": \"m\", " members "}]}"

static void
test_checks(void)
{
	static const struct {
		const char *what, *text, *errors;
	} cases[] = {
		{ "an image by its name", ENTRY("\"name\": \"x\""), "" },
		{ "a Linux without a kernel", ENTRY("\"name\": \"x\", \"type\": \"linux\""),
		    "entries[0].kernel: an entry of type linux needs it\n" },
		{ "a WIM without all",
		    ENTRY("\"name\": \"x\", \"type\": \"wim\", \"kernel\": \"k\""),
		    "entries[0].kernel: it is not for an entry of type wim\n"
		    "entries[0].wimboot: an entry of type wim needs it\n"
		    "entries[0].wim: an entry of type wim needs it\n" },
		{ "bad places",
		    ENTRY("\"name\": \"x\", \"type\": \"linux\", \"kernel\": \"../k\", "
			  "\"initrds\": [\"a\", \"b c\"]"),
		    "entries[0].kernel: \"../k\" is neither a URL nor a path below the content "
		    "root\n"
		    "entries[0].initrds[1]: \"b c\" is neither a URL nor a path below the content "
		    "root\n" },
		{ "texts that iPXE would run",
		    ENTRY("\"name\": \"x\", \"title\": \"a\\nshell\", \"args\": \"a && reboot\""),
		    "entries[0].title: it holds a control character, or a word that iPXE takes for "
		    "the end of a command\n"
		    "entries[0].args: it holds a control character, or a word that iPXE takes for "
		    "the end of a command\n" },
		{ "a name of ours", ENTRY("\"name\": \"bf_local\""),
		    "entries[0].name: \"bf_local\": names that begin with \"bf_\" are taken\n" },
		{ "no name", ENTRY("\"type\": \"local\""),
		    "entries[0].name: \"\" is no name: letters, digits, '.', '_' and '-', at most "
		    "63\n" },
		{ "an architecture that does not exist",
		    ENTRY("\"name\": \"x\", \"arch\": [\"x64\", \"vax\"]"),
		    "entries[0].arch: there is no architecture \"vax\"\n" },
		{ "an EFI program for BIOS",
		    ENTRY("\"name\": \"x\", \"type\": \"efi\", \"file\": \"f\", \"firmware\": "
			  "\"bios\""),
		    "entries[0].firmware: an EFI program does not start from BIOS\n" },
		{ "a referral to a file",
		    ENTRY("\"name\": \"x\", \"type\": \"refer\", \"file\": \"scripts/x\""),
		    "entries[0].file: \"scripts/x\" is no URL\n" },
		{ "a referral to nowhere", ENTRY("\"name\": \"x\", \"type\": \"refer\""),
		    "entries[0].file: an entry of type refer needs it\n" },
		{ "a referral to a target",
		    ENTRY("\"name\": \"x\", \"type\": \"refer\", \"target\": \"north\""), "" },
		{ "a script twice",
		    ENTRY("\"name\": \"x\", \"type\": \"script\", \"file\": \"f\", \"text\": "
			  "\"shell\""),
		    "entries[0].file: either this or \"text\"\n" },
		{ "a script with line feeds, which are its own",
		    ENTRY("\"name\": \"x\", \"type\": \"script\", \"text\": \"a\\nb && c\""), "" },
		{ "two of a name", "{\"entries\": [{\"name\": \"x\"}, {\"name\": \"x\"}]}",
		    "entries[1].name: entries[0] is called the same\n" },
		{ "a menu without items", MENU("\"title\": \"All\""), "" },
		{ "a menu that leads nowhere",
		    MENU("\"items\": [{\"kind\": \"menu\", \"name\": \"n\"}]"),
		    "menus[0].items[0].name: there is no menu \"n\"\n" },
		{ "a menu that stands on nothing",
		    MENU("\"standing\": \"y\", \"items\": [{\"name\": \"x\"}]"),
		    "menus[0].standing: there is no item \"y\"\n" },
		{ "a menu that stands on the local disk",
		    MENU("\"standing\": \"local\", \"items\": [{\"kind\": \"local\"}]"), "" },
		{ "keys",
		    MENU("\"items\": [{\"name\": \"x\", \"key\": \"a\"}, {\"name\": \"y\", "
			 "\"key\": \"a\"}, {\"name\": \"z\", \"key\": \"$\"}]"),
		    "menus[0].items[1].key: items[0] has the same\n"
		    "menus[0].items[2].key: it is neither a letter nor a digit\n" },
		{ "looks", MENU("\"picture\": \"/x\", \"text_colour\": \"pink\""),
		    "menus[0].picture: \"/x\" is neither a URL nor a path below the content root\n"
		    "menus[0].text_colour: there is no colour \"pink\"\n" },
		{ "a prompt", "{\"prompt\": {\"bios_text\": \"a || b\", \"key\": \"F99\"}}",
		    "prompt.bios_text: it holds a control character, or a word that iPXE takes for "
		    "the end of a command\n"
		    "prompt.key: there is no key \"F99\"\n" },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct choices choices;
		struct site site;

		test_case("entry check: %s", cases[i].what);
		if (load(cases[i].text, &site, &choices) == 0)
			config_free_object(site_keys, &site);
		CHECK_STR(errors, cases[i].errors);
	}
}

/* --- choices -------------------------------------------------------------------------------- */

static struct image images[] = {
	{ .name = "any", .title = "Any", .type = IMAGE_LINUX },
	{ .name = "big", .type = IMAGE_WIM, .cpu = ARCH_CPU_X64, .min_memory_mb = 4096 },
	{ .name = "efi", .type = IMAGE_EFI },
	{ .name = "secret", .type = IMAGE_LINUX, .is_secret = true },
};

static const char site_text[] =
    "{\"entries\": ["
    "{\"name\": \"dressed\", \"image\": \"any\", \"title\": \"Dressed\"},"
    "{\"name\": \"gone\"},"
    "{\"name\": \"arm\", \"type\": \"local\", \"arch\": [\"arm64\"]},"
    "{\"name\": \"x64\", \"type\": \"local\", \"arch\": [\"x64\"]},"
    "{\"name\": \"uefi\", \"type\": \"local\", \"firmware\": \"uefi\"},"
    "{\"name\": \"bios\", \"type\": \"local\", \"firmware\": \"bios\"},"
    "{\"name\": \"large\", \"type\": \"local\", \"min_memory_mb\": 2048, \"secret\": true},"
    "{\"name\": \"tool\", \"type\": \"efi\", \"file\": \"f\"}]}";

static bool
append_name(void *arg, struct choice c)
{
	char *list = arg;

	(void)snprintf(list + strlen(list), 256 - strlen(list), "%s ", choice_name(c));
	return false;
}

static void
test_suits(const struct choices *choices)
{
	static const struct {
		const char *what;
		struct entry_client client;
		const char *names;
	} cases[] = {
		{ "of a client that says nothing, all", { 0 },
		    "dressed arm x64 uefi bios large tool big efi secret " },
		{ "of a small UEFI machine", { ARCH_CPU_X64, ENTRY_UEFI, 1024 },
		    "dressed x64 uefi tool efi secret " },
		{ "of a large one", { ARCH_CPU_X64, ENTRY_UEFI, 4096 },
		    "dressed x64 uefi large tool big efi secret " },
		{ "of an ARM machine", { ARCH_CPU_ARM64, ENTRY_ANY_FIRMWARE, 0 },
		    "dressed arm uefi large tool efi secret " },
		{ "of a BIOS machine: x86, but no EFI programs",
		    { ARCH_CPU_BIOS, ENTRY_ANY_FIRMWARE, 0 },
		    "dressed x64 bios large big secret " },
		{ "of BIOS firmware and no CPU", { ARCH_CPU_NONE, ENTRY_BIOS, 0 },
		    "dressed arm x64 bios large big secret " },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		char names[256] = "";

		test_case("choices: %s", cases[i].what);
		CHECK(!choices_each(choices, &cases[i].client, append_name, names));
		CHECK_STR(names, cases[i].names);
	}
}

static void
test_choices(void)
{
	struct choices first, choices;
	struct choice c;
	struct site site;

	test_case("choices: found by name");
	CHECK_INT(load(site_text, &site, &choices), 0);
	CHECK_STR(errors, "");
	choices.images = images;
	choices.nimages = NITEMS(images);
	CHECK(choices_find(&choices, "dressed", &c) == 0 && c.image == &images[0]);
	CHECK_STR(choice_title(c), "Dressed");
	CHECK(choices_find(&choices, "any", &c) == 0 && c.entry == NULL);
	CHECK_STR(choice_title(c), "Any");
	CHECK(choices_find(&choices, "big", &c) == 0);
	CHECK_STR(choice_title(c), "big");
	CHECK_INT(choices_find(&choices, "gone", &c), -ENOENT);
	CHECK_INT(choices_find(&choices, "nothing", &c), -ENOENT);
	CHECK(choices_find(&choices, "secret", &c) == 0 && choice_is_secret(c));
	CHECK(choices_find(&choices, "large", &c) == 0 && choice_is_secret(c));
	CHECK(choices_find(&choices, "any", &c) == 0 && !choice_is_secret(c));

	test_case("choices: a second set is looked through afterwards");
	first = (struct choices){ .next = &choices };
	CHECK(choices_find(&first, "dressed", &c) == 0 && c.image == &images[0]);
	CHECK(choices_menu(&first, "x") == NULL);

	test_suits(&choices);
	config_free_object(site_keys, &site);
}

int
main(void)
{
	test_places();
	test_names();
	test_checks();
	test_choices();
	return test_end();
}
