/* See deciding.h. */
#include "tests/handlerd/deciding.h"

#include "tests/stock.h"
#include "tests/test.h"

#include <string.h>

const char fingerprint[] = "0123456789abcdef0123456789abcdef";
static uint8_t scratch_bytes[2][DECIDE_SCRATCH];

const struct loader uefi = {
	.path = "boot/x64/snponly.efi",
	.info = { .kind = LOADER_IPXE, .cpu = ARCH_CPU_X64, .https = LOADER_HTTPS_YES },
};
const struct loader bios = {
	.path = "boot/bios/undionly.kpxe",
	.info = { .kind = LOADER_IPXE, .cpu = ARCH_CPU_BIOS, .https = LOADER_HTTPS_UNSEEN },
};
const struct loader no_https = {
	.path = "boot/x64/old.efi",
	.info = { .kind = LOADER_IPXE, .cpu = ARCH_CPU_X64, .https = LOADER_HTTPS_NO },
};
const struct loader grub = {
	.path = "boot/x64/grub.efi",
	.info = { .kind = LOADER_EFI, .cpu = ARCH_CPU_X64 },
};

const struct loader rpi = {
	.path = "boot/rpi/bootcode.bin",
	.info = { .kind = LOADER_RPI, .cpu = ARCH_CPU_RPI, .https = LOADER_HTTPS_NO },
};
const struct loader arm = {
	.path = "boot/arm64/ipxe.efi",
	.info = { .kind = LOADER_IPXE, .cpu = ARCH_CPU_ARM64, .https = LOADER_HTTPS_YES },
};

const char *const ask_names[ASKS] = { "bios", "uefi", "http", "4011", "ipxe", "file", "boot",
	"boot on bios" };

struct boot_request
request_of(enum ask ask)
{
	static const struct boot_request base[ASKS] = {
		[ASK_BIOS] = { .stage = STAGE_DISCOVER,
		    .client = CLIENT_PXE,
		    .via = VIA_DHCP,
		    .arch = 0 },
		[ASK_UEFI] = { .stage = STAGE_DISCOVER,
		    .client = CLIENT_PXE,
		    .via = VIA_DHCP,
		    .arch = 7 },
		[ASK_HTTP] = { .stage = STAGE_DISCOVER,
		    .client = CLIENT_HTTP,
		    .via = VIA_DHCP,
		    .arch = 16 },
		[ASK_4011] = { .stage = STAGE_BOOTSERVER,
		    .client = CLIENT_PXE,
		    .via = VIA_DHCP,
		    .arch = 7 },
		[ASK_IPXE] = { .stage = STAGE_DISCOVER,
		    .client = CLIENT_IPXE,
		    .via = VIA_DHCP,
		    .arch = 7,
		    .has_ipxe_features = true,
		    .ipxe_features = IPXE_FEATURE_HTTPS },
		[ASK_FILE] = { .stage = STAGE_FILE, .via = VIA_TFTP, .arch = ARCH_UNKNOWN },
		[ASK_BOOT] = { .stage = STAGE_BOOT, .via = VIA_HTTPS, .arch = ARCH_UNKNOWN },
		[ASK_BBOOT] = { .stage = STAGE_BOOT, .via = VIA_HTTPS, .arch = ARCH_UNKNOWN },
	};
	struct boot_request r = base[ask];

	r.id = 1;
	if (ask == ASK_FILE)
		r.file = slice_str("boot/x64/snponly.efi");
	else
		r.mac = (struct macaddr){ 6, { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } };
	if (ask == ASK_BOOT || ask == ASK_BBOOT) {
		r.platform = slice_str(ask == ASK_BOOT ? "efi" : "pcbios");
		r.buildarch = slice_str(ask == ASK_BOOT ? "x86_64" : "i386");
	}
	return r;
}

static char path_room[CONTENT_PATH_MAX];

struct facts
facts_of(const struct boot_request *r)
{
	struct facts f;

	stock_facts(r, true, 0, path_room, &f);
	return f;
}

static void
check_slice(const char *what, struct slice a, struct slice b)
{
	if (a.n != b.n || (a.n > 0 && memcmp(a.p, b.p, a.n) != 0))
		test_fail(__FILE__, __LINE__, "%s differs the second time", what);
}

void
run(const struct boot_request *r, const struct policy *policy, const struct facts *f,
    struct decision *ret)
{
	struct decision again;
	struct wbuf w;

	memset(scratch_bytes[1], 0xa5, sizeof(scratch_bytes[1]));
	memset(&again, 0xa5, sizeof(again));
	wbuf_init(&w, scratch_bytes[0], sizeof(scratch_bytes[0]));
	decide(r, policy, f, &w, ret);
	wbuf_init(&w, scratch_bytes[1], sizeof(scratch_bytes[1]));
	decide(r, policy, f, &w, &again);
	CHECK_INT((long long)ret->answer.boot, STOCK_BOOT);
	CHECK(ret->answer.rule.n > 0);
	CHECK_INT(again.answer.action, ret->answer.action);
	CHECK_INT(again.answer.reason, ret->answer.reason);
	CHECK_INT(again.answer.style, ret->answer.style);
	CHECK_INT(again.answer.error, ret->answer.error);
	CHECK_INT(again.need, ret->need);
	CHECK_INT(again.effects, ret->effects);
	CHECK_STR(again.entry, ret->entry);
	check_slice("rule", again.answer.rule, ret->answer.rule);
	check_slice("file", again.answer.file, ret->answer.file);
	check_slice("data", again.answer.data, ret->answer.data);
	check_slice("text", again.answer.text, ret->answer.text);
	check_slice("trust", again.answer.trust, ret->answer.trust);
	check_slice("crosscert", again.answer.crosscert, ret->answer.crosscert);
	if (ret->answer.action == ACTION_DATA && ret->need == 0)
		CHECK(slice_begins(ret->answer.data, "#!ipxe\n"));
}

bool
holds(struct slice script, const char *text)
{
	return memmem(script.p, script.n, text, strlen(text)) != NULL;
}

void
check_holds(const struct decision *d, const char *text)
{
	if (text != NULL && !holds(d->answer.data, text))
		test_fail(__FILE__, __LINE__, "\"%s\" is not in the script:\n%.*s", text,
		    (int)d->answer.data.n, (const char *)d->answer.data.p);
}

struct facts
facts_with(const struct boot_request *r, unsigned known, const struct loader *loader)
{
	static const struct loader *best[ARCH_CPUS];
	struct facts f = facts_of(r);

	memset(best, 0, sizeof(best));
	if (loader != NULL)
		best[loader->info.cpu] = loader;
	f.loaders = loader;
	f.nloaders = loader != NULL;
	f.best = best;
	f.web.host = (known & NAMED) != 0 ? "boot.example"
	             : (known & V6) != 0  ? "2001:db8::1"
	                                  : "10.0.0.1";
	f.web.ip = (known & V6) != 0 ? "2001:db8::1" : "10.0.0.1";
	f.web.http_port = (known & PLAIN) != 0 ? 8060 : 0;
	f.trusted = (known & TRUSTED) != 0;
	f.by_http = (known & BY_HTTP) != 0;
	f.web.other_family = f.tftp_other_family = (known & OTHER) != 0;
	return f;
}

void
check_want(const struct decision *d, const struct want *want)
{
	const struct boot_answer *a = &d->answer;

	CHECK_INT(a->action, want->action);
	CHECK_STR(boot_reason_name(a->reason), boot_reason_name(want->reason));
	CHECK_BYTES(a->rule, slice_str(want->rule != NULL ? want->rule : "r"));
	/* test_styles() has that one */
	CHECK_INT(d->effects & ~(unsigned)EFFECT_STYLE, want->effects);
	if (a->action == ACTION_OFFER) {
		CHECK_INT(a->style, want->detail);
		CHECK_BYTES(a->file, slice_str(want->text != NULL ? want->text : ""));
	} else if (a->action == ACTION_DATA) {
		check_holds(d, want->text);
	} else if (a->action == ACTION_FILE) {
		CHECK_BYTES(a->file, slice_str(want->text));
	} else if (a->action == ACTION_ERROR) {
		CHECK_INT(a->error, want->detail);
		CHECK_BYTES(a->text, slice_str(want->text));
	}
}

void
decide_by(const char *conf, const struct boot_request *r, const struct facts *f,
    const struct want *want, struct decision *ret)
{
	struct policy *policy = stock_policy_of(conf);

	run(r, policy, f, ret);
	check_want(ret, want);
	policy_unref(policy);
}
