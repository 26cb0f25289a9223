/* ferryctl loaders: bringing network boot programs into the content root. */
#include "ferryctl/loaders.h"
#include "common/path.h"
#include "ferryctl/fetch.h"
#include "ferryctl/table.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUITE "trixie"
#define USAGE                                                                                      \
	"loaders list |\n"                                                                         \
	"  loaders import [--suite RELEASE] [--mirror URL]   from Debian's package ipxe\n"         \
	"  loaders import FOLDER                             every boot program in it |\n"         \
	"  loaders stamp [PATH]... [--dir DIR] [--remove]    with this site's CA, where offers "   \
	"are not "                                                                                 \
	"ours"

struct import {
	const struct ctl *ctl;
	char *root;
	const char *source;  /* for people */
	const char *version; /* of the package, or "" */
	json_t *notes;       /* boot/loaders.json */
	json_t *report;
	int failures;
};

/*
 * The name in the content root: the folder tells the CPU, so a suffix that does is dropped.  Shims
 * look for their second stage by names without one.
 */
static void
plain_name(const char *name, char *ret, size_t size)
{
	static const char *const suffixes[] = { "-amd64", "-x86_64", "-arm64", "-riscv64",
		"-loong64", "_x64", "_x86", "_arm64" };
	const char *dot = strrchr(name, '.');
	size_t stem = dot != NULL ? (size_t)(dot - name) : strlen(name);

	for (size_t i = 0; i < NITEMS(suffixes); i++) {
		size_t n = strlen(suffixes[i]);

		if (stem > n && strncasecmp(name + stem - n, suffixes[i], n) == 0) {
			stem -= n;
			break;
		}
	}
	(void)snprintf(ret, size, "%.*s%s", (int)stem, name, dot != NULL ? dot : "");
}

static void
report_loader(struct import *im, const char *path, const struct loader_info *info)
{
	json_array_append_new(
	    im->report, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "path", path, "arch",
			    arch_cpu_name(info->cpu), "kind", loader_kind_name(info->kind),
			    "version", info->version, "https", loader_https_name(info->https),
			    "trust", loader_trust_words(info->trust), "source", im->source));
}

/* Publishes one file, if it is a boot program. */
static void
import_file(struct import *im, const char *from, const char *name)
{
	char path[CONTENT_PATH_MAX], to[PUBLISH_PATH], plain[256], source[ORIGINS_SOURCE];
	struct origin_note note = { 0 };
	uint8_t sha256[DIGEST_BYTES], *bytes;
	struct loader_info info;
	uint64_t size;
	size_t n;

	bytes = loaders_read(from, &n);
	if (bytes == NULL) {
		im->failures++;
		return;
	}
	loader_inspect((struct slice){ bytes, n }, name, &info);
	free(bytes);
	if (info.cpu == ARCH_CPU_NONE || info.kind == LOADER_UNKNOWN)
		return;
	plain_name(name, plain, sizeof(plain));
	(void)snprintf(path, sizeof(path), "boot/%s/%s", arch_cpu_name(info.cpu), plain);
	(void)snprintf(to, sizeof(to), "%s/boot/%s", im->root, arch_cpu_name(info.cpu));
	if (publish_folder(to) < 0) {
		im->failures++;
		return;
	}
	(void)snprintf(to, sizeof(to), "%s/%s", im->root, path);
	if (publish_copy(from, to, sha256, &size) < 0) {
		im->failures++;
		return;
	}
	(void)snprintf(note.path, sizeof(note.path), "%s", path);
	(void)digest_format(sha256, note.sha256);
	(void)snprintf(note.version, sizeof(note.version), "%s", im->version);
	(void)snprintf(note.source, sizeof(note.source), "%s", im->source);
	origins_set(&im->notes, &note);
	origins_apply(im->notes, path, note.sha256, &info, source);
	report_loader(im, path, &info);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
import_folder(struct import *im, const char *folder)
{
	DIR *dir = opendir(folder);
	char *names[1024], path[PUBLISH_PATH];
	const struct dirent *e;
	struct stat st;
	size_t n = 0;

	if (dir == NULL)
		return ctl_error("%s: %s", folder, strerror(errno));
	while ((e = readdir(dir)) != NULL && n < NITEMS(names)) {
		/* a link stands for a file that is there as well */
		if (snprintf(path, sizeof(path), "%s/%s", folder, e->d_name) >= (int)sizeof(path) ||
		    lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		names[n] = strdup(e->d_name);
		n += names[n] != NULL;
	}
	closedir(dir);
	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		import_file(im, path, names[i]);
		free(names[i]);
	}
	return CTL_OK;
}

static void
print_loaders(json_t *list)
{
	static const char *const headings[] = { "PATH", "ARCH", "WHAT", "VERSION", "HTTPS", "TRUST",
		NULL };
	const json_t *l;
	struct table t;
	size_t i;

	table_init(&t, headings);
	json_array_foreach(list, i, l)
	{
		char path[600];

		(void)snprintf(path, sizeof(path), "%.500s%s", member_text(l, "path"),
		    json_is_true(json_object_get(l, "offered")) ? " *" : "");
		table_add(&t, (const char *const[]){ path, member_text(l, "arch"),
				  member_text(l, "kind"), member_text(l, "version"),
				  member_text(l, "https"), member_text(l, "trust") });
	}
	table_print(&t, "no loaders: `ferryctl loaders import` brings them");
}

/* Writes the notes and tells what came. */
static int
finish_import(struct import *im)
{
	int rc;

	if (json_array_size(im->report) == 0)
		return ctl_error("%s: no boot program found", im->source);
	rc = loaders_write_notes(im->root, im->notes);
	ctl_content_changed(im->ctl);
	if (im->ctl->json)
		(void)ctl_print_json(json_incref(im->report));
	else
		print_loaders(im->report);
	return im->failures > 0 ? CTL_FAIL : rc;
}

static int
import_debian(struct import *im, const char *suite, const char *mirror)
{
	char work[] = "/tmp/ferryctl-XXXXXX", folder[64], version[LOADER_VERSION_MAX];
	char source[ORIGINS_SOURCE];
	int rc;

	if (mkdtemp(work) == NULL)
		return ctl_error("/tmp: %s", strerror(errno));
	rc = fetch_package(work, suite, mirror, "ipxe", version, sizeof(version)) < 0 ? CTL_FAIL
	                                                                              : CTL_OK;
	if (rc == CTL_OK) {
		(void)snprintf(source, sizeof(source), "Debian %s, ipxe %s", suite, version);
		im->source = source;
		im->version = version;
		(void)snprintf(folder, sizeof(folder), "%s/usr/lib/ipxe", work);
		rc = import_folder(im, folder);
	}
	if (rc == CTL_OK)
		rc = finish_import(im);
	im->source = im->version = NULL;
	(void)publish_remove(work);
	return rc;
}

static int
import(const struct ctl *c, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "suite", required_argument, NULL, 's' },
		{ "mirror", required_argument, NULL, 'm' },
		{ 0 },
	};
	const char *suite = SUITE, *mirror = NULL;
	struct import im = { .ctl = c, .version = "" };
	char path[PUBLISH_PATH];
	int o, rc;

	optind = 1;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 's')
			suite = optarg;
		else if (o == 'm')
			mirror = optarg;
		else
			return ctl_usage(USAGE);
	}
	if (argc - optind > 1)
		return ctl_usage(USAGE);
	im.root = ctl_root(c);
	im.report = json_array();
	(void)snprintf(path, sizeof(path), "%s/boot", im.root);
	if (publish_folder(path) < 0) {
		rc = CTL_FAIL;
		goto out;
	}
	im.notes = loaders_notes(im.root); /* none yet, or spoilt: begun anew */
	if (argc - optind == 1) {
		im.source = argv[optind];
		rc = import_folder(&im, argv[optind]);
		if (rc == CTL_OK)
			rc = finish_import(&im);
	} else {
		rc = import_debian(&im, suite, mirror);
	}
out:
	json_decref(im.notes);
	json_decref(im.report);
	free(im.root);
	return rc;
}

static int
list(const struct ctl *c)
{
	json_t *loaders = ctl_call(c, "loaders.list", NULL);
	size_t n = json_array_size(loaders);

	if (loaders == NULL || c->json)
		return ctl_print_json(loaders);
	print_loaders(loaders);
	if (n > 0)
		puts("\n* is what clients of that architecture are offered");
	json_decref(loaders);
	return CTL_OK;
}

int
cmd_loaders(const struct ctl *c, int argc, char *argv[])
{
	if (argc == 1 || (argc == 2 && strcmp(argv[1], "list") == 0))
		return list(c);
	if (strcmp(argv[1], "import") == 0)
		return import(c, argc - 1, argv + 1);
	if (strcmp(argv[1], "stamp") == 0)
		return cmd_loaders_stamp(c, argc - 1, argv + 1);
	return ctl_usage(USAGE);
}
