/* See ca_facts.h. */
#include "ferryctl/ca_facts.h"

#include "common/ident.h"
#include "common/start.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static enum judge_digest
digest_of(const X509 *cert)
{
	int digest, key;

	if (OBJ_find_sigid_algs(X509_get_signature_nid(cert), &digest, &key) != 1)
		return JUDGE_DIGEST_OTHER;
	if (key == NID_rsassaPss)
		return JUDGE_DIGEST_PSS;
	switch (digest) {
	case NID_md5: return JUDGE_DIGEST_MD5;
	case NID_sha1: return JUDGE_DIGEST_SHA1;
	case NID_sha224:
	case NID_sha256:
	case NID_sha384:
	case NID_sha512: return JUDGE_DIGEST_SHA2;
	default: return JUDGE_DIGEST_OTHER;
	}
}

static enum judge_key
key_of(EVP_PKEY *key)
{
	switch (key != NULL ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE) {
	case EVP_PKEY_RSA: return JUDGE_KEY_RSA;
	case EVP_PKEY_EC: return JUDGE_KEY_EC;
	default: return JUDGE_KEY_OTHER;
	}
}

static bool
is_root(X509 *cert)
{
	return X509_self_signed(cert, 1) == 1;
}

/* --- the leaf ------------------------------------------------------------------------------- */

static void
read_key(X509 *leaf, struct judge_facts *f)
{
	EVP_PKEY *key = X509_get0_pubkey(leaf);
	char group[32] = "";
	int written_out = 0;

	f->key = key_of(key);
	f->bits = key != NULL ? (unsigned)EVP_PKEY_get_bits(key) : 0;
	if (f->key == JUDGE_KEY_EC && EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1)
		f->curve_known =
		    strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0;
	if (f->key == JUDGE_KEY_EC &&
	    EVP_PKEY_get_int_param(
		key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &written_out) == 1)
		f->curve_explicit = written_out != 0;
}

static void
look_at_name(struct slice name, struct judge_facts *f)
{
	for (size_t i = 0; i < name.n; i++) {
		f->upper_case = f->upper_case || (name.p[i] >= 'A' && name.p[i] <= 'Z');
		f->wildcard = f->wildcard || name.p[i] == '*';
	}
}

static void
read_names(X509 *leaf, struct judge_facts *f)
{
	GENERAL_NAMES *san = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	char cn[256] = "";

	for (int i = 0; i < sk_GENERAL_NAME_num(san); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(san, i);

		f->has_alt_names = f->has_alt_names || n->type == GEN_DNS || n->type == GEN_IPADD;
		if (n->type == GEN_DNS)
			look_at_name((struct slice){ ASN1_STRING_get0_data(n->d.dNSName),
					 (size_t)ASN1_STRING_length(n->d.dNSName) },
			    f);
	}
	GENERAL_NAMES_free(san);
	/* iPXE looks at the common name as well, if that is all there is */
	if (!f->has_alt_names && X509_NAME_get_text_by_NID(X509_get_subject_name(leaf),
				     NID_commonName, cn, sizeof(cn)) > 0)
		look_at_name(slice_str(cn), f);
}

static void
read_extensions(X509 *leaf, struct judge_facts *f)
{
	uint32_t flags = X509_get_extension_flags(leaf);
	uint32_t usage = X509_get_extended_key_usage(leaf), key_usage = X509_get_key_usage(leaf);
	AUTHORITY_INFO_ACCESS *info = X509_get_ext_d2i(leaf, NID_info_access, NULL, NULL);

	f->has_eku = (flags & EXFLAG_XKUSAGE) != 0;
	f->server_auth = f->has_eku && (usage & (XKU_SSL_SERVER | XKU_ANYEKU)) != 0;
	f->client_auth = f->has_eku && (usage & XKU_SSL_CLIENT) != 0;
	f->has_usage = (flags & EXFLAG_KUSAGE) != 0;
	f->signs = (key_usage & KU_DIGITAL_SIGNATURE) != 0;
	f->enciphers = (key_usage & KU_KEY_ENCIPHERMENT) != 0;
	f->is_ca = X509_check_ca(leaf) > 0;
	for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(info); i++) {
		if (OBJ_obj2nid(sk_ACCESS_DESCRIPTION_value(info, i)->method) == NID_ad_OCSP)
			f->ocsp = true;
	}
	AUTHORITY_INFO_ACCESS_free(info);
}

static void
read_missing(X509 *leaf, const struct ca_options *hosts, struct judge_facts *f)
{
	for (size_t i = 0; i < hosts->nnames + hosts->naddresses; i++) {
		bool ip = i >= hosts->nnames;
		const char *host = ip ? hosts->addresses[i - hosts->nnames] : hosts->names[i];

		if ((ip ? X509_check_ip_asc(leaf, host, 0)
			: X509_check_host(leaf, host, 0, 0, NULL)) == 1 ||
		    f->nmissing == JUDGE_NAMES)
			continue;
		(void)snprintf(f->missing[f->nmissing], sizeof(f->missing[0]), "%.60s", host);
		f->missing_is_ip[f->nmissing++] = ip;
	}
}

/* --- the chain ------------------------------------------------------------------------------ */

/* iPXE knows basicConstraints, the key usages and a few more (its x509.c). */
static bool
has_unknown_critical(const X509 *cert)
{
	static const int known[] = { NID_basic_constraints, NID_key_usage, NID_ext_key_usage,
		NID_info_access, NID_subject_alt_name, NID_name_constraints };

	for (int i = 0; i < X509_get_ext_count(cert); i++) {
		X509_EXTENSION *ext = X509_get_ext(cert, i);
		bool found = X509_EXTENSION_get_critical(ext) == 0;

		for (size_t k = 0; k < NITEMS(known); k++)
			found = found || OBJ_obj2nid(X509_EXTENSION_get_object(ext)) == known[k];
		if (!found)
			return true;
	}
	return false;
}

static void
read_link(STACK_OF(X509) * chain, int i, struct judge_facts *f)
{
	X509 *cert = sk_X509_value(chain, i), *issuer = NULL;
	EVP_PKEY *key = X509_get0_pubkey(cert);
	bool root = is_root(cert);
	int at, len = i2d_X509(cert, NULL);

	/* what stands behind its own root is for those who know another one */
	bool behind = f->has_root;

	f->bytes += len > 0 ? (size_t)len : 0;
	/* the signature of a root proves nothing to anybody */
	if (!root && digest_of(cert) > f->digest)
		f->digest = digest_of(cert);
	if (!behind && key_of(key) == JUDGE_KEY_RSA &&
	    (unsigned)EVP_PKEY_get_bits(key) < f->chain_bits)
		f->chain_bits = (unsigned)EVP_PKEY_get_bits(key);
	f->chain_has_ec = f->chain_has_ec || (i > 0 && key_of(key) == JUDGE_KEY_EC);
	f->chain_expired =
	    f->chain_expired || (!behind && X509_cmp_current_time(X509_get0_notAfter(cert)) < 0);
	f->chain_not_yet =
	    f->chain_not_yet || (!behind && X509_cmp_current_time(X509_get0_notBefore(cert)) > 0);
	f->has_root = f->has_root || root;
	at = X509_get_ext_by_NID(cert, NID_name_constraints, -1);
	f->name_constraints = f->name_constraints ||
	                      (at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(cert, at)) != 0);
	f->unknown_critical = f->unknown_critical || has_unknown_critical(cert);
	if (!behind && i > 0 && X509_get_pathlen(cert) >= 0 && i - 1 > X509_get_pathlen(cert))
		f->too_long = true;
	if (i + 1 < sk_X509_num(chain))
		issuer = sk_X509_value(chain, i + 1);
	/* a root may be followed by itself as another CA signed it */
	if (issuer != NULL &&
	    (X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(issuer)) != 0 ||
		X509_verify(cert, X509_get0_pubkey(issuer)) != 1))
		f->in_order = false;
}

void
ca_read_facts(STACK_OF(X509) * chain, const struct ca_options *hosts, struct judge_facts *ret)
{
	X509 *leaf = sk_X509_value(chain, 0);
	char name[256];

	memset(ret, 0, sizeof(*ret));
	ret->in_order = true;
	ret->chain_bits = UINT32_MAX;
	ret->expired = X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0;
	ret->not_yet = X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0;
	ret->is_site = X509_NAME_get_text_by_NID(
			   X509_get_issuer_name(leaf), NID_commonName, name, sizeof(name)) > 0 &&
	               strncmp(name, SITE_CA_NAME " ", strlen(SITE_CA_NAME) + 1) == 0;
	ret->clock_wrong = (uint64_t)time(NULL) * 1000 < BOOTFERRY_SINCE_MS;
	read_key(leaf, ret);
	read_names(leaf, ret);
	read_extensions(leaf, ret);
	if (hosts != NULL)
		read_missing(leaf, hosts, ret);
	for (int i = 0; i < sk_X509_num(chain); i++)
		read_link(chain, i, ret);
}
