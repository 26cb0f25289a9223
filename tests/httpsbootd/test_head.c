/* Tests of httpsbootd/head.c. */
#include "httpsbootd/head.h"

#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STATUS "HTTP/1.1 200 OK\r\n"
#define OTHERS "Date: Sat, 28 Nov 2026 18:00:00 GMT\r\nETag: \"1\"\r\n"

static const struct {
	const char *what, *head;
	uint64_t length;
	const char *want; /* NULL: refused */
} cases[] = {
	{ "one digit", STATUS "Content-Length: 0\r\n\r\n", 5, STATUS "Content-Length: 5\r\n\r\n" },
	{ "no octets are left as they are", STATUS "Content-Length: 0\r\n\r\n", 0,
	    STATUS "Content-Length: 0\r\n\r\n" },
	{ "the largest length", STATUS OTHERS "Content-Length: 0\r\n\r\n", UINT64_MAX,
	    STATUS OTHERS "Content-Length: 18446744073709551615\r\n\r\n" },
	{ "fields behind it", STATUS "Content-Length: 0\r\n" OTHERS "\r\n", 65537,
	    STATUS "Content-Length: 65537\r\n" OTHERS "\r\n" },
	{ "a part", "HTTP/1.1 206 Partial Content\r\nContent-Length: 0\r\n\r\n", 100,
	    "HTTP/1.1 206 Partial Content\r\nContent-Length: 100\r\n\r\n" },
	{ "no such field", STATUS OTHERS "\r\n", 5, NULL },
	{ "a length already", STATUS "Content-Length: 10\r\n\r\n", 5, NULL },
	{ "two of them", STATUS "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 5, NULL },
	{ "another name that ends so", STATUS "X-Content-Length: 0\r\n\r\n", 5, NULL },
	{ "something behind the head", STATUS "Content-Length: 0\r\n\r\nx", 5, NULL },
	{ "two heads", STATUS "\r\n" STATUS "Content-Length: 0\r\n\r\n", 5, NULL },
	{ "no status line", "Content-Length: 0\r\n\r\n", 5, NULL },
	{ "nothing", "", 5, NULL },
};

int
main(void)
{
	static const char good[] = STATUS OTHERS "Content-Length: 0\r\n\r\n";

	for (size_t i = 0; i < NITEMS(cases); i++) {
		size_t n = strlen(cases[i].head);
		uint8_t *head = malloc(n + HEAD_LENGTH_DIGITS); /* for sanitizers to watch */
		int rc;

		test_case("head: %s", cases[i].what);
		CHECK(head != NULL);
		memcpy(head, cases[i].head, n);
		rc = head_put_length(head, n, cases[i].length);
		if (cases[i].want == NULL)
			CHECK_INT(rc, -EBADMSG);
		else
			CHECK_BYTES(((struct slice){ head, rc > 0 ? (size_t)rc : 0 }),
			    slice_str(cases[i].want));
		free(head);
	}
	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		uint8_t *head = malloc(n + HEAD_LENGTH_DIGITS);

		test_case("head: the first %zu octets of one are none", n);
		CHECK(head != NULL);
		memcpy(head, good, n);
		CHECK_INT(head_put_length(head, n, 5), -EBADMSG);
		free(head);
	}
	return test_end();
}
