/*
 * Images: what a machine can boot, as the manifest.json in its folder below images/ says.
 */
#ifndef COMMON_IMAGE_H
#define COMMON_IMAGE_H

#include "common/arch.h"

#include <jansson.h>

#define IMAGE_NAME_MAX      64 /* with the NUL */
#define IMAGE_TITLE_MAX     128
#define IMAGE_ARGS_MAX      2048
#define IMAGE_FILE_MAX      128
#define IMAGE_FILES_MAX     16
#define IMAGE_SHA256        32
#define IMAGE_MEMORY_MAX_MB (1 << 24)
#define IMAGE_MANIFEST      "manifest.json"

enum image_type {
	IMAGE_LINUX,  /* a kernel and initrds */
	IMAGE_WIM,    /* a Windows PE image, by wimboot */
	IMAGE_EFI,    /* an EFI application */
	IMAGE_SCRIPT, /* an iPXE script of the site's own */
	IMAGE_ISO,    /* an ISO image, booted as a disk over HTTP */
	IMAGE_TYPES,
};

enum image_role {
	IMAGE_KERNEL,
	IMAGE_INITRD, /* may occur several times */
	IMAGE_WIMBOOT,
	IMAGE_WIMFILE,
	IMAGE_BCD,
	IMAGE_SDI,
	IMAGE_EFIFILE,
	IMAGE_SCRIPTFILE,
	IMAGE_INJECT, /* a file for Windows PE; may occur several times */
	IMAGE_ISOFILE,
	IMAGE_ROLES,
};

struct image_file {
	enum image_role role;
	char name[IMAGE_FILE_MAX];
	uint64_t size;
	uint8_t sha256[IMAGE_SHA256];
};

struct image {
	char name[IMAGE_NAME_MAX];   /* also the folder's name */
	char title[IMAGE_TITLE_MAX]; /* for the menu */
	enum image_type type;
	enum arch_cpu cpu; /* for which it is; ARCH_CPU_NONE: any */
	bool is_default;
	bool is_secret;         /* its files need a token of the boot */
	uint32_t min_memory_mb; /* 0: any */
	char args[IMAGE_ARGS_MAX];
	uint64_t created_ms;
	struct image_file files[IMAGE_FILES_MAX];
	size_t nfiles;
};

/* 1 to 63 letters, digits, '.', '_', '-', the first no '.' or '-': safe in URLs, labels, paths. */
bool image_name_valid(const char *name);
/* Safe within a URL and a script: no blanks, no control characters, none of "/\%?#&$". */
bool image_file_name_valid(const char *name);

/*
 * Text for the rest of a script's line: no control characters, no word "&&" or "||", with which
 * iPXE would begin another command, no backslash at the end, which would go on to the next line.
 */
bool image_line_valid(const char *text);

/*
 * Reads a manifest.  0, or -EINVAL with a sentence in `error`.
 */
int image_parse(const char *text, size_t n, struct image *ret, char *error, size_t error_size);
/* A new JSON object, as image_parse() reads it. */
json_t *image_dump(const struct image *image);
/*
 * What an image must have to be bootable: the files of its type.  0, or -EINVAL with a sentence in
 * `error`.
 */
int image_check(const struct image *image, char *error, size_t error_size);

/* The first file of this role, or NULL. */
const struct image_file *image_find(const struct image *image, enum image_role role);
/* True if a client of this CPU can boot it; a BIOS client's CPU is an x86 one. */
bool image_suits(const struct image *image, enum arch_cpu cpu);

const char *image_type_name(enum image_type v);
int image_type_parse(const char *name, enum image_type *ret); /* 0, or -EINVAL */
const char *image_role_name(enum image_role v);

#endif
