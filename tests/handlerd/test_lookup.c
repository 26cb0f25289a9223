/* Tests of handlerd/lookup.c and handlerd/folders.c, on a content root made for them. */
#include "handlerd/lookup.h"

#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MANY 10000

static int root;
static struct folders *folders;

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL);
	if (f != NULL) {
		fputs(text, f);
		fclose(f);
	}
}

static void
make_root(char *dir)
{
	static const char *const made[] = { "boot", "boot/x64", "boot/x64/secure", "boot/x64/Grub",
		"boot/rpi", "images", "images/x", "many" };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int fd;

	CHECK(mkdtemp(dir) != NULL && chdir(dir) == 0);
	put("secret", "secret");
	CHECK(mkdir("root", 0755) == 0 && chdir("root") == 0);
	for (size_t i = 0; i < NITEMS(made); i++)
		CHECK(mkdir(made[i], 0755) == 0);
	put("boot/x64/secure/GRUBX64.EFI", "grub");
	put("boot/x64/Grub/grub.cfg", "cfg");
	put("boot/x64/a b", "blank");
	put("boot/rpi/Config.txt", "pi");
	put("images/x/M\xc3\xbcnchen", "utf-8");
	put("both", "small");
	put("Both", "capital");
	put("deep", "a file where a folder is asked for");
	CHECK_INT(mkfifo("fifo", 0644), 0);
	CHECK_INT(symlink("../secret", "out"), 0);
	CHECK_INT(symlink("/proc/self/environ", "proc"), 0);
	CHECK_INT(symlink("/", "system"), 0);
	CHECK_INT(symlink("boot/x64", "in"), 0);
	CHECK_INT(symlink("loop", "loop"), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0);
	close(fd);
	for (int i = 0; i < MANY; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "many/File-%05d.bin", i);
		fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		CHECK(fd >= 0);
		close(fd);
	}
	root = content_root_open(".");
	CHECK(root >= 0);
}

static int
look(const char *name, const char *folder, char path[static CONTENT_PATH_MAX], int *path_rc)
{
	const struct names_ask ask = { .name = slice_str(name),
		.folder = folder,
		.rpi = "boot/rpi",
		.best = "boot/x64/snponly.efi",
		.cpu = ARCH_CPU_X64 };
	struct content_file file;

	return lookup_file(root, folders, &ask, path, path_rc, &file);
}

static void
test_found(void)
{
	static const struct {
		const char *what, *name, *folder, *found;
		int rc, path_rc;
	} cases[] = {
		{ "as it is", "boot/x64/a b", NULL, "boot/x64/a b", 0, 0 },
		{ "in another case", "BOOT\\X64\\A B", NULL, "boot/x64/a b", 0, 0 },
		{ "decoded", "boot/x64/a%20b", NULL, "boot/x64/a b", 0, 0 },
		{ "in latin-1", "images/x/m\xfcnchen", NULL, "images/x/M\xc3\xbcnchen", 0, 0 },
		{ "with garbage", "boot/x64/a b\xff\x03~", NULL, "boot/x64/a b", 0, 0 },
		{ "on a drive", "C:\\boot\\x64\\a b", NULL, "boot/x64/a b", 0, 0 },
		{ "on a share", "\\\\s\\REMINST\\boot\\x64\\a b", NULL, "boot/x64/a b", 0, 0 },
		{ "of several the exact one", "both", NULL, "both", 0, 0 },
		{ "of several, none exact, the first by byte order", "BOTH", NULL, "Both", 0, 0 },
		{ "beside the loader", "grubx64.efi", "boot/x64/secure",
		    "boot/x64/secure/GRUBX64.EFI", 0, 0 },
		{ "above the loader's folder", "/grub/grub.cfg", "boot/x64/secure",
		    "boot/x64/Grub/grub.cfg", 0, 0 },
		{ "where this CPU's loaders are", "/grub/grub.cfg", NULL, "boot/x64/Grub/grub.cfg",
		    0, 0 },
		{ "a Pi's, below its serial number", "d3b4a2f1/config.TXT", NULL,
		    "boot/rpi/Config.txt", 0, 0 },
		{ "through a link that stays inside", "in/A B", NULL, "in/a b", 0, 0 },
		{ "absent", "boot/none", NULL, NULL, -ENOENT, 0 },
		{ "absent, with a file on the way", "deep/x", NULL, NULL, -ENOENT, 0 },
		{ "a folder, with a slash behind it", "boot/", NULL, NULL, -EISDIR, 0 },
		{ "a folder", "boot/x64", NULL, NULL, -EISDIR, 0 },
		{ "a FIFO, without waiting", "fifo", NULL, NULL, -EISDIR, 0 },
		{ "a FIFO in another case", "FIFO", NULL, NULL, -EISDIR, 0 },
		{ "a socket", "socket", NULL, NULL, -EISDIR, 0 },
		{ "a link out of the root", "out", NULL, NULL, -EACCES, 0 },
		{ "the same in another case", "OUT", NULL, NULL, -EACCES, 0 },
		{ "a link into /proc", "proc", NULL, NULL, -EACCES, 0 },
		{ "a link to the root of the system, passed through", "System/etc/passwd", NULL,
		    NULL, -EACCES, 0 },
		{ "a link to itself", "loop", NULL, NULL, -EACCES, 0 },
		{ "the parent", "../secret", NULL, NULL, -EACCES, -EACCES },
		{ "the parent, escaped", "%2e%2e/secret", NULL, NULL, -EACCES, -EACCES },
		{ "the parent in the folder of the loader", "x/../../secret", "boot", NULL, -EACCES,
		    -EACCES },
	};
	char path[CONTENT_PATH_MAX], longest[CONTENT_PATH_MAX];
	int path_rc;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("lookup: %s", cases[i].what);
		CHECK_INT(look(cases[i].name, cases[i].folder, path, &path_rc), cases[i].rc);
		CHECK_INT(path_rc, cases[i].path_rc);
		if (cases[i].found != NULL)
			CHECK_STR(path, cases[i].found);
	}
	test_case("lookup: a component that no file system takes");
	memset(longest, 'a', sizeof(longest));
	longest[300] = '\0';
	CHECK_INT(look(longest, NULL, path, &path_rc), -ENOENT);
	test_case("lookup: handlerd does not see the content root");
	CHECK_INT(lookup_file(-1, folders, &(struct names_ask){ .name = slice_str("\\a") }, path,
		      &path_rc, &(struct content_file){ 0 }),
	    -ENOSYS);
	CHECK_STR(path, "a");
}

static void
test_changes(void)
{
	char path[CONTENT_PATH_MAX];
	uint64_t reads;
	int path_rc;

	test_case("folders: what is not changed is not read again");
	usleep(150000);
	(void)look("MANY/nothing", NULL, path, &path_rc);
	usleep(60000);
	(void)look("MANY/nothing", NULL, path, &path_rc);
	reads = folders_reads(folders);
	for (int i = 0; i < 100; i++)
		CHECK_INT(look("MANY/nothing", NULL, path, &path_rc), -ENOENT);
	CHECK_INT((long long)folders_reads(folders), (long long)reads);

	test_case("folders: a new file is seen, one that went is not");
	put("many/Fresh.bin", "x");
	CHECK_INT(look("MANY/fresh.BIN", NULL, path, &path_rc), 0);
	CHECK_STR(path, "many/Fresh.bin");
	usleep(60000);
	CHECK_INT(unlink("many/Fresh.bin"), 0);
	CHECK_INT(look("MANY/fresh.BIN", NULL, path, &path_rc), -ENOENT);

	test_case("folders: a folder that another took the place of");
	CHECK(mkdir("next", 0755) == 0);
	put("next/New", "x");
	usleep(60000);
	CHECK(rename("boot/x64/Grub", "boot/x64/old") == 0 && rename("next", "boot/x64/Grub") == 0);
	CHECK_INT(look("/GRUB/new", NULL, path, &path_rc), 0);
	CHECK_STR(path, "boot/x64/Grub/New");

	test_case("folders: a folder that became a link out of the root");
	usleep(60000);
	CHECK(rename("many", "many.old") == 0 && symlink("/usr", "many") == 0);
	CHECK_INT(look("MANY/BIN/SH", NULL, path, &path_rc), -EACCES);
	CHECK(unlink("many") == 0 && rename("many.old", "many") == 0);
	usleep(60000);
}

/* With many folders the oldest make room. */
static void
test_bounds(void)
{
	char path[CONTENT_PATH_MAX], name[64];
	int path_rc;

	test_case("folders: more than are kept");
	for (int i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "images/f%d", i);
		CHECK(mkdir(name, 0755) == 0);
		(void)snprintf(name, sizeof(name), "images/f%d/File", i);
		put(name, "x");
	}
	usleep(60000);
	for (int i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "images/F%d/FILE", i);
		CHECK_INT(look(name, NULL, path, &path_rc), 0);
	}
}

static void
test_speed(void)
{
	char path[CONTENT_PATH_MAX];
	struct timespec a, b;
	int path_rc;
	double us;

	test_case("lookup: a probe in a folder of 10,000 files is quick");
	(void)look("MANY/nothing", NULL, path, &path_rc);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < 1000; i++)
		(void)look("MANY/nothing", "boot/x64/secure", path, &path_rc);
	clock_gettime(CLOCK_MONOTONIC, &b);
	us = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
	printf("%.1f us for a miss, ", us);
	/* reading it takes some 3 ms; a busy host may do what it likes with the rest */
	CHECK(us < 1000);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < 1000; i++)
		(void)look("boot/x64/a b", "boot/x64/secure", path, &path_rc);
	clock_gettime(CLOCK_MONOTONIC, &b);
	us = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
	printf("%.1f us for a hit\n", us);
}

int
main(void)
{
	char dir[] = "/tmp/bootferry-test-XXXXXX", command[128];

	make_root(dir);
	CHECK_INT(folders_new(root, &folders), 0);
	test_found();
	test_changes();
	test_bounds();
	test_speed();
	folders_free(folders);
	close(root);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	CHECK_INT(system(command), 0);
	return test_end();
}
