/* Tests of tftpd/tftp.c. */
#include "tftpd/tftp.h"

#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A packet written as text, in which '|' stands for a NUL. */
static struct slice
packet(const char *text, uint8_t op, uint8_t buf[static 512])
{
	size_t n = strlen(text);

	buf[0] = 0;
	buf[1] = op;
	for (size_t i = 0; i < n; i++)
		buf[2 + i] = text[i] == '|' ? 0 : (uint8_t)text[i];
	return (struct slice){ buf, n + 2 };
}

int
main(void)
{
	static const struct {
		const char *what, *text;
		int rc;
		const char *file;
		enum tftp_mode mode;
		size_t noptions;
	} cases[] = {
		{ "edk2's first request", "ipxe.efi|octet|tsize|0|blksize|1468|windowsize|4|", 0,
		    "ipxe.efi", TFTP_MODE_OCTET, 3 },
		{ "a request without options", "a|octet|", 0, "a", TFTP_MODE_OCTET, 0 },
		{ "the mode in any case", "a|NetASCII|", 0, "a", TFTP_MODE_NETASCII, 0 },
		{ "mail is no mode of ours", "a|mail|", 0, "a", TFTP_MODE_OTHER, 0 },
		{ "an empty name", "|octet|", 0, "", TFTP_MODE_OCTET, 0 },
		{ "padding behind the options", "a|octet|tsize|0||||", 0, "a", TFTP_MODE_OCTET, 1 },
		{ "an option without its value", "a|octet|tsize|", 0, "a", TFTP_MODE_OCTET, 0 },
		{ "an option value without its NUL", "a|octet|tsize|0", 0, "a", TFTP_MODE_OCTET,
		    0 },
		{ "no mode", "a|", -EBADMSG, NULL, 0, 0 },
		{ "a mode without its NUL", "a|octet", -EBADMSG, NULL, 0, 0 },
		{ "a name without its NUL", "abc", -EBADMSG, NULL, 0, 0 },
		{ "nothing but the opcode", "", -EBADMSG, NULL, 0, 0 },
		{ "more options than are taken",
		    "a|octet|1|1|2|2|3|3|4|4|5|5|6|6|7|7|8|8|9|9|a|a|b|b|c|c|d|d|e|e|f|f|g|g|h|h|",
		    0, "a", TFTP_MODE_OCTET, TFTP_OPTIONS_MAX },
	};
	uint8_t buf[512];
	struct tftp_packet p;
	struct slice s;
	struct wbuf w;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		int rc;

		test_case("request: %s", cases[i].what);
		rc = tftp_parse(packet(cases[i].text, TFTP_RRQ, buf), &p);
		CHECK_INT(rc, cases[i].rc);
		if (rc < 0)
			continue;
		CHECK_INT(p.op, TFTP_RRQ);
		CHECK_BYTES(p.file, slice_str(cases[i].file));
		CHECK_INT(p.mode, cases[i].mode);
		CHECK_INT(p.noptions, cases[i].noptions);
	}

	test_case("request: every truncation is refused or read without harm");
	s = packet(cases[0].text, TFTP_RRQ, buf);
	for (size_t n = 0; n < s.n; n++) {
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, s.p, n);
		(void)tftp_parse((struct slice){ copy, n }, &p);
		CHECK(p.noptions <= 3);
		free(copy);
	}

	test_case("an ACK, also with Microsoft's fifth octet");
	CHECK_INT(tftp_parse((struct slice){ (const uint8_t *)"\0\4\x12\x34", 4 }, &p), 0);
	CHECK_INT(p.block, 0x1234);
	CHECK_INT(p.window, 0);
	CHECK_INT(tftp_parse((struct slice){ (const uint8_t *)"\0\4\x12\x34\x08", 5 }, &p), 0);
	CHECK_INT(p.window, 8);
	CHECK_INT(tftp_parse((struct slice){ (const uint8_t *)"\0\4\x12", 3 }, &p), -EBADMSG);

	test_case("an ERROR, with and without the NUL of its text");
	CHECK_INT(tftp_parse((struct slice){ (const uint8_t *)"\0\5\0\10stop\0", 9 }, &p), 0);
	CHECK_INT(p.error, 8);
	CHECK(slice_is(p.text, "stop"));
	CHECK_INT(tftp_parse((struct slice){ (const uint8_t *)"\0\5\0\10stop", 8 }, &p), 0);
	CHECK(slice_is(p.text, "stop"));
	CHECK_INT(tftp_parse((struct slice){ (const uint8_t *)"\0\5\0", 3 }, &p), -EBADMSG);

	test_case("an opcode that does not exist");
	CHECK_INT(tftp_parse((struct slice){ (const uint8_t *)"\0\7\0\0", 4 }, &p), -EBADMSG);
	CHECK_INT(tftp_parse((struct slice){ (const uint8_t *)"\1\1\0\0", 4 }, &p), -EBADMSG);

	test_case("an ERROR that is written reads back, its text cut");
	wbuf_init(&w, buf, sizeof(buf));
	tftp_put_error(&w, TFTP_ERROR_NOT_FOUND, "File not found");
	CHECK_INT(tftp_parse(wbuf_view(&w), &p), 0);
	CHECK_INT(p.error, TFTP_ERROR_NOT_FOUND);
	CHECK(slice_is(p.text, "File not found"));
	{
		char lengthy[300];

		memset(lengthy, 'x', sizeof(lengthy));
		lengthy[299] = '\0';
		wbuf_init(&w, buf, sizeof(buf));
		tftp_put_error(&w, TFTP_ERROR_UNDEFINED, lengthy);
		CHECK(!w.bad);
		CHECK_INT(w.used, 4 + TFTP_ERROR_TEXT_MAX + 1);
	}
	return test_end();
}
