/* Tests of httpsbootd/resume.c. */
#include "httpsbootd/resume.h"

#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#define OLD   "Sun, 06 Nov 1994 08:49:37 GMT"
#define LATER "Sun, 06 Nov 1994 08:50:37 GMT"
#define SOON  "Sun, 06 Nov 1994 08:50:36 GMT"

static void
test_marks(void)
{
	static const struct {
		const char *what, *etag, *modified, *date, *want; /* "": no mark */
	} rows[] = {
		{ "a strong tag", "\"a\"", "", "", "If-Range: \"a\"" },
		{ "a strong tag goes before a date", "\"a\"", OLD, LATER, "If-Range: \"a\"" },
		{ "a date that is old enough", "", OLD, LATER, "If-Range: " OLD },
		{ "an old date beside a weak tag", "W/\"a\"", OLD, LATER, "If-Range: " OLD },
		{ "a weak tag alone", "W/\"a\"", "", LATER, "" },
		{ "a date that is too young: two versions may have it", "", OLD, SOON, "" },
		{ "a date from the future", "", LATER, OLD, "" },
		{ "a date, and no word of what the time is", "", OLD, "", "" },
		{ "no date", "", "yesterday", LATER, "" },
		{ "nothing", "", "", "", "" },
		{ "a tag that is two headers", "\"a\r\nX: y\"", "", "", "" },
	};
	char range[RESUME_LINE_SIZE], if_range[RESUME_LINE_SIZE], longest[400];
	struct resume_head head = { .etag = longest, .modified = "", .date = "" };
	struct resume_mark mark;

	for (size_t i = 0; i < NITEMS(rows); i++) {
		head = (struct resume_head){
			.etag = rows[i].etag, .modified = rows[i].modified, .date = rows[i].date
		};
		test_case("%s", rows[i].what);
		CHECK_INT(resume_mark(&head, &mark), rows[i].want[0] != '\0');
		if (rows[i].want[0] == '\0')
			continue;
		resume_ask(&mark, UINT64_C(5000000000), range, if_range);
		CHECK_STR(range, "Range: bytes=5000000000-");
		CHECK_STR(if_range, rows[i].want);
	}
	test_case("a tag that is too long is none");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '"';
	longest[sizeof(longest) - 1] = '\0';
	head = (struct resume_head){ .etag = longest, .modified = "", .date = "" };
	CHECK(!resume_mark(&head, &mark));
}

static void
test_judge(void)
{
	static const struct resume_mark tag = { .etag = "\"a\"", .date = OLD },
					date = { .date = OLD };
	static const struct {
		const char *what;
		const struct resume_mark *mark;
		struct resume_head head;
		enum resume_way want;
	} rows[] = {
		/* 1000 of 5000 are here */
		{ "the rest", &tag, { 206, 4000, "\"a\"", OLD, "", "bytes 1000-4999/5000" },
		    RESUME_REST },
		{ "the rest in chunks", &tag, { 206, -1, "\"a\"", "", "", "bytes 1000-4999/5000" },
		    RESUME_REST },
		{ "the rest, by date", &date, { 206, 4000, "", OLD, "", "Bytes 1000-4999/5000" },
		    RESUME_REST },
		{ "the rest by date, which need not be said again", &date,
		    { 206, 4000, "", "", "", "bytes 1000-4999/5000" }, RESUME_REST },
		{ "all of it", &tag, { 200, 5000, "\"a\"", OLD, "", "" }, RESUME_WHOLE },
		{ "all of it in chunks", &tag, { 200, -1, "\"a\"", OLD, "", "" }, RESUME_WHOLE },
		{ "all of it, by date", &date, { 200, 5000, "\"b\"", OLD, "", "" }, RESUME_WHOLE },
		{ "another version", &tag, { 200, 5000, "\"b\"", OLD, "", "" }, RESUME_CHANGED },
		{ "another version's rest", &tag,
		    { 206, 4000, "\"b\"", OLD, "", "bytes 1000-4999/5000" }, RESUME_CHANGED },
		{ "a rest without its tag", &tag,
		    { 206, 4000, "", OLD, "", "bytes 1000-4999/5000" }, RESUME_CHANGED },
		{ "a weak tag", &tag, { 206, 4000, "W/\"a\"", OLD, "", "bytes 1000-4999/5000" },
		    RESUME_CHANGED },
		{ "another date", &date, { 206, 4000, "", LATER, "", "bytes 1000-4999/5000" },
		    RESUME_CHANGED },
		{ "no date, and not the rest either", &date, { 200, 5000, "", "", "", "" },
		    RESUME_CHANGED },
		{ "the same tag, and another length", &tag, { 200, 5001, "\"a\"", OLD, "", "" },
		    RESUME_CHANGED },
		{ "another part", &tag, { 206, 4000, "\"a\"", OLD, "", "bytes 0-3999/5000" },
		    RESUME_ODD },
		{ "a part of it", &tag, { 206, 3999, "\"a\"", OLD, "", "bytes 1000-4998/5000" },
		    RESUME_ODD },
		{ "a length that does not fit", &tag,
		    { 206, 4001, "\"a\"", OLD, "", "bytes 1000-4999/5000" }, RESUME_ODD },
		{ "of a longer file", &tag, { 206, 4000, "\"a\"", OLD, "", "bytes 1000-4999/6000" },
		    RESUME_ODD },
		{ "of a file whose size is not told", &tag,
		    { 206, 4000, "\"a\"", OLD, "", "bytes 1000-4999/*" }, RESUME_ODD },
		{ "several parts", &tag, { 206, 4000, "\"a\"", OLD, "", "" }, RESUME_ODD },
		{ "another unit", &tag, { 206, 4000, "\"a\"", OLD, "", "lines 1000-4999/5000" },
		    RESUME_ODD },
		{ "numbers that are none", &tag,
		    { 206, 4000, "\"a\"", OLD, "", "bytes 1000--4999/5000" }, RESUME_ODD },
		{ "numbers that are too long", &tag,
		    { 206, 4000, "\"a\"", OLD, "", "bytes 1000-4999/50000000000000000000005000" },
		    RESUME_ODD },
		{ "something else", &tag, { 204, 0, "\"a\"", OLD, "", "" }, RESUME_ODD },
	};
	static const char whole[] = "bytes 1000-4999/5000";

	for (size_t i = 0; i < NITEMS(rows); i++) {
		test_case("%s", rows[i].what);
		CHECK_INT(resume_judge(rows[i].mark, 1000, 5000, &rows[i].head), rows[i].want);
	}
	test_case("a Content-Range that is cut is none");
	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		char *cut = strndup(whole, n);
		struct resume_head head = { 206, 4000, "\"a\"", "", "", cut };

		CHECK_INT(resume_judge(&tag, 1000, 5000, &head), RESUME_ODD);
		free(cut);
	}
}

int
main(void)
{
	test_marks();
	test_judge();
	test_case("the first pause is short, then they grow up to a limit");
	CHECK_INT(resume_pause_ms(1), 200);
	CHECK_INT(resume_pause_ms(2), 1000);
	CHECK_INT(resume_pause_ms(4), 4000);
	CHECK_INT(resume_pause_ms(1000), 30000);
	return test_end();
}
