/* Tests of common/form.c. */
#include "common/form.h"

#include "tests/test.h"

#include <stdio.h>
#include <string.h>

static uint8_t scratch[8192];

static void
parse(const char *text, struct form *form)
{
	struct wbuf w;

	form->n = 0;
	wbuf_init(&w, scratch, sizeof(scratch));
	form_parse(slice_str(text), &w, form);
}

int
main(void)
{
	static struct form form;
	struct boot_request r = { 0 };
	char text[2048] = "", uuid[UUID_STRLEN], mac[MAC_STRLEN];

	test_case("form: what iPXE posts");
	parse("mac=52%3A54%3A00%3A12%3A34%3A56&uuid=00112233-4455-6677-8899-aabbccddeeff&"
	      "product=Test+PC&serial=S%201&asset=&platform=efi&buildarch=x86_64&version=2.0.0&"
	      "boot=0000001a",
	    &form);
	form_to_request(&form, &r);
	CHECK_STR(mac_format(&r.mac, mac), "52:54:00:12:34:56");
	CHECK(r.has_uuid);
	CHECK_STR(uuid_format(&r.uuid, uuid), "00112233-4455-6677-8899-aabbccddeeff");
	CHECK(slice_is(r.product, "Test PC") && slice_is(r.serial, "S 1"));
	CHECK(r.asset.n == 0 && slice_is(r.platform, "efi") && slice_is(r.buildarch, "x86_64"));
	CHECK_INT(r.boot, 42);

	test_case("form: what iPXE without `param` sends, and 2PXE's names");
	parse("MAC=52-54-00-12-34-56&guid=00112233445566778899aabbccddeeff&make=Dell&model=R6&"
	      "architecture=x64",
	    &form);
	r = (struct boot_request){ 0 };
	form_to_request(&form, &r);
	CHECK_INT(r.mac.len, 6);
	CHECK(r.has_uuid && slice_is(r.manufacturer, "Dell") && slice_is(r.product, "R6") &&
	      slice_is(r.buildarch, "x64"));

	test_case("form: nonsense in known fields is left out");
	parse("mac=hello&uuid=zz&boot=!&serial=ok", &form);
	r = (struct boot_request){ 0 };
	form_to_request(&form, &r);
	CHECK(r.mac.len == 0 && !r.has_uuid && r.boot == 0 && slice_is(r.serial, "ok"));

	test_case("form: a UUID of zeros is none");
	parse("uuid=00000000-0000-0000-0000-000000000000", &form);
	form_to_request(&form, &r);
	CHECK(!r.has_uuid);

	test_case("form: pairs without a value, empty ones, and ones that cannot be decoded");
	parse("&&a&b=&=c&d=%zz&e=1&e=2&", &form);
	CHECK_INT(form.n, 5);
	CHECK_INT(form_get(&form, "a").n, 0);
	CHECK(slice_is(form_get(&form, "E"), "1"));
	CHECK(slice_is(form_get(&form, ""), "c"));
	CHECK_INT(form_get(&form, "d").n, 0);

	test_case("form: more fields than are taken");
	for (int i = 0; i < 100; i++)
		snprintf(text + strlen(text), 16, "f%d=1&", i);
	parse(text, &form);
	CHECK_INT(form.n, FORM_FIELDS);

	test_case("form: a token, and one that is too long, which is cut");
	parse("mac=020000000001&token=AQAC-_x", &form);
	r = (struct boot_request){ 0 };
	form_to_request(&form, &r);
	CHECK(slice_is(r.token, "AQAC-_x"));
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "token=", 6);
	parse(text, &form);
	form_to_request(&form, &r);
	CHECK_INT(r.token.n, BOOT_TOKEN_MAX);

	test_case("form: line feeds and iPXE's own syntax are mere text");
	parse("serial=a%0Ashell&product=${net0/mac}", &form);
	r = (struct boot_request){ 0 };
	form_to_request(&form, &r);
	CHECK(slice_is(r.serial, "a\nshell") && slice_is(r.product, "${net0/mac}"));

	test_case("form: secrets are taken out, whatever their spelling, wherever it is cut");
	CHECK_BYTES(
	    form_without_secrets(
		slice_str("mac=1&token=a&TokenID=b&%74oken=c&authvalue=1234&tokens=2&token&=&"
			  "+token=d&?token=e&x;token%3df;g&mytoken=h&%=%2&%25=%zz"),
		text, sizeof(text)),
	    slice_str("mac=1&token=...&TokenID=...&%74oken=...&authvalue=...&tokens=2&token&=&"
		      "+token=...&?token=...&x;token%3d...&mytoken=h&%=%2&%25=%zz"));
	CHECK_INT(form_without_secrets(slice_str(NULL), text, sizeof(text)).n, 0);
	for (size_t n = 0; n < 40; n++) {
		struct slice s = form_without_secrets(slice_str("mac=1&token=ZZZ&x=2"), text, n);

		CHECK(s.n <= n && (s.n == 0 || memchr(s.p, 'Z', s.n) == NULL));
	}
	return test_end();
}
