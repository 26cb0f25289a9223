/* A TFTP packet, and for a request its name and its options. */
#include "common/path.h"
#include "tests/fuzz/fuzz.h"
#include "tftpd/opt.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tftp_limits limits = { 1468, 64, 123456789 };
	uint8_t bytes[TFTP_OACK_MAX];
	char path[CONTENT_PATH_MAX];
	struct tftp_packet p;
	struct tftp_opts opts;
	struct wbuf w;
	unsigned seen;

	if (tftp_parse((struct slice){ data, size }, &p) < 0)
		return 0;
	if (p.op == TFTP_ACK)
		MUST(size >= 4 && (size > 4 || p.window == 0));
	if (p.op == TFTP_ERROR)
		MUST(p.text.n <= size - 4);
	if (p.op != TFTP_RRQ && p.op != TFTP_WRQ)
		return 0;
	(void)path_normalise(p.file, path);
	seen = tftp_opts_settle(&p, &limits, &opts);
	MUST(opts.blksize >= 8 && opts.blksize <= limits.blksize);
	MUST(opts.windowsize >= 1 && opts.windowsize <= limits.windowsize);
	MUST(opts.timeout_s <= 255);
	MUST(opts.rollover <= 1);
	MUST(((seen & TFTP_SEEN_MSFTWINDOW) != 0) == (opts.msftwindow == 27182));
	wbuf_init(&w, bytes, sizeof(bytes));
	tftp_put_oack(&w, &p, &opts, seen);
	MUST(!w.bad);
	wbuf_init(&w, bytes, sizeof(bytes));
	tftp_put_error(&w, TFTP_ERROR_NOT_FOUND, "File not found");
	MUST(!w.bad);
	return 0;
}
