/*
 * Tests of ferryctl/dhcp_options_*.c: the plan, and what each renderer writes, compared with
 * tests/data/dhcp-options/FACTS.SERVER.ok (UPDATE=1 writes those files: read them before they are
 * committed).  The suite hands these texts to the servers' own checkers.
 */
#include "ferryctl/dhcp_options.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t room[DHCP_TEXT_ROOM];

static json_t *
load(const char *name)
{
	char path[64];
	uint8_t *text;
	json_t *o;
	size_t n;

	(void)snprintf(path, sizeof(path), "dhcp-options/%s.json", name);
	text = test_data(path, &n);
	o = json_loadb((const char *)text, n, 0, NULL);
	free(text);
	if (o == NULL)
		abort();
	return o;
}

/* --- whole texts ----------------------------------------------------------------------------- */

static void
update(const char *name, struct slice text)
{
	char path[96];
	FILE *f;

	(void)snprintf(path, sizeof(path), "tests/data/%s", name);
	f = fopen(path, "w");
	CHECK(f != NULL && fwrite(text.p, 1, text.n, f) == text.n && fclose(f) == 0);
}

static void
compare(const char *name, const struct dhcp_server *server, bool v6, const struct dhcp_facts *f)
{
	const struct dhcp_wish wish = { .v6 = v6 };
	dhcp_render_fn *fn = v6 ? server->v6 : server->v4;
	struct dhcp_plan plan;
	const char *why;
	char path[64];
	struct wbuf w;
	uint8_t *want;
	size_t n;

	test_case("%s%s for %s", name, v6 ? " by IPv6" : "", server->title);
	CHECK_INT(dhcp_plan_make(f, &wish, &plan, &why), 0);
	wbuf_init(&w, room, sizeof(room));
	fn(&w, &plan);
	CHECK(!w.bad);
	(void)snprintf(
	    path, sizeof(path), "dhcp-options/%s.%s%s.ok", name, server->name, v6 ? "6" : "");
	if (getenv("UPDATE") != NULL)
		update(path, wbuf_view(&w));
	want = test_data(path, &n);
	CHECK_BYTES(wbuf_view(&w), ((struct slice){ want, n }));
	free(want);
	for (size_t size = 0; size < w.used; size += 97) {
		struct wbuf small;
		uint8_t *tight = malloc(size + 1);

		wbuf_init(&small, tight, size);
		fn(&small, &plan);
		CHECK(small.bad && small.used <= size);
		free(tight);
	}
}

static void
test_texts(void)
{
	static const char *const names[] = { "full", "secure", "odd" };

	for (size_t i = 0; i < NITEMS(names); i++) {
		json_t *o = load(names[i]);
		struct dhcp_facts f;
		const char *why;

		CHECK_INT(dhcp_facts_read(o, &f, &why), 0);
		for (size_t k = 0; k < dhcp_nservers; k++) {
			compare(names[i], &dhcp_servers[k], false, &f);
			if (dhcp_servers[k].v6 != NULL && f.v6.family != 0)
				compare(names[i], &dhcp_servers[k], true, &f);
		}
		json_decref(o);
	}
}

/* --- facts that are none --------------------------------------------------------------------- */

static const struct {
	const char *what, *change, *why;
} bad_facts[] = {
	{ "no URL of the script", "{\"script_url\": null}", "script_url" },
	{ "a URL with a line break, which would be a line of the configuration",
	    "{\"script_url\": \"https://a\\n/\"}", "script_url" },
	{ "an address that is none", "{\"address\": \"10.0.0.256\"}", "address" },
	{ "an IPv6 address in the place of another", "{\"address\": \"2001:db8::1\"}", "address" },
	{ "an IPv4 address likewise", "{\"address6\": \"10.0.0.1\"}", "address6" },
	{ "a subnet's name with an escape", "{\"subnet\": \"a\\u001b[1m\"}", "subnet" },
	{ "a plain URL that is a number", "{\"script_url_http\": 5}", "script_url_http" },
	{ "a fingerprint that is too short", "{\"trust\": [\"00ff\"]}", "trust" },
	{ "a fingerprint that is no hexadecimal number", "{\"trust\": [\"x\"]}", "trust" },
	{ "more fingerprints than fit option 175",
	    "{\"trust\": [\"H\", \"H\", \"H\", \"H\", \"H\", \"H\", \"H\", \"H\"]}", "trust" },
	{ "a loader without path", "{\"loaders\": [{\"cpu\": \"x64\"}]}", "loaders" },
	{ "a loader with an empty path", "{\"loaders\": [{\"cpu\": \"x64\", \"path\": \"\"}]}",
	    "loaders" },
	{ "a loader of no CPU", "{\"loaders\": [{\"cpu\": \"z80\", \"path\": \"a\"}]}", "loaders" },
	{ "an architecture that is too large",
	    "{\"loaders\": [{\"cpu\": \"x64\", \"path\": \"a\", \"archs\": [65536]}]}", "loaders" },
	{ "more architectures than there are",
	    "{\"loaders\": [{\"cpu\": \"x64\", \"path\": \"a\", \"archs\": [1,2,3,4,5]}]}",
	    "loaders" },
	{ "a path that is an object", "{\"loaders\": [{\"cpu\": \"x64\", \"path\": {}}]}",
	    "loaders" },
};

static void
test_facts(void)
{
	static const char digits[] =
	    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

	for (size_t i = 0; i < NITEMS(bad_facts); i++) {
		json_t *o = load("full"), *change = json_loads(bad_facts[i].change, 0, NULL), *v;
		struct dhcp_facts f = { .ntrust = 99 };
		const char *why = "";
		size_t k;

		json_array_foreach(json_object_get(change, "trust"), k, v)
		{
			if (strcmp(json_string_value(v), "H") == 0)
				json_string_set(v, digits);
		}
		json_object_update(o, change);
		test_case("facts: %s", bad_facts[i].what);
		CHECK_INT(dhcp_facts_read(o, &f, &why), -EINVAL);
		CHECK_STR(why, bad_facts[i].why);
		CHECK_INT(f.ntrust, 99); /* untouched */
		json_decref(change);
		json_decref(o);
	}
}

/* --- the plan -------------------------------------------------------------------------------- */

static void
test_plan(void)
{
	json_t *o = load("full");
	struct dhcp_facts f;
	struct dhcp_plan p;
	struct dhcp_wish wish = { .plain_http = true };
	const char *why = "";

	CHECK_INT(dhcp_facts_read(o, &f, &why), 0);
	test_case("every iPXE over plain HTTP, if that is wished");
	CHECK_INT(dhcp_plan_make(&f, &wish, &p, &why), 0);
	CHECK(!p.split && p.cases[0].who == DHCP_IPXE && p.cases[1].who == DHCP_HTTP_BOOT);
	CHECK_STR(p.cases[0].file, "http://boot.example:8060/2PXE/boot");

	test_case("without a fingerprint nobody trusts us, and plain HTTP is for all");
	wish = (struct dhcp_wish){ 0 };
	f.ntrust = 0;
	CHECK_INT(dhcp_plan_make(&f, &wish, &p, &why), 0);
	CHECK(!p.split && p.etherboot_n == 0);
	CHECK_STR(p.cases[0].file, "http://boot.example:8060/2PXE/boot");

	test_case("seven fingerprints fill option 175");
	f.ntrust = DHCP_TRUST_MAX;
	CHECK_INT(dhcp_plan_make(&f, &wish, &p, &why), 0);
	CHECK_INT(p.etherboot_n, 2 + 7 * 32);
	CHECK_INT(p.etherboot[1], 7 * 32);

	test_case("the one loader of a server that knows but one: x64's, or that of --arch");
	CHECK_STR(p.first->path, "boot/x64/snponly.efi");
	wish.cpu = ARCH_CPU_ARM64;
	CHECK_INT(dhcp_plan_make(&f, &wish, &p, &why), 0);
	CHECK_STR(p.first->path, "boot/arm64/snponly.efi");
	wish.cpu = ARCH_CPU_RISCV64;
	CHECK_INT(dhcp_plan_make(&f, &wish, &p, &why), -EINVAL);
	CHECK_STR(why, "there is no loader for that CPU");

	test_case("plain HTTP that is off cannot be wished");
	wish = (struct dhcp_wish){ .plain_http = true };
	f.script_plain = NULL;
	CHECK_INT(dhcp_plan_make(&f, &wish, &p, &why), -EINVAL);

	test_case("a site without an address of that family has nothing to tell");
	wish = (struct dhcp_wish){ .v6 = true };
	f.v6.family = 0;
	CHECK_INT(dhcp_plan_make(&f, &wish, &p, &why), -EINVAL);
	wish.v6 = false;
	f.v4.family = 0;
	CHECK_INT(dhcp_plan_make(&f, &wish, &p, &why), -EINVAL);
	json_decref(o);
}

int
main(void)
{
	test_texts();
	test_facts();
	test_plan();
	return test_end();
}
