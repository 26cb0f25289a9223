/*
 * Tests of handlerd/native.c and decide_native.c: what pxelinux and GRUB are given, by what is in
 * it and what is not.  That they understand it is for tests/suite/test_names.py.
 */
#include "handlerd/native.h"

#include "common/arch.h"
#include "handlerd/decide.h"
#include "tests/stock.h"
#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PXELINUX "boot/bios/pxelinux.cfg/default"
#define GRUB     "grub/grub.cfg"

static uint8_t scratch_bytes[DECIDE_SCRATCH];

static bool
holds(struct slice text, const char *part)
{
	return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

static void
check_holds(struct slice text, const char *part, bool wanted)
{
	if (part != NULL && holds(text, part) != wanted)
		test_fail(__FILE__, __LINE__, "\"%s\" is %sin it:\n%.*s", part,
		    wanted ? "not " : "", (int)text.n, (const char *)text.p);
}

static void
test_kinds(void)
{
	static const struct {
		const char *path;
		enum native_kind kind;
	} kinds[] = {
		{ PXELINUX, NATIVE_PXELINUX },
		{ "pxelinux.cfg/default", NATIVE_PXELINUX },
		{ "PXELINUX.CFG/Default", NATIVE_PXELINUX },
		{ "pxelinux.cfg/default-arm", NATIVE_NONE },
		{ "xpxelinux.cfg/default", NATIVE_NONE },
		{ "pxelinux.cfg/0A4D0132", NATIVE_NONE },
		{ "default", NATIVE_NONE },
		{ GRUB, NATIVE_GRUB },
		{ "boot/x64/GRUB.CFG", NATIVE_GRUB },
		{ "grub.cfg-01-52-54-00-12-34-56", NATIVE_NONE },
		{ "xgrub.cfg", NATIVE_NONE },
	};

	for (size_t i = 0; i < NITEMS(kinds); i++) {
		test_case("native: the kind of %s", kinds[i].path);
		CHECK_INT(native_kind(kinds[i].path), kinds[i].kind);
	}
}

/* What is known of the machine besides. */
enum {
	BIOS = 1,
	NO_IPXE = 2,
	MENU = 4,  /* pxelinux has menu.c32 */
	PLAIN = 8, /* plain HTTP is on */
	KNOWN = 16,
	BLOCKED = 32,
	ASSIGNED = 64, /* "tiny" */
	NO_CPU = 128,
};

#define ENTRIES                                                                                    \
	"\"entries\": [{\"name\": \"win\", \"title\": \"Win's ^ \\\"11\\\" $x\", \"type\": "       \
	"\"wim\","                                                                                 \
	" \"wimboot\": \"w/wimboot\", \"wim\": \"w/boot.wim\"},"                                   \
	" {\"name\": \"live\", \"type\": \"linux\", \"kernel\": \"l/vmlinuz\","                    \
	" \"initrds\": [\"l/a.img\", \"l/b.img\"],"                                                \
	" \"args\": \"boot=${bootid} r=${reporturl} it's m=${netX/mac}\"},"                        \
	" {\"name\": \"odd\", \"type\": \"linux\", \"kernel\": \"l/vm'linuz\"},"                   \
	" {\"name\": \"far\", \"type\": \"linux\", \"kernel\": \"http://10.0.0.9/vmlinuz\"},"      \
	" {\"name\": \"asks\", \"type\": \"linux\", \"kernel\": \"l/vmlinuz\","                    \
	" \"args\": \"x=${user-class}\"},"                                                         \
	" {\"name\": \"hush\", \"type\": \"linux\", \"kernel\": \"l/hush\", \"secret\": true},"    \
	" {\"name\": \"off\", \"title\": \"The disk\", \"type\": \"local\"},"                      \
	" {\"name\": \"prog\", \"type\": \"efi\", \"file\": \"l/prog.efi\", \"args\": \"-v\"}]"
#define MENUS                                                                                      \
	"\"menus\": [{\"name\": \"a\", \"title\": \"First\", \"timeout_ms\": 0, \"items\": ["      \
	"{\"kind\": \"text\", \"title\": \"Here\"}, {\"kind\": \"menu\", \"name\": \"b\"}]},"      \
	" {\"name\": \"b\", \"title\": \"Second\", \"items\": [{\"name\": \"tiny\", \"title\": "   \
	"\"Small\"},"                                                                              \
	" {\"kind\": \"menu\", \"name\": \"a\"}]}]"
#define RULE(action) "\"rules\": [{\"name\": \"r\", " action "}]"

static const struct {
	const char *what, *path, *policy;
	unsigned known;
	enum boot_reason reason;
	const char *entry;
	const char *has[6], *has_not[4];
} cases[] = {
	{ "pxelinux gets the menu of everything", PXELINUX, "{}", BIOS | PLAIN, REASON_MENU, "",
	    { "DEFAULT tiny\nPROMPT 1\nTIMEOUT 100\n",
		"SAY   tiny             Tiny Linux\nLABEL tiny\nLINUX ::images/tiny/vmlinuz\n"
		"INITRD ::images/tiny/initrd.img\nAPPEND console=ttyS0\n",
		"LABEL -leave\nLOCALBOOT 0\n", "LABEL -ipxe\nPXE ::boot/bios/undionly.kpxe\n" },
	    { "UI menu.c32" } },
	{ "with its menu's program, if that is there", PXELINUX, "{}", BIOS | MENU, REASON_MENU, "",
	    { "UI menu.c32\nMENU TITLE ", "LABEL tiny\nMENU LABEL Tiny Linux\nLINUX ",
		"PROMPT 0\n" },
	    { "SAY " } },
	{ "syslinux.efi cannot leave, nor start iPXE", PXELINUX, "{" ENTRIES "}", PLAIN,
	    REASON_MENU, "", { "DEFAULT live\n", "LABEL tiny\nLINUX ::images/tiny/vmlinuz\n" },
	    { "LOCALBOOT", "-leave", "PXE ", "LABEL off" } },
	{ "where it is to leave it asks again", PXELINUX, "{" RULE("\"action\": \"ignore\"") "}", 0,
	    REASON_RULE_SILENCE, "",
	    { "SAY This machine is to leave network boot",
		"DEFAULT -again\nPROMPT 1\nTIMEOUT 300\n", "CONFIG ::" PXELINUX "\n" },
	    { "LOCALBOOT" } },
	{ "and where it is refused", PXELINUX,
	    "{" RULE("\"action\": \"refuse\", \"text\": \"No.\"") "}", 0, REASON_RULE_REFUSES, "",
	    { "SAY No.\nDEFAULT -again\n" }, { "LOCALBOOT" } },
	{ "an entry that does not load", PXELINUX, "{}", KNOWN | ASSIGNED, REASON_ASSIGNED, "tiny",
	    { "ONERROR -leave\n", "LABEL -leave\nCONFIG ::" PXELINUX "\n" }, { "LOCALBOOT" } },
	{ "a menu with a prompt waits for its key", PXELINUX,
	    "{\"prompt\": {\"uefi_text\": \"Press a key\", \"timeout_ms\": 5000}}", 0, REASON_MENU,
	    "", { "SAY Press a key\n", "DEFAULT tiny\nPROMPT 1\nTIMEOUT 0\n" }, { "-leave" } },
	{ "without iPXE there is no such item", PXELINUX, "{}", BIOS | NO_IPXE, REASON_MENU, "",
	    { "LABEL tiny\n" }, { "ipxe" } },
	{ "GRUB gets it too", GRUB, "{}", 0, REASON_MENU, "",
	    { "menuentry 'Tiny Linux' --id 'tiny' {\nlinux \"($bf_root)/images/tiny/vmlinuz\" "
	      "'console=ttyS0'\ninitrd \"($bf_root)/images/tiny/initrd.img\"\n}\n",
		"set default='tiny'\nset timeout=10\n", "--id '-leave' {\nbf_leave\n}",
		"bf_try /EFI/debian/shimx64.efi\n", "bf_try /EFI/BOOT/BOOTx64.EFI\n" },
	    { "-ipxe" } },
	{ "GRUB on a BIOS", GRUB, "{}", BIOS, REASON_MENU, "", { "--id 'tiny'" },
	    { "-ipxe", "shim" } },
	{ "GRUB of a machine that nothing is known of", GRUB, "{}", NO_CPU, REASON_MENU, "",
	    { "--id 'tiny'" }, { "-ipxe", "shim" } },
	{ "what GRUB cannot load is left out", GRUB, "{" ENTRIES "}", PLAIN, REASON_MENU, "",
	    { "--id 'live' {", "--id 'off' {\nbf_leave\n}", "--id 'tiny' {", "--id 'prog' {" },
	    { "'win'", "'odd'", "'far'", "hush" } },
	{ "what pxelinux cannot load goes by way of iPXE", PXELINUX, "{" ENTRIES "}", BIOS | PLAIN,
	    REASON_MENU, "",
	    { "LABEL win\nPXE ::boot/bios/undionly.kpxe\n", "LABEL far\nPXE ::",
		"LABEL asks\nPXE ::", "LABEL hush\nPXE ::", "LABEL odd\nPXE ::" },
	    { "w/boot.wim", "vm'linuz", "10.0.0.9", "l/hush" } },
	{ "and is left out where there is none", PXELINUX, "{" ENTRIES "}", BIOS | NO_IPXE | PLAIN,
	    REASON_MENU, "", { "LABEL live\n", "LABEL off\n", "LABEL tiny\n" },
	    { "LABEL win", "LABEL odd", "LABEL far", "LABEL asks" } },
	{ "what iPXE would expand is expanded", GRUB, "{" ENTRIES "}", PLAIN, REASON_MENU, "",
	    { "linux \"($bf_root)/l/vmlinuz\" 'boot=0000001a' 'r=http" }, { "${" } },
	{ "an EFI program", GRUB, "{" ENTRIES "}", 0, REASON_MENU, "",
	    { "chainloader \"($bf_root)/l/prog.efi\" '-v'\n" }, { NULL } },
	{ "pxelinux, where a caret marks a key", PXELINUX, "{" ENTRIES "}", BIOS | MENU | PLAIN,
	    REASON_MENU, "",
	    { "MENU LABEL Win's   \"11\" $x\nPXE ::boot/bios/undionly.kpxe\n",
		"INITRD ::l/a.img,::l/b.img\n",
		"r=http://10.77.1.10:8060/2PXE/report/ it's m=52:54:00:12:34:56\n",
		"LABEL off\nMENU LABEL The disk\nLOCALBOOT 0\n" },
	    { "prog" } },
	{ "without plain HTTP the URL is HTTPS", PXELINUX, "{" ENTRIES "}", BIOS, REASON_MENU, "",
	    { "r=https://10.77.1.10:8050/2PXE/report/" }, { NULL } },
	{ "an assigned entry is booted without asking", PXELINUX, "{}", BIOS | KNOWN | ASSIGNED,
	    REASON_ASSIGNED, "tiny",
	    { "DEFAULT tiny\nPROMPT 0\nONERROR -leave\nLABEL tiny\nLINUX ::images/tiny/vmlinuz\n" },
	    { "TIMEOUT", "SAY" } },
	{ "by GRUB, too", GRUB, "{}", KNOWN | ASSIGNED, REASON_ASSIGNED, "tiny",
	    { "linux \"($bf_root)/images/tiny/vmlinuz\" 'console=ttyS0'\ninitrd ", "\nboot\n" },
	    { "menuentry" } },
	{ "a rule's entry that takes iPXE", PXELINUX,
	    "{" ENTRIES ", " RULE("\"action\": \"entry\", \"entry\": \"win\"") "}", BIOS,
	    REASON_RULE_ENTRY, "win",
	    { "DEFAULT win\nPROMPT 0\n", "LABEL win\nPXE ::boot/bios/undionly.kpxe\n" },
	    { "boot.wim" } },
	{ "and there is none", GRUB,
	    "{" ENTRIES ", " RULE("\"action\": \"entry\", \"entry\": \"win\"") "}", 0,
	    REASON_NO_LOADER, "win", { "which this loader cannot start", "bf_leave\n" },
	    { "boot.wim" } },
	{ "an entry that is not there", PXELINUX,
	    "{" RULE("\"action\": \"entry\", \"entry\": \"none\"") "}", BIOS, REASON_NO_ENTRY, "",
	    { "SAY The entry none is not on the server.\n", "CONFIG ::" PXELINUX "\n" }, { NULL } },
	{ "a rule's silence is the disk", GRUB, "{" RULE("\"action\": \"ignore\"") "}", 0,
	    REASON_RULE_SILENCE, "", { "}\nbf_leave\n" }, { "menuentry" } },
	{ "a rule's refusal is told", PXELINUX,
	    "{" RULE("\"action\": \"refuse\", \"text\": \"Not today.\\nAsk Jo.\"") "}", BIOS,
	    REASON_RULE_REFUSES, "",
	    { "SAY Not today.\nSAY Ask Jo.\nDEFAULT -leave\nPROMPT 1\nTIMEOUT 100\n" }, { NULL } },
	{ "a machine that waits for approval asks again", PXELINUX,
	    "{" RULE("\"action\": \"approval\"") "}", BIOS | KNOWN, REASON_APPROVAL, "",
	    { "DEFAULT -again\nPROMPT 1\nTIMEOUT 300\nLABEL -again\nCONFIG ::" PXELINUX "\n" },
	    { NULL } },
	{ "by GRUB, too, and some time it starts afresh", GRUB,
	    "{" RULE("\"action\": \"approval\"") "}", KNOWN, REASON_APPROVAL, "",
	    { "sleep --interruptible 30\nconfigfile \"$config_file\"\n", "then reboot; fi" },
	    { NULL } },
	{ "a blocked one is told so and leaves", GRUB, "{}", KNOWN | BLOCKED, REASON_BLOCKED, "",
	    { "sleep --interruptible 10\nbf_leave\n" }, { "menuentry" } },
	{ "text of a rule is no command", GRUB,
	    "{" RULE("\"action\": \"refuse\", \"text\": \"a'; reboot; echo '$x\"") "}", 0,
	    REASON_RULE_REFUSES, "", { "echo 'a'\\''; reboot; echo '\\''$x'\n" }, { NULL } },
	{ "a prompt: without a key it leaves", GRUB,
	    "{\"prompt\": {\"uefi_text\": \"Press a key\", \"timeout_ms\": 5000}}", 0, REASON_MENU,
	    "", { "echo 'Press a key'\n", "set default='-leave'\nset timeout=5\n" }, { NULL } },
	{ "a referral is iPXE's", PXELINUX,
	    "{\"mode\": \"referral\", \"referral\": {\"targets\": [{\"name\": \"t\", \"url\": "
	    "\"http://10.0.0.9/x\"}]}}",
	    BIOS, REASON_REFERRED, "",
	    { "DEFAULT -ipxe\nPROMPT 0\nLABEL -ipxe\nPXE ::boot/bios/undionly.kpxe\n" }, { NULL } },
	{ "menus that lead to menus", PXELINUX,
	    "{" RULE("\"action\": \"menu\", \"menu\": \"a\"") ", " MENUS "}", BIOS, REASON_MENU, "",
	    { "SAY First\nSAY Here\nSAY Second\nSAY   tiny             Small\nLABEL tiny\n",
		"TIMEOUT 0\n" },
	    { NULL } },
};

static void
set_known(unsigned known, struct boot_request *r, struct facts *f)
{
	static const struct loader *none[ARCH_CPUS];
	static const struct loader loaders[] = {
		{ .path = "boot/bios/undionly.kpxe",
		    .info = { .kind = LOADER_IPXE, .cpu = ARCH_CPU_BIOS },
		    .rank = 1 },
		{ .path = "boot/x64/grub.efi",
		    .info = { .kind = LOADER_EFI, .cpu = ARCH_CPU_X64 },
		    .rank = 3 },
		{ .path = "boot/x64/snponly.efi",
		    .info = { .kind = LOADER_IPXE, .cpu = ARCH_CPU_X64 },
		    .rank = 2 },
		{ .path = "boot/x64/ipxe.efi",
		    .info = { .kind = LOADER_IPXE, .cpu = ARCH_CPU_X64 },
		    .rank = 1 },
	};

	r->mac = (struct macaddr){ 6, { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } };
	f->subject.mac = r->mac;
	f->subject.arch = (known & BIOS) != 0 ? 0 : 7;
	f->subject.cpu = (known & NO_CPU) != 0 ? ARCH_CPU_NONE
	                 : (known & BIOS) != 0 ? ARCH_CPU_BIOS
	                                       : ARCH_CPU_X64;
	f->file_rc = -ENOENT;
	f->has_menu_program = (known & MENU) != 0;
	f->web.http_port = (known & PLAIN) != 0 ? 8060 : 0;
	f->loaders = loaders;
	f->nloaders = NITEMS(loaders);
	if ((known & NO_IPXE) != 0) {
		f->nloaders = 0;
		f->best = none;
	}
	if ((known & KNOWN) != 0) {
		f->machine.known = true;
		f->machine.m.state = (known & BLOCKED) != 0 ? MACHINE_BLOCKED : MACHINE_NEW;
	}
	if ((known & ASSIGNED) != 0) {
		f->machine.is_assigned = true;
		f->machine.m.entry = slice_str("tiny");
	}
}

static void
test_cases(void)
{
	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot_request r = { .id = 1,
			.stage = STAGE_FILE,
			.via = VIA_TFTP,
			.arch = ARCH_UNKNOWN,
			.server = { 4, { 10, 77, 1, 10 } },
			.file = slice_str(cases[i].path) };
		struct policy *policy = stock_policy_of(cases[i].policy);
		char path[CONTENT_PATH_MAX];
		struct decision d;
		struct facts f;
		struct wbuf w;

		test_case("native: %s", cases[i].what);
		stock_facts(&r, true, 0, path, &f);
		set_known(cases[i].known, &r, &f);
		wbuf_init(&w, scratch_bytes, sizeof(scratch_bytes));
		decide(&r, policy, &f, &w, &d);
		CHECK_INT(d.answer.action, ACTION_DATA);
		CHECK_INT(d.answer.reason, cases[i].reason);
		CHECK_STR(d.entry, cases[i].entry);
		CHECK(d.as_boot);
		for (size_t k = 0; k < NITEMS(cases[i].has); k++)
			check_holds(d.answer.data, cases[i].has[k], true);
		for (size_t k = 0; k < NITEMS(cases[i].has_not); k++)
			check_holds(d.answer.data, cases[i].has_not[k], false);
		/* a file of the site wins, and so does plain absence over the web */
		f.file_rc = 0;
		wbuf_init(&w, scratch_bytes, sizeof(scratch_bytes));
		decide(&r, policy, &f, &w, &d);
		CHECK(d.answer.action != ACTION_DATA && !d.as_boot);
		f.file_rc = -ENOENT;
		r.via = VIA_HTTPS;
		wbuf_init(&w, scratch_bytes, sizeof(scratch_bytes));
		decide(&r, policy, &f, &w, &d);
		CHECK_INT(d.answer.action, ACTION_ERROR);
		policy_unref(policy);
	}
}

/* However little room there is, nothing is written past it, and it is told. */
static void
test_room(void)
{
	struct boot_request r = {
		.stage = STAGE_FILE, .via = VIA_TFTP, .arch = ARCH_UNKNOWN, .file = slice_str(GRUB)
	};
	struct policy *policy = stock_policy_of("{" ENTRIES "}");
	char path[CONTENT_PATH_MAX];
	struct decision d;
	struct facts f;

	test_case("native: every room that is too small");
	stock_facts(&r, true, 0, path, &f);
	set_known(0, &r, &f);
	for (size_t n = 0; n < 1100; n++) {
		uint8_t *room = malloc(n + 1);
		struct wbuf w;

		wbuf_init(&w, room, n);
		decide(&r, policy, &f, &w, &d);
		CHECK(d.answer.action == ACTION_ERROR && d.answer.reason == REASON_TOO_LONG);
		free(room);
	}
	policy_unref(policy);
}

int
main(void)
{
	test_kinds();
	test_cases();
	test_room();
	return test_end();
}
