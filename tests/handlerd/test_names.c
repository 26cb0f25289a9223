/* Tests of handlerd/names.c: a name, what is known of its machine, and the paths in their order. */
#include "handlerd/names.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHIM "boot/x64/secure"
#define BEST "boot/x64/snponly.efi"

struct row {
	const char *what, *name, *folder, *rpi, *best;
	enum arch_cpu cpu;
	const char *paths; /* the first of them, with a blank behind each; a "|" ends the list */
};

static const struct row rows[] = {
	/* spellings, of a machine that nothing is known of */
	{ "a plain name: the root, then the loaders' folder", "x", NULL, NULL, NULL, 0,
	    "x boot/x |" },
	{ "back-slashes and case stay what the index folds", "\\Boot\\X64\\a.efi", NULL, NULL, NULL,
	    0, "Boot/X64/a.efi boot/Boot/X64/a.efi X64/a.efi boot/X64/a.efi |" },
	{ "mixed and doubled slashes, as wdsnbp and shim send", "/boot\\//x64//a", NULL, NULL, NULL,
	    0, "boot/x64/a boot/boot/x64/a x64/a boot/x64/a |" },
	{ "a drive", "C:\\Boot\\BCD", NULL, NULL, NULL, 0,
	    "C:/Boot/BCD boot/C:/Boot/BCD Boot/BCD boot/Boot/BCD BCD boot/BCD |" },
	{ "a drive with slashes", "d:/x", NULL, NULL, NULL, 0, "d:/x boot/d:/x x boot/x |" },
	{ "a drive without a slash", "d:x", NULL, NULL, NULL, 0, "d:x boot/d:x x boot/x |" },
	{ "a device path", "\\\\?\\C:\\x", NULL, NULL, NULL, 0, "?/C:/x boot/?/C:/x x boot/x |" },
	{ "a UNC name: without its server, then without its share", "\\\\server\\REMINST\\a", NULL,
	    NULL, NULL, 0,
	    "server/REMINST/a boot/server/REMINST/a REMINST/a boot/REMINST/a a boot/a |" },
	{ "two slashes and a host", "//10.0.0.1/a", NULL, NULL, NULL, 0,
	    "10.0.0.1/a boot/10.0.0.1/a a boot/a |" },
	{ "a URL", "tftp://10.0.0.1/a/b", NULL, NULL, NULL, 0,
	    "tftp:/10.0.0.1/a/b boot/tftp:/10.0.0.1/a/b a/b boot/a/b |" },
	{ "a URL with a port, and IPv6", "TFTP://[fd00::1]:6969/a", NULL, NULL, NULL, 0,
	    "TFTP:/[fd00::1]:6969/a boot/TFTP:/[fd00::1]:6969/a a boot/a |" },
	{ "a URL with escapes", "tftp://h/a%20b", NULL, NULL, NULL, 0,
	    "tftp:/h/a%20b boot/tftp:/h/a%20b a%20b boot/a%20b a b boot/a b |" },
	{ "escapes: raw first, decoded once", "a%20b%2520", NULL, NULL, NULL, 0,
	    "a%20b%2520 boot/a%20b%2520 a b%20 boot/a b%20 |" },
	{ "an escaped slash is a slash", "boot%2fx", NULL, NULL, NULL, 0,
	    "boot%2fx boot/boot%2fx boot/x boot/boot/x x boot/x |" },
	{ "what is no escape", "50%", NULL, NULL, NULL, 0, "50% boot/50% |" },
	{ "half an escape", "50%2", NULL, NULL, NULL, 0, "50%2 boot/50%2 |" },
	{ "an escaped NUL is no spelling", "a%00b", NULL, NULL, NULL, 0, "a%00b boot/a%00b |" },
	{ "0xff at the end", "a\xff", NULL, NULL, NULL, 0, "a boot/a |" },
	{ "0xff and what stood behind it", "a.efi\xff\x01junk", NULL, NULL, NULL, 0,
	    "a.efi boot/a.efi |" },
	{ "bytes over 0x7f at the end", "a\x80\x91", NULL, NULL, NULL, 0,
	    "a\x80\x91 boot/a\x80\x91 a boot/a a\xc2\x80\xc2\x91 boot/a\xc2\x80\xc2\x91 |" },
	{ "latin-1", "M\xfcnchen", NULL, NULL, NULL, 0,
	    "M\xfcnchen boot/M\xfcnchen M\xc3\xbcnchen boot/M\xc3\xbcnchen |" },
	{ "UTF-8 is not taken for latin-1", "M\xc3\xbcnchen", NULL, NULL, NULL, 0,
	    "M\xc3\xbcnchen boot/M\xc3\xbcnchen |" },
	{ "blanks and line ends behind it", "a.efi \r\n", NULL, NULL, NULL, 0,
	    "a.efi boot/a.efi |" },

	/* second stages */
	{ "shim from its folder asks for GRUB there", SHIM "/grubx64.efi", SHIM, NULL, BEST,
	    ARCH_CPU_X64,
	    SHIM "/grubx64.efi " SHIM "/" SHIM "/grubx64.efi boot/x64/" SHIM
		 "/grubx64.efi boot/" SHIM "/grubx64.efi x64/secure/grubx64.efi " },
	{ "shim that lost its folder asks in the root", "grubx64.efi", SHIM, NULL, BEST,
	    ARCH_CPU_X64,
	    "grubx64.efi " SHIM "/grubx64.efi boot/x64/grubx64.efi boot/grubx64.efi |" },
	{ "shim with its root's back-slash", "\\revocations_sku.efi", SHIM, NULL, BEST,
	    ARCH_CPU_X64,
	    "revocations_sku.efi " SHIM "/revocations_sku.efi boot/x64/revocations_sku.efi "
	    "boot/revocations_sku.efi |" },
	{ "shim of old ROMs: garbage behind", "//mmx64.efi\xff", SHIM, NULL, BEST, ARCH_CPU_X64,
	    "mmx64.efi " SHIM "/mmx64.efi boot/x64/mmx64.efi boot/mmx64.efi |" },
	{ "GRUB's modules in its own folder", "/grub/x86_64-efi/command.lst", SHIM, NULL, BEST,
	    ARCH_CPU_X64,
	    "grub/x86_64-efi/command.lst " SHIM "/grub/x86_64-efi/command.lst "
	    "boot/x64/grub/x86_64-efi/command.lst boot/grub/x86_64-efi/command.lst "
	    "x86_64-efi/command.lst " SHIM "/x86_64-efi/command.lst " },
	{ "Debian's installer's GRUB", "/debian-installer/amd64/grub/grub.cfg", SHIM, NULL, NULL, 0,
	    "debian-installer/amd64/grub/grub.cfg " SHIM "/debian-installer/amd64/grub/grub.cfg "
	    "boot/x64/debian-installer/amd64/grub/grub.cfg "
	    "boot/debian-installer/amd64/grub/grub.cfg grub.cfg " SHIM "/grub.cfg " },
	{ "Red Hat's GRUB, a file for one machine", SHIM "/grub.cfg-01-52-54-00-12-34-56", SHIM,
	    NULL, BEST, ARCH_CPU_X64, SHIM "/grub.cfg-01-52-54-00-12-34-56 " },
	{ "pxelinux beside itself", "boot/bios/pxelinux.cfg/default", "boot/bios", NULL, NULL,
	    ARCH_CPU_BIOS, "boot/bios/pxelinux.cfg/default " },
	{ "pxelinux without its folder", "pxelinux.cfg/01-52-54-00-12-34-56", "boot/bios", NULL,
	    NULL, ARCH_CPU_BIOS,
	    "pxelinux.cfg/01-52-54-00-12-34-56 boot/bios/pxelinux.cfg/01-52-54-00-12-34-56 "
	    "boot/pxelinux.cfg/01-52-54-00-12-34-56 |" },
	{ "pxelinux looks for its core", "boot/isolinux/ldlinux.c32", "boot/bios", NULL, NULL,
	    ARCH_CPU_BIOS,
	    "boot/isolinux/ldlinux.c32 boot/bios/boot/isolinux/ldlinux.c32 "
	    "boot/boot/isolinux/ldlinux.c32 ldlinux.c32 boot/bios/ldlinux.c32 boot/ldlinux.c32 |" },
	{ "Windows' boot manager from its folder", "\\Boot\\BCD", "boot/x64/windows", NULL, BEST,
	    ARCH_CPU_X64,
	    "Boot/BCD boot/x64/windows/Boot/BCD boot/x64/Boot/BCD boot/Boot/BCD BCD "
	    "boot/x64/windows/BCD boot/x64/BCD boot/BCD |" },
	{ "and of Windows 7", "\\EFI\\Microsoft\\Boot\\BCD", "w", NULL, NULL, 0,
	    "EFI/Microsoft/Boot/BCD w/EFI/Microsoft/Boot/BCD boot/EFI/Microsoft/Boot/BCD BCD w/BCD "
	    "boot/BCD |" },
	{ "its fonts", "/boot\\Fonts\\wgl4_boot.ttf", "w", NULL, NULL, 0,
	    "boot/Fonts/wgl4_boot.ttf w/boot/Fonts/wgl4_boot.ttf boot/boot/Fonts/wgl4_boot.ttf "
	    "Fonts/wgl4_boot.ttf w/Fonts/wgl4_boot.ttf boot/Fonts/wgl4_boot.ttf |" },
	{ "a Raspberry Pi with its serial number", "d3b4a2f1/start4.elf", NULL, "boot/rpi", NULL, 0,
	    "d3b4a2f1/start4.elf boot/rpi/d3b4a2f1/start4.elf boot/d3b4a2f1/start4.elf start4.elf "
	    "boot/rpi/start4.elf boot/start4.elf |" },
	{ "and with its MAC address", "dc-a6-32-00-00-14/config.txt", NULL, "boot/rpi", NULL, 0,
	    "dc-a6-32-00-00-14/config.txt boot/rpi/dc-a6-32-00-00-14/config.txt "
	    "boot/dc-a6-32-00-00-14/config.txt config.txt boot/rpi/config.txt boot/config.txt |" },
	{ "where there is nothing for a Pi the number is a folder", "d3b4a2f1/start4.elf", NULL,
	    NULL, NULL, 0, "d3b4a2f1/start4.elf boot/d3b4a2f1/start4.elf |" },
	{ "eight characters that are no number", "d3b4a2fx/start4.elf", NULL, "boot/rpi", NULL, 0,
	    "d3b4a2fx/start4.elf boot/rpi/d3b4a2fx/start4.elf boot/d3b4a2fx/start4.elf |" },
	{ "a Pi's firmware in the root of its folder", "config.txt", "boot/rpi", "boot/rpi", NULL,
	    0, "config.txt boot/rpi/config.txt boot/config.txt |" },
	{ "U-Boot's script", "boot.scr.uimg", NULL, NULL, "boot/arm64/ipxe.efi", ARCH_CPU_ARM64,
	    "boot.scr.uimg boot/arm64/boot.scr.uimg boot/boot.scr.uimg |" },
	{ "U-Boot's device trees", "dtb/broadcom/bcm2711-rpi-4-b.dtb", NULL, NULL, NULL,
	    ARCH_CPU_ARM64,
	    "dtb/broadcom/bcm2711-rpi-4-b.dtb boot/arm64/dtb/broadcom/bcm2711-rpi-4-b.dtb "
	    "boot/dtb/broadcom/bcm2711-rpi-4-b.dtb |" },
};

static void
list(const struct names_ask *ask, struct names *n, char *text, size_t size)
{
	char path[CONTENT_PATH_MAX], first[CONTENT_PATH_MAX];
	struct wbuf w;
	bool is_first = true;

	wbuf_init(&w, text, size - 1);
	if (names_begin(n, ask, first) == 0) {
		while (names_next(n, path)) {
			if (is_first)
				CHECK_STR(path, first);
			is_first = false;
			wbuf_printf(&w, "%s ", path);
		}
	}
	wbuf_str(&w, "|");
	CHECK(!w.bad);
	text[w.used] = '\0';
}

static void
test_rows(void)
{
	static char got[65536];

	for (size_t i = 0; i < NITEMS(rows); i++) {
		const struct row *row = &rows[i];
		const struct names_ask ask = { .name = slice_str(row->name),
			.folder = row->folder,
			.rpi = row->rpi,
			.best = row->best,
			.cpu = row->cpu };
		struct names n;

		test_case("names: %s", row->what);
		list(&ask, &n, got, sizeof(got));
		CHECK_INT(n.rc, 0);
		/* a row that does not end with "|" tells how the list begins */
		if (strncmp(got, row->paths, strlen(row->paths)) != 0)
			CHECK_STR(got, row->paths);
	}
}

static void
test_refused(void)
{
	static const struct {
		const char *what, *name;
		size_t n; /* 0: strlen */
		int rc;   /* of names_begin() */
		int end;  /* of the list, where it begins */
	} refused[] = {
		{ "the parent", "../etc/passwd", 0, -EACCES, 0 },
		{ "the parent behind a folder", "boot\\..\\..\\etc", 0, -EACCES, 0 },
		{ "the parent in a URL", "tftp://h/../x", 0, -EACCES, 0 },
		{ "the parent on a drive", "C:\\..\\x", 0, -EACCES, 0 },
		{ "a hidden file", ".ssh/id", 0, -EACCES, 0 },
		{ "the parent with escapes: only as it is written", "%2e%2e/x", 0, 0, -EACCES },
		{ "with an escaped slash, too", "a%2f..%2fb", 0, 0, -EACCES },
		{ "an escaped hidden file", "%2Essh", 0, 0, -EACCES },
		{ "the parent behind garbage is that", "..\xff", 0, -EACCES, 0 },
		{ "nothing", "", 0, -EINVAL, 0 },
		{ "only slashes", "\\\\//", 0, -EINVAL, 0 },
		{ "only garbage", "\xff\xff", 0, -EINVAL, 0 },
		{ "a NUL", "a\0b", 3, -EINVAL, 0 },
		{ "a line end within", "a\nb", 0, -EINVAL, 0 },
		{ "a server alone is a name", "\\\\server", 0, 0, 0 },
		{ "a URL of nothing is one, too", "tftp://h/", 0, 0, 0 },
	};
	static char text[65536];
	char untouched[CONTENT_PATH_MAX], longest[10000];
	struct names_ask ask = { .name = { 0 } };
	struct names n;

	for (size_t i = 0; i < NITEMS(refused); i++) {
		test_case("names: refused: %s", refused[i].what);
		ask.name = slice_str(refused[i].name);
		if (refused[i].n > 0)
			ask.name.n = refused[i].n;
		CHECK_INT(names_begin(&n, &ask, untouched), refused[i].rc);
		if (refused[i].rc == 0) {
			list(&ask, &n, text, sizeof(text));
			CHECK_INT(n.rc, refused[i].end);
		}
	}

	test_case("names: refused: one of 10 KB");
	memset(longest, 'a', sizeof(longest));
	ask.name = (struct slice){ (const uint8_t *)longest, sizeof(longest) };
	CHECK_INT(names_begin(&n, &ask, untouched), -ENAMETOOLONG);
	test_case("names: one that fits alone is not put below a folder");
	ask.name.n = CONTENT_PATH_MAX - 2;
	list(&ask, &n, text, sizeof(text));
	CHECK_INT((long long)strlen(text), CONTENT_PATH_MAX - 2 + 2);
}

static void
test_web(void)
{
	const struct names_ask ask = { .name = slice_str("boot/a%20b"),
		.as_it_is = true,
		.folder = "x",
		.best = BEST,
		.rpi = "boot/rpi" };
	char text[256];
	struct names n;

	test_case("names: a URL's path has one meaning");
	list(&ask, &n, text, sizeof(text));
	CHECK_STR(text, "boot/a%20b |");
}

static void
test_loaders(void)
{
	static const struct {
		const char *path, *folder; /* NULL: it is none */
	} paths[] = {
		{ "boot/x64/secure/shimx64.efi", "boot/x64/secure" },
		{ "boot/bios/pxelinux.0", "boot/bios" },
		{ "ipxe.efi", "" },
		{ "w/pxeboot.N12", "w" },
		{ "w/bootmgr", "w" },
		{ "w/bootmgr.exe", "w" },
		{ "boot/rpi/d3b4a2f1/start4.elf", "boot/rpi/d3b4a2f1" },
		{ "boot/x64/grubnetx64.efi.signed", "boot/x64" },
		{ "boot/x64/grub/grub.cfg", NULL },
		{ "images/x/vmlinuz", NULL },
		{ "boot/x64/grub/x86_64-efi/normal.mod", NULL },
		{ "a.efi/x", NULL },
	};
	char folder[NAMES_FOLDER_MAX], longest[CONTENT_PATH_MAX];

	for (size_t i = 0; i < NITEMS(paths); i++) {
		test_case("names: the folder that %s leaves", paths[i].path);
		CHECK_INT(names_is_loader(paths[i].path), paths[i].folder != NULL);
		names_folder(paths[i].path, folder);
		if (paths[i].folder != NULL)
			CHECK_STR(folder, paths[i].folder);
	}
	test_case("names: a folder that is too long is none");
	memset(longest, 'a', NAMES_FOLDER_MAX);
	strcpy(longest + NAMES_FOLDER_MAX, "/x.efi");
	names_folder(longest, folder);
	CHECK_STR(folder, "");
	names_folder(longest + 1, folder);
	CHECK_INT((long long)strlen(folder), NAMES_FOLDER_MAX - 1);
}

static void
test_macs(void)
{
	static const struct {
		const char *name, *mac; /* NULL: none */
	} macs[] = {
		{ "boot/bios/pxelinux.cfg/01-52-54-00-12-34-56", "52:54:00:12:34:56" },
		{ "01-52-54-00-12-34-56", "52:54:00:12:34:56" },
		{ "\\x\\01-AA-bb-00-12-34-56", "aa:bb:00:12:34:56" },
		{ "boot/grub.cfg-01-52-54-00-12-34-56", "52:54:00:12:34:56" },
		{ "x/101-52-54-00-12-34-56", NULL },
		{ "x/02-52-54-00-12-34-56", NULL },
		{ "x/01-52-54-00-12-34-5g", NULL },
		{ "x/01-52-54-00-12-34:56", NULL },
		{ "x/01-52-54-00-12-34-56.cfg", NULL },
		{ "1-52-54-00-12-34-56", NULL },
		{ "", NULL },
	};
	char text[MAC_STRLEN];
	struct macaddr mac;

	for (size_t i = 0; i < NITEMS(macs); i++) {
		int rc = names_mac(slice_str(macs[i].name), &mac);

		test_case("names: the machine of \"%s\"", macs[i].name);
		CHECK_INT(rc, macs[i].mac != NULL ? 0 : -ENOENT);
		if (rc == 0 && macs[i].mac != NULL)
			CHECK_STR(mac_format(&mac, text), macs[i].mac);
	}
}

static void
test_2pxe(void)
{
	test_case("names: 2PXE's names of loaders, in any case");
	CHECK_STR(names_of_2pxe("boot/x64/snponly_x64.efi"), "boot/x64/snponly.efi");
	CHECK_STR(names_of_2pxe("Boot/X86/undionly.KPXE"), "boot/bios/undionly.kpxe");
	CHECK(names_of_2pxe("boot/x64/snponly.efi") == NULL);
	CHECK(names_of_2pxe("x/boot/x64/snponly_x64.efi") == NULL);
}

int
main(void)
{
	test_rows();
	test_refused();
	test_web();
	test_loaders();
	test_macs();
	test_2pxe();
	return test_end();
}
