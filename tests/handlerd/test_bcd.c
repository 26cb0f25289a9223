/*
 * Tests of handlerd/hive.c, handlerd/bcd.c and decide_windows.c, by a reader of their own; that
 * hivexsh reads the same is for tests/suite/test_names.py.
 */
#include "handlerd/bcd.h"

#include "common/arch.h"
#include "handlerd/decide.h"
#include "handlerd/hive.h"
#include "tests/stock.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t room[DECIDE_SCRATCH];

/* --- reading -------------------------------------------------------------------------------- */

static uint32_t
u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t
u16(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

/* A cell in use, of this kind. */
static const uint8_t *
cell(struct slice hive, uint32_t at, const char *kind)
{
	const uint8_t *p = hive.p + 4096 + at;

	CHECK(at >= 32 && at % 8 == 0 && 4096 + at < hive.n);
	CHECK((int32_t)u32(p) < 0 && -(int32_t)u32(p) % 8 == 0);
	CHECK(4096 + at + (uint32_t) - (int32_t)u32(p) <= hive.n);
	CHECK(kind == NULL || memcmp(p + 4, kind, 2) == 0);
	return p + 4;
}

/* The key below another one; NULL: there is none. */
static const uint8_t *
below(struct slice hive, const uint8_t *key, const char *name)
{
	const uint8_t *list = u32(key + 20) > 0 ? cell(hive, u32(key + 28), "lf") : NULL;

	for (uint32_t i = 0; list != NULL && i < u16(list + 2); i++) {
		const uint8_t *k = cell(hive, u32(list + 4 + 8 * i), "nk");

		CHECK(memcmp(list + 8 + 8 * i, k + 76, 4) == 0);
		if (u16(k + 72) == strlen(name) && memcmp(k + 76, name, strlen(name)) == 0)
			return k;
	}
	return NULL;
}

static const uint8_t *
root_of(struct slice hive)
{
	uint32_t sum = 0;

	CHECK(hive.n > 4096 && hive.n % 4096 == 0 && memcmp(hive.p, "regf", 4) == 0);
	for (size_t i = 0; i < 508; i += 4)
		sum ^= u32(hive.p + i);
	CHECK_INT(u32(hive.p + 508), sum);
	CHECK_INT(u32(hive.p + 40), (long long)hive.n - 4096);
	CHECK(memcmp(hive.p + 4096, "hbin", 4) == 0 && u32(hive.p + 4096 + 8) == hive.n - 4096);
	return cell(hive, u32(hive.p + 36), "nk");
}

/* All cells together fill the bin. */
static void
check_cells(struct slice hive)
{
	size_t at = 4096 + 32;

	while (at < hive.n) {
		int32_t n = (int32_t)u32(hive.p + at);

		CHECK(n != 0 && n % 8 == 0);
		if (n == 0)
			return;
		at += (size_t)(n < 0 ? -n : n);
	}
	CHECK_INT((long long)at, (long long)hive.n);
}

static struct slice
value(struct slice hive, const uint8_t *key, const char *name, uint32_t *type)
{
	const uint8_t *list = u32(key + 36) > 0 ? cell(hive, u32(key + 40), NULL) : NULL;

	for (uint32_t i = 0; list != NULL && i < u32(key + 36); i++) {
		const uint8_t *v = cell(hive, u32(list + 4 * i), "vk");
		uint32_t n = u32(v + 4);

		if (u16(v + 2) != strlen(name) || memcmp(v + 20, name, strlen(name)) != 0)
			continue;
		*type = u32(v + 12);
		if ((n & 0x80000000u) != 0)
			return (struct slice){ v + 8, n & 0x7fffffffu };
		return (struct slice){ cell(hive, u32(v + 8), NULL), n };
	}
	*type = 0;
	return (struct slice){ 0 };
}

/* An element of an object, as hexadecimal digits, or as text if it is one. */
static void
element(struct slice hive, const char *object, const char *number, char *ret, size_t size)
{
	const uint8_t *k = below(hive, root_of(hive), "Objects");
	uint32_t type;
	struct slice v;
	struct wbuf w;

	wbuf_init(&w, ret, size - 1);
	k = k != NULL ? below(hive, k, object) : NULL;
	k = k != NULL ? below(hive, k, "Elements") : NULL;
	k = k != NULL ? below(hive, k, number) : NULL;
	if (k != NULL) {
		v = value(hive, k, "Element", &type);
		for (size_t i = 0; i < v.n; i++) {
			if (type == HIVE_BINARY)
				wbuf_printf(&w, "%02x", v.p[i]);
			else if (i % 2 == 0 && v.p[i + 1] != 0)
				wbuf_printf(&w, "<%02x%02x>", v.p[i + 1], v.p[i]);
			else if (i % 2 == 0)
				wbuf_u8(&w, v.p[i] != 0 ? v.p[i] : '|');
		}
	}
	CHECK(!w.bad);
	ret[w.used] = '\0';
}

/* --- stores --------------------------------------------------------------------------------- */

#define MANAGER "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
#define LOADER0 "{bf0b0075-0001-4000-8000-000000000000}"
#define LOADER1 "{bf0b0075-0001-4000-8000-000000000001}"
#define DEVICE0 "{bf0b0075-0002-4000-8000-000000000000}"
#define DEVICE1 "{bf0b0075-0002-4000-8000-000000000001}"

/* The bytes that stores of Microsoft's media have for ramdisk=[boot]\sources\boot.wim. */
#define SOURCES_BOOT_WIM                                                                           \
	"75000bbf020000408000000000000000"                                                         \
	"0000000001000000a000000000000000"                                                         \
	"03000000000000000000000000000000"                                                         \
	"00000000000000000100000078000000"                                                         \
	"05000000050000000000000048000000"                                                         \
	"00000000000000000000000000000000"                                                         \
	"00000000000000000000000000000000"                                                         \
	"00000000000000000000000000000000"                                                         \
	"0000000000000000000000005c007300"                                                         \
	"6f00750072006300650073005c006200"                                                         \
	"6f006f0074002e00770069006d000000"
#define BOOT_DEVICE                                                                                \
	"00000000000000000000000000000000"                                                         \
	"05000000000000004800000000000000"                                                         \
	"00000000000000000000000000000000"                                                         \
	"00000000000000000000000000000000"                                                         \
	"00000000000000000000000000000000"                                                         \
	"0000000000000000"

static void
test_store(void)
{
	static const struct {
		const char *what, *object, *element, *want;
	} rows[] = {
		{ "the manager's name", MANAGER, "12000004", "Windows Boot Manager|" },
		{ "the one that it stands on", MANAGER, "23000003", LOADER1 "|" },
		{ "all that it shows", MANAGER, "24000001", LOADER0 "|" LOADER1 "||" },
		{ "how long it waits", MANAGER, "25000004", "1e00000000000000" },
		{ "the device of an image, as on Microsoft's media", LOADER0, "11000001",
		    SOURCES_BOOT_WIM },
		{ "and once more", LOADER0, "21000001", SOURCES_BOOT_WIM },
		{ "its loader on UEFI", LOADER0, "12000002",
		    "\\windows\\system32\\boot\\winload.efi|" },
		{ "its title, in UTF-16", LOADER1, "12000004", "M\xfcnchen <d83d><de00>|" },
		{ "the system's folder", LOADER0, "22000002", "\\windows|" },
		{ "it finds its HAL", LOADER0, "26000010", "01" },
		{ "it is Windows PE", LOADER1, "26000022", "01" },
		{ "the device of boot.sdi", DEVICE0, "31000003", BOOT_DEVICE },
		{ "and its path", DEVICE0, "32000004", "\\boot\\boot.sdi|" },
		{ "of the other image", DEVICE1, "32000004", "\\images\\b\\boot.sdi|" },
		{ "block size", DEVICE0, "35000007", "b005000000000000" },
		{ "window", DEVICE1, "35000008", "1000000000000000" },
		{ "what is not there", LOADER0, "12000099", "" },
		{ "an object that is not there", "{x}", "12000002", "" },
	};
	const struct bcd bcd = { .uefi = true,
		.images = { { "First", slice_str("sources/boot.wim"), slice_str("boot/boot.sdi") },
		    { "M\xc3\xbcnchen \xf0\x9f\x98\x80", slice_str("images/b/boot.wim"),
			slice_str("images/b/boot.sdi") } },
		.nimages = 2,
		.standing = 1,
		.timeout_s = 30 };
	struct slice store = bcd_build(&bcd, room, sizeof(room));
	char text[2048];
	const uint8_t *k;
	uint32_t type;
	struct slice v;

	for (size_t i = 0; i < NITEMS(rows); i++) {
		test_case("bcd: %s", rows[i].what);
		element(store, rows[i].object, rows[i].element, text, sizeof(text));
		CHECK_STR(text, rows[i].want);
	}
	test_case("bcd: the cells fill the bin");
	check_cells(store);
	test_case("bcd: the types of objects, and the root's name");
	k = root_of(store);
	CHECK(u16(k + 2) == 0x2c && memcmp(k + 76, "NewStoreRoot", 12) == 0);
	k = below(store, below(store, below(store, k, "Objects"), LOADER0), "Description");
	v = value(store, k, "Type", &type);
	CHECK(type == HIVE_DWORD && v.n == 4 && u32(v.p) == 0x10200003);
	v = value(store, below(store, root_of(store), "Description"), "KeyName", &type);
	CHECK(type == HIVE_SZ && v.n == 24);
}

static void
test_room(void)
{
	struct bcd bcd = { .nimages = BCD_IMAGES, .timeout_s = -1 };
	char longest[CONTENT_PATH_MAX];
	struct slice store;

	test_case(
	    "bcd: twelve images, some with long names, fit, and with less room nothing is written");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i < BCD_IMAGES; i++)
		bcd.images[i] = (struct bcd_image){ i < 10 ? "x" : longest,
			slice_str(i < 10 ? "w" : longest), slice_str("s") };
	store = bcd_build(&bcd, room, sizeof(room));
	CHECK(store.n > 0);
	check_cells(store);
	for (size_t n = 0; n < store.n; n += n < 6000 ? 1 : 97) {
		uint8_t *less = malloc(n + 1);

		CHECK(bcd_build(&bcd, less, n).n == 0);
		free(less);
	}
}

/* --- decisions ------------------------------------------------------------------------------ */

#define ENTRIES                                                                                    \
	"\"entries\": [{\"name\": \"pe\", \"title\": \"PE\", \"type\": \"wim\", \"wimboot\": "     \
	"\"w\","                                                                                   \
	" \"sdi\": \"p/boot.sdi\", \"wim\": \"p/boot.wim\"},"                                      \
	" {\"name\": \"far\", \"type\": \"wim\", \"wimboot\": \"w\", \"wim\": "                    \
	"\"http://10.0.0.9/x\"},"                                                                  \
	" {\"name\": \"hush\", \"type\": \"wim\", \"wimboot\": \"w\", \"wim\": \"h/x.wim\","       \
	" \"secret\": true},"                                                                      \
	" {\"name\": \"re\", \"title\": \"RE\", \"type\": \"wim\", \"wimboot\": \"w\","            \
	" \"wim\": \"r/boot.wim\"}]"

static void
test_decisions(void)
{
	static const struct {
		const char *what, *path, *policy;
		bool bios;
		enum boot_action action;
		enum boot_reason reason;
		const char *entry;
		const char *object, *element, *want;
	} cases[] = {
		{ "a menu of all Windows images, none secret or far", "Boot/BCD", "{" ENTRIES "}",
		    false, ACTION_DATA, REASON_MENU, "", MANAGER, "24000001",
		    LOADER0 "|" LOADER1 "||" },
		{ "whose boot.sdi is the stock one", "BCD", "{" ENTRIES "}", false, ACTION_DATA,
		    REASON_MENU, "", DEVICE1, "32000004", "\\boot\\boot.sdi|" },
		{ "or its own", "EFI/Microsoft/Boot/bcd", "{" ENTRIES "}", false, ACTION_DATA,
		    REASON_MENU, "", DEVICE0, "32000004", "\\p\\boot.sdi|" },
		{ "by the menu's time", "Boot/BCD", "{" ENTRIES "}", false, ACTION_DATA,
		    REASON_MENU, "", MANAGER, "25000004", "0a00000000000000" },
		{ "on a BIOS", "Boot/BCD", "{" ENTRIES "}", true, ACTION_DATA, REASON_MENU, "",
		    LOADER0, "12000002", "\\windows\\system32\\boot\\winload.exe|" },
		{ "a rule's entry is booted at once", "Boot/BCD",
		    "{" ENTRIES ", \"rules\": [{\"name\": \"r\", \"action\": \"entry\","
		    " \"entry\": \"re\"}]}",
		    false, ACTION_DATA, REASON_RULE_ENTRY, "re", MANAGER, "25000004",
		    "0000000000000000" },
		{ "one that is no Windows image", "Boot/BCD",
		    "{" ENTRIES ", \"rules\": [{\"name\": \"r\", \"action\": \"entry\","
		    " \"entry\": \"tiny\"}]}",
		    false, ACTION_ERROR, REASON_NO_IMAGE, "tiny", NULL, NULL, NULL },
		{ "a site without any", "Boot/BCD", "{}", false, ACTION_ERROR, REASON_NO_IMAGE, "",
		    NULL, NULL, NULL },
		{ "a refusal", "Boot/BCD",
		    "{" ENTRIES ", \"rules\": [{\"name\": \"r\", \"action\": \"refuse\"}]}", false,
		    ACTION_ERROR, REASON_RULE_REFUSES, "", NULL, NULL, NULL },
		{ "silence", "Boot/BCD",
		    "{" ENTRIES ", \"rules\": [{\"name\": \"r\", \"action\": \"ignore\"}]}", false,
		    ACTION_ERROR, REASON_RULE_SILENCE, "", NULL, NULL, NULL },
		{ "another file", "Boot/BCD.bak", "{" ENTRIES "}", false, ACTION_ERROR,
		    REASON_NO_SUCH_FILE, "", NULL, NULL, NULL },
	};
	static uint8_t scratch[DECIDE_SCRATCH];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot_request r = { .id = 1,
			.stage = STAGE_FILE,
			.via = VIA_TFTP,
			.arch = ARCH_UNKNOWN,
			.file = slice_str(cases[i].path) };
		struct policy *policy = stock_policy_of(cases[i].policy);
		char path[CONTENT_PATH_MAX], text[256];
		struct decision d;
		struct facts f;
		struct wbuf w;

		test_case("bcd: %s", cases[i].what);
		stock_facts(&r, true, 0, path, &f);
		f.subject.cpu = cases[i].bios ? ARCH_CPU_BIOS : ARCH_CPU_X64;
		f.file_rc = -ENOENT;
		wbuf_init(&w, scratch, sizeof(scratch));
		decide(&r, policy, &f, &w, &d);
		CHECK_INT(d.answer.action, cases[i].action);
		CHECK_INT(d.answer.reason, cases[i].reason);
		CHECK_STR(d.entry, cases[i].entry);
		if (d.answer.action == ACTION_DATA) {
			element(
			    d.answer.data, cases[i].object, cases[i].element, text, sizeof(text));
			CHECK_STR(text, cases[i].want);
		} else {
			CHECK(d.answer.text.n > 0);
		}
		policy_unref(policy);
	}
}

int
main(void)
{
	test_store();
	test_room();
	test_decisions();
	return test_end();
}
