/* Images and their manifests; see image.h. */
#include "common/image.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const type_names[IMAGE_TYPES] = {
	[IMAGE_LINUX] = "linux",
	[IMAGE_WIM] = "wim",
	[IMAGE_EFI] = "efi",
	[IMAGE_SCRIPT] = "script",
	[IMAGE_ISO] = "iso",
};

static const char *const role_names[IMAGE_ROLES] = {
	[IMAGE_KERNEL] = "kernel",
	[IMAGE_INITRD] = "initrd",
	[IMAGE_WIMBOOT] = "wimboot",
	[IMAGE_WIMFILE] = "wim",
	[IMAGE_BCD] = "bcd",
	[IMAGE_SDI] = "sdi",
	[IMAGE_EFIFILE] = "efi",
	[IMAGE_SCRIPTFILE] = "script",
	[IMAGE_INJECT] = "inject",
	[IMAGE_ISOFILE] = "iso",
};

/* Which roles belong to a type, and which of them it cannot do without. */
static const struct {
	enum image_type type;
	enum image_role role;
	bool needed, many;
} parts[] = {
	{ IMAGE_LINUX, IMAGE_KERNEL, true, false },
	{ IMAGE_LINUX, IMAGE_INITRD, false, true },
	{ IMAGE_WIM, IMAGE_WIMBOOT, true, false },
	{ IMAGE_WIM, IMAGE_WIMFILE, true, false },
	{ IMAGE_WIM, IMAGE_BCD, false, false },
	{ IMAGE_WIM, IMAGE_SDI, false, false },
	{ IMAGE_WIM, IMAGE_INJECT, false, true },
	{ IMAGE_EFI, IMAGE_EFIFILE, true, false },
	{ IMAGE_SCRIPT, IMAGE_SCRIPTFILE, true, false },
	{ IMAGE_ISO, IMAGE_ISOFILE, true, false },
};

static int __attribute__((format(printf, 3, 4)))
complain(char *error, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(error, size, fmt, ap); /* a cut sentence still helps */
	va_end(ap);
	return -EINVAL;
}

const char *
image_type_name(enum image_type v)
{
	return (size_t)v < NITEMS(type_names) ? type_names[v] : "?";
}

const char *
image_role_name(enum image_role v)
{
	return (size_t)v < NITEMS(role_names) ? role_names[v] : "?";
}

int
image_type_parse(const char *name, enum image_type *ret)
{
	for (size_t i = 0; i < NITEMS(type_names); i++) {
		if (strcmp(type_names[i], name) == 0) {
			*ret = (enum image_type)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int
role_parse(const char *name, enum image_role *ret)
{
	for (size_t i = 0; i < NITEMS(role_names); i++) {
		if (strcmp(role_names[i], name) == 0) {
			*ret = (enum image_role)i;
			return 0;
		}
	}
	return -EINVAL;
}

static bool
is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool
image_name_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= IMAGE_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!is_letter_or_digit(name[i]) && strchr("._-", name[i]) == NULL)
			return false;
	}
	return true;
}

bool
image_file_name_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= IMAGE_FILE_MAX || name[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (name[i] <= ' ' || name[i] == 0x7f || strchr("/\\%?#&$", name[i]) != NULL)
			return false;
	}
	return true;
}

bool
image_line_valid(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0, word; i < n; i += word + 1) {
		word = strcspn(text + i, " ");
		if (word == 2 && (memcmp(text + i, "&&", 2) == 0 || memcmp(text + i, "||", 2) == 0))
			return false;
	}
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	}
	return n == 0 || text[n - 1] != '\\';
}

/* A member that is a string of less than `size` bytes; a missing one gives "". */
static int
get_string(
    const json_t *object, const char *key, char *ret, size_t size, char *error, size_t error_size)
{
	const json_t *v = json_object_get(object, key);

	ret[0] = '\0';
	if (v == NULL)
		return 0;
	if (!json_is_string(v) || json_string_length(v) >= size ||
	    strlen(json_string_value(v)) != json_string_length(v) ||
	    !image_line_valid(json_string_value(v)))
		return complain(error, error_size,
		    "\"%s\" is not a string of less than %zu bytes that a script's line can hold",
		    key, size);
	memcpy(ret, json_string_value(v), json_string_length(v) + 1);
	return 0;
}

static int
parse_sha256(const char *text, uint8_t ret[static IMAGE_SHA256])
{
	static const char digits[] = "0123456789abcdef";

	if (strlen(text) != 2 * IMAGE_SHA256)
		return -EINVAL;
	for (size_t i = 0; i < 2 * IMAGE_SHA256; i++) {
		const char *digit = strchr(digits, tolower((unsigned char)text[i]));

		if (digit == NULL)
			return -EINVAL;
		ret[i / 2] = (uint8_t)(ret[i / 2] << 4 | (digit - digits));
	}
	return 0;
}

static int
parse_file(const json_t *v, struct image_file *ret, char *error, size_t size)
{
	char role[32] = "", sha256[2 * IMAGE_SHA256 + 1] = "";
	const json_t *bytes = json_object_get(v, "size");

	if (get_string(v, "role", role, sizeof(role), error, size) < 0 ||
	    get_string(v, "name", ret->name, sizeof(ret->name), error, size) < 0 ||
	    get_string(v, "sha256", sha256, sizeof(sha256), error, size) < 0)
		return -EINVAL;
	if (!image_file_name_valid(ret->name))
		return complain(error, size, "\"%s\" is no name for a file", ret->name);
	if (role_parse(role, &ret->role) < 0)
		return complain(error, size, "%s: there is no role \"%s\"", ret->name, role);
	if (!json_is_integer(bytes) || json_integer_value(bytes) < 0)
		return complain(error, size, "%s: \"size\" is not a number of bytes", ret->name);
	if (parse_sha256(sha256, ret->sha256) < 0)
		return complain(
		    error, size, "%s: \"sha256\" is not 64 hexadecimal digits", ret->name);
	ret->size = (uint64_t)json_integer_value(bytes);
	return 0;
}

static int
parse_object(const json_t *root, struct image *im, char *error, size_t size)
{
	const json_t *files = json_object_get(root, "files"), *v;
	char type[32], cpu[32];
	size_t i;

	if (get_string(root, "name", im->name, sizeof(im->name), error, size) < 0 ||
	    get_string(root, "title", im->title, sizeof(im->title), error, size) < 0 ||
	    get_string(root, "args", im->args, sizeof(im->args), error, size) < 0 ||
	    get_string(root, "type", type, sizeof(type), error, size) < 0 ||
	    get_string(root, "arch", cpu, sizeof(cpu), error, size) < 0)
		return -EINVAL;
	if (!image_name_valid(im->name))
		return complain(error, size, "\"%s\" is no name for an image", im->name);
	if (image_type_parse(type, &im->type) < 0)
		return complain(error, size, "there is no type \"%s\"", type);
	if (cpu[0] != '\0') {
		im->cpu = arch_cpu_from_name(slice_str(cpu));
		if (im->cpu == ARCH_CPU_NONE)
			return complain(error, size, "there is no architecture \"%s\"", cpu);
	}
	im->is_default = json_is_true(json_object_get(root, "default"));
	im->is_secret = json_is_true(json_object_get(root, "secret"));
	v = json_object_get(root, "min_memory_mb");
	if (v != NULL && (!json_is_integer(v) || json_integer_value(v) < 0 ||
			     json_integer_value(v) > IMAGE_MEMORY_MAX_MB))
		return complain(error, size, "\"min_memory_mb\" is not a number of megabytes");
	im->min_memory_mb = (uint32_t)json_integer_value(v);
	v = json_object_get(root, "created_ms");
	im->created_ms = json_is_integer(v) ? (uint64_t)json_integer_value(v) : 0;
	if (!json_is_array(files) || json_array_size(files) > IMAGE_FILES_MAX)
		return complain(
		    error, size, "\"files\" is not a list of at most %d", IMAGE_FILES_MAX);
	json_array_foreach(files, i, v)
	{
		if (parse_file(v, &im->files[i], error, size) < 0)
			return -EINVAL;
		im->nfiles++;
	}
	return image_check(im, error, size);
}

int
image_parse(const char *text, size_t n, struct image *ret, char *error, size_t error_size)
{
	struct image im = { 0 };
	json_error_t je;
	json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
	int rc;

	if (root == NULL)
		return complain(
		    error, error_size, "line %d, column %d: %s", je.line, je.column, je.text);
	rc = json_is_object(root) ? parse_object(root, &im, error, error_size)
	                          : complain(error, error_size, "not an object");
	json_decref(root);
	if (rc == 0)
		*ret = im;
	return rc;
}

json_t *
image_dump(const struct image *image)
{
	json_t *files = json_array(), *root;

	for (size_t i = 0; i < image->nfiles; i++) {
		const struct image_file *f = &image->files[i];
		char hex[2 * IMAGE_SHA256 + 1];

		for (size_t k = 0; k < IMAGE_SHA256; k++)
			(void)sprintf(hex + 2 * k, "%02x", f->sha256[k]);
		json_array_append_new(
		    files, json_pack("{s:s, s:s, s:I, s:s}", "role", image_role_name(f->role),
			       "name", f->name, "size", (json_int_t)f->size, "sha256", hex));
	}
	root = json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:o}", "name", image->name, "type",
	    image_type_name(image->type), "title", image->title, "args", image->args, "default",
	    image->is_default, "created_ms", (json_int_t)image->created_ms, "files", files);
	if (image->cpu != ARCH_CPU_NONE)
		json_object_set_new(root, "arch", json_string(arch_cpu_name(image->cpu)));
	if (image->is_secret)
		json_object_set_new(root, "secret", json_true());
	if (image->min_memory_mb != 0)
		json_object_set_new(root, "min_memory_mb", json_integer(image->min_memory_mb));
	return root;
}

int
image_check(const struct image *image, char *error, size_t error_size)
{
	for (size_t i = 0; i < NITEMS(parts); i++) {
		size_t n = 0;

		if (parts[i].type != image->type)
			continue;
		for (size_t k = 0; k < image->nfiles; k++)
			n += image->files[k].role == parts[i].role;
		if ((n == 0 && parts[i].needed) || (n > 1 && !parts[i].many))
			return complain(error, error_size, "an image of type %s has %s %s file",
			    image_type_name(image->type), parts[i].needed ? "one" : "at most one",
			    image_role_name(parts[i].role));
	}
	for (size_t k = 0; k < image->nfiles; k++) {
		bool known = false;

		for (size_t i = 0; i < NITEMS(parts); i++)
			known |=
			    parts[i].type == image->type && parts[i].role == image->files[k].role;
		if (!known)
			return complain(error, error_size, "an image of type %s has no %s file",
			    image_type_name(image->type), image_role_name(image->files[k].role));
		for (size_t i = 0; i < k; i++) {
			if (strcasecmp(image->files[i].name, image->files[k].name) == 0)
				return complain(error, error_size, "two files are called \"%s\"",
				    image->files[k].name);
		}
	}
	return 0;
}

const struct image_file *
image_find(const struct image *image, enum image_role role)
{
	for (size_t i = 0; i < image->nfiles; i++) {
		if (image->files[i].role == role)
			return &image->files[i];
	}
	return NULL;
}

static bool
is_x86(enum arch_cpu cpu)
{
	return cpu == ARCH_CPU_BIOS || cpu == ARCH_CPU_IA32 || cpu == ARCH_CPU_X64;
}

bool
image_suits(const struct image *image, enum arch_cpu cpu)
{
	if (cpu == ARCH_CPU_NONE)
		return true; /* unknown: rather too much in the menu than too little */
	if (image->type == IMAGE_EFI && cpu == ARCH_CPU_BIOS)
		return false;
	if (image->cpu == ARCH_CPU_NONE || image->cpu == cpu)
		return true;
	/* a 64-bit kernel starts from BIOS, a 32-bit one too; EFI programs need their own CPU */
	return cpu == ARCH_CPU_BIOS && is_x86(image->cpu);
}
