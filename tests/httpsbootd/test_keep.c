/* Tests of httpsbootd/keep.c. */
#include "httpsbootd/keep.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

static const struct keep_note note = {
	.path = "images/gr\xc3\xbc\xc3\x9f e/boot.wim",
	.size = UINT64_C(5000000001),
	.sha256 = { 1, 2, 3, [31] = 0xff },
	.etag = "\"a-b\"",
	.modified_s = 1700000000,
	.dated = true,
	.tag = UINT64_C(0xfedcba9876543210),
	.checked_ms = 1000000,
};

static void
test_names(void)
{
	static const char *const paths[] = { "a", "A", "a/b", "a_b", "images/x/../y", "" };
	char name[KEEP_NAME_STRLEN], other[KEEP_NAME_STRLEN];

	for (size_t i = 0; i < NITEMS(paths); i++) {
		test_case("\"%s\" has a name of its own, without a way out", paths[i]);
		keep_name(paths[i], name);
		CHECK(keep_is_name(name, strlen(name)));
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(name, keep_name(paths[k], other)) != 0);
	}
	test_case("other files of the folder have none");
	CHECK(!keep_is_name("lost+found", 10) && !keep_is_name("", 0));
	keep_name("a", name);
	CHECK(!keep_is_name(name, 63));
	name[3] = 'G';
	CHECK(!keep_is_name(name, 64));
}

static void
test_note(void)
{
	static const struct {
		const char *what, *key, *json; /* NULL: the key is missing */
	} rows[] = {
		{ "without a path", "path", NULL },
		{ "a path that leads out", "path", "\"../x\"" },
		{ "one that is not normal", "path", "\"a//b\"" },
		{ "a size below nothing", "size", "-1" },
		{ "a tag that is two headers", "etag", "\"\\\"a\\\"\\r\\nX: y\"" },
		{ "half a digest", "sha256", "\"00ff\"" },
		{ "no digest", "sha256", "\"zz\"" },
		{ "words for a number", "tag", "\"1\"" },
		{ "a date that is none", "dated", "3" },
		{ "without the time", "checked_ms", NULL },
		{ "a time below nothing", "checked_ms", "-5" },
	};
	struct keep_note back;
	json_t *json = keep_dump(&note);
	char etag[KEEP_ETAG_MAX + 1];

	test_case("a note is read as it was written");
	memset(&back, 0xa5, sizeof(back));
	CHECK_INT(keep_parse(json, &back), 0);
	CHECK_STR(back.path, note.path);
	CHECK_STR(back.etag, note.etag);
	CHECK(back.size == note.size && back.tag == note.tag && back.dated);
	CHECK(back.modified_s == note.modified_s && back.checked_ms == note.checked_ms);
	CHECK(memcmp(back.sha256, note.sha256, sizeof(note.sha256)) == 0);
	for (size_t i = 0; i < NITEMS(rows); i++) {
		json_t *bad = json_deep_copy(json);

		test_case("no note: %s", rows[i].what);
		if (rows[i].json == NULL)
			json_object_del(bad, rows[i].key);
		else
			json_object_set_new(
			    bad, rows[i].key, json_loads(rows[i].json, JSON_DECODE_ANY, NULL));
		CHECK_INT(keep_parse(bad, &back), -EINVAL);
		json_decref(bad);
	}
	test_case("no note: a tag that is too long");
	memset(etag, 'x', sizeof(etag));
	etag[KEEP_ETAG_MAX] = '\0';
	json_object_set_new(json, "etag", json_string(etag));
	CHECK_INT(keep_parse(json, &back), -EINVAL);
	json_decref(json);
	test_case("no note: something else");
	json = json_array();
	CHECK_INT(keep_parse(json, &back), -EINVAL);
	json_decref(json);
}

static void
test_judge(void)
{
	static const uint8_t other[DIGEST_BYTES] = { 9 };
	static const struct {
		const char *what;
		uint64_t size;
		const uint8_t *sha256;
		uint64_t now_ms;
		enum keep_use use;
	} rows[] = {
		{ "fresh", 0, NULL, 1000000, KEEP_GOOD },
		{ "just fresh", 0, NULL, 1059999, KEEP_GOOD },
		{ "not fresh any more", 0, NULL, 1060000, KEEP_OLD },
		{ "from the future: a clock was set back", 0, NULL, 999999, KEEP_OLD },
		{ "of that size", UINT64_C(5000000001), NULL, 1000000, KEEP_GOOD },
		{ "of another size, fresh or not", 7, NULL, 1000000, KEEP_WRONG },
		{ "its digest is known: however old", 0, note.sha256, 99000000, KEEP_GOOD },
		{ "another digest", 0, other, 1000000, KEEP_WRONG },
		{ "the digest, but another size", 7, note.sha256, 1000000, KEEP_WRONG },
	};

	for (size_t i = 0; i < NITEMS(rows); i++) {
		const struct keep_want want = { "x", rows[i].size, rows[i].sha256 };

		test_case("a kept file: %s", rows[i].what);
		CHECK_INT(keep_judge(&note, &want, rows[i].now_ms, 60000), rows[i].use);
	}
}

static void
test_check(void)
{
	static const struct {
		const char *what;
		uint64_t known;
		bool digest;
		int64_t length;
		bool framed;
		int rc;
		int64_t size;
	} heads[] = {
		{ "its length", 0, false, 500, true, 0, 500 },
		{ "the length that is known", 500, false, 500, true, 0, 500 },
		{ "another", 501, true, 500, true, -EBADMSG, 0 },
		{ "in chunks", 0, false, -1, true, 0, -1 },
		{ "in chunks, its size known", 500, false, -1, true, 0, 500 },
		{ "until the connection ends", 0, false, -1, false, -EBADMSG, 0 },
		{ "the same, but its size is known", 500, false, -1, false, 0, 500 },
		{ "the same, but its digest is", 0, true, -1, false, 0, -1 },
		{ "nothing", 0, false, 0, true, 0, 0 },
		{ "just as much as there may be", 0, false, 1000, true, 0, 1000 },
		{ "more", 0, false, 1001, true, -EFBIG, 0 },
		{ "more, as is known", 1001, false, -1, true, -EFBIG, 0 },
	};
	static const struct {
		const char *what;
		int64_t size;
		uint64_t came;
		bool digest, right;
		int rc;
		uint64_t known;
	} ends[] = {
		{ "all of it", 500, 500, false, false, 0, 0 },
		{ "and its digest", 500, 500, true, true, 0, 0 },
		{ "another digest", 500, 500, true, false, -EBADMSG, 0 },
		{ "too little", 500, 499, true, true, -EBADMSG, 0 },
		{ "too much", 500, 501, false, false, -EBADMSG, 0 },
		{ "of a size that was not known", -1, 77, false, false, 0, 0 },
		{ "the same with another digest", -1, 77, true, false, -EBADMSG, 0 },
		{ "a size that handlerd knows by now", -1, 77, false, false, 0, 77 },
		{ "another one than handlerd knows by now", -1, 77, false, false, -EBADMSG, 78 },
	};
	static const uint8_t other[DIGEST_BYTES] = { 9 };

	for (size_t i = 0; i < NITEMS(heads); i++) {
		const struct keep_want want = { "x", heads[i].known,
			heads[i].digest ? note.sha256 : NULL };
		const char *text = "";
		int64_t size = 12345;

		test_case("the origin begins to send: %s", heads[i].what);
		CHECK_INT(
		    keep_check_head(&want, heads[i].length, heads[i].framed, 1000, &size, &text),
		    heads[i].rc);
		CHECK_INT(size, heads[i].rc == 0 ? heads[i].size : 12345);
		CHECK((heads[i].rc < 0) == (text[0] != '\0'));
	}
	for (size_t i = 0; i < NITEMS(ends); i++) {
		const struct keep_want want = { "x", ends[i].known,
			ends[i].digest ? note.sha256 : NULL };
		const char *text = "";

		test_case("the origin has sent: %s", ends[i].what);
		CHECK_INT(keep_check_end(&want, ends[i].size, ends[i].came,
			      ends[i].right ? note.sha256 : other, &text),
		    ends[i].rc);
		CHECK((ends[i].rc < 0) == (text[0] != '\0'));
	}
}

static void
test_ready(void)
{
	test_case("the end is held back until it was checked");
	CHECK_INT(keep_ready(0, 1000000), 0);
	CHECK_INT(keep_ready(1000, 1000000), 1000);
	CHECK_INT(keep_ready(999999, 1000000), 1000000 - KEEP_HELD_BYTES);
	CHECK_INT(keep_ready(1000000, 1000000), 1000000 - KEEP_HELD_BYTES);
	CHECK_INT(keep_ready(1000, 1000), 0);
	CHECK_INT(keep_ready(KEEP_HELD_BYTES, KEEP_HELD_BYTES), 0);
	test_case("pauses grow to an end");
	CHECK_INT(keep_pause_ms(0), 0);
	CHECK_INT(keep_pause_ms(1), 1000);
	CHECK_INT(keep_pause_ms(2), 2000);
	CHECK_INT(keep_pause_ms(5), 16000);
	CHECK_INT(keep_pause_ms(6), 30000);
	CHECK_INT(keep_pause_ms(4000000000u), 30000);
}

int
main(void)
{
	test_names();
	test_note();
	test_judge();
	test_check();
	test_ready();
	return test_end();
}
