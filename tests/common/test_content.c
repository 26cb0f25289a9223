/* Tests of common/content.c, on a folder made for them. */
#include "common/content.h"

#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

int
main(void)
{
	static const struct {
		const char *what, *path, *found;
		int rc;
	} cases[] = {
		{ "a file", "boot/x64/Snponly.efi", "boot/x64/Snponly.efi", 0 },
		{ "a name in another case", "BOOT/X64/SNPONLY.EFI", "boot/x64/Snponly.efi", 0 },
		{ "names that differ only in case: the exact one", "boot/b", "boot/b", 0 },
		{ "names that differ only in case: the other exact one", "boot/B", "boot/B", 0 },
		{ "an absent file", "boot/none", NULL, -ENOENT },
		{ "an absent folder", "none/none", NULL, -ENOENT },
		{ "a file used as a folder", "boot/b/x", NULL, -ENOENT },
		{ "a folder", "boot", NULL, -EISDIR },
		{ "a FIFO, without waiting for a writer", "fifo", NULL, -EISDIR },
		{ "a link that stays inside", "link-in", "link-in", 0 },
		{ "a link out of the root", "link-out", NULL, -EACCES },
		{ "a link to the root of the system", "link-abs", NULL, -EACCES },
		{ "a link to a folder outside, passed through", "link-dir/passwd", NULL, -EACCES },
		{ "a link to itself", "link-loop", NULL, -EACCES },
	};
	char dir[] = "/tmp/bootferry-test-XXXXXX";
	char command[128];
	int root;

	CHECK(mkdtemp(dir) != NULL && chdir(dir) == 0);
	CHECK(mkdir("root", 0755) == 0 && chdir("root") == 0);
	CHECK(mkdir("boot", 0755) == 0 && mkdir("boot/x64", 0755) == 0);
	put("../secret", "secret");
	put("boot/x64/Snponly.efi", "hello");
	put("boot/b", "b");
	put("boot/B", "BB");
	CHECK_INT(mkfifo("fifo", 0644), 0);
	CHECK_INT(symlink("boot/b", "link-in"), 0);
	CHECK_INT(symlink("../secret", "link-out"), 0);
	CHECK_INT(symlink("/etc/passwd", "link-abs"), 0);
	CHECK_INT(symlink("/etc", "link-dir"), 0);
	CHECK_INT(symlink("link-loop", "link-loop"), 0);
	root = content_root_open(".");
	CHECK(root >= 0);

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct content_file f = { .fd = -1 };
		int rc = content_open(root, cases[i].path, &f);

		test_case("content: %s", cases[i].what);
		CHECK_INT(rc, cases[i].rc);
		if (rc == 0 && cases[i].found != NULL) {
			CHECK_STR(f.path, cases[i].found);
			close(f.fd);
		}
	}

	test_case("content: size without opening");
	struct content_file f;
	CHECK_INT(content_stat(root, "boot/B", &f), 0);
	CHECK(f.size == 2 && f.fd == -1);

	test_case("content: no root");
	CHECK_INT(content_root_open("/does/not/exist"), -ENOENT);

	close(root);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	CHECK_INT(system(command), 0);
	return test_end();
}
