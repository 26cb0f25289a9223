/* Tests of ferryctl/publish.c and table.c. */
#include "ferryctl/publish.h"
#include "ferryctl/table.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
file_is(const char *path, const char *text)
{
	char buf[64] = "";
	FILE *f = fopen(path, "r");
	size_t n = f != NULL ? fread(buf, 1, sizeof(buf) - 1, f) : 0;

	if (f != NULL)
		fclose(f);
	buf[n] = '\0';
	return f != NULL && strcmp(buf, text) == 0;
}

int
main(void)
{
	char dir[] = "/tmp/bootferry-test-XXXXXX", hidden[PUBLISH_PATH], hex[DIGEST_STRLEN];
	uint8_t sha256[DIGEST_BYTES];
	struct stat st;
	uint64_t size;
	char buf[32], *safe;

	CHECK(mkdtemp(dir) != NULL && chdir(dir) == 0);
	umask(077);

	test_case("folders are made for everybody to read, whatever the umask");
	CHECK_INT(publish_folder("a/b/c"), 0);
	CHECK_INT(publish_folder("a/b/c"), 0);
	CHECK(stat("a/b", &st) == 0 && (st.st_mode & 0777) == 0755);

	test_case("bytes are published with their mode, in place of what was there");
	CHECK_INT(publish_bytes("a/f", "one", 3, 0644), 0);
	CHECK_INT(publish_bytes("a/f", "two", 3, 0600), 0);
	CHECK(file_is("a/f", "two"));
	CHECK(stat("a/f", &st) == 0 && (st.st_mode & 0777) == 0600);

	test_case("a copy tells its size and SHA-256");
	CHECK_INT(publish_bytes("src", "abc", 3, 0644), 0);
	CHECK_INT(publish_copy("src", "a/copy", sha256, &size), 0);
	CHECK(file_is("a/copy", "abc") && size == 3);
	CHECK_STR(digest_format(sha256, hex),
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

	test_case("a folder takes the place of another, which is gone then");
	CHECK_INT(publish_begin("a/image", hidden), 0);
	CHECK(strncmp(hidden, "a/.image.", 9) == 0);
	CHECK_INT(publish_copy("src", "a/b/x", sha256, &size), 0);
	CHECK_INT(publish_swap(hidden, "a/image"), 0);
	CHECK(access("a/image", F_OK) == 0 && access(hidden, F_OK) != 0);
	CHECK_INT(publish_bytes("a/image/old", "x", 1, 0644), 0);
	CHECK_INT(publish_begin("a/image", hidden), 0);
	CHECK_INT(publish_swap(hidden, "a/image"), 0);
	CHECK(access("a/image/old", F_OK) != 0 && access(hidden, F_OK) != 0);

	test_case("what was cut off is removed by a later call, and nothing else");
	CHECK_INT(
	    system("mkdir -p s/.image.ferry-aB3dE6/deep s/.new.ferry-aB3dE6/deep && cd s && "
		   "touch .a.ferry-aB3dE6 .b.ferry-aB3dE6 .f.backup .ferry-aB3dE6 a.ferry-aB3dE6 "
		   ".c.ferry-aB3d.6 && find . -depth -exec touch -d '2 hours ago' {} + && "
		   "touch .b.ferry-aB3dE6 .new.ferry-aB3dE6/deep/x"),
	    0);
	CHECK_INT(publish_bytes("s/f", "x", 1, 0644), 0);
	CHECK(access("s/.a.ferry-aB3dE6", F_OK) != 0 && access("s/.image.ferry-aB3dE6", F_OK) != 0);
	CHECK(access("s/.b.ferry-aB3dE6", F_OK) == 0); /* somebody may be writing it */
	CHECK(access("s/.new.ferry-aB3dE6", F_OK) == 0);
	CHECK(access("s/.f.backup", F_OK) == 0 && access("s/.ferry-aB3dE6", F_OK) == 0);
	CHECK(access("s/a.ferry-aB3dE6", F_OK) == 0 && access("s/.c.ferry-aB3d.6", F_OK) == 0);
	if (geteuid() == 0)
		CHECK(mkdir("s/.o.ferry-aB3dE6", 0700) == 0 &&
		      chown("s/.o.ferry-aB3dE6", 12345, 12345) == 0);
	publish_sweep("s", 0);
	CHECK(geteuid() != 0 || rmdir("s/.o.ferry-aB3dE6") == 0); /* it is not ours */
	CHECK(access("s/.b.ferry-aB3dE6", F_OK) != 0 && access("s/f", F_OK) == 0);
	CHECK_INT(publish_remove("s"), 0);

	test_case("nothing is left behind by a copy that fails");
	fclose(stderr);
	CHECK(publish_copy("none", "a/y", sha256, &size) < 0);
	CHECK(publish_copy("a", "a/y", sha256, &size) < 0);
	CHECK(publish_bytes("no/folder/y", "x", 1, 0644) < 0);
	CHECK_INT(system("test -z \"$(find . -name '.*' -type f)\""), 0);

	test_case("removing what is not there is no error");
	CHECK_INT(publish_remove("a"), 0);
	CHECK_INT(publish_remove("a"), 0);
	CHECK_INT(unlink("src"), 0);

	test_case("text of strangers cannot drive the terminal");
	safe = table_safe("a\x1b[31mb\nc\x7f\xc2\x9b"
			  "d M\xc3\xbc");
	CHECK_STR(safe, "a\\x1b[31mb\\x0ac\\x7f\\xc2\x9b"
			"d M\xc3\xbc");
	free(safe);

	test_case("sizes and ages are for people");
	CHECK_STR(format_bytes(0, buf), "0 B");
	CHECK_STR(format_bytes(284672, buf), "284.7 kB");
	CHECK_STR(format_bytes(14186432, buf), "14.2 MB");
	CHECK_STR(format_age(1000, 61000, buf), "60 s ago");
	CHECK_STR(format_age(1000, 600000, buf), "9 min ago");
	CHECK_STR(format_age(0, 600000, buf), "-");
	CHECK_STR(format_time(0, buf), "-");

	CHECK_INT(rmdir(dir), 0);
	return test_end();
}
