/* Tests of handlerd/decide_offer.c: which loader, which URL, in which style, and when. */
#include "tests/handlerd/deciding.h"

#include "common/arch.h"
#include "tests/stock.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

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

int
main(void)
{
	test_offers();
	test_crosscert();
	test_admission();
	test_unknown_arch();
	test_boards();
	test_loaders();
	test_styles();
	return test_end();
}
