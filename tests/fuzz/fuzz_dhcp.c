/*
 * The way of one DHCP packet: parsed, sorted, asked over the bus, decided, answered.  A reply keeps
 * to what clients take, whatever came.  The first byte picks port and site.
 */
#include "common/reply.h"
#include "tests/fuzz/fuzz.h"
#include "tests/stock.h"

#include <string.h>

static const uint8_t server[4] = { 10, 77, 1, 10 };

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

static void
check_reply(const struct dhcp_ask *ask, const struct boot_answer *answer)
{
	static const uint8_t none[4];
	uint8_t bytes[DHCP_REPLY_MAX];
	struct dhcp_packet p;
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	if (reply_build(ask, answer, &w) < 0)
		return;
	MUST(!w.bad && w.used >= DHCP_REPLY_MIN && w.used <= ask->max_size);
	MUST(dhcp_parse(wbuf_view(&w), &p) == 0);
	MUST(p.op == DHCP_BOOTREPLY && p.xid == ask->xid && p.hlen == ask->hlen);
	MUST(p.type == (ask->bootp ? 0 : ask->kind == ASK_DISCOVER ? DHCP_OFFER : DHCP_ACK));
	MUST(memcmp(p.yiaddr, none, 4) == 0 && memcmp(p.siaddr, none, 4) != 0);
	MUST(ask->client.client != CLIENT_RPI || memmem(p.file.p, p.file.n, "rpi", 3) != NULL);
	MUST(memcmp(p.giaddr, ask->giaddr, 4) == 0);
	MUST(memcmp(p.chaddr, ask->chaddr, sizeof(p.chaddr)) == 0);
	MUST(p.has[DHCP_OPT_SERVER_ID] && !p.has[DHCP_OPT_OVERLOAD]);
	MUST(memchr(bytes + DHCP_HEADER_BYTES, DHCP_OPT_END, w.used - DHCP_HEADER_BYTES) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t scratch[DECIDE_SCRATCH];
	char path[CONTENT_PATH_MAX];
	struct boot_request request, heard;
	struct boot_answer answer;
	struct dhcp_packet p;
	struct dhcp_ask ask;
	struct decision decision;
	struct facts facts;
	enum ask_kind kind;
	struct wbuf w;

	if (size < 1 || dhcp_parse((struct slice){ data + 1, size - 1 }, &p) < 0)
		return 0;
	kind = ask_from_packet(&p, (data[0] & 1) != 0, server, &ask);
	if (kind != ASK_DISCOVER && kind != ASK_BOOTSERVER)
		return 0;
	ask_to_request(&ask, &p, "stock", "eth0", &request);
	request.id = 1;
	over_the_bus(&request, &heard);
	stock_facts(&heard, (data[0] & 2) != 0, (data[0] & 4) != 0 ? 8060 : 0, path, &facts);
	wbuf_init(&w, scratch, sizeof(scratch));
	decide(&heard, stock_policy(), &facts, &w, &decision);
	answer = decision.answer;
	MUST(answer.rule.n > 0 && answer.reason != REASON_UNSPECIFIED);
	if (answer.action == ACTION_OFFER)
		check_reply(&ask, &answer);
	return 0;
}
