/* Tests of common/path.c. */
#include "common/path.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

int
main(void)
{
	static const struct {
		const char *what, *in, *out;
		int rc;
	} cases[] = {
		{ "a plain name", "ipxe.efi", "ipxe.efi", 0 },
		{ "a path", "boot/x64/snponly.efi", "boot/x64/snponly.efi", 0 },
		{ "back-slashes, as Windows and 2PXE's clients send", "\\Boot\\x64\\snponly.efi",
		    "Boot/x64/snponly.efi", 0 },
		{ "mixed and doubled slashes", "/boot\\/x64//ipxe.efi", "boot/x64/ipxe.efi", 0 },
		{ "a dot component", "./boot/./ipxe.efi", "boot/ipxe.efi", 0 },
		{ "a slash at the end", "boot/", "boot", 0 },
		{ "0xff read behind the option's end", "ipxe.efi\xff", "ipxe.efi", 0 },
		{ "blanks and controls at the end", "ipxe.efi \r\n\x7f", "ipxe.efi", 0 },
		{ "a blank before the last slash", "boot/a / ", "boot/a", 0 },
		{ "a blank before a dot component", "boot/a /.", "boot/a", 0 },
		{ "UTF-8 inside", "images/M\xc3\xbcnchen/vmlinuz", "images/M\xc3\xbcnchen/vmlinuz",
		    0 },
		{ "UTF-8 at the end", "images/M\xc3\xbc", "images/M\xc3\xbc", 0 },
		{ "dots inside a name", "a..b/c.d.", "a..b/c.d.", 0 },
		{ "the parent", "../etc/passwd", NULL, -EACCES },
		{ "the parent, later", "boot/../../etc/passwd", NULL, -EACCES },
		{ "the parent, with back-slashes", "boot\\..\\..\\etc\\passwd", NULL, -EACCES },
		{ "a hidden file", "images/.new/kernel", NULL, -EACCES },
		{ "nothing", "", NULL, -EINVAL },
		{ "only slashes", "//\\/", NULL, -EINVAL },
		{ "a control character inside", "bo\x01ot", NULL, -EINVAL },
		{ "17 components", "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", NULL, -ENAMETOOLONG },
		{ "16 components", "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a",
		    "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", 0 },
	};
	char longest[CONTENT_PATH_MAX + 1], got[CONTENT_PATH_MAX];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		strcpy(got, "untouched");
		test_case("name: %s", cases[i].what);
		CHECK_INT(path_normalise(slice_str(cases[i].in), got), cases[i].rc);
		CHECK_STR(got, cases[i].out != NULL ? cases[i].out : "untouched");
	}

	test_case("name: one with a NUL inside");
	CHECK_INT(path_normalise((struct slice){ (const uint8_t *)"a\0b", 3 }, got), -EINVAL);
	CHECK_INT(path_normalise((struct slice){ (const uint8_t *)"a\0", 2 }, got), -EINVAL);

	test_case("name: the longest, and one byte more");
	memset(longest, 'a', sizeof(longest));
	longest[CONTENT_PATH_MAX - 2] = '\0';
	CHECK_INT(path_normalise(slice_str(longest), got), 0);
	CHECK_STR(got, longest);
	longest[CONTENT_PATH_MAX - 2] = 'a';
	longest[CONTENT_PATH_MAX - 1] = '\0';
	CHECK_INT(path_normalise(slice_str(longest), got), -ENAMETOOLONG);

	test_case("a path is below a folder in any case, but not by a mere prefix");
	CHECK(path_is_below("Boot/x", "boot"));
	CHECK(path_is_below("boot", "boot"));
	CHECK(!path_is_below("bootx/y", "boot"));
	CHECK(!path_is_below("x/boot", "boot"));
	CHECK_STR(path_base("a/b/c"), "c");
	CHECK_STR(path_base("c"), "c");
	return test_end();
}
