/* Tests of common/verdict.c. */
#include "common/verdict.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
only_efi(void *arg, json_t *object, char *error, size_t error_size)
{
	const char *type = json_string_value(json_object_get(object, "type"));

	(void)arg;
	if (type != NULL && strcmp(type, "efi") == 0)
		return 0;
	(void)snprintf(error, error_size, "type: it must be efi");
	return -EINVAL;
}

static const struct verdict_rules any = { .kinds = VERDICT_ANY, .entry = only_efi };
static const struct verdict_rules menus = { .kinds = VERDICT_BIT(VERDICT_MENU),
	.standard = VERDICT_MENU };

/* Bad answers and what is said of them; an empty sentence: they are good. */
static const struct {
	const char *what;
	const struct verdict_rules *rules;
	const char *answer;
	const char *error;
} cases[] = {
	{ "allow needs nothing else", &any, "{\"action\":\"allow\"}", "" },
	{ "no opinion", &any, "{\"action\":\"none\"}", "" },
	{ "the id of the request is the pool's to judge", &any, "{\"action\":\"local\",\"id\":7}",
	    "" },
	{ "an answer that is a list", &any, "[]", "the answer must be an object" },
	{ "an answer without an action", &any, "{}", "action: it is missing" },
	{ "an action that is a number", &any, "{\"action\":1}", "action: there is no \"\"" },
	{ "an unknown action", &any, "{\"action\":\"dance\"}", "action: there is no \"dance\"" },
	{ "an action that the question has no use for", &menus, "{\"action\":\"allow\"}",
	    "action: \"allow\" is no answer to this question" },
	{ "a key that nobody knows", &any, "{\"action\":\"allow\",\"x\":1}",
	    "x: there is no such key" },
	{ "a key of another action", &any, "{\"action\":\"allow\",\"text\":\"no\"}",
	    "text: the action \"allow\" has no use for it" },
	{ "a text with a line feed", &any, "{\"action\":\"deny\",\"text\":\"a\\nb\"}",
	    "text: it holds a control character" },
	{ "a text that is no string", &any, "{\"action\":\"deny\",\"text\":3}",
	    "text: it must be a string" },
	{ "a cache time below zero", &any, "{\"action\":\"allow\",\"cache_s\":-1}",
	    "cache_s: it must be a whole number from 0 to 86400" },
	{ "an entry without a name", &any, "{\"action\":\"entry\"}", "entry: it is missing" },
	{ "an entry with a bad name", &any, "{\"action\":\"entry\",\"entry\":\"a/b\"}",
	    "entry: \"a/b\" is no name of an entry" },
	{ "an inline entry without a name", &any, "{\"action\":\"entry\",\"entry\":{}}",
	    "entry.name: it must be a string" },
	{ "an inline entry that its judge refuses", &any,
	    "{\"action\":\"menu\",\"entries\":[\"a\",{\"name\":\"b\",\"type\":\"iso\"}]}",
	    "entries[1]: type: it must be efi" },
	{ "a menu is meant where nothing else can be", &menus, "{\"entries\":[\"a\"]}", "" },
	{ "a menu of nothing", &menus, "{\"entries\":[]}",
	    "entries: there must be 1 to 200 of them" },
	{ "a menu that is no list", &menus, "{\"entries\":\"a\"}", "entries: it must be a list" },
	{ "a number among the entries", &menus, "{\"entries\":[\"a\",2]}",
	    "entries[1]: it must be the name of an entry, or an entry" },
	{ "the same entry twice", &menus, "{\"entries\":[\"a\",\"b\",\"a\"]}",
	    "entries[2]: \"a\" stands in the list already" },
	{ "a default that is not in the menu", &menus, "{\"entries\":[\"a\"],\"default\":\"b\"}",
	    "default: \"b\" is none of the entries" },
	{ "a time limit that is no number", &menus, "{\"entries\":[\"a\"],\"timeout_ms\":\"1\"}",
	    "timeout_ms: it must be a whole number from 0 to 86400000" },
	{ "a script", &any, "{\"action\":\"script\",\"script\":\"#!ipxe\\nexit\\n\"}", "" },
	{ "a script without its first line", &any, "{\"action\":\"script\",\"script\":\"exit\"}",
	    "script: its first line must be \"#!ipxe\"" },
	{ "a script whose first line only begins well", &any,
	    "{\"action\":\"script\",\"script\":\"#!ipxels\"}",
	    "script: its first line must be \"#!ipxe\"" },
	{ "a referral by URL", &any, "{\"action\":\"refer\",\"url\":\"https://b.example:8050/x\"}",
	    "" },
	{ "a referral to nowhere", &any, "{\"action\":\"refer\"}",
	    "target, url: one of the two must be there" },
	{ "a referral to two places", &any,
	    "{\"action\":\"refer\",\"target\":\"a\",\"url\":\"http://b\"}",
	    "target, url: one of the two must be there" },
	{ "a referral by a scheme that is none of ours", &any,
	    "{\"action\":\"refer\",\"url\":\"file:///etc/passwd\"}",
	    "url: it must be an https, http or tftp URL without blanks" },
};

static int
parse(const char *text, const struct verdict_rules *rules, struct verdict *ret, char *error,
    size_t error_size)
{
	json_t *o = json_loads(text, 0, NULL);
	int rc = verdict_parse(o, rules, ret, error, error_size);

	json_decref(o);
	return rc;
}

static void
test_menu(void)
{
	struct verdict v;
	char error[256];

	test_case("a menu keeps order, inline entries and what else it says");
	CHECK_INT(
	    parse("{\"action\":\"menu\",\"entries\":[\"w11\",{\"name\":\"tool\",\"type\":\"efi\","
		  "\"file\":\"boot/t.efi\"}],\"default\":\"tool\",\"timeout_ms\":0,"
		  "\"title\":\"Haus 3\",\"cache_s\":60,\"reason\":\"subnet\"}",
		&any, &v, error, sizeof(error)),
	    0);
	CHECK_INT(v.kind, VERDICT_MENU);
	CHECK_INT(v.nitems, 2);
	CHECK_STR(v.items[0].name, "w11");
	CHECK(v.items[0].object == NULL);
	CHECK_STR(v.items[1].name, "tool");
	CHECK_STR(json_string_value(json_object_get(v.items[1].object, "file")), "boot/t.efi");
	CHECK_STR(v.standing, "tool");
	CHECK_INT(v.timeout_ms, 0);
	CHECK_STR(v.title, "Haus 3");
	CHECK_INT(v.cache_s, 60);
	CHECK_STR(v.reason, "subnet");
	verdict_fini(&v);

	test_case("what a menu leaves out is the site's");
	CHECK_INT(parse("{\"entries\":[\"a\"]}", &menus, &v, error, sizeof(error)), 0);
	CHECK_INT(v.timeout_ms, VERDICT_TIMEOUT_SITE);
	CHECK_STR(v.standing, "");
	verdict_fini(&v);

	test_case("a single entry has its name in both places");
	CHECK_INT(
	    parse("{\"action\":\"entry\",\"entry\":\"w11\"}", &any, &v, error, sizeof(error)), 0);
	CHECK_STR(v.name, "w11");
	CHECK_INT(v.nitems, 1);
	verdict_fini(&v);
}

static void
test_scripts(void)
{
	char *text = malloc(VERDICT_SCRIPT_MAX + 1);
	char error[64];

	test_case("a script of just 64 KiB, and one byte more");
	memset(text, '#', VERDICT_SCRIPT_MAX + 1);
	memcpy(text, "#!ipxe\n", 7);
	CHECK_INT(verdict_script_check(
		      (struct slice){ (uint8_t *)text, VERDICT_SCRIPT_MAX }, error, sizeof(error)),
	    0);
	CHECK_INT(verdict_script_check((struct slice){ (uint8_t *)text, VERDICT_SCRIPT_MAX + 1 },
		      error, sizeof(error)),
	    -EINVAL);
	free(text);

	test_case("a script with a NUL, one with DOS line ends, one that is only its first line");
	CHECK_INT(verdict_script_check(
		      (struct slice){ (const uint8_t *)"#!ipxe\n\0", 8 }, error, sizeof(error)),
	    -EINVAL);
	CHECK_STR(error, "it holds a NUL");
	CHECK_INT(verdict_script_check(slice_str("#!ipxe\r\nexit\r\n"), error, sizeof(error)), 0);
	CHECK_INT(verdict_script_check(slice_str("#!ipxe"), error, sizeof(error)), 0);
}

/* What is dumped reads back to the same, for every kind. */
static void
test_dump(void)
{
	static const char *const answers[] = {
		"{\"action\":\"none\"}",
		"{\"action\":\"allow\",\"cache_s\":60,\"reason\":\"known\"}",
		"{\"action\":\"deny\",\"text\":\"No.\"}",
		"{\"action\":\"hold\",\"text\":\"Wait.\"}",
		"{\"action\":\"entry\",\"entry\":\"debian\"}",
		"{\"action\":\"entry\",\"entry\":{\"name\":\"x\",\"type\":\"efi\"}}",
		("{\"action\":\"menu\",\"entries\":[\"a\",{\"name\":\"b\",\"type\":\"efi\"}],"
		 "\"default\":\"b\",\"title\":\"T\",\"timeout_ms\":5}"),
		"{\"action\":\"menu\",\"entries\":[\"a\"]}",
		"{\"action\":\"script\",\"script\":\"#!ipxe\\nexit\\n\"}",
		"{\"action\":\"local\"}",
		"{\"action\":\"refer\",\"target\":\"other\"}",
		"{\"action\":\"refer\",\"url\":\"https://x/\"}",
		"{\"action\":\"override\"}",
	};

	for (size_t i = 0; i < NITEMS(answers); i++) {
		json_t *answer = json_loads(answers[i], 0, NULL), *dump;
		struct verdict v, copy;
		char error[256];

		test_case("dumped and copied: %s", answers[i]);
		CHECK_INT(verdict_parse(answer, &any, &v, error, sizeof(error)), 0);
		CHECK_INT(verdict_copy(&v, &copy), 0);
		verdict_fini(&v);
		dump = verdict_dump(&copy);
		CHECK(json_equal(dump, answer));
		json_decref(dump);
		json_decref(answer);
		verdict_fini(&copy);
	}
}

int
main(void)
{
	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct verdict v;
		char error[256] = "";
		int rc;

		test_case("%s", cases[i].what);
		rc = parse(cases[i].answer, cases[i].rules, &v, error, sizeof(error));
		CHECK_INT(rc, cases[i].error[0] == '\0' ? 0 : -EINVAL);
		CHECK_STR(error, cases[i].error);
		if (rc == 0)
			verdict_fini(&v);
	}
	test_menu();
	test_scripts();
	test_dump();
	return test_end();
}
