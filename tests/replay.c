/*
 * Replays a capture: takes the packets that boot clients sent to ports 67, 547, 4011 and 69, and
 * prints what Bootferry reads in each, what it decides and what it would send, for a site with
 * stock loaders (tests/stock.h).  Nothing is sent. usage: replay [-p] FILE.pcap -p: httpsbootd's
 * plain HTTP port is on
 */
#include "common/log.h"
#include "common/reply.h"
#include "common/reply6.h"
#include "tests/stock.h"
#include "tftpd/opt.h"

#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MACS 64

struct replay {
	uint16_t http_port;
	struct macaddr trusted[MACS]; /* firmware that had our fingerprint offered */
	size_t ntrusted;
	double first;
	unsigned n;
};

struct datagram {
	struct ipaddr source; /* only of IPv6 */
	uint16_t from, to;
	struct slice bytes;
};

/* Finds the UDP datagram of a frame (not fragmented, without options of IPv6): 0, or -1. */
static int
find_udp(int linktype, struct slice frame, struct datagram *ret)
{
	struct rbuf r;
	uint16_t type = 0x0800, fragment, length;
	uint8_t version;

	rbuf_init(&r, frame.p, frame.n);
	if (linktype == DLT_EN10MB || linktype == DLT_LINUX_SLL) {
		(void)rbuf_slice(&r, linktype == DLT_EN10MB ? 12 : 14);
		type = rbuf_u16(&r);
	} else if (linktype == DLT_LINUX_SLL2) {
		type = rbuf_u16(&r);
		(void)rbuf_slice(&r, 18);
	} else if (linktype != DLT_RAW) {
		return -1;
	}
	if (type == 0x8100) { /* tagged */
		(void)rbuf_u16(&r);
		type = rbuf_u16(&r);
	}
	version = rbuf_u8(&r);
	ret->source = (struct ipaddr){ 0 };
	if (version >> 4 == 6) {
		(void)rbuf_slice(&r, 5);
		if (rbuf_u8(&r) != IPPROTO_UDP)
			return -1;
		(void)rbuf_u8(&r); /* hop limit */
		ret->source.family = 6;
		rbuf_bytes(&r, ret->source.b, 16);
		(void)rbuf_slice(&r, 16);
	} else {
		if (version >> 4 != 4)
			return -1;
		(void)rbuf_slice(&r, 5);
		fragment = rbuf_u16(&r);
		(void)rbuf_u8(&r);
		if (rbuf_u8(&r) != IPPROTO_UDP || (fragment & 0x3fff) != 0)
			return -1;
		(void)rbuf_slice(&r, 10 + (size_t)(version & 15) * 4 - 20);
	}
	ret->from = rbuf_u16(&r);
	ret->to = rbuf_u16(&r);
	length = rbuf_u16(&r);
	(void)rbuf_u16(&r);
	if (r.bad || length < 8)
		return -1;
	ret->bytes = rbuf_slice(&r, r.left < length - 8u ? r.left : length - 8u);
	return 0;
}

static void
print_hex(const char *name, struct slice s)
{
	if (s.n == 0)
		return;
	printf(" %s=", name);
	for (size_t i = 0; i < s.n; i++)
		printf("%02x", s.p[i]);
}

static void
print_text(const char *name, struct slice s)
{
	char quoted[LOG_QUOTE_SIZE];

	if (s.n > 0)
		printf(" %s=%s", name, log_quote(s, quoted));
}

static void
must_equal(struct slice a, struct slice b)
{
	if (a.n != b.n || (a.n > 0 && memcmp(a.p, b.p, a.n) != 0)) {
		printf("the same request got two answers\n");
		exit(1);
	}
}

/* Once more, into memory with other contents: equal inputs give equal answers. */
static void
decide_again(const struct boot_request *r, const struct facts *facts, const struct boot_answer *a)
{
	static uint8_t scratch[DECIDE_SCRATCH];
	struct decision d;
	struct wbuf w;

	memset(scratch, 0xa5, sizeof(scratch));
	memset(&d, 0xa5, sizeof(d));
	wbuf_init(&w, scratch, sizeof(scratch));
	decide(r, stock_policy(), facts, &w, &d);
	must_equal(a->rule, d.answer.rule);
	must_equal(a->file, d.answer.file);
	must_equal(a->data, d.answer.data);
	must_equal(a->text, d.answer.text);
	must_equal(a->trust, d.answer.trust);
	must_equal(a->crosscert, d.answer.crosscert);
	if (a->action != d.answer.action || a->reason != d.answer.reason ||
	    a->style != d.answer.style || a->error != d.answer.error)
		must_equal(slice_str("one"), slice_str("two"));
}

static void
decide_stock(struct replay *re, const struct boot_request *r, bool trusted, struct boot_answer *ret)
{
	static uint8_t scratch[DECIDE_SCRATCH];
	static char path[CONTENT_PATH_MAX];
	struct decision d;
	struct facts facts;
	struct wbuf w;

	stock_facts(r, trusted, re->http_port, path, &facts);
	wbuf_init(&w, scratch, sizeof(scratch));
	decide(r, stock_policy(), &facts, &w, &d);
	*ret = d.answer;
	decide_again(r, &facts, ret);
	printf("  %s why=%s", boot_action_name(ret->action), boot_reason_name(ret->reason));
}

static bool *
trust_of(struct replay *re, const struct macaddr *mac)
{
	static bool yes = true, no;

	for (size_t i = 0; i < re->ntrusted; i++) {
		if (mac_eq(&re->trusted[i], mac))
			return &yes;
	}
	return &no;
}

static void
print_reply(const struct dhcp_ask *ask, const struct boot_answer *answer)
{
	uint8_t bytes[DHCP_REPLY_MAX];
	struct dhcp_packet p;
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	if (reply_build(ask, answer, &w) < 0 || dhcp_parse(wbuf_view(&w), &p) < 0) {
		printf(" it does not fit into what the client takes\n");
		return;
	}
	printf(" style=%s\n  %s of %zu bytes: siaddr=%u.%u.%u.%u", offer_style_name(answer->style),
	    p.type == DHCP_OFFER ? "OFFER" : "ACK", w.used, p.siaddr[0], p.siaddr[1], p.siaddr[2],
	    p.siaddr[3]);
	print_text("file", p.file);
	print_text("60", p.opt[DHCP_OPT_CLASS]);
	print_text("66", p.opt[DHCP_OPT_TFTP_SERVER]);
	print_text("67", p.opt[DHCP_OPT_BOOT_FILE]);
	print_hex("43", p.opt[DHCP_OPT_VENDOR]);
	print_hex("97", p.opt[DHCP_OPT_UUID]);
	print_hex("175", p.opt[DHCP_OPT_ETHERBOOT]);
	print_hex("82", p.opt[DHCP_OPT_RELAY_INFO]);
	printf("\n");
}

/* A packet that ends too early is refused, or read as far as it goes; nothing worse. */
static void
cut_short(const struct datagram *d, const uint8_t server[static 4])
{
	static const struct boot_answer answer = { .action = ACTION_OFFER,
		.file = { (const uint8_t *)"x", 1 } };
	uint8_t out[DHCP_REPLY_MAX];

	for (size_t n = 0; n < d->bytes.n; n++) {
		/* memory of just that length, so that a sanitizer sees who reads on */
		uint8_t *bytes = malloc(n + 1);
		struct dhcp_packet p;
		struct dhcp_ask ask;
		enum ask_kind kind;
		struct wbuf w;

		if (bytes == NULL)
			abort();
		memcpy(bytes + 1, d->bytes.p, n);
		kind = dhcp_parse((struct slice){ bytes + 1, n }, &p) < 0
		           ? ASK_NOTHING
		           : ask_from_packet(&p, d->to == 4011, server, &ask);
		if (n < DHCP_HEADER_BYTES && kind != ASK_NOTHING) {
			printf("%zu bytes were taken for a packet\n", n);
			exit(1);
		}
		wbuf_init(&w, out, sizeof(out));
		if ((kind == ASK_DISCOVER || kind == ASK_BOOTSERVER) &&
		    (reply_build(&ask, &answer, &w) < 0 || dhcp_parse(wbuf_view(&w), &p) < 0)) {
			printf("no good answer to the first %zu bytes\n", n);
			exit(1);
		}
		free(bytes);
	}
}

static void
replay_dhcp(struct replay *re, const struct datagram *d)
{
	uint8_t server[4];
	struct boot_request request;
	struct boot_answer answer;
	struct dhcp_packet p;
	struct dhcp_ask ask;
	enum ask_kind kind;
	char text[64];

	(void)inet_pton(AF_INET, STOCK_ADDRESS, server); /* a constant */
	if (dhcp_parse(d->bytes, &p) < 0) {
		printf("malformed\n");
		return;
	}
	cut_short(d, server);
	kind = ask_from_packet(&p, d->to == 4011, server, &ask);
	if (kind != ASK_DISCOVER && kind != ASK_BOOTSERVER) {
		printf("type %u xid=%08x, %s\n", p.type, p.xid,
		    kind == ASK_LEASE ? "to a DHCP server: only noted" : "not for us");
		return;
	}
	ask_to_request(&ask, &p, "stock", "eth0", &request);
	printf("%s %s xid=%08x mac=%s arch=%u", boot_stage_name(request.stage),
	    boot_client_name(request.client), p.xid, mac_format(&request.mac, text), request.arch);
	if (request.relay.family != 0)
		printf(" relay=%s", ip_format(&request.relay, text));
	print_text("vendor", request.vendor_class);
	printf("\n");
	decide_stock(re, &request, *trust_of(re, &request.mac), &answer);
	if (answer.action != ACTION_OFFER) {
		print_text("text", answer.text);
		printf("\n");
		return;
	}
	if (answer.trust.n > 0 && request.client != CLIENT_IPXE && re->ntrusted < MACS)
		re->trusted[re->ntrusted++] = request.mac;
	print_reply(&ask, &answer);
}

static void
print_reply6(const struct dhcp6_ask *ask, const struct boot_answer *answer)
{
	uint8_t bytes[DHCP6_REPLY_MAX];
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	if (reply6_build(ask, answer, &w) < 0) {
		printf(" it does not fit into a packet\n");
		return;
	}
	printf(" style=%s\n  %s of %zu bytes:", offer_style_name(answer->style),
	    ask->reply == DHCP6_ADVERTISE ? "ADVERTISE" : "REPLY", w.used);
	print_hex("bytes", wbuf_view(&w));
	printf("\n");
}

/* As cut_short(). */
static void
cut_short6(const struct datagram *d, const struct dhcp6_place *place)
{
	static const struct boot_answer answer = { .action = ACTION_OFFER,
		.file = { (const uint8_t *)"x", 1 } };
	uint8_t out[DHCP6_REPLY_MAX];

	for (size_t n = 0; n < d->bytes.n; n++) {
		uint8_t *bytes = malloc(n + 1);
		struct dhcp6_packet p;
		struct dhcp6_ask ask;
		struct ipaddr lease;
		struct wbuf w;

		if (bytes == NULL)
			abort();
		memcpy(bytes + 1, d->bytes.p, n);
		wbuf_init(&w, out, sizeof(out));
		if (dhcp6_parse((struct slice){ bytes + 1, n }, &p) == 0 &&
		    (ask6_from_packet(&p, place, &ask, &lease) == ASK_DISCOVER ||
			ask.kind == ASK_BOOTSERVER) &&
		    (reply6_build(&ask, &answer, &w) < 0 || dhcp6_parse(wbuf_view(&w), &p) < 0)) {
			printf("no good answer to the first %zu bytes\n", n);
			exit(1);
		}
		free(bytes);
	}
}

static void
replay_dhcp6(struct replay *re, const struct datagram *d)
{
	struct dhcp6_place place = {
		.boot_port = d->to == 4011, .boot_server_too = true, .from = d->source
	};
	struct boot_request request;
	struct boot_answer answer;
	struct dhcp6_packet p;
	struct dhcp6_ask ask;
	struct ipaddr lease;
	enum ask_kind kind;
	char text[64], uuid[UUID_STRLEN];

	(void)ip_parse(slice_str(STOCK_ADDRESS6), &place.server); /* a constant */
	if (dhcp6_parse(d->bytes, &p) < 0) {
		printf("malformed\n");
		return;
	}
	cut_short6(d, &place);
	/* who answered then had another id */
	if (place.boot_port)
		p.server_id = (struct slice){ 0 };
	kind = ask6_from_packet(&p, &place, &ask, &lease);
	if (kind != ASK_DISCOVER && kind != ASK_BOOTSERVER) {
		printf("type %u xid=%06x, ", p.type, p.xid);
		if (kind == ASK_LEASE)
			printf("to a DHCPv6 server for %s: only noted\n", ip_format(&lease, text));
		else
			printf("not for us\n");
		return;
	}
	ask6_to_request(&ask, &p, "stock", "eth0", &request);
	printf("%s %s xid=%06x mac=%s uuid=%s arch=%u", boot_stage_name(request.stage),
	    boot_client_name(request.client), p.xid, mac_format(&request.mac, text),
	    request.has_uuid ? uuid_format(&request.uuid, uuid) : "-", request.arch);
	if (request.relay.family != 0)
		printf(" relay=%s", ip_format(&request.relay, text));
	print_text("vendor", request.vendor_class);
	printf("\n");
	decide_stock(re, &request, false, &answer);
	if (answer.action != ACTION_OFFER) {
		print_text("text", answer.text);
		printf("\n");
		return;
	}
	print_text("file", answer.file);
	print_reply6(&ask, &answer);
}

static void
replay_tftp(struct replay *re, const struct datagram *d)
{
	static const char *const modes[] = { "octet", "netascii", "other" };
	struct boot_request request = { .id = 1, .stage = STAGE_FILE, .via = VIA_TFTP };
	struct boot_answer answer;
	struct tftp_packet p;

	if (tftp_parse(d->bytes, &p) < 0) {
		printf("malformed\n");
		return;
	}
	if (p.op != TFTP_RRQ) {
		printf("op %u\n", p.op);
		return;
	}
	printf("RRQ");
	print_text("file", p.file);
	printf(" mode=%s", modes[p.mode]);
	for (size_t i = 0; i < p.noptions; i++) {
		print_text("option", slice_str(p.options[i].name));
		print_text("value", slice_str(p.options[i].value));
	}
	printf("\n");
	request.file = p.file;
	decide_stock(re, &request, false, &answer);
	print_text("path", answer.file);
	print_text("text", answer.text);
	printf("\n");
}

static void
replay_packet(struct replay *re, int linktype, const struct pcap_pkthdr *head, const uint8_t *bytes)
{
	double at = (double)head->ts.tv_sec + (double)head->ts.tv_usec / 1e6;
	struct datagram d;

	re->n++;
	if (re->n == 1)
		re->first = at;
	if (find_udp(linktype, (struct slice){ bytes, head->caplen }, &d) < 0 ||
	    (d.to != 67 && d.to != 4011 && d.to != 69 && d.to != 547) || d.from == 67)
		return;
	printf("%u %.3f port %u: ", re->n, at - re->first, d.to);
	if (d.to == 69)
		replay_tftp(re, &d);
	else if (d.source.family == 6)
		replay_dhcp6(re, &d);
	else
		replay_dhcp(re, &d);
}

int
main(int argc, char *argv[])
{
	bool plain = argc == 3 && strcmp(argv[1], "-p") == 0;
	struct replay re = { .http_port = plain ? 8060 : 0 };
	char error[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *head;
	const uint8_t *bytes;
	pcap_t *pcap;
	int rc;

	if (argc != 2 && !plain) {
		fputs("usage: replay [-p] FILE.pcap\n", stderr);
		return 2;
	}
	pcap = pcap_open_offline(argv[argc - 1], error);
	if (pcap == NULL) {
		fprintf(stderr, "replay: %s\n", error);
		return 1;
	}
	while ((rc = pcap_next_ex(pcap, &head, &bytes)) == 1)
		replay_packet(&re, pcap_datalink(pcap), head, bytes);
	if (rc == PCAP_ERROR)
		pcap_perror(pcap, "replay");
	pcap_close(pcap);
	return rc == PCAP_ERROR ? 1 : 0;
}
