/* Tests of common/origins.c. */
#include "common/origins.h"

#include "tests/test.h"

#include <string.h>

int
main(void)
{
	/* what inspecting a BIOS loader tells, as its code is compressed */
	static const struct loader_info compressed = {
		.kind = LOADER_IPXE,
		.cpu = ARCH_CPU_BIOS,
		.https = LOADER_HTTPS_UNSEEN,
		.trust = LOADER_TRUST_UNSEEN,
	};
	struct origin_note note = { "boot/bios/undionly.kpxe", "aa", "1.21.1", "Debian trixie",
		"" };
	char source[ORIGINS_SOURCE];
	struct loader_info info;
	json_t *notes = NULL;

	test_case("a note tells what a compressed file does not show");
	origins_set(&notes, &note);
	info = compressed;
	origins_apply(notes, note.path, "aa", &info, source);
	CHECK_INT(info.https, LOADER_HTTPS_YES);
	CHECK_INT(info.trust, LOADER_TRUST_OFFER);
	CHECK_STR(info.version, "1.21.1");
	CHECK_STR(source, "Debian trixie");

	test_case("a note counts only for the bytes and the path that it was made for");
	info = compressed;
	origins_apply(notes, note.path, "bb", &info, source);
	CHECK_INT(info.https, LOADER_HTTPS_UNSEEN);
	CHECK_STR(source, "");
	origins_apply(notes, "boot/other", "aa", &info, source);
	CHECK_INT(info.https, LOADER_HTTPS_UNSEEN);
	origins_apply(NULL, note.path, "aa", &info, source);
	CHECK_INT(info.https, LOADER_HTTPS_UNSEEN);

	test_case("a stamp is known, for the very bytes");
	{
		struct origin_note got;
		struct loader_info plain = compressed;

		plain.https = LOADER_HTTPS_YES;
		plain.trust = LOADER_TRUST_OWN;

		memset(note.stamp, 'a', 64);
		origins_set(&notes, &note);
		info = plain;
		origins_apply(notes, note.path, "aa", &info, source);
		CHECK_INT(info.trust, LOADER_TRUST_STAMPED);
		CHECK_INT(info.stamp[31], 0xaa);
		info = plain;
		origins_apply(notes, note.path, "bb", &info, source);
		CHECK_INT(info.trust, LOADER_TRUST_OWN);
		CHECK(origins_get(notes, note.path, &got));
		CHECK_STR(got.stamp, note.stamp);
		CHECK_STR(got.source, note.source);
		CHECK(!origins_get(notes, "boot/other", &got));
		strcpy(note.stamp, "abc"); /* none */
		origins_set(&notes, &note);
		info = plain;
		origins_apply(notes, note.path, "aa", &info, source);
		CHECK_INT(info.trust, LOADER_TRUST_OWN);
		note.stamp[0] = '\0';
		info = compressed;
	}

	test_case("a new note takes the place of the old one; an old package has no HTTPS");
	strcpy(note.version, "1.0.0+git-20190125");
	origins_set(&notes, &note);
	CHECK_INT(json_array_size(json_object_get(notes, "loaders")), 1);
	origins_apply(notes, note.path, "aa", &info, source);
	CHECK_INT(info.https, LOADER_HTTPS_NO);
	CHECK_INT(origins_https_of_version("what?"), LOADER_HTTPS_UNSEEN);
	json_decref(notes);
	return test_end();
}
