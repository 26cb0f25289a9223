/* Tests of tftpd/opt.c: negotiation, and the OACK byte for byte. */
#include "tftpd/opt.h"

#include "tests/test.h"

#include <string.h>

int
main(void)
{
	static const struct tftp_limits limits = { 1468, 16, 850528 };
	static const struct {
		const char *what, *options; /* '|' stands for a NUL */
		uint64_t blksize, windowsize, timeout_s;
		const char *oack; /* likewise; "" for none */
	} cases[] = {
		{ "edk2's, as it asks", "tsize|0|blksize|1468|windowsize|4|", 1468, 4, 0,
		    "tsize|850528|blksize|1468|windowsize|4|" },
		{ "the order and the spelling of the client", "WindowSize|4|BLKSIZE|1024|", 1024, 4,
		    0, "WindowSize|4|BLKSIZE|1024|" },
		{ "values above our limits are lowered", "blksize|65464|windowsize|64|", 1468, 16,
		    0, "blksize|1468|windowsize|16|" },
		{ "only what was asked", "tsize|0|", 512, 1, 0, "tsize|850528|" },
		{ "U-Boot's timeout comes back as it was", "timeout|5|blksize|1468|", 1468, 1, 5,
		    "timeout|5|blksize|1468|" },
		{ "unknown options are left out", "multicast||blksize|512|utimeout|9|blksize2|512|",
		    512, 1, 0, "blksize|512|" },
		{ "unknown options alone: no OACK", "blksize2|512|utimeout|500|", 512, 1, 0, "" },
		{ "rollover comes back as it was", "rollover|1|", 512, 1, 0, "rollover|1|" },
		{ "also if it is what all do", "rollover|0|", 512, 1, 0, "rollover|0|" },
		{ "a rollover to anything else is left out", "rollover|2|tsize|0|", 512, 1, 0,
		    "tsize|850528|" },
		{ "the boot manager's, as it asks",
		    "tsize|0|blksize|1456|windowsize|4|msftwindow|31416|", 1456, 4, 0,
		    "tsize|850528|blksize|1456|windowsize|4|msftwindow|27182|" },
		{ "who asks for longer windows than we give does not get to set them itself",
		    "tsize|0|msftwindow|31416|windowsize|64|", 512, 16, 0,
		    "tsize|850528|windowsize|16|" },
		{ "a msftwindow of another value is left out", "msftwindow|1|tsize|0|", 512, 1, 0,
		    "tsize|850528|" },
		{ "signs, blanks and hexadecimal are no numbers",
		    "blksize|+600|windowsize| 4|timeout|0x5|tsize|0|", 512, 1, 0, "tsize|850528|" },
		{ "a value that begins as a number is none", "blksize|1024k|tsize|0|", 512, 1, 0,
		    "tsize|850528|" },
		{ "a repeated option whose first value is no good: the second counts",
		    "blksize|x|blksize|700|", 700, 1, 0, "blksize|700|" },
		{ "a blksize that is too small is left out", "blksize|7|tsize|0|", 512, 1, 0,
		    "tsize|850528|" },
		{ "a blksize that is no number is left out", "blksize|big|tsize|0|", 512, 1, 0,
		    "tsize|850528|" },
		{ "a negative one too", "blksize|-1|", 512, 1, 0, "" },
		{ "a windowsize of 0 is left out", "windowsize|0|blksize|600|", 600, 1, 0,
		    "blksize|600|" },
		{ "a timeout of 256 is left out", "timeout|256|blksize|600|", 600, 1, 0,
		    "blksize|600|" },
		{ "of two the first counts", "blksize|600|blksize|700|", 600, 1, 0,
		    "blksize|600|" },
		{ "a value too long for 64 bits is left out",
		    "blksize|99999999999999999999|tsize|0|", 512, 1, 0, "tsize|850528|" },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		uint8_t request[512], oack[TFTP_OACK_MAX], want[TFTP_OACK_MAX];
		const char *text = cases[i].options;
		struct tftp_packet p;
		struct tftp_opts o;
		struct wbuf w;
		unsigned seen;
		size_t n;

		test_case("options: %s", cases[i].what);
		wbuf_init(&w, request, sizeof(request));
		wbuf_u16(&w, TFTP_RRQ);
		wbuf_bytes(&w, "x\0octet", 8);
		for (n = 0; text[n] != '\0'; n++)
			wbuf_u8(&w, text[n] == '|' ? 0 : (uint8_t)text[n]);
		CHECK_INT(tftp_parse(wbuf_view(&w), &p), 0);
		seen = tftp_opts_settle(&p, &limits, &o);
		CHECK_INT(o.blksize, cases[i].blksize);
		CHECK_INT(o.windowsize, cases[i].windowsize);
		CHECK_INT(o.timeout_s, cases[i].timeout_s);
		CHECK_INT(seen != 0, cases[i].oack[0] != '\0');
		if (seen == 0)
			continue;
		wbuf_init(&w, oack, sizeof(oack));
		tftp_put_oack(&w, &p, &o, seen);
		CHECK(!w.bad);
		want[0] = 0;
		want[1] = TFTP_OACK;
		for (n = 0; cases[i].oack[n] != '\0'; n++)
			want[2 + n] = cases[i].oack[n] == '|' ? 0 : (uint8_t)cases[i].oack[n];
		CHECK_BYTES(wbuf_view(&w), ((struct slice){ want, n + 2 }));
	}
	return test_end();
}
