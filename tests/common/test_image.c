/* Tests of common/image.c. */
#include "common/image.h"

#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHA "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""
#define FILE_(role, name)                                                                          \
	"{\"role\":\"" role "\",\"name\":\"" name "\",\"size\":5,\"sha256\":" SHA "}"
#define KERNEL FILE_("kernel", "vmlinuz")

static void
test_manifests(void)
{
	static const struct {
		const char *what, *text, *error; /* NULL: it is good */
	} cases[] = {
		{ "a kernel alone", "{\"name\":\"tiny\",\"type\":\"linux\",\"files\":[" KERNEL "]}",
		    NULL },
		{ "a kernel with two initrds",
		    "{\"name\":\"tiny\",\"type\":\"linux\",\"files\":[" KERNEL
		    "," FILE_("initrd", "a.img") "," FILE_("initrd", "b.img") "]}",
		    NULL },
		{ "Windows PE",
		    "{\"name\":\"pe\",\"type\":\"wim\",\"files\":[" FILE_(
			"wimboot", "wimboot") "," FILE_("wim", "boot.wim") "]}",
		    NULL },
		{ "keys of a later release",
		    "{\"name\":\"tiny\",\"type\":\"linux\",\"new\":1,\"files\":[" KERNEL "]}",
		    NULL },
		{ "no JSON", "{", "line 1, column 1: string or '}' expected near end of file" },
		{ "no object", "[]", "not an object" },
		{ "no name", "{\"type\":\"linux\",\"files\":[" KERNEL "]}",
		    "\"\" is no name for an image" },
		{ "a name that leads out",
		    "{\"name\":\"../x\",\"type\":\"linux\",\"files\":[" KERNEL "]}",
		    "\"../x\" is no name for an image" },
		{ "a type that does not exist", "{\"name\":\"x\",\"type\":\"floppy\",\"files\":[]}",
		    "there is no type \"floppy\"" },
		{ "an architecture that does not exist",
		    "{\"name\":\"x\",\"type\":\"linux\",\"arch\":\"vax\",\"files\":[" KERNEL "]}",
		    "there is no architecture \"vax\"" },
		{ "no kernel", "{\"name\":\"x\",\"type\":\"linux\",\"files\":[]}",
		    "an image of type linux has one kernel file" },
		{ "two kernels",
		    "{\"name\":\"x\",\"type\":\"linux\",\"files\":[" KERNEL
		    "," FILE_("kernel", "b") "]}",
		    "an image of type linux has one kernel file" },
		{ "a file of another type",
		    "{\"name\":\"x\",\"type\":\"linux\",\"files\":[" KERNEL
		    "," FILE_("wim", "b") "]}",
		    "an image of type linux has no wim file" },
		{ "two files of one name",
		    "{\"name\":\"x\",\"type\":\"linux\",\"files\":[" KERNEL
		    "," FILE_("initrd", "VMLINUZ") "]}",
		    "two files are called \"VMLINUZ\"" },
		{ "a file name that leads out",
		    "{\"name\":\"x\",\"type\":\"linux\",\"files\":[" FILE_("kernel", "../k") "]}",
		    "\"../k\" is no name for a file" },
		{ "arguments that begin a second command",
		    "{\"name\":\"x\",\"type\":\"linux\",\"args\":\"a\\nshell\",\"files\":[" KERNEL
		    "]}",
		    "\"args\" is not a string of less than 2048 bytes that a script's line can "
		    "hold" },
		{ "arguments that run what stands behind them",
		    "{\"name\":\"x\",\"type\":\"linux\",\"args\":\"a && reboot\",\"files\":[" KERNEL
		    "]}",
		    "\"args\" is not a string of less than 2048 bytes that a script's line can "
		    "hold" },
		{ "arguments that only look like that",
		    "{\"name\":\"x\",\"type\":\"linux\",\"args\":\"a&&b ||c\",\"files\":[" KERNEL
		    "]}",
		    NULL },
		{ "Windows PE with files, secret, for large machines",
		    "{\"name\":\"pe\",\"type\":\"wim\",\"secret\":true,\"min_memory_mb\":2048,"
		    "\"files\":[" FILE_("wimboot", "wimboot") "," FILE_("wim",
			"boot.wim") "," FILE_("inject", "a.ini") "," FILE_("inject", "b.ini") "]}",
		    NULL },
		{ "an ISO image",
		    "{\"name\":\"d\",\"type\":\"iso\",\"files\":[" FILE_("iso", "d.iso") "]}",
		    NULL },
		{ "less memory than none",
		    "{\"name\":\"x\",\"type\":\"linux\",\"min_memory_mb\":-1,\"files\":[" KERNEL
		    "]}",
		    "\"min_memory_mb\" is not a number of megabytes" },
		{ "a size that is none",
		    "{\"name\":\"x\",\"type\":\"linux\",\"files\":[{\"role\":\"kernel\",\"name\":"
		    "\"k\",\"size\":-1,\"sha256\":" SHA "}]}",
		    "k: \"size\" is not a number of bytes" },
		{ "a digest that is none",
		    "{\"name\":\"x\",\"type\":\"linux\",\"files\":[{\"role\":\"kernel\",\"name\":"
		    "\"k\",\"size\":1,\"sha256\":\"12\"}]}",
		    "k: \"sha256\" is not 64 hexadecimal digits" },
	};
	static struct image im;
	char error[256];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		int rc;

		test_case("manifest: %s", cases[i].what);
		error[0] = '\0';
		rc = image_parse(cases[i].text, strlen(cases[i].text), &im, error, sizeof(error));
		CHECK_INT(rc, cases[i].error != NULL ? -EINVAL : 0);
		CHECK_STR(error, cases[i].error != NULL ? cases[i].error : "");
	}
}

static void
test_dump(void)
{
	static const char good[] = "{\"name\":\"tiny\",\"type\":\"linux\",\"files\":[" KERNEL
				   "," FILE_("initrd", "a.img") "," FILE_("initrd", "b.img") "]}";
	static struct image im, again;
	char error[256];
	json_t *dump;
	char *text;

	test_case("what is dumped parses to the same image");
	CHECK_INT(image_parse(good, strlen(good), &im, error, sizeof(error)), 0);
	strcpy(im.title, "Tiny Linux");
	strcpy(im.args, "console=ttyS0 x=${net0/mac}");
	im.cpu = ARCH_CPU_X64;
	im.is_default = im.is_secret = true;
	im.min_memory_mb = 512;
	im.created_ms = 1700000000000;
	dump = image_dump(&im);
	text = json_dumps(dump, 0);
	CHECK_INT(image_parse(text, strlen(text), &again, error, sizeof(error)), 0);
	CHECK(memcmp(&im, &again, sizeof(im)) == 0);
	free(text);
	json_decref(dump);
}

static void
test_names(void)
{
	char name[80];

	test_case("names that are safe in URLs, labels and paths, and those that are not");
	CHECK(image_name_valid("debian-12.5_netinst"));
	CHECK(!image_name_valid("") && !image_name_valid(".x") && !image_name_valid("-x"));
	CHECK(!image_name_valid("a b") && !image_name_valid("a/b") && !image_name_valid("a${x}"));
	memset(name, 'a', 64);
	name[64] = '\0';
	CHECK(!image_name_valid(name));
	name[63] = '\0';
	CHECK(image_name_valid(name));
	CHECK(image_file_name_valid("boot.wim") && !image_file_name_valid("a b"));
	CHECK(!image_file_name_valid("a%20b") && !image_file_name_valid(".hidden"));
}

static void
test_suits(void)
{
	struct image im = { .type = IMAGE_LINUX, .cpu = ARCH_CPU_NONE };

	test_case("an image is offered to the CPUs that can boot it");
	CHECK(image_suits(&im, ARCH_CPU_ARM64) && image_suits(&im, ARCH_CPU_BIOS));
	im.cpu = ARCH_CPU_X64;
	CHECK(image_suits(&im, ARCH_CPU_X64) && image_suits(&im, ARCH_CPU_BIOS));
	CHECK(!image_suits(&im, ARCH_CPU_ARM64) && image_suits(&im, ARCH_CPU_NONE));
	im.type = IMAGE_EFI;
	CHECK(!image_suits(&im, ARCH_CPU_BIOS));
}

int
main(void)
{
	test_manifests();
	test_dump();
	test_names();
	test_suits();
	return test_end();
}
