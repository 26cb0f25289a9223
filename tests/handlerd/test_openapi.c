/* Checks docs/openapi.json against the code: its examples are read, and what is sent stands in it.
 */
#include "common/hook.h"
#include "handlerd/ws_bootferry.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *doc;

/* What is found below `at` by names, each followed by one more. */
static json_t *
get(json_t *at, const char *const *names)
{
	for (; *names != NULL; names++)
		at = json_object_get(at, *names);
	return at;
}

#define GET(at, ...) get(at, (const char *const[]){ __VA_ARGS__, NULL })

static json_t *
properties(const char *schema)
{
	return GET(doc, "components", "schemas", schema, "properties");
}

/* Each key of `object` is a property of the schema. */
static void
check_keys(const char *schema, json_t *object)
{
	json_t *known = properties(schema), *value;
	const char *key;

	CHECK(json_is_object(known));
	json_object_foreach(object, key, value)
	{
		if (json_object_get(known, key) == NULL)
			test_fail(__FILE__, __LINE__, "%s has no \"%s\"", schema, key);
	}
}

static void
check_body(enum ws_feature feature, json_t *body)
{
	const struct ws_feature_info *f = &ws_features[feature];
	json_t *again = json_deep_copy(body);

	CHECK_STR(json_string_value(json_object_get(body, "type")), f->name);
	check_keys(f->kind == WS_REPORT ? "Report" : "Question", body);
	check_keys("Request", json_object_get(body, "request"));
	/* what is lifted from the parameters is what the example says */
	CHECK_INT(ws_bootferry_body(again, feature), 0);
	CHECK(json_equal(again, body));
	json_decref(again);
}

static void
check_answers(enum ws_feature feature, json_t *examples)
{
	json_t *example;
	const char *name;

	CHECK(json_object_size(examples) > 0);
	json_object_foreach(examples, name, example)
	{
		struct ws_answer a;
		char error[256];

		test_case("%s: the answer \"%s\" is read", ws_features[feature].name, name);
		error[0] = '\0';
		CHECK_INT(ws_bootferry_answer(feature, json_object_get(example, "value"), NULL,
			      NULL, &a, error, sizeof(error)),
		    0);
		CHECK_STR(error, "");
		if (error[0] == '\0')
			ws_answer_fini(&a);
	}
}

static void
test_feature(enum ws_feature feature)
{
	const struct ws_feature_info *f = &ws_features[feature];
	json_t *op = GET(doc, "paths", f->path, "post"), *example;
	const char *text = json_string_value(json_object_get(op, "description")), *name;

	test_case("%s: it is described, with 2PXE's name", f->name);
	CHECK_STR(json_string_value(json_object_get(op, "operationId")), f->name);
	CHECK(text != NULL && strstr(text, f->name_2pxe) != NULL);

	test_case("%s: the example of a body is one", f->name);
	json_object_foreach(
	    GET(op, "requestBody", "content", "application/json", "examples"), name, example)
	{
		check_body(feature, json_object_get(example, "value"));
	}
	if (f->kind != WS_REPORT)
		check_answers(feature,
		    GET(op, "responses", "200", "content", "application/json", "examples"));
}

/* A request with all that there is. */
static json_t *
full_body(void)
{
	static const uint8_t option82[] = { 1, 2, 'a', 'b', 2, 1, 0xff };
	const struct hook_machine machine = { .id = "m1",
		.name = "pc7",
		.group = "g",
		.state = "new",
		.entry = "debian",
		.once = true,
		.first_ms = 1,
		.last_ms = 1,
		.boots = 3 };
	const struct hook_boot boot = {
		.id = 1, .started_ms = 1, .phase = "done", .entry = "debian"
	};
	const struct hook_entry entry = { .name = "debian", .title = "Debian", .type = "linux" };
	const struct hook_facts facts = { .now_ms = 1,
		.deadline_ms = 1,
		.machine = &machine,
		.boots = &boot,
		.nboots = 1,
		.entries = &entry,
		.nentries = 1,
		.standing = "debian",
		.title = "Bootferry",
		.root = "/x",
		.base = "https://b:8050/" };
	struct boot_request r = { .id = 1,
		.stage = STAGE_BOOT,
		.client = CLIENT_IPXE,
		.via = VIA_HTTPS,
		.arch = 7,
		.mac = { 6, { 0x52, 0x54 } },
		.has_uuid = true,
		.boot = 5,
		.has_ipxe_features = true,
		.ipxe_features = UINT64_MAX,
		.ipxe_version = 0x011501,
		.subnet = slice_str("lab"),
		.interface = slice_str("eth0"),
		.vendor_class = slice_str("PXEClient"),
		.user_class = slice_str("iPXE"),
		.client_subject = slice_str("CN=pc"),
		.client_issuer = slice_str("CN=CA"),
		.client_serial = slice_str("0A"),
		.client_fingerprint = slice_str("00ff"),
		.relay_info = { option82, sizeof(option82) },
		.file = slice_str("f"),
		.manufacturer = slice_str("\xff"),
		.product = slice_str("p"),
		.serial = slice_str("s"),
		.asset = slice_str("a"),
		.platform = slice_str("efi"),
		.buildarch = slice_str("x86_64"),
		.version = slice_str("1.21.1"),
		.params =
		    slice_str("tokenid=t&requestid=r&statusid=s&wsurl=w&offerid=o&authmethod=m&"
			      "authvalue=v&mandatory=true&nomenu=1") };

	r.address = r.server = r.relay = ip_from_v4((const uint8_t[]){ 10, 77, 1, 10 });
	return hook_request(HOOK_BOOT, &r, &facts);
}

static void
test_full(void)
{
	const struct macaddr mac = { 6, { 0x52, 0x54, 0, 0, 0, 1 } };
	const struct uuid uuid = { { 1 } };
	const struct ipaddr ip = { 4, { 10, 0, 0, 1 } };
	const struct ws_report report = { .at_ms = 7,
		.boot = 5,
		.mac = &mac,
		.uuid = &uuid,
		.address = &ip,
		.entry = "debian",
		.url = "https://x/",
		.bytes = 1,
		.duration_ms = 2,
		.error = "bad\xff" };
	json_t *body = full_body(), *told;

	test_case("all that a question can hold is described");
	CHECK_INT(ws_bootferry_body(body, WS_BOOT_REQUEST), 0);
	check_keys("Question", body);
	check_keys("Request", json_object_get(body, "request"));
	check_keys("Machine", json_object_get(body, "machine"));
	check_keys("Boot", json_array_get(json_object_get(body, "history"), 0));
	check_keys("EntryName", json_array_get(json_object_get(body, "entries"), 0));
	check_keys("Config", json_object_get(body, "config"));
	CHECK_INT(json_object_size(json_object_get(body, "paramdata")), 9);

	test_case("all that a report can hold is described");
	body = ws_bootferry_report(body, &report);
	CHECK_INT(ws_bootferry_body(body, WS_REPORT_BOOT), 0);
	check_keys("Report", body);
	told = json_object_get(body, "report");
	check_keys("ReportFacts", told);
	CHECK_INT(json_object_size(told), json_object_size(properties("ReportFacts")));
	CHECK_STR(json_string_value(json_object_get(told, "error")), "bad?");
	json_decref(body);

	test_case("a report needs no request of the client");
	body = ws_bootferry_report(NULL, &(struct ws_report){ .at_ms = 7 });
	CHECK_INT(ws_bootferry_body(body, WS_REPORT_BOOT), 0);
	CHECK_INT(json_object_size(body), 3);
	json_decref(body);
}

int
main(void)
{
	const char *tests = getenv("BOOTFERRY_TESTS");
	char path[512];
	json_error_t e;

	snprintf(path, sizeof(path), "%s/../docs/openapi.json", tests != NULL ? tests : "tests");
	test_case("it is JSON");
	doc = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
	if (doc == NULL)
		test_fail(__FILE__, __LINE__, "%s:%d: %s", path, e.line, e.text);
	test_case("it has one path for each feature");
	CHECK_INT(json_object_size(json_object_get(doc, "paths")), WS_FEATURES);
	for (enum ws_feature f = 0; f < WS_FEATURES; f++)
		test_feature(f);
	test_full();
	json_decref(doc);
	return test_end();
}
