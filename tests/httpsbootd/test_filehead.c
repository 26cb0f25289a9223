/* Tests of httpsbootd/filehead.c. */
#include "httpsbootd/filehead.h"

#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#define DATE  "Sun, 06 Nov 2033 08:49:37 GMT"
#define LATER "Sun, 06 Nov 2033 08:49:38 GMT"
#define SOON  "Sun, 06 Nov 2033 08:49:36 GMT"

static const struct content_file file = {
	.size = 1000,
	.inode = 0x1f,
	.mtime = { .tv_sec = 2014879777, .tv_nsec = 123 },
};

static void
test_conditions(const char *tag)
{
	const struct {
		const char *what;
		struct filehead_asked asked;
		unsigned status;
		uint64_t first, bytes;
		const char *content_range;
	} cases[] = {
		{ "GET", { .get = true }, 200, 0, 1000, "" },
		{ "HEAD tells the same", { .head = true }, 200, 0, 1000, "" },
		{ "a part", { .get = true, .range = "bytes=10-19" }, 206, 10, 10,
		    "bytes 10-19/1000" },
		{ "the rest, as a broken download goes on",
		    { .get = true, .range = "bytes=600-", .if_match = tag }, 206, 600, 400,
		    "bytes 600-999/1000" },
		{ "a part is for GET alone", { .head = true, .range = "bytes=10-19" }, 200, 0, 1000,
		    "" },
		{ "not for a form", { .range = "bytes=10-19" }, 200, 0, 1000, "" },
		{ "several parts get the whole", { .get = true, .range = "bytes=0-1,5-6" }, 200, 0,
		    1000, "" },
		{ "beyond the end", { .get = true, .range = "bytes=1000-" }, 416, 0, 0,
		    "bytes */1000" },
		{ "If-Range of this version",
		    { .get = true, .range = "bytes=0-9", .if_range = tag }, 206, 0, 10,
		    "bytes 0-9/1000" },
		{ "If-Range of this date", { .get = true, .range = "bytes=0-9", .if_range = DATE },
		    206, 0, 10, "bytes 0-9/1000" },
		{ "If-Range of another version",
		    { .get = true, .range = "bytes=0-9", .if_range = "\"old\"" }, 200, 0, 1000,
		    "" },
		{ "If-Range of a later date is no validator of ours",
		    { .get = true, .range = "bytes=0-9", .if_range = LATER }, 200, 0, 1000, "" },
		{ "If-Range of another version, beyond the end: the whole, not 416",
		    { .get = true, .range = "bytes=5000-", .if_range = "\"old\"" }, 200, 0, 1000,
		    "" },
		{ "If-Match of another version",
		    { .get = true, .range = "bytes=0-9", .if_match = "\"old\"" }, 412, 0, 0, "" },
		{ "If-Match of any", { .get = true, .if_match = " * " }, 200, 0, 1000, "" },
		{ "If-Match without a tag", { .get = true, .if_match = "old" }, 412, 0, 0, "" },
		{ "If-Unmodified-Since, and it is",
		    { .get = true, .range = "bytes=1-", .if_unmodified_since = DATE }, 206, 1, 999,
		    "bytes 1-999/1000" },
		{ "If-Unmodified-Since, and it is not",
		    { .get = true, .if_unmodified_since = SOON }, 412, 0, 0, "" },
		{ "If-Match counts more than a date",
		    { .get = true, .if_match = tag, .if_unmodified_since = SOON }, 200, 0, 1000,
		    "" },
		{ "If-None-Match of this version", { .get = true, .if_none_match = tag }, 304, 0, 0,
		    "" },
		{ "with HEAD, too", { .head = true, .if_none_match = tag }, 304, 0, 0, "" },
		{ "If-None-Match of others", { .get = true, .if_none_match = "\"a\", W/\"b\"" },
		    200, 0, 1000, "" },
		{ "If-None-Match counts more than a date",
		    { .get = true, .if_none_match = "\"a\"", .if_modified_since = DATE }, 200, 0,
		    1000, "" },
		{ "If-Modified-Since, and it was not", { .get = true, .if_modified_since = DATE },
		    304, 0, 0, "" },
		{ "If-Modified-Since, and it was", { .get = true, .if_modified_since = SOON }, 200,
		    0, 1000, "" },
		{ "a date that cannot be read is none",
		    { .get = true, .if_modified_since = "tomorrow" }, 200, 0, 1000, "" },
		{ "and none on the other side", { .get = true, .if_unmodified_since = "tomorrow" },
		    200, 0, 1000, "" },
		{ "a posted form has no conditions", { .if_none_match = tag, .if_match = "\"x\"" },
		    200, 0, 1000, "" },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct filehead h;

		test_case("file: %s", cases[i].what);
		filehead_make(&file, &cases[i].asked, &h);
		CHECK_INT(h.status, cases[i].status);
		CHECK_INT(h.bytes, cases[i].bytes);
		CHECK_STR(h.content_range, cases[i].content_range);
		CHECK_STR(h.modified, DATE);
		CHECK_STR(h.etag, tag);
		if (h.bytes > 0)
			CHECK_INT(h.range.first, cases[i].first);
	}
}

int
main(void)
{
	static const struct content_file empty = { .size = 0, .inode = UINT64_MAX };
	static const struct content_file largest = {
		.size = UINT64_MAX,
		.inode = UINT64_MAX,
		.mtime = { .tv_sec = INT64_MAX, .tv_nsec = 999999999 },
	};
	struct filehead h;
	char list[200];

	filehead_make(&file, &(struct filehead_asked){ .get = true }, &h);
	test_conditions(h.etag);

	test_case("file: a list of tags, with this one last; weak ones only where that is enough");
	(void)snprintf(list, sizeof(list), ", W/\"b\" ,, \"a,b\",\tW/%s", h.etag);
	filehead_make(&file, &(struct filehead_asked){ .get = true, .if_none_match = list }, &h);
	CHECK_INT(h.status, 304);
	filehead_make(&file, &(struct filehead_asked){ .get = true, .if_match = list }, &h);
	CHECK_INT(h.status, 412);

	test_case("file: one of no bytes");
	filehead_make(&empty, &(struct filehead_asked){ .get = true }, &h);
	CHECK_INT(h.status, 200);
	CHECK_INT(h.bytes, 0);
	filehead_make(&empty, &(struct filehead_asked){ .get = true, .range = "bytes=0-" }, &h);
	CHECK_INT(h.status, 416);
	CHECK_STR(h.content_range, "bytes */0");

	test_case("file: the largest numbers fit");
	filehead_make(&largest,
	    &(struct filehead_asked){ .get = true, .range = "bytes=18446744073709551613-" }, &h);
	CHECK_INT(h.status, 206);
	CHECK_STR(h.content_range,
	    "bytes 18446744073709551613-18446744073709551614/18446744073709551615");
	CHECK(h.etag[strlen(h.etag) - 1] == '"');
	return test_end();
}
