/*
 * Who accepts a server's certificate, and why not: a table of what generations of iPXE, of UEFI
 * firmware and of others look at.  Pure: certificates come in as facts.
 */
#ifndef FERRYCTL_CA_JUDGE_H
#define FERRYCTL_CA_JUDGE_H

#include "common/loader.h"

/* Generations of clients; what changed between them is in the table. */
enum judge_client {
	JUDGE_IPXE_OLD,  /* before 2022-10: RSA and plain RSA key exchange alone */
	JUDGE_IPXE_2022, /* 1.21.1 and builds up to 2025: ECDHE, RSA certificates */
	JUDGE_IPXE_2,    /* 2.0: ECDSA too */
	JUDGE_UEFI_OLD,  /* before 2025-09: no server name, DHE and plain RSA */
	JUDGE_UEFI_2025, /* 2025-09 to 2026-07: security level 3 */
	JUDGE_UEFI_2026, /* after that: level 2 */
	JUDGE_OTHER,     /* installers, curl, browsers */
	JUDGE_CLIENTS,
};

enum judge_key {
	JUDGE_KEY_RSA,
	JUDGE_KEY_EC,
	JUDGE_KEY_OTHER,
};

enum judge_digest {
	JUDGE_DIGEST_SHA2,
	JUDGE_DIGEST_SHA1,
	JUDGE_DIGEST_MD5,
	JUDGE_DIGEST_PSS,   /* RSA-PSS, whatever the digest */
	JUDGE_DIGEST_OTHER, /* Ed25519, ... */
};

#define JUDGE_NAMES 32

struct judge_facts {
	enum judge_key key;
	unsigned bits;
	bool curve_known;    /* P-256 or P-384 */
	bool curve_explicit; /* its parameters are written out, not named */
	/* the worst of the signatures below the root, and the shortest of the chain's RSA keys */
	enum judge_digest digest;
	unsigned chain_bits;
	bool chain_has_ec; /* a CA in it has an elliptic curve: its signatures are ECDSA */
	bool expired, not_yet, chain_expired, chain_not_yet;
	bool is_site;     /* of a CA that `ferryctl ca` made */
	bool clock_wrong; /* this host's clock says a time that cannot be */
	bool has_root;    /* a self-signed one ends the chain */
	bool in_order;    /* each signed by the next */
	bool too_long;    /* a pathlen forbids it */
	bool is_ca, has_alt_names;
	bool upper_case;
	bool wildcard;
	bool has_eku, server_auth, client_auth;
	bool ocsp;
	bool has_usage, signs, enciphers;
	bool name_constraints, unknown_critical;
	size_t bytes; /* of the chain, in DER */
	/* names and addresses in URLs that it does not cover */
	char missing[JUDGE_NAMES][64];
	bool missing_is_ip[JUDGE_NAMES];
	size_t nmissing;
};

enum judge_weight {
	JUDGE_FINE,
	JUDGE_NOTE,    /* it works, but */
	JUDGE_DOUBT,   /* it works only if */
	JUDGE_REFUSES, /* it does not work */
};

struct judge_finding {
	enum judge_weight weight;
	unsigned clients; /* 1 << enum judge_client */
	char text[320];
};

#define JUDGE_FINDINGS 32
struct judge_verdict {
	enum judge_weight worst[JUDGE_CLIENTS];
	struct judge_finding findings[JUDGE_FINDINGS];
	size_t n;
};

void judge_certificate(const struct judge_facts *f, struct judge_verdict *ret);

/* The generation of a loader; JUDGE_CLIENTS: none that fetches over HTTPS. */
enum judge_client judge_loader(const struct loader_info *info);

const char *judge_client_words(enum judge_client v);
const char *judge_client_name(enum judge_client v);
const char *judge_weight_name(enum judge_weight v);

#endif
