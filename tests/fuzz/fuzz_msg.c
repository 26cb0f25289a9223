/* The bus: what can be read can be written again, and reads the same. */
#include "common/msg.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

union any {
	struct boot_request request;
	struct boot_answer answer;
	struct boot_event event;
	struct msg_ack ack;
	struct daemon_status status;
};

static int
get(struct msg_reader *m, union any *ret)
{
	switch (m->header.kind) {
	case MSG_REQUESTS: return msg_get_request(m, &ret->request);
	case MSG_ANSWERS: return msg_get_answer(m, &ret->answer);
	case MSG_EVENTS: return msg_get_event(m, &ret->event);
	case MSG_ACK: return msg_get_ack(m, &ret->ack);
	case MSG_STATUS: return msg_get_status(m, &ret->status);
	default: return -1;
	}
}

static int
put(struct msg_writer *m, enum msg_kind kind, const union any *v)
{
	switch (kind) {
	case MSG_REQUESTS: return msg_put_request(m, &v->request);
	case MSG_ANSWERS: return msg_put_answer(m, &v->answer);
	case MSG_EVENTS: return msg_put_event(m, &v->event);
	case MSG_ACK: return msg_put_ack(m, &v->ack);
	case MSG_STATUS: return msg_put_status(m, &v->status);
	default: return -1;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t first[1 << 20], second[1 << 20];
	struct msg_reader in, again;
	struct msg_writer out;
	struct slice a, b;
	union any v;

	if (size > sizeof(first) / 4 || msg_open(&in, data, size) < 0)
		return 0;
	while (get(&in, &v) == 0) {
		msg_begin(&out, first, sizeof(first), in.header.kind, in.header.origin);
		MUST(put(&out, in.header.kind, &v) == 0);
		a = msg_end(&out);
		MUST(msg_open(&again, a.p, a.n) == 0);
		MUST(again.header.origin == in.header.origin && get(&again, &v) == 0);
		msg_begin(&out, second, sizeof(second), in.header.kind, in.header.origin);
		MUST(put(&out, in.header.kind, &v) == 0);
		b = msg_end(&out);
		MUST(slice_eq(a, b));
	}
	return 0;
}
