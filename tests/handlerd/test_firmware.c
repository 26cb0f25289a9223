/* Tests of handlerd/firmware.c. */
#include "handlerd/firmware.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

static const char http_list[] = "\1\2\3\x3a\x3b\x3c\xeb\x43\x61";

static struct firmware
sample(void)
{
	return (struct firmware){
		.arch = 7,
		.ndi = NDI_UUID(NDI_UUID_GIVEN) | 0x010310,
		.has_adapter = true,
		.adapter = { 0x00, 0x23, 0x24 },
		.class = slice_str("PXEClient:Arch:00007:UNDI:003016"),
		.param_list = slice_str("\1\2\3"),
	};
}

static void
test_keys(void)
{
	struct firmware f = sample(), g;
	struct boot_request r = {
		.arch = 7,
		.ndi = f.ndi,
		.mac = { 6, { 0x00, 0x23, 0x24, 1, 2, 3 } },
		.vendor_class = f.class,
		.param_list = f.param_list,
	};
	char text[FIRMWARE_KEY_STRLEN];

	test_case("a key is the same everywhere and always: files with machines hold it");
	CHECK_STR(firmware_key_format(firmware_key(&f), text), "c6827a55ccf5e285");

	test_case("machines of a model have one key, whatever else they are");
	firmware_of_request(&r, &g);
	CHECK(firmware_key(&g) == firmware_key(&f));
	r.mac.b[5] = 99;
	r.xid = 5;
	r.has_uuid = true;
	firmware_of_request(&r, &g);
	CHECK(firmware_key(&g) == firmware_key(&f));

	test_case("each part of the fingerprint makes another model");
	g = f;
	g.arch = 6;
	CHECK(firmware_key(&g) != firmware_key(&f));
	g = f;
	g.ndi ^= 1;
	CHECK(firmware_key(&g) != firmware_key(&f));
	g = f;
	g.ndi = NDI_VERSION(f.ndi);
	CHECK(firmware_key(&g) != firmware_key(&f));
	g = f;
	g.adapter[2]++;
	CHECK(firmware_key(&g) != firmware_key(&f));
	g = f;
	g.has_adapter = false;
	CHECK(firmware_key(&g) != firmware_key(&f));
	g = f;
	g.class.n--;
	CHECK(firmware_key(&g) != firmware_key(&f));
	g = f;
	g.param_list = slice_str("\1\2\4");
	CHECK(firmware_key(&g) != firmware_key(&f));

	test_case("the octet of edk2's HTTP Boot that means nothing makes none");
	f.class = slice_str("HTTPClient:Arch:00016:UNDI:003000");
	f.param_list = slice_str(http_list);
	g = f;
	g.param_list = slice_str("\1\2\3\x3a\x3b\x3c\xea\x43\x61");
	CHECK(firmware_key(&g) == firmware_key(&f));
	g.param_list = slice_str("\1\2\3\x3a\x3b\x3d\xea\x43\x61");
	CHECK(firmware_key(&g) != firmware_key(&f));
}

static void
test_words(void)
{
	struct firmware f = sample();
	char buf[FIRMWARE_WORDS_MAX];

	test_case("in words");
	CHECK_STR(firmware_words(&f, buf),
	    "x64 UEFI by PXE, UNDI 3.16, adapters 00:23:24, asks for 3 options");
	f = (struct firmware){ .arch = 16, .class = slice_str("HTTPClient") };
	CHECK_STR(firmware_words(&f, buf), "x64 UEFI HTTP Boot, tells no UUID, asks for 0 options");
}

static void
test_json(void)
{
	static const struct {
		const char *what, *key;
		const char *value; /* JSON */
	} bad[] = {
		{ "a class that is neither", "class", "\"MSFT 5.0\"" },
		{ "a class of digits that are none", "class", "\"0x5\"" },
		{ "an arch out of range", "arch", "65536" },
		{ "an arch that is a text", "arch", "\"7\"" },
		{ "half an ndi", "ndi", "\"1.3\"" },
		{ "an ndi with a tail", "ndi", "\"1.3.16.1\"" },
		{ "an ndi out of range", "ndi", "\"1.3.256\"" },
		{ "an unknown form of option 97", "uuid", "\"yes\"" },
		{ "options that are no digits", "options", "\"1\"" },
		{ "a whole MAC", "adapter", "\"00:23:24:01:02:03\"" },
		{ "half an adapter", "adapter", "\"00:23\"" },
	};
	struct firmware all[3] = { sample(), sample(), { .arch = 16 } }, got;
	struct firmware_room room;
	const char *key, *what;

	all[1].class = (struct slice){ (const uint8_t *)"PXEClient\xff\0x", 12 };
	all[1].ndi = NDI_UUID(NDI_UUID_ODD);
	all[2].class = slice_str("HTTPClient");
	for (size_t i = 0; i < NITEMS(all); i++) {
		json_t *o = firmware_dump(&all[i]);

		test_case("firmware %zu comes back as it went", i);
		CHECK_INT(firmware_parse(o, &room, &got, &key, &what), 0);
		CHECK(firmware_key(&got) == firmware_key(&all[i]));
		CHECK_BYTES(got.class, all[i].class);
		json_decref(o);
	}
	for (size_t i = 0; i < NITEMS(bad); i++) {
		json_t *o = firmware_dump(&all[0]);

		test_case("wrong: %s", bad[i].what);
		json_object_set_new(o, bad[i].key, json_loads(bad[i].value, JSON_DECODE_ANY, NULL));
		CHECK_INT(firmware_parse(o, &room, &got, &key, &what), -EINVAL);
		CHECK_STR(key, bad[i].key);
		json_object_del(o, bad[i].key);
		CHECK_INT(firmware_parse(o, &room, &got, &key, &what), -EINVAL);
		CHECK_STR(what, "is missing");
		json_decref(o);
	}
}

int
main(void)
{
	test_keys();
	test_words();
	test_json();
	return test_end();
}
