/*
 * Tests of handlerd/decide.c, decide_offer.c, decide_boot.c and, by what comes out of them, of
 * judge.c: a row a case, what is asked and known, and what is answered.
 */
#include "handlerd/decide.h"

#include "common/arch.h"
#include "tests/stock.h"
#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char fingerprint[] = "0123456789abcdef0123456789abcdef";
static uint8_t scratch_bytes[2][DECIDE_SCRATCH];

static const struct loader uefi = {
	.path = "boot/x64/snponly.efi",
	.info = { .kind = LOADER_IPXE, .cpu = ARCH_CPU_X64, .https = LOADER_HTTPS_YES },
};
static const struct loader bios = {
	.path = "boot/bios/undionly.kpxe",
	.info = { .kind = LOADER_IPXE, .cpu = ARCH_CPU_BIOS, .https = LOADER_HTTPS_UNSEEN },
};
static const struct loader no_https = {
	.path = "boot/x64/old.efi",
	.info = { .kind = LOADER_IPXE, .cpu = ARCH_CPU_X64, .https = LOADER_HTTPS_NO },
};
static const struct loader grub = {
	.path = "boot/x64/grub.efi",
	.info = { .kind = LOADER_EFI, .cpu = ARCH_CPU_X64 },
};

static const struct loader rpi = {
	.path = "boot/rpi/bootcode.bin",
	.info = { .kind = LOADER_RPI, .cpu = ARCH_CPU_RPI, .https = LOADER_HTTPS_NO },
};
static const struct loader arm = {
	.path = "boot/arm64/ipxe.efi",
	.info = { .kind = LOADER_IPXE, .cpu = ARCH_CPU_ARM64, .https = LOADER_HTTPS_YES },
};

/* --- requests ------------------------------------------------------------------------------- */

/* Who asks, and what for. */
enum ask {
	ASK_BIOS,  /* a BIOS ROM's DISCOVER */
	ASK_UEFI,  /* UEFI firmware's */
	ASK_HTTP,  /* that of UEFI HTTP Boot */
	ASK_4011,  /* UEFI firmware asks the boot server */
	ASK_IPXE,  /* iPXE's DISCOVER */
	ASK_FILE,  /* a file by TFTP */
	ASK_BOOT,  /* the boot request of iPXE on UEFI */
	ASK_BBOOT, /* that of iPXE on a BIOS */
	ASKS,
};

static const char *const ask_names[ASKS] = { "bios", "uefi", "http", "4011", "ipxe", "file", "boot",
	"boot on bios" };

static struct boot_request
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

static struct facts
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

/* Decides, and once more into other memory: equal inputs give equal answers. */
static void
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

/* True if the script holds this text. */
static bool
holds(struct slice script, const char *text)
{
	return memmem(script.p, script.n, text, strlen(text)) != NULL;
}

static void
check_holds(const struct decision *d, const char *text)
{
	if (text != NULL && !holds(d->answer.data, text))
		test_fail(__FILE__, __LINE__, "\"%s\" is not in the script:\n%.*s", text,
		    (int)d->answer.data.n, (const char *)d->answer.data.p);
}

/* --- offers without rules ------------------------------------------------------------------- */

/* What the cases know besides. */
enum {
	PLAIN = 1,     /* plain HTTP is on */
	TRUSTED = 2,   /* the firmware's offer carried our fingerprint */
	BY_HTTP = 4,   /* the loader came by plain HTTP */
	NAMED = 8,     /* httpsbootd has a host name */
	FEATURES = 16, /* option 175 came, */
	HTTPS = 32,    /* with HTTPS in it */
	V6 = 64,       /* the server has an IPv6 address */
	BY_V6 = 128,   /* the client asks over IPv6 */
	OTHER = 256,   /* tftpd and httpsbootd do not serve its IP version */
};

/* A site with one loader or none. */
static struct facts
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

static void
test_crosscert(void)
{
	static const struct {
		const char *what, *conf, *want;
	} cases[] = {
		{ "ours", "{}", "http://10.0.0.1:8060/auto" },
		{ "none", "{\"offers\":{\"crosscert\":\"\"}}", "" },
		{ "another one", "{\"offers\":{\"crosscert\":\"http://ca.example/auto\"}}",
		    "http://ca.example/auto" },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot_request r = { .stage = STAGE_DISCOVER,
			.client = CLIENT_IPXE,
			.arch = 7,
			.server = { 4, { 10, 0, 0, 1 } } };
		struct policy *policy = stock_policy_of(cases[i].conf);
		struct facts f = facts_with(&r, PLAIN | TRUSTED | NAMED, &uefi);
		struct decision d;

		test_case("where iPXE asks for cross-certificates: %s", cases[i].what);
		run(&r, policy, &f, &d);
		CHECK_INT(d.answer.action, ACTION_OFFER);
		CHECK_BYTES(d.answer.crosscert, slice_str(cases[i].want));
		policy_unref(policy);
	}
}

static void
test_offers(void)
{
	static const struct {
		const char *what;
		enum boot_client client;
		uint16_t arch;
		unsigned known;
		const struct loader *loader;
		enum boot_action action;
		enum boot_reason reason;
		enum offer_style style;
		const char *file;
	} cases[] = {
		{ "UEFI firmware gets its loader, by way of port 4011", CLIENT_PXE, 7, 0, &uefi,
		    ACTION_OFFER, REASON_LOADER, OFFER_BINL, "boot/x64/snponly.efi" },
		{ "a BIOS ROM gets its own, with a prompt", CLIENT_PXE, 0, 0, &bios, ACTION_OFFER,
		    REASON_LOADER, OFFER_PXE10_PROMPT, "boot/bios/undionly.kpxe" },
		{ "an architecture without a loader is left to others", CLIENT_PXE, 11, 0, NULL,
		    ACTION_IGNORE, REASON_NO_LOADER, 0, NULL },
		{ "an architecture that nobody knows too", CLIENT_PXE, 99, 0, NULL, ACTION_IGNORE,
		    REASON_UNKNOWN_ARCH, 0, NULL },
		{ "a loader without HTTPS is a dead end when plain HTTP is off", CLIENT_PXE, 7, 0,
		    &no_https, ACTION_IGNORE, REASON_NO_HTTPS, 0, NULL },
		{ "and none when it is on", CLIENT_PXE, 7, PLAIN, &no_https, ACTION_OFFER,
		    REASON_LOADER, OFFER_BINL, "boot/x64/old.efi" },
		{ "a loader that is not iPXE needs no HTTPS of ours", CLIENT_PXE, 7, 0, &grub,
		    ACTION_OFFER, REASON_LOADER, OFFER_BINL, "boot/x64/grub.efi" },
		{ "iPXE with HTTPS gets the boot URL", CLIENT_IPXE, 7, FEATURES | HTTPS | TRUSTED,
		    &uefi, ACTION_OFFER, REASON_SCRIPT_URL, OFFER_IPXE,
		    "https://10.0.0.1:8050/2PXE/boot" },
		{ "with the server's name, if it has one", CLIENT_IPXE, 7,
		    FEATURES | HTTPS | TRUSTED | NAMED, &uefi, ACTION_OFFER, REASON_SCRIPT_URL,
		    OFFER_IPXE, "https://boot.example:8050/2PXE/boot" },
		{ "an IPv6 address stands in brackets", CLIENT_IPXE, 7,
		    FEATURES | HTTPS | TRUSTED | V6, &uefi, ACTION_OFFER, REASON_SCRIPT_URL,
		    OFFER_IPXE, "https://[2001:db8::1]:8050/2PXE/boot" },
		{ "iPXE without HTTPS gets plain HTTP if that is on", CLIENT_IPXE, 0,
		    FEATURES | PLAIN, &bios, ACTION_OFFER, REASON_SCRIPT_URL_HTTP, OFFER_IPXE,
		    "http://10.0.0.1:8060/2PXE/boot" },
		{ "and an iPXE with HTTPS if it is off", CLIENT_IPXE, 0, FEATURES, &bios,
		    ACTION_OFFER, REASON_LOADER_NEWER, OFFER_IPXE, "boot/bios/undionly.kpxe" },
		{ "but none that lacks it, too", CLIENT_IPXE, 7, FEATURES, &no_https, ACTION_IGNORE,
		    REASON_NO_HTTPS, 0, NULL },
		{ "nor over DHCPv6, which carries no fingerprint", CLIENT_IPXE, 0, FEATURES | BY_V6,
		    &bios, ACTION_IGNORE, REASON_NO_HTTPS, 0, NULL },
		{ "nor a loader that is no iPXE", CLIENT_IPXE, 7, FEATURES, &grub, ACTION_IGNORE,
		    REASON_NO_HTTPS, 0, NULL },
		{ "iPXE that had no offer of ours before has no reason to trust us", CLIENT_IPXE, 0,
		    FEATURES | HTTPS | PLAIN, &bios, ACTION_OFFER, REASON_SCRIPT_URL_UNTRUSTED,
		    OFFER_IPXE, "http://10.0.0.1:8060/2PXE/boot" },
		{ "but HTTPS is all there is when plain HTTP is off", CLIENT_IPXE, 0,
		    FEATURES | HTTPS, &bios, ACTION_OFFER, REASON_SCRIPT_URL, OFFER_IPXE,
		    "https://10.0.0.1:8050/2PXE/boot" },
		{ "iPXE that says nothing of its features is trusted to have them", CLIENT_IPXE, 7,
		    TRUSTED | PLAIN, &uefi, ACTION_OFFER, REASON_SCRIPT_URL, OFFER_IPXE,
		    "https://10.0.0.1:8050/2PXE/boot" },
		{ "iPXE that came by plain HTTP Boot goes on by it", CLIENT_IPXE, 7,
		    FEATURES | HTTPS | TRUSTED | PLAIN | BY_HTTP, &uefi, ACTION_OFFER,
		    REASON_SCRIPT_URL_UNTRUSTED, OFFER_IPXE, "http://10.0.0.1:8060/2PXE/boot" },
		{ "HTTP Boot gets a URL with an address, whatever the name", CLIENT_HTTP, 16,
		    PLAIN | NAMED, &uefi, ACTION_OFFER, REASON_LOADER, OFFER_HTTP,
		    "http://10.0.0.1:8060/2PXE/file/boot/x64/snponly.efi" },
		{ "by HTTPS when plain HTTP is off, by the certificate's name", CLIENT_HTTP, 16,
		    NAMED, &uefi, ACTION_OFFER, REASON_LOADER_HTTPS, OFFER_HTTP,
		    "https://boot.example:8050/2PXE/file/boot/x64/snponly.efi" },
		{ "over IPv6 no fingerprint goes along: there is no place for it", CLIENT_PXE, 7,
		    BY_V6 | V6, &uefi, ACTION_OFFER, REASON_LOADER, OFFER_BINL,
		    "boot/x64/snponly.efi" },
		{ "HTTP Boot over IPv6", CLIENT_HTTP, 16, BY_V6 | V6 | PLAIN, &uefi, ACTION_OFFER,
		    REASON_LOADER, OFFER_HTTP,
		    "http://[2001:db8::1]:8060/2PXE/file/boot/x64/snponly.efi" },
		{ "a TFTP server of the other IP version is no use", CLIENT_PXE, 7, OTHER, &uefi,
		    ACTION_IGNORE, REASON_OTHER_FAMILY, 0, NULL },
		{ "nor is a web server for HTTP Boot", CLIENT_HTTP, 16, OTHER | PLAIN, &uefi,
		    ACTION_IGNORE, REASON_OTHER_FAMILY, 0, NULL },
		{ "nor for iPXE", CLIENT_IPXE, 7, FEATURES | HTTPS | OTHER, &uefi, ACTION_IGNORE,
		    REASON_OTHER_FAMILY, 0, NULL },
		{ "but iPXE may be able to look up its name", CLIENT_IPXE, 7,
		    FEATURES | HTTPS | TRUSTED | NAMED | OTHER, &uefi, ACTION_OFFER,
		    REASON_SCRIPT_URL, OFFER_IPXE, "https://boot.example:8050/2PXE/boot" },
		{ "HTTP Boot without a loader", CLIENT_HTTP, 19, PLAIN, NULL, ACTION_IGNORE,
		    REASON_NO_LOADER, 0, NULL },
		{ "a Raspberry Pi gets its own form", CLIENT_RPI, ARCH_RPI, 0, &rpi, ACTION_OFFER,
		    REASON_LOADER, OFFER_RPI, "boot/rpi/bootcode.bin" },
		{ "and never what a BIOS PC gets", CLIENT_RPI, ARCH_RPI, PLAIN, &bios,
		    ACTION_IGNORE, REASON_NO_LOADER, 0, NULL },
		{ "a BIOS PC gets nothing of a Pi's", CLIENT_PXE, 0, PLAIN, &rpi, ACTION_IGNORE,
		    REASON_NO_LOADER, 0, NULL },
		{ "U-Boot gets the program for its CPU", CLIENT_UBOOT, 22, 0, &arm, ACTION_OFFER,
		    REASON_LOADER, OFFER_BINL, "boot/arm64/ipxe.efi" },
		{ "U-Boot that asks as firmware, too", CLIENT_PXE, 11, 0, &arm, ACTION_OFFER,
		    REASON_LOADER, OFFER_BINL, "boot/arm64/ipxe.efi" },
		{ "U-Boot that boots by HTTP gets a URL", CLIENT_UBOOT, 24, PLAIN, &arm,
		    ACTION_OFFER, REASON_LOADER, OFFER_HTTP,
		    "http://10.0.0.1:8060/2PXE/file/boot/arm64/ipxe.efi" },
		{ "U-Boot of a CPU that it does not tell", CLIENT_UBOOT, ARCH_UNKNOWN, 0, &bios,
		    ACTION_IGNORE, REASON_UNKNOWN_ARCH, 0, NULL },
		{ "what is no boot client is left alone", CLIENT_UNKNOWN, 0, PLAIN, &bios,
		    ACTION_IGNORE, REASON_NOT_A_BOOT, 0, NULL },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot_request r = {
			.id = 1,
			.stage = STAGE_DISCOVER,
			.client = cases[i].client,
			.arch = cases[i].arch,
			.has_ipxe_features = (cases[i].known & FEATURES) != 0,
			.ipxe_features =
			    (cases[i].known & HTTPS) != 0 ? IPXE_FEATURE_HTTPS : IPXE_FEATURE_HTTP,
			.server = { (cases[i].known & BY_V6) != 0 ? 6 : 4, { 10, 0, 0, 1 } },
		};
		struct facts f = facts_with(&r, cases[i].known, cases[i].loader);
		struct decision d, again;

		test_case("offer: %s", cases[i].what);
		run(&r, stock_policy(), &f, &d);
		CHECK_INT(d.answer.action, cases[i].action);
		CHECK_INT(d.answer.reason, cases[i].reason);
		if (d.answer.action == ACTION_OFFER) {
			CHECK_INT(d.answer.style, cases[i].style);
			CHECK_BYTES(d.answer.file, slice_str(cases[i].file));
			CHECK(slice_is(
			    d.answer.trust, (cases[i].known & BY_V6) != 0 ? "" : fingerprint));
			/* to iPXE that can do HTTPS, by address, over plain HTTP */
			CHECK_BYTES(d.answer.crosscert,
			    slice_str(cases[i].client != CLIENT_IPXE ||
					      (cases[i].known & PLAIN) == 0 ||
					      (cases[i].known & (FEATURES | HTTPS)) == FEATURES
					  ? ""
					  : "http://10.0.0.1:8060/auto"));
		}
		/* nobody waits for a tftpd that has time */
		CHECK_INT(d.answer.delay_ms, 0);
		CHECK_INT(d.delay_words.n, 0);
		/* the boot server step never answers otherwise than the offer */
		r.stage = STAGE_BOOTSERVER;
		run(&r, stock_policy(), &f, &again);
		CHECK(again.answer.action == d.answer.action &&
		      again.answer.reason == d.answer.reason);
	}
}

/* Firmware with numbers that no table has: what the site says, and one word about it. */
static void
test_unknown_arch(void)
{
	static const struct {
		const char *what, *policy;
		enum boot_client client;
		uint16_t arch;
		const struct loader *loader;
		enum boot_action action;
		enum boot_reason reason;
		enum offer_style style;
		unsigned effects;
	} cases[] = {
		{ "silence by default", "{}", CLIENT_PXE, 99, &uefi, ACTION_IGNORE,
		    REASON_UNKNOWN_ARCH, 0, EFFECT_STRANGE_ARCH },
		{ "a CPU by configuration", "{\"offers\":{\"unknown_arch\":\"x64\"}}", CLIENT_PXE,
		    99, &uefi, ACTION_OFFER, REASON_LOADER, OFFER_BINL,
		    EFFECT_STRANGE_ARCH | EFFECT_LOADER },
		{ "firmware that does not tell any", "{\"offers\":{\"unknown_arch\":\"x64\"}}",
		    CLIENT_HTTP, ARCH_UNKNOWN, &uefi, ACTION_OFFER, REASON_LOADER_HTTPS, OFFER_HTTP,
		    EFFECT_STRANGE_ARCH | EFFECT_LOADER },
		{ "the CPU has no loader", "{\"offers\":{\"unknown_arch\":\"arm64\"}}", CLIENT_PXE,
		    99, &uefi, ACTION_IGNORE, REASON_UNKNOWN_ARCH, 0, EFFECT_STRANGE_ARCH },
		{ "as BIOS PCs, in their style", "{\"offers\":{\"unknown_arch\":\"bios\"}}",
		    CLIENT_PXE, 99, &bios, ACTION_OFFER, REASON_LOADER, OFFER_PXE10_PROMPT,
		    EFFECT_STRANGE_ARCH | EFFECT_LOADER },
		{ "as Raspberry Pis", "{\"offers\":{\"unknown_arch\":\"rpi\"}}", CLIENT_PXE, 99,
		    &rpi, ACTION_OFFER, REASON_LOADER, OFFER_RPI, EFFECT_STRANGE_ARCH },
		{ "a number that is known keeps its meaning",
		    "{\"offers\":{\"unknown_arch\":\"x64\"}}", CLIENT_PXE, 2, &uefi, ACTION_IGNORE,
		    REASON_UNKNOWN_ARCH, 0, 0 },
		{ "iPXE needs no number for its script", "{}", CLIENT_IPXE, 99, &uefi, ACTION_OFFER,
		    REASON_SCRIPT_URL, OFFER_IPXE, 0 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct policy *policy = stock_policy_of(cases[i].policy);
		struct boot_request r = { .id = 1,
			.stage = STAGE_DISCOVER,
			.client = cases[i].client,
			.arch = cases[i].arch };
		struct facts f = facts_with(&r, TRUSTED, cases[i].loader);
		struct decision d;

		test_case("unknown architecture: %s", cases[i].what);
		f.subject.cpu =
		    request_cpu(&r, ARCH_UNKNOWN, (enum arch_cpu)policy->conf.strange_arch);
		run(&r, policy, &f, &d);
		CHECK_INT(d.answer.action, cases[i].action);
		CHECK_INT(d.answer.reason, cases[i].reason);
		CHECK_INT(d.answer.style, cases[i].style);
		CHECK_INT(d.effects & ~(unsigned)EFFECT_STYLE, cases[i].effects);
		policy_unref(policy);
	}
}

/* What a site may say about who gets what, where clients are not PCs. */
static void
test_boards(void)
{
	static const struct {
		const char *what, *policy;
		enum boot_client client;
		uint16_t arch;
		const struct loader *loaders[2];
		enum boot_action action;
		enum offer_style style;
		const char *file;
	} cases[] = {
		{ "a rule for all machines does not give a Pi a PC's loader",
		    "{\"rules\":[{\"name\":\"r\",\"action\":\"loader\",\"loaders\":["
		    "\"boot/bios/undionly.kpxe\"]}]}",
		    CLIENT_RPI, ARCH_RPI, { &bios, &rpi }, ACTION_IGNORE, 0, NULL },
		{ "a rule that names a Pi's gives it, in its form, whoever it is",
		    "{\"rules\":[{\"name\":\"r\",\"action\":\"loader\",\"loaders\":["
		    "\"boot/rpi/bootcode.bin\"]}]}",
		    CLIENT_PXE, 0, { &bios, &rpi }, ACTION_OFFER, OFFER_RPI,
		    "boot/rpi/bootcode.bin" },
		{ "a Pi that is refused is left alone: nothing ends its attempt sooner",
		    "{\"rules\":[{\"name\":\"r\",\"action\":\"refuse\"}]}", CLIENT_RPI, ARCH_RPI,
		    { &bios, &rpi }, ACTION_IGNORE, 0, NULL },
		{ "U-Boot too", "{\"rules\":[{\"name\":\"r\",\"action\":\"refuse\"}]}",
		    CLIENT_UBOOT, 22, { &arm, &rpi }, ACTION_IGNORE, 0, NULL },
		{ "rules know them by kind and CPU",
		    "{\"rules\":[{\"name\":\"r\",\"when\":{\"client\":[\"rpi\"],\"arch\":[\"rpi\"],"
		    "\"firmware\":[\"raspberry-pi\"]},\"action\":\"ignore\"}]}",
		    CLIENT_RPI, ARCH_RPI, { &bios, &rpi }, ACTION_IGNORE, 0, NULL },
		{ "the host for HTTP Boot may be named",
		    "{\"offers\":{\"http_host\":\"pxe.example\"}}", CLIENT_HTTP, 19, { &arm, &rpi },
		    ACTION_OFFER, OFFER_HTTP,
		    "http://pxe.example:8060/2PXE/file/boot/arm64/ipxe.efi" },
		{ "another boot server's files for Pis",
		    "{\"mode\":\"referral\",\"referral\":{\"targets\":[{\"name\":\"t\","
		    "\"next_server\":\"10.9.0.1\",\"files\":[{\"arch\":\"rpi\",\"file\":"
		    "\"bootcode.bin\"}]}]}}",
		    CLIENT_RPI, ARCH_RPI, { &bios, &rpi }, ACTION_OFFER, OFFER_RPI,
		    "bootcode.bin" },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct policy *policy = stock_policy_of(cases[i].policy);
		struct boot_request r = { .id = 1,
			.stage = STAGE_DISCOVER,
			.client = cases[i].client,
			.arch = cases[i].arch };
		struct facts f = facts_with(&r, PLAIN, NULL);
		const struct loader *best[ARCH_CPUS] = { 0 };
		struct loader both[] = { *cases[i].loaders[0], *cases[i].loaders[1] };
		struct decision d;

		test_case("boards: %s", cases[i].what);
		for (size_t k = 0; k < NITEMS(both); k++)
			best[both[k].info.cpu] = &both[k];
		f.loaders = both;
		f.nloaders = NITEMS(both);
		f.best = best;
		run(&r, policy, &f, &d);
		CHECK_INT(d.answer.action, cases[i].action);
		CHECK_INT(d.answer.style, cases[i].style);
		CHECK_BYTES(d.answer.file,
		    cases[i].file != NULL ? slice_str(cases[i].file) : (struct slice){ 0 });
		policy_unref(policy);
	}
}

/* --- rules: each action at each stage ------------------------------------------------------- */

#define TARGETS                                                                                    \
	"\"referral\":{\"targets\":[{\"name\":\"two\",\"next_server\":\"10.9.0.1\",\"files\":["    \
	"{\"arch\":\"bios\",\"file\":\"two.0\"},{\"arch\":\"x64\",\"file\":\"two.efi\"},"          \
	"{\"arch\":\"x64-http\",\"file\":\"http://10.9.0.1/two.efi\"}],"                           \
	"\"url\":\"http://10.9.0.1:8060/2PXE/boot\"},"                                             \
	"{\"name\":\"three\",\"url\":\"https://three.example/boot\",\"order\":1}]}"

#define RULE(body) "{\"rules\":[{\"name\":\"r\"," body "}]}"

struct want {
	enum boot_action action;
	enum boot_reason reason;
	int detail;       /* style of an offer, error of a refusal */
	const char *text; /* file of an offer; part of a script; text of a refusal */
	const char *rule; /* NULL: "r" */
	unsigned effects;
};

#define OFFER(style, reason, file)                                                                 \
	{                                                                                          \
		ACTION_OFFER, (reason), (style), (file), NULL, EFFECT_LOADER                       \
	}
#define OFFER_BY(style, reason, file, rule, effects)                                               \
	{                                                                                          \
		ACTION_OFFER, (reason), (style), (file), (rule), (effects)                         \
	}
#define IPXE_OFFER                                                                                 \
	{                                                                                          \
		ACTION_OFFER, REASON_SCRIPT_URL, OFFER_IPXE, "https://10.77.1.10:8050/2PXE/boot",  \
		    NULL, 0                                                                        \
	}
#define FILE_BY_DEFAULT                                                                            \
	{                                                                                          \
		ACTION_FILE, REASON_PUBLIC_FILE, 0, "boot/x64/snponly.efi", "default", 0           \
	}
#define SCRIPT(reason, part)                                                                       \
	{                                                                                          \
		ACTION_DATA, (reason), 0, (part), NULL, 0                                          \
	}
#define SCRIPT_DOES(reason, part, fx)                                                              \
	{                                                                                          \
		ACTION_DATA, (reason), 0, (part), NULL, (fx)                                       \
	}
#define STOCK_OFFERS                                                                               \
	[ASK_BIOS] = OFFER(OFFER_PXE10_PROMPT, REASON_LOADER, "boot/bios/undionly.kpxe"),          \
	[ASK_UEFI] = OFFER(OFFER_BINL, REASON_LOADER, "boot/x64/snponly.efi"),                     \
	[ASK_HTTP] = OFFER(OFFER_HTTP, REASON_LOADER_HTTPS,                                        \
	    "https://10.77.1.10:8050/2PXE/file/boot/x64/snponly.efi"),                             \
	[ASK_4011] = OFFER(OFFER_BINL, REASON_LOADER, "boot/x64/snponly.efi"),                     \
	[ASK_IPXE] = IPXE_OFFER, [ASK_FILE] = FILE_BY_DEFAULT

static void
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

static void
test_actions(void)
{
	static const struct {
		const char *what, *conf;
		struct want want[ASKS];
	} cases[] = {
		{ "serve", RULE("\"action\":\"serve\""),
		    { STOCK_OFFERS, [ASK_BOOT] = SCRIPT(REASON_MENU, "item tiny "),
			[ASK_BBOOT] = SCRIPT(REASON_MENU, "item tiny ") } },
		{ "ignore", RULE("\"action\":\"ignore\""),
		    { [ASK_BIOS] = { ACTION_IGNORE, REASON_RULE_SILENCE, 0, NULL, NULL, 0 },
			[ASK_UEFI] = { ACTION_IGNORE, REASON_RULE_SILENCE, 0, NULL, NULL, 0 },
			[ASK_HTTP] = { ACTION_IGNORE, REASON_RULE_SILENCE, 0, NULL, NULL, 0 },
			[ASK_4011] = { ACTION_IGNORE, REASON_RULE_SILENCE, 0, NULL, NULL, 0 },
			[ASK_IPXE] = { ACTION_IGNORE, REASON_RULE_SILENCE, 0, NULL, NULL, 0 },
			[ASK_FILE] = FILE_BY_DEFAULT,
			/* who came so far is not left hanging */
			[ASK_BOOT] = SCRIPT(REASON_RULE_SILENCE, "exit 1\n"),
			[ASK_BBOOT] = SCRIPT(REASON_RULE_SILENCE, "sanboot --no-describe") } },
		{ "refuse", RULE("\"action\":\"refuse\",\"text\":\"Not here.\",\"log\":true"),
		    { [ASK_BIOS] =
			    OFFER_BY(OFFER_LOCAL, REASON_RULE_REFUSES, NULL, NULL, EFFECT_LOG),
			[ASK_UEFI] =
			    OFFER_BY(OFFER_LOCAL, REASON_RULE_REFUSES, NULL, NULL, EFFECT_LOG),
			[ASK_HTTP] =
			    OFFER_BY(OFFER_LOCAL, REASON_RULE_REFUSES, NULL, NULL, EFFECT_LOG),
			[ASK_4011] =
			    OFFER_BY(OFFER_LOCAL, REASON_RULE_REFUSES, NULL, NULL, EFFECT_LOG),
			/* iPXE is told by its script */
			[ASK_IPXE] = OFFER_BY(OFFER_IPXE, REASON_SCRIPT_URL,
			    "https://10.77.1.10:8050/2PXE/boot", NULL, EFFECT_LOG),
			[ASK_FILE] = FILE_BY_DEFAULT,
			[ASK_BOOT] = SCRIPT_DOES(REASON_RULE_REFUSES, "Not here.", EFFECT_LOG),
			[ASK_BBOOT] = SCRIPT_DOES(REASON_RULE_REFUSES, "Not here.", EFFECT_LOG) } },
		{ "refuse without words of its own has the site's",
		    "{\"texts\":{\"deny\":\"Go away.\"},\"rules\":[{\"name\":\"r\","
		    "\"action\":\"refuse\",\"when\":{\"stage\":[\"boot\"]}}]}",
		    { [ASK_BIOS] = OFFER_BY(OFFER_PXE10_PROMPT, REASON_LOADER,
			  "boot/bios/undionly.kpxe", "default", EFFECT_LOADER),
			[ASK_UEFI] = OFFER_BY(OFFER_BINL, REASON_LOADER, "boot/x64/snponly.efi",
			    "default", EFFECT_LOADER),
			[ASK_HTTP] = OFFER_BY(OFFER_HTTP, REASON_LOADER_HTTPS,
			    "https://10.77.1.10:8050/2PXE/file/boot/x64/snponly.efi", "default",
			    EFFECT_LOADER),
			[ASK_4011] = OFFER_BY(OFFER_BINL, REASON_LOADER, "boot/x64/snponly.efi",
			    "default", EFFECT_LOADER),
			[ASK_IPXE] = OFFER_BY(OFFER_IPXE, REASON_SCRIPT_URL,
			    "https://10.77.1.10:8050/2PXE/boot", "default", 0),
			[ASK_FILE] = FILE_BY_DEFAULT,
			[ASK_BOOT] = SCRIPT(REASON_RULE_REFUSES, "Go away."),
			[ASK_BBOOT] = SCRIPT(REASON_RULE_REFUSES, "Go away.") } },
		{ "a refusal of a file is an error with words",
		    RULE("\"action\":\"refuse\",\"text\":\"Not yours.\","
			 "\"when\":{\"stage\":[\"file\"],\"file\":[\"boot/*\"]}"),
		    { [ASK_BIOS] = OFFER_BY(OFFER_PXE10_PROMPT, REASON_LOADER,
			  "boot/bios/undionly.kpxe", "default", EFFECT_LOADER),
			[ASK_UEFI] = OFFER_BY(OFFER_BINL, REASON_LOADER, "boot/x64/snponly.efi",
			    "default", EFFECT_LOADER),
			[ASK_HTTP] = OFFER_BY(OFFER_HTTP, REASON_LOADER_HTTPS,
			    "https://10.77.1.10:8050/2PXE/file/boot/x64/snponly.efi", "default",
			    EFFECT_LOADER),
			[ASK_4011] = OFFER_BY(OFFER_BINL, REASON_LOADER, "boot/x64/snponly.efi",
			    "default", EFFECT_LOADER),
			[ASK_IPXE] = OFFER_BY(OFFER_IPXE, REASON_SCRIPT_URL,
			    "https://10.77.1.10:8050/2PXE/boot", "default", 0),
			[ASK_FILE] = { ACTION_ERROR, REASON_RULE_REFUSES, BOOT_ERROR_FORBIDDEN,
			    "Not yours.", NULL, 0 },
			[ASK_BOOT] = { ACTION_DATA, REASON_MENU, 0, NULL, "default", 0 },
			[ASK_BBOOT] = { ACTION_DATA, REASON_MENU, 0, NULL, "default", 0 } } },
		{ "loader: this one, and the next rules at the later stages",
		    RULE("\"action\":\"loader\",\"loaders\":[\"boot/none\","
			 "\"boot/arm64/snponly.efi\"],\"style\":\"pxe10\""),
		    { [ASK_BIOS] = OFFER(OFFER_PXE10, REASON_LOADER, "boot/arm64/snponly.efi"),
			[ASK_UEFI] = OFFER(OFFER_PXE10, REASON_LOADER, "boot/arm64/snponly.efi"),
			[ASK_HTTP] = OFFER(OFFER_HTTP, REASON_LOADER_HTTPS,
			    "https://10.77.1.10:8050/2PXE/file/boot/arm64/snponly.efi"),
			[ASK_4011] = OFFER(OFFER_PXE10, REASON_LOADER, "boot/arm64/snponly.efi"),
			[ASK_IPXE] = OFFER_BY(OFFER_IPXE, REASON_SCRIPT_URL,
			    "https://10.77.1.10:8050/2PXE/boot", "default", 0),
			[ASK_FILE] = FILE_BY_DEFAULT,
			[ASK_BOOT] = { ACTION_DATA, REASON_MENU, 0, NULL, "default", 0 },
			[ASK_BBOOT] = { ACTION_DATA, REASON_MENU, 0, NULL, "default", 0 } } },
		{ "entry", RULE("\"action\":\"entry\",\"entry\":\"tiny\""),
		    { STOCK_OFFERS, [ASK_BOOT] = SCRIPT(REASON_RULE_ENTRY, "images/tiny/vmlinuz"),
			[ASK_BBOOT] = SCRIPT(REASON_RULE_ENTRY, "images/tiny/vmlinuz") } },
		{ "entry, after a key on UEFI",
		    RULE("\"action\":\"entry\",\"entry\":\"tiny\",\"prompt\":"
			 "{\"uefi_text\":\"Press F12\",\"key\":\"F12\",\"timeout_ms\":3000}"),
		    { STOCK_OFFERS, [ASK_BOOT] = SCRIPT(REASON_RULE_ENTRY, "Press F12"),
			[ASK_BBOOT] = SCRIPT(REASON_RULE_ENTRY, "images/tiny/vmlinuz") } },
		{ "menu", RULE("\"action\":\"menu\""),
		    { STOCK_OFFERS, [ASK_BOOT] = SCRIPT(REASON_MENU, "item tiny "),
			[ASK_BBOOT] = SCRIPT(REASON_MENU, "item tiny ") } },
		{ "a menu of the site's, with its own default for these machines",
		    "{\"menus\":[{\"name\":\"m\",\"title\":\"Mine\",\"timeout_ms\":77,\"items\":["
		    "{\"kind\":\"entry\",\"name\":\"tiny\"},{\"kind\":\"local\"}]}],"
		    "\"rules\":[{\"name\":\"r\",\"action\":\"menu\",\"menu\":\"m\","
		    "\"standing\":\"tiny\"}]}",
		    { STOCK_OFFERS, [ASK_BOOT] = SCRIPT(REASON_MENU, "--default tiny --timeout 77"),
			[ASK_BBOOT] = SCRIPT(REASON_MENU, "menu Mine\n") } },
		{ "script without hooks is the menu of everything", RULE("\"action\":\"script\""),
		    { STOCK_OFFERS, [ASK_BOOT] = SCRIPT(REASON_MENU, "item tiny "),
			[ASK_BBOOT] = SCRIPT(REASON_MENU, "item tiny ") } },
		{ "approval: the loader is given, as the page that waits is a script",
		    RULE("\"action\":\"approval\",\"text\":\"Ask room 7.\""),
		    { STOCK_OFFERS,
			[ASK_BOOT] =
			    SCRIPT_DOES(REASON_APPROVAL, "Ask room 7.", EFFECT_WANT_APPROVAL),
			[ASK_BBOOT] =
			    SCRIPT_DOES(REASON_APPROVAL, "asking again", EFFECT_WANT_APPROVAL) } },
		{ "refer: by file at DHCP, by URL at the boot stage",
		    "{" TARGETS ",\"rules\":[{\"name\":\"r\",\"action\":\"refer\"}]}",
		    { [ASK_BIOS] = OFFER_BY(OFFER_PXE10_PROMPT, REASON_REFERRED, "two.0", NULL, 0),
			[ASK_UEFI] = OFFER_BY(OFFER_BINL, REASON_REFERRED, "two.efi", NULL, 0),
			[ASK_HTTP] = OFFER_BY(
			    OFFER_HTTP, REASON_REFERRED, "http://10.9.0.1/two.efi", NULL, 0),
			[ASK_4011] = OFFER_BY(OFFER_BINL, REASON_REFERRED, "two.efi", NULL, 0),
			[ASK_IPXE] = IPXE_OFFER,
			[ASK_FILE] = FILE_BY_DEFAULT,
			[ASK_BOOT] =
			    SCRIPT(REASON_REFERRED, "http://10.9.0.1:8060/2PXE/boot?bfvia=stock"),
			[ASK_BBOOT] =
			    SCRIPT(REASON_REFERRED, "https://three.example/boot?bfvia=stock") } },
		{ "refer to a target that only has a URL: firmware gets our loader first",
		    "{" TARGETS ",\"rules\":[{\"name\":\"r\",\"action\":\"refer\","
		    "\"targets\":[\"three\"]}]}",
		    { STOCK_OFFERS,
			[ASK_BOOT] =
			    SCRIPT(REASON_REFERRED, "https://three.example/boot?bfvia=stock"),
			[ASK_BBOOT] =
			    SCRIPT(REASON_REFERRED, "https://three.example/boot?bfvia=stock") } },
		{ "quarantine: a page that says so, and the machine's state",
		    RULE("\"action\":\"quarantine\",\"text\":\"Locked.\""),
		    { [ASK_BIOS] = OFFER_BY(OFFER_PXE10_PROMPT, REASON_LOADER,
			  "boot/bios/undionly.kpxe", NULL, EFFECT_LOADER | EFFECT_QUARANTINE),
			[ASK_UEFI] = OFFER_BY(OFFER_BINL, REASON_LOADER, "boot/x64/snponly.efi",
			    NULL, EFFECT_LOADER | EFFECT_QUARANTINE),
			[ASK_HTTP] = OFFER_BY(OFFER_HTTP, REASON_LOADER_HTTPS,
			    "https://10.77.1.10:8050/2PXE/file/boot/x64/snponly.efi", NULL,
			    EFFECT_LOADER | EFFECT_QUARANTINE),
			[ASK_4011] = OFFER_BY(OFFER_BINL, REASON_LOADER, "boot/x64/snponly.efi",
			    NULL, EFFECT_LOADER | EFFECT_QUARANTINE),
			[ASK_IPXE] = OFFER_BY(OFFER_IPXE, REASON_SCRIPT_URL,
			    "https://10.77.1.10:8050/2PXE/boot", NULL, EFFECT_QUARANTINE),
			[ASK_FILE] = FILE_BY_DEFAULT,
			[ASK_BOOT] = SCRIPT_DOES(REASON_QUARANTINE, "Locked.", EFFECT_QUARANTINE),
			[ASK_BBOOT] =
			    SCRIPT_DOES(REASON_QUARANTINE, "Locked.", EFFECT_QUARANTINE) } },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct policy *policy = stock_policy_of(cases[i].conf);

		for (enum ask k = 0; k < ASKS; k++) {
			struct boot_request r = request_of(k);
			struct facts f = facts_of(&r);
			struct decision d;

			test_case("rule: %s; asked by %s", cases[i].what, ask_names[k]);
			run(&r, policy, &f, &d);
			check_want(&d, &cases[i].want[k]);
		}
		policy_unref(policy);
	}
}

/* One decision under one policy. */
static void
decide_by(const char *conf, const struct boot_request *r, const struct facts *f,
    const struct want *want, struct decision *ret)
{
	struct policy *policy = stock_policy_of(conf);

	run(r, policy, f, ret);
	check_want(ret, want);
	policy_unref(policy);
}

/* --- the machine ---------------------------------------------------------------------------- */

static void
test_machine(void)
{
	static const char unknown_approval[] = "{\"unknown\":\"approval\"}";
	static const char unknown_ignore[] = "{\"unknown\":\"ignore\"}";
	static const char approval[] = RULE("\"action\":\"approval\"");
	static const struct {
		const char *what, *conf;
		enum ask ask;
		enum machine_state state;
		const char *entry; /* "": nothing is assigned */
		bool holds_now;    /* the assignment */
		unsigned bits;     /* of enum rule_machine; 0: new and unknown */
		struct want want;
	} cases[] = {
		{ "a machine that is new gets the menu", "{}", ASK_BOOT, MACHINE_NEW, "", false, 0,
		    { ACTION_DATA, REASON_MENU, 0, "item tiny ", "default", 0 } },
		{ "one that is blocked is told so", "{}", ASK_BOOT, MACHINE_BLOCKED, "", false, 0,
		    { ACTION_DATA, REASON_BLOCKED, 0, "may not boot from here", "state", 0 } },
		{ "its firmware gets what ends the attempt", "{}", ASK_BIOS, MACHINE_BLOCKED, "",
		    false, 0, { ACTION_OFFER, REASON_BLOCKED, OFFER_LOCAL, NULL, "state", 0 } },
		{ "one that was denied", "{}", ASK_BOOT, MACHINE_DENIED, "", false, 0,
		    { ACTION_DATA, REASON_DENIED, 0, "may not boot from here", "state", 0 } },
		{ "its firmware too", "{}", ASK_HTTP, MACHINE_DENIED, "", false, 0,
		    { ACTION_OFFER, REASON_DENIED, OFFER_LOCAL, NULL, "state", 0 } },
		{ "one that is held waits", "{}", ASK_BOOT, MACHINE_HELD, "", false, 0,
		    { ACTION_DATA, REASON_HELD, 0, "asking again", "state", 0 } },
		{ "it gets its loader for that", "{}", ASK_UEFI, MACHINE_HELD, "", false, 0,
		    { ACTION_OFFER, REASON_LOADER, OFFER_BINL, "boot/x64/snponly.efi", "state",
			EFFECT_LOADER } },
		{ "one in quarantine stays there", "{}", ASK_BOOT, MACHINE_QUARANTINED, "", false,
		    0, { ACTION_DATA, REASON_QUARANTINE, 0, "in quarantine", "state", 0 } },
		{ "quarantine beats an assignment", "{}", ASK_BOOT, MACHINE_QUARANTINED, "tiny",
		    true, 0, { ACTION_DATA, REASON_QUARANTINE, 0, NULL, "state", 0 } },
		{ "blocked beats every rule", RULE("\"action\":\"entry\",\"entry\":\"tiny\""),
		    ASK_BOOT, MACHINE_BLOCKED, "", false, 0,
		    { ACTION_DATA, REASON_BLOCKED, 0, NULL, "state", 0 } },
		{ "what is assigned boots", "{}", ASK_BOOT, MACHINE_NEW, "tiny", true, 0,
		    { ACTION_DATA, REASON_ASSIGNED, 0, "images/tiny/vmlinuz", "assignment", 0 } },
		{ "before every rule", RULE("\"action\":\"refuse\""), ASK_BOOT, MACHINE_NEW, "tiny",
		    true, 0, { ACTION_DATA, REASON_ASSIGNED, 0, NULL, "assignment", 0 } },
		{ "without the site's prompt",
		    "{\"prompt\":{\"uefi_text\":\"Press F12\",\"key\":\"F12\"}}", ASK_BOOT,
		    MACHINE_NEW, "tiny", true, 0,
		    { ACTION_DATA, REASON_ASSIGNED, 0, "images/tiny/vmlinuz", "assignment", 0 } },
		{ "its firmware gets the loader", RULE("\"action\":\"ignore\""), ASK_UEFI,
		    MACHINE_NEW, "tiny", true, 0,
		    { ACTION_OFFER, REASON_LOADER, OFFER_BINL, "boot/x64/snponly.efi", "assignment",
			EFFECT_LOADER } },
		{ "an assignment whose time is over does nothing", "{}", ASK_BOOT, MACHINE_NEW,
		    "tiny", false, 0, { ACTION_DATA, REASON_MENU, 0, NULL, "default", 0 } },
		{ "one of an entry that is gone asks again", "{}", ASK_BOOT, MACHINE_NEW, "gone",
		    true, 0,
		    { ACTION_DATA, REASON_NO_ENTRY, 0, "The entry gone is not on the server.",
			"assignment", 0 } },
		{ "an unknown machine waits for approval where the site wants that",
		    unknown_approval, ASK_BOOT, MACHINE_NEW, "", false, 0,
		    { ACTION_DATA, REASON_APPROVAL, 0, "waits for approval", "unknown",
			EFFECT_WANT_APPROVAL } },
		{ "it gets its loader for that", unknown_approval, ASK_BIOS, MACHINE_NEW, "", false,
		    0,
		    { ACTION_OFFER, REASON_LOADER, OFFER_PXE10_PROMPT, "boot/bios/undionly.kpxe",
			"unknown", EFFECT_LOADER } },
		{ "an unknown machine is left alone where the site wants that", unknown_ignore,
		    ASK_UEFI, MACHINE_NEW, "", false, 0,
		    { ACTION_IGNORE, REASON_UNKNOWN_MACHINE, 0, NULL, "unknown", 0 } },
		{ "one that came so far all the same leaves", unknown_ignore, ASK_BOOT, MACHINE_NEW,
		    "", false, 0,
		    { ACTION_DATA, REASON_UNKNOWN_MACHINE, 0, "exit 1\n", "unknown", 0 } },
		{ "an approved machine is not unknown", unknown_approval, ASK_BOOT,
		    MACHINE_APPROVED, "", false,
		    1u << RULE_MACHINE_SEEN | 1u << RULE_MACHINE_APPROVED,
		    { ACTION_DATA, REASON_MENU, 0, NULL, "default", 0 } },
		{ "nor is one in a group", unknown_ignore, ASK_UEFI, MACHINE_NEW, "", false,
		    1u << RULE_MACHINE_SEEN,
		    { ACTION_OFFER, REASON_LOADER, OFFER_BINL, "boot/x64/snponly.efi", "default",
			EFFECT_LOADER } },
		{ "a rule that serves is asked before the policy for unknown machines",
		    "{\"unknown\":\"ignore\",\"rules\":[{\"name\":\"r\",\"when\":{\"arch\":"
		    "[\"x64\"]}}]}",
		    ASK_BOOT, MACHINE_NEW, "", false, 0,
		    { ACTION_DATA, REASON_MENU, 0, NULL, "r", 0 } },
		{ "a rule that wants approval lets an approved machine go on", approval, ASK_BOOT,
		    MACHINE_APPROVED, "", false,
		    1u << RULE_MACHINE_SEEN | 1u << RULE_MACHINE_APPROVED,
		    { ACTION_DATA, REASON_MENU, 0, NULL, "default", 0 } },
		{ "to the next rule",
		    "{\"rules\":[{\"name\":\"a\",\"action\":\"approval\",\"log\":true,\"prompt\":"
		    "{\"uefi_text\":\"Press F12\"}},"
		    "{\"name\":\"r\",\"action\":\"entry\",\"entry\":\"tiny\"}]}",
		    ASK_BOOT, MACHINE_APPROVED, "", false,
		    1u << RULE_MACHINE_SEEN | 1u << RULE_MACHINE_APPROVED,
		    { ACTION_DATA, REASON_RULE_ENTRY, 0, "images/tiny/vmlinuz", NULL, 0 } },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot_request r = request_of(cases[i].ask);
		struct facts f = facts_of(&r);
		struct decision d;

		f.machine = (struct machine_knowledge){
			.known = true,
			.is_assigned = cases[i].holds_now,
			.m = { .id = 5,
			    .state = cases[i].state,
			    .entry = slice_str(cases[i].entry) },
		};
		if (cases[i].bits != 0)
			f.subject.machine = cases[i].bits;
		test_case("machine: %s", cases[i].what);
		decide_by(cases[i].conf, &r, &f, &cases[i].want, &d);
		if (d.answer.reason == REASON_ASSIGNED) {
			CHECK_STR(d.entry, "tiny");
			CHECK(!holds(d.answer.data, "prompt"));
		}
		if (d.answer.reason == REASON_RULE_ENTRY)
			CHECK(!holds(d.answer.data, "Press F12"));
	}
}

/* --- loaders: the site's lists and experience ----------------------------------------------- */

static void
test_loaders(void)
{
	static const char list[] =
	    "{\"loaders\":[{\"arch\":\"x64\",\"paths\":[\"boot/x64/grub.efi\","
	    "\"boot/x64/old.efi\",\"boot/x64/snponly.efi\"]}]}";
	static const char by_rule[] = RULE("\"action\":\"loader\",\"loaders\":"
					   "[\"boot/x64/snponly.efi\",\"boot/x64/grub.efi\"]");
	const struct loader three[] = { uefi, grub, no_https };
	static const struct loader *best[ARCH_CPUS];
	struct boot_request r = request_of(ASK_UEFI);
	struct facts f = facts_of(&r);
	struct adapt *adapt;
	struct decision d;

	best[ARCH_CPU_X64] = &three[0];
	f.loaders = three;
	f.nloaders = NITEMS(three);
	f.best = best;

	test_case("loaders: the best one in the content root, where nobody says otherwise");
	decide_by("{}", &r, &f,
	    &(struct want)OFFER_BY(
		OFFER_BINL, REASON_LOADER, "boot/x64/snponly.efi", "default", EFFECT_LOADER),
	    &d);
	CHECK_INT(d.loader_at, 0);
	CHECK_STR(d.loaders[1].path, "boot/x64/grub.efi");

	test_case("loaders: the site's list, without what is not there or a dead end");
	decide_by(list, &r, &f,
	    &(struct want)OFFER_BY(
		OFFER_BINL, REASON_LOADER, "boot/x64/grub.efi", "default", EFFECT_LOADER),
	    &d);
	CHECK_STR(d.loaders[1].path, "boot/x64/snponly.efi");

	test_case("loaders: a rule's list beats the site's");
	decide_by(by_rule, &r, &f,
	    &(struct want)OFFER(OFFER_BINL, REASON_LOADER, "boot/x64/snponly.efi"), &d);

	test_case("loaders: of a list of which nothing is there nothing is offered");
	decide_by(RULE("\"action\":\"loader\",\"loaders\":[\"a\",\"b\"]"), &r, &f,
	    &(struct want){ ACTION_IGNORE, REASON_NO_LOADER, 0, NULL, NULL, 0 }, &d);

	if (adapt_new(10, 10, &adapt) < 0)
		abort();
	f.adapt = adapt;
	f.now_ms = 100000;
	decide_by("{}", &r, &f,
	    &(struct want)OFFER_BY(
		OFFER_BINL, REASON_LOADER, "boot/x64/snponly.efi", "default", EFFECT_LOADER),
	    &d);
	{
		char key[ADAPT_KEY_MAX];

		(void)adapt_key(r.manufacturer, r.product, &r.mac, r.vendor_class, r.arch, key);
		adapt_given(adapt, key, &r.mac, d.loaders, d.loader_at, f.now_ms);
	}
	adapt_fetched(adapt, &r.mac, "boot/x64/snponly.efi", f.now_ms + 1000);
	f.now_ms += 60000;
	test_case("loaders: one that was never heard of makes room for the next");
	CHECK(adapt_silent(adapt, &r.mac, f.now_ms));
	decide_by("{}", &r, &f,
	    &(struct want)OFFER_BY(
		OFFER_BINL, REASON_LOADER_LEARNED, "boot/x64/grub.efi", "default", EFFECT_LOADER),
	    &d);
	CHECK_INT(d.loader_at, 1);
	CHECK_INT(d.loader_why, ADAPT_NEXT);
	test_case("loaders: also within a rule's list");
	decide_by(by_rule, &r, &f,
	    &(struct want)OFFER(OFFER_BINL, REASON_LOADER_LEARNED, "boot/x64/grub.efi"), &d);
	test_case("loaders: another machine still gets the preferred one");
	r.mac.b[5]++;
	f.subject.mac = r.mac;
	decide_by("{}", &r, &f,
	    &(struct want)OFFER_BY(
		OFFER_BINL, REASON_LOADER, "boot/x64/snponly.efi", "default", EFFECT_LOADER),
	    &d);
	adapt_free(adapt);
}

static void
test_styles(void)
{
	static const char snponly[] = "boot/x64/snponly.efi";
	static const struct {
		const char *what, *conf;
		enum ask ask;
		bool tried; /* and did not follow BINL */
		enum offer_style style, first;
		enum boot_reason reason;
		enum style_why why;
		unsigned effects;
	} cases[] = {
		{ "UEFI gets BINL", "{}", ASK_UEFI, false, OFFER_BINL, OFFER_BINL, REASON_LOADER,
		    STYLE_DEFAULT, EFFECT_STYLE },
		{ "BIOS gets PXE10 with a prompt", "{}", ASK_BIOS, false, OFFER_PXE10_PROMPT,
		    OFFER_PXE10_PROMPT, REASON_LOADER, STYLE_DEFAULT, EFFECT_STYLE },
		{ "the site's default", "{\"offers\":{\"uefi\":\"menu\"}}", ASK_UEFI, false,
		    OFFER_MENU, OFFER_MENU, REASON_LOADER, STYLE_DEFAULT, EFFECT_STYLE },
		{ "one that was not followed makes room for the next", "{}", ASK_UEFI, true,
		    OFFER_PXE10, OFFER_BINL, REASON_STYLE_LEARNED, STYLE_NEXT, EFFECT_STYLE },
		{ "... and port 4011 is told the same", "{}", ASK_4011, true, OFFER_PXE10,
		    OFFER_BINL, REASON_STYLE_LEARNED, STYLE_NEXT, EFFECT_STYLE },
		{ "a rule's style is that, whatever was learned",
		    "{\"rules\":[{\"name\":\"r\",\"action\":\"loader\",\"loaders\":[\"boot/x64/"
		    "snponly.efi\"],"
		    "\"style\":\"menu\"}]}",
		    ASK_UEFI, true, OFFER_MENU, OFFER_MENU, REASON_LOADER, STYLE_RULE, 0 },
		{ "a rule without a style leaves it to experience",
		    "{\"rules\":[{\"name\":\"r\",\"action\":\"loader\",\"loaders\":[\"boot/x64/"
		    "snponly.efi\"]}]}",
		    ASK_UEFI, true, OFFER_PXE10, OFFER_BINL, REASON_STYLE_LEARNED, STYLE_NEXT,
		    EFFECT_STYLE },
		{ "adapting is off", "{\"offers\":{\"adapt\":false}}", ASK_UEFI, true, OFFER_BINL,
		    OFFER_BINL, REASON_LOADER, STYLE_RULE, 0 },
		{ "HTTP Boot has one style", "{}", ASK_HTTP, true, OFFER_HTTP, OFFER_HTTP,
		    REASON_LOADER_HTTPS, STYLE_DEFAULT, EFFECT_STYLE },
	};
	struct boot_request r = request_of(ASK_UEFI);
	struct firmware f;
	struct styles_sight sight = { &r.mac, &f, 0, 1, 0 };
	struct styles *experience;
	static uint8_t room[DECIDE_SCRATCH];

	firmware_of_request(&r, &f);
	sight.key = firmware_key(&f);
	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot_request ask = request_of(cases[i].ask);
		struct facts facts = facts_of(&ask);
		struct policy *policy = stock_policy_of(cases[i].conf);
		struct decision d;
		struct wbuf w;

		test_case("styles: %s", cases[i].what);
		CHECK_INT(styles_new(1, 1, &experience), 0);
		sight.xid = 1;
		styles_given(experience, &sight, OFFER_BINL, OFFER_BINL, STYLE_DEFAULT, 1000);
		sight.xid = 2;
		if (cases[i].tried)
			CHECK(styles_arrive(experience, &sight, 61000).unanswered);
		facts.styles = experience;
		facts.now_ms = 61000;
		wbuf_init(&w, room, sizeof(room));
		decide(&ask, policy, &facts, &w, &d);
		CHECK_INT(d.answer.action, ACTION_OFFER);
		CHECK_STR(offer_style_name(d.answer.style), offer_style_name(cases[i].style));
		CHECK_STR(boot_reason_name(d.answer.reason), boot_reason_name(cases[i].reason));
		CHECK_STR(style_why_name(d.style_why), style_why_name(cases[i].why));
		CHECK_INT(d.style_first, cases[i].first);
		CHECK_INT(d.effects & EFFECT_STYLE, cases[i].effects);
		if (cases[i].ask == ASK_UEFI)
			CHECK_BYTES(d.answer.file, slice_str(snponly));
		styles_free(experience);
		policy_unref(policy);
	}
}

/* --- choices -------------------------------------------------------------------------------- */

static const char menus[] =
    "{\"entries\":["
    "{\"name\":\"disk\",\"type\":\"local\"},"
    "{\"name\":\"arm\",\"type\":\"linux\",\"kernel\":\"k\",\"arch\":[\"arm64\"]},"
    "{\"name\":\"big\",\"type\":\"linux\",\"kernel\":\"k\",\"min_memory_mb\":4096},"
    "{\"name\":\"old\",\"type\":\"linux\",\"kernel\":\"k\",\"firmware\":\"bios\"},"
    "{\"name\":\"app\",\"type\":\"efi\",\"file\":\"app.efi\"},"
    "{\"name\":\"away\",\"type\":\"refer\",\"target\":\"two\"},"
    "{\"name\":\"missing\",\"type\":\"image\"},"
    "{\"name\":\"hidden\",\"type\":\"linux\",\"kernel\":\"k\"}],"
    "\"menus\":[{\"name\":\"top\",\"items\":[{\"kind\":\"entry\",\"name\":\"disk\"},"
    "{\"kind\":\"entry\",\"name\":\"arm\"},{\"kind\":\"entry\",\"name\":\"big\"},"
    "{\"kind\":\"entry\",\"name\":\"old\"},{\"kind\":\"entry\",\"name\":\"app\"},"
    "{\"kind\":\"entry\",\"name\":\"missing\"},{\"kind\":\"entry\",\"name\":\"away\"},"
    "{\"kind\":\"menu\",\"name\":\"sub\"}]},"
    "{\"name\":\"sub\",\"items\":[{\"kind\":\"entry\",\"name\":\"tiny\"},"
    "{\"kind\":\"menu\",\"name\":\"top\"}]}]," TARGETS
    ",\"rules\":[{\"name\":\"r\",\"action\":\"menu\",\"menu\":\"top\"}]}";

static void
test_choices(void)
{
	static const struct {
		const char *what, *params;
		enum ask ask;
		const char *entry; /* that the decision is about, or "" */
		struct want want;
	} cases[] = {
		{ "the menu itself, without what does not suit", "", ASK_BOOT, "",
		    SCRIPT(REASON_MENU, "item disk ") },
		{ "what it offers boots", "entry=disk", ASK_BOOT, "disk",
		    SCRIPT(REASON_CHOSEN, "exit 1") },
		{ "what a menu within it offers too", "entry=tiny", ASK_BOOT, "tiny",
		    SCRIPT(REASON_CHOSEN, "images/tiny/vmlinuz") },
		{ "what no menu offers does not", "entry=hidden", ASK_BOOT, "",
		    SCRIPT(REASON_NOT_OFFERED, "That is not in the menu of this machine.") },
		{ "what does not exist", "entry=nothing", ASK_BOOT, "",
		    SCRIPT(REASON_NOT_OFFERED, NULL) },
		{ "what is no name", "entry=..%2f..%2fetc", ASK_BOOT, "",
		    SCRIPT(REASON_NOT_OFFERED, NULL) },
		{ "what iPXE would expand", "entry=%24%7bnet0%2fmac%7d", ASK_BOOT, "",
		    SCRIPT(REASON_NOT_OFFERED, NULL) },
		{ "a name with a NUL behind it is none", "entry=tiny%00x", ASK_BOOT, "",
		    SCRIPT(REASON_MENU, NULL) },
		{ "an entry for another CPU", "entry=arm", ASK_BOOT, "",
		    SCRIPT(REASON_NO_ENTRY, "The entry arm is not for a machine of this kind.") },
		{ "one for more memory", "memsize=2048&entry=big", ASK_BOOT, "",
		    SCRIPT(REASON_NO_ENTRY, "not for a machine of this kind") },
		{ "one for a BIOS", "entry=old", ASK_BOOT, "", SCRIPT(REASON_NO_ENTRY, NULL) },
		{ "which a BIOS boots", "entry=old", ASK_BBOOT, "old",
		    SCRIPT(REASON_CHOSEN, NULL) },
		{ "an EFI program on a BIOS", "entry=app", ASK_BBOOT, "",
		    SCRIPT(REASON_NO_ENTRY, NULL) },
		{ "and on UEFI", "entry=app", ASK_BOOT, "app", SCRIPT(REASON_CHOSEN, "app.efi") },
		{ "an entry whose image is not there", "entry=missing", ASK_BOOT, "",
		    SCRIPT(REASON_NO_ENTRY, "The entry missing is not on the server.") },
		{ "an entry that refers", "entry=away", ASK_BOOT, "away",
		    SCRIPT(REASON_REFERRED, "http://10.9.0.1:8060/2PXE/boot?") },
		{ "2PXE's offerid", "nomenu=true&offerid=tiny", ASK_BOOT, "tiny",
		    SCRIPT(REASON_CHOSEN, "images/tiny/vmlinuz") },
		{ "which counts with nomenu only", "offerid=tiny", ASK_BOOT, "",
		    SCRIPT(REASON_MENU, "item disk ") },
		{ "and not with another value of it", "nomenu=false&offerid=tiny", ASK_BOOT, "",
		    SCRIPT(REASON_MENU, NULL) },
		{ "an offerid that is not offered", "nomenu=true&offerid=hidden", ASK_BOOT, "",
		    SCRIPT(REASON_NOT_OFFERED, NULL) },
	};
	struct decision d;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot_request r = request_of(cases[i].ask);
		struct facts f;

		r.params = slice_str(cases[i].params);
		f = facts_of(&r);
		f.memory_mb = strstr(cases[i].params, "memsize") != NULL ? 2048 : 0;
		test_case("choice: %s", cases[i].what);
		decide_by(menus, &r, &f, &cases[i].want, &d);
		CHECK_STR(d.entry, cases[i].entry);
		if (d.answer.reason == REASON_MENU)
			CHECK(!holds(d.answer.data, "item arm ") &&
			      !holds(d.answer.data, "item hidden "));
	}
	{
		struct boot_request r = request_of(ASK_BOOT);
		struct facts f = facts_of(&r);

		test_case("choice: a menu of which nothing suits says so, and asks again");
		f.nimages = 0;
		decide_by("{}", &r, &f,
		    &(struct want){ ACTION_DATA, REASON_NO_IMAGE, 0, NULL, "default", 0 }, &d);
	}
}

/* The menu of all images, as without any configuration. */
static void
test_images(void)
{
	static struct image images[3] = {
		{ .name = "alpha",
		    .type = IMAGE_LINUX,
		    .nfiles = 1,
		    .files = { { IMAGE_KERNEL, "k", 1, { 0 } } } },
		{ .name = "arm",
		    .type = IMAGE_LINUX,
		    .cpu = ARCH_CPU_ARM64,
		    .nfiles = 1,
		    .files = { { IMAGE_KERNEL, "k", 1, { 0 } } } },
		{ .name = "zulu",
		    .type = IMAGE_LINUX,
		    .nfiles = 1,
		    .files = { { IMAGE_KERNEL, "k", 1, { 0 } } } },
	};
	struct boot_request r = request_of(ASK_BOOT);
	struct facts f;
	struct decision d;

	test_case("boot: a client that does not say who it is is made to");
	r.mac.len = 0;
	f = facts_of(&r);
	run(&r, stock_policy(), &f, &d);
	CHECK_INT(d.answer.reason, REASON_COLLECT);
	check_holds(&d, "##params");

	test_case("boot: without images the script says so");
	r = request_of(ASK_BOOT);
	f = facts_of(&r);
	f.nimages = 0;
	run(&r, stock_policy(), &f, &d);
	CHECK_INT(d.answer.reason, REASON_NO_IMAGE);

	test_case("boot: a menu of what suits the client, the first as the default");
	f.images = images;
	f.nimages = NITEMS(images);
	run(&r, stock_policy(), &f, &d);
	CHECK_INT(d.answer.reason, REASON_MENU);
	check_holds(&d, "item alpha ");
	check_holds(&d, "item zulu ");
	CHECK(!holds(d.answer.data, "item arm "));
	check_holds(&d, "--default alpha --timeout 10000");

	test_case("boot: the image that is flagged is the default");
	images[2].is_default = true;
	run(&r, stock_policy(), &f, &d);
	check_holds(&d, "--default zulu");

	test_case("boot: a UUID identifies a machine as well");
	r.mac.len = 0;
	r.has_uuid = true;
	run(&r, stock_policy(), &f, &d);
	CHECK_INT(d.answer.reason, REASON_MENU);

	test_case("a report is answered with an empty script");
	r.stage = STAGE_REPORT;
	run(&r, stock_policy(), &f, &d);
	CHECK_INT(d.answer.reason, REASON_REPORT);
	CHECK(slice_is(d.answer.data, "#!ipxe\n"));

	test_case("an answer that does not fit is refused, not cut");
	{
		struct wbuf w;

		r = request_of(ASK_BOOT);
		wbuf_init(&w, scratch_bytes[0], 100);
		decide(&r, stock_policy(), &f, &w, &d);
		CHECK_INT(d.answer.action, ACTION_ERROR);
		CHECK_INT(d.answer.reason, REASON_TOO_LONG);
		CHECK_INT(d.answer.error, BOOT_ERROR_UNAVAILABLE);
	}
}

/* --- sources -------------------------------------------------------------------------------- */

static const char hooks[] = "{\"script\":{\"allow_boot\":\"/a\",\"images\":\"/i\"}}";
static const char boot_hook[] = "{\"script\":{\"boot\":\"/b\",\"images\":\"/i\"}}";
static const char hooks_deny[] =
    "{\"script\":{\"allow_boot\":\"/a\",\"images\":\"/i\",\"fallback\":\"deny\"}}";
static const char hooks_wait[] = "{\"script\":{\"allow_boot\":\"/a\",\"fallback\":\"wait\"}}";
static const char web_rule[] = RULE("\"action\":\"webservice\"");
static const char referral_hooks[] =
    "{\"mode\":\"referral\",\"script\":{\"boot\":\"/b\"}," TARGETS "}";

#define BIT(source) (1u << (source))

/* What a source says: NULL is unasked, "!..." a failure, "?" late, else a verdict's JSON. */
static void
source_says(struct facts *f, enum source source, const char *says, struct verdict *v)
{
	static const struct verdict_rules any = { VERDICT_ANY, VERDICT_NONE, NULL, NULL };
	struct source_answer *a = &f->sources[source];
	char error[256] = "";
	json_t *object;

	if (says == NULL)
		return;
	a->state = says[0] == '!' ? SOURCE_FAILED : says[0] == '?' ? SOURCE_LATE : SOURCE_ANSWERED;
	a->why = says + 1;
	if (a->state != SOURCE_ANSWERED)
		return;
	object = json_loads(says, 0, NULL);
	if (object == NULL || verdict_parse(object, &any, v, error, sizeof(error)) < 0) {
		test_fail(__FILE__, __LINE__, "%s: %s", says, error);
		abort();
	}
	json_decref(object);
	a->verdict = v;
}

static void
test_sources(void)
{
	static const struct {
		const char *what, *conf;
		enum ask ask;
		const char *says[SOURCES];
		unsigned need;
		struct want want;
	} cases[] = {
		{ "both hooks are asked at once", hooks, ASK_BOOT, { NULL },
		    BIT(SOURCE_ALLOW) | BIT(SOURCE_IMAGES), { 0, 0, 0, NULL, "allow_boot", 0 } },
		{ "only the second, when the first has spoken", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "{\"action\":\"allow\"}" }, BIT(SOURCE_IMAGES),
		    { 0, 0, 0, NULL, "images", 0 } },
		{ "a whole answer is asked for first", boot_hook, ASK_BOOT, { NULL },
		    BIT(SOURCE_BOOT), { 0, 0, 0, NULL, "boot", 0 } },
		{ "and with no opinion the others are", boot_hook, ASK_BOOT,
		    { [SOURCE_BOOT] = "{\"action\":\"none\"}" }, BIT(SOURCE_IMAGES),
		    { 0, 0, 0, NULL, "images", 0 } },
		{ "firmware does not wait for anybody", hooks, ASK_UEFI, { NULL }, 0,
		    { ACTION_OFFER, REASON_LOADER, OFFER_BINL, "boot/x64/snponly.efi", "default",
			EFFECT_LOADER } },
		{ "but what was said already counts", hooks, ASK_UEFI,
		    { [SOURCE_ALLOW] = "{\"action\":\"deny\"}" }, 0,
		    { ACTION_OFFER, REASON_SOURCE_DENIES, OFFER_LOCAL, NULL, "allow_boot", 0 } },
		{ "a file waits for nobody", hooks, ASK_FILE, { NULL }, 0, FILE_BY_DEFAULT },
		{ "allowed, and no opinion on entries: all of them", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "{\"action\":\"allow\"}",
			[SOURCE_IMAGES] = "{\"action\":\"none\"}" },
		    0, { ACTION_DATA, REASON_MENU, 0, "item tiny ", "default", 0 } },
		{ "denied, with words", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "{\"action\":\"deny\",\"text\":\"BIOS too old\"}" }, 0,
		    { ACTION_DATA, REASON_SOURCE_DENIES, 0, "BIOS too old", "allow_boot", 0 } },
		{ "denied without words", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "{\"action\":\"deny\"}" }, 0,
		    { ACTION_DATA, REASON_SOURCE_DENIES, 0, "may not boot from here", "allow_boot",
			0 } },
		{ "held until somebody approves", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "{\"action\":\"hold\",\"text\":\"Call 112\"}" }, 0,
		    { ACTION_DATA, REASON_APPROVAL, 0, "Call 112", "allow_boot",
			EFFECT_WANT_APPROVAL } },
		{ "an entry by name", boot_hook, ASK_BOOT,
		    { [SOURCE_BOOT] = "{\"action\":\"entry\",\"entry\":\"tiny\"}" }, 0,
		    { ACTION_DATA, REASON_SOURCE_ENTRY, 0, "images/tiny/vmlinuz", "boot", 0 } },
		{ "an entry that is not there", boot_hook, ASK_BOOT,
		    { [SOURCE_BOOT] = "{\"action\":\"entry\",\"entry\":\"gone\"}" }, 0,
		    { ACTION_DATA, REASON_NO_ENTRY, 0, "The entry gone is not", "boot", 0 } },
		{ "a menu with its own title, default and time", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "{\"action\":\"none\"}",
			[SOURCE_IMAGES] =
			    "{\"action\":\"menu\",\"entries\":[\"tiny\"],\"title\":\"For you\","
			    "\"default\":\"tiny\",\"timeout_ms\":4321}" },
		    0,
		    { ACTION_DATA, REASON_MENU, 0, "--default tiny --timeout 4321", "images", 0 } },
		{ "a menu of what is not there", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "{\"action\":\"none\"}",
			[SOURCE_IMAGES] = "{\"action\":\"menu\",\"entries\":[\"gone\"]}" },
		    0, { ACTION_DATA, REASON_NO_IMAGE, 0, NULL, "images", 0 } },
		{ "a script", boot_hook, ASK_BOOT,
		    { [SOURCE_BOOT] =
			    "{\"action\":\"script\",\"script\":\"#!ipxe\\necho mine\\n\"}" },
		    0, { ACTION_DATA, REASON_SOURCE_SCRIPT, 0, "\necho mine\n", "boot", 0 } },
		{ "the local disk", boot_hook, ASK_BOOT,
		    { [SOURCE_BOOT] = "{\"action\":\"local\"}" }, 0,
		    { ACTION_DATA, REASON_LOCAL, 0, "exit 1\n", "boot", 0 } },
		{ "a referral by URL", boot_hook, ASK_BOOT,
		    { [SOURCE_BOOT] = "{\"action\":\"refer\",\"url\":\"http://10.1.1.1/x\"}" }, 0,
		    { ACTION_DATA, REASON_REFERRED, 0, "http://10.1.1.1/x?bfvia=stock", "boot",
			0 } },
		{ "a referral by a target's name", referral_hooks, ASK_BOOT, { NULL }, 0,
		    { ACTION_DATA, REASON_REFERRED, 0, "http://10.9.0.1:8060/2PXE/boot?", "default",
			0 } },
		{ "which only counts where hooks are asked",
		    "{\"script\":{\"boot\":\"/b\"}," TARGETS "}", ASK_BOOT,
		    { [SOURCE_BOOT] = "{\"action\":\"refer\",\"target\":\"three\"}" }, 0,
		    { ACTION_DATA, REASON_REFERRED, 0, "https://three.example/boot?", "boot", 0 } },
		{ "a referral to a target that is not there",
		    "{\"script\":{\"boot\":\"/b\"}," TARGETS "}", ASK_BOOT,
		    { [SOURCE_BOOT] = "{\"action\":\"refer\",\"target\":\"nine\"}" }, 0,
		    { ACTION_DATA, REASON_NO_TARGET, 0, NULL, "boot", 0 } },
		{ "in mode referral a rule can ask the hooks",
		    "{\"mode\":\"referral\",\"script\":{\"boot\":\"/b\"}," TARGETS
		    ",\"rules\":[{\"name\":\"r\",\"action\":\"script\"}]}",
		    ASK_BOOT, { [SOURCE_BOOT] = "{\"action\":\"local\"}" }, 0,
		    { ACTION_DATA, REASON_LOCAL, 0, NULL, "boot", 0 } },
		{ "a hook that failed: as if it had no opinion", hooks, ASK_BOOT,
		    { [SOURCE_ALLOW] = "!it ended", [SOURCE_IMAGES] = "!it ended" }, 0,
		    { ACTION_DATA, REASON_MENU, 0, "item tiny ", "default", 0 } },
		{ "a hook that failed: denied", hooks_deny, ASK_BOOT,
		    { [SOURCE_ALLOW] = "!it ended" }, 0,
		    { ACTION_DATA, REASON_SOURCE_FAILED, 0, "may not boot from here", "allow_boot",
			0 } },
		{ "a hook that failed: it waits", hooks_wait, ASK_BOOT,
		    { [SOURCE_ALLOW] = "!it ended" }, 0,
		    { ACTION_DATA, REASON_SOURCE_FAILED, 0, "does not answer", "allow_boot", 0 } },
		{ "a hook that is late: the client asks again", hooks_deny, ASK_BOOT,
		    { [SOURCE_ALLOW] = "?" }, 0,
		    { ACTION_DATA, REASON_SOURCE_LATE, 0, "still decides", "allow_boot", 0 } },
		{ "the web service is asked before the hooks", web_rule, ASK_BOOT, { NULL },
		    BIT(SOURCE_WEBSERVICE), { 0, 0, 0, NULL, "webservice", 0 } },
		{ "the web service decides", web_rule, ASK_BOOT,
		    { [SOURCE_WEBSERVICE] = "{\"action\":\"entry\",\"entry\":\"tiny\"}" }, 0,
		    { ACTION_DATA, REASON_SOURCE_ENTRY, 0, NULL, "webservice", 0 } },
		{ "the web service leaves it to us", web_rule, ASK_BOOT,
		    { [SOURCE_WEBSERVICE] = "{\"action\":\"override\"}" }, 0,
		    { ACTION_DATA, REASON_MENU, 0, NULL, NULL, 0 } },
		{ "the web service failed: as if there were none", web_rule, ASK_BOOT,
		    { [SOURCE_WEBSERVICE] = "!no connection" }, 0,
		    { ACTION_DATA, REASON_MENU, 0, NULL, NULL, 0 } },
		{ "the web service is late", web_rule, ASK_BOOT, { [SOURCE_WEBSERVICE] = "?" }, 0,
		    { ACTION_DATA, REASON_SOURCE_LATE, 0, NULL, "webservice", 0 } },
		{ "a choice within a script's menu", hooks, ASKS,
		    { [SOURCE_ALLOW] = "{\"action\":\"none\"}",
			[SOURCE_IMAGES] = "{\"action\":\"menu\",\"entries\":[\"tiny\"]}" },
		    0, { ACTION_DATA, REASON_CHOSEN, 0, "images/tiny/vmlinuz", "images", 0 } },
		{ "a choice that is not in it", hooks, ASKS,
		    { [SOURCE_ALLOW] = "{\"action\":\"none\"}",
			[SOURCE_IMAGES] = "{\"action\":\"menu\",\"entries\":[\"other\"]}" },
		    0, { ACTION_DATA, REASON_NOT_OFFERED, 0, NULL, "images", 0 } },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct verdict verdicts[SOURCES];
		/* ASKS: the boot request with a choice */
		struct boot_request r = request_of(cases[i].ask == ASKS ? ASK_BOOT : cases[i].ask);
		struct policy *policy = stock_policy_of(cases[i].conf);
		struct decision d;
		struct facts f;

		if (cases[i].ask == ASKS)
			r.params = slice_str("entry=tiny");
		f = facts_of(&r);
		test_case("source: %s", cases[i].what);
		for (enum source s = 0; s < SOURCES; s++)
			source_says(&f, s, cases[i].says[s], &verdicts[s]);
		if (strstr(cases[i].conf, "\"mode\"") != NULL &&
		    strstr(cases[i].conf, "\"rules\"") == NULL)
			CHECK_INT(policy->conf.mode, MODE_REFERRAL);
		run(&r, policy, &f, &d);
		CHECK_INT(d.need, cases[i].need);
		check_want(&d, &cases[i].want);
		for (enum source s = 0; s < SOURCES; s++) {
			if (f.sources[s].verdict != NULL)
				verdict_fini(&verdicts[s]);
		}
		policy_unref(policy);
	}
}

static void
test_web_fallbacks(void)
{
	static const struct {
		enum fallback fallback;
		struct want want;
	} cases[] = {
		{ FALLBACK_LOCAL, { ACTION_DATA, REASON_MENU, 0, "item tiny ", NULL, 0 } },
		{ FALLBACK_DENY,
		    { ACTION_DATA, REASON_SOURCE_FAILED, 0, "may not boot", "webservice", 0 } },
		{ FALLBACK_WAIT,
		    { ACTION_DATA, REASON_SOURCE_FAILED, 0, "asking again", "webservice", 0 } },
	};
	struct boot_request r = request_of(ASK_BOOT);
	struct facts f = facts_of(&r);

	f.sources[SOURCE_WEBSERVICE] =
	    (struct source_answer){ .state = SOURCE_FAILED, .why = "no connection" };
	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct policy *policy = stock_policy_of(web_rule);
		struct decision d;

		policy->conf.webservice_fallback = (int)cases[i].fallback;
		test_case("source: a dead web service with fall-back %s",
		    fallback_name(cases[i].fallback));
		run(&r, policy, &f, &d);
		check_want(&d, &cases[i].want);
		policy_unref(policy);
	}
}

/* Entries that a source tells whole. */
static void
test_inline(void)
{
	static const char said[] =
	    "{\"action\":\"menu\",\"entries\":[\"tiny\",{\"name\":\"theirs\",\"type\":\"linux\","
	    "\"kernel\":\"theirs/vmlinuz\",\"title\":\"Theirs\"}]}";
	struct boot_request r = request_of(ASK_BOOT);
	struct choices inlined = { .nentries = 1 };
	struct verdict v;
	struct entry e;
	struct facts f = facts_of(&r);
	struct decision d;

	source_says(&f, SOURCE_IMAGES, said, &v);
	if (config_parse_object(entry_keys, v.items[1].object, &e, sizeof(e), NULL, NULL) < 0)
		abort();
	inlined.entries = &e;
	f.sources[SOURCE_IMAGES].inline_choices = &inlined;

	test_case("inline: the menu shows what a script told whole beside the site's");
	decide_by("{\"script\":{\"images\":\"/i\"}}", &r, &f,
	    &(struct want){ ACTION_DATA, REASON_MENU, 0, "item theirs Theirs\n", "images", 0 }, &d);
	check_holds(&d, "item tiny ");

	test_case("inline: it boots when it is chosen");
	r.params = slice_str("entry=theirs");
	f.subject.params = r.params;
	decide_by("{\"script\":{\"images\":\"/i\"}}", &r, &f,
	    &(struct want){ ACTION_DATA, REASON_CHOSEN, 0, "theirs/vmlinuz", "images", 0 }, &d);
	CHECK_STR(d.entry, "theirs");

	test_case("inline: it is nobody else's");
	f.sources[SOURCE_IMAGES] = (struct source_answer){ .state = SOURCE_UNASKED };
	decide_by("{}", &r, &f,
	    &(struct want){ ACTION_DATA, REASON_NO_ENTRY, 0, "theirs is not", "default", 0 }, &d);
	config_free_object(entry_keys, &e);
	verdict_fini(&v);
}

/* --- referral ------------------------------------------------------------------------------- */

static void
test_referral(void)
{
	static const char mode[] = "{\"mode\":\"referral\"," TARGETS "}";
	static const char one[] = "{\"mode\":\"referral\",\"referral\":{\"targets\":["
				  "{\"name\":\"three\",\"url\":\"https://three.example/boot\"}]}}";
	static const struct {
		const char *what, *conf;
		enum ask ask;
		const char *params;
		bool down[2];
		struct want want;
	} cases[] = {
		{ "firmware is pointed at the file of its kind", mode, ASK_BIOS, "", { false },
		    { ACTION_OFFER, REASON_REFERRED, OFFER_PXE10_PROMPT, "two.0", "default", 0 } },
		{ "with its next server", mode, ASK_4011, "", { false },
		    { ACTION_OFFER, REASON_REFERRED, OFFER_BINL, "two.efi", "default", 0 } },
		{ "iPXE is pointed at us, as only the script carries the parameters", mode,
		    ASK_IPXE, "", { false },
		    { ACTION_OFFER, REASON_SCRIPT_URL, OFFER_IPXE,
			"https://10.77.1.10:8050/2PXE/boot", "default", 0 } },
		{ "no file for this firmware: our loader first", one, ASK_UEFI, "", { false },
		    { ACTION_OFFER, REASON_LOADER, OFFER_BINL, "boot/x64/snponly.efi", "default",
			EFFECT_LOADER } },
		{ "the boot request goes on, with what was posted, without our token", mode,
		    ASK_BOOT, "serial=x%20y&token=secret", { false },
		    { ACTION_DATA, REASON_REFERRED, 0,
			"http://10.9.0.1:8060/2PXE/boot?bfvia=stock&serial=x%20y", "default", 0 } },
		{ "the first choice is down", mode, ASK_BOOT, "", { true },
		    { ACTION_DATA, REASON_REFERRED, 0, "set bf-url-0 https://three.example/boot?",
			"default", 0 } },
		{ "all are down: tried all the same, as a probe can be wrong", mode, ASK_BOOT, "",
		    { true, true },
		    { ACTION_DATA, REASON_REFERRED, 0,
			"set bf-url-0 http://10.9.0.1:8060/2PXE/boot?", "default", 0 } },
		{ "a client that came from us before is a loop", mode, ASK_BOOT, "bfvia=stock",
		    { false }, { ACTION_DATA, REASON_NO_TARGET, 0, NULL, "default", 0 } },
		{ "one that passed others is not", mode, ASK_BOOT, "bfvia=other", { false },
		    { ACTION_DATA, REASON_REFERRED, 0, "bfvia=other.stock", "default", 0 } },
		{ "bfvia with nonsense in it is refused", mode, ASK_BOOT, "bfvia=%24%7bx%7d%20boot",
		    { false }, { ACTION_DATA, REASON_NO_TARGET, 0, NULL, "default", 0 } },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct target_health health[2] = { { .probed = true, .down = cases[i].down[0] },
			{ .probed = true, .down = cases[i].down[1] } };
		struct boot_request r = request_of(cases[i].ask);
		struct facts f;
		struct decision d;

		r.params = slice_str(cases[i].params);
		f = facts_of(&r);
		f.health = health;
		test_case("referral: %s", cases[i].what);
		decide_by(cases[i].conf, &r, &f, &cases[i].want, &d);
		if (d.answer.action == ACTION_OFFER && d.answer.reason == REASON_REFERRED) {
			char ip[IP_STRLEN];

			CHECK_STR(ip_format(&d.answer.server, ip), "10.9.0.1");
			CHECK_INT(d.answer.trust.n, 0);
		}
		if (d.answer.action == ACTION_DATA)
			CHECK(!holds(d.answer.data, "secret"));
	}
	{
		struct boot_request r = request_of(ASK_IPXE);
		struct facts f = facts_of(&r);
		struct decision d;

		test_case("referral: without a web server of ours iPXE gets the target's URL");
		f.web.known = false;
		decide_by(one, &r, &f,
		    &(struct want){ ACTION_OFFER, REASON_REFERRED, OFFER_IPXE,
			"https://three.example/boot", "default", 0 },
		    &d);
	}
}

/* --- files ---------------------------------------------------------------------------------- */

static void
test_files(void)
{
	static const struct {
		const char *what, *path;
		int path_rc, file_rc;
		enum boot_via via;
		unsigned known;
		enum boot_action action;
		enum boot_reason reason;
		enum boot_error error;
	} cases[] = {
		{ "a file that is there", "boot/x64/snponly.efi", 0, 0, VIA_TFTP, 0, ACTION_FILE,
		    REASON_PUBLIC_FILE, 0 },
		{ "handlerd does not see the root: the front daemon will know", "a", 0, -ENOSYS,
		    VIA_TFTP, 0, ACTION_FILE, REASON_PUBLIC_FILE, 0 },
		{ "one that is not", "a", 0, -ENOENT, VIA_TFTP, 0, ACTION_ERROR,
		    REASON_NO_SUCH_FILE, BOOT_ERROR_NOT_FOUND },
		{ "a folder", "a", 0, -EISDIR, VIA_TFTP, 0, ACTION_ERROR, REASON_NO_SUCH_FILE,
		    BOOT_ERROR_NOT_FOUND },
		{ "a link out of the root", "a", 0, -EACCES, VIA_TFTP, 0, ACTION_ERROR,
		    REASON_BAD_NAME, BOOT_ERROR_FORBIDDEN },
		{ "a name that climbs", "", -EACCES, 0, VIA_TFTP, 0, ACTION_ERROR, REASON_BAD_NAME,
		    BOOT_ERROR_FORBIDDEN },
		{ "no name at all", "", -EINVAL, 0, VIA_TFTP, 0, ACTION_ERROR, REASON_BAD_NAME,
		    BOOT_ERROR_NOT_FOUND },
		{ "autoexec.ipxe of the site's own", "autoexec.ipxe", 0, 0, VIA_TFTP, 0,
		    ACTION_FILE, REASON_PUBLIC_FILE, 0 },
		{ "autoexec.ipxe that is not there leads to the boot request", "autoexec.ipxe", 0,
		    -ENOENT, VIA_TFTP, 0, ACTION_DATA, REASON_COLLECT, 0 },
		{ "the same in a folder, in another case", "boot/x64/AutoExec.ipxe", 0, -ENOENT,
		    VIA_HTTP, PLAIN, ACTION_DATA, REASON_COLLECT, 0 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot_request r = request_of(ASK_FILE);
		struct facts f = facts_with(&r, cases[i].known, &uefi);
		struct decision d;

		r.via = cases[i].via;
		f.path = cases[i].path;
		f.path_rc = cases[i].path_rc;
		f.file_rc = cases[i].file_rc;
		test_case("file: %s", cases[i].what);
		run(&r, stock_policy(), &f, &d);
		CHECK_INT(d.answer.action, cases[i].action);
		CHECK_INT(d.answer.reason, cases[i].reason);
		CHECK_INT(d.answer.error, cases[i].error);
		if (d.answer.action == ACTION_FILE)
			CHECK_BYTES(d.answer.file, slice_str(cases[i].path));
	}
}

/* What httpsbootd has to fetch from its origin. */
static void
test_pulled_files(void)
{
	static const uint8_t digest[IMAGE_SHA256] = { 1, 2, 3 };
	static const struct {
		const char *what, *path;
		int path_rc, file_rc;
		enum boot_via via;
		bool pulls, secret;
		enum boot_action action;
		enum boot_reason reason;
	} cases[] = {
		{ "a file that is here, too", "a", 0, 0, VIA_HTTPS, true, false, ACTION_FILE,
		    REASON_PUBLIC_FILE },
		{ "one that only the origin may have", "a", 0, -ENOENT, VIA_HTTPS, true, false,
		    ACTION_FILE, REASON_ORIGIN_FILE },
		{ "also by plain HTTP", "a", 0, -ENOENT, VIA_HTTP, true, false, ACTION_FILE,
		    REASON_ORIGIN_FILE },
		{ "tftpd has no origin", "a", 0, -ENOENT, VIA_TFTP, true, false, ACTION_ERROR,
		    REASON_NO_SUCH_FILE },
		{ "nor has every httpsbootd", "a", 0, -ENOENT, VIA_HTTPS, false, false,
		    ACTION_ERROR, REASON_NO_SUCH_FILE },
		{ "a folder is none of its files", "a", 0, -EISDIR, VIA_HTTPS, true, false,
		    ACTION_ERROR, REASON_NO_SUCH_FILE },
		{ "nor is a name that climbs", "", -EACCES, 0, VIA_HTTPS, true, false, ACTION_ERROR,
		    REASON_BAD_NAME },
		{ "nor a link out of the root", "a", 0, -EACCES, VIA_HTTPS, true, false,
		    ACTION_ERROR, REASON_BAD_NAME },
		{ "a secret one needs its token there, too", "a", 0, -ENOENT, VIA_HTTPS, true, true,
		    ACTION_ERROR, REASON_TOKEN },
		{ "autoexec.ipxe leads to the boot request", "autoexec.ipxe", 0, -ENOENT, VIA_HTTP,
		    true, false, ACTION_DATA, REASON_COLLECT },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot_request r = request_of(ASK_FILE);
		struct facts f = facts_with(&r, cases[i].via == VIA_HTTP ? PLAIN : 0, &uefi);
		bool known = cases[i].file_rc == 0;
		struct decision d;

		r.via = cases[i].via;
		f.web.pulls = cases[i].pulls;
		f.path = cases[i].path;
		f.path_rc = cases[i].path_rc;
		f.file_rc = cases[i].file_rc;
		f.file_secret = cases[i].secret;
		f.token_fault = TOKEN_FORGED;
		f.file_size = known ? 4321 : 0;
		f.file_sha256 = known ? digest : NULL;
		test_case("origin: %s", cases[i].what);
		run(&r, stock_policy(), &f, &d);
		CHECK_INT(d.answer.action, cases[i].action);
		CHECK_INT(d.answer.reason, cases[i].reason);
		if (cases[i].path_rc < 0 || cases[i].action != ACTION_FILE)
			continue;
		CHECK_INT(d.answer.file_size, known ? 4321 : 0);
		CHECK_BYTES(d.answer.file_sha256, ((struct slice){ digest, known ? 32 : 0 }));
	}
	{
		struct boot_request r = request_of(ASK_FILE);
		struct facts f = facts_of(&r);
		struct decision d;

		test_case("who has no origin is not told what it is to fetch");
		r.via = VIA_HTTPS;
		f.file_size = 4321;
		f.file_sha256 = digest;
		run(&r, stock_policy(), &f, &d);
		CHECK_INT(d.answer.action, ACTION_FILE);
		CHECK(d.answer.file_size == 0 && d.answer.file_sha256.n == 0);
	}
}

static void
test_secret_files(void)
{
	for (enum boot_via via = VIA_TFTP; via <= VIA_HTTPS; via++) {
		for (enum token_fault fault = TOKEN_GOOD; fault < TOKEN_FAULTS; fault++) {
			struct boot_request r = request_of(ASK_FILE);
			struct facts f = facts_of(&r);
			bool given = via == VIA_HTTPS && fault == TOKEN_GOOD;
			struct decision d;

			r.via = via;
			f.file_secret = true;
			f.token_fault = fault;
			test_case("secret file by %s, token %s: %s", boot_via_name(via),
			    token_fault_name(fault), given ? "given" : "refused");
			run(&r, stock_policy(), &f, &d);
			CHECK_INT(d.answer.action, given ? ACTION_FILE : ACTION_ERROR);
			if (given)
				continue;
			CHECK_INT(d.answer.error, BOOT_ERROR_FORBIDDEN);
			CHECK_INT(d.answer.reason, REASON_TOKEN);
			if (via == VIA_HTTPS)
				CHECK_BYTES(d.answer.text, slice_str(token_fault_name(fault)));
		}
	}
	{
		struct boot_request r = request_of(ASK_FILE);
		struct facts f = facts_of(&r);
		struct decision d;

		test_case("a rule that refuses a file counts before its token");
		r.via = VIA_HTTPS;
		f.subject.via = VIA_HTTPS;
		f.file_secret = true;
		decide_by(RULE("\"action\":\"ignore\",\"when\":{\"stage\":[\"file\"],"
			       "\"via\":[\"https\"]}"),
		    &r, &f,
		    &(struct want){ ACTION_ERROR, REASON_RULE_REFUSES, BOOT_ERROR_FORBIDDEN,
			"a rule of this site forbids it", NULL, 0 },
		    &d);
		test_case("a rule that serves a file does not open a secret one");
		f.token_fault = TOKEN_MALFORMED;
		decide_by(RULE("\"action\":\"serve\",\"when\":{\"stage\":[\"file\"]}"), &r, &f,
		    &(struct want){
			ACTION_ERROR, REASON_TOKEN, BOOT_ERROR_FORBIDDEN, "malformed", NULL, 0 },
		    &d);
	}
}

#define TRUST_LINE                                                                                 \
	"\niseq ${trust:hexraw} 3031323334353637383961626364656630313233343536373839616263646566 " \
	"&& set pxeurl https://10.0.0.1:8050/ ||\n"

static void
test_schemes(void)
{
	static const struct {
		const char *what;
		enum boot_stage stage;
		enum boot_via via;
		unsigned known;
		const struct loader *loader;
		const char *base;
	} cases[] = {
		{ "a client on HTTPS stays there", STAGE_BOOT, VIA_HTTPS, PLAIN, &uefi,
		    "set pxeurl https://10.0.0.1:8050/\n" },
		{ "a client on plain HTTP stays there", STAGE_BOOT, VIA_HTTP, PLAIN, &uefi,
		    "set pxeurl http://10.0.0.1:8060/\n" },
		{ "autoexec.ipxe by TFTP to iPXE that trusts us", STAGE_FILE, VIA_TFTP,
		    PLAIN | TRUSTED, &uefi, "set pxeurl https://10.0.0.1:8050/\n" },
		{ "autoexec.ipxe by TFTP to iPXE that has no reason to", STAGE_FILE, VIA_TFTP,
		    PLAIN, &uefi, "set pxeurl http://10.0.0.1:8060/\n" },
		{ "which takes HTTPS if a DHCP server told it our fingerprint", STAGE_FILE,
		    VIA_TFTP, PLAIN, &uefi, TRUST_LINE },
		{ "autoexec.ipxe by TFTP when plain HTTP is off", STAGE_FILE, VIA_TFTP, 0, &uefi,
		    "set pxeurl https://10.0.0.1:8050/\n" },
		{ "autoexec.ipxe for a loader without HTTPS", STAGE_FILE, VIA_TFTP, PLAIN | TRUSTED,
		    &no_https, "set pxeurl http://10.0.0.1:8060/\n" },
		{ "autoexec.ipxe after plain HTTP Boot", STAGE_FILE, VIA_HTTP,
		    PLAIN | TRUSTED | BY_HTTP, &uefi, "set pxeurl http://10.0.0.1:8060/\n" },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot_request r = {
			.stage = cases[i].stage, .via = cases[i].via, .arch = ARCH_UNKNOWN
		};
		struct facts f = facts_with(&r, cases[i].known, cases[i].loader);
		struct decision d;

		f.path = "autoexec.ipxe";
		f.path_rc = 0;
		f.file_rc = -ENOENT;
		f.subject.cpu = ARCH_CPU_X64; /* as the boot knows it */
		test_case("scheme: %s", cases[i].what);
		run(&r, stock_policy(), &f, &d);
		CHECK_INT(d.answer.action, ACTION_DATA);
		check_holds(&d, cases[i].base);
	}
}

/* --- the loop guard -------------------------------------------------------------------------- */

static void
test_loop_guard(void)
{
	static const struct {
		const char *what;
		enum ask ask;
		const char *file; /* of a file request, or NULL */
		enum boot_action action;
		enum boot_reason reason;
	} cases[] = {
		{ "firmware gets no offer", ASK_UEFI, NULL, ACTION_IGNORE, REASON_LOOP },
		{ "nor does a BIOS ROM", ASK_BIOS, NULL, ACTION_IGNORE, REASON_LOOP },
		{ "nor an answer on port 4011", ASK_4011, NULL, ACTION_IGNORE, REASON_LOOP },
		{ "nor HTTP Boot a URL", ASK_HTTP, NULL, ACTION_IGNORE, REASON_LOOP },
		{ "iPXE is led to its script", ASK_IPXE, NULL, ACTION_OFFER, REASON_SCRIPT_URL },
		{ "which says so and leaves", ASK_BOOT, NULL, ACTION_DATA, REASON_LOOP },
		{ "the loader is not given out", ASK_FILE, "boot/x64/snponly.efi", ACTION_ERROR,
		    REASON_LOOP },
		{ "other files are", ASK_FILE, "images/tiny/vmlinuz", ACTION_FILE,
		    REASON_PUBLIC_FILE },
	};
	const struct policy *policy = stock_policy();

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot_request r = request_of(cases[i].ask);
		struct decision d;
		struct facts f;

		if (cases[i].file != NULL)
			r.file = slice_str(cases[i].file);
		f = facts_of(&r);
		test_case("loop guard: %s", cases[i].what);
		f.loop_until_ms = f.now_ms + 1;
		run(&r, policy, &f, &d);
		CHECK_STR(boot_action_name(d.answer.action), boot_action_name(cases[i].action));
		CHECK_STR(boot_reason_name(d.answer.reason), boot_reason_name(cases[i].reason));
		if (d.answer.reason == REASON_LOOP)
			CHECK_BYTES(d.answer.rule, slice_str("loop-guard"));
		if (cases[i].ask == ASK_BOOT)
			CHECK(holds(d.answer.data, "again and again") &&
			      holds(d.answer.data, "exit"));

		test_case("loop guard: it comes off by time (%s)", cases[i].what);
		f.loop_until_ms = f.now_ms;
		run(&r, policy, &f, &d);
		CHECK(d.answer.reason != REASON_LOOP);
	}
}

static void
test_cpu(void)
{
	struct boot_request r = { .stage = STAGE_BOOT, .via = VIA_HTTPS, .arch = ARCH_UNKNOWN };

	test_case("the CPU is what iPXE says, else the packet's or the boot's architecture");
	r.platform = slice_str("pcbios");
	r.buildarch = slice_str("i386");
	CHECK_INT(request_cpu(&r, 7, ARCH_CPU_NONE), ARCH_CPU_BIOS);
	r.platform = slice_str("efi");
	CHECK_INT(request_cpu(&r, 7, ARCH_CPU_NONE), ARCH_CPU_IA32);
	r.buildarch = slice_str("arm64");
	CHECK_INT(request_cpu(&r, 7, ARCH_CPU_NONE), ARCH_CPU_ARM64);
	r.buildarch = slice_str("z80");
	CHECK_INT(request_cpu(&r, 7, ARCH_CPU_NONE), ARCH_CPU_X64);
	r.arch = 11;
	CHECK_INT(request_cpu(&r, 7, ARCH_CPU_NONE), ARCH_CPU_ARM64);
	r.arch = ARCH_UNKNOWN;
	CHECK_INT(request_cpu(&r, ARCH_UNKNOWN, ARCH_CPU_NONE), ARCH_CPU_NONE);
	/* 2PXE's names for it */
	r.buildarch = slice_str("amd64");
	CHECK_INT(request_cpu(&r, ARCH_UNKNOWN, ARCH_CPU_NONE), ARCH_CPU_X64);
	r.buildarch = (struct slice){ 0 };
	r.platform = slice_str("x64");
	CHECK_INT(request_cpu(&r, ARCH_UNKNOWN, ARCH_CPU_NONE), ARCH_CPU_X64);
}

/* Who waits for a tftpd that has its hands full, and that all else of the answer stays the same. */
static void
test_admission(void)
{
	static const struct {
		const char *what;
		enum ask ask;
		const char *policy;
		uint32_t load;
		bool other_family;
		bool waits;
	} cases[] = {
		{ "a BIOS ROM waits for its offer", ASK_BIOS, "{}", 1000, false, true },
		{ "UEFI firmware waits its own time anyway", ASK_UEFI, "{}", 1000, false, false },
		{ "and waits for the boot server's answer", ASK_4011, "{}", 1000, false, true },
		{ "HTTP Boot loads nothing from tftpd", ASK_HTTP, "{}", 1000, false, false },
		{ "iPXE has begun", ASK_IPXE, "{}", 1000, false, false },
		{ "a file is no offer", ASK_FILE, "{}", 1000, false, false },
		{ "below the threshold nobody waits", ASK_4011, "{}", 699, false, false },
		{ "the threshold is the site's", ASK_4011, "{\"offers\": {\"admission\": 300}}",
		    500, false, true },
		{ "and 0 is never", ASK_4011, "{\"offers\": {\"admission\": 0}}", 1000, false,
		    false },
		{ "silence does not wait", ASK_4011, "{}", 1000, true, false },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct policy *policy = stock_policy_of(cases[i].policy);
		struct boot_request r = request_of(cases[i].ask);
		struct facts f = facts_of(&r);
		struct decision idle, busy;

		test_case("admission: %s", cases[i].what);
		f.web.http_port = 8060;
		f.tftp_other_family = cases[i].other_family;
		run(&r, policy, &f, &idle);
		f.tftp_load = cases[i].load;
		f.tftp_subnet = slice_str("lab");
		run(&r, policy, &f, &busy);
		CHECK_INT(idle.answer.delay_ms, 0);
		CHECK((busy.answer.delay_ms > 0) == cases[i].waits);
		CHECK((busy.delay_words.n > 0) == cases[i].waits);
		if (cases[i].waits)
			CHECK(holds(busy.delay_words, " ms: tftpd of subnet lab is at "));
		CHECK_INT(busy.answer.action, idle.answer.action);
		CHECK_INT(busy.answer.style, idle.answer.style);
		CHECK_INT(busy.answer.reason, idle.answer.reason);
		CHECK(slice_eq(busy.answer.file, idle.answer.file));
		CHECK(slice_eq(busy.answer.text, idle.answer.text));
		policy_unref(policy);
	}
}

int
main(void)
{
	test_offers();
	test_crosscert();
	test_admission();
	test_unknown_arch();
	test_boards();
	test_actions();
	test_machine();
	test_loaders();
	test_styles();
	test_choices();
	test_images();
	test_sources();
	test_web_fallbacks();
	test_inline();
	test_referral();
	test_files();
	test_pulled_files();
	test_secret_files();
	test_schemes();
	test_loop_guard();
	test_cpu();
	return test_end();
}
