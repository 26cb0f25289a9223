/* Tests of common/msg.c and common/fields.c. */
#include "common/msg.h"

#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint8_t buf[MSG_MAX_BYTES];

/* A request with every field set. */
static struct boot_request
full_request(void)
{
	struct boot_request r = {
		.id = 0x1122334455667788,
		.stage = STAGE_BOOT,
		.client = CLIENT_IPXE,
		.via = VIA_HTTPS,
		.arch = 7,
		.mac = { 6, { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } },
		.has_uuid = true,
		.uuid = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } },
		.address = { 4, { 10, 77, 0, 50 } },
		.server = { 4, { 10, 77, 0, 2 } },
		.relay = { 6, { 0x20, 1, 0xd, 0xb8, [15] = 1 } },
		.xid = 0xcafebabe,
		.secs = 4,
		.wait_ms = 8000,
		.boot = 42,
		.has_ipxe_features = true,
		.ipxe_features = IPXE_FEATURE_HTTPS | IPXE_FEATURE_EFI,
		.ipxe_version = 0x010015,
		.subnet = slice_str("lab"),
		.interface = slice_str("eth0"),
		.vendor_class = slice_str("PXEClient:Arch:00007:UNDI:003010"),
		.user_class = slice_str("iPXE"),
		.client_subject = slice_str("CN=pc-17"),
		.client_issuer = slice_str("CN=CA"),
		.client_serial = slice_str("0A17"),
		.client_fingerprint = slice_str("00ff"),
		.relay_info = { (const uint8_t *)"\1\2ab", 4 },
		.file = slice_str("boot/snponly.efi"),
		.manufacturer = slice_str("QEMU"),
		.product = slice_str("Standard PC"),
		.serial = slice_str("123"),
		.asset = slice_str("A-1"),
		.platform = slice_str("efi"),
		.buildarch = slice_str("x86_64"),
		.version = slice_str("2.0.0"),
		.params = slice_str("mac=52%3A54&x=1"),
		.token = slice_str("AQACAAAAAAAAAAc"),
		.param_list = { (const uint8_t *)"\1\103", 2 },
		.ndi = NDI_UUID(NDI_UUID_GIVEN) | 0x010310,
		.selftest = true,
		.head_only = true,
	};
	return r;
}

static void
check_request(const struct boot_request *got, const struct boot_request *want)
{
	CHECK(got->id == want->id);
	CHECK_INT(got->stage, want->stage);
	CHECK_INT(got->client, want->client);
	CHECK_INT(got->via, want->via);
	CHECK_INT(got->arch, want->arch);
	CHECK(mac_eq(&got->mac, &want->mac));
	CHECK_INT(got->has_uuid, want->has_uuid);
	CHECK(memcmp(&got->uuid, &want->uuid, sizeof(got->uuid)) == 0);
	CHECK(ip_eq(&got->address, &want->address));
	CHECK(ip_eq(&got->server, &want->server));
	CHECK(ip_eq(&got->relay, &want->relay));
	CHECK_INT(got->xid, want->xid);
	CHECK_INT(got->secs, want->secs);
	CHECK_INT(got->selftest, want->selftest);
	CHECK_INT(got->head_only, want->head_only);
	CHECK_INT(got->wait_ms, want->wait_ms);
	CHECK(got->boot == want->boot);
	CHECK_INT(got->has_ipxe_features, want->has_ipxe_features);
	CHECK(got->ipxe_features == want->ipxe_features);
	CHECK_INT(got->ipxe_version, want->ipxe_version);
	CHECK_BYTES(got->subnet, want->subnet);
	CHECK_BYTES(got->interface, want->interface);
	CHECK_BYTES(got->vendor_class, want->vendor_class);
	CHECK_BYTES(got->user_class, want->user_class);
	CHECK_BYTES(got->relay_info, want->relay_info);
	CHECK_BYTES(got->file, want->file);
	CHECK_BYTES(got->manufacturer, want->manufacturer);
	CHECK_BYTES(got->product, want->product);
	CHECK_BYTES(got->serial, want->serial);
	CHECK_BYTES(got->asset, want->asset);
	CHECK_BYTES(got->platform, want->platform);
	CHECK_BYTES(got->buildarch, want->buildarch);
	CHECK_BYTES(got->version, want->version);
	CHECK_BYTES(got->params, want->params);
	CHECK_BYTES(got->token, want->token);
	CHECK_BYTES(got->client_subject, want->client_subject);
	CHECK_BYTES(got->client_issuer, want->client_issuer);
	CHECK_BYTES(got->client_serial, want->client_serial);
	CHECK_BYTES(got->client_fingerprint, want->client_fingerprint);
	CHECK_BYTES(got->param_list, want->param_list);
	CHECK_INT(got->ndi, want->ndi);
}

static void
test_requests(void)
{
	struct boot_request want = full_request(), got;
	struct boot_request tiny = { .id = 1, .stage = STAGE_DISCOVER };
	struct msg_writer w;
	struct msg_reader r;
	struct slice m;

	test_case("a request of every field comes back as it went");
	msg_begin(&w, buf, sizeof(buf), MSG_REQUESTS, 99);
	CHECK_INT(msg_put_request(&w, &want), 0);
	CHECK_INT(msg_put_request(&w, &tiny), 0);
	m = msg_end(&w);
	CHECK_INT(msg_open(&r, m.p, m.n), 0);
	CHECK_INT(r.header.kind, MSG_REQUESTS);
	CHECK_INT(r.header.records, 2);
	CHECK_INT(r.header.origin, 99);
	CHECK_INT(msg_get_request(&r, &got), 0);
	check_request(&got, &want);

	test_case("a request of two fields costs 25 bytes and comes back with zeros elsewhere");
	CHECK_INT(msg_last_record(&w).n, 4 + (6 + 8) + (6 + 1));
	CHECK_INT(msg_get_request(&r, &got), 0);
	check_request(&got, &tiny);
	CHECK_INT(msg_get_request(&r, &got), -ENOENT);

	test_case("every truncation of a message is refused without harm");
	for (size_t n = 0; n < m.n; n++) {
		uint8_t *copy = malloc(n + 1);
		int rc;

		memcpy(copy, m.p, n);
		rc = msg_open(&r, copy, n);
		while (rc == 0)
			rc = msg_get_request(&r, &got);
		CHECK(rc == -EBADMSG);
		free(copy);
	}

	test_case("a record copied into another message is the same record");
	msg_begin(&w, buf, 4096, MSG_REQUESTS, 1);
	CHECK_INT(msg_put_request(&w, &want), 0);
	m = msg_last_record(&w);
	msg_begin(&w, buf + 8192, 4096, MSG_REQUESTS, 1);
	CHECK_INT(msg_put_record(&w, m), 0);
	m = msg_end(&w);
	CHECK_INT(msg_open(&r, m.p, m.n), 0);
	CHECK_INT(msg_get_request(&r, &got), 0);
	check_request(&got, &want);
}

static void
test_other_records(void)
{
	struct boot_answer answer = {
		.id = 7,
		.action = ACTION_OFFER,
		.reason = REASON_LOADER,
		.style = OFFER_PXE10,
		.error = BOOT_ERROR_FORBIDDEN,
		.boot = 12345,
		.server = { 4, { 10, 0, 0, 1 } },
		.rule = slice_str("default"),
		.file = slice_str("boot/x64/snponly.efi"),
		.data = slice_str("#!ipxe\n"),
		.text = slice_str("words"),
		.trust = slice_str("0123456789abcdef0123456789abcdef"),
		.crosscert = slice_str("http://10.0.0.1:8060/auto"),
		.options = slice_str("\374\2xy"),
		.delay_ms = 1250,
		.file_size = UINT64_C(5000000001),
		.file_sha256 = slice_str("fedcba9876543210fedcba9876543210"),
	};
	struct boot_event event = {
		.seq = 3,
		.at_ms = 1700000000000,
		.kind = EVENT_TRANSFER_FINISHED,
		.via = VIA_TFTP,
		.boot = 12345,
		.mac = { 6, { 2, 0, 0, 0, 0, 1 } },
		.address = { 4, { 10, 0, 0, 9 } },
		.bytes = UINT64_C(1) << 33,
		.duration_ms = 1500,
		.blksize = 1468,
		.windowsize = 4,
		.retransmits = 2,
		.subnet = slice_str("lab"),
		.file = slice_str("boot/x64/snponly.efi"),
		.text = slice_str("-"),
		.interface = slice_str("eth0.20"),
		.rival_client = RIVAL_IPXE,
		.rival_sends = 0x01000003,
		.rival_next = { 4, { 10, 0, 0, 8 } },
		.transfer = UINT64_C(1) << 40,
		.size = UINT64_C(1) << 34,
		.bytes_per_s = UINT64_C(1) << 32,
	};
	struct daemon_status status = {
		.daemon = DAEMON_HTTPSBOOTD,
		.pid = 77,
		.started_ms = 1700000000000,
		.address = { 4, { 10, 0, 0, 1 } },
		.port = 8050,
		.http_port = 8060,
		.subnet = slice_str("lab"),
		.version = slice_str("0.1.0"),
		.host_name = slice_str("boot.example"),
		.trust = slice_str("0123456789abcdef0123456789abcdef"),
		.counters = slice_str("requests 5\n"),
		.problem = slice_str("eth0: down"),
		.certificate_ms = 1790000000000,
		.transfers = 17,
		.max_transfers = 20000,
		.bytes_per_s = UINT64_C(1) << 33,
		.retransmit_permille = 12,
		.queue_blocks = 345,
		.load_permille = 678,
		.pulls = true,
	};
	struct msg_ack ack = { 9 };
	struct boot_answer a;
	struct boot_event e;
	struct daemon_status s;
	struct msg_ack k;
	struct msg_writer w;
	struct msg_reader r;
	struct slice m;

	test_case("an answer comes back as it went");
	msg_begin(&w, buf, sizeof(buf), MSG_ANSWERS, 0);
	CHECK_INT(msg_put_answer(&w, &answer), 0);
	m = msg_end(&w);
	CHECK_INT(msg_open(&r, m.p, m.n), 0);
	CHECK_INT(msg_get_answer(&r, &a), 0);
	CHECK(a.id == 7 && a.action == ACTION_OFFER && a.reason == REASON_LOADER);
	CHECK(a.style == OFFER_PXE10 && a.error == BOOT_ERROR_FORBIDDEN && a.boot == 12345);
	CHECK(ip_eq(&a.server, &answer.server));
	CHECK_BYTES(a.rule, answer.rule);
	CHECK_BYTES(a.file, answer.file);
	CHECK_BYTES(a.data, answer.data);
	CHECK_BYTES(a.text, answer.text);
	CHECK_BYTES(a.trust, answer.trust);
	CHECK_BYTES(a.crosscert, answer.crosscert);
	CHECK_BYTES(a.options, answer.options);
	CHECK_INT(a.delay_ms, 1250);
	CHECK_INT(a.file_size, 5000000001);
	CHECK_BYTES(a.file_sha256, slice_str("fedcba9876543210fedcba9876543210"));

	test_case("an event comes back as it went");
	msg_begin(&w, buf, sizeof(buf), MSG_EVENTS, 0);
	CHECK_INT(msg_put_event(&w, &event), 0);
	m = msg_end(&w);
	CHECK_INT(msg_open(&r, m.p, m.n), 0);
	CHECK_INT(msg_get_event(&r, &e), 0);
	CHECK(e.seq == 3 && e.at_ms == event.at_ms && e.kind == event.kind && e.via == VIA_TFTP);
	CHECK(e.boot == 12345 && mac_eq(&e.mac, &event.mac) && ip_eq(&e.address, &event.address));
	CHECK(e.bytes == event.bytes && e.duration_ms == 1500 && e.blksize == 1468);
	CHECK(e.windowsize == 4 && e.retransmits == 2);
	CHECK(e.rival_client == RIVAL_IPXE && e.rival_sends == 0x01000003);
	CHECK(ip_eq(&e.rival_next, &event.rival_next));
	CHECK(e.transfer == event.transfer && e.size == event.size);
	CHECK(e.bytes_per_s == event.bytes_per_s);
	CHECK_BYTES(e.interface, event.interface);
	CHECK_BYTES(e.subnet, event.subnet);
	CHECK_BYTES(e.file, event.file);
	CHECK_BYTES(e.text, event.text);

	test_case("an announcement comes back as it went");
	msg_begin(&w, buf, sizeof(buf), MSG_STATUS, 0);
	CHECK_INT(msg_put_status(&w, &status), 0);
	m = msg_end(&w);
	CHECK_INT(msg_open(&r, m.p, m.n), 0);
	CHECK_INT(msg_get_status(&r, &s), 0);
	CHECK(s.daemon == DAEMON_HTTPSBOOTD && s.pid == 77 && s.started_ms == status.started_ms);
	CHECK(ip_eq(&s.address, &status.address) && s.port == 8050 && s.http_port == 8060);
	CHECK_BYTES(s.subnet, status.subnet);
	CHECK_BYTES(s.version, status.version);
	CHECK_BYTES(s.host_name, status.host_name);
	CHECK_BYTES(s.trust, status.trust);
	CHECK_INT(s.certificate_ms, status.certificate_ms);
	CHECK_BYTES(s.counters, status.counters);
	CHECK_BYTES(s.problem, status.problem);
	CHECK(s.transfers == 17 && s.max_transfers == 20000 && s.queue_blocks == 345);
	CHECK(s.bytes_per_s == status.bytes_per_s);
	CHECK(s.retransmit_permille == 12 && s.load_permille == 678 && s.pulls);

	test_case("an acknowledgement comes back as it went");
	msg_begin(&w, buf, sizeof(buf), MSG_ACK, 0);
	CHECK_INT(msg_put_ack(&w, &ack), 0);
	m = msg_end(&w);
	CHECK_INT(msg_open(&r, m.p, m.n), 0);
	CHECK_INT(msg_get_ack(&r, &k), 0);
	CHECK_INT(k.seq, 9);
}

/* A message of one request record with this body. */
static int
open_body(const char *hex, struct boot_request *ret)
{
	struct msg_writer w;
	struct msg_reader r;
	struct slice m;
	uint8_t body[256];
	size_t n = test_unhex(hex, body + 4, sizeof(body) - 4);

	body[0] = body[1] = body[2] = 0;
	body[3] = (uint8_t)n;
	msg_begin(&w, buf, sizeof(buf), MSG_REQUESTS, 0);
	CHECK_INT(msg_put_record(&w, (struct slice){ body, n + 4 }), 0);
	m = msg_end(&w);
	CHECK_INT(msg_open(&r, m.p, m.n), 0);
	return msg_get_request(&r, ret);
}

static void
test_strangers(void)
{
	/* id = 1 and stage = discover, which every request needs */
#define HEAD "0001 00000008 0000000000000001  0002 00000001 01 "
	static const struct {
		const char *what, *hex;
		int rc;
	} cases[] = {
		{ "tags of a later version are skipped", HEAD "7777 00000003 010203", 0 },
		{ "an empty record has no id", "", -EBADMSG },
		{ "an id of 0", "0001 00000008 0000000000000000 0002 00000001 01", -EBADMSG },
		{ "a number of the wrong width", HEAD "000c 00000003 010203", -EBADMSG },
		{ "a stage that does not exist", "0001 00000008 0000000000000001 0002 00000001 77",
		    -EBADMSG },
		{ "a length beyond the record", HEAD "0017 000000ff 01", -EBADMSG },
		{ "a length that would overflow", HEAD "0017 ffffffff 01", -EBADMSG },
		{ "a hardware address of 17 octets",
		    HEAD "0006 00000011 0000000000000000000000000000000000", -EBADMSG },
		{ "an IP address of 5 octets", HEAD "0009 00000005 0102030405", -EBADMSG },
		{ "a field longer than its bound",
		    HEAD "0013 00000011 6161616161616161616161616161616161", -EBADMSG },
		{ "half a tag", HEAD "00", -EBADMSG },
	};
	struct boot_request got;
	struct msg_writer w;
	struct msg_reader r;
	struct slice m;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("record: %s", cases[i].what);
		CHECK_INT(open_body(cases[i].hex, &got), cases[i].rc);
	}

	test_case("a bad record does not spoil the good one behind it");
	msg_begin(&w, buf, sizeof(buf), MSG_REQUESTS, 0);
	CHECK_INT(msg_put_record(&w, (struct slice){ (const uint8_t *)"\0\0\0\2\1\1", 6 }), 0);
	got = (struct boot_request){ .id = 5, .stage = STAGE_FILE };
	CHECK_INT(msg_put_request(&w, &got), 0);
	m = msg_end(&w);
	CHECK_INT(msg_open(&r, m.p, m.n), 0);
	CHECK_INT(msg_get_request(&r, &got), -EBADMSG);
	CHECK_INT(msg_get_request(&r, &got), 0);
	CHECK_INT(got.id, 5);

	test_case("another version is told apart from nonsense");
	buf[2] = MSG_VERSION + 1;
	CHECK_INT(msg_open(&r, m.p, m.n), -EPROTO);
	buf[0] = 'x';
	CHECK_INT(msg_open(&r, m.p, m.n), -EBADMSG);

	test_case("a record that does not fit is taken back whole");
	msg_begin(&w, buf, 60, MSG_REQUESTS, 0);
	got = (struct boot_request){ .id = 5, .stage = STAGE_FILE };
	CHECK_INT(msg_put_request(&w, &got), 0);
	got.file = slice_str("a name that does not fit any more");
	CHECK_INT(msg_put_request(&w, &got), -EMSGSIZE);
	m = msg_end(&w);
	CHECK_INT(msg_open(&r, m.p, m.n), 0);
	CHECK_INT(msg_get_request(&r, &got), 0);
	CHECK_INT(msg_get_request(&r, &got), -ENOENT);
}

int
main(void)
{
	test_requests();
	test_other_records();
	test_strangers();

	test_case("names of values out of range are a question mark");
	CHECK_STR(boot_reason_name(REASON_TOO_LONG), "too-long");
	CHECK_STR(boot_reason_name(REASONS), "?");
	CHECK_STR(event_kind_name(EVENT_LOST), "lost");
	return test_end();
}
