/* Tests of handlerd/ws_pixiecore.c. */
#include "handlerd/ws_pixiecore.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char api[] = "https://api.example:4242/pixie";

/* An entry in one line: kernel|initrds|args|title. */
static void
describe(const json_t *entry, char *buf, size_t size)
{
	const json_t *initrds = json_object_get(entry, "initrds");
	size_t n =
	    (size_t)snprintf(buf, size, "%s|", json_string_value(json_object_get(entry, "kernel")));

	for (size_t i = 0; i < json_array_size(initrds); i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s", i > 0 ? " " : "",
		    json_string_value(json_array_get(initrds, i)));
	(void)snprintf(buf + n, size - n, "|%s|%s",
	    json_string_value(json_object_get(entry, "args")),
	    json_string_value(json_object_get(entry, "title")));
}

static const struct {
	const char *what, *json;
	const char *want; /* the entry, the script, or what is wrong */
	int rc;
} rows[] = {
	{ "a kernel alone", "{\"kernel\":\"http://k.example/vmlinuz\"}",
	    "http://k.example/vmlinuz|||", 0 },
	{ "kernel and initrds of the service itself start from its host, not its path",
	    "{\"kernel\":\"/kernel\",\"initrd\":[\"/initrd.0\",\"/initrd.1\"]}",
	    "https://api.example:4242/kernel|https://api.example:4242/initrd.0 "
	    "https://api.example:4242/initrd.1||",
	    0 },
	{ "a bare name starts from the service's path", "{\"kernel\":\"vmlinuz\"}",
	    "https://api.example:4242/pixie/vmlinuz|||", 0 },
	{ "a command line and a message",
	    "{\"kernel\":\"https://f/k\",\"initrd\":[\"https://f/i\"],"
	    "\"cmdline\":\"selinux=1 autologin\",\"message\":\"Hello\\nthere\"}",
	    "https://f/k|https://f/i|selinux=1 autologin|Hello there", 0 },
	{ "URLs within the command line",
	    "{\"kernel\":\"https://f/k\",\"cmdline\":\"a={{ URL \\\"https://f/cc\\\" }} "
	    "b={{URL `/x`}} c={{ ID \\\"y\\\" }}\"}",
	    "https://f/k||a=https://f/cc b=https://api.example:4242/x "
	    "c=https://api.example:4242/pixie/y|",
	    0 },
	{ "a command line as an object",
	    "{\"kernel\":\"https://f/k\",\"cmdline\":{\"a\":\"1\",\"quiet\":true,"
	    "\"cc\":{\"url\":\"/cc\"}}}",
	    "https://f/k||a=1 quiet cc=https://api.example:4242/cc|", 0 },
	{ "a message that is cut does not end within a character",
	    "{\"kernel\":\"https://f/k\",\"message\":\"ääääääääääääääääääääääääääääääääääääääääääää"
	    "ääääääääääääääääääääääää\"}",
	    "https://f/k|||äääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää", 0 },
	{ "a script", "{\"ipxe-script\":\"#!ipxe\\nexit\\n\"}", "#!ipxe\nexit\n", 0 },
	{ "a script wins over a kernel", "{\"ipxe-script\":\"#!ipxe\\n\",\"kernel\":\"/k\"}",
	    "#!ipxe\n", 0 },
	{ "keys that pixiecore does not know are passed over",
	    "{\"kernel\":\"https://f/k\",\"force-http\":true}", "https://f/k|||", 0 },

	{ "no object", "[]", "the answer must be an object", -EINVAL },
	{ "neither kernel nor script", "{}", "kernel: it must be a string", -EINVAL },
	{ "an empty kernel", "{\"kernel\":\"\"}", "kernel: an empty URL", -EINVAL },
	{ "a file of the service's host", "{\"kernel\":\"file:///boot/vmlinuz\"}",
	    "kernel: only http and https URLs can be served", -EINVAL },
	{ "a URL with a line feed", "{\"kernel\":\"https://f/k\\nshell\"}",
	    "kernel: a URL with blanks or control characters", -EINVAL },
	{ "initrds that are no list", "{\"kernel\":\"/k\",\"initrd\":\"/i\"}",
	    "initrd: it must be a list of at most 64 strings", -EINVAL },
	{ "an initrd that is no string", "{\"kernel\":\"/k\",\"initrd\":[1]}",
	    "initrd: it must be a string", -EINVAL },
	{ "a template of another kind", "{\"kernel\":\"/k\",\"cmdline\":\"{{ .Host }}\"}",
	    "cmdline: only {{ URL \"...\" }} is understood in it", -EINVAL },
	{ "a template that does not end", "{\"kernel\":\"/k\",\"cmdline\":\"{{ URL \\\"/x\\\"\"}",
	    "cmdline: only {{ URL \"...\" }} is understood in it", -EINVAL },
	{ "a string that does not end", "{\"kernel\":\"/k\",\"cmdline\":\"{{ URL \\\"/x }}\"}",
	    "cmdline: a string that does not end, or with escapes", -EINVAL },
	{ "a command line with a line feed", "{\"kernel\":\"/k\",\"cmdline\":\"a\\nshell\"}",
	    "cmdline: it holds a control character", -EINVAL },
	{ "a number in a command line", "{\"kernel\":\"/k\",\"cmdline\":{\"a\":1}}",
	    "cmdline.a: it is neither a string, true nor a URL", -EINVAL },
	{ "a list as command line", "{\"kernel\":\"/k\",\"cmdline\":[]}",
	    "cmdline: it must be a string", -EINVAL },
	{ "a script that is none", "{\"ipxe-script\":\"http://x/y.ipxe\"}",
	    "script: its first line must be \"#!ipxe\"", -EINVAL },
};

static void
test_path(void)
{
	json_t *body = json_pack("{s:{s:s}}", "request", "mac", "52:54:00:AB:cd:01");
	char path[64];

	test_case("the path holds the MAC in pixiecore's form");
	CHECK_INT(ws_pixiecore_path(body, path, sizeof(path)), 0);
	CHECK_STR(path, "/v1/boot/52:54:00:ab:cd:01");
	json_decref(body);
	test_case("without a MAC there is nothing to ask");
	body = json_pack("{s:{}}", "request");
	CHECK_INT(ws_pixiecore_path(body, path, sizeof(path)), -EINVAL);
	json_decref(body);
}

static void
test_not_found(void)
{
	struct ws_answer a;

	test_case("a machine that the service does not know leaves network boot");
	CHECK_INT(ws_pixiecore_not_found(WS_NOT_FOUND_LOCAL, &a), 0);
	CHECK_INT(a.verdict.kind, VERDICT_LOCAL);
	ws_answer_fini(&a);
	test_case("or is decided by us, if the site wants that");
	CHECK_INT(ws_pixiecore_not_found(WS_NOT_FOUND_NONE, &a), 0);
	CHECK_INT(a.verdict.kind, VERDICT_NONE);
	ws_answer_fini(&a);
}

int
main(void)
{
	for (size_t i = 0; i < NITEMS(rows); i++) {
		json_error_t e;
		json_t *json = json_loads(rows[i].json, 0, &e);
		struct ws_answer a;
		char text[1024] = "";

		test_case("an answer: %s", rows[i].what);
		CHECK_INT(
		    ws_pixiecore_answer(json, api, NULL, NULL, &a, text, sizeof(text)), rows[i].rc);
		json_decref(json);
		if (rows[i].rc == 0 && a.verdict.kind == VERDICT_ENTRY)
			describe(a.verdict.items[0].object, text, sizeof(text));
		else if (rows[i].rc == 0)
			snprintf(text, sizeof(text), "%s", a.verdict.text);
		CHECK_STR(text, rows[i].want);
		if (rows[i].rc == 0)
			ws_answer_fini(&a);
	}
	test_path();
	test_not_found();
	return test_end();
}
