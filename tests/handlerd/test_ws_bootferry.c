/* Tests of handlerd/ws_bootferry.c and handlerd/ws.c. */
#include "handlerd/ws_bootferry.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *
parse(const char *text)
{
	json_error_t e;
	json_t *v = json_loads(text, 0, &e);

	if (v == NULL)
		test_fail(__FILE__, __LINE__, "%s: %s", text, e.text);
	return v;
}

/* The carried pairs in one line. */
static const char *
carried(const struct ws_answer *a)
{
	static char text[512];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < a->ncarry; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s=%s", i > 0 ? " " : "",
		    a->carry[i].name, a->carry[i].value);
	return text;
}

static void
test_decisions(void)
{
	static const struct {
		const char *what, *json;
		enum verdict_kind kind;
		const char *carry;
	} rows[] = {
		{ "a script", "{\"action\":\"script\",\"script\":\"#!ipxe\\necho hi\\n\"}",
		    VERDICT_SCRIPT, "" },
		{ "an entry", "{\"action\":\"entry\",\"entry\":\"debian\",\"cache_s\":5}",
		    VERDICT_ENTRY, "" },
		{ "approval", "{\"action\":\"allow\",\"reason\":\"known\"}", VERDICT_ALLOW, "" },
		{ "denial", "{\"action\":\"deny\",\"text\":\"ask the help desk\"}", VERDICT_DENY,
		    "" },
		{ "override, as an action", "{\"action\":\"override\"}", VERDICT_OVERRIDE, "" },
		{ "override, in 2PXE's word", "{\"wsoverride\":true}", VERDICT_OVERRIDE, "" },
		{ "wsoverride that is false beside an action",
		    "{\"wsoverride\":false,\"action\":\"local\"}", VERDICT_LOCAL, "" },
		{ "no opinion", "{\"action\":\"none\"}", VERDICT_NONE, "" },
		{ "what the client is to carry",
		    "{\"action\":\"hold\",\"tokenid\":\"t0\",\"requestid\":\"4711\",\"statusid\":"
		    "\"s\","
		    "\"wsurl\":\"https://ws.example:8051/\",\"offerid\":\"X0020001\","
		    "\"mandatory\":true,\"nomenu\":false,\"paramdata\":{\"peerdist\":\"0\"}}",
		    VERDICT_HOLD,
		    "tokenid=t0 requestid=4711 statusid=s wsurl=https://ws.example:8051/ "
		    "offerid=X0020001 mandatory=true peerdist=0" },
	};

	for (size_t i = 0; i < NITEMS(rows); i++) {
		json_t *json = parse(rows[i].json);
		struct ws_answer a;
		char error[256] = "";

		test_case("an answer: %s", rows[i].what);
		CHECK_INT(ws_bootferry_answer(
			      WS_BOOT_REQUEST, json, NULL, NULL, &a, error, sizeof(error)),
		    0);
		CHECK_STR(error, "");
		CHECK_STR(verdict_kind_name(a.verdict.kind), verdict_kind_name(rows[i].kind));
		CHECK_STR(carried(&a), rows[i].carry);
		CHECK(a.keep);
		ws_answer_fini(&a);
		json_decref(json);
	}
}

static void
test_content(void)
{
	static const struct {
		const char *what;
		enum ws_feature feature;
		const char *json, *name, *text, *url;
	} rows[] = {
		{ "commands for WinPE", WS_WINPE_START, "{\"text\":\"wpeutil x\\r\\nexit\\r\\n\"}",
		    "", "wpeutil x\r\nexit\r\n", "" },
		{ "nothing for WinPE", WS_WINPE_END, "{}", "", "", "" },
		{ "winpeshl.ini", WS_WINPESHL, "{\"text\":\"[LaunchApps]\\n\",\"cache_s\":60}", "",
		    "[LaunchApps]\n", "" },
		{ "a file by its text", WS_EXTRA_FILE, "{\"name\":\"a.ini\",\"text\":\"x\"}",
		    "a.ini", "x", "" },
		{ "a file by its URL", WS_EXTRA_FILE,
		    "{\"name\":\"a.ini\",\"url\":\"https://x.example/a\"}", "a.ini", "",
		    "https://x.example/a" },
		{ "configuration", WS_CONFIG, "{\"text\":\"[Machine]\\nId=1\\n\"}", "",
		    "[Machine]\nId=1\n", "" },
	};

	for (size_t i = 0; i < NITEMS(rows); i++) {
		json_t *json = parse(rows[i].json);
		struct ws_answer a;
		char error[256] = "";

		test_case("an answer: %s", rows[i].what);
		CHECK_INT(ws_bootferry_answer(
			      rows[i].feature, json, NULL, NULL, &a, error, sizeof(error)),
		    0);
		CHECK_STR(error, "");
		CHECK_STR(a.name, rows[i].name);
		CHECK_STR(a.text, rows[i].text);
		CHECK_STR(a.url, rows[i].url);
		ws_answer_fini(&a);
		json_decref(json);
	}
}

static void
test_errors(void)
{
	static const struct {
		const char *json, *error;
		enum ws_feature feature;
	} rows[] = {
		{ "[]", "the answer must be an object", WS_BOOT_REQUEST },
		{ "{}", "action: it is missing", WS_BOOT_REQUEST },
		{ "{\"action\":\"reboot\"}", "action: there is no \"reboot\"", WS_BOOT_REQUEST },
		{ "{\"action\":\"none\",\"colour\":\"red\"}", "colour: there is no such key",
		    WS_BOOT_REQUEST },
		{ "{\"action\":\"none\",\"tokenid\":\"${net0/mac}\"}",
		    "tokenid: a client cannot carry this value", WS_BOOT_REQUEST },
		{ "{\"action\":\"none\",\"tokenid\":\"a b\"}",
		    "tokenid: a client cannot carry this value", WS_BOOT_REQUEST },
		{ "{\"action\":\"none\",\"requestid\":\"x\\nshell\"}",
		    "requestid: a client cannot carry this value", WS_BOOT_REQUEST },
		{ "{\"action\":\"none\",\"requestid\":7}", "requestid: it must be a string",
		    WS_BOOT_REQUEST },
		{ "{\"action\":\"none\",\"mandatory\":\"yes\"}", "mandatory: it must be a boolean",
		    WS_BOOT_REQUEST },
		{ "{\"action\":\"none\",\"paramdata\":[]}", "paramdata: it must be an object",
		    WS_BOOT_REQUEST },
		{ "{\"action\":\"none\",\"paramdata\":{\"a b\":\"1\"}}",
		    "paramdata: \"a b\" is no name that a client can carry", WS_BOOT_REQUEST },
		{ "{\"action\":\"none\",\"paramdata\":{\"net0/ip\":\"1\"}}",
		    "paramdata: \"net0/ip\" is no name that a client can carry", WS_BOOT_REQUEST },
		{ "{\"action\":\"none\",\"authvalue\":\"1234\"}", "authvalue: there is no such key",
		    WS_BOOT_REQUEST },
		{ "{\"action\":\"none\",\"wsoverride\":1}", "wsoverride: it must be a boolean",
		    WS_BOOT_REQUEST },
		{ "{\"action\":\"none\",\"keep\":0}", "keep: it must be a boolean",
		    WS_BOOT_REQUEST },
		{ "{\"action\":\"none\",\"status\":\"a\\nb\"}",
		    "status: it holds a control character", WS_BOOT_REQUEST },
		{ "{\"text\":\"a\\u0001\"}", "text: it holds a control character", WS_WINPE_START },
		{ "{\"text\":7}", "text: it must be a string", WS_WINPE_START },
		{ "{\"name\":\"x\",\"text\":\"y\"}", "name: there is no such key", WS_WINPESHL },
		{ "{\"text\":\"y\"}", "name: a file has a name, and a text or url", WS_EXTRA_FILE },
		{ "{\"name\":\"x\"}", "name: a file has a name, and a text or url", WS_EXTRA_FILE },
		{ "{\"name\":\"x\",\"text\":\"y\",\"url\":\"https://z/\"}",
		    "text, url: only one of the two can be", WS_EXTRA_FILE },
		{ "{\"name\":\"..\\\\x\",\"text\":\"y\"}", "name: it is no name of a file",
		    WS_EXTRA_FILE },
		{ "{\"name\":\"x\",\"url\":\"file:///etc/passwd\"}",
		    "url: it must be an https or http URL", WS_EXTRA_FILE },
		{ "{\"entry\":\"debian\"}", "entry: the action \"none\" has no use for it",
		    WS_CONFIG },
	};

	for (size_t i = 0; i < NITEMS(rows); i++) {
		json_t *json = parse(rows[i].json), *before = json_deep_copy(json);
		struct ws_answer a;
		char error[256] = "";

		test_case("a bad answer: %s", rows[i].json);
		CHECK_INT(ws_bootferry_answer(
			      rows[i].feature, json, NULL, NULL, &a, error, sizeof(error)),
		    -EINVAL);
		CHECK_STR(error, rows[i].error);
		CHECK(json_equal(json, before));
		json_decref(before);
		json_decref(json);
	}
}

static void
test_bounds(void)
{
	json_t *many = parse("{\"action\":\"none\",\"paramdata\":{}}");
	struct ws_answer a;
	char name[16], error[256];

	test_case("more values than a client can carry are refused");
	for (int i = 0; i <= WS_CARRY_MAX; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		json_object_set_new(json_object_get(many, "paramdata"), name, json_string("x"));
	}
	CHECK_INT(ws_bootferry_answer(WS_BOOT_REQUEST, many, NULL, NULL, &a, error, sizeof(error)),
	    -EINVAL);
	CHECK_STR(error, "paramdata: more than 24 values");
	json_decref(many);

	test_case("an answer may forbid that it serves again");
	many = parse("{\"action\":\"none\",\"keep\":false,\"status\":\"first install\"}");
	CHECK_INT(
	    ws_bootferry_answer(WS_BOOT_REQUEST, many, NULL, NULL, &a, error, sizeof(error)), 0);
	CHECK(!a.keep);
	CHECK_STR(a.status, "first install");
	ws_answer_fini(&a);
	json_decref(many);
}

static void
test_bodies(void)
{
	json_t *body =
	    parse("{\"version\":1,\"type\":\"boot\",\"config\":{\"base\":\"https://b:8050/\"},"
		  "\"request\":{\"mac\":\"52:54:00:00:00:01\",\"params\":{"
		  "\"TokenId\":\"t\",\"requestid\":\"r\",\"statusid\":\"s\","
		  "\"wsurl\":\"https://w/\",\"authmethod\":\"pin\",\"authvalue\":\"4 2\","
		  "\"offerid\":\"o\",\"mandatory\":\"true\",\"nomenu\":\"0\","
		  "\"wsoverride\":\"1\",\"peerdist\":\"\"}}}");
	json_t *want = json_deep_copy(body);
	json_t *added = parse("{\"type\":\"boot_request\",\"tokenid\":\"t\",\"requestid\":\"r\","
			      "\"statusid\":\"s\",\"wsurl\":\"https://w/\",\"authmethod\":\"pin\","
			      "\"authvalue\":\"4 2\",\"offerid\":\"o\",\"mandatory\":true,"
			      "\"nomenu\":false,\"pxeurl\":\"https://b:8050/\"}");

	test_case("a body lifts what the client carries to the top");
	json_object_update(want, added);
	json_object_set(
	    want, "paramdata", json_object_get(json_object_get(body, "request"), "params"));
	CHECK_INT(ws_bootferry_body(body, WS_BOOT_REQUEST), 0);
	CHECK(json_equal(body, want));

	test_case("a client may ask for the local handler");
	CHECK(ws_bootferry_override(body));
	json_decref(added);
	json_decref(want);
	json_decref(body);
	body = parse("{\"request\":{}}");
	CHECK(!ws_bootferry_override(body));

	test_case("a body without parameters has none of it");
	CHECK_INT(ws_bootferry_body(body, WS_REPORT_BOOT), 0);
	CHECK_STR(json_string_value(json_object_get(body, "type")), "report_boot");
	CHECK_INT(json_object_size(body), 2);
	json_decref(body);
}

static void
test_names(void)
{
	test_case("each feature has its name, its path and 2PXE's name, all different");
	for (int a = 0; a < WS_FEATURES; a++) {
		CHECK(ws_features[a].name != NULL && ws_features[a].path[0] == '/');
		for (int b = 0; b < a; b++)
			CHECK(strcmp(ws_features[a].name, ws_features[b].name) != 0 &&
			      strcmp(ws_features[a].path, ws_features[b].path) != 0 &&
			      strcmp(ws_features[a].name_2pxe, ws_features[b].name_2pxe) != 0);
	}
}

int
main(void)
{
	test_decisions();
	test_content();
	test_errors();
	test_bounds();
	test_bodies();
	test_names();
	return test_end();
}
