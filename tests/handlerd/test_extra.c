/* Tests of handlerd/extra.c: a row an option, and its bytes or what is wrong with it. */
#include "handlerd/extra.h"

#include "tests/test.h"

#include <string.h>

#define TEN   "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

int
main(void)
{
	static const struct {
		const char *text, *bytes, *why;
	} cases[] = {
		{ "252:cstring:\\Boot\\BCD", "fc0a 5c426f6f745c42434400", NULL },
		{ "209:text:pxelinux.cfg/lab", "d110 7078656c696e75782e6366672f6c6162", NULL },
		{ "250:hex:0c01010dff", "fa05 0c01010dff", NULL },
		{ "150:ip:10.0.0.1,10.0.0.2", "9608 0a0000010a000002", NULL },
		{ "211:u32:600", "d304 00000258", NULL },
		{ "128:u8:255", "8001 ff", NULL },
		{ "254:u16:256", "fe02 0100", NULL },
		{ "210:text:a:b", "d203 613a62", NULL },
		{ "252:cstring:", "fc01 00", NULL },
		{ "252:text:", NULL, "has no value" },
		{ "252:hex:", NULL, "value" },
		{ "252:hex:0", NULL, "not of its type" },
		{ "252:u8:256", NULL, "not of its type" },
		{ "252:u8:-1", NULL, "not of its type" },
		{ "252:ip:10.0.0.1,", NULL, "not of its type" },
		{ "252:ip:2001:db8::1", NULL, "not of its type" },
		{ "252:word:x", NULL, "a type that is none" },
		{ "67:text:x", NULL, "a code" },
		{ "127:text:x", NULL, "a code" },
		{ "175:hex:010101", NULL, "a code" },
		{ "255:text:x", NULL, "a code" },
		{ "99999999999999999999:text:x", NULL, "CODE:TYPE:VALUE" },
		{ "252", NULL, "CODE:TYPE:VALUE" },
		{ "252:text", NULL, "CODE:TYPE:VALUE" },
		{ "x:text:y", NULL, "CODE:TYPE:VALUE" },
		{ "", NULL, "CODE:TYPE:VALUE" },
		{ "252:text:" FIFTY FIFTY FIFTY FIFTY FIFTY "012345", NULL, "255 octets" },
		{ "252:text:" FIFTY FIFTY FIFTY FIFTY FIFTY "01234", NULL, "does not fit" },
	};
	uint8_t room[EXTRA_BYTES], want[EXTRA_BYTES];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		const char *why = NULL;
		struct wbuf w;
		int rc;

		test_case("option \"%.40s\"", cases[i].text);
		wbuf_init(&w, room, sizeof(room));
		rc = extra_put(&w, cases[i].text, &why);
		CHECK_INT(rc == 0, cases[i].bytes != NULL);
		if (cases[i].bytes != NULL)
			CHECK_BYTES(
			    wbuf_view(&w), ((struct slice){ want,
					       test_unhex(cases[i].bytes, want, sizeof(want)) }));
		else
			CHECK(w.used == 0 && why != NULL && strstr(why, cases[i].why) != NULL);
	}
	return test_end();
}
