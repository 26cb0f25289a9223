/*
 * What a network boot program is, told from its bytes: for which CPU, whether it is iPXE, which
 * version, whether it can do HTTPS, and how it comes to trust a site's CA.
 */
#ifndef COMMON_LOADER_H
#define COMMON_LOADER_H

#include "common/arch.h"

#define LOADER_VERSION_MAX 64
/* Enough of a file to find all that is looked for; boot programs are smaller. */
#define LOADER_READ_MAX (8u << 20)

enum loader_kind {
	LOADER_UNKNOWN, /* neither a PE image nor a BIOS program that is known */
	LOADER_IPXE,    /* iPXE */
	LOADER_EFI,     /* another EFI application */
	LOADER_BIOS,    /* a BIOS program by its name */
	LOADER_RPI,     /* firmware of a Raspberry Pi, by its name and place */
	LOADER_KINDS,
};

enum loader_https {
	LOADER_HTTPS_UNSEEN, /* the file is compressed: its first DISCOVER will tell */
	LOADER_HTTPS_NO,
	LOADER_HTTPS_YES,
};

enum loader_trust {
	LOADER_TRUST_UNSEEN,
	LOADER_TRUST_NONE,    /* without HTTPS there is nothing to trust */
	LOADER_TRUST_OFFER,   /* knows the public iPXE root alone, and takes ours from option 175.90
	                       */
	LOADER_TRUST_OWN,     /* built with roots of its own, which lock option 175.90 out */
	LOADER_TRUST_STAMPED, /* was built so that it takes ours, and has our CA's print in it */
};

struct loader_info {
	enum loader_kind kind;
	enum arch_cpu cpu;
	bool cpu_by_name; /* the bytes did not tell the CPU: guessed from the name */
	enum loader_https https;
	enum loader_trust trust;
	char version[LOADER_VERSION_MAX]; /* iPXE's, or empty */
	uint8_t stamp[32]; /* LOADER_TRUST_STAMPED: SHA-256 of the root that it trusts */
};

/* SHA-256 of the public iPXE root certificate, which builds without roots of their own trust. */
extern const uint8_t loader_ipxe_root[32];

/* `name` is the file's last component. */
void loader_inspect(struct slice bytes, const char *name, struct loader_info *ret);

/*
 * True for the names that say, in the folder of a Raspberry Pi's firmware, that there is something
 * for one; and what such a file is.
 */
bool loader_is_rpi(const char *name);
void loader_inspect_rpi(struct loader_info *ret);

/*
 * How good a choice it is among those for one CPU, larger is better, 0 for one that is not to be
 * offered.  iPXE with HTTPS goes first, and of two such the one that leaves the network card to
 * the firmware's driver.
 */
int loader_rank(const struct loader_info *info, const char *name);

const char *loader_kind_name(enum loader_kind v);
const char *loader_https_name(enum loader_https v);
/* A sentence for people. */
const char *loader_trust_words(enum loader_trust v);

#endif
