/* The table of architecture types; see arch.h. */
#include "common/arch.h"

#include <string.h>
#include <strings.h>

static const char *const kind_names[ARCH_KINDS] = {
	[ARCH_KIND_NONE] = "none",
	[ARCH_KIND_BIOS] = "bios",
	[ARCH_KIND_UEFI] = "uefi",
	[ARCH_KIND_HTTP] = "uefi-http",
	[ARCH_KIND_UBOOT] = "u-boot",
	[ARCH_KIND_OTHER] = "other",
	[ARCH_KIND_RPI] = "raspberry-pi",
};

static const char *const cpu_names[ARCH_CPUS] = {
	[ARCH_CPU_NONE] = "none",
	[ARCH_CPU_BIOS] = "bios",
	[ARCH_CPU_IA32] = "ia32",
	[ARCH_CPU_X64] = "x64",
	[ARCH_CPU_ARM32] = "arm32",
	[ARCH_CPU_ARM64] = "arm64",
	[ARCH_CPU_RISCV64] = "riscv64",
	[ARCH_CPU_LOONG64] = "loong64",
	[ARCH_CPU_RPI] = "rpi",
};

/*
 * 7 and 9 were exchanged in the text of RFC 4578 (erratum 4624), and old firmware sends either
 * for x64: both get the x64 loader.
 */
static const struct arch archs[] = {
	{ 0, ARCH_KIND_BIOS, ARCH_CPU_BIOS, "x86 BIOS" },
	{ 1, ARCH_KIND_NONE, ARCH_CPU_NONE, "NEC PC98" },
	{ 2, ARCH_KIND_NONE, ARCH_CPU_NONE, "Itanium" },
	{ 3, ARCH_KIND_NONE, ARCH_CPU_NONE, "DEC Alpha" },
	{ 4, ARCH_KIND_NONE, ARCH_CPU_NONE, "Arc x86" },
	{ 5, ARCH_KIND_NONE, ARCH_CPU_NONE, "Intel Lean Client" },
	{ 6, ARCH_KIND_UEFI, ARCH_CPU_IA32, "x86 UEFI" },
	{ 7, ARCH_KIND_UEFI, ARCH_CPU_X64, "x64 UEFI" },
	{ 8, ARCH_KIND_NONE, ARCH_CPU_NONE, "EFI Xscale" },
	{ 9, ARCH_KIND_UEFI, ARCH_CPU_X64, "EBC" },
	{ 10, ARCH_KIND_UEFI, ARCH_CPU_ARM32, "ARM 32-bit UEFI" },
	{ 11, ARCH_KIND_UEFI, ARCH_CPU_ARM64, "ARM 64-bit UEFI" },
	{ 12, ARCH_KIND_OTHER, ARCH_CPU_NONE, "PowerPC Open Firmware" },
	{ 13, ARCH_KIND_OTHER, ARCH_CPU_NONE, "PowerPC ePAPR" },
	{ 14, ARCH_KIND_OTHER, ARCH_CPU_NONE, "POWER OPAL v3" },
	{ 15, ARCH_KIND_HTTP, ARCH_CPU_IA32, "x86 UEFI HTTP" },
	{ 16, ARCH_KIND_HTTP, ARCH_CPU_X64, "x64 UEFI HTTP" },
	{ 17, ARCH_KIND_HTTP, ARCH_CPU_X64, "EBC HTTP" },
	{ 18, ARCH_KIND_HTTP, ARCH_CPU_ARM32, "ARM 32-bit UEFI HTTP" },
	{ 19, ARCH_KIND_HTTP, ARCH_CPU_ARM64, "ARM 64-bit UEFI HTTP" },
	{ 20, ARCH_KIND_BIOS, ARCH_CPU_BIOS, "PC/AT BIOS HTTP" },
	{ 21, ARCH_KIND_UBOOT, ARCH_CPU_ARM32, "ARM 32-bit U-Boot" },
	{ 22, ARCH_KIND_UBOOT, ARCH_CPU_ARM64, "ARM 64-bit U-Boot" },
	{ 23, ARCH_KIND_UBOOT, ARCH_CPU_ARM32, "ARM 32-bit U-Boot HTTP" },
	{ 24, ARCH_KIND_UBOOT, ARCH_CPU_ARM64, "ARM 64-bit U-Boot HTTP" },
	{ 25, ARCH_KIND_UEFI, ARCH_CPU_NONE, "RISC-V 32-bit UEFI" },
	{ 26, ARCH_KIND_HTTP, ARCH_CPU_NONE, "RISC-V 32-bit UEFI HTTP" },
	{ 27, ARCH_KIND_UEFI, ARCH_CPU_RISCV64, "RISC-V 64-bit UEFI" },
	{ 28, ARCH_KIND_HTTP, ARCH_CPU_RISCV64, "RISC-V 64-bit UEFI HTTP" },
	{ 29, ARCH_KIND_UEFI, ARCH_CPU_NONE, "RISC-V 128-bit UEFI" },
	{ 30, ARCH_KIND_HTTP, ARCH_CPU_NONE, "RISC-V 128-bit UEFI HTTP" },
	{ 31, ARCH_KIND_OTHER, ARCH_CPU_NONE, "s390 Basic" },
	{ 32, ARCH_KIND_OTHER, ARCH_CPU_NONE, "s390 Extended" },
	{ 33, ARCH_KIND_UEFI, ARCH_CPU_NONE, "MIPS 32-bit UEFI" },
	{ 34, ARCH_KIND_UEFI, ARCH_CPU_NONE, "MIPS 64-bit UEFI" },
	{ 35, ARCH_KIND_UEFI, ARCH_CPU_NONE, "Sunway 32-bit UEFI" },
	{ 36, ARCH_KIND_UEFI, ARCH_CPU_NONE, "Sunway 64-bit UEFI" },
	{ 37, ARCH_KIND_UEFI, ARCH_CPU_NONE, "LoongArch 32-bit UEFI" },
	{ 38, ARCH_KIND_HTTP, ARCH_CPU_NONE, "LoongArch 32-bit UEFI HTTP" },
	{ 39, ARCH_KIND_UEFI, ARCH_CPU_LOONG64, "LoongArch 64-bit UEFI" },
	{ 40, ARCH_KIND_HTTP, ARCH_CPU_LOONG64, "LoongArch 64-bit UEFI HTTP" },
	{ ARCH_RPI, ARCH_KIND_RPI, ARCH_CPU_RPI, "ARM rpiboot" },
};

static const struct arch unknown = { ARCH_UNKNOWN, ARCH_KIND_NONE, ARCH_CPU_NONE, "unknown" };

const struct arch *
arch_find(uint16_t number)
{
	/* the registry has no gaps so far: a row's place is its number, which the tests check */
	return number < NITEMS(archs) ? &archs[number] : &unknown;
}

bool
arch_is_http(uint16_t number)
{
	/* BIOS and U-Boot have numbers of their own for it, but no kind */
	return arch_find(number)->kind == ARCH_KIND_HTTP || number == 20 || number == 23 ||
	       number == 24;
}

const char *
arch_cpu_name(enum arch_cpu cpu)
{
	return (size_t)cpu < NITEMS(cpu_names) ? cpu_names[cpu] : "?";
}

enum arch_cpu
arch_cpu_from_name(struct slice name)
{
	for (size_t i = 0; i < NITEMS(cpu_names); i++) {
		if (name.n == strlen(cpu_names[i]) &&
		    strncasecmp((const char *)name.p, cpu_names[i], name.n) == 0)
			return (enum arch_cpu)i;
	}
	return ARCH_CPU_NONE;
}

const char *
arch_kind_name(enum arch_kind kind)
{
	return (size_t)kind < NITEMS(kind_names) ? kind_names[kind] : "?";
}
