/* See stock.h. */
#include "tests/stock.h"

#include <string.h>

const struct policy stock_policy = {
	.uefi_style = OFFER_BINL,
	.bios_style = OFFER_PXE10_PROMPT,
	.menu_title = "Bootferry",
	.menu_default = "",
	.menu_timeout_ms = 10000,
};

#define IPXE(of)                                                                                   \
	{                                                                                          \
		.kind = LOADER_IPXE, .cpu = of, .https = LOADER_HTTPS_YES                          \
	}

static const struct loader loaders[] = {
	{ .path = "boot/x64/snponly.efi", .info = IPXE(ARCH_CPU_X64), .rank = 1, .size = 300000 },
	{ .path = "boot/arm64/snponly.efi",
	    .info = IPXE(ARCH_CPU_ARM64),
	    .rank = 1,
	    .size = 300000 },
	{ .path = "boot/bios/undionly.kpxe",
	    .info = IPXE(ARCH_CPU_BIOS),
	    .rank = 1,
	    .size = 90000 },
};

static const struct image images[] = {
	{
	    .name = "tiny",
	    .title = "Tiny Linux",
	    .type = IMAGE_LINUX,
	    .cpu = ARCH_CPU_NONE,
	    .args = "console=ttyS0",
	    .files = { { .role = IMAGE_KERNEL, .name = "vmlinuz", .size = 8000000 },
		{ .role = IMAGE_INITRD, .name = "initrd.img", .size = 4000000 } },
	    .nfiles = 2,
	},
};

void
stock_facts(const struct boot_request *r, bool trusted, uint16_t http_port,
    char path[static CONTENT_PATH_MAX], struct facts *ret)
{
	*ret = (struct facts){
		.images = images,
		.nimages = NITEMS(images),
		.web = { .host = STOCK_ADDRESS,
		    .ip = STOCK_ADDRESS,
		    .port = 8050,
		    .http_port = http_port,
		    .trust = slice_str("0123456789abcdef0123456789abcdef") },
		.boot = STOCK_BOOT,
		.trusted = trusted,
		.arch = ARCH_UNKNOWN,
		.path = path,
	};
	for (size_t i = 0; i < NITEMS(loaders); i++) {
		if (loaders[i].info.cpu == request_cpu(r, ARCH_UNKNOWN))
			ret->loader = &loaders[i];
	}
	path[0] = '\0';
	if (r->stage == STAGE_FILE)
		ret->path_rc = path_normalise(r->file, path);
}
