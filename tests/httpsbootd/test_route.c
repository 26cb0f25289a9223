/* Tests of httpsbootd/route.c. */
#include "httpsbootd/route.h"

#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* As many characters as a token of ours has. */
#define TOKEN                                                                                      \
	"AQACabcdefghijklmnopqrstuvwxyz-_ABCDEFGHIJ"                                               \
	"AQACabcdefghijklmnopqrstuvwxyz-_ABCDEFGHIJ"
#define SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define UUID   "4c4c4544-0042-3510-8054-b4c04f4e3232"

static void
test_secrets(void)
{
	static const struct {
		const char *what, *target, *want;
	} cases[] = {
		{ "in the path", "/2PXE/file/token=x/f?a=b&c", "/2PXE/file/token=...&c" },
		{ "behind a second question mark", "/a??token=1&x", "/a??token=...&x" },
		{ "behind other joints", "/a;token=1", "/a;token=..." },
		{ "and encoded ones", "/a?x=1%3btoken%3D1%26x&y", "/a?x=1%3btoken%3D...&y" },
		{ "encoded twice", "/a?%2574oken%253d1&y", "/a?%2574oken%253d...&y" },
		{ "a token alone", "/2PXE/file/a?token=AQAC", "/2PXE/file/a?token=..." },
		{ "a token among others", "/2PXE/boot?mac=1&token=AQAC&x=2",
		    "/2PXE/boot?mac=1&token=...&x=2" },
		{ "in any case and with escapes", "/a?TOKEN=1&%74oken=2&t%6Fken=3",
		    "/a?TOKEN=...&%74oken=...&t%6Fken=..." },
		{ "a PIN, and what a web service gave", "/a?authvalue=1234&tokenid=7",
		    "/a?authvalue=...&tokenid=..." },
		{ "names that only begin so", "/a?tokens=1&tok=2", "/a?tokens=1&tok=2" },
		{ "a name without a value, one that cannot be decoded", "/a?token&%zz=1&&x",
		    "/a?token&%zz=1&&x" },
		{ "a second question mark", "/a?x=?token=1&token=2", "/a?x=?token=...&token=..." },
		{ "what does not fit is cut", "/a?abcdefghijklmnopqrstuvwxyz=1",
		    "/a?abcdefghijklmnopqrstuvwxyz=" },
		{ "a path that does not fit", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?token=1",
		    "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
	};
	char buf[31], large[200];

	for (size_t i = 0; i < NITEMS(cases); i++) {
		bool cut = i + 2 >= NITEMS(cases);

		test_case("for the log: %s", cases[i].what);
		CHECK_STR(route_without_secrets(cases[i].target, cut ? buf : large,
			      cut ? sizeof(buf) : sizeof(large)),
		    cases[i].want);
	}
	test_case(
	    "for the log: what may be a token shows its beginning only, whatever it is called");
	CHECK_STR(route_without_secrets("/2PXE/file/" TOKEN "/f", large, sizeof(large)),
	    "/2PXE/file/AQACabcd.../f");
	CHECK_STR(route_without_secrets("/2PXE/file/f?" TOKEN, large, sizeof(large)),
	    "/2PXE/file/f?AQACabcd...");
	CHECK_STR(route_without_secrets("/a?tok%65m=%41QAC%2561" TOKEN, large, sizeof(large)),
	    "/a?tok%65m=%41QAC%2561AQA...");
	test_case("for the log: a SHA-256 and a UUID are none");
	CHECK_STR(
	    route_without_secrets("/" SHA256 "/" UUID, large, sizeof(large)), "/" SHA256 "/" UUID);
	test_case("for the log: a secret is never shown, wherever it is cut");
	for (size_t size = 1; size < sizeof(large); size++)
		CHECK(strchr(route_without_secrets("/2PXE/file/a?mac=1&token=ZZZ&x=2", large, size),
			  'Z') == NULL);
}

static void
test_listed(void)
{
	static const char *const some[] = { "/2PXE/boot", "/2PXE/boot/*", "*.ipxe",
		"/2pxe/file/images/tiny/*" };
	static const struct {
		const char *what, *target;
		bool want;
	} cases[] = {
		{ "the boot path", "/2PXE/boot?mac=1", true },
		{ "in another case", "//2pxe/BOOT/", true },
		{ "below it", "/2PXE/boot/x64/a.efi", true },
		{ "the same file's other name", "/2PXE/file/boot/x64/a.efi", true },
		{ "a folder whose name only begins so", "/2PXE/file/boots/a", false },
		{ "in the middle of a pattern's words", "/2PXE/file/images/tiny/vmlinuz", true },
		{ "another image", "/2PXE/file/images/tinytiny/vmlinuz", false },
		{ "by its end", "/2PXE/file/a/b.IPXE", true },
		{ "its end alone", "/2PXE/file/a/b.ipxe2", false },
		{ "back-slashes and dots are what they will be", "/2PXE/file/.%5cboot%5c.%5cx",
		    true },
		{ "climbing out fits what it says, and handlerd refuses it",
		    "/2PXE/file/boot/../images/x", false },
		{ "a report", "/2PXE/report/started", false },
		{ "what is not there", "/other.ipxe", false },
	};
	static const char *const all[] = { "*" };
	struct route r;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		test_case("listed: %s", cases[i].what);
		CHECK_INT(route_parse(cases[i].target, &r), 0);
		CHECK_INT(route_is_listed(&r, some, NITEMS(some)), cases[i].want);
		CHECK_INT(route_is_listed(&r, all, 1), r.kind != ROUTE_NONE);
		CHECK(!route_is_listed(&r, NULL, 0));
	}
	test_case("listed: many stars take no time");
	CHECK_INT(
	    route_parse("/2PXE/report/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &r), 0);
	CHECK(!route_is_listed(&r, (const char *const[]){ "*a*a*a*a*a*a*a*a*a*a*a*a*a*b" }, 1));
	CHECK(route_is_listed(&r, (const char *const[]){ "/2pxe/*t/*a*a*a**" }, 1));
}

int
main(void)
{
	static const struct {
		const char *what, *target;
		int rc;
		enum route_kind kind;
		const char *rest, *query;
	} cases[] = {
		{ "the boot path", "/2PXE/boot", 0, ROUTE_BOOT, "", "" },
		{ "in any case, with doubled slashes, as 2PXE's media send it", "//2pxe//BOOT", 0,
		    ROUTE_BOOT, "", "" },
		{ "with a slash at the end", "/2PXE/boot/", 0, ROUTE_BOOT, "", "" },
		{ "with a query", "/2PXE/boot?mac=52-54&x=%20", 0, ROUTE_BOOT, "",
		    "mac=52-54&x=%20" },
		{ "a file", "/2PXE/file/images/tiny/vmlinuz", 0, ROUTE_FILE, "images/tiny/vmlinuz",
		    "" },
		{ "where iPXE looks for cross-certificates", "/auto/7ed03172.der?subject=MAA=", 0,
		    ROUTE_FILE, "certificate/auto/7ed03172.der", "subject=MAA=" },
		{ "and nothing there", "/auto/", 0, ROUTE_NONE, "", "" },
		{ "and nothing else", "/automatic/x", 0, ROUTE_NONE, "", "" },
		{ "a file's case stays", "/2pxe/File/Boot/X.efi", 0, ROUTE_FILE, "Boot/X.efi", "" },
		{ "an escaped name", "/2PXE/file/a%20b%2Fc", 0, ROUTE_FILE, "a b/c", "" },
		{ "climbing is not this file's business", "/2PXE/file/../../etc/passwd", 0,
		    ROUTE_FILE, "../../etc/passwd", "" },
		{ "a plus sign in a path is one", "/2PXE/file/a+b", 0, ROUTE_FILE, "a+b", "" },
		{ "a report", "/2PXE/report/started?boot=x", 0, ROUTE_REPORT, "started", "boot=x" },
		{ "a report with more words", "/2PXE/Report/failure/iPXE", 0, ROUTE_REPORT,
		    "failure/iPXE", "" },
		{ "an absolute URI, as proxies send it", "http://10.0.0.1:8060/2PXE/boot", 0,
		    ROUTE_BOOT, "", "" },
		{ "a file without a name", "/2PXE/file/", 0, ROUTE_NONE, "", "" },
		{ "a loader below the boot path, for UEFI HTTP Boot",
		    "/2PXE/boot/x64/snponly_x64.efi", 0, ROUTE_FILE, "boot/x64/snponly_x64.efi",
		    "" },
		{ "the same as firmware may write it", "//2pxe//Boot//X64/a.efi?x", 0, ROUTE_FILE,
		    "boot/X64/a.efi", "x" },
		{ "a cross-certificate", "/2PXE/certificate/cross.crt?tokenid=1", 0, ROUTE_FILE,
		    "certificate/cross.crt", "tokenid=1" },
		{ "certificates without a name", "/2PXE/certificate/", 0, ROUTE_NONE, "", "" },
		{ "a longer word", "/2PXE/boots", 0, ROUTE_NONE, "", "" },
		{ "another path", "/index.html", 0, ROUTE_NONE, "", "" },
		{ "the root", "/", 0, ROUTE_NONE, "", "" },
		{ "no path", "2PXE/boot", -EINVAL, ROUTE_NONE, "", "" },
		{ "an asterisk", "*", -EINVAL, ROUTE_NONE, "", "" },
		{ "an absolute URI without a path", "http://host", 0, ROUTE_NONE, "", "" },
		{ "one with a path in its query alone", "http://host?x=/2PXE/boot", 0, ROUTE_NONE,
		    "", "" },
		{ "one without a host", "http:///2PXE/boot", -EINVAL, ROUTE_NONE, "", "" },
		{ "the end of a URI's scheme", "https://", -EINVAL, ROUTE_NONE, "", "" },
		{ "half an escape", "/2PXE/file/a%2", -EINVAL, ROUTE_NONE, "", "" },
		{ "an escape at the very end", "/2PXE/file/a%", -EINVAL, ROUTE_NONE, "", "" },
		{ "no hexadecimal digits", "/2PXE/file/a%zz", -EINVAL, ROUTE_NONE, "", "" },
	};
	static struct route r;
	char *lengthy;

	for (size_t i = 0; i < NITEMS(cases); i++) {
		int rc = route_parse(cases[i].target, &r);

		test_case("target: %s", cases[i].what);
		CHECK_INT(rc, cases[i].rc);
		if (rc < 0)
			continue;
		CHECK_INT(r.kind, cases[i].kind);
		CHECK_BYTES(((struct slice){ (const uint8_t *)r.rest, r.rest_n }),
		    slice_str(cases[i].rest));
		CHECK_BYTES(r.query, slice_str(cases[i].query));
	}

	test_case("target: a NUL in a name stays to be refused later");
	CHECK_INT(route_parse("/2PXE/file/a%00b", &r), 0);
	CHECK_INT(r.rest_n, 3);

	test_case("target: one that is too long");
	lengthy = malloc(ROUTE_PATH_MAX + 100);
	memset(lengthy, 'a', ROUTE_PATH_MAX + 99);
	lengthy[0] = '/';
	lengthy[ROUTE_PATH_MAX + 99] = '\0';
	CHECK_INT(route_parse(lengthy, &r), -EINVAL);
	free(lengthy);

	test_secrets();
	test_listed();

	test_case("media types: those that UEFI HTTP Boot looks for, never with a parameter");
	CHECK_STR(media_type("boot/x64/SNPONLY.EFI"), "application/efi");
	CHECK_STR(media_type("x.iso"), "application/vnd.efi-iso");
	CHECK_STR(media_type("x.img"), "application/vnd.efi-img");
	CHECK_STR(media_type("sources/BOOT.WIM"), "application/x-ms-wim");
	CHECK_STR(media_type("boot.sdi"), "application/octet-stream");
	CHECK_STR(media_type("BCD"), "application/octet-stream");
	CHECK_STR(media_type("cross.crt"), "application/x-x509-ca-cert");
	CHECK_STR(media_type("vmlinuz"), "application/octet-stream");
	CHECK_STR(media_type(".efi"), "application/octet-stream");
	return test_end();
}
