/* Tests of common/wire.c. */
#include "common/wire.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

static void
test_cursors(void)
{
	uint8_t buf[32];
	struct wbuf w;
	struct rbuf r;

	test_case("what a wbuf writes, an rbuf reads back");
	wbuf_init(&w, buf, sizeof(buf));
	wbuf_u8(&w, 0xab);
	wbuf_u16(&w, 0x1234);
	wbuf_u32(&w, 0xdeadbeef);
	wbuf_u64(&w, 0x0102030405060708);
	wbuf_str(&w, "ok");
	wbuf_fill(&w, 7, 2);
	CHECK(!w.bad);
	CHECK_INT(w.used, 19);
	rbuf_init(&r, buf, w.used);
	CHECK_INT(rbuf_u8(&r), 0xab);
	CHECK_INT(rbuf_u16(&r), 0x1234);
	CHECK_INT(rbuf_u32(&r), 0xdeadbeef);
	CHECK(rbuf_u64(&r) == 0x0102030405060708);
	CHECK(slice_is(rbuf_slice(&r, 2), "ok"));
	CHECK_INT(rbuf_u16(&r), 0x0707);
	CHECK(!r.bad && r.left == 0);

	test_case("an rbuf that runs out gives zeros and remembers it");
	rbuf_init(&r, buf, 3);
	CHECK_INT(rbuf_u32(&r), 0);
	CHECK(r.bad);
	CHECK_INT(rbuf_u8(&r), 0);
	memset(buf + 8, 0xff, 4);
	rbuf_bytes(&r, buf + 8, 4);
	CHECK_INT(buf[8] | buf[11], 0);
	CHECK_INT(rbuf_slice(&r, 1).n, 0);

	test_case("a wbuf that is full keeps what fits whole and remembers it");
	wbuf_init(&w, buf, 5);
	wbuf_u32(&w, 1);
	wbuf_u16(&w, 2);
	CHECK(w.bad);
	CHECK_INT(w.used, 4);
	wbuf_u8(&w, 3);
	CHECK_INT(w.used, 4);

	test_case("formatted text needs one byte more than it keeps");
	wbuf_init(&w, buf, 4);
	wbuf_printf(&w, "%d", 123);
	CHECK(!w.bad && w.used == 3);
	wbuf_printf(&w, "%d", 4);
	CHECK(w.bad && w.used == 3);

	test_case("numbers written earlier can be changed");
	wbuf_init(&w, buf, sizeof(buf));
	wbuf_u16(&w, 0);
	wbuf_u32(&w, 0);
	wbuf_patch_u16(&w, 0, 0x0a0b);
	wbuf_patch_u32(&w, 2, 0x01020304);
	CHECK_BYTES(wbuf_view(&w), ((struct slice){ (const uint8_t *)"\x0a\x0b\1\2\3\4", 6 }));
}

static void
test_numbers(void)
{
	static const struct {
		const char *what, *text;
		int rc;
		uint64_t value;
	} cases[] = {
		{ "a number", "1468", 0, 1468 },
		{ "zero", "0", 0, 0 },
		{ "leading zeros", "007", 0, 7 },
		{ "the largest", "18446744073709551615", 0, UINT64_MAX },
		{ "one more than the largest", "18446744073709551616", -ERANGE, 0 },
		{ "nothing", "", -EINVAL, 0 },
		{ "a sign", "-1", -EINVAL, 0 },
		{ "a plus sign", "+1", -EINVAL, 0 },
		{ "a blank in front", " 1", -EINVAL, 0 },
		{ "something behind", "1x", -EINVAL, 0 },
		{ "a number of 21 digits, all zero", "000000000000000000000", -EINVAL, 0 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		uint64_t v = 0;

		test_case("number: %s", cases[i].what);
		CHECK_INT(parse_u64(cases[i].text, &v), cases[i].rc);
		CHECK(v == cases[i].value);
	}
}

int
main(void)
{
	char text[4];

	test_cursors();
	test_numbers();

	test_case("slices compare by content");
	CHECK(slice_is(slice_str("abc"), "abc"));
	CHECK(!slice_is(slice_str("abc"), "ab"));
	CHECK(slice_begins(slice_str("abc"), "ab"));
	CHECK(!slice_begins(slice_str("a"), "ab"));
	CHECK(slice_eq(slice_str(NULL), slice_str("")));

	test_case("a slice is copied as far as it fits, and to its first NUL");
	CHECK_INT(slice_copy(text, sizeof(text), slice_str("abcdef")), 3);
	CHECK_STR(text, "abc");
	CHECK_INT(slice_copy(text, sizeof(text), (struct slice){ (const uint8_t *)"a\0b", 3 }), 1);
	CHECK_STR(text, "a");
	return test_end();
}
