/*
 * A packet of another server: read, judged, put into a table, told, dumped and read back.  The
 * first byte says whom it is for and from which port it came.
 */
#include "common/rival.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const uint8_t from[4] = { 10, 77, 1, 1 };
static const struct ipaddr ours = { 4, { 10, 77, 1, 10 } };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rival_id id = { .interface = slice_str("eth0"), .subnet = slice_str("lab") };
	enum rival_client client;
	struct rivals t, again;
	struct rival_offer o;
	struct dhcp_packet p;
	struct rival *r;
	json_t *dump;
	bool is_new;

	if (size < 1 || dhcp_parse((struct slice){ data + 1, size - 1 }, &p) < 0)
		return 0;
	client = (enum rival_client)((data[0] & 0x7f) % RIVAL_CLIENTS);
	if (rival_read(&p, from, (data[0] & 0x80) != 0 ? 4011 : 67, &ours, 1, &id.address, &o) < 0)
		return 0;
	MUST(id.address.family == 4 && strlen(o.file) < sizeof(o.file));
	MUST((o.sends & (RIVAL_SENDS_ADDRESS | RIVAL_SENDS_BOOT)) != 0);
	MUST(rivals_init(&t, 2) == 0 && rivals_init(&again, 2) == 0);
	r = rivals_note(&t, &id, 1000, &is_new);
	MUST(is_new);
	rival_note_offer(r, client, &o, 1000);
	MUST(rival_tell(r, client, 1000) == RIVAL_FIRST);
	MUST(rival_worst(r) == rival_judge(client, &o));
	dump = rivals_dump(&t);
	MUST(json_array_size(dump) == 1);
	rivals_restore(&again, dump);
	MUST(again.n == 1 && again.v[0].to[client].sends == o.sends);
	json_decref(dump);
	rivals_fini(&t);
	rivals_fini(&again);
	return 0;
}
