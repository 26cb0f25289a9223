/* Tests of common/hook.c. */
#include "common/hook.h"

#include "common/arch.h"
#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct hook_machine machine = {
	.id = "m17",
	.name = "lab-07",
	.group = "lab",
	.state = "approved",
	.entry = "w11",
	.once = true,
	.first_ms = 1700000000000,
	.last_ms = 1700000100000,
	.boots = 3,
};
static const struct hook_boot boots[] = {
	{ .id = 1, .started_ms = 1700000100000, .phase = "done", .entry = "w11" },
};
static const struct hook_entry entries[] = {
	{ "w11", "Windows 11", "wim" },
	{ "debian", NULL, "linux" },
};
static const struct hook_facts facts = {
	.now_ms = 1700000200000,
	.deadline_ms = 3000,
	.arch = 7,
	.machine = &machine,
	.boots = boots,
	.nboots = 1,
	.entries = entries,
	.nentries = NITEMS(entries),
	.standing = "w11",
	.title = "Bootferry",
	.menu_timeout_ms = 10000,
	.root = "/content",
	.base = "https://boot.example:8050/",
};

/* A request of iPXE; what a row changes is put over it. */
static struct boot_request
ipxe_request(void)
{
	return (struct boot_request){
		.id = 5,
		.stage = STAGE_BOOT,
		.client = CLIENT_IPXE,
		.via = VIA_HTTPS,
		.arch = ARCH_UNKNOWN,
		.mac = { 6, { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } },
		.has_uuid = true,
		.uuid = { { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 } },
		.address = { 4, { 10, 1, 2, 3 } },
		.boot = 1,
		.has_ipxe_features = true,
		.ipxe_features = IPXE_FEATURE_HTTPS | IPXE_FEATURE_EFI,
		.ipxe_version = 1u << 16 | 21u << 8 | 1,
		.subnet = slice_str("lab"),
		.interface = slice_str("eth0"),
		.manufacturer = slice_str("QEMU"),
		.product = slice_str("Standard PC"),
		.platform = slice_str("efi"),
	};
}

/* The request as text, with sorted keys; new. */
static char *
request_text(const struct boot_request *r, const char *part)
{
	json_t *o = hook_request(HOOK_BOOT, r, &facts);
	const json_t *p = part != NULL ? json_object_get(o, part) : o;
	char *text = json_dumps(p, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	json_decref(o);
	return text;
}

static void
check_request(const struct boot_request *r, const char *part, const char *want)
{
	char *text = request_text(r, part);

	CHECK_STR(text != NULL ? text : "(nothing)", want);
	free(text);
}

static void
test_request(void)
{
	struct boot_request r = ipxe_request();

	test_case("a request of iPXE tells who asks");
	check_request(&r, "request",
	    "{\"address\":\"10.1.2.3\",\"arch\":{\"cpu\":\"x64\",\"name\":\"x64 UEFI\","
	    "\"number\":7},\"boot\":\"00000001\",\"client\":\"ipxe\",\"firmware\":\"uefi\","
	    "\"interface\":\"eth0\",\"ipxe_features\":[\"https\",\"efi\"],"
	    "\"ipxe_version\":\"1.21.1\",\"mac\":\"52:54:00:12:34:56\","
	    "\"manufacturer\":\"QEMU\",\"platform\":\"efi\",\"product\":\"Standard PC\","
	    "\"stage\":\"boot\",\"subnet\":\"lab\","
	    "\"uuid\":\"00010203-0405-0607-0809-0a0b0c0d0e0f\",\"via\":\"https\"}");

	test_case("what is known of the machine and of the site goes with it");
	check_request(&r, "machine",
	    "{\"boots\":3,\"entry\":\"w11\",\"first_seen\":\"2023-11-14T22:13:20Z\","
	    "\"group\":\"lab\",\"id\":\"m17\",\"last_seen\":\"2023-11-14T22:15:00Z\","
	    "\"name\":\"lab-07\",\"once\":true,\"state\":\"approved\"}");
	check_request(&r, "history",
	    "[{\"boot\":\"00000001\",\"entry\":\"w11\",\"phase\":\"done\","
	    "\"started\":\"2023-11-14T22:15:00Z\"}]");
	check_request(&r, "entries",
	    "[{\"name\":\"w11\",\"title\":\"Windows 11\",\"type\":\"wim\"},"
	    "{\"name\":\"debian\",\"type\":\"linux\"}]");
	check_request(&r, "config",
	    "{\"base\":\"https://boot.example:8050/\",\"default\":\"w11\","
	    "\"menu_timeout_ms\":10000,\"root\":\"/content\",\"title\":\"Bootferry\"}");
	check_request(&r, "type", "\"boot\"");
	check_request(&r, "version", "1");
	check_request(&r, "time", "\"2023-11-14T22:16:40Z\"");
	check_request(&r, "deadline_ms", "3000");
	check_request(&r, "replaced", "(nothing)");
}

static void
test_strangers(void)
{
	struct boot_request r = { .stage = STAGE_DISCOVER, .client = CLIENT_PXE, .arch = 0 };
	char *text;

	test_case("bytes that are no UTF-8 are replaced, and the request says where");
	r.serial = (struct slice){ (const uint8_t *)"A\xff\xc3\xa4\xed\xa0\x80\0Z", 9 };
	text = request_text(&r, "request");
	CHECK(strstr(text, "\"serial\":\"A\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd"
			   "\xef\xbf\xbd\xef\xbf\xbdZ\"") != NULL);
	free(text);
	check_request(&r, "replaced", "[\"request.serial\"]");

	test_case("a sequence cut by the end of the value is replaced");
	r.serial = (struct slice){ (const uint8_t *)"\xf0\x9f\x98", 3 };
	check_request(&r, "replaced", "[\"request.serial\"]");
	r.serial = (struct slice){ (const uint8_t *)"\xf0\x9f\x98\x80", 4 };
	check_request(&r, "replaced", "(nothing)");

	test_case("option 82: both ids, the text only where it prints");
	r = (struct boot_request){ .arch = ARCH_UNKNOWN };
	r.relay_info = (struct slice){ (const uint8_t *)"\1\5Gi1/2\2\3\1\2\3", 12 };
	text = request_text(&r, "request");
	CHECK(strstr(text, "\"circuit_id\":{\"hex\":\"4769312f32\",\"text\":\"Gi1/2\"}") != NULL);
	CHECK(strstr(text, "\"remote_id\":{\"hex\":\"010203\"}") != NULL);
	free(text);

	test_case("option 82 that ends within a value gives what came before");
	r.relay_info = (struct slice){ (const uint8_t *)"\1\1A\2\377x", 6 };
	text = request_text(&r, "request");
	CHECK(strstr(text, "\"circuit_id\":{\"hex\":\"41\"") != NULL);
	CHECK(strstr(text, "remote_id") == NULL);
	free(text);
}

static void
test_params(void)
{
	struct boot_request r = { .arch = ARCH_UNKNOWN };
	size_t n = 1024 * 1024;
	char *big = malloc(n + 1), *text;
	json_t *o;

	test_case("the form is decoded, the first of equal names counts");
	r.params = slice_str("authmethod=pin&authvalue=4%32&x=a+b&x=c&e=");
	text = request_text(&r, "request");
	CHECK(strstr(text, "\"params\":{\"authmethod\":\"pin\",\"authvalue\":\"42\",\"e\":\"\","
			   "\"x\":\"a b\"}") != NULL);
	free(text);

	test_case("what a parameter holds stays data");
	r.params = slice_str("x=%24%7bboot%7d%22%0a%27&y=%ff");
	text = request_text(&r, "request");
	CHECK(strstr(text, "\"x\":\"${boot}\\\"\\n'\"") != NULL);
	free(text);
	check_request(&r, "replaced", "[\"request.params.y\"]");

	test_case("a form of 1 MB is cut, and the request says so");
	memset(big, 'a', n);
	memcpy(big, "k=v&big=", 8);
	big[n] = '\0';
	r.params = (struct slice){ (uint8_t *)big, n };
	o = hook_request(HOOK_BOOT, &r, &facts);
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	CHECK(strstr(text, "\"params\":{\"k\":\"v\"},\"params_cut\":true") != NULL);
	free(text);
	json_decref(o);

	test_case("a value of 30 KiB is cut to 4 KiB");
	r.params.n = 30000;
	o = hook_request(HOOK_BOOT, &r, &facts);
	CHECK_INT(json_string_length(json_object_get(
		      json_object_get(json_object_get(o, "request"), "params"), "big")),
	    HOOK_PARAM_MAX);
	json_decref(o);
	free(big);
}

static void
test_answers(void)
{
	/* which action is an answer to which question */
	static const struct {
		const char *answer;
		bool good[HOOKS];
	} rows[] = {
		{ "{\"action\":\"allow\"}", { true, false, true } },
		{ "{\"action\":\"deny\",\"text\":\"no\"}", { true, false, true } },
		{ "{\"action\":\"hold\"}", { true, false, true } },
		{ "{\"action\":\"none\"}", { true, true, true } },
		{ "{\"entries\":[\"a\"]}", { false, true, false } },
		{ "{\"action\":\"menu\",\"entries\":[\"a\"]}", { false, true, true } },
		{ "{\"action\":\"entry\",\"entry\":\"a\"}", { false, false, true } },
		{ "{\"action\":\"local\"}", { false, false, true } },
		{ "{\"action\":\"override\"}", { false, false, true } },
	};

	for (size_t i = 0; i < NITEMS(rows); i++) {
		test_case("which hooks may answer %s", rows[i].answer);
		for (enum hook h = 0; h < HOOKS; h++) {
			json_t *o = json_loads(rows[i].answer, 0, NULL);
			struct verdict v;
			char error[256];
			int rc = hook_answer_parse(h, o, NULL, NULL, &v, error, sizeof(error));

			CHECK_INT(rc, rows[i].good[h] ? 0 : -EINVAL);
			if (rc == 0)
				verdict_fini(&v);
			json_decref(o);
		}
	}
}

static void
check_self_test(const char *answer, const char *want)
{
	json_t *o = json_loads(answer, 0, NULL);
	char error[256] = "";

	(void)hook_self_test_check(o, error, sizeof(error));
	CHECK_STR(error, want);
	json_decref(o);
}

int
main(void)
{
	enum hook h = HOOKS;

	test_request();
	test_strangers();
	test_params();
	test_answers();

	test_case("the answer to a self-test");
	check_self_test("{\"ok\":true}", "");
	check_self_test("{\"ok\":false,\"error\":\"no database\"}", "it says: no database");
	check_self_test("{\"action\":\"allow\"}", "it did not answer {\"ok\": true}");
	check_self_test("[]", "it did not answer {\"ok\": true}");

	test_case("hooks by name");
	CHECK_INT(hook_parse_name("images", &h), 0);
	CHECK_INT(h, HOOK_IMAGES);
	CHECK_INT(hook_parse_name("image", &h), -EINVAL);
	return test_end();
}
