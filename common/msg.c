/* The message codec: a header and a table of fields for each kind of record; see msg.h. */
#include "common/msg.h"

#include "common/fields.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define MSG_MAGIC        0x4246 /* "BF" */
#define MSG_HEADER_BYTES 16
#define MSG_RECORDS_AT   4 /* offset of the record count */

#define REQ(tag, form, max, member)                                                                \
	{                                                                                          \
		tag, form, max, offsetof(struct boot_request, member)                              \
	}
static const struct field request_fields[] = {
	REQ(1, FIELD_U64, 0, id),
	REQ(2, FIELD_ENUM, STAGES, stage),
	REQ(3, FIELD_ENUM, CLIENTS, client),
	REQ(4, FIELD_ENUM, VIAS, via),
	REQ(5, FIELD_U16, 0, arch),
	REQ(6, FIELD_MAC, 0, mac),
	REQ(7, FIELD_BOOL, 0, has_uuid),
	REQ(8, FIELD_UUID, 0, uuid),
	REQ(9, FIELD_IP, 0, address),
	REQ(10, FIELD_IP, 0, server),
	REQ(11, FIELD_IP, 0, relay),
	REQ(12, FIELD_U32, 0, xid),
	REQ(13, FIELD_U16, 0, secs),
	REQ(14, FIELD_U64, 0, boot),
	REQ(15, FIELD_BOOL, 0, has_ipxe_features),
	REQ(16, FIELD_U64, 0, ipxe_features),
	REQ(17, FIELD_U32, 0, ipxe_version),
	REQ(18, FIELD_SLICE, 64, subnet),
	REQ(19, FIELD_SLICE, 16, interface),
	REQ(20, FIELD_SLICE, 255, vendor_class),
	REQ(21, FIELD_SLICE, 255, user_class),
	REQ(22, FIELD_SLICE, 255, relay_info),
	REQ(23, FIELD_SLICE, 4096, file),
	REQ(24, FIELD_SLICE, 1024, manufacturer),
	REQ(25, FIELD_SLICE, 1024, product),
	REQ(26, FIELD_SLICE, 1024, serial),
	REQ(27, FIELD_SLICE, 1024, asset),
	REQ(28, FIELD_SLICE, 64, platform),
	REQ(29, FIELD_SLICE, 64, buildarch),
	REQ(30, FIELD_SLICE, 255, version),
	REQ(31, FIELD_SLICE, 1u << 20, params),
	REQ(32, FIELD_U32, 0, wait_ms),
	REQ(33, FIELD_SLICE, BOOT_TOKEN_MAX, token),
	REQ(34, FIELD_SLICE, 255, param_list),
	REQ(35, FIELD_U32, 0, ndi),
	REQ(43, FIELD_BOOL, 0, selftest),
	REQ(70, FIELD_BOOL, 0, head_only),
	REQ(60, FIELD_SLICE, 511, client_subject),
	REQ(61, FIELD_SLICE, 511, client_issuer),
	REQ(62, FIELD_SLICE, 63, client_serial),
	REQ(63, FIELD_SLICE, 64, client_fingerprint),
};

#define ANS(tag, form, max, member)                                                                \
	{                                                                                          \
		tag, form, max, offsetof(struct boot_answer, member)                               \
	}
static const struct field answer_fields[] = {
	ANS(1, FIELD_U64, 0, id),
	ANS(2, FIELD_ENUM, ACTIONS, action),
	ANS(3, FIELD_ENUM_SOFT, REASONS, reason),
	ANS(4, FIELD_ENUM, OFFER_STYLES, style),
	ANS(5, FIELD_ENUM, BOOT_ERRORS, error),
	ANS(6, FIELD_U64, 0, boot),
	ANS(7, FIELD_IP, 0, server),
	ANS(8, FIELD_SLICE, 255, rule),
	ANS(9, FIELD_SLICE, 4096, file),
	ANS(10, FIELD_SLICE, 2u << 20, data),
	ANS(11, FIELD_SLICE, 1024, text),
	ANS(12, FIELD_SLICE, 512, trust),
	ANS(13, FIELD_SLICE, 255, options),
	ANS(23, FIELD_BOOL, 0, told),
	ANS(40, FIELD_U32, 0, delay_ms),
	ANS(70, FIELD_U64, 0, file_size),
	ANS(71, FIELD_SLICE, 32, file_sha256),
	ANS(77, FIELD_SLICE, 255, crosscert),
};

#define EVT(tag, form, max, member)                                                                \
	{                                                                                          \
		tag, form, max, offsetof(struct boot_event, member)                                \
	}
static const struct field event_fields[] = {
	EVT(1, FIELD_U64, 0, seq),
	EVT(2, FIELD_U64, 0, at_ms),
	EVT(3, FIELD_ENUM_SOFT, EVENT_KINDS, kind),
	EVT(4, FIELD_ENUM, VIAS, via),
	EVT(5, FIELD_U64, 0, boot),
	EVT(6, FIELD_MAC, 0, mac),
	EVT(7, FIELD_IP, 0, address),
	EVT(8, FIELD_U64, 0, bytes),
	EVT(9, FIELD_U32, 0, duration_ms),
	EVT(10, FIELD_U32, 0, blksize),
	EVT(11, FIELD_U32, 0, windowsize),
	EVT(12, FIELD_U32, 0, retransmits),
	EVT(13, FIELD_SLICE, 64, subnet),
	EVT(14, FIELD_SLICE, 4096, file),
	EVT(15, FIELD_SLICE, 1024, text),
	EVT(16, FIELD_SLICE, 16, interface),
	EVT(17, FIELD_ENUM_SOFT, RIVAL_CLIENTS, rival_client),
	EVT(18, FIELD_U32, 0, rival_sends),
	EVT(19, FIELD_IP, 0, rival_next),
	EVT(40, FIELD_U64, 0, transfer),
	EVT(41, FIELD_U64, 0, size),
	EVT(42, FIELD_U64, 0, bytes_per_s),
};

static const struct field ack_fields[] = {
	{ 1, FIELD_U64, 0, offsetof(struct msg_ack, seq) },
};

#define STA(tag, form, max, member)                                                                \
	{                                                                                          \
		tag, form, max, offsetof(struct daemon_status, member)                             \
	}
static const struct field status_fields[] = {
	STA(1, FIELD_ENUM, DAEMONS, daemon),
	STA(2, FIELD_U32, 0, pid),
	STA(3, FIELD_U64, 0, started_ms),
	STA(4, FIELD_IP, 0, address),
	STA(5, FIELD_U16, 0, port),
	STA(6, FIELD_U16, 0, http_port),
	STA(7, FIELD_SLICE, 64, subnet),
	STA(8, FIELD_SLICE, 64, version),
	STA(9, FIELD_SLICE, 255, host_name),
	STA(10, FIELD_SLICE, 512, trust),
	STA(11, FIELD_SLICE, 16384, counters),
	STA(12, FIELD_SLICE, 511, problem),
	STA(20, FIELD_IP, 0, address6),
	STA(30, FIELD_U32, 0, transfers),
	STA(31, FIELD_U32, 0, max_transfers),
	STA(32, FIELD_U64, 0, bytes_per_s),
	STA(33, FIELD_U32, 0, retransmit_permille),
	STA(34, FIELD_U32, 0, queue_blocks),
	STA(35, FIELD_U32, 0, load_permille),
	STA(50, FIELD_U64, 0, certificate_ms),
	STA(70, FIELD_BOOL, 0, pulls),
};

static int
put_record(struct msg_writer *m, const struct field *fields, size_t nfields, const void *record)
{
	size_t start = m->w.used;

	if (m->records == MSG_MAX_RECORDS)
		return -EMSGSIZE;
	wbuf_u32(&m->w, 0);
	fields_encode(&m->w, fields, nfields, record);
	if (m->w.bad) {
		m->w.bad = false;
		m->w.used = start;
		return -EMSGSIZE;
	}
	wbuf_patch_u32(&m->w, start, (uint32_t)(m->w.used - start - 4));
	m->records++;
	m->last_at = start;
	return 0;
}

static int
get_record(struct msg_reader *m, const struct field *fields, size_t nfields, void *ret, size_t size)
{
	struct slice body;

	if (m->left == 0)
		return -ENOENT;
	m->left--;
	body = rbuf_slice(&m->r, rbuf_u32(&m->r));
	if (m->r.bad) {
		m->left = 0;
		return -EBADMSG;
	}
	return fields_decode(body, fields, nfields, ret, size);
}

void
msg_begin(struct msg_writer *m, void *buf, size_t size, enum msg_kind kind, uint64_t origin)
{
	assert(size >= MSG_HEADER_BYTES);
	m->records = 0;
	wbuf_init(&m->w, buf, size);
	wbuf_u16(&m->w, MSG_MAGIC);
	wbuf_u8(&m->w, MSG_VERSION);
	wbuf_u8(&m->w, (uint8_t)kind);
	wbuf_u16(&m->w, 0); /* record count, by msg_end */
	wbuf_u16(&m->w, 0); /* reserved */
	wbuf_u64(&m->w, origin);
}

struct slice
msg_last_record(const struct msg_writer *m)
{
	assert(m->records > 0);
	return (struct slice){ m->w.p + m->last_at, m->w.used - m->last_at };
}

int
msg_put_record(struct msg_writer *m, struct slice record)
{
	if (m->records == MSG_MAX_RECORDS || m->w.size - m->w.used < record.n)
		return -EMSGSIZE;
	m->last_at = m->w.used;
	wbuf_slice(&m->w, record);
	m->records++;
	return 0;
}

struct slice
msg_end(struct msg_writer *m)
{
	wbuf_patch_u16(&m->w, MSG_RECORDS_AT, (uint16_t)m->records);
	return wbuf_view(&m->w);
}

int
msg_put_request(struct msg_writer *m, const struct boot_request *r)
{
	return put_record(m, request_fields, NITEMS(request_fields), r);
}

int
msg_put_answer(struct msg_writer *m, const struct boot_answer *a)
{
	return put_record(m, answer_fields, NITEMS(answer_fields), a);
}

int
msg_put_event(struct msg_writer *m, const struct boot_event *e)
{
	return put_record(m, event_fields, NITEMS(event_fields), e);
}

int
msg_put_ack(struct msg_writer *m, const struct msg_ack *a)
{
	return put_record(m, ack_fields, NITEMS(ack_fields), a);
}

int
msg_put_status(struct msg_writer *m, const struct daemon_status *s)
{
	return put_record(m, status_fields, NITEMS(status_fields), s);
}

int
msg_open(struct msg_reader *m, const void *buf, size_t n)
{
	uint16_t magic;
	uint8_t version, kind;

	memset(m, 0, sizeof(*m));
	rbuf_init(&m->r, buf, n);
	magic = rbuf_u16(&m->r);
	version = rbuf_u8(&m->r);
	kind = rbuf_u8(&m->r);
	m->header.records = rbuf_u16(&m->r);
	(void)rbuf_u16(&m->r); /* reserved: whatever a later version puts there */
	m->header.origin = rbuf_u64(&m->r);
	if (m->r.bad || magic != MSG_MAGIC)
		return -EBADMSG;
	if (version != MSG_VERSION)
		return -EPROTO;
	if (kind >= MSG_KINDS || m->header.records > MSG_MAX_RECORDS)
		return -EBADMSG;
	m->header.kind = (enum msg_kind)kind;
	m->left = m->header.records;
	return 0;
}

int
msg_get_request(struct msg_reader *m, struct boot_request *ret)
{
	int rc = get_record(m, request_fields, NITEMS(request_fields), ret, sizeof(*ret));

	if (rc == 0 && (ret->id == 0 || ret->stage == STAGE_NONE))
		return -EBADMSG;
	return rc;
}

int
msg_get_answer(struct msg_reader *m, struct boot_answer *ret)
{
	int rc = get_record(m, answer_fields, NITEMS(answer_fields), ret, sizeof(*ret));

	if (rc == 0 && ret->id == 0)
		return -EBADMSG;
	return rc;
}

int
msg_get_event(struct msg_reader *m, struct boot_event *ret)
{
	return get_record(m, event_fields, NITEMS(event_fields), ret, sizeof(*ret));
}

int
msg_get_ack(struct msg_reader *m, struct msg_ack *ret)
{
	return get_record(m, ack_fields, NITEMS(ack_fields), ret, sizeof(*ret));
}

int
msg_get_status(struct msg_reader *m, struct daemon_status *ret)
{
	return get_record(m, status_fields, NITEMS(status_fields), ret, sizeof(*ret));
}

/* A name table and its function; the assertion ties the table to the enum's end. */
#define NAME_FN(fn, type, count, ...)                                                              \
	const char *fn(type v)                                                                     \
	{                                                                                          \
		static const char *const names[] = { __VA_ARGS__ };                                \
		_Static_assert(NITEMS(names) == (count), "a name for each value");                 \
		return (size_t)v < NITEMS(names) ? names[v] : "?";                                 \
	}

/* clang-format off */
NAME_FN(boot_stage_name, enum boot_stage, STAGES,
    [STAGE_NONE] = "none", [STAGE_DISCOVER] = "discover", [STAGE_BOOTSERVER] = "bootserver",
    [STAGE_FILE] = "file", [STAGE_BOOT] = "boot", [STAGE_REPORT] = "report")
NAME_FN(boot_client_name, enum boot_client, CLIENTS,
    [CLIENT_UNKNOWN] = "unknown", [CLIENT_PXE] = "pxe", [CLIENT_IPXE] = "ipxe",
    [CLIENT_HTTP] = "uefi-http", [CLIENT_RPI] = "rpi", [CLIENT_UBOOT] = "u-boot")
NAME_FN(boot_via_name, enum boot_via, VIAS,
    [VIA_NONE] = "none", [VIA_DHCP] = "dhcp", [VIA_TFTP] = "tftp", [VIA_HTTP] = "http",
    [VIA_HTTPS] = "https")
NAME_FN(boot_action_name, enum boot_action, ACTIONS,
    [ACTION_IGNORE] = "ignore", [ACTION_OFFER] = "offer", [ACTION_FILE] = "file",
    [ACTION_DATA] = "data", [ACTION_ERROR] = "error")
NAME_FN(offer_style_name, enum offer_style, OFFER_STYLES,
    [OFFER_BINL] = "binl", [OFFER_PXE10] = "pxe10", [OFFER_PXE10_PROMPT] = "pxe10-prompt",
    [OFFER_IPXE] = "ipxe", [OFFER_HTTP] = "http", [OFFER_LOCAL] = "local",
    [OFFER_MENU] = "menu", [OFFER_RPI] = "rpi")
NAME_FN(boot_reason_name, enum boot_reason, REASONS,
    [REASON_UNSPECIFIED] = "unspecified", [REASON_LOADER] = "loader",
    [REASON_LOADER_HTTPS] = "loader-https",
    [REASON_SCRIPT_URL] = "script-url", [REASON_SCRIPT_URL_HTTP] = "script-url-http",
    [REASON_SCRIPT_URL_UNTRUSTED] = "script-url-untrusted",
    [REASON_COLLECT] = "collect", [REASON_MENU] = "menu", [REASON_NO_IMAGE] = "no-image",
    [REASON_PUBLIC_FILE] = "public-file", [REASON_REPORT] = "report",
    [REASON_UNKNOWN_ARCH] = "unknown-arch", [REASON_NO_LOADER] = "no-loader",
    [REASON_NO_HTTPS] = "no-https",
    [REASON_NOT_A_BOOT] = "not-a-boot", [REASON_BAD_NAME] = "bad-name",
    [REASON_NO_SUCH_FILE] = "no-such-file",
    [REASON_TOO_LONG] = "too-long", [REASON_LOADER_LEARNED] = "loader-learned",
    [REASON_RULE_SILENCE] = "rule-silence", [REASON_RULE_REFUSES] = "rule-refuses",
    [REASON_RULE_ENTRY] = "rule-entry", [REASON_BLOCKED] = "blocked", [REASON_DENIED] = "denied",
    [REASON_HELD] = "held", [REASON_QUARANTINE] = "quarantine", [REASON_ASSIGNED] = "assigned",
    [REASON_APPROVAL] = "approval", [REASON_UNKNOWN_MACHINE] = "unknown-machine",
    [REASON_CHOSEN] = "chosen", [REASON_NOT_OFFERED] = "not-offered",
    [REASON_NO_ENTRY] = "no-entry", [REASON_LOCAL] = "local", [REASON_REFERRED] = "referred",
    [REASON_NO_TARGET] = "no-target", [REASON_SOURCE_DENIES] = "source-denies",
    [REASON_SOURCE_ENTRY] = "source-entry", [REASON_SOURCE_SCRIPT] = "source-script",
    [REASON_SOURCE_FAILED] = "source-failed", [REASON_SOURCE_LATE] = "source-late", [REASON_TOKEN] = "token",
    [REASON_SOURCE_FILE] = "source-file", [REASON_LOOP] = "loop-guard",
    [REASON_OTHER_FAMILY] = "other-family",
    [REASON_STYLE_LEARNED] = "style-learned",
    [REASON_ORIGIN_FILE] = "origin-file", [REASON_LOADER_NEWER] = "loader-newer",
    [REASON_SHORTAGE] = "shortage")
NAME_FN(event_kind_name, enum event_kind, EVENT_KINDS,
    [EVENT_NONE] = "none", [EVENT_OFFER] = "offer", [EVENT_LEASE] = "lease",
    [EVENT_TRANSFER_BEGAN] = "transfer-began", [EVENT_TRANSFER_FINISHED] = "transfer-finished",
    [EVENT_TRANSFER_FAILED] = "transfer-failed", [EVENT_SIZE_PROBE] = "size-probe",
    [EVENT_SCRIPT] = "script", [EVENT_TLS_FAILED] = "tls-failed", [EVENT_LOST] = "lost",
    [EVENT_RIVAL] = "rival", [EVENT_TRANSFER_PROGRESS] = "transfer-progress",
    [EVENT_CERTIFICATE] = "certificate")
NAME_FN(daemon_kind_name, enum daemon_kind, DAEMONS,
    [DAEMON_NONE] = "none", [DAEMON_DHCPPROXYD] = "dhcpproxyd", [DAEMON_TFTPD] = "tftpd",
    [DAEMON_HTTPSBOOTD] = "httpsbootd", [DAEMON_HANDLERD] = "handlerd")
