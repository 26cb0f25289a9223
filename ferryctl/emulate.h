/*
 * Network boot clients, emulated: the packets that ten kinds of firmware send, and what each would
 * do with the answers, in words.  Pure: time and packets come in as arguments.
 *
 * The rules are those of the clients' own code where that is open (edk2, iPXE, U-Boot), of PXE 2.1
 * and of what was seen and reported for the others.
 */
#ifndef FERRYCTL_EMULATE_H
#define FERRYCTL_EMULATE_H

#include "common/arch.h"
#include "common/dhcp.h"

#define EMULATE_FILE    512 /* bytes of a name or URL, with the NUL */
#define EMULATE_STEPS   14
#define EMULATE_STEP    256 /* bytes of one of them, with the NUL */
#define EMULATE_PACKETS 16  /* offers that a client keeps; edk2's own bound */
#define EMULATE_TRUST   128 /* bytes of fingerprints that are kept */
/* How long the slowest of them looks at offers, and the fastest (edk2 and ROMs; iPXE). */
#define EMULATE_WINDOW_MS      4000
#define EMULATE_IPXE_WINDOW_MS 3000

enum emulate_kind {
	EMULATE_BIOS, /* a PXE ROM of Intel's kind */
	EMULATE_X64,  /* UEFI PXE: edk2 */
	EMULATE_IA32,
	EMULATE_ARM64,
	EMULATE_HTTP,     /* UEFI HTTP Boot, x64 */
	EMULATE_IPXE_OLD, /* iPXE of 2019 on x64, without HTTPS */
	EMULATE_IPXE,     /* iPXE 2.0 on x64, as a loader of this site would start it */
	EMULATE_PI,       /* Raspberry Pi 4 */
	EMULATE_UBOOT,    /* U-Boot on arm64 */
	EMULATE_RELAYED,  /* UEFI PXE x64 behind a relay */
	EMULATES,
};

/* "uefi-x64", for programs, and "UEFI x64 PXE", for people. */
const char *emulate_key(enum emulate_kind kind);
const char *emulate_name(enum emulate_kind kind);
/* For which CPU a boot program must be; NONE: it loads no program by PXE. */
enum arch_cpu emulate_cpu(enum emulate_kind kind);

struct emulate_client {
	enum emulate_kind kind;
	uint8_t mac[6];
	uint32_t xid;      /* of its first form; the others count up from it */
	uint8_t giaddr[4]; /* EMULATE_RELAYED: the relay */
};

/* U-Boot asks as itself and then as PXE firmware: two forms.  All others have one. */
unsigned emulate_forms(enum emulate_kind kind);
/* Writes its DISCOVER. */
void emulate_discover(const struct emulate_client *c, unsigned form, struct wbuf *w);

/* What came back, in the order in which it came. */
struct emulate_packet {
	struct slice bytes;
	uint8_t from[4];
	uint16_t from_port;
	uint32_t after_ms; /* since the request */
};

enum emulate_next {
	EMULATE_NOTHING, /* it cannot boot from what it got */
	EMULATE_ASK,     /* it asks `server`, port `port`, before it knows its file */
	EMULATE_TFTP,    /* it fetches `file` from `server` */
	EMULATE_URL,     /* it fetches the URL `file` */
	EMULATE_LOCAL,   /* it leaves network boot at once, as it is told to */
};

struct emulate_verdict {
	enum emulate_next next;
	bool leased;  /* a DHCP server offered an address */
	bool loops;   /* iPXE is given a boot program again */
	bool foreign; /* somebody else's answer shuts ours out, or goes before it */
	uint8_t server[4];
	uint16_t port;
	uint16_t item;    /* EMULATE_ASK: the item of a menu that it took, */
	bool has_item;    /* if it took one */
	uint8_t proxy[4]; /* the identifier of the proxy, which iPXE wants to see again */
	unsigned form;
	size_t used; /* the packet that decided; SIZE_MAX: none */
	char file[EMULATE_FILE];
	uint8_t trust[EMULATE_TRUST]; /* of option 175.90 */
	size_t trust_n;
	size_t nsteps;
	char steps[EMULATE_STEPS][EMULATE_STEP]; /* printable */
};

/*
 * What it does when its window for offers ends.  Where no DHCP server answered, which is told, it
 * is judged as if one had offered an address and nothing else.  `own`: the address of the server
 * whose offers are looked for.
 */
void emulate_offers(const struct emulate_client *c, const struct emulate_packet *packets, size_t n,
    const uint8_t own[static 4], struct emulate_verdict *ret);

/* After EMULATE_ASK: writes its request to the boot server; `xid` is that of the request. */
void emulate_request(const struct emulate_client *c, const struct emulate_verdict *v, uint32_t xid,
    const uint8_t ciaddr[static 4], struct wbuf *w);
/* True if it uses a new xid for that (edk2), false if its old one. */
bool emulate_new_xid(enum emulate_kind kind);
/* And what it does with the answers; *v goes on. */
void emulate_answers(const struct emulate_client *c, uint32_t xid,
    const struct emulate_packet *packets, size_t n, struct emulate_verdict *v);

/* Adds a step. */
void emulate_say(struct emulate_verdict *v, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
