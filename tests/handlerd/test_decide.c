/* Tests of handlerd/decide.c: a row a case, what is asked and known, and what is answered. */
#include "handlerd/decide.h"

#include "common/arch.h"
#include "tests/test.h"

#include <errno.h>
#include <string.h>

static const char fingerprint[] = "0123456789abcdef0123456789abcdef";
static uint8_t scratch_bytes[DECIDE_SCRATCH];

static const struct policy policy = {
	.uefi_style = OFFER_BINL,
	.bios_style = OFFER_PXE10_PROMPT,
	.menu_title = "Bootferry",
	.menu_default = "",
	.menu_timeout_ms = 10000,
};

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

/* What the cases know besides. */
enum {
	PLAIN = 1,     /* plain HTTP is on */
	TRUSTED = 2,   /* the firmware's offer carried our fingerprint */
	BY_HTTP = 4,   /* the loader came by plain HTTP */
	NAMED = 8,     /* httpsbootd has a host name */
	FEATURES = 16, /* option 175 came, */
	HTTPS = 32,    /* with HTTPS in it */
	V6 = 64,       /* the server has an IPv6 address */
};

static struct facts
facts_of(unsigned known, const struct loader *loader)
{
	return (struct facts){
		.loader = loader,
		.web = { .host = (known & NAMED) != 0 ? "boot.example"
		                 : (known & V6) != 0  ? "2001:db8::1"
		                                      : "10.0.0.1",
		    .ip = (known & V6) != 0 ? "2001:db8::1" : "10.0.0.1",
		    .port = 8050,
		    .http_port = (known & PLAIN) != 0 ? 8060 : 0,
		    .trust = slice_str(fingerprint) },
		.boot = 42,
		.trusted = (known & TRUSTED) != 0,
		.by_http = (known & BY_HTTP) != 0,
		.arch = ARCH_UNKNOWN,
	};
}

static void
run(const struct boot_request *r, const struct facts *f, struct boot_answer *a)
{
	struct wbuf w;

	wbuf_init(&w, scratch_bytes, sizeof(scratch_bytes));
	decide(r, &policy, f, &w, a);
	CHECK_INT(a->boot, 42);
	CHECK(a->rule.n > 0);
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
		{ "and nothing if it is off", CLIENT_IPXE, 0, FEATURES, &bios, ACTION_IGNORE,
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
		{ "HTTP Boot without a loader", CLIENT_HTTP, 19, PLAIN, NULL, ACTION_IGNORE,
		    REASON_NO_LOADER, 0, NULL },
		{ "what is no boot client is left alone", CLIENT_UNKNOWN, 0, PLAIN, &bios,
		    ACTION_IGNORE, REASON_NOT_A_BOOT, 0, NULL },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct facts f = facts_of(cases[i].known, cases[i].loader);
		struct boot_request r = {
			.id = 1,
			.stage = STAGE_DISCOVER,
			.client = cases[i].client,
			.arch = cases[i].arch,
			.has_ipxe_features = (cases[i].known & FEATURES) != 0,
			.ipxe_features =
			    (cases[i].known & HTTPS) != 0 ? IPXE_FEATURE_HTTPS : IPXE_FEATURE_HTTP,
		};
		struct boot_answer a, again;

		test_case("offer: %s", cases[i].what);
		run(&r, &f, &a);
		CHECK_INT(a.action, cases[i].action);
		CHECK_INT(a.reason, cases[i].reason);
		if (a.action == ACTION_OFFER) {
			CHECK_INT(a.style, cases[i].style);
			CHECK_BYTES(a.file, slice_str(cases[i].file));
			CHECK(slice_is(a.trust, fingerprint));
		}
		/* the boot server step never answers otherwise than the offer */
		r.stage = STAGE_BOOTSERVER;
		run(&r, &f, &again);
		CHECK(again.action == a.action && again.reason == a.reason);
	}
}

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
		struct facts f = facts_of(cases[i].known, &uefi);
		struct boot_request r = {
			.stage = STAGE_FILE, .via = cases[i].via, .arch = ARCH_UNKNOWN
		};
		struct boot_answer a;

		f.path = cases[i].path;
		f.path_rc = cases[i].path_rc;
		f.file_rc = cases[i].file_rc;
		test_case("file: %s", cases[i].what);
		run(&r, &f, &a);
		CHECK_INT(a.action, cases[i].action);
		CHECK_INT(a.reason, cases[i].reason);
		CHECK_INT(a.error, cases[i].error);
		if (a.action == ACTION_FILE)
			CHECK_BYTES(a.file, slice_str(cases[i].path));
	}
}

/* True if the script holds this text. */
static bool
holds(struct slice script, const char *text)
{
	return memmem(script.p, script.n, text, strlen(text)) != NULL;
}

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
		{ "autoexec.ipxe by TFTP when plain HTTP is off", STAGE_FILE, VIA_TFTP, 0, &uefi,
		    "set pxeurl https://10.0.0.1:8050/\n" },
		{ "autoexec.ipxe for a loader without HTTPS", STAGE_FILE, VIA_TFTP, PLAIN | TRUSTED,
		    &no_https, "set pxeurl http://10.0.0.1:8060/\n" },
		{ "autoexec.ipxe after plain HTTP Boot", STAGE_FILE, VIA_HTTP,
		    PLAIN | TRUSTED | BY_HTTP, &uefi, "set pxeurl http://10.0.0.1:8060/\n" },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct facts f = facts_of(cases[i].known, cases[i].loader);
		struct boot_request r = {
			.stage = cases[i].stage, .via = cases[i].via, .arch = ARCH_UNKNOWN
		};
		struct boot_answer a;

		f.path = "autoexec.ipxe";
		f.file_rc = -ENOENT;
		test_case("scheme: %s", cases[i].what);
		run(&r, &f, &a);
		CHECK_INT(a.action, ACTION_DATA);
		CHECK(holds(a.data, cases[i].base));
	}
}

static void
test_boot(void)
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
	struct facts f = facts_of(0, &uefi);
	struct boot_request r = { .stage = STAGE_BOOT, .via = VIA_HTTPS, .arch = ARCH_UNKNOWN };
	struct boot_answer a, again;

	test_case("boot: a client that does not say who it is is made to");
	run(&r, &f, &a);
	CHECK_INT(a.reason, REASON_COLLECT);
	CHECK(holds(a.data, "##params"));

	test_case("boot: without images the script says so and leaves");
	r.mac = (struct macaddr){ 6, { 2 } };
	r.buildarch = slice_str("x86_64");
	run(&r, &f, &a);
	CHECK_INT(a.reason, REASON_NO_IMAGE);
	CHECK(slice_begins(a.data, "#!ipxe\n"));

	test_case("boot: a menu of what suits the client, the first as the default");
	f.images = images;
	f.nimages = 3;
	run(&r, &f, &a);
	CHECK_INT(a.reason, REASON_MENU);
	CHECK(holds(a.data, "item alpha ") && holds(a.data, "item zulu "));
	CHECK(!holds(a.data, "item arm "));
	CHECK(holds(a.data, "--default alpha --timeout 10000"));

	test_case("boot: the image that is flagged is the default");
	images[2].is_default = true;
	run(&r, &f, &a);
	CHECK(holds(a.data, "--default zulu"));

	test_case("boot: a UUID identifies a machine as well");
	r.mac.len = 0;
	r.has_uuid = true;
	run(&r, &f, &a);
	CHECK_INT(a.reason, REASON_MENU);

	test_case("equal inputs give equal answers");
	run(&r, &f, &a);
	{
		static char first[DECIDE_SCRATCH];

		memcpy(first, a.data.p, a.data.n);
		run(&r, &f, &again);
		CHECK(again.data.n == a.data.n && memcmp(first, again.data.p, again.data.n) == 0);
	}

	test_case("a report is answered with an empty script");
	r.stage = STAGE_REPORT;
	run(&r, &f, &a);
	CHECK_INT(a.reason, REASON_REPORT);
	CHECK(slice_is(a.data, "#!ipxe\n"));
}

int
main(void)
{
	struct facts f = facts_of(0, &uefi);
	struct boot_request r = { .stage = STAGE_BOOT, .via = VIA_HTTPS, .arch = ARCH_UNKNOWN };
	struct boot_answer a;
	struct wbuf w;

	test_offers();
	test_files();
	test_schemes();
	test_boot();

	test_case("an answer that does not fit is refused, not cut");
	wbuf_init(&w, scratch_bytes, 100);
	decide(&r, &policy, &f, &w, &a);
	CHECK_INT(a.action, ACTION_ERROR);
	CHECK_INT(a.reason, REASON_TOO_LONG);

	test_case("the CPU is what iPXE says, else the packet's or the boot's architecture");
	r.platform = slice_str("pcbios");
	r.buildarch = slice_str("i386");
	CHECK_INT(request_cpu(&r, 7), ARCH_CPU_BIOS);
	r.platform = slice_str("efi");
	CHECK_INT(request_cpu(&r, 7), ARCH_CPU_IA32);
	r.buildarch = slice_str("arm64");
	CHECK_INT(request_cpu(&r, 7), ARCH_CPU_ARM64);
	r.buildarch = slice_str("z80");
	CHECK_INT(request_cpu(&r, 7), ARCH_CPU_X64);
	r.arch = 11;
	CHECK_INT(request_cpu(&r, 7), ARCH_CPU_ARM64);
	r.arch = ARCH_UNKNOWN;
	CHECK_INT(request_cpu(&r, ARCH_UNKNOWN), ARCH_CPU_NONE);
	return test_end();
}
