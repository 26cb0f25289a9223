/*
 * What the tests of decisions share: who asks, what is known, and what is compared with the answer.
 */
#ifndef TESTS_HANDLERD_DECIDING_H
#define TESTS_HANDLERD_DECIDING_H

#include "handlerd/decide.h"

/* Loaders that a site may have. */
extern const struct loader uefi, bios, no_https, grub, rpi, arm;
extern const char fingerprint[];

/* Who asks, and what for. */
enum ask {
	ASK_BIOS,  /* a BIOS ROM's DISCOVER */
	ASK_UEFI,  /* UEFI firmware's */
	ASK_HTTP,  /* that of UEFI HTTP Boot */
	ASK_4011,  /* UEFI firmware asks the boot server */
	ASK_IPXE,  /* iPXE's DISCOVER */
	ASK_FILE,  /* a file by TFTP */
	ASK_BOOT,  /* the boot request of iPXE on UEFI */
	ASK_BBOOT, /* that of iPXE on a BIOS */
	ASKS,
};

extern const char *const ask_names[ASKS];
struct boot_request request_of(enum ask ask);
/* What the stock site knows of a request; and a site with one loader or none. */
struct facts facts_of(const struct boot_request *r);

/* What the cases know besides. */
enum {
	PLAIN = 1,     /* plain HTTP is on */
	TRUSTED = 2,   /* the firmware's offer carried our fingerprint */
	BY_HTTP = 4,   /* the loader came by plain HTTP */
	NAMED = 8,     /* httpsbootd has a host name */
	FEATURES = 16, /* option 175 came, */
	HTTPS = 32,    /* with HTTPS in it */
	V6 = 64,       /* the server has an IPv6 address */
	BY_V6 = 128,   /* the client asks over IPv6 */
	OTHER = 256,   /* tftpd and httpsbootd do not serve its IP version */
};

struct facts facts_with(const struct boot_request *r, unsigned known, const struct loader *loader);

/* Decides, and once more into other memory: equal inputs give equal answers. */
void run(const struct boot_request *r, const struct policy *policy, const struct facts *f,
    struct decision *ret);
bool holds(struct slice script, const char *text);
void check_holds(const struct decision *d, const char *text); /* NULL: whatever it holds */

/* --- what rules do -------------------------------------------------------------------------- */

#define TARGETS                                                                                    \
	"\"referral\":{\"targets\":[{\"name\":\"two\",\"next_server\":\"10.9.0.1\",\"files\":["    \
	"{\"arch\":\"bios\",\"file\":\"two.0\"},{\"arch\":\"x64\",\"file\":\"two.efi\"},"          \
	"{\"arch\":\"x64-http\",\"file\":\"http://10.9.0.1/two.efi\"}],"                           \
	"\"url\":\"http://10.9.0.1:8060/2PXE/boot\"},"                                             \
	"{\"name\":\"three\",\"url\":\"https://three.example/boot\",\"order\":1}]}"

#define RULE(body) "{\"rules\":[{\"name\":\"r\"," body "}]}"

struct want {
	enum boot_action action;
	enum boot_reason reason;
	int detail;       /* style of an offer, error of a refusal */
	const char *text; /* file of an offer; part of a script; text of a refusal */
	const char *rule; /* NULL: "r" */
	unsigned effects;
};

#define OFFER(style, reason, file)                                                                 \
	{                                                                                          \
		ACTION_OFFER, (reason), (style), (file), NULL, EFFECT_LOADER                       \
	}
#define OFFER_BY(style, reason, file, rule, effects)                                               \
	{                                                                                          \
		ACTION_OFFER, (reason), (style), (file), (rule), (effects)                         \
	}
#define IPXE_OFFER                                                                                 \
	{                                                                                          \
		ACTION_OFFER, REASON_SCRIPT_URL, OFFER_IPXE, "https://10.77.1.10:8050/2PXE/boot",  \
		    NULL, 0                                                                        \
	}
#define FILE_BY_DEFAULT                                                                            \
	{                                                                                          \
		ACTION_FILE, REASON_PUBLIC_FILE, 0, "boot/x64/snponly.efi", "default", 0           \
	}
#define SCRIPT(reason, part)                                                                       \
	{                                                                                          \
		ACTION_DATA, (reason), 0, (part), NULL, 0                                          \
	}
#define SCRIPT_DOES(reason, part, fx)                                                              \
	{                                                                                          \
		ACTION_DATA, (reason), 0, (part), NULL, (fx)                                       \
	}
#define STOCK_OFFERS                                                                               \
	[ASK_BIOS] = OFFER(OFFER_PXE10_PROMPT, REASON_LOADER, "boot/bios/undionly.kpxe"),          \
	[ASK_UEFI] = OFFER(OFFER_BINL, REASON_LOADER, "boot/x64/snponly.efi"),                     \
	[ASK_HTTP] = OFFER(OFFER_HTTP, REASON_LOADER_HTTPS,                                        \
	    "https://10.77.1.10:8050/2PXE/file/boot/x64/snponly.efi"),                             \
	[ASK_4011] = OFFER(OFFER_BINL, REASON_LOADER, "boot/x64/snponly.efi"),                     \
	[ASK_IPXE] = IPXE_OFFER, [ASK_FILE] = FILE_BY_DEFAULT

void check_want(const struct decision *d, const struct want *want);
/* One decision under one policy. */
void decide_by(const char *conf, const struct boot_request *r, const struct facts *f,
    const struct want *want, struct decision *ret);

#endif
