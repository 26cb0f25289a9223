/* Inspecting network boot programs; see loader.h. */
#include "common/loader.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* SHA-256 of the public iPXE root certificate; it stands once in builds that take 175.90. */
const uint8_t loader_ipxe_root[32] = { 0x9f, 0xaf, 0x71, 0x7b, 0x7f, 0x8c, 0xa2, 0xf9, 0x3c, 0x25,
	0x6c, 0x79, 0xf8, 0xac, 0x55, 0x91, 0x89, 0x5d, 0x66, 0xd1, 0xff, 0x3b, 0xee, 0x63, 0x97,
	0xa7, 0x0d, 0x29, 0xc6, 0x5e, 0xed, 0x1a };

static bool
holds(struct slice bytes, const void *what, size_t n)
{
	return bytes.n >= n && memmem(bytes.p, bytes.n, what, n) != NULL;
}

/* The machine of a PE image (PE format section 3.3.1); 0 if this is none. */
static uint16_t
pe_machine(struct slice bytes)
{
	const uint8_t *p = bytes.p;
	uint32_t at;

	if (bytes.n < 64 || p[0] != 'M' || p[1] != 'Z')
		return 0;
	at = (uint32_t)p[60] | (uint32_t)p[61] << 8 | (uint32_t)p[62] << 16 | (uint32_t)p[63] << 24;
	if (at > bytes.n - 6 || memcmp(p + at, "PE\0\0", 4) != 0)
		return 0;
	return (uint16_t)(p[at + 4] | p[at + 5] << 8);
}

static enum arch_cpu
cpu_of_machine(uint16_t machine)
{
	static const struct {
		uint16_t machine;
		enum arch_cpu cpu;
	} table[] = {
		{ 0x014c, ARCH_CPU_IA32 },
		{ 0x8664, ARCH_CPU_X64 },
		{ 0x01c0, ARCH_CPU_ARM32 },
		{ 0x01c2, ARCH_CPU_ARM32 },
		{ 0xaa64, ARCH_CPU_ARM64 },
		{ 0x5064, ARCH_CPU_RISCV64 },
		{ 0x6264, ARCH_CPU_LOONG64 },
	};

	for (size_t i = 0; i < NITEMS(table); i++) {
		if (table[i].machine == machine)
			return table[i].cpu;
	}
	return ARCH_CPU_NONE;
}

static bool
ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return n >= k && strcasecmp(name + n - k, end) == 0;
}

static bool
has_word(const char *name, const char *word)
{
	return strcasestr(name, word) != NULL;
}

/* What a name tells when the bytes do not. */
static enum arch_cpu
cpu_of_name(const char *name)
{
	static const char *const bios[] = { ".kpxe", ".kkpxe", ".kkkpxe", ".pxe", ".0", ".n12",
		".com" };
	static const struct {
		const char *word;
		enum arch_cpu cpu;
	} words[] = {
		{ "aa64", ARCH_CPU_ARM64 },
		{ "arm64", ARCH_CPU_ARM64 },
		{ "riscv64", ARCH_CPU_RISCV64 },
		{ "loong", ARCH_CPU_LOONG64 },
		{ "ia32", ARCH_CPU_IA32 },
		{ "x86.", ARCH_CPU_IA32 },
		{ "arm", ARCH_CPU_ARM32 },
	};

	for (size_t i = 0; i < NITEMS(bios); i++) {
		if (ends_with(name, bios[i]))
			return ARCH_CPU_BIOS;
	}
	if (!ends_with(name, ".efi"))
		return ARCH_CPU_NONE;
	for (size_t i = 0; i < NITEMS(words); i++) {
		if (has_word(name, words[i].word))
			return words[i].cpu;
	}
	return ARCH_CPU_X64;
}

/*
 * The version: iPXE keeps its name and, right behind it, its version as strings of their own.
 */
static void
find_version(struct slice bytes, char ret[static LOADER_VERSION_MAX])
{
	static const char name[] = "\0iPXE\0";
	struct slice rest = bytes;
	const uint8_t *at;

	while (rest.n > 0 && (at = memmem(rest.p, rest.n, name, sizeof(name) - 1)) != NULL) {
		const uint8_t *end = rest.p + rest.n, *p = at + sizeof(name) - 1;
		size_t n = 0;

		while (p < end && *p == '\0')
			p++;
		while (p + n < end && p[n] > ' ' && p[n] < 0x7f)
			n++;
		if (n > 2 && n < LOADER_VERSION_MAX && p + n < end && p[n] == '\0' && p[0] >= '0' &&
		    p[0] <= '9' && memchr(p, '.', n) != NULL) {
			slice_copy(ret, LOADER_VERSION_MAX, (struct slice){ p, n });
			return;
		}
		rest = (struct slice){ at + 1, (size_t)(end - at) - 1 };
	}
}

/* An uncompressed iPXE: its strings are there to be read. */
static void
inspect_ipxe_efi(struct slice bytes, struct loader_info *info)
{
	static const char https[] = "\0https\0";

	info->kind = LOADER_IPXE;
	find_version(bytes, info->version);
	if (!holds(bytes, https, sizeof(https) - 1)) {
		info->https = LOADER_HTTPS_NO;
		info->trust = LOADER_TRUST_NONE;
		return;
	}
	info->https = LOADER_HTTPS_YES;
	info->trust = holds(bytes, loader_ipxe_root, sizeof(loader_ipxe_root)) ? LOADER_TRUST_OFFER
	                                                                       : LOADER_TRUST_OWN;
}

void
loader_inspect(struct slice bytes, const char *name, struct loader_info *ret)
{
	/* iPXE's start code for PXE, which is not compressed, says this on the screen */
	static const char bios_mark[] = "PXE->EB:";
	/* the banner and the address that each build prints */
	static const char mark[] = "ipxe.org";
	struct loader_info info = { .cpu = cpu_of_machine(pe_machine(bytes)) };

	if (info.cpu != ARCH_CPU_NONE) {
		info.kind = LOADER_EFI;
		if (holds(bytes, mark, sizeof(mark) - 1))
			inspect_ipxe_efi(bytes, &info);
	} else if (pe_machine(bytes) == 0) {
		info.cpu = cpu_of_name(name);
		if (info.cpu == ARCH_CPU_BIOS) {
			info.kind = holds(bytes, bios_mark, sizeof(bios_mark) - 1) ? LOADER_IPXE
			                                                           : LOADER_BIOS;
		} else {
			info.cpu_by_name = info.cpu != ARCH_CPU_NONE;
		}
	}
	*ret = info;
}

/*
 * A Pi never asks for the file that it is offered: it knows the names itself.  One of these in its
 * place says that there is something for it: a Pi 3 loads bootcode.bin, a Pi 4 start4.elf, a Pi 5
 * config.txt at first, and either of the latter boot.img where that is signed.
 */
static const char *const rpi_names[] = { "config.txt", "boot.img", "start.elf", "start4.elf",
	"bootcode.bin" };

static int
rpi_rank(const char *name)
{
	for (size_t i = 0; i < NITEMS(rpi_names); i++) {
		if (strcasecmp(name, rpi_names[i]) == 0)
			return (int)i + 1;
	}
	return 0;
}

bool
loader_is_rpi(const char *name)
{
	return rpi_rank(name) > 0;
}

void
loader_inspect_rpi(struct loader_info *ret)
{
	*ret = (struct loader_info){
		.cpu = ARCH_CPU_RPI,
		.kind = LOADER_RPI,
		.https = LOADER_HTTPS_NO,
		.trust = LOADER_TRUST_NONE,
	};
}

int
loader_rank(const struct loader_info *info, const char *name)
{
	static const int of_https[] = {
		[LOADER_HTTPS_UNSEEN] = 20, [LOADER_HTTPS_NO] = 10, [LOADER_HTTPS_YES] = 30
	};
	static const char *const preferred[] = { "snponly", "undionly", "ipxe" };
	int rank;

	if (info->cpu == ARCH_CPU_NONE)
		return 0;
	if (info->kind == LOADER_RPI)
		return rpi_rank(name);
	rank = info->kind == LOADER_IPXE ? 100 + of_https[info->https]
	       : info->cpu_by_name       ? 10
	                                 : 50;
	/* the second stages that shim looks for are no start */
	if (has_word(name, "shim"))
		rank -= 5;
	if (ends_with(name, ".kkpxe"))
		rank -= 1;
	for (size_t i = 0; i < NITEMS(preferred); i++) {
		if (strncasecmp(name, preferred[i], strlen(preferred[i])) == 0)
			return rank + (int)(NITEMS(preferred) - i);
	}
	return rank;
}

const char *
loader_kind_name(enum loader_kind v)
{
	static const char *const names[] = {
		[LOADER_UNKNOWN] = "unknown",
		[LOADER_IPXE] = "ipxe",
		[LOADER_EFI] = "efi",
		[LOADER_BIOS] = "bios",
		[LOADER_RPI] = "rpi",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

const char *
loader_https_name(enum loader_https v)
{
	static const char *const names[] = {
		[LOADER_HTTPS_UNSEEN] = "unseen",
		[LOADER_HTTPS_NO] = "no",
		[LOADER_HTTPS_YES] = "yes",
	};

	return (size_t)v < NITEMS(names) ? names[v] : "?";
}

const char *
loader_trust_words(enum loader_trust v)
{
	static const char *const words[] = {
		[LOADER_TRUST_UNSEEN] = "cannot be seen from the file",
		[LOADER_TRUST_NONE] = "nothing to trust: it has no HTTPS",
		[LOADER_TRUST_OFFER] = "takes this site's CA from option 175.90 of our offers",
		[LOADER_TRUST_OWN] = "trusts only the roots it was built with",
		[LOADER_TRUST_STAMPED] = "stamped with a CA's fingerprint, and takes option 175.90",
	};

	return (size_t)v < NITEMS(words) ? words[v] : "?";
}
