/* Tests of handlerd/rules.c. */
#include "handlerd/rules.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char errors[1024];

static void
collect(void *arg, const char *path, const char *what)
{
	size_t used = strlen(errors);

	(void)arg;
	snprintf(errors + used, sizeof(errors) - used, "%s: %s\n", path, what);
}

/* The rules of a JSON list. */
struct site {
	struct config_list rules;
};

static const struct config_key site_keys[] = {
	{ .name = "rules",
	    .type = CONFIG_LIST,
	    .max = RULES_MAX,
	    .sub = rule_keys,
	    .size = sizeof(struct rule_conf),
	    .off = offsetof(struct site, rules),
	    .help = "rules" },
	{ 0 },
};

static int
compile(const char *list, struct site *site, struct rules **ret)
{
	json_t *array = json_loads(list, 0, NULL);
	json_t *object = json_pack("{s:o}", "rules", array);
	int rc;

	errors[0] = '\0';
	CHECK(array != NULL);
	rc = config_parse_object(site_keys, object, site, sizeof(*site), collect, NULL);
	json_decref(object);
	if (rc == 0 && (rc = rules_compile(&site->rules, collect, NULL, ret)) < 0)
		config_free_object(site_keys, site);
	return rc;
}

/* A laptop whose iPXE makes the boot request, on a Tuesday morning. */
static struct subject
laptop(void)
{
	struct subject s = {
		.stage = STAGE_BOOT,
		.client = CLIENT_IPXE,
		.via = VIA_HTTPS,
		.arch = 7,
		.cpu = ARCH_CPU_X64,
		.machine = 1u << RULE_MACHINE_SEEN,
		.attempt = 1,
		.waited_s = 4,
		.ipxe_version = 0x011501,
		.has_ipxe_features = true,
		.ipxe_features = IPXE_FEATURE_HTTP | IPXE_FEATURE_HTTPS,
		.outcome = OUTCOME_FAILED,
		.outcome_age_s = 3600,
		.weekday = 2,
		.minute = 9 * 60,
		.has_uuid = true,
		.subnet = slice_str("office"),
		.interface = slice_str("eth1"),
		.groups = { slice_str("lab"), slice_str("berlin") },
		.ngroups = 2,
		.manufacturer = slice_str("Dell Inc."),
		.product = slice_str("Latitude 7420"),
		.serial = slice_str("ABC123"),
		.circuit_id = slice_str("ge-0/0/7"),
		.remote_id = slice_str("0x01ab"),
		.client_subject = slice_str("CN=pc-17,O=Lab"),
		.client_issuer = slice_str("CN=Lab CA"),
		.client_serial = slice_str("0A17"),
		.params = slice_str("entry=debian&authmethod=pin"),
	};

	(void)mac_parse(slice_str("52:54:00:12:34:56"), &s.mac);
	(void)uuid_parse(slice_str("00112233-4455-6677-8899-aabbccddeeff"), &s.uuid);
	(void)ip_parse(slice_str("10.1.2.3"), &s.address);
	return s;
}

static void
test_conditions(void)
{
	static const struct {
		const char *when;
		bool holds;
		const char *why;
	} cases[] = {
		{ "{\"client_subject\": [\"cn=pc-*,o=lab\"]}", true, NULL },
		{ "{\"client_subject\": [\"CN=pc-18*\"]}", false, NULL },
		{ "{\"client_issuer\": [\"CN=Lab CA\"], \"client_serial\": [\"0a17\"]}", true,
		    NULL },
		{ "{\"client_fingerprint\": [\"*\"]}", false, NULL },
		{ "{}", true, "it has no condition" },
		{ "{\"stage\":[\"boot\"]}", true, "all its conditions hold" },
		{ "{\"stage\":[\"discover\",\"bootserver\"]}", false,
		    "stage is boot; the rule wants \"discover\", \"bootserver\"" },
		{ "{\"client\":[\"iPXE\"]}", true, NULL },
		{ "{\"client\":[\"pxe\"]}", false, "client is ipxe; the rule wants \"pxe\"" },
		{ "{\"firmware\":[\"uefi\"]}", true, NULL },
		{ "{\"firmware\":[\"bios\"]}", false, "firmware is uefi; the rule wants \"bios\"" },
		{ "{\"via\":[\"https\"]}", true, NULL },
		{ "{\"arch\":[\"arm64\",\"x64\"]}", true, NULL },
		{ "{\"arch\":[\"7\"]}", true, NULL },
		{ "{\"arch\":[\"bios\"]}", false, "arch is x64; the rule wants \"bios\"" },
		{ "{\"machine\":[\"seen\"]}", true, NULL },
		{ "{\"machine\":[\"new\"]}", false, "machine is seen; the rule wants \"new\"" },
		{ "{\"attempt\":[\">=2\"]}", false, "attempt is 1; the rule wants \">=2\"" },
		{ "{\"waited_s\":[\"2-8\"]}", true, NULL },
		{ "{\"ipxe_version\":[\"<1.21\"]}", false,
		    "ipxe_version is 1.21.1; the rule wants \"<1.21\"" },
		{ "{\"ipxe_version\":[\">=1.21\"]}", true, NULL },
		{ "{\"ipxe_feature\":[\"https\"]}", true, NULL },
		{ "{\"ipxe_feature\":[\"36\"]}", false, NULL },
		{ "{\"outcome\":[\"failed<2h\"]}", true, NULL },
		{ "{\"outcome\":[\"failed<30m\"]}", false,
		    "outcome is failed, 3600 s ago; the rule wants \"failed<30m\"" },
		{ "{\"time\":[\"mon-fri 08:00-17:00\"]}", true, NULL },
		{ "{\"time\":[\"sat,sun\"]}", false,
		    "time is tue 09:00; the rule wants \"sat,sun\"" },
		{ "{\"mac\":[\"52:54:00\"]}", true, NULL },
		{ "{\"mac\":[\"52:54:00:12:34:57\"]}", false, NULL },
		{ "{\"uuid\":[\"00112233-4455-6677-8899-aabbccddeeff\"]}", true, NULL },
		{ "{\"uuid\":[\"33221100-5544-7766-8899-aabbccddeeff\"]}", true, NULL },
		{ "{\"uuid\":[\"00112233-4455-6677-8899-aabbccddeefe\"]}", false, NULL },
		{ "{\"network\":[\"10.1.0.0/16\"]}", true, NULL },
		{ "{\"network\":[\"10.2.0.0/16\"]}", false,
		    "network is 10.1.2.3; the rule wants \"10.2.0.0/16\"" },
		{ "{\"relay\":[\"none\"]}", true, NULL },
		{ "{\"relay\":[\"10.1.0.0/16\"]}", false, NULL },
		{ "{\"subnet\":[\"off*\"]}", true, NULL },
		{ "{\"interface\":[\"eth0\"]}", false, NULL },
		{ "{\"group\":[\"berlin\"]}", true, NULL },
		{ "{\"group\":[\"paris\"]}", false,
		    "group is \"lab\", \"berlin\"; the rule wants \"paris\"" },
		{ "{\"manufacturer\":[\"dell*\"],\"product\":[\"Latitude *\"]}", true, NULL },
		{ "{\"manufacturer\":[\"dell*\"],\"product\":[\"OptiPlex *\",\"XPS*\"]}", false,
		    "product is \"Latitude 7420\"; the rule wants \"OptiPlex *\", \"XPS*\"" },
		{ "{\"asset\":[\"*\"]}", false, "asset is not known; the rule wants \"*\"" },
		{ "{\"circuit_id\":[\"ge-0/0/*\"]}", true, NULL },
		{ "{\"remote_id\":[\"0x01AB\"]}", true, NULL },
		{ "{\"remote_id\":[\"0x01ac\"]}", false, NULL },
		{ "{\"param\":[\"entry=deb*\"]}", true, NULL },
		{ "{\"param\":[\"entry=ubuntu\"]}", false,
		    "param is \"debian\"; the rule wants \"entry=ubuntu\"" },
		{ "{\"param\":[\"nomenu=true\"]}", false,
		    "param is not there; the rule wants \"nomenu=true\"" },
	};
	const struct subject s = laptop();

	for (size_t i = 0; i < NITEMS(cases); i++) {
		char list[512], why[512];
		struct rules *rules;
		struct site site;

		test_case("when %s", cases[i].when);
		snprintf(list, sizeof(list), "[{\"name\":\"r\",\"when\":%s}]", cases[i].when);
		CHECK_INT(compile(list, &site, &rules), 0);
		CHECK_INT(rules_match(rules, &s, 0), cases[i].holds ? 0 : 1);
		CHECK(rules_explain(rules, 0, &s, why, sizeof(why)) == cases[i].holds);
		if (cases[i].why != NULL)
			CHECK_STR(why, cases[i].why);
		rules_free(rules);
		config_free_object(site_keys, &site);
	}
}

static void
test_order(void)
{
	struct subject s = laptop();
	struct rules *rules;
	struct site site;
	char why[256];

	CHECK_INT(compile("[{\"name\":\"night\",\"when\":{\"time\":[\"22:00-06:00\"]}},"
			  "{\"name\":\"dell\",\"when\":{\"manufacturer\":[\"dell*\"]},"
			  " \"unless\":{\"group\":[\"lab\"]}},"
			  "{\"name\":\"office\",\"when\":{\"subnet\":[\"office\"]}},"
			  "{\"name\":\"rest\"}]",
		      &site, &rules),
	    0);
	test_case("the first rule that holds decides");
	CHECK_INT(rules_match(rules, &s, 0), 2);
	CHECK_STR(rules_conf(rules, 2)->name, "office");
	test_case("one rule of `unless` is enough to pass a rule over");
	CHECK(!rules_explain(rules, 1, &s, why, sizeof(why)));
	CHECK_STR(why, "group is \"lab\", \"berlin\"; the rule is not for \"lab\"");
	test_case("without it the rule holds");
	s.ngroups = 0;
	CHECK_INT(rules_match(rules, &s, 0), 1);
	test_case("the search goes on behind a rule");
	CHECK_INT(rules_match(rules, &s, 2), 2);
	CHECK_INT(rules_match(rules, &s, 3), 3);
	CHECK_INT(rules_match(rules, &s, 4), 4);
	test_case("what is not known fits no pattern");
	s = (struct subject){ .stage = STAGE_DISCOVER, .arch = ARCH_UNKNOWN };
	s.minute = 12 * 60;
	CHECK_INT(rules_match(rules, &s, 0), 3);
	rules_free(rules);
	config_free_object(site_keys, &site);

	test_case("files are for rules that name their stage");
	CHECK_INT(compile("[{},{\"when\":{\"stage\":[\"file\"]}}]", &site, &rules), 0);
	s = laptop();
	s.stage = STAGE_FILE;
	CHECK_INT(rules_match(rules, &s, 0), 1);
	CHECK(!rules_explain(rules, 0, &s, why, sizeof(why)));
	CHECK_STR(why, "it does not name the stage file");
	s.stage = STAGE_BOOT;
	CHECK_INT(rules_match(rules, &s, 0), 0);
	rules_free(rules);
	config_free_object(site_keys, &site);

	test_case("a relay tells the network, whatever address the client has");
	CHECK_INT(compile("[{\"when\":{\"network\":[\"10.9.0.0/16\"]}}]", &site, &rules), 0);
	s = laptop();
	CHECK_INT(ip_parse(slice_str("10.9.0.1"), &s.relay), 0);
	CHECK_INT(rules_match(rules, &s, 0), 0);
	rules_free(rules);
	config_free_object(site_keys, &site);
}

static void
test_mistakes(void)
{
	struct rules *rules;
	struct site site;

	test_case("every pattern that makes no sense is named");
	CHECK_INT(compile("[{},{\"when\":{\"stage\":[\"boot\",\"bot\"],\"time\":[\"noon\"],"
			  "\"network\":[\"10/8\"],\"mac\":[\"zz\"],\"uuid\":[\"1\"],"
			  "\"param\":[\"x\"],\"outcome\":[\"bad\"]},"
			  "\"unless\":{\"arch\":[\"z80\"],\"ipxe_version\":[\"new\"],"
			  "\"product\":[\"\"]}}]",
		      &site, &rules),
	    -EINVAL);
	CHECK_STR(errors, "rules[1].when.stage[1]: \"bot\" makes no sense here\n"
			  "rules[1].when.outcome[0]: \"bad\" makes no sense here\n"
			  "rules[1].when.time[0]: \"noon\" makes no sense here\n"
			  "rules[1].when.mac[0]: \"zz\" makes no sense here\n"
			  "rules[1].when.uuid[0]: \"1\" makes no sense here\n"
			  "rules[1].when.network[0]: \"10/8\" makes no sense here\n"
			  "rules[1].when.param[0]: \"x\" makes no sense here\n"
			  "rules[1].unless.arch[0]: \"z80\" makes no sense here\n"
			  "rules[1].unless.ipxe_version[0]: \"new\" makes no sense here\n"
			  "rules[1].unless.product[0]: \"\" makes no sense here\n");

	test_case("every condition has a key of its own name");
	for (int i = 0; i < RULE_FIELDS; i++) {
		char list[128];

		snprintf(list, sizeof(list), "[{\"when\":{\"%s\":[]}}]",
		    rule_field_name((enum rule_field)i));
		CHECK_INT(compile(list, &site, &rules), 0);
		rules_free(rules);
		config_free_object(site_keys, &site);
	}
}

int
main(void)
{
	test_conditions();
	test_order();
	test_mistakes();
	return test_end();
}
