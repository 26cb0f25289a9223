/* Records of handlerd's journal: what is read can be written again, and reads the same. */
#include "handlerd/record.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t first[65536], second[65536];
	struct record record;
	struct wbuf w, v;

	if (record_decode((struct slice){ data, size }, &record) < 0)
		return 0;
	MUST(record.kind >= RECORD_BOOT && record.kind < RECORD_KINDS);
	wbuf_init(&w, first, sizeof(first));
	record_encode(&w, &record);
	MUST(!w.bad && record_decode(wbuf_view(&w), &record) == 0);
	wbuf_init(&v, second, sizeof(second));
	record_encode(&v, &record);
	MUST(!v.bad && slice_eq(wbuf_view(&w), wbuf_view(&v)));
	return 0;
}
