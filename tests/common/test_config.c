/* Tests of common/config.c. */
#include "common/config.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct conf {
	bool on;
	int64_t port;
	char *root;
	int level;
	struct ipaddr address;
	struct config_strings handler;
	struct config_ports ports;
	int64_t timeout_ms;
};

static const char *const levels[] = { "low", "high", NULL };

#define AT(member) .off = offsetof(struct conf, member)
static const struct config_key sub_keys[] = {
	{ .name = "timeout_ms",
	    .type = CONFIG_INT,
	    .def = "10000",
	    .max = 60000,
	    AT(timeout_ms),
	    .unit = "ms",
	    .help = "waits" },
	{ 0 },
};
static const struct config_key keys[] = {
	{ .name = "on", .type = CONFIG_BOOL, .def = "true", AT(on), .help = "switch" },
	{ .name = "port",
	    .type = CONFIG_INT,
	    .def = "69",
	    .min = 1,
	    .max = 65535,
	    AT(port),
	    .flags = CONFIG_RESTART,
	    .help = "port" },
	{ .name = "root",
	    .type = CONFIG_STRING,
	    .def = "\"/srv\"",
	    .max = 16,
	    AT(root),
	    .help = "folder" },
	{ .name = "level",
	    .type = CONFIG_ENUM,
	    .def = "\"low\"",
	    .names = levels,
	    AT(level),
	    .flags = CONFIG_SHARED,
	    .help = "level" },
	{ .name = "address",
	    .type = CONFIG_IP,
	    .def = "\"\"",
	    AT(address),
	    .flags = CONFIG_SHARED,
	    .help = "address" },
	{ .name = "handler",
	    .type = CONFIG_STRINGS,
	    .def = "[\"ipc:///x\"]",
	    .min = 1,
	    .max = 3,
	    AT(handler),
	    .help = "urls" },
	{ .name = "ports",
	    .type = CONFIG_PORTS,
	    .def = "[64001, 65000]",
	    AT(ports),
	    .help = "ports" },
	{ .name = "script", .type = CONFIG_BLOCK, .sub = sub_keys },
	{ 0 },
};
static void
check(const void *conf, config_error_fn *error, void *arg)
{
	const struct conf *c = conf;

	if (c->port == 4444)
		error(arg, "port", "4444 is unlucky");
}

static const struct config_table table = { "tftpd", keys, sizeof(struct conf), check };

static char errors[4096];

static void
collect(void *arg, const char *path, const char *what)
{
	size_t used = strlen(errors);

	(void)arg;
	snprintf(errors + used, sizeof(errors) - used, "%s: %s\n", path, what);
}

static int
load(const char *text, struct conf *conf)
{
	errors[0] = '\0';
	return config_parse(&table, text, text != NULL ? strlen(text) : 0, conf, collect, NULL);
}

static void
test_good(void)
{
	struct conf c;
	char ip[IP_STRLEN];

	test_case("without a file all keys have their defaults");
	CHECK_INT(load(NULL, &c), 0);
	CHECK(c.on && c.port == 69 && c.level == 0 && c.timeout_ms == 10000);
	CHECK_STR(c.root, "/srv");
	CHECK_INT(c.address.family, 0);
	CHECK_INT(c.handler.n, 1);
	CHECK_STR(c.handler.v[0], "ipc:///x");
	CHECK(c.ports.first == 64001 && c.ports.last == 65000);
	config_free(&table, &c);

	test_case("an empty object is a working configuration");
	CHECK_INT(load("{}", &c), 0);
	CHECK_INT(c.port, 69);
	config_free(&table, &c);

	test_case("every type is read");
	CHECK_INT(load("{\"on\": false, \"port\": 1069, \"root\": \"/x\", \"level\": \"high\","
		       "\"address\": \"10.0.0.1\", \"handler\": [\"a\", \"b\"], \"ports\": 0,"
		       "\"script\": {\"timeout_ms\": 0}}",
		      &c),
	    0);
	CHECK(!c.on && c.port == 1069 && c.level == 1 && c.timeout_ms == 0);
	CHECK_STR(c.root, "/x");
	CHECK_STR(ip_format(&c.address, ip), "10.0.0.1");
	CHECK_INT(c.handler.n, 2);
	CHECK(c.ports.first == 0 && c.ports.last == 0);
	config_free(&table, &c);

	test_case("a file shared by daemons: shared keys, own block, others' blocks");
	CHECK_INT(load("{\"level\": \"high\", \"address\": \"10.0.0.1\","
		       "\"tftpd\": {\"port\": 70, \"address\": \"10.0.0.2\"},"
		       "\"dhcpproxyd\": {\"whatever\": 1}}",
		      &c),
	    0);
	CHECK(c.level == 1 && c.port == 70);
	CHECK_STR(ip_format(&c.address, ip), "10.0.0.2");
	config_free(&table, &c);
}

static void
test_bad(void)
{
	static const struct {
		const char *what, *text, *errors;
	} cases[] = {
		{ "an unknown key", "{\"prot\": 1}", "prot: unknown key\n" },
		{ "an unknown key in a block", "{\"script\": {\"x\": 1}}",
		    "script.x: unknown key\n" },
		{ "a number out of bounds", "{\"port\": 70000}",
		    "port: 70000 is not a whole number from 1 to 65535\n" },
		{ "a string for a number", "{\"port\": \"69\"}",
		    "port: \"69\" is not a whole number from 1 to 65535\n" },
		{ "a number for a switch", "{\"on\": 1}", "on: 1 is neither true nor false\n" },
		{ "a value that is not in the list", "{\"level\": \"mid\"}",
		    "level: \"mid\" is none of \"low\", \"high\"\n" },
		{ "no IP address", "{\"address\": \"10.0.0\"}",
		    "address: \"10.0.0\" is not an IP address\n" },
		{ "an empty list", "{\"handler\": []}",
		    "handler: [] is not a list of 1 to 3 strings\n" },
		{ "a list with a number in it", "{\"handler\": [\"a\", 2]}",
		    "handler: item 2, 2, is not a string\n" },
		{ "a range that runs backwards", "{\"ports\": [2, 1]}",
		    "ports: [2,1] is neither a port, [first, last] nor 0 for any port\n" },
		{ "a value instead of a block", "{\"script\": 5}", "script: 5 is not a block\n" },
		{ "a string too long", "{\"root\": \"/12345678901234567\"}",
		    "root: \"/12345678901234567\" is longer than 16 bytes\n" },
		{ "a string with a NUL", "{\"root\": \"a\\u0000b\"}",
		    "line 1, column 19: \\u0000 is not allowed without JSON_ALLOW_NUL near "
		    "'\"a\\u0000b\"'\n" },
		{ "a list instead of an object", "[]", ": [] is not a block\n" },
		{ "an own key outside the block of a shared file", "{\"port\": 1, \"tftpd\": {}}",
		    "port: belongs into the block \"tftpd\"\n" },
		{ "what the daemon's own check finds", "{\"port\": 4444}",
		    "port: 4444 is unlucky\n" },
		{ "all errors at once", "{\"port\": 0, \"script\": {\"timeout_ms\": -1}, \"a\": 1}",
		    "port: 0 is not a whole number from 1 to 65535\n"
		    "script.timeout_ms: -1 is not a whole number from 0 to 60000\n"
		    "a: unknown key\n" },
		{ "the same key twice", "{\"port\": 1, \"port\": 2}",
		    "line 1, column 18: duplicate object key near '\"port\"'\n" },
		{ "bad JSON, with its place", "{\n\"port\": 1,\n}",
		    "line 3, column 1: string or '}' expected near '}'\n" },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct conf c;

		test_case("refused: %s", cases[i].what);
		CHECK_INT(load(cases[i].text, &c), -EINVAL);
		CHECK_STR(errors, cases[i].errors);
	}
}

static char document[4096];

static void
append(void *arg, const char *text)
{
	(void)arg;
	strncat(document, text, sizeof(document) - strlen(document) - 1);
}

/* --- lists of blocks ---------------------------------------------------------------------- */

struct when {
	struct config_strings stage;
	int64_t attempt;
};

struct rule {
	char *name;
	struct when when;
};

struct site {
	char *mode;
	struct config_list rules;
	struct when fallback;
};

static const struct config_key when_keys[] = {
	{ .name = "stage",
	    .type = CONFIG_STRINGS,
	    .def = "[]",
	    .max = 4,
	    .off = offsetof(struct when, stage),
	    .help = "stages" },
	{ .name = "attempt",
	    .type = CONFIG_INT,
	    .def = "7",
	    .max = 9,
	    .off = offsetof(struct when, attempt),
	    .help = "tries" },
	{ 0 },
};
static const struct config_key rule_keys[] = {
	{ .name = "name",
	    .type = CONFIG_STRING,
	    .def = "\"\"",
	    .max = 20,
	    .off = offsetof(struct rule, name),
	    .help = "name" },
	{ .name = "when",
	    .type = CONFIG_BLOCK,
	    .sub = when_keys,
	    .off = offsetof(struct rule, when) },
	{ 0 },
};
static const struct config_key site_keys[] = {
	{ .name = "mode",
	    .type = CONFIG_STRING,
	    .def = "\"script\"",
	    .max = 20,
	    .off = offsetof(struct site, mode),
	    .help = "mode" },
	{ .name = "rules",
	    .type = CONFIG_LIST,
	    .max = 3,
	    .sub = rule_keys,
	    .size = sizeof(struct rule),
	    .off = offsetof(struct site, rules),
	    .help = "rules in order" },
	{ .name = "fallback",
	    .type = CONFIG_BLOCK,
	    .sub = when_keys,
	    .off = offsetof(struct site, fallback) },
	{ 0 },
};
static const struct config_table site_table = { "handlerd", site_keys, sizeof(struct site), NULL };

static int
load_site(const char *text, struct site *site)
{
	errors[0] = '\0';
	return config_parse(&site_table, text, strlen(text), site, collect, NULL);
}

/* A CONFIG_STRINGS that may be written as one string. */
static const struct config_key names_keys[] = {
	{ .name = "names",
	    .type = CONFIG_STRINGS,
	    .def = "[]",
	    .max = 3,
	    .flags = CONFIG_COMMAS,
	    .help = "names" },
	{ 0 },
};
static const struct config_table names_table = { "tftpd", names_keys, sizeof(struct config_strings),
	NULL };

static void
test_commas(void)
{
	static const struct {
		const char *what, *text, *want; /* NULL: an error */
	} cases[] = {
		{ "a list", "[\"a\",\"b\"]", "[\"a\",\"b\"]" },
		{ "one name", "\"eth0\"", "[\"eth0\"]" },
		{ "names", "\"a,b,c\"", "[\"a\",\"b\",\"c\"]" },
		{ "blanks around them", "\"  a , b  ,c \"", "[\"a\",\"b\",\"c\"]" },
		{ "nothing", "\"\"", "[]" },
		{ "blanks", "\"  \"", "[]" },
		{ "a comma at the end", "\"a,\"", "[\"a\"]" },
		{ "an empty name between", "\"a,,b\"", "[\"a\",\"\",\"b\"]" },
		{ "too many", "\"a,b,c,d\"", NULL },
		{ "a number", "7", NULL },
		{ "a NUL", "\"a\\u0000b\"", NULL },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct config_strings names;
		char text[128], *got;
		json_t *dump;

		test_case("a list as one string: %s", cases[i].what);
		(void)snprintf(text, sizeof(text), "{\"names\":%s}", cases[i].text);
		errors[0] = '\0';
		CHECK_INT(config_parse(&names_table, text, strlen(text), &names, collect, NULL),
		    cases[i].want != NULL ? 0 : -EINVAL);
		if (cases[i].want == NULL)
			continue;
		dump = config_dump(&names_table, &names);
		got = json_dumps(json_object_get(dump, "names"), JSON_COMPACT);
		CHECK_STR(got, cases[i].want);
		free(got);
		json_decref(dump);
		config_free(&names_table, &names);
	}
}

static void
test_lists(void)
{
	static const char text[] =
	    "{\"rules\":[{\"name\":\"a\",\"when\":{\"stage\":[\"boot\"]}},{\"name\":\"b\"}]"
	    ",\"fallback\":{\"attempt\":2}}";
	struct site a, b;
	const struct rule *rules;
	json_t *dump, *object;
	char *got;

	test_case("a list of blocks, each with its defaults and its own blocks");
	CHECK_INT(load_site(text, &a), 0);
	CHECK_INT(a.rules.n, 2);
	rules = a.rules.v;
	CHECK_STR(rules[0].name, "a");
	CHECK_STR(rules[0].when.stage.v[0], "boot");
	CHECK_INT(rules[0].when.attempt, 7);
	CHECK_STR(rules[1].name, "b");
	CHECK_INT(a.fallback.attempt, 2);

	test_case("such a list is dumped without what has its default");
	dump = config_dump(&site_table, &a);
	got = json_dumps(json_object_get(dump, "rules"), JSON_COMPACT);
	CHECK_STR(got, "[{\"name\":\"a\",\"when\":{\"stage\":[\"boot\"]}},{\"name\":\"b\"}]");
	free(got);
	json_decref(dump);

	test_case("a reload takes over a list as a whole");
	CHECK_INT(load_site("{\"rules\":[{\"name\":\"c\"}]}", &b), 0);
	dump = config_apply(&site_table, &a, &b);
	CHECK(json_object_get(json_object_get(dump, "changed"), "rules") != NULL);
	CHECK(json_object_get(json_object_get(dump, "changed"), "fallback.attempt") != NULL);
	json_decref(dump);
	CHECK_INT(a.rules.n, 1);
	config_free(&site_table, &a);
	config_free(&site_table, &b);

	test_case("errors in a list name the place");
	CHECK_INT(load_site("{\"rules\":[{},{\"when\":{\"attempt\":10}},{\"x\":1}]}", &a), -EINVAL);
	CHECK_STR(errors, "rules[1].when.attempt: 10 is not a whole number from 0 to 9\n"
			  "rules[2].x: unknown key\n");
	CHECK_INT(load_site("{\"rules\":[{},{},{},{}]}", &a), -EINVAL);
	CHECK_STR(errors, "rules: [{},{},{},{}] is not a list of at most 3 blocks\n");
	CHECK_INT(load_site("{\"rules\":[5]}", &a), -EINVAL);
	CHECK_STR(errors, "rules[0]: 5 is not a block\n");

	test_case("an object that came another way than by a file");
	object = json_pack("{s:s,s:{s:i}}", "name", "r", "when", "attempt", 3);
	{
		struct rule r;

		CHECK_INT(config_parse_object(rule_keys, object, &r, sizeof(r), collect, NULL), 0);
		CHECK_STR(r.name, "r");
		CHECK_INT(r.when.attempt, 3);
		dump = config_dump_object(rule_keys, &r);
		CHECK(json_equal(dump, object));
		json_decref(dump);
		config_free_object(rule_keys, &r);
		json_object_set_new(object, "nam", json_true());
		errors[0] = '\0';
		CHECK_INT(
		    config_parse_object(rule_keys, object, &r, sizeof(r), collect, NULL), -EINVAL);
		CHECK_STR(errors, "nam: unknown key\n");
	}
	json_decref(object);

	test_case("the documentation names the keys of a list's blocks");
	document[0] = '\0';
	config_document(&site_table, append, NULL);
	CHECK(strstr(document, "| `rules` | `[]` | list of at most 3 blocks |"));
	CHECK(strstr(document, "| `rules[].when.attempt` | `7` |"));
}

int
main(void)
{
	struct conf a, b;
	json_t *result, *compared;
	char *text;

	test_good();
	test_bad();
	test_commas();
	test_lists();

	test_case("what is dumped loads to the same settings");
	CHECK_INT(load("{\"ports\": 69, \"address\": \"::1\", \"level\": \"high\"}", &a), 0);
	result = config_dump(&table, &a);
	text = json_dumps(result, 0);
	CHECK_INT(load(text, &b), 0);
	free(text);
	json_decref(result);
	CHECK(b.ports.first == 69 && b.ports.last == 69 && b.level == 1 && b.address.family == 6);
	config_free(&table, &a);
	config_free(&table, &b);

	test_case("a reload takes over what may change and names what needs a restart");
	CHECK_INT(load("{}", &a), 0);
	CHECK_INT(load("{\"port\": 70, \"root\": \"/new\", \"handler\": [\"z\"]}", &b), 0);
	compared = config_compare(&table, &a, &b);
	CHECK_STR(a.root, "/srv");
	result = config_apply(&table, &a, &b);
	CHECK(json_equal(compared, result));
	json_decref(compared);
	text = json_dumps(result, JSON_COMPACT);
	CHECK_STR(text, "{\"changed\":{\"root\":[\"/srv\",\"/new\"],\"handler\":[[\"ipc:///x\"],"
			"[\"z\"]]},\"restart\":[\"port\"]}");
	CHECK(a.port == 69);
	CHECK_STR(a.root, "/new");
	CHECK_STR(a.handler.v[0], "z");
	free(text);
	json_decref(result);
	config_free(&table, &b);
	config_free(&table, &a);

	test_case("the documentation has a row for each key");
	config_document(&table, append, NULL);
	CHECK(
	    strstr(document, "| `script.timeout_ms` | `10000` | 0 to 60000 ms | reload | waits |"));
	CHECK(strstr(document,
	    "| `level` | `\"low\"` | `\"low\"`, `\"high\"` | reload | level (*shared*) |"));
	CHECK(strstr(document, "| `port` | `69` | 1 to 65535 | restart | port |"));
	return test_end();
}
