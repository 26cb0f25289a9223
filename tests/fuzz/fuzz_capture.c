/* Files of captured packets: each datagram that is given lies inside the file. */
#include "ferryctl/capture.h"
#include "tests/fuzz/fuzz.h"

struct seen {
	struct slice file;
	unsigned number;
};

static int
see(void *arg, const struct capture_packet *p)
{
	struct seen *s = arg;

	MUST(p->to_port == 67 || p->to_port == 4011);
	MUST(p->number > s->number);
	MUST(p->payload.n <= 65535);
	MUST(p->payload.n == 0 ||
	     (p->payload.p >= s->file.p && p->payload.p + p->payload.n <= s->file.p + s->file.n));
	s->number = p->number;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen s = { { data, size }, 0 };
	int rc = capture_parse(s.file, see, &s);

	MUST(rc <= 0);
	return 0;
}
