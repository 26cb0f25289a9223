/* Tests of ferryctl/ca_judge.c. */
#include "ferryctl/ca_judge.h"

#include "tests/test.h"

#include <string.h>

/* What `ferryctl ca init` makes. */
static const struct judge_facts good = {
	.key = JUDGE_KEY_RSA,
	.bits = 3072,
	.chain_bits = 3072,
	.has_root = true,
	.in_order = true,
	.has_alt_names = true,
	.has_eku = true,
	.server_auth = true,
	.has_usage = true,
	.signs = true,
	.enciphers = true,
	.bytes = 2200,
};

/* One letter a client: . fine, n note, d doubt, R refuses. */
static const char *
letters(const struct judge_facts *f)
{
	static char buf[JUDGE_CLIENTS + 1];
	struct judge_verdict v;

	judge_certificate(f, &v);
	for (size_t i = 0; i < JUDGE_CLIENTS; i++)
		buf[i] = ".ndR"[v.worst[i]];
	return buf;
}

#define ROW(sentence, want, ...)                                                                   \
	do {                                                                                       \
		struct judge_facts f = good;                                                       \
		test_case("%s", sentence);                                                         \
		__VA_ARGS__;                                                                       \
		CHECK_STR(letters(&f), want);                                                      \
	} while (0)

static void
test_loaders(void)
{
	static const struct {
		const char *version;
		enum judge_client want;
	} rows[] = {
		{ "1.0.0+git-20190125", JUDGE_IPXE_OLD },
		{ "1.20.1", JUDGE_IPXE_OLD },
		{ "1.21.1+git20250501", JUDGE_IPXE_2022 },
		{ "2.0.0", JUDGE_IPXE_2 },
		{ "", JUDGE_IPXE_2022 },
		{ "x", JUDGE_IPXE_2022 },
	};
	struct loader_info info = { .kind = LOADER_IPXE, .https = LOADER_HTTPS_YES };

	for (size_t i = 0; i < NITEMS(rows); i++) {
		test_case("the generation of iPXE \"%s\"", rows[i].version);
		(void)slice_copy(info.version, sizeof(info.version), slice_str(rows[i].version));
		CHECK_STR(judge_client_name(judge_loader(&info)), judge_client_name(rows[i].want));
	}
	test_case("what has no HTTPS is of none");
	info.https = LOADER_HTTPS_NO;
	CHECK_INT(judge_loader(&info), JUDGE_CLIENTS);
	info = (struct loader_info){ .kind = LOADER_EFI };
	CHECK_INT(judge_loader(&info), JUDGE_CLIENTS);
}

int
main(void)
{
	struct judge_verdict v;
	struct judge_facts everything;

	/* columns: iPXE old, 2022, 2.0; UEFI old, 2025, 2026; others */
	ROW("what we make is accepted by all", ".......", (void)0);
	ROW("expired", "RRRRRRR", f.expired = true);
	ROW("a CA expired", "RRRRRRR", f.chain_expired = true);
	ROW("expired, of this site's CA", "RRRRRRR", f.expired = f.is_site = true);
	ROW("a curve whose parameters are written out", "RRRRRR.", f.key = JUDGE_KEY_EC,
	    f.bits = 256, f.chain_bits = UINT32_MAX, f.curve_known = f.curve_explicit = true);
	ROW("not valid yet", "RRRRRRR", f.not_yet = true);
	ROW("a CA is not valid yet", "RRRRRRR", f.chain_not_yet = true);
	ROW("not valid yet, by a clock that is wrong", "ddddddd", f.not_yet = f.clock_wrong = true);
	ROW("P-256", "RR.R...",
	    (f.key = JUDGE_KEY_EC, f.bits = 256, f.curve_known = true, f.enciphers = false));
	ROW("P-521", "RRRR...", (f.key = JUDGE_KEY_EC, f.bits = 521));
	ROW("P-224", "RRRRR..", (f.key = JUDGE_KEY_EC, f.bits = 224));
	ROW("Ed25519", "RRRRRR.", (f.key = JUDGE_KEY_OTHER, f.bits = 253));
	ROW("RSA below a CA with a curve", "RR.R...", f.chain_has_ec = true);
	ROW("RSA 2048", "....R..", f.bits = f.chain_bits = 2048);
	ROW("RSA 3072 of a CA of 2048", "....R..", f.chain_bits = 2048);
	ROW("RSA 1024", "....RRR", f.bits = f.chain_bits = 1024);
	ROW("RSA 8192", "nnnnnn.", f.bits = 8192);
	ROW("SHA-1", "nnnnRRR", f.digest = JUDGE_DIGEST_SHA1);
	ROW("MD5", "RRRRRRR", f.digest = JUDGE_DIGEST_MD5);
	ROW("RSA-PSS", "RRR....", f.digest = JUDGE_DIGEST_PSS);
	ROW("signed with Ed25519", "RRRRRR.", f.digest = JUDGE_DIGEST_OTHER);
	ROW("no root in the chain", "RRR....", f.has_root = false);
	ROW("a chain out of order", "RRRdddd", f.in_order = false);
	ROW("a pathlen that forbids it", "RRRRRRR", f.too_long = true);
	ROW("a chain of 9 kB", "ddd....", f.bytes = 9000);
	ROW("a CA as a server", "nnnnnnn", f.is_ca = true);
	ROW("no subjectAltName", "......R", f.has_alt_names = false);
	ROW("upper case", "RRR....", f.upper_case = true);
	ROW("a wildcard", "...d...", f.wildcard = true);
	ROW("serverAuth is missing", "...RRRR", f.server_auth = false);
	ROW("without extendedKeyUsage", ".......", f.has_eku = f.server_auth = false);
	ROW("clientAuth beside it", "ddd....", f.client_auth = true);
	ROW("OCSP", "ddd....", f.ocsp = true);
	ROW("digitalSignature is missing", ".RRRRRR", f.signs = false);
	ROW("keyEncipherment is missing", "R......", f.enciphers = false);
	ROW("name constraints", "RRR....", f.name_constraints = true);
	ROW("an unknown critical extension", "RRR....", f.unknown_critical = true);
	ROW("a URL by an address that is not in it", "RRRRRRR",
	    (strcpy(f.missing[0], "10.0.0.1"), f.missing_is_ip[0] = true, f.nmissing = 1));

	test_case("the sentence names the host");
	everything = good;
	strcpy(everything.missing[0], "boot.example");
	everything.nmissing = 1;
	judge_certificate(&everything, &v);
	CHECK_INT(v.n, 1);
	CHECK_STR(v.findings[0].text, "URLs with the name boot.example fail: it is not in it");

	test_case("however much is wrong, there is room");
	memset(&everything, 1, sizeof(everything));
	everything.nmissing = JUDGE_NAMES;
	everything.key = JUDGE_KEY_EC;
	for (size_t i = 0; i < JUDGE_NAMES; i++)
		strcpy(everything.missing[i], "x");
	judge_certificate(&everything, &v);
	CHECK(v.n <= JUDGE_FINDINGS);
	test_loaders();
	return test_end();
}
