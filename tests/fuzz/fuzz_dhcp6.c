/*
 * The way of one DHCPv6 packet: parsed, sorted, asked over the bus, decided, answered.  A reply
 * keeps to what clients take, whatever came.  The first byte picks port and site.
 */
#include "common/reply6.h"
#include "tests/fuzz/fuzz.h"
#include "tests/stock.h"

#include <string.h>

static void
over_the_bus(const struct boot_request *r, struct boot_request *ret)
{
	static uint8_t bytes[65536];
	struct msg_writer w;
	struct msg_reader m;
	struct slice s;

	msg_begin(&w, bytes, sizeof(bytes), MSG_REQUESTS, 1);
	MUST(msg_put_request(&w, r) == 0);
	s = msg_end(&w);
	MUST(msg_open(&m, s.p, s.n) == 0 && msg_get_request(&m, ret) == 0);
}

/* Makes requests of the wrappings of an answer, so that they can be read back. */
static void
turn_round(uint8_t *bytes, size_t n)
{
	for (size_t at = 0; at < n && bytes[at] == DHCP6_RELAY_REPL;) {
		struct rbuf r;
		uint16_t code = 0;

		bytes[at] = DHCP6_RELAY_FORW;
		rbuf_init(&r, bytes + at, n - at);
		(void)rbuf_slice(&r, DHCP6_RELAY_HEADER_BYTES);
		while (!r.bad && code != DHCP6_OPT_RELAY_MSG) {
			struct slice value;

			code = rbuf_u16(&r);
			value = rbuf_slice(&r, rbuf_u16(&r));
			if (code == DHCP6_OPT_RELAY_MSG)
				at = (size_t)(value.p - bytes);
		}
		MUST(!r.bad);
	}
}

static void
check_reply(
    const struct dhcp6_packet *p, const struct dhcp6_ask *ask, const struct boot_answer *answer)
{
	uint8_t bytes[DHCP6_REPLY_MAX];
	struct dhcp6_packet back;
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	if (reply6_build(ask, answer, &w) < 0)
		return;
	MUST(!w.bad);
	turn_round(bytes, w.used);
	MUST(dhcp6_parse(wbuf_view(&w), &back) == 0);
	MUST(back.type == ask->reply && back.xid == p->xid && back.nrelays == p->nrelays);
	MUST(slice_eq(back.client_id, p->client_id));
	MUST(back.server_id.n == REPLY6_DUID_BYTES && back.ia_na.p == NULL);
	MUST(back.vendor_enterprise == DHCP6_ENTERPRISE_PXE);
	for (size_t i = 0; i < p->nrelays; i++) {
		MUST(memcmp(back.relays[i].peer, p->relays[i].peer, 16) == 0);
		MUST(back.relays[i].has_interface_id == p->relays[i].has_interface_id);
		MUST(slice_eq(back.relays[i].interface_id, p->relays[i].interface_id));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t scratch[DECIDE_SCRATCH];
	char path[CONTENT_PATH_MAX];
	struct boot_request request, heard;
	struct boot_answer answer;
	struct dhcp6_packet p;
	struct dhcp6_ask ask;
	struct dhcp6_place place = {
		.server = { 6, { 0xfd, 0x77, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10 } },
		.from = { 6, { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x50, 0x54, 0, 0xff, 0xfe, 0, 0, 4 } },
	};
	struct decision decision;
	struct facts facts;
	struct ipaddr lease;
	enum ask_kind kind;
	struct wbuf w;

	if (size < 1 || dhcp6_parse((struct slice){ data + 1, size - 1 }, &p) < 0)
		return 0;
	place.boot_port = (data[0] & 1) != 0;
	place.boot_server_too = (data[0] & 8) != 0;
	kind = ask6_from_packet(&p, &place, &ask, &lease);
	if (kind == ASK_LEASE)
		MUST(lease.family == 6);
	if (kind != ASK_DISCOVER && kind != ASK_BOOTSERVER)
		return 0;
	ask6_to_request(&ask, &p, "stock", "eth0", &request);
	request.id = 1;
	over_the_bus(&request, &heard);
	stock_facts(&heard, (data[0] & 2) != 0, (data[0] & 4) != 0 ? 8060 : 0, path, &facts);
	wbuf_init(&w, scratch, sizeof(scratch));
	decide(&heard, stock_policy(), &facts, &w, &decision);
	answer = decision.answer;
	MUST(answer.rule.n > 0 && answer.reason != REASON_UNSPECIFIED && answer.trust.n == 0);
	if (answer.action == ACTION_OFFER)
		check_reply(&p, &ask, &answer);
	return 0;
}
