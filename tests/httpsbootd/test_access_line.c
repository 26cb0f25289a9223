/* Tests of httpsbootd/access_line.c. */
#include "httpsbootd/access_line.h"

#include "tests/test.h"

#include <string.h>

int
main(void)
{
	struct access_line l = {
		.secure = true,
		.boot = 42,
		.client = ip_from_v4((const uint8_t[4]){ 10, 77, 1, 50 }),
		.method = "GET",
		.target = "/2PXE/file/a?token=AQACsecret&x=1",
		.status = 200,
		.bytes = 1000,
		.of = 1000,
		.ms = 12,
		.why = "public-file",
		.file = "a",
		.tls_version = "TLSv1.2",
		.tls_suite = "ECDHE-RSA-AES128-GCM-SHA256",
		.agent = "iPXE/1.21.1 (x)",
	};
	char text[ACCESS_LINE_MAX], large[3000], again[ACCESS_LINE_MAX];

	test_case("line: all of it, without the token");
	CHECK_STR(access_line_format(&l, text),
	    "https boot=0000001a client=10.77.1.50 method=GET "
	    "target=\"/2PXE/file/a?token=...&x=1\" "
	    "status=200 bytes=1000 ms=12 why=public-file file=a tls=TLSv1.2 "
	    "suite=ECDHE-RSA-AES128-GCM-SHA256 agent=\"iPXE/1.21.1 (x)\"");

	test_case("line: plain HTTP, broken off, and what is not known is left out");
	l = (struct access_line){ .client = l.client,
		.target = "/",
		.method = "",
		.bytes = 5,
		.of = 10,
		.end = "aborted" };
	CHECK_STR(access_line_format(&l, text),
	    "http boot=- client=10.77.1.50 target=/ status=0 bytes=5 of=10 ms=0 end=aborted");

	test_case("line: no client makes a second line, or an endless one");
	memset(large, '\n', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	l = (struct access_line){ .method = large,
		.target = large,
		.why = large,
		.file = large,
		.tls_version = large,
		.tls_suite = large,
		.agent = large,
		.end = large,
		.boot = UINT64_MAX,
		.client = { .family = 6, .b = { 0xff } },
		.status = 4000000000,
		.bytes = UINT64_MAX,
		.of = 1,
		.ms = UINT64_MAX };
	CHECK(strchr(access_line_format(&l, text), '\n') == NULL);
	CHECK(strstr(text, " end=") != NULL);
	CHECK(strlen(text) < ACCESS_LINE_MAX - 1);
	memset(large, 'a', sizeof(large) - 1);
	CHECK(strstr(access_line_format(&l, again), "aaa...") != NULL);
	return test_end();
}
