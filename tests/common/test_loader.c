/* Tests of common/loader.c, on files made of what real ones hold. */
#include "common/loader.h"

#include "tests/test.h"

#include <string.h>

static const uint8_t ipxe_root[] = { 0x9f, 0xaf, 0x71, 0x7b, 0x7f, 0x8c, 0xa2, 0xf9, 0x3c, 0x25,
	0x6c, 0x79, 0xf8, 0xac, 0x55, 0x91, 0x89, 0x5d, 0x66, 0xd1, 0xff, 0x3b, 0xee, 0x63, 0x97,
	0xa7, 0x0d, 0x29, 0xc6, 0x5e, 0xed, 0x1a };

/* A PE image of this machine (0: no PE) with some strings in it. */
static struct slice
build(uint16_t machine, const char *const *strings, size_t n, bool root, uint8_t buf[static 4096])
{
	struct wbuf w;

	wbuf_init(&w, buf, 4096);
	if (machine != 0) {
		wbuf_str(&w, "MZ");
		wbuf_fill(&w, 0, 58);
		wbuf_bytes(&w, "\x80\0\0\0", 4);
		wbuf_fill(&w, 0, 0x80 - 64);
		wbuf_bytes(&w, "PE\0\0", 4);
		wbuf_u8(&w, (uint8_t)machine);
		wbuf_u8(&w, (uint8_t)(machine >> 8));
	}
	wbuf_fill(&w, 0, 16);
	for (size_t i = 0; i < n; i++) {
		wbuf_str(&w, strings[i]);
		wbuf_u8(&w, 0);
	}
	if (root)
		wbuf_bytes(&w, ipxe_root, sizeof(ipxe_root));
	wbuf_fill(&w, 0, 8);
	return wbuf_view(&w);
}

static const char *const modern[] = { "x", "iPXE", "2.0.0+dfsg-5", "http", "https",
	"http://ipxe.org/" };
static const char *const old[] = { "x", "iPXE", "1.0.0+git", "http", "http://ipxe.org/" };
static const char *const shim[] = { "UEFI SHIM" };
static const char *const bios[] = { "PXE->EB:", "UNDI code segment" };

static void
test_inspect(void)
{
	static const struct {
		const char *what;
		uint16_t machine;
		const char *const *strings;
		size_t n;
		bool root;
		const char *name;
		enum loader_kind kind;
		enum arch_cpu cpu;
		enum loader_https https;
		enum loader_trust trust;
		const char *version;
	} cases[] = {
		{ "iPXE with HTTPS for x64", 0x8664, modern, NITEMS(modern), true, "snponly.efi",
		    LOADER_IPXE, ARCH_CPU_X64, LOADER_HTTPS_YES, LOADER_TRUST_OFFER,
		    "2.0.0+dfsg-5" },
		{ "iPXE with HTTPS for arm64, whatever its name says", 0xaa64, modern,
		    NITEMS(modern), true, "bootx64.efi", LOADER_IPXE, ARCH_CPU_ARM64,
		    LOADER_HTTPS_YES, LOADER_TRUST_OFFER, "2.0.0+dfsg-5" },
		{ "iPXE built with roots of its own", 0x8664, modern, NITEMS(modern), false,
		    "ipxe.efi", LOADER_IPXE, ARCH_CPU_X64, LOADER_HTTPS_YES, LOADER_TRUST_OWN,
		    "2.0.0+dfsg-5" },
		{ "iPXE without HTTPS", 0x8664, old, NITEMS(old), false, "ipxe.efi", LOADER_IPXE,
		    ARCH_CPU_X64, LOADER_HTTPS_NO, LOADER_TRUST_NONE, "1.0.0+git" },
		{ "another EFI program", 0x8664, shim, NITEMS(shim), false, "shimx64.efi",
		    LOADER_EFI, ARCH_CPU_X64, LOADER_HTTPS_UNSEEN, LOADER_TRUST_UNSEEN, "" },
		{ "iPXE for BIOS, which is compressed", 0, bios, NITEMS(bios), false,
		    "undionly.kpxe", LOADER_IPXE, ARCH_CPU_BIOS, LOADER_HTTPS_UNSEEN,
		    LOADER_TRUST_UNSEEN, "" },
		{ "another BIOS program", 0, shim, NITEMS(shim), false, "pxelinux.0", LOADER_BIOS,
		    ARCH_CPU_BIOS, LOADER_HTTPS_UNSEEN, LOADER_TRUST_UNSEEN, "" },
		{ "no PE image called .efi: by its name alone", 0, shim, NITEMS(shim), false,
		    "snponly.efi", LOADER_UNKNOWN, ARCH_CPU_X64, LOADER_HTTPS_UNSEEN,
		    LOADER_TRUST_UNSEEN, "" },
		{ "the same for arm64", 0, shim, NITEMS(shim), false, "bootaa64.efi",
		    LOADER_UNKNOWN, ARCH_CPU_ARM64, LOADER_HTTPS_UNSEEN, LOADER_TRUST_UNSEEN, "" },
		{ "a PE image for a CPU that is not known", 0x1234, modern, NITEMS(modern), false,
		    "x.efi", LOADER_UNKNOWN, ARCH_CPU_NONE, LOADER_HTTPS_UNSEEN,
		    LOADER_TRUST_UNSEEN, "" },
		{ "a text", 0, shim, NITEMS(shim), false, "readme.txt", LOADER_UNKNOWN,
		    ARCH_CPU_NONE, LOADER_HTTPS_UNSEEN, LOADER_TRUST_UNSEEN, "" },
	};
	struct loader_info info, before;
	uint8_t buf[4096];
	struct slice s;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("loader: %s", cases[i].what);
		s = build(cases[i].machine, cases[i].strings, cases[i].n, cases[i].root, buf);
		loader_inspect(s, cases[i].name, &info);
		CHECK_INT(info.kind, cases[i].kind);
		CHECK_INT(info.cpu, cases[i].cpu);
		CHECK_INT(info.https, cases[i].https);
		CHECK_INT(info.trust, cases[i].trust);
		CHECK_STR(info.version, cases[i].version);
		for (size_t n = 0; n < s.n; n++)
			loader_inspect((struct slice){ s.p, n }, cases[i].name, &before);
	}
}

static void
test_headers(void)
{
	struct loader_info info;
	uint8_t buf[4096];
	struct slice s;

	test_case("a header that points outside the file is no PE image");
	s = build(0x8664, shim, 1, false, buf);
	memcpy(buf + 60, "\xff\xff\xff\xff", 4);
	loader_inspect(s, "x.bin", &info);
	CHECK_INT(info.cpu, ARCH_CPU_NONE);
	memcpy(buf + 60, "\xfb\xff\xff\xff", 4);
	loader_inspect(s, "x.bin", &info);
	CHECK_INT(info.cpu, ARCH_CPU_NONE);
}

static void
test_rank(void)
{
	/* from the best to the one that is never offered */
	static const char *const order[] = { "snponly.efi", "ipxe.efi", "other.efi" };
	struct loader_info info, before;
	uint8_t buf[4096];

	test_case("iPXE with HTTPS goes first, and of two the one with the firmware's driver");
	loader_inspect(build(0x8664, modern, NITEMS(modern), true, buf), "x.efi", &info);
	for (size_t i = 1; i < NITEMS(order); i++)
		CHECK(loader_rank(&info, order[i - 1]) > loader_rank(&info, order[i]));
	loader_inspect(build(0x8664, old, NITEMS(old), true, buf), "x.efi", &before);
	CHECK(loader_rank(&info, "other.efi") > loader_rank(&before, "snponly.efi"));
	loader_inspect(build(0, bios, NITEMS(bios), true, buf), "undionly.kpxe", &before);
	CHECK(loader_rank(&before, "undionly.kpxe") > loader_rank(&before, "undionly.kkpxe"));
	loader_inspect(build(0, shim, 1, false, buf), "readme.txt", &before);
	CHECK_INT(loader_rank(&before, "readme.txt"), 0);
}

int
main(void)
{
	test_inspect();
	test_headers();
	test_rank();
	return test_end();
}
