/*
 * Tests of handlerd/decide.c, decide_boot.c and, by what comes out of them, of judge.c: a row a
 * case, what is asked and known, and what is answered.
 */
#include "tests/handlerd/deciding.h"

#include "common/arch.h"
#include "tests/stock.h"
#include "tests/test.h"

#include <errno.h>
#include <string.h>

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
		uint8_t few[100];
		struct wbuf w;

		r = request_of(ASK_BOOT);
		wbuf_init(&w, few, sizeof(few));
		decide(&r, stock_policy(), &f, &w, &d);
		CHECK_INT(d.answer.action, ACTION_ERROR);
		CHECK_INT(d.answer.reason, REASON_TOO_LONG);
		CHECK_INT(d.answer.error, BOOT_ERROR_UNAVAILABLE);
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

/* iPXE without HTTPS that loads one without it, too: there is no script that could tell it. */
static void
test_loop_guard_newer(void)
{
	struct boot_request r = request_of(ASK_IPXE);
	struct decision d;
	struct facts f;

	test_case("loop guard: iPXE without HTTPS gets no newer one again");
	r.ipxe_features = IPXE_FEATURE_HTTP;
	f = facts_of(&r);
	f.now_ms = 100000;
	run(&r, stock_policy(), &f, &d);
	CHECK_STR(boot_reason_name(d.answer.reason), boot_reason_name(REASON_LOADER_NEWER));
	f.loop_until_ms = f.now_ms + 1;
	run(&r, stock_policy(), &f, &d);
	CHECK_INT(d.answer.action, ACTION_IGNORE);
	CHECK_STR(boot_reason_name(d.answer.reason), boot_reason_name(REASON_LOOP));

	test_case("nor is the newer one that lacks it, too, sent round");
	f.loop_until_ms = 0;
	f.loader_ms = f.now_ms - 3000;
	run(&r, stock_policy(), &f, &d);
	CHECK_INT(d.answer.action, ACTION_IGNORE);
	CHECK_STR(boot_reason_name(d.answer.reason), boot_reason_name(REASON_NO_HTTPS));
	f.loader_ms = f.now_ms - 60000; /* a reset */
	run(&r, stock_policy(), &f, &d);
	CHECK_STR(boot_reason_name(d.answer.reason), boot_reason_name(REASON_LOADER_NEWER));
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

int
main(void)
{
	test_actions();
	test_machine();
	test_choices();
	test_images();
	test_schemes();
	test_loop_guard();
	test_loop_guard_newer();
	test_cpu();
	return test_end();
}
