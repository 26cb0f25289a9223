/* See ca_judge.h. */
#include "ferryctl/ca_judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IPXE_OLD    (1u << JUDGE_IPXE_OLD)
#define IPXE_2022   (1u << JUDGE_IPXE_2022)
#define IPXE_2      (1u << JUDGE_IPXE_2)
#define UEFI_OLD    (1u << JUDGE_UEFI_OLD)
#define UEFI_2025   (1u << JUDGE_UEFI_2025)
#define UEFI_2026   (1u << JUDGE_UEFI_2026)
#define OTHER       (1u << JUDGE_OTHER)
#define IPXE        (IPXE_OLD | IPXE_2022 | IPXE_2)
#define UEFI        (UEFI_OLD | UEFI_2025 | UEFI_2026)
#define ALL         (IPXE | UEFI | OTHER)

#define LARGE_CHAIN 8192 /* a BIOS build of iPXE has little memory */

/* --- what is wrong: each looks at one thing -------------------------------------------------- */

#define IS(name, condition)                                                                        \
	static bool name(const struct judge_facts *f)                                              \
	{                                                                                          \
		return condition;                                                                  \
	}

IS(is_expired, f->expired && f->is_site)
IS(is_expired_there, f->expired && !f->is_site)
IS(is_chain_expired, f->chain_expired && !f->expired)
IS(is_not_yet, f->not_yet && !f->clock_wrong)
IS(is_chain_not_yet, f->chain_not_yet && !f->not_yet && !f->clock_wrong)
IS(has_no_clock, f->clock_wrong)
IS(is_ec, f->key == JUDGE_KEY_EC)
IS(is_odd_curve, f->key == JUDGE_KEY_EC && !f->curve_known)
IS(is_explicit, f->key == JUDGE_KEY_EC && f->curve_explicit)
IS(is_odd_key, f->key == JUDGE_KEY_OTHER)
IS(has_ec_ca, f->key == JUDGE_KEY_RSA && f->chain_has_ec)
IS(is_below_2048, f->key == JUDGE_KEY_RSA && f->chain_bits < 2048)
IS(is_below_3072, f->key == JUDGE_KEY_RSA && f->chain_bits < 3072)
IS(is_above_4096, f->key == JUDGE_KEY_RSA && f->bits > 4096)
IS(is_small_curve, f->key == JUDGE_KEY_EC && f->bits < 256)
IS(is_sha1, f->digest == JUDGE_DIGEST_SHA1)
IS(is_md5, f->digest == JUDGE_DIGEST_MD5)
IS(is_pss, f->digest == JUDGE_DIGEST_PSS)
IS(is_odd_signature, f->digest == JUDGE_DIGEST_OTHER)
IS(is_rootless, !f->has_root)
IS(is_disordered, !f->in_order)
IS(is_too_long, f->too_long)
IS(is_large, f->bytes > LARGE_CHAIN)
IS(is_ca, f->is_ca)
IS(has_cn_alone, !f->has_alt_names)
IS(has_upper_case, f->upper_case)
IS(has_wildcard, f->wildcard)
IS(is_no_server, f->has_eku && !f->server_auth)
IS(is_client_too, f->server_auth && f->client_auth)
IS(has_ocsp, f->ocsp)
IS(cannot_sign, f->has_usage && !f->signs)
IS(cannot_encipher, f->key == JUDGE_KEY_RSA && f->has_usage && !f->enciphers)
IS(has_constraints, f->name_constraints)
IS(has_unknown, f->unknown_critical)

static const struct {
	bool (*is)(const struct judge_facts *f);
	enum judge_weight weight;
	unsigned clients;
	const char *text;
} rules[] = {
	{ is_expired, JUDGE_REFUSES, ALL, "it has expired; `ferryctl ca renew` makes a new one" },
	{ is_chain_expired, JUDGE_REFUSES, ALL, "a certificate in its chain has expired" },
	{ is_expired_there, JUDGE_REFUSES, ALL,
	    "it has expired; have a new one issued, then `ferryctl ca import` brings it in" },
	{ is_not_yet, JUDGE_REFUSES, ALL,
	    "it is not valid yet: is this host's clock right, and was that of the CA's host?" },
	{ is_chain_not_yet, JUDGE_REFUSES, ALL, "a certificate in its chain is not valid yet" },
	{ has_no_clock, JUDGE_DOUBT, ALL,
	    "this host's clock says a time before this program was made: whether it is valid "
	    "cannot be told" },
	{ is_ec, JUDGE_REFUSES, IPXE_OLD | IPXE_2022,
	    "it has an elliptic curve: iPXE before 2.0 knows RSA alone; have an RSA certificate "
	    "beside "
	    "it" },
	{ is_ec, JUDGE_REFUSES, UEFI_OLD,
	    "it has an elliptic curve: firmware before 2025-09 is built without; have an RSA "
	    "certificate beside it" },
	{ is_odd_curve, JUDGE_REFUSES, IPXE_2, "its curve is neither P-256 nor P-384" },
	{ is_explicit, JUDGE_REFUSES, ALL & ~OTHER,
	    "the parameters of its curve are written out instead of named, which RFC 5480 forbids: "
	    "make a new key with `-param_enc named_curve`" },
	{ is_odd_key, JUDGE_REFUSES, ALL & ~OTHER, "its key is neither RSA nor ECDSA" },
	{ has_ec_ca, JUDGE_REFUSES, IPXE_OLD | IPXE_2022 | UEFI_OLD,
	    "a CA in its chain has an elliptic curve, whose signature they cannot check" },
	{ is_below_2048, JUDGE_REFUSES, UEFI_2026 | OTHER,
	    "an RSA key of the chain has fewer than 2048 bits" },
	{ is_below_3072, JUDGE_REFUSES, UEFI_2025,
	    "an RSA key of the chain has fewer than 3072 bits: firmware of 2025-09 to 2026-07 "
	    "finds "
	    "that too weak" },
	{ is_above_4096, JUDGE_NOTE, IPXE | UEFI,
	    "more than 4096 bits make the handshakes of firmware slow" },
	{ is_small_curve, JUDGE_REFUSES, UEFI_2025, "its curve has fewer than 256 bits" },
	{ is_sha1, JUDGE_REFUSES, UEFI_2025 | UEFI_2026 | OTHER, "it is signed with SHA-1" },
	{ is_sha1, JUDGE_NOTE, IPXE | UEFI_OLD, "it is signed with SHA-1, which others refuse" },
	{ is_md5, JUDGE_REFUSES, ALL, "it is signed with MD5" },
	{ is_pss, JUDGE_REFUSES, IPXE,
	    "it is signed with RSA-PSS, which iPXE does not know in certificates; sign with "
	    "PKCS #1 v1.5" },
	{ is_odd_signature, JUDGE_REFUSES, ALL & ~OTHER,
	    "it is signed with an algorithm that boot clients do not know" },
	{ is_rootless, JUDGE_REFUSES, IPXE,
	    "no root is in its chain: iPXE knows a root by its fingerprint alone, and wants to see "
	    "it; "
	    "append the root to the file" },
	{ is_disordered, JUDGE_REFUSES, IPXE,
	    "the chain is not in order: each certificate must be signed by the next" },
	{ is_disordered, JUDGE_DOUBT, UEFI | OTHER,
	    "the chain is not in order, or has a gap: only who has the rest accepts it" },
	{ is_too_long, JUDGE_REFUSES, ALL, "a CA in its chain allows no CA below it (pathlen)" },
	{ is_large, JUDGE_DOUBT, IPXE,
	    "the chain has more than 8 kB: BIOS builds may run out of memory" },
	{ is_ca, JUDGE_NOTE, ALL, "it is a CA's certificate itself" },
	{ has_cn_alone, JUDGE_REFUSES, OTHER, "it has no subjectAltName" },
	{ has_upper_case, JUDGE_REFUSES, IPXE,
	    "a name in it has upper-case letters: iPXE compares it with the URL as it stands, and "
	    "URLs are in lower case" },
	{ has_wildcard, JUDGE_DOUBT, UEFI_OLD, "firmware before 2021-11 knows no wildcards" },
	{ is_no_server, JUDGE_REFUSES, UEFI | OTHER,
	    "its extendedKeyUsage does not allow serverAuth" },
	{ is_client_too, JUDGE_DOUBT, IPXE,
	    "its extendedKeyUsage has clientAuth beside serverAuth, with which iPXE was seen to "
	    "fail" },
	{ has_ocsp, JUDGE_DOUBT, IPXE,
	    "it names an OCSP responder, which iPXE asks over plain HTTP at each boot, and fails "
	    "without its answer" },
	{ cannot_sign, JUDGE_REFUSES, IPXE_2022 | IPXE_2 | UEFI | OTHER,
	    "its keyUsage lacks digitalSignature" },
	{ cannot_encipher, JUDGE_REFUSES, IPXE_OLD,
	    "its keyUsage lacks keyEncipherment, for plain RSA key exchange" },
	{ has_constraints, JUDGE_REFUSES, IPXE,
	    "a CA in its chain has critical name constraints, which iPXE does not know" },
	{ has_unknown, JUDGE_REFUSES, IPXE, "it has a critical extension that iPXE does not know" },
};

static void
add(struct judge_verdict *v, enum judge_weight weight, unsigned clients, const char *text)
{
	struct judge_finding *f = &v->findings[v->n];

	if (v->n == JUDGE_FINDINGS)
		return;
	v->n++;
	f->weight = weight;
	f->clients = clients;
	(void)snprintf(f->text, sizeof(f->text), "%s", text);
	for (unsigned i = 0; i < JUDGE_CLIENTS; i++) {
		if ((clients & 1u << i) != 0 && weight > v->worst[i])
			v->worst[i] = weight;
	}
}

void
judge_certificate(const struct judge_facts *f, struct judge_verdict *ret)
{
	char text[256];

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < NITEMS(rules); i++) {
		if (rules[i].is(f))
			add(ret, rules[i].weight, rules[i].clients, rules[i].text);
	}
	for (size_t i = 0; i < f->nmissing; i++) {
		(void)snprintf(text, sizeof(text), "URLs with the %s %s fail: it is not in it",
		    f->missing_is_ip[i] ? "address" : "name", f->missing[i]);
		add(ret, JUDGE_REFUSES, ALL, text);
	}
}

enum judge_client
judge_loader(const struct loader_info *info)
{
	unsigned long major, minor;
	char *end;

	if (info->kind != LOADER_IPXE || info->https == LOADER_HTTPS_NO)
		return JUDGE_CLIENTS;
	major = strtoul(info->version, &end, 10);
	if (end == info->version || *end != '.')
		return JUDGE_IPXE_2022; /* not told: what most sites have */
	minor = strtoul(end + 1, &end, 10);
	if (major >= 2)
		return JUDGE_IPXE_2;
	return major == 1 && minor < 21 ? JUDGE_IPXE_OLD : JUDGE_IPXE_2022;
}

const char *
judge_client_words(enum judge_client v)
{
	static const char *const words[JUDGE_CLIENTS] = {
		[JUDGE_IPXE_OLD] = "iPXE of before 2022-10",
		[JUDGE_IPXE_2022] = "iPXE 1.21.1 and later",
		[JUDGE_IPXE_2] = "iPXE 2.0",
		[JUDGE_UEFI_OLD] = "UEFI firmware of before 2025-09",
		[JUDGE_UEFI_2025] = "UEFI firmware of 2025-09 to 2026-07",
		[JUDGE_UEFI_2026] = "UEFI firmware after that",
		[JUDGE_OTHER] = "installers, curl, browsers",
	};

	return (size_t)v < NITEMS(words) ? words[v] : "?";
}

const char *
judge_client_name(enum judge_client v)
{
	static const char *const names[JUDGE_CLIENTS] = {
		[JUDGE_IPXE_OLD] = "ipxe-old",
		[JUDGE_IPXE_2022] = "ipxe-2022",
		[JUDGE_IPXE_2] = "ipxe-2",
		[JUDGE_UEFI_OLD] = "uefi-old",
		[JUDGE_UEFI_2025] = "uefi-2025",
		[JUDGE_UEFI_2026] = "uefi-2026",
		[JUDGE_OTHER] = "other",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

const char *
judge_weight_name(enum judge_weight v)
{
	static const char *const names[] = {
		[JUDGE_FINE] = "accepts",
		[JUDGE_NOTE] = "accepts",
		[JUDGE_DOUBT] = "may refuse",
		[JUDGE_REFUSES] = "refuses",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}
