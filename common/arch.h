/*
 * Client system architecture types of DHCP option 93 and DHCPv6 option 61 (RFC 4578 section 2.1,
 * RFC 5970 section 3.3, IANA "Processor Architecture Types"), and what each means for the choice
 * of a loader.
 */
#ifndef COMMON_ARCH_H
#define COMMON_ARCH_H

#include "common/wire.h"

#include <stdint.h>

/* How a machine of this architecture loads a network boot program. */
enum arch_kind {
	ARCH_KIND_NONE,  /* nothing that we could serve */
	ARCH_KIND_BIOS,  /* PC BIOS: a raw image into low memory */
	ARCH_KIND_UEFI,  /* a PE image over TFTP */
	ARCH_KIND_HTTP,  /* UEFI HTTP Boot: a PE image over HTTP(S) */
	ARCH_KIND_UBOOT, /* U-Boot */
	ARCH_KIND_OTHER, /* boards with a boot ROM of their own */
	ARCH_KIND_RPI,   /* a Raspberry Pi's: a tree of files by TFTP */
	ARCH_KINDS,
};

/* The instruction set of the network boot program. */
enum arch_cpu {
	ARCH_CPU_NONE,
	ARCH_CPU_BIOS, /* 16-bit x86 start; a class of its own, because the program is */
	ARCH_CPU_IA32,
	ARCH_CPU_X64,
	ARCH_CPU_ARM32,
	ARCH_CPU_ARM64,
	ARCH_CPU_RISCV64,
	ARCH_CPU_LOONG64,
	ARCH_CPU_RPI, /* a class of its own as well: firmware files instead of a program */
	ARCH_CPUS,
};

#define ARCH_UNKNOWN UINT16_MAX /* the client did not say */
#define ARCH_RPI     41         /* what a Raspberry Pi is to say, and seldom says */

struct arch {
	uint16_t number;
	enum arch_kind kind;
	enum arch_cpu cpu;
	const char *name;
};

/* The table's row; a number that is not in it gives a row of kind NONE called "unknown". */
const struct arch *arch_find(uint16_t number);
/* True for those that load over HTTP, whatever they are. */
bool arch_is_http(uint16_t number);
/* "x64", "arm64", "bios", ...; also the folder names below boot/. */
const char *arch_cpu_name(enum arch_cpu cpu);
/* The CPU of that name, in any case; ARCH_CPU_NONE if there is none. */
enum arch_cpu arch_cpu_from_name(struct slice name);
const char *arch_kind_name(enum arch_kind kind);

#endif
