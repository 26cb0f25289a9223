/* Tests of httpsbootd/reqhead.c. */
#include "httpsbootd/reqhead.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

#define TEXT(s) s, sizeof(s) - 1
#define HOST    "Host: x\r\n"
#define GET     "GET / HTTP/1.1\r\n" HOST
#define POST    "POST / HTTP/1.1\r\n" HOST

static const struct {
	const char *what, *head;
	size_t n;
	enum reqhead_fault fault;
	enum reqhead_body body;
	uint64_t length;
	size_t fields;
} cases[] = {
	{ "edk2's HEAD",
	    TEXT("HEAD /2PXE/boot/x64/snponly.efi HTTP/1.1\r\nHost: 10.0.0.1\r\n"
		 "Accept: */*\r\nUser-Agent: UefiHttpBoot/1.0\r\n\r\n"),
	    REQHEAD_FINE, REQHEAD_NO_BODY, 0, 3 },
	{ "iPXE's form",
	    TEXT("POST /2PXE/boot HTTP/1.1\r\nHost: boot.example:8050\r\n"
		 "User-Agent: iPXE/1.21.1\r\nConnection: keep-alive\r\n"
		 "Content-Type: application/x-www-form-urlencoded\r\n"
		 "Content-Length: 41\r\n\r\n"),
	    REQHEAD_FINE, REQHEAD_OF_LENGTH, 41, 5 },
	{ "U-Boot's wget", TEXT("GET /f HTTP/1.0\r\n\r\n"), REQHEAD_FINE, REQHEAD_NO_BODY, 0, 0 },
	{ "GRUB sends file names as they are",
	    TEXT("GET /\"\\\xc3\xa4{}|^`<># HTTP/1.1\r\n" HOST "\r\n"), REQHEAD_FINE,
	    REQHEAD_NO_BODY, 0, 1 },
	{ "an address of IPv6 as Host",
	    TEXT("GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]:8050\r\n\r\n"), REQHEAD_FINE,
	    REQHEAD_NO_BODY, 0, 1 },
	{ "an empty Host", TEXT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), REQHEAD_FINE, 0, 0, 1 },
	{ "a later HTTP/1", TEXT("GET / HTTP/1.2\r\n" HOST "\r\n"), REQHEAD_FINE, 0, 0, 1 },
	{ "another method", TEXT("M-SEARCH * HTTP/1.1\r\n" HOST "\r\n"), REQHEAD_FINE, 0, 0, 1 },
	{ "a body in chunks", TEXT(POST "transfer-encoding:\tChunked \t\r\n\r\n"), REQHEAD_FINE,
	    REQHEAD_IN_CHUNKS, 0, 2 },
	{ "blanks around a length", TEXT(POST "Content-Length: \t 12 \t \r\n\r\n"), REQHEAD_FINE,
	    REQHEAD_OF_LENGTH, 12, 2 },
	{ "a length of nothing", TEXT(POST "Content-Length: 000\r\n\r\n"), REQHEAD_FINE,
	    REQHEAD_OF_LENGTH, 0, 2 },
	{ "an empty value", TEXT(GET "X:\r\nY: \t \r\n\r\n"), REQHEAD_FINE, 0, 0, 3 },
	{ "bytes that are no ASCII", TEXT(GET "X: \xff\x80\r\n\r\n"), REQHEAD_FINE, 0, 0, 2 },

	{ "no method", TEXT(" / HTTP/1.1\r\n" HOST "\r\n"), REQHEAD_LINE, 0, 0, 0 },
	{ "no target", TEXT("GET  HTTP/1.1\r\n" HOST "\r\n"), REQHEAD_LINE, 0, 0, 0 },
	{ "a blank in the target", TEXT("GET /a b HTTP/1.1\r\n" HOST "\r\n"), REQHEAD_LINE, 0, 0,
	    0 },
	{ "a NUL in the target", TEXT("GET /a\0b HTTP/1.1\r\n" HOST "\r\n"), REQHEAD_LINE, 0, 0,
	    0 },
	{ "a tab", TEXT("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), REQHEAD_LINE, 0, 0, 0 },
	{ "a blank behind the version", TEXT("GET / HTTP/1.1 \r\n" HOST "\r\n"), REQHEAD_LINE, 0, 0,
	    0 },
	{ "a carriage return in the line", TEXT("GET / HTTP/1.1\r\r\n" HOST "\r\n"), REQHEAD_LINE,
	    0, 0, 0 },
	{ "HTTP/0.9", TEXT("GET /\r\n\r\n"), REQHEAD_LINE, 0, 0, 0 },
	{ "the version in lower case", TEXT("GET / http/1.1\r\n" HOST "\r\n"), REQHEAD_LINE, 0, 0,
	    0 },
	{ "a version of two digits", TEXT("GET / HTTP/1.10\r\n" HOST "\r\n"), REQHEAD_LINE, 0, 0,
	    0 },
	{ "HTTP/2", TEXT("PRI * HTTP/2.0\r\n\r\n"), REQHEAD_VERSION, 0, 0, 0 },
	{ "HTTP/0.9 that says so", TEXT("GET / HTTP/0.9\r\n\r\n"), REQHEAD_VERSION, 0, 0, 0 },

	{ "a field without a colon", TEXT(GET "nonsense\r\n\r\n"), REQHEAD_NAME, 0, 0, 0 },
	{ "a field without a name", TEXT(GET ": x\r\n\r\n"), REQHEAD_NAME, 0, 0, 0 },
	{ "a blank before the colon", TEXT(POST "Content-Length : 5\r\n\r\n"), REQHEAD_NAME, 0, 0,
	    0 },
	{ "a field's name in brackets", TEXT(GET "(x): y\r\n\r\n"), REQHEAD_NAME, 0, 0, 0 },
	{ "a folded field", TEXT(GET "X: a\r\n b\r\n\r\n"), REQHEAD_FOLDED, 0, 0, 0 },
	{ "a fold first", TEXT("GET / HTTP/1.1\r\n\tX: a\r\n" HOST "\r\n"), REQHEAD_FOLDED, 0, 0,
	    0 },
	{ "a NUL in a value", TEXT(GET "X: a\0b\r\n\r\n"), REQHEAD_VALUE, 0, 0, 0 },
	{ "a carriage return in a value", TEXT(GET "X: a\rb\r\n\r\n"), REQHEAD_VALUE, 0, 0, 0 },
	{ "an escape in a value", TEXT(GET "X: a\x1b[2J\r\n\r\n"), REQHEAD_VALUE, 0, 0, 0 },
	{ "a DEL in a value", TEXT(GET "X: a\x7f\r\n\r\n"), REQHEAD_VALUE, 0, 0, 0 },

	{ "a NUL behind a length", TEXT(POST "Content-Length: 5\0\r\n\r\n"), REQHEAD_VALUE, 0, 0,
	    0 },
	{ "a NUL alone", TEXT(POST "Content-Length: \0\r\n\r\n"), REQHEAD_VALUE, 0, 0, 0 },
	{ "a NUL within",
	    TEXT(POST "Content-Length: 1\0"
		      "0\r\n\r\n"),
	    REQHEAD_VALUE, 0, 0, 0 },
	{ "no length", TEXT(POST "Content-Length: \r\n\r\n"), REQHEAD_LENGTH, 0, 0, 0 },
	{ "a sign", TEXT(POST "Content-Length: +5\r\n\r\n"), REQHEAD_LENGTH, 0, 0, 0 },
	{ "less than nothing", TEXT(POST "Content-Length: -5\r\n\r\n"), REQHEAD_LENGTH, 0, 0, 0 },
	{ "hexadecimal", TEXT(POST "Content-Length: 0x5\r\n\r\n"), REQHEAD_LENGTH, 0, 0, 0 },
	{ "a blank within", TEXT(POST "Content-Length: 1 0\r\n\r\n"), REQHEAD_LENGTH, 0, 0, 0 },
	{ "a list of lengths", TEXT(POST "Content-Length: 5, 5\r\n\r\n"), REQHEAD_LENGTH, 0, 0, 0 },
	{ "digits of another script", TEXT(POST "Content-Length: \xd9\xa5\r\n\r\n"), REQHEAD_LENGTH,
	    0, 0, 0 },
	{ "the largest length", TEXT(POST "Content-Length: 999999999999999999\r\n\r\n"),
	    REQHEAD_FINE, REQHEAD_OF_LENGTH, 999999999999999999, 2 },
	{ "one that no number holds", TEXT(POST "Content-Length: 18446744073709551621\r\n\r\n"),
	    REQHEAD_LENGTH, 0, 0, 0 },
	{ "two lengths, alike", TEXT(POST "Content-Length: 5\r\ncontent-length: 5\r\n\r\n"),
	    REQHEAD_LENGTHS, 0, 0, 0 },
	{ "a length and chunks",
	    TEXT(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), REQHEAD_LENGTHS,
	    0, 0, 0 },
	{ "chunks twice",
	    TEXT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
	    REQHEAD_LENGTHS, 0, 0, 0 },
	{ "another coding", TEXT(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), REQHEAD_CODING,
	    0, 0, 0 },
	{ "a coding that only looks so", TEXT(POST "Transfer-Encoding: xchunked\r\n\r\n"),
	    REQHEAD_CODING, 0, 0, 0 },
	{ "no coding", TEXT(POST "Transfer-Encoding:\r\n\r\n"), REQHEAD_CODING, 0, 0, 0 },
	{ "chunks of HTTP/1.0", TEXT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
	    REQHEAD_CODING, 0, 0, 0 },

	{ "no Host", TEXT("GET / HTTP/1.1\r\n\r\n"), REQHEAD_NO_HOST, 0, 0, 0 },
	{ "two Hosts", TEXT(GET "host: x\r\n\r\n"), REQHEAD_HOST, 0, 0, 0 },
	{ "two Hosts of HTTP/1.0", TEXT("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), REQHEAD_HOST, 0, 0,
	    0 },
	{ "a Host with a path", TEXT("GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"), REQHEAD_HOST, 0, 0,
	    0 },
	{ "a list of Hosts", TEXT("GET / HTTP/1.1\r\nHost: x y\r\n\r\n"), REQHEAD_HOST, 0, 0, 0 },
};

static void
test_check(void)
{
	for (size_t i = 0; i < NITEMS(cases); i++) {
		size_t line = 0, seen = 0;
		struct reqhead h = { .length = 77 };
		uint8_t head[512];

		test_case("head: %s", cases[i].what);
		memcpy(head, cases[i].head, cases[i].n);
		CHECK_INT(reqhead_find(head, cases[i].n, &line, &seen),
		    head[0] == ' ' ? -EPROTO : (int)cases[i].n);
		CHECK_INT(reqhead_check(head, cases[i].n, &h), cases[i].fault);
		if (cases[i].fault != REQHEAD_FINE) {
			CHECK_INT(h.length, 77); /* untouched */
			continue;
		}
		CHECK_INT(h.body, cases[i].body);
		CHECK_INT(h.length, cases[i].length);
		CHECK_INT(h.fields, cases[i].fields);
	}
}

static void
test_find(void)
{
	static const struct {
		const char *what, *head;
		size_t n;
		int rc;
	} finds[] = {
		{ "one head, and more behind it", TEXT("A\r\nB\r\n\r\nC\r\n\r\n"), 8 },
		{ "an empty line", TEXT("\r\nA\r\n\r\n"), 2 },
		{ "no end", TEXT("A\r\nB\r\n\r"), 0 },
		{ "a line feed alone", TEXT("A\nB\r\n\r\n"), -EBADMSG },
		{ "a line feed alone at the end", TEXT("A\r\n\n"), -EBADMSG },
		{ "a line feed first", TEXT("\nA\r\n\r\n"), -EBADMSG },
		{ "TLS", TEXT("\x16\x03\x01"), -EPROTO },
		{ "a NUL", TEXT("\0GET / HTTP/1.1\r\n\r\n"), -EPROTO },
	};

	for (size_t i = 0; i < NITEMS(finds); i++) {
		size_t line = 0, seen = 0;
		int rc = 0;

		test_case("end: %s", finds[i].what);
		CHECK_INT(reqhead_find((const uint8_t *)finds[i].head, finds[i].n, &line, &seen),
		    finds[i].rc);
		/* the same a byte at a time */
		line = seen = 0;
		for (size_t n = 1; n <= finds[i].n && rc == 0; n++)
			rc = reqhead_find((const uint8_t *)finds[i].head, n, &line, &seen);
		CHECK_INT(rc, finds[i].rc);
	}
}

static void
test_changes(void)
{
	uint8_t head[] = POST "Content-Length: 12 \t\r\nCookie: a; b\r\nX:  a b \r\n\r\n";
	struct reqhead h;

	test_case("head: blanks behind values go to the front, cookies are hidden");
	CHECK_INT(reqhead_check(head, sizeof(head) - 1, &h), REQHEAD_FINE);
	CHECK_STR(
	    (const char *)head, POST "Content-Length:   12\r\n-ookie: a; b\r\nX:   a b\r\n\r\n");
}

static void
test_guess(void)
{
	static const struct {
		const char *what, *head;
		size_t n;
		const char *method, *target;
	} guesses[] = {
		{ "all of it", TEXT("HEAD /f HTTP/9.9\r\n"), "HEAD", "/f" },
		{ "up to the NUL", TEXT("GET /f\0g HTTP/1.1\r\n"), "GET", "/f" },
		{ "what is there", TEXT("GET /2PXE/boot?aaa"), "GET", "/2PXE/boot?aaa" },
		{ "a method alone", TEXT("GET"), "", "" },
		{ "TLS", TEXT("\x16\x03\x01 /f"), "", "" },
		{ "nothing", TEXT(""), "", "" },
	};

	for (size_t i = 0; i < NITEMS(guesses); i++) {
		struct slice method, target;

		test_case("guess: %s", guesses[i].what);
		reqhead_guess((const uint8_t *)guesses[i].head, guesses[i].n, &method, &target);
		CHECK(slice_is(method, guesses[i].method));
		CHECK(slice_is(target, guesses[i].target));
	}
}

int
main(void)
{
	test_check();
	test_find();
	test_changes();
	test_guess();
	test_case("faults: each has a name, words and a status");
	for (int i = 0; i < REQHEAD_FAULTS; i++) {
		CHECK(reqhead_fault_name((enum reqhead_fault)i)[0] != '\0');
		CHECK(reqhead_fault_words((enum reqhead_fault)i)[0] != '\0');
		CHECK(i == REQHEAD_FINE || reqhead_fault_status((enum reqhead_fault)i) >= 400);
	}
	return test_end();
}
