/* Tests of tftpd/served.c, on files made for them. */
#include "tftpd/served.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

int
main(void)
{
	char dir[] = "/tmp/bootferry-test-XXXXXX", command[64];
	struct served_files files;
	struct served *a = NULL, *b = NULL, *c = NULL;
	struct content_file f;
	int root;

	served_files_init(&files);
	CHECK(mkdtemp(dir) != NULL && chdir(dir) == 0);
	root = content_root_open(".");
	put("file", "first");
	put("empty", "");

	test_case("two transfers of one file share one mapping");
	CHECK_INT(content_open(root, "file", &f), 0);
	CHECK_INT(served_file(&files, &f, &a), 0);
	CHECK_INT(content_open(root, "file", &f), 0);
	CHECK_INT(served_file(&files, &f, &b), 0);
	CHECK(a == b && files.n == 1);
	CHECK_BYTES(((struct slice){ a->data, (size_t)a->size }), slice_str("first"));

	test_case("a file that replaces it is another one, and leaves the first readers alone");
	put("new", "second");
	CHECK_INT(rename("new", "file"), 0);
	CHECK_INT(content_open(root, "file", &f), 0);
	CHECK_INT(served_file(&files, &f, &c), 0);
	CHECK(c != a && files.n == 2);
	CHECK_BYTES(((struct slice){ a->data, (size_t)a->size }), slice_str("first"));
	CHECK_BYTES(((struct slice){ c->data, (size_t)c->size }), slice_str("second"));

	test_case("a replaced file is unchanged, one that is written to or cut short is not");
	CHECK(served_is_unchanged(a) && served_is_unchanged(c));
	CHECK_INT(truncate("file", 5), 0);
	CHECK(served_is_unchanged(a) && !served_is_unchanged(c));
	put("file", "longer than before");
	CHECK(!served_is_unchanged(c));

	test_case("the last reader ends the mapping");
	served_release(&files, a);
	CHECK_INT(files.n, 2);
	served_release(&files, b);
	CHECK_INT(files.n, 1);
	served_release(&files, c);
	CHECK_INT(files.n, 0);
	served_release(&files, NULL);

	test_case("an empty file has no bytes");
	CHECK_INT(content_open(root, "empty", &f), 0);
	CHECK_INT(served_file(&files, &f, &a), 0);
	CHECK(a->size == 0 && a->data == NULL);
	served_release(&files, a);

	test_case("bytes made for one machine are copied");
	CHECK_INT(served_bytes(slice_str("#!ipxe\n"), &a), 0);
	CHECK_BYTES(((struct slice){ a->data, (size_t)a->size }), slice_str("#!ipxe\n"));
	CHECK_INT(files.n, 0);
	served_release(&files, a);

	test_case("bytes made for machines are bounded");
	CHECK_INT(served_made(&files, slice_str("a\n"), false, &a), 0);
	CHECK_INT(served_made(&files, slice_str("a\n"), true, &b), 0);
	CHECK_BYTES(((struct slice){ b->data, (size_t)b->size }), slice_str("a\r\n"));
	CHECK_INT(files.made, 2 * sizeof(*a) + 5);
	files.made += SERVED_MADE_MAX - files.made - sizeof(*a);
	c = NULL;
	CHECK_INT(served_made(&files, slice_str("x"), false, &c), -ENOMEM);
	CHECK(c == NULL);
	CHECK_INT(served_made(&files, (struct slice){ 0 }, false, &c), 0);
	CHECK_INT(files.made, SERVED_MADE_MAX);
	served_release(&files, a);
	served_release(&files, b);
	served_release(&files, c);
	CHECK_INT(files.made, SERVED_MADE_MAX - 3 * sizeof(*a) - 5);
	files.made = 0;

	test_case("netascii: line ends of both kinds");
	CHECK_INT(served_netascii(slice_str("a\nb\r\n"), &a), 0);
	CHECK_BYTES(((struct slice){ a->data, (size_t)a->size }),
	    ((struct slice){ (const uint8_t *)"a\r\nb\r\0\r\n", 8 }));
	served_release(&files, a);
	put("text", "x\n");
	CHECK_INT(content_open(root, "text", &f), 0);
	CHECK_INT(served_netascii_file(&files, &f, &a), 0);
	CHECK_BYTES(((struct slice){ a->data, (size_t)a->size }), slice_str("x\r\n"));
	served_release(&files, a);

	test_case("netascii: transfers of one file share what was converted once");
	CHECK_INT(content_open(root, "text", &f), 0);
	CHECK_INT(served_netascii_file(&files, &f, &a), 0);
	CHECK_INT(content_open(root, "text", &f), 0);
	CHECK_INT(served_netascii_file(&files, &f, &b), 0);
	CHECK_INT(content_open(root, "text", &f), 0);
	CHECK_INT(served_file(&files, &f, &c), 0);
	CHECK(a == b && a != c && files.n == 2 && files.converted == 3);
	put("new", "y\n");
	CHECK_INT(rename("new", "text"), 0);
	served_release(&files, c);
	CHECK_INT(content_open(root, "text", &f), 0);
	CHECK_INT(served_netascii_file(&files, &f, &c), 0);
	CHECK_BYTES(((struct slice){ a->data, (size_t)a->size }), slice_str("x\r\n"));
	CHECK_BYTES(((struct slice){ c->data, (size_t)c->size }), slice_str("y\r\n"));
	served_release(&files, a);
	served_release(&files, b);
	served_release(&files, c);
	CHECK(files.n == 0 && files.converted == 0);

	test_case("netascii: all that is converted is bounded");
	files.converted = SERVED_CONVERTED_MAX - 2;
	CHECK_INT(content_open(root, "text", &f), 0);
	CHECK_INT(served_netascii_file(&files, &f, &a), -ENOMEM); /* only once it is converted */
	files.converted = SERVED_CONVERTED_MAX - 1;
	CHECK_INT(content_open(root, "text", &f), 0);
	CHECK_INT(served_netascii_file(&files, &f, &a), -ENOMEM); /* before */
	files.converted = SERVED_CONVERTED_MAX - 3;
	CHECK_INT(content_open(root, "text", &f), 0);
	CHECK_INT(served_netascii_file(&files, &f, &a), 0);
	CHECK_INT(files.converted, SERVED_CONVERTED_MAX);
	files.converted = 3;
	served_release(&files, a);
	CHECK(files.n == 0 && files.converted == 0);

	test_case("netascii: a file too large for it is refused");
	CHECK_INT(truncate("text", SERVED_NETASCII_MAX + 1), 0);
	CHECK_INT(content_open(root, "text", &f), 0);
	CHECK_INT(served_netascii_file(&files, &f, &a), -EFBIG);

	close(root);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	CHECK_INT(system(command), 0);
	return test_end();
}
