/* ferryctl images: adding, removing and verifying what can be booted. */
#include "common/content.h"
#include "common/image.h"
#include "common/loop.h"
#include "ferryctl/ctl.h"
#include "ferryctl/publish.h"
#include "ferryctl/table.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USAGE                                                                                      \
	"images list | show NAME | remove NAME | verify [NAME] |\n"                                \
	"  images add NAME --type linux --kernel F [--initrd F]... [--args TEXT]\n"                \
	"  images add NAME --type wim --wim F --wimboot F [--bcd F] [--sdi F]\n"                   \
	"      [--inject F]... [--args TEXT]\n"                                                    \
	"  images add NAME --type efi --efi F [--args TEXT]\n"                                     \
	"  images add NAME --type script --script F\n"                                             \
	"  images add NAME --type iso --iso F\n"                                                   \
	"    each with [--title TEXT] [--arch ARCH] [--min-memory MB] [--default] [--secret]\n"    \
	"      [--replace]"

/* A file on its way into an image. */
struct source {
	const char *path;
	enum image_role role;
};

struct addition {
	struct image image;
	struct source sources[IMAGE_FILES_MAX];
	bool replace, has_type;
};

enum {
	OPT_TYPE = 256,
	OPT_TITLE,
	OPT_ARGS,
	OPT_ARCH,
	OPT_DEFAULT,
	OPT_SECRET,
	OPT_MEMORY,
	OPT_REPLACE,
	OPT_ROLE, /* and one each for the roles */
};

static const struct option add_options[] = {
	{ "type", required_argument, NULL, OPT_TYPE },
	{ "title", required_argument, NULL, OPT_TITLE },
	{ "args", required_argument, NULL, OPT_ARGS },
	{ "arch", required_argument, NULL, OPT_ARCH },
	{ "default", no_argument, NULL, OPT_DEFAULT },
	{ "secret", no_argument, NULL, OPT_SECRET },
	{ "min-memory", required_argument, NULL, OPT_MEMORY },
	{ "replace", no_argument, NULL, OPT_REPLACE },
	{ "kernel", required_argument, NULL, OPT_ROLE + IMAGE_KERNEL },
	{ "initrd", required_argument, NULL, OPT_ROLE + IMAGE_INITRD },
	{ "wimboot", required_argument, NULL, OPT_ROLE + IMAGE_WIMBOOT },
	{ "wim", required_argument, NULL, OPT_ROLE + IMAGE_WIMFILE },
	{ "bcd", required_argument, NULL, OPT_ROLE + IMAGE_BCD },
	{ "sdi", required_argument, NULL, OPT_ROLE + IMAGE_SDI },
	{ "efi", required_argument, NULL, OPT_ROLE + IMAGE_EFIFILE },
	{ "script", required_argument, NULL, OPT_ROLE + IMAGE_SCRIPTFILE },
	{ "inject", required_argument, NULL, OPT_ROLE + IMAGE_INJECT },
	{ "iso", required_argument, NULL, OPT_ROLE + IMAGE_ISOFILE },
	{ 0 },
};

/* Copies an option's text; CTL_FAIL after printing if it is too long. */
static int
take_text(char *dst, size_t size, const char *text, const char *option)
{
	if (strlen(text) >= size)
		return ctl_error("--%s is longer than %zu bytes", option, size - 1);
	strcpy(dst, text);
	return CTL_OK;
}

static int
take_source(struct addition *a, enum image_role role, const char *path)
{
	struct image_file *f = &a->image.files[a->image.nfiles];
	const char *base = path_base(path);

	if (a->image.nfiles == IMAGE_FILES_MAX)
		return ctl_error("an image has at most %d files", IMAGE_FILES_MAX);
	if (!image_file_name_valid(base) || strcasecmp(base, IMAGE_MANIFEST) == 0)
		return ctl_error(
		    "\"%s\" is no name that a boot script can carry; rename the file", base);
	strcpy(f->name, base);
	f->role = role;
	a->sources[a->image.nfiles++] = (struct source){ path, role };
	return CTL_OK;
}

static int
take_option(struct addition *a, int o)
{
	struct image *im = &a->image;
	uint64_t mb;

	switch (o) {
	case OPT_TYPE:
		a->has_type = true;
		if (image_type_parse(optarg, &im->type) < 0)
			return ctl_error(
			    "--type is linux, wim, efi, script or iso, not \"%s\"", optarg);
		return CTL_OK;
	case OPT_TITLE: return take_text(im->title, sizeof(im->title), optarg, "title");
	case OPT_ARGS: return take_text(im->args, sizeof(im->args), optarg, "args");
	case OPT_ARCH:
		im->cpu = arch_cpu_from_name(slice_str(optarg));
		if (im->cpu == ARCH_CPU_NONE)
			return ctl_error("there is no architecture \"%s\"", optarg);
		return CTL_OK;
	case OPT_DEFAULT: im->is_default = true; return CTL_OK;
	case OPT_SECRET: im->is_secret = true; return CTL_OK;
	case OPT_MEMORY:
		if (parse_u64(optarg, &mb) < 0 || mb > IMAGE_MEMORY_MAX_MB)
			return ctl_error("--min-memory: \"%s\" is no number of megabytes", optarg);
		im->min_memory_mb = (uint32_t)mb;
		return CTL_OK;
	case OPT_REPLACE: a->replace = true; return CTL_OK;
	default:
		if (o < OPT_ROLE)
			return ctl_usage(USAGE);
		return take_source(a, (enum image_role)(o - OPT_ROLE), optarg);
	}
}

/* Puts files and manifest into the hidden folder. */
static int
fill(struct addition *a, const char *folder)
{
	json_t *manifest;
	char path[PUBLISH_PATH + 300], error[256];
	char *text;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < a->image.nfiles; i++) {
		struct image_file *f = &a->image.files[i];

		(void)snprintf(path, sizeof(path), "%s/%s", folder, f->name);
		rc = publish_copy(a->sources[i].path, path, f->sha256, &f->size);
	}
	if (rc < 0)
		return rc;
	manifest = image_dump(&a->image);
	text = json_dumps(manifest, JSON_INDENT(2));
	json_decref(manifest);
	/* what is published must be what handlerd will read */
	rc = text == NULL ? -ENOMEM
	                  : image_parse(text, strlen(text), &a->image, error, sizeof(error));
	if (rc < 0) {
		(void)ctl_error("%s", text != NULL ? error : "out of memory");
	} else {
		(void)snprintf(path, sizeof(path), "%s/" IMAGE_MANIFEST, folder);
		rc = publish_bytes(path, text, strlen(text), 0644);
	}
	free(text);
	return rc;
}

static int
publish_image(const struct ctl *c, struct addition *a)
{
	char path[PUBLISH_PATH], hidden[PUBLISH_PATH];
	char *root = ctl_root(c);
	int rc;

	(void)snprintf(path, sizeof(path), "%s/images", root);
	rc = publish_folder(path);
	(void)snprintf(path, sizeof(path), "%s/images/%s", root, a->image.name);
	free(root);
	if (rc < 0)
		return CTL_FAIL;
	if (!a->replace && access(path, F_OK) == 0)
		return ctl_error("there is an image \"%s\" already; --replace puts this one in "
				 "its place",
		    a->image.name);
	if (publish_begin(path, hidden) < 0)
		return CTL_FAIL;
	rc = fill(a, hidden);
	if (rc == 0)
		rc = publish_swap(hidden, path);
	if (rc < 0) {
		(void)publish_remove(hidden);
		return CTL_FAIL;
	}
	ctl_content_changed(c);
	return CTL_OK;
}

static int
add(const struct ctl *c, int argc, char *argv[])
{
	struct addition *a = calloc(1, sizeof(*a));
	char error[256];
	int o, rc = CTL_OK;

	if (a == NULL)
		return ctl_error("out of memory");
	if (argc < 2 || !image_name_valid(argv[1])) {
		rc = argc < 2 ? ctl_usage(USAGE)
		              : ctl_error("\"%s\" is no name for an image: letters, digits, '.', "
					  "'_' and '-', at most %d",
				    argv[1], IMAGE_NAME_MAX - 1);
		goto out;
	}
	strcpy(a->image.name, argv[1]);
	a->image.created_ms = wall_clock_ms();
	optind = 2;
	while (rc == CTL_OK && (o = getopt_long(argc, argv, "", add_options, NULL)) != -1)
		rc = take_option(a, o);
	if (rc == CTL_OK && (optind != argc || !a->has_type))
		rc = ctl_usage(USAGE);
	if (rc == CTL_OK && image_check(&a->image, error, sizeof(error)) < 0)
		rc = ctl_error("%s", error);
	if (rc == CTL_OK)
		rc = publish_image(c, a);
	if (rc == CTL_OK && c->json)
		rc = ctl_print_json(image_dump(&a->image));
	else if (rc == CTL_OK)
		printf("image %s is there, %zu files\n", a->image.name, a->image.nfiles);
out:
	free(a);
	return rc;
}

static int
remove_image(const struct ctl *c, int argc, char *argv[])
{
	char path[PUBLISH_PATH], hidden[PUBLISH_PATH];
	char *root;

	if (argc != 2 || !image_name_valid(argv[1]))
		return ctl_usage("images remove NAME");
	root = ctl_root(c);
	(void)snprintf(path, sizeof(path), "%s/images/%s", root, argv[1]);
	free(root);
	if (access(path, F_OK) < 0)
		return ctl_error("there is no image \"%s\"", argv[1]);
	/* gone at once for everybody, then file by file */
	if (publish_begin(path, hidden) < 0)
		return CTL_FAIL;
	if (rename(path, hidden) < 0) {
		(void)ctl_error("%s: %s", path, strerror(errno));
		(void)publish_remove(hidden);
		return CTL_FAIL;
	}
	if (publish_remove(hidden) < 0)
		return CTL_FAIL;
	ctl_content_changed(c);
	if (!c->json)
		printf("image %s is gone\n", argv[1]);
	return CTL_OK;
}

/* --- reading the content root itself -------------------------------------------------------- */

/* The manifest of one image, read from the disk.  0, or a negative errno with a text. */
static int
read_manifest(int root_fd, const char *name, struct image *ret, char *error, size_t error_size)
{
	char path[CONTENT_PATH_MAX];
	struct content_file f;
	char *text;
	ssize_t n;
	int rc;

	(void)snprintf(path, sizeof(path), "images/%s/" IMAGE_MANIFEST, name);
	rc = content_open(root_fd, path, &f);
	if (rc < 0) {
		(void)snprintf(error, error_size, "%s", strerror(-rc));
		return rc;
	}
	text = malloc((size_t)f.size + 1);
	n = text != NULL ? read(f.fd, text, (size_t)f.size) : -1;
	close(f.fd);
	if (n < 0) {
		(void)snprintf(error, error_size, "%s", strerror(errno));
		rc = -EIO;
	} else {
		rc = image_parse(text, (size_t)n, ret, error, error_size);
	}
	free(text);
	return rc;
}

/* Compares an image's files with its manifest; prints what is wrong.  The number of faults. */
static int
verify_image(int root_fd, const char *name, json_t *report)
{
	struct image *im = calloc(1, sizeof(*im));
	json_t *faults = json_array();
	char error[256];
	int n;

	if (im == NULL || read_manifest(root_fd, name, im, error, sizeof(error)) < 0)
		json_array_append_new(
		    faults, json_sprintf("%s: %s", IMAGE_MANIFEST, im != NULL ? error : "memory"));
	for (size_t i = 0; im != NULL && i < im->nfiles; i++) {
		const struct image_file *f = &im->files[i];
		uint8_t sha256[DIGEST_BYTES];
		char path[CONTENT_PATH_MAX];
		struct content_file file;
		uint64_t size = 0;
		int rc;

		(void)snprintf(path, sizeof(path), "images/%s/%s", name, f->name);
		rc = content_open(root_fd, path, &file);
		if (rc == 0) {
			rc = digest_fd(file.fd, -1, sha256, &size);
			close(file.fd);
		}
		if (rc < 0)
			json_array_append_new(
			    faults, json_sprintf("%s: %s", f->name, strerror(-rc)));
		else if (size != f->size)
			json_array_append_new(
			    faults, json_sprintf("%s: has %lld bytes, not %lld", f->name,
					(long long)size, (long long)f->size));
		else if (memcmp(sha256, f->sha256, sizeof(sha256)) != 0)
			json_array_append_new(
			    faults, json_sprintf("%s: its SHA-256 is another one", f->name));
	}
	free(im);
	n = (int)json_array_size(faults);
	json_array_append_new(
	    report, json_pack("{s:s, s:b, s:o}", "name", name, "good", n == 0, "faults", faults));
	return n;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Verifies all images; the number of faults, or -1 after printing why. */
static int
verify_all(int root_fd, const char *root, json_t *report)
{
	char path[PUBLISH_PATH], *names[4096];
	size_t n = 0;
	int faults = 0;
	const struct dirent *e;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/images", root);
	dir = opendir(path);
	if (dir == NULL && errno == ENOENT)
		return 0;
	if (dir == NULL) {
		(void)ctl_error("%s: %s", path, strerror(errno));
		return -1;
	}
	while ((e = readdir(dir)) != NULL && n < NITEMS(names)) {
		if (image_name_valid(e->d_name) && (names[n] = strdup(e->d_name)) != NULL)
			n++;
	}
	closedir(dir);
	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n; i++) {
		faults += verify_image(root_fd, names[i], report);
		free(names[i]);
	}
	return faults;
}

static int
verify(const struct ctl *c, int argc, char *argv[])
{
	json_t *report = json_array();
	const json_t *r, *fault;
	char *root;
	int root_fd, faults;
	size_t i, k;

	if (argc > 2 || (argc == 2 && !image_name_valid(argv[1]))) {
		json_decref(report);
		return ctl_usage("images verify [NAME]");
	}
	root = ctl_root(c);
	root_fd = content_root_open(root);
	if (root_fd < 0) {
		(void)ctl_error("%s: %s", root, content_strerror(-root_fd));
		faults = -1;
	} else {
		faults = argc == 2 ? verify_image(root_fd, argv[1], report)
		                   : verify_all(root_fd, root, report);
		close(root_fd);
	}
	free(root);
	if (c->json) {
		(void)ctl_print_json(report);
		return faults == 0 ? CTL_OK : CTL_FAIL;
	}
	json_array_foreach(report, i, r)
	{
		printf("%s: %s\n", member_text(r, "name"),
		    json_is_true(json_object_get(r, "good")) ? "good" : "NOT GOOD");
		json_array_foreach(json_object_get(r, "faults"), k, fault)
		    printf("  %s\n", json_string_value(fault));
	}
	json_decref(report);
	return faults == 0 ? CTL_OK : CTL_FAIL;
}

/* --- what handlerd offers ------------------------------------------------------------------- */

static uint64_t
total_size(const json_t *image)
{
	const json_t *f;
	uint64_t n = 0;
	size_t i;

	json_array_foreach(json_object_get(image, "files"), i, f) n +=
	    (uint64_t)member_int(f, "size");
	return n;
}

static int
list(const struct ctl *c)
{
	static const char *const headings[] = { "NAME", "TYPE", "ARCH", "SIZE", "DEFAULT", "ADDED",
		"TITLE", NULL };
	json_t *images = ctl_call(c, "images.list", NULL);
	const json_t *im;
	struct table t;
	size_t i;

	if (images == NULL || c->json)
		return ctl_print_json(images);
	table_init(&t, headings);
	json_array_foreach(images, i, im)
	{
		char time[32], size[32];
		const char *arch = member_text(im, "arch");

		table_add(
		    &t, (const char *const[]){ member_text(im, "name"), member_text(im, "type"),
			    arch[0] != '\0' ? arch : "any", format_bytes(total_size(im), size),
			    json_is_true(json_object_get(im, "default")) ? "yes" : "",
			    format_time((uint64_t)member_int(im, "created_ms"), time),
			    member_text(im, "title") });
	}
	table_print(&t, "no images");
	json_decref(images);
	return CTL_OK;
}

static int
show(const struct ctl *c, int argc, char *argv[])
{
	static const char *const headings[] = { "FILE", "ROLE", "SIZE", "SHA-256", NULL };
	const json_t *f;
	struct table t;
	json_t *im;
	size_t i;

	if (argc != 2)
		return ctl_usage("images show NAME");
	im = ctl_call(c, "images.show", json_pack("{s:s}", "name", argv[1]));
	if (im == NULL || c->json)
		return ctl_print_json(im);
	printf("%s: %s, %s\n", member_text(im, "name"), member_text(im, "type"),
	    member_text(im, "title"));
	if (member_text(im, "args")[0] != '\0')
		printf("arguments: %s\n", member_text(im, "args"));
	putchar('\n');
	table_init(&t, headings);
	json_array_foreach(json_object_get(im, "files"), i, f)
	{
		char size[32];

		table_add(&t, (const char *const[]){ member_text(f, "name"), member_text(f, "role"),
				  format_bytes((uint64_t)member_int(f, "size"), size),
				  member_text(f, "sha256") });
	}
	table_print(&t, "no files");
	json_decref(im);
	return CTL_OK;
}

int
cmd_images(const struct ctl *c, int argc, char *argv[])
{
	const char *what = argc > 1 ? argv[1] : "list";

	argc -= argc > 1;
	argv++;
	if (strcmp(what, "list") == 0 && argc == 1)
		return list(c);
	if (strcmp(what, "show") == 0)
		return show(c, argc, argv);
	if (strcmp(what, "add") == 0)
		return add(c, argc, argv);
	if (strcmp(what, "remove") == 0)
		return remove_image(c, argc, argv);
	if (strcmp(what, "verify") == 0)
		return verify(c, argc, argv);
	return ctl_usage(USAGE);
}
