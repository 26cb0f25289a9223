/* Tests of handlerd/policy.c: what a configuration may say, groups, secret files. */
#include "handlerd/policy.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char errors[2048];

static void
collect(void *arg, const char *path, const char *what)
{
	size_t used = strlen(errors);

	(void)arg;
	(void)snprintf(errors + used, sizeof(errors) - used, "%s: %s\n", path, what);
}

static int
make(const char *text, struct policy **ret)
{
	json_t *object = json_loads(text, 0, NULL);
	struct policy_conf conf;
	int rc;

	errors[0] = '\0';
	*ret = NULL;
	if (object == NULL)
		abort();
	rc = config_parse_object(policy_keys, object, &conf, sizeof(conf), collect, NULL);
	json_decref(object);
	if (rc < 0)
		return rc;
	rc = policy_new(&conf, 7, collect, NULL, ret);
	config_free_object(policy_keys, &conf);
	return rc;
}

/* Each mistake alone, and the one line that tells of it. */
static void
test_mistakes(void)
{
	static const struct {
		const char *what, *conf, *error;
	} cases[] = {
		{ "a rule without a name", "{\"rules\":[{\"action\":\"ignore\"}]}",
		    "rules[0]: \"\" is no name for a rule\n" },
		{ "two rules of one name", "{\"rules\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
		    "rules[1]: there is a rule \"a\" before it\n" },
		{ "an action that nobody knows",
		    "{\"rules\":[{\"name\":\"a\",\"action\":\"explode\"}]}", "rules[0].action: " },
		{ "a condition that nobody knows",
		    "{\"rules\":[{\"name\":\"a\",\"when\":{\"moon\":[\"full\"]}}]}",
		    "rules[0].when.moon: " },
		{ "a pattern that makes no sense",
		    "{\"rules\":[{\"name\":\"a\"},{\"name\":\"b\",\"when\":"
		    "{\"time\":[\"mon\",\"noonish\"]}}]}",
		    "rules[1].when.time[1]: \"noonish\" makes no sense here\n" },
		{ "the same in `unless`",
		    "{\"rules\":[{\"name\":\"a\",\"unless\":{\"network\":[\"10.0.0.0/33\"]}}]}",
		    "rules[0].unless.network[0]: \"10.0.0.0/33\" makes no sense here\n" },
		{ "action entry without an entry",
		    "{\"rules\":[{\"name\":\"a\",\"action\":\"entry\"}]}",
		    "rules[0]: action \"entry\" needs an entry\n" },
		{ "a menu that is not there",
		    "{\"rules\":[{\"name\":\"a\",\"action\":\"menu\",\"menu\":\"m\"}]}",
		    "rules[0]: there is no menu \"m\"\n" },
		{ "action loader without loaders",
		    "{\"rules\":[{\"name\":\"a\",\"action\":\"loader\"}]}",
		    "rules[0]: action \"loader\" needs loaders\n" },
		{ "an option that is Bootferry's own",
		    "{\"rules\":[{\"name\":\"a\",\"action\":\"loader\",\"loaders\":[\"x\"],"
		    "\"options\":[\"67:text:x\"]}]}",
		    "rules[0]: option \"67:text:x\" has a code that is not" },
		{ "an option that is there twice",
		    "{\"rules\":[{\"name\":\"a\",\"action\":\"loader\",\"loaders\":[\"x\"],"
		    "\"options\":[\"252:text:x\",\"210:text:y\",\"252:u8:1\"]}]}",
		    "rules[0]: option 252 is there twice\n" },
		{ "options of another action",
		    "{\"rules\":[{\"name\":\"a\",\"action\":\"ignore\",\"options\":["
		    "\"252:text:x\"]}]}",
		    "rules[0]: options are for action \"loader\"\n" },
		{ "a place of cross-certificates that is none",
		    "{\"offers\":{\"crosscert\":\"ca.example\"}}",
		    "offers.crosscert: \"ca.example\" is neither \"own\" nor a URL\n" },
		{ "a host for HTTP Boot that is none",
		    "{\"offers\":{\"http_host\":\"pxe.example/x\"}}",
		    "offers.http_host: \"pxe.example/x\" is neither a host name nor an address\n" },
		{ "action refer without targets",
		    "{\"rules\":[{\"name\":\"a\",\"action\":\"refer\"}]}",
		    "rules[0]: action \"refer\" needs targets in the block referral\n" },
		{ "a target that is not there",
		    "{\"referral\":{\"targets\":[{\"name\":\"t\",\"url\":\"http://10.0.0.9/\"}]},"
		    "\"rules\":[{\"name\":\"a\",\"action\":\"refer\",\"targets\":[\"u\"]}]}",
		    "rules[0]: there is no target \"u\"\n" },
		{ "action webservice without one",
		    "{\"rules\":[{\"name\":\"a\",\"action\":\"webservice\"}]}",
		    "rules[0]: action \"webservice\" needs the feature BootRequest\n" },
		{ "a prompt's key that is none",
		    "{\"rules\":[{\"name\":\"a\",\"prompt\":{\"uefi_text\":\"go?\","
		    "\"key\":\"F99\"}}]}",
		    "rules[0]" },
		{ "mode referral without targets", "{\"mode\":\"referral\"}",
		    "mode: \"referral\" needs targets in the block referral\n" },
		{ "a group without a name", "{\"groups\":[{\"members\":[\"x\"]}]}",
		    "groups[0].name: \"\" is no name\n" },
		{ "a CPU that nobody knows", "{\"loaders\":[{\"arch\":\"z80\",\"paths\":[\"a\"]}]}",
		    "loaders[0].arch: \"z80\" is no CPU's name\n" },
		{ "a CPU without loaders", "{\"loaders\":[{\"arch\":\"x64\"}]}",
		    "loaders[0].arch: no loader is named for x64\n" },
		{ "a CPU that is listed twice",
		    "{\"loaders\":[{\"arch\":\"x64\",\"paths\":[\"a\"]},"
		    "{\"arch\":\"x64\",\"paths\":[\"b\"]}]}",
		    "loaders[1].arch: x64 is listed before\n" },
		{ "an entry that lacks what its type needs",
		    "{\"entries\":[{\"name\":\"e\",\"type\":\"linux\"}]}", "entries[0]" },
		{ "two entries of one name",
		    "{\"entries\":[{\"name\":\"e\",\"type\":\"local\"},"
		    "{\"name\":\"e\",\"type\":\"local\"}]}",
		    "entries[1]" },
		{ "an entry that refers to a target that is not there",
		    "{\"entries\":[{\"name\":\"e\",\"type\":\"refer\",\"target\":\"t\"}]}",
		    "entries[0]: there is no target \"t\"\n" },
		{ "a menu's item that leads to no menu",
		    "{\"menus\":[{\"name\":\"m\",\"items\":[{\"kind\":\"menu\",\"name\":\"n\"}]}]}",
		    "menus[0]" },
		{ "a target's URL that is none",
		    "{\"referral\":{\"targets\":[{\"name\":\"t\",\"url\":\"gopher://x\"}]}}",
		    "referral.targets[0]" },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		const char *want = cases[i].error;
		struct policy *p;

		test_case("mistake: %s", cases[i].what);
		CHECK_INT(make(cases[i].conf, &p), -EINVAL);
		CHECK(p == NULL);
		if (strncmp(errors, want, strlen(want)) != 0)
			CHECK_STR(errors, want);
	}
}

static void
test_all_mistakes(void)
{
	struct policy *p;

	test_case("all mistakes are told at once");
	CHECK_INT(make("{\"mode\":\"referral\",\"groups\":[{}],\"rules\":["
		       "{\"name\":\"a\",\"action\":\"loader\"},"
		       "{\"name\":\"b\",\"when\":{\"mac\":[\"zz\"]}}]}",
		      &p),
	    -EINVAL);
	CHECK(strstr(errors, "groups[0].name: ") != NULL);
	CHECK(strstr(errors, "rules[0]: ") != NULL);
	CHECK(strstr(errors, "rules[1].when.mac[0]: ") != NULL);
	CHECK(strstr(errors, "mode: ") != NULL);
}

/* --- groups --------------------------------------------------------------------------------- */

static const char groups[] =
    "{\"groups\":["
    "{\"name\":\"lab\",\"members\":[\"52:54:00:12:34:56\",\"asset:A-77\",\"PF0XYZ\"]},"
    "{\"name\":\"berlin\",\"members\":[\"52-54-00-12-34-56\",\"12-34\","
    "\"00112233-4455-6677-8899-AABBCCDDEEFF\"]},"
    "{\"name\":\"lab\",\"members\":[\"asset:a-78\",\"52:54:00:12:34:56\"]}]}";

static void
test_groups(void)
{
	static const struct {
		const char *what, *mac, *second_mac, *uuid, *serial, *asset, *want;
	} cases[] = {
		{ "a hardware address in any notation is in both groups, once each",
		    "52:54:00:12:34:56", NULL, NULL, "", "", "lab berlin " },
		{ "any of a machine's addresses counts", "02:00:00:00:00:01", "52:54:00:12:34:56",
		    NULL, "", "", "lab berlin " },
		{ "a UUID", NULL, NULL, "00112233-4455-6677-8899-aabbccddeeff", "", "", "berlin " },
		{ "a UUID in the other byte order", NULL, NULL,
		    "33221100-5544-7766-8899-aabbccddeeff", "", "", "berlin " },
		{ "a serial number, without case", NULL, NULL, NULL, "pf0xyz", "", "lab " },
		{ "a serial number that looks like the beginning of a hardware address", NULL, NULL,
		    NULL, "12-34", "", "berlin " },
		{ "an asset tag", NULL, NULL, NULL, "", "a-77", "lab " },
		{ "an asset tag is no serial number", NULL, NULL, NULL, "A-77", "", "" },
		{ "a serial number is no asset tag", NULL, NULL, NULL, "", "PF0XYZ", "" },
		{ "a group that is listed twice has both lists' members", NULL, NULL, NULL, "",
		    "A-78", "lab " },
		{ "a stranger", "52:54:00:12:34:57", NULL, "00000000-0000-0000-0000-000000000001",
		    "x", "y", "" },
	};
	struct policy *p;

	test_case("groups compile");
	CHECK_INT(make(groups, &p), 0);
	CHECK_STR(errors, "");
	for (size_t i = 0; p != NULL && i < NITEMS(cases); i++) {
		struct macaddr macs[2] = { 0 };
		struct group_claim claim = { .macs = macs,
			.serial = slice_str(cases[i].serial),
			.asset = slice_str(cases[i].asset) };
		struct slice got[GROUPS_MAX];
		struct uuid uuid;
		char names[256] = "";
		size_t n;

		test_case("group: %s", cases[i].what);
		if (cases[i].mac != NULL)
			CHECK_INT(mac_parse(slice_str(cases[i].mac), &macs[claim.nmacs++]), 0);
		if (cases[i].second_mac != NULL)
			CHECK_INT(
			    mac_parse(slice_str(cases[i].second_mac), &macs[claim.nmacs++]), 0);
		if (cases[i].uuid != NULL) {
			CHECK_INT(uuid_parse(slice_str(cases[i].uuid), &uuid), 0);
			claim.uuid = &uuid;
		}
		n = policy_groups(p, &claim, got, NITEMS(got));
		for (size_t k = 0; k < n; k++) {
			strncat(names, (const char *)got[k].p, got[k].n);
			strcat(names, " ");
		}
		/* equal keys stand in no order */
		if (strcmp(names, "berlin lab ") == 0)
			strcpy(names, "lab berlin ");
		CHECK_STR(names, cases[i].want);
		/* room for one */
		CHECK_INT(policy_groups(p, &claim, got, 1), n > 0 ? 1 : 0);
	}
	policy_unref(p);
}

/* --- secret files --------------------------------------------------------------------------- */

static const char secrets[] =
    "{\"entries\":["
    "{\"name\":\"pe\",\"type\":\"wim\",\"wimboot\":\"boot/wimboot\",\"wim\":\"images/pe/boot.wim\","
    "\"bcd\":\"images/pe/BCD\",\"sdi\":\"images/pe/boot.sdi\","
    "\"files\":[\"secret/unattend.xml as autounattend.xml\",\"https://elsewhere/x.ini\"],"
    "\"secret\":true},"
    "{\"name\":\"arch\",\"type\":\"linux\",\"kernel\":\"k/${buildarch}/vmlinuz\","
    "\"initrds\":[\"i/${platform}-${buildarch}.img\"],\"secret\":true},"
    "{\"name\":\"dressed\",\"type\":\"image\",\"image\":\"win11\",\"secret\":true},"
    "{\"name\":\"plain\",\"type\":\"image\",\"secret\":true},"
    "{\"name\":\"open\",\"type\":\"linux\",\"kernel\":\"open/vmlinuz\"}]}";

static void
test_secrets(void)
{
	static const struct {
		const char *path;
		bool secret;
	} cases[] = {
		{ "boot/wimboot", true },
		{ "images/pe/boot.wim", true },
		{ "images/pe/BCD", true },
		{ "images/pe/bcd", true }, /* the content root's look-up is without case, too */
		{ "images/pe/boot.sdi", true },
		{ "secret/unattend.xml", true },
		{ "secret/unattend.xml.bak", false },
		{ "autounattend.xml", false }, /* the name within Windows PE */
		{ "https://elsewhere/x.ini", false },
		{ "k/x86_64/vmlinuz", true },
		{ "k/x86_64/vmlinuz.sig", false },
		{ "i/efi-arm64.img", true },
		{ "i/other", false },
		{ "images/win11/boot.wim", true },
		{ "images/win11-b/boot.wim", false },
		{ "images/plain/vmlinuz", true },
		{ "images/dressed/x", false },
		{ "open/vmlinuz", false },
		{ "", false },
	};
	struct policy *p;

	test_case("secret entries compile");
	CHECK_INT(make(secrets, &p), 0);
	CHECK_STR(errors, "");
	CHECK(p != NULL && policy_has_secrets(p));
	for (size_t i = 0; p != NULL && i < NITEMS(cases); i++) {
		test_case("%s is %s", cases[i].path, cases[i].secret ? "secret" : "public");
		CHECK_INT(policy_path_is_secret(p, cases[i].path), cases[i].secret);
	}
	policy_unref(p);
	test_case("a site without secret entries has none");
	CHECK_INT(make("{}", &p), 0);
	CHECK(p != NULL && !policy_has_secrets(p) && !policy_path_is_secret(p, "boot/wimboot"));
	policy_unref(p);
}

int
main(void)
{
	struct policy *p, *q;

	test_mistakes();
	test_all_mistakes();
	test_groups();
	test_secrets();

	test_case("a policy keeps a copy of its configuration, and lives as long as a reference");
	CHECK_INT(make("{\"menu\":{}}", &p), -EINVAL);
	CHECK_INT(make("{\"script\":{\"title\":\"Lab\",\"default\":\"tiny\",\"timeout_ms\":5},"
		       "\"loaders\":[{\"arch\":\"x64\",\"paths\":[\"a\",\"b\"]}]}",
		      &p),
	    0);
	q = policy_ref(p);
	policy_unref(p);
	CHECK_INT((long long)q->number, 7);
	CHECK_STR(q->all.title, "Lab");
	CHECK_STR(q->all.standing, "tiny");
	CHECK_INT(q->all.timeout_ms, 5);
	CHECK(q->loaders[ARCH_CPU_X64] != NULL && q->loaders[ARCH_CPU_X64]->n == 2);
	CHECK(q->loaders[ARCH_CPU_BIOS] == NULL);
	policy_unref(q);
	policy_unref(NULL);

	test_case("the names of modes, policies and sources");
	CHECK_STR(mode_name(MODE_REFERRAL), "referral");
	CHECK_STR(mode_name(MODES), "?");
	CHECK_STR(unknown_policy_name(UNKNOWN_APPROVAL), "approval");
	CHECK_STR(fallback_name(FALLBACK_WAIT), "wait");
	CHECK_STR(source_name(SOURCE_IMAGES), "images");
	CHECK_STR(source_name(SOURCES), "?");
	return test_end();
}
