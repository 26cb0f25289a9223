/* Tests of tftpd/outcome.c: the words for each end. */
#include "tftpd/outcome.h"

#include "tests/test.h"

#include <string.h>

int
main(void)
{
	static const struct {
		const char *what;
		uint64_t size, acked;
		uint32_t blksize, windowsize;
		bool oack, oack_out;
		uint32_t retransmits;
		enum transfer_result result;
		uint16_t error;
		const char *error_text;
		uint16_t first_port, last_port;
		uint32_t next_blksize;
		const char *text;
	} cases[] = {
		{ "all went well", 10000, 20, 512, 1, true, false, 0, TRANSFER_DONE, 0, "", 0, 0, 0,
		    "" },
		{ "all went well, but", 100000, 196, 512, 1, true, false, 50, TRANSFER_DONE, 0, "",
		    0, 0, 0,
		    "done, but 50 blocks were sent again for the 196 of the file: packets are lost "
		    "on "
		    "the way" },
		{ "a loader that starts at once", 10000, 19, 512, 1, true, false, 5,
		    TRANSFER_DONE_SILENT, 0, "", 0, 0, 0,
		    "done, the last block was never confirmed: many loaders start at once" },
		{ "a size probe", 10000, 0, 1468, 4, true, true, 0, TRANSFER_PROBED, 8,
		    "User aborted the transfer", 0, 0, 0, "the client only asked for the size" },
		{ "nobody answers", 10000, 0, 1468, 4, true, true, 5, TRANSFER_TIMED_OUT, 0, "",
		    64001, 65000, 0,
		    "the first packet was never answered: a firewall drops UDP from ports "
		    "64001-65000, or the client gave up" },
		{ "nobody answers, one port", 10000, 0, 1468, 4, true, true, 5, TRANSFER_TIMED_OUT,
		    0, "", 69, 69, 0,
		    "the first packet was never answered: a firewall drops UDP from port 69, or "
		    "the "
		    "client gave up" },
		{ "nobody answers, without options", 10000, 0, 512, 1, false, false, 5,
		    TRANSFER_TIMED_OUT, 0, "", 0, 0, 0,
		    "the first packet was never answered: a firewall drops UDP from all ports but "
		    "that of requests, or the client gave up" },
		{ "large packets are lost", 100000, 0, 1468, 4, true, false, 30, TRANSFER_TIMED_OUT,
		    0, "", 64001, 65000, 1348,
		    "the client confirmed the options but never the first block of 1468 bytes: "
		    "large "
		    "packets are lost on the way, its next request is offered 1348" },
		{ "large packets are lost, and it asks anew", 100000, 0, 1468, 4, true, false, 30,
		    TRANSFER_REPLACED, 0, "", 64001, 65000, 0,
		    "the client confirmed the options but never the first block of 1468 bytes: "
		    "large "
		    "packets are lost on the way" },
		{ "a small file is not lost by its size", 100, 0, 1468, 4, true, false, 30,
		    TRANSFER_TIMED_OUT, 0, "", 64001, 65000, 0,
		    "the client confirmed the options but never the first block: it gave up, or "
		    "the "
		    "network broke" },
		{ "it stops after block 1", 10000, 1, 512, 1, false, false, 5, TRANSFER_TIMED_OUT,
		    0, "", 0, 0, 0,
		    "the client stopped asking after block 1: firewall or size probe" },
		{ "it stops in the middle", 10000, 12, 512, 1, false, false, 5, TRANSFER_TIMED_OUT,
		    0, "", 0, 0, 0,
		    "the client stopped asking after block 12 of 20: it was switched off, or the "
		    "network broke" },
		{ "it cannot count beyond 16 bits", 100000000, 65535, 1024, 1, true, false, 5,
		    TRANSFER_TIMED_OUT, 0, "", 0, 0, 0,
		    "the client stopped asking at block 65535 of 97657: many loaders cannot count "
		    "further, larger blocks or a smaller file help" },
		{ "nor beyond 15", 40000000, 32764, 1024, 4, true, false, 5, TRANSFER_ABORTED, 0,
		    "", 0, 0, 0,
		    "the client ended it at block 32767 of 39063, many loaders cannot count "
		    "further: "
		    "error 0" },
		{ "its memory is full", 10000, 12, 512, 1, false, false, 0, TRANSFER_ABORTED, 3,
		    "Disk full", 0, 0, 0,
		    "the client's memory is full, the file has 10000 bytes: error 3, \"Disk "
		    "full\"" },
		{ "its memory is full, in other words", 10000, 0, 512, 1, true, true, 0,
		    TRANSFER_ABORTED, 0, "File TOO LARGE", 0, 0, 0,
		    "the client's memory is full, the file has 10000 bytes: error 0, \"File TOO "
		    "LARGE\"" },
		{ "it refuses the options", 10000, 0, 512, 1, true, true, 0, TRANSFER_ABORTED, 8,
		    "bad\n\"option\"\x80", 0, 0, 0,
		    "the client refused the options: error 8, \"bad..option..\"" },
		{ "it ends it after a block", 10000, 1, 512, 1, true, false, 0, TRANSFER_ABORTED, 0,
		    "", 0, 0, 0,
		    "the client ended it after block 1 of 20, maybe a size probe: error 0" },
		{ "it ends it later", 10000, 7, 512, 1, true, false, 0, TRANSFER_ABORTED, 0,
		    "TFTP Aborted", 0, 0, 0,
		    "the client ended it at block 7 of 20: error 0, \"TFTP Aborted\"" },
		{ "it asks anew", 10000, 7, 512, 1, true, false, 0, TRANSFER_REPLACED, 0, "", 0, 0,
		    0, "the client asked anew after block 7 of 20" },
	};
	char buf[OUTCOME_TEXT_SIZE], lengthy[600];
	struct outcome o;
	struct transfer t;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct tftp_opts opts = { .blksize = cases[i].blksize,
			.windowsize = cases[i].windowsize };

		test_case("words: %s", cases[i].what);
		transfer_init(&t, cases[i].size, &opts, cases[i].oack, 0);
		t.acked = cases[i].acked;
		t.oack_out = cases[i].oack_out;
		t.highest = cases[i].oack_out ? 0 : cases[i].acked + cases[i].windowsize;
		t.retransmits = cases[i].retransmits;
		o = (struct outcome){ .t = &t,
			.result = cases[i].result,
			.size = cases[i].size,
			.error = cases[i].error,
			.error_text = slice_str(cases[i].error_text),
			.first_port = cases[i].first_port,
			.last_port = cases[i].last_port,
			.next_blksize = cases[i].next_blksize };
		CHECK_STR(outcome_text(&o, buf), cases[i].text);
	}

	test_case("the client's words are cut");
	memset(lengthy, 'x', sizeof(lengthy));
	o.result = TRANSFER_ABORTED;
	o.error_text = (struct slice){ (const uint8_t *)lengthy, sizeof(lengthy) };
	CHECK(strlen(outcome_text(&o, buf)) < 150);

	test_case("figures as large as they can be fit");
	t.blocks = t.acked = UINT64_MAX;
	o.size = UINT64_MAX;
	for (int r = TRANSFER_GOING_ON; r <= TRANSFER_REPLACED; r++) {
		o.result = (enum transfer_result)r;
		CHECK(strlen(outcome_text(&o, buf)) < OUTCOME_TEXT_SIZE - 1);
	}
	return test_end();
}
