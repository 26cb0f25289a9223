/* Tests of decisions about files: public and secret ones, scripts in their place, those of an
 * origin. */
#include "tests/handlerd/deciding.h"

#include "tests/stock.h"
#include "tests/test.h"

#include <errno.h>
#include <string.h>

/* --- files ---------------------------------------------------------------------------------- */

static void
test_files(void)
{
	static const struct {
		const char *what, *path;
		int path_rc, file_rc;
		enum boot_via via;
		unsigned known;
		enum boot_action action;
		enum boot_reason reason;
		enum boot_error error;
	} cases[] = {
		{ "a file that is there", "boot/x64/snponly.efi", 0, 0, VIA_TFTP, 0, ACTION_FILE,
		    REASON_PUBLIC_FILE, 0 },
		{ "handlerd does not see the root: the front daemon will know", "a", 0, -ENOSYS,
		    VIA_TFTP, 0, ACTION_FILE, REASON_PUBLIC_FILE, 0 },
		{ "one that is not", "a", 0, -ENOENT, VIA_TFTP, 0, ACTION_ERROR,
		    REASON_NO_SUCH_FILE, BOOT_ERROR_NOT_FOUND },
		{ "a folder", "a", 0, -EISDIR, VIA_TFTP, 0, ACTION_ERROR, REASON_NO_SUCH_FILE,
		    BOOT_ERROR_NOT_FOUND },
		{ "one that cannot be looked for is not missing", "a", 0, -EMFILE, VIA_HTTPS, 0,
		    ACTION_ERROR, REASON_SHORTAGE, BOOT_ERROR_UNAVAILABLE },
		{ "a link out of the root", "a", 0, -EACCES, VIA_TFTP, 0, ACTION_ERROR,
		    REASON_BAD_NAME, BOOT_ERROR_FORBIDDEN },
		{ "a name that climbs", "", -EACCES, 0, VIA_TFTP, 0, ACTION_ERROR, REASON_BAD_NAME,
		    BOOT_ERROR_FORBIDDEN },
		{ "no name at all", "", -EINVAL, 0, VIA_TFTP, 0, ACTION_ERROR, REASON_BAD_NAME,
		    BOOT_ERROR_NOT_FOUND },
		{ "autoexec.ipxe of the site's own", "autoexec.ipxe", 0, 0, VIA_TFTP, 0,
		    ACTION_FILE, REASON_PUBLIC_FILE, 0 },
		{ "autoexec.ipxe that is not there leads to the boot request", "autoexec.ipxe", 0,
		    -ENOENT, VIA_TFTP, 0, ACTION_DATA, REASON_COLLECT, 0 },
		{ "the same in a folder, in another case", "boot/x64/AutoExec.ipxe", 0, -ENOENT,
		    VIA_HTTP, PLAIN, ACTION_DATA, REASON_COLLECT, 0 },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot_request r = request_of(ASK_FILE);
		struct facts f = facts_with(&r, cases[i].known, &uefi);
		struct decision d;

		r.via = cases[i].via;
		f.path = cases[i].path;
		f.path_rc = cases[i].path_rc;
		f.file_rc = cases[i].file_rc;
		test_case("file: %s", cases[i].what);
		run(&r, stock_policy(), &f, &d);
		CHECK_INT(d.answer.action, cases[i].action);
		CHECK_INT(d.answer.reason, cases[i].reason);
		CHECK_INT(d.answer.error, cases[i].error);
		if (d.answer.action == ACTION_FILE)
			CHECK_BYTES(d.answer.file, slice_str(cases[i].path));
	}
}

/* What httpsbootd has to fetch from its origin. */
static void
test_pulled_files(void)
{
	static const uint8_t digest[IMAGE_SHA256] = { 1, 2, 3 };
	static const struct {
		const char *what, *path;
		int path_rc, file_rc;
		enum boot_via via;
		bool pulls, secret;
		enum boot_action action;
		enum boot_reason reason;
	} cases[] = {
		{ "a file that is here, too", "a", 0, 0, VIA_HTTPS, true, false, ACTION_FILE,
		    REASON_PUBLIC_FILE },
		{ "one that only the origin may have", "a", 0, -ENOENT, VIA_HTTPS, true, false,
		    ACTION_FILE, REASON_ORIGIN_FILE },
		{ "also by plain HTTP", "a", 0, -ENOENT, VIA_HTTP, true, false, ACTION_FILE,
		    REASON_ORIGIN_FILE },
		{ "tftpd has no origin", "a", 0, -ENOENT, VIA_TFTP, true, false, ACTION_ERROR,
		    REASON_NO_SUCH_FILE },
		{ "nor has every httpsbootd", "a", 0, -ENOENT, VIA_HTTPS, false, false,
		    ACTION_ERROR, REASON_NO_SUCH_FILE },
		{ "a folder is none of its files", "a", 0, -EISDIR, VIA_HTTPS, true, false,
		    ACTION_ERROR, REASON_NO_SUCH_FILE },
		{ "nor is a name that climbs", "", -EACCES, 0, VIA_HTTPS, true, false, ACTION_ERROR,
		    REASON_BAD_NAME },
		{ "nor a link out of the root", "a", 0, -EACCES, VIA_HTTPS, true, false,
		    ACTION_ERROR, REASON_BAD_NAME },
		{ "a secret one needs its token there, too", "a", 0, -ENOENT, VIA_HTTPS, true, true,
		    ACTION_ERROR, REASON_TOKEN },
		{ "autoexec.ipxe leads to the boot request", "autoexec.ipxe", 0, -ENOENT, VIA_HTTP,
		    true, false, ACTION_DATA, REASON_COLLECT },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		struct boot_request r = request_of(ASK_FILE);
		struct facts f = facts_with(&r, cases[i].via == VIA_HTTP ? PLAIN : 0, &uefi);
		bool known = cases[i].file_rc == 0;
		struct decision d;

		r.via = cases[i].via;
		f.web.pulls = cases[i].pulls;
		f.path = cases[i].path;
		f.path_rc = cases[i].path_rc;
		f.file_rc = cases[i].file_rc;
		f.file_secret = cases[i].secret;
		f.token_fault = TOKEN_FORGED;
		f.file_size = known ? 4321 : 0;
		f.file_sha256 = known ? digest : NULL;
		test_case("origin: %s", cases[i].what);
		run(&r, stock_policy(), &f, &d);
		CHECK_INT(d.answer.action, cases[i].action);
		CHECK_INT(d.answer.reason, cases[i].reason);
		if (cases[i].path_rc < 0 || cases[i].action != ACTION_FILE)
			continue;
		CHECK_INT(d.answer.file_size, known ? 4321 : 0);
		CHECK_BYTES(d.answer.file_sha256, ((struct slice){ digest, known ? 32 : 0 }));
	}
	{
		struct boot_request r = request_of(ASK_FILE);
		struct facts f = facts_of(&r);
		struct decision d;

		test_case("who has no origin is not told what it is to fetch");
		r.via = VIA_HTTPS;
		f.file_size = 4321;
		f.file_sha256 = digest;
		run(&r, stock_policy(), &f, &d);
		CHECK_INT(d.answer.action, ACTION_FILE);
		CHECK(d.answer.file_size == 0 && d.answer.file_sha256.n == 0);
	}
}

static void
test_secret_files(void)
{
	for (enum boot_via via = VIA_TFTP; via <= VIA_HTTPS; via++) {
		for (enum token_fault fault = TOKEN_GOOD; fault < TOKEN_FAULTS; fault++) {
			struct boot_request r = request_of(ASK_FILE);
			struct facts f = facts_of(&r);
			bool given = via == VIA_HTTPS && fault == TOKEN_GOOD;
			struct decision d;

			r.via = via;
			f.file_secret = true;
			f.token_fault = fault;
			test_case("secret file by %s, token %s: %s", boot_via_name(via),
			    token_fault_name(fault), given ? "given" : "refused");
			run(&r, stock_policy(), &f, &d);
			CHECK_INT(d.answer.action, given ? ACTION_FILE : ACTION_ERROR);
			if (given)
				continue;
			CHECK_INT(d.answer.error, BOOT_ERROR_FORBIDDEN);
			CHECK_INT(d.answer.reason, REASON_TOKEN);
			if (via == VIA_HTTPS)
				CHECK_BYTES(d.answer.text, slice_str(token_fault_name(fault)));
		}
	}
	{
		struct boot_request r = request_of(ASK_FILE);
		struct facts f = facts_of(&r);
		struct decision d;

		test_case("a rule that refuses a file counts before its token");
		r.via = VIA_HTTPS;
		f.subject.via = VIA_HTTPS;
		f.file_secret = true;
		decide_by(RULE("\"action\":\"ignore\",\"when\":{\"stage\":[\"file\"],"
			       "\"via\":[\"https\"]}"),
		    &r, &f,
		    &(struct want){ ACTION_ERROR, REASON_RULE_REFUSES, BOOT_ERROR_FORBIDDEN,
			"a rule of this site forbids it", NULL, 0 },
		    &d);
		test_case("a rule that serves a file does not open a secret one");
		f.token_fault = TOKEN_MALFORMED;
		decide_by(RULE("\"action\":\"serve\",\"when\":{\"stage\":[\"file\"]}"), &r, &f,
		    &(struct want){
			ACTION_ERROR, REASON_TOKEN, BOOT_ERROR_FORBIDDEN, "malformed", NULL, 0 },
		    &d);
	}
}

int
main(void)
{
	test_files();
	test_pulled_files();
	test_secret_files();
	return test_end();
}
